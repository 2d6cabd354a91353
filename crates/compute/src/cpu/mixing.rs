//! Matrices that mix the channels of every pixel: `y = W·x + b`, a 1×1 convolution.
//!
//! This is what heads are, and what the gradient of moments is. Pixels are taken in blocks that stay in the
//! second-level cache of a core. Gradients may be multiplied in bfloat16, as those of convolutions then are.

use super::Context;
use super::format::{Format, Half, Single};
use super::memory::Buffer;
use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes, with_simd};
use crate::{Head, Result};
use fearless_simd::prelude::*;
use rayon::prelude::*;

/// Pixels of a block are a multiple of this, which is a multiple of the rows of every micro-kernel.
const PIXELS: usize = 42;
/// Size of a block's features, about.
const BLOCK_BYTES: usize = 96 << 10;

/// A matrix `[out, in]` and a bias `[out]`.
#[derive(Debug)]
pub(super) struct Matrix {
    blocks_out: usize,
    blocks_in: usize,
    columns: Columns,
    bias: Vec<Lanes>,
}

/// The weights, `[out/16][in][16]`, in the format in which they are multiplied.
#[derive(Debug)]
enum Columns {
    Single(Vec<Lanes>),
    Half(Vec<u32>),
}

/// Some pixels of every block of channels of a map.
#[derive(Clone, Copy)]
pub(super) struct Pixels {
    /// Pixels from one block of channels to the next.
    pub(super) stride: usize,
    pub(super) start: usize,
    pub(super) count: usize,
}

impl Pixels {
    /// All pixels of a map.
    pub(super) fn all(count: usize) -> Self {
        Self {
            stride: count,
            start: 0,
            count,
        }
    }
}

/// What a matrix is applied to.
pub(super) enum Operand<'a> {
    /// `map = W·map + b + add`.
    InPlace {
        map: &'a mut [Lanes],
        add: Option<&'a [Lanes]>,
    },
    /// `out = W·x + b`.
    Into {
        x: &'a [Lanes],
        out: &'a mut [Lanes],
    },
    /// `out = W·x + b + add`, where `x` lies elsewhere in its map.
    Across {
        x: &'a [Lanes],
        there: Pixels,
        out: &'a mut [Lanes],
        add: Option<&'a [Lanes]>,
    },
    /// `out += W·x + b`, where `x` lies elsewhere in its map.
    Onto {
        x: &'a [Lanes],
        there: Pixels,
        out: &'a mut [Lanes],
    },
}

impl Matrix {
    /// A matrix from its entries, by output and input, and its bias.
    pub(super) fn new(
        (outputs, inputs): (usize, usize),
        weight: impl Fn(usize, usize) -> f32 + Sync,
        bias: impl Fn(usize) -> f32,
    ) -> Self {
        let (blocks_out, blocks_in) = (outputs.div_ceil(LANES), inputs.div_ceil(LANES));
        let depth = blocks_in * LANES;
        let mut panels = vec![[0.0; LANES]; blocks_out * depth];
        panels
            .par_chunks_exact_mut(depth)
            .enumerate()
            .for_each(|(block, panel)| {
                for (k, lanes) in panel[..inputs].iter_mut().enumerate() {
                    for (lane, value) in lanes.iter_mut().enumerate().take(outputs - block * LANES)
                    {
                        *value = weight(block * LANES + lane, k);
                    }
                }
            });
        let mut lanes = vec![[0.0; LANES]; blocks_out];
        (0..outputs).for_each(|out| lanes[out / LANES][out % LANES] = bias(out));
        Self {
            blocks_out,
            blocks_in,
            columns: Columns::Single(panels),
            bias: lanes,
        }
    }

    /// What a head makes of the channels of its trunk.
    pub(super) fn of_head(head: &Head, inputs: usize) -> Self {
        Self::new(
            (head.out_channels, inputs),
            |out, k| head.weight[out * inputs + k],
            |out| head.bias[out],
        )
    }

    /// The way back through a head, to the channels of its trunk.
    pub(super) fn back_through_head(head: &Head, inputs: usize) -> Self {
        Self::new(
            (inputs, head.out_channels),
            |out, k| head.weight[k * inputs + out],
            |_| 0.0,
        )
    }

    /// The same matrix, rounded to bfloat16 and multiplied in it, for processors that do that.
    pub(super) fn in_half(mut self) -> Self {
        if let Columns::Single(panels) = &self.columns {
            let blocks = panels.as_chunks::<LANES>().0;
            let mut words = vec![0; blocks.len() * LANES * Half::WORDS];
            let parts = words.chunks_exact_mut(LANES * Half::WORDS);
            for (rows, part) in blocks.iter().zip(parts) {
                for pair in 0..LANES / 2 {
                    Half::store_rows(&rows[pair], &rows[pair + LANES / 2], pair, part);
                }
            }
            self.columns = Columns::Half(words);
        }
        self
    }

