//! Rectangles of maps: patches copied from one tensor to another, and moments of a part of a map.
//!
//! A tile of a larger picture is looked at with a margin, whose features belong to its neighbours. So moments are
//! summed over a window, row by row, and their gradient is that of the window with zeros, or what there was, around.

use super::Context;
use super::array::{Layout, get, get_mut};
use super::mixing::{Operand, Pixels};
use super::moments::{self, Accumulator, Lines};
use super::shared::Shared;
use super::simd::{LANES, Lanes};
use crate::{Moments, Patch, Result, Size, Tensor, Window};
use rayon::prelude::*;

/// `y[to] ← x[from] + b·y[to]`.
pub(super) fn paste(
    context: &Context,
    x: &Tensor,
    patch: &Patch,
    b: f32,
    y: &mut Tensor,
) -> Result<()> {
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
        let target = ((plane * shapes.1[1] + patch.to.0 + row) * shapes.1[2] + patch.to.1) * lanes;
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
