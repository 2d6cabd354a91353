//! Elementwise operations and sums.

use super::GpuDevice;
use super::array::{get, get_mut, put, same};
use super::context::Context;
use super::kernel::{Kernel, Launch, Param, reads, writes};
use super::memory::Array;
use super::scalar::{self, CHUNK};
use crate::{AdamBuffers, AdamStep, Result, Scalar, Tensor, VectorOps};
use std::sync::Arc;

/// Elements that a workgroup takes.
pub(super) const GROUP: usize = 256;

const FILE: &str = include_str!("vector.wgsl");
const AXPBY: Kernel = Kernel {
    name: "axpby",
    file: FILE,
    operands: &[reads("x"), writes("y")],
};
pub(super) const DOT: Kernel = Kernel {
    name: "dot",
    file: FILE,
    operands: &[reads("x"), reads("y"), writes("partials")],
};
const MAX_ABS: Kernel = Kernel {
    name: "max_abs",
    file: FILE,
    operands: &[reads("x"), writes("partials")],
};
const CLAMPED: Kernel = Kernel {
    name: "clamped",
    file: FILE,
    operands: &[writes("x")],
};
const SUM_ABS: Kernel = Kernel {
    name: "sum_abs",
    file: FILE,
    operands: &[reads("x"), writes("partials")],
};
const SQUARED_ERROR: Kernel = Kernel {
    name: "squared_error",
    file: FILE,
    operands: &[
        reads("x"),
        reads("t"),
        writes("gradient"),
        writes("partials"),
    ],
};
const SCALE_OVER: Kernel = Kernel {
    name: "scale_over",
    file: FILE,
    operands: &[writes("x"), reads("divisor")],
};
const ADAM: Kernel = Kernel {
    name: "adam",
    file: FILE,
    operands: &[
        writes("image"),
        reads("gradient"),
        writes("first"),
        writes("second"),
        writes("average"),
    ],
};

/// Runs a kernel that takes one element at a time.
pub(super) fn each(
    context: &Context,
    kernel: &Kernel,
    n: usize,
    operands: &[Option<&Array>],
    params: &[Param],
) -> Result<()> {
    context.run(&Launch {
        kernel,
        constants: &[],
        more: None,
        operands,
        params,
        groups: n.div_ceil(GROUP),
        batches: 1,
    })
}

/// Runs a kernel that writes one partial sum per chunk as its last operand, and sums them.
pub(super) fn summed(
    context: &Arc<Context>,
    kernel: &Kernel,
    n: usize,
    operands: &[&Array],
    more: &[Param],
) -> Result<Scalar> {
    if n == 0 {
        return Ok(Scalar::Ready(0.0));
    }
    let partials = parts(context, kernel, n, operands, more)?;
    scalar::total(context, &scalar::TOTAL, &partials)
}

/// Runs a kernel that writes one number per chunk as its last operand.
fn parts(
    context: &Context,
    kernel: &Kernel,
    n: usize,
    operands: &[&Array],
    more: &[Param],
) -> Result<Array> {
    let groups = n.div_ceil(CHUNK);
    let partials = context.pool.take(groups)?;
    let mut all: Vec<Option<&Array>> = operands.iter().copied().map(Some).collect();
    all.push(Some(&partials));
    let mut params = vec![Param::U(n), Param::U(groups)];
    params.extend(more);
    context.run(&Launch {
        kernel,
        constants: &[],
        more: None,
        operands: &all,
        params: &params,
        groups,
        batches: 1,
    })?;
    Ok(partials)
}

/// The greatest magnitudes of the chunks of an array.
pub(super) fn greatest(context: &Context, x: &Array) -> Result<Array> {
    parts(context, &MAX_ABS, x.len(), &[x], &[])
}

/// `y ← a·x + b·y` of arrays of the same length.
pub(super) fn add(context: &Context, a: f32, x: &Array, b: f32, y: &Array) -> Result<()> {
    let params = [Param::U(x.len()), Param::F(a), Param::F(b)];
    each(context, &AXPBY, x.len(), &[Some(x), Some(y)], &params)
}

