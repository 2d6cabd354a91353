//! 3×3 convolutions of every channel by itself: rows are read once into lines that stay in the first-level cache, prepared as
//! their [`Source`] says and continued beyond the border, and results are made where they belong. There are too few products
//! for each number that anything else would pay.

use super::activation::copy;
use super::filters::{Filters, Reach};
use super::target::{Summer, Target};
use super::view::{Columns, Source};
use crate::Result;
use crate::cpu::Context;
use crate::cpu::simd::{Isa, with_simd};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// Results of a piece of work, about.
const PIECE: usize = 32 << 10;
/// Lanes of the longest vectors.
const MOST_LANES: usize = 16;
/// Vectors of results at once, whose sums are in registers beside nine weights.
const VECTORS: usize = 4;

/// Whether filters are such.
pub(super) fn fits(filters: &Filters) -> bool {
    let each = [filters.inputs, filters.outputs].map(|channels| channels / filters.groups);
    // Transposed filters have their taps in another order.
    let ordinary = matches!(filters.reach, Reach::Border(..));
    ordinary && each == [1, 1] && filters.span == [3, 3] && filters.stride <= 2
}

/// Floats that a piece of work takes, of a map of some width: for three lines that are read, and for one that is added.
pub(super) fn room(filters: &Filters, width: usize) -> [usize; 2] {
    [3 * pitch(filters, width), width]
}

/// From one line that is read to the next; kernels read whole vectors.
fn pitch(filters: &Filters, width: usize) -> usize {
    width.next_multiple_of(MOST_LANES) * filters.stride + MOST_LANES
}

/// Convolves; no sums are taken.
pub(super) fn run(
    context: &Context,
    filters: &Filters,
    source: &Source<'_>,
    target: &mut Target<'_>,
) -> Result<()> {
    let bounds = target.take_bounds();
    let (rows, width) = (target.rows.len(), target.size.width);
    let [top, left] = filters.reach.before(source.size(), filters.stride);
    let count = (width - 1) * filters.stride + 3;
    let job = Job {
        filters,
        source,
        target,
        bounds,
        top,
        columns: source.columns(-(left as isize), count, filters.reach.padding()),
        count,
        pitch: pitch(filters, width),
    };
    // Channels together that are small, parts of those that are large.
    let together = (PIECE / (rows * width)).clamp(1, filters.groups);
    let parts = (rows * width).div_ceil(2 * PIECE);
    let room = room(filters, width);
    (0..filters.groups.div_ceil(together) * parts)
        .into_par_iter()
        .with_max_len(1)
        .try_for_each(|piece| {
            let (first, part) = (piece / parts * together, piece % parts);
            let channels = first..(first + together).min(filters.groups);
            let from = |part: usize| job.target.rows.start + rows * part / parts;
            let mut all = context.pool.take::<f32>(room.iter().sum())?;
            let (lines, added) = all.split_at_mut(room[0]);
            with_simd!(context.token, simd => {
                for channel in channels {
                    job.channel(simd, channel, from(part)..from(part + 1), lines, added);
                }
            });
            Ok(())
        })
}

struct Job<'a> {
    filters: &'a Filters,
    source: &'a Source<'a>,
    target: &'a Target<'a>,
    bounds: Option<(f32, f32)>,
    /// Rows before the first one that is read.
    top: usize,
    /// Those of a line, and how many they are.
    columns: Columns,
    count: usize,
    pitch: usize,
}

