//! Operations that know rows and columns.

use super::variation;
use super::{ReferenceDevice, get, get_mut};
use crate::{Patch, Reduction, Result, Scalar, SpatialOps, Tensor, TotalVariation};

impl SpatialOps for ReferenceDevice {
    fn paste(&self, x: &Tensor, patch: &Patch, b: f32, y: &mut Tensor) -> Result<()> {
        patch.check(x.shape(), y.shape())?;
        let (from, shape, b) = (get("paste", x)?, y.shape().to_vec(), f64::from(b));
        let to = get_mut("paste", y)?;
        patch.rows(x.shape(), &shape, |source, target| {
            let pairs = to[target].iter_mut().zip(&from[source]);
            pairs.for_each(|(to, from)| *to = if b == 0.0 { *from } else { from + b * *to });
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
        variation::total_variation(image, kind, reduction, f64::from(k))
    }
}
