//! Recipes: every number that defines a run, as data.
//!
//! A [`Recipe`] is plain data with public fields and a default for each; [`Recipe::problems`] says everything that
//! is wrong with one at once. Numbers on which the literature disagrees are named settings.
//!
//! [`fields`] is the table of all settings, from which files, checks and options are derived. Recipes are written as TOML
//! ([`mod@file`]); those of the published methods are part of the program ([`book`]).

pub mod book;
mod change;
mod field;
pub mod file;
mod kind;
mod optimizer;
mod pixels;
mod range;
mod serial;
mod table;
mod validate;
mod value;

pub use crate::loss::Normalize;
pub use crate::loss::gram::GramNorm;
pub use field::{Field, Group, METHOD, field, fields};
pub use kind::{Alternative, Kind};
pub use optimizer::{
    AdamSettings, Clip, EpsilonTo, Keep, LbfgsSettings, LineSearch, OptimizerSettings,
};
pub use pixels::{Centre, Distribution, Init, NoiseSettings, Pixels};
pub use range::{Form, Quantity, Range};
pub use validate::Problem;
pub use value::Value;

use crate::encoder::{EncoderOptions, WeightedLayer};
use crate::named::Named;
use crate::picture::Picture;
use impasto_compute::{Reduction, TotalVariation};
use value::Setting;

/// What a run does: everything but the pictures, the encoder and the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The algorithm that paints. Which settings are its own, the table of settings says ([`Field::of`]); size, seed,
    /// how large the paintings are looked at and the encoder's settings are those of every method.
    pub method: MethodName,
    /// How large the picture gets.
    pub size: OutputSize,
    /// What keeps the photo recognisable.
    pub content: ContentTerm,
    /// What brings the painting in.
    pub style: StyleTerm,
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
    /// What is changed about the encoder.
    pub encoder: EncoderOptions,
    /// What the run starts from.
    pub init: Init,
    /// The noise that some starts are made of.
    pub noise: NoiseSettings,
    /// Seed of everything random.
    pub seed: u64,
    /// In which units the optimiser sees the picture.
    pub pixels: Pixels,
    /// When pixels are brought back into their range.
    pub clip: Clip,
    /// Which picture of a scale is its result.
    pub keep: Keep,
    /// Whether a layer that the encoder lacks is an error; otherwise the nearest that it has stands in.
    pub strict_taps: bool,
    /// Sizes and steps, coarse to fine.
    pub schedule: Schedule,
    /// How a step is taken.
    pub optimizer: OptimizerSettings,
}

/// The algorithms that paint, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MethodName {
    /// The picture itself is optimised (Gatys, Ecker and Bethge 2016).
    #[default]
    Optimize,
}

impl Named for MethodName {
    const NAMES: &'static [(&'static str, Self)] = &[("optimize", MethodName::Optimize)];
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

/// How large the picture gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputSize {
    /// This long side in pixels.
    LongSide(usize),
    /// As large as the content.
    Original,
}

impl OutputSize {
    /// The long side of the picture that is made of a content.
    pub fn long_side(self, content: &Picture) -> usize {
        match self {
            OutputSize::LongSide(side) => side,
            OutputSize::Original => content.width().max(content.height()),
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
    /// How large the paintings are looked at.
    pub size: StyleSize,
    /// Whether paintings smaller than that are enlarged.
    pub enlarge: bool,
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

/// How large the paintings are looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StyleSize {
    /// At each scale, the picture's long side times this; enlarged if need be, so that strokes keep their size
    /// relative to the picture.
    Scale(f32),
    /// At every scale, this long side in pixels.
    LongSide(usize),
    /// At each scale, the width and height of the picture, whatever the painting's proportions.
    Content,
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

/// The sizes of a run and the steps at each.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Long sides in pixels, ascending; the last is the size of the result. None: what `coarse_to_fine` says.
    pub scales: Vec<usize>,
    /// Whether the run goes from 128 px by √2 to its size; otherwise it has one scale.
    pub coarse_to_fine: bool,
    /// Steps at each scale, from the coarsest; the last number serves all further scales.
    pub steps: Vec<usize>,
}

/// The least long side of an automatic schedule.
const COARSEST: usize = 128;

impl Schedule {
    /// Long side and steps of every scale of a run that ends at `long_side`.
    ///
    /// Without explicit scales these are `long_side/√2ⁱ`, rounded, down to 128 px (crowsonkb/style-transfer-pytorch),
    /// or `long_side` alone.
    pub fn plan(&self, long_side: usize) -> Vec<(usize, usize)> {
        let mut sides = self.scales.clone();
        if sides.is_empty() && !self.coarse_to_fine {
            sides = vec![long_side];
        } else if sides.is_empty() {
            let finer =
                (0..).map(|i| (long_side as f64 / 2f64.powf(f64::from(i) / 2.0)).round() as usize);
            sides = finer
                .take_while(|&side| side >= COARSEST.min(long_side))
                .collect();
            sides.sort_unstable();
            sides.dedup();
        }
        let last = self.steps.last().copied().unwrap_or(0);
        sides
            .iter()
            .enumerate()
            .map(|(i, &side)| (side, self.steps.get(i).copied().unwrap_or(last)))
            .collect()
    }
}

/// How much work goes into a picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Quality {
    /// For a first look: 40 steps, then 20 a scale.
    Draft,
    /// 80 steps, then 40 a scale, 30 from the fifth on.
    #[default]
    Normal,
    /// 150 steps, then 80 a scale.
    Fine,
}

impl Named for Quality {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("draft", Quality::Draft),
        ("normal", Quality::Normal),
        ("fine", Quality::Fine),
    ];
}

