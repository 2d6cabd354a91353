//! What becomes of the rows that a stage makes: sums, functions, sums for moments, and their way to memory.

use super::activation::apply;
use super::view::Source;
use crate::Size;
use crate::cpu::shared::Shared;
use crate::graph::Activation;

/// Numbers that are summed at once.
const AT_ONCE: usize = 8;

/// The sum of numbers and of their squares.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Sums {
    pub(super) sum: f64,
    pub(super) squares: f64,
}

impl Sums {
    /// Adds numbers, in a fixed order.
    #[inline(always)]
    pub(super) fn add(&mut self, numbers: &[f32]) {
        let (mut sums, mut squares) = ([0.0; AT_ONCE], [0.0; AT_ONCE]);
        let (chunks, rest) = numbers.as_chunks::<AT_ONCE>();
        for chunk in chunks {
            for lane in 0..AT_ONCE {
                let value = f64::from(chunk[lane]);
                sums[lane] += value;
                squares[lane] += value * value;
            }
        }
        for (lane, &value) in rest.iter().enumerate() {
            let value = f64::from(value);
            sums[lane] += value;
            squares[lane] += value * value;
        }
        self.sum += sums.iter().sum::<f64>();
        self.squares += squares.iter().sum::<f64>();
    }

    /// Of two sets of numbers together.
    pub(super) fn with(self, other: Self) -> Self {
        Self {
            sum: self.sum + other.sum,
            squares: self.squares + other.squares,
        }
    }
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
    pub(super) fn put(
        &self,
        channel: usize,
        (y, x): (usize, usize),
        numbers: &mut [f32],
        room: &mut [f32],
        sums: &mut Sums,
    ) {
        if let Some(add) = &self.add {
            let room = &mut room[..numbers.len()];
            add.read_inside(channel, y, x, room);
            for (value, add) in numbers.iter_mut().zip(room) {
                *value += *add;
            }
        }
        if let Some(activation) = self.activation {
            apply(activation, numbers);
        }
        if self.sums.is_some() {
            sums.add(numbers);
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
