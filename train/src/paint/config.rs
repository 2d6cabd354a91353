//! The file that defines a training of decoders: phases one after the other, each with all its numbers.

use crate::config::{Crops, Data, refuse};
use anyhow::{Context, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A training.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Seed of everything random.
    pub seed: u64,
    /// What is looked at.
    pub data: Data,
    /// What learns.
    pub decoders: Decoders,
    /// How crops of contents are cut and disturbed; each phase says their side.
    pub crops: Crops,
    /// What styles are.
    pub styles: Styles,
    /// What happens to weights in all phases.
    pub training: Training,
    /// What is learned, one after the other.
    pub phases: Vec<Phase>,
    /// What is measured on the way.
    pub validation: Validation,
}

/// The decoders.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Decoders {
    /// Channels behind the convolutions of each, from relu3_3, relu2_1 and relu1_1; the last are 3.
    pub widths: [Vec<usize>; 3],
    /// Weights that they start from; random ones if there are none.
    pub start: Option<PathBuf>,
}

/// Styles.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Styles {
    /// Share of photos.
    pub photos: f32,
    /// Share of patterns that are made up; paintings are the rest.
    pub patterns: f32,
    /// Share of styles that get other colours.
    pub recoloured: f32,
    /// Least and greatest scale: pixels of the crop per pixel of the picture.
    pub scales: [f32; 2],
}

/// What happens to weights.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Training {
    /// Decay of the running mean of squared gradients.
    pub beta2: f32,
    /// Steps of each phase in which steps rise to their size.
    pub warm_up: usize,
    /// Decay of weights.
    pub weight_decay: f32,
    /// Greatest norm of the gradient.
    pub clip: f32,
    /// Decay of the average of weights, with which the next phase begins and which is the result.
    pub averaging: f32,
    /// Steps from one checkpoint to the next.
    pub checkpoint: usize,
}

/// A phase.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Phase {
    /// Steps.
    pub steps: usize,
    /// Crops a step.
    pub batch: usize,
    /// Side of contents and of styles, in pixels.
    pub sides: [usize; 2],
    /// Sizes of the first and of the last step.
    pub learning_rates: [f32; 2],
    /// How many of the crops, the first ones, are painted through the transports.
    pub painted: usize,
    /// How many of the crops, the first ones, are reproduced from their own features.
    pub reproduced: usize,
    /// Share of painted crops whose style is the content itself.
    pub same: f32,
    /// Least and greatest strength of transports.
    pub strength: [f32; 2],
    /// What the losses count.
    pub weights: Weights,
}

/// What losses count: those of what is painted as in recipes, those of what is reproduced beside them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Weights {
    /// The style's.
    pub style: f32,
    /// The content's.
    pub content: f32,
    /// Total variation.
    pub variation: f32,
    /// Squares of what is beyond 0..1.
    pub beyond: f32,
    /// Squared errors of pixels of what is reproduced, over the variance.
    pub pixels: f32,
    /// Squared errors of its features at relu2_1, over the variance.
    pub features: f32,
}

/// What is measured on the way.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Validation {
    /// Steps from one measurement to the next.
    pub every: usize,
    /// Pairs of held-out photos and paintings.
    pub pairs: usize,
    /// Their long side in pixels.
    pub side: usize,
}

impl Config {
    /// Reads a file; its paths become relative to the working folder. Returns its text as well.
    pub fn open(path: &Path) -> Result<(Self, String)> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        let mut config: Self = toml::from_str(&text)
            .with_context(|| format!("{} is no configuration of a training", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let files = [&mut config.data.photos, &mut config.data.paintings];
        for file in files.into_iter().chain(config.decoders.start.as_mut()) {
            *file = folder.join(&*file);
        }
        Ok((config, text))
    }

    /// Refuses numbers that no training can have, all at once.
    pub fn check(&self) -> Result<()> {
        let share = |value: f32| (0.0..=1.0).contains(&value);
        let rising = |range: [f32; 2]| range[0] > 0.0 && range[0] <= range[1];
        let widths = &self.decoders.widths;
        let Styles {
            photos, patterns, ..
        } = self.styles;
        let phases = |fits: &dyn Fn(&Phase) -> bool| self.phases.iter().all(fits);
        refuse(&[
            (self.data.hold_out >= 2, "data.hold-out must be at least 2"),
            (
                widths.iter().flatten().all(|&width| width > 0)
                    && widths.iter().all(|widths| widths.last() == Some(&3)),
                "decoders.widths must be three lists without 0 that end with 3",
            ),
            (
                widths[0].len() > 5 && widths[1].len() > 2,
                "decoders.widths must be at least 6, 3 and 1 numbers: pictures are enlarged before the 4th and 6th, and the 3rd",
            ),
            (
                rising(self.crops.scales) && rising(self.styles.scales),
                "crops.scales and styles.scales must be two numbers above 0, the lesser first",
            ),
            (
                [
                    self.crops.paintings,
                    self.crops.noise[0],
                    self.crops.tones,
                    self.crops.fields,
                    self.styles.recoloured,
                    photos,
                    patterns,
                    photos + patterns,
                ]
                .into_iter()
                .all(share)
                    && phases(&|phase| share(phase.same) && phase.strength.into_iter().all(share)),
                "shares and strengths must be in 0..1",
            ),
            (
                self.training.checkpoint > 0 && self.training.clip > 0.0,
                "training.checkpoint must be at least 1, training.clip above 0",
            ),
            (
                [self.training.averaging, self.training.beta2]
                    .iter()
                    .all(|decay| (0.0..1.0).contains(decay)),
                "training.averaging and training.beta2 must be in 0..1",
            ),
            (
                !self.phases.is_empty(),
                "there must be at least one [[phases]]",
            ),
            (
                phases(&|phase| {
                    phase.steps > 0
                        && phase.batch > 0
                        && (1..=phase.batch).contains(&phase.painted.max(phase.reproduced))
                }),
                "phases.steps and .batch must be at least 1, and .painted or .reproduced from 1 to .batch",
            ),
            (
                phases(&|phase| {
                    phase
                        .sides
                        .iter()
                        .all(|side| *side >= 16 && side.is_multiple_of(4))
                }),
                "phases.sides must be multiples of 4 from 16",
            ),
            (
                phases(&|phase| phase.learning_rates.iter().all(|rate| *rate > 0.0)),
                "phases.learning-rates must be above 0",
            ),
            (
                self.validation.every > 0
                    && self.validation.pairs > 0
                    && self.validation.side >= 16,
                "validation.every and .pairs must be at least 1, validation.side at least 16",
            ),
        ])
    }
}
