//! Whether an adapter computes right: drivers differ, and a picture that is wrong is worse than none.
//!
//! A small network, its gradient, a fidelity and a graph are computed here and on another device; both have to agree.

use super::Precision;
use crate::graph::{
    self, Activation, Affine, Border, GraphSpec, InstanceNorm, Kind, Op, Upsampling, Variance,
};
use crate::{
    ComputeError, Conv3x3, Cotangent, Device, Input, InputNorm, Layer, NetSpec, Padding, Pool,
    PoolKind, Result, Tap, TapRequest,
};

/// What rounding may make of results, in f32 and in f16.
const TOLERANCE: [f64; 2] = [1e-3, 5e-2];
/// Height and width of the picture: odd, and more than a tile.
const SIZE: (usize, usize) = (19, 23);

/// Numbers in −1..1 that look random.
fn noise(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

fn spec() -> Result<NetSpec> {
    let conv = |from: usize, to: usize| -> Result<Layer> {
        let scale = (6.0 / (9 * from) as f32).sqrt();
        let mut weight = noise(from as u64, 9 * from * to);
        weight.iter_mut().for_each(|w| *w *= scale);
        let bias = noise(to as u64, to);
        Ok(Layer::Conv(Conv3x3::new(
            from,
            to,
            Padding::Replicate,
            weight,
            bias,
        )?))
    };
    Ok(NetSpec {
        input: Input::Image(InputNorm {
            mean: [0.5; 3],
            scale: [2.0; 3],
        }),
        layers: vec![
            conv(3, 12)?,
            Layer::Relu,
            conv(12, 70)?,
            Layer::Relu,
            Layer::Pool(Pool {
                kind: PoolKind::Max,
                factor: 1.0,
            }),
            conv(70, 40)?,
            Layer::Relu,
        ],
        heads: vec![],
    })
}

/// A convolution by strides, a norm, and another convolution at twice the size.
fn graph() -> GraphSpec {
    let convolution = |inputs: usize, outputs: usize, side: usize, stride: usize| {
        let scale = (3.0 / (side * side * inputs) as f32).sqrt();
        let mut weight = noise(side as u64, side * side * inputs * outputs);
        weight.iter_mut().for_each(|w| *w *= scale);
        Op::Convolution(graph::Convolution {
            inputs,
            outputs,
            groups: 1,
            kernel: [side; 2],
            stride,
            border: Border::Centred(Padding::Reflect),
            weight: weight.into(),
            bias: noise(outputs as u64, outputs).into(),
        })
    };
    let mut spec = GraphSpec::new();
    let mut x = spec.input("image", Kind::Map(3));
    for op in [
        convolution(3, 20, 5, 2),
        Op::InstanceNorm(InstanceNorm {
            epsilon: 1e-3,
            variance: Variance::Biased,
            affine: Affine::Plain,
        }),
        Op::Activation(Activation::Relu),
        Op::Upsample(Upsampling::Nearest),
        convolution(20, 3, 3, 1),
        Op::Activation(Activation::Sigmoid),
    ] {
        x = spec.push(op, &[x]);
    }
    spec.output(x);
    spec
}

/// What a device makes of it, by name.
fn run(device: &dyn Device) -> Result<Vec<(&'static str, Vec<f32>)>> {
    let (h, w) = SIZE;
    let spec = spec()?;
    let (first, deep) = (Tap::Layer(1), Tap::Layer(6));
    let network = device.network(&spec)?;
    let mut pixels = noise(1, 3 * h * w);
    pixels.iter_mut().for_each(|v| *v = 0.5 + 0.5 * *v);
    let image = device.upload(&pixels, &[3, h, w])?;
    let taps = [TapRequest::moments(first), TapRequest::features(deep)];
    let tape = network.forward(&image, &taps)?;

    let moments = tape.moments(first)?;
    let covariance = device.covariance(moments, 1e-3)?;
    let target = noise(2, 12 * 12);
    let product = |k: usize| -> f32 {
        let row = |i: usize| &target[12 * i..12 * (i + 1)];
        let pairs = row(k / 12).iter().zip(row(k % 12));
        pairs.map(|(a, b)| a * b).sum()
    };
    let target: Vec<f32> = (0..144).map(product).collect();
    let factor = device.cholesky(&device.upload(&target, &[12, 12])?)?;
    let (fidelity, slope) = device.fidelity(&covariance, &factor)?;
    let towards = device.covariance_backward(moments, &slope, 1.0)?;

    let features = tape.features(deep)?;
    let zeros = device.zeros(features.shape())?;
    let (sum, gradient) = device.squared_error(features, &zeros, 0.01)?;
    let mut results = vec![
        ("features", device.download(features)?),
        ("moments", device.download(&moments.second)?),
        ("a fidelity", vec![fidelity.value()? as f32]),
        ("a sum", vec![sum.value()? as f32]),
    ];
    let cotangents = vec![
        Cotangent::moments(first, towards),
        Cotangent::features(deep, gradient),
    ];
    results.push(("a gradient", device.download(&tape.backward(cotangents)?)?));
    let painted = device.graph(&graph())?.run(&[&image], None)?;
    results.push(("a graph", device.download(&painted[0])?));
    Ok(results)
}

/// How far results are from what they should be, as a part of it: the greatest difference, or, where numbers are rounded to 16
/// bits and single ones may belong to another pixel of a pool, all of them together.
fn distance(got: &[f32], expected: &[f32], precision: Precision) -> f64 {
    let differences = got.iter().zip(expected).map(|(a, b)| f64::from(a - b));
    let expected = expected.iter().map(|v| f64::from(*v));
    match precision {
        Precision::Standard => {
            let largest = expected.fold(0.0_f64, |max, v| max.max(v.abs()));
            let error = differences.fold(0.0_f64, |max, e| match e.is_nan() {
                true => f64::INFINITY,
                false => max.max(e.abs()),
            });
            error / largest
        }
        Precision::Half | Precision::Matrices => {
            let square = |v: f64| v * v;
            let error: f64 = differences.map(square).sum();
            (error / expected.map(square).sum::<f64>()).sqrt()
        }
    }
}

/// Holds a device against another one that is trusted.
pub(super) fn compare(
    device: &dyn Device,
    trusted: &dyn Device,
    precision: Precision,
) -> Result<()> {
    let tolerance = TOLERANCE[usize::from(precision != Precision::Standard)];
    let results = run(device)?.into_iter().zip(run(trusted)?);
    for ((what, got), (_, expected)) in results {
        let error = distance(&got, &expected, precision);
        // What is no number is far away, too.
        if !(0.0..=tolerance).contains(&error) {
            return Err(ComputeError::Failed {
                device: device.describe(),
                problem: format!("it computes {what} wrong, by {error:e} of it (driver too old?)"),
            });
        }
    }
    Ok(())
}
