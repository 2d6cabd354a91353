//! Maps of another size: how a map is seen by who reads it, doubling, and pools.

use super::super::context::Context;
use super::super::kernel::{Kernel, Launch, Param, Slot, reads, writes};
use super::super::memory::Array;
use super::super::pointwise::padding;
use super::super::vector::GROUP;
use super::activation::Behind;
use crate::graph::{Pooling, PoolingKind};
use crate::{Padding, Result, Size};

const FILE: &str = concat!(
    include_str!("activation.wgsl"),
    include_str!("view.wgsl"),
    include_str!("geometry.wgsl")
);
const OPERANDS: &[Slot] = &[reads("x"), writes("out")];
const WINDOW: Kernel = Kernel {
    name: "window",
    file: FILE,
    operands: OPERANDS,
};
const BILINEAR: Kernel = Kernel {
    name: "bilinear",
    file: FILE,
    operands: OPERANDS,
};
const POOL: Kernel = Kernel {
    name: "graph_pool",
    file: FILE,
    operands: OPERANDS,
};

/// How a map is seen: doubled first, then framed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct View {
    /// Every place four times.
    pub(super) doubled: bool,
    pub(super) frame: Option<Frame>,
}

/// Where what is read begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Frame {
    /// Places before the first one of the map; fewer than none if some are left out.
    pub(super) before: isize,
    /// What lies beyond the border.
    pub(super) padding: Padding,
}

impl View {
    /// The size of a map as it is seen, without its frame.
    pub(super) fn size(&self, size: Size) -> Size {
        let times = 1 + usize::from(self.doubled);
        Size {
            width: times * size.width,
            height: times * size.height,
        }
    }

    /// The parameters of shaders that read so, with what lies beyond the border.
    pub(super) fn params(&self, beyond: Padding) -> [Param; 2] {
        [
            Param::U(usize::from(self.doubled)),
            Param::U(padding(beyond) as usize),
        ]
    }
}

/// What makes a map of one size from one of another, channel by channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Resize {
    /// A map as it is seen.
    Window(View),
    /// Twice as high and wide, between places.
    Bilinear,
    Pool(Pooling),
}

impl Resize {
    /// Runs it over a map of some size, towards one of another, of so many channels.
    pub(super) fn run(
        &self,
        context: &Context,
        behind: Behind,
        channels: usize,
        (x, from): (&Array, Size),
        (out, to): (&Array, Size),
    ) -> Result<()> {
        let numbers = channels * to.pixels();
        let sides = |size: Size| [size.height, size.width].map(Param::U);
        let mut params = vec![Param::U(numbers)];
        let plain = View::default();
        let mut constants = vec![];
        params.extend(sides(match self {
            Resize::Window(view) => view.size(from),
            Resize::Bilinear | Resize::Pool(_) => from,
        }));
        let kernel = match self {
            Resize::Window(view) => {
                let frame = view.frame.unwrap_or(Frame {
                    before: 0,
                    padding: Padding::Zero,
                });
                params.extend(sides(to));
                params.push(Param::I(frame.before));
                params.extend(view.params(frame.padding));
                &WINDOW
            }
            Resize::Bilinear => {
                params.extend(plain.params(Padding::Replicate));
                &BILINEAR
            }
            Resize::Pool(pool) => {
                constants.push(("MEAN", u32::from(pool.kind == PoolingKind::Average)));
                let before = |n| pool.border.before(n, pool.kernel, pool.stride);
                params.extend(sides(to));
                params.extend([pool.kernel, pool.stride].map(Param::U));
                params.extend([before(from.height), before(from.width)].map(Param::U));
                params.extend(plain.params(Padding::Zero));
                &POOL
            }
        };
        params.extend(behind.params());
        context.run(&Launch {
            kernel,
            constants: &constants,
            more: None,
            operands: &[Some(x), Some(out)],
            params: &params,
            groups: numbers.div_ceil(GROUP),
            batches: 1,
        })
    }
}
