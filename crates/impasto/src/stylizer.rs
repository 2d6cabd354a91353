//! The house that methods live in: a device, styles, a recipe, and the method that paints by it.

use crate::checkpoint::Checkpoints;
use crate::encoder::{Encoder, Substitution};
use crate::method::feedforward::FeedForwardMethod;
use crate::method::nnst::NnstMethod;
use crate::method::optimize::OptimizeMethod;
use crate::method::strotss::StrotssMethod;
use crate::method::{
    CalibratedLayer, ExtraTerms, Inspection, LEAST_TILE, Method, Pace, Painter, PainterSpec,
    RunLimits, RunPlan, Setup, Stylized, style_problems,
};
use crate::named::Named;
use crate::observer::{Event, Observer, Scale, Step};
use crate::optim::Optimizer;
use crate::picture::Picture;
use crate::recipe::{MethodName, MethodSettings, Problem, Recipe};
use crate::regions::Regions;
use crate::strokes::views;
use crate::style::Style;
use crate::{Error, Result};
use impasto_compute::{Device, Size, StageTime};
use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::Arc;

/// An encoder, some styles and a recipe on a device, ready for any number of contents.
#[derive(Debug)]
pub struct Stylizer {
    setup: Setup,
    /// The styles as they were given, where those of the setup are turned, mixed of sizes, or have the colours of a content.
    given: Option<Vec<Style>>,
    method: Box<dyn Method>,
}

/// The networks of a job: those that its recipe has work for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Networks<'a> {
    /// What looks at pictures, for recipes that optimise.
    pub encoder: Option<&'a Encoder>,
    /// What paints, for recipes of feed-forward methods and for those that start from what a network paints; the embedded
    /// one if its method is [`MethodName::Paint`](crate::recipe::MethodName::Paint) and no other is given.
    pub painter: Option<&'a PainterSpec>,
}

impl Stylizer {
    /// Prepares a job that optimises, with the method of its recipe. `styles` must not be empty unless the recipe's style
    /// weight is 0. Several may share a device.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with recipe, styles and layers; whatever the device reports.
    pub fn new(
        device: impl Into<Arc<dyn Device>>,
        encoder: &Encoder,
        styles: Vec<Style>,
        recipe: Recipe,
    ) -> Result<Self> {
        let networks = Networks {
            encoder: Some(encoder),
            painter: None,
        };
        Self::with_networks(device, networks, styles, recipe)
    }

    /// Prepares a job with the networks that its recipe needs.
    ///
    /// # Errors
    /// As [`Stylizer::new`]; [`Error::Invalid`] as well if a network is missing, or paints by another method.
    pub fn with_networks(
        device: impl Into<Arc<dyn Device>>,
        networks: Networks<'_>,
        styles: Vec<Style>,
        recipe: Recipe,
    ) -> Result<Self> {
        let device = device.into();
        let Networks { encoder, painter } = networks;
        let embedded = match (recipe.painter(), painter) {
            (Some(MethodName::Paint), None) => {
                Some(PainterSpec::find(MethodName::Paint, None, None)?)
            }
            _ => None,
        };
        let painter = match (recipe.painter(), painter.or(embedded.as_ref())) {
            (Some(needed), Some(painter)) if needed == painter.method => Some(painter),
            (Some(needed), _) => return Err(missing(needed.name(), "needs a network of its own")),
            (None, _) => None,
        };
        let name = match (encoder.filter(|_| recipe.looks()), painter) {
            (Some(encoder), _) => encoder.name(),
            (None, Some(painter)) => &painter.name,
            (None, None) => return Err(missing("optimize", "needs an encoder")),
        };
        let prepared = painter.map(|spec| Painter::new(device.as_ref(), spec));
        let setup = Setup {
            encoder: name.to_string(),
            painter: prepared.transpose()?.map(Arc::new),
            device,
            styles,
            recipe,
            start: None,
            regions: Regions::default(),
            palette: None,
            limits: RunLimits::default(),
            checkpoints: None,
            extra_terms: None,
        };
        let method: Box<dyn Method> = match (&setup.recipe.method, encoder, &setup.painter) {
            (MethodSettings::Optimize(settings), Some(encoder), _) => {
                Box::new(OptimizeMethod::new(&setup, settings, encoder)?)
            }
            (MethodSettings::Nnst(settings), Some(encoder), _) => {
                Box::new(NnstMethod::new(&setup, settings, encoder)?)
            }
            (MethodSettings::Strotss(settings), Some(encoder), _) => {
                Box::new(StrotssMethod::new(&setup, settings, encoder)?)
            }
            (_, _, Some(painter)) => Box::new(FeedForwardMethod::new(&setup, painter.clone())?),
            (_, _, None) => return Err(missing("optimize", "needs an encoder")),
        };
        let styles = setup.styles.clone();
        let mut stylizer = Self {
            setup,
            given: None,
            method,
        };
        if views(&styles, &stylizer.setup.recipe.style).is_some() {
            stylizer.take_styles(styles);
        }
        Ok(stylizer)
    }

