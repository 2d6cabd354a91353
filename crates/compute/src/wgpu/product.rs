//! Products of small matrices, row-major.

use super::context::Context;
use super::gemm::{Along, Multiply, Product, Tile};
use super::kernel::{Kernel, Param, reads, writes};
use super::memory::Array;
use crate::Result;

const PRODUCT: Kernel = Kernel {
    name: "product",
    file: include_str!("product.wgsl"),
    operands: &[reads("a"), reads("b"), reads("gates"), writes("c")],
};

/// A matrix, as it is or transposed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Operand<'a> {
    values: &'a Array,
    transposed: bool,
}

impl<'a> Operand<'a> {
    /// The matrix itself.
    pub(super) fn plain(values: &'a Array) -> Self {
        Self {
            values,
            transposed: false,
        }
    }

    /// The transposed matrix.
    pub(super) fn transposed(values: &'a Array) -> Self {
        Self {
            values,
            transposed: true,
        }
    }
}

/// How a product is computed.
#[derive(Clone, Copy, Debug)]
pub(super) struct How<'a> {
    pub(super) alpha: f32,
    /// What is there counts this often.
    pub(super) beta: f32,
    /// Whether the result is symmetric, and only tiles on and below the diagonal are wanted.
    pub(super) lower: bool,
    /// Nothing happens unless this number is 1.
    pub(super) gate: Option<(&'a Array, usize)>,
}

impl Default for How<'_> {
    fn default() -> Self {
        Self {
            alpha: 1.0,
            beta: 0.0,
            lower: false,
            gate: None,
        }
    }
}

/// `out = alpha·a·b + beta·out`, of rows, columns and depth.
pub(super) fn product(
    context: &Context,
    size: [usize; 3],
    a: Operand<'_>,
    b: Operand<'_>,
    how: How<'_>,
    out: &Array,
) -> Result<()> {
    Product {
        kernel: &PRODUCT,
        tile: Tile::SMALL,
        multiply: Multiply::Single,
        along: [
            if a.transposed {
                Along::Side
            } else {
                Along::Depth
            },
            if b.transposed {
                Along::Depth
            } else {
                Along::Side
            },
        ],
        size,
        splits: 1,
        batches: 1,
        constants: &[
            ("FLIP_A", u32::from(a.transposed)),
            ("FLIP_B", u32::from(b.transposed)),
            ("WANT", u32::from(how.lower)),
            ("GATE", u32::from(how.gate.is_some())),
        ],
        operands: &[
            Some(a.values),
            Some(b.values),
            how.gate.map(|(gates, _)| gates),
            Some(out),
        ],
        params: &[
            Param::F(how.alpha),
            Param::F(how.beta),
            Param::U(how.gate.map_or(0, |(_, gate)| gate)),
        ],
    }
    .run(context)
}
