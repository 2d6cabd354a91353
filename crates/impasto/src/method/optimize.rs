//! Style transfer by optimisation: the picture itself is what is learned (Gatys, Ecker and Bethge 2016), coarse to
//! fine.
//!
//! ```text
//! for each scale:  resize content and styles ─▶ targets ─▶ Objective
//!                  picture ← start, or the last scale's average, enlarged
//!                  steps:  Objective { forward, losses, backward } ⇄ Optimizer ─▶ Observer
//! the last scale's average is the stylized picture
//! ```
//!
//! Coarse scales lay out large strokes cheaply, fine ones add what only they can see. A picture so thin that nothing
//! of it is left after the encoder's pools is worked on at the least width that reaches the deepest layer, and
//! brought back to its own shape at the end.

use super::plan::{Limits, Plan};
use super::room;
use super::run::{End, Evaluator, Run, State};
use super::start::start;
use super::targets::{Context, Layers, StyleCache};
use super::unit::unit_activations;
use crate::checkpoint::{Checkpoint, Checkpoints, Job, Keeper};
use crate::encoder::{Encoder, Substitution};
use crate::loss::{Objective, Term, View};
use crate::observer::{Event, Observer, Scale, TermValue, term_values};
use crate::optim::Optimizer;
use crate::picture::{Filter, Picture, fit_long_side};
use crate::recipe::{Init, OutputSize, Problem, Recipe, StyleSize};
use crate::report::Report;
use crate::tiling::{Eye, Prepared};
use crate::{Error, Result};
use impasto_compute::{Device, Input, NetSpec, Network};

use std::time::Instant;

/// A painting and how much it counts among the paintings of a job.
#[derive(Clone, Debug)]
pub struct Style {
    /// What messages and reports call it.
    pub name: String,
    /// The painting.
    pub picture: Picture,
    /// Its weight, greater than 0; weights count relative to each other.
    pub weight: f32,
}

impl Style {
    /// A painting with a weight.
    pub fn new(name: impl Into<String>, picture: Picture, weight: f32) -> Self {
        Self {
            name: name.into(),
            picture,
            weight,
        }
    }
}

/// A stylized picture and how it came about.
#[derive(Clone, Debug)]
pub struct Stylized {
    /// The picture; alpha and depth are the content's.
    pub picture: Picture,
    /// Settings, losses and times.
    pub report: Report,
    /// What the disk holds of the run: to go on from if it was stopped, to be removed when the picture is safe.
    pub checkpoint: Option<Checkpoint>,
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

/// An encoder, some styles and a recipe on a device, ready for any number of contents.
#[derive(Debug)]
pub struct Stylizer {
    pub(super) device: Box<dyn Device>,
    pub(super) network: Box<dyn Network>,
    /// The network as the encoder and the recipe's options give it.
    spec: NetSpec,
    encoder: String,
    pub(super) layers: Layers,
    pub(super) styles: Vec<Style>,
    pub(super) recipe: Recipe,
    pub(super) start: Option<Picture>,
    pub(super) limits: Limits,
    /// The plan to go by, if it was made before.
    pub(super) planned: Option<Plan>,
    checkpoints: Option<Checkpoints>,
    cache: StyleCache,
}

impl Stylizer {
    /// Prepares a job. `styles` must not be empty unless the recipe's style weight is 0.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with recipe, styles and layers; whatever the device reports.
    pub fn new(
        device: Box<dyn Device>,
        encoder: &Encoder,
        styles: Vec<Style>,
        recipe: Recipe,
    ) -> Result<Self> {
        let mut spec = encoder.spec(&recipe.encoder);
        let layers = validate(&recipe, encoder, &styles)?;
        if let Input::Image(norm) = spec.input {
            spec.input = recipe.pixels.input(norm).into();
        }
        let network = device.network(&spec)?;
        let encoder = encoder.name().to_string();
        Ok(Self {
            device,
            network,
            spec,
            encoder,
            layers,
            styles,
            recipe,
            start: None,
            limits: Limits::default(),
            planned: None,
            checkpoints: None,
            cache: StyleCache::default(),
        })
    }

