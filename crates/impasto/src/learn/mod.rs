//! Learning a style: a network that paints in it in one pass, from a painting and some photos.
//!
//! ```text
//! photos ─▶ crops ─▶ network ─▶ pictures ─▶ Objective of the default recipe: gradient towards the pictures
//!                       ▲                                    │
//!                       └──── AdamW ◀── gradients towards numbers ◀── tape
//! ```
//!
//! The network is one of Johnson, Alahi and Fei-Fei 2016 (arXiv 1603.08155) with instance norms (Ulyanov, Vedaldi and Lempitsky
//! 2016). What is minimised is what optimisation of a picture minimises, with the crop as its content. Of a network that knows
//! many styles (Dumoulin, Shlens and Kudlur 2017, arXiv 1610.07629) scales and shifts of the norms are enough: they are
//! some hundred numbers, and need no gradients towards filters.
//!
//! Everything follows from the pictures, the start and the seed: a run that goes on from a [`state`](StyleLearner::state) is
//! the same to the last bit, for any number of threads.

mod course;
mod crops;
mod file;
mod fresh;
mod optimizer;
mod start;
pub(crate) mod state;

pub use course::{Course, Lesson};
pub use file::LearnedStyle;
pub use fresh::fresh;
pub use optimizer::{AdamW, Descent, Schedule};
pub use start::start;
pub use state::LearnerState;

use crate::encoder::Encoder;
use crate::loss::Objective;
use crate::method::{OptimizeMethod, RunLimits, Setup};
use crate::nets::{self, TransformerSpec};
use crate::observer::{TermValue, term_values};
use crate::optim::Parameters;
use crate::picture::{Filter, Picture, fit_long_side};
use crate::recipe::{Init, MethodSettings, Optimize, Problem, Recipe};
use crate::regions::Regions;
use crate::style::Style;
use crate::{Error, Result};
use crops::Crops;
use impasto_compute::graph::{Learner, Op, Wanted};
use impasto_compute::{Device, Size, Tensor};
use std::sync::Arc;

/// The long side at which the style is looked at; photos are as large, or down to half of that.
const LOOKED_AT: usize = 384;

/// Crops that there are: what the encoder sees of each is looked at once.
const CROPS: usize = 128;

/// What a network is to learn from.
#[derive(Debug)]
pub struct Material {
    /// The painting.
    pub style: Style,
    /// The photos, at least one.
    pub contents: Vec<Picture>,
    /// The network that learning starts from; of one with several styles, that which is nearest to the painting.
    pub start: TransformerSpec,
}

/// A network while it learns a style.
#[derive(Debug)]
pub struct StyleLearner {
    device: Arc<dyn Device>,
    setup: Setup,
    objective: OptimizeMethod,
    style_size: (usize, usize),
    crops: Crops,
    /// By crop, once it was looked at.
    targets: Vec<Option<Target>>,
    lesson: Lesson,
    network: TransformerSpec,
    learner: Box<dyn Learner>,
    numbers: Parameters,
    optimizer: AdamW,
    step: usize,
}

/// A crop on the device, and what a picture of it should be like.
#[derive(Debug)]
struct Target {
    crop: Tensor,
    objective: Objective,
}

/// A step of learning.
#[derive(Clone, Debug)]
pub struct LessonStep {
    /// Which it was, from 1.
    pub step: usize,
    /// The total loss, the mean over the batch, before the step.
    pub total: f64,
    /// The unweighted value of each term, likewise.
    pub terms: Vec<TermValue>,
}

