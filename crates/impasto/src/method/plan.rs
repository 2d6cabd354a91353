//! The plan of a run, before any work is done: sizes, tiles, memory and time of each scale.
//!
//! ```text
//! bytes   = program, weights and pictures + picture and optimiser + content's features + passes   (tiling::plan)
//! seconds = steps · (constant + per pixel · pixels · work)                                        (Pace)
//! ```
//!
//! Memory is computed from sizes alone, so that the same job under the same limit is cut into the same tiles. Time is
//! extrapolated from steps that are taken at two small sizes.

use super::optimize::Stylizer;
use super::run::Evaluator;
use super::targets::StyleCache;
use crate::checkpoint::{CheckpointError, Cuts, Difference, Saved};
use crate::observer::Scale;
use crate::picture::Picture;
use crate::recipe::{Normalize, Problem};
use crate::tiling::{
    Budget, Cut, Eye, Need, Prepared, StripPlan, TilePlan, TiledNetwork, choose, feature_bytes,
    free_memory, whole,
};
use crate::{Error, Result};
use impasto_compute::{Layer, NetSpec, Strips};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// The program itself, its threads, and what allocators keep back.
const PROGRAM: usize = 96 << 20;
/// Bytes of a pixel of an image.
const PIXEL: usize = 12;
/// The least `--tile`.
pub const LEAST_TILE: usize = 64;
/// Share of the free memory that is taken if no limit is given.
const SHARE: f64 = 0.9;
/// Long sides at which steps are timed.
const TIMED: [usize; 2] = [160, 400];
/// Sizes that would fit are multiples of this.
const SIDE: usize = 16;

/// What a run may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of memory, everything included; `None` for nine tenths of what is free.
    pub memory: Option<u64>,
    /// Work in tiles of at most about this side in pixels, or in strips of as many rows, whatever the memory.
    pub tile: Option<usize>,
}

/// The plan of one scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalePlan {
    /// Width of the picture in pixels.
    pub width: usize,
    /// Height of the picture in pixels.
    pub height: usize,
    /// Steps.
    pub steps: usize,
    /// How the picture is cut to be worked on; `None` for as a whole.
    pub cut: Option<Cut>,
    /// How many tiles there are.
    pub tile_count: usize,
    /// How styles are cut to be looked at.
    pub style_cut: Option<Cut>,
    /// Most memory at a time, in bytes, everything included: an estimate.
    pub bytes: u64,
    /// Work per pixel, in terms of that on a whole picture.
    pub work: f64,
}

/// The plan of a run. Its tiles are a part of the job: a run that is resumed with others gives the same picture up to
/// rounding, and only with the same tiles the same bytes. Strips give the same bytes as the whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The scales, coarse to fine.
    pub scales: Vec<ScalePlan>,
    /// The limit that was planned for, in bytes; `None` if the system does not say what is free.
    pub limit: Option<u64>,
}

impl Plan {
    /// How each scale is cut.
    pub(super) fn cuts(&self) -> Vec<Cuts> {
        let scales = self.scales.iter();
        scales
            .map(|scale| [scale.cut.clone(), scale.style_cut.clone()])
            .collect()
    }

    /// Goes by the tiles of a checkpoint: with others, the last bits would differ. What memory is free does not count
    /// then; what was asked for does.
    ///
    /// # Errors
    /// [`CheckpointError::OtherJob`] if limits were given that lead to other tiles; [`CheckpointError::Damaged`] for
    /// tiles that cannot be.
    pub(super) fn adopt(
        &mut self,
        saved: &Saved,
        limits: Limits,
        spec: &NetSpec,
    ) -> Result<(), CheckpointError> {
        let (cuts, asked) = (&saved.header.cuts, self.cuts());
        let mut pairs = cuts.iter().flatten().zip(asked.iter().flatten());
        if cuts.len() == asked.len() && pairs.all(|(one, other)| Cut::same_bits(one, other)) {
            return Ok(());
        }
        if limits != Limits::default() {
            return Err(CheckpointError::OtherJob {
                path: saved.path.clone(),
                differences: vec![Difference {
                    field: "tiles".into(),
                    saved: Some(in_words(cuts)),
                    asked: Some(in_words(&asked)),
                }],
            });
        }
        let can_be = |cut: &Cut| match cut {
            Cut::Strips(_) => true,
            Cut::Tiles(plan) => {
                let cut = plan.cut.is_none_or(|cut| cut < spec.layers.len());
                cut && plan.height > 0 && plan.width > 0 && plan.front > 0
            }
        };
        if cuts.len() != asked.len() || !cuts.iter().flatten().flatten().all(can_be) {
            return Err(saved.damaged("its tiles are not of its schedule"));
        }
        for (scale, [picture, styles]) in self.scales.iter_mut().zip(cuts) {
            scale.cut.clone_from(picture);
            scale.style_cut.clone_from(styles);
        }
        Ok(())
    }

