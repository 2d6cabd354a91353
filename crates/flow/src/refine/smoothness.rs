//! How much neighbours have to move alike.

use super::EPSILON;
use super::stripe;
use crate::field::Flow;
use crate::plane::Plane;
use crate::pyramid::Level;
use crate::settings::Refinement;
use crate::simd::vectorised;
use rayon::prelude::*;

/// α·g of every pixel, `[h, w]`.
pub(super) fn permeability(first: &Level, settings: &Refinement) -> Vec<f32> {
    let (width, height) = (first.luma.width, first.luma.height);
    let mut weights = vec![0.0; width * height];
    let by = 1.0 / (settings.edges * settings.edges);
    weights
        .par_chunks_mut(width)
        .enumerate()
        .for_each(|(y, row)| {
            vectorised(
                permeability_row,
                (&first.pixels, y as isize, settings.smoothness, by, row),
            );
        });
    weights
}

#[inline(always)]
fn permeability_row((pixels, y, alpha, by, to): (&Plane<[f32; 4]>, isize, f32, f32, &mut [f32])) {
    let n = to.len();
    let (here, below) = (
        &pixels.wide_row(y, 1)[..n + 2],
        &pixels.wide_row(y + 1, 1)[..n + 2],
    );
    for x in 0..n {
        let mut squares = 0.0;
        for c in 0..3 {
            let across = here[x + 2][c] - here[x + 1][c];
            let down = below[x + 1][c] - here[x + 1][c];
            squares += across * across + down * down;
        }
        to[x] = alpha / (1.0 + squares * by * (1.0 / 3.0));
    }
}

/// α·g·ψ' of every pixel, `[h, w]`.
pub(super) fn weigh(flow: &Flow, permeability: &[f32], to: &mut [f32]) {
    let (width, height) = flow.size();
    let rows = stripe(width);
    to.par_chunks_mut(width * rows)
        .enumerate()
        .for_each(|(stripe, to)| {
            for (row, to) in to.chunks_mut(width).enumerate() {
                let y = stripe * rows + row;
                let (here, below) = (y * width..(y + 1) * width, (y + 1).min(height - 1) * width);
                let below = below..below + width;
                let lines = [
                    &flow.u()[here.clone()],
                    &flow.v()[here.clone()],
                    &flow.u()[below.clone()],
                    &flow.v()[below],
                ];
                vectorised(weigh_row, (lines, &permeability[here], to));
            }
        });
}

#[inline(always)]
fn weigh_row(([u, v, u_below, v_below], permeability, to): ([&[f32]; 4], &[f32], &mut [f32])) {
    let n = to.len();
    let (u, v, u_below, v_below, permeability) = (
        &u[..n],
        &v[..n],
        &u_below[..n],
        &v_below[..n],
        &permeability[..n],
    );
    let weight = |permeability: f32, steps: [f32; 4]| {
        let [a, b, c, d] = steps;
        permeability / (a * a + b * b + c * c + d * d + EPSILON * EPSILON).sqrt()
    };
    for x in 0..n - 1 {
        let steps = [
            u[x + 1] - u[x],
            v[x + 1] - v[x],
            u_below[x] - u[x],
            v_below[x] - v[x],
        ];
        to[x] = weight(permeability[x], steps);
    }
    let x = n - 1;
    to[x] = weight(
        permeability[x],
        [0.0, 0.0, u_below[x] - u[x], v_below[x] - v[x]],
    );
}
