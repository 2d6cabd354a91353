//! Gradients of every operation by itself.

use super::super::operations::{ACTIVATIONS, PADDINGS, borders};
use super::*;

/// A name, a graph, and the shapes that it reads.
pub(super) type Case = (String, GraphSpec, Vec<Shape>);

/// Rounding of sums over places, and over channels, in f32.
const SUMS: f64 = 5e-5;

fn case(op: Op, inputs: &[Shape]) -> Case {
    let name = format!("{} {:?}", op.name(), about(&op));
    (name, single(op, inputs), inputs.to_vec())
}

/// What there is to say about an operation, without its numbers.
fn about(op: &Op) -> String {
    match op {
        Op::Convolution(op) => format!(
            "{:?} {}→{} /{} in {} groups, {:?}",
            op.kernel, op.inputs, op.outputs, op.stride, op.groups, op.border
        ),
        Op::TransposedConvolution(op) => {
            format!("{} /{} before {}", op.kernel, op.stride, op.before)
        }
        Op::InstanceNorm(op) => format!("{:?} {:?}", op.variance, op.affine),
        Op::Linear(_) | Op::Scale(_) => String::new(),
        other => format!("{other:?}"),
    }
}

fn transposed(inputs: usize, outputs: usize, [kernel, stride, before]: [usize; 3]) -> Op {
    Op::TransposedConvolution(TransposedConvolution {
        inputs,
        outputs,
        kernel,
        stride,
        before,
        weight: noise(9, inputs * outputs * kernel * kernel).into(),
        bias: noise(10, outputs).into(),
    })
}

fn pool(kind: PoolingKind, kernel: usize, stride: usize, border: Border) -> Op {
    Op::Pool(Pooling {
        kind,
        kernel,
        stride,
        border,
    })
}

/// What the kinds of transposed convolutions are: kernel, stride, and how much is cut off.
const TRANSPOSED: [[usize; 3]; 5] = [[3, 2, 1], [4, 2, 1], [3, 1, 1], [5, 3, 2], [3, 2, 0]];

/// Every kind of convolution, of as many channels as `wide` says.
fn convolutions(wide: usize) -> Vec<Filters> {
    let mut all = Vec::new();
    for border in borders() {
        for (kernel, stride, groups) in [
            ([1, 1], 1, 1),
            ([3, 3], 1, 1),
            ([3, 3], 2, 1),
            ([3, 5], 1, 2),
            ([5, 1], 3, 1),
            ([3, 3], 1, 2 * wide),
            ([3, 3], 2, 2 * wide),
            ([1, 1], 2, 1),
        ] {
            all.push(Filters {
                inputs: 2 * wide,
                outputs: 4 * wide,
                groups,
                kernel,
                stride,
                border,
            });
        }
    }
    all
}

fn fits(filters: &Filters, height: usize, width: usize) -> bool {
    filters.border != Border::Valid || (height >= filters.kernel[0] && width >= filters.kernel[1])
}

/// Every operation, of a few channels and places.
pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (height, width) in [(1, 1), (3, 2), (7, 5)] {
        let map = |channels| map(channels, height, width);
        for filters in convolutions(1) {
            if fits(&filters, height, width) {
                cases.push(case(filters.op(3), &[map(2)]));
            }
        }
        for kind in TRANSPOSED {
            cases.push(case(transposed(2, 3, kind), &[map(2)]));
        }
        for op in others(height, width, 3) {
            cases.push(case(op, &[map(3)]));
        }
        for (op, inputs) in of_several(map(3)) {
            cases.push(case(op, &inputs));
        }
    }
    for op in pointwise(5) {
        cases.push(case(op, &[Shape::Vector(5)]));
    }
    for (op, inputs) in of_several(Shape::Vector(5)) {
        cases.push(case(op, &inputs));
    }
    cases.push(case(linear(5, 3), &[Shape::Vector(5)]));
    cases
}

fn linear(inputs: usize, outputs: usize) -> Op {
    Op::Linear(Linear {
        weight: noise(5, inputs * outputs).into(),
        bias: noise(6, outputs).into(),
    })
}

/// What is done number by number.
fn pointwise(width: usize) -> Vec<Op> {
    let mut ops = vec![Op::Scale(scaling(1, width))];
    ops.extend(ACTIVATIONS.map(Op::Activation));
    ops
}

/// What reads one map of some size and channels, but convolutions.
fn others(height: usize, width: usize, channels: usize) -> Vec<Op> {
    let mut ops = vec![
        Op::Upsample(Upsampling::Nearest),
        Op::Upsample(Upsampling::Bilinear),
        Op::ChannelMean,
    ];
    for padding in PADDINGS {
        ops.extend([1, 4].map(|amount| Op::Pad { amount, padding }));
    }
    if height.min(width) > 2 {
        ops.push(Op::Crop { amount: 1 });
    }
    for kind in [PoolingKind::Max, PoolingKind::Average] {
        for (kernel, stride) in [(2, 2), (3, 2), (3, 1), (1, 2)] {
            let centred = Border::Centred(Padding::Zero);
            ops.push(pool(kind, kernel, stride, centred));
            ops.push(pool(kind, kernel, stride, Border::Same(Padding::Zero)));
            if height.min(width) >= kernel {
                ops.push(pool(kind, kernel, stride, Border::Valid));
            }
        }
    }
    for variance in [Variance::Biased, Variance::Unbiased] {
        // Of a single place, there is no deviation but this.
        let epsilon = 1e-1;
        ops.push(Op::ChannelDeviation { epsilon, variance });
        for affine in [Affine::Plain, Affine::Fixed(scaling(3, channels))] {
            ops.push(Op::InstanceNorm(InstanceNorm {
                epsilon,
                variance,
                affine,
            }));
        }
    }
    ops.extend(pointwise(channels));
    ops
}