impl StyleLearner {
    /// Prepares the learning of a style, as an encoder sees it.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no photo, or if a network is not of the kind that is learned here; whatever the
    /// device reports.
    pub fn new(
        device: Arc<dyn Device>,
        encoder: &Encoder,
        material: Material,
        lesson: Lesson,
    ) -> Result<Self> {
        let Material {
            style,
            contents,
            start,
        } = material;
        let mut problems = lesson.problems();
        if contents.is_empty() {
            problems.push(Problem::new("contents", "none", "needs at least one photo"));
        }
        if !file::is_learnable(&start) {
            problems.push(Problem::new("from", start.name, "must be a network with instance norms, reflected borders and a sigmoid, as Magenta's image stylization has them"));
        }
        if !problems.is_empty() {
            return Err(Error::Invalid(problems));
        }
        let recipe = Recipe::default();
        let style_size = fit_long_side(style.picture.width(), style.picture.height(), LOOKED_AT);
        let mut setup = Setup {
            encoder: encoder.name().into(),
            painter: None,
            device: device.clone(),
            styles: vec![style],
            recipe,
            start: None,
            regions: Regions::default(),
            palette: None,
            limits: RunLimits::default(),
            checkpoints: None,
            extra_terms: None,
        };
        let settings = Optimize {
            init: Init::Content,
            ..setup.recipe.optimize().cloned().unwrap_or_default()
        };
        setup.recipe.method = MethodSettings::Optimize(settings.clone());
        let mut objective = OptimizeMethod::new(&setup, &settings, encoder)?;
        let crops = Crops::new(contents, &lesson, LOOKED_AT);
        let chosen = match start.styles() {
            1 => 0,
            count => {
                let crop = crops.of(0);
                let judge = Judge {
                    setup: &setup,
                    style_size,
                };
                judge.nearest(&mut objective, &start, count, &crop)?
            }
        };
        let network = start.only(chosen)?;
        let spec = network.graph();
        let norms_alone = lesson.course.moves_norms_alone();
        let wanted = Wanted::numbers(&spec, |op| match op {
            Op::InstanceNorm(_) => true,
            Op::Convolution(_) => !norms_alone,
            _ => false,
        });
        let learner = device.learner(&spec, &wanted)?;
        let numbers = Parameters::new(learner.numbers()?);
        let optimizer = AdamW::new(device.as_ref(), Descent::from(&lesson), &numbers.shapes())?;
        Ok(Self {
            device,
            setup,
            objective,
            style_size,
            crops,
            targets: (0..CROPS).map(|_| None).collect(),
            lesson,
            network,
            learner,
            numbers,
            optimizer,
            step: 0,
        })
    }

    /// Steps that were taken.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// Whether everything was learned.
    pub fn is_finished(&self) -> bool {
        self.step >= self.lesson.steps
    }

    /// What is learned, and how.
    pub fn lesson(&self) -> &Lesson {
        &self.lesson
    }

    /// Takes a step.
    ///
    /// # Errors
    /// [`Error::Invalid`] if loss or gradients are no numbers any more; whatever the device reports.
    pub fn step(&mut self) -> Result<LessonStep> {
        let device = self.device.as_ref();
        let mut gradients = self.learner.gradients()?;
        let share = 1.0 / self.lesson.batch as f32;
        let mut total = 0.0;
        let mut terms: Vec<TermValue> = Vec::new();
        for item in 0..self.lesson.batch {
            let number = (self.step * self.lesson.batch + item) % CROPS;
            let target = match &mut self.targets[number] {
                Some(target) => target,
                none => {
                    let crop = self.crops.of(number);
                    let (h, w) = (crop.height(), crop.width());
                    let sizes = [self.style_size];
                    none.insert(Target {
                        objective: self.objective.of_crop(&self.setup, &crop, &sizes)?,
                        crop: device.upload(crop.rgb(), &[3, h, w])?,
                    })
                }
            };
            let Target { crop, objective } = &*target;
            let tape = self.learner.forward(&[crop])?;
            let [made] = tape.outputs() else {
                return Err(not_a_picture(&self.network));
            };
            let seen = self.objective.evaluate(&self.setup, objective, made)?;
            total += objective.total(&seen.values)? * f64::from(share);
            add_terms(&mut terms, objective, &seen.values, share)?;
            tape.backward(&[Some(&seen.gradient)], &mut gradients)?;
        }
        let mut gradients = Parameters::new(gradients.numbers);
        gradients.axpby(device, 0.0, &self.numbers, share)?;
        if !(total.is_finite() && gradients.dot(device, &gradients)?.is_finite()) {
            let problem = Problem::new(
                "learning_rate",
                self.lesson.learning_rate,
                "is too large for this style: the loss is no number any more",
            );
            return Err(Error::Invalid(vec![problem]));
        }
        let optimizer = &mut self.optimizer;
        optimizer.step(device, self.step, &mut self.numbers, gradients)?;
        self.learner.set(self.numbers.tensors())?;
        self.step += 1;
        Ok(LessonStep {
            step: self.step,
            total,
            terms,
        })
    }

