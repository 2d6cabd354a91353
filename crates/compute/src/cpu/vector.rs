//! Elementwise operations and sums over tensors.

use super::Context;
use super::array::{get, get_mut, put, same};
use super::simd::{Isa, with_simd};
use crate::{AdamBuffers, AdamStep, Result, Scalar, Tensor};
use fearless_simd::prelude::*;

pub(super) fn copy(context: &Context, x: &Tensor) -> Result<Tensor> {
    let x_values = get("copy", x)?;
    let mut buffer = context.pool.take(x_values.len())?;
    buffer.copy_from_slice(x_values);
    Ok(put(buffer, x.shape()))
}

pub(super) fn axpby(context: &Context, a: f32, x: &Tensor, b: f32, y: &mut Tensor) -> Result<()> {
    same("axpby", x, y)?;
    let (x, y) = (get("axpby", x)?, get_mut("axpby", y)?);
    with_simd!(context.token, simd => axpby_values(simd, a, x, b, y));
    Ok(())
}

#[inline(always)]
fn axpby_values<S: Isa>(simd: S, a: f32, x: &[f32], b: f32, y: &mut [f32]) {
    let (mut y, mut x) = (
        y.chunks_exact_mut(S::f32s::LEN),
        x.chunks_exact(S::f32s::LEN),
    );
    for (y, x) in y.by_ref().zip(x.by_ref()) {
        let sum = S::f32s::from_slice(simd, x) * a + S::f32s::from_slice(simd, y) * b;
        sum.store_slice(y);
    }
    for (y, x) in y.into_remainder().iter_mut().zip(x.remainder()) {
        *y = a * x + b * *y;
    }
}

pub(super) fn dot(_: &Context, x: &Tensor, y: &Tensor) -> Result<Scalar> {
    same("dot", x, y)?;
    let pairs = get("dot", x)?.iter().zip(get("dot", y)?);
    Ok(Scalar::Ready(
        pairs.map(|(&x, &y)| f64::from(x) * f64::from(y)).sum(),
    ))
}

pub(super) fn sum_abs(_: &Context, x: &Tensor) -> Result<Scalar> {
    let values = get("sum_abs", x)?.iter();
    Ok(Scalar::Ready(values.map(|&x| f64::from(x.abs())).sum()))
}

pub(super) fn squared_error(
    context: &Context,
    x: &Tensor,
    t: &Tensor,
    k: f32,
) -> Result<(Scalar, Tensor)> {
    same("squared_error", x, t)?;
    let (x_values, t_values) = (get("squared_error", x)?, get("squared_error", t)?);
    let mut gradient = context.pool.take(x_values.len())?;
    let mut sum = 0.0;
    for ((gradient, x), t) in gradient.iter_mut().zip(x_values).zip(t_values) {
        let difference = x - t;
        sum += f64::from(difference) * f64::from(difference);
        *gradient = k * difference;
    }
    Ok((Scalar::Ready(sum), put(gradient, x.shape())))
}

pub(super) fn scale_over(_: &Context, x: &mut Tensor, k: f32, divisor: &[Scalar]) -> Result<()> {
    let mut sum = 0.0;
    for part in divisor {
        sum += part.value()?;
    }
    let factor = if sum == 0.0 { 0.0 } else { f64::from(k) / sum };
    get_mut("scale_over", x)?
        .iter_mut()
        .for_each(|x| *x = (f64::from(*x) * factor) as f32);
    Ok(())
}

pub(super) fn adam(_: &Context, buffers: AdamBuffers<'_>, step: &AdamStep) -> Result<()> {
    for tensor in [
        buffers.gradient,
        buffers.first,
        buffers.second,
        buffers.average,
    ] {
        same("adam", buffers.image, tensor)?;
    }
    let gradient = get("adam", buffers.gradient)?;
    let first = get_mut("adam", buffers.first)?;
    let second = get_mut("adam", buffers.second)?;
    let average = get_mut("adam", buffers.average)?;
    let image = get_mut("adam", buffers.image)?;
    for i in 0..image.len() {
        first[i] = step.beta1 * first[i] + (1.0 - step.beta1) * gradient[i];
        second[i] = step.beta2 * second[i] + (1.0 - step.beta2) * gradient[i] * gradient[i];
        let mean = first[i] / step.correction1;
        let root = (second[i] / step.correction2).sqrt();
        image[i] -= step.learning_rate * mean / (root + step.epsilon);
        if let Some((low, high)) = step.clamp {
            image[i] = image[i].max(low).min(high);
        }
        average[i] = step.average_decay * average[i] + (1.0 - step.average_decay) * image[i];
    }
    Ok(())
}
