//! Writes a network as Magenta's image stylization has it: the form in which networks that were learned here are kept.

use super::{MAGENTA, Names, REFLECT};
use crate::nets::transformer::{Colours, End, Filters, Norm, TransformerSpec};
use impasto_compute::graph::{Activation, Convolution, Upsampling};
use impasto_weights::WeightTensor;
use std::collections::BTreeMap;

/// Layers before the residual blocks, and behind them.
const OUTSIDE: usize = 3;

impl TransformerSpec {
    /// The tensors of a network of one style under the names of that form; `None` for one of another kind, which would not
    /// be the same when it is read again.
    pub fn tensors(&self) -> Option<BTreeMap<String, WeightTensor>> {
        let Names::Spelled {
            contract,
            residual,
            first,
            expand,
            filters: [weights, biases],
            norm: [gamma, beta],
        } = &MAGENTA.names
        else {
            return None;
        };
        let is_plain = self.input == Colours::PLAIN && self.output == Colours::PLAIN;
        if !(is_plain && self.end == End::Sigmoid) {
            return None;
        }
        let layers: Vec<_> = self.placed_layers().collect();
        let blocks = layers.len().checked_sub(2 * OUTSIDE)?;
        let mut tensors = BTreeMap::new();
        for (place, (layer, in_block)) in layers.iter().enumerate() {
            let behind = place.checked_sub(OUTSIDE + blocks);
            let (name, norm_name, is) = match (place, behind) {
                (0..OUTSIDE, _) => {
                    let (name, norm) = contract[place];
                    (name.to_string(), norm.to_string(), Is::contract(place))
                }
                (_, Some(behind)) => {
                    let (name, norm) = *expand.get(behind)?;
                    (name.to_string(), norm.to_string(), Is::expand(behind))
                }
                _ => {
                    let number = (first + (place - OUTSIDE) / 2).to_string();
                    let (name, norm) = residual[(place - OUTSIDE) % 2];
                    let spelled = [name, norm].map(|name| name.replace("{n}", &number));
                    let [name, norm] = spelled;
                    (name, norm, Is::block((place - OUTSIDE) % 2))
                }
            };
            let Filters::Convolution {
                enlarge,
                convolution,
            } = &layer.filters
            else {
                return None;
            };
            let Norm::Instance { epsilon, scaling } = &layer.norm else {
                return None;
            };
            let here = Is {
                in_block: *in_block,
                stride: convolution.stride,
                enlarged: *enlarge,
                activation: layer.activation,
            };
            let fits = convolution.border == REFLECT && convolution.groups == 1;
            if here != is || !fits || *epsilon != MAGENTA.epsilon {
                return None;
            }
            let channels = convolution.outputs;
            let mut put = |name: String, shape: Vec<usize>, values: Vec<f32>| {
                tensors.insert(name, WeightTensor { shape, values });
            };
            let (shape, values) = sides_first(convolution);
            put(format!("{name}{weights}"), shape, values);
            put(
                format!("{name}{biases}"),
                vec![channels],
                convolution.bias.to_vec(),
            );
            let row = vec![1, channels];
            put(
                format!("{norm_name}{gamma}"),
                row.clone(),
                scaling.scale.to_vec(),
            );
            put(format!("{norm_name}{beta}"), row, scaling.shift.to_vec());
        }
        Some(tensors)
    }
}

/// What a layer of the form is.
#[derive(PartialEq)]
struct Is {
    in_block: bool,
    stride: usize,
    enlarged: Option<Upsampling>,
    activation: Option<Activation>,
}

impl Is {
    fn contract(place: usize) -> Self {
        Self {
            in_block: false,
            stride: if place == 0 { 1 } else { 2 },
            enlarged: None,
            activation: Some(Activation::Relu),
        }
    }

    fn block(place: usize) -> Self {
        Self {
            in_block: true,
            stride: 1,
            enlarged: None,
            activation: (place == 0).then_some(Activation::Relu),
        }
    }

    fn expand(place: usize) -> Self {
        let is_last = place + 1 == OUTSIDE;
        Self {
            in_block: false,
            stride: 1,
            enlarged: (!is_last).then_some(Upsampling::Nearest),
            activation: (!is_last).then_some(Activation::Relu),
        }
    }
}

/// Filters `[out, in, h, w]` as `[h, w, in, out]`.
fn sides_first(convolution: &Convolution) -> (Vec<usize>, Vec<f32>) {
    let Convolution {
        inputs,
        outputs,
        kernel: [h, w],
        ..
    } = *convolution;
    let mut values = Vec::with_capacity(convolution.weight.len());
    for place in 0..h * w {
        for input in 0..inputs {
            for output in 0..outputs {
                values.push(convolution.weight[(output * inputs + input) * h * w + place]);
            }
        }
    }
    (vec![h, w, inputs, outputs], values)
}
