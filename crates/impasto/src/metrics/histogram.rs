//! The distance of RGB-uv histograms, which say which colours there are whatever their lightness (Afifi, Brubaker and Brown
//! 2021, HistoGAN, section 3.1).
//!
//! ```text
//! u, v = log of a channel over each other one          H_c(u, v) ∝ Σ_p y_p / ((1 + ((u_p − u)/τ)²)·(1 + ((v_p − v)/τ)²))
//! y = √(R² + G² + B² + ε)          D = ‖√H − √H′‖ / √2
//! ```
//!
//! 64×64 bins from −3 to 3 for each of three channels, τ = 0.02, ε = 10⁻⁶, of pictures with a long side of at most 256 px.

use crate::picture::{Filter, Picture, fit_long_side};
use rayon::prelude::*;

const BINS: usize = 64;
const EDGE: f64 = 3.0;
const FALL: f64 = 0.02;
const LEAST: f64 = 1e-6;
const SIDE: usize = 256;
/// Pixels that are worked on at a time.
const PIXELS: usize = 1 << 12;

/// The distance of two pictures' histograms, 0 to 1.
pub(super) fn distance(one: &Picture, other: &Picture) -> f64 {
    let (one, other) = (histogram(one), histogram(other));
    let pairs = one.iter().zip(&other);
    let sum: f64 = pairs.map(|(a, b)| (a.sqrt() - b.sqrt()).powi(2)).sum();
    (0.5 * sum).sqrt()
}

/// `[3, 64, 64]`, whose entries add up to 1.
fn histogram(picture: &Picture) -> Vec<f64> {
    let long = picture.width().max(picture.height()).min(SIDE);
    let (width, height) = fit_long_side(picture.width(), picture.height(), long);
    let picture = picture.resized(width, height, Filter::Bilinear);
    let pixels = width * height;
    let parts: Vec<Vec<f64>> = (0..pixels.div_ceil(PIXELS))
        .into_par_iter()
        .map(|part| {
            let mut sums = vec![0.0; 3 * BINS * BINS];
            for at in part * PIXELS..((part + 1) * PIXELS).min(pixels) {
                let value = |c: usize| f64::from(picture.rgb()[c * pixels + at].clamp(0.0, 1.0));
                add([value(0), value(1), value(2)], &mut sums);
            }
            sums
        })
        .collect();
    let mut sums = vec![0.0; 3 * BINS * BINS];
    for part in parts {
        sums.iter_mut()
            .zip(part)
            .for_each(|(sum, part)| *sum += part);
    }
    let total: f64 = sums.iter().sum();
    sums.iter_mut().for_each(|sum| *sum /= total.max(LEAST));
    sums
}

/// Adds a pixel.
fn add(rgb: [f64; 3], sums: &mut [f64]) {
    let weight = (rgb.iter().map(|value| value * value).sum::<f64>() + LEAST).sqrt();
    let logs = rgb.map(|value| (value + LEAST).ln());
    for (c, sums) in sums.chunks_exact_mut(BINS * BINS).enumerate() {
        let (first, second) = [(1, 2), (0, 2), (0, 1)][c];
        let (rows, columns) = (bells(logs[c] - logs[first]), bells(logs[c] - logs[second]));
        for (row, sums) in rows.iter().zip(sums.chunks_exact_mut(BINS)) {
            let row = weight * row;
            sums.iter_mut()
                .zip(&columns)
                .for_each(|(sum, column)| *sum += row * column);
        }
    }
}

/// How much each bin gets of a number.
fn bells(at: f64) -> [f64; BINS] {
    std::array::from_fn(|bin| {
        let bin = -EDGE + 2.0 * EDGE * bin as f64 / (BINS - 1) as f64;
        1.0 / (1.0 + ((at - bin) / FALL).powi(2))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(rgb: [f32; 3]) -> Picture {
        Picture::new(
            4,
            4,
            rgb.iter().flat_map(|&value| vec![value; 16]).collect(),
        )
        .unwrap()
    }

    /// A darker picture of the same colours is at no distance, one of other colours nearly at 1.
    #[test]
    fn lightness_does_not_count() {
        let red = flat([0.8, 0.2, 0.2]);
        assert!(distance(&red, &flat([0.4, 0.1, 0.1])) < 1e-3);
        let far = distance(&red, &flat([0.2, 0.2, 0.8]));
        assert!((0.8..=1.0).contains(&far), "{far}");
        assert_eq!(distance(&red, &red), 0.0);
    }
}
