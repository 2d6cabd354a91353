//! Transformer networks as data: a picture in, a picture out.
//!
//! Johnson, Alahi and Fei-Fei 2016 (arXiv 1603.08155), with instance norms (Ulyanov, Vedaldi and Lempitsky 2016, arXiv
//! 1607.08022), one for all styles or with a scale and a shift for each (Dumoulin, Shlens and Kudlur 2017, arXiv
//! 1610.07629), or with scales and shifts that are linear in a code of the style (Ghiasi et al. 2017, arXiv 1705.06830):
//! convolutions that make the picture smaller, residual blocks, convolutions that make it larger again. A
//! [`TransformerSpec`] says all of that, [`TransformerSpec::graph`] makes a graph of it for a device; which files hold
//! which is a table (`forms`).
//!
//! Strides of 2 round up, so what is made has `m·⌈⌈n/2⌉/2⌉` places, with `m` 4 in all that are known, at least as many as
//! the picture: what is too much on the right and below is cut off by the caller ([`cropped`](super::cropped)).

use super::NetError;
use super::build::{colours, given_norm, relu};
use impasto_compute::graph::{
    Activation, Affine, Convolution, GraphSpec, InstanceNorm, Kind, Linear, Op, Scaling,
    TransposedConvolution, Upsampling, Value, Variance,
};
use std::sync::Arc;

/// A transformer network as data.
#[derive(Clone, Debug)]
pub struct TransformerSpec {
    /// Which network this is, for people.
    pub name: &'static str,
    /// What happens to the picture, RGB in 0..1, before the first layer.
    pub input: Colours,
    /// The layers in order.
    pub stages: Vec<Stage>,
    /// What the last layer's numbers become.
    pub end: End,
    /// What happens to them then, to make RGB in 0..1 of them, about: values beyond are the caller's to clamp.
    pub output: Colours,
}

/// `x · scale + shift` for red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colours {
    /// Multiplied.
    pub scale: [f32; 3],
    /// Added then.
    pub shift: [f32; 3],
}

impl Colours {
    /// Colours as they are.
    pub const PLAIN: Self = Self {
        scale: [1.0; 3],
        shift: [0.0; 3],
    };

    /// From 0..1 to 0..255.
    pub const BYTES: Self = Self {
        scale: [255.0; 3],
        shift: [0.0; 3],
    };

    /// What undoes it.
    pub fn inverse(self) -> Self {
        let scale = self.scale.map(|scale| 1.0 / scale);
        Self {
            scale,
            shift: std::array::from_fn(|c| -self.shift[c] * scale[c]),
        }
    }
}

/// A layer, or two whose result is added to what they read.
#[derive(Clone, Debug)]
pub enum Stage {
    /// A layer.
    Layer(Layer),
    /// A residual block.
    Residual(Box<[Layer; 2]>),
}

/// A convolution, its norm, and perhaps a ReLU.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The convolution.
    pub filters: Filters,
    /// What comes between it and the ReLU.
    pub norm: Norm,
    /// Behind the norm; `None` for nothing.
    pub activation: Option<Activation>,
}

/// The convolution of a layer.
#[derive(Clone, Debug)]
pub enum Filters {
    /// Of what is read, or of it made twice as large.
    Convolution {
        /// How it is made larger before, if it is.
        enlarge: Option<Upsampling>,
        /// The convolution.
        convolution: Convolution,
    },
    /// Which makes it larger itself.
    Transposed(TransposedConvolution),
}

impl Filters {
    /// Channels that they make.
    pub fn outputs(&self) -> usize {
        match self {
            Filters::Convolution { convolution, .. } => convolution.outputs,
            Filters::Transposed(convolution) => convolution.outputs,
        }
    }
}

