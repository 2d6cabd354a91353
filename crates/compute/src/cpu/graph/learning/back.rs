//! The way back: from gradients towards what nodes have made to those towards what they read, and towards their numbers.

use super::super::geometry::Geometry;
use super::super::run::Values;
use super::super::stage::Id;
use super::super::vectors::moments;
use super::super::view::Source;
use super::change::{Change, Products, Slope, products};
use super::correlation::{Correlated, Correlation};
use super::places::{Folding, halved, surround, unpooled};
use super::{CpuLearner, Filters};
use crate::cpu::Context;
use crate::cpu::array;
use crate::cpu::memory::Buffer;
use crate::graph::{
    Affine, Gradients, InstanceNorm, Node, Op, PoolingKind, Scaling, Shape, Variance,
};
use crate::{ComputeError, Result, Size, Tensor};

/// Gradients on their way.
pub(super) struct Way<'a> {
    pub(super) learner: &'a CpuLearner,
    pub(super) geometry: Geometry<'a>,
    pub(super) values: &'a Values<'static>,
    /// By value, as far as some have come: of maps, row-major, and of vectors.
    pub(super) maps: Vec<Option<Buffer>>,
    pub(super) vectors: Vec<Option<Vec<f64>>>,
}

/// A gradient that is there.
enum Towards {
    Map(Buffer),
    Vector(Vec<f64>),
}

impl<'a> Way<'a> {
    /// Without gradients, so far.
    pub(super) fn new(
        learner: &'a CpuLearner,
        geometry: Geometry<'a>,
        values: &'a Values<'static>,
    ) -> Self {
        let count = geometry.shapes.len();
        Self {
            learner,
            geometry,
            values,
            maps: (0..count).map(|_| None).collect(),
            vectors: vec![None; count],
        }
    }

