//! Gradients of graphs node by node, as the derivatives of their formulas read; every value is kept until the end.

use super::graph::{Made, deviation, each_place, mean, seen, start};
use super::{ReferenceDevice, get, get_mut, graph, put};
use crate::graph::{
    Activation, Affine, Convolution, Gradients, GraphSpec, GraphTape, InstanceNorm, Learner,
    Learning, Linear, Op, Pooling, PoolingKind, Shape, TransposedConvolution, Upsampling, Variance,
    Wanted, check_backward, check_numbers,
};
use crate::{Result, Tensor};

impl Learning for ReferenceDevice {
    fn learner(&self, spec: &GraphSpec, wanted: &Wanted) -> Result<Box<dyn Learner>> {
        spec.validate()?;
        wanted.check(spec)?;
        Ok(Box::new(ReferenceLearner {
            spec: spec.clone(),
            wanted: wanted.clone(),
        }))
    }
}

#[derive(Debug)]
struct ReferenceLearner {
    spec: GraphSpec,
    wanted: Wanted,
}

impl Learner for ReferenceLearner {
    fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    fn numbers(&self) -> Result<Vec<Tensor>> {
        let tensor = |(_, list): (usize, &[f32])| {
            let values = list.iter().copied().map(f64::from).collect();
            put(values, &[list.len()])
        };
        Ok(self.wanted.lists(&self.spec).map(tensor).collect())
    }

    fn set(&mut self, numbers: &[Tensor]) -> Result<()> {
        check_numbers((&self.spec, &self.wanted), numbers)?;
        let lists = numbers.iter().map(|tensor| get("set", tensor));
        let lists = lists.collect::<Result<Vec<_>>>()?;
        let rounded = lists
            .iter()
            .map(|list| list.iter().map(|&v| v as f32).collect());
        self.spec.replace(&self.wanted, rounded);
        Ok(())
    }

    fn gradients(&self) -> Result<Gradients> {
        let lists = self.wanted.lists(&self.spec);
        Ok(Gradients {
            inputs: self.wanted.inputs.iter().map(|_| None).collect(),
            numbers: lists
                .map(|(_, list)| put(vec![0.0; list.len()], &[list.len()]))
                .collect(),
        })
    }

    fn forward(&self, inputs: &[&Tensor]) -> Result<Box<dyn GraphTape + '_>> {
        let values = graph::run(&self.spec, inputs)?;
        let inputs = self.spec.inputs.len();
        let outputs = self.spec.outputs.iter().map(|&output| {
            let value = &values[output.id(inputs)];
            put(value.data.clone(), &value.shape.dims())
        });
        Ok(Box::new(ReferenceTape {
            learner: self,
            outputs: outputs.collect(),
            values,
        }))
    }

    /// Everything that it makes, and a gradient of each.
    fn memory(&self, inputs: &[Shape]) -> Result<usize> {
        let numbers = |shape: &Shape| shape.dims().iter().product::<usize>();
        let shapes = self.spec.shapes(inputs)?;
        let made: usize = shapes.iter().chain(inputs).map(numbers).sum();
        let lists = self.wanted.lists(&self.spec);
        let largest = lists.map(|(_, list)| list.len()).max().unwrap_or(0);
        Ok((3 * made + 2 * largest) * size_of::<f64>())
    }
}

#[derive(Debug)]
struct ReferenceTape<'a> {
    learner: &'a ReferenceLearner,
    /// The inputs, then what every node makes.
    values: Vec<Made>,
    outputs: Vec<Tensor>,
}

