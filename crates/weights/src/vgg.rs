//! Which tensor is which convolution of a VGG: the names of each tradition, as a table.
//!
//! | tradition | convolution 2 of block 4 of VGG-19 | filters | expects |
//! |---|---|---|---|
//! | canonical, Caffe | `conv4_2.weight` | `[out, in, 3, 3]` | `caffe` |
//! | torchvision, timm | `features.21.weight` | `[out, in, 3, 3]` | `torch` |
//! | Keras 1, 2, 3 | `block4_conv2/block4_conv2_W_1:0`, `block4_conv2/block4_conv2/kernel:0`, … `/kernel` | `[3, 3, in, out]` | `caffe` |
//! | Keras 3 without names | `layers/conv2d_9/vars/0` | `[3, 3, in, out]` | `caffe` |
//! | TensorFlow.js | `block4_conv2/kernel` | `[3, 3, in, out]` | `caffe` |
//! | AdaIN's normalised VGG | `32.weight`, behind a 1×1 convolution `0.weight` | `[out, in, 3, 3]` | `caffe` |
//! | WCT's | `conv42.weight`, behind `conv0.weight` | `[out, in, 3, 3]` | `caffe` |
//!
//! Whatever stands before the names, as in `state_dict.features.0.weight`, is the same for all and ignored.
//! `torch` is RGB in 0..1 minus (.485, .456, .406), over (.229, .224, .225); `caffe` is BGR in 0..255 minus
//! (103.939, 116.779, 123.68). A 1×1 convolution in front that does just that is taken off; any other is refused.
//! Batch normalisation and filters that a Theano back end turned around are refused.
//!
//! Canonical tensors are `conv4_2.weight` `[out, in, 3, 3]`, `conv4_2.bias` `[out]`, and, for an encoder that
//! imitates another, heads `head.relu3_1.weight`, `head.relu3_1.bias`.

mod names;
mod network;

use crate::{Result, WeightTensor, WeightsError};
use names::{Layout, TRADITIONS, places, spell};
use network::Network;
use std::collections::BTreeMap;

/// A convolution: block and place in the block, both from 1.
pub(crate) type Place = (u8, u8);

/// The result of a search; the error says what does not fit, without the file's name.
type Find<T> = std::result::Result<T, String>;

/// Convolutions in each block of VGG-19, and of VGG-16.
const VGG19: [u8; 5] = [2, 2, 4, 4, 4];
const VGG16: [u8; 5] = [2, 2, 3, 3, 3];

/// The same of VGG-19, 16, 13 and 11.
const PUBLISHED: [[u8; 5]; 4] = [VGG19, VGG16, [2, 2, 2, 2, 2], [1, 1, 2, 2, 2]];

/// What the preparation of `caffe` is as a 1×1 convolution: rows B, G, R of 255 times R, G, B in 0..1, minus a mean.
const CAFFE_MEAN: [f32; 3] = [103.939, 116.779, 123.68];

/// A canonical tensor and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wanted {
    /// Its canonical name.
    name: String,
    /// Its name in the file.
    from: String,
    /// The canonical shape.
    shape: Vec<usize>,
    layout: Layout,
}

/// A 1×1 convolution in front of a VGG, which prepares the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Front {
    /// Its filters, `[3, 3]`: what the VGG reads, times red, green and blue in 0..1.
    pub weight: Vec<f32>,
    /// What is added, `[3]`.
    pub bias: Vec<f32>,
}

/// A VGG among the tensors of a file.
#[derive(Clone, Debug)]
pub(crate) struct Vgg {
    /// `vgg19`, `vgg16`, or `vgg` for another number or width of layers.
    architecture: &'static str,
    /// What the names say that it expects.
    preprocessing: &'static str,
    /// Its tensors.
    wanted: Vec<Wanted>,
    /// The two tensors of a 1×1 convolution in front.
    front: Option<[String; 2]>,
}

