//! Encoders: fixed feature networks as inspectable data.
//!
//! ```text
//! file or embedded bytes ── Checkpoint ── tables of tensor names ──▶ Encoder ── EncoderOptions ──▶ NetSpec ──▶ Device
//! ```
//!
//! An encoder is VGG-shaped (Simonyan and Zisserman, arXiv 1409.1556): blocks of 3×3 convolutions with ReLU, a
//! 2×2 pool between blocks. How many convolutions there are, how wide they are and where the file stops is read
//! from the tensors, so a file that stops early is an encoder with fewer layers. An encoder may carry *heads*,
//! linear maps behind a layer that imitate another network's layer of the same name; where there is a head, the
//! name means the head.

mod digest;
mod error;
pub(crate) mod find;
mod layer_name;
mod names;
mod options;
mod stand_in;
mod statistics;

pub use error::EncoderError;
pub use layer_name::{BadLayerName, LayerName, WeightedLayer};
pub use options::{EncoderOptions, Preprocessing};
pub use stand_in::{StandIn, Substitution};
pub(crate) use statistics::{ActivationSize, Activations};

use impasto_compute::{Conv3x3, Head, Layer, NetSpec, Padding, Tap};
use impasto_weights::Checkpoint;
use names::Part;
use serde::Serialize;
use std::sync::Arc;

/// A convolution of an encoder, with the name it goes by.
#[derive(Clone, Debug)]
struct NamedConv {
    block: u8,
    index: u8,
    conv: Conv3x3,
}

/// A head and the layer that it imitates.
#[derive(Clone, Debug)]
struct NamedHead {
    layer: LayerName,
    out_channels: usize,
    weight: Arc<[f32]>,
    bias: Arc<[f32]>,
}

/// One row of an encoder's description.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerInfo {
    /// The layer's name.
    pub layer: String,
    /// What it is: `conv`, `relu`, `pool` or `head`.
    pub kind: &'static str,
    /// Channels that it gives.
    pub channels: usize,
    /// Shape of its filters or matrix, if it has any.
    pub weights: Option<Vec<usize>>,
    /// Its parameters.
    pub parameters: usize,
    /// Width of an image patch that one of its values sees, in pixels.
    pub receptive_field: usize,
    /// Whether a loss can look at it.
    pub tap: bool,
}

/// A fixed feature network: named layers, preprocessing, weights.
#[derive(Clone, Debug)]
pub struct Encoder {
    name: String,
    preprocessing: Preprocessing,
    convs: Vec<NamedConv>,
    heads: Vec<NamedHead>,
}

impl Encoder {
    /// Builds an encoder from tensors.
    ///
    /// # Errors
    /// [`EncoderError::Weights`] if they are not a sequence of VGG-shaped convolutions that fit each other,
    /// [`EncoderError::NotAnEncoder`] if there are heads that do not fit.
    pub fn from_checkpoint(
        name: &str,
        checkpoint: Checkpoint,
        preprocessing: Option<Preprocessing>,
    ) -> Result<Self, EncoderError> {
        let mut checkpoint = checkpoint.into_vgg(name)?;
        let not = |problem: String| EncoderError::NotAnEncoder {
            file: name.into(),
            problem,
        };
        let stated = checkpoint.metadata.get("preprocessing").map(String::as_str);
        let stated = stated.and_then(|stated| {
            Preprocessing::ALL
                .into_iter()
                .find(|(name, _)| *name == stated)
        });
        let Some(preprocessing) = preprocessing.or(stated.map(|(_, p)| p)) else {
            return Err(not(
                "it does not say which preprocessing it expects; give one".into(),
            ));
        };
        let mut encoder = Self {
            name: name.into(),
            preprocessing,
            convs: vec![],
            heads: vec![],
        };
        let mut channels = 3;
        for (layer, tensor) in names::layers(&checkpoint, "") {
            let LayerName::Conv { block, index } = layer else {
                continue;
            };
            let (shape, weight) =
                names::take(&mut checkpoint, &tensor, Part::Weight).map_err(not)?;
            let out = shape.first().copied().unwrap_or(0);
            let weight = if encoder.convs.is_empty() && preprocessing.constants().1 {
                swap_red_and_blue(&weight)
            } else {
                weight
            };
            let (_, bias) = names::take(&mut checkpoint, &tensor, Part::Bias).map_err(not)?;
            let conv = Conv3x3::new(channels, out, Padding::Zero, weight, bias)
                .map_err(|error| not(format!("{tensor}: {error}")))?;
            encoder.convs.push(NamedConv { block, index, conv });
            channels = out;
        }
        for (layer, tensor) in names::layers(&checkpoint, "head.") {
            let Some(trunk) = encoder.position(layer) else {
                return Err(not(format!(
                    "{tensor} sits behind a layer that is not there"
                )));
            };
            let input = encoder.channels_after(trunk);
            let (shape, weight) =
                names::take(&mut checkpoint, &tensor, Part::Weight).map_err(not)?;
            let out = shape.first().copied().unwrap_or(0);
            if out == 0 || weight.len() != out * input {
                return Err(not(format!(
                    "{tensor} has the shape {shape:?}, expected [out, {input}]"
                )));
            }
            let (shape, bias) = names::take(&mut checkpoint, &tensor, Part::Bias).map_err(not)?;
            if bias.len() != out {
                return Err(not(format!(
                    "the bias of {tensor} has the shape {shape:?}, expected [{out}]"
                )));
            }
            encoder.heads.push(NamedHead {
                layer,
                out_channels: out,
                weight: weight.into(),
                bias: bias.into(),
            });
        }
        Ok(encoder)
    }

