//! Learning graphs on the processor.
//!
//! Forwards, a graph runs as its [plan](super::plan) says, and what the way back needs is kept: maps as they lie in memory,
//! before what is done number by number while they are read, and the moments of norms. A ReLU's slope is read from what it
//! made.
//!
//! * `back` goes back node by node, and adds up, `vectors` through those of vectors;
//! * `adjoint` is the way back through convolutions, on the kernels of the way there;
//! * `correlation` are the gradients towards filters, by `products` or `dots`;
//! * `places` is what moves numbers from place to place, `change` what is done number by number, and sums
//!   over places;
//! * `memory` says what that takes.

mod adjoint;
mod back;
mod change;
mod correlation;
mod dots;
mod memory;
mod places;
mod products;
mod vectors;

use super::geometry::Geometry;
use super::plan::Plan;
use super::run::{Run, Values, pack, unpack};
use super::schedule::Schedule;
use super::stage::{Id, Slot, View};
use super::view::Lines;
use crate::cpu::array::{self, Layout};
use crate::cpu::memory::Buffer;
use crate::cpu::{Context, CpuDevice, Precision};
use crate::device::same;
use crate::graph::{
    Activation, Gradients, GraphSpec, GraphTape, Learner, Learning, Node, Op, PoolingKind, Shape,
    Value, Wanted, check_backward, check_numbers,
};
use crate::{Result, Tensor};
use adjoint::{Adjoint, Straight};
use back::Way;
use std::ops::Range;
use std::sync::Arc;

impl Learning for CpuDevice {
    fn learner(&self, spec: &GraphSpec, wanted: &Wanted) -> Result<Box<dyn Learner>> {
        spec.validate()?;
        wanted.check(spec)?;
        let context = Arc::clone(&self.context);
        Ok(Box::new(CpuLearner::new(
            context,
            spec.clone(),
            wanted.clone(),
        )))
    }
}

/// A graph that learns.
#[derive(Debug)]
struct CpuLearner {
    context: Arc<Context>,
    spec: GraphSpec,
    wanted: Wanted,
    plan: Plan,
    /// By node: filters of the way back, where a gradient goes on from a convolution.
    filters: Vec<Option<Filters>>,
    /// By value: whether a gradient has to reach it.
    wants: Vec<bool>,
    /// By node: the function behind a norm, and its value, if nothing else reads the norm.
    behind: Vec<Option<(Activation, Id)>>,
    /// By node: which lists of [`Gradients::numbers`] are its own, if they are wanted.
    lists: Vec<Range<usize>>,
}

/// Filters of the way back.
#[derive(Debug)]
enum Filters {
    Adjoint(Box<Adjoint>),
    Straight(Straight),
}

impl CpuLearner {
    fn new(context: Arc<Context>, spec: GraphSpec, wanted: Wanted) -> Self {
        let mut wants = wanted.inputs.clone();
        wants.extend(wanted.reached(&spec));
        let mut count = 0;
        let own = |(node, wanted): (&Node, &bool)| {
            let first = count;
            count += node.op.numbers().len() * usize::from(*wanted);
            first..count
        };
        let lists = spec.nodes.iter().zip(&wanted.nodes).map(own).collect();
        let winograd = context.precision != Precision::Strict;
        let mut learner = Self {
            plan: Plan::new(&spec, winograd),
            filters: spec.nodes.iter().map(|_| None).collect(),
            behind: behind(&spec),
            context,
            spec,
            wanted,
            wants,
            lists,
        };
        for node in 0..learner.filters.len() {
            learner.lay_out(node);
        }
        learner
    }

    /// Whether a value is a norm that looks at the slopes of the function behind it.
    fn is_behind(&self, id: Id) -> bool {
        let node = id.checked_sub(self.spec.inputs.len());
        node.is_some_and(|node| self.behind[node].is_some())
    }

    fn winograd(&self) -> bool {
        self.context.precision != Precision::Strict
    }

    /// Lays the filters of the way back through a node out.
    fn lay_out(&mut self, index: usize) {
        let node = &self.spec.nodes[index];
        let inputs = self.spec.inputs.len();
        let goes_on = node.reads.iter().any(|value| self.wants[value.id(inputs)]);
        self.filters[index] = match &node.op {
            _ if !goes_on => None,
            Op::Convolution(op) => {
                let adjoint = Adjoint::new(op, self.winograd());
                Some(Filters::Adjoint(Box::new(adjoint)))
            }
            Op::TransposedConvolution(op) => Some(Filters::Straight(Straight::new(op))),
            _ => None,
        };
    }

