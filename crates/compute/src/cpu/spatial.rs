//! Operations that know rows and columns.

use super::array::{Layout, get, get_mut};
use super::chunks::each;
use super::shared::Shared;
use super::simd::LANES;
use super::{CpuDevice, resize, variation};
use crate::device::weighted;
use crate::{Align, Patch, Reduction, Result, Scalar, SpatialOps, Tensor, TotalVariation, Window};
use rayon::prelude::*;

impl SpatialOps for CpuDevice {
    fn paste(&self, x: &Tensor, patch: &Patch, b: f32, y: &mut Tensor) -> Result<()> {
        let context = &self.context;
        patch.check(x.shape(), y.shape())?;
        let shapes = (x.shape().to_vec(), y.shape().to_vec());
        // Blocked rows are as planes of 16 floats per pixel, as many as there are blocks; others as planes of one.
        let (planes, lanes) = match Layout::of(&shapes.0) {
            Layout::Plain { .. } => (shapes.0[0], 1),
            Layout::Blocked { channels, .. } => (channels.div_ceil(LANES), LANES),
        };
        let (from, to) = (get("paste", x)?, get_mut("paste", y)?);
        let shared = Shared::new(to);
        let Window {
            top,
            left,
            height,
            width,
        } = patch.from;
        let copy = |index: usize| {
            let (plane, row) = (index / height, index % height);
            let source = ((plane * shapes.0[1] + top + row) * shapes.0[2] + left) * lanes;
            let target =
                ((plane * shapes.1[1] + patch.to.0 + row) * shapes.1[2] + patch.to.1) * lanes;
            let source = &from[source..source + width * lanes];
            // SAFETY: a row of each plane belongs to one task.
            let target = unsafe { shared.part(target, width * lanes) };
            if b == 0.0 {
                target.copy_from_slice(source);
            } else {
                let pairs = target.iter_mut().zip(source);
                pairs.for_each(|(to, from)| *to = from + b * *to);
            }
        };
        let rows = planes * height;
        context
            .threads
            .install(|| (0..rows).into_par_iter().for_each(copy));
        Ok(())
    }

    fn scale_places(&self, x: &mut Tensor, factors: &Tensor) -> Result<()> {
        let what = "scale_places";
        let [_, h, w] = weighted(what, x, factors)?;
        let factors = get(what, factors)?;
        let lanes = match Layout::of(x.shape()) {
            Layout::Plain { .. } => 1,
            Layout::Blocked { .. } => LANES,
        };
        let planes = get_mut(what, x)?.chunks_mut((h * w * lanes).max(1));
        each(&self.context, planes.collect(), |plane: &mut [f32]| {
            for (place, factor) in plane.chunks_exact_mut(lanes).zip(factors) {
                place.iter_mut().for_each(|value| *value *= factor);
            }
        });
        Ok(())
    }

    fn total_variation(
        &self,
        image: &Tensor,
        kind: TotalVariation,
        reduction: Reduction,
        k: f32,
    ) -> Result<(Scalar, Tensor)> {
        variation::total_variation(&self.context, image, kind, reduction, k)
    }

    fn resized(&self, x: &Tensor, size: [usize; 2], align: Align) -> Result<Tensor> {
        resize::resized(self, x, size, align)
    }

    fn resized_adjoint(&self, y: &Tensor, size: [usize; 2], align: Align) -> Result<Tensor> {
        resize::adjoint(self, y, size, align)
    }
}
