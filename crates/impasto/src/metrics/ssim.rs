//! Structural similarity (Wang, Bovik, Sheikh and Simoncelli 2004) of grey values.
//!
//! ```text
//! S = mean over windows of (2μν + C₁)(2σ_xy + C₂) / ((μ² + ν² + C₁)(σ_x² + σ_y² + C₂))      C₁ = 0.01², C₂ = 0.03²
//! ```
//!
//! Windows of 7×7 pixels that lie in the picture, with sample covariances, as scikit-image has it.

use super::grey;
use crate::picture::Picture;

const WINDOW: usize = 7;
const C1: f64 = 1e-4;
const C2: f64 = 9e-4;

/// Sums of rows and columns from the first on, `[h + 1, w + 1]`.
struct Sums {
    width: usize,
    sums: Vec<f64>,
}

impl Sums {
    fn of(width: usize, height: usize, value: impl Fn(usize) -> f64) -> Self {
        let pitch = width + 1;
        let mut sums = vec![0.0; pitch * (height + 1)];
        for y in 0..height {
            let mut row = 0.0;
            for x in 0..width {
                row += value(y * width + x);
                sums[(y + 1) * pitch + x + 1] = sums[y * pitch + x + 1] + row;
            }
        }
        Self { width, sums }
    }

    /// The sum of a window.
    fn window(&self, y: usize, x: usize, [high, wide]: [usize; 2]) -> f64 {
        let at = |y: usize, x: usize| self.sums[y * (self.width + 1) + x];
        at(y + high, x + wide) - at(y, x + wide) - at(y + high, x) + at(y, x)
    }
}

/// The similarity of two pictures of one size; of pictures smaller than a window, by one as large as they are.
pub(super) fn similarity(one: &Picture, other: &Picture) -> f64 {
    let (width, height) = (one.width(), one.height());
    let (a, b) = (grey(one), grey(other));
    let window = [WINDOW.min(height), WINDOW.min(width)];
    let n = (window[0] * window[1]) as f64;
    let sums = |value: &dyn Fn(usize) -> f64| Sums::of(width, height, value);
    let (of_a, of_b) = (sums(&|k| a[k]), sums(&|k| b[k]));
    let (of_aa, of_bb) = (sums(&|k| a[k] * a[k]), sums(&|k| b[k] * b[k]));
    let of_ab = sums(&|k| a[k] * b[k]);
    // Of one pixel there is no sample covariance.
    let sample = n / (n - 1.0).max(1.0);
    let (mut total, mut count) = (0.0, 0usize);
    for y in 0..=height - window[0] {
        for x in 0..=width - window[1] {
            let mean = |sums: &Sums| sums.window(y, x, window) / n;
            let (mu, nu) = (mean(&of_a), mean(&of_b));
            let square = |sums: &Sums, product: f64| sample * (mean(sums) - product);
            let (xx, yy) = (square(&of_aa, mu * mu), square(&of_bb, nu * nu));
            let xy = square(&of_ab, mu * nu);
            total += (2.0 * mu * nu + C1) * (2.0 * xy + C2)
                / ((mu * mu + nu * nu + C1) * (xx.max(0.0) + yy.max(0.0) + C2));
            count += 1;
        }
    }
    total / count.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_near, noise};

    fn picture(seed: u64, share: f32) -> Picture {
        let (base, other) = (noise(1, 1200), noise(seed, 1200));
        let value = |(a, b): (f32, f32)| 0.5 + 0.3 * ((1.0 - share) * a + share * b);
        Picture::new(20, 20, base.into_iter().zip(other).map(value).collect()).unwrap()
    }

    #[test]
    fn what_is_the_same_has_one_and_other_things_less() {
        let (same, near, far) = (picture(1, 0.0), picture(2, 0.2), picture(2, 1.0));
        assert_near(
            "same",
            similarity(&same, &same),
            1.0,
            Tolerance::absolute(1e-9),
        );
        let (near, far) = (similarity(&near, &same), similarity(&far, &same));
        assert!(near > 0.7 && far.abs() < 0.3, "{near} {far}");
    }

    /// One window: means ½ and ¼, no variance: `(2·½·¼ + C₁)/(¼ + 1⁄16 + C₁)`.
    #[test]
    fn flat_pictures_differ_by_their_means() {
        let flat = |value: f32| Picture::new(3, 2, vec![value; 18]).unwrap();
        let wanted = (0.25 + C1) / (0.3125 + C1);
        let got = similarity(&flat(0.5), &flat(0.25));
        assert_near("flat", got, wanted, Tolerance::absolute(1e-6));
    }
}