impl GraphTape for ReferenceTape<'_> {
    fn outputs(&self) -> &[Tensor] {
        &self.outputs
    }

    fn backward(
        self: Box<Self>,
        cotangents: &[Option<&Tensor>],
        into: &mut Gradients,
    ) -> Result<()> {
        let ReferenceLearner { spec, wanted } = self.learner;
        let shapes: Vec<_> = self.outputs.iter().map(|it| it.shape().to_vec()).collect();
        check_backward((spec, wanted), &shapes, cotangents, into)?;
        let inputs = spec.inputs.len();
        let zeros = |made: &Made| vec![0.0; made.data.len()];
        let mut towards: Vec<Vec<f64>> = self.values.iter().map(zeros).collect();
        for (&output, cotangent) in spec.outputs.iter().zip(cotangents) {
            if let Some(cotangent) = cotangent {
                add(&mut towards[output.id(inputs)], get("backward", cotangent)?);
            }
        }
        let mut list = into.numbers.len();
        for (index, node) in spec.nodes.iter().enumerate().rev() {
            let ids: Vec<_> = node.reads.iter().map(|&value| value.id(inputs)).collect();
            let reads: Vec<_> = ids.iter().map(|&id| &self.values[id]).collect();
            let made = &self.values[inputs + index];
            let mut slopes = Slopes {
                reads: reads.iter().map(|read| zeros(read)).collect(),
                numbers: node
                    .op
                    .numbers()
                    .iter()
                    .map(|list| vec![0.0; list.len()])
                    .collect(),
            };
            backward(
                &node.op,
                &reads,
                made,
                &towards[inputs + index],
                &mut slopes,
            );
            for (id, slope) in ids.into_iter().zip(&slopes.reads) {
                add(&mut towards[id], slope);
            }
            if wanted.nodes[index] {
                list -= slopes.numbers.len();
                for (tensor, slope) in into.numbers[list..].iter_mut().zip(&slopes.numbers) {
                    add(get_mut("backward", tensor)?, slope);
                }
            }
        }
        let inputs = self.values.iter().zip(towards).zip(&wanted.inputs);
        for (((value, gradient), wanted), to) in inputs.zip(&mut into.inputs) {
            match to {
                _ if !wanted => {}
                Some(sum) => {
                    let gradient = put(gradient, &value.shape.dims());
                    crate::device::same("a gradient towards an input", sum, &gradient)?;
                    add(get_mut("backward", sum)?, get("backward", &gradient)?);
                }
                none => *none = Some(put(gradient, &value.shape.dims())),
            }
        }
        Ok(())
    }
}

fn add(sum: &mut [f64], x: &[f64]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
}

/// The gradients of one node: towards what it reads, and towards its numbers.
struct Slopes {
    reads: Vec<Vec<f64>>,
    numbers: Vec<Vec<f64>>,
}

/// From the gradient `g` towards what a node has made.
fn backward(op: &Op, reads: &[&Made], made: &Made, g: &[f64], to: &mut Slopes) {
    let x = reads[0];
    let (channels, size) = x.dims();
    match op {
        Op::Convolution(op) => convolution(op, x, made, g, to),
        Op::TransposedConvolution(op) => transposed(op, x, made, g, to),
        Op::Upsample(kind) => each_place(made.shape, |c, y, x_| {
            let g = g[made.index(c, y, x_)];
            match kind {
                Upsampling::Nearest => to.reads[0][x.index(c, y / 2, x_ / 2)] += g,
                Upsampling::Bilinear => {
                    for (place, share) in graph::between(x, c, y, x_) {
                        to.reads[0][place] += share * g;
                    }
                }
            }
        }),
        Op::Pool(op) => each_place(made.shape, |c, y, x_| {
            pool(op, x, (c, y, x_), g[made.index(c, y, x_)], &mut to.reads[0]);
        }),
        Op::Pad { amount, padding } => each_place(made.shape, |c, y, x_| {
            let inside = |i: usize, n| padding.source(i as isize - *amount as isize, n);
            if let (Some(v), Some(u)) = (inside(y, size.height), inside(x_, size.width)) {
                to.reads[0][x.index(c, v, u)] += g[made.index(c, y, x_)];
            }
        }),
        Op::Crop { amount } => each_place(made.shape, |c, y, x_| {
            to.reads[0][x.index(c, y + amount, x_ + amount)] += g[made.index(c, y, x_)];
        }),
        Op::InstanceNorm(op) => instance_norm(op, reads, g, to),
        Op::ChannelMean => {
            for (i, slope) in to.reads[0].iter_mut().enumerate() {
                *slope += g[i / x.pixels()] / x.pixels() as f64;
            }
        }
        // d√(σ² + ε)/dx = (x − μ) / (n √(σ² + ε)).
        Op::ChannelDeviation { variance, .. } => {
            for c in 0..channels {
                let scale = g[c] / (count(*variance, x.pixels()) * made.data[c]);
                let mean = mean(x.plane(c));
                for (i, v) in x.plane(c).iter().enumerate() {
                    to.reads[0][c * x.pixels() + i] += scale * (v - mean);
                }
            }
        }
        Op::Linear(op) => linear(op, x, g, to),
        Op::Scale(op) => {
            for (i, (v, g)) in x.data.iter().zip(g).enumerate() {
                let c = i / x.pixels();
                to.reads[0][i] += g * f64::from(op.scale[c]);
                to.numbers[0][c] += g * v;
                to.numbers[1][c] += g;
            }
        }
        Op::Activation(function) => {
            let slopes = x.data.iter().zip(&made.data).zip(g);
            for (to, ((&x, &y), g)) in to.reads[0].iter_mut().zip(slopes) {
                *to += g * slope(*function, x, y);
            }
        }
        Op::Add | Op::Multiply | Op::Mix => pointwise(op, reads, g, to),
        Op::Concat => {
            let mut rest = g;
            for slope in &mut to.reads {
                let (here, behind) = rest.split_at(slope.len());
                add(slope, here);
                rest = behind;
            }
        }
    }
}

