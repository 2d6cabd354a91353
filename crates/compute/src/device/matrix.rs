//! Functions of square matrices, which here are covariances and their factors, and what matrices do to features.

use super::Hardware;
use super::fallback::{Fallback, REFERENCE};
use crate::{ComputeError, Result, Scalar, Tensor};

/// Eigenvalues of a symmetric matrix, the greatest first, and their vectors.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Eigen {
    /// Eigenvalues, `[c]`.
    pub values: Vec<f64>,
    /// Orthonormal eigenvectors as rows, `[c, c]`; the entry of each that is greatest in magnitude is positive.
    pub vectors: Vec<f64>,
}

/// Functions of square matrices `[c, c]`, and matrices applied to features.
pub trait MatrixOps: Hardware {
    /// Sum of the diagonal of a square matrix.
    fn trace(&self, matrix: &Tensor) -> Result<Scalar> {
        let fallback = Fallback::of(self, "trace")?;
        REFERENCE.trace(&fallback.operand(matrix)?)
    }

    /// A factor of a covariance, `L·Lᵀ = Σ`, lower triangular up to the order of its rows, for
    /// [`MatrixOps::fidelity`]. What is left of a channel's variance below a floor is rounding and raised to it, so a
    /// singular matrix has a factor too.
    fn cholesky(&self, covariance: &Tensor) -> Result<Tensor> {
        let fallback = Fallback::of(self, "cholesky")?;
        fallback.result(REFERENCE.cholesky(&fallback.operand(covariance)?)?)
    }

    /// Fidelity of two covariances, `tr (Σ̂^½ Σ Σ̂^½)^½`, from `Σ` and a factor of `Σ̂`, and its gradient
    /// `½·Σ̂^½ (Σ̂^½ Σ Σ̂^½)^−½ Σ̂^½` towards `Σ`, `[c, c]`, symmetric.
    ///
    /// Equal to the nuclear norm of `LᵀL̂` for any factors `L·Lᵀ = Σ`, `L̂·L̂ᵀ = Σ̂`.
    fn fidelity(&self, covariance: &Tensor, target_factor: &Tensor) -> Result<(Scalar, Tensor)> {
        let fallback = Fallback::of(self, "fidelity")?;
        let covariance = fallback.operand(covariance)?;
        let target_factor = fallback.operand(target_factor)?;
        fallback.result(REFERENCE.fidelity(&covariance, &target_factor)?)
    }

    /// Mixes the channels of every place, `y = W·x + b`: a 1×1 convolution of features `[c, h, w]` by a matrix `[n, c]` and
    /// a bias `[n]`, to features `[n, h, w]`.
    fn mix_channels(&self, features: &Tensor, matrix: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let fallback = Fallback::of(self, "mix_channels")?;
        let (matrix, bias) = (fallback.operand(matrix)?, fallback.operand(bias)?);
        let features = fallback.operand(features)?;
        fallback.result(REFERENCE.mix_channels(&features, &matrix, &bias)?)
    }

    /// Eigenvalues and eigenvectors of a symmetric matrix, on the host. Of one with entries that are no numbers, numbers
    /// that mean nothing.
    fn eigen(&self, matrix: &Tensor) -> Result<Eigen> {
        let processor = Fallback::to_processor(self, "eigen")?;
        processor.device().eigen(&processor.operand(matrix)?)
    }
}

/// The side of a square matrix.
pub(crate) fn side(what: &'static str, matrix: &Tensor) -> Result<usize> {
    match *matrix.shape() {
        [rows, columns] if rows == columns => Ok(rows),
        _ => Err(ComputeError::Shape {
            what,
            expected: vec![0, 0],
            got: matrix.shape().to_vec(),
        }),
    }
}

/// What a mixture of channels is made of and makes, checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mixture {
    /// Channels that are read.
    pub(crate) inputs: usize,
    /// Height and width of the features.
    pub(crate) size: [usize; 2],
    /// Channels that are made.
    pub(crate) outputs: usize,
}

impl Mixture {
    /// Checks the operands of [`MatrixOps::mix_channels`].
    pub(crate) fn of(features: &Tensor, matrix: &Tensor, bias: &Tensor) -> Result<Self> {
        let refuse = |expected: Vec<usize>, got: &Tensor| {
            Err(ComputeError::Shape {
                what: "mix_channels",
                expected,
                got: got.shape().to_vec(),
            })
        };
        let &[inputs, h, w] = features.shape() else {
            return refuse(vec![0, 0, 0], features);
        };
        let outputs = bias.len();
        if *bias.shape() != [outputs] {
            return refuse(vec![outputs], bias);
        }
        if *matrix.shape() != [outputs, inputs] {
            return refuse(vec![outputs, inputs], matrix);
        }
        Ok(Self {
            inputs,
            size: [h, w],
            outputs,
        })
    }
}
