//! The plan of a run, before any work is done: sizes, cuts, memory and time of each scale.

use crate::checkpoint::{CheckpointError, Cuts, Difference, Saved};
use crate::tiling::{Cut, TilePlan};
use impasto_compute::NetSpec;
use serde::{Deserialize, Serialize};

/// The least side of tiles that may be asked for.
pub const LEAST_TILE: usize = 64;

/// What a run may use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunLimits {
    /// Bytes of memory, everything included; `None` for nine tenths of what is free.
    pub memory: Option<u64>,
    /// Work in tiles of at most about this side in pixels, or in strips of as many rows, whatever the memory.
    pub tile: Option<usize>,
}

/// The plan of one scale.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScalePlan {
    /// Width of the picture in pixels.
    pub width: usize,
    /// Height of the picture in pixels.
    pub height: usize,
    /// Steps.
    pub steps: usize,
    /// How the picture is cut to be worked on; `None` for as a whole.
    pub cut: Option<Cut>,
    /// How many tiles there are.
    pub tile_count: usize,
    /// How styles are cut to be looked at.
    pub style_cut: Option<Cut>,
    /// Most memory at a time, in bytes, everything included: an estimate.
    pub bytes: u64,
    /// Work per pixel, in terms of that on a whole picture.
    pub work: f64,
}

/// The plan of a run. Its tiles are a part of the job: a run that is resumed with others gives the same picture up to
/// rounding, and only with the same tiles the same bytes. Strips give the same bytes as the whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunPlan {
    /// The scales, coarse to fine.
    pub scales: Vec<ScalePlan>,
    /// The limit that was planned for, in bytes; `None` if the system does not say what is free.
    pub limit: Option<u64>,
}

impl RunPlan {
    /// How each scale is cut.
    pub(super) fn cuts(&self) -> Vec<Cuts> {
        let scales = self.scales.iter();
        scales
            .map(|scale| [scale.cut.clone(), scale.style_cut.clone()])
            .collect()
    }

    /// Goes by the tiles of a checkpoint: with others, the last bits would differ. What memory is free does not count
    /// then; what was asked for does.
    ///
    /// # Errors
    /// [`CheckpointError::OtherJob`] if limits were given that lead to other tiles; [`CheckpointError::Damaged`] for
    /// tiles that cannot be.
    pub(super) fn adopt(
        &mut self,
        saved: &Saved,
        limits: RunLimits,
        spec: &NetSpec,
    ) -> Result<(), CheckpointError> {
        let (cuts, asked) = (&saved.header.cuts, self.cuts());
        let mut pairs = cuts.iter().flatten().zip(asked.iter().flatten());
        if cuts.len() == asked.len() && pairs.all(|(one, other)| Cut::same_bits(one, other)) {
            return Ok(());
        }
        if limits != RunLimits::default() {
            return Err(CheckpointError::OtherJob {
                path: saved.path.clone(),
                differences: vec![Difference {
                    field: "tiles".into(),
                    saved: Some(in_words(cuts)),
                    asked: Some(in_words(&asked)),
                }],
            });
        }
        let can_be = |cut: &Cut| match cut {
            Cut::Strips(_) => true,
            Cut::Tiles(plan) => {
                let cut = plan.cut.is_none_or(|cut| cut < spec.layers.len());
                cut && plan.height > 0 && plan.width > 0 && plan.front > 0
            }
        };
        if cuts.len() != asked.len() || !cuts.iter().flatten().flatten().all(can_be) {
            return Err(saved.damaged("its tiles are not of its schedule"));
        }
        for (scale, [picture, styles]) in self.scales.iter_mut().zip(cuts) {
            scale.cut.clone_from(picture);
            scale.style_cut.clone_from(styles);
        }
        Ok(())
    }

    /// Most memory at a time over all scales, in bytes.
    pub fn bytes(&self) -> u64 {
        self.scales
            .iter()
            .map(|scale| scale.bytes)
            .max()
            .unwrap_or(0)
    }
}

/// How long steps take on this machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Seconds of a step that do not depend on its size.
    pub constant: f64,
    /// Seconds per pixel.
    pub per_pixel: f64,
}

impl Pace {
    /// Seconds of a step at a scale.
    pub fn step(&self, scale: &ScalePlan) -> f64 {
        let pixels = (scale.width * scale.height) as f64;
        self.constant + self.per_pixel * pixels * scale.work
    }

    /// Seconds of all steps at a scale.
    pub fn scale(&self, scale: &ScalePlan) -> f64 {
        scale.steps as f64 * self.step(scale)
    }
}

/// Tiles for people: of each scale that has some.
fn in_words(cuts: &[Cuts]) -> String {
    let scales = cuts.iter().zip(1..).flat_map(|(cuts, scale)| {
        let cuts = cuts.iter().flatten();
        cuts.map(move |cut| {
            let TilePlan {
                height,
                width,
                cut,
                front,
                front_kept,
                kept,
            } = match cut {
                Cut::Strips(_) => return format!("strips at scale {scale}"),
                Cut::Tiles(plan) => plan,
            };
            let cut = cut.map_or("uncut".into(), |cut| format!("cut behind layer {cut}"));
            let front_kept = if *front_kept { " kept" } else { "" };
            format!("{width}×{height} px at scale {scale} ({cut}, front {front}{front_kept}, {kept} kept)")
        })
    });
    let scales: Vec<_> = scales.collect();
    match scales.is_empty() {
        true => "none".into(),
        false => scales.join(", "),
    }
}
