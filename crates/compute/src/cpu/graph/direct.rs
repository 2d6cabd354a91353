//! Convolutions by their definition, piece by piece.
//!
//! The places that are made are cut into tiles. What a tile reads is copied first, prepared as its
//! [`Source`] says and continued beyond the border, into rows that fit the second-level cache; columns lie by their
//! remainder to the stride, so that vectors run along rows whatever it is. Then the [kernel](super::product) runs,
//! some output channels at a time, and the rows that it makes go to their [`Target`].

use super::filters::{Filters, Packed};
use super::product::{Block, CHANNELS, Out, SLACK, product};
use super::target::{Summer, Sums, Target};
use super::view::{Columns, Source};
use crate::cpu::Context;
use crate::cpu::shared::Shared;
use crate::cpu::simd::{Isa, with_simd};
use crate::{Result, Size};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// Numbers that are read for a tile, about, at most: half a second-level cache.
const READ: usize = 64 << 10;
/// Rows and columns of a tile, at most. Columns are a multiple of every number of them that the kernel makes at once.
const TILE: [usize; 2] = [16, 192];
/// Columns below which several rows are made as one, the places between them with them.
const NARROW: usize = 48;
/// Output channels that are made before they are written.
const MADE: usize = 4 * CHANNELS;
/// Pieces of work that are wanted, so that threads are busy to the end.
const PIECES: usize = 16;

/// How a convolution of some size is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tiling {
    /// Of a tile, in places over which phases lie.
    rows: usize,
    columns: usize,
    /// Tiles beside each other.
    across: usize,
    /// Parts of the output channels: blocks, or groups where there are several.
    parts: usize,
}

impl Tiling {
    /// For places over which phases lie.
    pub(super) fn new(filters: &Filters, places: Size) -> Self {
        let inputs = filters.inputs / filters.groups;
        let stride = filters.stride;
        let read = |rows: usize, columns: usize| {
            let [h, w] = filters.span;
            inputs * ((rows - 1) * stride + h) * ((columns - 1) * stride + w)
        };
        let across = places.width.div_ceil(TILE[1]);
        // Columns as equal as possible, in whole vectors of any length.
        let even = |across: usize| match across {
            1 => places.width,
            _ => places.width.div_ceil(across).next_multiple_of(24),
        };
        let (mut rows, mut columns) = (TILE[0].min(places.height), even(across));
        while read(rows, columns) > READ && (rows > 1 || columns > 24) {
            if rows > 4 || (columns <= 48 && rows > 1) {
                rows = rows.div_ceil(2);
            } else if columns > 48 {
                columns = (columns / 2).next_multiple_of(24);
            } else {
                columns = 24.min(columns - 1);
            }
        }
        let tiles = |rows: usize| places.height.div_ceil(rows) * places.width.div_ceil(columns);
        // Groups are shared between threads by themselves.
        while filters.groups == 1 && tiles(rows) < PIECES && rows > 4 {
            rows = rows.div_ceil(2);
        }
        let most = match filters.groups {
            1 => filters.outputs.div_ceil(MADE),
            groups => groups,
        };
        let heavy = filters.groups > 1 || filters.outputs >= 4 * MADE;
        let parts = match heavy {
            true => PIECES.div_ceil(tiles(rows)).min(most),
            false => 1,
        };
        Self {
            rows,
            columns,
            across: places.width.div_ceil(columns),
            parts,
        }
    }

    /// Rows of places that strips begin at multiples of, if sums are taken, which are those of whole tiles.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Tiles before some row of places.
    pub(super) fn before(&self, row: usize) -> usize {
        row.div_ceil(self.rows) * self.across
    }

    /// How rows lie that are read.
    fn packed(&self, filters: &Filters) -> Packed {
        let [h, w] = filters.span;
        let stride = filters.stride;
        let part = self.columns + (w - 1) / stride;
        let pitch = part * stride;
        let plane = ((self.rows - 1) * stride + h) * pitch;
        Packed { pitch, part, plane }
    }

