//! Recipes: every number that defines a run, as data.
//!
//! A [`Recipe`] is plain data with public fields and a default for each: what all methods share, and the settings of the
//! method that paints ([`MethodSettings`]). [`Recipe::problems`] says everything that is wrong with one at once. Numbers on
//! which the literature disagrees are named settings.
//!
//! [`fields`] is the table of all settings, from which files, checks and options are derived. Recipes are written as TOML
//! ([`mod@file`]); those of the published methods are part of the program ([`book`]).

pub mod book;
mod change;
mod feedforward;
mod field;
pub mod file;
mod kind;
mod nnst;
mod optimize;
mod optimizer;
mod pixels;
mod range;
mod schedule;
mod serial;
mod strotss;
mod table;
mod validate;
mod value;

pub use crate::loss::Normalize;
pub use crate::loss::gram::GramNorm;
pub use feedforward::{Fast, Paint, Strength, Transform, Wct};
pub use field::{Field, Group, METHOD, field, fields};
pub use kind::{Alternative, Kind};
pub use nnst::Nnst;
pub use optimize::{
    ContentTerm, EdgesTerm, LayerNorm, LayerWeights, MadeFor, Optimize, StyleLoss, StyleTerm,
    TermReduction, VariationTerm,
};
pub use optimizer::{
    AdamSettings, Clip, EpsilonTo, Keep, LbfgsSettings, LineSearch, OptimizerSettings,
};
pub use pixels::{Centre, Distribution, Init, NoiseSettings, Pixels};
pub use range::{Form, Quantity, Range};
pub(crate) use schedule::LIGHTER;
pub use schedule::{Quality, Schedule};
pub use strotss::Strotss;
pub use validate::Problem;
pub use value::Value;

use crate::encoder::EncoderOptions;
use crate::named::Named;
use crate::picture::colors::Colors;
use crate::picture::{Picture, fit_long_side};
use crate::style::Style;
use impasto_compute::{Padding, Size};
use value::Setting;

/// What a run does: everything but the pictures, the encoder and the device.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// How large the picture gets.
    pub size: OutputSize,
    /// How large the paintings are looked at.
    pub style: StyleResize,
    /// Whose colours the picture has.
    pub colors: Colors,
    /// How wide the borders of what is painted are, as a share of the picture's long side.
    pub feather: f32,
    /// Whether the result is the photo in the tones of what was painted.
    pub photo: bool,
    /// Whether the picture goes all around: its right end goes on at its left one.
    pub wrap: bool,
    /// What is changed about the encoder.
    pub encoder: EncoderOptions,
    /// Seed of everything random.
    pub seed: u64,
    /// Whether a layer that the encoder lacks is an error; otherwise the nearest that it has stands in.
    pub strict_taps: bool,
    /// The algorithm that paints, with the settings that it alone has.
    pub method: MethodSettings,
}

impl Recipe {
    /// The settings of the optimisation; `None` for recipes of other methods.
    pub fn optimize(&self) -> Option<&Optimize> {
        match &self.method {
            MethodSettings::Optimize(settings) => Some(settings),
            _ => None,
        }
    }

    /// The method whose network paints: the recipe's own, or that of what the optimisation starts from; `None` for
    /// recipes without one.
    pub fn painter(&self) -> Option<MethodName> {
        match &self.method {
            MethodSettings::Optimize(settings) => settings.init.method(),
            MethodSettings::Nnst(_) | MethodSettings::Strotss(_) => None,
            other => Some(other.name()),
        }
    }

    /// Whether an encoder looks at pictures: for methods that optimise the picture itself.
    pub fn looks(&self) -> bool {
        matches!(
            self.method,
            MethodSettings::Optimize(_) | MethodSettings::Nnst(_) | MethodSettings::Strotss(_)
        )
    }

    /// The settings of the optimisation, to be changed; `None` for recipes of other methods.
    pub fn optimize_mut(&mut self) -> Option<&mut Optimize> {
        match &mut self.method {
            MethodSettings::Optimize(settings) => Some(settings),
            _ => None,
        }
    }
}

