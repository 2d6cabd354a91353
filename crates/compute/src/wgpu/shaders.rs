//! Every shader that a device could run, parsed and validated without a device.
//!
//! A device that only counts goes the way of any other, and keeps the text of the kernels that would have run.

use super::context::Context;
use super::cooperative::Matrices;
use super::tuning::Tuning;
use super::{Bounds, Convolutions, GpuDevice, Precision};
use crate::graph::{
    self, Activation, Affine, Border, GraphSpec, InstanceNorm, Kind, Linear, Op, Pooling,
    PoolingKind, Scaling, TransposedConvolution, Upsampling, Variance,
};
use crate::{
    AdamBuffers, AdamStep, Conv3x3, Cotangent, Device, Head, Input, InputNorm, Layer, Moments,
    NetSpec, Padding, Patch, Pool, PoolKind, Reduction, Result, Size, Tap, TapRequest,
    TotalVariation, Window,
};
use std::sync::{Arc, PoisonError};
use wgpu::naga::front::wgsl;
use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

/// Two blocks with a pool between them, a pool of its own, and a head.
fn spec(padding: Padding, kind: PoolKind, channels: [usize; 3]) -> Result<NetSpec> {
    let conv = |from: usize, to: usize| {
        Conv3x3::new(from, to, padding, vec![0.0; 9 * from * to], vec![0.0; to]).map(Layer::Conv)
    };
    let pool = Layer::Pool(Pool { kind, factor: 1.0 });
    let [a, b, c] = channels;
    let layers = vec![
        conv(3, a)?,
        Layer::Relu,
        conv(a, b)?,
        Layer::Relu,
        pool.clone(),
        conv(b, c)?,
        Layer::Relu,
        pool,
    ];
    let head = Head {
        after: 6,
        out_channels: 5,
        weight: vec![0.0; 5 * c].into(),
        bias: vec![0.0; 5].into(),
    };
    let norm = InputNorm {
        mean: [0.5; 3],
        scale: [2.0; 3],
    };
    Ok(NetSpec {
        input: Input::Image(norm),
        layers,
        heads: vec![head],
    })
}

/// Both passes, with something asked of each of these taps.
fn passes(device: &dyn Device, spec: &NetSpec, side: usize, taps: &[Tap]) -> Result<()> {
    let network = device.network(spec)?;
    let image = device.zeros(&[3, side, side])?;
    let both = |&tap| [TapRequest::features(tap), TapRequest::moments(tap)];
    let requests: Vec<TapRequest> = taps.iter().flat_map(both).collect();
    let tape = network.forward(&image, &requests)?;
    let mut cotangents = Vec::new();
    for &tap in taps {
        let (features, moments) = (tape.features(tap)?, tape.moments(tap)?);
        let moments = Moments {
            mean: device.copy(&moments.mean)?,
            second: device.copy(&moments.second)?,
        };
        // Twice, so that gradients are added up.
        cotangents.push(Cotangent::features(tap, device.copy(features)?));
        cotangents.push(Cotangent::features(tap, device.copy(features)?));
        cotangents.push(Cotangent::moments(tap, moments));
    }
    tape.backward(cotangents)?;
    Ok(())
}

fn networks(device: &dyn Device) -> Result<()> {
    let (head, all) = (Tap::Head(0), [0, 1, 3, 4, 6, 7].map(Tap::Layer));
    for padding in [Padding::Zero, Padding::Replicate, Padding::Reflect] {
        for kind in [PoolKind::Max, PoolKind::Average, PoolKind::L2] {
            let small = spec(padding, kind, [5, 6, 7])?;
            passes(device, &small, 11, &all)?;
            passes(device, &small, 11, &[head, Tap::Layer(7)])?;
            // Tiles for large maps.
            passes(device, &spec(padding, kind, [9, 70, 140])?, 300, &[head])?;
        }
    }
    Ok(())
}

