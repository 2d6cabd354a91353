//! The distance of two colour distributions, whatever lies where: sliced Wasserstein-2 (Bonneel, Rabin, Peyré and Pfister
//! 2015), in Oklab of linear light.
//!
//! ```text
//! D² = mean over directions of mean over quantiles of (q − q′)²        quantiles of colours along the direction
//! ```

use crate::picture::Picture;
use crate::picture::colors::oklab;

/// Directions, evenly over half a sphere.
const DIRECTIONS: usize = 32;
/// Quantiles that are compared.
const QUANTILES: usize = 4096;

/// The distance of two pictures' colours.
pub(super) fn distance(one: &Picture, other: &Picture) -> f64 {
    let (one, other) = (colors(one), colors(other));
    let along = |direction: [f64; 3], colors: &[[f64; 3]]| {
        let dot = |color: &[f64; 3]| (0..3).map(|i| color[i] * direction[i]).sum::<f64>();
        let mut values: Vec<f64> = colors.iter().map(dot).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let mut sum = 0.0;
    for direction in directions() {
        let (one, other) = (along(direction, &one), along(direction, &other));
        let square = |k: usize| (quantile(&one, k) - quantile(&other, k)).powi(2);
        sum += (0..QUANTILES).map(square).sum::<f64>() / QUANTILES as f64;
    }
    (sum / DIRECTIONS as f64).sqrt()
}

fn colors(picture: &Picture) -> Vec<[f64; 3]> {
    let pixels = picture.width() * picture.height();
    let color = |at: usize| oklab([0, 1, 2].map(|c| f64::from(picture.rgb()[c * pixels + at])));
    (0..pixels).map(color).collect()
}

/// Points of a golden spiral.
fn directions() -> impl Iterator<Item = [f64; 3]> {
    let golden = std::f64::consts::PI * (3.0 - 5f64.sqrt());
    (0..DIRECTIONS).map(move |k| {
        let z = (k as f64 + 0.5) / DIRECTIONS as f64;
        let (radius, angle) = ((1.0 - z * z).sqrt(), golden * k as f64);
        [z, radius * angle.cos(), radius * angle.sin()]
    })
}

/// The value below which a share of some sorted ones lies.
fn quantile(sorted: &[f64], k: usize) -> f64 {
    let at = (k as f64 + 0.5) / QUANTILES as f64 * sorted.len() as f64 - 0.5;
    let at = at.clamp(0.0, sorted.len().saturating_sub(1) as f64);
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    let share = at - at.floor();
    (1.0 - share) * sorted[low] + share * sorted[high]
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_near, noise};

    /// Colours that are moved by some way are at a third of its square: the mean over directions of their share of it.
    #[test]
    fn moved_colours_are_as_far_as_they_were_moved() {
        let at = |lightness: f32| Picture::new(5, 4, vec![lightness; 60]).unwrap();
        let (dark, light) = (at(0.2), at(0.7));
        let moved = oklab([0.7; 3])[0] - oklab([0.2; 3])[0];
        let wanted = (moved * moved / 3.0).sqrt();
        assert_near(
            "moved",
            distance(&dark, &light),
            wanted,
            Tolerance::relative(1e-3),
        );
    }

    /// Where pixels lie does not count, nor how many there are.
    #[test]
    fn places_do_not_count() {
        let values: Vec<f32> = noise(1, 300).iter().map(|x| 0.5 + 0.4 * x).collect();
        let planes = |order: &dyn Fn(usize) -> usize, times: usize| {
            let plane = |c: usize| {
                let values = &values;
                (0..100 * times).map(move |k| values[c * 100 + order(k / times)])
            };
            Picture::new(10 * times, 10, (0..3).flat_map(plane).collect()).unwrap()
        };
        let one = planes(&|k| k, 1);
        assert!(distance(&one, &planes(&|k| 99 - k, 1)) < 1e-12);
        assert!(distance(&one, &planes(&|k| k, 4)) < 2e-3);
    }
}
