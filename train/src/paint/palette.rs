//! Styles in other colours: few paintings have the colours that many could have.

use crate::eigen;
use crate::random::Random;
use std::f32::consts::TAU;

/// Mean and covariance of colours.
#[derive(Clone, Debug)]
struct Palette {
    mean: [f64; 3],
    covariance: [f64; 9],
}

/// Gives a picture `[3, n]` other colours: those of another picture, random ones, its own turned about the greys, or its own
/// with channels exchanged. What leaves 0..1 is clamped.
pub fn recolour(rgb: &mut [f32], other: Option<&[f32]>, random: &mut Random) {
    let own = Palette::of(rgb);
    let (matrix, mean) = match (random.below(4), other) {
        (0, Some(other)) => {
            let palette = Palette::of(other);
            (own.transport(&palette), palette.mean)
        }
        (0 | 1, _) => {
            let palette = Palette::random(random);
            (own.transport(&palette), palette.mean)
        }
        (2, _) => {
            let turned = turn(random.between(0.0, TAU));
            (turned, times(&turned, own.mean))
        }
        _ => {
            let order = *random.pick(&[[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]);
            let mut matrix = [0.0; 9];
            for (to, from) in order.into_iter().enumerate() {
                matrix[3 * to + from] = 1.0;
            }
            (matrix, times(&matrix, own.mean))
        }
    };
    let n = rgb.len() / 3;
    for place in 0..n {
        let centred = std::array::from_fn(|c| f64::from(rgb[c * n + place]) - own.mean[c]);
        let mapped = times(&matrix, centred);
        for c in 0..3 {
            rgb[c * n + place] = (mapped[c] + mean[c]).clamp(0.0, 1.0) as f32;
        }
    }
}

fn times(matrix: &[f64; 9], x: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|row| (0..3).map(|i| matrix[3 * row + i] * x[i]).sum())
}

fn product(a: &[f64; 9], b: &[f64; 9]) -> [f64; 9] {
    std::array::from_fn(|k| (0..3).map(|i| a[k / 3 * 3 + i] * b[3 * i + k % 3]).sum())
}

/// A rotation about the greys (Rodrigues 1840).
fn turn(angle: f32) -> [f64; 9] {
    let (sin, cos) = f64::from(angle).sin_cos();
    let third = (1.0 - cos) / 3.0;
    let root = sin / 3f64.sqrt();
    std::array::from_fn(|k| match (3 + k % 3 - k / 3) % 3 {
        0 => cos + third,
        1 => third - root,
        _ => third + root,
    })
}

/// A power of a symmetric matrix.
fn power(matrix: &[f64; 9], exponent: f64) -> [f64; 9] {
    let (values, vectors) = eigen::symmetric(matrix, 3);
    let powers: Vec<f64> = values.iter().map(|v| v.max(1e-6).powf(exponent)).collect();
    std::array::from_fn(|k| {
        let entry = |i: usize| powers[i] * vectors[3 * i + k / 3] * vectors[3 * i + k % 3];
        (0..3).map(entry).sum()
    })
}

impl Palette {
    fn of(rgb: &[f32]) -> Self {
        let n = rgb.len() / 3;
        let plane = |c: usize| &rgb[c * n..][..n];
        let mean: [f64; 3] = std::array::from_fn(|c| {
            plane(c).iter().map(|&v| f64::from(v)).sum::<f64>() / n.max(1) as f64
        });
        let covariance = std::array::from_fn(|k| {
            let (a, b) = (k / 3, k % 3);
            let pairs = plane(a).iter().zip(plane(b));
            let products =
                pairs.map(|(x, y)| (f64::from(*x) - mean[a]) * (f64::from(*y) - mean[b]));
            products.sum::<f64>() / n.max(1) as f64
        });
        Self { mean, covariance }
    }

    /// One that varies most from dark to light or between two colours, as those of paintings do.
    fn random(random: &mut Random) -> Self {
        let mean = std::array::from_fn(|_| f64::from(random.between(0.2, 0.8)));
        let mut covariance = [0.0; 9];
        for deviation in [0.28, 0.12, 0.06] {
            let deviation = deviation * f64::from(random.between(0.3, 1.1));
            let axis: [f64; 3] = std::array::from_fn(|_| f64::from(random.normal()) + 0.6);
            let square: f64 = axis.iter().map(|v| v * v).sum::<f64>().max(1e-6);
            for (k, entry) in covariance.iter_mut().enumerate() {
                *entry += deviation * deviation * axis[k / 3] * axis[k % 3] / square;
            }
        }
        Self { mean, covariance }
    }

    /// The optimal-transport map of deviations from the mean, `C^−½ (C^½ S C^½)^½ C^−½` (Pitié and Kokaram 2007).
    fn transport(&self, to: &Self) -> [f64; 9] {
        let (root, inverse) = (power(&self.covariance, 0.5), power(&self.covariance, -0.5));
        let inner = power(&product(&product(&root, &to.covariance), &root), 0.5);
        product(&product(&inverse, &inner), &inverse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Purpose;

    #[test]
    fn transported_colours_have_the_mean_and_covariance_of_others() {
        let mut random = Random::of(3, Purpose::Step, [0, 0]);
        let colours: Vec<f32> = (0..3 * 4000).map(|_| 0.5 + 0.1 * random.normal()).collect();
        let to = Palette::random(&mut random);
        let own = Palette::of(&colours);
        let matrix = own.transport(&to);
        let moved = product(&product(&matrix, &own.covariance), &matrix);
        for (got, expected) in moved.iter().zip(&to.covariance) {
            assert!(
                (got - expected).abs() < 1e-3,
                "{moved:?} {:?}",
                to.covariance
            );
        }
    }

    #[test]
    fn greys_stay_when_hues_turn() {
        for (got, expected) in times(&turn(1.0), [0.3; 3]).iter().zip([0.3; 3]) {
            assert!((got - expected).abs() < 1e-12);
        }
        let back = product(&turn(1.0), &turn(-1.0));
        assert!((back[0] - 1.0).abs() < 1e-12 && back[1].abs() < 1e-12);
    }

    #[test]
    fn colours_change_and_stay_colours() {
        let picture: Vec<f32> = (0..300).map(|i| (i % 7) as f32 / 7.0).collect();
        for index in 0..20 {
            let mut random = Random::of(5, Purpose::Step, [index, 0]);
            let mut changed = picture.clone();
            recolour(&mut changed, Some(&picture), &mut random);
            assert!(changed.iter().all(|v| (0.0..=1.0).contains(v)));
        }
    }
}
