//! The linear system of a warp and its solution by red–black successive over-relaxation.
//!
//! Pixels whose x + y is even are red, the others black. All neighbours of a pixel are of the other colour, so that all of
//! one colour can be updated at once: the result does not depend on an order. Each colour lies by itself, which makes its
//! rows vectors.

use super::data::{Differences, data_row};
use super::stripe;
use crate::field::Flow;
use crate::settings::Refinement;
use crate::simd::vectorised;
use rayon::prelude::*;

/// Numbers of a pixel: 1 / A₁₁, A₁₂, 1 / A₂₂, b₁, b₂, and the weights towards the pixels on its right and below it. The
/// sums of its weights are in A, what the flow so far makes of smoothness in b.
const NUMBERS: usize = 7;

/// What is added to A's diagonal, so that pixels of which nothing is known stay where they are.
const FLOOR: f32 = 1e-4;

/// Pixels of one colour. A row has one value more at each end, and there is a row more above and below; all of them are zero.
struct Color {
    numbers: Vec<f32>,
    /// du, then dv.
    steps: Vec<f32>,
}

pub(super) struct System {
    width: usize,
    height: usize,
    /// Values of a row of one colour, border included.
    span: usize,
    colors: [Color; 2],
}

impl System {
    pub(super) fn new(width: usize, height: usize) -> Self {
        let span = width.div_ceil(2) + 2;
        let values = span * (height + 2);
        let color = || Color {
            numbers: vec![0.0; NUMBERS * values],
            steps: vec![0.0; 2 * values],
        };
        Self {
            width,
            height,
            span,
            colors: [color(), color()],
        }
    }

    /// Data and smoothness at the flow so far; steps are zero.
    pub(super) fn build<const C: usize>(
        &mut self,
        differences: &Differences<C>,
        flow: &Flow,
        smooth: &[f32],
        settings: &Refinement,
    ) {
        let (width, height, rows) = (self.width, self.height, stripe(self.width));
        let len = NUMBERS * self.span;
        let [red, black] = &mut self.colors;
        red.steps.fill(0.0);
        black.steps.fill(0.0);
        let inner = len..len * (height + 1);
        let tasks = red.numbers[inner.clone()]
            .par_chunks_mut(len * rows)
            .zip(black.numbers[inner].par_chunks_mut(len * rows));
        tasks.enumerate().for_each(|(stripe, (red, black))| {
            let mut scratch = vec![0.0; NUMBERS * width];
            for (row, (red, black)) in red.chunks_mut(len).zip(black.chunks_mut(len)).enumerate() {
                let y = stripe * rows + row;
                let line = Line {
                    differences,
                    flow,
                    smooth,
                    settings,
                    y,
                };
                vectorised(build_row::<C>, (line, &mut scratch[..], [red, black]));
            }
        });
    }

    /// Sweeps over the system, red pixels first.
    pub(super) fn solve(&mut self, sweeps: usize, relaxation: f32) {
        let (span, rows) = (self.span, stripe(self.width));
        let inner = 2 * span..2 * span * (self.height + 1);
        for half in 0..2 * sweeps {
            let color = half % 2;
            let [red, black] = &mut self.colors;
            let (own, other) = if color == 0 {
                (red, &*black)
            } else {
                (black, &*red)
            };
            let numbers = &own.numbers;
            own.steps[inner.clone()]
                .par_chunks_mut(2 * span * rows)
                .enumerate()
                .for_each(|(stripe, steps)| {
                    let sweep = Sweep {
                        numbers,
                        other,
                        span,
                        color,
                        top: stripe * rows,
                        relaxation,
                    };
                    vectorised(sweep_rows, (sweep, steps));
                });
        }
    }

    /// Adds the solution to the flow.
    pub(super) fn add_to(&self, flow: &mut Flow) {
        let (width, span) = (self.width, self.span);
        let (u, v) = flow.both_mut();
        u.par_chunks_mut(width)
            .zip(v.par_chunks_mut(width))
            .enumerate()
            .for_each(|(y, (u, v))| {
                for color in 0..2 {
                    let start = 2 * span * (y + 1);
                    let (du, dv) = self.colors[color].steps[start..start + 2 * span].split_at(span);
                    let first = ((y + color) % 2).min(width);
                    add_every_second(&mut u[first..], &du[1..]);
                    add_every_second(&mut v[first..], &dv[1..]);
                }
            });
    }
}

struct Line<'a, const C: usize> {
    differences: &'a Differences<C>,
    flow: &'a Flow,
    /// α·g·ψ' of each pixel.
    smooth: &'a [f32],
    settings: &'a Refinement,
    y: usize,
}

