//! Work cut into pieces by the size of the data, so that results do not depend on how many threads share them.

use super::Context;
use super::simd::LANES;
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

/// `Σ term(xᵢ, yᵢ)`, spread over lanes, so that it vectorises, and to the same bits with any instructions.
#[inline(always)]
pub(super) fn sum(x: &[f32], y: &[f32], term: impl Fn(f64, f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let ((x, x_rest), (y, y_rest)) = (x.as_chunks::<LANES>(), y.as_chunks::<LANES>());
    for (x, y) in x.iter().zip(y) {
        for lane in 0..LANES {
            sums[lane] += term(f64::from(x[lane]), f64::from(y[lane]));
        }
    }
    for ((x, y), sum) in x_rest.iter().zip(y_rest).zip(&mut sums) {
        *sum += term(f64::from(*x), f64::from(*y));
    }
    sums.iter().sum()
}
