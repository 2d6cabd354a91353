//! Pieces that graphs of networks are put together from.

use super::NetError;
use super::tensors::{Filters, Layout, Tensors};
use impasto_compute::graph::{
    Activation, Affine, Border, Convolution, GraphSpec, InstanceNorm, Linear, Op, Scaling, Value,
    Variance,
};
use std::sync::Arc;

/// Reads a convolution of `inputs` channels: its filters and, if the file has it, its bias.
pub(super) fn convolution(
    tensors: &Tensors<'_>,
    [weight, bias]: [&str; 2],
    layout: Layout,
    inputs: usize,
    stride: usize,
    border: Border,
) -> Result<Convolution, NetError> {
    let Filters { shape, values } = tensors.filters(weight, layout)?;
    let [outputs, seen, height, width] = shape;
    // Each filter sees the channels of its group.
    let fits = inputs.is_multiple_of(seen) && outputs.is_multiple_of(inputs / seen);
    if !fits {
        let got = tensors.shape(weight).unwrap_or_default();
        return Err(tensors.misfit(weight, got, format!("filters that read {inputs} channels")));
    }
    Ok(Convolution {
        inputs,
        outputs,
        groups: inputs / seen,
        kernel: [height, width],
        stride,
        border,
        weight: values.into(),
        bias: tensors.bias(Some(bias), outputs)?.into(),
    })
}

/// Reads a linear map from `inputs` numbers to `outputs`.
pub(super) fn linear(
    tensors: &Tensors<'_>,
    [weight, bias]: [&str; 2],
    inputs: usize,
    outputs: usize,
) -> Result<Linear, NetError> {
    Ok(Linear {
        weight: tensors.matrix(weight, outputs, inputs)?.into(),
        bias: tensors.bias(Some(bias), outputs)?.into(),
    })
}

/// `x · scale + shift` for red, green and blue.
pub(super) fn colours(scale: [f32; 3], shift: [f32; 3]) -> Op {
    Op::Scale(Scaling {
        scale: Arc::from(scale.as_slice()),
        shift: Arc::from(shift.as_slice()),
    })
}

/// An instance norm whose scale and shift are two more values.
pub(super) fn given_norm(epsilon: f32, variance: Variance) -> Op {
    Op::InstanceNorm(InstanceNorm {
        epsilon,
        variance,
        affine: Affine::Given,
    })
}

/// Checks a graph that was made of a file.
pub(super) fn checked(
    tensors: &Tensors<'_>,
    network: &'static str,
    graph: GraphSpec,
) -> Result<GraphSpec, NetError> {
    match graph.validate() {
        Ok(()) => Ok(graph),
        Err(problem) => Err(NetError::Graph {
            file: tensors.file().into(),
            network,
            problem,
        }),
    }
}

/// `max(x, 0)`.
pub(super) fn relu(graph: &mut GraphSpec, x: Value) -> Value {
    graph.push(Op::Activation(Activation::Relu), &[x])
}
