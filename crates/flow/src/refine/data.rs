//! What the two frames say of the motion of each pixel.

use super::{EPSILON, stripe};
use crate::field::Flow;
use crate::pyramid::Level;
use crate::settings::Refinement;
use crate::simd::vectorised;
use crate::warp::{CHUNK, cubic_run};
use rayon::prelude::*;

/// ζ², in grey levels per pixel, squared.
const ZETA: f32 = 0.1;

/// Border of the maps, in pixels: second slopes reach that far.
const MARGIN: usize = 2;

/// The mean ½ (I₁(x + w) + I₀(x)) of the first frame and the warped second, of which slopes are taken, and their difference
/// I₁(x + w) − I₀(x), for C channels.
///
/// A row has the means of all channels, then the differences, each with its border.
pub(super) struct Differences<const C: usize> {
    width: usize,
    height: usize,
    data: Vec<f32>,
}

impl<const C: usize> Differences<C> {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let data = vec![0.0; (height + 2 * MARGIN) * 2 * C * (width + 2 * MARGIN)];
        Self {
            width,
            height,
            data,
        }
    }

    fn row_len(&self) -> usize {
        2 * C * (self.width + 2 * MARGIN)
    }

    /// Means (0) or differences (1) of a channel in a row, which may be in the border.
    #[inline(always)]
    fn line(&self, y: isize, kind: usize, channel: usize) -> &[f32] {
        let span = self.width + 2 * MARGIN;
        let start = (y + MARGIN as isize) as usize * self.row_len() + (kind * C + channel) * span;
        &self.data[start..start + span]
    }

    /// Warps the second frame by the flow and compares.
    pub(super) fn take(&mut self, first: &Level, second: &Level, flow: &Flow) {
        let (width, len, rows) = (self.width, self.row_len(), stripe(self.width));
        let inner = MARGIN * len..(MARGIN + self.height) * len;
        self.data[inner]
            .par_chunks_mut(len * rows)
            .enumerate()
            .for_each(|(stripe, to)| {
                for (row, to) in to.chunks_mut(len).enumerate() {
                    let y = stripe * rows + row;
                    let place = y * width..(y + 1) * width;
                    let motion = [&flow.u()[place.clone()], &flow.v()[place]];
                    vectorised(
                        take_row::<C>,
                        Row {
                            first,
                            second,
                            y,
                            motion,
                            to,
                        },
                    );
                }
            });
        let last = (MARGIN + self.height - 1) * len;
        for y in 0..MARGIN {
            self.data
                .copy_within(MARGIN * len..(MARGIN + 1) * len, y * len);
            self.data
                .copy_within(last..last + len, (MARGIN + self.height + y) * len);
        }
    }
}

struct Row<'a> {
    first: &'a Level,
    second: &'a Level,
    y: usize,
    motion: [&'a [f32]; 2],
    to: &'a mut [f32],
}

#[inline(always)]
fn take_row<const C: usize>(row: Row) {
    let [u, v] = row.motion;
    let n = u.len();
    let span = n + 2 * MARGIN;
    let own = &row.first.pixels.row(row.y)[..n];
    let (means, differences) = row.to.split_at_mut(C * span);
    let mut there = [[0.0; 4]; CHUNK];
    let mut start = 0;
    while start < n {
        let end = (start + CHUNK).min(n);
        cubic_run(
            &row.second.pixels,
            (start, row.y),
            [&u[start..end], &v[start..end]],
            &mut there,
        );
        for c in 0..C {
            // Luma is the last of the four.
            let channel = if C == 1 { 3 } else { c };
            let own = &own[start..end];
            let place = c * span + MARGIN + start..c * span + MARGIN + end;
            let (means, differences) = (&mut means[place.clone()], &mut differences[place]);
            for i in 0..own.len().min(CHUNK) {
                means[i] = 0.5 * (there[i][channel] + own[i][channel]);
                differences[i] = there[i][channel] - own[i][channel];
            }
        }
        start = end;
    }
    for line in means.chunks_mut(span).chain(differences.chunks_mut(span)) {
        let (left, right) = (line[MARGIN], line[MARGIN + n - 1]);
        line[..MARGIN].fill(left);
        line[MARGIN + n..].fill(right);
    }
}

