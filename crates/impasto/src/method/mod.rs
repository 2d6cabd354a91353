//! Methods: algorithms that make a stylized picture, one folder each.
//!
//! | folder | how | source |
//! |---|---|---|
//! | [`optimize`] | the picture itself is optimised | Gatys, Ecker and Bethge 2016 |
//! | [`nnst`] | likewise, towards nearest neighbours of features | Kolkin et al. 2022 |
//! | [`strotss`] | likewise, towards the styles' distribution of features | Kolkin et al. 2019 |
//! | [`feedforward`] | a network makes the picture in a single pass, or in a few | Johnson et al. 2016, Li et al. 2017, … |
//!
//! A [`Method`] is what it keeps from picture to picture: a network on a device, statistics of the styles. The job that
//! it works on is handed to every call as a [`Setup`].

mod extra;
pub(crate) mod feedforward;
pub(crate) mod nnst;
pub(crate) mod optimize;
mod passes;
mod plan;
mod single;
pub(crate) mod strotss;
pub(crate) mod surroundings;

pub use extra::{ExtraTerms, TermContext};
pub use feedforward::{Painter, PainterSpec, transform};
pub(crate) use optimize::OptimizeMethod;
pub use optimize::{CalibratedLayer, calibration};
pub use plan::{LEAST_TILE, Pace, RunLimits, RunPlan, ScalePlan};

use crate::checkpoint::{Checkpoint, Checkpoints};
use crate::encoder::Substitution;
use crate::observer::{Observer, Scale, TermValue};
use crate::picture::{Filter, Picture, fit_long_side};
use crate::recipe::{Problem, Recipe};
use crate::regions::{Regions, Shares};
use crate::report::Report;
use crate::style::Style;
use crate::{Error, Result};
use impasto_compute::{Device, Size, StageTime};
use std::fmt;
use std::sync::Arc;

/// An algorithm that paints contents in the styles of a job.
///
/// All calls of one method get the same device and recipe; styles may change in between, of which it is told.
pub trait Method: Send + Sync + fmt::Debug {
    /// The sizes that a picture of a content goes through, coarse to fine; one for methods of a single pass.
    fn scales(&self, setup: &Setup, content: &Picture) -> Vec<Scale>;

    /// What a run on a content will need: the plan by which [`Method::run`] goes. A function of sizes and limits.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if it does not fit into memory, whatever is done about it.
    fn plan(&self, setup: &Setup, content: &Picture) -> Result<RunPlan>;

    /// How long steps take on this machine, as far as a few small ones tell.
    ///
    /// # Errors
    /// Whatever the device reports.
    fn pace(&self, setup: &Setup, content: &Picture) -> Result<Pace>;

    /// Paints a content. That the observer ends a run, or that it diverges, is no error but an [`Outcome`].
    ///
    /// # Errors
    /// As [`Method::plan`]; [`Error::Invalid`] for what only the content tells; [`Error::Checkpoint`] if the run was to
    /// go on from a checkpoint and must not begin anew; whatever the device reports.
    fn run(
        &mut self,
        setup: &Setup,
        content: &Picture,
        observer: &mut dyn Observer,
    ) -> Result<Stylized>;

    /// Losses and gradient at a picture, everything at its own size.
    ///
    /// # Errors
    /// [`Error::Invalid`] if content and image differ in size, or for methods without losses; whatever the device
    /// reports.
    fn inspect(&mut self, setup: &Setup, content: &Picture, image: &Picture) -> Result<Inspection> {
        let _ = (setup, content, image);
        let problem = Problem::new("method", format!("{self:?}"), "has no losses to inspect");
        Err(Error::Invalid(vec![problem]))
    }

    /// The contents to come are frames of a shot, and what a network makes its statistics of is kept from the first; or not.
    /// Nothing for methods without any.
    fn begin_shot(&mut self, keeps: bool) {
        let _ = keeps;
    }

    /// The styles of the job are others from now on.
    fn styles_changed(&mut self) {}

    /// What stands in for layers of the recipe that the encoder lacks.
    fn substitutions(&self) -> &[Substitution] {
        &[]
    }

    /// The layers whose weights were made for another network than the encoder, with those that they were calibrated to;
    /// `None` where weights are taken as they are.
    fn calibration(&self) -> Option<&[CalibratedLayer]> {
        None
    }

    /// Where the time of the last pass through the network went; empty if nobody knows.
    fn times(&self) -> Vec<StageTime> {
        Vec::new()
    }
}

