//! A loss of moments that looks at a region of the picture alone.
//!
//! ```text
//! μ = Σ w_p·F_p      S = Σ w_p·F_p·F_pᵀ      Σ w_p = 1
//! dL/dF_p = w_p·(dL/dμ + (dL/dS + dL/dSᵀ)·F_p)
//! ```
//!
//! The weights `w` of places are those of the region (as those of styles with transparency are); Gatys et al. 2017 (Controlling
//! Perceptual Factors in Neural Style Transfer, section 4) have Gram matrices of guided features, which are the second
//! moments here.

use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use crate::random::StepSeed;
use impasto_compute::{Device, Result, Tap, Tensor};

/// A loss of one tap's moments, shown those of a region.
#[derive(Debug)]
pub struct RegionLoss {
    loss: Box<dyn Loss>,
    view: View,
    /// Of the places of the tap, `[h, w]`.
    weights: Tensor,
}

impl RegionLoss {
    /// A loss that looks at the moments of a tap alone, of the places with these weights `[h, w]`, which add up to 1.
    pub fn new(loss: Box<dyn Loss>, tap: Tap, weights: Tensor) -> Self {
        Self {
            loss,
            view: View::Features(tap),
            weights,
        }
    }
}

impl Loss for RegionLoss {
    fn views(&self) -> &[View] {
        std::slice::from_ref(&self.view)
    }

    fn extent(&self) -> Extent {
        self.loss.extent()
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)> {
        let (features, _) = Seen::only(seen)?.features()?;
        let moments = device.weighted_moments(features, &self.weights)?;
        let (value, gradients) = self
            .loss
            .evaluate(device, &[Seen::Moments(&moments)], scale)?;
        let mut towards = Vec::with_capacity(gradients.len());
        for gradient in gradients {
            let Gradient::Moments(gradient) = gradient else {
                return Err(super::wrong_view("moments", "a tensor"));
            };
            // The loss of a symmetric matrix has a symmetric gradient.
            let mut matrix = device.copy(&gradient.second)?;
            device.axpby(1.0, &gradient.second, 1.0, &mut matrix)?;
            let mut mixed = device.mix_channels(features, &matrix, &gradient.mean)?;
            device.scale_places(&mut mixed, &self.weights)?;
            towards.push(Gradient::Tensor(mixed));
        }
        Ok((value, towards))
    }

    fn prepare(&mut self, device: &dyn Device, seed: &StepSeed<'_>) -> Result<()> {
        self.loss.prepare(device, seed)
    }
}
