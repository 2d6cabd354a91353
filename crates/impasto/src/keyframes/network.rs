//! The networks that learn from keyframes. Our own: halved twice, some residual blocks, doubled twice, with what was seen before beside
//! what comes back.
//!
//! Beside frame and guide ours see ramps of the lightness,
//!
//! ```text
//! r_i = max(0, 8·(Y − (i + ½)/8))        Y = .299·R + .587·G + .114·B, i = 0..8
//! ```
//!
//! which are learned like everything else, but begin as that: filters that cut colours into few, as a cel shader does, have their
//! steps at some lightness, and filters that begin at random take long to get there.

use super::published::{self, Design};
use crate::named::Named;
use crate::random::Random;
use impasto_compute::Padding;
use impasto_compute::graph::{
    Activation, Border, Convolution, GraphSpec, Kind, Op, Upsampling, Value,
};
use std::sync::Arc;

/// Channels that the network reads: frame and guide.
pub(super) const COLORS: usize = 6;

/// Sides of pictures are multiples of this.
pub(super) const STRIDE: usize = 4;

/// How many ramps of the lightness our own see.
const RAMPS: usize = 8;
/// How steep they are when they are new.
const STEEP: f32 = 8.0;
/// What is lightness of red, green and blue (ITU-R BT.601).
const LIGHTNESS: [f32; 3] = [0.299, 0.587, 0.114];

/// Which network learns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkSize {
    /// 8, 16 and 32 channels, two blocks: 7,900 products for a pixel, for real time.
    Lean,
    /// 20, 32 and 48 channels, three blocks, and one at full size: 35,700 products for a pixel.
    #[default]
    Quality,
    /// That of the paper, of 32, 64 and 128 channels and seven blocks: 1,037,000 products for a pixel.
    Published,
}

impl Named for NetworkSize {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("quality", NetworkSize::Quality),
        ("lean", NetworkSize::Lean),
        ("published", NetworkSize::Published),
    ];
}

impl NetworkSize {
    /// How far around a pixel it reads, in pixels, or some more.
    pub(super) fn reach(self) -> usize {
        match self {
            NetworkSize::Lean => 32,
            NetworkSize::Quality => 48,
            NetworkSize::Published => 80,
        }
    }

    /// Bytes that a pixel takes while it is painted, about.
    pub(super) fn bytes(self) -> usize {
        match self {
            NetworkSize::Lean => 400,
            NetworkSize::Quality => 800,
            NetworkSize::Published => 3000,
        }
    }
}

/// Where the numbers of a graph come from: so many filters of so many numbers each, and of what deviation if they are new.
pub(super) trait Numbers {
    /// Filters `[out, in, k, k]`.
    fn filters(&mut self, count: usize, each: usize, gain: f64) -> Arc<[f32]>;
    /// A bias for each.
    fn bias(&mut self, count: usize) -> Arc<[f32]>;
    /// What each is multiplied by.
    fn scale(&mut self, count: usize) -> Arc<[f32]>;
    /// Filters `[count, 3]` of the ramps of the lightness, and their biases.
    fn ramps(&mut self, count: usize) -> [Arc<[f32]>; 2];
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

    fn scale(&mut self, count: usize) -> Arc<[f32]> {
        vec![1.0; count].into()
    }

    fn ramps(&mut self, count: usize) -> [Arc<[f32]>; 2] {
        let begins = |ramp: usize| (ramp as f32 + 0.5) / count as f32;
        let bias = (0..count).map(|ramp| -STEEP * begins(ramp)).collect();
        [
            LIGHTNESS.map(|share| STEEP * share).repeat(count).into(),
            bias,
        ]
    }
}

/// The graph: it reads a frame and a guide, `[3, h, w]` each with sides that are multiples of [`STRIDE`], and makes a picture, whose
/// numbers may lie a little outside of 0..1.
pub(super) fn graph(size: NetworkSize, numbers: &mut dyn Numbers) -> GraphSpec {
    match size {
        NetworkSize::Lean => own([8, 16, 32], [2, 0], numbers),
        NetworkSize::Quality => own([20, 32, 48], [3, 1], numbers),
        NetworkSize::Published => published::graph(&Design::PAPER, numbers),
    }
}

