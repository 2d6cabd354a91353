//! The numbers that operations are made from: what learns.

use super::op::{Affine, InstanceNorm, Op};
use std::sync::Arc;

impl Op {
    /// The numbers that it was made from, weights before biases.
    pub fn numbers(&self) -> Vec<&[f32]> {
        match self {
            Op::Convolution(op) => vec![&op.weight, &op.bias],
            Op::TransposedConvolution(op) => vec![&op.weight, &op.bias],
            Op::Linear(op) => vec![&op.weight, &op.bias],
            Op::Scale(op)
            | Op::InstanceNorm(InstanceNorm {
                affine: Affine::Fixed(op),
                ..
            }) => vec![&op.scale, &op.shift],
            _ => vec![],
        }
    }

    /// The same, to be replaced by as many others.
    pub(crate) fn numbers_mut(&mut self) -> Vec<&mut Arc<[f32]>> {
        match self {
            Op::Convolution(op) => vec![&mut op.weight, &mut op.bias],
            Op::TransposedConvolution(op) => vec![&mut op.weight, &mut op.bias],
            Op::Linear(op) => vec![&mut op.weight, &mut op.bias],
            Op::Scale(op)
            | Op::InstanceNorm(InstanceNorm {
                affine: Affine::Fixed(op),
                ..
            }) => vec![&mut op.scale, &mut op.shift],
            _ => vec![],
        }
    }
}
