//! What is not fused into a convolution: ReLU and pools behind a tap, their gradients, sums and masks of maps.
//!
//! All are passes over rows of pixels; the plan of a network uses them only where a tap stands in the way of fusing.

use super::Context;
use super::results::{Bits, Mask};
use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes, with_simd};
use super::strip::Strip;
use super::winograd::{masked, put_bits};
use crate::{Pool, PoolKind};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// Pixels of one task.
const PIXELS: usize = 4096;

/// `out = max(x, 0)` in some rows of every block of channels, and where it is positive.
pub(super) fn relu(
    context: &Context,
    (x, from): (&[Lanes], Strip),
    (out, to): (&mut [Lanes], Strip),
    bits: &Bits<'_>,
    rows: Range<usize>,
) {
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
    let (blocks, w) = (out.len() / to.pixels().max(1), to.w);
    let out = Shared::new(out);
    each_row(blocks, rows, |block, y| {
        let x = &from.plane(x, block)[from.place(y, 0)..][..w];
        let place = block * bits.strip.pixels() + bits.strip.place(y, 0);
        // SAFETY: a row belongs to one task.
        let (out, bits) = unsafe {
            let out = out.part(block * to.pixels() + to.place(y, 0), w);
            (out, bits.words.part(place, w))
        };
        with_simd!(context.token, simd => on(simd, x, out, bits));
    });
}

/// A task for each of some rows of each block of channels.
fn each_row(blocks: usize, rows: Range<usize>, task: impl Fn(usize, usize) + Sync + Send) {
    let (first, count) = (rows.start, rows.len());
    (0..blocks * count)
        .into_par_iter()
        .for_each(|index| task(index / count, first + index % count));
}

/// `x = mask ⊙ x` in some rows of every block of channels.
pub(super) fn mask(
    context: &Context,
    (x, strip): (&mut [Lanes], Strip),
    mask: Mask<'_>,
    rows: Range<usize>,
) {
    #[inline(always)]
    fn on<S: Isa>(simd: S, x: &mut [Lanes], bits: &[u16]) {
        for (x, &bits) in x.iter_mut().zip(bits) {
            for lane in (0..LANES).step_by(S::f32s::LEN) {
                let part = &mut x[lane..lane + S::f32s::LEN];
                masked(simd, bits, lane, S::f32s::from_slice(simd, part)).store_slice(part);
            }
        }
    }
    let (blocks, w) = (x.len() / strip.pixels().max(1), strip.w);
    let x = Shared::new(x);
    each_row(blocks, rows, |block, y| {
        // SAFETY: a row belongs to one task.
        let x = unsafe { x.part(block * strip.pixels() + strip.place(y, 0), w) };
        let bits = &mask.words[block * mask.strip.pixels() + mask.strip.place(y, 0)..][..w];
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

/// The values of the four places of two rows that a pooled place is made of, in reading order.
#[inline(always)]
fn window<S: Isa>(simd: S, two: &[Lanes], w: usize, x: usize, lane: usize) -> [S::f32s; 4] {
    let corner = 2 * x;
    [corner, corner + 1, corner + w, corner + w + 1]
        .map(|place| S::f32s::from_slice(simd, &two[place][lane..lane + S::f32s::LEN]))
}

/// Makes some rows of a pooled map. Maxima note in `bits` `[blocks][h/2][w/2][4]` which place they came from.
pub(super) fn pool(
    context: &Context,
    pool: &Pool,
    (x, from): (&[Lanes], Strip),
    (out, to): (&mut [Lanes], Strip),
    bits: Option<&Bits<'_>>,
    rows: Range<usize>,
) {
    let (blocks, pw) = (out.len() / to.pixels().max(1), to.w);
    let out = Shared::new(out);
    each_row(blocks, rows, |block, y| {
        let two = &from.plane(x, block)[from.place(2 * y, 0)..][..2 * from.w];
        // SAFETY: a row belongs to one task.
        let out = unsafe { out.part(block * to.pixels() + to.place(y, 0), pw) };
        let bits = bits.map(|bits| {
            let place = block * bits.strip.pixels() + bits.strip.place(y, 0);
            // SAFETY: as above.
            unsafe { bits.words.part(place * 4, pw * 4) }
        });
        with_simd!(context.token, simd => pool_row(simd, pool, two, from.w, out, bits));
    });
}

#[inline(always)]
fn pool_row<S: Isa>(
    simd: S,
    pool: &Pool,
    two: &[Lanes],
    w: usize,
    out: &mut [Lanes],
    mut bits: Option<&mut [u16]>,
) {
    for (x, out) in out.iter_mut().enumerate() {
        for lane in (0..LANES).step_by(S::f32s::LEN) {
            let [a, b, c, d] = window(simd, two, w, x, lane);
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
    Max(Mask<'a>),
    /// Nothing: it is spread evenly.
    Average,
    /// What was pooled, and its strip.
    L2(&'a [Lanes], Strip),
}

/// Some rows of the gradient towards what was pooled, from that towards the pool.
pub(super) fn unpool(
    context: &Context,
    factor: f32,
    memory: PoolMemory<'_>,
    (gradient, from): (&[Lanes], Strip),
    (out, to): (&mut [Lanes], Strip),
    rows: Range<usize>,
) {
    let (blocks, w, pw) = (out.len() / to.pixels().max(1), to.w, from.w);
    let out = Shared::new(out);
    each_row(blocks, rows, |block, y| {
        // SAFETY: a row belongs to one task.
        let out = unsafe { out.part(block * to.pixels() + to.place(y, 0), w) };
        out[2 * pw..].fill([0.0; LANES]);
        if y / 2 >= from.h {
            out.fill([0.0; LANES]);
            return;
        }
        let gradient = &from.plane(gradient, block)[from.place(y / 2, 0)..][..pw];
        with_simd!(context.token, simd => {
            unpool_row(simd, factor, memory, gradient, (block, y), w, out);
        });
    });
}

#[inline(always)]
fn unpool_row<S: Isa>(
    simd: S,
    factor: f32,
    memory: PoolMemory<'_>,
    gradient: &[Lanes],
    (block, y): (usize, usize),
    w: usize,
    out: &mut [Lanes],
) {
    let zero = S::f32s::splat(simd, 0.0);
    for (x, gradient) in gradient.iter().enumerate() {
        for lane in (0..LANES).step_by(S::f32s::LEN) {
            let g = S::f32s::from_slice(simd, &gradient[lane..lane + S::f32s::LEN]) * factor;
            let pair = match memory {
                PoolMemory::Max(bits) => [0, 1].map(|right| {
                    let place = block * bits.strip.pixels() + bits.strip.place(y / 2, x);
                    let word = bits.words[place * 4 + y % 2 * 2 + right];
                    masked(simd, word, lane, g)
                }),
                PoolMemory::Average => [g * 0.25; 2],
                PoolMemory::L2(pooled, strip) => {
                    let two = &strip.plane(pooled, block)[strip.place(y / 2 * 2, 0)..];
                    let four = window(simd, two, w, x, lane);
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