    /// The picture to start from, for recipes whose start is [`Init::Picture`].
    pub fn start_from(mut self, picture: Picture) -> Self {
        self.start = Some(picture);
        self
    }

    /// Saves runs now and then, and goes on from where an earlier one was cut off.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// The recipe of the job.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The styles of the job.
    pub fn styles(&self) -> &[Style] {
        &self.styles
    }

    /// Takes other styles for the contents to come; the network stays prepared.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that is wrong with the styles, which are then left as they were.
    pub fn set_styles(&mut self, styles: Vec<Style>) -> Result<()> {
        let problems = problems_of(&styles, &self.recipe);
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        self.styles = styles;
        self.cache = StyleCache::default();
        Ok(())
    }

    /// The device of the job.
    pub fn device(&self) -> &dyn Device {
        self.device.as_ref()
    }

    /// The name of the encoder.
    pub fn encoder(&self) -> &str {
        &self.encoder
    }

    /// What stands in for layers of the recipe that the encoder lacks.
    pub fn substitutions(&self) -> &[Substitution] {
        &self.layers.substitutions
    }

    /// Bytes that the optimiser keeps beside the picture at a scale, once it is under way.
    pub fn optimizer_bytes(&self, scale: Scale) -> usize {
        Optimizer::bytes(&self.recipe, scale.width * scale.height)
    }

    /// The network of the job, prepared on its device.
    pub fn network(&self) -> &dyn Network {
        self.network.as_ref()
    }

    /// The scales that a content would go through.
    pub fn scales(&self, content: &Picture) -> Vec<Scale> {
        let long_side = match self.recipe.size {
            OutputSize::LongSide(side) => side,
            OutputSize::Original => content.width().max(content.height()),
        };
        let plan = self.recipe.schedule.plan(long_side);
        plan.into_iter()
            .map(|(side, steps)| {
                let (width, height) = self.working_size(content, side);
                Scale {
                    width,
                    height,
                    steps,
                }
            })
            .collect()
    }

    /// Paints a content in the styles of the job.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the recipe starts from a picture and none was given, [`Error::TooLarge`],
    /// [`Error::Diverged`] with the last good picture, [`Error::Checkpoint`] if the run was to go on from a checkpoint
    /// and must not begin anew, and whatever the device reports. A run that the observer ends is no error: the picture
    /// so far is returned.
    pub fn stylize(&mut self, content: &Picture, observer: &mut dyn Observer) -> Result<Stylized> {
        if self.recipe.init == Init::Picture && self.start.is_none() {
            let problem = Problem::new("init", "picture", "needs a picture to start from");
            return Err(Error::Invalid(vec![problem]));
        }
        if self.checkpoints.is_some() && self.device.arithmetic().is_none() {
            return Err(Error::Invalid(vec![Problem::new(
                "checkpoints",
                self.device.name(),
                "this device computes with more digits than can be saved; use another device, or no checkpoints",
            )]));
        }
        let clock = Instant::now();
        let scales = self.scales(content);
        let plan = self.plan(content)?;
        if let Some(&coarsest) = scales.first() {
            self.prepare(content, coarsest)?;
        }
        room::check(self.device.as_ref(), &plan)?;
        let mut cache = std::mem::take(&mut self.cache);
        let stylized = self.paint(content, (&scales, &plan), clock, observer, &mut cache);
        self.cache = cache;
        stylized
    }

