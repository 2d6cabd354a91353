//! Convolutions and their transposes: products of matrices whose right operand is gathered from the map as it is seen.
//!
//! A transpose by a stride `s` makes `s²` sorts of places, of which each is made by an ordinary convolution with every `s`-th
//! tap, so it is as many products, with zeros where filters have no tap. Groups are as many products, too, unless
//! they are so narrow that most of a tile would be empty; then each place is summed by itself.

use super::super::array::from_plain;
use super::super::context::Context;
use super::super::gemm::{Along, Multiply, Product, Tile};
use super::super::kernel::{Kernel, Launch, Param, Slot, reads, writes};
use super::super::memory::Array;
use super::super::vector::GROUP;
use super::activation::Behind;
use super::geometry::{Frame, View};
use crate::graph::{self, TransposedConvolution};
use crate::{Padding, Result, Size};

const FILE: &str = concat!(
    include_str!("activation.wgsl"),
    include_str!("view.wgsl"),
    include_str!("convolution.wgsl")
);
const OPERANDS: &[Slot] = &[reads("filters"), reads("bias"), reads("x"), writes("out")];
const CONVOLUTION: Kernel = Kernel {
    name: "graph_convolution",
    file: FILE,
    operands: OPERANDS,
};
const DEPTHWISE: Kernel = Kernel {
    name: "graph_depthwise",
    file: FILE,
    operands: OPERANDS,
};
/// Channels that a group has to make for a product.
const NARROW: usize = 8;

/// A convolution, or the transpose of one, on the device.
#[derive(Debug)]
pub(super) struct Convolution {
    filters: Array,
    bias: Array,
    /// Channels that a product reads and makes, and how many products there are.
    inputs: usize,
    outputs: usize,
    batches: usize,
    /// Taps of a product.
    kernel: [usize; 2],
    stride: usize,
    way: Way,
    view: View,
}

/// How it is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Way {
    Product(graph::Border),
    Depthwise(graph::Border),
    /// With places that are cut off.
    Transposed(usize),
}

impl Convolution {
    /// Lays out filters for a map that is seen like this.
    pub(super) fn new(context: &Context, op: &graph::Convolution, view: View) -> Result<Self> {
        let (inputs, outputs) = (op.inputs / op.groups, op.outputs / op.groups);
        let narrow = op.groups > 1 && outputs < NARROW;
        let filters = match narrow {
            true => from_plain(context, &op.weight)?,
            false => {
                let taps = op.kernel[0] * op.kernel[1];
                let mut filters = Vec::with_capacity(op.weight.len());
                for group in op.weight.chunks_exact(outputs * inputs * taps) {
                    for row in 0..taps * inputs {
                        let (tap, input) = (row / inputs, row % inputs);
                        let at = |output: usize| group[(output * inputs + input) * taps + tap];
                        filters.extend((0..outputs).map(at));
                    }
                }
                from_plain(context, &filters)?
            }
        };
        Ok(Self {
            filters,
            bias: from_plain(context, &op.bias)?,
            inputs,
            outputs,
            batches: op.groups,
            kernel: op.kernel,
            stride: op.stride,
            way: match narrow {
                true => Way::Depthwise(op.border),
                false => Way::Product(op.border),
            },
            view,
        })
    }

    /// Sorts the taps of filters by the places that they make.
    pub(super) fn transposed(context: &Context, op: &TransposedConvolution) -> Result<Self> {
        let (k, stride) = (op.kernel, op.stride);
        let side = k.div_ceil(stride);
        let mut filters = Vec::new();
        for place in 0..stride * stride {
            let first = |place: usize| (place + op.before) % stride;
            let (top, left) = (first(place / stride), first(place % stride));
            for row in 0..side * side * op.inputs {
                let (tap, input) = (row / op.inputs, row % op.inputs);
                let (y, x) = (top + tap / side * stride, left + tap % side * stride);
                filters.extend((0..op.outputs).map(|output| match y < k && x < k {
                    true => op.weight[((input * op.outputs + output) * k + y) * k + x],
                    false => 0.0,
                }));
            }
        }
        Ok(Self {
            filters: from_plain(context, &filters)?,
            bias: from_plain(context, &op.bias)?,
            inputs: op.inputs,
            outputs: op.outputs,
            batches: stride * stride,
            kernel: [side; 2],
            stride,
            way: Way::Transposed(op.before),
            view: View::default(),
        })
    }

    /// Runs it over a map of some size, towards one of another.
    pub(super) fn run(
        &self,
        context: &Context,
        behind: Behind,
        (x, from): (&Array, Size),
        (out, to): (&Array, Size),
    ) -> Result<()> {
        let seen = self.view.size(from);
        let [kh, kw] = self.kernel;
        let (before, beyond) = match (self.way, self.view.frame) {
            (Way::Transposed(before), _) => ([before; 2].map(|n| n as isize), Padding::Zero),
            (_, Some(Frame { before, padding })) => ([before; 2], padding),
            (Way::Product(border) | Way::Depthwise(border), None) => {
                let before = |n, k| border.before(n, k, self.stride) as isize;
                let before = [before(seen.height, kh), before(seen.width, kw)];
                (before, border.padding())
            }
        };
        let transposed = matches!(self.way, Way::Transposed(_));
        let constants = [
            ("KERNEL_H", kh as u32),
            ("KERNEL_W", kw as u32),
            ("TRANSPOSED", u32::from(transposed)),
        ];
        let places = if transposed { from } else { to };
        let mut params = vec![
            Param::U(seen.height),
            Param::U(seen.width),
            Param::U(self.inputs),
            Param::U(places.width),
            Param::U(self.stride),
            Param::I(before[0]),
            Param::I(before[1]),
        ];
        params.extend(self.view.params(beyond));
        params.extend(behind.params());
        let operands = [Some(&self.filters), Some(&self.bias), Some(x), Some(out)];
        let (places, depth) = (places.pixels(), kh * kw * self.inputs);
        if matches!(self.way, Way::Depthwise(_)) {
            let numbers = self.batches * self.outputs * places;
            let mut all = [numbers, places, self.outputs].map(Param::U).to_vec();
            all.extend(params);
            context.run(&Launch {
                kernel: &DEPTHWISE,
                constants: &constants,
                more: None,
                operands: &operands,
                params: &all,
                groups: numbers.div_ceil(GROUP),
                batches: 1,
            })?;
            return context.worked((numbers * depth) as u64);
        }
        Product {
            kernel: &CONVOLUTION,
            tile: Tile::suggested(self.outputs, places, &context.bounds),
            multiply: Multiply::Single,
            along: [Along::Side; 2],
            size: [self.outputs, places, depth],
            splits: 1,
            batches: self.batches,
            constants: &constants,
            operands: &operands,
            params: &params,
        }
        .run(context)
    }
}
