//! Optimisers: how a step is taken.

mod adam;

pub use adam::Adam;

use crate::Result;
use crate::loss::Evaluation;
use impasto_compute::{Device, Tensor};

/// What is minimised: values and gradient at an image `[3, h, w]`.
pub type Evaluate<'a> = dyn FnMut(&Tensor) -> Result<Evaluation> + 'a;

/// An optimiser and its state on one image.
#[derive(Debug)]
pub enum Optimizer {
    /// Adam with clamping and an averaged iterate.
    Adam(Adam),
}

impl Optimizer {
    /// One step: evaluates at the image, as often as the method wants, and moves the image. Returns the evaluation
    /// at the image as it was before the step.
    ///
    /// # Errors
    /// Whatever the device or the evaluation reports.
    pub fn step(
        &mut self,
        device: &dyn Device,
        image: &mut Tensor,
        evaluate: &mut Evaluate<'_>,
    ) -> Result<Evaluation> {
        match self {
            Optimizer::Adam(adam) => {
                let evaluation = evaluate(image)?;
                adam.step(device, image, &evaluation.gradient)?;
                Ok(evaluation)
            }
        }
    }

    /// The picture so far, `[3, h, w]` in 0..1, row-major, from the image that was stepped. There must have been a
    /// step at this scale.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn result(&self, device: &dyn Device, _image: &Tensor) -> Result<Vec<f32>> {
        match self {
            Optimizer::Adam(adam) => Ok(adam.average(device)?),
        }
    }

    /// The state for the next scale, whose images are of shape `[3, h, w]`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn rescale(self, device: &dyn Device, shape: &[usize]) -> Result<Self> {
        match self {
            Optimizer::Adam(adam) => Ok(Optimizer::Adam(adam.rescale(device, shape)?)),
        }
    }
}
