//! Filters of a convolution, transformed for Winograd: `U = G g Gᵀ` for every pair of channels.
//!
//! Laid out as the micro-kernel reads them, `[point][out/16][in][16]`: for each point of the tile a matrix in panels
//! of 16 output channels. Channels that fill up the last block are zero. Computed in f64, rounded once.

use super::Context;
use super::format::Format;
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

/// Transformed filters, in the format in which they are multiplied.
#[derive(Debug)]
pub(super) struct Filters<F: Format> {
    /// Blocks of channels read.
    pub(super) blocks_in: usize,
    /// Blocks of channels written.
    pub(super) blocks_out: usize,
    points: Buffer<F::Word>,
}

impl<F: Format> Filters<F> {
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
        // The part of a panel that belongs to one block of input channels.
        let part = LANES * F::WORDS;
        let panels = blocks_in * blocks_out;
        let mut points = context.pool.take(A * A * panels * part)?;
        let shared = Shared::new(&mut points);
        (0..panels).into_par_iter().for_each(|panel| {
            let (block_out, block_in) = (panel / blocks_in, panel % blocks_in);
            let taps = |row: usize| {
                let mut taps = [[0.0; LANES]; 9];
                let row = block_in * LANES + row;
                for lane in 0..LANES {
                    let column = block_out * LANES + lane;
                    if row < channels_in && column < channels_out {
                        let (start, mirrored) = match direction {
                            Direction::Forward => (column * conv.in_channels + row, false),
                            Direction::Backward => (row * conv.in_channels + column, true),
                        };
                        for (tap, weight) in conv.weight[start * 9..][..9].iter().enumerate() {
                            taps[if mirrored { 8 - tap } else { tap }][lane] = *weight;
                        }
                    }
                }
                taps
            };
            for pair in 0..LANES / 2 {
                let (low, high) = (taps(pair), taps(pair + LANES / 2));
                with_simd!(context.token, simd => {
                    let low = transform::<_, M, A, W>(simd, &low);
                    let high = transform::<_, M, A, W>(simd, &high);
                    for (point, (low, high)) in low.iter().flatten().zip(high.iter().flatten()).enumerate() {
                        // SAFETY: each part of each panel is written by one task.
                        let words = unsafe { shared.part((point * panels + panel) * part, part) };
                        F::store_rows(low, high, pair, words);
                    }
                });
            }
        });
        Ok(Self {
            blocks_in,
            blocks_out,
            points,
        })
    }

    /// The panels of one point: `[out/16][in][16]`.
    pub(super) fn point(&self, point: usize) -> &[F::Word] {
        let len = self.blocks_in * self.blocks_out * LANES * F::WORDS;
        &self.points[point * len..][..len]
    }
}

/// `G g Gᵀ` of 16 filters at once; the lane loops become vectors.
#[inline(always)]
fn transform<S: Isa, const M: usize, const A: usize, W: Tile<M, A>>(
    _: S,
    taps: &[Lanes; 9],
) -> [[Lanes; A]; A] {
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
    let mut points = [[[0.0; LANES]; A]; A];
    for (half, points) in half.iter().zip(&mut points) {
        for lane in 0..LANES {
            let row = W::filter([half[0][lane], half[1][lane], half[2][lane]]);
            for b in 0..A {
                points[b][lane] = row[b] as f32;
            }
        }
    }
    points
}