    /// Its name, or the file that it was read from.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it expects of the image. The library does it; callers always give RGB in 0..1.
    pub fn preprocessing(&self) -> Preprocessing {
        self.preprocessing
    }

    /// How large its activations are under a recipe's options, if that is known of networks like it.
    pub(crate) fn activations(&self, options: &EncoderOptions) -> Option<Activations> {
        Activations::of(self.preprocessing, !self.heads.is_empty(), options)
    }

    /// Number of weights and biases.
    pub fn parameters(&self) -> usize {
        let convs = self
            .convs
            .iter()
            .map(|named| named.conv.weight.len() + named.conv.bias.len());
        convs
            .chain(
                self.heads
                    .iter()
                    .map(|head| head.weight.len() + head.bias.len()),
            )
            .sum()
    }

    /// The network as data for a device.
    pub fn spec(&self, options: &EncoderOptions) -> NetSpec {
        let mut layers = Vec::new();
        for (position, named) in self.convs.iter().enumerate() {
            let mut conv = named.conv.clone();
            if position == 0 {
                conv.padding = options.padding;
            } else if named.block != self.convs[position - 1].block {
                layers.push(Layer::Pool(options.pool()));
            }
            layers.push(Layer::Conv(conv));
            layers.push(Layer::Relu);
        }
        // A trailing pool, so that the pool of the last block is a tap like the others.
        layers.push(Layer::Pool(options.pool()));
        let heads = self.heads.iter().filter_map(|head| {
            let after = self.position(head.layer)?;
            Some(Head {
                after,
                out_channels: head.out_channels,
                weight: head.weight.clone(),
                bias: head.bias.clone(),
            })
        });
        NetSpec {
            input: self.preprocessing.constants().0.into(),
            layers,
            heads: heads.collect(),
        }
    }

    /// The tap of a layer's name.
    ///
    /// # Errors
    /// [`EncoderError::NoSuchLayer`] lists those that there are.
    pub fn tap(&self, layer: LayerName) -> Result<Tap, EncoderError> {
        if let Some(head) = self.heads.iter().position(|head| head.layer == layer) {
            return Ok(Tap::Head(head));
        }
        match self.position(layer) {
            // An encoder with heads imitates another network there and nowhere else: what its own layers hold
            // has no meaning under the other's names.
            Some(position) if self.heads.is_empty() => Ok(Tap::Layer(position)),
            _ => Err(EncoderError::NoSuchLayer {
                encoder: self.name.clone(),
                layer: layer.to_string(),
                available: self
                    .taps()
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(", "),
            }),
        }
    }

    /// The layers that a loss can look at, from shallow to deep: the ReLUs, and the heads' names if it has heads.
    /// Convolutions before their ReLU (`conv4_2`) and pools can be named as well if it has no heads.
    pub fn taps(&self) -> Vec<LayerName> {
        if self.heads.is_empty() {
            self.convs
                .iter()
                .map(|conv| LayerName::Relu {
                    block: conv.block,
                    index: conv.index,
                })
                .collect()
        } else {
            self.heads.iter().map(|head| head.layer).collect()
        }
    }