fn operations(device: &dyn Device) -> Result<()> {
    let shape = [3, 9, 11];
    let mut images = Vec::new();
    for _ in 0..4 {
        images.push(device.zeros(&shape)?);
    }
    let [image, first, second, average] = &mut images[..] else {
        return Ok(());
    };
    let x = device.upload(&[0.5; 297], &shape)?;
    let patch = Patch {
        from: Window::whole(Size {
            width: 4,
            height: 3,
        }),
        to: (1, 2),
    };
    device.paste(&x, &patch, 1.0, image)?;
    device.axpby(1.0, &x, 2.0, image)?;
    let sum = device.dot(&x, image)?;
    device.sum_abs(&x)?;
    device.max_abs(&x)?;
    device.clamp(image, 0.0, 1.0)?;
    device.squared_error(&x, image, 1.0)?;
    device.scale_over(image, 1.0, &[sum])?;
    for kind in [
        TotalVariation::L1,
        TotalVariation::L2,
        TotalVariation::NinePoint,
    ] {
        device.total_variation(&x, kind, Reduction::Mean, 1.0)?;
    }
    let weights = device.zeros(&shape[1..])?;
    device.scale_places(image, &weights)?;
    device.weighted_moments(&x, &weights)?;
    device.mix_channels(&x, &device.zeros(&[5, 3])?, &device.zeros(&[5])?)?;
    let step = AdamStep {
        learning_rate: 0.1,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        correction1: 0.1,
        correction2: 0.01,
        clamp: None,
        average_decay: 0.9,
    };
    let buffers = AdamBuffers {
        image,
        gradient: &x,
        first,
        second,
        average,
    };
    device.adam(buffers, &step)?;

    let c = 70;
    let moments = Moments {
        mean: device.zeros(&[c])?,
        second: device.zeros(&[c, c])?,
    };
    let covariance = device.covariance(&moments, 1e-4)?;
    device.trace(&covariance)?;
    device.covariance_backward(&moments, &covariance, 1.0)?;
    let factor = device.cholesky(&covariance)?;
    device.fidelity(&covariance, &factor)?;
    // A factor from elsewhere takes another way.
    device.fidelity(&covariance, &covariance)?;
    let deviation = device.standard_deviation(&moments, 1e-8)?;
    device.standard_deviation_backward(&moments, &deviation, &deviation)?;
    Ok(())
}

/// Graphs of every operation, with every function behind and everything that may lie beyond a border.
fn graphs(device: &dyn Device, side: usize) -> Result<()> {
    let tanh = Activation::Tanh {
        scale: 2.0,
        shift: 1.0,
    };
    for (padding, function) in [
        (Padding::Zero, Activation::Relu),
        (Padding::Replicate, Activation::Sigmoid),
        (Padding::Reflect, tanh),
    ] {
        let graph = device.graph(&graph_of_all(padding, function))?;
        let tensors = [device.zeros(&[8, side, side])?, device.zeros(&[1])?];
        graph.run(&tensors.each_ref(), None)?;
    }
    Ok(())
}

fn numbers(n: usize) -> Arc<[f32]> {
    vec![0.5; n].into()
}

/// A convolution of 8 channels.
fn filters(groups: usize, border: Border) -> Op {
    Op::Convolution(graph::Convolution {
        inputs: 8,
        outputs: 8,
        groups,
        kernel: [3, 3],
        stride: 1,
        border,
        weight: numbers(72 * 8 / groups),
        bias: numbers(8),
    })
}

/// What reads one map of 8 channels and makes another of its size.
fn operations_of_maps(border: Border) -> Vec<Op> {
    let scaling = || Scaling {
        scale: numbers(8),
        shift: numbers(8),
    };
    let pool = |kind| {
        Op::Pool(Pooling {
            kind,
            kernel: 3,
            stride: 1,
            border,
        })
    };
    vec![
        filters(1, border),
        filters(8, border),
        Op::TransposedConvolution(TransposedConvolution {
            inputs: 8,
            outputs: 8,
            kernel: 3,
            stride: 1,
            before: 1,
            weight: numbers(72 * 8),
            bias: numbers(8),
        }),
        pool(PoolingKind::Max),
        pool(PoolingKind::Average),
        norm(Affine::Plain),
        norm(Affine::Fixed(scaling())),
        Op::Scale(scaling()),
    ]
}

fn norm(affine: Affine) -> Op {
    Op::InstanceNorm(InstanceNorm {
        epsilon: 1e-5,
        variance: Variance::Biased,
        affine,
    })
}

