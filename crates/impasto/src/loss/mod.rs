//! Losses: what is minimised, one file each, and the [`Objective`] that weights, normalises and adds them.
//!
//! A loss says which views it needs (pixels of the image, features or moments of taps), is made from its target, and
//! returns its raw value and its gradient towards each view:
//!
//! | file | compares | view |
//! |---|---|---|
//! | [`content`] | features | features |
//! | [`edges`] | edges of the luminance | image |
//! | [`gram`] | Gram matrices | moments |
//! | [`wasserstein`] | Gaussians, by Wasserstein-2 distance | moments |
//! | [`matched`] | hypercolumns with those that they were matched with | features of several taps |
//! | [`mean_std`] | mean and standard deviation | moments |
//! | [`nearest`] | features with those that they are most like | features |
//! | [`region`] | what a loss of moments does, in a region | moments of the region |
//! | [`sampled`] | hypercolumns at places that are drawn | image and features of several taps |
//! | [`temporal`] | what the frames before became | image |
//! | [`variation`] | neighbouring pixels | image |
//!
//! Values stay on the device until somebody asks ([`LossValue::value`]).

pub mod columns;
pub mod content;
pub mod edges;
mod evaluation;
pub mod gram;
pub mod matched;
pub mod mean_std;
pub mod nearest;
mod objective;
pub mod region;
pub mod sampled;
mod scaling;
pub mod temporal;
pub mod variation;
pub mod wasserstein;

pub use evaluation::Evaluation;
pub(crate) use evaluation::Progress;
pub use objective::{Objective, Term};
pub use scaling::{Extent, GradientScale, Normalize, Scaling};

use crate::random::StepSeed;
use impasto_compute::{ComputeError, Device, Moments, Point, Result, Scalar, Tap, Tensor, Window};
use std::fmt;
use std::sync::Arc;

/// What a loss looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// The image itself.
    Image,
    /// The features of a tap.
    Features(Tap),
    /// The moments of a tap.
    Moments(Tap),
}

/// What a loss is shown of a view.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// The image `[3, h, w]`, in the units of the recipe's [`Pixels`](crate::recipe::Pixels).
    Image(&'a Tensor),
    /// Features `[c, place.height, place.width]`, which lie at `place` in the whole map.
    Features {
        /// The features.
        features: &'a Tensor,
        /// Where they lie: everywhere, but for losses that are
        /// [sums over places](Loss::is_sum_over_places).
        place: Window,
    },
    /// Moments.
    Moments(&'a Moments),
}

impl<'a> Seen<'a> {
    /// What a loss of one view is shown.
    ///
    /// # Errors
    /// [`ComputeError::BadSetting`] if there are more or less.
    pub fn only(seen: &[Seen<'a>]) -> Result<Self> {
        match seen {
            [one] => Ok(*one),
            _ => Err(wrong_view("one view", &format!("{} views", seen.len()))),
        }
    }

    /// The image, or features wherever they lie.
    ///
    /// # Errors
    /// [`ComputeError::BadSetting`] for moments.
    pub fn tensor(self) -> Result<&'a Tensor> {
        match self {
            Seen::Image(tensor)
            | Seen::Features {
                features: tensor, ..
            } => Ok(tensor),
            Seen::Moments(_) => Err(wrong_view("a tensor", "moments")),
        }
    }

    /// Features, and where they lie.
    ///
    /// # Errors
    /// [`ComputeError::BadSetting`] for anything else.
    pub fn features(self) -> Result<(&'a Tensor, Window)> {
        match self {
            Seen::Features { features, place } => Ok((features, place)),
            Seen::Image(_) => Err(wrong_view("features", "the image")),
            Seen::Moments(_) => Err(wrong_view("features", "moments")),
        }
    }

    /// Moments.
    ///
    /// # Errors
    /// [`ComputeError::BadSetting`] for anything else.
    pub fn moments(self) -> Result<&'a Moments> {
        match self {
            Seen::Moments(moments) => Ok(moments),
            Seen::Image(_) | Seen::Features { .. } => Err(wrong_view("moments", "a tensor")),
        }
    }
}

fn wrong_view(wanted: &str, got: &str) -> ComputeError {
    ComputeError::BadSetting(format!("a loss that looks at {wanted} was shown {got}"))
}

/// The gradient of a loss towards a view.
#[derive(Debug)]
pub enum Gradient {
    /// Towards an image or features, of the shape that was shown.
    Tensor(Tensor),
    /// Towards moments.
    Moments(Moments),
    /// Towards an image or features, at places of it.
    Rows(Rows),
}

/// A gradient towards vectors at places of an image or of features: what it comes to there is [`Matching::scatter`]'s. As losses of
/// many features look at few places, no map is made for each of them.
///
/// [`Matching::scatter`]: impasto_compute::Matching::scatter
#[derive(Clone, Debug)]
pub struct Rows {
    /// The gradient towards vectors, a row `[n, c]` for each place, of which this is about some columns.
    pub rows: Arc<Tensor>,
    /// The first of these columns.
    pub column: usize,
    /// The places, in pixels of the map.
    pub points: Vec<Point>,
    /// What the gradient is multiplied by.
    pub factor: f32,
}

