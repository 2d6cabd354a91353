//! Optical flow.
#![forbid(unsafe_code)]

mod densify;
mod error;
mod estimate;
mod field;
mod frame;
mod plane;
mod pyramid;
mod refine;
mod search;
mod settings;
mod simd;
mod warp;

pub use error::Error;
pub use estimate::{both, both_between, flow, flow_between};
pub use field::Flow;
pub use frame::Frame;
pub use pyramid::Pyramid;
pub use settings::{Preset, Refinement, Settings};
