//! The memory of a run, before any work is done: what each scale needs, and how it is cut if that is too much.
//!
//! ```text
//! bytes = program, weights and pictures + picture and optimiser + content's features + passes   (tiling::plan)
//! ```
//!
//! It is computed from sizes alone, so that the same job under the same limit is cut into the same tiles.

use super::state::may_rise;
use super::{Session, shown};
use crate::method::feedforward::Means;
use crate::method::surroundings::{self, amount};
use crate::method::{RunPlan, ScalePlan};
use crate::observer::Scale;
use crate::optim::Optimizer;
use crate::picture::Picture;
use crate::recipe::Normalize;
use crate::tiling::{self, Cut, CutNetwork, Need, Room, feature_bytes};
use crate::{Error, Result};
use impasto_compute::{Size, TapRequest};

/// Bytes of a pixel of an image.
const PIXEL: usize = 12;
/// Images of its size that a style with hidden parts takes: itself, where colours are continued, and its region.
const HIDDEN_IMAGES: usize = 7;

/// Everything that planning a scale needs to know.
struct Surroundings {
    /// Bytes of the program, weights and pictures.
    base: usize,
    /// Bytes of the limit.
    limit: Option<usize>,
    tile: Option<usize>,
}

impl Session<'_> {
    /// What a run on a content will need.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if it does not fit into memory even in strips or tiles.
    pub(super) fn plan(&self, content: &Picture) -> Result<RunPlan> {
        let scales = self.scales(content);
        let around = self.surroundings(content);
        let mut plans: Vec<ScalePlan> = Vec::new();
        for scale in scales {
            let before = plans.last().map_or(0, |plan| plan.width * plan.height);
            let mut plan = self.plan_scale(scale, before, &around)?;
            if plans.is_empty() {
                plan.bytes = plan.bytes.max(self.start_bytes(content, scale, &around)?);
            }
            if let Some(limit) = around.limit
                && plan.bytes > limit as u64
            {
                // With the styles in the size of the picture: if that fits, it is they that do not.
                let size = (scale.width, scale.height);
                let styles = self.style_sizes(size).into_iter();
                let largest = styles.max_by_key(|(width, height)| width * height);
                if let Some((width, height)) = largest
                    && width * height > scale.width * scale.height
                    && self.plan_with(scale, before, size, &around)?.bytes <= limit as u64
                {
                    return Err(Error::StyleTooLarge {
                        width,
                        height,
                        needed: amount(plan.bytes),
                        limit: amount(limit as u64),
                    });
                }
                return Err(Error::TooLarge {
                    width: scale.width,
                    height: scale.height,
                    needed: amount(plan.bytes),
                    limit: amount(limit as u64),
                    fits: self.largest(content, &around)?,
                });
            }
            plans.push(plan);
        }
        Ok(RunPlan {
            scales: plans,
            limit: around.limit.map(|limit| limit as u64),
        })
    }

    /// What it takes to paint the start of a run, in strips where it must.
    fn start_bytes(&self, content: &Picture, first: Scale, around: &Surroundings) -> Result<u64> {
        let setup = self.setup;
        let (Some(_), Some(painter)) = (self.settings.init.method(), &setup.painter) else {
            return Ok(0);
        };
        let size = Size {
            width: first.width,
            height: first.height,
        };
        let means = Means::within(setup, content, around.limit.map(|limit| limit as u64));
        let need = painter.need(means, &setup.recipe, &setup.styles, size)?;
        Ok((around.base + need.bytes) as u64)
    }

    /// How a picture of some size is cut, on its own: to be inspected.
    pub(super) fn cut_for(&self, content: &Picture) -> Result<Option<Cut>> {
        let scale = Scale {
            width: content.width(),
            height: content.height(),
            steps: 1,
        };
        let plan = self.plan_scale(scale, 0, &self.surroundings(content))?;
        Ok(plan.cut)
    }

    /// A network for pictures that are cut, if they are; the whole one makes room for it.
    pub(super) fn cut_network(&self, cut: Option<&Cut>) -> Result<Option<CutNetwork>> {
        Ok(CutNetwork::new(self.device(), self.network, cut)?)
    }

    fn surroundings(&self, content: &Picture) -> Surroundings {
        let weights = self.network.spec().params();
        let weights = weights.map(|param| size_of_val(param.values));
        let base = surroundings::bytes(self.setup, content) + weights.sum::<usize>();
        let limit = surroundings::limit(self.setup, base);
        Surroundings {
            base,
            limit,
            tile: self.setup.limits.tile,
        }
    }

    /// The plan of a scale, `before` being the pixels of the one before it.
    fn plan_scale(&self, scale: Scale, before: usize, around: &Surroundings) -> Result<ScalePlan> {
        // The largest style decides.
        let sizes = self.style_sizes((scale.width, scale.height)).into_iter();
        let largest = sizes.max_by_key(|(width, height)| width * height);
        self.plan_with(scale, before, largest, around)
    }

    /// The same with styles that are looked at in a size, if there are any.
    fn plan_with(
        &self,
        scale: Scale,
        before: usize,
        style: impl Into<Option<(usize, usize)>>,
        around: &Surroundings,
    ) -> Result<ScalePlan> {
        let size = self.seen(scale);
        let pixels = scale.width * scale.height;
        let spec = self.network.spec();
        let requests = self
            .layers
            .requests(self.settings, !self.setup.regions.is_whole());
        // Picture, the one before the step, that of the least loss, and the optimiser.
        let pictures = 2 + usize::from(may_rise(self.settings));
        let state = pictures * PIXEL * pixels + Optimizer::bytes(self.settings, pixels);
        let targets = feature_bytes(spec, size, &requests)?;
        // With a margin, what the networks see and its gradient are images of their own.
        let seen = 2 * PIXEL * (size.pixels() - pixels);
        let regions = surroundings::of_regions(self.setup, pixels)
            + self.of_other_regions(size, &requests)?;
        // Previews are finished as well, while the device keeps what passes take.
        let finish = surroundings::of_finish(self.setup, pixels);
        let fixed = around.base + state + targets + seen + regions + finish;
        let fit = |size: Size, requests: &[_], fixed: usize, gradient: bool| {
            self.fit(size, requests, fixed, gradient, around)
        };
        let need = fit(size, &requests, fixed, true)?;
        let mut bytes = fixed + need.bytes;
        // The state of the coarser scale, as it is enlarged: nearly twice the new one, and the host's copies.
        let coarser = 5 * PIXEL * before;
        if before > 0 {
            let enlarging = around.base + targets + coarser + 2 * state + PIXEL * pixels;
            bytes = bytes.max(enlarging);
        }
        // Styles are looked at while the coarser state waits.
        let mut style_cut = None;
        if let Some((width, height)) = style.into() {
            let mut styles = self.setup.styles.iter();
            let has_hidden = styles.any(|style| style.picture.is_partly_hidden());
            let images = if has_hidden { HIDDEN_IMAGES } else { 2 };
            let fixed = around.base + targets + coarser + images * PIXEL * width * height;
            let taps = self.layers.style_taps();
            let requests = shown::requests(taps.into_iter(), has_hidden);
            let need = fit(Size { width, height }, &requests, fixed, false)?;
            bytes = bytes.max(fixed + need.bytes);
            style_cut = need.cut;
        }
        Ok(ScalePlan {
            width: scale.width,
            height: scale.height,
            steps: scale.steps,
            cut: need.cut,
            tile_count: need.count,
            style_cut,
            bytes: bytes as u64,
            work: need.work * size.pixels() as f64 / pixels as f64,
        })
    }

    /// The gradient towards the largest features that a region takes, before it is added to that of other regions.
    fn of_other_regions(&self, size: Size, requests: &[TapRequest]) -> Result<usize> {
        let mut regions = self.setup.styles.iter().map(|style| style.region);
        let first = regions.next();
        if regions.all(|region| Some(region) == first) {
            return Ok(0);
        }
        let mut most = 0;
        for request in requests {
            most = most.max(feature_bytes(self.network.spec(), size, &[*request])?);
        }
        Ok(most)
    }

    /// What a picture needs: as a whole if it fits, else cut.
    fn fit(
        &self,
        size: Size,
        requests: &[TapRequest],
        fixed: usize,
        gradient: bool,
        around: &Surroundings,
    ) -> Result<Need> {
        let room = Room {
            limit: around.limit,
            tile: around.tile,
            fixed,
            gradient,
            in_parts: self.settings.normalize != Normalize::Gradient
                && self.setup.regions.is_whole(),
        };
        let (device, network) = (self.device(), self.network);
        Ok(tiling::fit(device, network, size, requests, room)?)
    }

    /// The largest long side that fits, of pictures in a content's shape.
    fn largest(&self, content: &Picture, around: &Surroundings) -> Result<Option<usize>> {
        let Some(limit) = around.limit else {
            return Ok(None);
        };
        let fits = |side: usize| -> Result<bool> {
            let (width, height) = self.working_size(content, side);
            let scale = Scale {
                width,
                height,
                steps: 1,
            };
            // The scale before has half the pixels.
            let plan = self.plan_scale(scale, width * height / 2, around)?;
            Ok(plan.bytes <= limit as u64)
        };
        let asked = self.scales(content);
        let longest = asked
            .iter()
            .map(|scale| scale.width.max(scale.height))
            .max();
        tiling::largest(longest.unwrap_or(0), fits)
    }
}
