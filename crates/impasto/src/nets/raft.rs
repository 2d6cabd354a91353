//! RAFT-small: Teed and Deng 2020, "RAFT: Recurrent all-pairs field transforms for optical flow" (arXiv 2003.12039), as its
//! authors' files have it: `raft-small.pth`.
//!
//! Both frames become features at an eighth of their sides; the first also a hidden state and a context. Then, some times over,
//! an update sees how well what lies around where the flow leads looks like what it comes from, and says how far the flow is
//! to be moved (a convolutional gated recurrent unit). The looking up between updates is [`crate::video`]'s.

use super::NetError;
use super::build::{checked, convolution, relu};
use super::tensors::{Layout, Tensors};
use impasto_compute::Padding;
use impasto_compute::graph::{
    Activation, Affine, Border, Convolution, GraphSpec, InstanceNorm, Kind, Op, Scaling, Value,
    Variance,
};
use impasto_weights::{Limits, WeightsFile};
use std::path::Path;

/// RAFT-small's three graphs. Pictures are RGB in −1..1, `[3, h, w]`, sides multiples of 8; all maps inside have an eighth.
#[derive(Clone, Debug)]
pub struct RaftSpec {
    /// From a picture to its features, `[128, h/8, w/8]`.
    pub features: GraphSpec,
    /// From a picture to the hidden state `[96, h/8, w/8]` and the context `[64, h/8, w/8]`.
    pub context: GraphSpec,
    /// From hidden state, context, correlations [`RaftSpec::SEEN`] and flow `[2, h/8, w/8]` to the next hidden state, and by
    /// how much the flow is to be changed.
    pub update: GraphSpec,
}

const NETWORK: &str = "RAFT-small";

/// The tensor by which its names are told.
const TELLING: &str = "update_block.gru.convz.weight";

impl RaftSpec {
    /// Sizes at which what the second frame shows is looked up: its features, and these halved so many times less one.
    pub const LEVELS: usize = 4;
    /// Places on each side of where the flow leads, at each of these sizes.
    pub const RADIUS: usize = 3;
    /// Correlations that an update sees of each place.
    pub const SEEN: usize = Self::LEVELS * (2 * Self::RADIUS + 1) * (2 * Self::RADIUS + 1);

    /// Reads it from a file.
    ///
    /// # Errors
    /// [`NetError`] if it cannot be read, or is another network.
    pub fn open(path: &Path) -> Result<Self, NetError> {
        let file = WeightsFile::open(path, &Limits::default())?;
        let tensors = Tensors::of(&file).told_as(NETWORK);
        let tensors = tensors
            .beside(TELLING, None)
            .ok_or_else(|| tensors.missing(TELLING))?;
        Ok(Self {
            features: checked(&tensors, NETWORK, features(&tensors)?)?,
            context: checked(&tensors, NETWORK, context(&tensors)?)?,
            update: checked(&tensors, NETWORK, update(&tensors)?)?,
        })
    }
}

/// A graph that grows by layers of one part.
struct Walk<'w, 'f> {
    tensors: &'w Tensors<'f>,
    /// What stands before the names of the part.
    part: &'static str,
    graph: GraphSpec,
    /// Whether every convolution has a norm behind it.
    normed: bool,
}

impl<'w, 'f> Walk<'w, 'f> {
    /// An empty graph for a part.
    fn new(tensors: &'w Tensors<'f>, part: &'static str, normed: bool) -> Self {
        Self {
            tensors,
            part,
            graph: GraphSpec::new(),
            normed,
        }
    }

    /// The convolution of a name, of what has so many channels.
    fn read(&self, name: &str, inputs: usize, stride: usize) -> Result<Convolution, NetError> {
        let names = ["weight", "bias"].map(|part| format!("{}.{name}.{part}", self.part));
        let names = names.each_ref().map(String::as_str);
        let border = Border::Centred(Padding::Zero);
        convolution(
            self.tensors,
            names,
            Layout::OutInSides,
            inputs,
            stride,
            border,
        )
    }

    /// A map and its channels behind the convolution of a name.
    fn conv(
        &mut self,
        (x, channels): (Value, usize),
        name: &str,
        stride: usize,
    ) -> Result<(Value, usize), NetError> {
        let made = self.read(name, channels, stride)?;
        let outputs = made.outputs;
        Ok((self.graph.push(Op::Convolution(made), &[x]), outputs))
    }

    /// The same with its norm, in encoders.
    fn normed(
        &mut self,
        x: (Value, usize),
        name: &str,
        stride: usize,
    ) -> Result<(Value, usize), NetError> {
        let (x, channels) = self.conv(x, name, stride)?;
        let norm = Op::InstanceNorm(InstanceNorm {
            epsilon: 1e-5,
            variance: Variance::Biased,
            affine: Affine::Plain,
        });
        Ok(match self.normed {
            true => (self.graph.push(norm, &[x]), channels),
            false => (x, channels),
        })
    }

    fn relu(&mut self, (x, channels): (Value, usize)) -> (Value, usize) {
        (relu(&mut self.graph, x), channels)
    }

    /// A residual block with a bottleneck of a quarter of its channels.
    fn block(
        &mut self,
        x: (Value, usize),
        name: &str,
        stride: usize,
    ) -> Result<(Value, usize), NetError> {
        let mut y = x;
        for (number, stride) in [(1, 1), (2, stride), (3, 1)] {
            y = self.normed(y, &format!("{name}.conv{number}"), stride)?;
            y = self.relu(y);
        }
        let short = match stride {
            1 => x,
            _ => self.normed(x, &format!("{name}.downsample.0"), stride)?,
        };
        let sum = self.graph.push(Op::Add, &[short.0, y.0]);
        Ok(self.relu((sum, y.1)))
    }

