//! Factors of covariances, and their inverses.
//!
//! **Factor.** Cholesky with pivoting, by blocks of 16 channels: those of which most is left, compared with their floors,
//! eliminated among each other in that order, and subtracted from the rest. Which they are is decided on the device; the host
//! records as many blocks as there are. What is left of a channel's variance below its floor ([`FLOOR`] of its
//! variance, or [`LEAST`] of the greatest variance of all) is rounding: the channel is independent of all that follow then,
//! with the variance of its floor, as it is on the processor. What one channel explains of another is never more than is
//! left of that, so rounding cannot grow, whatever the rank.
//!
//! **Inverse.** By halves, all pairs of blocks of one size at once: the inverse of `[A 0; B C]` is
//! `[A⁻¹ 0; −C⁻¹·B·A⁻¹ C⁻¹]`.

use super::context::Context;
use super::gemm::{Along, Multiply, Product, Tile};
use super::kernel::{Kernel, Launch, Param, reads, reads_bits, writes, writes_bits};
use super::memory::Array;
use super::vector::each;
use crate::Result;

const FILE: &str = include_str!("factor.wgsl");
const SCALES: Kernel = Kernel {
    name: "scales",
    file: FILE,
    operands: &[reads("x"), writes("controls")],
};
const BEGIN: Kernel = Kernel {
    name: "begin",
    file: FILE,
    operands: &[
        reads("x"),
        reads("controls"),
        writes("matrix"),
        writes("floors"),
    ],
};
const PIVOTS: Kernel = Kernel {
    name: "pivots",
    file: FILE,
    operands: &[
        reads("matrix"),
        reads("floors"),
        writes_bits("order"),
        writes_bits("places"),
        writes("values"),
    ],
};
const PANEL: Kernel = Kernel {
    name: "panel",
    file: FILE,
    operands: &[
        reads("matrix"),
        reads("floors"),
        reads_bits("order"),
        reads_bits("places"),
        writes("values"),
    ],
};
const TRAILING: Kernel = Kernel {
    name: "trailing",
    file: FILE,
    operands: &[writes("matrix"), reads("values")],
};
const ORDERED: Kernel = Kernel {
    name: "ordered",
    file: FILE,
    operands: &[reads("x"), reads_bits("order"), writes("out")],
};
const SPREAD: Kernel = Kernel {
    name: "spread",
    file: FILE,
    operands: &[reads("x"), reads_bits("places"), writes("out")],
};
const BY_CONTROL: Kernel = Kernel {
    name: "by_control",
    file: FILE,
    operands: &[reads("x"), reads("controls"), writes("out")],
};
const INVERTED_DIAGONAL: Kernel = Kernel {
    name: "inverted_diagonal",
    file: FILE,
    operands: &[reads("matrix"), writes("inverse")],
};
const HALVES: Kernel = Kernel {
    name: "halves",
    file: FILE,
    operands: &[reads("lower"), writes("between"), writes("inverse")],
};

/// What of a channel's variance is taken for rounding.
const FLOOR: f32 = 1e-5;
/// What of the greatest variance is taken for rounding.
const LEAST: f32 = 1e-7;
/// Channels that are taken at a time. With twice as many, singular covariances cost a digit: the last of them are no
/// longer those of which most is left.
const TAKEN: usize = 16;
/// Channels of a block that is inverted directly.
const BLOCK: usize = 32;
/// Rows and columns of a workgroup that subtracts what they explain.
const TRAILING_SIDE: usize = 32;
/// Rows of a workgroup that solves for that.
const PANEL_ROWS: usize = 64;

/// Numbers that are known on the device only: a power of two that brings a covariance to about 1, and what follows.
struct Control;

impl Control {
    /// By which a scaled factor is multiplied to undo that. The places before and behind it are the scale of the covariance
    /// and that of its factor; then come the greatest variance, and what results are multiplied by: 1, or 0 where there is
    /// no variance, or no number where there is an infinite one.
    const UNDO: usize = 1;
    /// Places of them.
    const LEN: usize = 5;
}

/// `F·Fᵀ = s·Σ` for a power of two `s` that brings the greatest variance to about 1.
#[derive(Debug)]
pub(super) struct Factor {
    /// `F`, lower triangular up to the order of its rows, which is that of the channels.
    pub(super) values: Array,
    /// `F⁻¹`.
    pub(super) inverse: Array,
    /// See [`Control`].
    pub(super) controls: Array,
}

