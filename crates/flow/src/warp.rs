//! Pictures moved along flow.

use crate::Error;
use crate::field::Flow;
use crate::frame::{Frame, same_size};
use crate::mask::Mask;
use crate::plane::Plane;
use rayon::prelude::*;

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

/// Pixels that are worked on at a time: their numbers stay in the nearest memory.
pub(crate) const CHUNK: usize = 64;

/// Pixels of a padded picture, between its pixels, for up to [`CHUNK`] places of a row that begins at (x, y) and moves by
/// `motion`; edges are repeated.
#[inline(always)]
pub(crate) fn cubic_run(
    pixels: &Plane<[f32; 4]>,
    (x, y): (usize, usize),
    [u, v]: [&[f32]; 2],
    to: &mut [[f32; 4]; CHUNK],
) {
    let n = u.len().min(CHUNK);
    let (u, v) = (&u[..n], &v[..n]);
    let (right, bottom) = ((pixels.width - 1) as f32, (pixels.height - 1) as f32);
    let mut corners = [[0i32; 2]; CHUNK];
    let (mut across, mut down) = ([[0.0; CHUNK]; 4], [[0.0; CHUNK]; 4]);
    for i in 0..n {
        let (px, py) = (
            ((x + i) as f32 + u[i]).clamp(0.0, right),
            (y as f32 + v[i]).clamp(0.0, bottom),
        );
        let (left, top) = (px as i32, py as i32);
        corners[i] = [left, top];
        let (wx, wy) = (
            cubic_weights(px - left as f32),
            cubic_weights(py - top as f32),
        );
        for k in 0..4 {
            across[k][i] = wx[k];
            down[k][i] = wy[k];
        }
    }
    for i in 0..n {
        let mut start = pixels.at(corners[i][0] as isize - 1, corners[i][1] as isize - 1);
        let mut sum = [0.0; 4];
        for k in 0..4 {
            let near = &pixels.data[start..start + 4];
            for c in 0..4 {
                let line = (near[0][c] * across[0][i] + near[1][c] * across[1][i])
                    + (near[2][c] * across[2][i] + near[3][c] * across[3][i]);
                sum[c] += down[k][i] * line;
            }
            start += pixels.stride;
        }
        to[i] = sum;
    }
}

/// How a picture is read between its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Interpolation {
    /// From four pixels. Blurs a little each time, but never leaves the range of what is there.
    Bilinear,
    /// From sixteen (Keys 1981, Catmull–Rom): stays sharp over many frames.
    #[default]
    Cubic,
}

impl Interpolation {
    /// Number of neighbours along one axis.
    const fn taps(self) -> usize {
        match self {
            Self::Bilinear => 2,
            Self::Cubic => 4,
        }
    }

    /// The neighbours along one axis of a place, clamped into `length`, and their weights.
    fn along(self, place: f32, length: usize) -> ([usize; 4], [f32; 4]) {
        let (first, t) = split(place, length);
        let neighbour = |k: usize| (first + k).min(length - 1);
        match self {
            Self::Bilinear => ([first, neighbour(1), first, first], [1.0 - t, t, 0.0, 0.0]),
            Self::Cubic => (
                [first.saturating_sub(1), first, neighbour(1), neighbour(2)],
                cubic_weights(t),
            ),
        }
    }
}

/// A picture seen along flow: pixel x of the result is what `frame` has at x + w(x). Beyond its edges a picture goes on as it
/// ends; what is not a number in the flow stands still at its edge.
///
/// With the flow from `a` to `b`, a frame `b` becomes one that lies over `a`.
///
/// # Errors
/// [`Error::Size`] if frame and flow differ in size.
pub fn warp(frame: &Frame, flow: &Flow, interpolation: Interpolation) -> Result<Frame, Error> {
    same_size("the flow", flow.size(), (frame.width, frame.height))?;
    let data = warp_maps(&frame.data, frame.channels, flow, interpolation)?;
    Frame::new(frame.channels, frame.height, frame.width, data)
}

/// [`warp`] of any maps `[channels, h, w]` of the flow's size, whose values may have any range.
///
/// # Errors
/// [`Error::Shape`] if there are not as many values as that.
pub fn warp_maps(
    maps: &[f32],
    channels: usize,
    flow: &Flow,
    interpolation: Interpolation,
) -> Result<Vec<f32>, Error> {
    let (width, height) = flow.size();
    if channels.checked_mul(width * height) != Some(maps.len()) {
        let shape = vec![channels, height, width];
        return Err(Error::Shape {
            what: "maps to warp",
            shape,
            values: maps.len(),
        });
    }
    let mut to = vec![0.0; maps.len()];
    let plane = width * height;
    let lines = to.par_chunks_mut(width).enumerate();
    lines.for_each(|(line, to)| {
        let (channel, y) = (line / height, line % height);
        let from = &maps[channel * plane..(channel + 1) * plane];
        for (x, to) in to.iter_mut().enumerate() {
            let [u, v] = flow.motion(y * width + x);
            *to = sample(
                from,
                (width, height),
                [x as f32 + u, y as f32 + v],
                interpolation,
            );
        }
    });
    Ok(to)
}

/// A map at a place between its pixels; edges are repeated.
pub(crate) fn sample(
    map: &[f32],
    (width, height): (usize, usize),
    [x, y]: [f32; 2],
    by: Interpolation,
) -> f32 {
    let ((columns, across), (rows, down)) = (by.along(x, width), by.along(y, height));
    let mut sum = 0.0;
    for k in 0..by.taps() {
        let line = &map[rows[k] * width..(rows[k] + 1) * width];
        let mut along = 0.0;
        for j in 0..by.taps() {
            along += across[j] * line[columns[j]];
        }
        sum += down[k] * along;
    }
    sum
}

/// The flow from `a` to `c` by way of `b`: w(x) = w₁(x) + w₂(x + w₁(x)), and where it holds: where x + w₁(x) lies in `b` and
/// x + w(x) in `c`. What is elsewhere goes on as at the edge.
///
/// # Errors
/// [`Error::Size`] if the flows differ in size.
pub fn compose(first: &Flow, second: &Flow) -> Result<(Flow, Mask), Error> {
    let size = first.size();
    same_size("the second flow", second.size(), size)?;
    let (width, height) = size;
    let mut to = Flow::zero(height, width);
    let mut valid = vec![false; width * height];
    let (u, v) = to.both_mut();
    let lines = u
        .par_chunks_mut(width)
        .zip(v.par_chunks_mut(width))
        .zip(valid.par_chunks_mut(width));
    lines.enumerate().for_each(|(y, ((u, v), valid))| {
        for x in 0..width {
            let [u1, v1] = first.motion(y * width + x);
            let between = [x as f32 + u1, y as f32 + v1];
            let [u2, v2] = [second.u(), second.v()]
                .map(|map| sample(map, size, between, Interpolation::Bilinear));
            (u[x], v[x]) = (u1 + u2, v1 + v2);
            valid[x] = inside(between, size) && inside([between[0] + u2, between[1] + v2], size);
        }
    });
    Ok((
        to,
        Mask {
            height,
            width,
            data: valid,
        },
    ))
}

/// Whether a place is in a picture: no nearer to anything outside than to its outermost pixels' middles.
pub(crate) fn inside([x, y]: [f32; 2], (width, height): (usize, usize)) -> bool {
    x >= -0.5 && y >= -0.5 && x <= width as f32 - 0.5 && y <= height as f32 - 0.5
}
