//! Functions of square matrices.

use super::array::get;
use super::{CpuDevice, fidelity};
use crate::device::side;
use crate::{MatrixOps, Result, Scalar, Tensor};

impl MatrixOps for CpuDevice {
    fn trace(&self, matrix: &Tensor) -> Result<Scalar> {
        let c = side("trace", matrix)?;
        let diagonal = get("trace", matrix)?.iter().step_by(c + 1);
        Ok(Scalar::Ready(diagonal.map(|&v| f64::from(v)).sum()))
    }

    fn cholesky(&self, covariance: &Tensor) -> Result<Tensor> {
        fidelity::cholesky(&self.context, covariance)
    }

    fn fidelity(&self, covariance: &Tensor, target_factor: &Tensor) -> Result<(Scalar, Tensor)> {
        fidelity::fidelity(&self.context, covariance, target_factor)
    }
}
