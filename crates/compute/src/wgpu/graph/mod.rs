//! Graphs: feed-forward networks of any shape, whole, on the device.
//!
//! * `plan` makes steps of nodes and fuses them, once; `run` takes them, with arrays that go back to the pool after their
//!   last reader;
//! * `convolution` is the one product of matrices for convolutions and their transposes, `geometry` what else changes the size
//!   of maps and how a map is seen by its reader, `reductions` moments of channels and linear maps, `pointwise` what is done
//!   number by number, `activation` what every kernel does before it writes.
//!
//! A run that an adapter has no memory for, the processor takes over.

mod activation;
mod convolution;
mod geometry;
mod plan;
mod pointwise;
mod reductions;
mod run;

use super::array::{get, put};
use super::bounds::Bounds;
use super::context::Context;
use super::memory::Array;
use super::{GpuDevice, array};
use crate::cpu::{CpuDevice, CpuSettings};
use crate::graph::{Graph, GraphSpec, Graphs, Shape, Shapes};
use crate::{ComputeError, Hardware, Result, Strips, Tensor};
use plan::{Step, plan};
use run::{Run, extent};

/// Numbers that indices of shaders reach, grids of workgroups that are folded included.
const REACH: usize = 1 << 31;

/// A graph on the device.
#[derive(Debug)]
pub(super) struct GpuGraph {
    device: GpuDevice,
    spec: GraphSpec,
    steps: Vec<Step>,
}

impl Graphs for GpuDevice {
    fn graph(&self, spec: &GraphSpec) -> Result<Box<dyn Graph>> {
        spec.validate()?;
        Ok(Box::new(GpuGraph {
            device: self.clone(),
            spec: spec.clone(),
            steps: plan(&self.context, spec)?,
        }))
    }
}

impl GpuGraph {
    /// Runs it, or counts what that takes.
    fn on(&self, context: &Context, shapes: &Shapes, inputs: &[&Array]) -> Result<Vec<Array>> {
        let all = shapes.inputs.iter().chain(&shapes.nodes);
        let numbers = all.map(|&shape| extent(shape)).map(|(c, n)| c * n);
        if let Some(numbers) = numbers.max().filter(|&numbers| numbers > REACH) {
            return Err(ComputeError::OutOfMemory {
                device: context.name.clone(),
                what: "a map of so many numbers".into(),
                bytes: numbers * size_of::<f32>(),
            });
        }
        context.pool.next_pass();
        let mut run = Run::new(context, shapes, inputs);
        for step in &self.steps {
            run.step(step)?;
        }
        run.outputs(&self.spec.outputs)
    }

    /// Runs it on the processor: what it reads is downloaded, what it makes is uploaded.
    fn on_the_processor(&self, inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
        let host = CpuDevice::new(CpuSettings::default())?;
        let there = |tensor: &&Tensor| {
            let values = self.device.download(tensor)?;
            host.upload(&values, tensor.shape())
        };
        let inputs = inputs.iter().map(there).collect::<Result<Vec<_>>>()?;
        let inputs: Vec<_> = inputs.iter().collect();
        let back = |tensor: Tensor| {
            let values = host.download(&tensor)?;
            array::upload(&self.device.context, &values, tensor.shape())
        };
        let made = host.graph(&self.spec)?.run(&inputs, None)?;
        made.into_iter().map(back).collect()
    }
}

impl Graph for GpuGraph {
    fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    fn run(&self, inputs: &[&Tensor], _: Option<&Strips>) -> Result<Vec<Tensor>> {
        let context = &self.device.context;
        let shapes = self.spec.shapes_of(inputs)?;
        let arrays = inputs.iter().map(|tensor| get(context, "run", tensor));
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let made = match self.on(context, &shapes, &arrays) {
            Err(error @ ComputeError::OutOfMemory { .. }) => {
                log::warn!("{error}; a network runs on the processor instead");
                return self.on_the_processor(inputs);
            }
            made => made?,
        };
        context.check()?;
        let tensors = made.into_iter().zip(&self.spec.outputs);
        Ok(tensors
            .map(|(array, &output)| put(array, &shapes.of(output).dims()))
            .collect())
    }

    /// A run on a device that only counts.
    fn memory(&self, inputs: &[Shape], _: Option<&Strips>) -> Result<usize> {
        let shapes = Shapes {
            inputs: inputs.to_vec(),
            nodes: self.spec.shapes(inputs)?,
        };
        let here = &self.device.context;
        let bounds = Bounds {
            memory: u64::MAX,
            ..here.bounds
        };
        let context = Context::new(None, &here.name, bounds, here.tuning.counting())?;
        let take = |&shape: &Shape| {
            let (channels, places) = extent(shape);
            context.pool.take(channels * places)
        };
        let arrays = inputs.iter().map(take).collect::<Result<Vec<_>>>()?;
        let before = context.pool.used();
        let _made = self.on(&context, &shapes, &arrays.iter().collect::<Vec<_>>())?;
        Ok(context.pool.peak() - before)
    }
}
