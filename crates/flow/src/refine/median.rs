//! The median of each pixel's neighbourhood of 3×3, which takes out single motions that differ from all around.

use super::stripe;
use crate::field::Flow;
use crate::simd::vectorised;
use rayon::prelude::*;

/// Replaces both motions by their medians over 3×3 pixels; edges are repeated.
pub(super) fn smooth(flow: &mut Flow) {
    let (width, height) = flow.size();
    let rows = stripe(width);
    let (u, v) = flow.both_mut();
    for map in [u, v] {
        let from = map.to_vec();
        map.par_chunks_mut(width * rows).enumerate().for_each(|(stripe, to)| {
            for (row, to) in to.chunks_mut(width).enumerate() {
                let y = stripe * rows + row;
                let line = |y: usize| &from[y * width..(y + 1) * width];
                let lines = [line(y.saturating_sub(1)), line(y), line((y + 1).min(height - 1))];
                vectorised(median_row, (lines, to));
            }
        });
    }
}

#[inline(always)]
fn median_row((lines, to): ([&[f32]; 3], &mut [f32])) {
    let n = to.len();
    let [above, here, below] = lines.map(|line| &line[..n]);
    let all = |x: usize, left: usize, right: usize| {
        median([
            above[left], above[x], above[right], here[left], here[x], here[right], below[left], below[x], below[right],
        ])
    };
    for x in 1..n.max(2) - 1 {
        to[x] = all(x, x - 1, x + 1);
    }
    for x in [0, n - 1] {
        to[x] = all(x, x.saturating_sub(1), (x + 1).min(n - 1));
    }
}

/// The fifth of nine values, by the network of 19 exchanges (Paeth 1990).
#[inline(always)]
fn median(mut p: [f32; 9]) -> f32 {
    const EXCHANGES: [(usize, usize); 19] = [
        (1, 2), (4, 5), (7, 8), (0, 1), (3, 4), (6, 7), (1, 2), (4, 5), (7, 8), (0, 3), (5, 8), (4, 7), (3, 6), (1, 4), (2, 5),
        (4, 7), (4, 2), (6, 4), (4, 2),
    ];
    for (a, b) in EXCHANGES {
        let (low, high) = if p[a] < p[b] { (p[a], p[b]) } else { (p[b], p[a]) };
        (p[a], p[b]) = (low, high);
    }
    p[4]
}
