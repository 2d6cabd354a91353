//! Neural neighbour style transfer: every place of the picture takes after the place of the styles whose features are most
//! like its own (Kolkin, Kucera, Paris, Sýkora, Shechtman and Shakhnarovich 2022, arXiv 2203.13215).
//!
//! ```text
//! for each size, coarse to fine, each twice the last:
//!     query = (1 − α)·(picture so far + the photo's detail) + α·photo
//!     match the hypercolumns of the query with those of the styles, once
//!     steps: each place's hypercolumn towards that it was matched with          (loss::matched)
//! at the last size:
//!     steps: each layer by itself towards what is nearest by now                (loss::nearest)
//!     steps: towards the styles' moments, and the photo's features              (method::optimize)
//! ```
//!
//! What is optimised is a Laplacian pyramid, by a fresh Adam at each size.
//!
//! Where it goes its own way, unless the recipe is faithful: neighbours are sought by the principal components of the
//! features, and the best few ranked by all of them ([`search`]); in the last pass they are sought anew every few steps; means
//! are of all of the query, not of parts; no step is lost between sizes; and what neighbours leave open, how much there is of each
//! colour and stroke, is brought in by the last steps, which are those of the optimisation. Nothing is divided by a length of zero. Styles and
//! photo are halved alike, and the styles may be several, in regions, hidden in parts, and of any size.

mod search;
mod stage;
mod styles;

use super::optimize::Margin;
use super::optimize::finish::Finish;
use super::optimize::parameterization::Parameterization;
use super::optimize::pyramid::PyramidParameters;
use super::optimize::state::State;
use super::passes::sizes::enlarged;
use super::passes::{self, Demand, Eye, Layer, Passes, Views};
use super::{Inspection, Method, Pace, RunPlan, Setup, Stylized};
use crate::Result;
use crate::encoder::Encoder;
use crate::loss::columns::{Columns, Part, Places};
use crate::loss::{Term, View};
use crate::observer::{Observer, Scale};
use crate::picture::colors::recolored;
use crate::picture::{Filter, Picture};
use crate::recipe::{AdamSettings, Clip, Nnst, Optimize, OptimizerSettings, Pixels};
use impasto_compute::{Align, Device, Network};
use stage::{Kind, Stage, stages};
use std::sync::Arc;

/// Halvings of the pyramid of a picture at its full size.
const LEVELS: usize = 8;
/// Long sides at which steps are timed, of which there is no coarser pass.
const TIMED: [usize; 2] = [64, 127];

/// A network that is prepared on the device, and the layers that are looked at.
#[derive(Debug)]
pub(crate) struct NnstMethod {
    settings: Nnst,
    /// How steps are taken.
    steps: Optimize,
    eye: Eye,
    /// The last pass, if there is one.
    finish: Option<Finish>,
}

/// The method with a job, and the passes of a content.
struct Session<'a> {
    setup: &'a Setup,
    method: &'a NnstMethod,
    content: &'a Picture,
    stages: Vec<Stage>,
}

impl NnstMethod {
    /// Prepares a network for a job.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with recipe, styles and layers; whatever the device reports.
    pub(crate) fn new(setup: &Setup, settings: &Nnst, encoder: &Encoder) -> Result<Self> {
        let eye = Eye::new(("nnst.layers", &settings.layers), setup, encoder)?;
        let finish = match settings.finish {
            0 => None,
            _ => Some(Finish::new(setup, encoder, eye.network.spec())?),
        };
        let adam = AdamSettings {
            learning_rate: settings.learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            averaging: 0.0,
            ..AdamSettings::default()
        };
        Ok(Self {
            settings: settings.clone(),
            steps: Optimize {
                optimizer: OptimizerSettings::Adam(adam),
                clip: Clip::End,
                pyramid: LEVELS,
                ..Optimize::default()
            },
            eye,
            finish,
        })
    }

    fn session<'a>(&'a self, setup: &'a Setup, content: &'a Picture) -> Session<'a> {
        self.session_at(setup, content, setup.long_side(content))
    }

    /// The same at another long side.
    fn session_at<'a>(
        &'a self,
        setup: &'a Setup,
        content: &'a Picture,
        long_side: usize,
    ) -> Session<'a> {
        Session {
            setup,
            method: self,
            content,
            stages: stages(&self.settings, content, long_side, self.least()),
        }
    }

    /// Least side of a picture that reaches every layer.
    fn least(&self) -> usize {
        let finish = self.finish.as_ref().map_or(1, Finish::least);
        self.eye.least.max(finish)
    }
}

