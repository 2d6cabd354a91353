//! Style as mean and standard deviation of each channel.
//!
//! ```text
//! σ_c = √(S_cc − μ_c² + 10⁻⁵)
//! L = mean (μ − μ̂)² + mean (σ − σ̂)²
//! ```
//!
//! Source: the style loss of Huang and Belongie 2017 (AdaIN, equation 13), which has norms for squares. Normalised
//! by its target it is divided by `tr Σ̂/c`, the mean variance of the painting's features, like the Wasserstein
//! loss of which it is the diagonal case.

use super::gram::StyleMoments;
use super::wasserstein::blend;
use super::{Gradient, Loss, LossValue, Scaling, Seen, View};
use impasto_compute::{Device, Result, Tap, Tensor};

/// Added to each variance.
const EPSILON: f32 = 1e-5;
/// Added to each variance where it is the size of the target, as in the Wasserstein loss.
const RIDGE: f32 = 1e-4;

/// The loss of means and standard deviations at one tap.
#[derive(Debug)]
pub struct MeanStdLoss {
    tap: Tap,
    mean: Tensor,
    deviation: Tensor,
    scale: f64,
    scaling: Scaling,
}

impl MeanStdLoss {
    /// The loss towards the statistics of some paintings.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(
        device: &dyn Device,
        tap: Tap,
        styles: &[StyleMoments<'_>],
        scaling: Scaling,
    ) -> Result<Self> {
        let target = blend(device, styles)?;
        let c = target.mean.len();
        let trace = device.trace(&device.covariance(&target, RIDGE)?)?.value()?;
        let scale = scaling.factor(c, trace / c as f64);
        let deviation = device.standard_deviation(&target, EPSILON)?;
        Ok(Self {
            tap,
            mean: target.mean,
            deviation,
            scale,
            scaling,
        })
    }
}

impl Loss for MeanStdLoss {
    fn view(&self) -> View {
        View::Moments(self.tap)
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: Seen<'_>,
        weight: f32,
    ) -> Result<(LossValue, Gradient)> {
        let seen = seen.moments()?;
        let slope = (2.0 * f64::from(weight) * self.scale) as f32;
        let deviation = device.standard_deviation(seen, EPSILON)?;
        let (means, towards_mean) = device.squared_error(&seen.mean, &self.mean, slope)?;
        let (deviations, towards) = device.squared_error(&deviation, &self.deviation, slope)?;
        let mut gradient = device.standard_deviation_backward(seen, &deviation, &towards)?;
        device.axpby(1.0, &towards_mean, 1.0, &mut gradient.mean)?;
        let parts = vec![(self.scale, means), (self.scale, deviations)];
        let value = LossValue {
            parts,
            ..LossValue::default()
        };
        self.scaling
            .finish(device, value, Gradient::Moments(gradient), weight)
    }
}
