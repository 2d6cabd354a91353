//! Work cut into pieces by the size of the data, so that results do not depend on how many threads share them.

use super::Context;
use rayon::prelude::*;

/// Elements in a piece: a few of its arrays fit a core's cache, and computing on it costs more than handing it over.
pub(super) const CHUNK: usize = 1 << 16;

/// What `work` makes of each piece, in order. A single piece is done at once, without waking anybody.
pub(super) fn each<T: Send, R: Send>(
    context: &Context,
    pieces: Vec<T>,
    work: impl Fn(T) -> R + Send + Sync,
) -> Vec<R> {
    if pieces.len() <= 1 {
        pieces.into_iter().map(work).collect()
    } else {
        context
            .threads
            .install(|| pieces.into_par_iter().map(work).collect())
    }
}

/// Lanes over which a sum is spread, so that it vectorises to the same bits with any instructions.
const SUMS: usize = 16;

/// `Σ term(i)` over `0..len`, in f64, in an order that depends on `len` only.
#[inline(always)]
pub(super) fn sum(len: usize, term: impl Fn(usize) -> f64) -> f64 {
    let mut sums = [0.0; SUMS];
    let whole = len / SUMS * SUMS;
    for start in (0..whole).step_by(SUMS) {
        for lane in 0..SUMS {
            sums[lane] += term(start + lane);
        }
    }
    for lane in 0..len - whole {
        sums[lane] += term(whole + lane);
    }
    sums.iter().sum()
}
