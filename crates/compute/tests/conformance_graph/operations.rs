//! Every operation by itself.

use super::*;

/// Sides of maps: nothing, a vector, a tile begin and end between them.
const SIDES: [usize; 14] = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 25, 33];
pub(super) const PADDINGS: [Padding; 3] = [Padding::Zero, Padding::Replicate, Padding::Reflect];
/// Rounding of a few operations.
const ROUNDING: f64 = 2e-6;

pub(super) fn borders() -> Vec<Border> {
    let mut borders = vec![Border::Valid];
    borders.extend(PADDINGS.map(Border::Centred));
    borders.extend(PADDINGS.map(Border::Same));
    borders
}

fn fits(filters: &Filters, height: usize, width: usize) -> bool {
    filters.border != Border::Valid || (height >= filters.kernel[0] && width >= filters.kernel[1])
}

fn convolve(filters: &Filters, height: usize, width: usize) {
    if fits(filters, height, width) {
        let inputs = [map(filters.inputs, height, width)];
        let spec = single(filters.op(7), &inputs);
        let Filters {
            inputs: i,
            outputs: o,
            groups,
            kernel,
            stride,
            border,
        } = filters;
        let case = format!("{kernel:?} {i}→{o} /{stride} in {groups} groups {border:?}");
        agree(&case, SUMS, &spec, &inputs);
    }
}

#[test]
fn convolutions_of_every_size_stride_and_border() {
    for border in borders() {
        for kernel in [1, 3, 5, 9] {
            for stride in [1, 2, 3] {
                for (height, width) in [(1, 1), (2, 3), (7, 2), (3, 9), (17, 25), (12, 50)] {
                    convolve(
                        &Filters::square(3, 5, kernel, stride, border),
                        height,
                        width,
                    );
                }
            }
        }
    }
}

#[test]
fn convolutions_at_every_side() {
    for stride in [1, 2] {
        for side in SIDES {
            let border = Border::Centred(Padding::Reflect);
            convolve(&Filters::square(4, 8, 3, stride, border), side, 34 - side);
            convolve(&Filters::square(16, 17, 3, stride, border), 34 - side, side);
        }
    }
}

#[test]
fn convolutions_of_every_number_of_channels() {
    for inputs in [1, 2, 3, 4, 7, 16, 33] {
        for outputs in [1, 2, 3, 4, 5, 6, 7, 8, 12, 15, 16, 31, 33] {
            let border = Border::Centred(Padding::Replicate);
            convolve(&Filters::square(inputs, outputs, 3, 1, border), 6, 11);
            convolve(&Filters::square(inputs, outputs, 1, 1, border), 5, 7);
        }
    }
    for (inputs, outputs) in [(64, 64), (128, 96)] {
        for padding in PADDINGS {
            let filters = Filters::square(inputs, outputs, 3, 1, Border::Centred(padding));
            convolve(&filters, 13, 37);
        }
    }
}

#[test]
fn convolutions_in_groups() {
    for (inputs, outputs, groups) in [(4, 4, 4), (6, 12, 6), (8, 4, 2), (32, 32, 32), (48, 96, 3)] {
        for stride in [1, 2] {
            for border in [
                Border::Same(Padding::Zero),
                Border::Centred(Padding::Reflect),
            ] {
                for kernel in [[3, 3], [1, 5], [7, 1], [1, 1]] {
                    let filters = Filters {
                        inputs,
                        outputs,
                        groups,
                        kernel,
                        stride,
                        border,
                    };
                    convolve(&filters, 9, 10);
                    convolve(&filters, 1, 2);
                }
            }
        }
    }
}

#[test]
fn convolutions_over_several_tiles() {
    for (filters, height, width) in [
        (
            Filters::square(3, 4, 9, 1, Border::Centred(Padding::Reflect)),
            70,
            301,
        ),
        (
            Filters::square(32, 32, 3, 1, Border::Centred(Padding::Zero)),
            67,
            203,
        ),
        (
            Filters::square(8, 16, 3, 2, Border::Centred(Padding::Reflect)),
            131,
            267,
        ),
        (Filters::square(24, 40, 1, 1, Border::Valid), 61, 83),
    ] {
        convolve(&filters, height, width);
        let inputs = [map(filters.inputs, height, width)];
        same_for_any_threads("a convolution", &single(filters.op(7), &inputs), &inputs);
    }
}

#[test]
fn transposed_convolutions() {
    for (kernel, stride, before) in [
        (3, 2, 1),
        (4, 2, 1),
        (2, 2, 0),
        (3, 1, 1),
        (5, 3, 2),
        (9, 1, 4),
        (3, 2, 0),
    ] {
        for (inputs, outputs) in [(1, 1), (3, 5), (16, 8), (32, 17)] {
            for (height, width) in [(1, 1), (2, 3), (7, 9), (16, 25)] {
                let weight = noise(9, inputs * outputs * kernel * kernel);
                let op = Op::TransposedConvolution(TransposedConvolution {
                    inputs,
                    outputs,
                    kernel,
                    stride,
                    before,
                    weight: weight.into(),
                    bias: noise(10, outputs).into(),
                });
                let inputs = [map(inputs, height, width)];
                let case = format!("transposed {kernel} {stride} {before}");
                agree(&case, SUMS, &single(op, &inputs), &inputs);
            }
        }
    }
}

