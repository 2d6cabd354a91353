//! What is done to gradients number by number, and sums over places.

use super::super::activation::add;
use super::super::maps::{PART, PIECE};
use super::super::view::Source;
use crate::Result;
use crate::cpu::Context;
use crate::cpu::simd::{Isa, with_simd};
use crate::graph::Activation;
use fearless_simd::prelude::*;
use rayon::prelude::*;

/// What becomes of a map, in its place.
pub(super) enum Change<'a> {
    /// A map is added.
    Add(Source<'a>),
    /// Each number times that of a map.
    Times(Source<'a>),
    /// Each number times the slope of a function that has made this map.
    Through(Function<'a>),
    /// By channel.
    Slopes(&'a [Slope], Option<Source<'a>>),
    /// The same, after [`Change::Through`].
    Behind(&'a [Slope], Source<'a>, Function<'a>),
}

/// A function, and the map that it has made.
pub(super) type Function<'a> = (Activation, Source<'a>);

/// `factor · g + distance · (x − center) + shift`, of a gradient `g` and, if there is one, a map `x`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Slope {
    pub(super) factor: f32,
    pub(super) distance: f32,
    pub(super) center: f32,
    pub(super) shift: f32,
}

impl Change<'_> {
    /// Changes a map of channels of so many places.
    pub(super) fn run(&self, context: &Context, map: &mut [f32], pixels: usize) -> Result<()> {
        let planes = map.par_chunks_exact_mut(pixels).enumerate();
        planes.into_par_iter().try_for_each(|(channel, plane)| {
            let pieces = plane.par_chunks_mut(PIECE).enumerate();
            pieces.try_for_each(|(index, piece)| {
                let mut room = context.pool.take::<f32>(PART)?;
                with_simd!(context.token, simd => {
                    for (part, to) in piece.chunks_mut(PART).enumerate() {
                        let start = index * PIECE + part * PART;
                        let room = &mut room[..to.len()];
                        self.part(simd, channel, start, to, room);
                    }
                });
                Ok(())
            })
        })
    }

    /// Changes part of a channel.
    #[inline(always)]
    fn part<S: Isa>(
        &self,
        simd: S,
        channel: usize,
        start: usize,
        to: &mut [f32],
        room: &mut [f32],
    ) {
        match self {
            Change::Add(map) => {
                read(simd, map, channel, start, room);
                add(simd, to, room);
            }
            Change::Times(map) => {
                read(simd, map, channel, start, room);
                for (to, value) in to.iter_mut().zip(room) {
                    *to *= *value;
                }
            }
            Change::Through((activation, map)) => {
                read(simd, map, channel, start, room);
                through(*activation, to, room);
            }
            Change::Slopes(slopes, Some(map)) => {
                read(simd, map, channel, start, room);
                slopes[channel].apply(to, room);
            }
            Change::Slopes(slopes, None) => {
                let Slope { factor, shift, .. } = slopes[channel];
                for to in to {
                    *to = *to * factor + shift;
                }
            }
            Change::Behind(slopes, map, (activation, made)) => {
                read(simd, made, channel, start, room);
                through(*activation, to, room);
                read(simd, map, channel, start, room);
                slopes[channel].apply(to, room);
            }
        }
    }
}

impl Slope {
    #[inline(always)]
    fn apply(self, g: &mut [f32], x: &[f32]) {
        for (g, x) in g.iter_mut().zip(x) {
            *g = *g * self.factor + ((*x - self.center) * self.distance + self.shift);
        }
    }
}

/// Reads part of a channel, the rows of which are one.
#[inline(always)]
fn read<S: Isa>(simd: S, map: &Source<'_>, channel: usize, start: usize, to: &mut [f32]) {
    let flat = map.flat(&(0..map.size.height));
    flat.read_inside(simd, channel, 0, start, to);
}

/// Multiplies by the slopes of a function that has made `made`.
#[inline(always)]
fn through(activation: Activation, g: &mut [f32], made: &[f32]) {
    let within = |g: &mut [f32], low: f32, high: f32| {
        for (g, &y) in g.iter_mut().zip(made) {
            *g = if low < y && y < high { *g } else { 0.0 };
        }
    };
    match activation {
        Activation::Relu => within(g, 0.0, f32::INFINITY),
        Activation::Relu6 => within(g, 0.0, 6.0),
        Activation::Clamp { low, high } => within(g, low, high),
        Activation::Sigmoid => {
            for (g, &y) in g.iter_mut().zip(made) {
                *g *= y * (1.0 - y);
            }
        }
        // With t = tanh x, scale·(1 − t²).
        Activation::Tanh { scale: 0.0, .. } => g.fill(0.0),
        Activation::Tanh { scale, shift } => {
            for (g, &y) in g.iter_mut().zip(made) {
                let t = (y - shift) / scale;
                *g *= scale * (1.0 - t * t);
            }
        }
    }
}