/// Of channels at full size, at a half and at a quarter, and residual blocks at a quarter and at full size. A fresh one makes the
/// frame itself.
fn own(
    [full, half, quarter]: [usize; 3],
    [coarse, fine]: [usize; 2],
    numbers: &mut dyn Numbers,
) -> GraphSpec {
    let mut net = Builder {
        spec: GraphSpec::new(),
        numbers,
    };
    let (frame, seen) = net.inputs();
    let ramps = net.ramps(frame);
    let seen = net.spec.push(Op::Concat, &[seen, ramps]);
    let first = net.layer(seen, (COLORS + RAMPS, full), 1);
    let second = net.layer(first, (full, half), 2);
    let mut deep = net.layer(second, (half, quarter), 2);
    for _ in 0..coarse {
        deep = net.block(deep, quarter);
    }
    let deep = net.doubled(deep, second, (quarter + half, half));
    let mut deep = net.doubled(deep, first, (half + full, full));
    for _ in 0..fine {
        deep = net.block(deep, full);
    }
    let beside = net.spec.push(Op::Concat, &[deep, seen]);
    let change = net.convolution(beside, (full + COLORS + RAMPS, 3), 1, 0.1);
    let made = net.spec.push(Op::Add, &[frame, change]);
    net.spec.output(made);
    net.spec
}

/// Puts a graph together.
pub(super) struct Builder<'a> {
    pub(super) spec: GraphSpec,
    pub(super) numbers: &'a mut dyn Numbers,
}

impl Builder<'_> {
    /// The frame, and frame and guide.
    pub(super) fn inputs(&mut self) -> (Value, Value) {
        let frame = self.spec.input("frame", Kind::Map(3));
        let guide = self.spec.input("guide", Kind::Map(3));
        (frame, self.spec.push(Op::Concat, &[frame, guide]))
    }

    /// Ramps of the lightness of a frame.
    fn ramps(&mut self, frame: Value) -> Value {
        let [weight, bias] = self.numbers.ramps(RAMPS);
        let filters = Convolution {
            inputs: LIGHTNESS.len(),
            outputs: RAMPS,
            groups: 1,
            kernel: [1; 2],
            stride: 1,
            border: Border::Centred(Padding::Zero),
            weight,
            bias,
        };
        let ramps = self.spec.push(Op::Convolution(filters), &[frame]);
        self.relu(ramps)
    }

    fn convolution(
        &mut self,
        value: Value,
        channels: (usize, usize),
        stride: usize,
        gain: f64,
    ) -> Value {
        self.filter(value, channels, (3, stride), Padding::Reflect, gain)
    }

    /// A convolution by filters of some side, at every so many places.
    pub(super) fn filter(
        &mut self,
        value: Value,
        (inputs, outputs): (usize, usize),
        (side, stride): (usize, usize),
        border: Padding,
        gain: f64,
    ) -> Value {
        let convolution = Convolution {
            inputs,
            outputs,
            groups: 1,
            kernel: [side; 2],
            stride,
            border: Border::Centred(border),
            weight: self.numbers.filters(outputs, side * side * inputs, gain),
            bias: self.numbers.bias(outputs),
        };
        self.spec.push(Op::Convolution(convolution), &[value])
    }

    fn layer(&mut self, value: Value, channels: (usize, usize), stride: usize) -> Value {
        let value = self.convolution(value, channels, stride, 1.0);
        self.relu(value)
    }

    pub(super) fn relu(&mut self, value: Value) -> Value {
        self.spec.push(Op::Activation(Activation::Relu), &[value])
    }

    /// A residual block; one that is new changes little.
    fn block(&mut self, value: Value, channels: usize) -> Value {
        let inner = self.layer(value, (channels, channels), 1);
        let change = self.convolution(inner, (channels, channels), 1, 0.1);
        self.spec.push(Op::Add, &[value, change])
    }

    /// Twice as large, with what was seen at that size before.
    fn doubled(&mut self, value: Value, seen: Value, channels: (usize, usize)) -> Value {
        let value = self.spec.push(Op::Upsample(Upsampling::Nearest), &[value]);
        let both = self.spec.push(Op::Concat, &[value, seen]);
        self.layer(both, channels, 1)
    }
}
