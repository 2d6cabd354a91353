//! MicroAST: Wang et al. 2023, "MicroAST: Towards super-fast ultra-resolution arbitrary style transfer" (arXiv 2211.15313).
//!
//! Two small encoders, one for content and one for styles, see a picture at two depths; a decoder gives the content's
//! features the style's mean and deviation at both (AdaIN: Huang and Belongie 2017, arXiv 1703.06868), and passes each through a
//! residual block whose filters are modulated by weights and biases that a *modulator* makes of the style. α is how much
//! of the style's mean and deviation is taken, by `a + α·(b − a)`; the modulation is always whole, as in the authors' program.
//!
//! Deviations are `√(Σ(x−μ)²/(n−1) + 1e-5)`; borders are reflected; nothing follows the last convolution: the caller clamps.
//! Two strides of 2 round up and two enlargements by 2 follow, so a picture whose sides are no multiples of 4 becomes
//! larger; the authors have none such. The caller continues it by reflection before and cuts it afterwards
//! ([`padded`](super::padded) with [`MicroAst::MULTIPLE`], [`cropped`](super::cropped)).
//!
//! Its files are four: the encoders' have the same tensors, and are told by `content` or `style` in the file's name, or, in
//! a file with all of them, before the tensors' names.

use super::NetError;
use super::build::{checked, convolution, given_norm, relu};
use super::tensors::{Layout, Tensors};
use impasto_compute::Padding;
use impasto_compute::graph::{Border, GraphSpec, Kind, Op, Upsampling, Value, Variance};

/// MicroAST's two graphs.
#[derive(Clone, Debug)]
pub struct MicroAst {
    /// From a style's picture `[3, h, w]`, RGB in 0..1, to eight vectors, which say the style to [`MicroAst::transfer`]:
    /// mean, deviation, weight and bias at the first depth, and the same at the second. Those of several styles are mixed
    /// as sums, vector by vector.
    pub style: GraphSpec,
    /// From a picture `[3, h, w]`, RGB in 0..1, the eight vectors and α, a vector of one number, to a picture.
    pub transfer: GraphSpec,
    /// Channels of the features, and numbers in each vector.
    pub channels: usize,
}

pub(super) const NETWORK: &str = "MicroAST";

const REFLECT: Border = Border::Centred(Padding::Reflect);
const EPSILON: f32 = 1e-5;

/// The filters by which the parts are told.
const ENCODER: &str = "enc1.0.conv_layer.weight";
const MODULATOR: &str = "weight1.0.conv_layer.weight";
const DECODER: &str = "dec3.1.conv_layer.weight";

/// The parts as they are found in files.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts<'f> {
    pub(super) content: Option<Tensors<'f>>,
    pub(super) style: Option<Tensors<'f>>,
    pub(super) modulator: Option<Tensors<'f>>,
    pub(super) decoder: Option<Tensors<'f>>,
    /// Encoders of which it is not clear which they are.
    pub(super) unclear: Vec<Tensors<'f>>,
}

impl<'f> Parts<'f> {
    /// Takes what a file has; `file` is its name without folders.
    pub(super) fn take(&mut self, tensors: &Tensors<'f>, file: &str) {
        let network = |tensors: Tensors<'f>| tensors.told_as(NETWORK);
        let find = |name: &str| tensors.beside(name, None).map(network);
        self.modulator = self.modulator.take().or_else(|| find(MODULATOR));
        self.decoder = self.decoder.take().or_else(|| find(DECODER));
        let inside = ["content", "style"].map(|side| tensors.beside(ENCODER, Some(side)));
        if let [Some(content), Some(style)] = inside {
            self.content = Some(network(content));
            self.style = Some(network(style));
            return;
        }
        let Some(encoder) = find(ENCODER) else {
            return;
        };
        let file = file.to_ascii_lowercase();
        match (file.contains("content"), file.contains("style")) {
            (true, false) => self.content = Some(encoder),
            (false, true) => self.style = Some(encoder),
            _ => self.unclear.push(encoder),
        }
    }

    /// Names of the parts, there or not.
    pub(super) fn names(&self, there: bool) -> Vec<&'static str> {
        let parts = [
            ("the content encoder", &self.content),
            ("the style encoder", &self.style),
            ("the modulator", &self.modulator),
            ("the decoder", &self.decoder),
        ];
        let parts = parts.iter().filter(|(_, part)| part.is_some() == there);
        parts.map(|(name, _)| *name).collect()
    }
}

impl MicroAst {
    /// What the sides of a picture should be multiples of.
    pub const MULTIPLE: usize = 4;

    pub(super) fn read(
        content: &Tensors<'_>,
        style: &Tensors<'_>,
        modulator: &Tensors<'_>,
        decoder: &Tensors<'_>,
    ) -> Result<Self, NetError> {
        let (style_graph, channels) = style_graph(style, modulator)?;
        let transfer = transfer_graph(content, decoder, channels)?;
        Ok(Self {
            style: checked(style, NETWORK, style_graph)?,
            transfer: checked(decoder, NETWORK, transfer)?,
            channels,
        })
    }
}

/// A graph that grows by layers of one part.
struct Walk<'w, 'f> {
    tensors: &'w Tensors<'f>,
    graph: GraphSpec,
    channels: usize,
}

