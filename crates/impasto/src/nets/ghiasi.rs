//! The real-time arbitrary network of Ghiasi et al. 2017, "Exploring the structure of a real-time, arbitrary neural artistic
//! stylization network" (arXiv 1705.06830), in Magenta's form for telephones.
//!
//! A *predictor* (MobileNetV2: Sandler et al. 2018, arXiv 1801.04381) makes a code of a style, 100 numbers, of its picture;
//! a *transfer network* paints a picture in the style of a code: each of its norms has a scale and a shift that are linear
//! in the code. Codes may be mixed: those of several styles, and, for less strength, that of the content's own picture
//! ([`mixed`]).
//!
//! Both read RGB in 0..1 of any size; the predictor was trained on styles of 256×256. Borders of the predictor are zeros, as
//! many as TensorFlow's `SAME` has. The transfer network's picture is `4·⌈⌈n/2⌉/2⌉` places high and wide: the caller cuts
//! it ([`cropped`](super::cropped)). The variance's ε is that of the file, 1.00136e-5 in Magenta's.
//!
//! The form of the paper, whose predictor is Inception-v3, is not read: none of its files has been at hand.

use super::NetError;
use super::build::{checked, convolution, linear};
use super::forms::GHIASI;
use super::tensors::{Layout, Tensors};
use super::transformer::TransformerSpec;
use impasto_compute::Padding;
use impasto_compute::graph::{Activation, Border, GraphSpec, Kind, Op, Value};

/// Predictor and transfer network.
#[derive(Clone, Debug)]
pub struct Ghiasi {
    /// From a style's picture `[3, h, w]`, RGB in 0..1, to its code.
    pub predictor: GraphSpec,
    /// From a picture `[3, h, w]` and a code to a picture.
    pub transfer: TransformerSpec,
    /// Numbers in a code.
    pub code: usize,
}

pub(super) const PREDICTOR: &str = "Magenta's style predictor (MobileNetV2)";

/// The filters by which a predictor is told.
const TELLING: &str = "MobilenetV2/Conv/weights";

/// Blocks whose depthwise convolution has a stride of 2; all others have 1 (Sandler et al., table 2).
const HALVING: [usize; 4] = [1, 3, 6, 13];

/// Blocks of MobileNetV2.
const BLOCKS: usize = 17;

const SAME: Border = Border::Same(Padding::Zero);

/// A weighted sum of codes, of which those of several styles, or of style and content, are mixed.
pub fn mixed(codes: &[(&[f32], f32)]) -> Vec<f32> {
    let length = codes.iter().map(|(code, _)| code.len()).max().unwrap_or(0);
    let mut sum = vec![0.0; length];
    for (code, weight) in codes {
        for (sum, value) in sum.iter_mut().zip(*code) {
            *sum += weight * value;
        }
    }
    sum
}

/// The tensors of a predictor.
pub(super) fn predictor<'f>(tensors: &Tensors<'f>) -> Option<Tensors<'f>> {
    Some(tensors.beside(TELLING, None)?.told_as(PREDICTOR))
}

/// The tensors of a transfer network.
pub(super) fn transfer<'f>(tensors: &Tensors<'f>) -> Option<Tensors<'f>> {
    let found = GHIASI.among(tensors)?;
    let coded = found.names().any(|name| name.starts_with("style_params/"));
    coded.then_some(found)
}

impl Ghiasi {
    pub(super) fn read(predictor: &Tensors<'_>, transfer: &Tensors<'_>) -> Result<Self, NetError> {
        let spec = GHIASI.read(transfer)?;
        checked(transfer, spec.name, spec.graph())?;
        let code = spec.code().unwrap_or(0);
        Ok(Self {
            predictor: checked(predictor, PREDICTOR, predictor_graph(predictor, code)?)?,
            transfer: spec,
            code,
        })
    }
}

/// A convolution of the predictor and what it reads and makes.
struct Walk<'w, 'f> {
    tensors: &'w Tensors<'f>,
    graph: GraphSpec,
    channels: usize,
}

impl Walk<'_, '_> {
    fn push(
        &mut self,
        x: Value,
        names: [&str; 2],
        layout: Layout,
        stride: usize,
        relu6: bool,
    ) -> Result<Value, NetError> {
        let made = convolution(self.tensors, names, layout, self.channels, stride, SAME)?;
        self.channels = made.outputs;
        let x = self.graph.push(Op::Convolution(made), &[x]);
        Ok(match relu6 {
            true => self.graph.push(Op::Activation(Activation::Relu6), &[x]),
            false => x,
        })
    }

    /// An ordinary convolution by its name.
    fn plain(
        &mut self,
        x: Value,
        name: &str,
        stride: usize,
        relu6: bool,
    ) -> Result<Value, NetError> {
        let names = ["weights", "Conv2D_bias"].map(|part| format!("{name}/{part}"));
        let names = names.each_ref().map(String::as_str);
        self.push(x, names, Layout::OutSidesIn, stride, relu6)
    }
}

fn predictor_graph(tensors: &Tensors<'_>, code: usize) -> Result<GraphSpec, NetError> {
    let mut graph = GraphSpec::new();
    let mut x = graph.input("style", Kind::Map(3));
    let mut walk = Walk {
        tensors,
        graph,
        channels: 3,
    };
    x = walk.plain(x, "MobilenetV2/Conv", 2, true)?;
    for block in 0..BLOCKS {
        let name = match block {
            0 => "MobilenetV2/expanded_conv".to_string(),
            number => format!("MobilenetV2/expanded_conv_{number}"),
        };
        let (reads, channels) = (x, walk.channels);
        if block > 0 {
            x = walk.plain(x, &format!("{name}/expand"), 1, true)?;
        }
        let depthwise = ["depthwise_weights", "depthwise_bias"];
        let names = depthwise.map(|part| format!("{name}/depthwise/{part}"));
        let names = names.each_ref().map(String::as_str);
        let stride = 1 + usize::from(HALVING.contains(&block));
        x = walk.push(x, names, Layout::Depthwise, stride, true)?;
        x = walk.plain(x, &format!("{name}/project"), 1, false)?;
        if stride == 1 && walk.channels == channels {
            x = walk.graph.push(Op::Add, &[x, reads]);
        }
    }
    x = walk.plain(x, "MobilenetV2/Conv_1", 1, true)?;
    let x = walk.graph.push(Op::ChannelMean, &[x]);
    let names = [
        "mobilenet_conv/Conv/weights",
        "mobilenet_conv/Conv/Conv2D_bias",
    ];
    let map = linear(tensors, names, walk.channels, code)?;
    let x = walk.graph.push(Op::Linear(map), &[x]);
    walk.graph.output(x);
    Ok(walk.graph)
}
