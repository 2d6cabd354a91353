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

/// Which places of two images lie on each other where one is the other, resampled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Align {
    /// The outer borders of their outermost pixels: a pixel is a square.
    #[default]
    Borders,
    /// The middles of their outermost pixels (`align_corners` of PyTorch).
    Corners,
}

/// The two neighbours that a place of a line lies between, and how near the second one is, 0 to 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    pub(crate) first: usize,
    pub(crate) second: usize,
    pub(crate) share: f64,
}

/// Where each of `new` places lies on a line of `old`.
pub(crate) fn samples(old: usize, new: usize, align: Align) -> Vec<Sample> {
    let last = old.saturating_sub(1);
    let sample = |place: usize| {
        let at = match align {
            Align::Borders => (place as f64 + 0.5) * old as f64 / new as f64 - 0.5,
            Align::Corners if new > 1 => (place * last) as f64 / (new - 1) as f64,
            Align::Corners => 0.0,
        };
        let at = at.clamp(0.0, last as f64);
        let first = (at as usize).min(last);
        Sample {
            first,
            second: (first + 1).min(last),
            share: at - first as f64,
        }
    };
    (0..new).map(sample).collect()
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

    /// A map `[c, h, w]` in another size `[height, width]`: each place interpolated bilinearly between the four around it.
    /// Nothing is averaged where it shrinks, but by halves, where the four are what it covers.
    fn resized(&self, x: &Tensor, size: [usize; 2], align: Align) -> Result<Tensor> {
        let processor = Fallback::to_processor(self, "resized")?;
        let resized = processor
            .device()
            .resized(&processor.operand(x)?, size, align)?;
        processor.result(resized)
    }

    /// The adjoint of [`SpatialOps::resized`]: from a gradient towards the result to that towards the map of `size`.
    fn resized_adjoint(&self, y: &Tensor, size: [usize; 2], align: Align) -> Result<Tensor> {
        let processor = Fallback::to_processor(self, "resized_adjoint")?;
        let adjoint = processor
            .device()
            .resized_adjoint(&processor.operand(y)?, size, align)?;
        processor.result(adjoint)
    }
}

/// Channels, height and width of a map that is to get another size; of no pixels there are none of another.
pub(crate) fn resizable(what: &'static str, x: &Tensor, size: [usize; 2]) -> Result<[usize; 3]> {
    match *x.shape() {
        [c, h, w] if h * w > 0 || size.contains(&0) => Ok([c, h, w]),
        _ => Err(crate::ComputeError::Shape {
            what,
            expected: vec![0, 1, 1],
            got: x.shape().to_vec(),
        }),
    }
}
