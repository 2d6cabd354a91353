//! Inverse search of patches (Kroeger et al. 2016, section 2.1).
//!
//! A patch of the first frame is moved so that the second frame looks the same there: least Σ(d − d̄)² over its 64 pixels,
//! d = I₁(x + u) − I₀(x), by Gauss–Newton steps u ← u − H⁻¹ Σ (g − ḡ)(d − d̄) with the slopes g of the *first* frame, of
//! which H = Σ (g − ḡ)(g − ḡ)ᵀ is made once. It starts from the best of some candidates: the flow of the coarser size, that of
//! the pair before, and what the patches beside it have found.

use crate::field::Flow;
use crate::plane::Plane;
use crate::pyramid::Level;
use crate::settings::PATCH;
use crate::simd::{lanes, vectorised};
use rayon::prelude::*;

/// Rows of patches that one task searches; candidates do not pass from one to the other.
const STRIPE: usize = 8;

/// What is added to the diagonal of H: slopes of noise tell nothing.
const DAMPING: f32 = 300.0;

/// A step ends where it would leave its start by more than this, in pixels.
const REACH: f32 = 8.0;

/// How many places are tried on each side at the coarsest size, two pixels apart.
const AROUND: i32 = 4;

/// Where patches begin.
#[derive(Debug)]
pub(crate) struct Grid {
    pub(crate) columns: Vec<usize>,
    pub(crate) rows: Vec<usize>,
}

impl Grid {
    /// Every `stride` pixels, the last at the very end.
    pub(crate) fn new(width: usize, height: usize, stride: usize) -> Self {
        let places = |length: usize| {
            let last = length.saturating_sub(PATCH);
            let mut places: Vec<usize> = (0..last).step_by(stride).collect();
            places.push(last);
            places
        };
        Self {
            columns: places(width),
            rows: places(height),
        }
    }
}

/// Where a patch went.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Motion {
    pub(crate) u: f32,
    pub(crate) v: f32,
    /// Σ(d − d̄)² there.
    cost: f32,
}

/// What there is to start from, in pixels of this size.
pub(crate) struct Start<'a> {
    pub(crate) coarser: &'a Flow,
    /// What is known already.
    pub(crate) known: [Option<&'a Flow>; 2],
    /// Whether places all around are candidates, too: at the coarsest size, where nothing is known.
    pub(crate) wide: bool,
}

/// Motions of all patches of the grid, row by row.
pub(crate) fn search(
    first: &Level,
    second: &Level,
    grid: &Grid,
    start: &Start,
    steps: usize,
) -> Vec<Motion> {
    let mut motions = vec![Motion::default(); grid.columns.len() * grid.rows.len()];
    let columns = grid.columns.len();
    motions
        .par_chunks_mut(columns * STRIPE)
        .zip(grid.rows.par_chunks(STRIPE))
        .for_each(|(motions, rows)| {
            let stripe = Stripe {
                first,
                second: &second.luma,
                columns: &grid.columns,
                rows,
                start,
                steps,
            };
            vectorised(search_stripe, (stripe, motions));
        });
    motions
}

struct Stripe<'a> {
    first: &'a Level,
    second: &'a Plane<f32>,
    columns: &'a [usize],
    rows: &'a [usize],
    start: &'a Start<'a>,
    steps: usize,
}

#[inline(always)]
fn search_stripe((stripe, motions): (Stripe, &mut [Motion])) {
    let across = stripe.columns.len();
    let patches = patches(&stripe);
    let (width, height) = stripe.start.coarser.size();
    for (row, &y) in stripe.rows.iter().enumerate() {
        for (column, &x) in stripe.columns.iter().enumerate() {
            let index = row * across + column;
            let patch = &patches[index];
            let centre = (y + PATCH / 2).min(height - 1) * width + (x + PATCH / 2).min(width - 1);
            let mut best = stripe.measure(patch, stripe.start.coarser.motion(centre));
            let known = stripe.start.known;
            let [before, other] = known.map(|flow| flow.map(|flow| flow.motion(centre)));
            let left = (column > 0).then(|| motions[index - 1].place());
            let above = (row > 0).then(|| motions[index - across].place());
            for place in [before, other, left, above].into_iter().flatten() {
                stripe.take_better(patch, place, &mut best);
            }
            if stripe.start.wide {
                stripe.look_around(patch, &mut best);
            }
            motions[index] = stripe.descend(patch, best);
        }
    }
    for row in (0..stripe.rows.len()).rev() {
        for column in (0..across).rev() {
            let index = row * across + column;
            let patch = &patches[index];
            let mut best = stripe.measure(patch, motions[index].place());
            let right = (column + 1 < across).then(|| motions[index + 1].place());
            let below = (row + 1 < stripe.rows.len()).then(|| motions[index + across].place());
            for place in [right, below].into_iter().flatten() {
                stripe.take_better(patch, place, &mut best);
            }
            motions[index] = stripe.descend(patch, best);
        }
    }
}

impl Motion {
    #[inline(always)]
    fn place(&self) -> [f32; 2] {
        [self.u, self.v]
    }
}