    /// Whether all rows of a tile are made as one, and how rows lie that are made: from one to the next, from one channel
    /// to the next.
    fn made(&self, filters: &Filters, packed: &Packed) -> (bool, usize, usize) {
        let flat = filters.stride == 1 && self.columns < NARROW;
        let pitch = match flat {
            true => packed.pitch,
            false => self.columns.next_multiple_of(SLACK),
        };
        (flat, pitch, self.rows * pitch + SLACK)
    }

    /// Floats that a piece of work needs: for what is read, for what is made, and for rows on their way.
    fn room(&self, filters: &Filters) -> [usize; 3] {
        let packed = self.packed(filters);
        let (_, _, plane) = self.made(filters, &packed);
        let outputs = (filters.outputs / filters.groups).min(MADE);
        let inputs = filters.inputs / filters.groups;
        let row = packed.pitch.max(self.columns * filters.phases);
        [
            inputs * packed.plane + 8 * SLACK,
            filters.squares() * outputs * plane + 8 * SLACK,
            2 * row,
        ]
    }

    /// Floats that a piece of work takes.
    pub(super) fn floats(&self, filters: &Filters) -> usize {
        self.room(filters).iter().sum()
    }
}

/// The rows that are read for some rows of places, which may lie beyond the border.
pub(super) fn reads(filters: &Filters, size: Size, rows: &Range<usize>) -> Range<isize> {
    let [before, _] = filters.reach.before(size, filters.stride);
    let first = (rows.start * filters.stride) as isize - before as isize;
    let last = (rows.end - 1) * filters.stride + filters.span[0];
    first..last as isize - before as isize
}

/// Convolves. What is made has `phases` times as many rows and columns as `places`.
pub(super) fn run(
    context: &Context,
    filters: &Filters,
    source: &Source<'_>,
    tiling: Tiling,
    places: Size,
    target: &mut Target<'_>,
) -> Result<()> {
    let bounds = target.take_bounds();
    let target = &*target;
    let packed = tiling.packed(filters);
    let taps = (0..filters.squares()).map(|phase| filters.places(phase, &packed));
    let taps: Vec<_> = taps.collect();
    let size = source.size();
    let job = Job {
        filters,
        source,
        target,
        tiling,
        packed,
        before: filters.reach.before(size, filters.stride),
        places,
        taps: &taps,
        bounds,
    };
    let room = tiling.floats(filters);
    let rows = target.rows.len() / filters.phases;
    (0..tiling.before(rows) * tiling.parts)
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
    tiling: Tiling,
    packed: Packed,
    before: [usize; 2],
    places: Size,
    taps: &'a [Vec<u32>],
    bounds: Option<(f32, f32)>,
}

/// A tile.
struct Tile {
    index: usize,
    top: usize,
    left: usize,
    rows: usize,
    columns: usize,
}

