//! A loss of moments that looks at a region of the picture alone.
//!
//! ```text
//! μ = Σ w_p·F_p      S = Σ w_p·F_p·F_pᵀ      Σ w_p = 1
//! dL/dF_p = w_p·(dL/dμ + (dL/dS + dL/dSᵀ)·F_p)
//! ```
//!
//! The weights `w` of places are those of the region (as those of styles with transparency are); Gatys et al. 2017 (Controlling
//! Perceptual Factors in Neural Style Transfer, section 4) have Gram matrices of guided features, which are the second
//! moments here. Both lines are sums over places, so that a picture may be worked on tile by tile: the moments of its tiles
//! add up to those of the whole.

use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use crate::random::StepSeed;
use impasto_compute::{Device, Moments, Result, Size, Tensor, Window};

/// A weight for each place of a map, as a whole and of a part of it.
#[derive(Debug)]
pub struct Places {
    size: Size,
    weights: Vec<f32>,
    whole: Tensor,
}

impl Places {
    /// Weights `[h, w]`.
    ///
    /// # Errors
    /// A shape error if there are not as many as places.
    pub fn new(device: &dyn Device, weights: Vec<f32>, size: Size) -> Result<Self> {
        let whole = device.upload(&weights, &[size.height, size.width])?;
        Ok(Self {
            size,
            weights,
            whole,
        })
    }

    /// The weights of a part; `slot` has what is made for it.
    pub(super) fn part<'t>(
        &'t self,
        device: &dyn Device,
        place: &Window,
        slot: &'t mut Option<Tensor>,
    ) -> Result<&'t Tensor> {
        if *place == Window::whole(self.size) {
            return Ok(&self.whole);
        }
        let rows = self.weights.chunks_exact(self.size.width.max(1));
        let rows = rows.skip(place.top).take(place.height);
        let columns = place.left..place.left + place.width;
        let part: Vec<f32> = rows
            .filter_map(|row| row.get(columns.clone()))
            .flatten()
            .copied()
            .collect();
        Ok(slot.insert(device.upload(&part, &[place.height, place.width])?))
    }

    /// The part that features at a place of the map have in its weighted moments.
    ///
    /// # Errors
    /// Whatever the device reports; a shape error if the place is not in the map.
    pub fn moments(
        &self,
        device: &dyn Device,
        features: &Tensor,
        place: &Window,
    ) -> Result<Moments> {
        let mut slot = None;
        device.weighted_moments(features, self.part(device, place, &mut slot)?)
    }

    /// The gradient towards features at a place of the map, from one towards the weighted moments.
    ///
    /// # Errors
    /// As [`Places::moments`].
    pub fn towards_features(
        &self,
        device: &dyn Device,
        (features, place): (&Tensor, &Window),
        towards: &Moments,
    ) -> Result<Tensor> {
        // The loss of a symmetric matrix has a symmetric gradient.
        let mut matrix = device.copy(&towards.second)?;
        device.axpby(1.0, &towards.second, 1.0, &mut matrix)?;
        let mut mixed = device.mix_channels(features, &matrix, &towards.mean)?;
        let mut slot = None;
        device.scale_places(&mut mixed, self.part(device, place, &mut slot)?)?;
        Ok(mixed)
    }
}

/// A loss of one tap's moments, shown those of a region.
#[derive(Debug)]
pub struct RegionLoss {
    loss: Box<dyn Loss>,
    places: Places,
}

impl RegionLoss {
    /// A loss that looks at the moments of a tap alone, of places whose weights add up to 1.
    pub fn new(loss: Box<dyn Loss>, places: Places) -> Self {
        Self { loss, places }
    }
}

impl Loss for RegionLoss {
    fn views(&self) -> &[View] {
        self.loss.views()
    }

    fn places(&self) -> Option<&Places> {
        Some(&self.places)
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
        self.loss.evaluate(device, seen, scale)
    }

    fn prepare(&mut self, device: &dyn Device, seed: &StepSeed<'_>) -> Result<()> {
        self.loss.prepare(device, seed)
    }

    fn memory(&self) -> Vec<f32> {
        self.loss.memory()
    }

    fn recall(&mut self, memory: &[f32]) -> Result<()> {
        self.loss.recall(memory)
    }
}
