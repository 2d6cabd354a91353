//! Terms that a caller adds to those of a recipe: a video's loss towards the frame before, for instance.

use super::optimize::Margin;
use crate::Result;
use crate::loss::Term;
use crate::observer::Scale;
use crate::picture::{Filter, Picture, resize_planes};
use crate::recipe::Pixels;
use impasto_compute::{Device, Size, Tensor};
use std::fmt;

/// Terms that are added to those of the recipe, made anew for every scale.
///
/// What they keep on the device is not known to the plan of a run; beside losses of the image, which need one more
/// gradient of its size, set [`RunLimits::memory`](super::RunLimits) lower by as much.
pub struct ExtraTerms {
    identity: String,
    make: Box<MakeTerms>,
}

type MakeTerms = dyn Fn(&TermContext<'_>) -> Result<Vec<Term>> + Send + Sync;

/// What extra terms are made with.
#[derive(Clone, Copy, Debug)]
pub struct TermContext<'a> {
    /// Where their targets live.
    pub device: &'a dyn Device,
    /// The size of the picture. Losses may see more: [`upload`](Self::upload) and [`places`](Self::places) give what they see.
    pub scale: Scale,
    /// The units of the image that losses see.
    pub pixels: Pixels,
    /// What losses see beyond the border.
    pub(crate) margin: Margin,
}

impl ExtraTerms {
    /// Terms that `make` makes for every scale. `identity` says what they depend on, such as the fingerprint of a
    /// frame: runs go on only from checkpoints of the same.
    pub fn new(
        identity: impl Into<String>,
        make: impl Fn(&TermContext<'_>) -> Result<Vec<Term>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            identity: identity.into(),
            make: Box::new(make),
        }
    }

    /// What they depend on.
    pub(crate) fn identity(&self) -> &str {
        &self.identity
    }

    pub(crate) fn make(&self, context: &TermContext<'_>) -> Result<Vec<Term>> {
        (self.make)(context)
    }
}

impl fmt::Debug for ExtraTerms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExtraTerms({:?})", self.identity)
    }
}

impl TermContext<'_> {
    /// A picture on the device, as losses see it at the scale and in the units of the image: `[3, h, w]`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn upload(&self, picture: &Picture) -> Result<Tensor> {
        let Scale { width, height, .. } = self.scale;
        let picture = picture.resized(width, height, Filter::Bicubic);
        let picture = self.margin.continued(picture)?;
        let values = self.pixels.encode(picture.rgb().to_vec());
        let shape = [3, picture.height(), picture.width()];
        Ok(self.device.upload(&values, &shape)?)
    }

    /// Weights of places of a picture, as losses see it at the scale: `[h, w]`, 0 to 1.
    pub fn places(&self, weights: &[f32], size: Size) -> Vec<f32> {
        let Scale { width, height, .. } = self.scale;
        let (from, to) = ((size.height, size.width), (height, width));
        let mut weights = resize_planes(weights, 1, from, to, Filter::Bicubic);
        weights
            .iter_mut()
            .for_each(|weight| *weight = weight.clamp(0.0, 1.0));
        self.margin.extended(&weights, Size { width, height })
    }
}
