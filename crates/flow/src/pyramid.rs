//! Pictures in halved sizes.

use crate::frame::{Frame, luma};
use crate::plane::{PAD, Plane};
use crate::settings::PATCH;
use crate::simd::vectorised;
use rayon::prelude::*;

/// Rows that one task makes.
const STRIPE: usize = 32;

/// A frame in all the sizes that flow is sought at: make it once of each frame, use it for every pair the frame is in.
#[derive(Debug, Clone)]
pub struct Pyramid {
    /// The finest first; each is half as large as the one before, rounded up.
    pub(crate) levels: Vec<Level>,
    pub(crate) channels: usize,
}

/// A frame in one size. Values are grey levels, 0..255.
#[derive(Debug, Clone)]
pub(crate) struct Level {
    /// Red, green, blue and luma of each pixel. A frame of one channel has its luma in all.
    pub(crate) pixels: Plane<[f32; 4]>,
    pub(crate) luma: Plane<f32>,
    /// Slope of luma along x, and along y, in grey levels per pixel.
    pub(crate) slopes: [Plane<f32>; 2],
}

impl Pyramid {
    /// Halves a frame until its longer side is some 32 pixels, or the shorter one less than two patches.
    pub fn new(frame: &Frame) -> Self {
        let mut pixels = Plane::new(frame.width, frame.height);
        let (rows, stride) = pixels.inner_mut();
        let width = frame.width;
        rows.par_chunks_mut(stride)
            .enumerate()
            .for_each(|(y, row)| {
                let row = &mut row[PAD..PAD + width];
                let line = |c: usize| &frame.channel(c)[y * width..(y + 1) * width];
                if frame.channels == 1 {
                    let grey = line(0);
                    for x in 0..width {
                        row[x] = [grey[x] * 255.0; 4];
                    }
                } else {
                    let (red, green, blue) = (line(0), line(1), line(2));
                    for x in 0..width {
                        let [r, g, b] = [red[x] * 255.0, green[x] * 255.0, blue[x] * 255.0];
                        row[x] = [r, g, b, luma(r, g, b)];
                    }
                }
            });
        pixels.fill_border();
        let halvings = halvings(frame.width, frame.height);
        let mut levels = vec![Level::new(pixels)];
        for _ in 0..halvings {
            let next = halve(&levels[levels.len() - 1].pixels);
            levels.push(Level::new(next));
        }
        Self {
            levels,
            channels: frame.channels,
        }
    }

    /// Width and height of the frame.
    pub fn size(&self) -> (usize, usize) {
        let finest = &self.levels[0].luma;
        (finest.width, finest.height)
    }
}

/// min(⌊log₂(longer side / 32) + ½⌋, ⌊log₂(shorter side / 8)⌋), as OpenCV has it.
fn halvings(width: usize, height: usize) -> usize {
    let (longer, shorter) = (width.max(height), width.min(height));
    let by_longer = (0..)
        .take_while(|&n| longer as f64 >= (4 * PATCH) as f64 * 2f64.powf(f64::from(n) + 0.5))
        .count();
    let by_shorter = (shorter / PATCH).checked_ilog2().unwrap_or(0) as usize;
    by_longer.min(by_shorter)
}

impl Level {
    fn new(pixels: Plane<[f32; 4]>) -> Self {
        let (width, height) = (pixels.width, pixels.height);
        let mut luma = Plane::new(width, height);
        for (to, from) in luma.data.iter_mut().zip(&pixels.data) {
            *to = from[3];
        }
        let mut slopes = [Plane::new(width, height), Plane::new(width, height)];
        let [along_x, along_y] = &mut slopes;
        let stride = luma.stride;
        let tasks = along_x
            .inner_mut()
            .0
            .par_chunks_mut(stride)
            .zip(along_y.inner_mut().0.par_chunks_mut(stride));
        tasks.enumerate().for_each(|(y, (x_row, y_row))| {
            vectorised(
                slope_row,
                (
                    &luma,
                    y as isize,
                    &mut x_row[PAD..PAD + width],
                    &mut y_row[PAD..PAD + width],
                ),
            );
        });
        slopes.iter_mut().for_each(Plane::fill_border);
        Self {
            pixels,
            luma,
            slopes,
        }
    }
}

/// Central differences.
#[inline(always)]
fn slope_row((luma, y, along_x, along_y): (&Plane<f32>, isize, &mut [f32], &mut [f32])) {
    let n = along_x.len();
    let (above, here, below) = (
        luma.wide_row(y - 1, 1),
        luma.wide_row(y, 1),
        luma.wide_row(y + 1, 1),
    );
    let (above, here, below, along_y) = (
        &above[..n + 2],
        &here[..n + 2],
        &below[..n + 2],
        &mut along_y[..n],
    );
    for x in 0..n {
        along_x[x] = (here[x + 2] - here[x]) * 0.5;
        along_y[x] = (below[x + 1] - above[x + 1]) * 0.5;
    }
}

/// What a value of a halved row is made of: the first of four neighbours and their weights.
#[derive(Clone, Copy)]
struct Taps(isize, [f32; 4]);

/// The mean over what a value of the halved row covers, at the true ratio of the two lengths.
fn taps(from: usize, to: usize) -> Vec<Taps> {
    let ratio = from as f64 / to as f64;
    let taps = (0..to).map(|i| {
        let (start, end) = (i as f64 * ratio, (i + 1) as f64 * ratio);
        let first = start.floor();
        let weight = |k: usize| {
            let place = first + k as f64;
            ((end.min(place + 1.0) - start.max(place)).max(0.0) / ratio) as f32
        };
        Taps(first as isize, [weight(0), weight(1), weight(2), weight(3)])
    });
    taps.collect()
}

fn halve(from: &Plane<[f32; 4]>) -> Plane<[f32; 4]> {
    let (width, height) = (from.width.div_ceil(2), from.height.div_ceil(2));
    let (columns, lines) = (taps(from.width, width), taps(from.height, height));
    let mut to = Plane::new(width, height);
    let (rows, stride) = to.inner_mut();
    rows.par_chunks_mut(stride * STRIPE)
        .enumerate()
        .for_each(|(stripe, rows)| {
            for (row, line) in rows.chunks_mut(stride).zip(&lines[stripe * STRIPE..]) {
                let halving = Halving {
                    from,
                    line: *line,
                    columns: &columns,
                };
                vectorised(halve_row, (halving, &mut row[PAD..PAD + width]));
            }
        });
    to.fill_border();
    to
}

struct Halving<'a> {
    from: &'a Plane<[f32; 4]>,
    line: Taps,
    columns: &'a [Taps],
}

#[inline(always)]
fn halve_row((halving, to): (Halving, &mut [[f32; 4]])) {
    let Halving {
        from,
        line,
        columns,
    } = halving;
    for (value, column) in to.iter_mut().zip(columns) {
        let mut sum = [0.0; 4];
        for (k, weight) in line.1.iter().enumerate() {
            if *weight == 0.0 {
                continue;
            }
            let start = from.at(column.0, line.0 + k as isize);
            let near = &from.data[start..start + 4];
            for (pixel, across) in near.iter().zip(&column.1) {
                for c in 0..4 {
                    sum[c] += weight * across * pixel[c];
                }
            }
        }
        *value = sum;
    }
}
