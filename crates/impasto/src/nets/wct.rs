//! The encoders and decoders of universal style transfer (WCT): Li et al. 2017, "Universal style transfer via feature
//! transforms" (arXiv 1705.08086); those of AdaIN (Huang and Belongie 2017, arXiv 1703.06868), which are level 4 of the same kind;
//! and those of sixteen times fewer numbers of Wang et al. 2020, "Collaborative distillation for ultra-resolution universal
//! style transfer" (arXiv 2003.08436).
//!
//! The encoder of level k is VGG-19 up to relu*k*_1, its weights rescaled to mean activations of 1, the decoder its mirror:
//! nearest ×2 where the encoder pools. Borders are reflected everywhere. Behind the last convolution of a decoder is nothing, but a
//! ReLU in those of Wang et al.
//!
//! Files are told by their tensors:
//!
//! | part | names |
//! |---|---|
//! | encoders | as a VGG is told ([`WeightsFile::read_vgg`](impasto_weights::WeightsFile::read_vgg)): `conv0.weight`, `conv11.weight` …; `0.weight`, `2.weight` … |
//! | decoders of Wang et al. | `conv51.weight` … `conv11.weight` |
//! | decoders in sequence: AdaIN's, and conversions of WCT's | `1.weight`, `5.weight` … by their place among padding, ReLUs and enlargements |
//!
//! The 1×1 convolution in front of an encoder, which makes blue, green, red in 0..255 minus a mean of the picture (about, in
//! those of Wang et al., where it was trained), is folded into the first filters.
//!
//! An encoder's pools drop an odd last row or column, as those of WCT do; AdaIN's program rounds up. Both are the same where
//! the picture's sides are multiples of [`Cascade::multiple`](super::Cascade::multiple).

use super::NetError;
use super::build::{checked, convolution};
use super::cascade::{Cascade, Level, Step, decoder, with_border};
use super::tensors::{Layout, Tensors};
use crate::encoder::{Encoder, EncoderOptions, LayerName, Preprocessing};
use impasto_compute::graph::{Border, Upsampling};
use impasto_compute::{Input, InputNorm, Layer, NetSpec, Padding, Tap};
use impasto_weights::{Front, VggInfo};

pub(super) const NETWORK: &str = "a decoder of WCT or AdaIN";

const REFLECT: Border = Border::Centred(Padding::Reflect);

/// Convolutions in the blocks of VGG-19 that are mirrored: block 5 has its first alone.
const BLOCKS: [u8; 4] = [2, 2, 4, 4];

/// Channels of the first convolution of VGG-19 as it was published.
const FULL_WIDTH: usize = 64;

/// A decoder among the tensors of a file.
#[derive(Clone, Debug)]
pub(super) struct Found<'f> {
    tensors: Tensors<'f>,
    /// The level, from 1 to 5.
    pub(super) level: u8,
    /// Its convolutions in order, by the name before `.weight`, and whether each is behind an enlargement.
    layers: Vec<(String, bool)>,
    /// Whether a ReLU is behind the last one.
    relu_last: bool,
}

/// The places of the convolutions of a decoder in VGG-19, in the decoder's order, and whether each is behind an
/// enlargement: the first of a block, seen from behind.
fn places(level: u8) -> Vec<((u8, u8), bool)> {
    let mut places = vec![((level, 1), false)];
    for block in (1..level).rev() {
        let count = BLOCKS[usize::from(block) - 1];
        places.extend(
            (1..=count)
                .rev()
                .map(|index| ((block, index), index == count)),
        );
    }
    places
}

impl<'f> Found<'f> {
    /// The decoder of a file.
    pub(super) fn find(tensors: &Tensors<'f>) -> Option<Self> {
        Self::named(tensors).or_else(|| Self::in_sequence(tensors))
    }

    /// A decoder whose convolutions are called by their place in VGG-19.
    fn named(tensors: &Tensors<'f>) -> Option<Self> {
        let tensors = tensors.beside("conv11.weight", None)?.told_as(NETWORK);
        let &[3, inputs, 3, 3] = tensors.shape("conv11.weight")? else {
            return None;
        };
        if tensors.has("conv0.weight") {
            return None;
        }
        let there = |level: &u8| tensors.has(&format!("conv{level}1.weight"));
        let level = (1..=5).rev().find(there)?;
        let layers = places(level)
            .into_iter()
            .map(|((block, index), enlarge)| (format!("conv{block}{index}"), enlarge));
        Some(Self {
            level,
            layers: layers.collect(),
            relu_last: inputs < FULL_WIDTH,
            tensors,
        })
    }

