//! Time: the picture stays what the frames before became, where they show the same.
//!
//! ```text
//! L = mean w_p·(x_p − t_p)²            dL/dx = 2/N · w·(x − t)            N = 3·h·w
//! ```
//!
//! `t` are painted frames moved along the flow of the film, `w` how far each place of them can be relied on, 0 to 1. Source:
//! Ruder, Dosovitskiy and Brox 2016 (Artistic Style Transfer for Videos, arXiv 1604.08610), equations 7 and 9; what places further
//! back in time add is in the target already. Normalised by its target it is divided by the variance of `t` where it counts.

use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use impasto_compute::{Device, Result, Tensor};

/// The loss towards what the frames before became.
#[derive(Debug)]
pub struct TemporalLoss {
    /// `√w·t`, `[3, h, w]`.
    target: Tensor,
    /// `√w`, `[h, w]`.
    roots: Tensor,
    variance: f64,
}

impl TemporalLoss {
    /// The loss towards an image `[3, h, w]` in the units of the image, whose places count by weights of 0 to 1, `[h, w]`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, mut target: Tensor, weights: &[f32]) -> Result<Self> {
        let (h, w) = match *target.shape() {
            [_, h, w] => (h, w),
            _ => (0, 0),
        };
        let variance = variance(&device.download(&target)?, weights);
        let roots: Vec<f32> = weights.iter().map(|weight| weight.sqrt()).collect();
        let roots = device.upload(&roots, &[h, w])?;
        device.scale_places(&mut target, &roots)?;
        Ok(Self {
            target,
            roots,
            variance,
        })
    }
}

/// The variance of planes over all their entries, by the weights of their places.
fn variance(values: &[f32], weights: &[f32]) -> f64 {
    let (mut sum, mut first, mut second) = (0.0, 0.0, 0.0);
    for plane in values.chunks_exact(weights.len().max(1)) {
        for (&value, &weight) in plane.iter().zip(weights) {
            let (value, weight) = (f64::from(value), f64::from(weight));
            sum += weight;
            first += weight * value;
            second += weight * value * value;
        }
    }
    let sum = sum.max(f64::MIN_POSITIVE);
    (second / sum - (first / sum).powi(2)).max(0.0)
}

impl Loss for TemporalLoss {
    fn views(&self) -> &[View] {
        &[View::Image]
    }

    fn extent(&self) -> Extent {
        Extent {
            entries: self.target.len(),
            target: self.variance,
        }
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)> {
        let image = Seen::only(seen)?.tensor()?;
        let mut weighted = device.copy(image)?;
        device.scale_places(&mut weighted, &self.roots)?;
        let (sum, mut gradient) =
            device.squared_error(&weighted, &self.target, scale.times(2.0))?;
        device.scale_places(&mut gradient, &self.roots)?;
        Ok((LossValue::of(1.0, sum), vec![Gradient::Tensor(gradient)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_compute::prelude::*;
    use impasto_compute::reference::ReferenceDevice;

    /// Value and gradient against the formula; places without weight count in nothing, the variance included.
    #[test]
    fn what_is_known_counts_as_far_as_it_is() {
        let device = ReferenceDevice::new();
        let upload = |values: &[f32]| device.upload(values, &[3, 1, 2]).unwrap();
        let (target, image) = (
            [0.1, 9.0, 0.5, 9.0, 0.3, 9.0],
            [0.2, 0.0, 0.1, 0.0, 0.6, 0.0],
        );
        let loss = TemporalLoss::new(&device, upload(&target), &[0.5, 0.0]).unwrap();
        let mean = (0.1 + 0.5 + 0.3) / 3.0;
        let variance = [0.1f64, 0.5, 0.3]
            .map(|t| (t - mean).powi(2))
            .iter()
            .sum::<f64>()
            / 3.0;
        assert!((loss.extent().target - variance).abs() < 1e-6);
        let image = upload(&image);
        let scale = GradientScale {
            weight: 1.0,
            factor: 1.0,
        };
        let (value, gradients) = loss
            .evaluate(&device, &[Seen::Image(&image)], scale)
            .unwrap();
        let expected = 0.5 * (0.1f64.powi(2) + 0.4f64.powi(2) + 0.3f64.powi(2));
        assert!((value.value().unwrap() - expected).abs() < 1e-6);
        let [Gradient::Tensor(gradient)] = &gradients[..] else {
            panic!("{gradients:?}")
        };
        let gradient = device.download(gradient).unwrap();
        for (found, expected) in gradient.iter().zip([0.1, 0.0, -0.4, 0.0, 0.3, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{gradient:?}");
        }
        assert_eq!(gradient.len(), 6);
    }
}
