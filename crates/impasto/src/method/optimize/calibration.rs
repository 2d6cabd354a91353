//! A recipe's weights on another network than the one they were made for.
//!
//! ```text
//! content          w · R/E                           R, E: variance of the features
//! Gram             w · k_R²·R / (k_E²·E)             mean square of F·Fᵀ/n; k of `loss::gram`
//! others           w · R/E                           tr Σ/c
//! sums             … · entries_R/entries_E           c·h·w of features, c² of Gram matrices, c of others
//! layer-norm chw   … · (c·h·w)_E/(c·h·w)_R
//! ```
//!
//! R is the size of the activations that the recipe means at the layer that it names, E that of the used network at the
//! layer that stands in ([`crate::encoder`] tabulates both), so that every term is as large as it was meant to be. A layer
//! that the encoder lacks is stood in for by the nearest one of its block, or the deepest before it; several may share one,
//! and their weights are added up. Total variation sees no network and stays. Terms that are divided by their target's size
//! or their gradient are free of scale already.
//!
//! On the network that a recipe means, with every layer that it names, nothing is calibrated.

use crate::encoder::{ActivationSize, Activations, Encoder, EncoderOptions, LayerName};
use crate::recipe::{LayerNorm, MadeFor, Normalize, Optimize, StyleLoss};
use impasto_compute::Reduction;

/// A layer of a recipe whose weight was calibrated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibratedLayer {
    /// `content` or `style`.
    pub term: &'static str,
    /// The layer that the recipe names.
    pub wanted: LayerName,
    /// The layer that is looked at.
    pub found: LayerName,
    /// Its weight as the recipe says it, times that of the term.
    pub published: f32,
    /// The weight that makes the term as large on the encoder as the recipe means it.
    pub calibrated: f32,
}

/// What a recipe's weights are calibrated from and to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Calibration<'a> {
    settings: &'a Optimize,
    options: &'a EncoderOptions,
    meant: Activations,
    used: Activations,
}

impl<'a> Calibration<'a> {
    /// The calibration of a recipe whose layers are these for an encoder; `None` where there is none to be made.
    pub(super) fn of(
        settings: &'a Optimize,
        options: &'a EncoderOptions,
        encoder: &Encoder,
        layers: &[LayerName],
    ) -> Option<Self> {
        if settings.faithful {
            return None;
        }
        let meant = match (settings.made_for, options.unit_activations) {
            (MadeFor::Any, _) => return None,
            (MadeFor::Unit, _) | (_, true) => Activations::Unit,
            (MadeFor::Oxford, false) => Activations::Oxford,
            (MadeFor::Torchvision, false) => Activations::Torchvision,
        };
        let used = encoder.activations(options)?;
        let has_all = layers.iter().all(|layer| encoder.tap(*layer).is_ok());
        (meant != used || !has_all).then_some(Self {
            settings,
            options,
            meant,
            used,
        })
    }

    /// What the weight of a term's layer is multiplied by, if another one stands in for it.
    pub(super) fn factor(&self, term: &str, wanted: LayerName, found: LayerName) -> f64 {
        let options = self.options;
        let meant = self.meant.at(wanted, options);
        let used = self.used.at(found, options);
        let (Some(meant), Some(used)) = (meant, used) else {
            return 1.0;
        };
        if self.settings.normalize != Normalize::None {
            return 1.0;
        }
        let size = |activations: &ActivationSize, layer: LayerName| match term {
            "content" => self.content(activations, layer),
            _ => self.style(activations, layer),
        };
        size(&meant, wanted) / size(&used, found)
    }

    fn sums(&self) -> bool {
        self.settings.reduction == Reduction::Sum
    }

    /// The size of a content term.
    fn content(&self, activations: &ActivationSize, layer: LayerName) -> f64 {
        let entries = match self.sums() {
            true => activations.channels * places(layer),
            false => 1.0,
        };
        activations.content * entries
    }

    /// The size of a style term.
    fn style(&self, activations: &ActivationSize, layer: LayerName) -> f64 {
        let (c, n) = (activations.channels, places(layer));
        let style = &self.settings.style;
        let (size, entries) = match style.loss {
            StyleLoss::Gram => {
                let k = style.gram_norm.factor(c, n);
                (k * k * activations.gram, c * c)
            }
            StyleLoss::Wasserstein | StyleLoss::MeanStd => (activations.variance, c),
        };
        let size = match self.sums() {
            true => size * entries,
            false => size,
        };
        match style.layer_norm {
            LayerNorm::Chw => size / (c * n),
            LayerNorm::None => size,
        }
    }
}

/// Places of a layer's features, as a share of those of the picture.
fn places(layer: LayerName) -> f64 {
    0.25f64.powi(i32::from(layer.pools()))
}
