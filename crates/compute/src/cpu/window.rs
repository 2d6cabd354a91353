//! The gradient of moments of a part of a map.
//!
//! A tile of a larger picture is looked at with a margin, whose features belong to its neighbours. So moments are
//! summed over a window, row by row, and their gradient is that of the window with zeros, or what there was, around.

use super::simd::{LANES, Lanes};
use crate::Window;
use rayon::prelude::*;

/// Sets what lies outside a window to `add`, or to zero, in some rows from row `first` on of `w` pixels each. In planes
/// of `stride` pixels they begin behind the first `skipped` ones.
pub(super) fn clear_around(
    map: &mut [Lanes],
    add: Option<&[Lanes]>,
    (stride, skipped): (usize, usize),
    (first, rows): (usize, usize),
    w: usize,
    window: &Window,
) {
    let planes = map.par_chunks_exact_mut(stride).enumerate();
    planes.for_each(|(block, plane)| {
        let mut clear = |start: usize, count: usize| match add {
            Some(add) => {
                let add = &add[block * stride + start..][..count];
                plane[start..start + count].copy_from_slice(add);
            }
            None => plane[start..start + count].fill([0.0; LANES]),
        };
        for row in 0..rows {
            let start = skipped + row * w;
            if (window.top..window.bottom()).contains(&(first + row)) {
                clear(start, window.left);
                clear(start + window.right(), w - window.right());
            } else {
                clear(start, w);
            }
        }
    });
}