/// The norm of a layer. Batch norms are folded into the convolution when a file is read.
#[derive(Clone, Debug)]
pub enum Norm {
    /// None.
    None,
    /// An instance norm with a fixed scale and shift.
    Instance {
        /// Added to the variance.
        epsilon: f32,
        /// Scale and shift, `[c]` each.
        scaling: Scaling,
    },
    /// An instance norm with a scale and a shift for each style.
    Conditional {
        /// Added to the variance.
        epsilon: f32,
        /// Scales `[styles, c]`.
        scales: Arc<[f32]>,
        /// Shifts `[styles, c]`.
        shifts: Arc<[f32]>,
    },
    /// An instance norm whose scale and shift are linear in a style's code.
    Coded {
        /// Added to the variance.
        epsilon: f32,
        /// From the code to the scale.
        scale: Linear,
        /// From the code to the shift.
        shift: Linear,
    },
}

/// What the last layer's numbers become.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum End {
    /// Nothing else.
    Plain,
    /// `1 / (1 + e^−x)`.
    Sigmoid,
    /// `scale · tanh x + shift`.
    Tanh {
        /// Multiplied.
        scale: f32,
        /// Added then.
        shift: f32,
    },
}

impl TransformerSpec {
    /// The graph. It reads the picture `[3, h, w]`, RGB in 0..1; then, with a [`Norm::Coded`], the code; then, for each
    /// [`Norm::Conditional`] in the order of layers, its scale and its shift, as [`TransformerSpec::style`] has them.
    /// It makes a picture `[3, h', w']`.
    pub fn graph(&self) -> GraphSpec {
        let mut graph = GraphSpec::new();
        let mut x = graph.input("picture", Kind::Map(3));
        let mut styles = Inputs::default();
        if let Some(length) = self.code() {
            styles.code = Some(graph.input("code", Kind::Vector(length)));
        }
        for (number, (channels, _)) in self.conditional().enumerate() {
            let pair = ["scale", "shift"]
                .map(|what| graph.input(format!("{what} {number}"), Kind::Vector(channels)));
            styles.pairs.push(pair);
        }
        styles.pairs.reverse();
        if self.input != Colours::PLAIN {
            x = graph.push(colours(self.input.scale, self.input.shift), &[x]);
        }
        for stage in &self.stages {
            x = match stage {
                Stage::Layer(layer) => layer.push(&mut graph, x, &mut styles),
                Stage::Residual(layers) => {
                    let [first, second] = &**layers;
                    let made = first.push(&mut graph, x, &mut styles);
                    let made = second.push(&mut graph, made, &mut styles);
                    graph.push(Op::Add, &[x, made])
                }
            };
        }
        let end = match self.end {
            End::Plain => None,
            End::Sigmoid => Some(Activation::Sigmoid),
            End::Tanh { scale, shift } => Some(Activation::Tanh { scale, shift }),
        };
        if let Some(end) = end {
            x = graph.push(Op::Activation(end), &[x]);
        }
        if self.output != Colours::PLAIN {
            x = graph.push(colours(self.output.scale, self.output.shift), &[x]);
        }
        graph.output(x);
        graph
    }

    /// Numbers in a style's code, if the network reads one.
    pub fn code(&self) -> Option<usize> {
        self.layers().find_map(|layer| match &layer.norm {
            Norm::Coded { scale, .. } => Some(scale.weight.len() / scale.bias.len().max(1)),
            _ => None,
        })
    }

    /// How many styles the network has to choose from: 1 if there is nothing to choose.
    pub fn styles(&self) -> usize {
        let mut counts = self.conditional().map(|(_, count)| count);
        counts.next().unwrap_or(1)
    }

    /// Scales and shifts of a mixture of the network's own styles, in the order in which [`TransformerSpec::graph`] reads
    /// them behind the picture: the sum of those of each style times its weight. Empty if there is nothing to choose.
    ///
    /// # Errors
    /// [`NetError::NoSuchStyle`].
    pub fn style(&self, mixture: &[(usize, f32)]) -> Result<Vec<Vec<f32>>, NetError> {
        let count = self.styles();
        if let Some(&(index, _)) = mixture.iter().find(|(index, _)| *index >= count) {
            return Err(NetError::NoSuchStyle {
                network: self.name.into(),
                index,
                count,
            });
        }
        let mixed = |rows: &[f32]| {
            let width = rows.len() / count;
            let mut sum = vec![0.0_f32; width];
            for &(index, weight) in mixture {
                let row = &rows[index * width..][..width];
                for (sum, value) in sum.iter_mut().zip(row) {
                    *sum += weight * value;
                }
            }
            sum
        };
        let vectors = self.layers().filter_map(|layer| match &layer.norm {
            Norm::Conditional { scales, shifts, .. } => Some([mixed(scales), mixed(shifts)]),
            _ => None,
        });
        Ok(vectors.flatten().collect())
    }

