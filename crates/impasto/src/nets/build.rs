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

/// Reads a linear map from `inputs` numbers, or as many as it reads, to `outputs`: a convolution of a single place.
pub(super) fn linear(
    tensors: &Tensors<'_>,
    [weight, bias]: [&str; 2],
    layout: Layout,
    inputs: Option<usize>,
    outputs: usize,
) -> Result<Linear, NetError> {
    let Filters { shape, values } = tensors.filters(weight, layout)?;
    let expected = [outputs, inputs.unwrap_or(shape[1]), 1, 1];
    if shape != expected {
        let got = tensors.shape(weight).unwrap_or_default();
        let expected = format!("a map from {} numbers to {outputs}", expected[1]);
        return Err(tensors.misfit(weight, got, expected));
    }
    Ok(Linear {
        weight: values.into(),
        bias: tensors.bias(Some(bias), outputs)?.into(),
    })
}

/// A batch norm as it is when nothing is learned: `(x − mean)/√(variance + ε)·scale + shift`.
pub(super) struct Batch {
    factors: Vec<f32>,
    means: Vec<f32>,
    shifts: Vec<f32>,
}

impl Batch {
    /// Reads one of so many channels, by the names of its mean, its variance, its scale, if it has one, and its shift.
    pub(super) fn read(
        tensors: &Tensors<'_>,
        [mean, variance, shift]: [&str; 3],
        scale: Option<&str>,
        epsilon: f32,
        channels: usize,
    ) -> Result<Self, NetError> {
        let variances = tensors.vector(variance, channels)?;
        let scales = match scale {
            Some(scale) => tensors.vector(scale, channels)?,
            None => vec![1.0; channels],
        };
        let pairs = scales.iter().zip(&variances);
        let factors = pairs.map(|(scale, variance)| scale / (variance.max(0.0) + epsilon).sqrt());
        Ok(Self {
            factors: factors.collect(),
            means: tensors.vector(mean, channels)?,
            shifts: tensors.vector(shift, channels)?,
        })
    }

    /// The batch norm of TensorFlow's Slim in a scope, which has no scale if that was not learned, and `10⁻³` as its ε.
    pub(super) fn slim(
        tensors: &Tensors<'_>,
        scope: &str,
        channels: usize,
    ) -> Result<Self, NetError> {
        let names = ["moving_mean", "moving_variance", "beta"];
        let names = names.map(|part| format!("{scope}/{part}"));
        let gamma = format!("{scope}/gamma");
        let scale = tensors.has(&gamma).then_some(gamma.as_str());
        let names = names.each_ref().map(String::as_str);
        Self::read(tensors, names, scale, 1e-3, channels)
    }

    /// Folds it into what stands before it: filters of which number `i` makes channel `channel(i)`, and their bias.
    pub(super) fn fold(
        &self,
        weight: &mut Arc<[f32]>,
        bias: &mut Arc<[f32]>,
        channel: impl Fn(usize) -> usize,
    ) {
        let scaled = |(i, weight): (usize, &f32)| weight * self.factors[channel(i)];
        *weight = weight.iter().enumerate().map(scaled).collect();
        *bias = (0..bias.len())
            .map(|c| (bias[c] - self.means[c]) * self.factors[c] + self.shifts[c])
            .collect();
    }

    /// Folds it into a convolution.
    pub(super) fn fold_into(&self, convolution: &mut Convolution) {
        let size = convolution.weight.len() / convolution.outputs.max(1);
        self.fold(&mut convolution.weight, &mut convolution.bias, |i| i / size);
    }
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
