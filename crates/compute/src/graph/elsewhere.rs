//! Graphs of a device that has none of its own: another device runs them.

use super::{Graph, GraphSpec, Graphs, Shape};
use crate::{Hardware, Result, Strips, StripsPlan, Tensor};

/// A graph that another device runs: what it reads is downloaded, what it makes is uploaded.
#[derive(Debug)]
pub(crate) struct Elsewhere<D> {
    device: D,
    host: Box<dyn Graphs>,
    graph: Box<dyn Graph>,
}

impl<D: Hardware> Elsewhere<D> {
    /// Prepares a graph on another device, of which the log is told.
    pub(crate) fn new(device: D, host: Box<dyn Graphs>, spec: &GraphSpec) -> Result<Self> {
        device.falls_back("graphs")?;
        let graph = host.graph(spec)?;
        Ok(Self {
            device,
            host,
            graph,
        })
    }
}

impl<D: Hardware> Graph for Elsewhere<D> {
    fn spec(&self) -> &GraphSpec {
        self.graph.spec()
    }

    fn run(&self, inputs: &[&Tensor], strips: Option<&Strips>) -> Result<Vec<Tensor>> {
        let there = |tensor: &&Tensor| {
            let values = self.device.download(tensor)?;
            self.host.upload(&values, tensor.shape())
        };
        let inputs = inputs.iter().map(there).collect::<Result<Vec<_>>>()?;
        let inputs: Vec<_> = inputs.iter().collect();
        let back = |tensor: Tensor| {
            let values = self.host.download(&tensor)?;
            self.device.upload(&values, tensor.shape())
        };
        let made = self.graph.run(&inputs, strips)?;
        made.into_iter().map(back).collect()
    }

    fn memory(&self, inputs: &[Shape], strips: Option<&Strips>) -> Result<usize> {
        self.graph.memory(inputs, strips)
    }

    fn strips(&self, inputs: &[Shape], rows: Option<usize>) -> Result<Vec<StripsPlan>> {
        self.graph.strips(inputs, rows)
    }
}
