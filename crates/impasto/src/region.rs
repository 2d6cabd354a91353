//! Regions of a picture: how much each place of a network's maps belongs to one.
//!
//! ```text
//! share of each pixel m [H, W], 0..1 ─▶ weights of places w [h, w], Σ w = 1 ─▶ Statistics::weighted_moments
//! ```
//!
//! A place of a map stands for a square of the picture, and sees a larger one, its receptive field. With `a` the mean of
//! `m` over what it stands for, and `r` that over what it sees, as far as that lies in the picture:
//!
//! ```text
//! w = t / Σ t        t = a·max(0, 2r − 1) of a style,  t = a·r of the picture that is painted
//! ```
//!
//! A place that sees nothing but the region counts in full, and one that mostly sees something else does not: what it
//! shows is the border. That is the guide "inside" of Gatys et al. 2017 (Controlling Perceptual Factors in Neural Style
//! Transfer, section 4.2) without its hard edge; there, too, the moments of a region have weights `T²/ΣT²`. Where the
//! region is so thin that less than a quarter of it would be left, `t = a`. Of the picture that is painted a place at the
//! border counts by half as well: what counts for nothing is not painted, and along a border as wide as the receptive
//! fields of the deepest layer that would be a flat band.

use impasto_compute::{NetSpec, Result, Size, Tap, Window};

/// How much places count that see something else, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Border {
    /// Not if they mostly do: what they show is the border. For styles.
    LeftOut,
    /// As much as they see of the region. For what is painted.
    Shared,
}

/// The share of a region that counts at least.
const LEAST: f64 = 0.25;

/// A region of a picture, in sums over its pixels from the first on.
#[derive(Debug)]
pub(crate) struct Region {
    size: Size,
    /// `[H + 1, W + 1]`: the sum over all rows above and all columns to the left.
    sums: Vec<f64>,
}

impl Region {
    /// The region to which each pixel belongs with a share `[height, width]` of 0 to 1.
    pub(crate) fn new(share: &[f32], size: Size) -> Self {
        let pitch = size.width + 1;
        let mut sums = vec![0.0; pitch * (size.height + 1)];
        for (row, share) in share.chunks_exact(size.width.max(1)).enumerate() {
            let mut sum = 0.0;
            for (column, &share) in share.iter().enumerate() {
                sum += f64::from(share);
                sums[(row + 1) * pitch + column + 1] = sums[row * pitch + column + 1] + sum;
            }
        }
        Self { size, sums }
    }

    /// The size of the picture.
    pub(crate) fn size(&self) -> Size {
        self.size
    }

    /// The mean share in a window.
    fn mean(&self, window: &Window) -> f64 {
        let at = |row: usize, column: usize| self.sums[row * (self.size.width + 1) + column];
        let Window { top, left, .. } = *window;
        let (bottom, right) = (window.bottom(), window.right());
        let sum = at(bottom, right) - at(top, right) - at(bottom, left) + at(top, left);
        sum / window.pixels().max(1) as f64
    }

    /// The mean share of what each place of a tap stands for, `[h, w]`.
    ///
    /// # Errors
    /// As [`NetSpec::shape_at`].
    pub(crate) fn shares(&self, spec: &NetSpec, tap: Tap) -> Result<Vec<f32>> {
        let [_, h, w] = spec.shape_at(tap, self.size)?;
        let stride = spec.stride(spec.layer_of(tap)?);
        let places = (0..h).flat_map(|row| (0..w).map(move |column| (row, column)));
        let own = places.map(|(row, column)| Window {
            top: row * stride,
            left: column * stride,
            height: stride,
            width: stride,
        });
        Ok(own
            .map(|own| self.mean(&own).clamp(0.0, 1.0) as f32)
            .collect())
    }

