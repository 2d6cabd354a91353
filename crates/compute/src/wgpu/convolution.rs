//! 3×3 convolutions, forward and backward.
//!
//! There are two ways ([`tuning`](super::tuning) chooses): by Winograd's filtering, and directly, as a product of matrices
//! whose right operand is gathered from the map. Nothing is unrolled in memory then: a workgroup gathers the pixels of its
//! tile, slice by slice of the depth, into what it shares. Either way bias, ReLU and pool happen in registers as the result is
//! written, and one bit per element is kept of them; a gradient that comes from behind a pool is spread to its places as it is
//! read. Either way the numbers that are multiplied may be rounded to 16 bits ([`half`](super::half)).

use super::array::from_plain;
use super::context::Context;
use super::gemm::{Along, Multiply, Product, Tile};
use super::half;
use super::kernel::{Kernel, Param, reads, reads_bits, writes, writes_bits};
use super::memory::Array;
use super::network::Shape;
use super::pointwise;
use super::tuning::{Algorithm, Way};
use super::winograd;
use crate::plan::{Behind, FusedPool};
use crate::{Conv3x3, Padding, Result};

const CONVOLUTION: Kernel = Kernel {
    name: "convolution",
    file: include_str!("convolution.wgsl"),
    operands: &[
        reads("filters"),
        reads("bias"),
        reads("x"),
        reads_bits("spread"),
        reads_bits("mask"),
        reads("scales"),
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
    forward: Filters,
    /// Taps in reverse.
    backward: Filters,
}

/// Filters on the device.
#[derive(Debug)]
struct Filters {
    /// `[tap, from, to]`.
    values: Array,
    /// The power of two that brings them into the range of 16 bits.
    scale: f32,
}

impl Filters {
    fn new(context: &Context, values: &[f32]) -> Result<Self> {
        Ok(Self {
            values: from_plain(context, values)?,
            scale: half::filter_scale(values),
        })
    }
}

/// What a convolution reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source<'a> {
    Map(&'a Array),
    /// A gradient behind a ReLU and a pool, where it belongs, and what it is multiplied by there.
    Spread(&'a Array, &'a Array, f32),
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
            let take = || {
                let values = context.pool.take(conv.weight.len())?;
                Ok(Filters { values, scale: 1.0 })
            };
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
            forward: Filters::new(context, &forward)?,
            backward: Filters::new(context, &backward)?,
        })
    }

    /// Runs it over a map of some size, with what is fused behind it.
    pub(super) fn forward(
        &self,
        context: &Context,
        size: Shape,
        x: &Array,
        behind: Behind,
        out: &Array,
        bits: Option<&Array>,
    ) -> Result<()> {
        Job {
            filters: &self.forward.values,
            filter_scale: self.forward.scale,
            inputs: self.inputs,
            outputs: self.outputs,
            bias: Some(&self.bias),
            x,
            h: size.h,
            w: size.w,
            spread: None,
            scale: 1.0,
            padding: self.padding,
            border: 0,
            behind,
            out,
            add: false,
            mask: None,
            bits,
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
        let (x, spread, scale) = match source {
            Source::Map(x) => (x, None, 1.0),
            Source::Spread(x, bits, share) => (x, Some(bits), share),
        };
        Job {
            filters: &self.backward.values,
            filter_scale: self.backward.scale,
            inputs: self.outputs,
            outputs: self.inputs,
            bias: None,
            x,
            h,
            w,
            spread,
            scale,
            padding: Padding::Zero,
            border: target.border,
            behind: Behind::Nothing,
            out: target.out,
            add: target.add,
            mask: target.mask,
            bits: None,
        }
        .run(context)
    }
}

/// One pass through a convolution, whichever way it goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Job<'a> {
    /// `[tap, input, output]`.
    pub(super) filters: &'a Array,
    /// The power of two that brings them into the range of 16 bits.
    pub(super) filter_scale: f32,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) bias: Option<&'a Array>,
    /// A map of height and width, or a gradient behind a pool of one.
    pub(super) x: &'a Array,
    pub(super) h: usize,
    pub(super) w: usize,
    /// Where a gradient behind a pool belongs, and what it is multiplied by.
    pub(super) spread: Option<&'a Array>,
    pub(super) scale: f32,
    /// What lies around the map.
    pub(super) padding: Padding,
    /// Pixels that the result has around the map.
    pub(super) border: usize,
    pub(super) behind: Behind,
    pub(super) out: &'a Array,
    /// Whether it is added to what is there.
    pub(super) add: bool,
    pub(super) mask: Option<&'a Array>,
    pub(super) bits: Option<&'a Array>,
}