/// What is made once of a patch of the first frame.
struct Patch {
    x: usize,
    y: usize,
    /// H⁻¹.
    inverse: [f32; 3],
    /// Mean slopes.
    mean: [f32; 2],
}

#[inline(always)]
fn patches(stripe: &Stripe) -> Vec<Patch> {
    let [along_x, along_y] = &stripe.first.slopes;
    let mut patches = Vec::with_capacity(stripe.rows.len() * stripe.columns.len());
    for &y in stripe.rows {
        for &x in stripe.columns {
            let mut sums = [[0.0; PATCH]; 5];
            for row in 0..PATCH {
                let start = along_x.at(x as isize, (y + row) as isize);
                let (gx, gy) = (
                    &along_x.data[start..start + PATCH],
                    &along_y.data[start..start + PATCH],
                );
                for i in 0..PATCH {
                    sums[0][i] += gx[i];
                    sums[1][i] += gy[i];
                    sums[2][i] += gx[i] * gx[i];
                    sums[3][i] += gx[i] * gy[i];
                    sums[4][i] += gy[i] * gy[i];
                }
            }
            let n = (PATCH * PATCH) as f32;
            let (sx, sy) = (lanes(sums[0]), lanes(sums[1]));
            let xx = lanes(sums[2]) - sx * sx / n + DAMPING;
            let xy = lanes(sums[3]) - sx * sy / n;
            let yy = lanes(sums[4]) - sy * sy / n + DAMPING;
            let determinant = xx * yy - xy * xy;
            let inverse = [yy / determinant, -xy / determinant, xx / determinant];
            patches.push(Patch {
                x,
                y,
                inverse,
                mean: [sx / n, sy / n],
            });
        }
    }
    patches
}

/// A place that was looked at, and the step from there.
struct Measured {
    at: Motion,
    step: [f32; 2],
}

impl Stripe<'_> {
    /// Cost of a motion, and the Gauss–Newton step from there.
    #[inline(always)]
    fn measure(&self, patch: &Patch, place: [f32; 2]) -> Measured {
        let [along_x, along_y] = &self.first.slopes;
        let (first, second) = (&self.first.luma, self.second);
        let (mut from, weights) =
            second.corner(patch.x as f32 + place[0], patch.y as f32 + place[1]);
        let mut own = first.at(patch.x as isize, patch.y as isize);
        let mut sums = [[0.0f32; PATCH]; 4];
        for _ in 0..PATCH {
            let upper = &second.data[from..from + PATCH + 1];
            let lower = &second.data[from + second.stride..from + second.stride + PATCH + 1];
            let (pixels, gx, gy) = (
                &first.data[own..own + PATCH],
                &along_x.data[own..own + PATCH],
                &along_y.data[own..own + PATCH],
            );
            for i in 0..PATCH {
                let there = upper[i] * weights[0]
                    + upper[i + 1] * weights[1]
                    + lower[i] * weights[2]
                    + lower[i + 1] * weights[3];
                let d = there - pixels[i];
                sums[0][i] += d;
                sums[1][i] += d * d;
                sums[2][i] += d * gx[i];
                sums[3][i] += d * gy[i];
            }
            from += second.stride;
            own += first.stride;
        }
        let d = lanes(sums[0]);
        let cost = lanes(sums[1]) - d * d / (PATCH * PATCH) as f32;
        let (bx, by) = (
            lanes(sums[2]) - d * patch.mean[0],
            lanes(sums[3]) - d * patch.mean[1],
        );
        let [xx, xy, yy] = patch.inverse;
        let step = [xx * bx + xy * by, xy * bx + yy * by];
        Measured {
            at: Motion {
                u: place[0],
                v: place[1],
                cost,
            },
            step,
        }
    }

    #[inline(always)]
    fn take_better(&self, patch: &Patch, place: [f32; 2], best: &mut Measured) {
        if place == best.at.place() {
            return;
        }
        let other = self.measure(patch, place);
        if other.at.cost < best.at.cost {
            *best = other;
        }
    }

    /// Tries places all around, every other pixel.
    #[inline(always)]
    fn look_around(&self, patch: &Patch, best: &mut Measured) {
        for row in -AROUND..=AROUND {
            for column in -AROUND..=AROUND {
                self.take_better(patch, [2.0 * column as f32, 2.0 * row as f32], best);
            }
        }
    }

    /// Steps as long as they help.
    #[inline(always)]
    fn descend(&self, patch: &Patch, start: Measured) -> Motion {
        let [u, v] = start.at.place();
        let mut best = start;
        for _ in 0..self.steps {
            let place = [best.at.u - best.step[0], best.at.v - best.step[1]];
            if (place[0] - u).abs() > REACH || (place[1] - v).abs() > REACH {
                break;
            }
            let next = self.measure(patch, place);
            if next.at.cost >= best.at.cost {
                break;
            }
            let short = best.step[0].abs().max(best.step[1].abs()) < 0.01;
            best = next;
            if short {
                break;
            }
        }
        best.at
    }
}
