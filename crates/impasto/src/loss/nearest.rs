//! Nearest neighbours of one layer: each place becomes like the place of a style that it is most like by now.
//!
//! ```text
//! L = mean_p w_p·min_q (1 − x̄_p·s̄_q / (‖x̄_p‖·‖s̄_q‖))        x̄ = x − mean x,  s̄ = s − mean s
//! ```
//!
//! Source: the last pass of Kolkin et al. 2022 (Neural Neighbor Style Transfer), which they call feature splitting: layer by
//! layer, without what ties layers together, so that each finds the finest strokes that it knows. Of a map whose longer side
//! is over 64 only every so manieth place counts, others each time. Neighbours are sought anew every few steps: most stay the
//! same from one to the next.

use super::matched::{restored, saved};
use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use crate::random::StepSeed;
use impasto_compute::{Device, Point, Result, Tap, Tensor};
use std::sync::{Mutex, PoisonError};

/// The longer side up to which all places of a map count.
pub(crate) const SIDE: usize = 64;

/// The loss of nearest neighbours at one tap.
#[derive(Debug)]
pub struct NearestLoss {
    view: View,
    /// Rows `[m, c]` of the styles, less their mean, of length 1.
    candidates: Tensor,
    /// How much each place counts, `[h, w]`; `None` if all count alike.
    weights: Option<Vec<f32>>,
    /// Steps from one search to the next.
    refresh: usize,
    /// The first place that counts of those that are left out: any below the distance from one to the next.
    offset: [usize; 2],
    /// What was found last, until it is to be sought anew.
    matches: Mutex<Option<Vec<u32>>>,
}

/// Every how manieth place of a map counts.
pub(crate) fn stride([height, width]: [usize; 2]) -> usize {
    (height.max(width) / SIDE).max(1)
}

impl NearestLoss {
    /// The loss towards rows `[m, c]` of features of the styles, sought anew every so many steps.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(
        device: &dyn Device,
        tap: Tap,
        mut candidates: Tensor,
        weights: Option<Vec<f32>>,
        refresh: usize,
    ) -> Result<Self> {
        let mean = device.mean_of_rows(&candidates)?;
        device.add_to_rows(&mut candidates, -1.0, &mean)?;
        device.normalize_rows(&mut candidates)?;
        Ok(Self {
            view: View::Features(tap),
            candidates,
            weights,
            refresh: refresh.max(1),
            offset: [0, 0],
            matches: Mutex::new(None),
        })
    }

    /// The places that count, and how much each does.
    fn places(&self, [height, width]: [usize; 2]) -> (Vec<Point>, Option<Vec<f32>>) {
        let stride = stride([height, width]);
        let first = |offset: usize, n: usize| (offset % stride).min(n.saturating_sub(1));
        let rows = (first(self.offset[0], height)..height).step_by(stride);
        let columns = first(self.offset[1], width)..width;
        let all = rows.flat_map(|y| columns.clone().step_by(stride).map(move |x| (y, x)));
        let weight = |&(y, x): &(usize, usize)| match &self.weights {
            Some(weights) => weights.get(y * width + x).copied().unwrap_or(0.0),
            None => 1.0,
        };
        let counted: Vec<_> = all.filter(|place| weight(place) > 0.0).collect();
        let weights = self.weights.as_ref();
        let weights = weights.map(|_| counted.iter().map(weight).collect());
        let point = |(y, x)| Point {
            y: y as f32,
            x: x as f32,
        };
        (counted.into_iter().map(point).collect(), weights)
    }
}

impl Loss for NearestLoss {
    fn views(&self) -> &[View] {
        std::slice::from_ref(&self.view)
    }

    fn extent(&self) -> Extent {
        Extent::ONE
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)> {
        let features = Seen::only(seen)?.tensor()?;
        let mut gradient = device.zeros(features.shape())?;
        let &[c, height, width] = features.shape() else {
            return Ok((LossValue::default(), vec![Gradient::Tensor(gradient)]));
        };
        let (places, weights) = self.places([height, width]);
        if places.is_empty() {
            return Ok((LossValue::default(), vec![Gradient::Tensor(gradient)]));
        }
        let mut rows = device.zeros(&[places.len(), c])?;
        device.gather(features, &places, 1.0, &mut rows, [0, 0])?;
        let mean = device.mean_of_rows(&rows)?;
        device.add_to_rows(&mut rows, -1.0, &mean)?;
        let mut known = self.matches.lock().unwrap_or_else(PoisonError::into_inner);
        let matches = match known.take() {
            Some(matches) if matches.len() == places.len() => matches,
            _ => device.nearest(&rows, &self.candidates, 1)?.indices,
        };
        let share = 1.0 / places.len() as f64;
        let weights = weights.as_deref();
        let (sum, mut towards) = device.matched_cosine(
            &rows,
            &self.candidates,
            &matches,
            weights,
            scale.times(share),
        )?;
        *known = Some(matches);
        // Taking the mean away is its own adjoint.
        let mean = device.mean_of_rows(&towards)?;
        device.add_to_rows(&mut towards, -1.0, &mean)?;
        device.scatter(&towards, [0, 0], &places, 1.0, &mut gradient)?;
        let value = LossValue::of(share, sum);
        Ok((value, vec![Gradient::Tensor(gradient)]))
    }

    fn prepare(&mut self, _: &dyn Device, seed: &StepSeed<'_>) -> Result<()> {
        let sought = seed.step - (seed.step.max(1) - 1) % self.refresh;
        let mut random = seed.at(sought).random();
        // Any number will do: it is taken below the distance between places.
        self.offset = [random.below(1 << 16), random.below(1 << 16)];
        if sought == seed.step {
            *self.matches.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        Ok(())
    }

    fn memory(&self) -> Vec<f32> {
        let known = self.matches.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_deref().map(saved).unwrap_or_default()
    }

    fn recall(&mut self, memory: &[f32]) -> Result<()> {
        let bound = self.candidates.shape().first().copied().unwrap_or(0);
        let matches = restored(memory, memory.len(), bound)?;
        *self.matches.lock().unwrap_or_else(PoisonError::into_inner) = Some(matches);
        Ok(())
    }
}
