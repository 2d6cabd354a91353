//! What learning takes of memory.

use super::super::geometry::{Geometry, bytes};
use super::super::maps::PART;
use super::super::stage::{Id, Slot};
use super::super::view::Source;
use super::correlation::{Correlated, Correlation};
use super::{CpuLearner, Filters};
use crate::Result;
use crate::cpu::array::Layout;
use crate::graph::{Node, Op, Shape};

/// Bytes that a run there and back takes at most at a time.
pub(super) fn of(learner: &CpuLearner, inputs: &[Shape]) -> Result<usize> {
    let mut shapes = inputs.to_vec();
    shapes.extend(learner.spec.shapes(inputs)?);
    let geometry = learner.geometry(&shapes);
    let kept = learner.kept();
    let is_kept = |id: Id| kept[Slot::map(id).index()];
    let whole = |id: Id| geometry.lines(id, geometry.dims(id).1.height);
    let packed = |id: Id| bytes(Layout::of(&shapes[id].dims()).len());
    // Copies of what is kept: of inputs, and of what is handed out.
    let copied = (0..inputs.len()).filter(|&id| is_kept(id)).map(packed);
    let outputs = &learner.plan.outputs;
    let handed_out: usize = outputs.iter().map(|&id| packed(id)).sum();
    let copied: usize = copied.sum::<usize>() + handed_out;
    let there = learner.schedule(geometry, &kept).memory(geometry) + copied;
    let maps = (0..shapes.len()).filter(|&id| is_kept(id)).map(whole);
    let mut back = Back {
        learner,
        geometry,
        live: vec![0; shapes.len()],
        now: maps.sum::<usize>() + handed_out,
        most: 0,
    };
    for &id in outputs {
        let is_map = matches!(shapes[id], Shape::Map { .. });
        if is_map && learner.wants[id] {
            back.make(id, 0);
        }
    }
    for (index, node) in learner.spec.nodes.iter().enumerate().rev() {
        let id = inputs.len() + index;
        if learner.wants[id] {
            back.through(index, node);
            back.now -= std::mem::take(&mut back.live[id]);
        }
    }
    let towards_inputs = (0..inputs.len()).filter(|&id| learner.wants[id]);
    let most = back.most.max(back.now);
    Ok(there.max(most + towards_inputs.map(packed).sum::<usize>()))
}

/// Gradients on their way back.
struct Back<'a> {
    learner: &'a CpuLearner,
    geometry: Geometry<'a>,
    /// By value: bytes of the gradient towards it.
    live: Vec<usize>,
    now: usize,
    most: usize,
}

