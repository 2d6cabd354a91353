//! Encoders and decoders, level by level: what WCT, AdaIN and `paint` are made of.

use crate::encoder::LayerName;
use impasto_compute::graph::{Activation, Border, Convolution, GraphSpec, Kind, Op, Upsampling};
use impasto_compute::{Layer, NetSpec, Tap};

/// Encoders and decoders. A method takes a picture through some of the levels, deepest first: the encoder's features of the
/// picture that the level before made, moved to the style's, then the decoder.
#[derive(Clone, Debug)]
pub struct Cascade {
    /// What it is, for people.
    pub name: &'static str,
    /// The encoders, which read RGB in 0..1. They make some features for one level, or for several.
    pub encoders: Vec<NetSpec>,
    /// The levels, deepest first.
    pub levels: Vec<Level>,
}

/// A level: features, and the way back from them to a picture.
#[derive(Clone, Debug)]
pub struct Level {
    /// What the features are called, such as `relu4_1`.
    pub layer: LayerName,
    /// Index of the encoder that sees them.
    pub encoder: usize,
    /// Where in the encoder they are: behind one of its own ReLUs, never a head.
    pub tap: Tap,
    /// Channels.
    pub channels: usize,
    /// Pixels from one place to the next, each way. Places are `⌊n/stride⌋`, and the decoder makes so many times the
    /// stride: a picture whose sides are no multiples of the greatest stride is continued before and cut afterwards
    /// ([`padded`](super::padded), [`cropped`](super::cropped)).
    pub stride: usize,
    /// From features `[channels, h, w]` to a picture `[3, stride·h, stride·w]`, RGB in 0..1, about; not clamped.
    pub decoder: GraphSpec,
}

impl Cascade {
    /// What the sides of a picture should be multiples of for all levels.
    pub fn multiple(&self) -> usize {
        let strides = self.levels.iter().map(|level| level.stride);
        strides.max().unwrap_or(1)
    }

    /// The level of some features.
    pub fn level(&self, layer: LayerName) -> Option<&Level> {
        self.levels.iter().find(|level| level.layer == layer)
    }
}

/// A convolution of a decoder.
pub(super) struct Step {
    pub(super) convolution: Convolution,
    /// How what it reads is made twice as large before, if it is.
    pub(super) enlarge: Option<Upsampling>,
}

/// A decoder: convolutions with a ReLU behind each but the last, which has one if `relu_last`.
pub(super) fn decoder(channels: usize, steps: Vec<Step>, relu_last: bool) -> GraphSpec {
    let mut graph = GraphSpec::new();
    let mut x = graph.input("features", Kind::Map(channels));
    let last = steps.len().saturating_sub(1);
    for (number, step) in steps.into_iter().enumerate() {
        if let Some(upsampling) = step.enlarge {
            x = graph.push(Op::Upsample(upsampling), &[x]);
        }
        x = graph.push(Op::Convolution(step.convolution), &[x]);
        if number < last || relu_last {
            x = graph.push(Op::Activation(Activation::Relu), &[x]);
        }
    }
    graph.output(x);
    graph
}

/// An encoder with another border at all its convolutions.
pub(super) fn with_border(mut net: NetSpec, border: Border) -> NetSpec {
    for layer in &mut net.layers {
        if let Layer::Conv(conv) = layer {
            conv.padding = border.padding();
        }
    }
    net
}
