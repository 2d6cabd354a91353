//! What feed-forward methods have settings for: pictures made by networks in a single pass, or in a few.

use crate::named::Named;

/// How strongly a network paints: nothing else is to be said about MicroAST, AdaIN and the network of Ghiasi et al.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Strength {
    /// 0 gives the content back as far as the network can, 1 the style in full.
    pub alpha: f32,
}

impl Default for Strength {
    fn default() -> Self {
        Self { alpha: 1.0 }
    }
}

/// Universal style transfer (Li et al. 2017, arXiv 1705.08086): the features of every level, deepest first, are brought to
/// the mean and covariance of the style's, and decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Wct {
    /// `α·T(f) + (1 − α)·f` at every level.
    pub alpha: f32,
    /// The levels, from the deepest to the shallowest: 5 is relu5_1, 1 is relu1_1.
    pub levels: Vec<usize>,
    /// How features get mean and covariance of the style.
    pub transform: Transform,
}

impl Default for Wct {
    fn default() -> Self {
        Self {
            alpha: 0.6,
            levels: vec![5, 4, 3, 2, 1],
            transform: Transform::Transport,
        }
    }
}

/// The embedded network: three levels of `lite`, each decoded by a small network of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Paint {
    /// `α·T(f) + (1 − α)·f` at every level.
    pub alpha: f32,
    /// The levels, from the deepest to the shallowest: 3 is relu3_3, 2 is relu2_1, 1 is relu1_1.
    pub levels: Vec<usize>,
    /// At how many sizes the picture is painted, each twice the last: more make larger strokes.
    pub scales: usize,
}

impl Default for Paint {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            levels: vec![3, 2, 1],
            scales: 1,
        }
    }
}

/// A network of one style or of some, which it has learned (Johnson et al. 2016, Dumoulin et al. 2017).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fast {
    /// The picture that is made is mixed with the content: `α·y + (1 − α)·x`.
    pub strength: Strength,
    /// Which of the network's styles, counted from 1; several are mixed, one that is named twice counts twice. None stands
    /// for the first.
    pub styles: Vec<usize>,
}

/// How features get the mean and the covariance of a style's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Transform {
    /// The optimal-transport map between the two Gaussians, which moves features as little as possible.
    #[default]
    Transport,
    /// Whitening and colouring as the authors' Lua program has it: eigenvalues below 1e-5 dropped, no ridge.
    Lua,
    /// As PyTorchWCT has it: the identity is added to the content's covariance.
    Pytorch,
    /// As WCT-TF has it: 1e-8 added to both; pictures are clamped between levels.
    Tf,
    /// As Collaborative-Distillation has it: eigenvalues below 1e-100 dropped.
    Distilled,
}

impl Named for Transform {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("transport", Transform::Transport),
        ("lua", Transform::Lua),
        ("pytorch", Transform::Pytorch),
        ("tf", Transform::Tf),
        ("distilled", Transform::Distilled),
    ];
}
