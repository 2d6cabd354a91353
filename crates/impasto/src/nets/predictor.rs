//! The style predictors of Ghiasi et al. 2017 (arXiv 1705.06830): networks that tell what is on photographs, without their
//! end, the mean over all places, and a linear map to the code.
//!
//! | network | up to | borders |
//! |---|---|---|
//! | Inception-v3 (Szegedy et al. 2016, arXiv 1512.00567, table 1), that of the paper | Mixed_6e | none before the blocks |
//! | MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381, table 2), that of telephones | its last layer | zeros |
//!
//! Both are written with TensorFlow's Slim, which calls a layer's tensors by its scope. TensorFlow.js and checkpoints have
//! filters `[h, w, in, out]` and a batch norm behind each; TensorFlow Lite has it folded, and filters `[out, h, w, in]`.
//! ReLUs end at 6 in both, in Inception-v3, too, other than in its paper.

use super::NetError;
use super::build::{Batch, convolution, linear};
use super::tensors::{Layout, Tensors};
use impasto_compute::Padding;
use impasto_compute::graph::{
    Activation, Border, GraphSpec, Kind, Op, Pooling, PoolingKind, Value,
};

/// A predictor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Predictor {
    Inception,
    MobileNet,
}

impl Predictor {
    const ALL: [Self; 2] = [Self::Inception, Self::MobileNet];

    /// What it is called in messages.
    fn title(self) -> &'static str {
        match self {
            Self::Inception => "Magenta's style predictor (Inception-v3)",
            Self::MobileNet => "Magenta's style predictor (MobileNetV2)",
        }
    }

    /// The filters by which it is told.
    fn telling(self) -> &'static str {
        match self {
            Self::Inception => "InceptionV3/Conv2d_1a_3x3/weights",
            Self::MobileNet => "MobilenetV2/Conv/weights",
        }
    }
}

/// The tensors of a predictor.
pub(super) fn find<'f>(tensors: &Tensors<'f>) -> Option<Tensors<'f>> {
    Predictor::ALL.into_iter().find_map(|predictor| {
        let found = tensors.beside(predictor.telling(), None)?;
        Some(found.told_as(predictor.title()))
    })
}

/// Reads a predictor of codes of a length, which [`find`] found, and the least side of a picture that it can look at.
pub(super) fn read(tensors: &Tensors<'_>, code: usize) -> Result<(GraphSpec, usize), NetError> {
    let inception = tensors.has(Predictor::Inception.telling());
    let mut graph = GraphSpec::new();
    let picture = graph.input("style", Kind::Map(3));
    let dialect = match tensors.has("MobilenetV2/Conv/Conv2D_bias") {
        true => Dialect::LITE,
        false => Dialect::TENSORFLOW,
    };
    let mut walk = Walk {
        tensors,
        dialect,
        graph,
    };
    let (seen, channels, map, least) = match inception {
        true => {
            let (seen, channels) = walk.inception(picture)?;
            (seen, channels, "Conv", INCEPTION_LEAST)
        }
        false => {
            let (seen, channels) = walk.mobile(picture)?;
            (seen, channels, "mobilenet_conv/Conv", 1)
        }
    };
    let mean = walk.graph.push(Op::ChannelMean, &[seen]);
    let names = [format!("{map}/weights"), format!("{map}/{}", dialect.bias)];
    let names = names.each_ref().map(String::as_str);
    let map = linear(tensors, names, dialect.layout, Some(channels), code)?;
    let made = walk.graph.push(Op::Linear(map), &[mean]);
    walk.graph.output(made);
    Ok((walk.graph, least))
}

/// How a converter leaves the layers of Slim.
#[derive(Clone, Copy, Debug)]
struct Dialect {
    layout: Layout,
    depthwise: Layout,
    bias: &'static str,
    /// Whether batch norms are in filters and biases already.
    folded: bool,
}

impl Dialect {
    const TENSORFLOW: Self = Self {
        layout: Layout::SidesInOut,
        depthwise: Layout::SidesDepthwise,
        bias: "biases",
        folded: false,
    };

