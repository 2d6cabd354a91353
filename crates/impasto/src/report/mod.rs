//! What happened in a run: settings, losses, times; as data, and as a page to look at.

mod curves;
mod html;
mod machine;
mod settings;
mod text;

#[cfg(test)]
mod tests;

pub use html::Page;

use crate::method::Style;
use crate::recipe::Recipe;
use impasto_compute::Device;
use serde::Serialize;

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
    /// Wall-clock seconds of the run.
    pub seconds: f64,
    /// Whether the observer ended it early.
    pub stopped: bool,
}

/// One scale of a run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize)]
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

impl Report {
    pub(crate) fn new(
        recipe: &Recipe,
        encoder: &str,
        device: &dyn Device,
        styles: &[Style],
    ) -> Self {
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
            seconds: 0.0,
            stopped: false,
        }
    }
}