    /// A decoder whose convolutions are called by their place in a sequence of padding, convolution, ReLU and enlargement.
    fn in_sequence(tensors: &Tensors<'f>) -> Option<Self> {
        let tensors = tensors.beside("1.weight", None)?.told_as(NETWORK);
        let filters = tensors
            .names()
            .filter(|name| name.ends_with(".weight"))
            .count();
        let level = (1..=5).find(|&level| places(level).len() == filters)?;
        let mut place = 1;
        let mut layers = Vec::new();
        for (number, (_, enlarge)) in places(level).into_iter().enumerate() {
            if number > 0 {
                place += 3 + usize::from(enlarge);
            }
            let &[_, _, 3, 3] = tensors.shape(&format!("{place}.weight"))? else {
                return None;
            };
            layers.push((place.to_string(), enlarge));
        }
        Some(Self {
            tensors,
            level,
            layers,
            relu_last: false,
        })
    }

    /// What it is, for people.
    pub(super) fn title(&self) -> String {
        format!("the decoder of relu{}_1", self.level)
    }

    /// Channels that it reads, if its file says so.
    fn channels(&self) -> Option<usize> {
        let (first, _) = self.layers.first()?;
        let shape = self.tensors.shape(&format!("{first}.weight"))?;
        shape.get(1).copied()
    }

    fn read(&self, channels: usize) -> Result<impasto_compute::graph::GraphSpec, NetError> {
        let mut steps = Vec::new();
        let mut inputs = channels;
        for (name, enlarge) in &self.layers {
            let names = ["weight", "bias"].map(|part| format!("{name}.{part}"));
            let names = names.each_ref().map(String::as_str);
            let layout = Layout::OutInSides;
            let made = convolution(&self.tensors, names, layout, inputs, 1, REFLECT)?;
            if made.groups != 1 {
                let got = self.tensors.shape(names[0]).unwrap_or_default();
                let expected = format!("filters that read {inputs} channels");
                return Err(self.tensors.misfit(names[0], got, expected));
            }
            inputs = made.outputs;
            steps.push(Step {
                convolution: made,
                enlarge: enlarge.then_some(Upsampling::Nearest),
            });
        }
        checked(
            &self.tensors,
            NETWORK,
            decoder(channels, steps, self.relu_last),
        )
    }
}

/// An encoder among files.
#[derive(Clone, Debug)]
pub(super) struct Trunk<'f> {
    pub(super) tensors: Tensors<'f>,
    pub(super) vgg: VggInfo,
}

impl Trunk<'_> {
    /// Channels of relu*k*_1, if the encoder sees it for a decoder of that level.
    fn channels(&self, level: u8) -> Option<usize> {
        let convolutions = &self.vgg.convolutions;
        let of = |place: (u8, u8)| {
            let found = convolutions.iter().find(|(other, _)| *other == place);
            found.map(|(_, channels)| *channels)
        };
        let channels = of((level, 1))?;
        // Small encoders are made for a level each; the published one is the same for all.
        let own = convolutions
            .last()
            .is_some_and(|(place, _)| *place == (level, 1));
        (own || of((1, 1)) == Some(FULL_WIDTH)).then_some(channels)
    }
}

/// Level by level, the decoder and the index of the encoder that goes with it.
pub(super) fn pairs<'p, 'f>(
    trunks: &[Trunk<'f>],
    decoders: &'p [Found<'f>],
) -> Vec<(&'p Found<'f>, usize)> {
    let mut pairs = Vec::new();
    for level in (1..=5).rev() {
        let fits = |decoder: &'p Found<'f>| {
            let channels = decoder.channels();
            let trunk = trunks
                .iter()
                .position(|trunk| channels.is_some() && trunk.channels(level) == channels)?;
            Some((decoder, trunk))
        };
        let mut of_level = decoders.iter().filter(|decoder| decoder.level == level);
        pairs.extend(of_level.find_map(fits));
    }
    pairs
}