/// What reads several values, of some shape.
fn of_several(shape: Shape) -> Vec<(Op, Vec<Shape>)> {
    let vector = Shape::Vector(shape.kind().width());
    let mut ops = vec![
        (Op::Add, vec![shape, shape]),
        (Op::Multiply, vec![shape, shape]),
        (Op::Mix, vec![shape, shape, Shape::Vector(1)]),
    ];
    if let Shape::Map { size, .. } = shape {
        let given = InstanceNorm {
            epsilon: 1e-1,
            variance: Variance::Unbiased,
            affine: Affine::Given,
        };
        ops.push((Op::Add, vec![shape, vector]));
        ops.push((Op::Multiply, vec![shape, vector]));
        ops.push((Op::InstanceNorm(given), vec![shape, vector, vector]));
        let wide = map(17, size.height, size.width);
        ops.push((Op::Concat, vec![shape, wide, shape]));
    }
    ops
}

/// Sizes where loops, vectors and blocks begin and end.
const SIZES: [(usize, usize); 6] = [(1, 1), (2, 3), (7, 2), (3, 17), (16, 33), (9, 66)];

#[test]
fn convolutions_learn_alike() {
    for (height, width) in SIZES {
        for wide in [1, 4] {
            for filters in convolutions(wide) {
                if fits(&filters, height, width) {
                    let (name, spec, inputs) =
                        case(filters.op(3), &[map(filters.inputs, height, width)]);
                    learn_alike(&name, SUMS, &spec, &inputs);
                }
            }
        }
    }
}

#[test]
fn convolutions_of_every_number_of_channels_learn_alike() {
    for inputs in [1, 3, 4, 5, 16, 33] {
        for outputs in [1, 3, 4, 7, 8, 15, 16, 17, 33] {
            for (kernel, stride) in [(3, 1), (1, 1), (3, 2)] {
                let border = Border::Centred(Padding::Reflect);
                let filters = Filters::square(inputs, outputs, kernel, stride, border);
                let (name, spec, inputs) = case(filters.op(5), &[map(inputs, 6, 11)]);
                learn_alike(&name, SUMS, &spec, &inputs);
            }
        }
    }
}

#[test]
fn convolutions_over_several_tiles_learn_alike() {
    for padding in PADDINGS {
        let border = Border::Centred(padding);
        for (filters, height, width) in [
            (Filters::square(3, 6, 9, 1, border), 70, 141),
            (Filters::square(48, 40, 3, 1, border), 35, 67),
            (Filters::square(20, 24, 3, 2, border), 53, 90),
        ] {
            let (name, spec, inputs) = case(filters.op(3), &[map(filters.inputs, height, width)]);
            learn_alike(&name, SUMS, &spec, &inputs);
            learn_same_for_any_threads(&name, &spec, &inputs);
        }
    }
    let filters = Filters::square(48, 48, 3, 1, Border::Valid);
    let (name, spec, inputs) = case(filters.op(3), &[map(48, 21, 67)]);
    learn_alike(&name, SUMS, &spec, &inputs);
}

#[test]
fn transposed_convolutions_learn_alike() {
    for (inputs, outputs) in [(1, 1), (3, 5), (16, 8), (24, 17)] {
        for (height, width) in [(1, 1), (2, 3), (16, 25)] {
            for kind in TRANSPOSED {
                let op = transposed(inputs, outputs, kind);
                let (name, spec, inputs) = case(op, &[map(inputs, height, width)]);
                learn_alike(&name, SUMS, &spec, &inputs);
            }
        }
    }
}

#[test]
fn what_reads_one_map_learns_alike() {
    for channels in [1, 3, 17] {
        for (height, width) in SIZES.into_iter().chain([(130, 70)]) {
            for op in others(height, width, channels) {
                let (name, spec, inputs) = case(op, &[map(channels, height, width)]);
                learn_alike(&name, SUMS, &spec, &inputs);
            }
        }
    }
}

#[test]
fn what_reads_several_values_learns_alike() {
    let shapes = [map(1, 1, 1), map(3, 5, 7), map(17, 9, 3), map(5, 66, 130)];
    for shape in shapes
        .into_iter()
        .chain([Shape::Vector(1), Shape::Vector(37)])
    {
        for (op, inputs) in of_several(shape) {
            let (name, spec, inputs) = case(op, &inputs);
            learn_alike(&name, SUMS, &spec, &inputs);
        }
    }
    for shape in [Shape::Vector(1), Shape::Vector(37)] {
        for op in pointwise(shape.kind().width()) {
            let (name, spec, inputs) = case(op, &[shape]);
            learn_alike(&name, SUMS, &spec, &inputs);
        }
    }
    for (inputs, outputs) in [(1, 1), (3, 17), (100, 24)] {
        let (name, spec, inputs) = case(linear(inputs, outputs), &[Shape::Vector(inputs)]);
        learn_alike(&name, SUMS, &spec, &inputs);
    }
}