impl Vgg {
    /// Finds a VGG among tensors, given by name and shape. Nothing else of them is looked at.
    pub(crate) fn find(shapes: &BTreeMap<&str, &[usize]>) -> Find<Self> {
        let found = TRADITIONS.iter().find_map(|tradition| {
            let first = spell(tradition.filters, VGG19, (1, 1));
            let mut prefixes = shapes.keys().filter_map(|name| name.strip_suffix(&first));
            let fits = |prefix: &&str| {
                let whole = prefix.is_empty() || prefix.ends_with(['.', '/']);
                let front = tradition.front.is_none_or(|front| {
                    let front = shapes.get(format!("{prefix}{front}.weight").as_str());
                    front.is_some_and(|shape| **shape == [3, 3, 1, 1])
                });
                whole && front
            };
            Some((tradition, prefixes.find(fits)?.to_string()))
        });
        let Some((tradition, prefix)) = found else {
            let some: Vec<_> = shapes.keys().take(3).copied().collect();
            return Err(format!(
                "its tensors are called {} …; expected conv1_1.weight …, features.0.weight …, block1_conv1/… or those of AdaIN's normalised VGG",
                some.join(", ")
            ));
        };
        if shapes.contains_key(format!("{prefix}features.1.running_mean").as_str()) {
            return Err("it is a VGG with batch normalisation, which is another network; use the one without (vgg19, not vgg19_bn)".into());
        }
        let network = Network {
            shapes,
            tradition,
            prefix: &prefix,
        };
        let convs = network.convolutions()?;
        network.refuse_others(&convs)?;
        let mut wanted = Vec::new();
        let mut channels = 3;
        for place in &convs {
            channels = network.convolution(*place, channels, &mut wanted)?;
        }
        refuse_gaps(&convs, &wanted)?;
        heads(shapes, &prefix, &mut wanted);
        let front = tradition
            .front
            .map(|front| ["weight", "bias"].map(|part| format!("{prefix}{front}.{part}")));
        Ok(Self {
            architecture: architecture(&convs, &wanted),
            preprocessing: tradition.preprocessing,
            wanted,
            front,
        })
    }

    /// Whether it is the network of this name, or its first layers.
    pub(crate) fn is(&self, architecture: &str) -> bool {
        let convs: Vec<Place> = self
            .wanted
            .iter()
            .filter(|wanted| wanted.name.ends_with(".weight"))
            .filter_map(|wanted| place_of(&wanted.name))
            .collect();
        let published = [("vgg19", VGG19), ("vgg16", VGG16)];
        let blocks = published.iter().find(|(name, _)| *name == architecture);
        match blocks {
            Some((_, blocks)) => starts(&convs, *blocks) && is_wide(&self.wanted),
            None => self.architecture == architecture,
        }
    }

    /// What it is, for messages: `vgg19 to conv5_4`.
    pub(crate) fn title(&self) -> String {
        let name = match self.architecture {
            "vgg" => "a VGG of other widths or numbers of layers",
            known => known,
        };
        format!("{name}, to {}", self.last())
    }

    /// A file's metadata with what the tensors tell, where the file does not say it itself.
    pub(crate) fn describe(
        &self,
        mut metadata: BTreeMap<String, String>,
    ) -> BTreeMap<String, String> {
        for (key, value) in [
            ("architecture", self.architecture),
            ("preprocessing", self.preprocessing),
        ] {
            metadata.entry(key.into()).or_insert_with(|| value.into());
        }
        metadata
    }

    /// Leaves out what lies behind a convolution; heads stay.
    pub(crate) fn stop_after(&mut self, place: Place) -> Find<()> {
        let own = |wanted: &Wanted| place_of(&wanted.name);
        if !self.wanted.iter().any(|wanted| own(wanted) == Some(place)) {
            return Err(format!(
                "it has no conv{}_{}; its last convolution is {}",
                place.0,
                place.1,
                self.last()
            ));
        }
        self.wanted
            .retain(|wanted| own(wanted).is_none_or(|own| own <= place));
        Ok(())
    }

    /// Its convolutions in order, each with the channels that it makes.
    pub(crate) fn convolutions(&self) -> impl Iterator<Item = (Place, usize)> {
        let filters = self
            .wanted
            .iter()
            .filter(|wanted| wanted.name.ends_with(".weight"));
        filters.filter_map(|wanted| {
            let channels = wanted.shape.first().copied()?;
            Some((place_of(&wanted.name)?, channels))
        })
    }

