//! What is run of a graph: steps, each a kernel or two, into which what saves passes over memory was fused.
//!
//! * A function of one number is applied by whoever makes the number, if nobody else reads it.
//! * A convolution reads a map that is doubled or framed for it where that map came from; nobody writes it.
//! * What nothing that is handed out needs is not computed, and what was read for the last time is let go of.

use super::super::array::from_plain;
use super::super::context::Context;
use super::super::memory::Array;
use super::activation::Behind;
use super::convolution::Convolution;
use super::geometry::{Frame, Resize, View};
use crate::graph::{Affine, Border, GraphSpec, Op, Scaling, Upsampling, Value, Variance};
use crate::{Padding, Result};
use std::collections::BTreeSet;

/// What a step computes.
#[derive(Debug)]
pub(super) enum Work {
    Convolution(Convolution),
    Resize(Resize),
    Concat,
    /// A norm; with a fixed scale and shift, or with those that it reads, or none.
    Norm {
        variance: Variance,
        epsilon: f32,
        fixed: Option<[Array; 2]>,
    },
    Mean,
    Deviation {
        variance: Variance,
        epsilon: f32,
    },
    /// Weights and biases.
    Linear([Array; 2]),
    Copy,
    /// Scale and shift.
    Scale([Array; 2]),
    Add,
    Multiply,
    Mix,
}

impl Work {
    /// Whether every number depends on the one in its place alone.
    fn is_number_by_number(&self) -> bool {
        match self {
            Work::Norm { .. }
            | Work::Copy
            | Work::Scale(_)
            | Work::Add
            | Work::Multiply
            | Work::Mix => true,
            Work::Convolution(_)
            | Work::Resize(_)
            | Work::Concat
            | Work::Mean
            | Work::Deviation { .. }
            | Work::Linear(_) => false,
        }
    }
}

/// One step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) work: Work,
    /// What it reads, in the order that the operation says.
    pub(super) reads: Vec<Value>,
    /// What is done to what it makes.
    pub(super) behind: Behind,
    /// The node whose value that is.
    pub(super) makes: usize,
    /// Nodes that nobody reads after it.
    pub(super) last: BTreeSet<usize>,
}

impl Step {
    /// The node whose value it may write over.
    pub(super) fn written_over(&self) -> Option<usize> {
        let (Value::Node(first), others) = (*self.reads.first()?, &self.reads[1..]) else {
            return None;
        };
        let alone = self.last.contains(&first) && !others.contains(&Value::Node(first));
        (alone && self.work.is_number_by_number()).then_some(first)
    }
}

/// How a node reads maps, if it is one that needs no map of its own for it.
struct Reading {
    view: View,
    reads: Vec<Value>,
}

/// The steps of a graph, in their order.
pub(super) fn plan(context: &Context, spec: &GraphSpec) -> Result<Vec<Step>> {
    let readings: Vec<_> = (0..spec.nodes.len()).map(|at| reading(spec, at)).collect();
    let mut needed: BTreeSet<Value> = spec.outputs.iter().copied().collect();
    for (at, reading) in readings.iter().enumerate().rev() {
        if needed.contains(&Value::Node(at)) {
            needed.extend(&reading.reads);
        }
    }
    let mut absorbed = BTreeSet::new();
    let mut steps = Vec::new();
    for (at, Reading { view, reads }) in readings.into_iter().enumerate() {
        if !needed.contains(&Value::Node(at)) || absorbed.contains(&at) {
            continue;
        }
        let own = match spec.nodes[at].op {
            Op::Activation(function) => Some((at, function)),
            _ => None,
        };
        let function = own.or_else(|| {
            let behind = only_reader(spec, at)?;
            match spec.nodes[behind].op {
                Op::Activation(function) => Some((behind, function)),
                _ => None,
            }
        });
        let makes = function.map_or(at, |(node, _)| node);
        absorbed.insert(makes);
        steps.push(Step {
            work: work(context, &spec.nodes[at].op, view)?,
            reads,
            behind: Behind(function.map(|(_, function)| function)),
            makes,
            last: BTreeSet::new(),
        });
    }
    let mut kept: BTreeSet<Value> = spec.outputs.iter().copied().collect();
    for step in steps.iter_mut().rev() {
        for &value in &step.reads {
            if let (true, Value::Node(node)) = (kept.insert(value), value) {
                step.last.insert(node);
            }
        }
    }
    Ok(steps)
}

