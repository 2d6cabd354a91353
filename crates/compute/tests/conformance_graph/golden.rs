//! What the reference computes, held against PyTorch: `golden/make.py` made the numbers.

use super::*;
use impasto_compute::Hardware;
use impasto_compute::graph::Graphs;

/// As in `make.py`.
pub(super) fn numbers(seed: usize, count: usize) -> Vec<f32> {
    let number = |i: usize| ((i * 7919 + seed * 104_729) % 2001) as f64 - 1000.0;
    (0..count).map(|i| (number(i) / 1000.0) as f32).collect()
}

/// The operations of `make.py`, by their names.
pub(super) fn operation(name: &str) -> Option<Op> {
    let convolution = |groups: usize, k: usize, stride: usize, border: Border| {
        Op::Convolution(Convolution {
            inputs: 4,
            outputs: 6,
            groups,
            kernel: [k; 2],
            stride,
            border,
            weight: numbers(2, 6 * 4 / groups * k * k).into(),
            bias: numbers(3, 6).into(),
        })
    };
    let transposed = |kernel: usize| {
        Op::TransposedConvolution(TransposedConvolution {
            inputs: 4,
            outputs: 3,
            kernel,
            stride: 2,
            before: 1,
            weight: numbers(2, 4 * 3 * kernel * kernel).into(),
            bias: numbers(3, 3).into(),
        })
    };
    let pool = |kind: PoolingKind, kernel: usize, border: Border| {
        Op::Pool(Pooling {
            kind,
            kernel,
            stride: 2,
            border,
        })
    };
    let centred = Border::Centred(Padding::Zero);
    let (epsilon, variance) = (1e-3, Variance::Biased);
    let affine = Affine::Fixed(Scaling {
        scale: numbers(2, 4).into(),
        shift: numbers(3, 4).into(),
    });
    let pad = |padding| Op::Pad { amount: 2, padding };
    Some(match name {
        "convolution zero" => convolution(1, 3, 2, centred),
        "convolution replicate" => convolution(1, 3, 2, Border::Centred(Padding::Replicate)),
        "convolution reflect" => convolution(1, 3, 2, Border::Centred(Padding::Reflect)),
        "convolution valid" => convolution(1, 3, 1, Border::Valid),
        "convolution in groups" => convolution(2, 5, 1, Border::Centred(Padding::Reflect)),
        "pad zero" => pad(Padding::Zero),
        "pad replicate" => pad(Padding::Replicate),
        "pad reflect" => pad(Padding::Reflect),
        "transposed 3" => transposed(3),
        "transposed 4" => transposed(4),
        "nearest" => Op::Upsample(Upsampling::Nearest),
        "bilinear" => Op::Upsample(Upsampling::Bilinear),
        "max pool" => pool(PoolingKind::Max, 2, Border::Valid),
        "max pool centred" => pool(PoolingKind::Max, 3, centred),
        "average pool" => pool(PoolingKind::Average, 2, Border::Valid),
        "average pool centred" => pool(PoolingKind::Average, 3, centred),
        "instance norm" => Op::InstanceNorm(InstanceNorm {
            epsilon,
            variance,
            affine,
        }),
        "deviation" => Op::ChannelDeviation {
            epsilon,
            variance: Variance::Unbiased,
        },
        "linear" => Op::Linear(Linear {
            weight: numbers(2, 15).into(),
            bias: numbers(3, 3).into(),
        }),
        _ => return None,
    })
}

#[test]
fn the_reference_computes_what_pytorch_does() -> Result<()> {
    let device = ReferenceDevice::new();
    for line in include_str!("golden/golden.txt").lines() {
        let (name, values) = line.split_once(':').expect("a name and numbers");
        let parse = |value: &str| value.parse::<f64>().expect("a number");
        let expected: Vec<f64> = values.split_whitespace().map(parse).collect();
        let op = operation(name).unwrap_or_else(|| panic!("{name} is not an operation"));
        let shape = match op {
            Op::Linear(_) => Shape::Vector(5),
            _ => map(4, 6, 7),
        };
        let graph = device.graph(&single(op, &[shape]))?;
        let dims = shape.dims();
        let x = device.upload(&numbers(1, dims.iter().product()), &dims)?;
        let made = graph.run(&[&x], None)?;
        let got = ReferenceDevice::values(&made[0])?;
        assert_close(name, got, &expected, Tolerance::absolute(1e-7));
    }
    Ok(())
}
