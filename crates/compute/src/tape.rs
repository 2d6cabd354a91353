//! One forward pass through a network: what it is asked for, and the gradients that go back through it.

use crate::{Moments, Result, Tensor, Window};
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

/// A tap, and what is wanted of it. Asking for less is faster: moments never need the features to be kept in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TapRequest {
    /// Where.
    pub tap: Tap,
    /// Whether [`Tape::features`] will be asked.
    pub features: bool,
    /// Whether [`Tape::moments`] will be asked.
    pub moments: bool,
    /// Whether a gradient towards moments will be given that need not be computed: those that an earlier pass over
    /// the same image has seen.
    pub replay: bool,
    /// Of a picture that runs strip by strip: whether its features will be shown part by part on the way back
    /// ([`Tape::backward_in_parts`]), so that they need not exist as a whole.
    pub parts: bool,
}

impl TapRequest {
    /// Asks for the features of a tap.
    pub fn features(tap: Tap) -> Self {
        Self {
            tap,
            features: true,
            moments: false,
            replay: false,
            parts: false,
        }
    }

    /// Asks for the moments of a tap.
    pub fn moments(tap: Tap) -> Self {
        Self {
            tap,
            features: false,
            moments: true,
            replay: false,
            parts: false,
        }
    }

    /// Announces a gradient towards moments that are known already.
    pub fn replay(tap: Tap) -> Self {
        Self {
            tap,
            features: false,
            moments: false,
            replay: true,
            parts: false,
        }
    }

    /// Asks for the features of a tap, part by part on the way back.
    pub fn parts(tap: Tap) -> Self {
        Self {
            tap,
            features: false,
            moments: false,
            replay: false,
            parts: true,
        }
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
    /// [`ComputeError::NoSuchTap`](crate::ComputeError::NoSuchTap) for a tap, or a view of it, that was not asked for.
    fn backward(self: Box<Self>, cotangents: Vec<Cotangent>) -> Result<Tensor>;

    /// The same, where features that were asked for [in parts](TapRequest::parts) are shown part by part, each once, and
    /// the gradient towards them is answered.
    ///
    /// # Errors
    /// As [`Tape::backward`], and whatever `answer` says.
    fn backward_in_parts(
        self: Box<Self>,
        cotangents: Vec<Cotangent>,
        answer: &mut Answer<'_>,
    ) -> Result<Tensor> {
        let _ = answer;
        self.backward(cotangents)
    }
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
