//! What is optimised, as one vector: some tensors, which are a picture, the levels of a pyramid, or a network's weights.

use impasto_compute::{Device, Result, Scalar, Tensor};

/// Some tensors that are stepped together. Dots and norms are over all of them.
#[derive(Debug)]
pub struct Parameters(Vec<Tensor>);

/// The shapes of some tensors.
pub type Shapes = Vec<Vec<usize>>;

impl From<Tensor> for Parameters {
    fn from(tensor: Tensor) -> Self {
        Self(vec![tensor])
    }
}

impl Parameters {
    /// Some tensors.
    pub fn new(tensors: Vec<Tensor>) -> Self {
        Self(tensors)
    }

    /// Zeros.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn zeros(device: &dyn Device, shapes: &[Vec<usize>]) -> Result<Self> {
        let zeros = |shape: &Vec<usize>| device.upload(&vec![0.0; shape.iter().product()], shape);
        shapes.iter().map(zeros).collect::<Result<_>>().map(Self)
    }

    /// The tensors.
    pub fn tensors(&self) -> &[Tensor] {
        &self.0
    }

    /// The tensors.
    pub fn tensors_mut(&mut self) -> &mut [Tensor] {
        &mut self.0
    }

    /// Their shapes.
    pub fn shapes(&self) -> Shapes {
        self.0.iter().map(|x| x.shape().to_vec()).collect()
    }

    /// A second vector with the same content.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn copy(&self, device: &dyn Device) -> Result<Self> {
        let copies = self.0.iter().map(|x| device.copy(x));
        copies.collect::<Result<_>>().map(Self)
    }

    /// Their values, row-major, tensor by tensor.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn download(&self, device: &dyn Device) -> Result<Vec<Vec<f32>>> {
        self.0.iter().map(|x| device.download(x)).collect()
    }

    /// `self ← a·x + b·self`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn axpby(&mut self, device: &dyn Device, a: f32, x: &Parameters, b: f32) -> Result<()> {
        let mut pairs = x.0.iter().zip(&mut self.0);
        pairs.try_for_each(|(x, y)| device.axpby(a, x, b, y))
    }

    /// Brings every value into a range.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn clamp(&mut self, device: &dyn Device, (low, high): (f32, f32)) -> Result<()> {
        let mut all = self.0.iter_mut();
        all.try_for_each(|x| device.clamp(x, low, high))
    }

    /// `Σ xᵢ·yᵢ`. Waits for the device.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn dot(&self, device: &dyn Device, other: &Parameters) -> Result<f64> {
        let pairs = self.0.iter().zip(&other.0);
        total(pairs.map(|(x, y)| device.dot(x, y)))
    }

    /// `Σ |xᵢ|`. Waits for the device.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn sum_abs(&self, device: &dyn Device) -> Result<f64> {
        total(self.0.iter().map(|x| device.sum_abs(x)))
    }

    /// `max |xᵢ|`; not a number if any is not. Waits for the device.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn max_abs(&self, device: &dyn Device) -> Result<f64> {
        let mut greatest = 0.0;
        for x in &self.0 {
            let value = device.max_abs(x)?.value()?;
            if value.is_nan() || value > greatest {
                greatest = value;
            }
            if greatest.is_nan() {
                break;
            }
        }
        Ok(greatest)
    }
}

fn total(scalars: impl Iterator<Item = Result<Scalar>>) -> Result<f64> {
    let mut sum = 0.0;
    for scalar in scalars {
        sum += scalar?.value()?;
    }
    Ok(sum)
}
