//! Style as mean and standard deviation of each channel.
//!
//! ```text
//! σ_c = √(S_cc − μ_c² + 10⁻⁵)
//! L = mean (μ − μ̂)² + mean (σ − σ̂)²
//! ```
//!
//! Source: the style loss of Huang and Belongie 2017 (AdaIN, equation 13), which has norms for squares. Normalised
//! by its target it is divided by `tr Σ̂/c`, the mean variance of the painting's features, like the Wasserstein
//! loss of which it is the diagonal case; of flat paintings by 5 % of their mean square, likewise.

use super::gram::StyleMoments;
use super::wasserstein::{blend, mean_variance};
use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use impasto_compute::{Device, Result, Tap, Tensor};

/// Added to each variance.
const EPSILON: f32 = 1e-5;
/// Added to each variance where it is the size of the target, as in the Wasserstein loss.
const RIDGE: f32 = 1e-4;

/// The loss of means and standard deviations at one tap.
#[derive(Debug)]
pub struct MeanStdLoss {
    view: View,
    mean: Tensor,
    deviation: Tensor,
    /// `tr Σ̂/c`, or more if that is next to nothing.
    size: f64,
}

impl MeanStdLoss {
    /// The loss towards the statistics of some paintings.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, tap: Tap, styles: &[StyleMoments<'_>]) -> Result<Self> {
        let target = blend(device, styles)?;
        let trace = device.trace(&device.covariance(&target, RIDGE)?)?.value()?;
        let size = mean_variance(device, &target, trace)?;
        let deviation = device.standard_deviation(&target, EPSILON)?;
        Ok(Self {
            view: View::Moments(tap),
            mean: target.mean,
            deviation,
            size,
        })
    }
}

impl Loss for MeanStdLoss {
    fn views(&self) -> &[View] {
        std::slice::from_ref(&self.view)
    }

    fn extent(&self) -> Extent {
        Extent {
            entries: self.mean.len(),
            target: self.size,
        }
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)> {
        let moments = Seen::only(seen)?.moments()?;
        let slope = scale.times(2.0);
        let deviation = device.standard_deviation(moments, EPSILON)?;
        let (means, towards_mean) = device.squared_error(&moments.mean, &self.mean, slope)?;
        let (deviations, towards) = device.squared_error(&deviation, &self.deviation, slope)?;
        let mut gradient = device.standard_deviation_backward(moments, &deviation, &towards)?;
        device.axpby(1.0, &towards_mean, 1.0, &mut gradient.mean)?;
        let value = LossValue {
            parts: vec![(1.0, means), (1.0, deviations)],
            ..LossValue::default()
        };
        Ok((value, vec![Gradient::Moments(gradient)]))
    }
}
