//! The boundary between style transfer and the hardware: what a device offers.

use crate::{Moments, NetSpec, Network, Patch, Result, Scalar, Tensor};
use std::fmt;

/// Which differences between neighbours total variation looks at, and how.
///
/// With `D` the mean over all such differences of all channels (or their sum, see [`Reduction`]):
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TotalVariation {
    /// `D|Δx| + D|Δy|`.
    L1,
    /// `D Δx² + D Δy²`.
    L2,
    /// Nine-point stencil, the energy of the 9-point Laplacian, on the image continued by one pixel of its border
    /// on each side: `⅔·(D Δx² + D Δy²) + ⅙·(D Δ╲² + D Δ╱²)`. Differences to the right and downwards are taken at
    /// each of the `h·w` pixels, diagonal ones at each of the `(h+1)·(w+1)` corners
    /// (crowsonkb/style-transfer-pytorch).
    #[default]
    NinePoint,
}

/// Whether a loss is a mean or a sum over what it compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Reduction {
    /// The mean.
    #[default]
    Mean,
    /// The sum.
    Sum,
}

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

/// Where tensors live and networks run.
///
/// Operations are named for what they compute and documented by their formula; every device gives the same
/// answer up to rounding, and the [`reference`](crate::reference) device says which. All operands of a call
/// belong to the device that is called, and have the same layout (images with images, features with features of
/// the same tap and size).
///
/// # Errors
/// Every operation returns [`ComputeError::Shape`](crate::ComputeError::Shape) for operands that do not fit,
/// [`ComputeError::ForeignTensor`](crate::ComputeError::ForeignTensor) for tensors of another device, and
/// whatever the hardware may report.
pub trait Device: Send + Sync + fmt::Debug {
    /// The name by which it is chosen, such as `cpu`.
    fn name(&self) -> &str;

    /// One line for people: instruction set or adapter, threads, precision.
    fn describe(&self) -> String;

    /// What the last bits of its results depend on, in one line: two devices of one machine that say the same give the
    /// same bits. `None` if its tensors hold more than what is downloaded of them, so that work which went by way of
    /// the disk would differ in the last bits.
    fn arithmetic(&self) -> Option<String> {
        Some(self.describe())
    }

    /// Copies row-major values onto the device.
    fn upload(&self, values: &[f32], shape: &[usize]) -> Result<Tensor>;

    /// Copies a tensor back, row-major.
    fn download(&self, tensor: &Tensor) -> Result<Vec<f32>>;

    /// Prepares a network: filters are transformed once, here.
    fn network(&self, spec: &NetSpec) -> Result<Box<dyn Network>>;

    /// Bytes that it can still take of a memory of its own; `None` for a device that lives in that of the system, or does not
    /// know.
    fn free_memory(&self) -> Option<u64> {
        None
    }

    /// Tries whether there is room for so many more bytes, by taking them and giving them back. A device whose memory is that
    /// of the system does nothing.
    fn reserve(&self, bytes: usize) -> Result<()> {
        let _ = bytes;
        Ok(())
    }

    /// A second tensor with the same content.
    fn copy(&self, x: &Tensor) -> Result<Tensor>;

    /// A tensor of zeros.
    fn zeros(&self, shape: &[usize]) -> Result<Tensor> {
        self.upload(&vec![0.0; shape.iter().product()], shape)
    }

    /// `y[to] ← x[from] + b·y[to]`, for a rectangle of two tensors `[c, h, w]` of as many channels; nothing of `y` is
    /// read if `b` is 0.
    fn paste(&self, x: &Tensor, patch: &Patch, b: f32, y: &mut Tensor) -> Result<()> {
        patch.check(x.shape(), y.shape())?;
        let (from, mut to) = (self.download(x)?, self.download(y)?);
        patch.rows(x.shape(), y.shape(), |source, target| {
            let pairs = to[target].iter_mut().zip(&from[source]);
            pairs.for_each(|(to, from)| *to = if b == 0.0 { *from } else { from + b * *to });
        });
        *y = self.upload(&to, y.shape())?;
        Ok(())
    }

    /// `y ← a·x + b·y`.
    fn axpby(&self, a: f32, x: &Tensor, b: f32, y: &mut Tensor) -> Result<()>;

