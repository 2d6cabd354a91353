//! The orthogonal factor `U` of the polar decomposition `X = U·H`, by products only.
//!
//! An odd polynomial of `X`, computed as `X·p(XᵀX)`, changes the singular values of `X` and nothing else. Each step
//! applies the polynomial `a·x + b·x³ + c·x⁵` that is closest to 1 on the interval which the steps before have left:
//! a composition of such polynomials is closer to 1 than any other of its degrees (Amsel, Persson, Musco, Gower,
//! *The Polar Express*, arXiv 2505.16932). The steps of a wide interval lead through those of the narrower ones, so
//! one table serves all: iteration starts at the step whose interval contains the singular values at hand. How many
//! steps that are depends on the data, but not on threads.
//!
//! Degree 9 would shrink the interval a tenth faster for the same number of products, but its larger coefficients
//! cancel, and its results are ten times less exact. `polar.py` computes the table.

use super::Context;
use super::simd::LANES;
use super::square::{Shape, Square};
use crate::Result;

/// One polynomial, and the interval of singular values that it takes closest to 1.
pub(crate) struct Step {
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// Of `x`, `x³` and `x⁵`.
    pub(crate) coefficients: [f64; 3],
}

/// Printed by `polar.py`. The last one leaves less than the rounding of f32.
pub(crate) const STEPS: [Step; 11] = [
    Step {
        low: 2.1e-06,
        high: 1.0,
        coefficients: [8.5142094724, -25.281383952, 18.767156599],
    },
    Step {
        low: 1.787983989e-05,
        high: 1.99998212,
        coefficients: [4.2569916663, -3.1601085137, 0.58647017565],
    },
    Step {
        low: 7.61143294e-05,
        high: 1.999923886,
        coefficients: [4.2564723491, -3.1597493157, 0.58642920287],
    },
    Step {
        low: 0.0003239785371,
        high: 1.999676021,
        coefficients: [4.2542632921, -3.1582212442, 0.58625490019],
    },
    Step {
        low: 0.00137828989,
        high: 1.99862171,
        coefficients: [4.2448907101, -3.1517356938, 0.58551511976],
    },
    Step {
        low: 0.005850681699,
        high: 1.994149318,
        coefficients: [4.2055573819, -3.1244780455, 0.58240609329],
    },
    Step {
        low: 0.02460475187,
        high: 1.975395248,
        coefficients: [4.0478405185, -3.0145033651, 0.56986537733],
    },
    Step {
        low: 0.09955121396,
        high: 1.900448786,
        coefficients: [3.5183560737, -2.6360011284, 0.52678095804],
    },
    Step {
        low: 0.3476610988,
        high: 1.652338901,
        coefficients: [2.5052680421, -1.8471454297, 0.43824933717],
    },
    Step {
        low: 0.7955908806,
        high: 1.204409119,
        coefficients: [1.9205774342, -1.2997602055, 0.38000977998],
    },
    Step {
        low: 0.9945870472,
        high: 1.005412953,
        coefficients: [1.8750309031, -1.2500343364, 0.37500343366],
    },
];

/// Room that every step leaves for rounding. At the upper end of an interval a polynomial is steep (its slope is 13 in
/// the first ones): a singular value that rounding lifts beyond it would be lifted further by every step that follows,
/// and grow beyond bounds.
pub(crate) const ROOM: f64 = 1.0 + 1e-3;

/// Replaces `x`, whose singular values are at least `least` and about 1 at most, by its orthogonal polar factor.
/// Rows and columns that fill `x` up stay zero.
pub(super) fn orthogonalise(context: &Context, x: &mut Square, least: f64) -> Result<()> {
    let c = x.side();
    let mut transposed = Square::take(context, c)?;
    let mut square = Square::take(context, c)?;
    let mut other = Square::take(context, c)?;
    // A = XᵀX in `square`, A² below the diagonal of `other`.
    let mut squares = |x: &Square, square: &mut Square, other: &mut Square| {
        transposed.fill(context, |i, j| x.transposed(i, j));
        other.product(context, &transposed, x, Shape::Symmetric);
        square.fill(context, |i, j| other.symmetric(i, j));
        other.product(context, square, square, Shape::Symmetric);
    };
    squares(x, &mut square, &mut other);
    // ‖A²‖ bounds the fourth power of the greatest singular value, and closely: a few directions dominate.
    let greatest = other.symmetric_norm(context).sqrt().sqrt() * ROOM;
    let reaches = |step: &Step| step.low / step.high <= least / greatest;
    let first = STEPS.iter().rposition(reaches).unwrap_or(0);
    let mut scale = STEPS[first].high / greatest;
    let mut polynomial = Square::take(context, c)?;
    for (index, step) in STEPS[first..].iter().enumerate() {
        if index > 0 {
            squares(x, &mut square, &mut other);
        }
        let [a, b, c] = step.coefficients;
        let [a, b, c] = [a * scale, b * scale.powi(3), c * scale.powi(5)].map(|v| v as f32);
        scale = 1.0 / ROOM;
        polynomial.fill(context, |i, j| {
            let (linear, mut out) = (square.block(i, j), other.symmetric(i, j));
            for row in 0..LANES {
                for lane in 0..LANES {
                    out[row][lane] = b * linear[row][lane] + c * out[row][lane];
                }
                if i == j {
                    out[row][row] += a;
                }
            }
            out
        });
        other.product(context, x, &polynomial, Shape::Full);
        std::mem::swap(x, &mut other);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::Numbers;

    /// Wherever a singular value starts, and however rounding moves it on its way, it arrives at 1.
    #[test]
    fn rounding_never_lifts_a_value_out_of_the_intervals() {
        const ROUNDING: f64 = 3e-5;
        let mut numbers = Numbers(1);
        let mut rounding = || 1.0 + ROUNDING * numbers.fine();
        for i in 0..200_000 {
            // From the lower to the upper end, evenly in the logarithm, and densely at the upper end.
            let reach = if i % 2 == 0 { STEPS[0].low.ln() } else { -1e-3 };
            let mut x = (reach * f64::from(i) / 2e5).exp() / ROOM;
            for step in &STEPS {
                let [a, b, c] = step.coefficients;
                x *= rounding() / ROOM;
                x *= a + x * x * (b + x * x * c);
            }
            assert!((x - 1.0).abs() < 1e-5, "value {i} ends at {x}");
        }
    }

    /// Each polynomial takes its interval to that of the next, the last one to 1.
    #[test]
    fn every_step_leads_to_the_next() {
        for (index, step) in STEPS.iter().enumerate() {
            let (low, high) = match STEPS.get(index + 1) {
                Some(next) => (next.low, next.high),
                None => (1.0 - 2e-7, 1.0 + 2e-7),
            };
            let [a, b, c] = step.coefficients;
            for i in 0..=100_000 {
                let x = step.low + (step.high - step.low) * f64::from(i) / 1e5;
                let y = x * (a + x * x * (b + x * x * c));
                let room = 1e-8;
                assert!(
                    y >= low - room && y <= high + room,
                    "step {index} takes {x} to {y}"
                );
            }
        }
    }
}
