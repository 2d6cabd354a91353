//! Optimisers: how a step is taken.

mod adam;
mod lbfgs;
mod parameters;
mod parts;
mod unit;

pub use adam::Adam;
pub use lbfgs::Lbfgs;
pub use parameters::{Parameters, Shapes};
pub use parts::{Parts, Unfit};
pub(crate) use unit::{Advised, advise};

use crate::Result;
use crate::recipe::{Clip, Optimize, OptimizerSettings};
use impasto_compute::{Device, Tensor};

/// What is minimised.
pub trait Function {
    /// The gradient at some parameters, of their shapes.
    ///
    /// # Errors
    /// Whatever the device reports.
    fn gradient(&mut self, at: &Parameters) -> Result<Parameters>;

    /// The value where the gradient was last asked for. Waits for the device.
    ///
    /// # Errors
    /// Whatever the device reports.
    fn value(&self) -> Result<f64>;
}

/// Values of a channel: pixels, or those of all levels of a pyramid, of which each has a quarter of the one before.
fn values(settings: &Optimize, pixels: usize) -> usize {
    match settings.pyramid {
        0 => pixels,
        _ => pixels + pixels / 3 + 1,
    }
}

/// An optimiser and its state on some parameters.
#[derive(Debug)]
pub struct Optimizer {
    algorithm: Algorithm,
    clip: Clip,
    range: Option<(f32, f32)>,
}

#[derive(Debug)]
enum Algorithm {
    Adam(Adam),
    Lbfgs(Box<Lbfgs>),
}

impl Optimizer {
    /// A fresh state of a recipe's optimiser, for parameters of some shapes that belong into a range, if any.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(
        device: &dyn Device,
        settings: &Optimize,
        shapes: &[Vec<usize>],
        range: Option<(f32, f32)>,
    ) -> Result<Self> {
        let algorithm = match settings.optimizer {
            OptimizerSettings::Adam(adam) => Algorithm::Adam(Adam::new(device, adam, shapes)?),
            OptimizerSettings::Lbfgs(lbfgs) => Algorithm::Lbfgs(Box::new(Lbfgs::new(lbfgs))),
        };
        Ok(Self {
            algorithm,
            clip: settings.clip,
            range,
        })
    }

    /// The same with a limit on how much L-BFGS changes any value in one iteration; Adam's steps have one by themselves.
    pub fn limited(mut self, longest: Option<f64>) -> Self {
        if let Algorithm::Lbfgs(lbfgs) = self.algorithm {
            self.algorithm = Algorithm::Lbfgs(Box::new(lbfgs.limited(longest)));
        }
        self
    }

    /// Bytes that a recipe's optimiser keeps for an image of so many pixels.
    pub fn bytes(settings: &Optimize, pixels: usize) -> usize {
        match &settings.optimizer {
            OptimizerSettings::Adam(_) => 3 * 3 * values(settings, pixels) * size_of::<f32>(),
            OptimizerSettings::Lbfgs(lbfgs) => Lbfgs::bytes(lbfgs, 3 * values(settings, pixels)),
        }
    }

    /// The state as plain data, to be saved.
    pub fn parts(&self) -> Parts<&Tensor> {
        match &self.algorithm {
            Algorithm::Adam(adam) => adam.parts(),
            Algorithm::Lbfgs(lbfgs) => lbfgs.parts(),
        }
    }

    /// The state for parameters of some shapes and a range that [`Optimizer::parts`] gave, under the same recipe.
    ///
    /// # Errors
    /// [`Unfit`] for parts of another algorithm or of other shapes.
    pub fn restore(
        settings: &Optimize,
        shapes: &[Vec<usize>],
        range: Option<(f32, f32)>,
        parts: Parts<Tensor>,
    ) -> Result<Self, Unfit> {
        let algorithm = match settings.optimizer {
            OptimizerSettings::Adam(adam) => Algorithm::Adam(Adam::restore(adam, shapes, parts)?),
            OptimizerSettings::Lbfgs(lbfgs) => {
                Algorithm::Lbfgs(Box::new(Lbfgs::restore(lbfgs, shapes, parts)?))
            }
        };
        Ok(Self {
            algorithm,
            clip: settings.clip,
            range,
        })
    }

    /// One step: takes the gradient at the parameters and moves them. Returns the gradient.
    ///
    /// # Errors
    /// Whatever the device or the function reports.
    pub fn step(
        &mut self,
        device: &dyn Device,
        parameters: &mut Parameters,
        function: &mut dyn Function,
    ) -> Result<Parameters> {
        let range_at = |clip: Clip| self.range.filter(|_| self.clip == clip);
        if let Some(range) = range_at(Clip::Evaluation) {
            parameters.clamp(device, range)?;
        }
        let after = range_at(Clip::Step);
        let gradient = function.gradient(parameters)?;
        match &mut self.algorithm {
            Algorithm::Adam(adam) => adam.step(device, parameters, &gradient, after)?,
            Algorithm::Lbfgs(lbfgs) => {
                lbfgs.step(device, parameters, function.value()?, &gradient)?;
                if let Some(range) = after {
                    parameters.clamp(device, range)?;
                }
            }
        }
        Ok(gradient)
    }

    /// The result so far, row-major, tensor by tensor, from the parameters that were stepped: these themselves if there
    /// was no step yet.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn result(&self, device: &dyn Device, parameters: &Parameters) -> Result<Vec<Vec<f32>>> {
        match &self.algorithm {
            Algorithm::Adam(adam) => Ok(adam.average(device, parameters)?),
            Algorithm::Lbfgs(lbfgs) => Ok(lbfgs.settled(parameters).download(device)?),
        }
    }

    /// The state for the next scale, whose parameters are of some shapes.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn rescale(self, device: &dyn Device, shapes: &[Vec<usize>]) -> Result<Self> {
        let algorithm = match self.algorithm {
            Algorithm::Adam(adam) => Algorithm::Adam(adam.rescale(device, shapes)?),
            Algorithm::Lbfgs(lbfgs) => Algorithm::Lbfgs(Box::new(lbfgs.restart())),
        };
        Ok(Self { algorithm, ..self })
    }
}
