//! Pictures that stylization visits. A student that is right on photos and paintings alone lets the optimiser cheat: it
//! finds pictures on which the student errs. So pictures from runs are trained on, runs with the teacher's eye and, again and
//! again, runs with the student's own.
//!
//! A run paints a random photo in the style of a random painting, under a random recipe: Wasserstein-2 or Gram, any content
//! weight from .02 to 1, with and without total variation, from the photo, from noise or from the painting's colours.

use crate::config::Trajectories;
use crate::random::{Purpose, Random};
use anyhow::{Context, Result, ensure};
use impasto::recipe::{AdamSettings, Init, MethodSettings, Optimize, OptimizerSettings, StyleLoss};
use impasto::{Encoder, Event, Outcome, OutputSize, Picture, Recipe, Style, Stylizer};
use impasto_weights::{Checkpoint, Precision, WeightTensor, write_safetensors};
use rayon::prelude::*;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A picture `[3, height, width]` of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Height and width in pixels.
    pub size: (usize, usize),
    /// Planar RGB in 0..1.
    pub rgb: Vec<f32>,
}

/// Which runs to make.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'a> {
    /// The eye of the runs.
    pub encoder: &'a Encoder,
    /// What may be painted.
    pub photos: &'a [PathBuf],
    /// In which styles.
    pub paintings: &'a [PathBuf],
    /// How.
    pub settings: &'a Trajectories,
    /// The name of their randomness.
    pub stream: (u64, Purpose, u64),
    /// How many.
    pub count: usize,
}

impl Runs<'_> {
    /// Makes the runs, one on each processor at a time; snapshots in the order of runs.
    pub fn make(&self) -> Result<Vec<Snapshot>> {
        let runs = (0..self.count).into_par_iter().map(|index| self.run(index));
        Ok(runs.collect::<Result<Vec<_>>>()?.concat())
    }

    fn run(&self, index: usize) -> Result<Vec<Snapshot>> {
        let (seed, purpose, generation) = self.stream;
        let mut random = Random::of(seed, purpose, [generation, index as u64]);
        let photo = Picture::open(random.pick::<PathBuf>(self.photos))?;
        let painting = Picture::open(random.pick::<PathBuf>(self.paintings))?;
        let recipe = recipe(self.settings, &mut random);
        // Early steps change most; half of the pictures are of the first quarter of the steps.
        let mut kept: Vec<usize> = (0..self.settings.kept)
            .map(|_| {
                let share = random.uniform();
                (share * share * self.settings.steps as f32) as usize
            })
            .collect();
        kept.sort_unstable();
        let styles = vec![Style::new("painting", painting, 1.0)];
        let device = crate::teacher::device(Some(1))?;
        let mut stylizer = Stylizer::new(device, self.encoder, styles, recipe)?;
        let (mut taken, mut snapshots, mut failed) = (0, vec![], None);
        let mut observer = |event: &Event<'_>| {
            let Event::Step(step) = event else {
                return ControlFlow::Continue(());
            };
            if kept.contains(&taken) {
                match step.preview() {
                    Ok(picture) => snapshots.push(Snapshot {
                        size: (picture.height(), picture.width()),
                        rgb: picture.rgb().iter().map(|v| v.clamp(0.0, 1.0)).collect(),
                    }),
                    Err(error) => failed = Some(error),
                }
            }
            taken += 1;
            match failed.is_none() && kept.last().is_some_and(|&last| taken <= last) {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        };
        let outcome = stylizer.stylize(&photo, &mut observer)?.outcome;
        let diverged = matches!(outcome, Outcome::Diverged { .. });
        ensure!(!diverged, "run {index} diverged");
        match failed {
            Some(error) => Err(error.into()),
            None => Ok(snapshots),
        }
    }
}

/// The least long side that a recipe may have.
pub const LEAST_SIDE: usize = 16;

/// A random recipe of two scales.
fn recipe(settings: &Trajectories, random: &mut Random) -> Recipe {
    let seed = random.bits() >> 1;
    let mut optimize = Optimize {
        init: *random.pick(&[
            Init::Content,
            Init::Content,
            Init::Content,
            Init::Noise,
            Init::Style,
        ]),
        ..Optimize::default()
    };
    optimize.content.weight = 10f32.powf(random.between(-1.7, 0.0));
    optimize.style.loss = *random.pick(&[
        StyleLoss::Wasserstein,
        StyleLoss::Wasserstein,
        StyleLoss::Gram,
    ]);
    optimize.variation.weight = *random.pick(&[0.0, 0.15]);
    let coarse = (settings.side as f32 * std::f32::consts::FRAC_1_SQRT_2) as usize;
    optimize.schedule.scales = vec![coarse.max(LEAST_SIDE), settings.side];
    optimize.schedule.steps = vec![settings.steps / 2, settings.steps - settings.steps / 2];
    optimize.optimizer = OptimizerSettings::Adam(AdamSettings {
        learning_rate: random.between(0.02, 0.06),
        // What is looked at is the picture itself, not its average.
        averaging: 0.0,
        ..AdamSettings::default()
    });
    Recipe {
        size: OutputSize::LongSide(settings.side),
        seed,
        method: MethodSettings::Optimize(optimize),
        ..Recipe::default()
    }
}

/// Writes snapshots to a file and returns them as they are there, in f16, so that a training that goes on from the file
/// sees the same values.
pub fn keep(path: &Path, snapshots: &[Snapshot]) -> Result<Vec<Snapshot>> {
    let mut checkpoint = Checkpoint::default();
    for (index, snapshot) in snapshots.iter().enumerate() {
        let (height, width) = snapshot.size;
        let tensor = WeightTensor {
            shape: vec![3, height, width],
            values: snapshot.rgb.clone(),
        };
        checkpoint.tensors.insert(format!("{index:06}"), tensor);
    }
    write_safetensors(path, &checkpoint, Precision::F16)?;
    read(path)
}

/// Reads snapshots.
pub fn read(path: &Path) -> Result<Vec<Snapshot>> {
    let checkpoint = Checkpoint::open(path).context("the pictures of earlier runs are gone")?;
    let tensors = checkpoint.tensors.into_values();
    let snapshots = tensors.map(|tensor| match *tensor.shape {
        [3, height, width] => Ok(Snapshot {
            size: (height, width),
            rgb: tensor.values,
        }),
        _ => anyhow::bail!("{} does not hold pictures", path.display()),
    });
    snapshots.collect()
}