impl Back<'_> {
    /// Makes a gradient towards a map, or what is added to it, with so many bytes beside it.
    fn make(&mut self, id: Id, room: usize) {
        let made = self.geometry.lines(id, self.geometry.dims(id).1.height);
        self.most = self.most.max(self.now + made + room);
        if self.live[id] == 0 {
            self.live[id] = made;
            self.now += made;
        }
    }

    /// Gives the gradient towards one map to another of its size.
    fn hand_over(&mut self, from: Id, to: Id) {
        let moved = std::mem::take(&mut self.live[from]);
        match self.live[to] {
            0 => self.live[to] = moved,
            _ => self.now -= moved,
        }
    }

    fn through(&mut self, index: usize, node: &Node) {
        let inputs = self.geometry.plan.inputs;
        let id = inputs + index;
        let reads: Vec<Id> = node.reads.iter().map(|value| value.id(inputs)).collect();
        let from = reads[0];
        let threads = self.geometry.context.threads.current_num_threads();
        let small = threads * bytes(2 * PART);
        self.most = self.most.max(self.now + small);
        let wanted = |id: Id| self.learner.wants[id];
        match &node.op {
            Op::Convolution(op) => {
                self.correlate(index, Correlated::Convolution(op), from);
                if wanted(from) {
                    self.make(from, self.filters(index, from));
                }
            }
            Op::TransposedConvolution(op) => {
                self.correlate(index, Correlated::Transposed(op), from);
                if wanted(from) {
                    self.make(from, self.filters(index, from));
                }
            }
            Op::Upsample(_) | Op::Pool(_) | Op::Pad { .. } | Op::Crop { .. } => {
                let kernel = match &node.op {
                    Op::Pool(op) => op.kernel,
                    _ => 2,
                };
                let width = self.geometry.dims(from).1.width;
                self.make(from, threads * bytes(kernel * width));
            }
            Op::ChannelMean | Op::ChannelDeviation { .. } => self.make(from, small),
            Op::InstanceNorm(_) | Op::Scale(_) | Op::Activation(_) => {
                if self.is_map(from) && wanted(from) {
                    self.hand_over(id, from);
                }
            }
            Op::Add | Op::Multiply | Op::Mix => {
                if self.is_map(reads[1]) && wanted(reads[1]) {
                    self.make(reads[1], small);
                }
                if self.is_map(from) && wanted(from) {
                    self.hand_over(id, from);
                }
            }
            Op::Concat => {
                for read in reads.into_iter().filter(|&read| wanted(read)) {
                    self.make(read, small);
                }
            }
            Op::Linear(_) => {}
        }
    }

    fn is_map(&self, id: Id) -> bool {
        matches!(self.geometry.shapes[id], Shape::Map { .. })
    }

    /// Takes what the gradient towards filters takes.
    fn correlate(&mut self, index: usize, filters: Correlated<'_>, from: Id) {
        if self.learner.lists[index].is_empty() {
            return;
        }
        let source = |id: Id| {
            let (channels, size) = self.geometry.dims(id);
            Source::plain(&[], channels, size)
        };
        let made = self.geometry.plan.inputs + index;
        let correlation = Correlation::new(filters, source(made), source(from));
        let room = bytes(correlation.room(self.geometry.context));
        self.most = self.most.max(self.now + room);
    }

    /// What the filters of the way back take beside the gradient that they make.
    fn filters(&self, index: usize, from: Id) -> usize {
        let context = self.geometry.context;
        let size = self.geometry.dims(from).1;
        let made = self.geometry.dims(self.geometry.plan.inputs + index).1;
        let floats = match &self.learner.filters[index] {
            Some(Filters::Adjoint(adjoint)) => adjoint.room(context, made, size),
            Some(Filters::Straight(straight)) => straight.room(context, size),
            None => 0,
        };
        bytes(floats)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{CpuDevice, CpuSettings};
    use crate::graph::{
        Activation, Affine, Border, Convolution, GraphSpec, InstanceNorm, Kind, Learning, Pooling,
        PoolingKind, Scaling, TransposedConvolution, Upsampling, Value, Variance, Wanted,
    };
    use crate::{Hardware, Padding, Size};

    fn convolution(inputs: usize, outputs: usize, kernel: usize, stride: usize) -> Op {
        Op::Convolution(Convolution {
            inputs,
            outputs,
            groups: 1,
            kernel: [kernel; 2],
            stride,
            border: Border::Centred(Padding::Reflect),
            weight: vec![0.01; inputs * outputs * kernel * kernel].into(),
            bias: vec![0.5; outputs].into(),
        })
    }

    /// Some of everything, at two sizes.
    fn network(channels: usize) -> GraphSpec {
        let mut spec = GraphSpec::new();
        let c = channels;
        let image = spec.input("image", Kind::Map(3));
        let x = spec.push(convolution(3, c, 9, 1), &[image]);
        let x = spec.push(convolution(c, c, 3, 2), &[x]);
        let norm = InstanceNorm {
            epsilon: 1e-3,
            variance: Variance::Biased,
            affine: Affine::Fixed(Scaling {
                scale: vec![1.0; c].into(),
                shift: vec![0.1; c].into(),
            }),
        };
        let y = spec.push(Op::InstanceNorm(norm), &[x]);
        let y = spec.push(Op::Activation(Activation::Relu), &[y]);
        let y = spec.push(convolution(c, c, 3, 1), &[y]);
        let x = spec.push(Op::Add, &[x, y]);
        let y = spec.push(Op::Multiply, &[x, y]);
        let mean = spec.push(Op::ChannelMean, &[x]);
        let y = spec.push(Op::Multiply, &[y, mean]);
        let x = spec.push(Op::Concat, &[x, y]);
        let large = spec.push(Op::Upsample(Upsampling::Nearest), &[x]);
        let y = spec.push(convolution(2 * c, c, 3, 1), &[large]);
        let pool = Pooling {
            kind: PoolingKind::Max,
            kernel: 2,
            stride: 2,
            border: Border::Centred(Padding::Zero),
        };
        let y = spec.push(Op::Pool(pool), &[y]);
        let back = TransposedConvolution {
            inputs: c,
            outputs: 3,
            kernel: 4,
            stride: 2,
            before: 1,
            weight: vec![0.01; c * 3 * 16].into(),
            bias: vec![0.0; 3].into(),
        };
        let y = spec.push(Op::TransposedConvolution(back), &[y]);
        spec.output(y);
        spec.output(x);
        spec
    }

    fn wishes(spec: &GraphSpec) -> Vec<Wanted> {
        let norms = |op: &Op| matches!(op, Op::InstanceNorm(_));
        vec![
            Wanted::numbers(spec, |_| true).with_input(0),
            Wanted::numbers(spec, norms),
            Wanted::numbers(spec, |_| false).with_input(0),
        ]
    }

    /// What a learner says, and what it takes.
    fn measured(spec: &GraphSpec, wanted: &Wanted, size: Size) -> Result<(usize, usize)> {
        let device = CpuDevice::new(CpuSettings {
            threads: Some(2),
            ..CpuSettings::default()
        })?;
        let learner = device.learner(spec, wanted)?;
        let Size { width, height } = size;
        let image = device.upload(&vec![0.5; 3 * size.pixels()], &[3, height, width])?;
        let shape = Shape::Map { channels: 3, size };
        let shapes = spec.shapes(&[shape])?;
        let outputs = spec.outputs.iter().map(|&output| match output {
            Value::Input(_) => shape.dims(),
            Value::Node(index) => shapes[index].dims(),
        });
        let towards = outputs.map(|dims| device.upload(&vec![1.0; dims.iter().product()], &dims));
        let towards = towards.collect::<Result<Vec<_>>>()?;
        let towards: Vec<_> = towards.iter().map(Some).collect();
        let mut gradients = learner.gradients()?;
        let (before, _) = device.context.pool.in_use();
        // As many as the pool remembers.
        for _ in 0..4 {
            let tape = learner.forward(&[&image])?;
            tape.backward(&towards, &mut gradients)?;
            gradients.inputs[0] = None;
        }
        let (_, most) = device.context.pool.in_use();
        Ok((learner.memory(&[shape])?, most - before))
    }

    #[test]
    fn learning_takes_no_more_memory_than_it_says() -> Result<()> {
        for channels in [4, 16, 48] {
            let spec = network(channels);
            for (width, height) in [(2, 2), (34, 20), (256, 192)] {
                for (index, wanted) in wishes(&spec).iter().enumerate() {
                    let size = Size { width, height };
                    let (bound, used) = measured(&spec, wanted, size)?;
                    let case = format!("{channels} {width}×{height}, wish {index}");
                    assert!(used <= bound, "{case}: {used} > {bound}");
                    let loose = 2 * used + (4 << 20);
                    assert!(bound <= loose, "{case}: {used} ≪ {bound}");
                }
            }
        }
        Ok(())
    }

    /// Whoever wants less keeps less.
    #[test]
    fn what_is_not_wanted_is_not_kept() -> Result<()> {
        let spec = network(16);
        let size = Size::square(256);
        let [all, norms, image] = &wishes(&spec)[..] else {
            panic!("there are three wishes");
        };
        let taken = |wanted| Ok::<_, crate::ComputeError>(measured(&spec, wanted, size)?.1);
        assert!(taken(norms)? < taken(all)?);
        assert!(taken(image)? < taken(all)?);
        Ok(())
    }
}
