//! Optimisers: how a step is taken.

mod adam;
mod lbfgs;
mod parts;

pub use adam::Adam;
pub use lbfgs::Lbfgs;
pub use parts::{Parts, Unfit};

use crate::Result;
use crate::loss::{Evaluation, LossValue};
use crate::recipe::{Clip, OptimizerSettings, Recipe};
use impasto_compute::{Device, Tensor};

/// What is minimised: values and gradient at an image `[3, h, w]`.
pub type Evaluate<'a> = dyn FnMut(&Tensor) -> Result<Evaluation> + 'a;
/// The weighted sum of the values of an evaluation. Asking for it waits for the device.
pub type Total<'a> = dyn Fn(&[LossValue]) -> Result<f64> + 'a;

/// An optimiser and its state on one image, which is in the units of a recipe's
/// [`Pixels`](crate::recipe::Pixels).
#[derive(Debug)]
pub struct Optimizer {
    method: Method,
    clip: Clip,
    range: Option<(f32, f32)>,
}

#[derive(Debug)]
enum Method {
    Adam(Adam),
    Lbfgs(Box<Lbfgs>),
}

impl Optimizer {
    /// A fresh state of a recipe's optimiser, for images `[3, h, w]`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, recipe: &Recipe, shape: &[usize]) -> Result<Self> {
        let method = match recipe.optimizer {
            OptimizerSettings::Adam(adam) => Method::Adam(Adam::new(device, adam, shape)?),
            OptimizerSettings::Lbfgs(lbfgs) => Method::Lbfgs(Box::new(Lbfgs::new(lbfgs))),
        };
        Ok(Self {
            method,
            clip: recipe.clip,
            range: recipe.pixels.range(),
        })
    }

    /// Bytes that a recipe's optimiser keeps for an image of so many pixels.
    pub fn bytes(recipe: &Recipe, pixels: usize) -> usize {
        match &recipe.optimizer {
            OptimizerSettings::Adam(_) => 3 * 3 * pixels * size_of::<f32>(),
            OptimizerSettings::Lbfgs(lbfgs) => Lbfgs::bytes(lbfgs, 3 * pixels),
        }
    }

    /// The state as plain data, to be saved.
    pub fn parts(&self) -> Parts<&Tensor> {
        match &self.method {
            Method::Adam(adam) => adam.parts(),
            Method::Lbfgs(lbfgs) => lbfgs.parts(),
        }
    }

    /// The state for images `[3, h, w]` that [`Optimizer::parts`] gave, under the same recipe.
    ///
    /// # Errors
    /// [`Unfit`] for parts of another method or shape.
    pub fn restore(recipe: &Recipe, shape: &[usize], parts: Parts<Tensor>) -> Result<Self, Unfit> {
        let method = match recipe.optimizer {
            OptimizerSettings::Adam(adam) => Method::Adam(Adam::restore(adam, shape, parts)?),
            OptimizerSettings::Lbfgs(lbfgs) => {
                Method::Lbfgs(Box::new(Lbfgs::restore(lbfgs, shape, parts)?))
            }
        };
        Ok(Self {
            method,
            clip: recipe.clip,
            range: recipe.pixels.range(),
        })
    }

    /// One step: evaluates at the image and moves it. Returns the evaluation.
    ///
    /// # Errors
    /// Whatever the device or the evaluation reports.
    pub fn step(
        &mut self,
        device: &dyn Device,
        image: &mut Tensor,
        evaluate: &mut Evaluate<'_>,
        total: &Total<'_>,
    ) -> Result<Evaluation> {
        let range_at = |clip: Clip| self.range.filter(|_| self.clip == clip);
        if let Some((low, high)) = range_at(Clip::Evaluation) {
            device.clamp(image, low, high)?;
        }
        let after = range_at(Clip::Step);
        let evaluation = evaluate(image)?;
        match &mut self.method {
            Method::Adam(adam) => adam.step(device, image, &evaluation.gradient, after)?,
            Method::Lbfgs(lbfgs) => {
                let loss = total(&evaluation.values)?;
                lbfgs.step(device, image, loss, &evaluation.gradient)?;
                if let Some((low, high)) = after {
                    device.clamp(image, low, high)?;
                }
            }
        }
        Ok(evaluation)
    }

    /// The picture so far, `[3, h, w]`, row-major, in the image's units, from the image that was stepped: the image
    /// itself if there was no step yet.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn result(&self, device: &dyn Device, image: &Tensor) -> Result<Vec<f32>> {
        match &self.method {
            Method::Adam(adam) => Ok(adam.average(device, image)?),
            Method::Lbfgs(lbfgs) => Ok(device.download(lbfgs.settled(image))?),
        }
    }

    /// The state for the next scale, whose images are of shape `[3, h, w]`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn rescale(self, device: &dyn Device, shape: &[usize]) -> Result<Self> {
        let method = match self.method {
            Method::Adam(adam) => Method::Adam(adam.rescale(device, shape)?),
            Method::Lbfgs(lbfgs) => Method::Lbfgs(Box::new(lbfgs.restart())),
        };
        Ok(Self { method, ..self })
    }
}