    /// The network that was learned so far: the average over steps.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn network(&mut self) -> Result<TransformerSpec> {
        let device = self.device.as_ref();
        let average = self.optimizer.average(device, &self.numbers)?;
        let tensors = average.iter().zip(self.numbers.tensors());
        let tensors = tensors.map(|(values, tensor)| device.upload(values, tensor.shape()));
        let tensors = tensors.collect::<impasto_compute::Result<Vec<_>>>()?;
        self.learner.set(&tensors)?;
        let learned = self.network.with_numbers_of(self.learner.spec());
        self.learner.set(self.numbers.tensors())?;
        Ok(learned)
    }

    /// What the network so far paints of a picture, at a long side of at most so many pixels.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn preview(&mut self, content: &Picture, long_side: usize) -> Result<Picture> {
        let long_side = long_side.min(content.width().max(content.height()));
        let (width, height) = fit_long_side(content.width(), content.height(), long_side);
        let content = content.resized(width, height, Filter::Bicubic);
        let network = self.network()?;
        let graph = self.device.graph(&network.graph())?;
        let image = self
            .device
            .upload(content.rgb(), &[3, content.height(), content.width()])?;
        let made = graph.run(&[&image], None)?;
        let [made] = &made[..] else {
            return Err(not_a_picture(&self.network));
        };
        let (from, to) = match *made.shape() {
            [_, height, width] => (Size { width, height }, content.size()),
            _ => return Err(not_a_picture(&self.network)),
        };
        let planes = nets::cropped(&self.device.download(made)?, from, to);
        let planes = planes.into_iter().map(|value| value.clamp(0.0, 1.0));
        Ok(Picture::new(to.width, to.height, planes.collect())?)
    }

    /// The photos that it learns from.
    pub fn contents(&self) -> &[Picture] {
        self.crops.contents()
    }

    /// The painting.
    pub fn style(&self) -> &Style {
        &self.setup.styles[0]
    }
}

/// Adds the share of a picture of a batch to the mean values of terms.
fn add_terms(
    terms: &mut Vec<TermValue>,
    objective: &Objective,
    values: &[crate::loss::LossValue],
    share: f32,
) -> Result<()> {
    let here = term_values(objective, values)?;
    if terms.is_empty() {
        *terms = here;
        terms
            .iter_mut()
            .for_each(|term| term.value *= f64::from(share));
        return Ok(());
    }
    for (sum, term) in terms.iter_mut().zip(here) {
        sum.value += f64::from(share) * term.value;
    }
    Ok(())
}

fn not_a_picture(network: &TransformerSpec) -> Error {
    let allowed = "must make one picture of the size of what it reads";
    Error::Invalid(vec![Problem::new("from", network.name, allowed)])
}

/// What judges styles that a network knows already.
struct Judge<'a> {
    setup: &'a Setup,
    style_size: (usize, usize),
}

impl Judge<'_> {
    /// The style of a network that comes nearest to the painting, on a crop.
    fn nearest(
        &self,
        objective: &mut OptimizeMethod,
        network: &TransformerSpec,
        count: usize,
        crop: &Picture,
    ) -> Result<usize> {
        let device = self.setup.device.as_ref();
        let towards = objective.of_crop(self.setup, crop, &[self.style_size])?;
        let graph = device.graph(&network.graph())?;
        let image = device.upload(crop.rgb(), &[3, crop.height(), crop.width()])?;
        let mut best = (f64::INFINITY, 0);
        for index in 0..count {
            let style = network.style(&[(index, 1.0)])?;
            let style = style
                .iter()
                .map(|numbers| device.upload(numbers, &[numbers.len()]));
            let style = style.collect::<impasto_compute::Result<Vec<_>>>()?;
            let inputs: Vec<_> = std::iter::once(&image).chain(&style).collect();
            let made = graph.run(&inputs, None)?;
            let [made] = &made[..] else {
                return Err(not_a_picture(network));
            };
            let seen = objective.evaluate(self.setup, &towards, made)?;
            let total = towards.total(&seen.values)?;
            if total < best.0 {
                best = (total, index);
            }
        }
        Ok(best.1)
    }
}
