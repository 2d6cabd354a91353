//! Graphs: networks of any shape as data, beside the encoder's sequence of [`NetSpec`](crate::NetSpec).
//!
//! Feed-forward networks are made of these: what they read are pictures, features and vectors, what they make are
//! some of the values inside. A [`GraphSpec`] is a list of [`Node`]s, each an [`Op`] and what it reads; a device
//! prepares it once ([`Graphs::graph`]) and runs it at any size ([`Graph::run`]). What is to learn its numbers, or to send
//! gradients to what it reads, is a [`Learner`].
//!
//! ```
//! use impasto_compute::graph::*;
//! use impasto_compute::prelude::*;
//! use impasto_compute::{Padding, Result, reference::ReferenceDevice};
//! # fn main() -> Result<()> {
//! // A blur of a picture, twice as large.
//! let mut spec = GraphSpec::new();
//! let image = spec.input("image", Kind::Map(3));
//! let large = spec.push(Op::Upsample(Upsampling::Nearest), &[image]);
//! let blur = Convolution {
//!     inputs: 3,
//!     outputs: 3,
//!     groups: 3,
//!     kernel: [3, 3],
//!     stride: 1,
//!     border: Border::Centred(Padding::Reflect),
//!     weight: vec![1.0 / 9.0; 27].into(),
//!     bias: vec![0.0; 3].into(),
//! };
//! let blurred = spec.push(Op::Convolution(blur), &[large]);
//! spec.output(blurred);
//! let device = ReferenceDevice::new();
//! let graph = device.graph(&spec)?;
//! let image = device.upload(&[0.5; 3 * 4 * 5], &[3, 4, 5])?;
//! let made = graph.run(&[&image], None)?;
//! assert_eq!(made[0].shape(), [3, 8, 10]);
//! # Ok(())
//! # }
//! ```

#[cfg(feature = "gpu")]
mod elsewhere;
mod learning;
mod numbers;
mod op;
mod shape;
mod spec;
mod steady;

#[cfg(feature = "gpu")]
pub(crate) use elsewhere::LearnerElsewhere;
pub use learning::{Gradients, GraphTape, Learner, Learning, Wanted};
pub(crate) use learning::{check_backward, check_numbers};
pub use op::{
    Activation, Affine, Border, Convolution, InstanceNorm, Linear, Op, Pooling, PoolingKind,
    Scaling, TransposedConvolution, Upsampling, Variance,
};
pub use shape::{Kind, Shape};
pub(crate) use spec::Shapes;
pub use spec::{GraphSpec, Node, Port, Value};
pub use steady::Steadiness;

use crate::{Hardware, Result, Strips, StripsPlan, Tensor};
use std::fmt;

/// A device that runs graphs.
pub trait Graphs: Hardware {
    /// Prepares a graph: filters are laid out once, here.
    ///
    /// # Errors
    /// [`ComputeError::BadNetwork`](crate::ComputeError::BadNetwork) if the graph contradicts itself.
    fn graph(&self, spec: &GraphSpec) -> Result<Box<dyn Graph>>;
}

/// A graph prepared on a device.
pub trait Graph: Send + Sync + fmt::Debug {
    /// What it was made from.
    fn spec(&self) -> &GraphSpec;

    /// Runs the graph on its inputs, in their order, and returns its outputs, in theirs: maps `[c, h, w]` of any size,
    /// vectors `[n]`.
    ///
    /// As a whole, or in [`Strips`]: of most maps only some rows exist at a time then, and the values are the same to the
    /// last bit. What reads moments of a map (norms, means) needs another pass over everything before it; maps that several
    /// passes read are made again, but for those of the nodes that `kept` names. Devices that know no strips run the whole.
    ///
    /// # Errors
    /// [`ComputeError::Shape`](crate::ComputeError::Shape) if inputs do not fit the graph or each other;
    /// [`ComputeError::OutOfMemory`](crate::ComputeError::OutOfMemory).
    fn run(&self, inputs: &[&Tensor], strips: Option<&Strips>) -> Result<Vec<Tensor>>;

    /// Bytes that a run on inputs of these shapes takes at most at a time, its outputs included, inputs not.
    ///
    /// # Errors
    /// [`ComputeError::Shape`](crate::ComputeError::Shape), as for [`Graph::run`].
    fn memory(&self, inputs: &[Shape], strips: Option<&Strips>) -> Result<usize>;

    /// The ways to run inputs of these shapes in strips of some rows, if the device knows any: from the one that takes least
    /// memory to the one that takes least work.
    ///
    /// # Errors
    /// [`ComputeError::Shape`](crate::ComputeError::Shape), as for [`Graph::run`].
    fn strips(&self, inputs: &[Shape], rows: Option<usize>) -> Result<Vec<StripsPlan>> {
        let _ = (inputs, rows);
        Ok(vec![])
    }
}
