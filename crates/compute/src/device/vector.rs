//! Operations on tensors of any shape, seen as vectors: element by element, and sums of them.

use super::Hardware;
use super::fallback::{Fallback, REFERENCE};
use crate::{ComputeError, Result, Scalar, Tensor};

/// The buffers of one Adam step, all of the image's shape.
#[derive(Debug)]
pub struct AdamBuffers<'a> {
    /// The image; updated.
    pub image: &'a mut Tensor,
    /// dL/d image.
    pub gradient: &'a Tensor,
    /// Running mean of gradients; updated.
    pub first: &'a mut Tensor,
    /// Running mean of squared gradients; updated.
    pub second: &'a mut Tensor,
    /// Running mean of images, without bias correction; updated.
    pub average: &'a mut Tensor,
}

/// The numbers of one Adam step (Kingma and Ba, arXiv 1412.6980, algorithm 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Step size.
    pub learning_rate: f32,
    /// Decay of `first`.
    pub beta1: f32,
    /// Decay of `second`.
    pub beta2: f32,
    /// Added to the corrected root: `lr · m̂ / (√v̂ + ε)`.
    pub epsilon: f32,
    /// `1 − β₁ᵗ`, with t counted from 1.
    pub correction1: f32,
    /// `1 − β₂ᵗ`.
    pub correction2: f32,
    /// Range into which the image is clamped after the step.
    pub clamp: Option<(f32, f32)>,
    /// Decay of `average`: `a ← d·a + (1−d)·x` after the clamp.
    pub average_decay: f32,
}

/// Operations on tensors of any shape, element by element, and sums over them.
pub trait VectorOps: Hardware {
    /// A second tensor with the same content.
    fn copy(&self, x: &Tensor) -> Result<Tensor> {
        let fallback = Fallback::of(self, "copy")?;
        fallback.result(fallback.operand(x)?)
    }

    /// A tensor of zeros.
    fn zeros(&self, shape: &[usize]) -> Result<Tensor> {
        let fallback = Fallback::of(self, "zeros")?;
        fallback.result(REFERENCE.zeros(shape)?)
    }

    /// `y ← a·x + b·y`.
    fn axpby(&self, a: f32, x: &Tensor, b: f32, y: &mut Tensor) -> Result<()> {
        let fallback = Fallback::of(self, "axpby")?;
        let mut sum = fallback.operand(y)?;
        REFERENCE.axpby(a, &fallback.operand(x)?, b, &mut sum)?;
        *y = fallback.result(sum)?;
        Ok(())
    }

    /// `Σ xᵢ·yᵢ`.
    fn dot(&self, x: &Tensor, y: &Tensor) -> Result<Scalar> {
        let fallback = Fallback::of(self, "dot")?;
        REFERENCE.dot(&fallback.operand(x)?, &fallback.operand(y)?)
    }

    /// `Σ |xᵢ|`.
    fn sum_abs(&self, x: &Tensor) -> Result<Scalar> {
        let fallback = Fallback::of(self, "sum_abs")?;
        REFERENCE.sum_abs(&fallback.operand(x)?)
    }

    /// `max |xᵢ|`; 0 of nothing, and not a number if any is not.
    fn max_abs(&self, x: &Tensor) -> Result<Scalar> {
        let fallback = Fallback::of(self, "max_abs")?;
        REFERENCE.max_abs(&fallback.operand(x)?)
    }

    /// `x ← min(max(x, low), high)`.
    fn clamp(&self, x: &mut Tensor, low: f32, high: f32) -> Result<()> {
        let fallback = Fallback::of(self, "clamp")?;
        let mut clamped = fallback.operand(x)?;
        REFERENCE.clamp(&mut clamped, low, high)?;
        *x = fallback.result(clamped)?;
        Ok(())
    }

    /// `Σ (xᵢ − tᵢ)²` and `k·(x − t)`, in one pass.
    fn squared_error(&self, x: &Tensor, t: &Tensor, k: f32) -> Result<(Scalar, Tensor)> {
        let fallback = Fallback::of(self, "squared_error")?;
        let (x, t) = (fallback.operand(x)?, fallback.operand(t)?);
        fallback.result(REFERENCE.squared_error(&x, &t, k)?)
    }

    /// `x ← k·x / Σ d`, where the divisor is a sum of scalars of this device; a divisor of 0 leaves zeros.
    fn scale_over(&self, x: &mut Tensor, k: f32, divisor: &[Scalar]) -> Result<()> {
        let fallback = Fallback::of(self, "scale_over")?;
        let mut scaled = fallback.operand(x)?;
        REFERENCE.scale_over(&mut scaled, k, divisor)?;
        *x = fallback.result(scaled)?;
        Ok(())
    }

    /// One step of Adam with clamping and iterate averaging, in one pass.
    fn adam(&self, buffers: AdamBuffers<'_>, step: &AdamStep) -> Result<()> {
        let fallback = Fallback::of(self, "adam")?;
        let mut image = fallback.operand(buffers.image)?;
        let mut first = fallback.operand(buffers.first)?;
        let mut second = fallback.operand(buffers.second)?;
        let mut average = fallback.operand(buffers.average)?;
        let there = AdamBuffers {
            image: &mut image,
            gradient: &fallback.operand(buffers.gradient)?,
            first: &mut first,
            second: &mut second,
            average: &mut average,
        };
        REFERENCE.adam(there, step)?;
        *buffers.image = fallback.result(image)?;
        *buffers.first = fallback.result(first)?;
        *buffers.second = fallback.result(second)?;
        *buffers.average = fallback.result(average)?;
        Ok(())
    }
}

/// The greatest of some numbers of at least 0; not a number if any is not.
pub(crate) fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |greatest, value| match value.is_nan() {
        true => value,
        false if value > greatest => value,
        false => greatest,
    })
}

/// Fails unless both have the same shape.
pub(crate) fn same(what: &'static str, x: &Tensor, y: &Tensor) -> Result<()> {
    if x.shape() == y.shape() {
        return Ok(());
    }
    Err(ComputeError::Shape {
        what,
        expected: x.shape().to_vec(),
        got: y.shape().to_vec(),
    })
}
