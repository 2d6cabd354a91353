//! Whether a painting lies where its photo does, and which frame of a film it is of.

use crate::picture::{Filter, Picture, fit_long_side};

/// Shifts that are looked for, in pixels of the photo at this long side.
const SIDE: usize = 384;
const MOST: isize = 6;
/// A shift is believed if edges agree by so much more than without.
const BETTER: f64 = 1.04;

/// Width of what is compared of whole frames: a few pixels more or less do not matter.
const OUTLINE: usize = 96;
/// Outlines agree at all; and so much more with one frame than with another that it is that one's.
const AGREES: f64 = 0.3;
const CLEARLY: f64 = 1.25;
/// Outlines that agree less have nothing to do with each other. Strong filters of the same frame agree by .7 and more.
const FOREIGN: f64 = 0.2;

/// Where edges are in a picture, coarsely.
#[derive(Clone, Debug)]
pub struct Outline {
    size: (usize, usize),
    edges: Vec<f32>,
}

impl Outline {
    /// Of a picture whose width is so many times its height.
    pub fn of(picture: &Picture, aspect: f32) -> Self {
        let height = (OUTLINE as f32 / aspect)
            .round()
            .clamp(2.0, 4.0 * OUTLINE as f32);
        let size = (OUTLINE, height as usize);
        Self {
            size,
            edges: edges(picture, size),
        }
    }

    /// How far two agree: 1 are the same, 0 have nothing in common.
    pub fn agreement(&self, other: &Self) -> f64 {
        match self.size == other.size {
            true => agreement(&self.edges, &other.edges, self.size, [0, 0]),
            false => 0.0,
        }
    }

    /// Whether a painting that agrees so far with one frame and with another is clearly of the other one.
    pub fn is_of_other(with_one: f64, with_other: f64) -> bool {
        with_other > AGREES && with_other > CLEARLY * with_one
    }

    /// Whether a painting that agrees so far with a frame has nothing to do with it.
    pub fn is_of_none(agreement: f64) -> bool {
        agreement < FOREIGN
    }
}

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
    let believed = best.0 > FOREIGN && best.0 > BETTER * here;
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
