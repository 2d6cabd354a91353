//! 3×3 convolutions by F(4×4, 3×3), as [`tile`](crate::cpu::tile) has it, on row-major maps.
//!
//! A vector holds as many tiles of a row as it has lanes, a *unit*. Pieces of work are some units, in reading order:
//!
//! ```text
//! source ──▶ V [36][in][units·lanes]    rows transformed as they lie, then their columns, taken apart by four
//!        ──▶ M [36][out][units·lanes]   one matrix product per point
//!        ──▶ target                     Aᵀ m A, columns put together again
//! ```

use super::product::{Block, CHANNELS, SLACK, product};
use super::target::{Sums, Target};
use super::view::Source;
use crate::cpu::Context;
use crate::cpu::simd::{Isa, with_simd};
use crate::cpu::tile::{F4, Tile};
use crate::graph::{Border, Convolution};
use crate::{Result, Size};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// Results of a tile, and places that it reads, each way.
const M: usize = 4;
const A: usize = 6;
const POINTS: usize = A * A;
/// Floats of `V` and `M`, about, at most; and units of a piece of work, as many as the kernel makes at once several times.
const ROOM: usize = 160 << 10;
const UNITS: [usize; 2] = [3, 12];
/// Lanes of the longest vectors.
const MOST_LANES: usize = 16;
/// Room for the columns of a unit, and for a vector more.
const ROW: usize = (M + 1) * MOST_LANES;

/// Transformed filters.
#[derive(Debug)]
pub(super) struct Filters {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) border: Border,
    /// `[point][block of outputs][input][output]`.
    weights: Vec<f32>,
    bias: Vec<f32>,
}

impl Filters {
    /// Those of a 3×3 convolution with stride 1, all channels of which see each other.
    pub(super) fn new(op: &Convolution) -> Self {
        let (inputs, outputs) = (op.inputs, op.outputs);
        let mut weights = vec![0.0; POINTS * inputs * outputs];
        for out in 0..outputs {
            let (block, lane) = (out / CHANNELS, out % CHANNELS);
            let width = CHANNELS.min(outputs - block * CHANNELS);
            for input in 0..inputs {
                let filter = &op.weight[(out * inputs + input) * 9..][..9];
                let row = |i: usize| F4::filter([0, 1, 2].map(|j| f64::from(filter[i * 3 + j])));
                let rows = [0, 1, 2].map(row);
                for j in 0..A {
                    let column = F4::filter([0, 1, 2].map(|i| rows[i][j]));
                    for i in 0..A {
                        let start = (i * A + j) * inputs * outputs + block * CHANNELS * inputs;
                        weights[start + input * width + lane] = column[i] as f32;
                    }
                }
            }
        }
        Self {
            inputs,
            outputs,
            border: op.border,
            weights,
            bias: op.bias.to_vec(),
        }
    }

    /// Units of a piece of work.
    fn units(&self, lanes: usize) -> usize {
        let each = POINTS * (self.inputs + self.outputs) * lanes;
        let units = (ROOM / each).clamp(UNITS[0], UNITS[1]);
        units / UNITS[0] * UNITS[0]
    }

    /// Floats of `V`, of `M`, and of rows on their way.
    fn room(&self, lanes: usize) -> [usize; 3] {
        let tiles = self.units(lanes) * lanes;
        let of = |n: usize| POINTS * n * tiles + 8 * SLACK;
        [of(self.inputs), of(self.outputs), A * ROW]
    }
}

/// Floats that a piece of work takes.
pub(super) fn room(filters: &Filters, lanes: usize) -> usize {
    filters.room(lanes).iter().sum()
}

/// Pieces of work for a map of some size.
pub(super) fn pieces(filters: &Filters, lanes: usize, size: Size) -> usize {
    let units = size.height.div_ceil(M) * size.width.div_ceil(M * lanes);
    units.div_ceil(filters.units(lanes))
}

/// What is computed of a map, over what counts of it.
pub(super) fn waste(size: Size, lanes: usize) -> f64 {
    let computed = size.height.next_multiple_of(M) * size.width.next_multiple_of(M * lanes);
    computed as f64 / size.pixels() as f64
}

/// Convolves.
pub(super) fn run(
    context: &Context,
    filters: &Filters,
    source: &Source<'_>,
    target: &Target<'_>,
) -> Result<()> {
    let lanes = context.token.lanes();
    let size = source.size();
    let before = |n: usize| filters.border.before(n, 3, 1);
    let job = Job {
        filters,
        source,
        target,
        before: [before(size.height), before(size.width)],
    };
    let room: usize = filters.room(lanes).iter().sum();
    (0..pieces(filters, lanes, target.size))
        .into_par_iter()
        .with_max_len(1)
        .try_for_each(|piece| {
            let mut room = context.pool.take::<f32>(room)?;
            with_simd!(context.token, simd => job.piece(simd, piece, &mut room));
            Ok(())
        })
}

struct Job<'a> {
    filters: &'a Filters,
    source: &'a Source<'a>,
    target: &'a Target<'a>,
    before: [usize; 2],
}

