//! What the tests of every crate share: [comparisons](compare) that no result can slip through, made-up [numbers],
//! [pictures] and [networks], [folders](folder) that vanish, material that is [shared] among checkouts, and a way to say that a
//! test was [skipped](skip).
//!
//! It depends on no other crate of the workspace, so that each of them can use it in its own unit tests without being
//! built twice: networks and pictures are shapes and numbers here, and become a `NetSpec`, a `Checkpoint` or a `Picture`
//! where they are used.

pub mod compare;
pub mod folder;
pub mod networks;
pub mod numbers;
pub mod pictures;
mod shared;
mod skip;

pub use compare::{Failures, Tolerance, assert_close, assert_near, assert_same};
pub use folder::Folder;
pub use numbers::{Numbers, noise};
pub use shared::shared;
pub use skip::skip;