    fn geometry<'a>(&'a self, shapes: &'a [Shape]) -> Geometry<'a> {
        Geometry {
            context: &self.context,
            plan: &self.plan,
            shapes,
        }
    }

    /// The maps that the way back through a node reads.
    fn looks_at(&self, index: usize) -> Vec<Id> {
        let inputs = self.spec.inputs.len();
        let node = &self.spec.nodes[index];
        let reads: Vec<Id> = node.reads.iter().map(|value| value.id(inputs)).collect();
        let towards_numbers = !self.lists[index].is_empty();
        let wants = |place: usize| self.wants[reads[place]];
        let chosen = |places: &[(usize, bool)]| {
            let places = places.iter().filter(|(_, needed)| *needed);
            places.map(|(place, _)| reads[*place]).collect()
        };
        match &node.op {
            _ if !self.wants[inputs + index] => vec![],
            Op::Convolution(_) | Op::TransposedConvolution(_) | Op::Scale(_) => {
                chosen(&[(0, towards_numbers)])
            }
            Op::InstanceNorm(_) | Op::ChannelDeviation { .. } => vec![reads[0]],
            Op::Pool(op) => chosen(&[(0, op.kind == PoolingKind::Max)]),
            Op::Activation(_) => vec![inputs + index],
            Op::Multiply => chosen(&[(0, wants(1)), (1, wants(0))]),
            Op::Mix => chosen(&[(0, wants(2)), (1, wants(2))]),
            Op::Upsample(_)
            | Op::Pad { .. }
            | Op::Crop { .. }
            | Op::ChannelMean
            | Op::Linear(_)
            | Op::Add
            | Op::Concat => vec![],
        }
    }

    /// By slot: whether the way back needs it. Numbers that are no maps are few.
    fn kept(&self) -> Vec<bool> {
        let mut kept = vec![false; 3 * self.wants.len()];
        for id in 0..self.wants.len() {
            kept[Slot::numbers(id).index()] = true;
            kept[Slot::sums(id).index()] = true;
        }
        for index in 0..self.spec.nodes.len() {
            for id in self.looks_at(index) {
                let view = self.plan.views[id].iter();
                for slot in view.flat_map(View::reads) {
                    kept[slot.index()] = true;
                }
            }
        }
        kept
    }

    /// A run that lets go of nothing that is kept.
    fn schedule(&self, geometry: Geometry<'_>, kept: &[bool]) -> Schedule {
        let mut schedule = Schedule::whole(geometry);
        schedule.keep(kept);
        schedule
    }
}

/// By node: the function behind a norm, and its value, if nothing else reads the norm.
fn behind(spec: &GraphSpec) -> Vec<Option<(Activation, Id)>> {
    let mut behind = vec![None; spec.nodes.len()];
    let reads = spec.nodes.iter().flat_map(|node| &node.reads);
    let reads: Vec<Value> = reads.chain(&spec.outputs).copied().collect();
    for (index, node) in spec.nodes.iter().enumerate() {
        if let (Op::Activation(activation), &[Value::Node(norm)]) = (&node.op, &node.reads[..])
            && matches!(spec.nodes[norm].op, Op::InstanceNorm(_))
            && reads
                .iter()
                .filter(|&&read| read == Value::Node(norm))
                .count()
                == 1
        {
            behind[norm] = Some((*activation, spec.inputs.len() + index));
        }
    }
    behind
}

impl Learner for CpuLearner {
    fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    fn numbers(&self) -> Result<Vec<Tensor>> {
        let lists = self.wanted.lists(&self.spec);
        let tensor =
            |(_, list): (usize, &[f32])| array::from_plain(&self.context, list, &[list.len()]);
        lists.map(tensor).collect()
    }

    fn set(&mut self, numbers: &[Tensor]) -> Result<()> {
        check_numbers((&self.spec, &self.wanted), numbers)?;
        let lists = numbers.iter().map(|tensor| array::get("set", tensor));
        let lists = lists.collect::<Result<Vec<_>>>()?;
        self.spec
            .replace(&self.wanted, lists.into_iter().map(Arc::from));
        let winograd = self.winograd();
        self.plan.renew(&self.spec, winograd, &self.wanted.nodes);
        for index in 0..self.spec.nodes.len() {
            if self.wanted.nodes[index] {
                self.lay_out(index);
            }
        }
        Ok(())
    }

    fn gradients(&self) -> Result<Gradients> {
        let lists = self.wanted.lists(&self.spec);
        let zeros = lists.map(|(_, list)| array::zeros(&self.context, &[list.len()]));
        Ok(Gradients {
            inputs: self.wanted.inputs.iter().map(|_| None).collect(),
            numbers: zeros.collect::<Result<_>>()?,
        })
    }

