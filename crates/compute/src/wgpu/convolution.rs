//! 3×3 convolutions, forward and backward, as products of matrices whose right operand is gathered from the map.
//!
//! Nothing is unrolled in memory: a workgroup gathers the pixels of its tile, slice by slice of the depth, into what it
//! shares. Bias, ReLU and pool happen in registers as the tile is written, and one bit per element is kept of them; a
//! gradient that comes from behind a pool is spread to its places as it is read.

use super::array::from_plain;
use super::context::Context;
use super::gemm::{Along, Product, Tile};
use super::kernel::{Kernel, Param, reads, reads_bits, writes, writes_bits};
use super::memory::Array;
use super::network::Size;
use super::plan::Behind;
use super::pointwise;
use crate::{Conv3x3, Padding, Pool, PoolKind, Result};

const CONVOLUTION: Kernel = Kernel {
    name: "convolution",
    file: include_str!("convolution.wgsl"),
    operands: &[
        reads("filters"),
        reads("bias"),
        reads("x"),
        reads_bits("spread"),
        reads_bits("mask"),
        writes("out"),
        writes_bits("bits"),
    ],
};

/// A convolution on the device.
#[derive(Debug)]
pub(super) struct Convolution {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) padding: Padding,
    bias: Array,
    /// `[tap, input, output]`.
    forward: Array,
    /// `[tap, output, input]`, taps in reverse.
    backward: Array,
}

/// What a convolution reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Map(&'a Array),
    /// A gradient behind a ReLU and a pool, and where it belongs.
    Spread(&'a Array, &'a Array, Pool),
}

/// Where a gradient goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backward<'a> {
    pub(super) out: &'a Array,
    /// Whether it is added to what is there.
    pub(super) add: bool,
    pub(super) mask: Option<&'a Array>,
    /// Pixels around the map; then there is nothing to add to, and no mask.
    pub(super) border: usize,
}

impl Convolution {
    /// Brings filters onto the device; gradients towards input channel `i` are multiplied by `scale[i]`, if it is
    /// given.
    pub(super) fn new(context: &Context, conv: &Conv3x3, scale: Option<[f32; 3]>) -> Result<Self> {
        let (inputs, outputs) = (conv.in_channels, conv.out_channels);
        let at = |output: usize, input: usize, tap: usize| {
            conv.weight[(output * inputs + input) * 9 + tap]
        };
        if context.gpu.is_none() {
            let take = || context.pool.take(conv.weight.len());
            return Ok(Self {
                inputs,
                outputs,
                padding: conv.padding,
                bias: context.pool.take(outputs)?,
                forward: take()?,
                backward: take()?,
            });
        }
        let (mut forward, mut backward) = (Vec::new(), Vec::new());
        for tap in 0..9 {
            for input in 0..inputs {
                forward.extend((0..outputs).map(|output| at(output, input, tap)));
            }
            for output in 0..outputs {
                backward.extend((0..inputs).map(|input| {
                    let scale = scale.map_or(1.0, |scale| scale[input]);
                    at(output, input, 8 - tap) * scale
                }));
            }
        }
        Ok(Self {
            inputs,
            outputs,
            padding: conv.padding,
            bias: from_plain(context, &conv.bias)?,
            forward: from_plain(context, &forward)?,
            backward: from_plain(context, &backward)?,
        })
    }

    /// Runs it over a map of some size, with what is fused behind it.
    pub(super) fn forward(
        &self,
        context: &Context,
        size: Size,
        x: &Array,
        behind: Behind,
        out: &Array,
        bits: Option<&Array>,
    ) -> Result<()> {
        let (target, factor) = match behind {
            Behind::Nothing => (0, 1.0),
            Behind::Relu => (1, 1.0),
            Behind::ReluPool(pool) if pool.kind == PoolKind::Max => (2, pool.factor),
            Behind::ReluPool(pool) => (3, pool.factor),
        };
        let pixels = match behind {
            Behind::ReluPool(_) => size.h / 2 * (size.w / 2) * 4,
            Behind::Nothing | Behind::Relu => size.area(),
        };
        let constants = [
            ("SOURCE", 0),
            ("PADDING", pointwise::padding(self.padding)),
            ("TARGET", target),
            ("ADD", 0),
            ("MASK", 0),
        ];
        Product {
            kernel: &CONVOLUTION,
            tile: Tile::suggested(self.outputs, pixels, &context.bounds),
            along: [Along::Side; 2],
            size: [self.outputs, pixels, 9 * self.inputs],
            splits: 1,
            batches: 1,
            constants: &constants,
            operands: &[
                Some(&self.forward),
                Some(&self.bias),
                Some(x),
                None,
                None,
                Some(out),
                bits,
            ],
            params: &[
                Param::U(size.h),
                Param::U(size.w),
                Param::U(self.inputs),
                Param::U(0),
                Param::F(factor),
                Param::F(1.0),
            ],
        }
        .run(context)
    }

    /// The gradient towards its input, a map of some height and width, zeros around that towards its output.
    pub(super) fn backward(
        &self,
        context: &Context,
        (h, w): (usize, usize),
        source: Source<'_>,
        target: Backward<'_>,
    ) -> Result<()> {
        let Backward {
            out,
            add,
            mask,
            border,
        } = target;
        let (x, spread, scale) = match source {
            Source::Map(x) => (x, None, 1.0),
            Source::Spread(x, bits, pool) => {
                let share = if pool.kind == PoolKind::Average {
                    0.25
                } else {
                    1.0
                };
                (x, Some(bits), share * pool.factor)
            }
        };
        let constants = [
            ("SOURCE", u32::from(spread.is_some())),
            ("PADDING", 0),
            ("TARGET", 0),
            ("ADD", u32::from(add)),
            ("MASK", u32::from(mask.is_some())),
        ];
        let pixels = (h + 2 * border) * (w + 2 * border);
        Product {
            kernel: &CONVOLUTION,
            tile: Tile::suggested(self.inputs, pixels, &context.bounds),
            along: [Along::Side; 2],
            size: [self.inputs, pixels, 9 * self.outputs],
            splits: 1,
            batches: 1,
            constants: &constants,
            operands: &[
                Some(&self.backward),
                None,
                Some(x),
                spread,
                mask,
                Some(out),
                None,
            ],
            params: &[
                Param::U(h),
                Param::U(w),
                Param::U(self.outputs),
                Param::U(border),
                Param::F(1.0),
                Param::F(scale),
            ],
        }
        .run(context)
    }
}
