//! Matched hypercolumns: each place of the picture becomes like the place of a style that it was matched with.
//!
//! ```text
//! L = Σ_p w_p·(1 − φ_p·s_m(p) / (‖φ_p‖·‖s_m(p)‖))
//! ```
//!
//! Source: Kolkin, Kucera, Paris, Sýkora, Shechtman and Shakhnarovich 2022 (Neural Neighbor Style Transfer), section 3.2. What
//! is matched with what is not this loss's matter, and does not change.

use super::columns::Columns;
use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use impasto_compute::{ComputeError, Device, Point, Result, Tensor};

/// Places that are looked at at a time, so that memory does not grow with the picture.
pub(crate) const AT_ONCE: usize = 1 << 14;

/// The loss of matched places.
#[derive(Debug)]
pub struct MatchedLoss {
    columns: Columns,
    views: Vec<View>,
    places: Vec<Point>,
    /// How much each place counts; `None` if all count alike.
    weights: Option<Vec<f32>>,
    /// What is matched with, `[m, c]`.
    candidates: Tensor,
    matches: Vec<u32>,
}

impl MatchedLoss {
    /// The loss at some places of the picture, of which each may count with a weight of its own, towards rows of candidates
    /// `[m, c]`. Without matches it is to be given them back ([`Loss::recall`]) before it is evaluated.
    pub fn new(
        columns: Columns,
        places: Vec<Point>,
        weights: Option<Vec<f32>>,
        candidates: Tensor,
        matches: Vec<u32>,
    ) -> Self {
        Self {
            views: columns.views(),
            columns,
            places,
            weights,
            candidates,
            matches,
        }
    }
}

/// Indices as numbers that are saved, of which f32 tells 2²⁴ apart, and back.
pub(super) fn saved(matches: &[u32]) -> Vec<f32> {
    matches.iter().map(|&index| index as f32).collect()
}

/// The indices again, if they are as many as expected, of rows below a bound.
pub(super) fn restored(memory: &[f32], count: usize, bound: usize) -> Result<Vec<u32>> {
    let fits = memory
        .iter()
        .all(|&index| index >= 0.0 && (index as usize) < bound);
    if memory.len() != count || !fits {
        return Err(ComputeError::BadSetting(
            "the matches that were saved are not of this run".into(),
        ));
    }
    Ok(memory.iter().map(|&index| index as u32).collect())
}

impl Loss for MatchedLoss {
    fn views(&self) -> &[View] {
        &self.views
    }

    fn extent(&self) -> Extent {
        Extent {
            entries: self.places.len(),
            target: 0.0,
        }
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)> {
        let features = self.columns.features(seen)?;
        let zeros = features
            .iter()
            .map(|features| device.zeros(features.shape()));
        let mut gradients = zeros.collect::<Result<Vec<_>>>()?;
        let mut value = LossValue::default();
        let pieces = self
            .places
            .chunks(AT_ONCE)
            .zip(self.matches.chunks(AT_ONCE));
        for (piece, (places, matches)) in pieces.enumerate() {
            let start = piece * AT_ONCE;
            let weights = self.weights.as_ref();
            let weights = weights.map(|weights| &weights[start..start + places.len()]);
            let mut rows = device.zeros(&[places.len(), self.columns.width()])?;
            self.columns
                .gather(device, &features, places, &mut rows, 0)?;
            let k = scale.times(1.0);
            let (sum, towards) =
                device.matched_cosine(&rows, &self.candidates, matches, weights, k)?;
            value.parts.push((1.0, sum));
            self.columns
                .scatter(device, &towards, places, &mut gradients)?;
        }
        let gradients = gradients.into_iter().map(Gradient::Tensor).collect();
        Ok((value, gradients))
    }

    fn memory(&self) -> Vec<f32> {
        saved(&self.matches)
    }

    fn recall(&mut self, memory: &[f32]) -> Result<()> {
        let bound = self.candidates.shape().first().copied().unwrap_or(0);
        self.matches = restored(memory, self.places.len(), bound)?;
        Ok(())
    }
}
