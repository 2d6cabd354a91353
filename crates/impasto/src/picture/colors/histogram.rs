//! The whole distribution of colours brought to another, by optimal transport of its projections.
//!
//! In each round colours are seen along three orthogonal axes, turned at random, and moved along each so that their
//! values there are distributed as the others' are. After some rounds the distributions agree along all axes.
//! Source: Pitié, Kokaram and Dahyot 2005, *N-dimensional probability density function transfer*.

use super::oklab::Color;
use crate::random::Random;

/// Rounds: after ten nothing is to be seen any more.
const ROUNDS: usize = 12;
/// Values that are told apart along an axis; between them the distribution is a straight line.
const BINS: usize = 2048;
/// Of the axes, which are the same for all pictures.
const SEED: u64 = 0x5EED;

/// Moves `colors` to the distribution of `like`; each colour has a weight.
pub(super) fn transfer(
    colors: &mut [Color],
    weights: &[f64],
    like: &[Color],
    like_weights: &[f64],
) {
    let mut random = Random::new(SEED);
    for _ in 0..ROUNDS {
        for axis in axes(&mut random) {
            let along = |color: &Color| dot(color, &axis);
            let values = || colors.iter().chain(like).map(along);
            let (low, high) = values()
                .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                    (low.min(value), high.max(value))
                });
            // All colours are one.
            if high.partial_cmp(&low) != Some(std::cmp::Ordering::Greater) {
                continue;
            }
            let range = (low, high);
            let here =
                Distribution::of(colors.iter().map(along).zip(weights.iter().copied()), range);
            let there = Distribution::of(
                like.iter().map(along).zip(like_weights.iter().copied()),
                range,
            );
            for color in colors.iter_mut() {
                let value = dot(color, &axis);
                let step = there.value(here.share(value)) - value;
                for (coordinate, axis) in color.iter_mut().zip(axis) {
                    *coordinate += step * axis;
                }
            }
        }
    }
}

fn dot(a: &Color, b: &Color) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// Three orthogonal directions, from normal vectors by Gram and Schmidt.
fn axes(random: &mut Random) -> [Color; 3] {
    loop {
        let mut normal = || -> Color { std::array::from_fn(|_| random.normal()) };
        let first = unit(normal());
        let second = normal();
        let along = dot(&first, &second);
        let second = unit(std::array::from_fn(|axis| {
            second[axis] - along * first[axis]
        }));
        let third = [
            first[1] * second[2] - first[2] * second[1],
            first[2] * second[0] - first[0] * second[2],
            first[0] * second[1] - first[1] * second[0],
        ];
        let is_sound = |axis: &Color| axis.iter().all(|value| value.is_finite());
        if is_sound(&first) && is_sound(&second) {
            return [first, second, third];
        }
    }
}

fn unit(vector: Color) -> Color {
    let length = dot(&vector, &vector).sqrt();
    vector.map(|value| value / length)
}

/// How values are distributed over a range.
struct Distribution {
    low: f64,
    step: f64,
    /// `[BINS + 1]`: the share of values below each edge of a bin, 0 to 1.
    below: Vec<f64>,
}

impl Distribution {
    fn of(values: impl Iterator<Item = (f64, f64)>, (low, high): (f64, f64)) -> Self {
        let step = (high - low) / BINS as f64;
        let mut below = vec![0.0; BINS + 1];
        for (value, weight) in values {
            below[bin(value, low, step) + 1] += weight;
        }
        let total: f64 = below.iter().sum();
        let mut sum = 0.0;
        for share in &mut below {
            sum += *share / if total > 0.0 { total } else { 1.0 };
            *share = sum;
        }
        Self { low, step, below }
    }

    /// The share of values below one.
    fn share(&self, value: f64) -> f64 {
        let bin = bin(value, self.low, self.step);
        let into = ((value - self.low) / self.step - bin as f64).clamp(0.0, 1.0);
        self.below[bin] + into * (self.below[bin + 1] - self.below[bin])
    }

    /// The value below which a share lies.
    fn value(&self, share: f64) -> f64 {
        // The first bin that ends above the share; bins without values are none.
        let bin = self.below[1..].partition_point(|&below| below <= share);
        let bin = match bin < BINS {
            true => bin,
            // All of them lie below: the last that has some.
            false => self.below[1..].partition_point(|&below| below < share.min(self.below[BINS])),
        };
        let bin = bin.min(BINS - 1);
        let (from, to) = (self.below[bin], self.below[bin + 1]);
        let into = if to > from {
            ((share - from) / (to - from)).clamp(0.0, 1.0)
        } else {
            0.0
        };
        self.low + self.step * (bin as f64 + into)
    }
}

fn bin(value: f64, low: f64, step: f64) -> usize {
    (((value - low) / step) as usize).min(BINS - 1)
}
