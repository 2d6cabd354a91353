//! How features get the statistics of a style's: every transform is affine, `y = W·x + b`, and so is a mixture of several.

use crate::Result;
use crate::recipe::Transform;
use impasto_compute::{ComputeError, Device, Moments, Tensor};

/// Mean and covariance of features, on the host.
#[derive(Clone, Debug)]
pub struct Gaussian {
    /// `[c]`.
    pub mean: Vec<f64>,
    /// `[c, c]`.
    pub covariance: Vec<f64>,
    /// Places that were seen; of some that count more than others, as many as would say as much if they counted alike.
    pub places: f64,
}

/// `y = W·x + b`.
#[derive(Clone, Debug)]
pub struct Affine {
    /// `[c, c]`.
    pub matrix: Vec<f64>,
    /// `[c]`.
    pub bias: Vec<f64>,
}

/// What a level's features are brought to, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistic {
    /// Mean and covariance; `ridge` is added to the content's variances, in units of their mean.
    Transport {
        /// Share of the mean variance.
        ridge: f64,
    },
    /// Mean and covariance, as a published program computes it.
    Whitening(Transform),
    /// Mean and standard deviation of each channel (Huang and Belongie 2017, arXiv 1703.06868, equation 8).
    Deviation,
}

impl Statistic {
    /// What decoders of `lite` have learned to make pictures of.
    pub const LEARNED: Statistic = Statistic::Transport { ridge: 1e-3 };
}

impl Gaussian {
    /// Of moments on a device, and of how many places they are.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn of(device: &dyn Device, moments: &Moments, places: f64) -> Result<Self> {
        let mean = device.download(&moments.mean)?;
        let mean: Vec<f64> = mean.into_iter().map(f64::from).collect();
        let second = device.download(&moments.second)?;
        let c = mean.len();
        let covariance = (0..c * c)
            .map(|k| f64::from(second[k]) - mean[k / c] * mean[k % c])
            .collect();
        Ok(Self {
            mean,
            covariance,
            places,
        })
    }

    /// Of features `[c, h, w]` on a device, whose places count by weights that add up to 1.
    pub(super) fn weighted(
        device: &dyn Device,
        features: &Tensor,
        weights: &[f32],
    ) -> Result<Self> {
        let [_, h, w] = map(features)?;
        let on_device = device.upload(weights, &[h, w])?;
        let moments = device.weighted_moments(features, &on_device)?;
        Self::of(device, &moments, alike(weights))
    }

    /// The same in f64: whitening divides by what is left of variances when means are taken off.
    pub(super) fn exact(device: &dyn Device, features: &Tensor, weights: &[f32]) -> Result<Self> {
        let values = device.download(features)?;
        let [c, h, w] = map(features)?;
        // Weights that were rounded to f32 add up to 1 but for that.
        let sum: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        let shares: Vec<f64> = weights.iter().map(|&w| f64::from(w) / sum).collect();
        let rows = values.chunks_exact((h * w).max(1));
        let mean = rows.clone().map(|row| {
            let terms = row
                .iter()
                .zip(&shares)
                .map(|(&v, share)| share * f64::from(v));
            terms.sum::<f64>()
        });
        let mean: Vec<f64> = mean.collect();
        let centred = rows.zip(&mean).map(|(row, mean)| {
            let row = row.iter().zip(&shares);
            let row = row.map(|(&v, share)| share.sqrt() * (f64::from(v) - mean));
            row.collect::<Vec<f64>>()
        });
        let centred: Vec<Vec<f64>> = centred.collect();
        let mut covariance = vec![0.0; c * c];
        for i in 0..c {
            for j in 0..=i {
                let sum = centred[i].iter().zip(&centred[j]).map(|(a, b)| a * b).sum();
                covariance[i * c + j] = sum;
                covariance[j * c + i] = sum;
            }
        }
        Ok(Self {
            mean,
            covariance,
            places: alike(weights),
        })
    }

    fn channels(&self) -> usize {
        self.mean.len()
    }

    /// The mean of the variances.
    fn mean_variance(&self) -> f64 {
        let c = self.channels();
        let trace: f64 = (0..c).map(|i| self.covariance[i * c + i]).sum();
        trace / c.max(1) as f64
    }

    /// The covariance with `n − 1` in the denominator, as the published programs have it.
    fn unbiased(&self) -> Vec<f64> {
        let n = self.places;
        let factor = if n > 1.0 { n / (n - 1.0) } else { 1.0 };
        self.covariance.iter().map(|v| v * factor).collect()
    }
}

/// The shape of features.
fn map(features: &Tensor) -> Result<[usize; 3]> {
    let wrong = |_| ComputeError::Shape {
        what: "features",
        expected: vec![0, 0, 0],
        got: features.shape().to_vec(),
    };
    Ok(features.shape().try_into().map_err(wrong)?)
}

/// How many places that count alike say as much as some that count by weights: `(Σw)² / Σw²` (Kish 1965, Survey Sampling,
/// section 11.7).
fn alike(weights: &[f32]) -> f64 {
    let of = |power: i32| weights.iter().map(move |&w| f64::from(w).powi(power));
    of(1).sum::<f64>().powi(2) / of(2).sum::<f64>()
}

