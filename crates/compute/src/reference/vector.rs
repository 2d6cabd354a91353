//! Elementwise operations and sums.

use super::{ReferenceDevice, get, get_mut, put};
use crate::device::{greatest, same};
use crate::{AdamBuffers, AdamStep, Result, Scalar, Tensor, VectorOps};

impl VectorOps for ReferenceDevice {
    fn copy(&self, x: &Tensor) -> Result<Tensor> {
        Ok(put(get("copy", x)?.to_vec(), x.shape()))
    }

    fn zeros(&self, shape: &[usize]) -> Result<Tensor> {
        Ok(put(vec![0.0; shape.iter().product()], shape))
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
}
