//! What happened in a run: settings, losses, times; as data, and as a page to look at.

mod compare;
mod curves;
mod film;
mod gallery;
mod html;
mod machine;
pub(crate) mod settings;
mod text;

#[cfg(test)]
mod tests;

pub use compare::{Comparison, Contender};
pub use film::{FilmFrame, FilmPage, Shown};
pub use gallery::{Cell, Gallery, Plate};
pub use html::Page;
pub(crate) use text::base64;

use crate::recipe::Recipe;
use crate::style::Style;
use impasto_compute::Device;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Everything about a run but its pictures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Version of the library.
    pub version: &'static str,
    /// The encoder.
    pub encoder: String,
    /// The device, as it describes itself.
    pub device: String,
    /// The styles and their weights.
    pub styles: Vec<(String, f32)>,
    /// The recipe.
    pub recipe: Recipe,
    /// Name and weight of each term.
    pub terms: Vec<(String, f32)>,
    /// The scales that were run.
    pub scales: Vec<ScaleReport>,
    /// The steps that were taken.
    pub steps: Vec<StepReport>,
    /// What went wrong and was mended.
    pub setbacks: Vec<Setback>,
    /// What is wrong with how it ended.
    pub concerns: Vec<Concern>,
    /// Wall-clock seconds of the run; breaks between a checkpoint and going on from it are left out.
    pub seconds: f64,
    /// Whether the observer ended it early.
    pub stopped: bool,
}

/// One scale of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScaleReport {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Steps taken.
    pub steps: usize,
    /// Wall-clock seconds, targets included.
    pub seconds: f64,
}

/// One step of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Index of the scale.
    pub scale: usize,
    /// The step at this scale, from 1.
    pub step: usize,
    /// The total loss before the step.
    pub total: f64,
    /// The unweighted values of the terms before the step.
    pub terms: Vec<f64>,
    /// Wall-clock seconds since the start of the run, after the step.
    pub seconds: f64,
}

/// A step that led nowhere. The run went back to an earlier image, forgot what the optimiser had gathered, and went on
/// from it in other steps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setback {
    /// Index of the scale.
    pub scale: usize,
    /// The step at this scale, from 1.
    pub step: usize,
    /// What the size of all further steps is multiplied by.
    pub factor: f32,
    /// What was wrong with it.
    pub cause: Cause,
}

/// What was wrong with a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Loss or gradient was not a number: the run went back to the image before the step that led there.
    NotANumber,
    /// The loss was more than twice what it was at the start of the scale: the run went back to the image of the least loss,
    /// and L-BFGS changes no pixel by more than a tenth of its range in one iteration from there.
    Rose,
}

/// What is wrong with how a run ended, though all of it were numbers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "concern")]
pub enum Concern {
    /// The loss at the end of a scale was more than twice that at its start. The scale's result is the picture of the
    /// least loss.
    Rose {
        /// Index of the scale.
        scale: usize,
        /// The loss at its start.
        start: f64,
        /// The loss at its end.
        end: f64,
    },
    /// Most values of the picture are as dark or as bright as they can be, and neither content nor styles are like that.
    Saturated {
        /// The share of them, 0..1.
        share: f64,
    },
    /// The picture is the one that the run started from.
    Unmoved,
}

impl fmt::Display for Concern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Concern::Rose { scale, start, end } => write!(
                f,
                "the loss rose at scale {} from {start:.3e} to {end:.3e}; the picture of the least loss is kept",
                scale + 1
            ),
            Concern::Saturated { share } => write!(
                f,
                "{:.0} % of the picture is as dark or as bright as can be",
                100.0 * share
            ),
            Concern::Unmoved => f.write_str("the picture is the one that the run started from"),
        }
    }
}

impl Report {
    /// The report of a run of which nothing has happened yet.
    pub fn new(recipe: &Recipe, encoder: &str, device: &dyn Device, styles: &[Style]) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            encoder: encoder.into(),
            device: device.describe(),
            styles: styles
                .iter()
                .map(|style| (style.name.clone(), style.weight))
                .collect(),
            recipe: recipe.clone(),
            terms: vec![],
            scales: vec![],
            steps: vec![],
            setbacks: vec![],
            concerns: vec![],
            seconds: 0.0,
            stopped: false,
        }
    }
}