    /// `Σ xᵢ·yᵢ`.
    fn dot(&self, x: &Tensor, y: &Tensor) -> Result<Scalar>;

    /// `Σ |xᵢ|`.
    fn sum_abs(&self, x: &Tensor) -> Result<Scalar>;

    /// `max |xᵢ|`; 0 of nothing, and not a number if any is not.
    ///
    /// A device without its own version fetches the tensor.
    fn max_abs(&self, x: &Tensor) -> Result<Scalar> {
        let values = self.download(x)?;
        Ok(Scalar::Ready(greatest(
            values.into_iter().map(|v| f64::from(v).abs()),
        )))
    }

    /// `x ← min(max(x, low), high)`.
    ///
    /// A device without its own version fetches the tensor.
    fn clamp(&self, x: &mut Tensor, low: f32, high: f32) -> Result<()> {
        let mut values = self.download(x)?;
        values.iter_mut().for_each(|v| *v = v.max(low).min(high));
        *x = self.upload(&values, x.shape())?;
        Ok(())
    }

    /// `Σ (xᵢ − tᵢ)²` and `k·(x − t)`, in one pass.
    fn squared_error(&self, x: &Tensor, t: &Tensor, k: f32) -> Result<(Scalar, Tensor)>;

    /// `x ← k·x / Σ d`, where the divisor is a sum of scalars of this device; a divisor of 0 leaves zeros.
    fn scale_over(&self, x: &mut Tensor, k: f32, divisor: &[Scalar]) -> Result<()>;

    /// One step of Adam with clamping and iterate averaging, in one pass.
    fn adam(&self, buffers: AdamBuffers<'_>, step: &AdamStep) -> Result<()>;

    /// Total variation of an image `[c, h, w]` and `k` times its gradient, of the same shape.
    fn total_variation(
        &self,
        image: &Tensor,
        kind: TotalVariation,
        reduction: Reduction,
        k: f32,
    ) -> Result<(Scalar, Tensor)>;

    /// Covariance `S − μ·μᵀ + ridge·I`, `[c, c]`.
    fn covariance(&self, moments: &Moments, ridge: f32) -> Result<Tensor>;

    /// Sum of the diagonal of a square matrix.
    fn trace(&self, matrix: &Tensor) -> Result<Scalar>;

    /// The gradient towards moments from a symmetric gradient `D` towards their covariance:
    /// `dS = k·D`, `dμ = −2k·D·μ`.
    fn covariance_backward(&self, moments: &Moments, gradient: &Tensor, k: f32) -> Result<Moments>;

    /// A factor of a covariance, `L·Lᵀ = Σ`, lower triangular up to the order of its rows, for
    /// [`Device::fidelity`]. What is left of a channel's variance below a floor is rounding and raised to it, so a
    /// singular matrix has a factor too.
    fn cholesky(&self, covariance: &Tensor) -> Result<Tensor>;

    /// Fidelity of two covariances, `tr (Σ̂^½ Σ Σ̂^½)^½`, from `Σ` and a factor of `Σ̂`, and its gradient
    /// `½·Σ̂^½ (Σ̂^½ Σ Σ̂^½)^−½ Σ̂^½` towards `Σ`, `[c, c]`, symmetric.
    ///
    /// Equal to the nuclear norm of `LᵀL̂` for any factors `L·Lᵀ = Σ`, `L̂·L̂ᵀ = Σ̂`.
    fn fidelity(&self, covariance: &Tensor, target_factor: &Tensor) -> Result<(Scalar, Tensor)>;

    /// Standard deviation of each channel, `√(S_cc − μ_c² + ε)`, `[c]`.
    fn standard_deviation(&self, moments: &Moments, epsilon: f32) -> Result<Tensor>;

    /// The gradient towards moments from a gradient `d` `[c]` towards the standard deviation `deviation`:
    /// `dS_cc = d_c / (2σ_c)`, `dμ_c = −d_c·μ_c / σ_c`.
    fn standard_deviation_backward(
        &self,
        moments: &Moments,
        deviation: &Tensor,
        gradient: &Tensor,
    ) -> Result<Moments>;
}

/// The greatest of some numbers of at least 0; not a number if any is not.
pub(crate) fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |greatest, value| match value.is_nan() {
        true => value,
        false if value > greatest => value,
        false => greatest,
    })
}
