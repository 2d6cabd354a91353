//! Moments of a part of a map.
//!
//! A tile of a larger picture is looked at with a margin, whose features belong to its neighbours. So moments are
//! summed over a window, row by row, and their gradient is that of the window with zeros, or what there was, around.

use super::Context;
use super::mixing::{Operand, Pixels};
use super::moments::{self, Accumulator, Lines};
use super::simd::{LANES, Lanes};
use crate::{Moments, Result, Size, Window};
use rayon::prelude::*;

/// Moments of the part of a map of `h×w` pixels that lies in a window.
pub(super) fn moments(
    context: &Context,
    map: &[Lanes],
    channels: usize,
    Size {
        width: w,
        height: h,
    }: Size,
    window: &Window,
) -> Result<Moments> {
    let size = window.size();
    let mut total = Accumulator::new(context, channels, size, window.width == w)?;
    let lines = Lines {
        stride: h * w,
        start: window.top * w + window.left,
        pitch: w,
        count: window.height,
        width: window.width,
    };
    total.add(context, map, lines);
    total.finish(context)
}

/// Overwrites a map of `h×w` pixels with the gradient of the moments of its window, plus `add` if there is any.
pub(super) fn moments_backward(
    context: &Context,
    map: &mut [Lanes],
    towards: &Moments,
    Size {
        width: w,
        height: h,
    }: Size,
    window: &Window,
    add: Option<&[Lanes]>,
) -> Result<()> {
    let matrix = moments::gradient_matrix(context, towards, window.pixels())?;
    let pixels = Pixels {
        stride: h * w,
        start: window.top * w,
        count: window.height * w,
    };
    let operand = Operand::InPlace { map, add };
    matrix.apply(context, pixels, operand)?;
    clear_around(map, add, (h * w, 0), (0, h), w, window);
    Ok(())
}

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
