//! Feed-forward methods: networks that paint in a single pass, or in a few.
//!
//! ```text
//! styles, each in the size at which it is looked at ─▶ what the network knows of it (statistics, codes), kept
//! content in the size of the result ─▶ the network, with what it knows ─▶ the stylized picture
//! ```
//!
//! What makes the picture is a [`Painter`], which the optimisation has too: as what it starts from.

mod by_regions;
mod cascade;
mod means;
mod painter;
mod plan;
mod spec;
mod steady;
pub mod transform;
mod whitening;

pub(crate) use by_regions::painted;
pub(super) use means::Means;
pub use painter::Painter;
use painter::Seen;
pub use spec::PainterSpec;

use super::optimize::Margin;
use super::{Method, Pace, RunPlan, ScalePlan, Setup, Stylized};
use crate::nets::{continued, cropped, multiples};
use crate::observer::{Observer, Scale};
use crate::picture::{Filter, Picture, fit_long_side};
use crate::tiling::{Cut, StripPlan, free_memory};
use crate::{Error, Result};
use impasto_compute::{ComputeError, Device, Size, Tensor};
use std::sync::Arc;
use std::time::Instant;

/// Sizes that would fit are multiples of this.
const SIDE: usize = 16;

/// The largest long side below one, of those that are multiples of [`SIDE`], at which a picture of a content fits.
fn largest(
    content: &Picture,
    below: usize,
    fits: impl Fn(Size) -> Result<bool>,
) -> Result<Option<usize>> {
    let (mut low, mut high) = (0, below / SIDE);
    // What is needed grows with the size, so halving finds it.
    while low < high {
        let middle = (low + high).div_ceil(2);
        let (width, height) = fit_long_side(content.width(), content.height(), middle * SIDE);
        match fits(Size { width, height })? {
            true => low = middle,
            false => high = middle - 1,
        }
    }
    Ok(Some(low * SIDE).filter(|&side| side > 0))
}

/// Long side at which a pass is timed.
const TIMED: usize = 256;

/// A style, or what is known of it, and its share among the styles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look<T> {
    pub(crate) seen: T,
    /// 0..1; those of all styles add up to 1.
    pub(crate) share: f32,
}

/// A network that paints every content of a job.
#[derive(Debug)]
pub(crate) struct FeedForwardMethod {
    painter: Arc<Painter>,
    /// What it knows of the styles.
    seen: Option<Seen>,
}

impl FeedForwardMethod {
    /// With a painter that is prepared on the device of the job.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with recipe and styles.
    pub(crate) fn new(setup: &Setup, painter: Arc<Painter>) -> Result<Self> {
        let mut problems = setup.problems();
        problems.extend(painter.problems(&setup.recipe.method));
        match problems.is_empty() {
            true => Ok(Self {
                painter,
                seen: None,
            }),
            false => Err(Error::Invalid(problems)),
        }
    }
}

impl Method for FeedForwardMethod {
    fn begin_shot(&mut self, keeps: bool) {
        self.painter.begin_shot(keeps);
    }

    fn scales(&self, setup: &Setup, content: &Picture) -> Vec<Scale> {
        vec![setup.only_scale(content)]
    }