impl Job<'_> {
    #[inline(always)]
    fn piece<S: Isa>(&self, simd: S, piece: usize, room: &mut [f32]) {
        let lanes = S::f32s::LEN;
        let Filters {
            inputs, outputs, ..
        } = *self.filters;
        let size = self.target.size;
        let across = size.width.div_ceil(M * lanes);
        let all = size.height.div_ceil(M) * across;
        let at_once = self.filters.units(lanes);
        let units = piece * at_once..((piece + 1) * at_once).min(all);
        let row = units.len() * lanes;
        let [of_v, of_m, _] = self.filters.room(lanes);
        let (v, m) = room.split_at_mut(of_v);
        let (m, rows) = m.split_at_mut(of_m);
        for input in 0..inputs {
            for (index, unit) in units.clone().enumerate() {
                let place = (unit / across * M, unit % across * M * lanes);
                let start = input * row + index * lanes;
                self.load(simd, input, place, rows, (&mut v[start..], inputs * row));
            }
        }
        let taps: Vec<u32> = (0..inputs).map(|input| (input * row) as u32).collect();
        for point in 0..POINTS {
            let v = &v[point * inputs * row..];
            let m = &mut m[point * outputs * row..];
            let weights = &self.filters.weights[point * inputs * outputs..][..inputs * outputs];
            for first in (0..outputs).step_by(CHANNELS) {
                let count = CHANNELS.min(outputs - first);
                let block = Block {
                    taps: &taps,
                    weights: &weights[first * inputs..][..count * inputs],
                    bias: &[0.0; CHANNELS][..count],
                };
                product(simd, v, block, row, &mut m[first * row..], row);
            }
        }
        for out in 0..outputs {
            let m = (&m[out * row..], outputs * row);
            let sums = self.store(simd, out, units.clone(), m, rows);
            self.target.note(piece, outputs, out, sums);
        }
    }

    /// Transforms what a unit of tiles reads, to places of points `step` from each other.
    #[inline(always)]
    fn load<S: Isa>(
        &self,
        simd: S,
        input: usize,
        (top, left): (usize, usize),
        rows: &mut [f32],
        (v, step): (&mut [f32], usize),
    ) {
        let lanes = S::f32s::LEN;
        let (top, left) = (
            top as isize - self.before[0] as isize,
            left as isize - self.before[1] as isize,
        );
        // Columns from `left` on: four for each tile, and two for the last.
        let columns = M * lanes + A - M;
        let padding = self.filters.border.padding();
        for i in 0..A {
            let row = &mut rows[i * ROW..][..columns];
            self.source
                .read(simd, input, top + i as isize, left, padding, row);
        }
        for x in (0..columns).step_by(lanes) {
            let mut column = [S::f32s::splat(simd, 0.0); A];
            for i in 0..A {
                column[i] = S::f32s::from_slice(simd, &rows[i * ROW + x..][..lanes]);
            }
            let column = F4::input::<S>(column);
            for i in 0..A {
                column[i].store_slice(&mut rows[i * ROW + x..][..lanes]);
            }
        }
        for i in 0..A {
            let row = &rows[i * ROW..][..ROW];
            let mut here = [S::f32s::splat(simd, 0.0); M];
            let mut there = here;
            for k in 0..M {
                here[k] = S::f32s::from_slice(simd, &row[k * lanes..][..lanes]);
                there[k] = S::f32s::from_slice(simd, &row[k * lanes + M..][..lanes]);
            }
            let [zero, one, two, three] = apart(simd, here);
            let [four, five, ..] = apart(simd, there);
            let points = F4::input::<S>([zero, one, two, three, four, five]);
            for j in 0..A {
                points[j].store_slice(&mut v[(i * A + j) * step..][..lanes]);
            }
        }
    }

    /// Transforms the results of an output for some units back, and writes them.
    #[inline(always)]
    fn store<S: Isa>(
        &self,
        simd: S,
        out: usize,
        units: Range<usize>,
        (m, step): (&[f32], usize),
        rows: &mut [f32],
    ) -> Sums {
        let lanes = S::f32s::LEN;
        let Size { width, height } = self.target.size;
        let across = width.div_ceil(M * lanes);
        let bias = S::f32s::splat(simd, self.filters.bias[out]);
        let mut sums = Sums::default();
        let (row, room) = rows.split_at_mut(ROW);
        for (index, unit) in units.enumerate() {
            let (top, left) = (unit / across * M, unit % across * M * lanes);
            let zero = S::f32s::splat(simd, 0.0);
            let mut half = [[zero; M]; A];
            for i in 0..A {
                let mut row = [zero; A];
                for j in 0..A {
                    let place = (i * A + j) * step + index * lanes;
                    row[j] = S::f32s::from_slice(simd, &m[place..place + lanes]);
                }
                half[i] = F4::output::<S>(row);
            }
            let mut result = [[zero; M]; M];
            for j in 0..M {
                let mut column = [zero; A];
                for i in 0..A {
                    column[i] = half[i][j];
                }
                let column = F4::output::<S>(column);
                for i in 0..M {
                    result[i][j] = column[i] + bias;
                }
            }
            let columns = (M * lanes).min(width - left);
            for i in 0..M.min(height - top) {
                let parts = together(simd, result[i]);
                for k in 0..M {
                    parts[k].store_slice(&mut row[k * lanes..][..lanes]);
                }
                let (numbers, place) = (&mut row[..columns], (top + i, left));
                self.target.put(simd, out, place, numbers, room, &mut sums);
            }
        }
        sums
    }
}

/// Takes numbers in a row apart by their remainder to four.
#[inline(always)]
fn apart<S: Isa>(_: S, [a, b, c, d]: [S::f32s; M]) -> [S::f32s; M] {
    let (even, odd) = (a.deinterleave(b), c.deinterleave(d));
    let (zero, two) = even.0.deinterleave(odd.0);
    let (one, three) = even.1.deinterleave(odd.1);
    [zero, one, two, three]
}

/// Puts them together again.
#[inline(always)]
fn together<S: Isa>(_: S, [a, b, c, d]: [S::f32s; M]) -> [S::f32s; M] {
    let (even_low, even_high) = a.interleave(c);
    let (odd_low, odd_high) = b.interleave(d);
    let (first, second) = even_low.interleave(odd_low);
    let (third, fourth) = even_high.interleave(odd_high);
    [first, second, third, fourth]
}
