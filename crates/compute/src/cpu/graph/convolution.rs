//! The convolutions of a graph: in which way each is computed.

use super::direct::{self, Tiling};
use super::filters::Filters;
use super::target::Target;
use super::view::Source;
use super::winograd;
use crate::cpu::Context;
use crate::graph::{Border, Convolution, TransposedConvolution};
use crate::{Result, Size};

/// Multiply-adds, about, that the transforms of F(4×4, 3×3) cost for each input and for each output, where 144 compute
/// 16 results directly.
const TRANSFORMS: [usize; 2] = [280, 230];
/// What is computed of a map at most in tiles that lie partly beyond its end, over what counts.
const WASTE: f64 = 2.0;

/// Filters of a convolution, as they are applied.
#[derive(Debug)]
pub(super) struct Prepared {
    /// By their definition.
    direct: Filters,
    /// Whether `direct` doubles what it reads by itself.
    doubles: bool,
    /// For maps that are not too narrow.
    winograd: Option<winograd::Filters>,
}

impl Prepared {
    /// Those of a convolution, which reads a doubled map or not; and whether what it reads is to be doubled still.
    pub(super) fn new(op: &Convolution, doubled: bool, winograd: bool) -> (bool, Self) {
        let small = op.kernel == [3, 3] && op.stride == 1 && op.groups == 1;
        let doubles = doubled && small && op.border != Border::Valid;
        // Products for a vector of tiles of every pair of channels, directly and by points.
        let directly = if doubles { 64 } else { 144 };
        let (inputs, outputs) = (op.inputs, op.outputs);
        let gain = (directly - 36) * inputs * outputs;
        let worth = gain > TRANSFORMS[0] * inputs + TRANSFORMS[1] * outputs;
        let prepared = Self {
            direct: match doubles {
                true => Filters::doubled(op),
                false => Filters::ordinary(op),
            },
            doubles,
            winograd: (winograd && small && worth).then(|| winograd::Filters::new(op)),
        };
        (doubled, prepared)
    }

    /// Those of the transpose of one.
    pub(super) fn transposed(op: &TransposedConvolution) -> Self {
        Self {
            direct: Filters::transposed(op),
            doubles: false,
            winograd: None,
        }
    }

    /// How a map of some size is made, of one that is doubled or not.
    pub(super) fn way(&self, context: &Context, made: Size, doubled: bool) -> Way<'_> {
        let lanes = context.token.lanes();
        if let Some(filters) = &self.winograd
            && winograd::waste(made, lanes) <= WASTE
        {
            return Way::Winograd(filters);
        }
        let filters = &self.direct;
        // Without neighbours, a map is a single row.
        let alone = filters.phases == 1 && filters.span == [1, 1] && filters.stride == 1;
        let pointwise = alone && !doubled;
        let places = match pointwise {
            true => Size {
                width: made.pixels(),
                height: 1,
            },
            false => made.at_stride(filters.phases),
        };
        Way::Direct {
            filters,
            tiling: Tiling::new(filters, places),
            places,
            pointwise,
        }
    }

    /// Convolves.
    pub(super) fn run(
        &self,
        context: &Context,
        source: Source<'_>,
        mut target: Target<'_>,
    ) -> Result<()> {
        match self.way(context, target.size, source.doubled) {
            Way::Winograd(filters) => winograd::run(context, filters, &source, &target),
            Way::Direct {
                filters,
                tiling,
                places,
                pointwise,
            } => {
                let mut source = source;
                source.doubled &= !self.doubles;
                if pointwise {
                    source = source.flat();
                    target.size = places;
                    target.add = target.add.map(Source::flat);
                }
                direct::run(context, filters, &source, tiling, places, &target)
            }
        }
    }
}

/// How a convolution of some size is computed.
#[derive(Debug)]
pub(super) enum Way<'a> {
    Winograd(&'a winograd::Filters),
    Direct {
        filters: &'a Filters,
        tiling: Tiling,
        /// Over which phases lie.
        places: Size,
        /// Whether neighbours do not matter.
        pointwise: bool,
    },
}

impl Way<'_> {
    /// Pieces of work, each with sums of its own.
    pub(super) fn pieces(&self, context: &Context, made: Size) -> usize {
        match self {
            Way::Winograd(filters) => winograd::pieces(filters, context.token.lanes(), made),
            Way::Direct { tiling, .. } => tiling.tiles(),
        }
    }

    /// Floats that a piece of work takes.
    pub(super) fn room(&self, context: &Context) -> usize {
        match self {
            Way::Winograd(filters) => winograd::room(filters, context.token.lanes()),
            Way::Direct {
                filters, tiling, ..
            } => tiling.floats(filters),
        }
    }
}
