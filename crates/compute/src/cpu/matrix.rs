//! Functions of square matrices, and matrices applied to features.

use super::array::{self, get};
use super::mixing::{Matrix, Operand, Pixels};
use super::simd::LANES;
use super::{CpuDevice, eigen, fidelity};
use crate::device::{Mixture, side};
use crate::reference::ordered;
use crate::{Eigen, MatrixOps, Result, Scalar, Tensor};

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

    fn mix_channels(&self, features: &Tensor, matrix: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let Mixture {
            inputs,
            size: [h, w],
            outputs,
        } = Mixture::of(features, matrix, bias)?;
        let (context, what) = (&self.context, "mix_channels");
        let (weight, bias) = (get(what, matrix)?, get(what, bias)?);
        let mut x = array::blocked(context, what, features)?;
        if inputs == 0 {
            // Of no channels the bias remains, as of a block that is zero.
            x = context.pool.zeros(LANES * h * w)?;
        }
        if outputs * h * w == 0 {
            return array::zeros(context, &[outputs, h, w]);
        }
        let matrix = Matrix::new(
            (outputs, inputs.max(1)),
            |out, k| weight.get(out * inputs + k).map_or(0.0, |&weight| weight),
            |out| bias[out],
        );
        let mut mixed = context.pool.take(outputs.next_multiple_of(LANES) * h * w)?;
        let operand = Operand::Into {
            x: x.lanes(),
            out: mixed.lanes_mut(),
        };
        matrix.apply(context, Pixels::all(h * w), operand)?;
        array::put_blocked(context, mixed, [outputs, h, w])
    }

    fn eigen(&self, matrix: &Tensor) -> Result<Eigen> {
        let c = side("eigen", matrix)?;
        let values: Vec<f64> = get("eigen", matrix)?
            .iter()
            .map(|&v| f64::from(v))
            .collect();
        let (values, rows) = eigen::symmetric(&values, c);
        Ok(ordered(&values, &rows, c))
    }
}
