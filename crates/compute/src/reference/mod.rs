//! The oracle: every operation as its formula reads, one loop after the other, in f64.
//!
//! Nothing here is fast. What it computes is what every other device has to compute; the conformance tests hold
//! them against it, and finite differences hold it against itself.

mod graph;
mod learning;
mod matching;
mod matrix;
mod network;
mod spatial;
mod statistics;
mod variation;
mod vector;

pub(crate) use matrix::ordered;

use crate::{ComputeError, Hardware, NetSpec, Network, Networks, Result, Storage, Tensor};
use std::any::Any;

/// The device of naive loops in f64.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReferenceDevice;

impl ReferenceDevice {
    /// The reference device; it has no settings.
    pub fn new() -> Self {
        Self
    }

    /// The values of one of its tensors in full precision, for tests.
    ///
    /// # Errors
    /// [`ComputeError::ForeignTensor`].
    pub fn values(tensor: &Tensor) -> Result<&[f64]> {
        get("values", tensor)
    }

    /// A tensor from values in full precision, for tests.
    ///
    /// # Errors
    /// [`ComputeError::Shape`].
    pub fn tensor(values: Vec<f64>, shape: &[usize]) -> Result<Tensor> {
        if values.len() != shape.iter().product::<usize>() {
            return Err(ComputeError::Shape {
                what: "a tensor's values",
                expected: shape.to_vec(),
                got: vec![values.len()],
            });
        }
        Ok(put(values, shape))
    }
}

/// Row-major values.
#[derive(Debug)]
struct Values(Vec<f64>);

impl Storage for Values {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

fn put(values: Vec<f64>, shape: &[usize]) -> Tensor {
    debug_assert_eq!(values.len(), shape.iter().product::<usize>());
    Tensor::from_storage(shape, Box::new(Values(values)))
}

fn foreign(what: &'static str) -> ComputeError {
    ComputeError::ForeignTensor {
        what,
        device: "reference".into(),
    }
}

fn get<'a>(what: &'static str, tensor: &'a Tensor) -> Result<&'a [f64]> {
    tensor
        .storage::<Values>()
        .map(|values| values.0.as_slice())
        .ok_or_else(|| foreign(what))
}

fn get_mut<'a>(what: &'static str, tensor: &'a mut Tensor) -> Result<&'a mut [f64]> {
    tensor
        .storage_mut::<Values>()
        .map(|values| values.0.as_mut_slice())
        .ok_or_else(|| foreign(what))
}

impl Hardware for ReferenceDevice {
    fn name(&self) -> &str {
        "reference"
    }

    fn describe(&self) -> String {
        "reference: naive loops in f64, one thread, slow".into()
    }

    /// Its tensors are of f64.
    fn arithmetic(&self) -> Option<String> {
        None
    }

    fn upload(&self, values: &[f32], shape: &[usize]) -> Result<Tensor> {
        Self::tensor(values.iter().map(|&v| f64::from(v)).collect(), shape)
    }

    fn download(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        Ok(get("download", tensor)?.iter().map(|&v| v as f32).collect())
    }

    /// There is nothing behind it.
    fn falls_back(&self, operation: &'static str) -> Result<()> {
        Err(ComputeError::Unsupported {
            device: self.name().into(),
            operation,
        })
    }
}

impl Networks for ReferenceDevice {
    fn network(&self, spec: &NetSpec) -> Result<Box<dyn Network>> {
        Ok(Box::new(network::ReferenceNetwork::new(spec.clone())?))
    }
}
