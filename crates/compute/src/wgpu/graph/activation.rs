//! Functions of one number, which every kernel applies before it writes.

use super::super::kernel::Param;
use crate::graph::Activation;

/// What is done to a number before it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Behind(pub(super) Option<Activation>);

impl Behind {
    /// Its number in the shaders, and the two numbers that it is given.
    fn row(self) -> (usize, [f32; 2]) {
        match self.0 {
            None => (0, [0.0; 2]),
            Some(Activation::Relu) => (1, [0.0; 2]),
            Some(Activation::Relu6) => (2, [0.0; 2]),
            Some(Activation::Sigmoid) => (3, [0.0; 2]),
            Some(Activation::Tanh { scale, shift }) => (4, [scale, shift]),
            Some(Activation::Clamp { low, high }) => (5, [low, high]),
        }
    }

    /// The last parameters of shaders that apply it.
    pub(super) fn params(self) -> [Param; 3] {
        let (number, [u, v]) = self.row();
        [Param::U(number), Param::F(u), Param::F(v)]
    }
}
