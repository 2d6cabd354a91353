//! Turning planes upright.

use image::metadata::Orientation;
use rayon::prelude::*;

/// Width and height after turning.
pub(super) fn size(width: usize, height: usize, orientation: Orientation) -> (usize, usize) {
    if swaps_sides(orientation) {
        (height, width)
    } else {
        (width, height)
    }
}

/// Planes `[c, height, width]` turned as a viewer would, `[c, …]` with the sides of [`size`].
pub(super) fn planes(
    planes: Vec<f32>,
    width: usize,
    height: usize,
    orientation: Orientation,
) -> Vec<f32> {
    if orientation == Orientation::NoTransforms || planes.is_empty() {
        return planes;
    }
    // Squares small enough that the rows of one side and the columns of the other both stay in
    // the first-level cache.
    const TILE: usize = 32;
    let (new_width, new_height) = size(width, height, orientation);
    let walk = Walk::new(width, height, orientation);
    let bands_per_plane = new_height.div_ceil(TILE);
    let mut out = vec![0.0; planes.len()];
    // A band of rows each, and never of two planes.
    let bands = out
        .chunks_exact_mut(width * height)
        .flat_map(|p| p.chunks_mut(TILE * new_width));
    bands.enumerate().par_bridge().for_each(|(band, out)| {
        let plane = &planes[band / bands_per_plane * width * height..][..width * height];
        let top = band % bands_per_plane * TILE;
        for left in (0..new_width).step_by(TILE) {
            let right = new_width.min(left + TILE);
            for (y, row) in out.chunks_exact_mut(new_width).enumerate() {
                for (x, out) in row[left..right].iter_mut().enumerate() {
                    *out = plane[walk.source(left + x, top + y)];
                }
            }
        }
    });
    out
}

fn swaps_sides(orientation: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(
        orientation,
        Rotate90 | Rotate90FlipH | Rotate270 | Rotate270FlipH
    )
}

/// Where the upright pixel (x, y) is in a stored plane: `origin + x · right + y · down`.
struct Walk {
    origin: isize,
    right: isize,
    down: isize,
}

impl Walk {
    fn new(width: usize, height: usize, orientation: Orientation) -> Walk {
        // The stored corner that is upper left when upright, and the steps from there.
        let stride = width as isize;
        let (last_x, last_y) = (stride - 1, (height as isize - 1) * stride);
        let (origin, right, down) = match orientation {
            Orientation::NoTransforms => (0, 1, stride),
            Orientation::FlipHorizontal => (last_x, -1, stride),
            Orientation::Rotate180 => (last_x + last_y, -1, -stride),
            Orientation::FlipVertical => (last_y, 1, -stride),
            Orientation::Rotate90FlipH => (0, stride, 1),
            Orientation::Rotate90 => (last_y, -stride, 1),
            Orientation::Rotate270FlipH => (last_x + last_y, -stride, -1),
            Orientation::Rotate270 => (last_x, stride, -1),
        };
        Walk {
            origin,
            right,
            down,
        }
    }

    fn source(&self, x: usize, y: usize) -> usize {
        (self.origin + x as isize * self.right + y as isize * self.down) as usize
    }
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, ImageBuffer};

    use super::*;
    use impasto_testing::assert_same;

    #[test]
    fn planes_turn_as_the_image_crate_turns_pixels() {
        // Odd sides, more than a tile, and a single row and column.
        for (width, height) in [(70, 45), (33, 64), (1, 5), (5, 1), (1, 1)] {
            let pixels = width * height;
            let stored: Vec<f32> = (0..3 * pixels).map(|i| i as f32).collect();
            let interleaved = (0..3 * pixels)
                .map(|i| stored[i % 3 * pixels + i / 3])
                .collect();
            let buffer = ImageBuffer::from_raw(width as u32, height as u32, interleaved).unwrap();
            for orientation in (1..=8).filter_map(Orientation::from_exif) {
                let mut image = DynamicImage::ImageRgb32F(buffer.clone());
                image.apply_orientation(orientation);
                let expected_size = (image.width() as usize, image.height() as usize);
                let expected = image.into_rgb32f().into_raw();
                let got = planes(stored.clone(), width, height, orientation);
                let what = format!("{width}×{height} {orientation:?}");
                assert_eq!(size(width, height, orientation), expected_size, "{what}");
                let got: Vec<f32> = (0..3 * pixels)
                    .map(|i| got[i % 3 * pixels + i / 3])
                    .collect();
                assert_same(&what, &got, &expected);
            }
        }
    }
}
