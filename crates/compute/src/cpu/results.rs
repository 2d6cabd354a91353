//! Stage 3 of a convolution: results transformed back, and what follows on them.

use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes};
use super::strip::Strip;
use super::tile::Tile;
use super::winograd::{Grid, masked, put_bits};
use crate::plan::FusedPool;
use fearless_simd::prelude::*;
use std::ops::Range;

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
    /// It is written as it is, or added.
    Linear(Linear<'a>),
    /// A ReLU follows.
    Relu(Rectified<'a>),
    /// A ReLU and a pool follow.
    ReluPool(Pooled<'a>),
}

/// `out = mask ⊙ (result + bias + [out])`.
pub(super) struct Linear<'a> {
    pub(super) out: Shared<'a, Lanes>,
    pub(super) strip: Strip,
    /// Bias of each block, if any.
    pub(super) bias: Option<&'a [Lanes]>,
    /// Whether what `out` holds is added.
    pub(super) accumulate: bool,
    /// One bit per element; where it is not set, the result is zero.
    pub(super) mask: Option<Mask<'a>>,
}

/// `out = max(result + bias, 0)`, and where it is positive.
pub(super) struct Rectified<'a> {
    pub(super) out: Shared<'a, Lanes>,
    pub(super) strip: Strip,
    pub(super) bias: &'a [Lanes],
    pub(super) bits: Bits<'a>,
}

/// The same, pooled: `[⌈c/16⌉][h/2][w/2]`, and which of each four the gradient goes to.
pub(super) struct Pooled<'a> {
    pub(super) out: Shared<'a, Lanes>,
    /// Of the pooled map.
    pub(super) strip: Strip,
    pub(super) bias: &'a [Lanes],
    pub(super) bits: Bits<'a>,
    pub(super) pool: FusedPool,
    pub(super) factor: f32,
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

impl Place {
    /// The channels of the block that it is about.
    #[inline(always)]
    fn lanes<S: Isa>(&self) -> Range<usize> {
        self.lane..self.lane + S::f32s::LEN
    }
}

#[inline(always)]
fn put<S: Isa, const M: usize>(
    simd: S,
    target: &Target<'_>,
    tile: &Place,
    result: [[S::f32s; M]; M],
    size: (usize, usize),
) {
    match target {
        Target::Linear(target) => target.put(simd, tile, result, size),
        Target::Relu(target) => target.put(simd, tile, result, size),
        Target::ReluPool(target) => target.put(simd, tile, result, size),
    }
}

impl Linear<'_> {
    #[inline(always)]
    fn put<S: Isa, const M: usize>(
        &self,
        simd: S,
        tile: &Place,
        result: [[S::f32s; M]; M],
        (rows, columns): (usize, usize),
    ) {
        let (block, lanes) = (tile.block, tile.lanes::<S>());
        let bias = match self.bias {
            Some(bias) => S::f32s::from_slice(simd, &bias[block][lanes.clone()]),
            None => S::f32s::splat(simd, 0.0),
        };
        for i in 0..rows {
            let (y, x) = (tile.top + i, tile.left);
            let start = block * self.strip.pixels() + self.strip.place(y, x);
            // SAFETY: a task writes only the pixels of its tiles.
            let row = unsafe { self.out.part(start, columns) };
            let mask = self.mask.map(|mask| {
                let start = block * mask.strip.pixels() + mask.strip.place(y, x);
                &mask.words[start..start + columns]
            });
            for j in 0..columns {
                let place = &mut row[j][lanes.clone()];
                let mut value = result[i][j] + bias;
                if self.accumulate {
                    value += S::f32s::from_slice(simd, place);
                }
                if let Some(mask) = mask {
                    value = masked(simd, mask[j], tile.lane, value);
                }
                value.store_slice(place);
            }
        }
    }
}

impl Rectified<'_> {
    #[inline(always)]
    fn put<S: Isa, const M: usize>(
        &self,
        simd: S,
        tile: &Place,
        result: [[S::f32s; M]; M],
        (rows, columns): (usize, usize),
    ) {
        let (block, lanes) = (tile.block, tile.lanes::<S>());
        let zero = S::f32s::splat(simd, 0.0);
        let bias = S::f32s::from_slice(simd, &self.bias[block][lanes.clone()]);
        for i in 0..rows {
            let (y, x) = (tile.top + i, tile.left);
            let start = block * self.strip.pixels() + self.strip.place(y, x);
            let noted = block * self.bits.strip.pixels() + self.bits.strip.place(y, x);
            // SAFETY: a task writes only the pixels of its tiles.
            let (row, bits) = unsafe {
                (
                    self.out.part(start, columns),
                    self.bits.words.part(noted, columns),
                )
            };
            for j in 0..columns {
                let value = (result[i][j] + bias).max(zero);
                value.store_slice(&mut row[j][lanes.clone()]);
                put_bits(&mut bits[j], tile.lane, value.simd_gt(zero).to_bitmask());
            }
        }
    }
}

impl Pooled<'_> {
    #[inline(always)]
    fn put<S: Isa, const M: usize>(
        &self,
        simd: S,
        tile: &Place,
        result: [[S::f32s; M]; M],
        (rows, columns): (usize, usize),
    ) {
        let (block, lanes) = (tile.block, tile.lanes::<S>());
        let bias = S::f32s::from_slice(simd, &self.bias[block][lanes.clone()]);
        for i in 0..rows / 2 {
            let (y, x) = (tile.top / 2 + i, tile.left / 2);
            let start = block * self.strip.pixels() + self.strip.place(y, x);
            let noted = block * self.bits.strip.pixels() + self.bits.strip.place(y, x);
            // SAFETY: a task writes only the pixels of its tiles, which are of even size, so no two share a pooled pixel.
            let (row, bits) = unsafe {
                (
                    self.out.part(start, columns / 2),
                    self.bits.words.part(noted * 4, columns / 2 * 4),
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
                let (value, chosen) = relu_pool(simd, four, self.pool);
                (value * self.factor).store_slice(&mut row[j][lanes.clone()]);
                for corner in 0..4 {
                    put_bits(&mut bits[j * 4 + corner], tile.lane, chosen[corner]);
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
