//! Stage 3 of a convolution: results transformed back, and what follows on them.

use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes};
use super::strip::Strip;
use super::tile::Tile;
use super::winograd::{Grid, masked, put_bits};
use crate::plan::FusedPool;
use fearless_simd::prelude::*;

/// Bits of a map, to be written, some rows of which are in memory.
pub(super) struct Bits<'a> {
    pub(super) words: Shared<'a, u16>,
    pub(super) strip: Strip,
}

/// Bits of a map, to be read.
#[derive(Clone, Copy)]
pub(super) struct Mask<'a> {
    pub(super) words: &'a [u16],
    pub(super) strip: Strip,
}

/// What becomes of the result.
pub(super) enum Target<'a> {
    /// `out = mask ⊙ (result + bias + [out])`.
    Linear {
        out: Shared<'a, Lanes>,
        strip: Strip,
        /// Bias of each block, if any.
        bias: Option<&'a [Lanes]>,
        /// Whether what `out` holds is added.
        accumulate: bool,
        /// One bit per element; where it is not set, the result is zero.
        mask: Option<Mask<'a>>,
    },
    /// `out = max(result + bias, 0)`, and where it is positive.
    Relu {
        out: Shared<'a, Lanes>,
        strip: Strip,
        bias: &'a [Lanes],
        bits: Bits<'a>,
    },
    /// The same, pooled: `[⌈c/16⌉][h/2][w/2]`, and which of each four the gradient goes to.
    ReluPool {
        out: Shared<'a, Lanes>,
        /// Of the pooled map.
        strip: Strip,
        bias: &'a [Lanes],
        bits: Bits<'a>,
        pool: FusedPool,
        factor: f32,
    },
}

/// Transforms the results of one block of channels, `[points][blocks][tiles][16]`.
#[inline(always)]
pub(super) fn store<S: Isa, const M: usize, const A: usize, W: Tile<M, A>>(
    simd: S,
    target: &Target<'_>,
    grid: &Grid<M>,
    (block, blocks): (usize, usize),
    m: &Shared<'_, Lanes>,
) {
    let step = blocks * grid.tiles.len();
    let (h, w) = (grid.extent.h, grid.extent.w);
    for (index, (top, left)) in grid.tops().enumerate() {
        let place = block * grid.tiles.len() + index;
        for lane in (0..LANES).step_by(S::f32s::LEN) {
            let result = transform::<S, M, A, W>(simd, m, (place, step), lane);
            let tile = Place {
                block,
                top,
                left,
                lane,
            };
            // A whole tile needs no checks.
            if top + M <= h && left + M <= w {
                put(simd, target, &tile, result, (M, M));
            } else {
                let size = (M.min(h - top), M.min(w - left));
                put(simd, target, &tile, result, size);
            }
        }
    }
}

/// Where a tile's results go.
struct Place {
    block: usize,
    top: usize,
    left: usize,
    lane: usize,
}