    /// The layers that content and style look at unless a recipe names others.
    ///
    /// Those of Gatys et al. 2016 (relu4_2; relu1_1 … relu5_1) where the encoder is deep enough; else relu3_3 and
    /// relu1_1, 2_1, 3_1, 3_3; of an encoder shallower than that, the deepest and the first of each block.
    pub fn default_layers(&self) -> DefaultLayers {
        let relu = |block, index| LayerName::Relu { block, index };
        let taps = self.taps();
        let known = |wanted: &[LayerName]| wanted.iter().all(|layer| taps.contains(layer));
        let choices = [
            (
                relu(4, 2),
                vec![relu(1, 1), relu(2, 1), relu(3, 1), relu(4, 1), relu(5, 1)],
            ),
            (
                relu(3, 3),
                vec![relu(1, 1), relu(2, 1), relu(3, 1), relu(3, 3)],
            ),
        ];
        for (content, style) in choices {
            if known(&style) && known(&[content]) {
                return DefaultLayers {
                    content: vec![content],
                    style,
                };
            }
        }
        let firsts = taps
            .iter()
            .copied()
            .filter(|tap| matches!(tap, LayerName::Relu { index: 1, .. }));
        DefaultLayers {
            content: taps.last().copied().into_iter().collect(),
            style: firsts.collect(),
        }
    }

    /// Its layers in order, for people.
    pub fn layers(&self) -> Vec<LayerInfo> {
        let spec = self.spec(&EncoderOptions::default());
        let mut rows = Vec::new();
        for (position, layer) in spec.layers[..spec.layers.len() - 1].iter().enumerate() {
            let field = spec.receptive_field(position);
            let params = layer.params();
            let Some(name) = self.name_at(position) else {
                continue;
            };
            rows.push(LayerInfo {
                layer: name.to_string(),
                kind: layer.kind(),
                channels: self.channels_after(position),
                weights: params.first().map(|weight| weight.shape.clone()),
                parameters: params.iter().map(|param| param.values.len()).sum(),
                receptive_field: field,
                tap: self.heads.is_empty(),
            });
            for head in self.heads.iter().filter(|head| head.layer == name) {
                rows.push(LayerInfo {
                    layer: name.to_string(),
                    kind: "head",
                    channels: head.out_channels,
                    weights: Some(vec![head.out_channels, self.channels_after(position)]),
                    parameters: head.weight.len() + head.bias.len(),
                    receptive_field: field,
                    tap: true,
                });
            }
        }
        rows
    }

    /// Index in [`NetSpec::layers`] of a layer of its own, whether or not it has heads.
    pub(crate) fn trunk(&self, layer: LayerName) -> Option<usize> {
        self.position(layer)
    }

    /// Index in [`NetSpec::layers`] of a layer of the trunk.
    fn position(&self, layer: LayerName) -> Option<usize> {
        if let LayerName::Number(number) = layer {
            let last = 2 * self.convs.len() + usize::from(self.convs.last()?.block) - 1;
            return (usize::from(number) <= last).then_some(usize::from(number));
        }
        let mut position = 0;
        for (place, named) in self.convs.iter().enumerate() {
            if place > 0 && self.convs[place - 1].block != named.block {
                if layer
                    == (LayerName::Pool {
                        block: self.convs[place - 1].block,
                    })
                {
                    return Some(position);
                }
                position += 1;
            }
            if layer
                == (LayerName::Conv {
                    block: named.block,
                    index: named.index,
                })
            {
                return Some(position);
            }
            if layer
                == (LayerName::Relu {
                    block: named.block,
                    index: named.index,
                })
            {
                return Some(position + 1);
            }
            position += 2;
        }
        let last = self.convs.last()?;
        (layer == LayerName::Pool { block: last.block }).then_some(position)
    }

    /// The name of a layer of the trunk; the inverse of [`Encoder::position`].
    fn name_at(&self, position: usize) -> Option<LayerName> {
        let candidates = self.convs.iter().flat_map(|named| {
            let (block, index) = (named.block, named.index);
            [
                LayerName::Conv { block, index },
                LayerName::Relu { block, index },
                LayerName::Pool { block },
            ]
        });
        candidates
            .into_iter()
            .find(|&name| self.position(name) == Some(position))
    }

    /// Channels behind a layer of the trunk.
    pub(crate) fn channels_after(&self, position: usize) -> usize {
        let convs = self.convs.iter();
        let mut before = convs.filter(|named| {
            let name = LayerName::Conv {
                block: named.block,
                index: named.index,
            };
            self.position(name).is_some_and(|place| place <= position)
        });
        before
            .next_back()
            .map_or(3, |named| named.conv.out_channels)
    }
}

/// The layers that an encoder's losses look at unless told otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultLayers {
    /// For content.
    pub content: Vec<LayerName>,
    /// For style.
    pub style: Vec<LayerName>,
}

/// Filters `[out, 3, 3, 3]` for blue, green, red as filters for red, green, blue.
fn swap_red_and_blue(filters: &[f32]) -> Vec<f32> {
    filters
        .chunks_exact(27)
        .flat_map(|f| [&f[18..27], &f[9..18], &f[0..9]].concat())
        .collect()
}

#[cfg(test)]
mod tests;