impl Job<'_> {
    #[inline(always)]
    fn piece<S: Isa>(&self, simd: S, piece: usize, room: &mut [f32]) {
        let Tiling {
            rows,
            columns,
            across,
            parts,
            ..
        } = self.tiling;
        let (index, part) = (piece / parts, piece % parts);
        let Range { start, end } = self.target.rows;
        let (first, behind) = (start / self.filters.phases, end / self.filters.phases);
        let (top, left) = (first + index / across * rows, index % across * columns);
        let tile = Tile {
            index: self.tiling.before(first) + index,
            top,
            left,
            rows: rows.min(behind - top),
            columns: columns.min(self.places.width - left),
        };
        let [read, made, _] = self.tiling.room(self.filters);
        let (read, rest) = room.split_at_mut(read);
        let (made, line) = rest.split_at_mut(made);
        let filters = self.filters;
        let (groups, outputs) = (filters.groups, filters.outputs / filters.groups);
        let left = (tile.left * filters.stride) as isize - self.before[1] as isize;
        let count = (tile.columns - 1) * filters.stride + filters.span[1];
        let columns = self.source.columns(left, count, filters.reach.padding());
        let share = |all: usize| all * part / parts..all * (part + 1) / parts;
        let blocks = outputs.div_ceil(MADE);
        let (groups, blocks) = match groups {
            1 => (0..1, share(blocks)),
            _ => (share(groups), 0..blocks),
        };
        for group in groups {
            self.read(simd, &tile, group, (&columns, count), read, line);
            self.make(simd, &tile, group, blocks.clone(), read, made, line);
        }
    }

    /// Copies what a tile reads of a group's inputs.
    #[inline(always)]
    fn read<S: Isa>(
        &self,
        simd: S,
        tile: &Tile,
        group: usize,
        (columns, count): (&Columns, usize),
        to: &mut [f32],
        line: &mut [f32],
    ) {
        let filters = self.filters;
        let (stride, inputs) = (filters.stride, filters.inputs / filters.groups);
        let top = (tile.top * stride) as isize - self.before[0] as isize;
        let h = filters.span[0];
        let Packed { pitch, part, plane } = self.packed;
        for input in 0..inputs {
            for row in 0..(tile.rows - 1) * stride + h {
                let to = &mut to[input * plane + row * pitch..][..pitch];
                let channel = group * inputs + input;
                let y = top + row as isize;
                if stride == 1 {
                    self.source
                        .read(simd, channel, y, columns, &mut to[..count]);
                    continue;
                }
                let line = &mut line[..count];
                self.source.read(simd, channel, y, columns, line);
                if stride == 2 {
                    let (even, odd) = to.split_at_mut(part);
                    halve(simd, line, even, odd);
                    continue;
                }
                for (remainder, to) in to.chunks_exact_mut(part).enumerate().take(count) {
                    let from = line[remainder..].iter().step_by(stride);
                    for (to, value) in to.iter_mut().zip(from) {
                        *to = *value;
                    }
                }
            }
        }
    }

    /// Makes some blocks of outputs of a group.
    #[inline(always)]
    #[allow(clippy::too_many_arguments, reason = "three parts of one room")]
    fn make<S: Isa>(
        &self,
        simd: S,
        tile: &Tile,
        group: usize,
        blocks: Range<usize>,
        read: &[f32],
        made: &mut [f32],
        line: &mut [f32],
    ) {
        let filters = self.filters;
        let outputs = filters.outputs / filters.groups;
        let (flat, pitch, plane) = self.tiling.made(filters, &self.packed);
        let (rows, columns) = match flat {
            true => (1, (tile.rows - 1) * pitch + tile.columns),
            false => (tile.rows, tile.columns),
        };
        // Rows of whole vectors are made where they belong.
        let in_place = !flat && filters.phases == 1 && columns % S::f32s::LEN == 0;
        let (here, target) = (Shared::new(made), &self.target.lines);
        for block in blocks {
            let channels = block * MADE..((block + 1) * MADE).min(outputs);
            for phase in 0..filters.squares() {
                for first in channels.clone().step_by(CHANNELS) {
                    let count = CHANNELS.min(channels.end - first);
                    let block = Block {
                        taps: &self.taps[phase],
                        weights: filters.block(phase, group, first, count),
                        bias: &filters.bias[group * outputs + first..][..count],
                    };
                    let index = phase * channels.len() + first - channels.start;
                    for row in 0..rows {
                        let read = &read[row * filters.stride * self.packed.pitch..];
                        let (to, start, plane) = match in_place {
                            true => {
                                let place = (tile.top + row, tile.left);
                                let start = self.target.place(group * outputs + first, place);
                                (&target.data, start, target.plane)
                            }
                            false => (&here, index * plane + row * pitch, plane),
                        };
                        let out = Out {
                            to,
                            start,
                            plane,
                            bounds: self.bounds,
                        };
                        product(simd, read, block, columns, out);
                    }
                }
            }
            if in_place && self.target.is_plain() {
                continue;
            }
            for channel in channels.clone() {
                let index = (channel - channels.start) * plane;
                let phase = channels.len() * plane;
                let channel = group * outputs + channel;
                let sums = match in_place {
                    true => self.finish(simd, tile, channel, line),
                    false => {
                        // SAFETY: nobody writes there while it is read.
                        let from =
                            unsafe { here.part(index, self.tiling.room(filters)[1] - index) };
                        self.write(simd, tile, channel, from, (pitch, phase), line)
                    }
                };
                self.target.note(tile.index, filters.outputs, channel, sums);
            }
        }
    }

    /// Finishes what was made of a channel where it belongs.
    #[inline(always)]
    fn finish<S: Isa>(&self, simd: S, tile: &Tile, channel: usize, room: &mut [f32]) -> Sums {
        let mut sums = Summer::new(simd);
        for row in 0..tile.rows {
            let place = (tile.top + row, tile.left);
            let numbers = self.target.row(channel, place, tile.columns);
            self.target
                .finish(simd, channel, place, numbers, room, &mut sums);
        }
        sums.end()
    }

    /// Writes what was made of a channel; phases lie some distance from each other.
    #[inline(always)]
    fn write<S: Isa>(
        &self,
        simd: S,
        tile: &Tile,
        channel: usize,
        made: &[f32],
        (pitch, phase): (usize, usize),
        line: &mut [f32],
    ) -> Sums {
        let phases = self.filters.phases;
        let mut sums = Summer::new(simd);
        let (line, room) = line.split_at_mut(line.len() / 2);
        for row in 0..tile.rows {
            if phases == 1 {
                let numbers = &made[row * pitch..][..tile.columns];
                let place = (tile.top + row, tile.left);
                self.target
                    .put(simd, channel, place, numbers, room, &mut sums);
                continue;
            }
            for a in 0..phases {
                let line = &mut line[..tile.columns * phases];
                let from = |b: usize| {
                    let from = (a * phases + b) * phase + row * pitch;
                    &made[from..][..tile.columns]
                };
                if phases == 2 {
                    join(simd, from(0), from(1), line);
                } else {
                    for b in 0..phases {
                        let to = line[b..].iter_mut().step_by(phases);
                        for (to, value) in to.zip(from(b)) {
                            *to = *value;
                        }
                    }
                }
                let place = ((tile.top + row) * phases + a, tile.left * phases);
                self.target.put(simd, channel, place, line, room, &mut sums);
            }
        }
        sums.end()
    }
}