/// The slope of a function of a single number, which has made `y`.
pub(super) fn slope(activation: Activation, y: f32) -> f64 {
    let mut slope = [1.0];
    through(activation, &mut slope, &[y]);
    slope[0].into()
}

/// `Σ g` and `Σ g·(x − center)` of a channel.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Products {
    pub(super) sum: f64,
    pub(super) product: f64,
}

/// Takes both of every channel: of parts in f32, of these in f64, in a fixed order. Without `x`, there are no products; with
/// a function, `g` is times its slopes.
pub(super) fn products(
    context: &Context,
    g: &Source<'_>,
    x: Option<(&Source<'_>, &[f64])>,
    behind: Option<&Function<'_>>,
) -> Result<Vec<Products>> {
    let pixels = g.size.pixels();
    let pieces = pixels.div_ceil(PIECE);
    let piece = |index: usize| {
        let (channel, first) = (index / pieces, index % pieces * PIECE);
        let end = (first + PIECE).min(pixels);
        let mut room = context.pool.take::<f32>(2 * PART)?;
        let mut all = Products::default();
        with_simd!(context.token, simd => {
            let (g_room, x_room) = room.split_at_mut(PART);
            for start in (first..end).step_by(PART) {
                let count = PART.min(end - start);
                read(simd, g, channel, start, &mut g_room[..count]);
                if let Some((activation, made)) = behind {
                    read(simd, made, channel, start, &mut x_room[..count]);
                    through(*activation, &mut g_room[..count], &x_room[..count]);
                }
                if let Some((x, centers)) = x {
                    read(simd, x, channel, start, &mut x_room[..count]);
                    let center = centers[channel];
                    let part = part(simd, &g_room[..count], &x_room[..count], center);
                    all = all.with(part);
                } else {
                    let sum = sum(simd, &g_room[..count]);
                    all = all.with(Products { sum, product: 0.0 });
                }
            }
        });
        Ok(all)
    };
    let pieces_of_all = (0..g.channels * pieces).into_par_iter().map(piece);
    let sums = pieces_of_all.collect::<Result<Vec<_>>>()?;
    let channel = |sums: &[Products]| {
        let zero = Products::default();
        sums.iter().fold(zero, |sum, &part| sum.with(part))
    };
    Ok(sums.chunks_exact(pieces).map(channel).collect())
}

impl Products {
    fn with(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            product: self.product + other.product,
        }
    }
}

#[inline(always)]
fn sum<S: Isa>(simd: S, numbers: &[f32]) -> f64 {
    let len = S::f32s::LEN;
    let mut sums = S::f32s::splat(simd, 0.0);
    let parts = numbers.chunks_exact(len);
    let rest: f32 = parts.remainder().iter().sum();
    for part in parts {
        sums += S::f32s::from_slice(simd, part);
    }
    f64::from(sums.reduce_sum()) + f64::from(rest)
}

#[inline(always)]
fn part<S: Isa>(simd: S, g: &[f32], x: &[f32], center: f64) -> Products {
    let len = S::f32s::LEN;
    let near = center as f32;
    let centers = S::f32s::splat(simd, near);
    let mut sums = S::f32s::splat(simd, 0.0);
    let mut products = sums;
    let (gs, xs) = (g.chunks_exact(len), x.chunks_exact(len));
    let rest = gs.remainder().iter().zip(xs.remainder());
    let mut rests = [0.0; 2];
    for (g, x) in rest {
        rests[0] += g;
        rests[1] += g * (x - near);
    }
    for (g, x) in gs.zip(xs) {
        let g = S::f32s::from_slice(simd, g);
        sums += g;
        products = (S::f32s::from_slice(simd, x) - centers).mul_add(g, products);
    }
    let sum = f64::from(sums.reduce_sum()) + f64::from(rests[0]);
    let product = f64::from(products.reduce_sum()) + f64::from(rests[1]);
    Products {
        sum,
        // By what the center was rounded.
        product: product + (f64::from(near) - center) * sum,
    }
}
