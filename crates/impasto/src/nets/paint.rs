//! The network that is part of the program: `lite` and three small decoders of its features.
//!
//! A cascade as in WCT ([`Cascade`]), from relu3_3, relu2_1 and relu1_1 of the embedded encoder. Convolutions of the
//! decoders replicate the border; ×2 stands before those where the encoder has pooled: nearest neighbours, or, where the file
//! says so ([`ENLARGEMENT`]), bilinear, behind which filters of a few channels leave no grid of one pixel (Odena, Dumoulin and
//! Olah 2016, "Deconvolution and Checkerboard Artifacts"). How they were made is said in `models/lite-paint.md`.

use super::NetError;
use super::build::{checked, convolution};
use super::cascade::{Cascade, Level, Step, decoder};
use super::search::KNOWN;
use super::tensors::{Layout, Tensors};
use crate::encoder::{Encoder, EncoderOptions, LayerName};
use impasto_compute::graph::{Border, Upsampling};
use impasto_compute::{Padding, Tap};

/// The decoders that are part of the program.
pub(super) const EMBEDDED: &[u8] = include_bytes!("../../models/lite-paint.safetensors");

pub(super) const NETWORK: &str = "decoders of lite";

/// The key of a file's metadata that says how its decoders enlarge: `nearest`, as if it said nothing, or `bilinear`.
const ENLARGEMENT: &str = "enlargement";

/// The tensor by which decoders of `lite` are told.
const TELLING: &str = "decoder3.conv0.weight";

const REPLICATE: Border = Border::Centred(Padding::Replicate);

/// A decoder: its name, the features that it reads, pixels between their places, and the convolutions behind an enlargement.
struct Row {
    name: &'static str,
    layer: LayerName,
    stride: usize,
    enlarged: &'static [usize],
}

/// The decoders, deepest first.
const DECODERS: [Row; 3] = [
    Row {
        name: "decoder3",
        layer: LayerName::Relu { block: 3, index: 3 },
        stride: 4,
        enlarged: &[3, 5],
    },
    Row {
        name: "decoder2",
        layer: LayerName::Relu { block: 2, index: 1 },
        stride: 2,
        enlarged: &[2],
    },
    Row {
        name: "decoder1",
        layer: LayerName::Relu { block: 1, index: 1 },
        stride: 1,
        enlarged: &[],
    },
];

/// The tensors of decoders of `lite`.
pub(super) fn find<'f>(tensors: &Tensors<'f>) -> Option<Tensors<'f>> {
    Some(tensors.beside(TELLING, None)?.told_as(NETWORK))
}

/// How the decoders of a file enlarge.
fn enlargement(tensors: &Tensors<'_>) -> Result<Upsampling, NetError> {
    let weights = tensors.weights();
    match weights.metadata().get(ENLARGEMENT).map(String::as_str) {
        None | Some("nearest") => Ok(Upsampling::Nearest),
        Some("bilinear") => Ok(Upsampling::Bilinear),
        Some(other) => Err(NetError::Operation {
            file: tensors.file().into(),
            operation: format!("enlargement {other:?}"),
            known: KNOWN.into(),
        }),
    }
}

/// Reads decoders of `lite`.
pub(super) fn read(tensors: &Tensors<'_>) -> Result<Cascade, NetError> {
    let (lite, upsampling) = (Encoder::lite()?, enlargement(tensors)?);
    let mut encoder = lite.spec(&EncoderOptions {
        padding: Padding::Replicate,
        ..EncoderOptions::default()
    });
    let mut levels = Vec::new();
    for row in &DECODERS {
        let Some(position) = lite.trunk(row.layer) else {
            continue;
        };
        let channels = lite.channels_after(position);
        let mut steps = Vec::new();
        let mut inputs = channels;
        for number in 0.. {
            let names = ["weight", "bias"].map(|part| format!("{}.conv{number}.{part}", row.name));
            if number > 0 && !tensors.has(&names[0]) {
                break;
            }
            let names = names.each_ref().map(String::as_str);
            let layout = Layout::OutInSides;
            let made = convolution(tensors, names, layout, inputs, 1, REPLICATE)?;
            inputs = made.outputs;
            steps.push(Step {
                convolution: made,
                enlarge: row.enlarged.contains(&number).then_some(upsampling),
            });
        }
        let enlarged = steps.iter().filter(|step| step.enlarge.is_some()).count();
        if inputs != 3 || enlarged != row.enlarged.len() {
            let last = format!("{}.conv{}.weight", row.name, steps.len());
            return Err(tensors.missing(&last));
        }
        levels.push(Level {
            layer: row.layer,
            encoder: 0,
            tap: Tap::Layer(position),
            channels,
            stride: row.stride,
            decoder: checked(tensors, NETWORK, decoder(channels, steps, false))?,
        });
    }
    let deepest = lite.trunk(DECODERS[0].layer);
    encoder
        .layers
        .truncate(deepest.map_or(0, |layer| layer + 1));
    encoder.heads.clear();
    Ok(Cascade {
        name: "paint",
        encoders: vec![encoder],
        levels,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::Model;
    use impasto_compute::graph::Op;
    use impasto_testing::Folder;
    use impasto_weights::{Checkpoint, Limits, Precision, write_safetensors};

    #[test]
    fn a_file_says_how_its_decoders_enlarge() {
        let folder = Folder::new();
        let path = folder.join("decoders.safetensors");
        let mut file = Checkpoint::read(EMBEDDED, "embedded", &Limits::default()).unwrap();
        let mut read = |said: Option<&str>| {
            file.metadata.remove(ENLARGEMENT);
            if let Some(said) = said {
                file.metadata.insert(ENLARGEMENT.into(), said.into());
            }
            write_safetensors(&path, &file, Precision::F16).unwrap();
            Model::open(&path)
        };
        for (said, expected) in [
            (None, Upsampling::Nearest),
            (Some("nearest"), Upsampling::Nearest),
            (Some("bilinear"), Upsampling::Bilinear),
        ] {
            let Ok(Model::Paint(cascade)) = read(said) else {
                panic!("{said:?} is refused");
            };
            let nodes = cascade.levels.iter().flat_map(|level| &level.decoder.nodes);
            let made = nodes.filter_map(|node| match node.op {
                Op::Upsample(upsampling) => Some(upsampling),
                _ => None,
            });
            assert_eq!(made.collect::<Vec<_>>(), [expected; 3], "{said:?}");
        }
        let said = read(Some("cubic")).unwrap_err().to_string();
        assert!(said.contains("enlargement \"cubic\""), "{said}");
    }
}
