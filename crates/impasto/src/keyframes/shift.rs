//! Whether a painting lies where its photo does.

use crate::picture::{Filter, Picture, fit_long_side};

/// Shifts that are looked for, in pixels of the photo at this long side.
const SIDE: usize = 384;
const MOST: isize = 6;
/// A shift is believed if edges agree by so much more than without.
const BETTER: f64 = 1.04;

/// By how many pixels a painting is shifted against its photo, right and down, in pixels of the photo; `[0, 0]` if edges agree best as
/// they lie, or if they hardly agree at all. The painting may have another size.
pub fn shift(photo: &Picture, painting: &Picture) -> [isize; 2] {
    let (width, height) = (photo.width(), photo.height());
    let (w, h) = fit_long_side(width, height, SIDE.min(width.max(height)));
    let [one, other] = [photo, painting].map(|picture| edges(picture, (w, h)));
    let mut best = (0.0, [0, 0]);
    let mut here = 0.0;
    for down in -MOST..=MOST {
        for right in -MOST..=MOST {
            let agreement = agreement(&one, &other, (w, h), [right, down]);
            if [right, down] == [0, 0] {
                here = agreement;
            }
            if agreement > best.0 {
                best = (agreement, [right, down]);
            }
        }
    }
    let believed = best.0 > 0.1 && best.0 > BETTER * here;
    let scale = width as f64 / w as f64;
    match believed {
        true => best
            .1
            .map(|pixels| (pixels as f64 * scale).round() as isize),
        false => [0, 0],
    }
}

/// How steep the lightness is, less its mean.
fn edges(picture: &Picture, (width, height): (usize, usize)) -> Vec<f32> {
    let picture = picture.resized(width, height, Filter::Bicubic);
    let places = width * height;
    let rgb = picture.rgb();
    let luma =
        |at: usize| 0.299 * rgb[at] + 0.587 * rgb[places + at] + 0.114 * rgb[2 * places + at];
    let steep = |at: usize| {
        let (x, y) = (at % width, at / width);
        let right = luma(y * width + (x + 1).min(width - 1));
        let below = luma((y + 1).min(height - 1) * width + x);
        (right - luma(at)).hypot(below - luma(at))
    };
    let mut edges: Vec<f32> = (0..places).map(steep).collect();
    let mean = edges.iter().sum::<f32>() / places.max(1) as f32;
    edges.iter_mut().for_each(|edge| *edge -= mean);
    edges
}

/// The correlation of two maps, of which the second is taken from somewhere beside.
fn agreement(
    one: &[f32],
    other: &[f32],
    (width, height): (usize, usize),
    [right, down]: [isize; 2],
) -> f64 {
    let span = |shift: isize, n: usize| {
        let from = (-shift).max(0) as usize;
        from.min(n)..(n as isize - shift.max(0)).max(0) as usize
    };
    let (mut product, mut first, mut second) = (0.0f64, 0.0f64, 0.0f64);
    for y in span(down, height) {
        for x in span(right, width) {
            let a = f64::from(one[y * width + x]);
            let row = (y as isize + down) as usize;
            let b = f64::from(other[row * width + (x as isize + right) as usize]);
            product += a * b;
            first += a * a;
            second += b * b;
        }
    }
    product / (first * second).sqrt().max(f64::MIN_POSITIVE)
}
