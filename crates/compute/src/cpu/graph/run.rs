//! A run of a plan: values as they come and go.

use super::maps;
use super::plan::{Id, Plan, Scales, Stage, View, Work};
use super::target::{Sums, Target};
use super::vectors;
use super::view::Source;
use crate::cpu::Context;
use crate::cpu::array::{self, Layout};
use crate::cpu::memory::{Buffer, Pool};
use crate::cpu::shared::Shared;
use crate::cpu::simd::LANES;
use crate::graph::Shape;
use crate::{ComputeError, Result, Size, Tensor};
use rayon::prelude::*;

/// What is there of a value.
enum Held<'a> {
    Nothing,
    /// An input that lies row by row already.
    Given(&'a [f32]),
    Map(Buffer),
    Vector(Vec<f32>),
    /// Scale and shift of a norm.
    Scales(Vec<f32>, Vec<f32>),
}

/// A run.
pub(super) struct Run<'a> {
    context: &'a Context,
    plan: &'a Plan,
    /// By value.
    shapes: Vec<Shape>,
    held: Vec<Held<'a>>,
    /// By value: the sums of its channels.
    sums: Vec<Option<Vec<Sums>>>,
}

/// What a plan cannot ask for.
fn missing(id: Id) -> ComputeError {
    ComputeError::BadNetwork {
        layer: id,
        problem: "a value is read that is not there".into(),
    }
}

/// Channels and size of a value; a vector is a map of single places.
pub(super) fn dims(shape: Shape) -> (usize, Size) {
    match shape {
        Shape::Map { channels, size } => (channels, size),
        Shape::Vector(n) => (n, Size::square(1)),
    }
}

