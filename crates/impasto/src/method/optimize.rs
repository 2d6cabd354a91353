//! Style transfer by optimisation: the picture itself is what is learned (Gatys, Ecker and Bethge 2016), coarse to
//! fine.
//!
//! ```text
//! for each scale:  resize content and styles ─▶ targets ─▶ Objective
//!                  picture ← start, or the last scale's average, enlarged
//!                  steps:  Objective { forward, losses, backward } ─▶ Adam ─▶ Observer
//! the last scale's average is the stylized picture
//! ```
//!
//! Coarse scales lay out large strokes cheaply, fine ones add what only they can see. A picture so thin that nothing
//! of it is left after the encoder's pools is worked on at the least width that reaches the deepest layer, and
//! brought back to its own shape at the end.

use super::start::start;
use super::targets::{Context, Layers, StyleCache};
use crate::encoder::Encoder;
use crate::observer::{Event, Observer, Scale, Step, TermValue, term_values};
use crate::optim::Adam;
use crate::picture::{Filter, Picture, fit_long_side, resize_planes};
use crate::recipe::{Init, Problem, Recipe, Size, StyleSize};
use crate::report::{Report, ScaleReport, StepReport};
use crate::{Error, Result};
use impasto_compute::{Device, Network};

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
    device: Box<dyn Device>,
    network: Box<dyn Network>,
    encoder: String,
    layers: Layers,
    styles: Vec<Style>,
    recipe: Recipe,
    start: Option<Picture>,
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
        let spec = encoder.spec(&recipe.encoder);
        let layers = validate(&recipe, encoder, &styles)?;
        let network = device.network(&spec)?;
        let encoder = encoder.name().to_string();
        Ok(Self {
            device,
            network,
            encoder,
            layers,
            styles,
            recipe,
            start: None,
            cache: StyleCache::default(),
        })
    }

    /// The picture to start from, for recipes whose start is [`Init::Picture`].
    pub fn start_from(mut self, picture: Picture) -> Self {
        self.start = Some(picture);
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

    /// The network of the job, prepared on its device.
    pub fn network(&self) -> &dyn Network {
        self.network.as_ref()
    }

    /// The scales that a content would go through.
    pub fn scales(&self, content: &Picture) -> Vec<Scale> {
        let long_side = match self.recipe.size {
            Size::LongSide(side) => side,
            Size::Original => content.width().max(content.height()),
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
    /// [`Error::Invalid`] if the recipe starts from a picture and none was given, [`Error::Diverged`], and whatever
    /// the device reports. A run that the observer ends is no error: the picture so far is returned.
    pub fn stylize(&mut self, content: &Picture, observer: &mut dyn Observer) -> Result<Stylized> {
        if self.recipe.init == Init::Picture && self.start.is_none() {
            let problem = Problem::new("init", "picture", "needs a picture to start from");
            return Err(Error::Invalid(vec![problem]));
        }
        let clock = Instant::now();
        let scales = self.scales(content);
        let mut report = Report::new(
            &self.recipe,
            &self.encoder,
            self.device.as_ref(),
            &self.styles,
        );
        let work: f64 = scales.iter().map(|scale| work(*scale)).sum();
        let mut done = 0.0;
        let mut state: Option<(Adam, Vec<f32>, Scale)> = None;
        let mut flow = observer.on_event(&Event::Started { scales: &scales });
        for (index, &scale) in scales.iter().enumerate() {
            if flow.is_break() && state.is_some() {
                break;
            }
            let started = Instant::now();
            flow = observer.on_event(&Event::ScaleStarted { index, scale });
            let Scale {
                width,
                height,
                steps,
            } = scale;
            let shape = [3, height, width];
            let device = self.device.as_ref();
            let objective = {
                let context = Context {
                    device,
                    network: self.network.as_ref(),
                    recipe: &self.recipe,
                    layers: &self.layers,
                };
                let sizes: Vec<_> = self
                    .styles
                    .iter()
                    .map(|style| self.style_size(style, width.max(height)))
                    .collect();
                let content = content.resized(width, height, Filter::Bicubic);
                context.objective(&content, &self.styles, &sizes, &mut self.cache)?
            };
            report.terms = objective
                .terms()
                .iter()
                .map(|term| (term.name.clone(), term.weight))
                .collect();
            let (mut adam, pixels) = match state.take() {
                None => {
                    let picture = self.start.as_ref();
                    let (init, seed) = (self.recipe.init, self.recipe.seed);
                    let pixels = start(init, seed, content, picture, &self.styles, (height, width));
                    (Adam::new(device, self.recipe.optimizer, &shape)?, pixels)
                }
                Some((adam, pixels, from)) => {
                    let mut pixels = resize_planes(
                        &pixels,
                        3,
                        (from.height, from.width),
                        (height, width),
                        Filter::BicubicPlain,
                    );
                    pixels.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
                    (adam.rescale(device, &shape)?, pixels)
                }
            };
            let mut image = device.upload(&pixels, &shape)?;
            let mut history = Vec::with_capacity(steps);
            for step in 1..=steps {
                let evaluation = objective.evaluate(device, self.network.as_ref(), &image)?;
                adam.step(device, &mut image, &evaluation.gradient)?;
                done += work_of_step(scale);
                let event = Step {
                    scale: index,
                    scales: scales.len(),
                    plan: scale,
                    step,
                    progress: done / work,
                    seconds: clock.elapsed().as_secs_f64(),
                    objective: &objective,
                    values: &evaluation.values,
                    preview: &|| Ok(Picture::new(width, height, adam.average(device)?)?),
                };
                if flow.is_continue() {
                    flow = observer.on_event(&Event::Step(event));
                }
                let norm = device.sum_abs(&evaluation.gradient)?;
                history.push((evaluation.values, norm, clock.elapsed().as_secs_f64()));
                if flow.is_break() {
                    break;
                }
            }
            for (step, (values, norm, seconds)) in (1..).zip(&history) {
                let terms = values
                    .iter()
                    .map(|value| Ok(value.value()?))
                    .collect::<Result<Vec<f64>>>()?;
                let total = objective.total(values)?;
                if !(total.is_finite() && norm.value()?.is_finite()) {
                    return Err(Error::Diverged {
                        width,
                        height,
                        step,
                    });
                }
                report.steps.push(StepReport {
                    scale: index,
                    step,
                    total,
                    terms,
                    seconds: *seconds,
                });
            }
            let seconds = started.elapsed().as_secs_f64();
            report.scales.push(ScaleReport {
                width,
                height,
                steps: history.len(),
                seconds,
            });
            state = Some((adam, vec![], scale));
            if let Some((adam, pixels, _)) = &mut state {
                *pixels = adam.average(self.device.as_ref())?;
            }
            if flow.is_continue() {
                flow = observer.on_event(&Event::ScaleFinished {
                    index,
                    scale,
                    seconds,
                });
            }
        }
        let Some((_, pixels, scale)) = state else {
            return Err(Error::Invalid(vec![Problem::new(
                "schedule",
                "empty",
                "needs at least one scale",
            )]));
        };
        report.stopped = flow.is_break() && report.scales.len() < scales.len()
            || report
                .scales
                .last()
                .is_some_and(|last| last.steps < scale.steps);
        report.seconds = clock.elapsed().as_secs_f64();
        let picture = self.finish(
            content,
            Picture::new(scale.width, scale.height, pixels)?,
            report.stopped,
        )?;
        Ok(Stylized { picture, report })
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
        let device = self.device.as_ref();
        let context = Context {
            device,
            network: self.network.as_ref(),
            recipe: &self.recipe,
            layers: &self.layers,
        };
        let sizes: Vec<_> = self
            .styles
            .iter()
            .map(|style| size(&style.picture))
            .collect();
        let objective = context.objective(content, &self.styles, &sizes, &mut self.cache)?;
        let tensor = device.upload(image.rgb(), &[3, image.height(), image.width()])?;
        let evaluation = objective.evaluate(device, self.network.as_ref(), &tensor)?;
        Ok(Inspection {
            terms: term_values(&objective, &evaluation.values)?,
            total: objective.total(&evaluation.values)?,
            gradient: device.download(&evaluation.gradient)?,
        })
    }

    /// Width and height of a picture at a long side, at least what the deepest layer needs.
    fn working_size(&self, picture: &Picture, long_side: usize) -> (usize, usize) {
        let (width, height) = fit_long_side(picture.width(), picture.height(), long_side);
        (
            width.max(self.layers.minimum_side),
            height.max(self.layers.minimum_side),
        )
    }

    fn style_size(&self, style: &Style, long_side: usize) -> (usize, usize) {
        let long_side = match self.recipe.style.size {
            StyleSize::Scale(factor) => ((long_side as f32 * factor).round() as usize).max(1),
            StyleSize::LongSide(side) => side,
        };
        self.working_size(&style.picture, long_side)
    }

    /// The picture in the shape that was asked for, with the content's alpha and depth. A run that was stopped early
    /// keeps the size it had reached.
    fn finish(&self, content: &Picture, picture: Picture, stopped: bool) -> Result<Picture> {
        let long_side = match self.recipe.size {
            _ if stopped || !self.recipe.schedule.scales.is_empty() => {
                picture.width().max(picture.height())
            }
            Size::LongSide(side) => side,
            Size::Original => content.width().max(content.height()),
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

/// What a scale costs, in pixels.
fn work(scale: Scale) -> f64 {
    work_of_step(scale) * scale.steps as f64
}

fn work_of_step(scale: Scale) -> f64 {
    (scale.width * scale.height) as f64
}

/// Everything that is wrong with recipe, styles and layers at once; the layers if nothing is.
fn validate(recipe: &Recipe, encoder: &Encoder, styles: &[Style]) -> Result<Layers> {
    let mut problems = recipe.problems();
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
