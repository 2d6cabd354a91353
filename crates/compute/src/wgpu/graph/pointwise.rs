//! What is done number by number: one kernel, and a table of what it does.

use super::super::context::Context;
use super::super::kernel::{Kernel, Launch, Param, reads, writes};
use super::super::memory::Array;
use super::super::vector::GROUP;
use super::activation::Behind;
use crate::Result;

const KERNEL: Kernel = Kernel {
    name: "number_by_number",
    file: concat!(
        include_str!("activation.wgsl"),
        include_str!("pointwise.wgsl")
    ),
    operands: &[reads("x"), reads("a"), reads("b"), writes("out")],
};

/// What is done to a number `x`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Each<'a> {
    /// Nothing.
    Copy,
    /// `x · scale + shift`, of the number's channel.
    Scale { scale: &'a Array, shift: &'a Array },
    /// `(x − mean) · factor + shift`, which lie next to each other for each channel.
    Norm(&'a Array),
    /// `x + a`, where `a` may be a number for each channel.
    Add(&'a Array),
    /// `x · a`, likewise.
    Multiply(&'a Array),
    /// `x + share · (other − x)`.
    Mix { other: &'a Array, share: &'a Array },
}

/// Which numbers are read, and where they go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Numbers<'a> {
    /// What is read; nothing if it lies where it is written.
    pub(super) x: Option<&'a Array>,
    pub(super) count: usize,
    /// Numbers of a channel.
    pub(super) places: usize,
    /// Numbers for which one number of the other operand of a sum or product serves.
    pub(super) step: usize,
    pub(super) out: &'a Array,
    /// The first of them that is written.
    pub(super) first: usize,
}

impl Each<'_> {
    /// Its number in the shader, and what it reads beside x.
    fn row(&self) -> (u32, [Option<&Array>; 2]) {
        match *self {
            Each::Copy => (0, [None, None]),
            Each::Scale { scale, shift } => (1, [Some(scale), Some(shift)]),
            Each::Norm(coefficients) => (2, [Some(coefficients), None]),
            Each::Add(other) => (3, [Some(other), None]),
            Each::Multiply(other) => (4, [Some(other), None]),
            Each::Mix { other, share } => (5, [Some(other), Some(share)]),
        }
    }

    pub(super) fn run(&self, context: &Context, behind: Behind, on: Numbers<'_>) -> Result<()> {
        let (kind, [a, b]) = self.row();
        let constants = [("KIND", kind), ("IN_PLACE", u32::from(on.x.is_none()))];
        let mut params = [on.count, on.places, on.step, on.first]
            .map(Param::U)
            .to_vec();
        params.extend(behind.params());
        context.run(&Launch {
            kernel: &KERNEL,
            constants: &constants,
            more: None,
            operands: &[on.x, a, b, Some(on.out)],
            params: &params,
            groups: on.count.div_ceil(GROUP),
            batches: 1,
        })
    }
}
