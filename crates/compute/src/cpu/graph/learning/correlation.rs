//! Gradients towards filters: correlations of two maps,
//!
//! ```text
//! w[a, b, t] = Σ_y low[a, y] · high[b, s·y + t − before]
//! ```
//!
//! where of a convolution `low` is the gradient towards what it has made and `high` is what it has read, and of a transposed
//! one the other way round. Places are cut into tiles, and what a tile reads of `high` is copied first, prepared as its
//! [`Source`] says and continued beyond the border; rows and columns lie by their remainders to the stride, so that what a tap
//! reads lies in a row. Then one of two kernels runs, [`products`](super::products) or, where `low` has few channels,
//! [`dots`](super::dots).
//!
//! Every sum is taken by one thread, tile after tile, so that it is the same for any number of threads.

use super::super::view::Source;
use super::dots::FEW;
use crate::cpu::Context;
use crate::cpu::simd::Isa;
use crate::graph::{Convolution, TransposedConvolution};
use crate::{Padding, Result, Size};
use std::ops::Range;

/// Columns of a tile, at most.
const COLUMNS: usize = 256;

/// What is correlated.
pub(super) struct Correlation<'a> {
    /// `[a, h, w]`.
    pub(super) low: Source<'a>,
    /// `[b, H, W]`.
    pub(super) high: Source<'a>,
    /// Height and width of the filters.
    pub(super) kernel: [usize; 2],
    pub(super) stride: usize,
    /// Places of `high` before the first one, downwards and to the right.
    pub(super) before: [usize; 2],
    /// What lies beyond the border of `high`.
    pub(super) padding: Padding,
    /// Groups of channels that do not see each other.
    pub(super) groups: usize,
}

/// Of which filters the gradient is wanted.
#[derive(Clone, Copy)]
pub(super) enum Correlated<'a> {
    Convolution(&'a Convolution),
    Transposed(&'a TransposedConvolution),
}

impl<'a> Correlation<'a> {
    /// The gradient towards filters, from that towards what they have made of `x`.
    pub(super) fn new(filters: Correlated<'_>, g: Source<'a>, x: Source<'a>) -> Self {
        match filters {
            Correlated::Convolution(op) => {
                let Size { width, height } = x.size();
                let [h, w] = op.kernel;
                Self {
                    low: g,
                    high: x,
                    kernel: op.kernel,
                    stride: op.stride,
                    before: [
                        op.border.before(height, h, op.stride),
                        op.border.before(width, w, op.stride),
                    ],
                    padding: op.border.padding(),
                    groups: op.groups,
                }
            }
            Correlated::Transposed(op) => Self {
                low: x,
                high: g,
                kernel: [op.kernel; 2],
                stride: op.stride,
                before: [op.before; 2],
                padding: Padding::Zero,
                groups: 1,
            },
        }
    }
}

/// How places are cut.
#[derive(Clone, Copy)]
pub(super) struct Tiling {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Tiling {
    /// Tiles of so many places, about.
    pub(super) fn new(size: Size, places: usize) -> Self {
        let columns = size.width.div_ceil(size.width.div_ceil(COLUMNS));
        let rows = (places / columns).clamp(1, size.height);
        Self {
            rows: size.height.div_ceil(size.height.div_ceil(rows)),
            columns,
        }
    }
}

/// Places of `low` that are worked on together.
pub(super) struct Tile {
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
}

/// How what a tile reads of a channel of `high` lies: planes by the remainders of rows and columns to the stride.
#[derive(Clone, Copy)]
pub(super) struct Packed {
    /// From one row to the next.
    pub(super) pitch: usize,
    /// From one plane to the next.
    pub(super) plane: usize,
    /// From one channel to the next.
    pub(super) channel: usize,
}

impl Correlation<'_> {
    /// Floats that the threads take at most, in all.
    pub(super) fn room(&self, context: &Context) -> usize {
        let each: usize = match self.is_few() {
            true => self.room_of_dots().iter().sum(),
            false => self.room_of_products(context).iter().sum(),
        };
        context.threads.current_num_threads() * each
    }

    /// Adds to `to` `[a][b/groups][taps]`.
    pub(super) fn add(&self, context: &Context, to: &mut [f32]) -> Result<()> {
        match self.is_few() {
            true => self.add_dots(context, to),
            false => self.add_products(context, to),
        }
    }

    fn is_few(&self) -> bool {
        self.low.channels / self.groups <= FEW
    }

    /// Channels of a group.
    pub(super) fn each(&self) -> [usize; 2] {
        [self.low, self.high].map(|source| source.channels / self.groups)
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    pub(super) fn packed(&self, tiling: Tiling) -> Packed {
        let [h, w] = self.kernel.map(|k| (k - 1) / self.stride);
        let pitch = tiling.columns + w;
        let plane = (tiling.rows + h) * pitch;
        Packed {
            pitch,
            plane,
            channel: self.stride * self.stride * plane,
        }
    }

    /// Where what each tap reads begins.
    pub(super) fn offsets(&self, packed: Packed) -> Vec<usize> {
        let (s, [h, w]) = (self.stride, self.kernel);
        let of = |y: usize, x: usize| {
            let plane = y % s * s + x % s;
            plane * packed.plane + y / s * packed.pitch + x / s
        };
        (0..h).flat_map(|y| (0..w).map(move |x| of(y, x))).collect()
    }

    /// The tiles, in their order.
    pub(super) fn tiles(&self, tiling: Tiling) -> impl Iterator<Item = Tile> {
        let Size { width, height } = self.low.size();
        let Tiling { rows, columns } = tiling;
        (0..height).step_by(rows).flat_map(move |top| {
            (0..width).step_by(columns).map(move |left| Tile {
                rows: top..(top + rows).min(height),
                columns: left..(left + columns).min(width),
            })
        })
    }

    /// Copies what a tile reads of some channels of `high`.
    #[inline(always)]
    pub(super) fn read<S: Isa>(
        &self,
        simd: S,
        tile: &Tile,
        channels: Range<usize>,
        packed: Packed,
        to: &mut [f32],
        line: &mut [f32],
    ) {
        let (s, [h, w]) = (self.stride, self.kernel);
        let left = (tile.columns.start * s) as isize - self.before[1] as isize;
        let top = (tile.rows.start * s) as isize - self.before[0] as isize;
        let count = (tile.columns.len() - 1) * s + w;
        let columns = self.high.columns(left, count, self.padding);
        for (index, channel) in channels.enumerate() {
            let to = &mut to[index * packed.channel..][..packed.channel];
            for row in 0..(tile.rows.len() - 1) * s + h {
                let y = top + row as isize;
                let start = row % s * s * packed.plane + row / s * packed.pitch;
                if s == 1 {
                    let to = &mut to[start..][..count];
                    self.high.read(simd, channel, y, &columns, to);
                    continue;
                }
                let line = &mut line[..count];
                self.high.read(simd, channel, y, &columns, line);
                for remainder in 0..s.min(count) {
                    let to = &mut to[start + remainder * packed.plane..];
                    let from = line[remainder..].iter().step_by(s);
                    for (to, value) in to.iter_mut().zip(from) {
                        *to = *value;
                    }
                }
            }
        }
    }

    /// Floats of a line of `high`.
    pub(super) fn line(&self, tiling: Tiling) -> usize {
        let count = (tiling.columns - 1) * self.stride + self.kernel[1];
        count.max(tiling.columns)
    }
}