    /// The name of its deepest convolution.
    pub(crate) fn last(&self) -> String {
        let places = self
            .wanted
            .iter()
            .filter_map(|wanted| place_of(&wanted.name));
        let (block, index) = places.max().unwrap_or((0, 0));
        format!("conv{block}_{index}")
    }

    /// A line about how little of a file with so many tensors is used, if it is less than half: it may be another network.
    pub(crate) fn doubt(&self, tensors: usize) -> Option<String> {
        let used = self.sources().count();
        (2 * used < tensors).then(|| {
            format!(
                "only {used} of its {tensors} tensors are used, as {}; it may be another network",
                self.title()
            )
        })
    }

    /// The names in the file of all tensors that are needed.
    pub(crate) fn sources(&self) -> impl Iterator<Item = &str> {
        let front = self.front.iter().flatten();
        let wanted = self.wanted.iter().map(|wanted| &wanted.from);
        front.chain(wanted).map(String::as_str)
    }

    /// The tensors under their canonical names and shapes, each taken from `file` by `read`.
    pub(crate) fn take(
        &self,
        file: &str,
        mut read: impl FnMut(&str) -> Result<WeightTensor>,
    ) -> Result<BTreeMap<String, WeightTensor>> {
        if let Some(front) = self.take_front(&mut read)? {
            check_front(&front.weight, &front.bias).map_err(|problem| WeightsError::NotVgg {
                file: file.into(),
                problem,
            })?;
        }
        self.take_layers(read)
    }

    /// The 1×1 convolution in front, if there is one.
    pub(crate) fn take_front(
        &self,
        mut read: impl FnMut(&str) -> Result<WeightTensor>,
    ) -> Result<Option<Front>> {
        let Some([weight, bias]) = &self.front else {
            return Ok(None);
        };
        Ok(Some(Front {
            weight: read(weight)?.values,
            bias: read(bias)?.values,
        }))
    }

    /// The tensors without what is in front.
    pub(crate) fn take_layers(
        &self,
        mut read: impl FnMut(&str) -> Result<WeightTensor>,
    ) -> Result<BTreeMap<String, WeightTensor>> {
        let mut tensors = BTreeMap::new();
        for wanted in &self.wanted {
            let tensor = read(&wanted.from)?;
            let tensor = match wanted.layout {
                Layout::OutFirst => tensor,
                Layout::OutLast => channels_first(&tensor),
            };
            tensors.insert(wanted.name.clone(), tensor);
        }
        Ok(tensors)
    }
}

/// The place of a convolution from the name of one of its tensors.
fn place_of(canonical: &str) -> Option<Place> {
    let (layer, _) = canonical.strip_prefix("conv")?.split_once('.')?;
    let (block, index) = layer.split_once('_')?;
    Some((block.parse().ok()?, index.parse().ok()?))
}

/// Adds the tensors of heads, whose shapes the encoder checks.
fn heads(shapes: &BTreeMap<&str, &[usize]>, prefix: &str, wanted: &mut Vec<Wanted>) {
    for (name, shape) in shapes {
        let Some(canonical) = name.strip_prefix(prefix) else {
            continue;
        };
        // Classifiers are called head as well: head.fc.weight.
        let is_head = canonical.starts_with("head.relu") || canonical.starts_with("head.conv");
        if is_head {
            wanted.push(Wanted {
                name: canonical.into(),
                from: (*name).into(),
                shape: shape.to_vec(),
                layout: Layout::OutFirst,
            });
        }
    }
}

/// The name of a network with these convolutions, as wide as the published ones.
fn architecture(convs: &[Place], wanted: &[Wanted]) -> &'static str {
    match (is_wide(wanted), starts(convs, VGG19), starts(convs, VGG16)) {
        (true, true, _) => "vgg19",
        (true, _, true) => "vgg16",
        _ => "vgg",
    }
}

/// Refuses a network as wide as the published ones that lacks a layer of all of them: one is missing in the middle.
fn refuse_gaps(convs: &[Place], wanted: &[Wanted]) -> Find<()> {
    if !is_wide(wanted) || PUBLISHED.iter().any(|blocks| starts(convs, *blocks)) {
        return Ok(());
    }
    let last = convs.last().copied().unwrap_or((1, 0));
    let mut of = places(VGG19).take_while(|place| *place < last);
    match of.find(|place| !convs.contains(place)) {
        Some((block, index)) => Err(format!(
            "it is as wide as VGG-19 but has no conv{block}_{index}, and goes on to conv{}_{}",
            last.0, last.1
        )),
        None => Ok(()),
    }
}