    const LITE: Self = Self {
        layout: Layout::OutSidesIn,
        depthwise: Layout::Depthwise,
        bias: "Conv2D_bias",
        folded: true,
    };
}

/// A layer of Inception-v3.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A convolution by what its scope ends with, its stride, and whether it has borders; then a ReLU.
    Convolution(&'static str, usize, bool),
    /// Greatest values of 3×3 places, every other, without borders.
    Max,
    /// Means of 3×3 places.
    Mean,
}

use Step::{Max, Mean};

/// A convolution of a stride of 1, with borders.
const fn conv(name: &'static str) -> Step {
    Step::Convolution(name, 1, true)
}

/// One without borders.
const fn bare(name: &'static str, stride: usize) -> Step {
    Step::Convolution(name, stride, false)
}

/// Inception-v3 before its blocks.
const STEM: [Step; 7] = [
    bare("Conv2d_1a_3x3", 2),
    bare("Conv2d_2a_3x3", 1),
    conv("Conv2d_2b_3x3"),
    Max,
    bare("Conv2d_3b_1x1", 1),
    bare("Conv2d_4a_3x3", 1),
    Max,
];

/// The branches of a block, which read the same.
type Branches = &'static [&'static [Step]];

const FIRST: &[Step] = &[conv("Conv2d_0a_1x1")];
const THREES: &[Step] = &[
    conv("Conv2d_0a_1x1"),
    conv("Conv2d_0b_3x3"),
    conv("Conv2d_0c_3x3"),
];
const POOLED: &[Step] = &[Mean, conv("Conv2d_0b_1x1")];

/// Blocks of 5×5 and 3×3 places.
const SQUARES: Branches = &[
    FIRST,
    &[conv("Conv2d_0a_1x1"), conv("Conv2d_0b_5x5")],
    THREES,
    POOLED,
];
/// The same, with two scopes that were misspelled when the network was trained.
const MISSPELLED: Branches = &[
    FIRST,
    &[conv("Conv2d_0b_1x1"), conv("Conv_1_0c_5x5")],
    THREES,
    POOLED,
];
/// The block that makes it smaller; two of its scopes say 1×1 and are 3×3.
const SMALLER: Branches = &[
    &[bare("Conv2d_1a_1x1", 2)],
    &[
        conv("Conv2d_0a_1x1"),
        conv("Conv2d_0b_3x3"),
        bare("Conv2d_1a_1x1", 2),
    ],
    &[Max],
];
/// Blocks of rows and columns of seven places.
const LINES: Branches = &[
    FIRST,
    &[
        conv("Conv2d_0a_1x1"),
        conv("Conv2d_0b_1x7"),
        conv("Conv2d_0c_7x1"),
    ],
    &[
        conv("Conv2d_0a_1x1"),
        conv("Conv2d_0b_7x1"),
        conv("Conv2d_0c_1x7"),
        conv("Conv2d_0d_7x1"),
        conv("Conv2d_0e_1x7"),
    ],
    POOLED,
];

/// The blocks of Inception-v3 up to the one that the predictor looks at.
const INCEPTION: [(&str, Branches); 8] = [
    ("Mixed_5b", SQUARES),
    ("Mixed_5c", MISSPELLED),
    ("Mixed_5d", SQUARES),
    ("Mixed_6a", SMALLER),
    ("Mixed_6b", LINES),
    ("Mixed_6c", LINES),
    ("Mixed_6d", LINES),
    ("Mixed_6e", LINES),
];

/// The least side of a picture of which Inception-v3 has a place left at its end.
const INCEPTION_LEAST: usize = 43;

/// Blocks of MobileNetV2, and those whose depthwise convolution has a stride of 2.
const BLOCKS: usize = 17;
const HALVING: [usize; 4] = [1, 3, 6, 13];

const SAME: Border = Border::Same(Padding::Zero);

/// A graph in the making.
struct Walk<'w, 'f> {
    tensors: &'w Tensors<'f>,
    dialect: Dialect,
    graph: GraphSpec,
}

/// A value and its channels.
type Made = (Value, usize);

