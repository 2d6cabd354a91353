//! Style as Gaussians: the squared Wasserstein-2 distance between normal distributions with the mean and
//! covariance of the features.
//!
//! ```text
//! Σ = S − μ·μᵀ + 10⁻⁴·I
//! L = 1/c·|μ − μ̂|² + 1/c·( tr Σ̂ + tr Σ − 2·tr (Σ̂^½ Σ Σ̂^½)^½ )
//! dL/dΣ = 1/c·(I − Σ̂^½ (Σ̂^½ Σ Σ̂^½)^−½ Σ̂^½)
//! dL/dS = dL/dΣ        dL/dμ = 2/c·(μ − μ̂) − 2·dL/dΣ·μ
//! ```
//!
//! Hats mark the painting. The distance is that of Dowson and Landau 1982 and Olkin and Pukelsheim 1982; as a style
//! loss it is crowsonkb/style-transfer-pytorch's. Normalised by its target it is divided by `tr Σ̂/c`, so that the
//! unpainted photo scores about 1. A flat painting has next to no variance; where it is less than 5 % of the mean
//! square `tr Ŝ/c`, the loss is divided by that much instead. What rounding leaves below 0 is 0. Several paintings have
//! the weighted mean of their raw moments, from which their covariance is formed.

use super::gram::StyleMoments;
use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use impasto_compute::{Device, Moments, Result, Tap, Tensor};

/// Added to the diagonal of both covariances.
const RIDGE: f32 = 1e-4;

/// The least share of a painting's mean square that counts as its variance.
const LEAST_VARIANCE: f64 = 0.05;

/// The Wasserstein-2 loss at one tap.
#[derive(Debug)]
pub struct WassersteinLoss {
    view: View,
    mean: Tensor,
    /// Cholesky factor of `Σ̂`.
    factor: Tensor,
    /// `tr Σ̂`.
    trace: f64,
    /// What the value is divided by if its target normalises it: `tr Σ̂/c`, or more if that is next to nothing.
    size: f64,
    /// Identity, times which `dL/dΣ` starts.
    identity: Tensor,
}

/// The mean variance of paintings' features, `tr Σ̂/c`, from their moments and `tr Σ̂`: what losses are divided by, and
/// therefore at least [`LEAST_VARIANCE`] of their mean square.
pub(super) fn mean_variance(device: &dyn Device, target: &Moments, trace: f64) -> Result<f64> {
    let square = device.trace(&target.second)?.value()?;
    Ok(trace.max(LEAST_VARIANCE * square) / target.mean.len() as f64)
}

/// The weighted mean of several paintings' raw moments.
pub(super) fn blend(device: &dyn Device, styles: &[StyleMoments<'_>]) -> Result<Moments> {
    let first = styles[0].moments;
    let mut mean = device.upload(&vec![0.0; first.mean.len()], first.mean.shape())?;
    let mut second = device.upload(&vec![0.0; first.second.len()], first.second.shape())?;
    for style in styles {
        device.axpby(style.share, &style.moments.mean, 1.0, &mut mean)?;
        device.axpby(style.share, &style.moments.second, 1.0, &mut second)?;
    }
    Ok(Moments { mean, second })
}

impl WassersteinLoss {
    /// The loss towards the Gaussian of some paintings.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, tap: Tap, styles: &[StyleMoments<'_>]) -> Result<Self> {
        let target = blend(device, styles)?;
        let covariance = device.covariance(&target, RIDGE)?;
        let trace = device.trace(&covariance)?.value()?;
        let size = mean_variance(device, &target, trace)?;
        let factor = device.cholesky(&covariance)?;
        let c = target.mean.len();
        let mut identity = vec![0.0; c * c];
        identity
            .iter_mut()
            .step_by(c + 1)
            .for_each(|entry| *entry = 1.0);
        let identity = device.upload(&identity, &[c, c])?;
        Ok(Self {
            view: View::Moments(tap),
            mean: target.mean,
            factor,
            trace,
            size,
            identity,
        })
    }
}

impl Loss for WassersteinLoss {
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
        let slope = scale.times(1.0);
        let covariance = device.covariance(moments, RIDGE)?;
        let trace = device.trace(&covariance)?;
        let (fidelity, mut towards) = device.fidelity(&covariance, &self.factor)?;
        device.axpby(1.0, &self.identity, -2.0, &mut towards)?;
        let mut gradient = device.covariance_backward(moments, &towards, slope)?;
        let (distance, towards_mean) =
            device.squared_error(&moments.mean, &self.mean, 2.0 * slope)?;
        device.axpby(1.0, &towards_mean, 1.0, &mut gradient.mean)?;
        let value = LossValue {
            constant: self.trace,
            parts: vec![(1.0, distance), (1.0, trace), (-2.0, fidelity)],
            is_distance: true,
            ..LossValue::default()
        };
        Ok((value, vec![Gradient::Moments(gradient)]))
    }
}
