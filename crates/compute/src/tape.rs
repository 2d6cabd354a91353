//! One forward pass through a network: what it is asked for, and the gradients that go back through it.

use crate::{ComputeError, Moments, Result, Tensor, Window};
use std::fmt;

/// A place in a network that a loss looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tap {
    /// The result of the layer of this index: before its ReLU if it is a convolution, after it if it is the ReLU.
    Layer(usize),
    /// The result of the head of this index.
    Head(usize),
}

impl fmt::Display for Tap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Tap::Layer(index) => write!(f, "layer {index}"),
            Tap::Head(index) => write!(f, "head {index}"),
        }
    }
}

/// What is wanted of a tap. Asking for less is faster: moments never need the features to be kept in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Want {
    /// Its features, as a whole ([`Tape::features`]).
    Features,
    /// Its features, shown part by part on the way back ([`Tape::backward_in_parts`]), so that they need not exist as a
    /// whole. Only passes in strips show parts; others refuse to.
    InParts,
    /// Its moments ([`Tape::moments`]).
    Moments,
    /// Nothing now, but a gradient towards moments will be given: those that an earlier pass over the same image has
    /// seen.
    Replay,
}

impl Want {
    /// Whether a gradient towards moments may be given.
    pub fn is_of_moments(self) -> bool {
        match self {
            Want::Moments | Want::Replay => true,
            Want::Features | Want::InParts => false,
        }
    }
}

/// A tap, and what is wanted of it: several requests of one tap for several views.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TapRequest {
    /// Where.
    pub tap: Tap,
    /// What.
    pub want: Want,
}

impl TapRequest {
    /// Asks for the features of a tap.
    pub fn features(tap: Tap) -> Self {
        let want = Want::Features;
        Self { tap, want }
    }

    /// Asks for the features of a tap, part by part on the way back.
    pub fn in_parts(tap: Tap) -> Self {
        let want = Want::InParts;
        Self { tap, want }
    }

    /// Asks for the moments of a tap.
    pub fn moments(tap: Tap) -> Self {
        let want = Want::Moments;
        Self { tap, want }
    }

    /// Announces a gradient towards moments that are known already.
    pub fn replay(tap: Tap) -> Self {
        let want = Want::Replay;
        Self { tap, want }
    }
}

/// One forward pass, kept until its gradient is asked for.
pub trait Tape {
    /// Features of a tap that was asked for, `[c, h, w]`, in the device's own layout.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`](crate::ComputeError::NoSuchTap) if the forward pass was not asked for them.
    fn features(&self, tap: Tap) -> Result<&Tensor>;

    /// Moments of a tap that was asked for.
    ///
    /// # Errors
    /// As [`Tape::features`].
    fn moments(&self, tap: Tap) -> Result<&Moments>;

    /// Lets go of what only [`Tape::features`] needs, which fails from now on; gradients towards features can still be
    /// given.
    fn release(&mut self) {}

    /// dL/d image `[c, h, w]` from the gradients towards what the losses saw. Several cotangents of one tap add up.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`](crate::ComputeError::NoSuchTap) for a tap, or a view of it, that was not asked for;
    /// [`ComputeError::BadSetting`](crate::ComputeError::BadSetting) if features were asked for
    /// [in parts](Want::InParts): nobody would look at them, and the gradient would lack what is to be said about them.
    fn backward(self: Box<Self>, cotangents: Vec<Cotangent>) -> Result<Tensor> {
        self.backward_in_parts(cotangents, &mut |part| Err(unanswered(part.tap)))
    }

    /// The same, where features that were asked for [in parts](Want::InParts) are shown part by part, each once, and
    /// the gradient towards them is answered.
    ///
    /// # Errors
    /// As [`Tape::backward`], and whatever `answer` says.
    fn backward_in_parts(
        self: Box<Self>,
        cotangents: Vec<Cotangent>,
        answer: &mut Answer<'_>,
    ) -> Result<Tensor>;
}

/// The refusal to go back past parts that nobody looks at.
fn unanswered(tap: Tap) -> ComputeError {
    ComputeError::BadSetting(format!(
        "features of {tap} were asked for in parts, and nobody looks at them on the way back"
    ))
}

/// The gradient of a loss towards what it saw of one tap.
#[derive(Debug)]
pub struct Cotangent {
    /// Where.
    pub tap: Tap,
    /// dL/d features, `[c, h, w]`.
    pub features: Option<Tensor>,
    /// dL/d moments.
    pub moments: Option<Moments>,
}

impl Cotangent {
    /// A gradient towards features.
    pub fn features(tap: Tap, features: Tensor) -> Self {
        Self {
            tap,
            features: Some(features),
            moments: None,
        }
    }

    /// A gradient towards moments.
    pub fn moments(tap: Tap, moments: Moments) -> Self {
        Self {
            tap,
            features: None,
            moments: Some(moments),
        }
    }
}

/// Some rows of the features of a tap, shown on the way back.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Where.
    pub tap: Tap,
    /// Which part of the map `[c, h, w]`.
    pub place: Window,
    /// The features, `[c, place.height, place.width]`.
    pub features: &'a Tensor,
}

/// Says the gradient towards a part of features, of its shape, if it has one.
pub type Answer<'a> = dyn FnMut(&Part<'_>) -> Result<Option<Tensor>> + Send + 'a;
