//! Operations that know rows and columns.

use super::variation;
use super::{ReferenceDevice, get, get_mut, put};
use crate::device::{resizable, samples, weighted};
use crate::{Align, Patch, Reduction, Result, Scalar, SpatialOps, Tensor, TotalVariation};

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

    fn resized(&self, x: &Tensor, size: [usize; 2], align: Align) -> Result<Tensor> {
        let [c, h, w] = resizable("resized", x, size)?;
        let from = get("resized", x)?;
        let mut to = vec![0.0; c * size[0] * size[1]];
        each_weight([c, h, w], size, align, |source, target, weight| {
            to[target] += weight * from[source];
        });
        Ok(put(to, &[c, size[0], size[1]]))
    }

    fn resized_adjoint(&self, y: &Tensor, size: [usize; 2], align: Align) -> Result<Tensor> {
        let [c, h, w] = resizable("resized_adjoint", y, size)?;
        let from = get("resized_adjoint", y)?;
        let mut to = vec![0.0; c * size[0] * size[1]];
        each_weight(
            [c, size[0], size[1]],
            [h, w],
            align,
            |source, target, weight| {
                to[source] += weight * from[target];
            },
        );
        Ok(put(to, &[c, size[0], size[1]]))
    }
}

/// Calls for every place of a resampled map and every one that it is made of, with its weight.
fn each_weight(
    [c, h, w]: [usize; 3],
    [height, width]: [usize; 2],
    align: Align,
    mut call: impl FnMut(usize, usize, f64),
) {
    let (rows, columns) = (samples(h, height, align), samples(w, width, align));
    for plane in 0..c {
        for (y, row) in rows.iter().enumerate() {
            for (x, column) in columns.iter().enumerate() {
                for (from_y, share_y) in [(row.first, 1.0 - row.share), (row.second, row.share)] {
                    for (from_x, share_x) in [
                        (column.first, 1.0 - column.share),
                        (column.second, column.share),
                    ] {
                        let (source, target) = (
                            (plane * h + from_y) * w + from_x,
                            (plane * height + y) * width + x,
                        );
                        call(source, target, share_y * share_x);
                    }
                }
            }
        }
    }
}
