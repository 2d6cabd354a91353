//! What the optimisation has settings for: the terms of its objective, what a run starts from, and how steps are taken.

use super::{
    Clip, GramNorm, Init, Keep, NoiseSettings, Normalize, OptimizerSettings, Pixels, Schedule,
};
use crate::encoder::WeightedLayer;
use crate::named::Named;
use impasto_compute::{Reduction, TotalVariation};

/// The settings of [`MethodName::Optimize`](super::MethodName::Optimize) alone.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimize {
    /// What keeps the photo recognisable.
    pub content: ContentTerm,
    /// What brings the painting in.
    pub style: StyleTerm,
    /// What keeps the photo's edges.
    pub edges: EdgesTerm,
    /// What keeps noise out.
    pub variation: VariationTerm,
    /// How each term is made free of scale.
    pub normalize: Normalize,
    /// Whether the losses are means or sums.
    pub reduction: Reduction,
    /// The network whose activations the weights were chosen beside.
    pub made_for: MadeFor,
    /// Whether everything is done as it is written, whatever comes of it: weights are not calibrated to another network than
    /// the one that they were made for, and L-BFGS is not kept from diverging.
    pub faithful: bool,
    /// What the run starts from.
    pub init: Init,
    /// The noise that some starts are made of.
    pub noise: NoiseSettings,
    /// In which units the optimiser sees the picture.
    pub pixels: Pixels,
    /// Halvings of the Laplacian pyramid that is optimised instead of pixels; 0 for pixels.
    pub pyramid: usize,
    /// When pixels are brought back into their range; those of a pyramid are in the end.
    pub clip: Clip,
    /// Which picture of a scale is its result.
    pub keep: Keep,
    /// Sizes and steps, coarse to fine.
    pub schedule: Schedule,
    /// How a step is taken.
    pub optimizer: OptimizerSettings,
}

impl Default for Optimize {
    /// Every term free of scale, Wasserstein-2 style, from the content, coarse to fine: what files leave out is as here.
    fn default() -> Self {
        Self {
            content: ContentTerm::default(),
            style: StyleTerm::default(),
            edges: EdgesTerm::default(),
            variation: VariationTerm::default(),
            normalize: Normalize::Target,
            reduction: Reduction::Mean,
            made_for: MadeFor::Any,
            faithful: false,
            init: Init::Content,
            noise: NoiseSettings::default(),
            pixels: Pixels::Unit,
            pyramid: 0,
            clip: Clip::Step,
            keep: Keep::Last,
            schedule: Schedule::default(),
            optimizer: OptimizerSettings::default(),
        }
    }
}

/// The content term: squared difference of features (Gatys et al. 2016, equation 1).
#[derive(Clone, Debug, PartialEq)]
pub struct ContentTerm {
    /// Weight of the term; 0 leaves it out.
    pub weight: f32,
    /// A constant of the loss's definition beside its weight: ½ for `½ Σ (F − P)²`.
    pub factor: f32,
    /// The layers; none means those of the encoder.
    pub layers: Vec<WeightedLayer>,
    /// What the layers' weights mean.
    pub layer_weights: LayerWeights,
}

/// The style term.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleTerm {
    /// Weight of the term; 0 leaves it out.
    pub weight: f32,
    /// A constant of the loss's definition beside its weight.
    pub factor: f32,
    /// The layers; none means those of the encoder.
    pub layers: Vec<WeightedLayer>,
    /// What the layers' weights mean.
    pub layer_weights: LayerWeights,
    /// What each layer's loss is divided by.
    pub layer_norm: LayerNorm,
    /// What is compared.
    pub loss: StyleLoss,
    /// How a Gram matrix is normalised; for [`StyleLoss::Gram`] alone.
    pub gram_norm: GramNorm,
}

/// What the weights of a term's layers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerWeights {
    /// Shares of the term's weight: only their proportions count.
    Shared,
    /// Each multiplies the term's weight, so that five layers of weight 1 weigh five times as much as one.
    Absolute,
}

