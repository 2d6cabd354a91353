//! The boundary between style transfer and the hardware: what a device offers.
//!
//! A [`Device`] is everything of this folder together, one trait per kind of operation, in a file of its own. Every
//! device implements each of them in files of the same names, beside its kernels:
//!
//! | trait | operations on | of a device |
//! |---|---|---|
//! | [`Hardware`] | | what it is, its memory, the way there and back |
//! | [`VectorOps`] | tensors of any shape | `vector.rs` |
//! | [`SpatialOps`] | images and maps `[c, h, w]` | `spatial.rs` |
//! | [`Statistics`] | moments of features | `statistics.rs` |
//! | [`MatrixOps`] | square matrices, and features by matrices | `matrix.rs` |
//! | [`Matching`] | feature vectors at places, and which are alike | `matching.rs` |
//! | [`Networks`] | | `network.rs` |
//! | [`Graphs`](crate::graph::Graphs) | | `graph.rs` |
//! | [`Learning`] | | `learning.rs` |
//!
//! Every operation of these traits but those of [`Hardware`], [`Networks`], [`Graphs`](crate::graph::Graphs) and
//! [`Learning`] has a default: the reference computes it (`fallback`), which is slow and says so, or the processor where that
//! would take too long.

mod fallback;
mod hardware;
mod matching;
mod matrix;
mod spatial;
mod statistics;
mod vector;

pub use hardware::Hardware;
pub use matching::{Matching, Nearest, Point};
pub use matrix::{Eigen, MatrixOps};
pub use spatial::{Align, Reduction, SpatialOps, TotalVariation};
pub use statistics::{Moments, Statistics};
pub use vector::{AdamBuffers, AdamStep, VectorOps};

pub(crate) use matching::{
    Gathering, LEAST_SQUARE, Running, matched, matrix as rows, pair, with_vector,
};
pub(crate) use matrix::{Mixture, side};
pub(crate) use spatial::{Sample, resizable, samples};
pub(crate) use statistics::weighted;
pub(crate) use vector::{greatest, same};

use crate::Networks;
use crate::graph::Learning;

/// Where tensors live and networks run.
///
/// Operations are named for what they compute and documented by their formula; every device gives the same
/// answer up to rounding, and the [`reference`](crate::reference) device says which. All operands of a call
/// belong to the device that is called, and have the same layout (images with images, features with features of
/// the same tap and size).
///
/// Whatever offers all kinds of operations is a device; there is nothing else to implement.
///
/// # Errors
/// Every operation returns [`ComputeError::Shape`](crate::ComputeError::Shape) for operands that do not fit,
/// [`ComputeError::ForeignTensor`](crate::ComputeError::ForeignTensor) for tensors of another device, and
/// whatever the hardware may report.
pub trait Device:
    VectorOps + SpatialOps + Statistics + MatrixOps + Matching + Networks + Learning
{
}

impl<D: VectorOps + SpatialOps + Statistics + MatrixOps + Matching + Networks + Learning> Device
    for D
{
}
