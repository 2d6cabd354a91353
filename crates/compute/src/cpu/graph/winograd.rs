//! 3×3 convolutions by F(4×4, 3×3), as [`tile`](crate::cpu::tile) has it, on row-major maps.
//!
//! A vector holds as many tiles of a row as it has lanes, a *unit*. Pieces of work are some units beside each other, of some
//! rows of tiles where a row has few:
//!
//! ```text
//! source ──▶ V [36][in][units·lanes]    rows transformed as they lie, then their columns, taken apart by four
//!        ──▶ M [36][out][units·lanes]   one matrix product per point
//!        ──▶ target                     Aᵀ m A, columns put together again
//! ```

use super::product::{Block, CHANNELS, Out, SLACK, product};
use super::target::{Summer, Sums, Target};
use super::view::{Columns, Source};
use crate::cpu::Context;
use crate::cpu::shared::Shared;
use crate::cpu::simd::{Isa, with_simd};
use crate::cpu::tile::{F4, Tile};
use crate::graph::Convolution;
use crate::{Padding, Result, Size};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// Results of a tile, and places that it reads, each way.
const M: usize = 4;
const A: usize = 6;
const POINTS: usize = A * A;
/// Floats of `V` and `M`, about, at most; and units of a piece of work, as many as the kernel makes at once several times.
const ROOM: usize = 96 << 10;
const UNITS: [usize; 2] = [3, 12];
/// Lanes of the longest vectors.
const MOST_LANES: usize = 16;
/// Room for the columns of a unit, and for more than a vector.
const ROW: usize = (M + 1) * MOST_LANES;

/// Transformed filters.
#[derive(Debug)]
pub(super) struct Filters {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Places before the first one that are read, each way, and what lies beyond the border.
    before: usize,
    pub(super) padding: Padding,
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
            before: op.border.before(1, 3, 1),
            padding: op.border.padding(),
            weights,
            bias: op.bias.to_vec(),
        }
    }

    /// Those of the gradient of a 3×3 convolution towards the places inside what it reads, from that towards what it makes:
    /// transposed, and turned by half a circle.
    pub(super) fn adjoint(op: &Convolution) -> Self {
        let (inputs, outputs) = (op.inputs, op.outputs);
        let weight = |index: usize| {
            let (pair, tap) = (index / 9, index % 9);
            let (input, out) = (pair / outputs, pair % outputs);
            op.weight[(out * inputs + input) * 9 + 8 - tap]
        };
        let turned = Convolution {
            inputs: outputs,
            outputs: inputs,
            weight: (0..op.weight.len()).map(weight).collect(),
            bias: vec![0.0; inputs].into(),
            ..*op
        };
        Self {
            before: 2 - op.border.before(1, 3, 1),
            padding: Padding::Zero,
            ..Self::new(&turned)
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
        let row = self.units(lanes) * M * lanes + ROW;
        [of(self.inputs), of(self.outputs), A * row]
    }
}

/// Floats that a piece of work takes.
pub(super) fn room(filters: &Filters, lanes: usize) -> usize {
    filters.room(lanes).iter().sum()
}

/// How a map is cut into pieces of work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pieces {
    /// Units in a row of tiles.
    across: usize,
    /// Pieces beside each other, and units of one, at most.
    beside: usize,
    wide: usize,
    /// Rows of tiles of a piece, at most.
    tall: usize,
}

impl Pieces {
    /// Of a map of some size.
    pub(super) fn new(filters: &Filters, lanes: usize, size: Size) -> Self {
        let across = size.width.div_ceil(M * lanes);
        let most = filters.units(lanes);
        let (wide, tall) = match across.div_ceil(most) {
            1 => (across, most / across),
            // As equal as possible, in numbers that the kernel makes at once.
            beside => (across.div_ceil(beside).next_multiple_of(UNITS[0]), 1),
        };
        Self {
            across,
            beside: across.div_ceil(wide),
            wide,
            tall,
        }
    }

    /// Rows of a map that strips begin at multiples of; with `sums` if sums are taken, which are those of whole pieces.
    pub(super) fn rows(&self, sums: bool) -> usize {
        M * if sums { self.tall } else { 1 }
    }