/// The data term of one row, linearised: [A₁₁ A₁₂ A₂₂ b₁ b₂] of A·dw = b.
#[inline(always)]
pub(super) fn data_row<const C: usize>(
    differences: &Differences<C>,
    (y, motion): (usize, [&[f32]; 2]),
    settings: &Refinement,
    to: [&mut [f32]; 5],
) {
    let n = motion[0].len();
    let [a11, a12, a22, b1, b2] = to;
    let mut start = 0;
    while start < n {
        let end = (start + CHUNK).min(n);
        let mut sums = [[0.0f32; CHUNK]; 12];
        for channel in 0..C {
            add_channel(differences, y as isize, channel, start..end, &mut sums);
        }
        let [sb, b11, b12, b22, bu, bv, sg, g11, g12, g22, gu, gv] = &sums;
        let range = start..end;
        let (u, v) = (&motion[0][range.clone()], &motion[1][range.clone()]);
        let (a11, a12, a22) = (
            &mut a11[range.clone()],
            &mut a12[range.clone()],
            &mut a22[range.clone()],
        );
        let (b1, b2) = (&mut b1[range.clone()], &mut b2[range]);
        let count = 1.0 / C as f32;
        let (right, bottom) = (
            (differences.width - 1) as f32,
            (differences.height - 1) as f32,
        );
        for i in 0..u.len() {
            let (x, y) = ((start + i) as f32 + u[i], y as f32 + v[i]);
            let inside = if x >= 0.0 && x <= right && y >= 0.0 && y <= bottom {
                count
            } else {
                0.0
            };
            let wb = inside * settings.brightness / (sb[i] * count + EPSILON * EPSILON).sqrt();
            let wg = inside * settings.slopes / (sg[i] * count + EPSILON * EPSILON).sqrt();
            a11[i] = wb * b11[i] + wg * g11[i];
            a12[i] = wb * b12[i] + wg * g12[i];
            a22[i] = wb * b22[i] + wg * g22[i];
            b1[i] = -(wb * bu[i] + wg * gu[i]);
            b2[i] = -(wb * bv[i] + wg * gv[i]);
        }
        start = end;
    }
}

/// Adds squares and products of one channel: of brightness, then of both slopes.
#[inline(always)]
fn add_channel<const C: usize>(
    from: &Differences<C>,
    y: isize,
    channel: usize,
    range: std::ops::Range<usize>,
    sums: &mut [[f32; CHUNK]; 12],
) {
    let n = range.len();
    // Where n is CHUNK, which it is but at the end of a row, loops have no rest.
    let mean =
        |dy: isize| &from.line(y + dy, 0, channel)[range.start..range.start + n + 2 * MARGIN];
    let difference =
        |dy: isize| &from.line(y + dy, 1, channel)[range.start..range.start + n + 2 * MARGIN];
    let (m0, m1, m2, m3, m4) = (mean(-2), mean(-1), mean(0), mean(1), mean(2));
    let (d1, d2, d3) = (difference(-1), difference(0), difference(1));
    let [sb, b11, b12, b22, bu, bv, sg, g11, g12, g22, gu, gv] = sums;
    for i in 0..n {
        let x = i + MARGIN;
        let (ix, iy, iz) = (0.5 * (m2[x + 1] - m2[x - 1]), 0.5 * (m3[x] - m1[x]), d2[x]);
        let by = 1.0 / (ix * ix + iy * iy + ZETA);
        sb[i] += iz * iz * by;
        b11[i] += ix * ix * by;
        b12[i] += ix * iy * by;
        b22[i] += iy * iy * by;
        bu[i] += ix * iz * by;
        bv[i] += iy * iz * by;
        let ixx = 0.25 * (m2[x + 2] - 2.0 * m2[x] + m2[x - 2]);
        let iyy = 0.25 * (m4[x] - 2.0 * m2[x] + m0[x]);
        let ixy = 0.25 * (m3[x + 1] - m3[x - 1] - m1[x + 1] + m1[x - 1]);
        let (izx, izy) = (0.5 * (d2[x + 1] - d2[x - 1]), 0.5 * (d3[x] - d1[x]));
        let by_x = 1.0 / (ixx * ixx + ixy * ixy + ZETA);
        let by_y = 1.0 / (ixy * ixy + iyy * iyy + ZETA);
        sg[i] += izx * izx * by_x + izy * izy * by_y;
        g11[i] += ixx * ixx * by_x + ixy * ixy * by_y;
        g12[i] += ixx * ixy * by_x + ixy * iyy * by_y;
        g22[i] += ixy * ixy * by_x + iyy * iyy * by_y;
        gu[i] += ixx * izx * by_x + ixy * izy * by_y;
        gv[i] += ixy * izx * by_x + iyy * izy * by_y;
    }
}