/// What squares are summed over, for a variance of `n` places.
fn count(variance: Variance, n: usize) -> f64 {
    match variance {
        Variance::Biased => n as f64,
        Variance::Unbiased => (n - 1).max(1) as f64,
    }
}

fn convolution(op: &Convolution, x: &Made, made: &Made, g: &[f64], to: &mut Slopes) {
    let (_, size) = x.dims();
    let [kh, kw] = op.kernel;
    let (inputs, outputs) = (op.inputs / op.groups, op.outputs / op.groups);
    let padding = op.border.padding();
    each_place(made.shape, |out, y, x_| {
        let g = g[made.index(out, y, x_)];
        let top = start(op.border, y, size.height, kh, op.stride);
        let left = start(op.border, x_, size.width, kw, op.stride);
        to.numbers[1][out] += g;
        for (i, j) in (0..kh).flat_map(|i| (0..kw).map(move |j| (i, j))) {
            let row = padding.source(top + i as isize, size.height);
            let column = padding.source(left + j as isize, size.width);
            let (Some(row), Some(column)) = (row, column) else {
                continue;
            };
            for input in 0..inputs {
                let weight = ((out * inputs + input) * kh + i) * kw + j;
                let place = x.index(out / outputs * inputs + input, row, column);
                to.numbers[0][weight] += g * x.data[place];
                to.reads[0][place] += g * f64::from(op.weight[weight]);
            }
        }
    });
}

fn transposed(op: &TransposedConvolution, x: &Made, made: &Made, g: &[f64], to: &mut Slopes) {
    let k = op.kernel;
    let (_, size) = made.dims();
    for (i, g) in g.iter().enumerate() {
        to.numbers[1][i / made.pixels()] += g;
    }
    each_place(x.shape, |input, y, x_| {
        let place = x.index(input, y, x_);
        for tap in 0..k * k {
            let row = (y * op.stride + tap / k).checked_sub(op.before);
            let column = (x_ * op.stride + tap % k).checked_sub(op.before);
            let row = row.filter(|&row| row < size.height);
            let column = column.filter(|&column| column < size.width);
            let (Some(row), Some(column)) = (row, column) else {
                continue;
            };
            for out in 0..op.outputs {
                let weight = (input * op.outputs + out) * k * k + tap;
                let g = g[made.index(out, row, column)];
                to.numbers[0][weight] += g * x.data[place];
                to.reads[0][place] += g * f64::from(op.weight[weight]);
            }
        }
    });
}