    /// Mixes the channels of some pixels.
    pub(super) fn apply(
        &self,
        context: &Context,
        pixels: Pixels,
        operand: Operand<'_>,
    ) -> Result<()> {
        match &self.columns {
            Columns::Single(panels) => {
                self.apply_as::<Single>(context, panels.as_flattened(), pixels, operand)
            }
            Columns::Half(words) => self.apply_as::<Half>(context, words, pixels, operand),
        }
    }

    fn apply_as<F: Format>(
        &self,
        context: &Context,
        columns: &[F::Word],
        pixels: Pixels,
        operand: Operand<'_>,
    ) -> Result<()> {
        let bytes = self.blocks_in.max(self.blocks_out) * LANES * size_of::<f32>();
        let block = (BLOCK_BYTES / (bytes * PIXELS)).max(1) * PIXELS;
        let (x, out, add, onto) = match operand {
            Operand::InPlace { map, add } => (None, map, add, false),
            Operand::Into { x, out } => (Some((x, pixels)), out, None, false),
            Operand::Across { x, there, out, add } => (Some((x, there)), out, add, false),
            Operand::Onto { x, there, out } => (Some((x, there)), out, None, true),
        };
        let shared = Shared::new(out);
        (0..pixels.count.div_ceil(block))
            .into_par_iter()
            .try_for_each(|index| {
                let start = pixels.start + index * block;
                let count = block.min(pixels.count - index * block);
                let mut v: Buffer<F::Word> =
                    context.pool.take(block * self.blocks_in * F::WORDS)?;
                let mut results: Buffer = context.pool.take(block * self.blocks_out * LANES)?;
                let v = &mut v[..count * self.blocks_in * F::WORDS];
                let results = &mut results.lanes_mut()[..count * self.blocks_out];
                for (b, to) in v.chunks_exact_mut(count * F::WORDS).enumerate() {
                    let place = b * pixels.stride + start;
                    let from = match x {
                        Some((x, there)) => {
                            let place = b * there.stride + there.start + index * block;
                            &x[place..place + count]
                        }
                        // SAFETY: only this task touches pixels `start..start + count`.
                        None => unsafe { shared.part(place, count) },
                    };
                    with_simd!(context.token, simd => load::<_, F>(simd, from, to));
                }
                F::multiply(context.token, v, columns, self.blocks_in, count, results);
                for b in 0..self.blocks_out {
                    let place = b * pixels.stride + start;
                    // SAFETY: as above.
                    let to = unsafe { shared.part(place, count) };
                    let add = add.map(|add| &add[place..place + count]);
                    let results = &results[b * count..][..count];
                    with_simd!(context.token, simd => finish(simd, to, results, &self.bias[b], add, onto));
                }
                Ok(())
            })
    }
}

/// Brings the pixels of one block of channels into a format.
#[inline(always)]
fn load<S: Isa, F: Format>(simd: S, from: &[Lanes], to: &mut [F::Word]) {
    for (pixel, words) in from.iter().zip(to.chunks_exact_mut(F::WORDS)) {
        for lane in (0..LANES).step_by(S::f32s::LEN) {
            let value = S::f32s::from_slice(simd, &pixel[lane..lane + S::f32s::LEN]);
            F::store(simd, value, lane, words);
        }
    }
}

/// Adds what there is to add, and writes the pixels of one block of channels.
#[inline(always)]
fn finish<S: Isa>(
    simd: S,
    to: &mut [Lanes],
    results: &[Lanes],
    bias: &Lanes,
    add: Option<&[Lanes]>,
    onto: bool,
) {
    let len = S::f32s::LEN;
    for lane in (0..LANES).step_by(len) {
        let lanes = lane..lane + len;
        let load = |pixel: &Lanes| S::f32s::from_slice(simd, &pixel[lanes.clone()]);
        let bias = load(bias);
        let pixels = to.iter_mut().zip(results);
        match add {
            Some(add) => pixels.zip(add).for_each(|((to, result), add)| {
                (load(result) + bias + load(add)).store_slice(&mut to[lanes.clone()]);
            }),
            None if onto => pixels.for_each(|(to, result)| {
                (load(result) + bias + load(to)).store_slice(&mut to[lanes.clone()]);
            }),
            None => pixels.for_each(|(to, result)| {
                (load(result) + bias).store_slice(&mut to[lanes.clone()]);
            }),
        }
    }
}
