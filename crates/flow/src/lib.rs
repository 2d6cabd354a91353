//! Optical flow, and what painted video needs of it.
//!
//! * [`flow`] and [`both`] estimate the motion from one [`Frame`] to another by dense inverse search (Kroeger et al. 2016, arXiv
//!   1603.03590) with a variational refinement after each size (Brox et al. 2004);
//! * [`reliable`] says where it holds, by going there and back (Ruder et al. 2016);
//! * [`warp`], [`compose`], [`Mask::then`] and [`Flow::resized`] move pictures, flows and masks along it;
//! * [`Cuts`] finds where a shot ends, before flow between its last frame and the next one's first is believed;
//! * [`warping_error`], [`stability`] and [`Flicker`] measure how steady a painted video is;
//! * [`read_flo`], [`write_flo`] and [`flow_colors`] are Middlebury's files and pictures of flow.
//!
//! Frames may have any size, from one pixel on. Nothing is kept from one call to the next. The result is a function of what is
//! handed in alone, to the last bit, whatever the number of threads and the processor's instruction set.
//!
//! ```
//! use impasto_flow::{Frame, Interpolation, Rule, Settings, both, reliable, warp};
//!
//! # fn main() -> Result<(), impasto_flow::Error> {
//! let before = Frame::new(1, 24, 32, (0..24 * 32).map(|i| ((i % 32 * 7 + i / 32 * 5) % 11) as f32 / 11.0).collect())?;
//! let now = before.clone();
//! let [to_now, to_before] = both(&before, &now, &Settings::default(), Default::default())?;
//! // What `before` shows, moved to where it is `now`, and where that is so.
//! let moved = warp(&before, &to_before, Interpolation::Cubic)?;
//! let mask = reliable(&to_before, &to_now, &Rule::default())?;
//! assert_eq!(moved, now);
//! assert_eq!(mask.share(), 1.0);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod cuts;
mod densify;
mod error;
mod estimate;
mod field;
mod flo;
mod frame;
mod mask;
mod measure;
mod plane;
mod pyramid;
mod refine;
mod search;
mod settings;
mod simd;
mod warp;

pub use cuts::{CutRule, Cuts, Signature, cuts};
pub use error::Error;
pub use estimate::{Guess, both, both_between, flow, flow_between};
pub use field::Flow;
pub use flo::{flow_colors, read_flo, write_flo};
pub use frame::Frame;
pub use mask::{Mask, Rule, reliable};
pub use measure::{Flicker, stability, still, warping_error};
pub use pyramid::Pyramid;
pub use settings::{Preset, Refinement, Settings};
pub use warp::{Interpolation, compose, warp, warp_maps};