/// Whether these are the first convolutions of a network.
fn starts(convs: &[Place], blocks: [u8; 5]) -> bool {
    places(blocks).take(convs.len()).eq(convs.iter().copied())
}

/// Whether all blocks are as wide as the published ones.
fn is_wide(wanted: &[Wanted]) -> bool {
    let widths = wanted.iter().filter_map(|wanted| {
        let (block, _) = place_of(&wanted.name)?;
        Some((usize::from(block), wanted.shape.first()))
    });
    const WIDTHS: [usize; 5] = [64, 128, 256, 512, 512];
    widths
        .into_iter()
        .all(|(block, width)| width.is_some() && width == WIDTHS.get(block.wrapping_sub(1)))
}

/// Refuses a 1×1 convolution that does anything else than turn RGB in 0..1 into BGR in 0..255 minus the mean.
fn check_front(weight: &[f32], bias: &[f32]) -> Find<()> {
    let matrix = [0.0, 0.0, 255.0, 0.0, 255.0, 0.0, 255.0, 0.0, 0.0];
    let near = |values: &[f32], wanted: &[f32]| {
        values.len() == wanted.len()
            && values
                .iter()
                .zip(wanted)
                .all(|(value, wanted)| (value - wanted).abs() < 0.01)
    };
    if near(weight, &matrix) && near(bias, &CAFFE_MEAN.map(|mean| -mean)) {
        return Ok(());
    }
    Err(format!(
        "its 1×1 convolution in front is {weight:?} with bias {bias:?}, not the preparation of Caffe's weights; fold it into the first filters"
    ))
}

/// `[3, 3, in, out]` as `[out, in, 3, 3]`.
fn channels_first(tensor: &WeightTensor) -> WeightTensor {
    let &[height, width, input, out] = tensor.shape.as_slice() else {
        return tensor.clone();
    };
    let taps = height * width;
    let mut values = vec![0.0; tensor.values.len()];
    // One row of `out` values at a time is read in order.
    for (row, from) in tensor.values.chunks_exact(out.max(1)).enumerate() {
        let (tap, channel) = (row / input, row % input);
        for (filter, value) in from.iter().enumerate() {
            values[(filter * input + channel) * taps + tap] = *value;
        }
    }
    WeightTensor {
        shape: vec![out, input, height, width],
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(pattern: &str, blocks: [u8; 5]) -> Vec<String> {
        places(blocks)
            .map(|place| spell(pattern, blocks, place))
            .collect()
    }

    #[test]
    fn numbers_are_those_of_the_published_files() {
        assert_eq!(
            names("{t}", VGG19),
            [
                "0", "2", "5", "7", "10", "12", "14", "16", "19", "21", "23", "25", "28", "30",
                "32", "34"
            ]
        );
        assert_eq!(
            names("{t}", VGG16),
            [
                "0", "2", "5", "7", "10", "12", "14", "17", "19", "21", "24", "26", "28"
            ]
        );
        assert_eq!(
            names("{a}", VGG19),
            [
                "2", "5", "9", "12", "16", "19", "22", "25", "29", "32", "35", "38", "42", "45",
                "48", "51"
            ]
        );
        assert_eq!(
            names("conv2d{k}", VGG16)[..3],
            ["conv2d", "conv2d_1", "conv2d_2"]
        );
    }

    #[test]
    fn channels_move_to_the_front() {
        // Value: tap·100 + in·10 + out.
        let mut values = Vec::new();
        for tap in 0..9 {
            for input in 0..2 {
                values.extend((0..4).map(|out| (tap * 100 + input * 10 + out) as f32));
            }
        }
        let turned = channels_first(&WeightTensor {
            shape: vec![3, 3, 2, 4],
            values,
        });
        assert_eq!(turned.shape, [4, 2, 3, 3]);
        assert_eq!(turned.values[..3], [0.0, 100.0, 200.0]);
        assert_eq!(turned.values[9..11], [10.0, 110.0]);
        assert_eq!(turned.values[18], 1.0);
    }
}