    /// Everything of an encoder but its last convolution.
    fn trunk(&mut self, picture: Value) -> Result<(Value, usize), NetError> {
        let x = self.normed((picture, 3), "conv1", 2)?;
        let mut x = self.relu(x);
        for (stage, stride) in [(1, 1), (2, 2), (3, 2)] {
            x = self.block(x, &format!("layer{stage}.0"), stride)?;
            x = self.block(x, &format!("layer{stage}.1"), 1)?;
        }
        Ok(x)
    }

    fn function(&mut self, x: Value, function: Activation) -> Value {
        self.graph.push(Op::Activation(function), &[x])
    }

    /// `1 / (1 + e^−x)` or tanh of the convolution of a name of some maps, one behind the other.
    fn gate(
        &mut self,
        maps: &[(Value, usize)],
        name: &str,
        function: Activation,
    ) -> Result<Value, NetError> {
        let x = self.beside(maps);
        let (x, _) = self.conv(x, name, 1)?;
        Ok(self.function(x, function))
    }

    /// Some maps, one behind the other.
    fn beside(&mut self, maps: &[(Value, usize)]) -> (Value, usize) {
        let values: Vec<_> = maps.iter().map(|(value, _)| *value).collect();
        let channels = maps.iter().map(|(_, channels)| channels).sum();
        (self.graph.push(Op::Concat, &values), channels)
    }
}

const TANH: Activation = Activation::Tanh {
    scale: 1.0,
    shift: 0.0,
};

fn features(tensors: &Tensors<'_>) -> Result<GraphSpec, NetError> {
    let mut walk = Walk::new(tensors, "fnet", true);
    let picture = walk.graph.input("picture", Kind::Map(3));
    let x = walk.trunk(picture)?;
    let (x, _) = walk.conv(x, "conv2", 1)?;
    walk.graph.output(x);
    Ok(walk.graph)
}

/// The encoder of the first frame, whose last convolution makes the hidden state and the context, one behind the other.
fn context(tensors: &Tensors<'_>) -> Result<GraphSpec, NetError> {
    let mut walk = Walk::new(tensors, "cnet", false);
    let picture = walk.graph.input("picture", Kind::Map(3));
    let (x, channels) = walk.trunk(picture)?;
    let last = walk.read("conv2", channels, 1)?;
    let hidden = hidden(tensors)?.min(last.outputs);
    for (channels, function) in [(0..hidden, TANH), (hidden..last.outputs, Activation::Relu)] {
        let each = last.weight.len() / last.outputs.max(1);
        let part = Convolution {
            outputs: channels.len(),
            weight: last.weight[channels.start * each..channels.end * each].into(),
            bias: last.bias[channels].into(),
            ..last.clone()
        };
        let made = walk.graph.push(Op::Convolution(part), &[x]);
        let made = walk.function(made, function);
        walk.graph.output(made);
    }
    Ok(walk.graph)
}

/// Channels of the hidden state.
fn hidden(update: &Tensors<'_>) -> Result<usize, NetError> {
    let bias = update.read("update_block.gru.convz.bias")?;
    Ok(bias.values.len())
}

fn update(tensors: &Tensors<'_>) -> Result<GraphSpec, NetError> {
    let state = hidden(tensors)?;
    // What the gates read beside the state: the context, and what the motion encoder makes, with the flow.
    let motion = tensors.read("update_block.encoder.conv.bias")?.values.len() + 2;
    let read = tensors.shape("update_block.gru.convz.weight");
    let read = read.and_then(|shape| shape.get(1)).copied().unwrap_or(0);
    let context = read.saturating_sub(state + motion);
    let mut walk = Walk::new(tensors, "update_block", false);
    let hidden = (walk.graph.input("hidden", Kind::Map(state)), state);
    let context = (walk.graph.input("context", Kind::Map(context)), context);
    let seen = walk.graph.input("correlations", Kind::Map(RaftSpec::SEEN));
    let flow = (walk.graph.input("flow", Kind::Map(2)), 2);
    let mut known = [(seen, RaftSpec::SEEN), flow];
    for (at, name) in [(0, "convc1"), (1, "convf1"), (1, "convf2")] {
        let x = walk.conv(known[at], &format!("encoder.{name}"), 1)?;
        known[at] = walk.relu(x);
    }
    let x = walk.beside(&known);
    let x = walk.conv(x, "encoder.conv", 1)?;
    let motion = walk.relu(x);
    // h ← (1 − z)·h + z·q
    let sees = [context, motion, flow];
    let with = |first: (Value, usize)| [first, sees[0], sees[1], sees[2]];
    let z = walk.gate(&with(hidden), "gru.convz", Activation::Sigmoid)?;
    let r = walk.gate(&with(hidden), "gru.convr", Activation::Sigmoid)?;
    let reset = walk.graph.push(Op::Multiply, &[r, hidden.0]);
    let q = walk.gate(&with((reset, state)), "gru.convq", TANH)?;
    let negative = Op::Scale(Scaling {
        scale: vec![-1.0; state].into(),
        shift: vec![0.0; state].into(),
    });
    let without = walk.graph.push(negative, &[hidden.0]);
    let change = walk.graph.push(Op::Add, &[q, without]);
    let change = walk.graph.push(Op::Multiply, &[z, change]);
    let next = walk.graph.push(Op::Add, &[hidden.0, change]);
    walk.graph.output(next);
    let x = walk.conv((next, state), "flow_head.conv1", 1)?;
    let x = walk.relu(x);
    let (x, _) = walk.conv(x, "flow_head.conv2", 1)?;
    walk.graph.output(x);
    Ok(walk.graph)
}
