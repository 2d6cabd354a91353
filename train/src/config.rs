//! The file that defines a training: every number of it, the folders and files it reads.
//!
//! Paths are relative to the file, unless they are given on the command line. What is wrong is said at once, all of it,
//! before anything is computed.

use crate::trajectories::LEAST_SIDE;
use anyhow::{Context, Result, bail};
use impasto::LayerName;
use impasto::learn::{Descent, Schedule};
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
    /// Who teaches.
    pub teacher: Teacher,
    /// Who learns.
    pub student: Student,
    /// How crops are cut and disturbed.
    pub crops: Crops,
    /// How weights are changed.
    pub training: Training,
    /// Pictures that stylization visits.
    pub trajectories: Trajectories,
    /// What is measured on the way.
    pub validation: Validation,
}

/// The pictures.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Data {
    /// Folder of photographs.
    pub photos: PathBuf,
    /// Folder of paintings.
    pub paintings: PathBuf,
    /// Every how many-th picture of each folder is held out: never trained on.
    pub hold_out: usize,
    /// What the photographs are, and their licence, for the model card.
    pub photos_are: String,
    /// The same of the paintings.
    pub paintings_are: String,
}

/// The network whose features are to be predicted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Teacher {
    /// Its weights.
    pub weights: PathBuf,
    /// What it is, and its licence, for the model card.
    pub is: String,
    /// Crops on which its principal components are found.
    pub crops: usize,
    /// The layers that are predicted, from shallow to deep, and how many components of each.
    pub taps: Vec<TapConfig>,
}

/// A layer that is predicted.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TapConfig {
    /// The teacher's layer, and the student's that its head reads.
    pub layer: LayerName,
    /// Leading principal components that the head predicts.
    pub components: usize,
}

/// The network that learns.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Student {
    /// Channels of its convolutions, block by block; a pool stands between blocks.
    pub blocks: Vec<Vec<usize>>,
    /// Weights whose convolutions it starts from; random ones if there are none. Heads are found by least squares.
    pub start: Option<PathBuf>,
}

/// Crops.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Crops {
    /// Side in pixels.
    pub side: usize,
    /// Least and greatest scale: pixels of the crop per pixel of the picture.
    pub scales: [f32; 2],
    /// Share of paintings among pictures.
    pub paintings: f32,
    /// Share of crops that get noise, and its greatest deviation.
    pub noise: [f32; 2],
    /// Share of crops that get another contrast, brightness and colour.
    pub tones: f32,
    /// Share of crops that are smooth fields of colour instead.
    pub fields: f32,
}

/// AdamW with warm-up and cosine.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Training {
    /// Steps.
    pub steps: usize,
    /// Crops a step.
    pub batch: usize,
    /// Greatest step size.
    pub learning_rate: f32,
    /// Steps in which it rises from 0.
    pub warm_up: usize,
    /// Decay of weights.
    pub weight_decay: f32,
    /// Greatest norm of the gradient.
    pub clip: f32,
    /// Decay of the average of weights, which is the result.
    pub averaging: f32,
    /// Steps from one checkpoint to the next.
    pub checkpoint: usize,
}

impl Training {
    /// How numbers are stepped.
    pub fn descent(&self) -> Descent {
        Descent {
            schedule: Schedule {
                first: self.learning_rate,
                last: 0.0,
                steps: self.steps,
                warm_up: self.warm_up,
            },
            beta2: 0.99,
            averaging: self.averaging,
            decay: self.weight_decay,
            clip: self.clip,
        }
    }
}

/// Pictures that stylization visits.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Trajectories {
    /// Share of the crops of a batch.
    pub share: f32,
    /// Long side of the pictures.
    pub side: usize,
    /// Steps of a run, in all.
    pub steps: usize,
    /// Pictures kept of a run.
    pub kept: usize,
    /// Runs with the teacher's eye, before the first step.
    pub teacher_runs: usize,
    /// Runs with the student's eye, each time.
    pub student_runs: usize,
    /// Steps from one time to the next.
    pub every: usize,
}

/// What is measured on the way.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Validation {
    /// Steps from one measurement to the next.
    pub every: usize,
    /// Crops of held-out photographs, and as many of paintings.
    pub crops: usize,
    /// Their side in pixels.
    pub side: usize,
    /// Runs on held-out pictures with the teacher's eye, and as many with the student's.
    pub runs: usize,
}