    /// The network in one of its styles alone: what it chooses from is fixed. One without a choice is left as it is.
    ///
    /// # Errors
    /// [`NetError::NoSuchStyle`].
    pub fn only(&self, index: usize) -> Result<Self, NetError> {
        let mut pairs = match self.styles() {
            1 if self.conditional().next().is_none() => return Ok(self.clone()),
            _ => self.style(&[(index, 1.0)])?.into_iter(),
        };
        let mut only = self.clone();
        for layer in only.layers_mut() {
            if let Norm::Conditional { epsilon, .. } = layer.norm {
                let mut next = || pairs.next().unwrap_or_default().into();
                let (scale, shift) = (next(), next());
                let scaling = Scaling { scale, shift };
                layer.norm = Norm::Instance { epsilon, scaling };
            }
        }
        Ok(only)
    }

    /// The network with the numbers of a graph that [`TransformerSpec::graph`] made of it, and that has learned since.
    pub fn with_numbers_of(&self, graph: &GraphSpec) -> Self {
        let mut learned = self.clone();
        let mut operations = graph.nodes.iter().map(|node| &node.op);
        for layer in learned.layers_mut() {
            match &mut layer.filters {
                Filters::Convolution { convolution, .. } => {
                    let next = operations.find_map(|op| match op {
                        Op::Convolution(learned) => Some(learned),
                        _ => None,
                    });
                    next.into_iter()
                        .for_each(|learned| convolution.clone_from(learned));
                }
                Filters::Transposed(convolution) => {
                    let next = operations.find_map(|op| match op {
                        Op::TransposedConvolution(learned) => Some(learned),
                        _ => None,
                    });
                    next.into_iter()
                        .for_each(|learned| convolution.clone_from(learned));
                }
            }
            if let Norm::Instance { scaling, .. } = &mut layer.norm {
                let next = operations.find_map(|op| match op {
                    Op::InstanceNorm(InstanceNorm {
                        affine: Affine::Fixed(learned),
                        ..
                    }) => Some(learned),
                    _ => None,
                });
                next.into_iter()
                    .for_each(|learned| scaling.clone_from(learned));
            }
        }
        learned
    }

    /// Its layers as one line for people and programs: `9x9 3>8, 3x3 8>16 /2, …`.
    pub fn outline(&self) -> String {
        let layers = self.layers().map(|layer| match &layer.filters {
            Filters::Convolution {
                enlarge,
                convolution,
            } => {
                let Convolution {
                    inputs,
                    outputs,
                    kernel: [h, w],
                    stride,
                    ..
                } = convolution;
                let size = match (enlarge, stride) {
                    (Some(_), _) => " x2".to_string(),
                    (None, 1) => String::new(),
                    (None, stride) => format!(" /{stride}"),
                };
                format!("{h}x{w} {inputs}>{outputs}{size}")
            }
            Filters::Transposed(convolution) => {
                let k = convolution.kernel;
                let (inputs, outputs) = (convolution.inputs, convolution.outputs);
                format!("{k}x{k} {inputs}>{outputs} x{}", convolution.stride)
            }
        });
        layers.collect::<Vec<_>>().join(", ")
    }

    fn layers_mut(&mut self) -> impl Iterator<Item = &mut Layer> {
        self.stages.iter_mut().flat_map(|stage| match stage {
            Stage::Layer(layer) => std::slice::from_mut(layer),
            Stage::Residual(layers) => layers.as_mut_slice(),
        })
    }