impl VectorOps for GpuDevice {
    fn copy(&self, x: &Tensor) -> Result<Tensor> {
        let context = &self.context;
        let from = get(context, "copy", x)?;
        let to = context.pool.take(from.len())?;
        context.copy(from, &to);
        Ok(put(to, x.shape()))
    }

    fn zeros(&self, shape: &[usize]) -> Result<Tensor> {
        let array = self.context.pool.take(shape.iter().product())?;
        self.context.clear(&array);
        Ok(put(array, shape))
    }

    fn axpby(&self, a: f32, x: &Tensor, b: f32, y: &mut Tensor) -> Result<()> {
        let context = &self.context;
        same("axpby", x, y)?;
        let x = get(context, "axpby", x)?;
        add(context, a, x, b, get_mut(context, "axpby", y)?)
    }

    fn dot(&self, x: &Tensor, y: &Tensor) -> Result<Scalar> {
        let context = &self.context;
        same("dot", x, y)?;
        let operands = [get(context, "dot", x)?, get(context, "dot", y)?];
        summed(context, &DOT, x.len(), &operands, &[])
    }

    fn sum_abs(&self, x: &Tensor) -> Result<Scalar> {
        let context = &self.context;
        let operands = [get(context, "sum_abs", x)?];
        summed(context, &SUM_ABS, x.len(), &operands, &[])
    }

    fn max_abs(&self, x: &Tensor) -> Result<Scalar> {
        let context = &self.context;
        let operands = [get(context, "max_abs", x)?];
        if x.is_empty() {
            return Ok(Scalar::Ready(0.0));
        }
        let partials = parts(context, &MAX_ABS, x.len(), &operands, &[])?;
        scalar::total(context, &scalar::GREATEST, &partials)
    }

    fn clamp(&self, x: &mut Tensor, low: f32, high: f32) -> Result<()> {
        let context = &self.context;
        let x = get_mut(context, "clamp", x)?;
        let params = [Param::U(x.len()), Param::F(low), Param::F(high)];
        each(context, &CLAMPED, x.len(), &[Some(&*x)], &params)
    }

    fn squared_error(&self, x: &Tensor, t: &Tensor, k: f32) -> Result<(Scalar, Tensor)> {
        let context = &self.context;
        let what = "squared_error";
        same(what, x, t)?;
        let gradient = context.pool.take(x.len())?;
        let operands = [get(context, what, x)?, get(context, what, t)?, &gradient];
        let sum = summed(context, &SQUARED_ERROR, x.len(), &operands, &[Param::F(k)])?;
        Ok((sum, put(gradient, x.shape())))
    }

    fn scale_over(&self, x: &mut Tensor, k: f32, divisor: &[Scalar]) -> Result<()> {
        let context = &self.context;
        let x = get_mut(context, "scale_over", x)?;
        let divisor = scalar::divisor(context, divisor)?;
        let params = [Param::U(x.len()), Param::F(k)];
        let operands = [Some(&*x), Some(&divisor)];
        each(context, &SCALE_OVER, x.len(), &operands, &params)
    }

    fn adam(&self, buffers: AdamBuffers<'_>, step: &AdamStep) -> Result<()> {
        let context = &self.context;
        let what = "adam";
        for tensor in [
            buffers.gradient,
            buffers.first,
            buffers.second,
            buffers.average,
        ] {
            same(what, buffers.image, tensor)?;
        }
        let n = buffers.image.len();
        let gradient = get(context, what, buffers.gradient)?;
        let operands = [
            Some(&*get_mut(context, what, buffers.image)?),
            Some(gradient),
            Some(&*get_mut(context, what, buffers.first)?),
            Some(&*get_mut(context, what, buffers.second)?),
            Some(&*get_mut(context, what, buffers.average)?),
        ];
        let (clamps, (low, high)) = match step.clamp {
            Some(range) => (1, range),
            None => (0, (0.0, 0.0)),
        };
        let params = [
            Param::U(n),
            Param::F(step.learning_rate),
            Param::F(step.beta1),
            Param::F(step.beta2),
            Param::F(step.epsilon),
            Param::F(step.correction1),
            Param::F(step.correction2),
            Param::F(step.average_decay),
            Param::U(clamps),
            Param::F(low),
            Param::F(high),
        ];
        each(context, &ADAM, n, &operands, &params)
    }
}
