//! Losses: what is minimised, one file each, and the [`Objective`] that sums them.
//!
//! A loss says which view it needs (pixels of the image, features or moments of a tap), is made from its target,
//! and returns its value and its gradient towards that view:
//!
//! | file | compares | view |
//! |---|---|---|
//! | [`content`] | features | features |
//! | [`gram`] | Gram matrices | moments |
//! | [`wasserstein`] | Gaussians, by Wasserstein-2 distance | moments |
//! | [`mean_std`] | mean and standard deviation | moments |
//! | [`variation`] | neighbouring pixels | image |
//!
//! Values stay on the device until somebody asks ([`LossValue::value`]).

pub mod content;
pub mod gram;
pub mod mean_std;
mod objective;
pub mod variation;
pub mod wasserstein;

pub use objective::{Evaluation, Objective, Term};

use crate::recipe::Normalize;
use impasto_compute::{Device, Moments, Reduction, Result, Scalar, Tap, Tensor, Window};
use std::fmt;

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

/// What a loss is shown.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// An image or features.
    Tensor(&'a Tensor),
    /// Moments.
    Moments(&'a Moments),
}

impl<'a> Seen<'a> {
    fn tensor(self) -> Result<&'a Tensor> {
        match self {
            Seen::Tensor(tensor) => Ok(tensor),
            Seen::Moments(_) => Err(wrong_view("a tensor", "moments")),
        }
    }

    fn moments(self) -> Result<&'a Moments> {
        match self {
            Seen::Moments(moments) => Ok(moments),
            Seen::Tensor(_) => Err(wrong_view("moments", "a tensor")),
        }
    }
}

fn wrong_view(wanted: &str, got: &str) -> impasto_compute::ComputeError {
    impasto_compute::ComputeError::BadSetting(format!(
        "a loss that looks at {wanted} was shown {got}"
    ))
}

/// The gradient of a loss towards what it was shown, times its weight.
#[derive(Debug)]
pub enum Gradient {
    /// Towards an image or features.
    Tensor(Tensor),
    /// Towards moments.
    Moments(Moments),
}

/// A loss's value, not yet fetched from the device: `(constant + Σ factor·scalar) / Σ divisor`.
#[derive(Clone, Debug, Default)]
pub struct LossValue {
    /// What does not depend on the image.
    pub constant: f64,
    /// Factors and scalars on the device.
    pub parts: Vec<(f64, Scalar)>,
    /// What the sum is divided by; nothing means 1.
    pub divisor: Vec<Scalar>,
}

impl LossValue {
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
        if self.divisor.is_empty() {
            return Ok(sum);
        }
        let mut divisor = 0.0;
        for scalar in &self.divisor {
            divisor += scalar.value()?;
        }
        Ok(if divisor == 0.0 { 0.0 } else { sum / divisor })
    }

    /// Divides by the norm of the gradient, given the norms of parts of the gradient times the weight.
    pub(crate) fn divide(&mut self, weight: f32, norms: Vec<Scalar>) {
        // value / (norm/weight) = weight·value / norm.
        self.constant *= f64::from(weight);
        self.parts
            .iter_mut()
            .for_each(|(factor, _)| *factor *= f64::from(weight));
        self.divisor = norms;
    }
}

/// One loss with its target.
pub trait Loss: Send + Sync + fmt::Debug {
    /// What it needs to see.
    fn view(&self) -> View;

    /// Its value, and `weight` times its gradient towards what it is shown.
    ///
    /// # Errors
    /// Whatever the device reports; a shape error if the target is of another size.
    fn evaluate(
        &self,
        device: &dyn Device,
        seen: Seen<'_>,
        weight: f32,
    ) -> Result<(LossValue, Gradient)>;

    /// How the loss is scaled, if it looks at features and can be summed over parts of them. Pictures are worked on
    /// tile by tile only if all losses of features can; those of moments and of the image always can.
    fn in_parts(&self) -> Option<Scaling> {
        None
    }

    /// For losses that are sums over places: the value, and `weight` times the gradient, of the part of the features
    /// that lies at `place` in the whole map. Values of parts add up. The norm of the gradient is not divided by: it
    /// is that of all parts.
    ///
    /// # Errors
    /// As [`Loss::evaluate`]; [`ComputeError::BadSetting`](impasto_compute::ComputeError::BadSetting) if the loss is
    /// no such sum.
    fn evaluate_part(
        &self,
        device: &dyn Device,
        features: &Tensor,
        place: &Window,
        weight: f32,
    ) -> Result<(LossValue, Tensor)> {
        let _ = (device, features, place, weight);
        Err(impasto_compute::ComputeError::BadSetting(
            "a loss needs all features at once: it cannot be worked on tile by tile".into(),
        ))
    }
}

/// How a loss is scaled: the settings that every file here reads alike.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scaling {
    /// What makes it free of scale.
    pub normalize: Normalize,
    /// Mean or sum.
    pub reduction: Reduction,
    /// A constant on the value.
    pub factor: f64,
}

impl Scaling {
    /// What a sum over `count` entries is multiplied by, with a target whose own mean over as many is `size`:
    /// `1/count` for a mean and 1 for a sum; over `count·size`, the same for both, if the target normalises. A
    /// target without any size counts as 1. All this times the constant.
    fn factor(self, count: usize, size: f64) -> f64 {
        let factor = match (self.normalize, self.reduction) {
            (Normalize::Target, _) if size > 0.0 => 1.0 / (count as f64 * size),
            (_, Reduction::Mean) | (Normalize::Target, _) => 1.0 / count as f64,
            (_, Reduction::Sum) => 1.0,
        };
        self.factor * factor
    }

    /// Ends an evaluation. `gradient` is the loss's own gradient times the weight; with [`Normalize::Gradient`] both
    /// it and the value are divided by the gradient's L1 norm.
    fn finish(
        self,
        device: &dyn Device,
        mut value: LossValue,
        mut gradient: Gradient,
        weight: f32,
    ) -> Result<(LossValue, Gradient)> {
        if self.normalize == Normalize::Gradient {
            // The tensors hold weight·gradient already; its norm is weight times the one wanted.
            let tensors: Vec<&mut Tensor> = match &mut gradient {
                Gradient::Tensor(tensor) => vec![tensor],
                Gradient::Moments(moments) => vec![&mut moments.mean, &mut moments.second],
            };
            let norms = tensors
                .iter()
                .map(|tensor| device.sum_abs(tensor))
                .collect::<Result<Vec<_>>>()?;
            for tensor in tensors {
                device.scale_over(tensor, weight, &norms)?;
            }
            value.divide(weight, norms);
        }
        Ok((value, gradient))
    }
}

#[cfg(test)]
mod tests;
