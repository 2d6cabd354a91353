//! Moments of a linear head, from those of its trunk.
//!
//! A head is `y = H·x + b` at every pixel, so its moments follow from the trunk's without its features:
//!
//! ```text
//! μ_y = H·μ + b            S_y = H·S·Hᵀ + (Hμ)·bᵀ + b·(Hμ)ᵀ + b·bᵀ
//! dμ  = Hᵀ·dμ_y + Hᵀ·(dS_y + dS_yᵀ)·b      dS = Hᵀ·dS_y·H
//! ```

use super::Context;
use super::array::{Layout, get, get_mut, put};
use super::mixing::{Matrix, Operand, Pixels};
use super::simd::LANES;
use crate::{Head, Moments, Result};

/// `W·M·Wᵀ` of a square matrix `M` `[n, n]`, row-major, for the entries `[out, n]` of `W`.
fn sandwich(
    context: &Context,
    outputs: usize,
    n: usize,
    weight: impl Fn(usize, usize) -> f32 + Sync,
    m: &[f32],
) -> Result<Vec<f32>> {
    let matrix = Matrix::new((outputs, n), weight, |_| 0.0);
    // `W·X` for `columns` columns of `X`, given and returned row-major: the columns are pixels, the rows channels.
    let apply = |x: &[f32], columns: usize| -> Result<Vec<f32>> {
        let blocked = |channels: usize| Layout::Blocked {
            channels,
            pixels: columns,
        };
        let mut packed = context.pool.take(blocked(n).len())?;
        blocked(n).pack(x, &mut packed);
        let mut out = context
            .pool
            .take(outputs.next_multiple_of(LANES) * columns)?;
        let operand = Operand::Into {
            x: packed.lanes(),
            out: out.lanes_mut(),
        };
        matrix.apply(context, Pixels::all(columns), operand)?;
        let mut plain = vec![0.0; outputs * columns];
        blocked(outputs).unpack(&out, &mut plain);
        Ok(plain)
    };
    let half = apply(m, n)?;
    let turned: Vec<f32> = (0..n * outputs)
        .map(|k| half[k % outputs * n + k / outputs])
        .collect();
    let product = apply(&turned, outputs)?;
    Ok((0..outputs * outputs)
        .map(|k| product[k % outputs * outputs + k / outputs])
        .collect())
}

/// Moments of the head.
pub(super) fn forward(context: &Context, head: &Head, trunk: &Moments) -> Result<Moments> {
    let (inputs, outputs) = (trunk.mean.len(), head.out_channels);
    let weight = |out: usize, k: usize| head.weight[out * inputs + k];
    let mean = get("moments of a head", &trunk.mean)?;
    let linear: Vec<f32> = (0..outputs)
        .map(|out| {
            let products = mean.iter().enumerate();
            products
                .map(|(k, &mean)| f64::from(weight(out, k)) * f64::from(mean))
                .sum::<f64>() as f32
        })
        .collect();
    let bias = &head.bias;
    let quadratic = sandwich(
        context,
        outputs,
        inputs,
        weight,
        get("moments of a head", &trunk.second)?,
    )?;
    let mut second = context.pool.take(outputs * outputs)?;
    for (i, row) in second.chunks_exact_mut(outputs).enumerate() {
        for (j, value) in row.iter_mut().enumerate() {
            *value = quadratic[i * outputs + j]
                + (linear[i] * bias[j] + bias[i] * linear[j] + bias[i] * bias[j]);
        }
    }
    let mut mean = context.pool.take(outputs)?;
    for (out, value) in mean.iter_mut().enumerate() {
        *value = linear[out] + bias[out];
    }
    Ok(Moments {
        mean: put(mean, &[outputs]),
        second: put(second, &[outputs, outputs]),
    })
}

/// Adds the gradient towards the trunk's moments.
pub(super) fn backward(
    context: &Context,
    head: &Head,
    towards: &Moments,
    trunk: &mut Moments,
) -> Result<()> {
    let (inputs, outputs) = (trunk.mean.len(), head.out_channels);
    let weight = |out: usize, k: usize| head.weight[out * inputs + k];
    let what = "gradient towards the moments of a head";
    let (mean, second) = (get(what, &towards.mean)?, get(what, &towards.second)?);
    let of_mean: Vec<f64> = (0..outputs)
        .map(|i| {
            let symmetric =
                |j: usize| f64::from(second[i * outputs + j]) + f64::from(second[j * outputs + i]);
            f64::from(mean[i])
                + (0..outputs)
                    .map(|j| symmetric(j) * f64::from(head.bias[j]))
                    .sum::<f64>()
        })
        .collect();
    for (k, sum) in get_mut(what, &mut trunk.mean)?.iter_mut().enumerate() {
        let d: f64 = (0..outputs)
            .map(|out| f64::from(weight(out, k)) * of_mean[out])
            .sum();
        *sum += d as f32;
    }
    let of_second = sandwich(context, inputs, outputs, |k, out| weight(out, k), second)?;
    for (sum, d) in get_mut(what, &mut trunk.second)?.iter_mut().zip(of_second) {
        *sum += d;
    }
    Ok(())
}