impl Method for NnstMethod {
    fn scales(&self, setup: &Setup, content: &Picture) -> Vec<Scale> {
        passes::scales(&self.session(setup, content))
    }

    fn plan(&self, setup: &Setup, content: &Picture) -> Result<RunPlan> {
        passes::plan(&self.session(setup, content))
    }

    fn pace(&self, setup: &Setup, content: &Picture) -> Result<Pace> {
        let [small, large] = TIMED.map(|side| self.session_at(setup, content, side));
        passes::pace([(TIMED[0], &small), (TIMED[1], &large)])
    }

    fn run(
        &mut self,
        setup: &Setup,
        content: &Picture,
        observer: &mut dyn Observer,
    ) -> Result<Stylized> {
        passes::run(&self.session(setup, content), observer)
    }

    /// The terms of both passes at a picture as large as the content, which is what was painted so far.
    fn inspect(&mut self, setup: &Setup, content: &Picture, image: &Picture) -> Result<Inspection> {
        let (session, size) = (
            self.session(setup, content),
            (content.width(), content.height()),
        );
        passes::inspect(&session, image, &|views| {
            let mut terms = Vec::new();
            for kind in [Kind::Matching, Kind::Splitting] {
                let stage = Stage::alone(size, kind);
                terms.extend(session.terms_of(stage, Some(image.rgb()), views)?);
            }
            Ok(terms)
        })
    }

    fn times(&self) -> Vec<impasto_compute::StageTime> {
        self.eye.network.times()
    }
}

impl<'a> Session<'a> {
    fn device(&self) -> &'a dyn Device {
        self.setup.device.as_ref()
    }

    fn stage(&self, index: usize) -> Stage {
        self.stages.get(index).copied().unwrap_or_default()
    }

    /// What a pass is done by, if it is the one towards moments.
    fn finish(&self, index: usize) -> Option<(&'a Finish, Stage)> {
        let stage = self.stage(index);
        let finish = self.method.finish.as_ref()?;
        (stage.kind == Kind::Finishing).then_some((finish, stage))
    }

    /// The layers as hypercolumns: each as large as its share, whatever its channels.
    fn columns(&self) -> Columns {
        let part = |layer: &Layer| Part {
            view: View::Features(layer.tap),
            channels: layer.channels,
            factor: layer.share / layer.channels as f32,
            stride: layer.stride,
        };
        Columns::new(
            self.method.eye.layers.iter().map(part).collect(),
            Places::Shares,
        )
    }
}

impl Passes for Session<'_> {
    fn setup(&self) -> &Setup {
        self.setup
    }

    fn content(&self) -> &Picture {
        self.content
    }

    fn network(&self) -> &dyn Network {
        self.method.eye.network.as_ref()
    }

    fn demands(&self, long_side: usize) -> Vec<Demand> {
        let (method, size) = (self.method, self.content);
        let all = stages(&method.settings, size, long_side, method.least());
        all.iter().map(|stage| self.demand(*stage)).collect()
    }

    fn steps(&self, index: usize) -> Optimize {
        match self.finish(index) {
            Some((finish, _)) => finish.settings().clone(),
            None => self.method.steps.clone(),
        }
    }

    fn margin(&self, index: usize) -> Margin {
        let finish = self.finish(index);
        finish.map_or(Margin::NONE, |(finish, stage)| {
            finish.margin(self.setup, self.network(), stage.at.scale)
        })
    }

    fn parameterization(&self, index: usize) -> Arc<dyn Parameterization> {
        if let Some((finish, stage)) = self.finish(index) {
            return finish.parameterization(self.setup, self.network(), stage.at.scale);
        }
        let halvings = self.stage(index).at.halvings;
        Arc::new(PyramidParameters {
            pixels: Pixels::Unit,
            levels: LEVELS.saturating_sub(halvings).max(1),
            align: Align::Borders,
        })
    }

    fn start(&self, index: usize, before: Option<&State>) -> Result<Vec<f32>> {
        let stage = self.stage(index);
        match before {
            Some(coarser) => enlarged(self, coarser, stage.at.scale),
            None => self.content_at(stage),
        }
    }

    fn terms(&self, index: usize, start: Option<&[f32]>, views: Views<'_>) -> Result<Vec<Term>> {
        let stage = self.stage(index);
        self.terms_of(stage, start, views)
    }

    fn finished(&self, picture: Picture) -> Picture {
        let settings = &self.method.settings;
        if !settings.recolor {
            return picture;
        }
        let (width, height) = (picture.width(), picture.height());
        let content = self.content.resized(width, height, Filter::Bicubic);
        recolored(&picture, &content, &self.setup.styles, settings.faithful)
    }
}
