//! Which place of the styles each place of the picture is matched with: that of the least angle, both less their means.
//!
//! ```text
//! m(p) = argmax_q (φ_p − mean φ)·(s_q − mean s) / ‖s_q − mean s‖
//! ```
//!
//! With principal components `B` of the styles' features, the few greatest of `Bφ·Bs` are found first, and the best of these
//! is told by all entries: several times as fast, and nearly always the same.

use crate::Result;
use crate::loss::columns::Columns;
use crate::loss::matched::AT_ONCE;
use impasto_compute::{Device, Point, Tensor};

/// How many are ranked by all entries.
const RANKED: usize = 4;
/// Pairs that the published program looks at in one go, by whose mean it goes.
const SQUARE: usize = 128 * 128;

/// Where neighbours are sought.
pub(super) struct Search<'a> {
    pub(super) device: &'a dyn Device,
    pub(super) columns: &'a Columns,
    /// Rows of the styles, `[m, c]`.
    pub(super) candidates: &'a Tensor,
    /// Principal components, `[n, c]`; without, all are sought by all entries, and means are of parts of the query, as the
    /// published program does it.
    pub(super) basis: Option<&'a Tensor>,
}

impl Search<'_> {
    /// The row that each place of features is matched with.
    pub(super) fn matches(&self, features: &[&Tensor], places: &[Point]) -> Result<Vec<u32>> {
        let device = self.device;
        let mut candidates = device.copy(self.candidates)?;
        let mean = device.mean_of_rows(&candidates)?;
        device.add_to_rows(&mut candidates, -1.0, &mean)?;
        device.normalize_rows(&mut candidates)?;
        let Some(basis) = self.basis else {
            return self.thorough(features, places, &candidates);
        };
        let short = device.product(&candidates, basis)?;
        let mean = self.mean(features, places)?;
        let mut matches = Vec::with_capacity(places.len());
        for places in places.chunks(AT_ONCE) {
            let mut rows = self.rows(features, places)?;
            device.add_to_rows(&mut rows, -1.0, &mean)?;
            let few = device.nearest(&device.product(&rows, basis)?, &short, RANKED)?;
            let best = device.nearest_among(&rows, &candidates, &few.indices)?;
            matches.extend(best.indices);
        }
        Ok(matches)
    }

    fn rows(&self, features: &[&Tensor], places: &[Point]) -> Result<Tensor> {
        let mut rows = self.device.zeros(&[places.len(), self.columns.width()])?;
        self.columns
            .gather(self.device, features, places, &mut rows, 0)?;
        Ok(rows)
    }

    /// The mean of all places.
    fn mean(&self, features: &[&Tensor], places: &[Point]) -> Result<Tensor> {
        let device = self.device;
        let mut sum = device.zeros(&[self.columns.width()])?;
        for part in places.chunks(AT_ONCE) {
            let mean = device.mean_of_rows(&self.rows(features, part)?)?;
            let share = part.len() as f32 / places.len() as f32;
            device.axpby(share, &mean, 1.0, &mut sum)?;
        }
        Ok(sum)
    }

    /// By all entries, part by part.
    fn thorough(
        &self,
        features: &[&Tensor],
        places: &[Point],
        candidates: &Tensor,
    ) -> Result<Vec<u32>> {
        let device = self.device;
        let count = candidates.shape().first().copied().unwrap_or(0);
        let part = SQUARE / (count / SQUARE).max(1);
        let mut matches = Vec::with_capacity(places.len());
        for places in places.chunks(part.max(1)) {
            let mut rows = self.rows(features, places)?;
            let mean = device.mean_of_rows(&rows)?;
            device.add_to_rows(&mut rows, -1.0, &mean)?;
            matches.extend(device.nearest(&rows, candidates, 1)?.indices);
        }
        Ok(matches)
    }
}