/// What a method works with: everything about a job but its content.
#[derive(Debug)]
pub struct Setup {
    /// Where it computes. Several jobs may share one.
    pub device: Arc<dyn Device>,
    /// The name of the encoder.
    pub encoder: String,
    /// The paintings.
    pub styles: Vec<Style>,
    /// Every number.
    pub recipe: Recipe,
    /// The picture to start from, for recipes that do.
    pub start: Option<Picture>,
    /// Where the picture is painted, and where in which styles.
    pub regions: Regions,
    /// The picture that colours are taken from instead of the content.
    pub palette: Option<Picture>,
    /// The network that paints what recipes start from that say so.
    pub painter: Option<Arc<Painter>>,
    /// What a run may use.
    pub limits: RunLimits,
    /// Whether runs are saved.
    pub checkpoints: Option<Checkpoints>,
    /// Terms beside those of the recipe.
    pub extra_terms: Option<ExtraTerms>,
}

impl Setup {
    /// Everything that is wrong with recipe and styles.
    pub(crate) fn problems(&self) -> Vec<Problem> {
        let mut problems = self.recipe.problems();
        problems.extend(style_problems(&self.styles, &self.recipe));
        problems
    }

    /// The long side that a picture of a content gets.
    pub(crate) fn long_side(&self, content: &Picture) -> usize {
        self.recipe.size.long_side(content)
    }

    /// Who has how much of each pixel of a picture of some size; `None` if all of it is painted in the same styles.
    pub(crate) fn shares(&self, size: Size) -> Option<Shares> {
        let feather = self.recipe.feather;
        let regions = Some(&self.regions).filter(|regions| !regions.is_whole());
        regions.map(|regions| regions.shares(size, &self.styles, feather))
    }

    /// The picture in the shape that was asked for, with the content's alpha and depth; `at_its_size`, which keeps the long
    /// side that the picture has, is for runs that ended early.
    pub(crate) fn shaped(
        &self,
        content: &Picture,
        picture: Picture,
        at_its_size: bool,
    ) -> Result<Picture> {
        let long_side = match at_its_size {
            true => picture.width().max(picture.height()),
            false => self.long_side(content),
        };
        let (width, height) = fit_long_side(content.width(), content.height(), long_side);
        let picture = match (picture.width(), picture.height()) == (width, height) {
            true => picture,
            false => picture.resized(width, height, Filter::Bicubic),
        };
        let picture = picture.with_depth(content.depth());
        match content.alpha_resized(width, height, Filter::Bicubic) {
            Some(alpha) => Ok(picture.with_alpha(alpha)?),
            None => Ok(picture),
        }
    }
}

/// Everything that is wrong with styles for a recipe.
pub(crate) fn style_problems(styles: &[Style], recipe: &Recipe) -> Vec<Problem> {
    let mut problems = Vec::new();
    for style in styles {
        if !(style.weight.is_finite() && style.weight > 0.0) {
            let field = format!("weight of style {}", style.name);
            problems.push(Problem::new(field, style.weight, "must be greater than 0"));
        }
    }
    if styles.is_empty() && recipe.method.needs_styles() {
        problems.push(Problem::new(
            "style",
            "missing",
            "name at least one painting",
        ));
    }
    problems
}

/// A stylized picture and how it came about.
#[derive(Clone, Debug)]
pub struct Stylized {
    /// The picture, whatever the outcome: the last good one. Alpha and depth are the content's.
    pub picture: Picture,
    /// Settings, losses and times.
    pub report: Report,
    /// How the run ended.
    pub outcome: Outcome,
    /// What the disk holds of the run: to go on from if it was stopped, to be removed when the picture is safe.
    pub checkpoint: Option<Checkpoint>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With its last step.
    Finished,
    /// Before, because the observer wanted it.
    Stopped,
    /// Loss or gradient was not a number, and shorter steps did not help. If the report has no steps, the picture is
    /// what the run started from.
    Diverged {
        /// Width at that scale.
        width: usize,
        /// Height at that scale.
        height: usize,
        /// The step.
        step: usize,
    },
}

/// Losses and gradient at one picture.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// The terms of the objective.
    pub terms: Vec<TermValue>,
    /// Their weighted sum.
    pub total: f64,
    /// dL/d image towards sRGB values in 0..1, `[3, h, w]`.
    pub gradient: Vec<f32>,
}