fn graph_of_all(padding: Padding, function: Activation) -> GraphSpec {
    let mut spec = GraphSpec::new();
    let x = spec.input("x", Kind::Map(8));
    let t = spec.input("t", Kind::Vector(1));
    let mut made = vec![x];
    for op in operations_of_maps(Border::Centred(padding)) {
        let y = spec.push(op, &[x]);
        made.push(spec.push(Op::Activation(function), &[y]));
    }
    let mean = spec.push(Op::ChannelMean, &[x]);
    let deviation = Op::ChannelDeviation {
        epsilon: 1e-5,
        variance: Variance::Biased,
    };
    let deviation = spec.push(deviation, &[x]);
    let linear = Linear {
        weight: numbers(64),
        bias: numbers(8),
    };
    let mean = spec.push(Op::Linear(linear), &[mean]);
    let y = spec.push(norm(Affine::Given), &[x, deviation, mean]);
    let y = spec.push(Op::Mix, &[x, y, t]);
    let y = spec.push(Op::Multiply, &[y, mean]);
    made.push(spec.push(Op::Add, &[y, x]));
    let all = spec.push(Op::Concat, &made);
    let y = spec.push(Op::Upsample(Upsampling::Nearest), &[x]);
    spec.output(y);
    let amount = 2;
    let y = spec.push(Op::Pad { amount, padding }, &[y]);
    let y = spec.push(filters(1, Border::Valid), &[y]);
    let y = spec.push(Op::Crop { amount }, &[y]);
    let y = spec.push(Op::Upsample(Upsampling::Bilinear), &[y]);
    spec.output(y);
    spec.output(all);
    spec
}

/// Validates what a device would have run.
fn validate(device: &GpuDevice, capabilities: Capabilities) {
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    let shaders = device.context.shaders.lock();
    let shaders = shaders.unwrap_or_else(PoisonError::into_inner);
    assert!(shaders.len() > 20, "{} only", shaders.len());
    for (name, text) in shaders.iter() {
        let module = match wgsl::parse_str(text) {
            Ok(module) => module,
            Err(error) => panic!("{name}: {}", error.emit_to_string(text)),
        };
        if let Err(error) = validator.validate(&module) {
            panic!("{name}: {}", error.emit_to_string(text));
        }
    }
}

#[test]
fn every_shader_is_valid() -> Result<()> {
    // Maps in one buffer each, and in several.
    for buffer in [1 << 30, 16 << 10] {
        let device = GpuDevice::counting(Bounds {
            buffer,
            shared: 48 << 10,
            buffers: 1 << 20,
            ..Bounds::default()
        })?;
        operations(&device)?;
        graphs(&device, 23)?;
        if buffer > 1 << 20 {
            networks(&device)?;
        } else {
            let small = spec(Padding::Reflect, PoolKind::Max, [20, 21, 22])?;
            passes(&device, &small, 23, &[Tap::Layer(3), Tap::Layer(6)])?;
        }
        validate(&device, Capabilities::empty());
    }
    Ok(())
}

/// Those that multiply numbers of 16 bits, in both sizes of small matrices, of which no adapter has both.
#[test]
fn every_shader_of_half_precision_is_valid() -> Result<()> {
    let matrices = [(8, 8), (16, 32)].map(|(size, subgroup)| Some(Matrices { size, subgroup }));
    let f16 = Capabilities::SHADER_FLOAT16;
    for (matrices, capabilities) in [
        (None, f16),
        (
            matrices[0],
            f16 | Capabilities::COOPERATIVE_MATRIX | Capabilities::SUBGROUP,
        ),
        (
            matrices[1],
            f16 | Capabilities::COOPERATIVE_MATRIX | Capabilities::SUBGROUP,
        ),
    ] {
        let precision = match matrices {
            None => Precision::Half,
            Some(_) => Precision::Matrices,
        };
        for (convolutions, buffer) in [
            (Convolutions::Direct, 1 << 30),
            (Convolutions::Winograd, 1 << 30),
            (Convolutions::Winograd, 16 << 10),
        ] {
            let bounds = Bounds {
                buffer,
                shared: 48 << 10,
                buffers: 1 << 20,
                ..Bounds::default()
            };
            let tuning = Tuning::new(&convolutions, precision, matrices, "");
            let device = GpuDevice {
                context: Arc::new(Context::new(None, "gpu", bounds, tuning)?),
                adapter: None,
                precision,
            };
            let (taps, side) = match buffer {
                ..=16384 => ([Tap::Layer(3), Tap::Layer(6)], 23),
                _ => ([Tap::Layer(4), Tap::Layer(6)], 300),
            };
            for padding in [Padding::Zero, Padding::Reflect] {
                for kind in [PoolKind::Max, PoolKind::Average] {
                    passes(&device, &spec(padding, kind, [20, 70, 140])?, side, &taps)?;
                }
            }
            validate(&device, capabilities);
            let shaders = device.context.shaders.lock();
            let shaders = shaders.unwrap_or_else(PoisonError::into_inner);
            let has = |word: &str| shaders.values().any(|text| text.contains(word));
            assert!(has("enable f16"));
            assert_eq!(has("coopMultiplyAdd"), matrices.is_some());
        }
    }
    Ok(())
}
