//! Loops compiled for the instruction set of the processor at hand.
//!
//! What runs is the same arithmetic in the same order everywhere: lanes are written out, sums have a fixed tree, and nothing
//! is fused, so results do not depend on the instruction set.

use fearless_simd::{Level, dispatch};
use std::sync::OnceLock;

/// Calls `body` as compiled for the widest vectors there are. `body` and all it calls have to be `#[inline(always)]`.
pub(crate) fn vectorised<A, R>(body: impl FnOnce(A) -> R, arguments: A) -> R {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    let level = *LEVEL.get_or_init(Level::new);
    dispatch!(level, _simd => body(arguments))
}

/// Sum of eight lanes, as a tree.
#[inline(always)]
pub(crate) fn lanes(l: [f32; 8]) -> f32 {
    ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
}
