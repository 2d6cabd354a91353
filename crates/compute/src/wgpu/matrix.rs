//! Functions of moments: covariance and standard deviation, with their gradients.

use super::array::{get, put, same};
use super::context::Context;
use super::kernel::{Kernel, Launch, Param, reads, writes};
use super::memory::Array;
use super::vector::{each, summed};
use crate::{ComputeError, Moments, Result, Scalar, Tensor};
use std::sync::Arc;

pub(super) const FILE: &str = include_str!("matrix.wgsl");
const COVARIANCE: Kernel = Kernel {
    name: "covariance",
    file: FILE,
    operands: &[reads("mean"), reads("second"), writes("out")],
};
const TRACE: Kernel = Kernel {
    name: "trace",
    file: FILE,
    operands: &[reads("x"), writes("partials")],
};
const SCALED: Kernel = Kernel {
    name: "scaled",
    file: FILE,
    operands: &[reads("x"), writes("out")],
};
const TIMES_VECTOR: Kernel = Kernel {
    name: "times_vector",
    file: FILE,
    operands: &[reads("a"), reads("x"), writes("y")],
};
const DEVIATION: Kernel = Kernel {
    name: "deviation",
    file: FILE,
    operands: &[reads("mean"), reads("second"), writes("out")],
};
const DEVIATION_BACKWARD: Kernel = Kernel {
    name: "deviation_backward",
    file: FILE,
    operands: &[
        reads("mean"),
        reads("deviation"),
        reads("gradient"),
        writes("first"),
        writes("out"),
    ],
};

/// The side of a square matrix.
pub(super) fn side(what: &'static str, matrix: &Tensor) -> Result<usize> {
    match *matrix.shape() {
        [rows, columns] if rows == columns => Ok(rows),
        _ => Err(ComputeError::Shape {
            what,
            expected: vec![0, 0],
            got: matrix.shape().to_vec(),
        }),
    }
}

/// Mean, second raw moment and channels.
fn parts<'a>(
    context: &Context,
    what: &'static str,
    moments: &'a Moments,
) -> Result<(&'a Array, &'a Array, usize)> {
    let c = side(what, &moments.second)?;
    if *moments.mean.shape() != [c] {
        return Err(ComputeError::Shape {
            what,
            expected: vec![c],
            got: moments.mean.shape().to_vec(),
        });
    }
    Ok((
        get(context, what, &moments.mean)?,
        get(context, what, &moments.second)?,
        c,
    ))
}

/// A matrix whose rows and columns are so many elements apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strided<'a> {
    pub(super) values: &'a Array,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) down: usize,
    pub(super) right: usize,
}

impl<'a> Strided<'a> {
    /// A row-major matrix.
    pub(super) fn new(values: &'a Array, rows: usize, columns: usize) -> Self {
        Self {
            values,
            rows,
            columns,
            down: columns,
            right: 1,
        }
    }

    pub(super) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            down: self.right,
            right: self.down,
            ..self
        }
    }

    /// `y = alpha·self·x + beta·y`.
    pub(super) fn times(
        self,
        context: &Context,
        alpha: f32,
        x: &Array,
        beta: f32,
        y: &Array,
    ) -> Result<()> {
        context.run(&Launch {
            kernel: &TIMES_VECTOR,
            constants: &[],
            more: None,
            operands: &[Some(self.values), Some(x), Some(y)],
            params: &[
                Param::U(self.rows),
                Param::U(self.columns),
                Param::U(self.down),
                Param::U(self.right),
                Param::F(alpha),
                Param::F(beta),
            ],
            groups: self.rows,
            batches: 1,
        })
    }
}

pub(super) fn covariance(context: &Context, moments: &Moments, ridge: f32) -> Result<Tensor> {
    let (mean, second, c) = parts(context, "covariance", moments)?;
    let out = context.pool.take(c * c)?;
    let params = [Param::U(c * c), Param::U(c), Param::F(ridge)];
    let operands = [Some(mean), Some(second), Some(&out)];
    each(context, &COVARIANCE, c * c, &operands, &params)?;
    Ok(put(out, &[c, c]))
}

pub(super) fn trace(context: &Arc<Context>, matrix: &Tensor) -> Result<Scalar> {
    let c = side("trace", matrix)?;
    let x = get(context, "trace", matrix)?;
    summed(context, &TRACE, c, &[x], &[])
}

pub(super) fn covariance_backward(
    context: &Context,
    moments: &Moments,
    gradient: &Tensor,
    k: f32,
) -> Result<Moments> {
    let what = "covariance_backward";
    let (mean, _, c) = parts(context, what, moments)?;
    same(what, &moments.second, gradient)?;
    let gradient = get(context, what, gradient)?;
    let second = context.pool.take(c * c)?;
    let params = [Param::U(c * c), Param::F(k)];
    let operands = [Some(gradient), Some(&second)];
    each(context, &SCALED, c * c, &operands, &params)?;
    let first = context.pool.take(c)?;
    Strided::new(&second, c, c).times(context, -2.0, mean, 0.0, &first)?;
    Ok(Moments {
        mean: put(first, &[c]),
        second: put(second, &[c, c]),
    })
}

pub(super) fn standard_deviation(
    context: &Context,
    moments: &Moments,
    epsilon: f32,
) -> Result<Tensor> {
    let (mean, second, c) = parts(context, "standard_deviation", moments)?;
    let out = context.pool.take(c)?;
    let operands = [Some(mean), Some(second), Some(&out)];
    let params = [Param::U(c), Param::F(epsilon)];
    each(context, &DEVIATION, c, &operands, &params)?;
    Ok(put(out, &[c]))
}

pub(super) fn standard_deviation_backward(
    context: &Context,
    moments: &Moments,
    deviation: &Tensor,
    gradient: &Tensor,
) -> Result<Moments> {
    let what = "standard_deviation_backward";
    let (mean, _, c) = parts(context, what, moments)?;
    same(what, &moments.mean, deviation)?;
    same(what, deviation, gradient)?;
    let (first, second) = (context.pool.take(c)?, context.pool.take(c * c)?);
    let operands = [
        Some(mean),
        Some(get(context, what, deviation)?),
        Some(get(context, what, gradient)?),
        Some(&first),
        Some(&second),
    ];
    let params = [Param::U(c * c), Param::U(c)];
    each(context, &DEVIATION_BACKWARD, c * c, &operands, &params)?;
    Ok(Moments {
        mean: put(first, &[c]),
        second: put(second, &[c, c]),
    })
}
