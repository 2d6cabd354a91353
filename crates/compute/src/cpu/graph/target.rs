//! What becomes of the rows that a stage makes: sums, functions, sums for moments, and their way to memory.

use super::activation::{add, apply, bounds, copy};
use super::view::{Lines, Source};
use crate::Size;
use crate::cpu::shared::Shared;
use crate::cpu::simd::Isa;
use crate::graph::Activation;
use fearless_simd::prelude::*;
use std::ops::Range;

/// What moments need of numbers: how many they are, their sum, and the squares of their distances from their mean. No
/// square of a mean is ever taken from a sum of squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) count: f64,
    pub(super) sum: f64,
    pub(super) squares: f64,
}

impl Sums {
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

/// Takes sums, in f32, of distances from a number that is near the mean: a few thousand numbers, in a fixed order.
#[derive(Clone, Copy)]
pub(super) struct Summer<S: Isa> {
    count: usize,
    /// The mean of the first ones.
    center: f32,
    /// In lanes, and of what does not fill a vector.
    sums: S::f32s,
    squares: S::f32s,
    rest: [f32; 2],
}

impl<S: Isa> Summer<S> {
    /// Of nothing.
    #[inline(always)]
    pub(super) fn new(simd: S) -> Self {
        let zero = S::f32s::splat(simd, 0.0);
        Self {
            count: 0,
            center: 0.0,
            sums: zero,
            squares: zero,
            rest: [0.0; 2],
        }
    }

    /// Adds part of a row.
    #[inline(always)]
    pub(super) fn add(&mut self, simd: S, numbers: &[f32]) {
        let len = S::f32s::LEN;
        if self.count == 0 {
            self.center = numbers.iter().sum::<f32>() / numbers.len() as f32;
        }
        self.count += numbers.len();
        let center = S::f32s::splat(simd, self.center);
        let parts = numbers.chunks_exact(len);
        let rest = parts.remainder();
        let (mut sums, mut squares) = (self.sums, self.squares);
        for part in parts {
            let distance = S::f32s::from_slice(simd, part) - center;
            sums += distance;
            squares += distance * distance;
        }
        (self.sums, self.squares) = (sums, squares);
        for value in rest {
            let distance = value - self.center;
            self.rest[0] += distance;
            self.rest[1] += distance * distance;
        }
    }

    /// What moments need.
    #[inline(always)]
    pub(super) fn end(&self) -> Sums {
        if self.count == 0 {
            return Sums::default();
        }
        let count = self.count as f64;
        let sum = f64::from(self.sums.reduce_sum()) + f64::from(self.rest[0]);
        let squares = f64::from(self.squares.reduce_sum()) + f64::from(self.rest[1]);
        Sums {
            count,
            sum: sum + count * f64::from(self.center),
            squares: (squares - sum * sum / count).max(0.0),
        }
    }
}

/// Where the rows of a map go.
pub(super) struct Target<'a> {
    /// `[c, h, w]`, as far as there is room for rows.
    pub(super) lines: Lines<Shared<'a, f32>>,
    /// Of the whole map.
    pub(super) size: Size,
    /// Those that are made.
    pub(super) rows: Range<usize>,
    /// What is added.
    pub(super) add: Option<Source<'a>>,
    /// Applied then.
    pub(super) activation: Option<Activation>,
    /// By piece of work and channel, `[piece][c]`, if moments are wanted.
    pub(super) sums: Option<Shared<'a, Sums>>,
}

impl Target<'_> {
    /// The rows that are made as a single one, for whoever does not look at neighbours.
    pub(super) fn flat(mut self) -> Self {
        let width = self.size.width;
        // Where the first of them lies, as a part of a row that begins with the first that is there.
        let skipped = (self.rows.start - self.lines.first) * width;
        self.lines.data = self.lines.data.behind(skipped);
        self.lines.first = 0;
        self.add = self.add.map(|source| source.flat(&self.rows));
        self.size = Size {
            width: self.rows.len() * width,
            height: 1,
        };
        self.rows = 0..1;
        self
    }

    /// Part of a row of the map, to be written: only by the piece of work that makes it, and one at a time.
    #[inline(always)]
    #[allow(clippy::mut_from_ref, reason = "pieces of work make different places")]
    pub(super) fn row(&self, channel: usize, (y, x): (usize, usize), len: usize) -> &mut [f32] {
        // SAFETY: every place of a map is made by one piece of work, which holds one row at a time.
        unsafe { self.lines.data.part(self.place(channel, (y, x)), len) }
    }

    /// Where a place lies in memory.
    #[inline(always)]
    pub(super) fn place(&self, channel: usize, (y, x): (usize, usize)) -> usize {
        let Lines { plane, first, .. } = self.lines;
        channel * plane + (y - first) * self.size.width + x
    }

    /// The bounds that are all that is left to be done to numbers, but for sums: whoever makes them keeps them from now on.
    pub(super) fn take_bounds(&mut self) -> Option<(f32, f32)> {
        let bounds = self.activation.and_then(bounds)?;
        if self.add.is_some() {
            return None;
        }
        self.activation = None;
        Some(bounds)
    }

    /// Finishes part of a row, and writes it. `room` is as long.
    #[inline(always)]
    pub(super) fn put<S: Isa>(
        &self,
        simd: S,
        channel: usize,
        place: (usize, usize),
        numbers: &[f32],
        room: &mut [f32],
        sums: &mut Summer<S>,
    ) {
        let to = self.row(channel, place, numbers.len());
        copy(simd, numbers, to);
        self.finish(simd, channel, place, to, room, sums);
    }

    /// Finishes part of a row, where it is. `room` is as long.
    #[inline(always)]
    pub(super) fn finish<S: Isa>(
        &self,
        simd: S,
        channel: usize,
        (y, x): (usize, usize),
        numbers: &mut [f32],
        room: &mut [f32],
        sums: &mut Summer<S>,
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
            sums.add(simd, numbers);
        }
    }

    /// Whether rows are done as they are made.
    #[inline(always)]
    pub(super) fn is_plain(&self) -> bool {
        self.add.is_none() && self.activation.is_none() && self.sums.is_none()
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
