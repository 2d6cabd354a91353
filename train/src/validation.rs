//! How much of what the teacher sees the student sees too, on pictures that it was not trained on.
//!
//! `R² = 1 − Σ (y − t)² / Σ t²` of each head, over all places of all crops: uncentred, as the second moments are that
//! style losses compare.

use crate::config::{Config, Crops};
use crate::data::{self, Folder, Sampler};
use crate::random::{Purpose, Random};
use crate::teacher::{self, Teacher};
use crate::trajectories::Snapshot;
use anyhow::{Result, bail};
use impasto::Encoder;
use serde::{Deserialize, Serialize};

/// Crops that are never trained on.
#[derive(Clone, Debug)]
pub struct HeldOut {
    /// Side of the crops in pixels.
    pub side: usize,
    /// Of photographs and paintings.
    pub pictures: Vec<Vec<f32>>,
    /// Of pictures from runs on held-out pictures.
    pub trajectories: Vec<Vec<f32>>,
}

/// R² of each head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// On photographs and paintings.
    pub pictures: Vec<f64>,
    /// On trajectories; of nothing, if there are none.
    pub trajectories: Vec<f64>,
}

impl HeldOut {
    /// Cuts the crops: as many of photographs as of paintings, undisturbed, and two of each snapshot.
    pub fn cut(
        config: &Config,
        (photos, paintings): (&Folder, &Folder),
        snapshots: &[Snapshot],
    ) -> Result<Self> {
        let side = config.validation.side;
        let crops = Crops {
            side,
            ..config.crops.clone()
        };
        let sampler = Sampler {
            photos: &photos.held_out,
            paintings: &paintings.held_out,
            crops: &crops,
        };
        let mut pictures = Vec::new();
        for index in 0..config.validation.crops as u64 {
            for painting in [false, true] {
                let stream = [index, u64::from(painting)];
                let mut random = Random::of(config.seed, Purpose::Validation, stream);
                pictures.push(sampler.plain(painting, &mut random)?);
            }
        }
        let mut trajectories = Vec::new();
        for (index, snapshot) in snapshots.iter().enumerate() {
            for half in 0..2 {
                let mut random = Random::of(config.seed, Purpose::Window, [index as u64, half]);
                trajectories.extend(cut(snapshot, side, &mut random));
            }
        }
        Ok(Self {
            side,
            pictures,
            trajectories,
        })
    }

    /// Measures a student.
    pub fn measure(&self, student: &Encoder, teacher: &Teacher) -> Result<Explained> {
        Ok(Explained {
            pictures: explained(student, teacher, &self.pictures, self.side)?,
            trajectories: explained(student, teacher, &self.trajectories, self.side)?,
        })
    }
}

/// A random window of a snapshot, mirrored or not; nothing of one that is too small.
pub fn cut(snapshot: &Snapshot, side: usize, random: &mut Random) -> Option<Vec<f32>> {
    let (height, width) = snapshot.size;
    if height < side || width < side {
        return None;
    }
    let place = (
        random.below(height - side + 1),
        random.below(width - side + 1),
    );
    let mirrored = random.chance(0.5);
    Some(data::window(
        &snapshot.rgb,
        snapshot.size,
        place,
        side,
        mirrored,
    ))
}

/// R² of each head over crops.
pub fn explained(
    student: &Encoder,
    teacher: &Teacher,
    crops: &[Vec<f32>],
    side: usize,
) -> Result<Vec<f64>> {
    let device = teacher::device(None)?;
    let network = device.network(&student.spec(&teacher::options()))?;
    let heads = teacher.targets.len();
    if network.spec().heads.len() != heads {
        bail!(
            "{} does not have the {heads} heads that are measured",
            student.name()
        );
    }
    let (mut missed, mut whole) = (vec![0.0f64; heads], vec![0.0f64; heads]);
    for crop in crops {
        let targets = teacher.look(crop, (side, side))?;
        let seen = teacher::heads(device.as_ref(), network.as_ref(), crop, (side, side))?;
        for head in 0..heads {
            for (y, t) in seen[head].iter().zip(&targets[head]) {
                missed[head] += f64::from(y - t).powi(2);
                whole[head] += f64::from(*t).powi(2);
            }
        }
    }
    let pairs = missed.into_iter().zip(whole);
    Ok(pairs
        .map(|(missed, whole)| 1.0 - missed / whole.max(f64::MIN_POSITIVE))
        .collect())
}
