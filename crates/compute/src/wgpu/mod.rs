//! The GPU: compute shaders in WGSL, through whatever graphics interface the system has.
//!
//! * `adapter` finds and opens one, `context` records and submits kernels, `kernel` puts their text together, `memory` is
//!   where arrays lie, `fault` keeps what goes wrong behind the host's back, `scalar` fetches sums late;
//! * `network` and `tape` run a network forward and backward, with `convolution` (directly or by `winograd`, as `tuning`
//!   has measured), `moments`, `heads`, and `pointwise` between them; `gemm` is the one product of matrices that all of them
//!   share, for numbers of 16 bits with what `half` knows of their range and, on some adapters, by `cooperative` matrices;
//! * `graph` is graphs, on the same product;
//! * `vector`, `spatial`, `statistics` and `matrix` are the operations of the traits of these names; `fidelity` stands on
//!   `product`s, `factor`s of covariances and the `polar` decomposition.
//!
//! Everything stays on the device and runs in the order in which it was asked for; the host waits only when it downloads or
//! asks for the value of a scalar. Sums are cut by the size of the data and added in its order, so the same adapter gives
//! the same bytes, as long as it goes the same ways. A map that is larger than a binding may be, lies in several buffers. What is unsafe here is one question:
//! how much memory an adapter has, which the graphics interface does not tell (`adapter`).
//!
//! It refuses nothing that the reference computes, but needs memory for it: [`GpuDevice::counting`] runs the same program
//! without a device and tells how much.

mod adapter;
mod array;
mod bounds;
mod context;
mod convolution;
mod cooperative;
mod factor;
mod fault;
mod fidelity;
mod gemm;
mod graph;
mod half;
mod heads;
mod kernel;
mod matrix;
mod memory;
mod moments;
mod network;
mod pipeline;
mod pointwise;
mod polar;
mod product;
mod scalar;
#[cfg(test)]
mod shaders;
mod spatial;
mod statistics;
mod tape;
mod trial;
mod tuning;
mod variation;
mod vector;
mod winograd;

pub use adapter::{AdapterChoice, AdapterInfo, AdapterKind, adapters};
pub use bounds::Bounds;
pub use tuning::{Convolutions, Precision};

use crate::cpu::{CpuDevice, CpuSettings};
use crate::graph::{GraphSpec, Learner, LearnerElsewhere, Learning, Wanted};
use crate::{Device, Hardware, NetSpec, Network, Networks, Result, Tensor};
use context::Context;
use std::sync::Arc;
use tuning::Tuning;

/// Settings of a [`GpuDevice`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuSettings {
    /// Which adapter.
    pub adapter: AdapterChoice,
    /// Bounds that are stricter than the adapter's own. For tests.
    pub bounds: Option<Bounds>,
    /// How convolutions are computed.
    pub convolutions: Convolutions,
    /// Of what numbers.
    pub precision: Precision,
}

/// A GPU as a device.
#[derive(Clone, Debug)]
pub struct GpuDevice {
    context: Arc<Context>,
    adapter: Option<AdapterInfo>,
    precision: Precision,
}

impl GpuDevice {
    /// Opens an adapter.
    ///
    /// # Errors
    /// [`ComputeError::Unavailable`](crate::ComputeError::Unavailable) where there is none, or its driver refuses.
    pub fn new(settings: GpuSettings) -> Result<Self> {
        let (context, adapter) = adapter::open(&settings)?;
        Ok(Self {
            context: Arc::new(context),
            adapter: Some(adapter),
            precision: settings.precision,
        })
    }

    /// A device that computes nothing and counts the memory that it would need. What it downloads is zeros, and every
    /// scalar is 1.
    ///
    /// # Errors
    /// None that a caller could cause.
    pub fn counting(bounds: Bounds) -> Result<Self> {
        Ok(Self {
            context: Arc::new(Context::new(None, "gpu", bounds, Tuning::default())?),
            adapter: None,
            precision: Precision::Standard,
        })
    }

    /// The adapter; none for a device that counts.
    pub fn adapter(&self) -> Option<&AdapterInfo> {
        self.adapter.as_ref()
    }

    /// What it can take.
    pub fn bounds(&self) -> Bounds {
        self.context.bounds
    }

    /// The most bytes of its memory that were in use at once.
    pub fn peak_bytes(&self) -> usize {
        self.context.pool.peak()
    }

    /// Holds it against a device that is trusted, in some tenths of a second.
    ///
    /// # Errors
    /// [`ComputeError::Failed`](crate::ComputeError::Failed) if their results differ by more than rounding; whatever
    /// either device reports.
    pub fn self_test(&self, trusted: &dyn Device) -> Result<()> {
        trial::compare(self, trusted, self.precision)
    }
}

impl Hardware for GpuDevice {
    fn name(&self) -> &str {
        "gpu"
    }

    fn describe(&self) -> String {
        match &self.adapter {
            None => "gpu: none, memory is counted".into(),
            Some(adapter) => {
                let software = match adapter.kind {
                    AdapterKind::Software => ", software",
                    _ => "",
                };
                let AdapterInfo {
                    index,
                    name,
                    backend,
                    ..
                } = adapter;
                let precision = match self.precision {
                    Precision::Standard => "f32",
                    Precision::Half => "f16",
                    Precision::Matrices => "f16 matrices",
                };
                format!("gpu:{index}: {name}, {backend}{software}, {precision}")
            }
        }
    }

    /// Drivers round differently, and so may versions of one.
    fn arithmetic(&self) -> Option<String> {
        let driver = self.adapter.as_ref().map(|adapter| &adapter.driver);
        Some(format!("{}, {}", self.describe(), driver?))
    }

    fn upload(&self, values: &[f32], shape: &[usize]) -> Result<Tensor> {
        array::upload(&self.context, values, shape)
    }

    fn download(&self, tensor: &Tensor) -> Result<Vec<f32>> {
        self.context
            .read(array::get(&self.context, "download", tensor)?)
    }

    fn free_memory(&self) -> Option<u64> {
        self.context.pool.free()
    }

    fn reserve(&self, bytes: usize) -> Result<()> {
        self.context.pool.reserve(bytes)
    }
}

/// The processor does it.
impl crate::Matching for GpuDevice {}

impl Networks for GpuDevice {
    fn network(&self, spec: &NetSpec) -> Result<Box<dyn Network>> {
        let context = Arc::clone(&self.context);
        Ok(Box::new(network::GpuNetwork::new(context, spec.clone())?))
    }
}

/// The processor learns graphs, so far.
impl Learning for GpuDevice {
    fn learner(&self, spec: &GraphSpec, wanted: &Wanted) -> Result<Box<dyn Learner>> {
        let host = Box::new(CpuDevice::new(CpuSettings::default())?);
        let learner = LearnerElsewhere::new(self.clone(), host, spec, wanted)?;
        Ok(Box::new(learner))
    }
}
