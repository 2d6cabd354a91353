//! Graphs node by node: every value is kept until the end.

use super::{ReferenceDevice, get, put};
use crate::graph::{
    Activation, Affine, Border, Convolution, Graph, GraphSpec, Graphs, InstanceNorm, Linear, Op,
    Pooling, PoolingKind, Scaling, Shape, Shapes, TransposedConvolution, Upsampling, Value,
    Variance,
};
use crate::{Padding, Result, Size, Strips, Tensor};

#[derive(Debug)]
struct ReferenceGraph {
    spec: GraphSpec,
}

impl Graphs for ReferenceDevice {
    fn graph(&self, spec: &GraphSpec) -> Result<Box<dyn Graph>> {
        spec.validate()?;
        Ok(Box::new(ReferenceGraph { spec: spec.clone() }))
    }
}

/// A value, row-major.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) shape: Shape,
    pub(super) data: Vec<f64>,
}

impl Made {
    /// Channels and size; a vector is a map of single places.
    pub(super) fn dims(&self) -> (usize, Size) {
        match self.shape {
            Shape::Map { channels, size } => (channels, size),
            Shape::Vector(n) => (n, Size::square(1)),
        }
    }

    /// Numbers of a channel.
    pub(super) fn pixels(&self) -> usize {
        self.dims().1.pixels()
    }

    pub(super) fn plane(&self, channel: usize) -> &[f64] {
        &self.data[channel * self.pixels()..][..self.pixels()]
    }

    /// Where a number lies.
    pub(super) fn index(&self, channel: usize, y: usize, x: usize) -> usize {
        channel * self.pixels() + y * self.dims().1.width + x
    }

    /// A number, or what lies beyond the border.
    fn at(&self, channel: usize, y: isize, x: isize, padding: Padding) -> f64 {
        let (_, size) = self.dims();
        let place = (padding.source(y, size.height)).zip(padding.source(x, size.width));
        place.map_or(0.0, |(y, x)| self.plane(channel)[y * size.width + x])
    }
}

impl Graph for ReferenceGraph {
    fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    fn run(&self, inputs: &[&Tensor], _: Option<&Strips>) -> Result<Vec<Tensor>> {
        let made = run(&self.spec, inputs)?;
        let hand_out = |&output: &Value| {
            let value = &made[output.id(inputs.len())];
            put(value.data.clone(), &value.shape.dims())
        };
        Ok(self.spec.outputs.iter().map(hand_out).collect())
    }

    /// Everything that it makes.
    fn memory(&self, inputs: &[Shape], _: Option<&Strips>) -> Result<usize> {
        let shapes = Shapes {
            inputs: inputs.to_vec(),
            nodes: self.spec.shapes(inputs)?,
        };
        let numbers = |shape: Shape| shape.dims().iter().product::<usize>();
        let outputs = self.spec.outputs.iter();
        let outputs: usize = outputs.map(|&output| numbers(shapes.of(output))).sum();
        let read: usize = shapes.inputs.iter().copied().map(numbers).sum();
        let made: usize = shapes.nodes.iter().copied().map(numbers).sum();
        Ok((read + made + outputs) * size_of::<f64>())
    }
}

/// All values: the inputs, then what every node makes.
pub(super) fn run(spec: &GraphSpec, inputs: &[&Tensor]) -> Result<Vec<Made>> {
    let shapes = spec.shapes_of(inputs)?;
    let given = |(tensor, shape): (&&Tensor, &Shape)| {
        let data = get("run", tensor)?.to_vec();
        Ok(Made {
            shape: *shape,
            data,
        })
    };
    let given = inputs.iter().zip(&shapes.inputs).map(given);
    let mut made = given.collect::<Result<Vec<_>>>()?;
    for (node, &shape) in spec.nodes.iter().zip(&shapes.nodes) {
        let reads = node.reads.iter().map(|value| &made[value.id(inputs.len())]);
        let reads: Vec<&Made> = reads.collect();
        let data = compute(&node.op, &reads, shape);
        made.push(Made { shape, data });
    }
    Ok(made)
}