impl<'a> Run<'a> {
    /// With inputs, and the shapes of all values.
    pub(super) fn new(
        context: &'a Context,
        plan: &'a Plan,
        inputs: &[&'a Tensor],
        shapes: Vec<Shape>,
    ) -> Result<Self> {
        let mut held = Vec::with_capacity(shapes.len());
        for tensor in inputs {
            let values = array::get("run", tensor)?;
            held.push(match Layout::of(tensor.shape()) {
                Layout::Plain { .. } if tensor.shape().len() == 1 => Held::Vector(values.to_vec()),
                Layout::Plain { .. } => Held::Given(values),
                Layout::Blocked { pixels, .. } => {
                    let mut plain = context.pool.take(tensor.len())?;
                    unpack(values, pixels, &mut plain);
                    Held::Map(plain)
                }
            });
        }
        held.resize_with(shapes.len(), || Held::Nothing);
        let sums = vec![None; shapes.len()];
        Ok(Self {
            context,
            plan,
            shapes,
            held,
            sums,
        })
    }

    /// Runs all stages, and hands out.
    pub(super) fn all(mut self) -> Result<Vec<Tensor>> {
        for (stage, done) in self.plan.stages.iter().zip(&self.plan.done) {
            self.stage(stage)?;
            for &id in done {
                self.held[id] = Held::Nothing;
            }
        }
        let outputs = &self.plan.outputs;
        let mut tensors = Vec::with_capacity(outputs.len());
        for (index, &id) in outputs.iter().enumerate() {
            let again = outputs[index + 1..].contains(&id);
            tensors.push(self.hand_out(id, again)?);
        }
        Ok(tensors)
    }

    /// A value as a tensor; it may be asked for again.
    fn hand_out(&mut self, id: Id, again: bool) -> Result<Tensor> {
        let dims = self.shapes[id].dims();
        let layout = Layout::of(&dims);
        if let (Layout::Plain { .. }, false, Held::Map(buffer)) =
            (layout, again, &mut self.held[id])
        {
            return Ok(array::put(buffer.take(), &dims));
        }
        let mut buffer = self.context.pool.take(layout.len())?;
        match (layout, &self.held[id]) {
            (_, Held::Vector(values)) => buffer.copy_from_slice(values),
            (Layout::Plain { .. }, _) => buffer.copy_from_slice(self.map(id)?),
            (Layout::Blocked { pixels, .. }, _) => pack(self.map(id)?, pixels, &mut buffer),
        }
        if !again {
            self.held[id] = Held::Nothing;
        }
        Ok(array::put(buffer, &dims))
    }

    fn map(&self, id: Id) -> Result<&[f32]> {
        match &self.held[id] {
            Held::Given(values) => Ok(values),
            Held::Map(buffer) => Ok(buffer),
            Held::Nothing | Held::Vector(_) | Held::Scales(..) => Err(missing(id)),
        }
    }

    fn vector(&self, id: Id) -> Result<&[f32]> {
        match &self.held[id] {
            Held::Vector(values) => Ok(values),
            Held::Nothing | Held::Given(_) | Held::Map(_) | Held::Scales(..) => Err(missing(id)),
        }
    }

    fn summed(&self, id: Id) -> Result<&[Sums]> {
        self.sums[id].as_deref().ok_or_else(|| missing(id))
    }

    /// What a view reads.
    fn source<'s>(&'s self, view: &'s View) -> Result<Source<'s>> {
        let affine = match &view.scales {
            Scales::None => None,
            Scales::Fixed(fixed) => Some((&*fixed.scale, &*fixed.shift)),
            Scales::Made(id) => match &self.held[*id] {
                Held::Scales(scale, shift) => Some((&**scale, &**shift)),
                _ => return Err(missing(*id)),
            },
        };
        Ok(Source {
            data: self.map(view.base)?,
            size: dims(self.shapes[view.base]).1,
            affine,
            activation: view.activation,
            doubled: view.doubled,
        })
    }

    fn stage(&mut self, stage: &Stage) -> Result<()> {
        let to = stage.to;
        let (channels, size) = dims(self.shapes[to]);
        let made = match &stage.work {
            Work::Convolve { .. } => return self.convolve(stage),
            Work::Sum(view) => {
                let sums = maps::sums(self.context, &self.source(view)?, channels)?;
                self.sums[to] = Some(sums);
                return Ok(());
            }
            Work::Norm { of, op, given } => {
                let given = match given {
                    Some([scale, shift]) => Some([self.vector(*scale)?, self.vector(*shift)?]),
                    None => None,
                };
                let (scale, shift) = vectors::norm(op, self.summed(*of)?, size.pixels(), given);
                Held::Scales(scale, shift)
            }
            Work::Moment { of, deviation } => {
                let pixels = dims(self.shapes[*of]).1.pixels();
                let moment = |sums: &Sums| match *deviation {
                    None => (sums.sum / pixels as f64) as f32,
                    Some((epsilon, variance)) => {
                        vectors::moments(sums, pixels, epsilon, variance).1 as f32
                    }
                };
                Held::Vector(self.summed(*of)?.iter().map(moment).collect())
            }
            Work::Map {
                making,
                views,
                vector,
                activation,
            } => {
                let sources = views.iter().map(|view| self.source(view));
                let sources = sources.collect::<Result<Vec<_>>>()?;
                let job = maps::Job {
                    making: *making,
                    sources: &sources,
                    vector: vector.map(|id| self.vector(id)).transpose()?,
                    activation: *activation,
                };
                let mut out = self.context.pool.take(channels * size.pixels())?;
                job.run(self.context, size, &mut out)?;
                Held::Map(out)
            }
            Work::Vector { op, reads } => {
                let reads = reads.iter().map(|&id| self.vector(id));
                let reads = reads.collect::<Result<Vec<_>>>()?;
                Held::Vector(vectors::compute(self.context.token, op, &reads))
            }
        };
        self.held[to] = made;
        Ok(())
    }

    fn convolve(&mut self, stage: &Stage) -> Result<()> {
        let Work::Convolve {
            view,
            convolution,
            add,
            activation,
            moments,
        } = &stage.work
        else {
            return Err(missing(stage.to));
        };
        let (channels, size) = dims(self.shapes[stage.to]);
        let convolution = &self.plan.convolutions[*convolution];
        let source = self.source(view)?;
        let mut out: Buffer = self.context.pool.take(channels * size.pixels())?;
        let pieces = match moments {
            true => convolution
                .way(self.context, size, view.doubled)
                .pieces(self.context, size),
            false => 0,
        };
        let mut sums = vec![Sums::default(); pieces * channels];
        let target = Target {
            out: Shared::new(&mut out),
            size,
            add: add.as_ref().map(|view| self.source(view)).transpose()?,
            activation: *activation,
            sums: moments.then(|| Shared::new(&mut sums)),
        };
        convolution.run(self.context, source, target)?;
        if *moments {
            let mut total = vec![Sums::default(); channels];
            for piece in sums.chunks_exact(channels) {
                for (total, sums) in total.iter_mut().zip(piece) {
                    *total = total.with(*sums);
                }
            }
            self.sums[stage.to] = Some(total);
        }
        self.held[stage.to] = Held::Map(out);
        Ok(())
    }
}

/// From blocks of channels to row-major.
fn unpack(blocked: &[f32], pixels: usize, plain: &mut [f32]) {
    let planes = plain.par_chunks_exact_mut(pixels.max(1)).enumerate();
    planes.for_each(|(channel, plane)| {
        let block = &blocked[channel / LANES * pixels * LANES..][..pixels * LANES];
        for (value, lanes) in plane.iter_mut().zip(block.as_chunks::<LANES>().0) {
            *value = lanes[channel % LANES];
        }
    });
}

/// From row-major to blocks of channels.
fn pack(plain: &[f32], pixels: usize, blocked: &mut [f32]) {
    /// Pixels of a piece, which stay in the first-level cache.
    const PIECE: usize = 256;
    let channels = plain.len() / pixels.max(1);
    let blocks = blocked
        .par_chunks_exact_mut((pixels * LANES).max(1))
        .enumerate();
    blocks.for_each(|(block, out)| {
        let first = block * LANES;
        let count = LANES.min(channels - first);
        let pieces = out.par_chunks_mut(PIECE * LANES).enumerate();
        pieces.for_each(|(index, out)| {
            let lanes = out.as_chunks_mut::<LANES>().0;
            lanes.fill([0.0; LANES]);
            for lane in 0..count {
                let from = &plain[(first + lane) * pixels + index * PIECE..];
                for (to, value) in lanes.iter_mut().zip(from) {
                    to[lane] = *value;
                }
            }
        });
    });
}

/// Bytes that a run takes at most at a time: blocks of memory may be larger than what they are taken for.
pub(super) fn memory(context: &Context, plan: &Plan, inputs: usize, shapes: &[Shape]) -> usize {
    let bytes = |floats: usize| Pool::most(floats * size_of::<f32>());
    let numbers = |id: Id| shapes[id].dims().iter().product::<usize>();
    let layout = |id: Id| Layout::of(&shapes[id].dims());
    let is_plain = |id: Id| matches!(layout(id), Layout::Plain { .. });
    // By value: what is in memory of it. Of inputs, those in blocks are copied.
    let mut held = vec![0; shapes.len()];
    for id in (0..inputs).filter(|&id| !is_plain(id)) {
        held[id] = bytes(numbers(id));
    }
    let threads = context.threads.current_num_threads();
    let mut most: usize = held.iter().sum();
    for (stage, done) in plan.stages.iter().zip(&plan.done) {
        let (channels, size) = dims(shapes[stage.to]);
        let room = match &stage.work {
            Work::Convolve {
                view,
                convolution,
                moments,
                ..
            } => {
                held[stage.to] = bytes(numbers(stage.to));
                let way = plan.convolutions[*convolution].way(context, size, view.doubled);
                let sums = match moments {
                    true => way.pieces(context, size) * channels * size_of::<Sums>(),
                    false => 0,
                };
                sums + threads * bytes(way.room(context))
            }
            Work::Map { views, .. } => {
                held[stage.to] = bytes(numbers(stage.to));
                let widths = views.iter().map(|view| dims(shapes[view.base]).1.width);
                let rows = 2 * widths.max().unwrap_or(0) + size.width;
                threads * bytes(maps::PIECE.max(rows))
            }
            Work::Sum(_) => threads * bytes(maps::PIECE),
            Work::Norm { .. } => {
                held[stage.to] = bytes(2 * channels);
                0
            }
            Work::Moment { .. } | Work::Vector { .. } => {
                held[stage.to] = bytes(numbers(stage.to));
                0
            }
        };
        most = most.max(held.iter().sum::<usize>() + room);
        for &id in done {
            held[id] = 0;
        }
    }
    // What is handed out in blocks is there twice while it is brought into them.
    for (index, &id) in plan.outputs.iter().enumerate() {
        let again = plan.outputs[index + 1..].contains(&id);
        let copied = again || !is_plain(id) || id < inputs;
        let made = match copied {
            true => bytes(layout(id).len()),
            false => held[id],
        };
        let twice = if copied { made } else { 0 };
        most = most.max(held.iter().sum::<usize>() + twice);
        if !again {
            held[id] = 0;
        }
        held.push(made);
    }
    most
}
