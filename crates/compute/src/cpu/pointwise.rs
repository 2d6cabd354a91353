//! What is not fused into a convolution: ReLU and pools behind a tap, their gradients, sums and masks of maps.
//!
//! All are passes over rows of pixels; the plan of a network uses them only where a tap stands in the way of fusing.

use super::Context;
use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes, with_simd};
use super::winograd::{masked, put_bits};
use crate::{Pool, PoolKind};
use fearless_simd::prelude::*;
use rayon::prelude::*;

/// Pixels of one task.
const PIXELS: usize = 4096;

/// `out = max(x, 0)`, and where it is positive.
pub(super) fn relu(context: &Context, x: &[Lanes], out: &mut [Lanes], bits: &mut [u16]) {
    #[inline(always)]
    fn on<S: Isa>(simd: S, x: &[Lanes], out: &mut [Lanes], bits: &mut [u16]) {
        let zero = S::f32s::splat(simd, 0.0);
        for ((x, out), bits) in x.iter().zip(out).zip(bits) {
            for lane in (0..LANES).step_by(S::f32s::LEN) {
                let value = S::f32s::from_slice(simd, &x[lane..lane + S::f32s::LEN]);
                value
                    .max(zero)
                    .store_slice(&mut out[lane..lane + S::f32s::LEN]);
                put_bits(bits, lane, value.simd_gt(zero).to_bitmask());
            }
        }
    }
    let outputs = out.par_chunks_mut(PIXELS).zip(bits.par_chunks_mut(PIXELS));
    x.par_chunks(PIXELS)
        .zip(outputs)
        .for_each(|(x, (out, bits))| {
            with_simd!(context.token, simd => on(simd, x, out, bits));
        });
}

/// `x = mask ⊙ x`.
pub(super) fn mask(context: &Context, x: &mut [Lanes], bits: &[u16]) {
    #[inline(always)]
    fn on<S: Isa>(simd: S, x: &mut [Lanes], bits: &[u16]) {
        for (x, &bits) in x.iter_mut().zip(bits) {
            for lane in (0..LANES).step_by(S::f32s::LEN) {
                let part = &mut x[lane..lane + S::f32s::LEN];
                masked(simd, bits, lane, S::f32s::from_slice(simd, part)).store_slice(part);
            }
        }
    }
    x.par_chunks_mut(PIXELS)
        .zip(bits.par_chunks(PIXELS))
        .for_each(|(x, bits)| {
            with_simd!(context.token, simd => on(simd, x, bits));
        });
}

/// `sum += x`.
pub(super) fn add(context: &Context, x: &[Lanes], sum: &mut [Lanes]) {
    #[inline(always)]
    fn on<S: Isa>(_: S, x: &[Lanes], sum: &mut [Lanes]) {
        for (x, sum) in x.iter().zip(sum) {
            for lane in 0..LANES {
                sum[lane] += x[lane];
            }
        }
    }
    x.par_chunks(PIXELS)
        .zip(sum.par_chunks_mut(PIXELS))
        .for_each(|(x, sum)| {
            with_simd!(context.token, simd => on(simd, x, sum));
        });
}

/// The values of the four places that a pooled place is made of, and the places, in reading order.
#[inline(always)]
fn window<S: Isa>(
    simd: S,
    plane: &[Lanes],
    w: usize,
    y: usize,
    x: usize,
    lane: usize,
) -> [(usize, S::f32s); 4] {
    let corner = 2 * y * w + 2 * x;
    [corner, corner + 1, corner + w, corner + w + 1].map(|place| {
        let value = S::f32s::from_slice(simd, &plane[place][lane..lane + S::f32s::LEN]);
        (place, value)
    })
}

/// Pools a map of `h×w` pixels. Maxima note in `bits` `[blocks][h/2][w/2][4]` which place they came from.
pub(super) fn pool(
    context: &Context,
    pool: &Pool,
    x: &[Lanes],
    (h, w): (usize, usize),
    out: &mut [Lanes],
    bits: &mut [u16],
) {
    let (ph, pw) = (h / 2, w / 2);
    let noted = pool.kind == PoolKind::Max;
    let bits = Shared::new(bits);
    out.par_chunks_exact_mut(pw)
        .enumerate()
        .for_each(|(row, out)| {
            let (block, y) = (row / ph, row % ph);
            let plane = &x[block * h * w..][..h * w];
            // SAFETY: a row belongs to one task.
            let bits = noted.then(|| unsafe { bits.part(row * pw * 4, pw * 4) });
            with_simd!(context.token, simd => pool_row(simd, pool, plane, w, y, out, bits));
        });
}

