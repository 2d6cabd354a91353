//! The convolutions of a graph: in which way each is computed.

use super::depthwise;
use super::direct::{self, Tiling};
use super::filters::Filters;
use super::pointwise;
use super::target::Target;
use super::view::Source;
use super::winograd;
use crate::cpu::Context;
use crate::graph::{Border, Convolution, TransposedConvolution};
use crate::{Padding, Result, Size};
use std::ops::Range;

/// Multiply-adds, about, that the transforms of F(4×4, 3×3) cost for each input and for each output, where 144 compute
/// 16 results directly.
const TRANSFORMS: [usize; 2] = [280, 230];
/// What is computed of a map at most in tiles that lie partly beyond its end, over what counts.
pub(super) const WASTE: f64 = 2.0;
/// Products for a vector of tiles of every pair of channels, directly: of a doubled map, and of others.
const DOUBLED: usize = 64;
pub(super) const DIRECTLY: usize = 144;

/// Whether F(4×4, 3×3) pays for so many channels, where each pair takes so many products directly.
pub(super) fn pays(inputs: usize, outputs: usize, directly: usize) -> bool {
    let gain = (directly - 36) * inputs * outputs;
    gain > TRANSFORMS[0] * inputs + TRANSFORMS[1] * outputs
}

/// Filters of a convolution, as they are applied.
#[derive(Debug)]
pub(super) struct Prepared {
    /// By their definition.
    direct: Filters,
    /// Whether `direct` doubles what it reads by itself.
    doubles: bool,
    /// For maps that are not too narrow.
    winograd: Option<winograd::Filters>,
    /// Products of numbers for each place that is made, by the definition.
    pub(super) products: usize,
}

impl Prepared {
    /// Those of a convolution, which reads a doubled map or not.
    pub(super) fn new(op: &Convolution, doubled: bool, winograd: bool) -> Self {
        let small = op.kernel == [3, 3] && op.stride == 1 && op.groups == 1;
        let doubles = doubled && small && op.border != Border::Valid;
        let directly = if doubles { DOUBLED } else { DIRECTLY };
        let worth = pays(op.inputs, op.outputs, directly);
        Self {
            direct: match doubles {
                true => Filters::doubled(op),
                false => Filters::ordinary(op),
            },
            doubles,
            winograd: (winograd && small && worth).then(|| winograd::Filters::new(op)),
            products: op.weight.len(),
        }
    }

    /// Those of the transpose of one.
    pub(super) fn transposed(op: &TransposedConvolution) -> Self {
        Self {
            direct: Filters::transposed(op),
            doubles: false,
            winograd: None,
            products: op.weight.len() / (op.stride * op.stride).max(1),
        }
    }

    /// How a map of some size is made, of one that is doubled or not; with `sums` if moments are taken.
    pub(super) fn way(&self, context: &Context, made: Size, doubled: bool, sums: bool) -> Way<'_> {
        let lanes = context.token.lanes();
        if let Some(filters) = &self.winograd
            && winograd::waste(made, lanes) <= WASTE
        {
            return Way::Winograd {
                filters,
                pieces: winograd::Pieces::new(filters, lanes, made),
            };
        }
        let filters = &self.direct;
        // Without neighbours, rows are a single one; sums are of whole rows, however many are made at a time.
        let alone = filters.span == [1, 1] && filters.stride == 1 && filters.groups == 1;
        if alone && filters.phases == 1 && !doubled && !sums {
            return Way::Pointwise(filters);
        }
        if depthwise::fits(filters) && !sums {
            return Way::Depthwise(filters);
        }
        let places = made.at_stride(filters.phases);
        Way::Direct {
            filters,
            tiling: Tiling::new(filters, places),
            places,
            doubles: self.doubles,
        }
    }

    /// Convolves, as far as there is a target.
    pub(super) fn run(
        &self,
        context: &Context,
        mut source: Source<'_>,
        mut target: Target<'_>,
    ) -> Result<()> {
        match self.way(context, target.size, source.doubled, target.sums.is_some()) {
            Way::Winograd { filters, .. } => winograd::run(context, filters, &source, &target),
            Way::Pointwise(filters) => {
                let source = source.flat(&target.rows);
                pointwise::run(context, filters, &source, &mut target.flat())
            }
            Way::Depthwise(filters) => depthwise::run(context, filters, &source, &mut target),
            Way::Direct {
                filters,
                tiling,
                places,
                doubles,
            } => {
                source.doubled &= !doubles;
                direct::run(context, filters, &source, tiling, places, &mut target)
            }
        }
    }
}