fn pool(op: &Pooling, x: &Made, place: (usize, usize, usize), g: f64, to: &mut [f64]) {
    let seen: Vec<usize> = seen(op, x, place).collect();
    match op.kind {
        PoolingKind::Average => {
            let share = g / seen.len() as f64;
            seen.into_iter().for_each(|place| to[place] += share);
        }
        PoolingKind::Max => {
            let first = seen
                .into_iter()
                .reduce(|most, place| match x.data[place] > x.data[most] {
                    true => place,
                    false => most,
                });
            if let Some(first) = first {
                to[first] += g;
            }
        }
    }
}

/// With `x̂ = (x − μ)/√(σ² + ε)` of `n` places, whose variance is over `m`:
/// `dL/dx = scale/√(σ² + ε) · (g − Σg/n − x̂ · Σ(g·x̂)/m)`, `dL/dscale = Σ(g·x̂)`, `dL/dshift = Σg`
/// (Ioffe and Szegedy 2015, arXiv 1502.03167, section 3, of a single picture).
fn instance_norm(op: &InstanceNorm, reads: &[&Made], g: &[f64], to: &mut Slopes) {
    let x = reads[0];
    let n = x.pixels();
    for c in 0..x.dims().0 {
        let deviation = deviation(x.plane(c), op.variance, op.epsilon);
        let mean = mean(x.plane(c));
        let normed: Vec<f64> = x.plane(c).iter().map(|v| (v - mean) / deviation).collect();
        let g = &g[c * n..][..n];
        let sum: f64 = g.iter().sum();
        let product: f64 = g.iter().zip(&normed).map(|(g, v)| g * v).sum();
        let scale = match &op.affine {
            Affine::Plain => 1.0,
            Affine::Fixed(fixed) => {
                to.numbers[0][c] += product;
                to.numbers[1][c] += sum;
                f64::from(fixed.scale[c])
            }
            Affine::Given => {
                to.reads[1][c] += product;
                to.reads[2][c] += sum;
                reads[1].data[c]
            }
        };
        let (sum, product) = (sum / n as f64, product / count(op.variance, n));
        for (i, (g, v)) in g.iter().zip(&normed).enumerate() {
            to.reads[0][c * n + i] += scale / deviation * (g - sum - v * product);
        }
    }
}

fn linear(op: &Linear, x: &Made, g: &[f64], to: &mut Slopes) {
    let n = x.data.len();
    for (out, g) in g.iter().enumerate() {
        to.numbers[1][out] += g;
        for (i, v) in x.data.iter().enumerate() {
            to.numbers[0][out * n + i] += g * v;
            to.reads[0][i] += g * f64::from(op.weight[out * n + i]);
        }
    }
}

/// `dy/dx` of a function, which has made `y` of `x`.
fn slope(function: Activation, x: f64, y: f64) -> f64 {
    let inside = |low: f64, high: f64| f64::from(u8::from(low < x && x < high));
    match function {
        Activation::Relu => inside(0.0, f64::INFINITY),
        Activation::Relu6 => inside(0.0, 6.0),
        Activation::Clamp { low, high } => inside(low.into(), high.into()),
        Activation::Sigmoid => y * (1.0 - y),
        Activation::Tanh { scale, .. } => f64::from(scale) * (1.0 - x.tanh().powi(2)),
    }
}

/// Sums, products and mixtures of two values, of which the second may be a vector.
fn pointwise(op: &Op, reads: &[&Made], g: &[f64], to: &mut Slopes) {
    let (a, b) = (&reads[0].data, &reads[1].data);
    let step = a.len() / b.len().max(1);
    for (i, g) in g.iter().enumerate() {
        let (x, y) = (a[i], b[i / step]);
        let (towards_a, towards_b) = match op {
            Op::Multiply => (y, x),
            Op::Mix => {
                let t = reads[2].data[0];
                to.reads[2][0] += g * (y - x);
                (1.0 - t, t)
            }
            _ => (1.0, 1.0),
        };
        to.reads[0][i] += g * towards_a;
        to.reads[1][i / step] += g * towards_b;
    }
}