#[inline(always)]
fn pool_row<S: Isa>(
    simd: S,
    pool: &Pool,
    plane: &[Lanes],
    w: usize,
    y: usize,
    out: &mut [Lanes],
    mut bits: Option<&mut [u16]>,
) {
    for (x, out) in out.iter_mut().enumerate() {
        for lane in (0..LANES).step_by(S::f32s::LEN) {
            let [a, b, c, d] = window(simd, plane, w, y, x, lane).map(|(_, value)| value);
            let value = match pool.kind {
                PoolKind::Max => {
                    let most = a.max(b).max(c.max(d));
                    if let Some(bits) = &mut bits {
                        let first = a.simd_eq(most).to_bitmask();
                        let second = b.simd_eq(most).to_bitmask() & !first;
                        let third = c.simd_eq(most).to_bitmask() & !first & !second;
                        let fourth = d.simd_eq(most).to_bitmask() & !first & !second & !third;
                        for (corner, chosen) in
                            [first, second, third, fourth].into_iter().enumerate()
                        {
                            put_bits(&mut bits[x * 4 + corner], lane, chosen);
                        }
                    }
                    most
                }
                PoolKind::Average => ((a + b) + (c + d)) * 0.25,
                PoolKind::L2 => norm(simd, [a, b, c, d]),
            };
            (value * pool.factor).store_slice(&mut out[lane..lane + S::f32s::LEN]);
        }
    }
}

/// Root of the sum of squares.
#[inline(always)]
fn norm<S: Isa>(_: S, [a, b, c, d]: [S::f32s; 4]) -> S::f32s {
    a.mul_add(a, b.mul_add(b, c.mul_add(c, d * d))).sqrt()
}

/// What the gradient of a pool needs besides the gradient.
#[derive(Clone, Copy)]
pub(super) enum PoolMemory<'a> {
    /// Where each maximum came from.
    Max(&'a [u16]),
    /// Nothing: it is spread evenly.
    Average,
    /// What was pooled.
    L2(&'a [Lanes]),
}

/// The gradient towards a pooled map of `h×w` pixels, from that towards the pool.
pub(super) fn unpool(
    context: &Context,
    factor: f32,
    memory: PoolMemory<'_>,
    gradient: &[Lanes],
    (h, w): (usize, usize),
    out: &mut [Lanes],
) {
    let (ph, pw) = (h / 2, w / 2);
    out.par_chunks_exact_mut(w)
        .enumerate()
        .for_each(|(row, out)| {
            let (block, y) = (row / h, row % h);
            out[2 * pw..].fill([0.0; LANES]);
            if y / 2 >= ph {
                out.fill([0.0; LANES]);
                return;
            }
            let place = (block * ph + y / 2) * pw;
            let gradient = &gradient[place..][..pw];
            with_simd!(context.token, simd => {
                unpool_row(simd, factor, memory, gradient, (block * h * w, place), (y, w), out);
            });
        });
}

#[inline(always)]
fn unpool_row<S: Isa>(
    simd: S,
    factor: f32,
    memory: PoolMemory<'_>,
    gradient: &[Lanes],
    (plane, place): (usize, usize),
    (y, w): (usize, usize),
    out: &mut [Lanes],
) {
    let zero = S::f32s::splat(simd, 0.0);
    for (x, gradient) in gradient.iter().enumerate() {
        for lane in (0..LANES).step_by(S::f32s::LEN) {
            let g = S::f32s::from_slice(simd, &gradient[lane..lane + S::f32s::LEN]) * factor;
            let pair = match memory {
                PoolMemory::Max(bits) => [0, 1].map(|right| {
                    let word = bits[(place + x) * 4 + y % 2 * 2 + right];
                    masked(simd, word, lane, g)
                }),
                PoolMemory::Average => [g * 0.25; 2],
                PoolMemory::L2(pooled) => {
                    let four =
                        window(simd, &pooled[plane..], w, y / 2, x, lane).map(|(_, value)| value);
                    let norm = norm(simd, four);
                    let ratio = norm.simd_gt(zero).select(g / norm, zero);
                    [four[y % 2 * 2] * ratio, four[y % 2 * 2 + 1] * ratio]
                }
            };
            for (right, value) in pair.into_iter().enumerate() {
                value.store_slice(&mut out[2 * x + right][lane..lane + S::f32s::LEN]);
            }
        }
    }
}
