//! The memory of a run in passes, before any work is done.
//!
//! ```text
//! bytes = program, weights and pictures + pyramid and optimiser + rows of places + gradients of features + passes
//! ```

use super::Passes;
use crate::method::surroundings::{self, amount};
use crate::method::{RunPlan, ScalePlan};
use crate::observer::Scale;
use crate::optim::Optimizer;
use crate::tiling::{self, Need, Room, feature_bytes};
use crate::{Error, Result};
use impasto_compute::{Size, TapRequest};

/// Bytes of a pixel of an image, and of all levels of its pyramid.
const PIXEL: usize = 12;
const LEVELS: usize = 16;

/// What a pass asks for.
#[derive(Clone, Debug, Default)]
pub(in crate::method) struct Demand {
    /// Size and steps.
    pub(in crate::method) scale: Scale,
    /// What it asks of the network.
    pub(in crate::method) requests: Vec<TapRequest>,
    /// The sizes in which styles are looked at, one after the other.
    pub(in crate::method) styles: Vec<Size>,
    /// Bytes of vectors at places, with what is made of them.
    pub(in crate::method) rows: usize,
}

/// Where it is planned.
struct Planner<'a> {
    passes: &'a dyn Passes,
    /// Bytes of the program, weights and pictures.
    base: usize,
    limit: Option<usize>,
}

/// What passes will need.
///
/// # Errors
/// [`Error::TooLarge`] if it does not fit into memory even in strips.
pub(in crate::method) fn plan(passes: &dyn Passes) -> Result<RunPlan> {
    let setup = passes.setup();
    let weights = passes.network().spec().params();
    let weights = weights.map(|param| size_of_val(param.values));
    let base = surroundings::bytes(setup, passes.content()) + weights.sum::<usize>();
    let limit = surroundings::limit(setup, base);
    let planner = Planner {
        passes,
        base,
        limit,
    };
    let demands = passes.demands(setup.long_side(passes.content()));
    let mut scales = Vec::new();
    for (index, demand) in demands.iter().enumerate() {
        let plan = planner.scale(index, demand)?;
        if let Some(limit) = limit.filter(|&limit| plan.bytes > limit as u64) {
            return Err(Error::TooLarge {
                width: demand.scale.width,
                height: demand.scale.height,
                needed: amount(plan.bytes),
                limit: amount(limit as u64),
                fits: planner.largest(limit)?,
            });
        }
        scales.push(plan);
    }
    Ok(RunPlan {
        scales,
        limit: limit.map(|limit| limit as u64),
    })
}

impl Planner<'_> {
    fn scale(&self, index: usize, demand: &Demand) -> Result<ScalePlan> {
        let (setup, spec) = (self.passes.setup(), self.passes.network().spec());
        let Scale {
            width,
            height,
            steps,
        } = demand.scale;
        let (size, pixels) = (Size { width, height }, width * height);
        // Parameters, those before the step, what they come to, and their gradients.
        let state = 3 * LEVELS * pixels
            + Optimizer::bytes(&self.passes.steps(index), pixels)
            + 2 * PIXEL * pixels;
        let regions = surroundings::of_regions(setup, pixels);
        let finish = surroundings::of_finish(setup, pixels);
        // The gradient towards all features, beside what the pass back takes.
        let features = feature_bytes(spec, size, &demand.requests)?;
        let around = self.base + state + demand.rows + regions;
        let fixed = around + finish + features;
        let need = self.fit(size, &demand.requests, fixed, true)?;
        let (mut bytes, mut style_cut) = (fixed + need.bytes, None);
        let largest = demand.styles.iter().max_by_key(|size| size.pixels());
        if let Some(&largest) = largest {
            let features = feature_bytes(spec, largest, &demand.requests)?;
            let fixed = around + features + 3 * PIXEL * largest.pixels();
            let need = self.fit(largest, &demand.requests, fixed, false)?;
            bytes = bytes.max(fixed + need.bytes);
            style_cut = need.cut;
        }
        Ok(ScalePlan {
            width,
            height,
            steps,
            cut: need.cut,
            tile_count: need.count,
            style_cut,
            bytes: bytes as u64,
            work: need.work,
        })
    }

    /// What a picture needs: as a whole if it fits, else cut.
    fn fit(
        &self,
        size: Size,
        requests: &[TapRequest],
        fixed: usize,
        gradient: bool,
    ) -> Result<Need> {
        let (setup, network) = (self.passes.setup(), self.passes.network());
        let room = Room {
            limit: self.limit,
            tile: setup.limits.tile,
            fixed,
            gradient,
            in_parts: false,
        };
        let device = setup.device.as_ref();
        Ok(tiling::fit(device, network, size, requests, room)?)
    }

    /// The largest long side that fits.
    fn largest(&self, limit: usize) -> Result<Option<usize>> {
        let fits = |side: usize| -> Result<bool> {
            let demands = self.passes.demands(side);
            match demands.last() {
                Some(demand) => {
                    let plan = self.scale(demands.len() - 1, demand)?;
                    Ok(plan.bytes <= limit as u64)
                }
                None => Ok(true),
            }
        };
        let asked = self.passes.setup().long_side(self.passes.content());
        tiling::largest(asked, fits)
    }
}