    /// Most memory at a time over all scales, in bytes.
    pub fn bytes(&self) -> u64 {
        self.scales
            .iter()
            .map(|scale| scale.bytes)
            .max()
            .unwrap_or(0)
    }
}

/// How long steps take on this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Seconds of a step that do not depend on its size.
    pub constant: f64,
    /// Seconds per pixel.
    pub per_pixel: f64,
}

impl Pace {
    /// Seconds of a step at a scale.
    pub fn step(&self, scale: &ScalePlan) -> f64 {
        let pixels = (scale.width * scale.height) as f64;
        self.constant + self.per_pixel * pixels * scale.work
    }

    /// Seconds of all steps at a scale.
    pub fn scale(&self, scale: &ScalePlan) -> f64 {
        scale.steps as f64 * self.step(scale)
    }
}

/// Tiles for people: of each scale that has some.
fn in_words(cuts: &[Cuts]) -> String {
    let scales = cuts.iter().zip(1..).flat_map(|(cuts, scale)| {
        let cuts = cuts.iter().flatten();
        cuts.map(move |cut| {
            let TilePlan {
                height,
                width,
                cut,
                front,
                front_kept,
                kept,
            } = match cut {
                Cut::Strips(_) => return format!("strips at scale {scale}"),
                Cut::Tiles(plan) => plan,
            };
            let cut = cut.map_or("uncut".into(), |cut| format!("cut behind layer {cut}"));
            let front_kept = if *front_kept { " kept" } else { "" };
            format!("{width}×{height} px at scale {scale} ({cut}, front {front}{front_kept}, {kept} kept)")
        })
    });
    let scales: Vec<_> = scales.collect();
    match scales.is_empty() {
        true => "none".into(),
        false => scales.join(", "),
    }
}

/// A whole number of bytes for people, in units of 10⁹ or 10⁶.
fn amount(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.2} GB", bytes as f64 / 1e9),
        _ => format!("{:.0} MB", bytes as f64 / 1e6),
    }
}

/// Everything that planning a scale needs to know.
struct Surroundings {
    /// Bytes of the program, weights and pictures.
    base: usize,
    /// Bytes of the limit.
    limit: Option<usize>,
    tile: Option<usize>,
}

impl Stylizer {
    /// Sets what a run may use.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a tile that is too small.
    pub fn with_limits(mut self, limits: Limits) -> Result<Self> {
        if let Some(tile) = limits.tile.filter(|tile| *tile < LEAST_TILE) {
            let allowed = format!("must be at least {LEAST_TILE}");
            return Err(Error::Invalid(vec![Problem::new("tile", tile, allowed)]));
        }
        self.limits = limits;
        Ok(self)
    }

    /// Goes by a plan that was made before, for contents of the same sizes, whatever memory there is by now: a run that
    /// is resumed in the same tiles gives the same bytes.
    pub fn following(mut self, plan: Plan) -> Self {
        self.planned = Some(plan);
        self
    }

