//! Vectors, and the moments of channels: a few numbers, for which nobody is woken.

use super::activation::apply;
use super::target::Sums;
use crate::cpu::simd::{Token, with_simd};
use crate::graph::{Affine, InstanceNorm, Op, Variance};

/// Mean and `√(σ² + ε)` of `n` numbers.
pub(super) fn moments(sums: &Sums, n: usize, epsilon: f32, variance: Variance) -> (f64, f64) {
    let mean = sums.sum / n as f64;
    let count = match variance {
        Variance::Biased => n,
        Variance::Unbiased => (n - 1).max(1),
    };
    (
        mean,
        (sums.squares / count as f64 + f64::from(epsilon)).sqrt(),
    )
}

/// Scale and shift of a norm, `[c]` each, of the sums of `n` numbers and of what is given.
pub(super) fn norm(
    op: &InstanceNorm,
    sums: &[Sums],
    n: usize,
    given: Option<[&[f32]; 2]>,
) -> (Vec<f32>, Vec<f32>) {
    let affine = |channel: usize| match (&op.affine, given) {
        (Affine::Fixed(fixed), _) => (fixed.scale[channel], fixed.shift[channel]),
        (Affine::Given, Some([scale, shift])) => (scale[channel], shift[channel]),
        (Affine::Given, None) | (Affine::Plain, _) => (1.0, 0.0),
    };
    let of = |(channel, sums): (usize, &Sums)| {
        let (mean, deviation) = moments(sums, n, op.epsilon, op.variance);
        let (scale, shift) = affine(channel);
        let scale = f64::from(scale) / deviation;
        (scale as f32, (f64::from(shift) - mean * scale) as f32)
    };
    sums.iter().enumerate().map(of).unzip()
}

/// What an operation makes of vectors.
pub(super) fn compute(token: Token, op: &Op, reads: &[&[f32]]) -> Vec<f32> {
    let x = reads[0];
    let each = |of: &dyn Fn(usize) -> f32| (0..x.len()).map(of).collect();
    match op {
        Op::Linear(op) => {
            let row = |(out, &bias): (usize, &f32)| {
                let row = &op.weight[out * x.len()..][..x.len()];
                let products = row
                    .iter()
                    .zip(x)
                    .map(|(&w, &x)| f64::from(w) * f64::from(x));
                (f64::from(bias) + products.sum::<f64>()) as f32
            };
            op.bias.iter().enumerate().map(row).collect()
        }
        Op::Scale(op) => each(&|i| x[i] * op.scale[i] + op.shift[i]),
        Op::Activation(activation) => {
            let mut values = x.to_vec();
            with_simd!(token, simd => apply(simd, *activation, &mut values));
            values
        }
        Op::Add => each(&|i| x[i] + reads[1][i]),
        Op::Multiply => each(&|i| x[i] * reads[1][i]),
        Op::Mix => each(&|i| x[i] + reads[2][0] * (reads[1][i] - x[i])),
        // Of maps.
        Op::Convolution(_)
        | Op::TransposedConvolution(_)
        | Op::Upsample(_)
        | Op::Pool(_)
        | Op::Pad { .. }
        | Op::Crop { .. }
        | Op::InstanceNorm(_)
        | Op::ChannelMean
        | Op::ChannelDeviation { .. }
        | Op::Concat => Vec::new(),
    }
}
