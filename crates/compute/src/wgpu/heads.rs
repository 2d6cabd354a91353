//! Linear heads: their features, and their moments from those of the trunk.
//!
//! A head is `y = H·x + b` at every pixel, so its moments follow from the trunk's without its features:
//!
//! ```text
//! μ_y = H·μ + b            S_y = H·S·Hᵀ + (Hμ)·bᵀ + b·(Hμ)ᵀ + b·bᵀ
//! dμ  = Hᵀ·dμ_y + Hᵀ·(dS_y + dS_yᵀ)·b      dS = Hᵀ·dS_y·H
//! ```

use super::array::{from_plain, get, get_mut, put};
use super::context::Context;
use super::kernel::{Kernel, Param, reads, writes};
use super::matrix::{FILE, Strided};
use super::memory::Array;
use super::moments::{From, Mixing};
use super::network::Shape;
use super::product::{How, Operand, product};
use super::vector::each;
use crate::{Head, Moments, Result, Tensor};

const SECOND: Kernel = Kernel {
    name: "head_second",
    file: FILE,
    operands: &[
        reads("linear"),
        reads("bias"),
        writes("mean"),
        writes("out"),
    ],
};

/// A head on the device.
#[derive(Debug)]
pub(super) struct HeadMatrices {
    inputs: usize,
    outputs: usize,
    /// `H`, `[out, in]`.
    matrix: Array,
    /// `Hᵀ`.
    transposed: Array,
    bias: Array,
}

impl HeadMatrices {
    pub(super) fn new(context: &Context, head: &Head) -> Result<Self> {
        let outputs = head.out_channels;
        let inputs = head.weight.len() / outputs.max(1);
        let transposed: Vec<f32> = (0..inputs * outputs)
            .map(|k| head.weight[k % outputs * inputs + k / outputs])
            .collect();
        Ok(Self {
            inputs,
            outputs,
            matrix: from_plain(context, &head.weight)?,
            transposed: from_plain(context, &transposed)?,
            bias: from_plain(context, &head.bias)?,
        })
    }

    /// Features of the head, from a map of the trunk.
    pub(super) fn features(&self, context: &Context, size: Shape, map: &Array) -> Result<Tensor> {
        let size = Shape {
            channels: self.outputs,
            ..size
        };
        let out = context.pool.take(size.len())?;
        let mixing = Mixing {
            matrix: &self.transposed,
            as_it_is: false,
            bias: Some((&self.bias, 1.0)),
            inputs: self.inputs,
            outputs: self.outputs,
            w: size.w,
            pixels: size.area(),
            window: size.window(),
        };
        mixing.run(context, From::Map(map), &out)?;
        Ok(put(out, &size.shape()))
    }

    /// What takes a gradient towards the head's features to one towards the trunk's.
    pub(super) fn gradient(&self, size: Shape) -> Mixing<'_> {
        Mixing {
            matrix: &self.matrix,
            as_it_is: false,
            bias: None,
            inputs: self.outputs,
            outputs: self.inputs,
            w: size.w,
            pixels: size.area(),
            window: size.window(),
        }
    }

    /// Moments of the head.
    pub(super) fn moments(&self, context: &Context, trunk: &Moments) -> Result<Moments> {
        let what = "moments of a head";
        let (inputs, outputs) = (self.inputs, self.outputs);
        let linear = context.pool.take(outputs)?;
        let matrix = Strided::new(&self.matrix, outputs, inputs);
        matrix.times(context, 1.0, get(context, what, &trunk.mean)?, 0.0, &linear)?;
        let half = context.pool.take(outputs * inputs)?;
        let second = get(context, what, &trunk.second)?;
        product(
            context,
            [outputs, inputs, inputs],
            Operand::plain(&self.matrix),
            Operand::plain(second),
            How::default(),
            &half,
        )?;
        let out = context.pool.take(outputs * outputs)?;
        product(
            context,
            [outputs, outputs, inputs],
            Operand::plain(&half),
            Operand::transposed(&self.matrix),
            How::default(),
            &out,
        )?;
        let mean = context.pool.take(outputs)?;
        let operands = [Some(&linear), Some(&self.bias), Some(&mean), Some(&out)];
        let params = [Param::U(outputs * outputs), Param::U(outputs)];
        each(context, &SECOND, outputs * outputs, &operands, &params)?;
        Ok(Moments {
            mean: put(mean, &[outputs]),
            second: put(out, &[outputs, outputs]),
        })
    }

    /// Adds the gradient towards the trunk's moments, from that towards the head's.
    pub(super) fn moments_backward(
        &self,
        context: &Context,
        towards: &Moments,
        trunk: &mut Moments,
    ) -> Result<()> {
        let what = "backward";
        let (inputs, outputs) = (self.inputs, self.outputs);
        let second = get(context, what, &towards.second)?;
        let of_mean = context.pool.take(outputs)?;
        context.copy(get(context, what, &towards.mean)?, &of_mean);
        let square = Strided::new(second, outputs, outputs);
        square.times(context, 1.0, &self.bias, 1.0, &of_mean)?;
        square
            .transposed()
            .times(context, 1.0, &self.bias, 1.0, &of_mean)?;
        let matrix = Strided::new(&self.matrix, outputs, inputs).transposed();
        let mean = get_mut(context, what, &mut trunk.mean)?;
        matrix.times(context, 1.0, &of_mean, 1.0, mean)?;
        let half = context.pool.take(outputs * inputs)?;
        product(
            context,
            [outputs, inputs, outputs],
            Operand::plain(second),
            Operand::plain(&self.matrix),
            How::default(),
            &half,
        )?;
        let how = How {
            beta: 1.0,
            ..How::default()
        };
        product(
            context,
            [inputs, inputs, outputs],
            Operand::transposed(&self.matrix),
            Operand::plain(&half),
            how,
            get_mut(context, what, &mut trunk.second)?,
        )
    }
}