impl Factor {
    /// The factor of a covariance `[c, c]`.
    pub(super) fn of(context: &Context, c: usize, covariance: &Array) -> Result<Self> {
        let controls = context.pool.take(Control::LEN)?;
        context.run(&Launch {
            kernel: &SCALES,
            constants: &[],
            more: None,
            operands: &[Some(covariance), Some(&controls)],
            params: &[Param::U(c)],
            groups: 1,
            batches: 1,
        })?;
        let (order, places) = (context.pool.take(c)?, context.pool.take(c)?);
        let values = eliminate(context, c, covariance, &controls, [&order, &places])?;
        let lower = context.pool.take(c * c)?;
        let params = [c * c, c].map(Param::U);
        let operands = [Some(&values), Some(&order), Some(&lower)];
        each(context, &ORDERED, c * c, &operands, &params)?;
        let inverted = invert(context, c, &lower)?;
        let inverse = lower;
        let operands = [Some(&inverted), Some(&places), Some(&inverse)];
        each(context, &SPREAD, c * c, &operands, &params)?;
        Ok(Self {
            values,
            inverse,
            controls,
        })
    }

    /// `F` such that `F·Fᵀ = Σ`.
    pub(super) fn unscaled(&self, context: &Context) -> Result<Array> {
        let out = context.pool.take(self.values.len())?;
        let operands = [Some(&self.values), Some(&self.controls), Some(&out)];
        let params = [self.values.len(), Control::UNDO].map(Param::U);
        each(context, &BY_CONTROL, out.len(), &operands, &params)?;
        Ok(out)
    }
}

/// The factor of a covariance at its scale; its channels in the order in which they were taken, and when each was, counted
/// from 1.
fn eliminate(
    context: &Context,
    c: usize,
    covariance: &Array,
    controls: &Array,
    [order, places]: [&Array; 2],
) -> Result<Array> {
    let (matrix, values) = (context.pool.take(c * c)?, context.pool.take(c * c)?);
    let floors = context.pool.take(c)?;
    let operands = [
        Some(covariance),
        Some(controls),
        Some(&matrix),
        Some(&floors),
    ];
    let params = [
        Param::U(c * c),
        Param::U(c),
        Param::F(FLOOR),
        Param::F(LEAST),
    ];
    each(context, &BEGIN, c * c, &operands, &params)?;
    context.clear(&values);
    context.clear(places);
    let operands = [
        Some(&matrix),
        Some(&floors),
        Some(order),
        Some(places),
        Some(&values),
    ];
    let side = c.div_ceil(TRAILING_SIDE);
    for start in (0..c).step_by(TAKEN) {
        let size = TAKEN.min(c - start);
        let launch = |kernel, operands: &[Option<&Array>], groups| {
            context.run(&Launch {
                kernel,
                constants: &[],
                more: None,
                operands,
                params: &[c, start, size, side].map(Param::U),
                groups,
                batches: 1,
            })
        };
        launch(&PIVOTS, &operands, 1)?;
        if start + size < c {
            launch(&PANEL, &operands, c.div_ceil(PANEL_ROWS))?;
            launch(&TRAILING, &[Some(&matrix), Some(&values)], side * side)?;
        }
    }
    Ok(values)
}

/// The inverse of a lower triangular matrix.
fn invert(context: &Context, c: usize, lower: &Array) -> Result<Array> {
    let (inverse, between) = (context.pool.take(c * c)?, context.pool.take(c * c)?);
    context.clear(&inverse);
    context.run(&Launch {
        kernel: &INVERTED_DIAGONAL,
        constants: &[],
        more: None,
        operands: &[Some(lower), Some(&inverse)],
        params: &[Param::U(c)],
        groups: c.div_ceil(BLOCK),
        batches: 1,
    })?;
    let mut side = BLOCK;
    while side < c {
        for step in 0..2 {
            Product {
                kernel: &HALVES,
                tile: Tile::SMALL,
                multiply: Multiply::Single,
                along: [Along::Depth, Along::Side],
                size: [side; 3],
                splits: 1,
                batches: (c - side).div_ceil(2 * side),
                constants: &[("STEP", step)],
                operands: &[Some(lower), Some(&between), Some(&inverse)],
                params: &[Param::U(c)],
            }
            .run(context)?;
        }
        side *= 2;
    }
    Ok(inverse)
}