/// Numbers at even and at odd places.
#[inline(always)]
fn halve<S: Isa>(simd: S, from: &[f32], even: &mut [f32], odd: &mut [f32]) {
    let len = S::f32s::LEN;
    let mut at = 0;
    while 2 * (at + len) <= from.len() {
        let first = S::f32s::from_slice(simd, &from[2 * at..][..len]);
        let second = S::f32s::from_slice(simd, &from[2 * at + len..][..len]);
        let (evens, odds) = first.deinterleave(second);
        evens.store_slice(&mut even[at..at + len]);
        odds.store_slice(&mut odd[at..at + len]);
        at += len;
    }
    for (index, value) in from.iter().enumerate().skip(2 * at) {
        match index % 2 {
            0 => even[index / 2] = *value,
            _ => odd[index / 2] = *value,
        }
    }
}

/// Puts them together again.
#[inline(always)]
fn join<S: Isa>(simd: S, even: &[f32], odd: &[f32], to: &mut [f32]) {
    let len = S::f32s::LEN;
    let mut at = 0;
    while at + len <= even.len() {
        let evens = S::f32s::from_slice(simd, &even[at..at + len]);
        let odds = S::f32s::from_slice(simd, &odd[at..at + len]);
        let (first, second) = evens.interleave(odds);
        first.store_slice(&mut to[2 * at..][..len]);
        second.store_slice(&mut to[2 * at + len..][..len]);
        at += len;
    }
    for index in at..even.len() {
        (to[2 * index], to[2 * index + 1]) = (even[index], odd[index]);
    }
}
