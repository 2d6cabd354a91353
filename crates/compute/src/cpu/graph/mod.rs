//! Graphs on the processor.
//!
//! * `plan` turns a graph into `stage`s, into which what saves passes over memory is fused;
//! * `schedule` says in which order stages make which rows and when values are done, as a whole or in strips, and what that
//!   takes; `geometry` which rows each reads for those that it makes;
//! * `run` does what a schedule says; threads share the pieces of each stage;
//! * `view` is how maps are read, `target` how they are written, with what is done on the way;
//! * `convolution` chooses how convolutions are computed: `direct`ly, `pointwise`, `depthwise` or by
//!   `winograd`; most stand on the kernel of `product`, and on `filters` that are laid out for it;
//! * `maps` and `vectors` are the rest, `activation` the functions of single numbers;
//! * `learning` is the way back.

mod activation;
mod convolution;
mod depthwise;
mod direct;
mod filters;
mod geometry;
mod learning;
mod maps;
mod plan;
mod pointwise;
mod product;
mod run;
mod schedule;
mod stage;
mod target;
mod vectors;
mod view;
mod winograd;

use super::{Context, CpuDevice, Precision};
use crate::graph::{Graph, GraphSpec, Graphs, Shape};
use crate::{Memory, Result, Strips, StripsPlan, Tensor};
use geometry::Geometry;
use plan::Plan;
use run::Run;
use schedule::Schedule;
use stage::Id;
use std::sync::Arc;

impl Graphs for CpuDevice {
    fn graph(&self, spec: &GraphSpec) -> Result<Box<dyn Graph>> {
        spec.validate()?;
        let winograd = self.context.precision != Precision::Strict;
        Ok(Box::new(CpuGraph {
            context: Arc::clone(&self.context),
            plan: Plan::new(spec, winograd),
            spec: spec.clone(),
        }))
    }
}

/// A graph on the cpu device.
#[derive(Debug)]
struct CpuGraph {
    context: Arc<Context>,
    spec: GraphSpec,
    plan: Plan,
}

impl CpuGraph {
    fn geometry<'a>(&'a self, shapes: &'a [Shape]) -> Geometry<'a> {
        Geometry {
            context: &self.context,
            plan: &self.plan,
            shapes,
        }
    }

    /// The shapes of all values, for inputs of these.
    fn shapes(&self, inputs: &[Shape]) -> Result<Vec<Shape>> {
        let mut shapes = inputs.to_vec();
        shapes.extend(self.spec.shapes(inputs)?);
        Ok(shapes)
    }

    fn schedule(&self, geometry: Geometry<'_>, strips: Option<&Strips>) -> Schedule {
        let Some(strips) = strips else {
            return Schedule::whole(geometry);
        };
        let is_kept = |id: Id| {
            let node = id.checked_sub(self.plan.inputs);
            node.is_some_and(|node| strips.kept.contains(&node))
        };
        Schedule::strips(geometry, strips.rows, &is_kept)
    }
}

impl Graph for CpuGraph {
    fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    fn run(&self, inputs: &[&Tensor], strips: Option<&Strips>) -> Result<Vec<Tensor>> {
        let shapes = self.spec.shapes_of(inputs)?.all();
        let geometry = self.geometry(&shapes);
        let schedule = self.schedule(geometry, strips);
        self.context.pool.next_pass();
        self.context
            .threads
            .install(|| Run::new(geometry, inputs)?.all(&schedule))
    }

    fn memory(&self, inputs: &[Shape], strips: Option<&Strips>) -> Result<usize> {
        let shapes = self.shapes(inputs)?;
        let geometry = self.geometry(&shapes);
        Ok(self.schedule(geometry, strips).memory(geometry))
    }

    fn strips(&self, inputs: &[Shape], rows: Option<usize>) -> Result<Vec<StripsPlan>> {
        let shapes = self.shapes(inputs)?;
        let geometry = self.geometry(&shapes);
        let once = Schedule::whole(geometry).products(geometry).max(1);
        let mut candidates = Schedule::candidates(geometry);
        candidates.retain(|&id| id >= self.plan.inputs);
        // Small maps are kept first: of the large ones at a graph's ends, most is gained for least work.
        candidates.sort_by_key(|&id| geometry.lines(id, geometry.dims(id).1.height));
        let mut plans: Vec<StripsPlan> = Vec::new();
        for count in 0..=candidates.len() {
            let kept = candidates[..count].iter();
            let strips = Strips {
                rows,
                kept: kept.map(|id| id - self.plan.inputs).collect(),
            };
            let schedule = self.schedule(geometry, Some(&strips));
            let forward = schedule.memory(geometry);
            let work = schedule.products(geometry).max(1) as f64 / once as f64;
            // Whoever takes no more memory and no more work than another is better.
            let better = |plan: &StripsPlan| plan.memory.forward >= forward && plan.work >= work;
            plans.retain(|plan| !better(plan));
            if plans
                .iter()
                .all(|plan| plan.memory.forward > forward || plan.work > work)
            {
                plans.push(StripsPlan {
                    strips,
                    memory: Memory {
                        forward,
                        ..Memory::default()
                    },
                    work,
                });
            }
        }
        plans.sort_by_key(|plan| plan.memory.forward);
        Ok(plans)
    }
}