#[test]
fn pools() {
    for kind in [PoolingKind::Max, PoolingKind::Average] {
        for (kernel, stride) in [(2, 2), (3, 2), (3, 1), (5, 3), (1, 2)] {
            for border in [
                Border::Valid,
                Border::Centred(Padding::Zero),
                Border::Same(Padding::Reflect),
            ] {
                for (height, width) in [(1, 1), (2, 3), (7, 8), (9, 34)] {
                    if border != Border::Valid || height.min(width) >= kernel {
                        let inputs = [map(5, height, width)];
                        let op = Op::Pool(Pooling {
                            kind,
                            kernel,
                            stride,
                            border,
                        });
                        let case = format!("{kind:?} pool {kernel} {stride} {border:?}");
                        agree(&case, ROUNDING, &single(op, &inputs), &inputs);
                    }
                }
            }
        }
    }
}

#[test]
fn what_changes_the_size() {
    for channels in [1, 3, 5, 16, 17] {
        for (height, width) in [(1, 1), (2, 1), (3, 7), (8, 17), (16, 9)] {
            let inputs = [map(channels, height, width)];
            let mut ops = vec![
                Op::Upsample(Upsampling::Nearest),
                Op::Upsample(Upsampling::Bilinear),
                Op::Crop { amount: 0 },
            ];
            for padding in PADDINGS {
                ops.extend([0, 1, 4, 11].map(|amount| Op::Pad { amount, padding }));
            }
            if height.min(width) > 2 {
                ops.push(Op::Crop { amount: 1 });
            }
            for op in ops {
                let case = format!("{op:?}");
                agree(&case, ROUNDING, &single(op, &inputs), &inputs);
            }
        }
    }
}

#[test]
fn statistics_of_channels() {
    for channels in [1, 3, 5, 16, 33] {
        for (height, width) in [(1, 1), (2, 1), (3, 7), (17, 33), (130, 70)] {
            let inputs = [map(channels, height, width)];
            let given = [inputs[0], Shape::Vector(channels), Shape::Vector(channels)];
            agree("mean", 1e-5, &single(Op::ChannelMean, &inputs), &inputs);
            for variance in [Variance::Biased, Variance::Unbiased] {
                let epsilon = 1e-3;
                let op = Op::ChannelDeviation { epsilon, variance };
                agree("deviation", 1e-5, &single(op, &inputs), &inputs);
                for affine in [
                    Affine::Plain,
                    Affine::Fixed(scaling(3, channels)),
                    Affine::Given,
                ] {
                    let inputs = match affine {
                        Affine::Given => &given[..],
                        _ => &inputs,
                    };
                    let op = Op::InstanceNorm(InstanceNorm {
                        epsilon,
                        variance,
                        affine,
                    });
                    agree("instance norm", 1e-5, &single(op, inputs), inputs);
                }
            }
        }
    }
    let inputs = [map(17, 211, 173)];
    same_for_any_threads("instance norm", &single(norm(1, 17), &inputs), &inputs);
}

pub(super) const ACTIVATIONS: [Activation; 5] = [
    Activation::Relu,
    Activation::Relu6,
    Activation::Sigmoid,
    Activation::Tanh {
        scale: 2.5,
        shift: 0.5,
    },
    Activation::Clamp {
        low: -0.25,
        high: 0.5,
    },
];

#[test]
fn what_is_done_number_by_number() {
    for shape in [
        map(3, 5, 7),
        map(17, 9, 3),
        map(1, 1, 1),
        Shape::Vector(1),
        Shape::Vector(37),
    ] {
        let width = shape.kind().width();
        let mut ops = vec![Op::Scale(scaling(1, width))];
        ops.extend(ACTIVATIONS.map(Op::Activation));
        for op in ops {
            agree(
                &format!("{op:?}"),
                ROUNDING,
                &single(op, &[shape]),
                &[shape],
            );
        }
        for op in [Op::Add, Op::Multiply] {
            for other in [shape, Shape::Vector(width)] {
                let inputs = [shape, other];
                agree(
                    &format!("{op:?}"),
                    ROUNDING,
                    &single(op.clone(), &inputs),
                    &inputs,
                );
            }
        }
        let inputs = [shape, shape, Shape::Vector(1)];
        agree("mix", ROUNDING, &single(Op::Mix, &inputs), &inputs);
    }
    for (n, m) in [(1, 1), (3, 17), (100, 24)] {
        let op = Op::Linear(Linear {
            weight: noise(5, n * m).into(),
            bias: noise(6, m).into(),
        });
        let inputs = [Shape::Vector(n)];
        agree("linear", ROUNDING * 5.0, &single(op, &inputs), &inputs);
    }
    for others in [vec![1], vec![3, 5], vec![16, 2, 17]] {
        let inputs: Vec<_> = others.iter().map(|&c| map(c, 3, 7)).collect();
        agree("concat", ROUNDING, &single(Op::Concat, &inputs), &inputs);
    }
}
