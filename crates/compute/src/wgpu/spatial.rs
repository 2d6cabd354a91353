//! Operations that know rows and columns.

use super::array::{get, get_mut};
use super::kernel::{Kernel, Param, reads, writes};
use super::vector::each;
use super::{GpuDevice, variation};
use crate::device::weighted;
use crate::{Patch, Reduction, Result, Scalar, SpatialOps, Tensor, TotalVariation, Window};

const PASTE: Kernel = Kernel {
    name: "paste",
    file: include_str!("spatial.wgsl"),
    operands: &[reads("x"), writes("y")],
};

const SCALE_PLACES: Kernel = Kernel {
    name: "scale_places",
    file: include_str!("spatial.wgsl"),
    operands: &[writes("x"), reads("factors")],
};

impl SpatialOps for GpuDevice {
    fn paste(&self, x: &Tensor, patch: &Patch, b: f32, y: &mut Tensor) -> Result<()> {
        let context = &self.context;
        patch.check(x.shape(), y.shape())?;
        let (from, to) = (x.shape().to_vec(), y.shape().to_vec());
        let Window {
            top,
            left,
            height,
            width,
        } = patch.from;
        let n = from[0] * height * width;
        let params = [
            Param::U(n),
            Param::U(width),
            Param::U(height),
            Param::U(top * from[2] + left),
            Param::U(from[2]),
            Param::U(from[1] * from[2]),
            Param::U(patch.to.0 * to[2] + patch.to.1),
            Param::U(to[2]),
            Param::U(to[1] * to[2]),
            Param::F(b),
        ];
        let x = get(context, "paste", x)?;
        let y = get_mut(context, "paste", y)?;
        each(context, &PASTE, n, &[Some(x), Some(y)], &params)
    }

    fn scale_places(&self, x: &mut Tensor, factors: &Tensor) -> Result<()> {
        let (context, what) = (&self.context, "scale_places");
        let [channels, height, width] = weighted(what, x, factors)?;
        let (n, places) = (channels * height * width, height * width);
        let factors = get(context, what, factors)?;
        let x = get_mut(context, what, x)?;
        let params = [n, places].map(Param::U);
        each(
            context,
            &SCALE_PLACES,
            n,
            &[Some(x), Some(factors)],
            &params,
        )
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
}