/// What a node makes of what it reads, which fits.
fn compute(op: &Op, reads: &[&Made], shape: Shape) -> Vec<f64> {
    let x = reads[0];
    let per_channel = |of: &dyn Fn(usize) -> f64| (0..x.dims().0).map(of).collect();
    match op {
        Op::Convolution(op) => convolution(op, x, shape),
        Op::TransposedConvolution(op) => transposed(op, x, shape),
        Op::Upsample(kind) => {
            let place = |c: usize, y: usize, x_: usize| match kind {
                Upsampling::Nearest => x.at(c, y as isize / 2, x_ as isize / 2, Padding::Replicate),
                Upsampling::Bilinear => {
                    let near = between(x, c, y, x_);
                    near.iter()
                        .map(|&(place, share)| share * x.data[place])
                        .sum()
                }
            };
            each(shape, place)
        }
        Op::Pool(op) => each(shape, |c, y, x_| pool(op, x, c, y, x_)),
        Op::Pad { amount, padding } => each(shape, |c, y, x_| {
            let inside = |i: usize| i as isize - *amount as isize;
            x.at(c, inside(y), inside(x_), *padding)
        }),
        Op::Crop { amount } => each(shape, |c, y, x_| {
            let inside = |i: usize| (i + amount) as isize;
            x.at(c, inside(y), inside(x_), Padding::Zero)
        }),
        Op::InstanceNorm(op) => instance_norm(op, reads),
        Op::ChannelMean => per_channel(&|c| mean(x.plane(c))),
        Op::ChannelDeviation { epsilon, variance } => {
            per_channel(&|c| deviation(x.plane(c), *variance, *epsilon))
        }
        Op::Linear(op) => linear(op, x),
        Op::Scale(Scaling { scale, shift }) => {
            each_channel(x, |c, v| v * f64::from(scale[c]) + f64::from(shift[c]))
        }
        Op::Activation(function) => x.data.iter().map(|&v| activate(*function, v)).collect(),
        Op::Add => binary(x, reads[1], |a, b| a + b),
        Op::Multiply => binary(x, reads[1], |a, b| a * b),
        Op::Mix => binary(x, reads[1], |a, b| a + reads[2].data[0] * (b - a)),
        Op::Concat => reads.iter().flat_map(|made| made.data.clone()).collect(),
    }
}

/// A map from what it is at a channel, row and column.
fn each(shape: Shape, of: impl Fn(usize, usize, usize) -> f64) -> Vec<f64> {
    let Shape::Map { channels, size } = shape else {
        return Vec::new();
    };
    let mut data = Vec::with_capacity(channels * size.pixels());
    for c in 0..channels {
        for y in 0..size.height {
            data.extend((0..size.width).map(|x| of(c, y, x)));
        }
    }
    data
}

/// Visits the channels, rows and columns of a map.
pub(super) fn each_place(shape: Shape, mut visit: impl FnMut(usize, usize, usize)) {
    if let Shape::Map { channels, size } = shape {
        for c in 0..channels {
            for place in 0..size.pixels() {
                visit(c, place / size.width, place % size.width);
            }
        }
    }
}

/// A function of each number and its channel.
fn each_channel(x: &Made, of: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let pixels = x.pixels();
    let numbers = x.data.iter().enumerate();
    numbers.map(|(i, &v)| of(i / pixels, v)).collect()
}

/// A function of two numbers at the same place; a vector has one for each channel.
fn binary(a: &Made, b: &Made, of: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    let step = a.data.len() / b.data.len().max(1);
    let numbers = a.data.iter().enumerate();
    numbers.map(|(i, &v)| of(v, b.data[i / step])).collect()
}

/// What lies at a place of the result, counted from the first place that is read.
pub(super) fn start(border: Border, place: usize, n: usize, k: usize, stride: usize) -> isize {
    (place * stride) as isize - border.before(n, k, stride) as isize
}

fn convolution(op: &Convolution, x: &Made, shape: Shape) -> Vec<f64> {
    let (_, size) = x.dims();
    let [kh, kw] = op.kernel;
    let (inputs, outputs) = (op.inputs / op.groups, op.outputs / op.groups);
    let padding = op.border.padding();
    each(shape, |out, y, x_| {
        let top = start(op.border, y, size.height, kh, op.stride);
        let left = start(op.border, x_, size.width, kw, op.stride);
        let mut sum = f64::from(op.bias[out]);
        for input in 0..inputs {
            for i in 0..kh {
                for j in 0..kw {
                    let weight = op.weight[((out * inputs + input) * kh + i) * kw + j];
                    let channel = out / outputs * inputs + input;
                    let value = x.at(channel, top + i as isize, left + j as isize, padding);
                    sum += f64::from(weight) * value;
                }
            }
        }
        sum
    })
}