    /// Pieces of the map before some row.
    pub(super) fn before(&self, row: usize) -> usize {
        row.div_ceil(M * self.tall) * self.beside
    }
}

/// The rows that are read for some rows, which may lie beyond the border.
pub(super) fn reads(filters: &Filters, rows: &Range<usize>) -> Range<isize> {
    let before = filters.before as isize;
    let (first, behind) = (rows.start / M * M, rows.end.next_multiple_of(M));
    first as isize - before..(behind + A - M) as isize - before
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
    let room: usize = filters.room(lanes).iter().sum();
    let pieces = Pieces::new(filters, lanes, target.size);
    let job = Job {
        filters,
        source,
        target,
        pieces,
    };
    let tiles = target.rows.len().div_ceil(M);
    (0..tiles.div_ceil(pieces.tall) * pieces.beside)
        .into_par_iter()
        .with_max_len(1)
        .try_for_each(|piece| {
            let mut room = context.pool.take::<f32>(room)?;
            with_simd!(context.token, simd => job.piece(simd, piece, &mut room));
            Ok(())
        })
}

/// The units of a piece of work.
struct Units {
    /// Rows of tiles.
    rows: Range<usize>,
    /// The first column, and units from there on.
    left: usize,
    wide: usize,
}

/// Units beside each other.
struct Run {
    /// The first row that they read.
    top: isize,
    units: usize,
    /// The first one in its piece of work.
    index: usize,
}

struct Job<'a> {
    filters: &'a Filters,
    source: &'a Source<'a>,
    target: &'a Target<'a>,
    pieces: Pieces,
}

