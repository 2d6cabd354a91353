//! Mean and covariance of the places are those of the style's.
//!
//! ```text
//! L = mean |μ − μ̂| + mean |Σ − Σ̂|
//! ```
//!
//! Source: Kolkin et al. 2019, equation 6: what matching by angles leaves free, the size of features, is held by it.

use super::{Comparison, Drawn, shape, transposed};
use impasto_compute::{Device, Result, Tensor};

/// The distance from a style's mean and covariance.
#[derive(Debug)]
pub struct Spread {
    mean: Vec<f32>,
    covariance: Vec<f32>,
}

/// Mean of rows, rows less it, and their covariance.
fn moments(device: &dyn Device, rows: &Tensor) -> Result<(Vec<f32>, Tensor, Vec<f32>)> {
    let [n, c] = shape(rows);
    let mean = device.mean_of_rows(rows)?;
    let mut centred = device.copy(rows)?;
    device.add_to_rows(&mut centred, -1.0, &mean)?;
    let turned = transposed(&device.download(&centred)?, [n, c]);
    let turned = device.upload(&turned, &[c, n])?;
    let mut covariance = device.download(&device.product(&turned, &turned)?)?;
    covariance
        .iter_mut()
        .for_each(|value| *value /= n.max(1) as f32);
    Ok((device.download(&mean)?, centred, covariance))
}

impl Spread {
    /// The distance from the moments of rows `[m, c]` of a style.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, style: &Tensor) -> Result<Self> {
        let (mean, _, covariance) = moments(device, style)?;
        Ok(Self { mean, covariance })
    }
}

/// Mean of `|a − b|`, and its gradient towards `a`.
fn absolute(a: &[f32], b: &[f32]) -> (f64, Vec<f32>) {
    let n = a.len().max(1) as f64;
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).sum();
    let sign = |(a, b): (&f32, &f32)| match a == b {
        true => 0.0,
        false => (a - b).signum() / n as f32,
    };
    (sum / n, a.iter().zip(b).map(sign).collect())
}

impl Comparison for Spread {
    fn compare(
        &self,
        device: &dyn Device,
        rows: &Tensor,
        _: &Drawn,
        k: f64,
    ) -> Result<(f64, Tensor)> {
        let [n, c] = shape(rows);
        let (mean, centred, covariance) = moments(device, rows)?;
        let (of_mean, mut towards_mean) = absolute(&mean, &self.mean);
        let (of_covariance, mut towards) = absolute(&covariance, &self.covariance);
        let factor = (k / n.max(1) as f64) as f32;
        towards_mean.iter_mut().for_each(|value| *value *= factor);
        // The sign of what is symmetric is.
        towards.iter_mut().for_each(|value| *value *= 2.0 * factor);
        let towards = device.upload(&towards, &[c, c])?;
        let mut gradient = device.product(&centred, &towards)?;
        // What comes by the mean within the covariance cancels.
        device.add_to_rows(&mut gradient, 1.0, &device.upload(&towards_mean, &[c])?)?;
        Ok((of_mean + of_covariance, gradient))
    }
}