    /// A job for a method of the caller's own, which is taken as it is.
    pub fn with_method(setup: Setup, method: Box<dyn Method>) -> Self {
        Self {
            setup,
            given: None,
            method,
        }
    }

    /// The same job by another method, which is taken as it is.
    pub fn by_method(mut self, method: Box<dyn Method>) -> Self {
        self.method = method;
        self
    }

    /// The device of the job, to be shared.
    pub fn shared_device(&self) -> Arc<dyn Device> {
        self.setup.device.clone()
    }

    /// The picture to start from, for recipes whose start is [`Init::Picture`](crate::recipe::Init::Picture).
    pub fn start_from(mut self, picture: Picture) -> Self {
        self.setup.start = Some(picture);
        self
    }

    /// The same for the contents to come, or none.
    pub fn set_start(&mut self, start: Option<Picture>) {
        self.setup.start = start;
    }

    /// The picture that colours are taken from instead of the content, where the recipe's colours are not the style's.
    pub fn colors_of(mut self, palette: Picture) -> Self {
        self.setup.palette = Some(palette);
        self
    }

    /// Paints some of the picture alone, or each region in the styles that belong to it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for styles of regions that there are not.
    pub fn in_regions(mut self, regions: Regions) -> Result<Self> {
        self.set_regions(regions)?;
        Ok(self)
    }

    /// The same for the contents to come.
    ///
    /// # Errors
    /// As [`Stylizer::in_regions`]; regions stay as they were then.
    pub fn set_regions(&mut self, regions: Regions) -> Result<()> {
        let problems = regions.problems(&self.setup.styles);
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        self.setup.regions = regions;
        Ok(())
    }

