//! Turning planes upright.

use image::metadata::Orientation;
use rayon::prelude::*;

/// Width and height after turning.
pub(super) fn size(width: usize, height: usize, orientation: Orientation) -> (usize, usize) {
    if steps(orientation).0 {
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
    let (swapped, flip_x, flip_y) = steps(orientation);
    if !(swapped || flip_x || flip_y) || planes.is_empty() {
        return planes;
    }
    let (new_width, new_height) = size(width, height, orientation);
    // Bands of rows: when the axes are swapped, what one cache line brings serves a whole band.
    const BAND: usize = 16;
    let mut out = vec![0.0; planes.len()];
    out.par_chunks_exact_mut(width * height)
        .zip(planes.par_chunks_exact(width * height))
        .for_each(|(out, plane)| {
            out.par_chunks_mut(BAND * new_width)
                .enumerate()
                .for_each(|(band, out)| {
                    let rows = out.len() / new_width;
                    for x in 0..new_width {
                        for row in 0..rows {
                            let y = band * BAND + row;
                            let (from_x, from_y) = if swapped { (y, x) } else { (x, y) };
                            let from_x = if flip_x { width - 1 - from_x } else { from_x };
                            let from_y = if flip_y { height - 1 - from_y } else { from_y };
                            out[row * new_width + x] = plane[from_y * width + from_x];
                        }
                    }
                });
            debug_assert_eq!(out.len(), new_width * new_height);
        });
    out
}

/// Whether rows become columns, and whether the source is read from its right and from its
/// bottom.
fn steps(orientation: Orientation) -> (bool, bool, bool) {
    match orientation {
        Orientation::NoTransforms => (false, false, false),
        Orientation::FlipHorizontal => (false, true, false),
        Orientation::Rotate180 => (false, true, true),
        Orientation::FlipVertical => (false, false, true),
        Orientation::Rotate90FlipH => (true, false, false),
        Orientation::Rotate90 => (true, false, true),
        Orientation::Rotate270FlipH => (true, true, true),
        Orientation::Rotate270 => (true, true, false),
    }
}
