//! Convolutions of single places: products of matrices.
//!
//! Places lie in a single row. A tile of them is read first, prepared as its [`Source`] says, channel by channel in long runs,
//! into *panels*: some places of all channels, which the [kernel](super::product) then reads in a row however far channels lie
//! apart in memory, and which are whole cache lines of every row that it writes. Maps of sides that are powers of two would
//! have each channel's place in the same few lines of every cache otherwise.

use super::activation::{apply, bounds, copy, transfer};
use super::filters::Filters;
use super::product::{Block, CHANNELS, Out, SLACK, product};
use super::target::{Summer, Target};
use super::view::Source;
use crate::Result;
use crate::cpu::Context;
use crate::cpu::shared::Shared;
use crate::cpu::simd::{Isa, with_simd};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// Places of a panel: whole cache lines, and what kernels of any vectors make at once.
const PANEL: usize = 48;
/// Panels of a tile, at most, and the numbers that it reads, about, at most: half a second-level cache.
const PANELS: usize = 8;
const READ: usize = 64 << 10;
/// Inputs of which so many panels as a tile has may come from the second-level cache again and again.
const FEW: usize = 64;
/// Pieces of work that are wanted, so that threads are busy to the end.
const PIECES: usize = 8;

/// How places are cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    /// Panels of a tile.
    panels: usize,
    tiles: usize,
    /// Parts of the outputs.
    parts: usize,
}

impl Tiling {
    /// For so many places.
    pub(super) fn new(filters: &Filters, places: usize) -> Self {
        let all = places.div_ceil(PANEL);
        let most = (READ / (filters.inputs * PANEL)).clamp(1, PANELS);
        let panels = most.min(all.div_ceil(PIECES)).max(1);
        let tiles = all.div_ceil(panels);
        let blocks = filters.outputs.div_ceil(CHANNELS);
        Self {
            panels,
            tiles,
            parts: PIECES.div_ceil(tiles).min(blocks),
        }
    }

    /// Floats that a piece of work takes: for what is read, for rows that are no whole vectors, and for what is added.
    pub(super) fn room(&self, filters: &Filters) -> [usize; 3] {
        let read = self.panels * filters.inputs * PANEL + SLACK;
        [read, CHANNELS * PANEL + SLACK, PANEL]
    }
}

/// Convolves a single row.
pub(super) fn run(
    context: &Context,
    filters: &Filters,
    source: &Source<'_>,
    target: &mut Target<'_>,
) -> Result<()> {
    let tiling = Tiling::new(filters, source.size.width);
    let bounds = target.take_bounds();
    let taps = (0..filters.inputs).map(|input| (input * PANEL) as u32);
    let job = Job {
        filters,
        source,
        target,
        tiling,
        bounds,
        taps: &taps.collect::<Vec<_>>(),
    };
    let room = tiling.room(filters).iter().sum();
    (0..tiling.tiles * tiling.parts)
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
    bounds: Option<(f32, f32)>,
    taps: &'a [u32],
}

impl Job<'_> {
    #[inline(always)]
    fn piece<S: Isa>(&self, simd: S, piece: usize, room: &mut [f32]) {
        let Tiling { panels, parts, .. } = self.tiling;
        let (tile, part) = (piece / parts, piece % parts);
        let [read, made, _] = self.tiling.room(self.filters);
        let (read, rest) = room.split_at_mut(read);
        let (made, line) = rest.split_at_mut(made);
        let first = tile * panels * PANEL;
        let places = first..(first + panels * PANEL).min(self.source.size.width);
        for input in 0..self.filters.inputs {
            self.read(simd, input, places.clone(), read);
        }
        let blocks = self.filters.outputs.div_ceil(CHANNELS);
        let blocks = blocks * part / parts..blocks * (part + 1) / parts;
        let made = Shared::new(made);
        let inputs = self.filters.inputs;
        let panels = 0..places.len().div_ceil(PANEL);
        let panel = |index: usize| {
            let left = places.start + index * PANEL;
            let count = PANEL.min(places.end - left);
            (&read[index * inputs * PANEL..], (left, count))
        };
        if inputs <= FEW {
            // Long runs of each row are written, which processors foresee.
            for block in blocks {
                for index in panels.clone() {
                    let (read, place) = panel(index);
                    self.make(simd, block * CHANNELS, place, read, &made, line);
                }
            }
            return;
        }
        // A panel stays in the first-level cache, and weights come from the second.
        for index in panels {
            let (read, place) = panel(index);
            for block in blocks.clone() {
                self.make(simd, block * CHANNELS, place, read, &made, line);
            }
        }
    }

    /// Reads places of an input to panels.
    #[inline(always)]
    fn read<S: Isa>(&self, simd: S, input: usize, places: Range<usize>, to: &mut [f32]) {
        let step = self.filters.inputs * PANEL;
        let row = &self.source.row(input, 0)[places];
        let affine = self.source.affine;
        let affine = affine.map(|(scale, shift)| (scale[input], shift[input]));
        let activation = self.source.activation;
        let bounds = activation.and_then(bounds);
        for (index, from) in row.chunks(PANEL).enumerate() {
            let to = &mut to[index * step + input * PANEL..][..from.len()];
            if affine.is_none() && bounds.is_none() {
                copy(simd, from, to);
            } else {
                let all = (f32::NEG_INFINITY, f32::INFINITY);
                transfer(
                    simd,
                    from,
                    to,
                    affine.unwrap_or((1.0, 0.0)),
                    bounds.unwrap_or(all),
                );
            }
            if let (Some(activation), None) = (activation, bounds) {
                apply(simd, activation, to);
            }
        }
    }

    /// Makes some outputs of a panel.
    #[inline(always)]
    fn make<S: Isa>(
        &self,
        simd: S,
        first: usize,
        (left, places): (usize, usize),
        read: &[f32],
        made: &Shared<'_, f32>,
        line: &mut [f32],
    ) {
        let (filters, target) = (self.filters, self.target);
        let count = CHANNELS.min(filters.outputs - first);
        let block = Block {
            taps: self.taps,
            weights: filters.block(0, 0, first, count),
            bias: &filters.bias[first..][..count],
        };
        // Whole vectors are made where they belong.
        let in_place = places % S::f32s::LEN == 0;
        let (to, start, plane) = match in_place {
            true => (
                &target.lines.data,
                target.place(first, (0, left)),
                target.lines.plane,
            ),
            false => (made, 0, PANEL),
        };
        let out = Out {
            to,
            start,
            plane,
            bounds: self.bounds,
        };
        product(simd, read, block, places, out);
        if in_place && target.is_plain() {
            return;
        }
        for index in 0..count {
            let (channel, place) = (first + index, (0, left));
            let row = target.row(channel, place, places);
            if !in_place {
                // SAFETY: nobody writes there while it is read.
                copy(simd, unsafe { made.part(index * PANEL, places) }, row);
            }
            target.finish(simd, channel, place, row, line, &mut Summer::new(simd));
        }
    }
}
