//! Photographs in the tones of what was painted: the guided filter.
//!
//! In every square of the picture the result is an affine function of the photo's colours, the one that comes nearest to
//! what was painted: tones are the painting's, edges and textures the photo's, and there are no strokes.
//!
//! ```text
//! a = (Σ + ε·I)⁻¹ cov(photo, painted)      b = mean painted − aᵀ·mean photo      q = ā·photo + b̄
//! ```
//!
//! Source: He, Sun and Tang 2013 (Guided Image Filtering), with a colour photo as guide; computed on a smaller picture, as in
//! their *Fast Guided Filter* of 2015. FastPhotoStyle (Li et al. 2018) ends with it as well.

use super::means::means;
use super::{Filter, Picture};

/// The side of squares is twice this share of the long side.
const RADIUS: f32 = 35.0 / 512.0;
/// Added to the photo's variances.
const EPSILON: f64 = 1e-3;
/// The long side at which `a` and `b` are found.
const SIDE: usize = 256;

/// The inverse of a symmetric matrix times a vector; the ridge keeps it from being singular.
fn solve([[a, b, c], [_, d, e], [_, _, f]]: [[f64; 3]; 3], v: [f64; 3]) -> [f64; 3] {
    let (x, y, z) = (d * f - e * e, c * e - b * f, b * e - c * d);
    let determinant = a * x + b * y + c * z;
    let (u, w, t) = (a * f - c * c, b * c - a * e, a * d - b * b);
    [
        (x * v[0] + y * v[1] + z * v[2]) / determinant,
        (y * v[0] + u * v[1] + w * v[2]) / determinant,
        (z * v[0] + w * v[1] + t * v[2]) / determinant,
    ]
}

impl Picture {
    /// The photo in the tones of a picture of it: an affine function of its colours in every square, which comes nearest to
    /// the picture. In the picture's size, with its alpha and depth.
    pub fn tones_on(&self, photo: &Picture) -> Picture {
        let photo = photo.resized(self.width, self.height, Filter::Bicubic);
        let (width, height) = super::fit_long_side(
            self.width,
            self.height,
            SIDE.min(self.width.max(self.height)),
        );
        let size = (width, height);
        let radius = (RADIUS * width.max(height) as f32).round().max(1.0) as usize;
        let small = |picture: &Picture| -> [Vec<f64>; 3] {
            let small = picture.resized(width, height, Filter::Bilinear);
            let pixels = width * height;
            [0, 1, 2].map(|plane| {
                let plane = &small.rgb[plane * pixels..][..pixels];
                plane.iter().map(|&value| f64::from(value)).collect()
            })
        };
        let (guide, painted) = (small(&photo), small(self));
        let product = |x: &[f64], y: &[f64]| -> Vec<f64> {
            let products: Vec<f64> = x.iter().zip(y).map(|(x, y)| x * y).collect();
            means(&products, size, radius)
        };
        let mean = |planes: &[Vec<f64>; 3]| planes.each_ref().map(|x| means(x, size, radius));
        let (guide_mean, painted_mean) = (mean(&guide), mean(&painted));
        let squares: Vec<Vec<Vec<f64>>> = (0..3)
            .map(|i| (0..3).map(|j| product(&guide[i], &guide[j])).collect())
            .collect();
        let pixels = width * height;
        let mut recolored = self.clone();
        let large = self.width * self.height;
        for plane in 0..3 {
            let with_guide: Vec<Vec<f64>> = (0..3)
                .map(|i| product(&guide[i], &painted[plane]))
                .collect();
            let mut coefficients = vec![vec![0.0; pixels]; 4];
            for at in 0..pixels {
                let m = [0, 1, 2].map(|i: usize| guide_mean[i][at]);
                let target = painted_mean[plane][at];
                let covariance = [0, 1, 2].map(|i: usize| {
                    [0, 1, 2].map(|j: usize| {
                        let ridge = if i == j { EPSILON } else { 0.0 };
                        squares[i][j][at] - m[i] * m[j] + ridge
                    })
                });
                let along = [0, 1, 2].map(|i: usize| with_guide[i][at] - m[i] * target);
                let a = solve(covariance, along);
                let offset = target - a[0] * m[0] - a[1] * m[1] - a[2] * m[2];
                for (plane, value) in coefficients.iter_mut().zip([a[0], a[1], a[2], offset]) {
                    plane[at] = value;
                }
            }
            let coefficients = coefficients.into_iter().map(|plane| {
                let plane: Vec<f32> = means(&plane, size, radius)
                    .into_iter()
                    .map(|x| x as f32)
                    .collect();
                let (from, to) = ((height, width), (self.height, self.width));
                super::resize_planes(&plane, 1, from, to, Filter::Bilinear)
            });
            let coefficients: Vec<Vec<f32>> = coefficients.collect();
            for at in 0..large {
                let mut value = coefficients[3][at];
                for (channel, coefficient) in coefficients[..3].iter().enumerate() {
                    value += coefficient[at] * photo.rgb[channel * large + at];
                }
                recolored.rgb[plane * large + at] = value.clamp(0.0, 1.0);
            }
        }
        recolored
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_close, noise};

    fn picture(seed: u64, width: usize, height: usize) -> Picture {
        let values: Vec<f32> = noise(seed, 3 * width * height);
        let values = values.iter().map(|x| 0.5 + 0.1 * x.clamp(-3.0, 3.0));
        Picture::new(width, height, values.collect()).unwrap()
    }

    /// Tones that are an affine function of the photo's are found, but for the ridge.
    #[test]
    fn affine_tones_are_kept() {
        let photo = picture(1, 40, 30);
        let planes = photo.rgb.chunks_exact(1200);
        let tones = planes
            .zip([0.3, 0.6, 0.9])
            .flat_map(|(plane, slope)| plane.iter().map(move |x| slope * (x - 0.5) + 0.4));
        let painted = Picture::new(40, 30, tones.collect()).unwrap();
        let result = painted.tones_on(&photo);
        assert_close(
            "tones",
            &result.rgb,
            &painted.rgb,
            Tolerance::absolute(0.05),
        );
    }

    #[test]
    fn strokes_go_and_pictures_stay_pictures() {
        for (width, height) in [(1, 1), (1, 7), (3, 2), (300, 17)] {
            let (photo, painted) = (picture(2, width, height), picture(3, width, height));
            let result = painted.tones_on(&photo);
            assert_eq!((result.width(), result.height()), (width, height));
            assert!(result.rgb.iter().all(|value| (0.0..=1.0).contains(value)));
        }
        // What has nothing to do with the photo is averaged away.
        let (flat, painted) = (
            Picture::new(64, 64, vec![0.5; 3 * 4096]).unwrap(),
            picture(4, 64, 64),
        );
        let spread = |picture: &Picture| {
            let mean: f32 = picture.rgb.iter().sum::<f32>() / picture.rgb.len() as f32;
            picture
                .rgb
                .iter()
                .map(|x| (x - mean).abs())
                .fold(0.0, f32::max)
        };
        let result = painted.tones_on(&flat);
        assert!(result.rgb.iter().all(|value| value.is_finite()));
        assert!(spread(&result) < 0.2 * spread(&painted));
    }
}