impl Walk<'_, '_> {
    fn conv(&mut self, x: Value, name: &str, stride: usize) -> Result<Value, NetError> {
        let names = ["weight", "bias"].map(|part| format!("{name}.conv_layer.{part}"));
        let names = names.each_ref().map(String::as_str);
        let layout = Layout::OutInSides;
        let made = convolution(self.tensors, names, layout, self.channels, stride, REFLECT)?;
        self.channels = made.outputs;
        Ok(self.graph.push(Op::Convolution(made), &[x]))
    }

    /// Convolutions of a sequence by number and stride, a ReLU behind each.
    fn sequence(
        &mut self,
        mut x: Value,
        name: &str,
        layers: &[(usize, usize)],
    ) -> Result<Value, NetError> {
        for &(number, stride) in layers {
            x = self.conv(x, &format!("{name}.{number}"), stride)?;
            x = relu(&mut self.graph, x);
        }
        Ok(x)
    }

    fn residual(&mut self, x: Value, name: &str) -> Result<Value, NetError> {
        let y = self.conv(x, &format!("{name}.conv1"), 1)?;
        let y = relu(&mut self.graph, y);
        let y = self.conv(y, &format!("{name}.conv2"), 1)?;
        Ok(self.graph.push(Op::Add, &[x, y]))
    }

    /// The features at both depths.
    fn encoder(&mut self, image: Value) -> Result<[Value; 2], NetError> {
        self.channels = 3;
        let layers = [(0, 1), (2, 2), (4, 1), (6, 2), (8, 1)];
        let x = self.sequence(image, "enc1", &layers)?;
        let first = self.residual(x, "enc1.10")?;
        let second = self.residual(first, "enc2.0")?;
        Ok([first, second])
    }

    /// A residual block whose convolutions `f(x)` are `weight·f(x) + bias·x`.
    fn modulated(&mut self, x: Value, name: &str, style: &[Value; 4]) -> Result<Value, NetError> {
        let &[_, _, weight, bias] = style;
        let y = self.conv(x, &format!("{name}.conv1"), 1)?;
        let y = self.modulate(y, x, weight, bias);
        let y = relu(&mut self.graph, y);
        let z = self.conv(y, &format!("{name}.conv2"), 1)?;
        let z = self.modulate(z, y, weight, bias);
        Ok(self.graph.push(Op::Add, &[x, z]))
    }

    fn modulate(&mut self, made: Value, read: Value, weight: Value, bias: Value) -> Value {
        let made = self.graph.push(Op::Multiply, &[made, weight]);
        let read = self.graph.push(Op::Multiply, &[read, bias]);
        self.graph.push(Op::Add, &[made, read])
    }

    /// α of the way from features to the same with a style's mean and deviation.
    fn adain(&mut self, x: Value, style: &[Value; 4], alpha: Value) -> Value {
        let &[mean, deviation, ..] = style;
        let norm = given_norm(EPSILON, Variance::Unbiased);
        let y = self.graph.push(norm, &[x, deviation, mean]);
        self.graph.push(Op::Mix, &[x, y, alpha])
    }
}

fn style_graph(
    style: &Tensors<'_>,
    modulator: &Tensors<'_>,
) -> Result<(GraphSpec, usize), NetError> {
    let mut graph = GraphSpec::new();
    let image = graph.input("style", Kind::Map(3));
    let mut walk = Walk {
        tensors: style,
        graph,
        channels: 3,
    };
    let features = walk.encoder(image)?;
    let channels = walk.channels;
    walk.tensors = modulator;
    for (number, x) in (1..).zip(features) {
        let mean = walk.graph.push(Op::ChannelMean, &[x]);
        let deviation = Op::ChannelDeviation {
            epsilon: EPSILON,
            variance: Variance::Unbiased,
        };
        let deviation = walk.graph.push(deviation, &[x]);
        walk.graph.output(mean);
        walk.graph.output(deviation);
        for what in ["weight", "bias"] {
            walk.channels = channels;
            let made = walk.conv(x, &format!("{what}{number}.0"), 1)?;
            let made = walk.graph.push(Op::ChannelMean, &[made]);
            walk.graph.output(made);
        }
    }
    Ok((walk.graph, channels))
}

fn transfer_graph(
    content: &Tensors<'_>,
    decoder: &Tensors<'_>,
    channels: usize,
) -> Result<GraphSpec, NetError> {
    let mut graph = GraphSpec::new();
    let image = graph.input("picture", Kind::Map(3));
    let [first, second] = [1, 2].map(|depth| {
        ["mean", "deviation", "weight", "bias"]
            .map(|what| graph.input(format!("{what} {depth}"), Kind::Vector(channels)))
    });
    let alpha = graph.input("alpha", Kind::Vector(1));
    let mut walk = Walk {
        tensors: content,
        graph,
        channels: 3,
    };
    // Of the content, the deeper features alone are painted on.
    let [_, x] = walk.encoder(image)?;
    walk.tensors = decoder;
    let x = walk.adain(x, &second, alpha);
    let x = walk.modulated(x, "dec1", &second)?;
    let x = walk.adain(x, &first, alpha);
    let x = walk.modulated(x, "dec2", &first)?;
    let enlarge = Op::Upsample(Upsampling::Bilinear);
    let x = walk.graph.push(enlarge.clone(), &[x]);
    let x = walk.sequence(x, "dec3", &[(1, 1), (3, 1)])?;
    let x = walk.graph.push(enlarge, &[x]);
    let x = walk.sequence(x, "dec3", &[(6, 1), (8, 1)])?;
    let x = walk.conv(x, "dec3.10", 1)?;
    walk.graph.output(x);
    Ok(walk.graph)
}