/// How a convolution of some size is computed.
#[derive(Debug)]
pub(super) enum Way<'a> {
    Winograd {
        filters: &'a winograd::Filters,
        pieces: winograd::Pieces,
    },
    /// Of single places, as those of a single row.
    Pointwise(&'a Filters),
    /// Of every channel by itself.
    Depthwise(&'a Filters),
    Direct {
        filters: &'a Filters,
        tiling: Tiling,
        /// Over which phases lie.
        places: Size,
        /// Whether it doubles what it reads by itself.
        doubles: bool,
    },
}

impl Way<'_> {
    /// Strips begin and end at multiples of so many rows; with `sums` if sums are taken.
    pub(super) fn rows(&self, sums: bool) -> usize {
        match self {
            Way::Winograd { pieces, .. } => pieces.rows(sums),
            Way::Pointwise(_) | Way::Depthwise(_) => 1,
            Way::Direct {
                filters, tiling, ..
            } => filters.phases * if sums { tiling.rows() } else { 1 },
        }
    }

    /// Pieces of work of a map of some height, each with sums of its own.
    pub(super) fn pieces(&self, height: usize) -> usize {
        match self {
            Way::Winograd { pieces, .. } => pieces.before(height),
            Way::Pointwise(_) | Way::Depthwise(_) => 0,
            Way::Direct {
                filters, tiling, ..
            } => tiling.before(height / filters.phases),
        }
    }

    /// The rows that are read for some rows, of a map of some size that is doubled or not.
    pub(super) fn reads(&self, rows: &Range<usize>, size: Size, doubled: bool) -> Range<usize> {
        let here = |doubled: bool| match doubled {
            true => size.doubled(),
            false => size,
        };
        let (reads, padding, doubled) = match self {
            Way::Winograd { filters, .. } => {
                let reads = winograd::reads(filters, rows);
                (reads, filters.padding, doubled)
            }
            Way::Pointwise(_) => return rows.clone(),
            Way::Depthwise(filters) => {
                let reads = direct::reads(filters, here(doubled), rows);
                (reads, filters.reach.padding(), doubled)
            }
            Way::Direct {
                filters, doubles, ..
            } => {
                let doubled = doubled && !doubles;
                let places = rows.start / filters.phases..rows.end / filters.phases;
                let reads = direct::reads(filters, here(doubled), &places);
                (reads, filters.reach.padding(), doubled)
            }
        };
        let Range { start, end } = inside(padding, reads, here(doubled).height);
        match doubled {
            true => start / 2..end.div_ceil(2),
            false => start..end,
        }
    }

    /// Floats that a piece of work takes, of so many rows of a map of some size.
    pub(super) fn room(&self, context: &Context, rows: usize, size: Size) -> usize {
        match self {
            Way::Winograd { filters, .. } => winograd::room(filters, context.token.lanes()),
            Way::Pointwise(filters) => {
                let tiling = pointwise::Tiling::new(filters, rows * size.width);
                tiling.room(filters).iter().sum()
            }
            Way::Depthwise(filters) => depthwise::room(filters, size.width).iter().sum(),
            Way::Direct {
                filters, tiling, ..
            } => tiling.floats(filters),
        }
    }
}

/// The rows of a map that are read for some that may lie beyond its border: from the first to behind the last.
pub(super) fn inside(padding: Padding, rows: Range<isize>, height: usize) -> Range<usize> {
    let n = height as isize;
    let clamped = rows.start.clamp(0, n)..rows.end.clamp(0, n);
    let outside = (rows.start..rows.end.min(0)).chain(rows.start.max(n)..rows.end);
    let sources = outside.filter_map(|row| padding.source(row, height));
    let within = clamped.start as usize..clamped.end as usize;
    sources.fold(within, |rows, row| match rows.is_empty() {
        true => row..row + 1,
        false => rows.start.min(row)..rows.end.max(row + 1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_beyond_the_border_are_read_inside() {
        let of = |padding, rows| inside(padding, rows, 10);
        assert_eq!(of(Padding::Zero, -3..5), 0..5);
        assert_eq!(of(Padding::Reflect, -6..2), 0..7);
        assert_eq!(of(Padding::Reflect, 9..14), 5..10);
        assert_eq!(of(Padding::Replicate, 11..14), 9..10);
        assert_eq!(of(Padding::Reflect, -3..-1), 2..4);
        assert!(of(Padding::Zero, 12..14).is_empty());
        assert_eq!(inside(Padding::Reflect, -40..50, 1), 0..1);
    }
}
