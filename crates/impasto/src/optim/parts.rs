//! The state of an optimiser as plain data, from which it can be made again.

use super::Parameters;
use impasto_compute::Tensor;
use std::collections::BTreeMap;

/// Numbers and tensors (or where to find them) by name.
#[derive(Debug)]
pub struct Parts<T> {
    /// Numbers.
    pub numbers: BTreeMap<String, f64>,
    /// Tensors.
    pub tensors: BTreeMap<String, T>,
}

/// A part that saved data lack, or that does not fit.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the optimiser's {0} is missing or does not fit")]
pub struct Unfit(pub String);

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self {
            numbers: BTreeMap::new(),
            tensors: BTreeMap::new(),
        }
    }
}

impl<T> Parts<T> {
    /// Adds a number.
    pub fn put(&mut self, name: impl Into<String>, number: f64) {
        self.numbers.insert(name.into(), number);
    }

    /// Adds a tensor.
    pub fn put_tensor(&mut self, name: impl Into<String>, tensor: T) {
        self.tensors.insert(name.into(), tensor);
    }

    /// A number.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn number(&self, name: &str) -> Result<f64, Unfit> {
        let number = self.numbers.get(name).copied();
        number.ok_or_else(|| Unfit(name.into()))
    }

    /// A whole number of at least 0.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn count<N: TryFrom<u64>>(&self, name: &str) -> Result<N, Unfit> {
        let number = self.number(name)?;
        // Whole numbers beyond are not told apart by f64.
        let whole = (0.0..=2f64.powi(53)).contains(&number) && number.fract() == 0.0;
        let count = whole.then_some(number as u64);
        let count = count.and_then(|count| N::try_from(count).ok());
        count.ok_or_else(|| Unfit(name.into()))
    }
}

impl<'a> Parts<&'a Tensor> {
    /// Adds parameters.
    pub fn put_parameters(&mut self, name: &str, parameters: &'a Parameters) {
        for (index, tensor) in parameters.tensors().iter().enumerate() {
            self.put_tensor(format!("{name}.{index}"), tensor);
        }
    }
}

impl Parts<Tensor> {
    /// Takes out parameters of some shapes.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn take_parameters(
        &mut self,
        name: &str,
        shapes: &[Vec<usize>],
    ) -> Result<Parameters, Unfit> {
        let shapes = shapes.iter().enumerate();
        let tensors = shapes.map(|(index, shape)| self.take(&format!("{name}.{index}"), shape));
        tensors.collect::<Result<_, _>>().map(Parameters::new)
    }

    /// Whether it has some parameters.
    pub fn has_parameters(&self, name: &str) -> bool {
        self.tensors.contains_key(&format!("{name}.0"))
    }

    /// Takes out a tensor of a shape.
    fn take(&mut self, name: &str, shape: &[usize]) -> Result<Tensor, Unfit> {
        let tensor = self.tensors.remove(name);
        let fits = tensor.filter(|tensor| tensor.shape() == shape);
        fits.ok_or_else(|| Unfit(name.into()))
    }
}