    fn paint(
        &self,
        content: &Picture,
        (scales, plan): (&[Scale], &Plan),
        clock: Instant,
        observer: &mut dyn Observer,
        cache: &mut StyleCache,
    ) -> Result<Stylized> {
        let device = self.device.as_ref();
        let job = Job {
            content,
            styles: &self.styles,
            start: self.start.as_ref(),
            encoder: &self.encoder,
            spec: &self.spec,
            device,
            recipe: &self.recipe,
        };
        let mut keeper = self
            .checkpoints
            .as_ref()
            .map(|settings| Keeper::new(settings, move || job.identity()));
        let (saved, notices) = match &mut keeper {
            Some(keeper) => keeper.find()?,
            None => (None, vec![]),
        };
        let mut plan = plan.clone();
        if let Some(saved) = &saved {
            plan.adopt(saved, self.limits, &self.spec)?;
        }
        let report = Report::new(&self.recipe, &self.encoder, device, &self.styles);
        let mut run = Run::new(scales, clock, report, keeper, observer);
        run.cuts = plan.cuts();
        run.tell(&Event::Started { scales });
        run.tell_all(&notices);
        let (first, mut resumed) = match saved {
            Some(saved) => {
                let (index, state) = run.resume(device, &self.recipe, saved)?;
                (index, Some(state))
            }
            None => (0, None),
        };
        let mut state: Option<State> = None;
        let mut astray = None;
        for (index, &scale) in scales.iter().enumerate().skip(first) {
            if run.is_stopped() && state.is_some() {
                break;
            }
            let started = Instant::now();
            run.tell(&Event::ScaleStarted { index, scale });
            let planned = plan.scales.get(index);
            let cut = self.prepared(planned.and_then(|plan| plan.cut.as_ref()))?;
            let styles = self.prepared(planned.and_then(|plan| plan.style_cut.as_ref()))?;
            let eyes = (cut.as_ref(), styles.as_ref());
            let objective = self.objective(content, scale, eyes, cache)?;
            drop(styles);
            let mut here = match (resumed.take(), state.take()) {
                (Some(resumed), _) => resumed,
                (None, Some(coarser)) => coarser.enlarged(device, scale)?,
                (None, None) => self.begin(content, scale)?,
            };
            let evaluator = Evaluator {
                device,
                network: self.eye(cut.as_ref()),
                objective: &objective,
            };
            let end = run.scale(index, started, &evaluator, &mut here)?;
            let painted = index > 0 || here.step > 0;
            state = Some(here);
            if let End::Astray(step) = end {
                astray = Some((scale, step, painted));
                break;
            }
        }
        let Some(state) = state else {
            return Err(Error::Invalid(vec![Problem::new(
                "schedule",
                "empty",
                "needs at least one scale",
            )]));
        };
        if plan.scales.iter().any(|scale| scale.cut.is_some()) {
            // The picture is encoded in memory that the passes do not need any more.
            self.network.forget();
        }
        let Scale { width, height, .. } = state.scale;
        let (report, keeper) = run.finish(&state);
        let picture = self.finish(
            content,
            Picture::new(width, height, state.result(device)?)?,
            report.stopped,
        )?;
        let stylized = Stylized {
            picture,
            report,
            checkpoint: keeper.and_then(|keeper| keeper.checkpoint()),
        };
        match astray {
            None => Ok(stylized),
            Some((scale, step, painted)) => Err(Error::Diverged {
                width: scale.width,
                height: scale.height,
                step,
                so_far: painted.then(|| Box::new(stylized)),
            }),
        }
    }