fn transposed(op: &TransposedConvolution, x: &Made, shape: Shape) -> Vec<f64> {
    let (_, from) = x.dims();
    let mut data = each(shape, |out, _, _| f64::from(op.bias[out]));
    let (height, width) = (from.height * op.stride, from.width * op.stride);
    let (k, plane) = (op.kernel, height * width);
    for input in 0..op.inputs {
        for (place, &value) in x.plane(input).iter().enumerate() {
            let (top, left) = (
                place / from.width * op.stride,
                place % from.width * op.stride,
            );
            for out in 0..op.outputs {
                for (tap, weight) in op.weight[(input * op.outputs + out) * k * k..][..k * k]
                    .iter()
                    .enumerate()
                {
                    let y = (top + tap / k).checked_sub(op.before);
                    let x = (left + tap % k).checked_sub(op.before);
                    let inside = y.filter(|&y| y < height).zip(x.filter(|&x| x < width));
                    if let Some((y, x)) = inside {
                        data[out * plane + y * width + x] += f64::from(*weight) * value;
                    }
                }
            }
        }
    }
    data
}

/// Where a place of a map that is twice as high and wide lies: between four, with the share of each.
pub(super) fn between(map: &Made, c: usize, y: usize, x: usize) -> [(usize, f64); 4] {
    let (_, size) = map.dims();
    let near = |i: usize, n: usize| {
        let position = (i as f64 + 0.5) / 2.0 - 0.5;
        let first = position.floor();
        let inside = |i: isize| i.clamp(0, n as isize - 1) as usize;
        let share = position - first;
        [
            (inside(first as isize), 1.0 - share),
            (inside(first as isize + 1), share),
        ]
    };
    let (rows, columns) = (near(y, size.height), near(x, size.width));
    [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(i, j)| {
        let ((y, down), (x, right)) = (rows[i], columns[j]);
        (map.index(c, y, x), down * right)
    })
}

/// Where the numbers of a neighbourhood lie.
pub(super) fn seen<'a>(
    op: &Pooling,
    map: &'a Made,
    (c, y, x): (usize, usize, usize),
) -> impl Iterator<Item = usize> + use<'a> {
    let (_, size) = map.dims();
    let op = *op;
    let inside = move |place: usize, n: usize| {
        let first = start(op.border, place, n, op.kernel, op.stride);
        let behind = (first + op.kernel as isize).min(n as isize);
        first.max(0) as usize..behind as usize
    };
    let columns = inside(x, size.width);
    inside(y, size.height).flat_map(move |y| columns.clone().map(move |x| map.index(c, y, x)))
}

fn pool(op: &Pooling, map: &Made, c: usize, y: usize, x: usize) -> f64 {
    let seen = seen(op, map, (c, y, x)).map(|place| map.data[place]);
    match op.kind {
        PoolingKind::Max => seen.fold(f64::NEG_INFINITY, f64::max),
        PoolingKind::Average => mean(&seen.collect::<Vec<_>>()),
    }
}

pub(super) fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

pub(super) fn deviation(x: &[f64], variance: Variance, epsilon: f32) -> f64 {
    let mean = mean(x);
    let squares: f64 = x.iter().map(|v| (v - mean) * (v - mean)).sum();
    let count = match variance {
        Variance::Biased => x.len(),
        Variance::Unbiased => (x.len() - 1).max(1),
    };
    (squares / count as f64 + f64::from(epsilon)).sqrt()
}

fn instance_norm(op: &InstanceNorm, reads: &[&Made]) -> Vec<f64> {
    let x = reads[0];
    let affine = |c: usize| match &op.affine {
        Affine::Plain => (1.0, 0.0),
        Affine::Fixed(fixed) => (f64::from(fixed.scale[c]), f64::from(fixed.shift[c])),
        Affine::Given => (reads[1].data[c], reads[2].data[c]),
    };
    let coefficients = (0..x.dims().0).map(|c| {
        let (scale, shift) = affine(c);
        let deviation = deviation(x.plane(c), op.variance, op.epsilon);
        (mean(x.plane(c)), scale / deviation, shift)
    });
    let coefficients: Vec<_> = coefficients.collect();
    each_channel(x, |c, v| {
        let (mean, scale, shift) = coefficients[c];
        (v - mean) * scale + shift
    })
}

fn linear(op: &Linear, x: &Made) -> Vec<f64> {
    let row = |(out, &bias): (usize, &f32)| {
        let row = &op.weight[out * x.data.len()..][..x.data.len()];
        let products = row.iter().zip(&x.data).map(|(&w, x)| f64::from(w) * x);
        f64::from(bias) + products.sum::<f64>()
    };
    op.bias.iter().enumerate().map(row).collect()
}

fn activate(function: Activation, x: f64) -> f64 {
    match function {
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Tanh { scale, shift } => f64::from(scale) * x.tanh() + f64::from(shift),
        Activation::Clamp { low, high } => x.max(f64::from(low)).min(f64::from(high)),
    }
}
