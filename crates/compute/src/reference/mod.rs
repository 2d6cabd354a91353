//! The oracle: every operation as its formula reads, one loop after the other, in f64.
//!
//! Nothing here is fast. What it computes is what every other device has to compute; the conformance tests hold
//! them against it, and finite differences hold it against itself.

mod matrix;
mod network;
mod variation;

use crate::device::greatest;
use crate::{
    AdamBuffers, AdamStep, ComputeError, Device, Moments, NetSpec, Network, Patch, Reduction,
    Result, Scalar, Storage, Tensor, TotalVariation,
};
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

fn same(what: &'static str, x: &Tensor, y: &Tensor) -> Result<()> {
    if x.shape() == y.shape() {
        Ok(())
    } else {
        Err(ComputeError::Shape {
            what,
            expected: x.shape().to_vec(),
            got: y.shape().to_vec(),
        })
    }
}

impl Device for ReferenceDevice {
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

    fn network(&self, spec: &NetSpec) -> Result<Box<dyn Network>> {
        Ok(Box::new(network::ReferenceNetwork::new(spec.clone())?))
    }

    fn copy(&self, x: &Tensor) -> Result<Tensor> {
        Ok(put(get("copy", x)?.to_vec(), x.shape()))
    }

    fn paste(&self, x: &Tensor, patch: &Patch, b: f32, y: &mut Tensor) -> Result<()> {
        patch.check(x.shape(), y.shape())?;
        let (from, shape, b) = (get("paste", x)?, y.shape().to_vec(), f64::from(b));
        let to = get_mut("paste", y)?;
        patch.rows(x.shape(), &shape, |source, target| {
            let pairs = to[target].iter_mut().zip(&from[source]);
            pairs.for_each(|(to, from)| *to = if b == 0.0 { *from } else { from + b * *to });
        });
        Ok(())
    }

    fn axpby(&self, a: f32, x: &Tensor, b: f32, y: &mut Tensor) -> Result<()> {
        same("axpby", x, y)?;
        let (a, b) = (f64::from(a), f64::from(b));
        for (y, &x) in get_mut("axpby", y)?.iter_mut().zip(get("axpby", x)?) {
            *y = a * x + b * *y;
        }
        Ok(())
    }

    fn dot(&self, x: &Tensor, y: &Tensor) -> Result<Scalar> {
        same("dot", x, y)?;
        Ok(Scalar::Ready(
            get("dot", x)?
                .iter()
                .zip(get("dot", y)?)
                .map(|(x, y)| x * y)
                .sum(),
        ))
    }

    fn sum_abs(&self, x: &Tensor) -> Result<Scalar> {
        Ok(Scalar::Ready(
            get("sum_abs", x)?.iter().map(|x| x.abs()).sum(),
        ))
    }

    fn max_abs(&self, x: &Tensor) -> Result<Scalar> {
        let values = get("max_abs", x)?.iter().map(|x| x.abs());
        Ok(Scalar::Ready(greatest(values)))
    }

    fn clamp(&self, x: &mut Tensor, low: f32, high: f32) -> Result<()> {
        for x in get_mut("clamp", x)? {
            *x = x.max(f64::from(low)).min(f64::from(high));
        }
        Ok(())
    }

    fn squared_error(&self, x: &Tensor, t: &Tensor, k: f32) -> Result<(Scalar, Tensor)> {
        same("squared_error", x, t)?;
        let difference: Vec<f64> = get("squared_error", x)?
            .iter()
            .zip(get("squared_error", t)?)
            .map(|(x, t)| x - t)
            .collect();
        let sum = difference.iter().map(|d| d * d).sum();
        let gradient = difference.iter().map(|d| f64::from(k) * d).collect();
        Ok((Scalar::Ready(sum), put(gradient, x.shape())))
    }

    fn scale_over(&self, x: &mut Tensor, k: f32, divisor: &[Scalar]) -> Result<()> {
        let mut sum = 0.0;
        for part in divisor {
            sum += part.value()?;
        }
        let factor = if sum == 0.0 { 0.0 } else { f64::from(k) / sum };
        get_mut("scale_over", x)?
            .iter_mut()
            .for_each(|x| *x *= factor);
        Ok(())
    }

    fn adam(&self, buffers: AdamBuffers<'_>, step: &AdamStep) -> Result<()> {
        for tensor in [
            buffers.gradient,
            buffers.first,
            buffers.second,
            buffers.average,
        ] {
            same("adam", buffers.image, tensor)?;
        }
        let gradient = get("adam", buffers.gradient)?;
        let first = get_mut("adam", buffers.first)?;
        let second = get_mut("adam", buffers.second)?;
        let average = get_mut("adam", buffers.average)?;
        let image = get_mut("adam", buffers.image)?;
        let [beta1, beta2, decay] = [step.beta1, step.beta2, step.average_decay].map(f64::from);
        let [rate, epsilon] = [step.learning_rate, step.epsilon].map(f64::from);
        let [correction1, correction2] = [step.correction1, step.correction2].map(f64::from);
        for i in 0..image.len() {
            first[i] = beta1 * first[i] + (1.0 - beta1) * gradient[i];
            second[i] = beta2 * second[i] + (1.0 - beta2) * gradient[i] * gradient[i];
            let mean = first[i] / correction1;
            let root = (second[i] / correction2).sqrt();
            image[i] -= rate * mean / (root + epsilon);
            if let Some((low, high)) = step.clamp {
                image[i] = image[i].max(f64::from(low)).min(f64::from(high));
            }
            average[i] = decay * average[i] + (1.0 - decay) * image[i];
        }
        Ok(())
    }

    fn total_variation(
        &self,
        image: &Tensor,
        kind: TotalVariation,
        reduction: Reduction,
        k: f32,
    ) -> Result<(Scalar, Tensor)> {
        variation::total_variation(image, kind, reduction, f64::from(k))
    }

    fn covariance(&self, moments: &Moments, ridge: f32) -> Result<Tensor> {
        matrix::covariance(moments, f64::from(ridge))
    }

    fn trace(&self, matrix: &Tensor) -> Result<Scalar> {
        let c = matrix::side("trace", matrix)?;
        let values = get("trace", matrix)?;
        Ok(Scalar::Ready((0..c).map(|i| values[i * c + i]).sum()))
    }

    fn covariance_backward(&self, moments: &Moments, gradient: &Tensor, k: f32) -> Result<Moments> {
        matrix::covariance_backward(moments, gradient, f64::from(k))
    }

    fn cholesky(&self, covariance: &Tensor) -> Result<Tensor> {
        let c = matrix::side("cholesky", covariance)?;
        Ok(put(
            matrix::cholesky(get("cholesky", covariance)?, c),
            covariance.shape(),
        ))
    }

    fn fidelity(&self, covariance: &Tensor, target_factor: &Tensor) -> Result<(Scalar, Tensor)> {
        matrix::fidelity(covariance, target_factor)
    }

    fn standard_deviation(&self, moments: &Moments, epsilon: f32) -> Result<Tensor> {
        matrix::standard_deviation(moments, f64::from(epsilon))
    }

    fn standard_deviation_backward(
        &self,
        moments: &Moments,
        deviation: &Tensor,
        gradient: &Tensor,
    ) -> Result<Moments> {
        matrix::standard_deviation_backward(moments, deviation, gradient)
    }
}
