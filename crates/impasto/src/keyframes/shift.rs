//! Whether a painting lies where its photo does, and which frame of a film it is of.
//!
//! A shift is found by what the lightness of the one says of that of the other, their mutual information
//!
//! ```text
//! I = Σ p(a, b)·ln(p(a, b) / p(a)·p(b)) − (L − 1)²/2N        a, b one of L levels of equal shares, N places
//! ```
//!
//! which asks for no likeness: a negative, other colours or few flat ones will do, and outlines that are drawn, whose own two edges lie
//! beside that of the photo. What is subtracted is what N places say of nothing (Miller 1955). Source: Viola and Wells 1997. Where
//! lightness hardly changes it says the same of all shifts; there edges decide.

use crate::picture::{Filter, Picture, fit_long_side};

/// Shifts of so many pixels and less are looked for at the first long side, and what was found there once more at the other.
const COARSE: usize = 384;
const MOST: isize = 6;
const FINE: usize = 1024;
/// Levels of lightness.
const LEVELS: usize = 16;
/// A shift is believed if the one says so much more of the other than as they lie.
const BETTER: f64 = 1.02;
/// Pictures that say less of each other have nothing to do with each other.
const SAYS: f64 = 0.1;
/// A shift is believed by edges if they agree by so much more than as they lie, and lightness does not contradict: it says at least so
/// much of what it says as they lie. Of a cel shader that is in its place it says .98 and less, where edges agree better.
const AGREES_BETTER: f64 = 1.04;
const STILL_SAYS: f64 = 0.99;

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

/// By how many pixels a painting is shifted against its photo, right and down, in pixels of the photo; `[0, 0]` if they agree best as
/// they lie, or hardly at all. The painting may have another size.
pub fn shift(photo: &Picture, painting: &Picture) -> [isize; 2] {
    let (width, height) = (photo.width(), photo.height());
    let long = width.max(height);
    let at = |side: usize| Levels::of([photo, painting], fit_long_side(width, height, side));
    let (coarse, fine) = (COARSE.min(long), FINE.min(long));
    let (small, large) = (long as f64 / coarse as f64, long as f64 / fine as f64);
    let scaled = |shift: [isize; 2], scale: f64| shift.map(|n| (n as f64 * scale).round() as isize);
    let levels = at(coarse);
    let said = |shift| levels.information(shift, MOST);
    let here = said([0, 0]);
    let (most, found) = best([0, 0], MOST, said);
    // What rises up to the end of what is looked for has no peak there.
    let inside = found.iter().all(|pixels| pixels.abs() < MOST);
    if inside && most > SAYS {
        let scale = small / large;
        let (center, reach) = (scaled(found, scale), scale.ceil() as isize);
        let levels = at(fine);
        let margin = center.map(isize::abs).into_iter().max().unwrap_or(0) + reach;
        let said = |shift| levels.information(shift, margin);
        let (most, found) = best(center, reach, said);
        if most > BETTER * said([0, 0]) {
            return scaled(found, large);
        }
    }
    let size = levels.size;
    let [one, other] = [photo, painting].map(|picture| edges(picture, size));
    let agrees = |shift| agreement(&one, &other, size, shift);
    let (most, found) = best([0, 0], MOST, agrees);
    let believed = most > FOREIGN && most > AGREES_BETTER * agrees([0, 0]);
    match believed && said(found) >= STILL_SAYS * here {
        true => scaled(found, small),
        false => [0, 0],
    }
}

/// The shift around another one, up to so many pixels, of which the most is said.
fn best(center: [isize; 2], reach: isize, said: impl Fn([isize; 2]) -> f64) -> (f64, [isize; 2]) {
    let around = |middle: isize| middle - reach..=middle + reach;
    let shifts = around(center[1]).flat_map(|y| around(center[0]).map(move |x| [x, y]));
    let shifts = shifts.map(|shift| (said(shift), shift));
    let best = shifts.max_by(|one, other| one.0.total_cmp(&other.0));
    best.unwrap_or((0.0, center))
}

/// Two pictures in a size, as levels of lightness.
struct Levels {
    size: (usize, usize),
    one: Vec<u8>,
    other: Vec<u8>,
}

impl Levels {
    fn of(pictures: [&Picture; 2], size: (usize, usize)) -> Self {
        let [one, other] = pictures.map(|picture| levels(picture, size));
        Self { size, one, other }
    }

    /// What those of one say of those of the other, which are taken from somewhere beside; in nats. A margin of one is left out, so that
    /// the same places are asked for all shifts up to it.
    fn information(&self, [right, down]: [isize; 2], margin: isize) -> f64 {
        let (width, height) = self.size;
        let inside = |n: usize| margin as usize..n.saturating_sub(margin as usize);
        let mut both = [0u32; LEVELS * LEVELS];
        for y in inside(height) {
            let row = (y as isize + down) as usize * width;
            for x in inside(width) {
                let a = self.one[y * width + x];
                let b = self.other[row + (x as isize + right) as usize];
                both[usize::from(a) * LEVELS + usize::from(b)] += 1;
            }
        }
        let (mut first, mut second) = ([0.0f64; LEVELS], [0.0f64; LEVELS]);
        for (at, &count) in both.iter().enumerate() {
            first[at / LEVELS] += f64::from(count);
            second[at % LEVELS] += f64::from(count);
        }
        let all = first.iter().sum::<f64>().max(1.0);
        let said = both.iter().enumerate().filter(|(_, count)| **count > 0);
        let said = said.map(|(at, &count)| {
            let count = f64::from(count);
            count / all * (count * all / (first[at / LEVELS] * second[at % LEVELS])).ln()
        });
        said.sum::<f64>() - ((LEVELS - 1) * (LEVELS - 1)) as f64 / (2.0 * all)
    }
}

/// Which of [`LEVELS`], of as many places each, the lightness is at each place.
fn levels(picture: &Picture, size: (usize, usize)) -> Vec<u8> {
    let lightness = lightness(picture, size);
    let mut sorted = lightness.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let begins = (1..LEVELS).filter_map(|level| sorted.get(level * sorted.len() / LEVELS));
    let begins: Vec<f32> = begins.copied().collect();
    let level = |value: &f32| begins.partition_point(|begin| begin <= value) as u8;
    lightness.iter().map(level).collect()
}

/// How light a picture is in some size.
fn lightness(picture: &Picture, (width, height): (usize, usize)) -> Vec<f32> {
    let picture = picture.resized(width, height, Filter::Bicubic);
    let places = width * height;
    let rgb = picture.rgb();
    let lightness =
        |at: usize| 0.299 * rgb[at] + 0.587 * rgb[places + at] + 0.114 * rgb[2 * places + at];
    (0..places).map(lightness).collect()
}

/// How steep the lightness is, less its mean.
fn edges(picture: &Picture, (width, height): (usize, usize)) -> Vec<f32> {
    let lightness = lightness(picture, (width, height));
    let steep = |at: usize| {
        let (x, y) = (at % width, at / width);
        let right = lightness[y * width + (x + 1).min(width - 1)];
        let below = lightness[(y + 1).min(height - 1) * width + x];
        (right - lightness[at]).hypot(below - lightness[at])
    };
    let mut edges: Vec<f32> = (0..width * height).map(steep).collect();
    let mean = edges.iter().sum::<f32>() / edges.len().max(1) as f32;
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