    /// Losses and gradient at a picture, everything at its own size.
    ///
    /// # Errors
    /// [`Error::Invalid`] if content and image differ in size; whatever the device reports.
    pub fn inspect(&mut self, content: &Picture, image: &Picture) -> Result<Inspection> {
        let size = |picture: &Picture| (picture.width(), picture.height());
        if size(content) != size(image) {
            let (width, height) = size(image);
            let allowed = format!(
                "must be as large as the content, {}×{}",
                content.width(),
                content.height()
            );
            return Err(Error::Invalid(vec![Problem::new(
                "image",
                format!("{width}×{height}"),
                allowed,
            )]));
        }
        let sizes: Vec<_> = self
            .styles
            .iter()
            .map(|style| size(&style.picture))
            .collect();
        self.measure_activations(content, &sizes)?;
        let cut = self.prepared(self.cut_for(content)?.as_ref())?;
        let device = self.device.as_ref();
        let eye = self.eye(cut.as_ref());
        let context = Context {
            device,
            network: eye,
            styles: Eye::Whole(self.network.as_ref()),
            recipe: &self.recipe,
            layers: &self.layers,
        };
        let cache = &mut StyleCache::default();
        let objective = context.objective(content, &self.styles, &sizes, cache)?;
        let objective = match &cut {
            Some(Prepared::Tiles(_)) => in_parts(objective)?,
            _ => objective,
        };
        let pixels = self.recipe.pixels;
        let tensor = device.upload(
            &pixels.encode(image.rgb().to_vec()),
            &[3, image.height(), image.width()],
        )?;
        let evaluation = eye.evaluate(device, &objective, &tensor)?;
        Ok(Inspection {
            terms: term_values(&objective, &evaluation.values)?,
            total: objective.total(&evaluation.values)?,
            // By the chain rule, what turns pictures into the recipe's units turns gradients back.
            gradient: pixels.encode(device.download(&evaluation.gradient)?),
        })
    }

    /// What is done once for a content, at its first scale.
    fn prepare(&mut self, content: &Picture, scale: Scale) -> Result<()> {
        let size = (scale.width, scale.height);
        let styles = self.styles.iter();
        let sizes: Vec<_> = styles.map(|style| self.style_size(style, size)).collect();
        let content = content.resized(scale.width, scale.height, Filter::Bicubic);
        self.measure_activations(&content, &sizes)
    }

    /// The network, as pictures are shown to it that are cut or not.
    fn eye<'a>(&'a self, cut: Option<&'a Prepared>) -> Eye<'a> {
        match cut {
            Some(Prepared::Tiles(tiled)) => Eye::Tiles(tiled),
            Some(Prepared::Strips(strips)) => Eye::Strips(self.network.as_ref(), strips),
            None => Eye::Whole(self.network.as_ref()),
        }
    }

    /// The objective of a content at a scale; content and styles may be cut to be looked at.
    pub(super) fn objective(
        &self,
        content: &Picture,
        scale: Scale,
        (cut, styles): (Option<&Prepared>, Option<&Prepared>),
        cache: &mut StyleCache,
    ) -> Result<Objective> {
        let Scale { width, height, .. } = scale;
        let context = Context {
            device: self.device.as_ref(),
            network: self.eye(cut),
            styles: self.eye(styles),
            recipe: &self.recipe,
            layers: &self.layers,
        };
        let sizes: Vec<_> = self
            .styles
            .iter()
            .map(|style| self.style_size(style, (width, height)))
            .collect();
        let content = content.resized(width, height, Filter::Bicubic);
        let objective = context.objective(&content, &self.styles, &sizes, cache)?;
        match cut {
            Some(Prepared::Tiles(_)) => in_parts(objective),
            _ => Ok(objective),
        }
    }

    /// Prepares the network anew if its weights depend on the pictures; styles in the sizes given.
    fn measure_activations(&mut self, content: &Picture, sizes: &[(usize, usize)]) -> Result<()> {
        if !self.recipe.encoder.unit_activations {
            return Ok(());
        }
        let styles = self.styles.iter().zip(sizes);
        let pictures: Vec<_> = styles
            .map(|(style, &(width, height))| style.picture.resized(width, height, Filter::Bicubic))
            .chain([content.clone()])
            .collect();
        let spec = unit_activations(
            self.device.as_ref(),
            &self.spec,
            self.layers.deepest,
            self.recipe.pixels,
            &pictures,
        )?;
        self.network = self.device.network(&spec)?;
        self.cache = StyleCache::default();
        Ok(())
    }

    /// What the run starts from at its first scale.
    pub(super) fn begin(&self, content: &Picture, scale: Scale) -> Result<State> {
        let size = (scale.height, scale.width);
        let picture = self.start.as_ref();
        let planes = start(&self.recipe, content, picture, &self.styles, size);
        State::new(self.device.as_ref(), &self.recipe, planes, scale)
    }

