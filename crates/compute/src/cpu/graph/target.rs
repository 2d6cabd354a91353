//! What becomes of the rows that a stage makes: sums, functions, sums for moments, and their way to memory.

use super::activation::{add, apply};
use super::view::Source;
use crate::Size;
use crate::cpu::shared::Shared;
use crate::cpu::simd::Isa;
use crate::graph::Activation;
use fearless_simd::prelude::*;

/// What moments need of numbers: how many they are, their sum, and the squares of their distances from their mean. No
/// square of a mean is ever taken from a sum of squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) squares: f64,
}

impl Sums {
    /// Of part of a row, in a fixed order: few enough that f32 will do.
    #[inline(always)]
    pub(super) fn of<S: Isa>(simd: S, numbers: &[f32]) -> Self {
        let count = numbers.len() as f64;
        let sum = f64::from(total::<S, false>(simd, numbers, 0.0));
        let squares = f64::from(total::<S, true>(simd, numbers, (sum / count) as f32));
        Self {
            count,
            sum,
            squares,
        }
    }

    /// Of two sets of numbers together (Chan, Golub and LeVeque 1979).
    pub(super) fn with(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let distance = self.sum / self.count - other.sum / other.count;
        let between = distance * distance * (self.count * other.count / count);
        Self {
            count,
            sum: self.sum + other.sum,
            squares: self.squares + other.squares + between,
        }
    }
}

/// The sum of the distances of numbers from one, or of their squares.
#[inline(always)]
fn total<S: Isa, const SQUARES: bool>(simd: S, numbers: &[f32], from: f32) -> f32 {
    let len = S::f32s::LEN;
    let center = S::f32s::splat(simd, from);
    let mut sums = [S::f32s::splat(simd, 0.0); 2];
    let pairs = numbers.chunks_exact(2 * len);
    let rest = pairs.remainder();
    for pair in pairs {
        for half in 0..2 {
            let value = S::f32s::from_slice(simd, &pair[half * len..(half + 1) * len]) - center;
            sums[half] += if SQUARES { value * value } else { value };
        }
    }
    let mut sum = (sums[0] + sums[1]).reduce_sum();
    for value in rest {
        let value = value - from;
        sum += if SQUARES { value * value } else { value };
    }
    sum
}

/// Where the rows of a map go.
pub(super) struct Target<'a> {
    /// `[c, h, w]`.
    pub(super) out: Shared<'a, f32>,
    pub(super) size: Size,
    /// What is added.
    pub(super) add: Option<Source<'a>>,
    /// Applied then.
    pub(super) activation: Option<Activation>,
    /// By piece of work and channel, `[piece][c]`, if moments are wanted.
    pub(super) sums: Option<Shared<'a, Sums>>,
}

impl Target<'_> {
    /// Finishes part of a row, and writes it. `room` is as long.
    #[inline(always)]
    pub(super) fn put<S: Isa>(
        &self,
        simd: S,
        channel: usize,
        (y, x): (usize, usize),
        numbers: &mut [f32],
        room: &mut [f32],
        sums: &mut Sums,
    ) {
        if let Some(source) = &self.add {
            let room = &mut room[..numbers.len()];
            source.read_inside(simd, channel, y, x, room);
            add(simd, numbers, room);
        }
        if let Some(activation) = self.activation {
            apply(simd, activation, numbers);
        }
        if self.sums.is_some() {
            *sums = sums.with(Sums::of(simd, numbers));
        }
        let place = (channel * self.size.height + y) * self.size.width + x;
        // SAFETY: every place of a map is made by one piece of work, and put once.
        let row = unsafe { self.out.part(place, numbers.len()) };
        row.copy_from_slice(numbers);
    }

    /// Notes the sums of a channel in a piece of work.
    #[inline(always)]
    pub(super) fn note(&self, piece: usize, channels: usize, channel: usize, sums: Sums) {
        if let Some(all) = &self.sums {
            // SAFETY: a channel of a piece of work is noted once.
            let noted = unsafe { all.part(piece * channels + channel, 1) };
            noted[0] = sums;
        }
    }
}
