//! Functions of one number, which every kernel applies before it writes.

use super::super::kernel::Param;
use crate::graph::Activation;

/// What is done to a number before it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Behind(pub(super) Option<Activation>);

impl Behind {
    /// Its number in the shaders, and the two numbers that it is given.
    fn row(self) -> (u32, [f32; 2]) {
        match self.0 {
            None => (0, [0.0; 2]),
            Some(Activation::Relu) => (1, [0.0; 2]),
            Some(Activation::Relu6) => (2, [0.0; 2]),
            Some(Activation::Sigmoid) => (3, [0.0; 2]),
            Some(Activation::Tanh { scale, shift }) => (4, [scale, shift]),
            Some(Activation::Clamp { low, high }) => (5, [low, high]),
        }
    }

    /// The constant of shaders that apply it.
    pub(super) fn constant(self) -> (&'static str, u32) {
        ("ACTIVATION", self.row().0)
    }

    /// The last two of their parameters.
    pub(super) fn params(self) -> [Param; 2] {
        self.row().1.map(Param::F)
    }
}
