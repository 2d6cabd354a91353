//! Graphs on the processor.
//!
//! * `plan` turns a graph into stages, into which what saves passes over memory is fused, and says when values are done;
//! * `run` runs them, each in pieces that threads share;
//! * `view` is how maps are read, `target` how they are written, with what is done on the way;
//! * `convolution` chooses how convolutions are computed: `direct`ly, or by `winograd`; both stand on the kernel of
//!   `product`, and on `filters` that are laid out for it;
//! * `maps` and `vectors` are the rest, `activation` the functions of single numbers.

mod activation;
mod convolution;
mod direct;
mod filters;
mod maps;
mod plan;
mod product;
mod run;
mod target;
mod vectors;
mod view;
mod winograd;

use super::{Context, CpuDevice, Precision};
use crate::graph::{Graph, GraphSpec, Graphs, Shape};
use crate::{Result, Tensor};
use plan::Plan;
use run::Run;
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

impl Graph for CpuGraph {
    fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    fn run(&self, inputs: &[&Tensor], _rows: Option<usize>) -> Result<Vec<Tensor>> {
        let shapes = self.spec.shapes_of(inputs)?.all();
        self.context.pool.next_pass();
        self.context.threads.install(|| {
            let run = Run::new(&self.context, &self.plan, inputs, shapes)?;
            run.all()
        })
    }

    fn memory(&self, inputs: &[Shape], _rows: Option<usize>) -> Result<usize> {
        let mut shapes = inputs.to_vec();
        shapes.extend(self.spec.shapes(inputs)?);
        Ok(run::memory(
            &self.context,
            &self.plan,
            inputs.len(),
            &shapes,
        ))
    }
}
