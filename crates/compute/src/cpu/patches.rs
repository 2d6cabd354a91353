//! Stage 1 of a convolution: patches of the input, transformed.
//!
//! Most tiles lie inside the map and load their patch row by row. Those at the border look up where each row and
//! column of the patch comes from, which is where paddings differ. Patches of a pooled gradient load a quarter of the
//! values and spread them by their bits.

use super::format::Format;
use super::results::Mask;
use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes};
use super::strip::Strip;
use super::tile::Tile;
use super::winograd::{Grid, masked};
use crate::Padding;
use fearless_simd::prelude::*;

/// What a convolution reads.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// A blocked map, continued beyond its border.
    Map {
        data: &'a [Lanes],
        strip: Strip,
        padding: Padding,
    },
    /// The gradient towards a pooled map, spread over twice its size: `scale` times the value where
    /// the bit of the place is set, zero elsewhere.
    Unpooled {
        gradient: &'a [Lanes],
        strip: Strip,
        /// `[⌈c/16⌉][h][w][4]`.
        bits: Mask<'a>,
        scale: f32,
    },
}

/// Rows and columns of the pooled pixels under a patch of six, the largest there is.
const WINDOW: usize = 4;

/// Transforms the patches of one block of channels into `v` `[points][blocks][tiles]` of 16 channels each.
#[inline(always)]
pub(super) fn load<S: Isa, const M: usize, const A: usize, W: Tile<M, A>, F: Format>(
    simd: S,
    source: &Source<'_>,
    grid: &Grid<M>,
    (block, blocks): (usize, usize),
    v: &Shared<'_, F::Word>,
) {
    let step = blocks * grid.tiles.len();
    for (index, (top, left)) in grid.corners().enumerate() {
        let (top, left) = (top - 1, left - 1);
        let place = block * grid.tiles.len() + index;
        for lane in (0..LANES).step_by(S::f32s::LEN) {
            let lanes = lane..lane + S::f32s::LEN;
            let zero = S::f32s::splat(simd, 0.0);
            match *source {
                Source::Map {
                    data,
                    strip,
                    padding,
                } => {
                    let plane = strip.plane(data, block);
                    if strip.contains(top, left, A) {
                        let start = strip.place(top as usize, left as usize);
                        let rows: [&[Lanes]; A] =
                            std::array::from_fn(|i| &plane[start + i * strip.w..][..A]);
                        let get = |i: usize, j: usize| {
                            S::f32s::from_slice(simd, &rows[i][j][lanes.clone()])
                        };
                        transform::<S, M, A, W, F>(simd, get, v, (place, step), lane);
                    } else {
                        let rows: [Option<usize>; A] =
                            std::array::from_fn(|i| strip.row(padding, top + i as isize));
                        let columns: [Option<usize>; A] =
                            std::array::from_fn(|j| within(padding, left + j as isize, strip.w));
                        let get = |i: usize, j: usize| match (rows[i], columns[j]) {
                            (Some(row), Some(x)) => {
                                S::f32s::from_slice(simd, &plane[row + x][lanes.clone()])
                            }
                            _ => zero,
                        };
                        transform::<S, M, A, W, F>(simd, get, v, (place, step), lane);
                    }
                }
                Source::Unpooled {
                    gradient,
                    strip,
                    bits,
                    scale,
                } => {
                    let plane = strip.plane(gradient, block);
                    let noted = bits.strip.pixels();
                    let words_of = &bits.words.as_chunks::<4>().0[block * noted..][..noted];
                    let mut values = [[zero; WINDOW]; WINDOW];
                    let mut words = [[[0; 4]; WINDOW]; WINDOW];
                    // The patch starts at an odd place, the second of a pair, unless there is a border.
                    let (first_row, first_column) = (top >> 1, left >> 1);
                    for i in 0..WINDOW {
                        for j in 0..WINDOW {
                            let (y, x) = (first_row + i as isize, first_column + j as isize);
                            // Rows that are not there yet are not read by any result that counts.
                            if strip.has_row(y) && (0..strip.w as isize).contains(&x) {
                                let (y, x) = (y as usize, x as usize);
                                let value = &plane[strip.place(y, x)][lanes.clone()];
                                values[i][j] = S::f32s::from_slice(simd, value) * scale;
                                words[i][j] = words_of[bits.strip.place(y, x)];
                            }
                        }
                    }
                    let spread = |i: usize, j: usize| {
                        let (row, column) = (i / 2, j / 2);
                        masked(
                            simd,
                            words[row][column][i % 2 * 2 + j % 2],
                            lane,
                            values[row][column],
                        )
                    };
                    if grid.extent.border == 0 {
                        let get = |i: usize, j: usize| spread(i + 1, j + 1);
                        transform::<S, M, A, W, F>(simd, get, v, (place, step), lane);
                    } else {
                        transform::<S, M, A, W, F>(simd, spread, v, (place, step), lane);
                    }
                }
            }
        }
    }
}

/// The pixel that position `i` of `n` reads, or `None` for a zero. Further out than the padding reaches, results are
/// discarded and anything finite will do.
pub(super) fn within(padding: Padding, i: isize, n: usize) -> Option<usize> {
    if (-1..=n as isize).contains(&i) {
        padding.source(i, n)
    } else {
        None
    }
}

/// `Bᵀ d B` of one patch, to the places `start`, `start + step` and so on.
#[inline(always)]
fn transform<S: Isa, const M: usize, const A: usize, W: Tile<M, A>, F: Format>(
    simd: S,
    get: impl Fn(usize, usize) -> S::f32s,
    v: &Shared<'_, F::Word>,
    (start, step): (usize, usize),
    lane: usize,
) {
    let zero = S::f32s::splat(simd, 0.0);
    let mut half = [[zero; A]; A];
    for j in 0..A {
        let mut column = [zero; A];
        for i in 0..A {
            column[i] = get(i, j);
        }
        let column = W::input::<S>(column);
        for i in 0..A {
            half[i][j] = column[i];
        }
    }
    for i in 0..A {
        let row = W::input::<S>(half[i]);
        // SAFETY: a task writes only the places of its tiles and its blocks.
        let mut places = unsafe {
            let start = (start + i * A * step) * F::WORDS;
            v.spread::<A>(start, step * F::WORDS, F::WORDS)
        };
        for j in 0..A {
            F::store(simd, row[j], lane, places.write(j));
        }
    }
}
