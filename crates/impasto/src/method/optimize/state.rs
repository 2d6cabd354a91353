//! Everything that a step changes.

use super::parameterization::Parameterization;
use super::run::Evaluator;
use super::taken::Taken;
use crate::Result;
use crate::loss::LossValue;
use crate::observer::Scale;
use crate::optim::{Function, Optimizer, Parameters};
use crate::picture::{Filter, resize_planes};
use crate::recipe::{Keep, Optimize};
use impasto_compute::Device;
use std::sync::Arc;

/// What steps are multiplied by after a setback.
pub(super) const SHORTER: f32 = 0.1;

/// A run between two steps.
#[derive(Debug)]
pub(super) struct State {
    /// Index of the scale it is at.
    pub(super) index: usize,
    /// Size and steps of that scale.
    pub(super) scale: Scale,
    /// Steps taken at it.
    pub(super) step: usize,
    /// How the parameters become the image.
    pub(super) parameterization: Arc<dyn Parameterization>,
    /// What is stepped.
    pub(super) parameters: Parameters,
    /// The last parameters before these whose losses and gradient are numbers.
    pub(super) good: Option<Parameters>,
    /// The settings, with shorter steps after a setback.
    pub(super) settings: Optimize,
    pub(super) optimizer: Optimizer,
    /// The parameters to keep so far, unless the last ones are kept.
    pub(super) best: Option<Best>,
}

/// The parameters with the least loss at a scale, or the ones after them.
#[derive(Debug)]
pub(super) struct Best {
    pub(super) loss: f64,
    /// The step that evaluated them.
    pub(super) step: usize,
    pub(super) parameters: Parameters,
}

/// The objective as a function of the parameters, which remembers what it was evaluated at.
struct ObjectiveOf<'s, 'e> {
    evaluator: &'s Evaluator<'e>,
    parameterization: &'s dyn Parameterization,
    /// Of the last evaluation.
    values: Vec<LossValue>,
    before: Option<Parameters>,
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
        let evaluation = self.evaluator.evaluate(image)?;
        self.values = evaluation.values;
        // Not earlier: it is amid an evaluation that memory is scarce.
        self.before = Some(at.copy(device)?);
        if self.keep != Keep::Last {
            let loss = self.value()?;
            let least = self.best.as_ref().is_none_or(|best| loss < best.loss);
            self.is_best = loss.is_finite() && least;
            if self.is_best {
                *self.best = Some(Best {
                    loss,
                    step: self.step,
                    parameters: at.copy(device)?,
                });
            }
        }
        self.parameterization.gradient(device, evaluation.gradient)
    }

    fn value(&self) -> Result<f64> {
        Ok(self.evaluator.objective.total(&self.values)?)
    }
}

impl State {
    /// The start of a run, from planes `[3, h, w]` in 0..1 of its first scale.
    pub(super) fn new(
        device: &dyn Device,
        settings: &Optimize,
        parameterization: Arc<dyn Parameterization>,
        planes: Vec<f32>,
        scale: Scale,
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
            optimizer: Optimizer::new(device, settings, &shapes, range)?,
            best: None,
        })
    }

    /// The start of the next scale, from the result of this one.
    pub(super) fn enlarged(self, device: &dyn Device, scale: Scale) -> Result<Self> {
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
            best: None,
            ..self
        })
    }

    /// The picture so far, `[3, h, w]` in 0..1.
    pub(super) fn result(&self, device: &dyn Device) -> Result<Vec<f32>> {
        let values = match &self.best {
            Some(best) => best.parameters.download(device)?,
            None => self.optimizer.result(device, &self.parameters)?,
        };
        let size = (self.scale.height, self.scale.width);
        self.parameterization.planes(device, values, size)
    }

    /// Takes a step.
    pub(super) fn step(&mut self, evaluator: &mut Evaluator<'_>) -> Result<Taken> {
        let device = evaluator.device;
        self.step += 1;
        let (seed, step, keep) = (evaluator.seed, self.step, self.settings.keep);
        evaluator
            .objective
            .prepare(device, seed, self.index, step)?;
        let mut objective = ObjectiveOf {
            evaluator,
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
            best.parameters = self.parameters.copy(device)?;
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

    /// Undoes a step that was taken along something that is not a number, and the one that led to it, if there was
    /// one at this scale: then there is another way, in shorter steps.
    pub(super) fn undo(&mut self, device: &dyn Device, taken: Taken) -> Result<bool> {
        let back = self.good.take();
        let again = back.is_some();
        self.step = taken.step - 1 - usize::from(again);
        if let Some(parameters) = back.or(taken.before) {
            self.parameters = parameters;
        }
        if again {
            self.settings.optimizer = self.settings.optimizer.shortened(SHORTER);
        }
        let (shapes, range) = (self.parameters.shapes(), self.parameterization.range());
        self.optimizer = Optimizer::new(device, &self.settings, &shapes, range)?;
        self.best = self.best.take().filter(|best| best.step <= self.step);
        Ok(again)
    }
}
