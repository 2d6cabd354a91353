//! The network of the paper (Texler et al. 2020, arXiv 2004.14489, section 3.1).
//!
//! ```text
//! x  ─▶ 7×7, 32 (a) ─▶ 3×3 halved, 64 (b) ─▶ 3×3 halved, 128 (c) ─▶ 7 blocks: y + 3×3(ReLU(3×3(ReLU(y))))
//!    ─▶ doubled [·, c] 3×3, 128 ─▶ doubled [·, b] 3×3, 128 ─▶ [·, a, x] 7×7, 64 ─▶ twice 3×3, 64 ─▶ 1×1, 3 ─▶ tanh
//! ```
//!
//! Colours are −1 to 1 inside; `a`, `b` and `c` end in a leaky ReLU of slope .2, everything after in a ReLU. Beyond the border are zeros.
//! Batch normalisation is there as it is when a picture is painted, an affine map of each channel: behind a convolution it is part of
//! its numbers, behind a ReLU one by itself. As no statistics of a batch are taken while it learns, it starts as the identity. The
//! published code halves its second map twice, once for what goes on and once for what is kept, to the same numbers: here it is done
//! once.

use super::network::{Builder, COLORS, Numbers};
use impasto_compute::Padding;
use impasto_compute::graph::{
    Activation, Border, Convolution, GraphSpec, Op, Scaling, Upsampling, Value,
};

/// How wide and deep it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Design {
    /// Channels at full size, at a half and at a quarter on the way down.
    pub(super) down: [usize; 3],
    /// Residual blocks.
    pub(super) blocks: usize,
    /// Channels on the way up, and in the end.
    pub(super) up: [usize; 2],
}

impl Design {
    /// As published.
    pub(super) const PAPER: Self = Self {
        down: [32, 64, 128],
        blocks: 7,
        up: [128, 64],
    };
}

/// The slope of leaky ReLUs.
const LEAK: f32 = 0.2;

/// The graph, of what [`network::graph`](super::network::graph) reads and makes.
pub(super) fn graph(design: &Design, numbers: &mut dyn Numbers) -> GraphSpec {
    let Design {
        down: [full, half, quarter],
        blocks,
        up: [wide, last],
    } = *design;
    let mut net = Builder {
        spec: GraphSpec::new(),
        numbers,
    };
    let (_, seen) = net.inputs();
    // From 0..1 to −1..1.
    let colors = Scaling {
        scale: [2.0; COLORS].into(),
        shift: [-1.0; COLORS].into(),
    };
    let seen = net.spec.push(Op::Scale(colors), &[seen]);
    let a = net.filtered(seen, (COLORS, full), (7, 1));
    let a = net.leaky(a, full);
    let b = net.filtered(a, (full, half), (3, 2));
    let b = net.leaky(b, half);
    let c = net.filtered(b, (half, quarter), (3, 2));
    let c = net.leaky(c, quarter);
    let mut deep = c;
    for _ in 0..blocks {
        let inner = net.relu(deep);
        let inner = net.filtered(inner, (quarter, quarter), (3, 1));
        let inner = net.relu(inner);
        // A block that is new changes little.
        let change = net.filter(inner, (quarter, quarter), (3, 1), Padding::Zero, 0.1);
        deep = net.spec.push(Op::Add, &[deep, change]);
    }
    let both = net.spec.push(Op::Concat, &[deep, c]);
    let deep = net.enlarged(both, (2 * quarter, wide));
    let both = net.spec.push(Op::Concat, &[deep, b]);
    let deep = net.enlarged(both, (wide + half, wide));
    let all = net.spec.push(Op::Concat, &[deep, a, seen]);
    let deep = net.filtered(all, (wide + full + COLORS, last), (7, 1));
    let mut deep = net.relu(deep);
    for _ in 0..2 {
        let smooth = net.filtered(deep, (last, last), (3, 1));
        let smooth = net.relu(smooth);
        let smooth = net.affine(smooth, last);
        deep = net.relu(smooth);
    }
    let made = net.filter(deep, (last, 3), (1, 1), Padding::Zero, 0.1);
    let colors = Activation::Tanh {
        scale: 0.5,
        shift: 0.5,
    };
    let made = net.spec.push(Op::Activation(colors), &[made]);
    net.spec.output(made);
    net.spec
}

impl Builder<'_> {
    fn filtered(
        &mut self,
        value: Value,
        channels: (usize, usize),
        filters: (usize, usize),
    ) -> Value {
        self.filter(value, channels, filters, Padding::Zero, 1.0)
    }

    /// `.2·x + .8·max(x, 0)`.
    fn leaky(&mut self, value: Value, channels: usize) -> Value {
        let high = self.relu(value);
        let [low, high] = [(value, LEAK), (high, 1.0 - LEAK)].map(|(value, scale)| {
            let scaling = Scaling {
                scale: vec![scale; channels].into(),
                shift: vec![0.0; channels].into(),
            };
            self.spec.push(Op::Scale(scaling), &[value])
        });
        self.spec.push(Op::Add, &[low, high])
    }

    /// Twice as large, filtered.
    fn enlarged(&mut self, value: Value, channels: (usize, usize)) -> Value {
        let value = self.spec.push(Op::Upsample(Upsampling::Nearest), &[value]);
        let value = self.filtered(value, channels, (3, 1));
        self.relu(value)
    }

    /// A factor and a summand for each channel, which are learned as filters of one place.
    fn affine(&mut self, value: Value, channels: usize) -> Value {
        let filters = Convolution {
            inputs: channels,
            outputs: channels,
            groups: channels,
            kernel: [1; 2],
            stride: 1,
            border: Border::Centred(Padding::Zero),
            weight: self.numbers.scale(channels),
            bias: self.numbers.bias(channels),
        };
        self.spec.push(Op::Convolution(filters), &[value])
    }
}
