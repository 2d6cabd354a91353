//! Moving pictures: frames that are painted one after the other so that strokes move with what they are painted on.
//!
//! ```text
//! frame t ─▶ flow to t−1, t−2, t−4, t−8 ─▶ what those became, moved here ─▶ target, and how far it can be relied on
//!                                                    │
//!        start = target where it is relied on, the frame in the colours of the last result elsewhere
//!        few steps at the last sizes, with a loss towards the target ─▶ frame t, painted
//! ```
//!
//! Two views of a moment, one for each eye, are frames as well: what the first has become is moved to the second along the flow
//! between them, and comes before all that the past says (after Chen et al. 2018, Stereoscopic Neural Style Transfer, arXiv
//! 1802.10591, by the same masked loss).
//!
//! After Ruder, Dosovitskiy and Brox 2016 (arXiv 1604.08610): warm start, a masked loss towards the frames before, and those further
//! back for what was hidden in between. Flow and masks are [`impasto_flow`]'s.

mod animator;
mod estimator;
mod memory;
mod past;
mod raft;
mod stretch;
#[cfg(test)]
mod tests;
mod watch;

pub use animator::{Animator, GoneOver, Known, Painted, Painters, following};
pub use estimator::{Estimator, Seen};
pub use past::{Memory, Settings};
pub use raft::{Features, Raft};
pub use watch::{Moment, Watcher};