    fn forward(&self, inputs: &[&Tensor]) -> Result<Box<dyn GraphTape + '_>> {
        let shapes = self.spec.shapes_of(inputs)?.all();
        let geometry = self.geometry(&shapes);
        let kept = self.kept();
        let schedule = self.schedule(geometry, &kept);
        self.context.pool.next_pass();
        let run = || Run::new(geometry, inputs)?.keep(&schedule, &kept);
        let (outputs, values) = self.context.threads.install(run)?;
        Ok(Box::new(CpuTape {
            learner: self,
            shapes,
            values,
            outputs,
        }))
    }

    fn memory(&self, inputs: &[Shape]) -> Result<usize> {
        memory::of(self, inputs)
    }
}

/// A run that is kept.
#[derive(Debug)]
struct CpuTape<'a> {
    learner: &'a CpuLearner,
    /// By value.
    shapes: Vec<Shape>,
    values: Values<'static>,
    outputs: Vec<Tensor>,
}

impl GraphTape for CpuTape<'_> {
    fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    fn backward(
        self: Box<Self>,
        cotangents: &[Option<&Tensor>],
        into: &mut Gradients,
    ) -> Result<()> {
        let learner = self.learner;
        let shapes: Vec<_> = self.outputs.iter().map(|it| it.shape().to_vec()).collect();
        let graph = (&learner.spec, &learner.wanted);
        check_backward(graph, &shapes, cotangents, into)?;
        learner
            .context
            .threads
            .install(|| self.back(cotangents, into))
    }
}

impl CpuTape<'_> {
    fn back(&self, cotangents: &[Option<&Tensor>], into: &mut Gradients) -> Result<()> {
        let learner = self.learner;
        let geometry = learner.geometry(&self.shapes);
        let mut way = Way::new(learner, geometry, &self.values);
        for (&id, cotangent) in learner.plan.outputs.iter().zip(cotangents) {
            let Some(cotangent) = cotangent else {
                continue;
            };
            let numbers = array::get("backward", cotangent)?;
            match self.shapes[id] {
                _ if !learner.wants[id] => {}
                Shape::Vector(_) => {
                    way.give_vector(id, numbers.iter().copied().map(f64::from));
                }
                Shape::Map { .. } => way.give(id, self.unpacked(id, numbers)?)?,
            }
        }
        for (index, node) in learner.spec.nodes.iter().enumerate().rev() {
            if learner.wants[learner.plan.inputs + index] {
                way.through(index, node, into)?;
            }
        }
        for (id, to) in into.inputs.iter_mut().enumerate() {
            if !learner.wants[id] {
                continue;
            }
            let towards = match (way.maps[id].take(), way.vectors[id].take()) {
                (Some(map), _) => self.packed(id, map)?,
                (None, Some(vector)) => {
                    let values: Vec<f32> = vector.iter().map(|&v| v as f32).collect();
                    array::from_plain(&learner.context, &values, &[values.len()])?
                }
                (None, None) => array::zeros(&learner.context, &self.shapes[id].dims())?,
            };
            match to {
                Some(sum) => {
                    same("a gradient towards an input", sum, &towards)?;
                    let sum = array::get_mut("backward", sum)?.iter_mut();
                    let towards = array::get("backward", &towards)?;
                    sum.zip(towards).for_each(|(sum, v)| *sum += v);
                }
                none => *none = Some(towards),
            }
        }
        Ok(())
    }

    /// A map that came as a tensor, row-major.
    fn unpacked(&self, id: Id, numbers: &[f32]) -> Result<Buffer> {
        let geometry = self.learner.geometry(&self.shapes);
        let (channels, size) = geometry.dims(id);
        let mut buffer = self.learner.context.pool.take(channels * size.pixels())?;
        match Layout::of(&self.shapes[id].dims()) {
            Layout::Plain { .. } => buffer.copy_from_slice(numbers),
            Layout::Blocked { .. } => {
                let lines = Lines {
                    data: &mut *buffer,
                    plane: size.pixels(),
                    first: 0,
                };
                unpack(numbers, size, &(0..size.height), lines);
            }
        }
        Ok(buffer)
    }

    /// A row-major map as a tensor.
    fn packed(&self, id: Id, map: Buffer) -> Result<Tensor> {
        let dims = self.shapes[id].dims();
        let layout = Layout::of(&dims);
        let Layout::Blocked { pixels, .. } = layout else {
            return Ok(array::put(map, &dims));
        };
        let mut blocked = self.learner.context.pool.take(layout.len())?;
        pack(&map, pixels, &mut blocked);
        Ok(array::put(blocked, &dims))
    }
}
