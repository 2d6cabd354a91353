//! Filters of a convolution, transformed for Winograd: `U = G g Gᵀ` for every pair of channels.
//!
//! Laid out as the micro-kernel reads them, `[point][out/16][in][16]`: for each point of the tile a matrix in panels
//! of 16 output channels. Channels that fill up the last block are zero. Computed in f64, rounded once.

use super::Context;
use super::memory::Buffer;
use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes, with_simd};
use super::tile::Tile;
use crate::{Conv3x3, Result};
use rayon::prelude::*;

/// Which way a convolution is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// From input to output.
    Forward,
    /// From the gradient towards the output to that towards the input: filters mirrored, channels exchanged.
    Backward,
}

/// Transformed filters.
#[derive(Debug)]
pub(super) struct Filters {
    /// Blocks of channels read.
    pub(super) blocks_in: usize,
    /// Blocks of channels written.
    pub(super) blocks_out: usize,
    points: Buffer,
}

impl Filters {
    /// Transforms the filters of a convolution.
    pub(super) fn new<const M: usize, const A: usize, W: Tile<M, A>>(
        context: &Context,
        conv: &Conv3x3,
        direction: Direction,
    ) -> Result<Self> {
        let (channels_in, channels_out) = match direction {
            Direction::Forward => (conv.in_channels, conv.out_channels),
            Direction::Backward => (conv.out_channels, conv.in_channels),
        };
        let (blocks_in, blocks_out) = (channels_in.div_ceil(LANES), channels_out.div_ceil(LANES));
        let rows = blocks_in * LANES;
        let mut points: Buffer = context.pool.take(A * A * blocks_out * rows * LANES)?;
        let shared = Shared::new(points.as_chunks_mut::<LANES>().0);
        (0..blocks_out * rows).into_par_iter().with_min_len(64).for_each(|index| {
            let (block, row) = (index / rows, index % rows);
            let mut taps = [[0.0; LANES]; 9];
            if row < channels_in {
                for lane in 0..LANES.min(channels_out - block * LANES) {
                    let column = block * LANES + lane;
                    let pair = match direction {
                        Direction::Forward => column * conv.in_channels + row,
                        Direction::Backward => row * conv.in_channels + column,
                    };
                    for (tap, weight) in conv.weight[pair * 9..][..9].iter().enumerate() {
                        let tap = match direction {
                            Direction::Forward => tap,
                            Direction::Backward => 8 - tap,
                        };
                        taps[tap][lane] = *weight;
                    }
                }
            }
            with_simd!(context.token, simd => transform::<_, M, A, W>(simd, &taps, |point, lanes| {
                // SAFETY: every (point, block, row) is written by one task, once.
                let place = unsafe { shared.part(point * blocks_out * rows + index, 1) };
                place[0] = lanes;
            }));
        });
        Ok(Self {
            blocks_in,
            blocks_out,
            points,
        })
    }

    /// The panels of one point: `[out/16][in][16]`.
    pub(super) fn point(&self, point: usize) -> &[Lanes] {
        let len = self.blocks_in * LANES * self.blocks_out;
        &self.points.as_chunks().0[point * len..][..len]
    }
}

/// `G g Gᵀ` of 16 filters at once; the lane loops become vectors.
#[inline(always)]
fn transform<S: Isa, const M: usize, const A: usize, W: Tile<M, A>>(
    _: S,
    taps: &[Lanes; 9],
    mut write: impl FnMut(usize, Lanes),
) {
    let mut half = [[[0.0; LANES]; 3]; A];
    for s in 0..3 {
        for lane in 0..LANES {
            let column =
                W::filter([taps[s][lane], taps[3 + s][lane], taps[6 + s][lane]].map(f64::from));
            for a in 0..A {
                half[a][s][lane] = column[a];
            }
        }
    }
    for (a, half) in half.iter().enumerate() {
        let mut points = [[0.0; LANES]; A];
        for lane in 0..LANES {
            let row = W::filter([half[0][lane], half[1][lane], half[2][lane]]);
            for b in 0..A {
                points[b][lane] = row[b] as f32;
            }
        }
        for (b, lanes) in points.into_iter().enumerate() {
            write(a * A + b, lanes);
        }
    }
}
