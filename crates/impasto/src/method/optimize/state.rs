//! Everything that a step changes.

use super::parameterization::Parameterization;
use super::run::Evaluator;
use super::taken::Taken;
use crate::Result;
use crate::loss::{Evaluation, LossValue};
use crate::observer::Scale;
use crate::optim::{Advised, Function, Optimizer, Parameters, advise};
use crate::picture::{Filter, resize_planes};
use crate::recipe::{Keep, Normalize, Optimize, OptimizerSettings};
use impasto_compute::{Device, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What steps are multiplied by after a setback.
pub(in crate::method) const SHORTER: f32 = 0.1;

/// The greatest change of a pixel in one iteration of an L-BFGS that is limited, as a share of what pixels may be.
const LONGEST: f64 = 0.1;

/// Weights above this may be why a gradient is not a number.
const HEAVY: f32 = 1e9;

/// How often the weights' common factor is tried if nothing can be told of the first gradient.
const TRIALS: usize = 3;

/// A run between two steps.
#[derive(Debug)]
pub(in crate::method) struct State {
    /// Index of the scale it is at.
    pub(in crate::method) index: usize,
    /// Size and steps of that scale.
    pub(in crate::method) scale: Scale,
    /// Steps taken at it.
    pub(in crate::method) step: usize,
    /// How the parameters become the image.
    pub(in crate::method) parameterization: Arc<dyn Parameterization>,
    /// What is stepped.
    pub(in crate::method) parameters: Parameters,
    /// The last parameters before these whose losses and gradient are numbers.
    pub(in crate::method) good: Option<Arc<Parameters>>,
    /// The settings, with shorter steps after a setback.
    pub(in crate::method) settings: Optimize,
    pub(in crate::method) optimizer: Optimizer,
    /// Whether L-BFGS is limited in how much it changes a pixel in one iteration.
    pub(in crate::method) is_limited: bool,
    /// The power of two by which the objective is multiplied, from the first step on.
    pub(in crate::method) unit: Option<f32>,
    /// The total loss at the start of this scale, once it is known.
    pub(in crate::method) first: Option<f64>,
    /// The parameters of the least loss so far, whatever is kept at the end: those to go back to.
    pub(in crate::method) least: Option<Best>,
    /// The parameters to keep so far, unless the last ones are kept.
    pub(in crate::method) best: Option<Best>,
    /// What losses kept when the run was saved that goes on here, by the names of their terms.
    pub(in crate::method) memories: BTreeMap<String, Vec<f32>>,
}

/// The parameters with the least loss at a scale, or the ones after them.
#[derive(Debug)]
pub(in crate::method) struct Best {
    pub(in crate::method) loss: f64,
    /// The step that evaluated them.
    pub(in crate::method) step: usize,
    /// The same copy as [`State::good`] where they are the same, so that a loss that falls costs no memory.
    pub(in crate::method) parameters: Arc<Parameters>,
}

/// The objective as a function of the parameters, which remembers what it was evaluated at.
struct ObjectiveOf<'s, 'e> {
    evaluator: &'s mut Evaluator<'e>,
    optimizer: &'s OptimizerSettings,
    unit: &'s mut Option<f32>,
    parameterization: &'s dyn Parameterization,
    /// Of the last evaluation.
    values: Vec<LossValue>,
    before: Option<Arc<Parameters>>,
    keep: Keep,
    step: usize,
    best: &'s mut Option<Best>,
    is_best: bool,
}

impl Function for ObjectiveOf<'_, '_> {
    fn gradient(&mut self, at: &Parameters) -> Result<Parameters> {
        let device = self.evaluator.device;
        let mut made = None;
        let image = self.parameterization.to_image(device, at, &mut made)?;
        let Evaluation { values, gradient } = self.evaluator.evaluate(image)?;
        self.values = values;
        let mut gradient = self.parameterization.gradient(device, gradient)?;
        if self.unit.is_none() {
            gradient = self.choose_unit(image, gradient)?;
        }
        // Not earlier: it is amid an evaluation that memory is scarce.
        let before = Arc::new(at.copy(device)?);
        self.before = Some(Arc::clone(&before));
        if self.keep != Keep::Last {
            let loss = self.evaluator.objective.total(&self.values)?;
            let least = self.best.as_ref().is_none_or(|best| loss < best.loss);
            self.is_best = loss.is_finite() && least;
            if self.is_best {
                *self.best = Some(Best {
                    loss,
                    step: self.step,
                    parameters: before,
                });
            }
        }
        Ok(gradient)
    }

    fn value(&self) -> Result<f64> {
        let objective = &self.evaluator.objective;
        Ok(objective.total(&self.values)? * f64::from(objective.unit()))
    }
}

impl ObjectiveOf<'_, '_> {
    /// Finds the power of two by which the objective is multiplied, at the first image of a run, from the gradient there;
    /// the gradient with it.
    fn choose_unit(&mut self, image: &Tensor, first: Parameters) -> Result<Parameters> {
        let device = self.evaluator.device;
        let (mut gradient, mut unit) = (first, 1.0f32);
        for trial in 0..=TRIALS {
            let power = match advise(device, self.optimizer, &gradient)? {
                Advised::Keep => break,
                Advised::Multiply(power) => power,
                Advised::Try(power) if trial < TRIALS && (power > 0 || self.is_heavy()) => power,
                Advised::Try(_) if unit == 1.0 => break,
                // It is 0, or not a number, whatever its unit.
                Advised::Try(_) => (-unit.log2()) as i32,
            };
            unit *= 2f32.powi(power);
            self.evaluator.objective.set_unit(unit);
            drop(gradient);
            let evaluation = self.evaluator.evaluate(image)?;
            self.values = evaluation.values;
            gradient = self
                .parameterization
                .gradient(device, evaluation.gradient)?;
        }
        *self.unit = Some(unit);
        Ok(gradient)
    }
}

impl ObjectiveOf<'_, '_> {
    /// Whether some weight is so great that gradients may overflow by it.
    fn is_heavy(&self) -> bool {
        let mut terms = self.evaluator.objective.terms().iter();
        terms.any(|term| term.weight.abs() > HEAVY)
    }
}

/// Whether a loss may end far above its start: by L-BFGS, whose steps have no length of their own, or with terms of any
/// size. The steps of Adam along terms that are free of scale are short, and no memory is spent on a way back.
pub(in crate::method) fn may_rise(settings: &Optimize) -> bool {
    let is_lbfgs = matches!(settings.optimizer, OptimizerSettings::Lbfgs(_));
    is_lbfgs || settings.normalize == Normalize::None
}

/// The limit of an optimiser that has one, in the units of the recipe's pixels.
pub(in crate::method) fn longest(settings: &Optimize, is_limited: bool) -> Option<f64> {
    is_limited.then(|| LONGEST * f64::from(settings.pixels.scale()[0]))
}

impl State {
    /// The start of a run, from planes `[3, h, w]` in 0..1 of its first scale.
    pub(in crate::method) fn new(
        device: &dyn Device,
        settings: &Optimize,
        parameterization: Arc<dyn Parameterization>,
        planes: Vec<f32>,
        scale: Scale,
        is_limited: bool,
    ) -> Result<Self> {
        let size = (scale.height, scale.width);
        let (shapes, range) = (parameterization.shapes(size), parameterization.range());
        Ok(Self {
            index: 0,
            scale,
            step: 0,
            parameters: parameterization.parameters(device, planes, size)?,
            parameterization,
            good: None,
            settings: settings.clone(),
            optimizer: Optimizer::new(device, settings, &shapes, range)?
                .limited(longest(settings, is_limited)),
            is_limited,
            unit: None,
            first: None,
            least: None,
            best: None,
            memories: BTreeMap::new(),
        })
    }

    /// The start of the next scale, from the result of this one.
    pub(in crate::method) fn enlarged(self, device: &dyn Device, scale: Scale) -> Result<Self> {
        let size = (scale.height, scale.width);
        let mut planes = resize_planes(
            &self.result(device)?,
            3,
            (self.scale.height, self.scale.width),
            size,
            Filter::BicubicPlain,
        );
        planes.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
        let shapes = self.parameterization.shapes(size);
        Ok(Self {
            index: self.index + 1,
            scale,
            step: 0,
            parameters: self.parameterization.parameters(device, planes, size)?,
            good: None,
            optimizer: self.optimizer.rescale(device, &shapes)?,
            first: None,
            least: None,
            best: None,
            memories: BTreeMap::new(),
            ..self
        })
    }

    /// The picture so far, `[3, h, w]` in 0..1.
    pub(in crate::method) fn result(&self, device: &dyn Device) -> Result<Vec<f32>> {
        let values = match &self.best {
            Some(best) => best.parameters.download(device)?,
            None => self.optimizer.result(device, &self.parameters)?,
        };
        let size = (self.scale.height, self.scale.width);
        self.parameterization.planes(device, values, size)
    }

    /// Takes a step.
    pub(in crate::method) fn step(&mut self, evaluator: &mut Evaluator<'_>) -> Result<Taken> {
        let device = evaluator.device;
        self.step += 1;
        let (seed, step, keep) = (evaluator.seed, self.step, self.settings.keep);
        evaluator
            .objective
            .prepare(device, seed, self.index, step)?;
        if let Some(unit) = self.unit {
            evaluator.objective.set_unit(unit);
        }
        let mut objective = ObjectiveOf {
            evaluator,
            optimizer: &self.settings.optimizer,
            unit: &mut self.unit,
            parameterization: self.parameterization.as_ref(),
            values: vec![],
            before: None,
            keep,
            step,
            best: &mut self.best,
            is_best: false,
        };
        let gradient = self
            .optimizer
            .step(device, &mut self.parameters, &mut objective)?;
        let ObjectiveOf {
            values,
            before,
            is_best,
            ..
        } = objective;
        if let (true, Keep::AfterBest, Some(best)) = (is_best, keep, &mut self.best) {
            best.parameters = Arc::new(self.parameters.copy(device)?);
        }
        let norms = gradient.tensors().iter().map(|x| device.sum_abs(x));
        Ok(Taken {
            step,
            norms: norms.collect::<impasto_compute::Result<_>>()?,
            values,
            before,
            seconds: 0.0,
        })
    }

    /// Takes note of a step that was judged: of the loss at the start, and of the parameters of the least loss. Where the
    /// recipe keeps the best parameters anyway, they are not kept twice.
    pub(in crate::method) fn note(&mut self, taken: &Taken, loss: f64) {
        self.first.get_or_insert(loss);
        let lower = self.least.as_ref().is_none_or(|least| loss < least.loss);
        let kept = lower && self.settings.keep == Keep::Last && may_rise(&self.settings);
        if let (true, Some(before)) = (kept, &taken.before) {
            self.least = Some(Best {
                loss,
                step: taken.step,
                parameters: Arc::clone(before),
            });
        }
    }

    /// How many times the loss at the scale's start a loss is.
    pub(in crate::method) fn rise(&self, loss: f64) -> f64 {
        self.first.map_or(1.0, |first| loss / first)
    }

    /// Goes back to the parameters of the least loss, and on from there with an L-BFGS that remembers nothing and is
    /// limited. Not for Adam, whose steps are limited by themselves, and not twice.
    pub(in crate::method) fn rescue(&mut self, device: &dyn Device, step: usize) -> Result<bool> {
        let is_lbfgs = matches!(self.settings.optimizer, OptimizerSettings::Lbfgs(_));
        let back = self.least.as_ref().or(self.best.as_ref());
        let (true, false, Some(back)) = (is_lbfgs, self.is_limited, back) else {
            return Ok(false);
        };
        self.step = step;
        self.parameters = back.parameters.copy(device)?;
        self.good = None;
        self.is_limited = true;
        let (shapes, range) = (self.parameters.shapes(), self.parameterization.range());
        self.optimizer = Optimizer::new(device, &self.settings, &shapes, range)?
            .limited(longest(&self.settings, true));
        Ok(true)
    }

    /// Makes the parameters of the least loss the result.
    pub(in crate::method) fn settle(&mut self) {
        self.best = self.best.take().or(self.least.take());
    }

    /// Undoes a step that was taken along something that is not a number, and the one that led to it, if there was
    /// one at this scale: then there is another way, in shorter steps.
    pub(in crate::method) fn undo(&mut self, device: &dyn Device, taken: Taken) -> Result<bool> {
        let back = self.good.take();
        let again = back.is_some();
        self.step = taken.step - 1 - usize::from(again);
        if let Some(parameters) = back.or(taken.before) {
            self.parameters = match Arc::try_unwrap(parameters) {
                Ok(parameters) => parameters,
                Err(shared) => shared.copy(device)?,
            };
        }
        if again {
            self.settings.optimizer = self.settings.optimizer.shortened(SHORTER);
        }
        let (shapes, range) = (self.parameters.shapes(), self.parameterization.range());
        self.optimizer = Optimizer::new(device, &self.settings, &shapes, range)?
            .limited(longest(&self.settings, self.is_limited));
        self.least = self.least.take().filter(|least| least.step <= self.step);
        self.best = self.best.take().filter(|best| best.step <= self.step);
        Ok(again)
    }
}
