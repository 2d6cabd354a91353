//! Mean and second raw moment of features, their gradient, and linear functions of every pixel.
//!
//! ```text
//! μ = F·1/n        S = F·Fᵀ/n        dF = (dS + dSᵀ)·F/n + dμ/n
//! ```
//!
//! `S` is symmetric: tiles above the diagonal are not computed. Its sums over pixels are cut into parts that run side by
//! side and are summed in their order, so results do not depend on how the adapter schedules them.

use super::array::{get, put};
use super::context::Context;
use super::gemm::{Along, Multiply, Product, Tile};
use super::kernel::{Kernel, Launch, Param, reads, writes};
use super::memory::Array;
use super::network::Shape;
use super::vector::each;
use crate::{Moments, Result, Window};

const FILE: &str = include_str!("moments.wgsl");
const MEAN_PARTS: Kernel = Kernel {
    name: "mean_parts",
    file: FILE,
    operands: &[reads("x"), reads("weights"), writes("out")],
};
const MEAN: Kernel = Kernel {
    name: "mean",
    file: FILE,
    operands: &[reads("x"), writes("out")],
};
const SECOND_PARTS: Kernel = Kernel {
    name: "second_parts",
    file: FILE,
    operands: &[reads("x"), reads("weights"), writes("out")],
};
const SECOND: Kernel = Kernel {
    name: "second",
    file: FILE,
    operands: &[reads("x"), writes("out")],
};
const GRADIENT_MATRIX: Kernel = Kernel {
    name: "gradient_matrix",
    file: FILE,
    operands: &[reads("x"), writes("out")],
};
const MIX: Kernel = Kernel {
    name: "mix",
    file: FILE,
    operands: &[
        reads("matrix"),
        reads("bias"),
        reads("x"),
        reads("more"),
        writes("out"),
    ],
};

/// Pixels of which one workgroup sums a mean.
const MEAN_PART: usize = 16384;
/// Workgroups that a second moment is cut into, about; more than that do not fit an adapter at once.
const SECOND_GROUPS: usize = 512;
/// The least pixels that are worth a part of their own.
const SECOND_PART: usize = 512;

/// Moments of the part of a map that lies in a window: means over it, or sums under weights of all places of the map.
pub(super) fn forward(
    context: &Context,
    size: Shape,
    window: &Window,
    map: &Array,
    weights: Option<&Array>,
) -> Result<Moments> {
    let (c, area) = (size.channels, window.pixels());
    let weighted = [("WEIGHTED", u32::from(weights.is_some()))];
    let divisor = Param::F(weights.map_or(area as f32, |_| 1.0));
    let place = [
        Param::U(size.w),
        Param::U(window.top * size.w + window.left),
        Param::U(window.width),
        Param::U(size.area()),
    ];
    let parts = area.div_ceil(MEAN_PART);
    let sums = context.pool.take(c * parts)?;
    let mut params = [c * parts, area, parts].map(Param::U).to_vec();
    params.extend(place);
    context.run(&Launch {
        kernel: &MEAN_PARTS,
        constants: &weighted,
        more: None,
        operands: &[Some(map), weights, Some(&sums)],
        params: &params,
        groups: c * parts,
        batches: 1,
    })?;
    let mean = context.pool.take(c)?;
    let params = [Param::U(c), Param::U(parts), divisor];
    each(context, &MEAN, c, &[Some(&sums), Some(&mean)], &params)?;

    let tile = Tile::SMALL;
    let side = c.div_ceil(tile.rows());
    let splits = (SECOND_GROUPS / (side * (side + 1) / 2).max(1))
        .min(area.div_ceil(SECOND_PART))
        .clamp(1, context.bounds.groups as usize);
    let products = context.pool.take(splits * c * c)?;
    Product {
        kernel: &SECOND_PARTS,
        tile,
        multiply: Multiply::Single,
        along: [Along::Depth; 2],
        size: [c, c, area],
        splits,
        batches: 1,
        constants: &weighted,
        operands: &[Some(map), weights, Some(&products)],
        params: &place,
    }
    .run(context)?;
    let second = context.pool.take(c * c)?;
    let params = [Param::U(c * c), Param::U(c), Param::U(splits), divisor];
    let operands = [Some(&products), Some(&second)];
    each(context, &SECOND, c * c, &operands, &params)?;
    Ok(Moments {
        mean: put(mean, &[c]),
        second: put(second, &[c, c]),
    })
}