    /// The weights of the places of a tap, `[h, w]`, which add up to 1; `None` if no place belongs to the region.
    ///
    /// # Errors
    /// As [`NetSpec::shape_at`].
    pub(crate) fn weights(
        &self,
        spec: &NetSpec,
        tap: Tap,
        border: Border,
    ) -> Result<Option<Vec<f32>>> {
        let [_, h, w] = spec.shape_at(tap, self.size)?;
        let layer = spec.layer_of(tap)?;
        let (stride, reach) = (spec.stride(layer), spec.reach(layer));
        let (mut simple, mut inside) = (Vec::with_capacity(h * w), Vec::with_capacity(h * w));
        for (row, column) in (0..h).flat_map(|row| (0..w).map(move |column| (row, column))) {
            let own = Window {
                top: row * stride,
                left: column * stride,
                height: stride,
                width: stride,
            };
            let (top, left) = (
                own.top.saturating_sub(reach),
                own.left.saturating_sub(reach),
            );
            let seen = Window {
                top,
                left,
                height: (own.bottom() + reach).min(self.size.height) - top,
                width: (own.right() + reach).min(self.size.width) - left,
            };
            // Differences of sums may be a little below 0.
            let share = self.mean(&own).max(0.0);
            simple.push(share);
            let seen = self.mean(&seen);
            let counts = match border {
                Border::LeftOut => 2.0 * seen - 1.0,
                Border::Shared => seen,
            };
            inside.push(share * counts.max(0.0));
        }
        let (all, left) = (simple.iter().sum::<f64>(), inside.iter().sum::<f64>());
        let (weights, total) = match left >= LEAST * all {
            true => (inside, left),
            false => (simple, all),
        };
        if total <= 0.0 {
            return Ok(None);
        }
        let weights = weights.into_iter().map(|weight| (weight / total) as f32);
        Ok(Some(weights.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::{Encoder, EncoderOptions};
    use impasto_testing::{Tolerance, assert_close, assert_near};

    fn spec() -> NetSpec {
        Encoder::lite().unwrap().spec(&EncoderOptions::default())
    }

    /// The last tap of the embedded encoder, which sees 40 pixels.
    fn deep(spec: &NetSpec) -> Tap {
        Tap::Head(spec.heads.len() - 1)
    }

    fn region(width: usize, height: usize, share: impl Fn(usize, usize) -> f32) -> Region {
        let pixels = (0..width * height).map(|pixel| share(pixel % width, pixel / width));
        Region::new(&pixels.collect::<Vec<_>>(), Size { width, height })
    }

    #[test]
    fn all_of_a_picture_has_equal_weights() {
        let spec = spec();
        for (width, height) in [(64, 64), (33, 70)] {
            let all = region(width, height, |_, _| 1.0);
            for tap in (0..spec.heads.len()).map(Tap::Head) {
                let weights = all.weights(&spec, tap, Border::LeftOut).unwrap().unwrap();
                let equal = vec![1.0 / weights.len() as f32; weights.len()];
                assert_close(
                    &tap.to_string(),
                    &weights,
                    &equal,
                    Tolerance::relative(1e-6),
                );
            }
        }
    }

    #[test]
    fn places_that_mostly_see_something_else_do_not_count() {
        let (spec, width) = (spec(), 256);
        let tap = deep(&spec);
        let stride = spec.stride(spec.layer_of(tap).unwrap());
        let left = region(width, 64, |x, _| f32::from(u8::from(x < width / 2)));
        let weights = left.weights(&spec, tap, Border::LeftOut).unwrap().unwrap();
        let row = &weights[..width / stride];
        let border = row.len() / 2;
        assert_near(
            "sum",
            weights.iter().sum::<f32>(),
            1.0,
            Tolerance::absolute(1e-5),
        );
        // From the border inwards it grows, up to where nothing else is seen.
        assert!(row[border..].iter().all(|&weight| weight == 0.0), "{row:?}");
        assert!(row[border - 1] < 0.4 * row[0], "{row:?}");
        assert!(row[..border].is_sorted_by(|a, b| a >= b), "{row:?}");
        assert_near("inside", row[0], row[border / 2], Tolerance::relative(1e-6));
    }

    #[test]
    fn thin_regions_count_as_they_are() {
        let spec = spec();
        let tap = deep(&spec);
        let line = region(128, 128, |x, _| f32::from(u8::from((60..64).contains(&x))));
        let weights = line.weights(&spec, tap, Border::LeftOut).unwrap().unwrap();
        let counted: Vec<f32> = weights.iter().copied().filter(|&w| w > 0.0).collect();
        let equal = vec![1.0 / counted.len() as f32; counted.len()];
        assert_close("line", &counted, &equal, Tolerance::relative(1e-5));
        let nothing = region(128, 128, |_, _| 0.0);
        assert_eq!(nothing.weights(&spec, tap, Border::LeftOut).unwrap(), None);
    }
}