impl Affine {
    /// The map from one Gaussian to another.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn between(
        device: &dyn Device,
        content: &Gaussian,
        style: &Gaussian,
        statistic: Statistic,
    ) -> Result<Self> {
        let matrix = match statistic {
            Statistic::Transport { ridge } => transport(device, content, style, ridge)?,
            Statistic::Whitening(program) => super::whitening::matrix(
                &content.unbiased(),
                &style.unbiased(),
                content.channels(),
                program,
            ),
            Statistic::Deviation => deviation(content, style),
        };
        let c = content.channels();
        let bias = (0..c).map(|i| {
            let row = &matrix[i * c..][..c];
            let moved: f64 = row.iter().zip(&content.mean).map(|(w, m)| w * m).sum();
            style.mean[i] - moved
        });
        Ok(Self {
            bias: bias.collect(),
            matrix,
        })
    }

    /// `x`, of so many channels.
    pub fn identity(channels: usize) -> Self {
        let c = channels;
        let entry = |k: usize| if k / c == k % c { 1.0 } else { 0.0 };
        Self {
            matrix: (0..c * c).map(entry).collect(),
            bias: vec![0.0; c],
        }
    }

    /// `self + share · other`.
    pub fn add(&mut self, share: f64, other: &Self) {
        let pairs = self.matrix.iter_mut().zip(&other.matrix);
        let pairs = pairs.chain(self.bias.iter_mut().zip(&other.bias));
        pairs.for_each(|(sum, term)| *sum += share * term);
    }

    /// `share · self`.
    #[must_use]
    pub fn scaled(mut self, share: f64) -> Self {
        let all = self.matrix.iter_mut().chain(&mut self.bias);
        all.for_each(|v| *v *= share);
        self
    }

    /// The features `[c, h, w]`, mapped.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn apply(&self, device: &dyn Device, features: &Tensor) -> Result<Tensor> {
        let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<_>>();
        let c = self.bias.len();
        let matrix = device.upload(&single(&self.matrix), &[c, c])?;
        let bias = device.upload(&single(&self.bias), &[c])?;
        Ok(device.mix_channels(features, &matrix, &bias)?)
    }

    /// The gradient towards features, `Wᵀ·g`, from that towards what was made of them, `[c, h, w]`; the map itself counts as
    /// a constant.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn back(&self, device: &dyn Device, gradient: &Tensor) -> Result<Tensor> {
        let c = self.bias.len();
        let transposed = Self {
            matrix: (0..c * c).map(|k| self.matrix[k % c * c + k / c]).collect(),
            bias: vec![0.0; c],
        };
        transposed.apply(device, gradient)
    }
}

/// The optimal-transport map between two Gaussians, `C^−½ (C^½ S C^½)^½ C^−½`: twice the gradient of their fidelity
/// towards `C` (Peyré and Cuturi 2019, arXiv 1803.00567, remark 2.31).
fn transport(
    device: &dyn Device,
    content: &Gaussian,
    style: &Gaussian,
    ridge: f64,
) -> Result<Vec<f64>> {
    let c = content.channels();
    let upload = |gaussian: &Gaussian, ridge: f64| {
        // A flat picture has no variance at all.
        let ridge = ridge * gaussian.mean_variance() + 1e-12;
        let values = (0..c * c).map(|k| {
            let diagonal = if k / c == k % c { ridge } else { 0.0 };
            (gaussian.covariance[k] + diagonal) as f32
        });
        device.upload(&values.collect::<Vec<_>>(), &[c, c])
    };
    let factor = device.cholesky(&upload(style, 1e-7)?)?;
    let (_, gradient) = device.fidelity(&upload(content, ridge)?, &factor)?;
    let gradient = device.download(&gradient)?;
    Ok(gradient.into_iter().map(|v| 2.0 * f64::from(v)).collect())
}

/// Added to variances, as Huang's program does.
const EPSILON: f64 = 1e-5;

/// `diag(σ_s / σ_c)`.
fn deviation(content: &Gaussian, style: &Gaussian) -> Vec<f64> {
    let c = content.channels();
    let of = |gaussian: &Gaussian| -> Vec<f64> {
        let unbiased = gaussian.unbiased();
        let variance = |i: usize| unbiased[i * c + i].max(0.0);
        (0..c).map(|i| (variance(i) + EPSILON).sqrt()).collect()
    };
    let (content, style) = (of(content), of(style));
    let mut matrix = vec![0.0; c * c];
    (0..c).for_each(|i| matrix[i * c + i] = style[i] / content[i]);
    matrix
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_compute::prelude::*;
    use impasto_compute::reference::ReferenceDevice;
    use impasto_testing::{Tolerance, assert_close, noise};

    /// `⟨g, W·x⟩ = ⟨Wᵀ·g, x⟩`: a map's bias has no part in it.
    #[test]
    fn gradients_go_back_by_the_transpose() {
        let device = ReferenceDevice::new();
        let upload = |seed| device.upload(&noise(seed, 3 * 20), &[3, 4, 5]).unwrap();
        let map = Affine {
            matrix: (0..9).map(|k| f64::from(k) - 3.5).collect(),
            bias: vec![0.0; 3],
        };
        let (x, gradient) = (upload(1), upload(2));
        let there = device.dot(&gradient, &map.apply(&device, &x).unwrap());
        let map = Affine {
            bias: vec![5.0; 3],
            ..map
        };
        let back = device.dot(&map.back(&device, &gradient).unwrap(), &x);
        let [there, back] = [there, back].map(|dot| dot.unwrap().value().unwrap() as f32);
        assert_close("products", &[back], &[there], Tolerance::relative(1e-4));
    }
}