/// How numbers are multiplied on one way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers<'a> {
    pub(super) multiply: Multiply,
    /// The power of two of the map and its reciprocal, where numbers have 16 bits.
    pub(super) scales: Option<&'a Array>,
    /// The power of two of the filters.
    pub(super) filters: f32,
}

impl Numbers<'_> {
    /// A constant for kernels that scale.
    pub(super) fn constant(&self) -> (&'static str, u32) {
        ("HALF", u32::from(self.scales.is_some()))
    }
}

impl Job<'_> {
    /// Height and width of the result before it is pooled.
    pub(super) fn results(&self) -> [usize; 2] {
        [self.h + 2 * self.border, self.w + 2 * self.border]
    }

    /// Constants for what it reads.
    pub(super) fn before(&self) -> [(&'static str, u32); 2] {
        [
            ("SOURCE", u32::from(self.spread.is_some())),
            ("PADDING", pointwise::padding(self.padding)),
        ]
    }

    /// Constants for what happens to its results.
    pub(super) fn after(&self) -> [(&'static str, u32); 3] {
        let target = match self.behind {
            Behind::Nothing => 0,
            Behind::Relu => 1,
            Behind::ReluPool { pool, .. } => match pool {
                FusedPool::Max => 2,
                FusedPool::Average => 3,
            },
        };
        [
            ("TARGET", target),
            ("ADD", u32::from(self.add)),
            ("MASK", u32::from(self.mask.is_some())),
        ]
    }

    /// What a pool multiplies its results by.
    pub(super) fn factor(&self) -> f32 {
        match self.behind {
            Behind::ReluPool { factor, .. } => factor,
            Behind::Nothing | Behind::Relu => 1.0,
        }
    }

    fn run(&self, context: &Context) -> Result<()> {
        self.go(context, context.tuning.way(context, self)?)
    }

    /// Goes a way, which must suit it.
    pub(super) fn go(&self, context: &Context, way: Way) -> Result<()> {
        let scales = match way.multiply {
            Multiply::Single => None,
            Multiply::Half | Multiply::Cooperative(_) => {
                Some(half::scales(context, self.x, self.scale)?)
            }
        };
        let numbers = Numbers {
            multiply: way.multiply,
            scales: scales.as_ref(),
            filters: scales.as_ref().map_or(1.0, |_| self.filter_scale),
        };
        match way.algorithm {
            Algorithm::Direct => self.direct(context, numbers),
            Algorithm::Winograd => winograd::run(context, self, numbers),
        }
    }

    /// As a product of matrices.
    fn direct(&self, context: &Context, numbers: Numbers<'_>) -> Result<()> {
        let pixels = match self.behind {
            Behind::ReluPool { .. } => self.h / 2 * (self.w / 2) * 4,
            Behind::Nothing | Behind::Relu => self.results().into_iter().product(),
        };
        let ([source, padding], [target, add, mask]) = (self.before(), self.after());
        Product {
            kernel: &CONVOLUTION,
            tile: Tile::suggested(self.outputs, pixels, &context.bounds),
            multiply: numbers.multiply,
            along: [Along::Side; 2],
            size: [self.outputs, pixels, 9 * self.inputs],
            splits: 1,
            batches: 1,
            constants: &[source, padding, target, add, mask, numbers.constant()],
            operands: &[
                Some(self.filters),
                self.bias,
                Some(self.x),
                self.spread,
                self.mask,
                numbers.scales,
                Some(self.out),
                self.bits,
            ],
            params: &[
                Param::U(self.h),
                Param::U(self.w),
                Param::U(self.inputs),
                Param::U(self.border),
                Param::F(self.factor()),
                Param::F(self.scale),
                Param::F(numbers.filters),
                Param::F(numbers.filters.recip()),
            ],
        }
        .run(context)
    }
}
