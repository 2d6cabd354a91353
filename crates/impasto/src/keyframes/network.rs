//! The network: halved twice, some residual blocks, doubled twice, with what was seen before beside what comes back.

use crate::random::Random;
use impasto_compute::Padding;
use impasto_compute::graph::{
    Activation, Border, Convolution, GraphSpec, Kind, Op, Upsampling, Value,
};
use std::sync::Arc;

/// Sides of pictures are multiples of this.
pub(super) const STRIDE: usize = 4;

/// How large the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Width {
    /// 20, 40 and 64 channels, four blocks: 44,000 products for a pixel.
    Quality,
    /// 8, 16 and 32 channels, two blocks: 7,100 products for a pixel, for real time.
    Lean,
}

impl Width {
    /// Channels at full size, at a half and at a quarter, and residual blocks.
    fn layers(self) -> ([usize; 3], usize) {
        match self {
            Width::Quality => ([20, 40, 64], 4),
            Width::Lean => ([8, 16, 32], 2),
        }
    }
}

/// Where the numbers of a graph come from: so many filters of so many numbers each, and of what deviation if they are new.
pub(super) trait Numbers {
    /// Filters `[out, in, k, k]`.
    fn filters(&mut self, count: usize, each: usize, gain: f64) -> Arc<[f32]>;
    /// A bias for each.
    fn bias(&mut self, count: usize) -> Arc<[f32]>;
}

/// Numbers that know nothing yet: filters of variance `2/inputs` (He et al. 2015), times a gain.
pub(super) struct Fresh(pub(super) Random);

impl Numbers for Fresh {
    fn filters(&mut self, count: usize, each: usize, gain: f64) -> Arc<[f32]> {
        let deviation = gain * (2.0 / each as f64).sqrt();
        let numbers = (0..count * each).map(|_| (deviation * self.0.normal()) as f32);
        numbers.collect()
    }

    fn bias(&mut self, count: usize) -> Arc<[f32]> {
        vec![0.0; count].into()
    }
}

/// The graph: it reads a frame and a guide, `[3, h, w]` each with sides that are multiples of [`STRIDE`], and makes a picture, whose
/// numbers may lie a little outside of 0..1. A fresh one makes the frame itself.
pub(super) fn graph(width: Width, numbers: &mut dyn Numbers) -> GraphSpec {
    let ([full, half, quarter], blocks) = width.layers();
    let mut net = Builder {
        spec: GraphSpec::new(),
        numbers,
    };
    let frame = net.spec.input("frame", Kind::Map(3));
    let guide = net.spec.input("guide", Kind::Map(3));
    let seen = net.spec.push(Op::Concat, &[frame, guide]);
    let first = net.layer(seen, (6, full), 1);
    let second = net.layer(first, (full, half), 2);
    let mut deep = net.layer(second, (half, quarter), 2);
    for _ in 0..blocks {
        let inner = net.layer(deep, (quarter, quarter), 1);
        // A block that is new changes little.
        let change = net.convolution(inner, (quarter, quarter), 1, 0.1);
        deep = net.spec.push(Op::Add, &[deep, change]);
    }
    let deep = net.doubled(deep, second, (quarter + half, half));
    let deep = net.doubled(deep, first, (half + full, full));
    let beside = net.spec.push(Op::Concat, &[deep, seen]);
    let change = net.convolution(beside, (full + 6, 3), 1, 0.1);
    let made = net.spec.push(Op::Add, &[frame, change]);
    net.spec.output(made);
    net.spec
}

struct Builder<'a> {
    spec: GraphSpec,
    numbers: &'a mut dyn Numbers,
}

impl Builder<'_> {
    fn convolution(
        &mut self,
        value: Value,
        (inputs, outputs): (usize, usize),
        stride: usize,
        gain: f64,
    ) -> Value {
        let convolution = Convolution {
            inputs,
            outputs,
            groups: 1,
            kernel: [3, 3],
            stride,
            border: Border::Centred(Padding::Reflect),
            weight: self.numbers.filters(outputs, 9 * inputs, gain),
            bias: self.numbers.bias(outputs),
        };
        self.spec.push(Op::Convolution(convolution), &[value])
    }

    fn layer(&mut self, value: Value, channels: (usize, usize), stride: usize) -> Value {
        let value = self.convolution(value, channels, stride, 1.0);
        self.spec.push(Op::Activation(Activation::Relu), &[value])
    }

    /// Twice as large, with what was seen at that size before.
    fn doubled(&mut self, value: Value, seen: Value, channels: (usize, usize)) -> Value {
        let value = self.spec.push(Op::Upsample(Upsampling::Nearest), &[value]);
        let both = self.spec.push(Op::Concat, &[value, seen]);
        self.layer(both, channels, 1)
    }
}
