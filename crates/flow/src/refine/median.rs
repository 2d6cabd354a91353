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
        map.par_chunks_mut(width * rows)
            .enumerate()
            .for_each(|(stripe, to)| {
                for (row, to) in to.chunks_mut(width).enumerate() {
                    let y = stripe * rows + row;
                    let line = |y: usize| &from[y * width..(y + 1) * width];
                    let lines = [
                        line(y.saturating_sub(1)),
                        line(y),
                        line((y + 1).min(height - 1)),
                    ];
                    vectorised(median_row, (lines, to));
                }
            });
    }
}

#[inline(always)]
fn median_row((lines, to): ([&[f32]; 3], &mut [f32])) {
    let n = to.len();
    let [a, h, b] = lines;
    // Without the first and the last pixel.
    let inner = n.saturating_sub(2);
    let (a0, a1, a2) = (&a[..inner], &a[1..][..inner], &a[n - inner..]);
    let (h0, h1, h2) = (&h[..inner], &h[1..][..inner], &h[n - inner..]);
    let (b0, b1, b2) = (&b[..inner], &b[1..][..inner], &b[n - inner..]);
    for (x, to) in to[1..].iter_mut().take(inner).enumerate() {
        *to = median([
            a0[x], a1[x], a2[x], h0[x], h1[x], h2[x], b0[x], b1[x], b2[x],
        ]);
    }
    for x in [0, n - 1] {
        let (l, r) = (x.saturating_sub(1), (x + 1).min(n - 1));
        to[x] = median([a[l], a[x], a[r], h[l], h[x], h[r], b[l], b[x], b[r]]);
    }
}

/// The fifth of nine values, by the network of 19 exchanges (Paeth 1990).
#[inline(always)]
#[allow(unused_assignments)]
fn median(p: [f32; 9]) -> f32 {
    let [
        mut a,
        mut b,
        mut c,
        mut d,
        mut e,
        mut f,
        mut g,
        mut h,
        mut i,
    ] = p;
    // Written out: what goes through an array in a loop stays in memory, and is no vector.
    macro_rules! sorted {
        ($($low:ident $high:ident),*) => {
            $(($low, $high) = if $low < $high { ($low, $high) } else { ($high, $low) };)*
        };
    }
    sorted!(b c, e f, h i, a b, d e, g h, b c, e f, h i, a d, f i, e h, d g, b e, c f, e h, e c, g e, e c);
    e
}

#[cfg(test)]
mod tests {
    use super::median;
    use impasto_testing::noise;

    #[test]
    fn the_median_is_the_fifth() {
        for seed in 0..200 {
            // Few values, so that some are alike.
            let values: Vec<f32> = noise(seed, 9)
                .iter()
                .map(|value| (value * 4.0).round())
                .collect();
            let mut sorted = values.clone();
            sorted.sort_by(f32::total_cmp);
            let nine = std::array::from_fn(|i| values[i]);
            assert_eq!(median(nine), sorted[4], "{values:?}");
        }
    }
}