impl Config {
    /// Reads a file; its paths become relative to the working folder. Returns its text as well.
    pub fn open(path: &Path) -> Result<(Self, String)> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        let mut config: Self = toml::from_str(&text)
            .with_context(|| format!("{} is no configuration of a training", path.display()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in [
            &mut config.data.photos,
            &mut config.data.paintings,
            &mut config.teacher.weights,
        ]
        .into_iter()
        .chain(config.student.start.as_mut())
        {
            *file = folder.join(&*file);
        }
        Ok((config, text))
    }

    /// Refuses numbers that no training can have, all at once.
    pub fn check(&self) -> Result<()> {
        let share = |value: f32| (0.0..=1.0).contains(&value);
        let blocks = &self.student.blocks;
        let stride = 1usize << blocks.len().saturating_sub(1).min(16);
        let convolutions = |layer: LayerName| match layer {
            LayerName::Relu { block, index } => {
                let block = usize::from(block)
                    .checked_sub(1)
                    .and_then(|b| blocks.get(b));
                block.is_some_and(|block| (1..=block.len()).contains(&usize::from(index)))
            }
            _ => false,
        };
        let Training {
            steps,
            batch,
            learning_rate,
            clip,
            averaging,
            checkpoint,
            ..
        } = self.training;
        let runs = &self.trajectories;
        let wanted = [
            (self.data.hold_out >= 2, "data.hold-out must be at least 2"),
            (
                !blocks.is_empty() && blocks.iter().flatten().all(|&width| width > 0),
                "student.blocks must name at least one block, and no width of 0",
            ),
            (
                blocks.iter().all(|block| !block.is_empty()),
                "student.blocks must not have an empty block",
            ),
            (
                !self.teacher.taps.is_empty()
                    && self.teacher.taps.iter().all(|tap| tap.components > 0),
                "teacher.taps must name at least one layer, each with components",
            ),
            (
                self.teacher.taps.iter().all(|tap| convolutions(tap.layer)),
                "teacher.taps must be ReLUs that the student has too, such as relu2_1",
            ),
            (self.teacher.crops > 0, "teacher.crops must be at least 1"),
            (
                self.crops.side > 0 && self.crops.side.is_multiple_of(stride),
                "crops.side must be a multiple of the student's stride, 2 to the number of its pools",
            ),
            (
                self.crops.scales[0] > 0.0 && self.crops.scales[0] <= self.crops.scales[1],
                "crops.scales must be two numbers above 0, the lesser first",
            ),
            (
                [
                    self.crops.paintings,
                    self.crops.noise[0],
                    self.crops.tones,
                    self.crops.fields,
                    runs.share,
                ]
                .into_iter()
                .all(share),
                "shares must be in 0..1",
            ),
            (
                steps > 0 && batch > 0 && checkpoint > 0,
                "training.steps, training.batch and training.checkpoint must be at least 1",
            ),
            (
                learning_rate > 0.0 && clip > 0.0 && (0.0..1.0).contains(&averaging),
                "training.learning-rate and training.clip must be above 0, training.averaging in 0..1",
            ),
            (
                runs.share == 0.0
                    || (runs.every > 0 && runs.kept > 0 && runs.steps >= 2 * runs.kept),
                "trajectories.every and .kept must be at least 1, trajectories.steps twice as many as are kept",
            ),
            (
                self.validation.side >= stride,
                "validation.side must be at least the student's stride, 2 to the number of its pools",
            ),
            (
                runs.share == 0.0 || runs.side >= LEAST_SIDE,
                "trajectories.side must be at least 16",
            ),
            (
                runs.share == 0.0 || runs.teacher_runs + runs.student_runs > 0,
                "trajectories need teacher-runs or student-runs, or a share of 0",
            ),
            (
                self.validation.every > 0 && self.validation.crops > 0,
                "validation.every and .crops must be at least 1",
            ),
        ];
        refuse(&wanted)
    }
}

/// Says everything that does not hold.
pub fn refuse(wanted: &[(bool, &str)]) -> Result<()> {
    let problems = wanted.iter().filter(|(good, _)| !good);
    let problems: Vec<_> = problems.map(|(_, problem)| *problem).collect();
    match problems.is_empty() {
        true => Ok(()),
        false => bail!("the configuration cannot be:\n  {}", problems.join("\n  ")),
    }
}