impl Job<'_> {
    /// The units of a piece.
    fn block<S: Isa>(&self, piece: usize) -> Units {
        let Pieces {
            across,
            beside,
            wide,
            tall,
        } = self.pieces;
        let Range { start, end } = self.target.rows;
        let (top, first) = (start / M + piece / beside * tall, piece % beside * wide);
        let tiles = end.div_ceil(M);
        Units {
            rows: top..(top + tall).min(tiles),
            left: first * M * S::f32s::LEN,
            wide: wide.min(across - first),
        }
    }

    #[inline(always)]
    fn piece<S: Isa>(&self, simd: S, piece: usize, room: &mut [f32]) {
        let lanes = S::f32s::LEN;
        let Filters {
            inputs, outputs, ..
        } = *self.filters;
        let block = self.block::<S>(piece);
        let count = block.wide * block.rows.len();
        let row = count * lanes;
        let [of_v, of_m, _] = self.filters.room(lanes);
        let (v, m) = room.split_at_mut(of_v);
        let (m, rows) = m.split_at_mut(of_m);
        let v = Shared::new(v);
        let before = self.filters.before as isize;
        let left = block.left as isize - before;
        let read = block.wide * M * lanes + A - M;
        let columns = self.source.columns(left, read, self.filters.padding);
        for (index, tile) in block.rows.clone().enumerate() {
            // Units of one row of tiles are read together.
            let run = Run {
                top: (tile * M) as isize - before,
                units: block.wide,
                index: index * block.wide,
            };
            for input in 0..inputs {
                self.load(simd, input, (&run, &columns), rows, (&v, row, inputs * row));
            }
        }
        // SAFETY: `V` is complete, and nobody else has it.
        let v = unsafe { v.part(0, of_v) };
        let taps: Vec<u32> = (0..inputs).map(|input| (input * row) as u32).collect();
        let m = Shared::new(m);
        for point in 0..POINTS {
            let v = &v[point * inputs * row..];
            let weights = &self.filters.weights[point * inputs * outputs..][..inputs * outputs];
            for first in (0..outputs).step_by(CHANNELS) {
                let count = CHANNELS.min(outputs - first);
                let block = Block {
                    taps: &taps,
                    weights: &weights[first * inputs..][..count * inputs],
                    bias: &[0.0; CHANNELS][..count],
                };
                let out = Out {
                    to: &m,
                    start: (point * outputs + first) * row,
                    plane: row,
                    bounds: None,
                };
                product(simd, v, block, row, out);
            }
        }
        for out in 0..outputs {
            let m = (&m, out * row, outputs * row);
            let sums = self.store(simd, out, &block, m, rows);
            let before = self.pieces.before(self.target.rows.start);
            self.target.note(before + piece, outputs, out, sums);
        }
    }

    /// Transforms what units of tiles read of an input, to rows of places of points.
    #[inline(always)]
    fn load<S: Isa>(
        &self,
        simd: S,
        input: usize,
        (run, columns): (&Run, &Columns),
        rows: &mut [f32],
        (v, row, step): (&Shared<'_, f32>, usize, usize),
    ) {
        let lanes = S::f32s::LEN;
        // Four columns for each tile, and two for the last.
        let count = run.units * M * lanes + A - M;
        let pitch = rows.len() / A;
        let starts: [usize; A] = std::array::from_fn(|i| i * pitch);
        for i in 0..A {
            let to = &mut rows[starts[i]..][..count];
            self.source
                .read(simd, input, run.top + i as isize, columns, to);
        }
        for x in (0..count).step_by(lanes) {
            let mut column = [S::f32s::splat(simd, 0.0); A];
            for i in 0..A {
                column[i] = S::f32s::from_slice(simd, &rows[starts[i] + x..][..lanes]);
            }
            let column = F4::input::<S>(column);
            for i in 0..A {
                column[i].store_slice(&mut rows[starts[i] + x..][..lanes]);
            }
        }
        for unit in 0..run.units {
            let start = input * row + (run.index + unit) * lanes;
            for i in 0..A {
                let numbers = &rows[starts[i] + unit * M * lanes..][..(M + 1) * lanes + M];
                let mut here = [S::f32s::splat(simd, 0.0); M];
                let mut there = here;
                for k in 0..M {
                    here[k] = S::f32s::from_slice(simd, &numbers[k * lanes..][..lanes]);
                    there[k] = S::f32s::from_slice(simd, &numbers[k * lanes + M..][..lanes]);
                }
                let [zero, one, two, three] = apart(simd, here);
                let [four, five, ..] = apart(simd, there);
                let points = F4::input::<S>([zero, one, two, three, four, five]);
                // SAFETY: places of this input and unit, at six points, alone.
                let mut places = unsafe { v.spread::<A>(start + i * A * step, step, lanes) };
                for j in 0..A {
                    points[j].store_slice(places.write(j));
                }
            }
        }
    }

    /// Transforms the results of an output for some units back, and writes them.
    #[inline(always)]
    fn store<S: Isa>(
        &self,
        simd: S,
        out: usize,
        block: &Units,
        (m, start, step): (&Shared<'_, f32>, usize, usize),
        rows: &mut [f32],
    ) -> Sums {
        let lanes = S::f32s::LEN;
        let Size { width, height } = self.target.size;
        let bias = S::f32s::splat(simd, self.filters.bias[out]);
        let mut sums = Summer::new(simd);
        let (row, room) = rows.split_at_mut(ROW);
        for index in 0..block.rows.len() * block.wide {
            let top = (block.rows.start + index / block.wide) * M;
            let left = block.left + index % block.wide * M * lanes;
            let zero = S::f32s::splat(simd, 0.0);
            let mut half = [[zero; M]; A];
            for i in 0..A {
                // SAFETY: `M` is complete, and nobody writes to it.
                let places =
                    unsafe { m.spread::<A>(start + i * A * step + index * lanes, step, lanes) };
                let mut row = [zero; A];
                for j in 0..A {
                    row[j] = S::f32s::from_slice(simd, places.read(j));
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
                let place = (top + i, left);
                let to = self.target.row(out, place, columns);
                if columns == M * lanes {
                    for k in 0..M {
                        parts[k].store_slice(&mut to[k * lanes..][..lanes]);
                    }
                } else {
                    for k in 0..M {
                        parts[k].store_slice(&mut row[k * lanes..][..lanes]);
                    }
                    to.copy_from_slice(&row[..columns]);
                }
                self.target.finish(simd, out, place, to, room, &mut sums);
            }
        }
        sums.end()
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