    /// Saves runs now and then, and goes on from where an earlier one was cut off.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.setup.checkpoints = Some(checkpoints);
        self
    }

    /// Sets what a run may use.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a tile that is too small.
    pub fn with_limits(mut self, limits: RunLimits) -> Result<Self> {
        if let Some(tile) = limits.tile.filter(|tile| *tile < LEAST_TILE) {
            let allowed = format!("must be at least {LEAST_TILE}");
            return Err(Error::Invalid(vec![Problem::new("tile", tile, allowed)]));
        }
        self.setup.limits = limits;
        Ok(self)
    }

    /// Takes other styles for the contents to come; the network stays prepared.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with the styles, which are then left as they were.
    pub fn set_styles(&mut self, styles: Vec<Style>) -> Result<()> {
        let problems = style_problems(&styles, &self.setup.recipe);
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        self.take_styles(styles);
        self.method.styles_changed();
        Ok(())
    }

    /// Takes styles in, in the views that the recipe says.
    fn take_styles(&mut self, styles: Vec<Style>) {
        (self.setup.styles, self.given) = match views(&styles, &self.setup.recipe.style) {
            Some(views) => (views, Some(styles)),
            None => (styles, None),
        };
    }

    /// The contents to come are frames of a shot: feed-forward networks paint all of them by the statistics of the first, so that
    /// the same thing is painted the same way; or each by its own.
    pub fn begin_shot(&mut self, keeps: bool) {
        self.method.begin_shot(keeps);
    }

    /// Adds terms to those of the recipe, for the contents to come; `None` for no more than those.
    pub fn set_extra_terms(&mut self, terms: Option<ExtraTerms>) {
        self.setup.extra_terms = terms;
    }

    /// The recipe of the job.
    pub fn recipe(&self) -> &Recipe {
        &self.setup.recipe
    }

    /// The styles of the job.
    pub fn styles(&self) -> &[Style] {
        self.given.as_deref().unwrap_or(&self.setup.styles)
    }

    /// Where it is painted, and where in which styles.
    pub fn regions(&self) -> &Regions {
        &self.setup.regions
    }

    /// The device of the job.
    pub fn device(&self) -> &dyn Device {
        self.setup.device.as_ref()
    }

    /// The name of the encoder.
    pub fn encoder(&self) -> &str {
        &self.setup.encoder
    }

    /// What stands in for layers of the recipe that the encoder lacks.
    pub fn substitutions(&self) -> &[Substitution] {
        self.method.substitutions()
    }

    /// The layers whose weights were made for another network than the encoder, with those that they were calibrated to;
    /// `None` where weights are taken as they are.
    pub fn calibration(&self) -> Option<&[CalibratedLayer]> {
        self.method.calibration()
    }

    /// Bytes that the optimiser keeps beside the picture at a scale, once it is under way; 0 for methods without one.
    pub fn optimizer_bytes(&self, scale: Scale) -> usize {
        let settings = self.setup.recipe.optimize();
        settings.map_or(0, |settings| {
            Optimizer::bytes(settings, scale.width * scale.height)
        })
    }

    /// Where the time of the last pass through the network went; empty if nobody knows.
    pub fn times(&self) -> Vec<StageTime> {
        self.method.times()
    }

    /// The scales that a content would go through.
    pub fn scales(&self, content: &Picture) -> Vec<Scale> {
        self.method.scales(&self.setup, content)
    }

    /// What a run on a content will need: the plan by which [`Stylizer::stylize`] goes.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if it does not fit into memory even in strips or tiles.
    pub fn plan(&self, content: &Picture) -> Result<RunPlan> {
        self.method.plan(&self.setup, content)
    }

    /// Takes steps at small sizes and times them.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn pace(&self, content: &Picture) -> Result<Pace> {
        self.method.pace(&self.setup, content)
    }

    /// Paints a content in the styles of the job. A run that the observer ends or that diverges is no error: the
    /// picture so far is returned, and [`Stylized::outcome`] says how it ended.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the recipe starts from a picture and none was given, [`Error::TooLarge`],
    /// [`Error::Checkpoint`] if the run was to go on from a checkpoint and must not begin anew, and whatever the device
    /// reports.
    pub fn stylize(&mut self, content: &Picture, observer: &mut dyn Observer) -> Result<Stylized> {
        let painted = self.colored(content);
        let setup = &self.setup;
        let mut observer = Finished {
            observer,
            setup,
            content,
        };
        let mut stylized = self.method.run(setup, &painted, &mut observer)?;
        stylized.picture = finished(setup, content, stylized.picture);
        Ok(stylized)
    }

    /// The content as it is painted; the styles get its colours, or those of the palette, if that is how it is painted.
    fn colored<'a>(&mut self, content: &'a Picture) -> Cow<'a, Picture> {
        let colors = self.setup.recipe.colors;
        if !colors.come_before() {
            return Cow::Borrowed(content);
        }
        let like = self.setup.palette.as_ref().unwrap_or(content);
        let given = self.given.get_or_insert_with(|| self.setup.styles.clone());
        let views = views(given, &self.setup.recipe.style);
        let views = views.as_deref().unwrap_or(given);
        let styles = views.iter().map(|style| {
            let picture = colors.prepare_style(&style.picture, like);
            Style {
                picture,
                ..style.clone()
            }
        });
        self.setup.styles = styles.collect();
        self.method.styles_changed();
        Cow::Owned(colors.prepare_content(content))
    }

    /// Losses and gradient at a picture, everything at its own size.
    ///
    /// # Errors
    /// [`Error::Invalid`] if content and image differ in size, or if the method has no losses; whatever the device
    /// reports.
    pub fn inspect(&mut self, content: &Picture, image: &Picture) -> Result<Inspection> {
        let content = self.colored(content);
        self.method.inspect(&self.setup, &content, image)
    }
}

/// What is painted, with the colours that come after it and the content where it is kept.
fn finished(setup: &Setup, content: &Picture, picture: Picture) -> Picture {
    let colors = setup.recipe.colors;
    let picture = match colors.come_after() {
        true => colors.give(&picture, setup.palette.as_ref().unwrap_or(content)),
        false => picture,
    };
    let picture = match setup.recipe.photo {
        true => picture.tones_on(content),
        false => picture,
    };
    let size = Size {
        width: picture.width(),
        height: picture.height(),
    };
    match setup.shares(size) {
        Some(shares) => shares.composite(&picture, content),
        None => picture,
    }
}

/// Shows an observer previews as the result will be.
struct Finished<'a> {
    observer: &'a mut dyn Observer,
    setup: &'a Setup,
    content: &'a Picture,
}

impl Observer for Finished<'_> {
    fn on_event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        let Event::Step(step) = event else {
            return self.observer.on_event(event);
        };
        let (setup, content) = (self.setup, self.content);
        let preview = || Ok(finished(setup, content, step.preview()?));
        self.observer.on_event(&Event::Step(Step {
            preview: &preview,
            ..*step
        }))
    }
}

/// A network that is missing.
fn missing(method: &str, allowed: &str) -> Error {
    Error::Invalid(vec![Problem::new("method", method, allowed)])
}