    /// Layers in order, each with whether it is one of a residual block.
    pub(super) fn placed_layers(&self) -> impl Iterator<Item = (&Layer, bool)> {
        self.stages.iter().flat_map(|stage| match stage {
            Stage::Layer(layer) => vec![(layer, false)],
            Stage::Residual(layers) => layers.iter().map(|layer| (layer, true)).collect(),
        })
    }

    /// The numbers that it was made from, those of all styles.
    pub(crate) fn numbers(&self) -> Vec<&[f32]> {
        let mut numbers: Vec<&[f32]> = Vec::new();
        for layer in self.layers() {
            match &layer.filters {
                Filters::Convolution { convolution: c, .. } => {
                    numbers.extend([&*c.weight, &c.bias])
                }
                Filters::Transposed(c) => numbers.extend([&*c.weight, &c.bias]),
            }
            match &layer.norm {
                Norm::None => {}
                Norm::Instance { scaling, .. } => numbers.extend([&*scaling.scale, &scaling.shift]),
                Norm::Conditional { scales, shifts, .. } => numbers.extend([&**scales, shifts]),
                Norm::Coded { scale, shift, .. } => {
                    numbers.extend([&*scale.weight, &scale.bias, &shift.weight, &shift.bias]);
                }
            }
        }
        numbers
    }

    /// All layers in order, those of residual blocks, too.
    fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.stages.iter().flat_map(|stage| match stage {
            Stage::Layer(layer) => std::slice::from_ref(layer),
            Stage::Residual(layers) => layers.as_slice(),
        })
    }

    /// Channels and styles of each conditional norm in order.
    fn conditional(&self) -> impl Iterator<Item = (usize, usize)> {
        self.layers().filter_map(|layer| match &layer.norm {
            Norm::Conditional { scales, .. } => {
                let channels = layer.filters.outputs().max(1);
                Some((channels, scales.len() / channels))
            }
            _ => None,
        })
    }
}

/// What says the style, as values of the graph.
#[derive(Default)]
struct Inputs {
    code: Option<Value>,
    /// Scale and shift of each conditional norm, the first one last.
    pairs: Vec<[Value; 2]>,
}

impl Layer {
    fn push(&self, graph: &mut GraphSpec, x: Value, styles: &mut Inputs) -> Value {
        let x = match &self.filters {
            Filters::Convolution {
                enlarge,
                convolution,
            } => {
                let x = match *enlarge {
                    Some(how) => graph.push(Op::Upsample(how), &[x]),
                    None => x,
                };
                graph.push(Op::Convolution(convolution.clone()), &[x])
            }
            Filters::Transposed(convolution) => {
                graph.push(Op::TransposedConvolution(convolution.clone()), &[x])
            }
        };
        let variance = Variance::Biased;
        let x = match &self.norm {
            Norm::None => x,
            Norm::Instance { epsilon, scaling } => {
                let norm = InstanceNorm {
                    epsilon: *epsilon,
                    variance,
                    affine: Affine::Fixed(scaling.clone()),
                };
                graph.push(Op::InstanceNorm(norm), &[x])
            }
            Norm::Conditional { epsilon, .. } => match styles.pairs.pop() {
                Some([scale, shift]) => {
                    graph.push(given_norm(*epsilon, variance), &[x, scale, shift])
                }
                // There is a pair for each; a graph without it would be refused.
                None => graph.push(given_norm(*epsilon, variance), &[x]),
            },
            Norm::Coded {
                epsilon,
                scale,
                shift,
            } => {
                let reads: Vec<Value> = styles.code.into_iter().collect();
                let scale = graph.push(Op::Linear(scale.clone()), &reads);
                let shift = graph.push(Op::Linear(shift.clone()), &reads);
                graph.push(given_norm(*epsilon, variance), &[x, scale, shift])
            }
        };
        match self.activation {
            Some(Activation::Relu) => relu(graph, x),
            Some(activation) => graph.push(Op::Activation(activation), &[x]),
            None => x,
        }
    }
}
