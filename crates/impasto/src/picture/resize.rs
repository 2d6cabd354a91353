//! Separable resampling of planes.
//!
//! For output sample `o` of one axis, `out[o] = Σ_i w(o, i) · in[i]`, first along one axis, then
//! along the other. With `scale = old / new` and the centre `c = (o + ½) · scale` in input samples:
//!
//! - antialiased filters (the convention of Pillow's `Image.resize`): the kernel is stretched by
//!   `s = max(scale, 1)`, `w(o, i) = k((i + ½ − c) / s)` over the samples inside the picture,
//!   normalised to sum 1;
//! - plain filters (the convention of torch's `interpolate` with `align_corners=False` and
//!   `antialias=False`): `w(o, i) = k(i + ½ − c)`, and samples beyond the edge repeat the edge.
//!
//! The cubic kernel is that of Keys, "Cubic convolution interpolation for digital image
//! processing", IEEE ASSP 29 (1981), eq. 4, with the free parameter `a`; the linear one is a
//! triangle of half width 1.
//!
//! Sums are taken in `f64` in a fixed order, so the result is bit-identical for any number of
//! threads and needs no care for very large reductions. Nothing is clamped: cubic kernels
//! overshoot, and optimiser state may have any range.

use rayon::prelude::*;

/// How samples are weighted when a picture changes its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Cubic with `a = −½`, stretched when shrinking so that nothing aliases (as Pillow's
    /// `BICUBIC`). The choice for pictures.
    Bicubic,
    /// Cubic with `a = −¾` over the nearest 4×4 samples whatever the scale (as torch's `bicubic`
    /// with `align_corners=False`).
    BicubicPlain,
    /// Triangle, stretched when shrinking (as Pillow's `BILINEAR`).
    Bilinear,
    /// Triangle over the nearest 2×2 samples whatever the scale (as torch's `bilinear` with
    /// `align_corners=False`).
    BilinearPlain,
}

impl Filter {
    /// Half width of the unstretched kernel, in samples.
    fn support(self) -> f64 {
        match self {
            Filter::Bicubic | Filter::BicubicPlain => 2.0,
            Filter::Bilinear | Filter::BilinearPlain => 1.0,
        }
    }

    fn kernel(self, x: f64) -> f64 {
        match self {
            Filter::Bicubic => cubic(x, -0.5),
            Filter::BicubicPlain => cubic(x, -0.75),
            Filter::Bilinear | Filter::BilinearPlain => (1.0 - x.abs()).max(0.0),
        }
    }

    fn antialiased(self) -> bool {
        matches!(self, Filter::Bicubic | Filter::Bilinear)
    }
}

fn cubic(x: f64, a: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * a
    } else {
        0.0
    }
}

/// The input samples that make one output sample: `weights[k]` belongs to sample `start + k`.
struct Taps {
    start: usize,
    weights: Vec<f64>,
}

fn taps(old: usize, new: usize, filter: Filter) -> Vec<Taps> {
    let scale = old as f64 / new as f64;
    let stretch = if filter.antialiased() {
        scale.max(1.0)
    } else {
        1.0
    };
    let reach = filter.support() * stretch;
    (0..new)
        .map(|o| {
            let centre = (o as f64 + 0.5) * scale;
            let first = (centre - reach - 0.5).floor() as i64;
            let last = (centre + reach - 0.5).ceil() as i64;
            let inside = |i: i64| i.clamp(0, old as i64 - 1) as usize;
            let start = inside(first);
            let mut weights = vec![0.0; inside(last) - start + 1];
            for i in first..=last {
                let outside = i < 0 || i >= old as i64;
                if outside && filter.antialiased() {
                    continue;
                }
                weights[inside(i) - start] += filter.kernel((i as f64 + 0.5 - centre) / stretch);
            }
            let sum: f64 = weights.iter().sum();
            weights.iter_mut().for_each(|w| *w /= sum);
            trimmed(start, weights)
        })
        .collect()
}

/// Drops zero weights at both ends: a sample that does not count must not bring in its NaN.
fn trimmed(start: usize, mut weights: Vec<f64>) -> Taps {
    while weights.last() == Some(&0.0) {
        weights.pop();
    }
    let zeros = weights.iter().take_while(|w| **w == 0.0).count();
    weights.drain(..zeros);
    Taps {
        start: start + zeros,
        weights,
    }
}

/// Resamples planes `[channels, h, w]` to `[channels, new_h, new_w]`.
///
/// Values are not clamped. An axis that keeps its length is copied unchanged. A size with a zero
/// in it, on either side, gives planes of zeros.
///
/// # Panics
///
/// If `planes` does not have `channels · h · w` values: that is a mistake in the calling code.
pub fn resize_planes(
    planes: &[f32],
    channels: usize,
    (h, w): (usize, usize),
    (new_h, new_w): (usize, usize),
    filter: Filter,
) -> Vec<f32> {
    assert_eq!(
        planes.len(),
        channels * h * w,
        "planes do not have the shape [{channels}, {h}, {w}]"
    );
    if [channels, h, w, new_h, new_w].contains(&0) {
        return vec![0.0; channels * new_h * new_w];
    }
    // The larger of the two passes is the vertical one, which runs along whole rows.
    if new_h < h {
        let narrow = resize_rows(planes, channels, (h, w), new_h, filter);
        resize_columns(&narrow, w, new_w, filter)
    } else {
        let wide = resize_columns(planes, w, new_w, filter);
        resize_rows(&wide, channels, (h, new_w), new_h, filter)
    }
}

