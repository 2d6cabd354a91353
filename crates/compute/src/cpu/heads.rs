//! Moments of a linear head, from those of its trunk.
//!
//! A head is `y = H·x + b` at every pixel, so its moments follow from the trunk's without its features:
//!
//! ```text
//! μ_y = H·μ + b            S_y = H·S·Hᵀ + (Hμ)·bᵀ + b·(Hμ)ᵀ + b·bᵀ
//! dμ  = Hᵀ·dμ_y + Hᵀ·(dS_y + dS_yᵀ)·b      dS = Hᵀ·dS_y·H
//! ```

use super::moments::Sums;
use crate::Head;
use rayon::prelude::*;

/// A matrix by its rows.
struct Dense<'a> {
    values: &'a [f64],
    columns: usize,
}

/// `A·B` where row `i` of `A` and the rows of `B` are given.
fn product(a: &Dense<'_>, b: &Dense<'_>) -> Vec<f64> {
    let mut out = vec![0.0; a.values.len() / a.columns * b.columns];
    out.par_chunks_exact_mut(b.columns)
        .enumerate()
        .for_each(|(i, out)| {
            let row = &a.values[i * a.columns..][..a.columns];
            for (a, b) in row.iter().zip(b.values.chunks_exact(b.columns)) {
                out.iter_mut().zip(b).for_each(|(out, b)| *out += a * b);
            }
        });
    out
}

fn transposed(values: &[f64], columns: usize) -> Vec<f64> {
    let rows = values.len() / columns;
    (0..values.len())
        .map(|k| values[k % rows * columns + k / rows])
        .collect()
}

fn times(matrix: &[f64], x: &[f64]) -> Vec<f64> {
    let rows = matrix.chunks_exact(x.len());
    rows.map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum())
        .collect()
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| value.into()).collect()
}

/// Moments of the head.
pub(super) fn forward(head: &Head, trunk: &Sums) -> Sums {
    let (inputs, outputs) = (trunk.channels, head.out_channels);
    let (weight, bias) = (widen(&head.weight), widen(&head.bias));
    let linear = times(&weight, &trunk.mean);
    let h = Dense {
        values: &weight,
        columns: inputs,
    };
    let s = Dense {
        values: &trunk.second,
        columns: inputs,
    };
    let turned = transposed(&weight, inputs);
    let ht = Dense {
        values: &turned,
        columns: outputs,
    };
    let half = product(&h, &s);
    let half = Dense {
        values: &half,
        columns: inputs,
    };
    let mut second = product(&half, &ht);
    for i in 0..outputs {
        for j in 0..outputs {
            second[i * outputs + j] +=
                linear[i] * bias[j] + bias[i] * linear[j] + bias[i] * bias[j];
        }
    }
    Sums {
        channels: outputs,
        mean: linear.iter().zip(&bias).map(|(a, b)| a + b).collect(),
        second,
    }
}

/// Adds the gradient towards the trunk's moments.
pub(super) fn backward(head: &Head, towards: &Sums, trunk: &mut Sums) {
    let (inputs, outputs) = (trunk.channels, head.out_channels);
    let (weight, bias) = (widen(&head.weight), widen(&head.bias));
    let turned = transposed(&weight, inputs);
    let symmetric: Vec<f64> = (0..outputs * outputs)
        .map(|k| towards.second[k] + towards.second[k % outputs * outputs + k / outputs])
        .collect();
    let mut mean = times(&symmetric, &bias);
    mean.iter_mut()
        .zip(&towards.mean)
        .for_each(|(mean, d)| *mean += d);
    for (sum, d) in trunk.mean.iter_mut().zip(times(&turned, &mean)) {
        *sum += d;
    }
    let ht = Dense {
        values: &turned,
        columns: outputs,
    };
    let d = Dense {
        values: &towards.second,
        columns: outputs,
    };
    let half = product(&ht, &d);
    let half = Dense {
        values: &half,
        columns: outputs,
    };
    let h = Dense {
        values: &weight,
        columns: inputs,
    };
    for (sum, d) in trunk.second.iter_mut().zip(product(&half, &h)) {
        *sum += d;
    }
}
