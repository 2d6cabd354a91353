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
/// How far values of one bin are spread at most, in terms of its width: those of a flat area are not.
const STEEPEST: f64 = 2.0;
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
            let moves = here.moves(&there);
            for color in colors.iter_mut() {
                let value = dot(color, &axis);
                let step = moves[bin(value, range)].of(value) - value;
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
    /// `[BINS + 1]`: the share of values below each edge of a bin, 0 to 1.
    below: Vec<f64>,
    /// `[BINS]`: the mean of the values of each.
    means: Vec<f64>,
}

/// Where the values of a bin go.
#[derive(Clone, Copy, Default)]
struct Move {
    from: f64,
    to: f64,
    slope: f64,
}

impl Move {
    fn of(&self, value: f64) -> f64 {
        self.to + self.slope * (value - self.from)
    }
}

impl Distribution {
    fn of(values: impl Iterator<Item = (f64, f64)>, range: (f64, f64)) -> Self {
        let (mut counts, mut sums) = (vec![0.0; BINS], vec![0.0; BINS]);
        for (value, weight) in values {
            let bin = bin(value, range);
            counts[bin] += weight;
            sums[bin] += weight * value;
        }
        let total: f64 = counts.iter().sum();
        let total = if total > 0.0 { total } else { 1.0 };
        let mut below = vec![0.0; BINS + 1];
        for (bin, count) in counts.iter().enumerate() {
            below[bin + 1] = below[bin] + count / total;
        }
        let means = sums.iter().zip(&counts);
        let means = means.map(|(sum, count)| if *count > 0.0 { sum / count } else { 0.0 });
        Self {
            below,
            means: means.collect(),
        }
    }

    /// Where the values of each bin go so that they are distributed as others: on average to the mean of those of the same
    /// shares, so that many equal values, as flat areas have, stay together in their middle.
    fn moves(&self, other: &Self) -> Vec<Move> {
        // ∫ of the other's values over shares, up to each of its edges.
        let mut integrals = vec![0.0; BINS + 1];
        for bin in 0..BINS {
            let share = other.below[bin + 1] - other.below[bin];
            integrals[bin + 1] = integrals[bin] + share * other.means[bin];
        }
        let ends = &other.below[1..];
        // The bin in which a share ends, and the one in which what is above it begins.
        let ending = |share: f64| ends.partition_point(|&end| end < share).min(BINS - 1);
        let beginning = |share: f64| ends.partition_point(|&end| end <= share).min(BINS - 1);
        let integral = |share: f64| {
            let bin = ending(share);
            integrals[bin] + (share - other.below[bin]) * other.means[bin]
        };
        let place = |share: f64, bin: usize| {
            let (from, to) = (other.below[bin], other.below[bin + 1]);
            let into = if to > from {
                (share - from) / (to - from)
            } else {
                0.0
            };
            bin as f64 + into.clamp(0.0, 1.0)
        };
        let of = |bin: usize| {
            let (first, last) = (self.below[bin], self.below[bin + 1]);
            if last <= first {
                return Move::default();
            }
            let width = place(last, ending(last)) - place(first, beginning(first));
            Move {
                from: self.means[bin],
                to: (integral(last) - integral(first)) / (last - first),
                slope: width.clamp(0.0, STEEPEST),
            }
        };
        (0..BINS).map(of).collect()
    }
}

fn bin(value: f64, (low, high): (f64, f64)) -> usize {
    ((BINS as f64 * (value - low) / (high - low)) as usize).min(BINS - 1)
}