/// A linear function of every pixel's channels, `A·x + k·bias`.
#[derive(Debug)]
pub(super) struct Mixing<'a> {
    /// `Aᵀ`, `[inputs, outputs]`, or `A` itself.
    pub(super) matrix: &'a Array,
    pub(super) as_it_is: bool,
    pub(super) bias: Option<(&'a Array, f32)>,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Columns of the map.
    pub(super) w: usize,
    pub(super) pixels: usize,
    /// Pixels beyond get zero.
    pub(super) window: Window,
}

/// What a linear function reads, and whether it adds.
#[derive(Clone, Copy, Debug)]
pub(super) enum From<'a> {
    /// A map; the result is new.
    Map(&'a Array),
    /// A map; the result is added to what is there.
    Onto(&'a Array),
    /// What is there, which is replaced by the result and some more. Only where [`Mixing::works_in_place`].
    Place { more: Option<&'a Array> },
}

impl Mixing<'_> {
    /// Whether one workgroup has all channels of its pixels, and so can write over them.
    pub(super) fn works_in_place(&self, context: &Context) -> bool {
        self.tile_in_place(context).is_some()
    }

    fn tile_in_place(&self, context: &Context) -> Option<Tile> {
        [Tile::THIN, Tile::WIDE, Tile::SMALL, Tile::LARGE]
            .into_iter()
            .find(|tile| self.outputs <= tile.rows() && tile.fits(&context.bounds))
            .filter(|_| self.inputs == self.outputs)
    }

    pub(super) fn run(&self, context: &Context, from: From<'_>, out: &Array) -> Result<()> {
        let (x, more, add) = match from {
            From::Map(x) => (Some(x), None, 0),
            From::Onto(x) => (Some(x), None, 1),
            From::Place { more: None } => (None, None, 0),
            From::Place { more } => (None, more, 2),
        };
        let in_place = u32::from(x.is_none());
        let tile = match x {
            Some(_) => Tile::suggested(self.outputs, self.pixels, &context.bounds),
            None => self.tile_in_place(context).unwrap_or(Tile::SMALL),
        };
        Product {
            kernel: &MIX,
            tile,
            multiply: Multiply::Single,
            along: match self.as_it_is {
                true => [Along::Depth, Along::Side],
                false => [Along::Side; 2],
            },
            size: [self.outputs, self.pixels, self.inputs],
            splits: 1,
            batches: 1,
            constants: &[
                ("IN_PLACE", in_place),
                ("ADD", add),
                ("AS_IT_IS", u32::from(self.as_it_is)),
            ],
            operands: &[
                Some(self.matrix),
                self.bias.map(|(bias, _)| bias),
                x,
                more,
                Some(out),
            ],
            params: &[
                Param::F(self.bias.map_or(0.0, |(_, k)| k)),
                Param::U(self.w),
                Param::U(self.window.top),
                Param::U(self.window.left),
                Param::U(self.window.bottom()),
                Param::U(self.window.right()),
            ],
        }
        .run(context)
    }
}

/// The gradient towards a map from that towards the moments of a window, plus `sum`. The map is used up.
pub(super) fn backward(
    context: &Context,
    size: Shape,
    window: &Window,
    map: Array,
    towards: &Moments,
    sum: Option<Array>,
) -> Result<Array> {
    let what = "backward";
    let (c, area) = (size.channels, window.pixels());
    let matrix = context.pool.take(c * c)?;
    let operands = [Some(get(context, what, &towards.second)?), Some(&matrix)];
    let params = [Param::U(c * c), Param::U(c), Param::F(area as f32)];
    each(context, &GRADIENT_MATRIX, c * c, &operands, &params)?;
    let mixing = Mixing {
        matrix: &matrix,
        as_it_is: false,
        bias: Some((get(context, what, &towards.mean)?, 1.0 / area as f32)),
        inputs: c,
        outputs: c,
        w: size.w,
        pixels: size.area(),
        window: *window,
    };
    if mixing.works_in_place(context) {
        let more = sum.as_ref();
        mixing.run(context, From::Place { more }, &map)?;
        return Ok(map);
    }
    match sum {
        Some(sum) => {
            mixing.run(context, From::Onto(&map), &sum)?;
            Ok(sum)
        }
        None => {
            let out = context.pool.take(size.len())?;
            mixing.run(context, From::Map(&map), &out)?;
            Ok(out)
        }
    }
}
