//! Fidelity, the heart of the Wasserstein loss, and its gradient, without eigenvectors and without the host.
//!
//! The way is that of [`cpu`](crate::cpu), told there in full:
//!
//! ```text
//! M = Fᵀ·F̂ = U·H        N = M⁻ᵀ = F⁻¹·F̂⁻ᵀ        X = ½·(M/‖M‖ + N/‖N‖) ─▶ U
//! value = Σ U∘M          gradient = ½·F⁻ᵀ·U·F̂ᵀ, symmetric
//! ```
//!
//! Everything that depends on the numbers (powers of two that bring both covariances to about 1, norms, which
//! polynomials are needed) is a *control*, a number in a small array on the device that the next kernel reads.

use super::array::{get, put, same};
use super::context::Context;
use super::factor::Factor;
use super::kernel::{Kernel, Launch, Param, reads, writes};
use super::memory::Array;
use super::polar::{STEPS_LEN, orthogonalise};
use super::product::{How, Operand, product};
use super::scalar::{self, CHUNK, TOTAL};
use super::vector::{DOT, GROUP};
use crate::device::side;
use crate::{Result, Scalar, Tensor};
use std::sync::Arc;

const FILE: &str = include_str!("fidelity.wgsl");
const HALVED: Kernel = Kernel {
    name: "halved",
    file: FILE,
    operands: &[reads("m"), reads("n"), reads("controls"), writes("out")],
};
const CONCLUDE: Kernel = Kernel {
    name: "conclude",
    file: FILE,
    operands: &[
        reads("z"),
        reads("controls"),
        reads("own"),
        reads("target"),
        writes("gradient"),
        writes("value"),
    ],
};

// Places among the controls: the squares of norms, the value, and the steps of the polar decomposition.
pub(super) const NORM_M: usize = 0;
pub(super) const NORM_N: usize = 1;
pub(super) const SQUARED: usize = 2;
const VALUE: usize = 3;
pub(super) const FIRST_STEP: usize = 4;
const LEN: usize = FIRST_STEP + STEPS_LEN;

/// Sums partial sums into a place among the controls.
pub(super) fn into(
    context: &Context,
    partials: &Array,
    controls: &Array,
    place: usize,
) -> Result<()> {
    context.run(&Launch {
        kernel: &TOTAL,
        constants: &[],
        more: None,
        operands: &[Some(partials), Some(controls)],
        params: &[partials.len(), place].map(Param::U),
        groups: 1,
        batches: 1,
    })
}

/// `Σ xᵢ·yᵢ` into a place among the controls.
fn dot(context: &Context, x: &Array, y: &Array, controls: &Array, place: usize) -> Result<()> {
    let groups = x.len().div_ceil(CHUNK);
    let partials = context.pool.take(groups)?;
    context.run(&Launch {
        kernel: &DOT,
        constants: &[],
        more: None,
        operands: &[Some(x), Some(y), Some(&partials)],
        params: &[x.len(), groups].map(Param::U),
        groups,
        batches: 1,
    })?;
    into(context, &partials, controls, place)
}

pub(super) fn cholesky(context: &Context, covariance: &Tensor) -> Result<Tensor> {
    let c = side("cholesky", covariance)?;
    let sigma = get(context, "cholesky", covariance)?;
    if c == 0 {
        return Ok(put(context.pool.take(0)?, &[0, 0]));
    }
    let factor = Factor::of(context, c, sigma)?;
    let mut values = factor.unscaled(context)?;
    values.factor = Some(Arc::new(factor));
    Ok(put(values, &[c, c]))
}

pub(super) fn fidelity(
    context: &Arc<Context>,
    covariance: &Tensor,
    target_factor: &Tensor,
) -> Result<(Scalar, Tensor)> {
    let what = "fidelity";
    same(what, covariance, target_factor)?;
    let c = side(what, covariance)?;
    let sigma = get(context, what, covariance)?;
    let given = get(context, what, target_factor)?;
    let n = c * c;
    let gradient = context.pool.take(n)?;
    if c == 0 {
        return Ok((Scalar::Ready(0.0), put(gradient, &[0, 0])));
    }
    let (size, how) = ([c; 3], How::default());
    let times = |left: Operand<'_>, right: Operand<'_>, out: &Array| {
        product(context, size, left, right, how, out)
    };
    let take = || context.pool.take(n);
    let own = Factor::of(context, c, sigma)?;
    let target = match &given.factor {
        Some(known) => Arc::clone(known),
        None => {
            // Some other factor: that of the covariance it gives.
            let again = take()?;
            times(Operand::plain(given), Operand::transposed(given), &again)?;
            Arc::new(Factor::of(context, c, &again)?)
        }
    };

    let controls = context.pool.take(LEN)?;
    let (m, inverse, x) = (take()?, take()?, take()?);
    let [own_values, own_inverse] = [&own.values, &own.inverse];
    times(
        Operand::transposed(own_values),
        Operand::plain(&target.values),
        &m,
    )?;
    times(
        Operand::plain(own_inverse),
        Operand::transposed(&target.inverse),
        &inverse,
    )?;
    dot(context, &m, &m, &controls, NORM_M)?;
    dot(context, &inverse, &inverse, &controls, NORM_N)?;
    context.run(&Launch {
        kernel: &HALVED,
        constants: &[("NORM_M", NORM_M as u32), ("NORM_N", NORM_N as u32)],
        more: None,
        operands: &[Some(&m), Some(&inverse), Some(&controls), Some(&x)],
        params: &[Param::U(n)],
        groups: n.div_ceil(GROUP),
        batches: 1,
    })?;
    orthogonalise(context, c, &x, &controls)?;
    dot(context, &x, &m, &controls, VALUE)?;

    // Z = F⁻ᵀ·U·F̂ᵀ.
    times(Operand::plain(&x), Operand::transposed(&target.values), &m)?;
    times(Operand::transposed(own_inverse), Operand::plain(&m), &x)?;
    let value = context.pool.take(1)?;
    context.run(&Launch {
        kernel: &CONCLUDE,
        constants: &[("VALUE", VALUE as u32)],
        more: None,
        operands: &[
            Some(&x),
            Some(&controls),
            Some(&own.controls),
            Some(&target.controls),
            Some(&gradient),
            Some(&value),
        ],
        params: &[n, c].map(Param::U),
        groups: n.div_ceil(GROUP),
        batches: 1,
    })?;
    Ok((
        scalar::total(context, &TOTAL, &value)?,
        put(gradient, &[c, c]),
    ))
}
