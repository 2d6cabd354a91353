//! What is optimised: the numbers of which the image is a function.
//!
//! ```text
//! parameters ──to_image──▶ image ─▶ losses ─▶ gradient towards the image ──gradient──▶ towards the parameters
//! ```
//!
//! Optimisers, steps and checkpoints see parameters, networks and losses see the image; here alone one becomes the
//! other.

use crate::Result;
use crate::optim::{Parameters, Shapes};
use crate::recipe::Pixels;
use impasto_compute::{Device, Tensor};
use std::fmt;

/// An image as a linear function of parameters.
pub(in crate::method) trait Parameterization: Send + Sync + fmt::Debug {
    /// Shapes of the parameters of an image of a height and width.
    fn shapes(&self, size: (usize, usize)) -> Shapes;

    /// The range of parameters that clipping brings them back into, if there is one.
    fn range(&self) -> Option<(f32, f32)>;

    /// The parameters of planes `[3, h·w]` in 0..1.
    fn parameters(
        &self,
        device: &dyn Device,
        planes: Vec<f32>,
        size: (usize, usize),
    ) -> Result<Parameters>;

    /// The image `[3, h, w]` that networks and losses see, in the recipe's units: among the parameters, or made and put
    /// into `made`.
    fn to_image<'p>(
        &self,
        device: &dyn Device,
        parameters: &'p Parameters,
        made: &'p mut Option<Tensor>,
    ) -> Result<&'p Tensor>;

    /// The gradient towards the parameters from that towards the image: the adjoint of [`Self::to_image`].
    fn gradient(&self, device: &dyn Device, image: Tensor) -> Result<Parameters>;

    /// Planes `[3, h·w]` in 0..1 from the values of parameters.
    fn planes(
        &self,
        device: &dyn Device,
        values: Vec<Vec<f32>>,
        size: (usize, usize),
    ) -> Result<Vec<f32>>;
}

/// The pixels themselves, in the units of a recipe.
#[derive(Clone, Copy, Debug)]
pub(in crate::method) struct PixelParameters(pub(in crate::method) Pixels);

impl Parameterization for PixelParameters {
    fn shapes(&self, (height, width): (usize, usize)) -> Shapes {
        vec![vec![3, height, width]]
    }

    fn range(&self) -> Option<(f32, f32)> {
        self.0.range()
    }

    fn parameters(
        &self,
        device: &dyn Device,
        planes: Vec<f32>,
        (height, width): (usize, usize),
    ) -> Result<Parameters> {
        let image = device.upload(&self.0.encode(planes), &[3, height, width])?;
        Ok(Parameters::from(image))
    }

    fn to_image<'p>(
        &self,
        _: &dyn Device,
        parameters: &'p Parameters,
        _: &'p mut Option<Tensor>,
    ) -> Result<&'p Tensor> {
        Ok(&parameters.tensors()[0])
    }

    fn gradient(&self, _: &dyn Device, image: Tensor) -> Result<Parameters> {
        Ok(Parameters::from(image))
    }

    fn planes(&self, _: &dyn Device, values: Vec<Vec<f32>>, _: (usize, usize)) -> Result<Vec<f32>> {
        let image = values.into_iter().next().unwrap_or_default();
        Ok(self.0.decode(image))
    }
}
