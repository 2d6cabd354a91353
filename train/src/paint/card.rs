//! The model card, written by the program that made the weights.

use super::config::{Config, Phase};
use super::decibels;
use super::validation::Measured;
use crate::page::{hexadecimal, list, machine, table};
use sha2::{Digest, Sha256};

/// What is known of some decoders.
#[derive(Debug)]
pub struct Card<'a> {
    /// How they were trained.
    pub config: &'a Config,
    /// Photos and paintings.
    pub pictures: [usize; 2],
    /// The training's hash.
    pub identity: &'a str,
    /// The file.
    pub file: &'a [u8],
    /// Steps that were taken, of how many.
    pub steps: [usize; 2],
    /// What the start made of held-out pictures.
    pub start: Option<&'a Measured>,
    /// What they make of them.
    pub reached: &'a Measured,
    /// Seconds that the training took.
    pub seconds: f64,
}

impl Card<'_> {
    /// The page, in Markdown.
    pub fn page(&self) -> String {
        let Config {
            data,
            decoders,
            crops,
            styles,
            training,
            phases,
            validation,
            ..
        } = self.config;
        let [deep, middle, shallow] =
            [0, 1, 2].map(|index| list(decoders.widths[index].iter(), ", "));
        let parameters: usize = super::decoders::names(decoders)
            .iter()
            .map(|(_, shape)| shape.iter().product::<usize>())
            .sum();
        let start = match decoders.start {
            Some(_) => "an earlier generation, committed beside the configuration",
            None => "random weights",
        };
        let so_far = match self.steps {
            [taken, all] if taken < all => format!(" (so far {taken} of {all} steps)"),
            _ => String::new(),
        };
        let rows = [
            (
                "file",
                format!(
                    "f16, {:.2} MB, sha256 `{}`",
                    self.file.len() as f64 / 1e6,
                    hexadecimal(&Sha256::digest(self.file))
                ),
            ),
            (
                "shape",
                format!("3×3 convolutions, ReLU behind each but the last: {deep} from relu3_3, {middle} from relu2_1, {shallow} from relu1_1; bilinear ×2 before the fourth and sixth, and before the third"),
            ),
            ("parameters", parameters.to_string()),
            (
                "input",
                "features of `lite`, whose first convolution replicates the border; the decoders replicate it, too".into(),
            ),
            (
                "output",
                "RGB, 0..1 about; clamped between the levels".into(),
            ),
            (
                "training data",
                format!(
                    "{} photographs ({}) and {} paintings ({}), every {}th held out; crops at scales {} to {}; of the styles {:.0} % photographs, {:.0} % made-up strokes, hatchings, dots, cells and clouds, {:.0} % in other colours",
                    self.pictures[0],
                    data.photos_are,
                    self.pictures[1],
                    data.paintings_are,
                    data.hold_out,
                    crops.scales[0],
                    crops.scales[1],
                    100.0 * styles.photos,
                    100.0 * styles.patterns,
                    100.0 * styles.recoloured,
                ),
            ),
            (
                "training",
                format!(
                    "from {start}: {}{so_far}; AdamW, average of weights {}; seed {}; training `{}`",
                    list(phases.iter().map(described), "; then "),
                    training.averaging,
                    self.config.seed,
                    &self.identity[..16],
                ),
            ),
            (
                "made on",
                format!("{}, in {:.0} minutes", machine(), self.seconds / 60.0),
            ),
            ("licence", "MIT OR Apache-2.0, as the project".into()),
        ];
        let mut page = String::from(
            "# `lite-paint`: the embedded network that paints\n\n\
             Three small decoders of the features of [`lite`](lite.md), from relu3_3, relu2_1 and relu1_1 back to the picture: a cascade\n\
             as in universal style transfer, encode, move the features' Gaussian to the style's, decode, deepest first. It makes pictures\n\
             at once, without a download, and is a start for optimisation. This page is written by `impasto-train paint`.\n\n",
        );
        page += &table(&rows);
        page += &format!(
            "\nOn {} pairs of photographs and paintings that were not trained on, at {} px, by the losses of the default recipe with `lite`:\n\n\
             | | total | style | content | reproduction from relu3_3, relu2_1, relu1_1 in dB |\n|---|---|---|---|---|\n",
            validation.pairs, validation.side,
        );
        let rows = [
            ("before the first step", self.start),
            ("this file", Some(self.reached)),
        ];
        for (name, measured) in rows {
            if let Some(measured) = measured {
                page += &format!(
                    "| {name} | {:.4} | {:.4} | {:.3} | {} |\n",
                    measured.total,
                    measured.style,
                    measured.content,
                    decibels(measured),
                );
            }
        }
        page
    }
}

/// A phase in words.
fn described(phase: &Phase) -> String {
    let Phase {
        steps,
        batch,
        sides: [side, style],
        learning_rates: [first, last],
        painted,
        reproduced,
        weights,
        ..
    } = phase;
    let mut what = Vec::new();
    if *painted > 0 {
        what.push(format!(
            "{painted} through the transports (styles of {style} px; style {}, content {}, variation {})",
            weights.style, weights.content, weights.variation
        ));
    }
    if *reproduced > 0 {
        what.push(format!(
            "{reproduced} to reproduce (pixels {}, features {})",
            weights.pixels, weights.features
        ));
    }
    format!(
        "{steps} steps of {batch} crops of {side} px, {}, step size {first} to {last}",
        what.join(" and ")
    )
}