#[inline(always)]
fn put<S: Isa, const M: usize>(
    simd: S,
    target: &Target<'_>,
    tile: &Place,
    result: [[S::f32s; M]; M],
    (rows, columns): (usize, usize),
) {
    let Place {
        block,
        top,
        left,
        lane,
    } = *tile;
    let lanes = lane..lane + S::f32s::LEN;
    let zero = S::f32s::splat(simd, 0.0);
    match target {
        Target::Linear {
            out,
            strip,
            bias,
            accumulate,
            mask,
        } => {
            let bias = match bias {
                Some(bias) => S::f32s::from_slice(simd, &bias[block][lanes.clone()]),
                None => zero,
            };
            for i in 0..rows {
                let start = block * strip.pixels() + strip.place(top + i, left);
                // SAFETY: a task writes only the pixels of its tiles.
                let row = unsafe { out.part(start, columns) };
                let mask = mask.map(|mask| {
                    let start = block * mask.strip.pixels() + mask.strip.place(top + i, left);
                    &mask.words[start..start + columns]
                });
                for j in 0..columns {
                    let place = &mut row[j][lanes.clone()];
                    let mut value = result[i][j] + bias;
                    if *accumulate {
                        value += S::f32s::from_slice(simd, place);
                    }
                    if let Some(mask) = mask {
                        value = masked(simd, mask[j], lane, value);
                    }
                    value.store_slice(place);
                }
            }
        }
        Target::Relu {
            out,
            strip,
            bias,
            bits,
        } => {
            let bias = S::f32s::from_slice(simd, &bias[block][lanes.clone()]);
            for i in 0..rows {
                let start = block * strip.pixels() + strip.place(top + i, left);
                let noted = block * bits.strip.pixels() + bits.strip.place(top + i, left);
                // SAFETY: as above.
                let (row, bits) =
                    unsafe { (out.part(start, columns), bits.words.part(noted, columns)) };
                for j in 0..columns {
                    let value = (result[i][j] + bias).max(zero);
                    value.store_slice(&mut row[j][lanes.clone()]);
                    put_bits(&mut bits[j], lane, value.simd_gt(zero).to_bitmask());
                }
            }
        }
        Target::ReluPool {
            out,
            strip,
            bias,
            bits,
            pool,
            factor,
        } => {
            let bias = S::f32s::from_slice(simd, &bias[block][lanes.clone()]);
            for i in 0..rows / 2 {
                let (y, x) = (top / 2 + i, left / 2);
                let start = block * strip.pixels() + strip.place(y, x);
                let noted = block * bits.strip.pixels() + bits.strip.place(y, x);
                // SAFETY: as above; tiles are of even size, so no two share a pooled pixel.
                let (row, bits) = unsafe {
                    (
                        out.part(start, columns / 2),
                        bits.words.part(noted * 4, columns / 2 * 4),
                    )
                };
                for j in 0..columns / 2 {
                    let four = [
                        result[2 * i][2 * j],
                        result[2 * i][2 * j + 1],
                        result[2 * i + 1][2 * j],
                        result[2 * i + 1][2 * j + 1],
                    ]
                    .map(|value| value + bias);
                    let (value, chosen) = relu_pool(simd, four, *pool);
                    (value * *factor).store_slice(&mut row[j][lanes.clone()]);
                    for corner in 0..4 {
                        put_bits(&mut bits[j * 4 + corner], lane, chosen[corner]);
                    }
                }
            }
        }
    }
}

/// `Aᵀ m A` of one tile, from the places `start`, `start + step` and so on.
#[inline(always)]
fn transform<S: Isa, const M: usize, const A: usize, W: Tile<M, A>>(
    simd: S,
    m: &Shared<'_, Lanes>,
    (start, step): (usize, usize),
    lane: usize,
) -> [[S::f32s; M]; M] {
    let zero = S::f32s::splat(simd, 0.0);
    let mut half = [[zero; A]; M];
    for j in 0..A {
        // SAFETY: the products are complete, and in this stage each belongs to one task.
        let places = unsafe { m.spread::<A>(start + j * step, A * step, 1) };
        let mut column = [zero; A];
        for i in 0..A {
            column[i] = S::f32s::from_slice(simd, &places.read(i)[0][lane..lane + S::f32s::LEN]);
        }
        let column = W::output::<S>(column);
        for i in 0..M {
            half[i][j] = column[i];
        }
    }
    let mut result = [[zero; M]; M];
    for i in 0..M {
        result[i] = W::output::<S>(half[i]);
    }
    result
}

/// ReLU and pooling of four values, and the bits of those that the gradient goes to.
#[inline(always)]
fn relu_pool<S: Isa>(simd: S, four: [S::f32s; 4], pool: FusedPool) -> (S::f32s, [u64; 4]) {
    let zero = S::f32s::splat(simd, 0.0);
    match pool {
        FusedPool::Max => {
            let most = four[0].max(four[1]).max(four[2].max(four[3]));
            let positive = most.simd_gt(zero).to_bitmask();
            let first = four[0].simd_eq(most).to_bitmask() & positive;
            let second = four[1].simd_eq(most).to_bitmask() & positive & !first;
            let third = four[2].simd_eq(most).to_bitmask() & positive & !first & !second;
            let rest = positive & !first & !second & !third;
            (most.max(zero), [first, second, third, rest])
        }
        FusedPool::Average => {
            let four = four.map(|value| value.max(zero));
            let sum = (four[0] + four[1]) + (four[2] + four[3]);
            (
                sum * 0.25,
                four.map(|value| value.simd_gt(zero).to_bitmask()),
            )
        }
    }
}
