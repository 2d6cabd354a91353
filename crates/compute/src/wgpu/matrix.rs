//! Functions of square matrices, and the product of a matrix and a vector.

use super::array::{get, put};
use super::context::Context;
use super::kernel::{Kernel, Launch, Param, reads, writes};
use super::memory::Array;
use super::moments::{From, Mixing};
use super::network::Shape;
use super::vector::summed;
use super::{GpuDevice, fidelity};
use crate::device::{Mixture, side};
use crate::{MatrixOps, Result, Scalar, Tensor};

pub(super) const FILE: &str = include_str!("matrix.wgsl");
const TRACE: Kernel = Kernel {
    name: "trace",
    file: FILE,
    operands: &[reads("x"), writes("partials")],
};
const TIMES_VECTOR: Kernel = Kernel {
    name: "times_vector",
    file: FILE,
    operands: &[reads("a"), reads("x"), writes("y")],
};

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

impl MatrixOps for GpuDevice {
    fn trace(&self, matrix: &Tensor) -> Result<Scalar> {
        let context = &self.context;
        let c = side("trace", matrix)?;
        let x = get(context, "trace", matrix)?;
        summed(context, &TRACE, c, &[x], &[])
    }

    fn cholesky(&self, covariance: &Tensor) -> Result<Tensor> {
        fidelity::cholesky(&self.context, covariance)
    }

    fn fidelity(&self, covariance: &Tensor, target_factor: &Tensor) -> Result<(Scalar, Tensor)> {
        fidelity::fidelity(&self.context, covariance, target_factor)
    }

    fn mix_channels(&self, features: &Tensor, matrix: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let (context, what) = (&self.context, "mix_channels");
        let mixture = Mixture::of(features, matrix, bias)?;
        let [h, w] = mixture.size;
        let size = Shape {
            channels: mixture.outputs,
            h,
            w,
        };
        let out = context.pool.take(size.len())?;
        let mixing = Mixing {
            matrix: get(context, what, matrix)?,
            as_it_is: true,
            bias: Some((get(context, what, bias)?, 1.0)),
            inputs: mixture.inputs,
            outputs: mixture.outputs,
            w,
            pixels: size.area(),
            window: size.window(),
        };
        mixing.run(context, From::Map(get(context, what, features)?), &out)?;
        Ok(put(out, &size.shape()))
    }
}