    /// Width and height of a picture at a long side, at least what the deepest layer needs.
    pub(super) fn working_size(&self, picture: &Picture, long_side: usize) -> (usize, usize) {
        let (width, height) = fit_long_side(picture.width(), picture.height(), long_side);
        (
            width.max(self.layers.minimum_side),
            height.max(self.layers.minimum_side),
        )
    }

    /// Width and height at which a style is looked at, for a picture of some size.
    pub(super) fn style_size(&self, style: &Style, size: (usize, usize)) -> (usize, usize) {
        let long_side = size.0.max(size.1);
        let mut long_side = match self.recipe.style.size {
            StyleSize::Scale(factor) => ((long_side as f32 * factor).round() as usize).max(1),
            StyleSize::LongSide(side) => side,
            StyleSize::Content => return size,
        };
        if !self.recipe.style.enlarge {
            long_side = long_side.min(style.picture.width().max(style.picture.height()));
        }
        self.working_size(&style.picture, long_side)
    }

    /// The picture in the shape that was asked for, with the content's alpha and depth. A run that was stopped early
    /// keeps the size it had reached.
    fn finish(&self, content: &Picture, picture: Picture, stopped: bool) -> Result<Picture> {
        let long_side = match self.recipe.size {
            _ if stopped || !self.recipe.schedule.scales.is_empty() => {
                picture.width().max(picture.height())
            }
            OutputSize::LongSide(side) => side,
            OutputSize::Original => content.width().max(content.height()),
        };
        let (width, height) = fit_long_side(content.width(), content.height(), long_side);
        let picture = if (picture.width(), picture.height()) == (width, height) {
            picture
        } else {
            picture.resized(width, height, Filter::Bicubic)
        };
        let picture = picture.with_depth(content.depth());
        match content.resized(width, height, Filter::Bicubic).alpha() {
            Some(alpha) => Ok(picture.with_alpha(alpha.to_vec())?),
            None => Ok(picture),
        }
    }
}

/// Everything that is wrong with styles for this recipe.
fn problems_of(styles: &[Style], recipe: &Recipe) -> Vec<Problem> {
    let mut problems = Vec::new();
    for style in styles {
        if !(style.weight.is_finite() && style.weight > 0.0) {
            let field = format!("weight of style {}", style.name);
            problems.push(Problem::new(field, style.weight, "must be greater than 0"));
        }
    }
    if styles.is_empty() && recipe.style.weight > 0.0 {
        problems.push(Problem::new(
            "style",
            "missing",
            "name at least one painting",
        ));
    }
    problems
}

/// An objective that can be worked on tile by tile.
fn in_parts(objective: Objective) -> Result<Objective> {
    let whole = |term: &&Term| {
        matches!(term.loss.view(), View::Features(_)) && term.loss.in_parts().is_none()
    };
    let problems: Vec<_> = objective
        .terms()
        .iter()
        .filter(whole)
        .map(|term| {
            let allowed = "needs all features at once, and so cannot be worked on tile by tile: \
                       give it more memory, or choose a smaller size";
            Problem::new("loss", &term.name, allowed)
        })
        .collect();
    match problems.is_empty() {
        true => Ok(objective),
        false => Err(Error::Invalid(problems)),
    }
}

/// Everything that is wrong with recipe, styles and layers at once; the layers if nothing is.
fn validate(recipe: &Recipe, encoder: &Encoder, styles: &[Style]) -> Result<Layers> {
    let mut problems = recipe.problems();
    problems.extend(problems_of(styles, recipe));
    let layers = Layers::find(recipe, encoder, &encoder.spec(&recipe.encoder));
    match layers {
        Ok(layers) if problems.is_empty() => Ok(layers),
        Err(Error::Invalid(more)) => {
            problems.extend(more);
            Err(Error::Invalid(problems))
        }
        Ok(_) => Err(Error::Invalid(problems)),
        Err(other) => Err(other),
    }
}