impl Default for Recipe {
    /// An optimisation from the content, coarse to fine, which needs no network that paints: what files leave out is as
    /// here. The program's own default is [`Quality::Normal`].
    fn default() -> Self {
        Self {
            size: OutputSize::LongSide(512),
            style: StyleResize::default(),
            colors: Colors::default(),
            feather: 0.01,
            photo: false,
            wrap: false,
            encoder: EncoderOptions {
                padding: Padding::Replicate,
                ..EncoderOptions::default()
            },
            seed: 0,
            strict_taps: false,
            method: MethodSettings::default(),
        }
    }
}

/// The algorithms that paint, by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MethodName {
    /// The picture itself is optimised (Gatys, Ecker and Bethge 2016).
    #[default]
    Optimize,
    /// Nearest neighbours of features (Kolkin et al. 2022).
    Nnst,
    /// Relaxed optimal transport and self-similarity (Kolkin et al. 2019).
    Strotss,
    /// The embedded feed-forward network.
    Paint,
    /// Universal style transfer (Li et al. 2017).
    Wct,
    /// Adaptive instance normalisation (Huang and Belongie 2017).
    Adain,
    /// MicroAST (Wang et al. 2023).
    Microast,
    /// The real-time arbitrary network of Ghiasi et al. 2017.
    Ghiasi,
    /// A network of one style or of some (Johnson et al. 2016, Dumoulin et al. 2017).
    Fast,
}

impl Named for MethodName {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("optimize", MethodName::Optimize),
        ("nnst", MethodName::Nnst),
        ("strotss", MethodName::Strotss),
        ("paint", MethodName::Paint),
        ("wct", MethodName::Wct),
        ("adain", MethodName::Adain),
        ("microast", MethodName::Microast),
        ("ghiasi", MethodName::Ghiasi),
        ("fast", MethodName::Fast),
    ];
}

/// An algorithm that paints, with its own settings; `method` tells them apart in files.
#[derive(Clone, Debug, PartialEq)]
pub enum MethodSettings {
    /// Of [`MethodName::Optimize`].
    Optimize(Optimize),
    /// Of [`MethodName::Nnst`].
    Nnst(Nnst),
    /// Of [`MethodName::Strotss`].
    Strotss(Strotss),
    /// Of [`MethodName::Paint`].
    Paint(Paint),
    /// Of [`MethodName::Wct`].
    Wct(Wct),
    /// Of [`MethodName::Adain`].
    Adain(Strength),
    /// Of [`MethodName::Microast`].
    Microast(Strength),
    /// Of [`MethodName::Ghiasi`].
    Ghiasi(Strength),
    /// Of [`MethodName::Fast`].
    Fast(Fast),
}

impl MethodSettings {
    /// The name of the algorithm.
    pub fn name(&self) -> MethodName {
        match self {
            MethodSettings::Optimize(_) => MethodName::Optimize,
            MethodSettings::Nnst(_) => MethodName::Nnst,
            MethodSettings::Strotss(_) => MethodName::Strotss,
            MethodSettings::Paint(_) => MethodName::Paint,
            MethodSettings::Wct(_) => MethodName::Wct,
            MethodSettings::Adain(_) => MethodName::Adain,
            MethodSettings::Microast(_) => MethodName::Microast,
            MethodSettings::Ghiasi(_) => MethodName::Ghiasi,
            MethodSettings::Fast(_) => MethodName::Fast,
        }
    }

    /// The default settings of an algorithm.
    pub fn of(name: MethodName) -> Self {
        match name {
            MethodName::Optimize => MethodSettings::Optimize(Optimize::default()),
            MethodName::Nnst => MethodSettings::Nnst(Nnst::default()),
            MethodName::Strotss => MethodSettings::Strotss(Strotss::default()),
            MethodName::Paint => MethodSettings::Paint(Paint::default()),
            MethodName::Wct => MethodSettings::Wct(Wct::default()),
            MethodName::Adain => MethodSettings::Adain(Strength::default()),
            MethodName::Microast => MethodSettings::Microast(Strength::default()),
            MethodName::Ghiasi => MethodSettings::Ghiasi(Strength::default()),
            MethodName::Fast => MethodSettings::Fast(Fast::default()),
        }
    }

    /// Whether nothing can be painted without a style.
    pub fn needs_styles(&self) -> bool {
        match self {
            MethodSettings::Optimize(settings) => settings.style.weight > 0.0,
            MethodSettings::Fast(_) => false,
            MethodSettings::Nnst(_)
            | MethodSettings::Strotss(_)
            | MethodSettings::Paint(_)
            | MethodSettings::Wct(_)
            | MethodSettings::Adain(_)
            | MethodSettings::Microast(_)
            | MethodSettings::Ghiasi(_) => true,
        }
    }