impl Rows {
    /// Adds what it comes to, to a gradient towards the whole, `[c, h, w]`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn add_to(&self, device: &dyn Device, gradient: &mut Tensor) -> Result<()> {
        device.scatter(
            &self.rows,
            [0, self.column],
            &self.points,
            self.factor,
            gradient,
        )
    }
}

impl Gradient {
    /// The same as a tensor of the shape of what was shown, if it is of places of it.
    fn dense(self, device: &dyn Device, seen: &Seen<'_>) -> Result<Self> {
        let Gradient::Rows(rows) = self else {
            return Ok(self);
        };
        let mut dense = device.zeros(seen.tensor()?.shape())?;
        rows.add_to(device, &mut dense)?;
        Ok(Gradient::Tensor(dense))
    }

    /// All tensors that it is made of.
    fn tensors_mut(&mut self) -> impl Iterator<Item = &mut Tensor> {
        match self {
            Gradient::Tensor(tensor) => [Some(tensor), None],
            Gradient::Moments(moments) => [Some(&mut moments.mean), Some(&mut moments.second)],
            Gradient::Rows(_) => [None, None],
        }
        .into_iter()
        .flatten()
    }
}

/// A loss's value, not yet fetched from the device: `(constant + Σ factor·scalar) / Σ divisor`.
#[derive(Clone, Debug, Default)]
pub struct LossValue {
    /// What does not depend on the image.
    pub constant: f64,
    /// Factors and scalars on the device.
    pub parts: Vec<(f64, Scalar)>,
    /// What the sum is divided by; nothing means 1.
    pub(crate) divisor: Vec<Scalar>,
    /// Whether it is a distance: a sum below 0 is rounding, and told as 0.
    pub(crate) is_distance: bool,
}

impl LossValue {
    /// The value `factor·scalar`.
    pub fn of(factor: f64, scalar: Scalar) -> Self {
        Self {
            parts: vec![(factor, scalar)],
            ..Self::default()
        }
    }

    /// All scalars that it is made of.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = &Scalar> {
        let parts = self.parts.iter().map(|(_, scalar)| scalar);
        parts.chain(&self.divisor)
    }

    /// Fetches the value; waits for the device if it must.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn value(&self) -> Result<f64> {
        let mut sum = self.constant;
        for (factor, scalar) in &self.parts {
            sum += factor * scalar.value()?;
        }
        if self.is_distance && sum < 0.0 {
            sum = 0.0;
        }
        if self.divisor.is_empty() {
            return Ok(sum);
        }
        let mut divisor = 0.0;
        for scalar in &self.divisor {
            divisor += scalar.value()?;
        }
        Ok(if divisor == 0.0 { 0.0 } else { sum / divisor })
    }

    fn multiply(&mut self, by: f64) {
        self.constant *= by;
        self.parts.iter_mut().for_each(|(factor, _)| *factor *= by);
    }
}

/// One loss with its target. It knows nothing of weights, normalisation, other losses, and whether pictures are worked
/// on as a whole: that is the [`Objective`]'s.
pub trait Loss: Send + Sync + fmt::Debug {
    /// What it needs to see, in the order in which it is shown.
    fn views(&self) -> &[View];

    /// What its raw value is a sum over.
    fn extent(&self) -> Extent;

    /// Its raw value, and its gradient towards each view times `scale`, in the order of the views.
    ///
    /// # Errors
    /// Whatever the device reports; a shape error if the target is of another size.
    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)>;

    /// The weights of the places whose moments it is shown, if it looks at those of one tap; `None` if all count the same.
    fn places(&self) -> Option<&region::Places> {
        None
    }

    /// Whether it looks at the features of one tap alone, and its raw value is a sum over their places, so that it can
    /// be shown a part of them at a time. Pictures are worked on tile by tile only if all losses of features are such
    /// sums; those of moments and of the image always can.
    fn is_sum_over_places(&self) -> bool {
        false
    }

    /// Prepares for a step, before anything is evaluated: draws the places that it compares, for instance. Whatever is
    /// drawn must depend on the seed alone, not on steps before, so that a run that goes on from a checkpoint draws
    /// the same.
    ///
    /// # Errors
    /// Whatever the device reports.
    fn prepare(&mut self, device: &dyn Device, seed: &StepSeed<'_>) -> Result<()> {
        let _ = (device, seed);
        Ok(())
    }

    /// What it keeps from steps before, to be saved with a run. Nothing, for losses that are functions of what they see.
    fn memory(&self) -> Vec<f32> {
        vec![]
    }

    /// Takes back what [`Loss::memory`] gave, before the step that follows.
    ///
    /// # Errors
    /// [`ComputeError::BadSetting`] if it is not of this loss.
    fn recall(&mut self, memory: &[f32]) -> Result<()> {
        match memory {
            [] => Ok(()),
            _ => Err(ComputeError::BadSetting(
                "a loss that keeps nothing was to take something back".into(),
            )),
        }
    }
}

#[cfg(test)]
mod tests;
