//! Feed-forward networks as graphs, with numbers that look random.

use crate::noise;
use impasto_compute::Padding;
use impasto_compute::graph::{
    Activation, Affine, Border, Convolution, GraphSpec, InstanceNorm, Kind, Op, Pooling,
    PoolingKind, Scaling, Upsampling, Value, Variance,
};

/// Reflected at the border, as transformation networks are.
const REFLECT: Border = Border::Centred(Padding::Reflect);
/// TensorFlow's `SAME`.
const SAME: Border = Border::Same(Padding::Zero);

/// A graph in the making.
#[derive(Default)]
struct Builder {
    spec: GraphSpec,
}

impl Builder {
    fn convolve(
        &mut self,
        x: Value,
        (inputs, outputs): (usize, usize),
        (kernel, stride, groups): (usize, usize, usize),
        border: Border,
    ) -> Value {
        let each = inputs / groups * kernel * kernel;
        let scale = (2.0 / each as f32).sqrt();
        let weight = noise(outputs * each).into_iter().map(|w| w * scale);
        let op = Op::Convolution(Convolution {
            inputs,
            outputs,
            groups,
            kernel: [kernel; 2],
            stride,
            border,
            weight: weight.collect(),
            bias: noise(outputs).into(),
        });
        self.spec.push(op, &[x])
    }

    fn activate(&mut self, x: Value, activation: Activation) -> Value {
        self.spec.push(Op::Activation(activation), &[x])
    }

    fn norm(&mut self, x: Value, channels: usize) -> Value {
        let op = Op::InstanceNorm(InstanceNorm {
            epsilon: 1e-5,
            variance: Variance::Biased,
            affine: Affine::Fixed(Scaling {
                scale: noise(channels).into(),
                shift: noise(channels).into(),
            }),
        });
        self.spec.push(op, &[x])
    }

    /// Convolution, norm and ReLU.
    fn layer(&mut self, x: Value, (from, to): (usize, usize), k: usize, stride: usize) -> Value {
        let x = self.convolve(x, (from, to), (k, stride, 1), REFLECT);
        let x = self.norm(x, to);
        self.activate(x, Activation::Relu)
    }
}

/// The network of Johnson et al. 2016, of some widths, with so many residual blocks and nearest upsampling.
pub fn johnson([a, b, c]: [usize; 3], blocks: usize) -> GraphSpec {
    let mut net = Builder::default();
    let image = net.spec.input("image", Kind::Map(3));
    let x = net.layer(image, (3, a), 9, 1);
    let x = net.layer(x, (a, b), 3, 2);
    let mut x = net.layer(x, (b, c), 3, 2);
    for _ in 0..blocks {
        let y = net.layer(x, (c, c), 3, 1);
        let y = net.convolve(y, (c, c), (3, 1, 1), REFLECT);
        let y = net.norm(y, c);
        x = net.spec.push(Op::Add, &[x, y]);
    }
    for (from, to) in [(c, b), (b, a)] {
        x = net.spec.push(Op::Upsample(Upsampling::Nearest), &[x]);
        x = net.layer(x, (from, to), 3, 1);
    }
    x = net.convolve(x, (a, 3), (9, 1, 1), REFLECT);
    x = net.activate(x, Activation::Sigmoid);
    net.spec.output(x);
    net.spec
}

/// The small encoder `lite` as it is trained: a VGG of seven convolutions, and a linear head behind four of them
/// (`train/lite.toml`).
pub fn lite() -> GraphSpec {
    let zero = Border::Centred(Padding::Zero);
    let mut net = Builder::default();
    let mut x = net.spec.input("crop", Kind::Map(3));
    let (mut from, mut border) = (3, Border::Centred(Padding::Replicate));
    for (block, widths) in [&[32, 32][..], &[64, 64], &[128; 3]]
        .into_iter()
        .enumerate()
    {
        if block > 0 {
            let pool = Pooling {
                kind: PoolingKind::Max,
                kernel: 2,
                stride: 2,
                border: Border::Valid,
            };
            x = net.spec.push(Op::Pool(pool), &[x]);
        }
        for (index, &to) in widths.iter().enumerate() {
            x = net.convolve(x, (from, to), (3, 1, 1), border);
            x = net.activate(x, Activation::Relu);
            (from, border) = (to, zero);
            let head = match (block, index) {
                (0, 0) => 32,
                (1, 0) => 64,
                (2, 0) => 96,
                (2, 2) => 128,
                _ => continue,
            };
            let head = net.convolve(x, (to, head), (1, 1, 1), zero);
            net.spec.output(head);
        }
    }
    net.spec
}

