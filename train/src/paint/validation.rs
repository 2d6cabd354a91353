//! What a file of decoders makes of pictures that they were not trained on, through impasto as people use it.

use super::config::Config;
use crate::data::Folder;
use anyhow::{Result, ensure};
use impasto::picture::{Filter, fit_long_side};
use impasto::recipe::{MethodName, MethodSettings, Paint};
use impasto::{
    Encoder, Ignore, Networks, OutputSize, PainterSpec, Picture, Recipe, Style, Stylizer,
};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// Pairs of held-out photos and paintings, in the size in which they are looked at.
#[derive(Debug)]
pub struct HeldOut(Vec<(Picture, Picture)>);

/// Means over pairs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// The total loss of the default recipe.
    pub total: f64,
    /// Its style terms, weighted.
    pub style: f64,
    /// Its content term, not weighted: 1 is what a constant picture has.
    pub content: f64,
    /// Signal to noise of what each decoder alone makes of a photo's own features, in dB, deepest first.
    pub reproduction: [f64; 3],
}

impl HeldOut {
    /// Opens the pairs: held-out pictures of both folders, spread over them.
    pub fn open(config: &Config, photos: &Folder, paintings: &Folder) -> Result<Self> {
        let settings = &config.validation;
        let open = |folder: &Folder, index: usize| -> Result<Picture> {
            let held_out = &folder.held_out;
            let picture = Picture::open(&held_out[index * held_out.len() / settings.pairs])?;
            let size = fit_long_side(picture.width(), picture.height(), settings.side);
            Ok(picture.resized(size.0, size.1, Filter::Bicubic))
        };
        let pairs = (0..settings.pairs).map(|index| {
            let turned = settings.pairs - 1 - index;
            Ok((open(photos, index)?, open(paintings, turned)?))
        });
        Ok(Self(pairs.collect::<Result<_>>()?))
    }

    /// Measures a file of decoders.
    pub fn measure(&self, file: &Path) -> Result<Measured> {
        let spec = PainterSpec::find(MethodName::Paint, Some(file), None)?;
        let device = crate::teacher::device(None)?;
        let device: Arc<dyn impasto::compute::Device> = device.into();
        let lite = Encoder::lite()?;
        let mut sum = Measured::default();
        for (content, style) in &self.0 {
            let size = OutputSize::LongSide(content.width().max(content.height()));
            let styles = || vec![Style::new("style", style.clone(), 1.0)];
            let paint = |settings: Paint| -> Result<Picture> {
                let recipe = Recipe {
                    size,
                    method: MethodSettings::Paint(settings),
                    ..Recipe::default()
                };
                let networks = Networks {
                    encoder: None,
                    painter: Some(&spec),
                };
                let mut stylizer =
                    Stylizer::with_networks(device.clone(), networks, styles(), recipe)?;
                Ok(stylizer.stylize(content, &mut Ignore)?.picture)
            };
            let painted = paint(Paint::default())?;
            let recipe = Recipe {
                size,
                ..Recipe::default()
            };
            let mut judge = Stylizer::new(device.clone(), &lite, styles(), recipe)?;
            let seen = judge.inspect(content, &painted)?;
            sum.total += seen.total;
            for term in &seen.terms {
                match term.name.split(':').next() {
                    Some("style") => sum.style += term.weighted,
                    Some("content") => sum.content += term.value,
                    _ => {}
                }
            }
            for (level, sum) in (1..=3).rev().zip(&mut sum.reproduction) {
                let alone = Paint {
                    alpha: 0.0,
                    levels: vec![level],
                    scales: 1,
                };
                *sum += signal_to_noise(&paint(alone)?, content);
            }
        }
        let n = self.0.len() as f64;
        ensure!(sum.total.is_finite(), "what is painted has no finite loss");
        Ok(Measured {
            total: sum.total / n,
            style: sum.style / n,
            content: sum.content / n,
            reproduction: sum.reproduction.map(|value| value / n),
        })
    }
}

/// `−10·log₁₀ mean (y − x)²`, dB.
fn signal_to_noise(made: &Picture, wanted: &Picture) -> f64 {
    let pairs = made.rgb().iter().zip(wanted.rgb());
    let sum: f64 = pairs.map(|(y, x)| f64::from(y - x).powi(2)).sum();
    -10.0 * (sum / wanted.rgb().len() as f64).max(1e-12).log10()
}
