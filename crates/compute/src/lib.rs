//! The engine of impasto: a fixed feature network, run forward with a few layers looked at, and its
//! gradient towards the image, on whatever device is there.
//!
//! ```text
//! image [3,h,w] ── Network::forward ──▶ Tape ── features / moments of the tapped layers ──▶ your loss
//!                                        │                                                   │
//! dL/d image [3,h,w] ◀── Tape::backward ─┴──────────────── Cotangent ◀──────────────────────┘
//! ```
//!
//! The crate is coarse on purpose. A whole forward or backward pass is one call, so that a device may fuse
//! bias, ReLU and pooling into its convolutions and keep one bit where others keep an activation; around it
//! stand about thirty small operations ([`Device`]). Every call moves megabytes, so dynamic dispatch is free
//! and no type parameter leaks.
//!
//! Devices: [`mod@reference`] (naive loops in f64: the oracle), [`cpu`] (Winograd convolutions in SIMD) and, with the feature
//! `gpu`, `wgpu` (compute shaders).
//! Beside the encoder's sequence of layers, whose gradients reach the image only, networks of any shape are graphs
//! ([`mod@graph`]), which learn: gradients reach what they read and the numbers that they are made from.
//!
//! # Example
//!
//! Mean squared features of a one-layer network, and their gradient:
//!
//! ```
//! use impasto_compute::*;
//! # fn main() -> Result<()> {
//! let spec = NetSpec {
//!     input: Input::Image(InputNorm { mean: [0.5; 3], scale: [2.0; 3] }),
//!     layers: vec![
//!         Layer::Conv(Conv3x3::new(3, 4, Padding::Zero, vec![0.1; 4 * 3 * 9], vec![0.0; 4])?),
//!         Layer::Relu,
//!     ],
//!     heads: vec![],
//! };
//! let device = reference::ReferenceDevice::new();
//! let network = device.network(&spec)?;
//! let image = device.upload(&[0.75; 3 * 8 * 8], &[3, 8, 8])?;
//! let tape = network.forward(&image, &[TapRequest::features(Tap::Layer(1))])?;
//! let features = tape.features(Tap::Layer(1))?;
//! let zeros = device.upload(&[0.0; 4 * 8 * 8], &[4, 8, 8])?;
//! let (sum_of_squares, gradient) = device.squared_error(features, &zeros, 2.0)?;
//! assert!(sum_of_squares.value()? > 0.0);
//! let gradient = tape.backward(vec![Cotangent::features(Tap::Layer(1), gradient)])?;
//! assert_eq!(gradient.shape(), [3, 8, 8]);
//! # Ok(())
//! # }
//! ```

mod cotangents;
pub mod cpu;
mod device;
mod error;
pub mod graph;
mod layer;
mod network;
mod plan;
pub mod reference;
mod request;
mod size;
mod spec;
mod tape;
mod tensor;
#[cfg(feature = "gpu")]
pub mod wgpu;
mod window;

pub use device::{
    AdamBuffers, AdamStep, Align, Device, Eigen, Hardware, Matching, MatrixOps, Moments, Nearest,
    Point, Reduction, SpatialOps, Statistics, TotalVariation, VectorOps,
};
/// The traits of devices, for whoever holds one by its own type; a [`Device`] that is `dyn` has all their methods.
pub mod prelude {
    pub use crate::graph::{Graphs, Learning};
    pub use crate::{
        Device, Hardware, Matching, MatrixOps, Networks, SpatialOps, Statistics, VectorOps,
    };
}

pub use error::{Advice, ComputeError, Result};
pub use layer::{Conv3x3, Geometry, Head, Layer, Padding, Param, Pool, PoolKind};
pub use network::{Memory, Network, Networks, StageTime, Strips, StripsPlan};
pub use plan::Work;
pub use size::Size;
pub use spec::{Halves, Input, InputNorm, NetSpec};
pub use tape::{Answer, Cotangent, Part, Tap, TapRequest, Tape, Want};
pub use tensor::{PendingScalar, Scalar, Storage, Tensor};
pub use window::{Patch, Window};
