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
//! and their weights are added up. Terms that are divided by their target's size or their gradient are free of scale already.
//!
//! A Gram matrix of a deep block is hundreds of times as large as the shallow ones beside it, which see what it cannot:
//! colours and single pixels. Given to a layer of a shallower block, that size drowns the others and paints speckles, with
//! VGG-19 cut off at conv3_4 as with a small encoder. So where deep style layers are lacking, the style keeps its size as a
//! whole, and each layer has the share of it that the recipe's weights say:
//!
//! ```text
//! Gram             w_l = w'_l/Σw' · T / E_l          w': as written; T: Σ of the sizes above; E_l: size of layer l
//! total variation  .45 · T                           9-point, mean, of pixels in 0..1, where the recipe has none
//! ```
//!
//! What deep blocks hold back, chequers of the pools' stride above all, total variation does then. Where a recipe has a sum
//! of its own, which grows with the picture while means do not, the sum counts as it does at the size that the published
//! methods are made for.
//!
//! On the network that a recipe means, with every layer that it names, nothing is calibrated.

use crate::encoder::{ActivationSize, Activations, Encoder, EncoderOptions, LayerName};
use crate::recipe::{
    GramNorm, LayerNorm, MadeFor, Normalize, Optimize, StyleLoss, TermReduction, VariationTerm,
};
use impasto_compute::{Reduction, Size};

/// The long side that the published methods are made for: 512 px for all but two, which have 400.
const LONG_SIDE: f64 = 512.0;
/// Total variation where deep layers are lacking, as a share of the style's size. By eye, on few pictures of 192 px with
/// keras-eager and gatys2016: .05 and .15 leave a chequer or traces of one, about .45 does not; more was not tried.
const SMOOTHING: f64 = 0.45;

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

impl CalibratedLayer {
    /// Whether a layer of a shallower block stands in for the one that the recipe names.
    pub fn is_shallower(&self) -> bool {
        self.found.pools() < self.wanted.pools()
    }
}

/// Total variation on an encoder that a recipe does not mean.
#[derive(Clone, Copy, Debug)]
pub(super) enum CalibratedVariation {
    /// As it is written, its sums as large as at the size that recipes are made for.
    Published,
    /// A term that the recipe does not have.
    Added {
        /// The size of the style, of a picture of one pixel.
        style: f64,
        /// The power of the picture's pixels that it grows with.
        growth: i32,
    },
}

impl CalibratedVariation {
    /// The term for a picture of some size.
    pub(super) fn term(self, settings: &Optimize, size: Size) -> VariationTerm {
        let mut term = settings.variation.clone();
        match self {
            CalibratedVariation::Published => {
                if term.reduction.within(settings.reduction) == Reduction::Sum {
                    let side = size.width.max(size.height) as f64;
                    term.weight = (f64::from(term.weight) * (LONG_SIDE / side).powi(2)) as f32;
                }
                term
            }
            CalibratedVariation::Added { style, growth } => {
                let pixels = (size.width * size.height) as f64;
                let [_, range, _] = settings.pixels.scale().map(f64::from);
                let weight = SMOOTHING * style * pixels.powi(growth) / range.powi(2);
                VariationTerm {
                    weight: weight as f32,
                    reduction: TermReduction::Mean,
                    ..VariationTerm::default()
                }
            }
        }
    }
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

    /// Gives style layers their shares of the style's size, if deep ones are lacking: the weights of the layers that are
    /// looked at, each with the sum of the weights as they are written. And what total variation becomes.
    pub(super) fn balance(&self, layers: &mut [CalibratedLayer]) -> CalibratedVariation {
        let style = &self.settings.style;
        let is_style = |layer: &&mut CalibratedLayer| layer.term == "style";
        let mut layers: Vec<_> = layers.iter_mut().filter(is_style).collect();
        if !layers.iter().any(|layer| layer.is_shallower())
            || style.loss != StyleLoss::Gram
            || self.settings.normalize != Normalize::None
        {
            return CalibratedVariation::Published;
        }
        let unit = |layer: LayerName| {
            let activations = self.used.at(layer, self.options);
            activations.map_or(1.0, |activations| self.style(&activations, layer))
        };
        let size = |layer: &CalibratedLayer| f64::from(layer.calibrated) * unit(layer.found);
        let total: f64 = layers.iter().map(|layer| size(layer)).sum();
        let written: f64 = layers.iter().map(|layer| f64::from(layer.published)).sum();
        if written > 0.0 {
            for layer in &mut layers {
                let share = f64::from(layer.published) / written;
                layer.calibrated = (share * total / unit(layer.found)) as f32;
            }
        }
        if self.settings.variation.weight > 0.0 {
            return CalibratedVariation::Published;
        }
        let mut growth = match style.gram_norm {
            GramNorm::None => 2,
            GramNorm::Hw | GramNorm::Chw | GramNorm::Gatys => 0,
        };
        if style.layer_norm == LayerNorm::Chw {
            growth -= 1;
        }
        CalibratedVariation::Added {
            style: total * f64::from(style.weight) * f64::from(style.factor),
            growth,
        }
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
