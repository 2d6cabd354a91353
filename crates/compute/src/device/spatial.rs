//! Operations on images and maps that know rows and columns.

use super::Hardware;
use super::fallback::{Fallback, REFERENCE};
use crate::{Patch, Result, Scalar, Tensor};

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

/// Operations on images and maps `[c, h, w]` that know rows and columns.
pub trait SpatialOps: Hardware {
    /// `y[to] ← x[from] + b·y[to]`, for a rectangle of two tensors `[c, h, w]` of as many channels; nothing of `y` is
    /// read if `b` is 0.
    fn paste(&self, x: &Tensor, patch: &Patch, b: f32, y: &mut Tensor) -> Result<()> {
        let fallback = Fallback::of(self, "paste")?;
        let mut pasted = fallback.operand(y)?;
        REFERENCE.paste(&fallback.operand(x)?, patch, b, &mut pasted)?;
        *y = fallback.result(pasted)?;
        Ok(())
    }

    /// `x_p ← k_p·x_p`: every channel of a map `[c, h, w]` multiplied, place by place, by the factor there, `[h, w]`.
    fn scale_places(&self, x: &mut Tensor, factors: &Tensor) -> Result<()> {
        let fallback = Fallback::of(self, "scale_places")?;
        let mut scaled = fallback.operand(x)?;
        REFERENCE.scale_places(&mut scaled, &fallback.operand(factors)?)?;
        *x = fallback.result(scaled)?;
        Ok(())
    }

    /// Total variation of an image `[c, h, w]` and `k` times its gradient, of the same shape.
    fn total_variation(
        &self,
        image: &Tensor,
        kind: TotalVariation,
        reduction: Reduction,
        k: f32,
    ) -> Result<(Scalar, Tensor)> {
        let fallback = Fallback::of(self, "total_variation")?;
        let image = fallback.operand(image)?;
        fallback.result(REFERENCE.total_variation(&image, kind, reduction, k)?)
    }
}