/// Content encoder and decoder of MicroAST (Wang et al. 2023), without what comes from the style.
pub fn microast() -> GraphSpec {
    let mut net = Builder::default();
    let mut x = net.spec.input("content", Kind::Map(3));
    for (from, to, kernel, stride, groups) in [
        (3, 16, 9, 1, 1),
        (16, 32, 3, 2, 16),
        (32, 32, 1, 1, 1),
        (32, 64, 3, 2, 32),
        (64, 64, 1, 1, 1),
    ] {
        x = net.convolve(x, (from, to), (kernel, stride, groups), REFLECT);
        x = net.activate(x, Activation::Relu);
    }
    for _ in 0..4 {
        let y = net.convolve(x, (64, 64), (3, 1, 1), REFLECT);
        let y = net.activate(y, Activation::Relu);
        let y = net.convolve(y, (64, 64), (3, 1, 1), REFLECT);
        x = net.spec.push(Op::Add, &[x, y]);
    }
    for (from, to) in [(64, 32), (32, 16)] {
        x = net.spec.push(Op::Upsample(Upsampling::Bilinear), &[x]);
        x = net.convolve(x, (from, to), (3, 1, to), REFLECT);
        x = net.activate(x, Activation::Relu);
        x = net.convolve(x, (to, to), (1, 1, 1), REFLECT);
        x = net.activate(x, Activation::Relu);
    }
    x = net.convolve(x, (16, 3), (9, 1, 1), REFLECT);
    net.spec.output(x);
    net.spec
}

/// MobileNetV2 (Sandler et al. 2018) and 100 numbers behind its mean: the predictor of Ghiasi et al. 2017 in its small form.
pub fn predictor() -> GraphSpec {
    let mut net = Builder::default();
    let image = net.spec.input("style", Kind::Map(3));
    let x = net.convolve(image, (3, 32), (3, 2, 1), SAME);
    let x = net.activate(x, Activation::Relu6);
    let x = net.convolve(x, (32, 32), (3, 1, 32), SAME);
    let x = net.activate(x, Activation::Relu6);
    let mut x = net.convolve(x, (32, 16), (1, 1, 1), SAME);
    let mut from = 16;
    for (to, count, stride) in [
        (24, 2, 2),
        (32, 3, 2),
        (64, 4, 2),
        (96, 3, 1),
        (160, 3, 2),
        (320, 1, 1),
    ] {
        for index in 0..count {
            let wide = 6 * from;
            let stride = if index == 0 { stride } else { 1 };
            let y = net.convolve(x, (from, wide), (1, 1, 1), SAME);
            let y = net.activate(y, Activation::Relu6);
            let y = net.convolve(y, (wide, wide), (3, stride, wide), SAME);
            let y = net.activate(y, Activation::Relu6);
            let y = net.convolve(y, (wide, to), (1, 1, 1), SAME);
            x = match from == to {
                true => net.spec.push(Op::Add, &[x, y]),
                false => y,
            };
            from = to;
        }
    }
    let x = net.convolve(x, (320, 1280), (1, 1, 1), SAME);
    let x = net.activate(x, Activation::Relu6);
    let x = net.convolve(x, (1280, 100), (1, 1, 1), SAME);
    let x = net.spec.push(Op::ChannelMean, &[x]);
    net.spec.output(x);
    net.spec
}