#[cfg(test)]
mod tests {
    use super::stage::{Making, Work};
    use super::*;
    use crate::cpu::CpuSettings;
    use crate::graph::{
        Activation, Affine, Border, Convolution, InstanceNorm, Kind, Op, Upsampling, Value,
        Variance,
    };
    use crate::{Hardware, Padding, Size};

    fn convolution(inputs: usize, outputs: usize, kernel: usize) -> Op {
        Op::Convolution(Convolution {
            inputs,
            outputs,
            groups: 1,
            kernel: [kernel; 2],
            stride: 1,
            border: Border::Centred(Padding::Reflect),
            weight: vec![0.01; inputs * outputs * kernel * kernel].into(),
            bias: vec![0.5; outputs].into(),
        })
    }

    fn norm() -> Op {
        Op::InstanceNorm(InstanceNorm {
            epsilon: 1e-5,
            variance: Variance::Biased,
            affine: Affine::Plain,
        })
    }

    /// A residual block, doubled: convolutions, norms, functions and sums.
    fn block(channels: usize) -> GraphSpec {
        let mut spec = GraphSpec::new();
        let relu = Op::Activation(Activation::Relu);
        let image = spec.input("image", Kind::Map(3));
        let x = spec.push(convolution(3, channels, 9), &[image]);
        let x = spec.push(relu.clone(), &[x]);
        let y = spec.push(convolution(channels, channels, 3), &[x]);
        let y = spec.push(norm(), &[y]);
        let y = spec.push(relu, &[y]);
        let y = spec.push(convolution(channels, channels, 3), &[y]);
        let x = spec.push(Op::Add, &[x, y]);
        let x = spec.push(Op::Upsample(Upsampling::Nearest), &[x]);
        let x = spec.push(convolution(channels, 3, 3), &[x]);
        spec.output(x);
        spec
    }

    #[test]
    fn what_can_be_fused_is() {
        let plan = Plan::new(&block(16), true);
        let convolves = |work: &Work| matches!(work, Work::Convolve { .. });
        let works: Vec<_> = plan.stages.iter().map(|stage| &stage.work).collect();
        // Four convolutions and a norm: neither functions nor the sum nor the doubling is a pass of its own.
        assert_eq!(works.len(), 5, "{works:?}");
        assert_eq!(works.iter().filter(|work| convolves(work)).count(), 4);
        let added = |work: &&&Work| matches!(work, Work::Convolve { add: Some(_), .. });
        assert_eq!(works.iter().filter(added).count(), 1);
        let summed = |work: &&&Work| matches!(work, Work::Convolve { moments: true, .. });
        assert_eq!(works.iter().filter(summed).count(), 1);
    }

    #[test]
    fn what_is_read_by_others_is_made() {
        let mut spec = block(4);
        // The sum is handed out, so that it has to be there; and so is the doubled map.
        spec.output(Value::Node(6));
        spec.output(Value::Node(7));
        let plan = Plan::new(&spec, true);
        let doubled = |work: &Work| {
            let doubling = Making::Upsample(Upsampling::Nearest);
            matches!(work, Work::Map { making, .. } if *making == doubling)
        };
        let made = plan.stages.iter().filter(|stage| doubled(&stage.work));
        assert_eq!(made.count(), 1);
    }

    #[test]
    fn no_run_takes_more_memory_than_it_says() -> Result<()> {
        for channels in [4, 16, 48] {
            for (width, height) in [(1, 1), (33, 20), (256, 192), (700, 300)] {
                for outputs in [
                    vec![],
                    vec![Value::Node(3), Value::Node(3), Value::Input(0)],
                ] {
                    let device = CpuDevice::new(CpuSettings {
                        threads: Some(2),
                        ..CpuSettings::default()
                    })?;
                    let mut spec = block(channels);
                    spec.outputs.extend(outputs);
                    let graph = device.graph(&spec)?;
                    let pixels = width * height;
                    let image = device.upload(&vec![0.5; 3 * pixels], &[3, height, width])?;
                    let size = Size { width, height };
                    let shape = Shape::Map { channels: 3, size };
                    let mut ways = vec![None];
                    let plans = graph.strips(&[shape], Some(40))?;
                    ways.extend(plans.into_iter().take(1).map(|plan| Some(plan.strips)));
                    for strips in &ways {
                        let case = format!("{channels} {width}×{height} in {strips:?}");
                        let bound = graph.memory(&[shape], strips.as_ref())?;
                        let (before, _) = device.context.pool.in_use();
                        // As many as the pool remembers.
                        for _ in 0..4 {
                            drop(graph.run(&[&image], strips.as_ref())?);
                        }
                        let (_, most) = device.context.pool.in_use();
                        let used = most - before;
                        assert!(used <= bound, "{case}: {used} > {bound}");
                        let loose = 3 * used + (4 << 20);
                        assert!(bound <= loose, "{case}: {used} ≪ {bound}");
                    }
                }
            }
        }
        Ok(())
    }
}