    fn plan(&self, setup: &Setup, content: &Picture) -> Result<RunPlan> {
        let Scale { width, height, .. } = setup.only_scale(content);
        let size = Size { width, height };
        let around = super::surroundings::bytes(setup, content);
        let limit = match setup.limits.memory {
            Some(limit) => Some(limit),
            None => setup.device.free_memory().or_else(free_memory),
        };
        let need = |size: Size| {
            let means = Means::within(setup, content, limit);
            let seen = match setup.recipe.wrap {
                true => Margin::of((size.width, size.height), true).around(size),
                false => size,
            };
            let mut need = self
                .painter
                .need(means, &setup.recipe, &setup.styles, seen)?;
            let finish = super::surroundings::of_finish(setup, size.pixels());
            need.bytes = need.bytes.max(finish);
            need.bytes += super::surroundings::of_regions(setup, size.pixels());
            Ok::<_, Error>(need)
        };
        let here = need(size)?;
        let bytes = (around + here.bytes) as u64;
        if let Some(limit) = limit.filter(|&limit| bytes > limit) {
            return Err(Error::TooLarge {
                width,
                height,
                needed: super::surroundings::amount(bytes),
                limit: super::surroundings::amount(limit),
                fits: largest(content, width.max(height), |size| {
                    Ok((around + need(size)?.bytes) as u64 <= limit)
                })?,
            });
        }
        let strips = here.strips.map(|strips| {
            Cut::Strips(StripPlan {
                rows: strips.rows,
                kept: strips.kept,
            })
        });
        let scale = ScalePlan {
            width,
            height,
            steps: 0,
            cut: strips,
            tile_count: 1,
            style_cut: None,
            bytes,
            work: here.work,
        };
        Ok(RunPlan {
            scales: vec![scale],
            limit,
        })
    }

    /// A pass at a small size.
    fn pace(&self, setup: &Setup, content: &Picture) -> Result<Pace> {
        let (width, height) = fit_long_side(content.width(), content.height(), TIMED);
        let content = content.resized(width, height, Filter::Bicubic);
        let size = Size { width, height };
        let means = Means::of(setup.device.as_ref());
        let clock = Instant::now();
        let seen = self
            .painter
            .look(means, &setup.recipe, &setup.styles, size, None)?;
        self.painter
            .paint(means, &setup.recipe.method, (&content, None), &seen)?;
        Ok(Pace {
            constant: 0.0,
            per_pixel: clock.elapsed().as_secs_f64() / size.pixels() as f64,
        })
    }

    fn run(
        &mut self,
        setup: &Setup,
        content: &Picture,
        observer: &mut dyn Observer,
    ) -> Result<Stylized> {
        let plan = self.plan(setup, content)?;
        let means = Means::within(setup, content, plan.limit);
        let known = self.seen.take();
        setup.in_one_pass(content, observer, |content| {
            let settings = &setup.recipe.method;
            let (picture, seen) = painted(setup, means, &self.painter, settings, content, known)?;
            self.seen = seen;
            Ok(picture)
        })
    }

    fn styles_changed(&mut self) {
        self.seen = None;
    }
}

/// A picture on the device, `[3, h, w]`, continued on the right and below to sides that are multiples.
fn tensor_of(device: &dyn Device, picture: &Picture, multiple: usize) -> Result<Tensor> {
    let size = Size {
        width: picture.width(),
        height: picture.height(),
    };
    let to = multiples(size, multiple);
    let shape = [3, to.height, to.width];
    match to == size {
        true => Ok(device.upload(picture.rgb(), &shape)?),
        false => Ok(device.upload(&continued(picture.rgb(), size, to), &shape)?),
    }
}

/// The upper left part of a tensor `[3, h, w]` as a picture of the size of another, clamped to 0..1; what is no number
/// becomes 0.
fn picture_of(device: &dyn Device, image: &Tensor, like: &Picture) -> Result<Picture> {
    let mut values = device.download(image)?;
    for value in &mut values {
        *value = match value.is_nan() {
            true => 0.0,
            false => value.clamp(0.0, 1.0),
        };
    }
    let to = Size {
        width: like.width(),
        height: like.height(),
    };
    match *image.shape() {
        [3, height, width] if height >= to.height && width >= to.width => {
            let from = Size { width, height };
            let planes = match from == to {
                true => values,
                false => cropped(&values, from, to),
            };
            Ok(Picture::new(to.width, to.height, planes)?)
        }
        _ => Err(ComputeError::Shape {
            what: "a picture that a network makes",
            expected: vec![3, to.height, to.width],
            got: image.shape().to_vec(),
        }
        .into()),
    }
}

/// The first of what a graph makes.
fn only(made: Vec<Tensor>) -> Result<Tensor> {
    let nothing = || ComputeError::BadNetwork {
        layer: 0,
        problem: "nothing is handed out".into(),
    };
    Ok(made.into_iter().next().ok_or_else(nothing)?)
}
