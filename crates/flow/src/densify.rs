//! A flow of every pixel from the motions of patches (Kroeger et al. 2016, equation 3).
//!
//! u(x) = Σ w·u_p / Σ w over the patches p that cover x, w = 1 / max(.3, |I₁(x + u_p) − I₀(x)|) in grey levels.

use crate::field::Flow;
use crate::plane::Plane;
use crate::pyramid::Level;
use crate::search::{Grid, Motion};
use crate::settings::PATCH;
use crate::simd::vectorised;
use rayon::prelude::*;

/// Rows that one task makes.
const STRIPE: usize = 16;

/// Differences below this count as this, in grey levels.
const LEAST: f32 = 0.3;

/// Flow of every pixel.
pub(crate) fn densify(first: &Level, second: &Level, grid: &Grid, motions: &[Motion]) -> Flow {
    let (width, height) = (first.luma.width, first.luma.height);
    let mut flow = Flow::zero(height, width);
    let (u, v) = flow.both_mut();
    let tasks = u
        .par_chunks_mut(width * STRIPE)
        .zip(v.par_chunks_mut(width * STRIPE));
    tasks.enumerate().for_each(|(stripe, (u, v))| {
        vectorised(
            densify_stripe,
            Stripe {
                first,
                second,
                grid,
                motions,
                top: stripe * STRIPE,
                u,
                v,
            },
        );
    });
    flow
}

struct Stripe<'a> {
    first: &'a Level,
    second: &'a Level,
    grid: &'a Grid,
    motions: &'a [Motion],
    top: usize,
    u: &'a mut [f32],
    v: &'a mut [f32],
}

#[inline(always)]
fn densify_stripe(stripe: Stripe) {
    let Stripe {
        first,
        second,
        grid,
        motions,
        top,
        u,
        v,
    } = stripe;
    let width = first.luma.width;
    let bottom = top + u.len() / width;
    // Patches of pictures narrower than they are reach out of them.
    let stride = width + PATCH;
    let mut sums = Sums {
        top,
        bottom,
        stride,
        maps: [(); 3].map(|()| vec![0.0; stride * STRIPE]),
    };
    for (row, &y) in grid.rows.iter().enumerate() {
        if y + PATCH <= top || y >= bottom {
            continue;
        }
        for (column, &x) in grid.columns.iter().enumerate() {
            let motion = &motions[row * grid.columns.len() + column];
            sums.add([&first.luma, &second.luma], (x, y), motion);
        }
    }
    let [su, sv, sw] = &sums.maps;
    for (line, (u, v)) in u.chunks_mut(width).zip(v.chunks_mut(width)).enumerate() {
        let start = line * stride;
        let (su, sv, sw) = (
            &su[start..start + width],
            &sv[start..start + width],
            &sw[start..start + width],
        );
        for x in 0..u.len() {
            let by = 1.0 / sw[x];
            u[x] = su[x] * by;
            v[x] = sv[x] * by;
        }
    }
}

/// Σ w·u, Σ w·v and Σ w of some rows.
struct Sums {
    top: usize,
    bottom: usize,
    stride: usize,
    maps: [Vec<f32>; 3],
}

impl Sums {
    /// Adds the patch that begins at (x, y) to the rows it covers.
    #[inline(always)]
    fn add(&mut self, [first, second]: [&Plane<f32>; 2], (x, y): (usize, usize), motion: &Motion) {
        let (corner, weights) = second.corner(x as f32 + motion.u, y as f32 + motion.v);
        let [su, sv, sw] = &mut self.maps;
        for line in self.top.max(y)..self.bottom.min(y + PATCH) {
            let from = corner + (line - y) * second.stride;
            let upper = &second.data[from..from + PATCH + 1];
            let lower = &second.data[from + second.stride..from + second.stride + PATCH + 1];
            let own = first.at(x as isize, line as isize);
            let pixels = &first.data[own..own + PATCH];
            let to = (line - self.top) * self.stride + x;
            let to = to..to + PATCH;
            let (su, sv, sw) = (&mut su[to.clone()], &mut sv[to.clone()], &mut sw[to]);
            for i in 0..PATCH {
                let there = upper[i] * weights[0]
                    + upper[i + 1] * weights[1]
                    + lower[i] * weights[2]
                    + lower[i + 1] * weights[3];
                let weight = 1.0 / (there - pixels[i]).abs().max(LEAST);
                su[i] += weight * motion.u;
                sv[i] += weight * motion.v;
                sw[i] += weight;
            }
        }
    }
}