impl Walk<'_, '_> {
    /// A convolution and its batch norm, by its scope and what its filters are called.
    fn convolution(
        &mut self,
        (x, channels): Made,
        scope: &str,
        depthwise: bool,
        stride: usize,
        border: Border,
    ) -> Result<Made, NetError> {
        let dialect = self.dialect;
        let (layout, names) = match depthwise {
            true => (dialect.depthwise, ["depthwise_weights", "depthwise_bias"]),
            false => (dialect.layout, ["weights", dialect.bias]),
        };
        let names = names.map(|part| format!("{scope}/{part}"));
        let names = names.each_ref().map(String::as_str);
        let mut made = convolution(self.tensors, names, layout, channels, stride, border)?;
        if !dialect.folded {
            let scope = format!("{scope}/BatchNorm");
            Batch::slim(self.tensors, &scope, made.outputs)?.fold_into(&mut made);
        }
        let outputs = made.outputs;
        Ok((self.graph.push(Op::Convolution(made), &[x]), outputs))
    }

    fn relu6(&mut self, (x, channels): Made) -> Made {
        let x = self.graph.push(Op::Activation(Activation::Relu6), &[x]);
        (x, channels)
    }

    fn pool(&mut self, (x, channels): Made, kind: PoolingKind) -> Made {
        let (stride, border) = match kind {
            PoolingKind::Max => (2, Border::Valid),
            PoolingKind::Average => (1, SAME),
        };
        let pooling = Pooling {
            kind,
            kernel: 3,
            stride,
            border,
        };
        (self.graph.push(Op::Pool(pooling), &[x]), channels)
    }

    fn step(&mut self, x: Made, scope: &str, step: Step) -> Result<Made, NetError> {
        Ok(match step {
            Step::Convolution(name, stride, bordered) => {
                let border = if bordered { SAME } else { Border::Valid };
                let made =
                    self.convolution(x, &format!("{scope}/{name}"), false, stride, border)?;
                self.relu6(made)
            }
            Max => self.pool(x, PoolingKind::Max),
            Mean => self.pool(x, PoolingKind::Average),
        })
    }

    fn inception(&mut self, picture: Value) -> Result<Made, NetError> {
        let mut x = (picture, 3);
        for step in STEM {
            x = self.step(x, "InceptionV3", step)?;
        }
        for (block, branches) in INCEPTION {
            let mut made = Vec::new();
            for (number, steps) in branches.iter().enumerate() {
                let scope = format!("InceptionV3/{block}/Branch_{number}");
                let mut branch = x;
                for &step in *steps {
                    branch = self.step(branch, &scope, step)?;
                }
                made.push(branch);
            }
            let values: Vec<Value> = made.iter().map(|(value, _)| *value).collect();
            let channels = made.iter().map(|(_, channels)| channels).sum();
            x = (self.graph.push(Op::Concat, &values), channels);
        }
        Ok(x)
    }

    fn mobile(&mut self, picture: Value) -> Result<Made, NetError> {
        let first = self.convolution((picture, 3), "MobilenetV2/Conv", false, 2, SAME)?;
        let mut x = self.relu6(first);
        for block in 0..BLOCKS {
            let scope = match block {
                0 => "MobilenetV2/expanded_conv".to_string(),
                number => format!("MobilenetV2/expanded_conv_{number}"),
            };
            let reads = x;
            if block > 0 {
                let expanded = self.convolution(x, &format!("{scope}/expand"), false, 1, SAME)?;
                x = self.relu6(expanded);
            }
            let stride = 1 + usize::from(HALVING.contains(&block));
            let seen = self.convolution(x, &format!("{scope}/depthwise"), true, stride, SAME)?;
            let seen = self.relu6(seen);
            x = self.convolution(seen, &format!("{scope}/project"), false, 1, SAME)?;
            if stride == 1 && x.1 == reads.1 {
                x.0 = self.graph.push(Op::Add, &[x.0, reads.0]);
            }
        }
        let last = self.convolution(x, "MobilenetV2/Conv_1", false, 1, SAME)?;
        Ok(self.relu6(last))
    }
}