impl Named for LayerWeights {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("shared", LayerWeights::Shared),
        ("absolute", LayerWeights::Absolute),
    ];
}

/// What the loss of a style layer is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LayerNorm {
    /// Nothing.
    None,
    /// The layer's `c·h·w` (Udacity's notebook).
    Chw,
}

impl Named for LayerNorm {
    const NAMES: &'static [(&'static str, Self)] =
        &[("none", LayerNorm::None), ("chw", LayerNorm::Chw)];
}

/// What of the features of photo and painting is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StyleLoss {
    /// Gram matrices, squared difference (Gatys et al. 2016).
    Gram,
    /// Wasserstein-2 distance between Gaussians of the same mean and covariance.
    Wasserstein,
    /// Mean and standard deviation of each channel, squared difference (Huang and Belongie 2017).
    MeanStd,
}

impl Named for StyleLoss {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("gram", StyleLoss::Gram),
        ("wasserstein", StyleLoss::Wasserstein),
        ("mean-std", StyleLoss::MeanStd),
    ];
}

impl Named for GramNorm {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("none", GramNorm::None),
        ("hw", GramNorm::Hw),
        ("chw", GramNorm::Chw),
        ("gatys", GramNorm::Gatys),
    ];
}

impl Named for Normalize {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("none", Normalize::None),
        ("target", Normalize::Target),
        ("gradient", Normalize::Gradient),
    ];
}

/// Edges of the photo that stay.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EdgesTerm {
    /// Weight of the term; 0 leaves it out.
    pub weight: f32,
}

/// Total variation of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct VariationTerm {
    /// Weight of the term; 0 leaves it out.
    pub weight: f32,
    /// A constant of the loss's definition beside its weight.
    pub factor: f32,
    /// Which differences, and how.
    pub kind: TotalVariation,
    /// Whether it is a mean or a sum.
    pub reduction: TermReduction,
}

/// Whether a term is a mean or a sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TermReduction {
    /// As the recipe's `reduction` says.
    Recipe,
    /// The mean.
    Mean,
    /// The sum.
    Sum,
}

impl Named for TermReduction {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("recipe", TermReduction::Recipe),
        ("mean", TermReduction::Mean),
        ("sum", TermReduction::Sum),
    ];
}

impl TermReduction {
    /// What it comes to in a recipe.
    pub fn within(self, recipe: Reduction) -> Reduction {
        match self {
            TermReduction::Recipe => recipe,
            TermReduction::Mean => Reduction::Mean,
            TermReduction::Sum => Reduction::Sum,
        }
    }
}

impl Default for ContentTerm {
    fn default() -> Self {
        Self {
            weight: 0.08,
            factor: 1.0,
            layers: vec![],
            layer_weights: LayerWeights::Shared,
        }
    }
}

impl Default for StyleTerm {
    fn default() -> Self {
        Self {
            weight: 1.0,
            factor: 1.0,
            layers: vec![],
            layer_weights: LayerWeights::Shared,
            layer_norm: LayerNorm::None,
            loss: StyleLoss::Wasserstein,
            gram_norm: GramNorm::Chw,
        }
    }
}

impl Default for VariationTerm {
    fn default() -> Self {
        Self {
            weight: 0.15,
            factor: 1.0,
            kind: TotalVariation::NinePoint,
            reduction: TermReduction::Recipe,
        }
    }
}

/// The network whose activations a recipe's weights were chosen beside. On another one, each weight is calibrated so that its
/// term is as large there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MadeFor {
    /// Any: its terms are free of scale, or its weights were chosen on the network that is used.
    #[default]
    Any,
    /// The original VGG-19, for pictures in 0..255.
    Oxford,
    /// torchvision's VGG-19, for pictures of unit variance.
    Torchvision,
    /// A VGG-19 that is rescaled so that every filter's mean activation is 1.
    Unit,
}

impl Named for MadeFor {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("any", MadeFor::Any),
        ("oxford", MadeFor::Oxford),
        ("torchvision", MadeFor::Torchvision),
        ("unit", MadeFor::Unit),
    ];
}
