//! The gradient of padding: what a convolution read beyond the border came from a pixel inside.

use super::Context;
use super::first::readers;
use super::shared::Shared;
use super::simd::{Isa, Lanes, with_simd};
use super::winograd::masked;
use crate::{Padding, Size};
use fearless_simd::prelude::*;
use rayon::prelude::*;

/// `out = mask ⊙ ([out] + bordered, its border folded inside)`; maps `[blocks][h][w]` and `[blocks][h+2][w+2]`.
pub(super) fn fold(
    context: &Context,
    padding: Padding,
    bordered: &[Lanes],
    Size {
        width: w,
        height: h,
    }: Size,
    out: &mut [Lanes],
    accumulate: bool,
    mask: Option<&[u16]>,
) {
    let blocks = out.len() / (h * w);
    let shared = Shared::new(out);
    (0..blocks * h).into_par_iter().with_min_len(4).for_each(|row| {
        // SAFETY: a row belongs to one task.
        let out = unsafe { shared.part(row * w, w) };
        let mask = mask.map(|mask| &mask[row * w..][..w]);
        let (block, y) = (row / h, row % h);
        let bordered = &bordered[block * (h + 2) * (w + 2)..][..(h + 2) * (w + 2)];
        with_simd!(context.token, simd => fold_row(simd, padding, bordered, (y, h), out, accumulate, mask));
    });
}

#[inline(always)]
fn fold_row<S: Isa>(
    simd: S,
    padding: Padding,
    bordered: &[Lanes],
    (y, h): (usize, usize),
    out: &mut [Lanes],
    accumulate: bool,
    mask: Option<&[u16]>,
) {
    let w = out.len();
    for (x, out) in out.iter_mut().enumerate() {
        for (part, out) in out.chunks_exact_mut(S::f32s::LEN).enumerate() {
            let lane = part * S::f32s::LEN;
            let mut sum = if accumulate {
                S::f32s::from_slice(simd, out)
            } else {
                S::f32s::splat(simd, 0.0)
            };
            for row in readers(padding, y, h) {
                for column in readers(padding, x, w) {
                    let pixel = &bordered[row * (w + 2) + column];
                    sum += S::f32s::from_slice(simd, &pixel[lane..lane + S::f32s::LEN]);
                }
            }
            if let Some(mask) = mask {
                sum = masked(simd, mask[x], lane, sum);
            }
            sum.store_slice(out);
        }
    }
}
