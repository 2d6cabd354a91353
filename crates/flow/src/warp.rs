//! Pictures moved along flow.

use crate::plane::Plane;

/// Where a place lies: the pixel at or before it, clamped into the picture, and how far it is from there to the next.
#[inline(always)]
fn split(place: f32, length: usize) -> (usize, f32) {
    let place = place.clamp(0.0, (length - 1) as f32);
    // What is not a number becomes 0.
    let whole = place as usize;
    (whole, place - whole as f32)
}

/// Weights of four neighbours for a place `t` after the second (Keys 1981, a = −½: Catmull–Rom).
#[inline(always)]
pub(crate) fn cubic_weights(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        0.5 * (2.0 * t2 - t - t3),
        0.5 * (3.0 * t3 - 5.0 * t2 + 2.0),
        0.5 * (4.0 * t2 - 3.0 * t3 + t),
        0.5 * (t3 - t2),
    ]
}

/// Pixels of a padded picture at a place between them; edges are repeated.
#[inline(always)]
pub(crate) fn cubic(pixels: &Plane<[f32; 4]>, x: f32, y: f32) -> [f32; 4] {
    let ((left, fx), (top, fy)) = (split(x, pixels.width), split(y, pixels.height));
    let (across, down) = (cubic_weights(fx), cubic_weights(fy));
    let mut sum = [0.0; 4];
    let mut start = pixels.at(left as isize - 1, top as isize - 1);
    for weight in down {
        let near = &pixels.data[start..start + 4];
        let mut line = [0.0; 4];
        for k in 0..4 {
            for c in 0..4 {
                line[c] += across[k] * near[k][c];
            }
        }
        for c in 0..4 {
            sum[c] += weight * line[c];
        }
        start += pixels.stride;
    }
    sum
}