    fn context(&self) -> &'a Context {
        self.geometry.context
    }

    /// A map as it is read once all is made.
    fn source(&self, id: Id) -> Result<Source<'a>> {
        let view = self.geometry.plan.views[id].as_ref();
        let view = view.ok_or_else(|| ComputeError::BadNetwork {
            layer: id,
            problem: "a value is read that is not there".into(),
        })?;
        self.values.source(self.geometry, view)
    }

    fn size(&self, id: Id) -> Size {
        self.geometry.dims(id).1
    }

    fn channels(&self, id: Id) -> usize {
        self.geometry.dims(id).0
    }

    fn wants(&self, id: Id) -> bool {
        self.learner.wants[id]
    }

    /// Adds a gradient towards a map, which is used up.
    pub(super) fn give(&mut self, id: Id, gradient: Buffer) -> Result<()> {
        if self.maps[id].is_none() {
            self.maps[id] = Some(gradient);
            return Ok(());
        }
        self.lend(id, &gradient)
    }

    /// Adds a gradient towards a map, which is needed still.
    fn lend(&mut self, id: Id, gradient: &[f32]) -> Result<()> {
        let (channels, size) = self.geometry.dims(id);
        let context = self.context();
        if let Some(sum) = &mut self.maps[id] {
            let change = Change::Add(Source::plain(gradient, channels, size));
            return change.run(context, sum, size.pixels());
        }
        let mut copy = context.pool.take(gradient.len())?;
        copy.copy_from_slice(gradient);
        self.maps[id] = Some(copy);
        Ok(())
    }

    /// Adds a gradient towards a vector.
    pub(super) fn give_vector(&mut self, id: Id, gradient: impl Iterator<Item = f64>) {
        match &mut self.vectors[id] {
            Some(sum) => sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g),
            none => *none = Some(gradient.collect()),
        }
    }

    /// Goes back through a node.
    pub(super) fn through(
        &mut self,
        index: usize,
        node: &Node,
        into: &mut Gradients,
    ) -> Result<()> {
        let inputs = self.geometry.plan.inputs;
        let id = inputs + index;
        let towards = match (self.maps[id].take(), self.vectors[id].take()) {
            (Some(map), _) => Towards::Map(map),
            (None, Some(vector)) => Towards::Vector(vector),
            (None, None) => return Ok(()),
        };
        let reads: Vec<Id> = node.reads.iter().map(|value| value.id(inputs)).collect();
        let lists = self.learner.lists[index].clone();
        let numbers = &mut into.numbers[lists];
        match (towards, self.geometry.shapes[reads[0]]) {
            (Towards::Map(g), _) => self.map(id, &node.op, &reads, g, numbers),
            (Towards::Vector(g), Shape::Map { .. }) => self.moment(&node.op, reads[0], &g),
            (Towards::Vector(g), Shape::Vector(_)) => {
                self.vector(id, &node.op, &reads, &g, numbers)
            }
        }
    }

    /// From the gradient towards a map.
    fn map(
        &mut self,
        id: Id,
        op: &Op,
        reads: &[Id],
        mut g: Buffer,
        numbers: &mut [Tensor],
    ) -> Result<()> {
        let context = self.context();
        let from = reads[0];
        let (channels, size) = self.geometry.dims(id);
        let made = |g| Source::plain(g, channels, size);
        match op {
            Op::Convolution(op) => {
                let filters = Correlated::Convolution(op);
                self.convolution(id, filters, from, &made(&g), numbers)
            }
            Op::TransposedConvolution(op) => {
                let filters = Correlated::Transposed(op);
                self.convolution(id, filters, from, &made(&g), numbers)
            }
            Op::Upsample(kind) => {
                self.give(from, halved(context, *kind, &made(&g), self.size(from))?)
            }
            Op::Pool(op) => {
                let x = match op.kind {
                    PoolingKind::Max => Some(self.source(from)?),
                    PoolingKind::Average => None,
                };
                let towards = unpooled(context, op, &made(&g), (self.size(from), x))?;
                self.give(from, towards)
            }
            Op::Pad { amount, padding } => {
                let folding = Folding {
                    channels,
                    padded: size,
                    before: [*amount; 2],
                    padding: *padding,
                    size: self.size(from),
                };
                self.give(from, folding.run(context, &g)?)
            }
            Op::Crop { amount } => {
                let towards = surround(context, &made(&g), *amount, self.size(from))?;
                self.give(from, towards)
            }
            Op::InstanceNorm(op) => self.norm(id, op, reads, g, numbers),
            Op::Scale(op) => self.scale(op, from, g, numbers),
            Op::Activation(activation) => {
                // A norm before it looks at its slopes itself.
                if !self.learner.is_behind(from) {
                    let change = Change::Through((*activation, self.source(id)?));
                    change.run(context, &mut g, size.pixels())?;
                }
                self.give(from, g)
            }
            Op::Add | Op::Multiply | Op::Mix => self.binary(op, reads, g),
            Op::Concat => {
                let mut first = 0;
                for &read in reads {
                    let count = self.channels(read) * size.pixels();
                    if self.wants(read) {
                        self.lend(read, &g[first..first + count])?;
                    }
                    first += count;
                }
                Ok(())
            }
            // They make vectors.
            Op::ChannelMean | Op::ChannelDeviation { .. } | Op::Linear(_) => Ok(()),
        }
    }

    fn convolution(
        &mut self,
        id: Id,
        filters: Correlated<'_>,
        from: Id,
        g: &Source<'_>,
        numbers: &mut [Tensor],
    ) -> Result<()> {
        let context = self.context();
        let size = self.size(from);
        if let [weight, bias] = numbers {
            let correlation = Correlation::new(filters, *g, self.source(from)?);
            correlation.add(context, array::get_mut("backward", weight)?)?;
            let sums = products(context, g, None, None)?;
            add(bias, sums.iter().map(|sums| sums.sum))?;
        }
        if !self.wants(from) {
            return Ok(());
        }
        let node = id - self.geometry.plan.inputs;
        let towards = match &self.learner.filters[node] {
            Some(Filters::Adjoint(adjoint)) => adjoint.run(context, g, size)?,
            Some(Filters::Straight(straight)) => straight.run(context, g, size)?,
            None => return Ok(()),
        };
        self.give(from, towards)
    }

    /// `dL/dx = scale/√(σ² + ε) · (g − Σg/n − x̂ · Σ(g·x̂)/m)`, `dL/dscale = Σ(g·x̂)`, `dL/dshift = Σg`, where `x̂` is what is
    /// scaled and the variance of `n` places is over `m` (Ioffe and Szegedy 2015, arXiv 1502.03167, section 3, of a single
    /// picture).
    fn norm(
        &mut self,
        id: Id,
        op: &InstanceNorm,
        reads: &[Id],
        mut g: Buffer,
        numbers: &mut [Tensor],
    ) -> Result<()> {
        let context = self.context();
        let (from, size) = (reads[0], self.size(reads[0]));
        let n = size.pixels();
        let x = self.source(from)?;
        let moments: Vec<_> = self.moments(from, op.epsilon, op.variance)?.collect();
        let means: Vec<f64> = moments.iter().map(|(mean, _)| *mean).collect();
        let made = Source::plain(&g, x.channels, size);
        let behind = match self.learner.behind[id - self.geometry.plan.inputs] {
            Some((activation, made)) => Some((activation, self.source(made)?)),
            None => None,
        };
        let mut sums = products(context, &made, Some((&x, &means)), behind.as_ref())?;
        for (sums, (_, deviation)) in sums.iter_mut().zip(&moments) {
            sums.product /= deviation;
        }
        if let [scale, shift] = numbers {
            add(scale, sums.iter().map(|sums| sums.product))?;
            add(shift, sums.iter().map(|sums| sums.sum))?;
        }
        if let [_, scale, shift] = *reads {
            self.give_vector(scale, sums.iter().map(|sums| sums.product));
            self.give_vector(shift, sums.iter().map(|sums| sums.sum));
        }
        if !self.wants(from) {
            return Ok(());
        }
        let scale = |channel: usize| match (&op.affine, reads) {
            (Affine::Fixed(fixed), _) => Ok(fixed.scale[channel]),
            (Affine::Given, &[_, scale, _]) => Ok(self.values.vector(scale)?[channel]),
            _ => Ok(1.0),
        };
        let m = over(op.variance, n);
        let of = |(channel, (sums, (mean, deviation))): (usize, (&Products, &(f64, f64)))| {
            let factor = f64::from(scale(channel)?) / deviation;
            let distance = -factor * sums.product / (m * deviation);
            let center = *mean as f32;
            Ok(Slope {
                factor: factor as f32,
                distance: distance as f32,
                center,
                // By what the center was rounded, too.
                shift: (distance * (f64::from(center) - mean) - factor * sums.sum / n as f64)
                    as f32,
            })
        };
        let slopes = sums.iter().zip(&moments).enumerate().map(of);
        let slopes = slopes.collect::<Result<Vec<_>>>()?;
        let change = match behind {
            Some(function) => Change::Behind(&slopes, x, function),
            None => Change::Slopes(&slopes, Some(x)),
        };
        change.run(context, &mut g, n)?;
        self.give(from, g)
    }

    /// Mean and `√(σ² + ε)` of each channel.
    fn moments(
        &self,
        id: Id,
        epsilon: f32,
        variance: Variance,
    ) -> Result<impl Iterator<Item = (f64, f64)> + use<'a>> {
        let n = self.size(id).pixels();
        let sums = self.values.summed(self.geometry, id)?.iter();
        Ok(sums.map(move |sums| moments(sums, n, epsilon, variance)))
    }

    fn scale(
        &mut self,
        op: &Scaling,
        from: Id,
        mut g: Buffer,
        numbers: &mut [Tensor],
    ) -> Result<()> {
        let context = self.context();
        let (channels, size) = self.geometry.dims(from);
        if let [scale, shift] = numbers {
            let x = self.source(from)?;
            let made = Source::plain(&g, channels, size);
            let sums = products(context, &made, Some((&x, &vec![0.0; channels])), None)?;
            add(scale, sums.iter().map(|sums| sums.product))?;
            add(shift, sums.iter().map(|sums| sums.sum))?;
        }
        if self.wants(from) {
            times(context, &mut g, size, &op.scale)?;
            self.give(from, g)?;
        }
        Ok(())
    }

    /// Sums, products and mixtures of maps, or of a map and a vector.
    fn binary(&mut self, op: &Op, reads: &[Id], mut g: Buffer) -> Result<()> {
        let (a, b) = (reads[0], reads[1]);
        let context = self.context();
        let (channels, size) = self.geometry.dims(a);
        let made = |g| Source::plain(g, channels, size);
        let centers = vec![0.0; channels];
        let of_maps = matches!(self.geometry.shapes[b], Shape::Map { .. });
        match (op, of_maps) {
            (Op::Add, true) => {
                if self.wants(b) {
                    self.lend(b, &g)?;
                }
            }
            (Op::Add, false) => {
                if self.wants(b) {
                    let sums = products(context, &made(&g), None, None)?;
                    self.give_vector(b, sums.iter().map(|sums| sums.sum));
                }
            }
            (Op::Multiply, true) => {
                if self.wants(b) {
                    let mut towards = copy(context, &g)?;
                    Change::Times(self.source(a)?).run(context, &mut towards, size.pixels())?;
                    self.give(b, towards)?;
                }
                if self.wants(a) {
                    Change::Times(self.source(b)?).run(context, &mut g, size.pixels())?;
                }
            }
            (Op::Multiply, false) => {
                if self.wants(b) {
                    let x = self.source(a)?;
                    let sums = products(context, &made(&g), Some((&x, &centers)), None)?;
                    self.give_vector(b, sums.iter().map(|sums| sums.product));
                }
                if self.wants(a) {
                    times(context, &mut g, size, self.values.vector(b)?)?;
                }
            }
            _ => {
                let t = self.values.vector(reads[2])?[0];
                if self.wants(reads[2]) {
                    let mut total = 0.0;
                    for (read, sign) in [(a, -1.0), (b, 1.0)] {
                        let x = self.source(read)?;
                        let sums = products(context, &made(&g), Some((&x, &centers)), None)?;
                        total += sign * sums.iter().map(|sums| sums.product).sum::<f64>();
                    }
                    self.give_vector(reads[2], std::iter::once(total));
                }
                if self.wants(b) {
                    let mut towards = copy(context, &g)?;
                    times(context, &mut towards, size, &vec![t; channels])?;
                    self.give(b, towards)?;
                }
                times(context, &mut g, size, &vec![1.0 - t; channels])?;
            }
        }
        match self.wants(a) {
            true => self.give(a, g),
            false => Ok(()),
        }
    }

    /// From the gradient towards moments of a map.
    fn moment(&mut self, op: &Op, from: Id, g: &[f64]) -> Result<()> {
        let context = self.context();
        let (channels, size) = self.geometry.dims(from);
        let n = size.pixels();
        let mut towards = context.pool.zeros(channels * n)?;
        match op {
            // d√(σ² + ε)/dx = (x − μ) / (m √(σ² + ε)), where the variance is over m.
            Op::ChannelDeviation { epsilon, variance } => {
                let m = over(*variance, n);
                let of = |(g, (mean, deviation)): (&f64, (f64, f64))| {
                    let center = mean as f32;
                    let distance = g / (m * deviation);
                    Slope {
                        distance: distance as f32,
                        center,
                        shift: (distance * (f64::from(center) - mean)) as f32,
                        factor: 0.0,
                    }
                };
                let moments = self.moments(from, *epsilon, *variance)?;
                let slopes: Vec<_> = g.iter().zip(moments).map(of).collect();
                let change = Change::Slopes(&slopes, Some(self.source(from)?));
                change.run(context, &mut towards, n)?;
            }
            _ => {
                for (plane, g) in towards.chunks_exact_mut(n).zip(g) {
                    plane.fill((g / n as f64) as f32);
                }
            }
        }
        self.give(from, towards)
    }
}

/// What squares are summed over, for a variance of `n` places.
fn over(variance: Variance, n: usize) -> f64 {
    match variance {
        Variance::Biased => n as f64,
        Variance::Unbiased => (n - 1).max(1) as f64,
    }
}

/// Adds to a list of numbers.
pub(super) fn add(to: &mut Tensor, gradient: impl Iterator<Item = f64>) -> Result<()> {
    let to = array::get_mut("backward", to)?;
    to.iter_mut()
        .zip(gradient)
        .for_each(|(to, g)| *to += g as f32);
    Ok(())
}

fn copy(context: &Context, map: &[f32]) -> Result<Buffer> {
    let mut copy = context.pool.take(map.len())?;
    copy.copy_from_slice(map);
    Ok(copy)
}

/// Multiplies each channel by a number.
fn times(context: &Context, map: &mut [f32], size: Size, factors: &[f32]) -> Result<()> {
    let slope = |&factor: &f32| Slope {
        factor,
        ..Slope::default()
    };
    let slopes: Vec<_> = factors.iter().map(slope).collect();
    Change::Slopes(&slopes, None).run(context, map, size.pixels())
}