    /// Whether everything is done as it was published, whatever comes of it.
    pub fn is_faithful(&self) -> bool {
        match self {
            MethodSettings::Optimize(settings) => settings.faithful,
            MethodSettings::Nnst(settings) => settings.faithful,
            MethodSettings::Strotss(settings) => settings.faithful,
            _ => false,
        }
    }

    /// How strongly a feed-forward network paints; `None` for the optimisation, whose weights say it.
    pub fn alpha(&self) -> Option<f32> {
        match self {
            MethodSettings::Optimize(_) | MethodSettings::Nnst(_) | MethodSettings::Strotss(_) => {
                None
            }
            MethodSettings::Paint(settings) => Some(settings.alpha),
            MethodSettings::Wct(settings) => Some(settings.alpha),
            MethodSettings::Adain(strength)
            | MethodSettings::Microast(strength)
            | MethodSettings::Ghiasi(strength) => Some(strength.alpha),
            MethodSettings::Fast(settings) => Some(settings.strength.alpha),
        }
    }

    /// Whether features are whitened and coloured as a published program does it.
    pub(crate) fn whitens(&self) -> bool {
        match self {
            MethodSettings::Wct(settings) => settings.transform != Transform::Transport,
            _ => false,
        }
    }

    fn alpha_mut(&mut self) -> Option<&mut f32> {
        match self {
            MethodSettings::Optimize(_) | MethodSettings::Nnst(_) | MethodSettings::Strotss(_) => {
                None
            }
            MethodSettings::Paint(settings) => Some(&mut settings.alpha),
            MethodSettings::Wct(settings) => Some(&mut settings.alpha),
            MethodSettings::Adain(strength)
            | MethodSettings::Microast(strength)
            | MethodSettings::Ghiasi(strength) => Some(&mut strength.alpha),
            MethodSettings::Fast(settings) => Some(&mut settings.strength.alpha),
        }
    }
}

impl Default for MethodSettings {
    fn default() -> Self {
        Self::of(MethodName::default())
    }
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

/// How paintings are resized before they are looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct StyleResize {
    /// How large they are looked at.
    pub size: StyleSize,
    /// Whether paintings smaller than that are enlarged.
    pub enlarge: bool,
    /// How they are turned, and so their strokes.
    pub rotate: Rotate,
    /// The percents of that size in which they are looked at, all at once; none stands for 100.
    pub spread: Vec<usize>,
}

/// How paintings are turned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rotate {
    /// By so many degrees, counter-clockwise.
    Degrees(f32),
    /// In all directions at once.
    Any,
}

impl StyleResize {
    /// Width and height at which a style is looked at, for a picture of some size.
    pub fn size_of(&self, style: &Style, size: Size) -> (usize, usize) {
        let painting = &style.picture;
        let longest = size.width.max(size.height);
        let mut long_side = match self.size {
            StyleSize::Scale(factor) => ((longest as f32 * factor).round() as usize).max(1),
            StyleSize::LongSide(side) => side,
            StyleSize::Content if style.scale == 1.0 => return (size.width, size.height),
            StyleSize::Content => longest,
        };
        if style.scale != 1.0 {
            long_side = ((long_side as f32 * style.scale).round() as usize).max(1);
        }
        if !self.enlarge {
            long_side = long_side.min(painting.width().max(painting.height()));
        }
        fit_long_side(painting.width(), painting.height(), long_side)
    }
}

impl Default for StyleResize {
    fn default() -> Self {
        Self {
            size: StyleSize::Scale(1.0),
            enlarge: true,
            rotate: Rotate::Degrees(0.0),
            spread: vec![],
        }
    }
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

impl Setting for Rotate {
    fn value(&self) -> Value {
        match self {
            Rotate::Degrees(degrees) => Value::Measure("degrees", Box::new(degrees.value())),
            Rotate::Any => Value::Name("any"),
        }
    }

    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Measure("degrees", degrees) => Setting::of(degrees).map(Rotate::Degrees),
            Value::Name("any") => Some(Rotate::Any),
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
