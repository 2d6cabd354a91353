//! Keyframes: one frame or a few are painted by hand, or by whatever means; a network learns from them what becomes of what, and
//! paints all others.
//!
//! ```text
//! frame ─────┐
//!            ├─▶ network ─▶ painted        L = L_pixels + L_edges + λ · L_features
//! guide ─────┘
//! ```
//!
//! After Texler et al. 2020 (Interactive Video Stylization Using Few-Shot Patch-Based Training, arXiv 2004.14489): it learns from
//! patches, so that a keyframe is as many examples as it has places, and what it has learned is local. The guide says where on the
//! keyframe a place comes from: soft spots of random colours that lie on the keyframe and move with the film. The network is
//! one of our own, for processors: [`NetworkSize`] says what it costs.
//!
//! No normalisation is part of it: what a place becomes must not depend on the rest of a frame, which is what flickers.

mod file;
mod follow;
mod guide;
mod lesson;
mod method;
mod network;
mod patch;
mod published;
mod shift;
mod steady;
#[cfg(test)]
mod tests;

pub use file::KeyframeNetwork;
pub use follow::Following;
pub use guide::{Guide, Spots};
pub use lesson::{Keyframe, KeyframeLearner, KeyframeLesson, KeyframeStep};
pub use method::{KeyframeMethod, Turn};
pub use network::NetworkSize;
pub use shift::{Outline, shift};
pub use steady::Steady;