#[inline(always)]
fn build_row<const C: usize>((line, scratch, to): (Line<C>, &mut [f32], [&mut [f32]; 2])) {
    let (width, height) = line.flow.size();
    let y = line.y;
    let rows = |map| {
        [
            row(map, width, y.saturating_sub(1)),
            row(map, width, y),
            row(map, width, (y + 1).min(height - 1)),
        ]
    };
    let (us, vs, smooth) = (rows(line.flow.u()), rows(line.flow.v()), rows(line.smooth));
    let (up, down) = (
        if y > 0 { 0.5 } else { 0.0 },
        if y + 1 < height { 0.5 } else { 0.0 },
    );
    let mut maps = scratch.chunks_exact_mut(width);
    let mut next = || maps.next().unwrap_or_default();
    let [a11, a12, a22, b1, b2, right, below] = [(); NUMBERS].map(|()| next());
    data_row(
        line.differences,
        (y, [us[1], vs[1]]),
        line.settings,
        [a11, a12, a22, b1, b2],
    );
    for x in 0..width - 1 {
        right[x] = 0.5 * (smooth[1][x] + smooth[1][x + 1]);
    }
    right[width - 1] = 0.0;
    for x in 0..width {
        let to_up = up * (smooth[0][x] + smooth[1][x]);
        below[x] = down * (smooth[2][x] + smooth[1][x]);
        b1[x] += to_up * (us[0][x] - us[1][x]) + below[x] * (us[2][x] - us[1][x]);
        b2[x] += to_up * (vs[0][x] - vs[1][x]) + below[x] * (vs[2][x] - vs[1][x]);
        let sum = to_up + below[x] + right[x] + FLOOR;
        a11[x] += sum;
        a22[x] += sum;
    }
    for x in 0..width - 1 {
        let (du, dv) = (us[1][x + 1] - us[1][x], vs[1][x + 1] - vs[1][x]);
        b1[x] += right[x] * du;
        b2[x] += right[x] * dv;
    }
    for x in 1..width {
        let (du, dv) = (us[1][x - 1] - us[1][x], vs[1][x - 1] - vs[1][x]);
        b1[x] += right[x - 1] * du;
        b2[x] += right[x - 1] * dv;
        a11[x] += right[x - 1];
        a22[x] += right[x - 1];
    }
    for x in 0..width {
        a11[x] = 1.0 / a11[x];
        a22[x] = 1.0 / a22[x];
    }
    for (color, to) in to.into_iter().enumerate() {
        let first = ((y + color) % 2).min(width);
        let span = to.len() / NUMBERS;
        for (to, from) in to.chunks_exact_mut(span).zip(scratch.chunks_exact(width)) {
            let (pairs, last) = from[first..].as_chunks::<2>();
            let to = &mut to[1..];
            for (to, pair) in to.iter_mut().zip(pairs) {
                *to = pair[0];
            }
            if let [last] = last {
                to[pairs.len()] = *last;
            }
        }
    }
}

/// Adds to the first, third, fifth … of some values.
fn add_every_second(to: &mut [f32], steps: &[f32]) {
    let (pairs, last) = to.as_chunks_mut::<2>();
    for (pair, step) in pairs.iter_mut().zip(steps) {
        pair[0] += step;
    }
    if let ([last], Some(step)) = (last, steps.get(pairs.len())) {
        *last += step;
    }
}

#[inline(always)]
fn row(map: &[f32], width: usize, y: usize) -> &[f32] {
    &map[y * width..(y + 1) * width]
}

struct Sweep<'a> {
    numbers: &'a [f32],
    other: &'a Color,
    span: usize,
    color: usize,
    top: usize,
    relaxation: f32,
}

#[inline(always)]
fn sweep_rows((sweep, steps): (Sweep, &mut [f32])) {
    let span = sweep.span;
    let n = span - 2;
    let keep = 1.0 - sweep.relaxation;
    for (line, steps) in steps.chunks_exact_mut(2 * span).enumerate() {
        let y = sweep.top + line;
        // Of the other colour, `side` is the number of the pixel on the left where that of the own is 1.
        let side = (y + sweep.color) % 2;
        let map = |from: usize, which: usize| {
            let start = from * NUMBERS * span + which * span;
            start..start + span
        };
        let own = |which: usize| &sweep.numbers[map(y + 1, which)][1..1 + n];
        let (i11, a12, i22, b1, b2) = (own(0), own(1), own(2), own(3), own(4));
        let (right, below) = (own(5), own(6));
        let left = &sweep.other.numbers[map(y + 1, 5)][side..side + n];
        let above = &sweep.other.numbers[map(y, 6)][1..1 + n];
        let near = |y: usize, which: usize, from: usize| {
            let start = (2 * y + which) * span + from;
            &sweep.other.steps[start..start + n]
        };
        let (ul, ur, ua, ub) = (
            near(y + 1, 0, side),
            near(y + 1, 0, side + 1),
            near(y, 0, 1),
            near(y + 2, 0, 1),
        );
        let (vl, vr, va, vb) = (
            near(y + 1, 1, side),
            near(y + 1, 1, side + 1),
            near(y, 1, 1),
            near(y + 2, 1, 1),
        );
        let (du, dv) = steps.split_at_mut(span);
        let (du, dv) = (&mut du[1..1 + n], &mut dv[1..1 + n]);
        for k in 0..n {
            let pull_u = left[k] * ul[k] + right[k] * ur[k] + above[k] * ua[k] + below[k] * ub[k];
            let pull_v = left[k] * vl[k] + right[k] * vr[k] + above[k] * va[k] + below[k] * vb[k];
            let u = keep * du[k] + sweep.relaxation * i11[k] * (b1[k] + pull_u - a12[k] * dv[k]);
            du[k] = u;
            dv[k] = keep * dv[k] + sweep.relaxation * i22[k] * (b2[k] + pull_v - a12[k] * u);
        }
    }
}
