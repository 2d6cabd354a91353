//! Functions of single numbers, in loops that vectorise.

use crate::cpu::simd::Isa;
use crate::graph::Activation;
use fearless_simd::prelude::*;

/// Applies a function to numbers.
#[inline(always)]
pub(super) fn apply<S: Isa>(simd: S, activation: Activation, numbers: &mut [f32]) {
    match activation {
        Activation::Relu | Activation::Relu6 | Activation::Clamp { .. } => {
            if let Some((low, high)) = bounds(activation) {
                bound(simd, numbers, low, high);
            }
        }
        Activation::Sigmoid => {
            for value in numbers {
                *value = 1.0 / (1.0 + exp(-*value));
            }
        }
        // 1 − 2/(1 + e^2x): an absolute error of a rounding is all that pictures need.
        Activation::Tanh { scale, shift } => {
            for value in numbers {
                *value = scale * (1.0 - 2.0 / (1.0 + exp(2.0 * *value))) + shift;
            }
        }
    }
}

/// The bounds of a function that does nothing but keep them.
pub(super) fn bounds(activation: Activation) -> Option<(f32, f32)> {
    match activation {
        Activation::Relu => Some((0.0, f32::INFINITY)),
        Activation::Relu6 => Some((0.0, 6.0)),
        Activation::Clamp { low, high } => Some((low, high)),
        Activation::Sigmoid | Activation::Tanh { .. } => None,
    }
}

/// Copies a row, of which there are too many and which are too short to call for it; `to` is as long.
#[inline(always)]
pub(super) fn copy<S: Isa>(simd: S, from: &[f32], to: &mut [f32]) {
    let len = S::f32s::LEN;
    let sources = from.chunks_exact(len);
    let rest = sources.remainder();
    let mut parts = to.chunks_exact_mut(len);
    for (part, source) in (&mut parts).zip(sources) {
        S::f32s::from_slice(simd, source).store_slice(part);
    }
    for (value, source) in parts.into_remainder().iter_mut().zip(rest) {
        *value = *source;
    }
}

/// [`scale`] and [`bound`] in one pass, from one place to another; `to` is as long.
#[inline(always)]
pub(super) fn transfer<S: Isa>(
    simd: S,
    from: &[f32],
    to: &mut [f32],
    (scale, shift): (f32, f32),
    (low, high): (f32, f32),
) {
    let len = S::f32s::LEN;
    let (scales, shifts) = (S::f32s::splat(simd, scale), S::f32s::splat(simd, shift));
    let (least, most) = (S::f32s::splat(simd, low), S::f32s::splat(simd, high));
    let sources = from.chunks_exact(len);
    let rest = sources.remainder();
    let mut parts = to.chunks_exact_mut(len);
    for (part, source) in (&mut parts).zip(sources) {
        let value = S::f32s::from_slice(simd, source) * scales + shifts;
        value.max(least).min(most).store_slice(part);
    }
    for (value, source) in parts.into_remainder().iter_mut().zip(rest) {
        *value = clamp(*source * scale + shift, low, high);
    }
}

/// `min(max(x, low), high)`.
#[inline(always)]
fn bound<S: Isa>(simd: S, numbers: &mut [f32], low: f32, high: f32) {
    let len = S::f32s::LEN;
    let (least, most) = (S::f32s::splat(simd, low), S::f32s::splat(simd, high));
    let mut parts = numbers.chunks_exact_mut(len);
    for part in &mut parts {
        let value = S::f32s::from_slice(simd, part);
        value.max(least).min(most).store_slice(part);
    }
    for value in parts.into_remainder() {
        *value = clamp(*value, low, high);
    }
}

/// `x · scale + shift`, rounded after either, in vectors and out of them.
#[inline(always)]
pub(super) fn scale<S: Isa>(simd: S, numbers: &mut [f32], scale: f32, shift: f32) {
    let len = S::f32s::LEN;
    let (scales, shifts) = (S::f32s::splat(simd, scale), S::f32s::splat(simd, shift));
    let mut parts = numbers.chunks_exact_mut(len);
    for part in &mut parts {
        let value = S::f32s::from_slice(simd, part);
        (value * scales + shifts).store_slice(part);
    }
    for value in parts.into_remainder() {
        *value = *value * scale + shift;
    }
}

/// `x + y`.
#[inline(always)]
pub(super) fn add<S: Isa>(simd: S, x: &mut [f32], y: &[f32]) {
    let len = S::f32s::LEN;
    let mut parts = x.chunks_exact_mut(len);
    let others = y.chunks_exact(len);
    let rest = others.remainder();
    for (part, other) in (&mut parts).zip(others) {
        let sum = S::f32s::from_slice(simd, part) + S::f32s::from_slice(simd, other);
        sum.store_slice(part);
    }
    for (value, other) in parts.into_remainder().iter_mut().zip(rest) {
        *value += *other;
    }
}

/// As [`f32::max`] and [`f32::min`], one after the other, for bounds in any order.
#[inline(always)]
fn clamp(x: f32, low: f32, high: f32) -> f32 {
    let x = if x > low { x } else { low };
    if x < high { x } else { high }
}

/// `e^x` to 2 units of the last place for finite results: `2ⁿ·eʳ` with `|r| ≤ ln 2 / 2`, and a polynomial for `eʳ`
/// (the coefficients of Cephes' `expf`).
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Adding it rounds to an integer, which then stands in the last bits.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = clamp(x, -87.0, 88.0);
    let shifted = x * std::f32::consts::LOG2_E + ROUND;
    let n = shifted - ROUND;
    let r = x - n * LN2_HIGH - n * LN2_LOW;
    let mut p = 1.987_569_2e-4;
    for coefficient in [
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ] {
        p = p * r + coefficient;
    }
    let p = p * r * r + r + 1.0;
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Level, Token, with_simd};

    #[test]
    fn exponentials_are_exact_to_rounding() {
        for i in -8700..8800 {
            let x = i as f32 / 100.0;
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 2.5e-7, "{x}: {error}");
        }
        let mut far = [-1e30, 1e30, f32::NEG_INFINITY, f32::INFINITY];
        let token = Token::new(Level::Portable).expect("every machine has that");
        with_simd!(token, simd => apply(simd, Activation::Sigmoid, &mut far));
        assert!(far[0] < 1e-37 && far[2] < 1e-37, "{far:?}");
        assert_eq!([far[1], far[3]], [1.0; 2]);
    }
}