impl Quality {
    /// Changes schedule and optimiser of a recipe to this much work.
    pub fn apply(self, recipe: &mut Recipe) {
        let (steps, learning_rate, averaging) = match self {
            Quality::Draft => (vec![40, 20], 0.04, 0.9),
            Quality::Normal => (vec![80, 40, 40, 40, 30], 0.03, 0.95),
            Quality::Fine => (vec![150, 80], 0.02, 0.99),
        };
        recipe.schedule.steps = steps;
        let adam = match recipe.optimizer {
            OptimizerSettings::Adam(adam) => adam,
            OptimizerSettings::Lbfgs(_) => AdamSettings::default(),
        };
        recipe.optimizer = OptimizerSettings::Adam(AdamSettings {
            learning_rate,
            averaging,
            ..adam
        });
    }
}

impl Setting for OutputSize {
    fn value(&self) -> Value {
        match self {
            OutputSize::LongSide(side) => Value::Measure("long-side", Box::new(side.value())),
            OutputSize::Original => Value::Name("original"),
        }
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Measure("long-side", side) => Setting::of(side).map(OutputSize::LongSide),
            Value::Name("original") => Some(OutputSize::Original),
            _ => None,
        }
    }
}

impl Setting for StyleSize {
    fn value(&self) -> Value {
        match self {
            StyleSize::Scale(scale) => Value::Measure("scale", Box::new(scale.value())),
            StyleSize::LongSide(side) => Value::Measure("long-side", Box::new(side.value())),
            StyleSize::Content => Value::Name("content"),
        }
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Measure("scale", scale) => Setting::of(scale).map(StyleSize::Scale),
            Value::Measure("long-side", side) => Setting::of(side).map(StyleSize::LongSide),
            Value::Name("content") => Some(StyleSize::Content),
            _ => None,
        }
    }
}

impl Default for Recipe {
    /// The recipe of [`Quality::Normal`]: every term free of scale, Wasserstein-2 style.
    fn default() -> Self {
        Self {
            method: MethodName::default(),
            size: OutputSize::LongSide(512),
            content: ContentTerm::default(),
            style: StyleTerm::default(),
            variation: VariationTerm::default(),
            normalize: Normalize::Target,
            reduction: Reduction::Mean,
            made_for: MadeFor::Any,
            faithful: false,
            encoder: EncoderOptions {
                padding: impasto_compute::Padding::Replicate,
                ..EncoderOptions::default()
            },
            init: Init::Content,
            noise: NoiseSettings::default(),
            seed: 0,
            pixels: Pixels::Unit,
            clip: Clip::Step,
            keep: Keep::Last,
            strict_taps: false,
            schedule: Schedule::default(),
            optimizer: OptimizerSettings::default(),
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
            size: StyleSize::Scale(1.0),
            enlarge: true,
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

impl Default for Schedule {
    fn default() -> Self {
        Self {
            scales: vec![],
            coarse_to_fine: true,
            steps: vec![80, 40, 40, 40, 30],
        }
    }
}