/// The node that alone reads a node, which is not handed out.
fn only_reader(spec: &GraphSpec, at: usize) -> Option<usize> {
    let value = Value::Node(at);
    let mut readers = (spec.nodes.iter().enumerate())
        .flat_map(|(reader, node)| node.reads.iter().map(move |&read| (reader, read)))
        .filter(|&(_, read)| read == value);
    match (readers.next(), readers.next()) {
        (Some((reader, _)), None) if !spec.outputs.contains(&value) => Some(reader),
        _ => None,
    }
}

/// How a node reads: a convolution looks through what frames or doubles a map.
fn reading(spec: &GraphSpec, at: usize) -> Reading {
    let node = &spec.nodes[at];
    let mut view = View::default();
    let mut reads = node.reads.clone();
    let (Op::Convolution(op), [value]) = (&node.op, &mut reads[..]) else {
        return Reading { view, reads };
    };
    let source = |value: Value| match value {
        Value::Input(_) => None,
        Value::Node(at) => Some(&spec.nodes[at]),
    };
    if op.border == Border::Valid
        && let Some(node) = source(*value)
        && let Some(frame) = frame(&node.op)
    {
        (view.frame, *value) = (Some(frame), node.reads[0]);
    }
    if let Some(node) = source(*value)
        && matches!(node.op, Op::Upsample(Upsampling::Nearest))
    {
        (view.doubled, *value) = (true, node.reads[0]);
    }
    Reading { view, reads }
}

/// What pads and crops do.
fn frame(op: &Op) -> Option<Frame> {
    match *op {
        Op::Pad { amount, padding } => Some(Frame {
            before: amount as isize,
            padding,
        }),
        Op::Crop { amount } => Some(Frame {
            before: -(amount as isize),
            padding: Padding::Zero,
        }),
        _ => None,
    }
}

/// What a node computes, its numbers on the device.
fn work(context: &Context, op: &Op, view: View) -> Result<Work> {
    let numbers = |[first, second]: [&[f32]; 2]| -> Result<[Array; 2]> {
        Ok([from_plain(context, first)?, from_plain(context, second)?])
    };
    let scaling = |op: &Scaling| numbers([&op.scale, &op.shift]);
    let window = |view| Work::Resize(Resize::Window(view));
    Ok(match op {
        Op::Convolution(op) => Work::Convolution(Convolution::new(context, op, view)?),
        Op::TransposedConvolution(op) => Work::Convolution(Convolution::transposed(context, op)?),
        Op::Upsample(Upsampling::Nearest) => window(View {
            doubled: true,
            frame: None,
        }),
        Op::Upsample(Upsampling::Bilinear) => Work::Resize(Resize::Bilinear),
        Op::Pool(pool) => Work::Resize(Resize::Pool(*pool)),
        Op::Pad { .. } | Op::Crop { .. } => window(View {
            doubled: false,
            frame: frame(op),
        }),
        Op::InstanceNorm(norm) => Work::Norm {
            variance: norm.variance,
            epsilon: norm.epsilon,
            fixed: match &norm.affine {
                Affine::Fixed(fixed) => Some(scaling(fixed)?),
                Affine::Plain | Affine::Given => None,
            },
        },
        Op::ChannelMean => Work::Mean,
        &Op::ChannelDeviation { epsilon, variance } => Work::Deviation { variance, epsilon },
        Op::Linear(op) => Work::Linear(numbers([&op.weight, &op.bias])?),
        Op::Scale(op) => Work::Scale(scaling(op)?),
        Op::Activation(_) => Work::Copy,
        Op::Add => Work::Add,
        Op::Multiply => Work::Multiply,
        Op::Mix => Work::Mix,
        Op::Concat => Work::Concat,
    })
}
