//! Where networks that paint come from: the program itself, a store of models, files of weights.

use super::cascade::{CascadeSpec, LevelSpec};
use super::painter::{PainterNetwork, PainterSpec};
use crate::encoder::{Encoder, EncoderError, EncoderOptions};
use crate::named::Named;
use crate::recipe::{MethodName, Problem};
use crate::{Error, LayerName, Result};
use impasto_compute::Padding;
use impasto_compute::graph::{Activation, Border, Convolution, GraphSpec, Kind, Op, Upsampling};
use impasto_weights::{Checkpoint, Limits, Store, WeightTensor};
use std::path::Path;

/// The decoders that are part of the program.
const DECODERS: &[u8] = include_bytes!("../../../../../models/lite-paint.safetensors");

/// A level of the embedded network: its number, the layer of `lite` that its decoder reads, and the convolutions before
/// which that doubles the size.
const LEVELS: [(usize, LayerName, &[usize]); 3] = [
    (3, LayerName::Relu { block: 3, index: 3 }, &[3, 5]),
    (2, LayerName::Relu { block: 2, index: 1 }, &[2]),
    (1, LayerName::Relu { block: 1, index: 1 }, &[]),
];

impl PainterSpec {
    /// The network that is part of the program: `lite`, and three small decoders from its layers to the picture.
    ///
    /// # Errors
    /// None that a released program can meet.
    pub fn embedded() -> Result<Self> {
        let lite = Encoder::lite()?;
        let options = EncoderOptions {
            padding: Padding::Replicate,
            ..EncoderOptions::default()
        };
        let read = Checkpoint::read(DECODERS, "the embedded decoders", &Limits::default());
        let decoders = read.map_err(EncoderError::from)?;
        let mut levels = Vec::new();
        for (number, layer, doubled) in LEVELS {
            levels.push(LevelSpec {
                number,
                encoder: 0,
                tap: lite.trunk(layer)?,
                decoder: decoder(&decoders, &format!("decoder{number}"), doubled)?,
            });
        }
        let encoders = vec![lite.spec(&options)];
        Ok(Self {
            name: "lite-paint".into(),
            network: PainterNetwork::Paint(CascadeSpec { encoders, levels }),
        })
    }

    /// The network of a file or folder of weights, recognised by its tensors.
    ///
    /// # Errors
    /// That it is none.
    pub fn open(path: &Path) -> Result<Self> {
        let problem = Problem::new("model", path.display(), "is no network that paints");
        Err(Error::Invalid(vec![problem]))
    }

    /// The network of a method: that of a name or path, or the method's own.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it paints by another method.
    pub fn find(method: MethodName, model: Option<&Path>, store: Option<&Store>) -> Result<Self> {
        let _ = store;
        match (method, model) {
            (MethodName::Paint, None) => Self::embedded(),
            _ => Err(Error::Invalid(vec![Problem::new(
                "method",
                method.name(),
                "needs a network: name its weights",
            )])),
        }
    }
}

/// A decoder of 3×3 convolutions with replicated borders and ReLU after each but the last.
fn decoder(tensors: &Checkpoint, name: &str, doubled: &[usize]) -> Result<GraphSpec> {
    let find = |layer: usize, part: &str| {
        let key = format!("{name}.conv{layer}.{part}");
        tensors.tensors.get(&key).ok_or_else(|| {
            let problem = format!("the tensor {key} is missing");
            EncoderError::NotAnEncoder {
                file: name.into(),
                problem,
            }
        })
    };
    let count = (0..)
        .take_while(|&layer| find(layer, "weight").is_ok())
        .count();
    let mut graph = GraphSpec::new();
    let mut x = None;
    for layer in 0..count {
        let WeightTensor { shape, values } = find(layer, "weight")?;
        let (outputs, inputs) = match shape[..] {
            [outputs, inputs, 3, 3] => (outputs, inputs),
            _ => (0, 0),
        };
        let mut here = match x {
            Some(x) => x,
            None => graph.input("features", Kind::Map(inputs)),
        };
        if doubled.contains(&layer) {
            here = graph.push(Op::Upsample(Upsampling::Nearest), &[here]);
        }
        let convolution = Convolution {
            inputs,
            outputs,
            groups: 1,
            kernel: [3, 3],
            stride: 1,
            border: Border::Centred(Padding::Replicate),
            weight: values.as_slice().into(),
            bias: find(layer, "bias")?.values.as_slice().into(),
        };
        here = graph.push(Op::Convolution(convolution), &[here]);
        if layer + 1 < count {
            here = graph.push(Op::Activation(Activation::Relu), &[here]);
        }
        x = Some(here);
    }
    if let Some(x) = x {
        graph.output(x);
    }
    graph.validate()?;
    Ok(graph)
}