impl Job<'_> {
    /// Makes rows of a channel.
    #[inline(always)]
    fn channel<S: Isa>(
        &self,
        simd: S,
        channel: usize,
        rows: Range<usize>,
        lines: &mut [f32],
        added: &mut [f32],
    ) {
        let weights = self.filters.block(0, channel, 0, 1);
        let mut kernel = Kernel {
            simd,
            bias: S::f32s::splat(simd, self.filters.bias[channel]),
            weights: [S::f32s::splat(simd, 0.0); 9],
            bounds: self.bounds,
        };
        for tap in 0..9 {
            kernel.weights[tap] = S::f32s::splat(simd, weights[tap]);
        }
        let line = |row: isize| row.rem_euclid(3) as usize * self.pitch;
        let mut next = isize::MIN;
        for y in rows {
            let top = (y * self.filters.stride) as isize - self.top as isize;
            next = next.max(top);
            while next < top + 3 {
                let to = &mut lines[line(next)..][..self.count];
                self.source.read(simd, channel, next, &self.columns, to);
                next += 1;
            }
            let read = [
                &lines[line(top)..],
                &lines[line(top + 1)..],
                &lines[line(top + 2)..],
            ];
            let to = self.target.row(channel, (y, 0), self.target.size.width);
            match self.filters.stride {
                1 => kernel.row::<1>(read, to),
                _ => kernel.row::<2>(read, to),
            }
            if !self.target.is_plain() {
                let sums = &mut Summer::new(simd);
                self.target.finish(simd, channel, (y, 0), to, added, sums);
            }
        }
    }
}

/// The weights of a channel.
struct Kernel<S: Isa> {
    simd: S,
    bias: S::f32s,
    weights: [S::f32s; 9],
    bounds: Option<(f32, f32)>,
}

impl<S: Isa> Kernel<S> {
    /// Makes a row of results, of lines from the first column that is read.
    #[inline(always)]
    fn row<const STRIDE: usize>(&self, lines: [&[f32]; 3], to: &mut [f32]) {
        let len = S::f32s::LEN;
        let mut x = 0;
        while x + VECTORS * len <= to.len() {
            self.vectors::<STRIDE, VECTORS>(lines, x, &mut to[x..x + VECTORS * len]);
            x += VECTORS * len;
        }
        while x + len <= to.len() {
            self.vectors::<STRIDE, 1>(lines, x, &mut to[x..x + len]);
            x += len;
        }
        if x < to.len() {
            let mut made = [0.0; MOST_LANES];
            self.vectors::<STRIDE, 1>(lines, x, &mut made[..len]);
            let count = to.len() - x;
            copy(self.simd, &made[..count], &mut to[x..]);
        }
    }

    /// Makes vectors of results from a column on.
    #[inline(always)]
    fn vectors<const STRIDE: usize, const V: usize>(
        &self,
        lines: [&[f32]; 3],
        x: usize,
        to: &mut [f32],
    ) {
        let (simd, len) = (self.simd, S::f32s::LEN);
        let mut sums = [self.bias; V];
        // No closures: what is not inlined has not the instructions.
        for y in 0..3 {
            let row = &lines[y][x * STRIDE..][..V * len * STRIDE + 2];
            for v in 0..V {
                let at = v * len * STRIDE;
                let first = S::f32s::from_slice(simd, &row[at..at + len]);
                let third = S::f32s::from_slice(simd, &row[at + 2..at + 2 + len]);
                let values = if STRIDE == 1 {
                    let second = S::f32s::from_slice(simd, &row[at + 1..at + 1 + len]);
                    [first, second, third]
                } else {
                    let first_end = S::f32s::from_slice(simd, &row[at + len..at + 2 * len]);
                    let third_end = &row[at + len + 2..at + 2 * len + 2];
                    let third_end = S::f32s::from_slice(simd, third_end);
                    let (even, odd) = first.deinterleave(first_end);
                    [even, odd, third.deinterleave(third_end).0]
                };
                for x in 0..3 {
                    sums[v] = values[x].mul_add(self.weights[3 * y + x], sums[v]);
                }
            }
        }
        if let Some((low, high)) = self.bounds {
            let (low, high) = (S::f32s::splat(simd, low), S::f32s::splat(simd, high));
            for v in 0..V {
                sums[v] = sums[v].max(low).min(high);
            }
        }
        for v in 0..V {
            sums[v].store_slice(&mut to[v * len..(v + 1) * len]);
        }
    }
}
