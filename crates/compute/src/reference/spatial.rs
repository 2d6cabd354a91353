//! Operations that know rows and columns.

use super::variation;
use super::{ReferenceDevice, get, get_mut};
use crate::device::weighted;
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

    fn scale_places(&self, x: &mut Tensor, factors: &Tensor) -> Result<()> {
        let [_, h, w] = weighted("scale_places", x, factors)?;
        let (values, factors) = (get_mut("scale_places", x)?, get("scale_places", factors)?);
        for plane in values.chunks_exact_mut((h * w).max(1)) {
            let pairs = plane.iter_mut().zip(factors);
            pairs.for_each(|(value, factor)| *value *= factor);
        }
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