    /// What a run on a content will need: the plan by which [`Stylizer::stylize`] goes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if it does not fit into memory even in strips or tiles.
    pub fn plan(&self, content: &Picture) -> Result<Plan> {
        let scales = self.scales(content);
        if let Some(plan) = &self.planned {
            let planned = plan.scales.iter().map(|scale| (scale.width, scale.height));
            if planned.eq(scales.iter().map(|scale| (scale.width, scale.height))) {
                return Ok(plan.clone());
            }
        }
        let around = self.surroundings(content);
        let mut plans: Vec<ScalePlan> = Vec::new();
        for scale in scales {
            let before = plans.last().map_or(0, |plan| plan.width * plan.height);
            let plan = self.plan_scale(scale, before, &around)?;
            if let Some(limit) = around.limit
                && plan.bytes > limit as u64
            {
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
        Ok(Plan {
            scales: plans,
            limit: around.limit.map(|limit| limit as u64),
        })
    }

    /// Takes steps at two small sizes and times them.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn pace(&self, content: &Picture) -> Result<Pace> {
        let mut timed = Vec::new();
        let mut cache = StyleCache::default();
        for side in TIMED {
            let (width, height) = self.working_size(content, side);
            let steps = 2;
            let scale = Scale {
                width,
                height,
                steps,
            };
            let objective = self.objective(content, scale, (None, None), &mut cache)?;
            let device = self.device.as_ref();
            let evaluator = Evaluator {
                device,
                network: Eye::Whole(self.network.as_ref()),
                objective: &objective,
            };
            let mut state = self.begin(content, scale)?;
            let mut seconds = f64::INFINITY;
            for _ in 0..=steps {
                let clock = Instant::now();
                let taken = state.step(&evaluator)?;
                objective.total(&taken.values)?;
                seconds = seconds.min(clock.elapsed().as_secs_f64());
            }
            timed.push(((width * height) as f64, seconds));
        }
        let [(small, quick), (large, slow)] = [timed[0], timed[1]];
        let per_pixel = if large > small {
            ((slow - quick) / (large - small)).max(0.5 * slow / large)
        } else {
            slow / large
        };
        Ok(Pace {
            constant: (slow - per_pixel * large).max(0.0),
            per_pixel,
        })
    }

    /// How a picture of some size is cut, on its own: for [`Stylizer::inspect`].
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
    pub(super) fn prepared(&self, cut: Option<&Cut>) -> Result<Option<Prepared>> {
        let Some(cut) = cut else {
            return Ok(None);
        };
        self.network.forget();
        let device = self.device.as_ref();
        Ok(Some(match cut {
            Cut::Strips(StripPlan { rows, kept }) => Prepared::Strips(Strips {
                rows: *rows,
                kept: kept.clone(),
            }),
            Cut::Tiles(plan) => {
                let tiled = TiledNetwork::new(device, self.network.spec(), plan)?;
                Prepared::Tiles(Box::new(tiled))
            }
        }))
    }

    fn surroundings(&self, content: &Picture) -> Surroundings {
        let weights = self.network.spec().layers.iter().map(|layer| match layer {
            Layer::Conv(conv) => conv.weight.len(),
            _ => 0,
        });
        let bytes = |picture: &Picture| {
            let planes = if picture.alpha().is_some() { 4 } else { 3 };
            planes * size_of::<f32>() * picture.width() * picture.height()
        };
        let pictures = self.styles.iter().map(|style| &style.picture);
        let pictures = pictures.chain(self.start.as_ref()).chain([content]);
        let base = PROGRAM
            + weights.sum::<usize>() * size_of::<f32>()
            + pictures.map(bytes).sum::<usize>();
        let limit = match self.limits.memory {
            // Such a device has memory of its own, and says itself when it has no more.
            _ if !self.network.has_tiles() => None,
            Some(limit) => Some(limit as usize),
            // What the program and its pictures take is no longer free.
            None => {
                let free = self.device.free_memory().or_else(free_memory);
                free.map(|free| base + (SHARE * free as f64) as usize)
            }
        };
        Surroundings {
            base,
            limit,
            tile: self.limits.tile,
        }
    }

    /// The plan of a scale, `before` being the pixels of the one before it.
    fn plan_scale(&self, scale: Scale, before: usize, around: &Surroundings) -> Result<ScalePlan> {
        let size = (scale.height, scale.width);
        let pixels = scale.width * scale.height;
        let spec = self.network.spec();
        let requests = self.layers.requests(&self.recipe);
        // Picture, the one before the step, and the optimiser.
        let state = 2 * PIXEL * pixels + self.optimizer_bytes(scale);
        let targets = feature_bytes(spec, size, &requests)?;
        let fixed = around.base + state + targets;
        let fit = |size: (usize, usize), requests: &[_], fixed: usize, gradient: bool| {
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
        // Styles are looked at while the coarser state waits; the largest decides.
        let mut style_cut = None;
        let sizes = self
            .styles
            .iter()
            .map(|style| self.style_size(style, (scale.width, scale.height)));
        if let Some((width, height)) = sizes.max_by_key(|(width, height)| width * height) {
            let fixed = around.base + targets + coarser + 2 * PIXEL * width * height;
            let requests = self.layers.style_requests();
            let need = fit((height, width), &requests, fixed, false)?;
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
            work: need.work,
        })
    }

    /// What a picture needs: as a whole if it fits, else cut.
    fn fit(
        &self,
        size: (usize, usize),
        requests: &[impasto_compute::TapRequest],
        fixed: usize,
        gradient: bool,
        around: &Surroundings,
    ) -> Result<Need> {
        let network = self.network.as_ref();
        let all = whole(network, size, requests, gradient)?;
        let fits = around.limit.is_none_or(|limit| fixed + all.bytes <= limit);
        let tile = around.tile.filter(|tile| *tile < size.0.max(size.1));
        if (fits && tile.is_none()) || requests.is_empty() || !network.has_tiles() {
            return Ok(all);
        }
        let bytes = around
            .limit
            .map_or(usize::MAX, |limit| limit.saturating_sub(fixed));
        let budget = Budget {
            bytes,
            tile,
            gradient,
            in_parts: self.recipe.normalize != Normalize::Gradient,
        };
        Ok(choose(
            self.device.as_ref(),
            network,
            size,
            requests,
            &budget,
        )?)
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
        let (mut good, mut bad) = (0, longest.unwrap_or(0) / SIDE + 1);
        while bad - good > 1 {
            let middle = (good + bad) / 2;
            match fits(middle * SIDE)? {
                true => good = middle,
                false => bad = middle,
            }
        }
        Ok((good > 0).then_some(good * SIDE))
    }
}
