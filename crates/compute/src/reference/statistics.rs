//! Moments under weights, and functions of moments: covariance and standard deviation, with their gradients.

use super::{ReferenceDevice, get, put};
use crate::device::{same, weighted};
use crate::{Moments, Result, Statistics, Tensor};

/// Mean, second raw moment and channels.
fn parts<'a>(what: &'static str, moments: &'a Moments) -> Result<(&'a [f64], &'a [f64], usize)> {
    let c = moments.channels(what)?;
    Ok((get(what, &moments.mean)?, get(what, &moments.second)?, c))
}

impl Statistics for ReferenceDevice {
    fn weighted_moments(&self, features: &Tensor, weights: &Tensor) -> Result<Moments> {
        let what = "weighted_moments";
        let [c, h, w] = weighted(what, features, weights)?;
        let (x, weights) = (get(what, features)?, get(what, weights)?);
        let n = h * w;
        let sum = |value: &dyn Fn(usize) -> f64| -> f64 {
            (0..n).map(|place| weights[place] * value(place)).sum()
        };
        let mean = (0..c).map(|i| sum(&|place| x[i * n + place])).collect();
        let mut second = vec![0.0; c * c];
        for i in 0..c {
            for j in 0..=i {
                let value = sum(&|place| x[i * n + place] * x[j * n + place]);
                second[i * c + j] = value;
                second[j * c + i] = value;
            }
        }
        Ok(Moments {
            mean: put(mean, &[c]),
            second: put(second, &[c, c]),
        })
    }

    fn covariance(&self, moments: &Moments, ridge: f32) -> Result<Tensor> {
        let (mean, second, c) = parts("covariance", moments)?;
        let ridge = f64::from(ridge);
        let mut sigma = second.to_vec();
        for i in 0..c {
            for j in 0..c {
                sigma[i * c + j] -= mean[i] * mean[j];
            }
            sigma[i * c + i] += ridge;
        }
        Ok(put(sigma, &[c, c]))
    }

    fn covariance_backward(&self, moments: &Moments, gradient: &Tensor, k: f32) -> Result<Moments> {
        let (mean, _, c) = parts("covariance_backward", moments)?;
        let k = f64::from(k);
        same("covariance_backward", &moments.second, gradient)?;
        let second: Vec<f64> = get("covariance_backward", gradient)?
            .iter()
            .map(|d| k * d)
            .collect();
        let first = (0..c)
            .map(|i| -2.0 * (0..c).map(|j| second[i * c + j] * mean[j]).sum::<f64>())
            .collect();
        Ok(Moments {
            mean: put(first, &[c]),
            second: put(second, &[c, c]),
        })
    }

    fn standard_deviation(&self, moments: &Moments, epsilon: f32) -> Result<Tensor> {
        let (mean, second, c) = parts("standard_deviation", moments)?;
        let epsilon = f64::from(epsilon);
        let deviation = (0..c)
            .map(|i| {
                (second[i * c + i] - mean[i] * mean[i] + epsilon)
                    .max(0.0)
                    .sqrt()
            })
            .collect();
        Ok(put(deviation, &[c]))
    }

    fn standard_deviation_backward(
        &self,
        moments: &Moments,
        deviation: &Tensor,
        gradient: &Tensor,
    ) -> Result<Moments> {
        let what = "standard_deviation_backward";
        let (mean, _, c) = parts(what, moments)?;
        same(what, &moments.mean, deviation)?;
        same(what, deviation, gradient)?;
        let (deviation, gradient) = (get(what, deviation)?, get(what, gradient)?);
        let (mut first, mut second) = (vec![0.0; c], vec![0.0; c * c]);
        for i in 0..c {
            if deviation[i] > 0.0 {
                first[i] = -gradient[i] * mean[i] / deviation[i];
                second[i * c + i] = gradient[i] / (2.0 * deviation[i]);
            }
        }
        Ok(Moments {
            mean: put(first, &[c]),
            second: put(second, &[c, c]),
        })
    }
}