/// Reads the levels that are whole.
pub(super) fn read(
    trunks: &[Trunk<'_>],
    pairs: &[(&Found<'_>, usize)],
) -> Result<Cascade, NetError> {
    let options = EncoderOptions {
        padding: Padding::Reflect,
        ..EncoderOptions::default()
    };
    // Those encoders that are needed, once each, by their index among all.
    let mut read: Vec<(usize, Encoder, Option<Front>)> = Vec::new();
    let mut cascade = Cascade {
        name: "encoders and decoders of WCT or AdaIN",
        encoders: vec![],
        levels: vec![],
    };
    for &(decoder, trunk) in pairs {
        let file = trunks[trunk].tensors.weights();
        let encoder = match read.iter().position(|(index, ..)| *index == trunk) {
            Some(position) => position,
            None => {
                let (checkpoint, front) = file.read_vgg_with_front()?;
                // With a convolution in front, channels stay in the file's order and nothing else prepares the picture.
                let plain = front.as_ref().map(|_| Preprocessing::Plain);
                let encoder = Encoder::from_checkpoint(file.name(), checkpoint, plain)?;
                read.push((trunk, encoder, front));
                read.len() - 1
            }
        };
        let layer = LayerName::Relu {
            block: decoder.level,
            index: 1,
        };
        let (_, network, _) = &read[encoder];
        let Some(position) = network.trunk(layer) else {
            continue;
        };
        let channels = network.channels_after(position);
        cascade.levels.push(Level {
            layer,
            encoder,
            tap: Tap::Layer(position),
            channels,
            stride: 1 << (decoder.level - 1),
            decoder: decoder.read(channels)?,
        });
    }
    for (index, (trunk, encoder, front)) in read.iter().enumerate() {
        let mut net = with_border(encoder.spec(&options), REFLECT);
        if let Some(front) = front {
            fold(&mut net, front).ok_or_else(|| {
                let tensors = &trunks[*trunk].tensors;
                tensors.misfit("conv0.weight", &[front.weight.len()], "[3, 3, 1, 1]")
            })?;
        }
        // Nothing looks behind the deepest level.
        let levels = cascade.levels.iter().filter(|level| level.encoder == index);
        let deepest = levels.filter_map(|level| match level.tap {
            Tap::Layer(layer) => Some(layer),
            Tap::Head(_) => None,
        });
        net.layers
            .truncate(deepest.max().map_or(0, |layer| layer + 1));
        net.heads.clear();
        cascade.encoders.push(net);
    }
    Ok(cascade)
}

/// Folds the convolution in front of a network into its first filters. What it does with a pixel does not depend on others,
/// so reflecting the border before or behind it is the same. `None` if lengths do not fit.
fn fold(net: &mut NetSpec, front: &Front) -> Option<()> {
    let (Ok(matrix), Ok(shift)) = (
        <&[f32; 9]>::try_from(front.weight.as_slice()),
        <&[f32; 3]>::try_from(front.bias.as_slice()),
    ) else {
        return None;
    };
    let Some(Layer::Conv(first)) = net.layers.first_mut() else {
        return None;
    };
    let mut bias = first.bias.to_vec();
    let mut weight = Vec::with_capacity(first.weight.len());
    for (filter, bias) in first.weight.chunks_exact(27).zip(&mut bias) {
        for colour in 0..3 {
            weight.extend((0..9).map(|tap| {
                let seen = (0..3)
                    .map(|c| f64::from(filter[9 * c + tap]) * f64::from(matrix[3 * c + colour]));
                seen.sum::<f64>() as f32
            }));
        }
        let added = filter
            .iter()
            .enumerate()
            .map(|(i, w)| f64::from(*w) * f64::from(shift[i / 9]));
        *bias = (f64::from(*bias) + added.sum::<f64>()) as f32;
    }
    first.weight = weight.into();
    first.bias = bias.into();
    net.input = Input::Image(InputNorm {
        mean: [0.0; 3],
        scale: [1.0; 3],
    });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_is_the_mirror_of_its_encoder() {
        let counts = [1, 2, 3, 4, 5].map(|level| places(level).len());
        assert_eq!(counts, [1, 3, 5, 9, 13]);
        let enlarged: Vec<_> = places(5)
            .into_iter()
            .filter_map(|(place, enlarge)| enlarge.then_some(place))
            .collect();
        assert_eq!(enlarged, [(4, 4), (3, 4), (2, 2), (1, 2)]);
    }
}