/// `[channels, h, w]` → `[channels, new_h, w]`.
fn resize_rows(
    planes: &[f32],
    channels: usize,
    (h, w): (usize, usize),
    new_h: usize,
    filter: Filter,
) -> Vec<f32> {
    if new_h == h {
        return planes.to_vec();
    }
    // A strip of sums that stays in the first-level cache while the rows pass by.
    const STRIP: usize = 1024;
    let taps = taps(h, new_h, filter);
    let mut out = vec![0.0; channels * new_h * w];
    out.par_chunks_exact_mut(w)
        .enumerate()
        .for_each(|(row, out)| {
            let plane = &planes[row / new_h * h * w..][..h * w];
            let taps = &taps[row % new_h];
            let mut sums = [0.0f64; STRIP];
            for (strip, out) in out.chunks_mut(STRIP).enumerate() {
                let sums = &mut sums[..out.len()];
                sums.fill(0.0);
                for (k, &weight) in taps.weights.iter().enumerate() {
                    let line = &plane[(taps.start + k) * w + strip * STRIP..][..sums.len()];
                    for (sum, &value) in sums.iter_mut().zip(line) {
                        *sum += weight * f64::from(value);
                    }
                }
                for (out, &sum) in out.iter_mut().zip(sums.iter()) {
                    *out = sum as f32;
                }
            }
        });
    out
}

/// Every row of `w` values → `new_w` values.
fn resize_columns(planes: &[f32], w: usize, new_w: usize, filter: Filter) -> Vec<f32> {
    if new_w == w {
        return planes.to_vec();
    }
    let taps = taps(w, new_w, filter);
    let mut out = vec![0.0; planes.len() / w * new_w];
    out.par_chunks_exact_mut(new_w)
        .zip(planes.par_chunks_exact(w))
        .for_each(|(out, line)| {
            for (out, taps) in out.iter_mut().zip(&taps) {
                let line = &line[taps.start..][..taps.weights.len()];
                let sum: f64 = line
                    .iter()
                    .zip(&taps.weights)
                    .map(|(&value, weight)| weight * f64::from(value))
                    .sum();
                *out = sum as f32;
            }
        });
    out
}

/// The size whose longer side is `long_side`, with the same aspect: each side is rounded to the
/// nearest pixel and is at least 1. Zero sides are taken as 1.
pub fn fit_long_side(width: usize, height: usize, long_side: usize) -> (usize, usize) {
    let (width, height, long_side) = (width.max(1), height.max(1), long_side.max(1));
    let longer = width.max(height) as u128;
    let fit = |side: usize| {
        let rounded = (side as u128 * long_side as u128 + longer / 2) / longer;
        (rounded as usize).max(1)
    };
    (fit(width), fit(height))
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_close};

    const FILTERS: [Filter; 4] = [
        Filter::Bicubic,
        Filter::BicubicPlain,
        Filter::Bilinear,
        Filter::BilinearPlain,
    ];

    #[test]
    fn a_flat_plane_stays_flat_at_any_size() {
        for filter in FILTERS {
            for (from, to) in [(1, 1), (1, 7), (2, 3), (3, 2), (7, 1), (64, 5), (5, 64)] {
                for (other_from, other_to) in [(1, 1), (1, 3), (9, 1), (4, 4)] {
                    let planes = vec![0.625; 2 * from * other_from];
                    let out = resize_planes(&planes, 2, (from, other_from), (to, other_to), filter);
                    let case = format!("{filter:?} {from}→{to}");
                    let flat = vec![0.625; 2 * to * other_to];
                    assert_close(&case, &out, &flat, Tolerance::absolute(1e-6));
                }
            }
        }
    }

    #[test]
    fn the_long_side_fits_and_no_side_vanishes() {
        let table = [
            ((400, 300), 200, (200, 150)),
            ((300, 400), 200, (150, 200)),
            ((3, 2), 512, (512, 341)),
            ((1, 10_000), 512, (1, 512)),
            ((1, 1), 64, (64, 64)),
            ((7, 5), 1, (1, 1)),
            ((usize::MAX, usize::MAX), 9, (9, 9)),
            ((usize::MAX, 1), usize::MAX, (usize::MAX, 1)),
        ];
        for ((width, height), long_side, expected) in table {
            let fitted = fit_long_side(width, height, long_side);
            assert_eq!(fitted, expected, "{width}×{height} to {long_side}");
        }
    }
}
