//! Functions of square matrices, which here are covariances and their factors.

use super::Hardware;
use super::fallback::{Fallback, REFERENCE};
use crate::{ComputeError, Result, Scalar, Tensor};

/// Functions of square matrices `[c, c]`.
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
