//! What is made of maps number by number, or by looking at few neighbours: sums, products, pools, borders.

use super::activation::{add, apply, scale};
use super::stage::Making;
use super::target::{Summer, Sums};
use super::view::{Lines, Source};
use crate::cpu::Context;
use crate::cpu::simd::{Isa, with_simd};
use crate::graph::{Activation, Pooling, PoolingKind, Upsampling};
use crate::{Padding, Result, Size};
use rayon::prelude::*;
use std::ops::Range;

/// Numbers of a piece of work, about.
pub(super) const PIECE: usize = 16 << 10;

/// Numbers that are summed in f32.
pub(super) const PART: usize = 2048;

/// How a map is made of others.
pub(super) struct Job<'a> {
    pub(super) making: Making,
    pub(super) sources: &'a [Source<'a>],
    pub(super) vector: Option<&'a [f32]>,
    pub(super) activation: Option<Activation>,
}

impl Job<'_> {
    /// Makes some rows of a map of some size.
    pub(super) fn run(
        &self,
        context: &Context,
        size: Size,
        rows: Range<usize>,
        out: Lines<&mut [f32]>,
    ) -> Result<()> {
        let width = size.width;
        let start = (rows.start - out.first) * width;
        let planes = out.data.par_chunks_exact_mut(out.plane).enumerate();
        let planes = planes.map(|(channel, plane)| {
            let here = &mut plane[start..][..rows.len() * width];
            (channel, here)
        });
        if self.making.is_alone() {
            // Without neighbours, rows are a single one, which is cut anywhere.
            let flat = self.sources.iter().map(|source| source.flat(&rows));
            let job = Job {
                sources: &flat.collect::<Vec<_>>(),
                ..*self
            };
            return planes.into_par_iter().try_for_each(|(channel, plane)| {
                let pieces = plane.par_chunks_mut(PIECE).enumerate();
                pieces.try_for_each(|(index, piece)| {
                    let mut room = context.pool.take::<f32>(piece.len())?;
                    with_simd!(context.token, simd => {
                        job.numbers(simd, channel, index * PIECE, piece, &mut room);
                    });
                    Ok(())
                })
            });
        }
        let at_once = PIECE.div_ceil(width);
        planes.into_par_iter().try_for_each(|(channel, plane)| {
            let pieces = plane.par_chunks_mut(at_once * width).enumerate();
            pieces.try_for_each(|(index, piece)| {
                let mut room = context.pool.take::<f32>(self.room(width))?;
                let top = rows.start + index * at_once;
                with_simd!(context.token, simd => {
                    for (row, to) in piece.chunks_exact_mut(width).enumerate() {
                        self.row(simd, channel, top + row, to, &mut room);
                    }
                });
                Ok(())
            })
        })
    }

    /// Floats that rows on their way take.
    fn room(&self, width: usize) -> usize {
        let read = self.sources[0].size().width;
        read.max(width) + read
    }

    /// Part of a channel, of maps that are single rows.
    #[inline(always)]
    fn numbers<S: Isa>(
        &self,
        simd: S,
        channel: usize,
        start: usize,
        to: &mut [f32],
        room: &mut [f32],
    ) {
        let room = &mut room[..to.len()];
        let factor = self
            .vector
            .map(|vector| vector[channel.min(vector.len() - 1)]);
        match (self.making, factor) {
            (Making::Concat, _) => {
                let mut channel = channel;
                for source in self.sources {
                    if channel < source.channels {
                        source.read_inside(simd, channel, 0, start, to);
                        break;
                    }
                    channel -= source.channels;
                }
            }
            (Making::Add, Some(term)) => {
                self.sources[0].read_inside(simd, channel, 0, start, to);
                scale(simd, to, 1.0, term);
            }
            (Making::Multiply, Some(factor)) => {
                self.sources[0].read_inside(simd, channel, 0, start, to);
                scale(simd, to, factor, 0.0);
            }
            (Making::Mix, factor) => {
                self.sources[0].read_inside(simd, channel, 0, start, to);
                self.sources[1].read_inside(simd, channel, 0, start, room);
                let t = factor.unwrap_or(0.0);
                for (value, other) in to.iter_mut().zip(room) {
                    *value += t * (*other - *value);
                }
            }
            (Making::Add, None) => {
                self.sources[0].read_inside(simd, channel, 0, start, to);
                self.sources[1].read_inside(simd, channel, 0, start, room);
                add(simd, to, room);
            }
            (Making::Multiply, None) => {
                self.sources[0].read_inside(simd, channel, 0, start, to);
                self.sources[1].read_inside(simd, channel, 0, start, room);
                for (value, other) in to.iter_mut().zip(room) {
                    *value *= *other;
                }
            }
            (
                Making::Copy
                | Making::Upsample(_)
                | Making::Pool(_)
                | Making::Pad(..)
                | Making::Crop(_),
                _,
            ) => self.sources[0].read_inside(simd, channel, 0, start, to),
        }
        if let Some(activation) = self.activation {
            apply(simd, activation, to);
        }
    }

    /// A row of a channel, of what looks at neighbours.
    #[inline(always)]
    fn row<S: Isa>(&self, simd: S, channel: usize, y: usize, to: &mut [f32], room: &mut [f32]) {
        let source = &self.sources[0];
        match self.making {
            Making::Pad(amount, padding) => {
                let (top, left) = (y as isize - amount as isize, -(amount as isize));
                let columns = source.columns(left, to.len(), padding);
                source.read(simd, channel, top, &columns, to);
            }
            Making::Crop(amount) => source.read_inside(simd, channel, y + amount, amount, to),
            Making::Upsample(Upsampling::Nearest) => {
                let doubled = Source {
                    doubled: true,
                    ..*source
                };
                doubled.read_inside(simd, channel, y, 0, to);
            }
            Making::Upsample(Upsampling::Bilinear) => bilinear(simd, source, channel, y, to, room),
            Making::Pool(op) => pool(simd, &op, source, channel, y, to, room),
            Making::Copy | Making::Add | Making::Multiply | Making::Mix | Making::Concat => {
                source.read_inside(simd, channel, y, 0, to);
            }
        }
    }
}

/// A row between two, its places between two of them: three quarters of the nearer one.
#[inline(always)]
fn bilinear<S: Isa>(
    simd: S,
    source: &Source<'_>,
    channel: usize,
    y: usize,
    to: &mut [f32],
    room: &mut [f32],
) {
    let width = source.size.width;
    let (near, far) = room.split_at_mut(width);
    let far = &mut far[..width];
    let y = y as isize;
    let other = if y % 2 == 0 { y / 2 - 1 } else { y / 2 + 1 };
    let columns = source.columns(0, width, Padding::Replicate);
    source.read(simd, channel, y / 2, &columns, near);
    source.read(simd, channel, other, &columns, far);
    for (near, far) in near.iter_mut().zip(far) {
        *near = *near * 0.75 + *far * 0.25;
    }
    let last = width - 1;
    for (x, pair) in to.as_chunks_mut::<2>().0.iter_mut().enumerate() {
        let here = near[x] * 0.75;
        pair[0] = here + near[x.saturating_sub(1)] * 0.25;
        pair[1] = here + near[(x + 1).min(last)] * 0.25;
    }
}

#[inline(always)]
fn pool<S: Isa>(
    simd: S,
    op: &Pooling,
    source: &Source<'_>,
    channel: usize,
    y: usize,
    to: &mut [f32],
    room: &mut [f32],
) {
    let Size { width, height } = source.size;
    let Pooling {
        kind,
        kernel,
        stride,
        border,
    } = *op;
    let inside = |place: usize, n: usize| {
        let first = (place * stride) as isize - border.before(n, kernel, stride) as isize;
        let behind = (first + kernel as isize).min(n as isize);
        first.max(0) as usize..behind as usize
    };
    let (row, sums) = room.split_at_mut(width);
    let sums = &mut sums[..width];
    // Rows first, then columns.
    let rows = inside(y, height);
    for (index, y) in rows.clone().enumerate() {
        if index == 0 {
            source.read_inside(simd, channel, y, 0, sums);
            continue;
        }
        source.read_inside(simd, channel, y, 0, row);
        match kind {
            PoolingKind::Max => {
                for (most, value) in sums.iter_mut().zip(row.iter()) {
                    *most = if *value > *most { *value } else { *most };
                }
            }
            PoolingKind::Average => {
                for (sum, value) in sums.iter_mut().zip(row.iter()) {
                    *sum += *value;
                }
            }
        }
    }
    for (x, to) in to.iter_mut().enumerate() {
        let columns = inside(x, width);
        let seen = &sums[columns.clone()];
        *to = match kind {
            PoolingKind::Max => seen.iter().fold(f32::NEG_INFINITY, |most, &v| most.max(v)),
            PoolingKind::Average => seen.iter().sum::<f32>() / (rows.len() * columns.len()) as f32,
        };
    }
}

/// Rows of a map of which sums are taken together.
pub(super) fn summed(size: Size) -> usize {
    PIECE.div_ceil(size.width)
}

/// Takes the sums of some rows of each channel, which begin and end where those that are taken together do: `[piece][c]`.
pub(super) fn sums(
    context: &Context,
    source: &Source<'_>,
    rows: &Range<usize>,
    out: &mut [Sums],
) -> Result<()> {
    let at_once = summed(source.size);
    let of = |(index, sums): (usize, &mut Sums)| {
        let (piece, channel) = (index / source.channels, index % source.channels);
        let first = rows.start + piece * at_once;
        let piece = source.flat(&(first..(first + at_once).min(rows.end)));
        let mut room = context.pool.take::<f32>(piece.size.width)?;
        with_simd!(context.token, simd => {
            piece.read_inside(simd, channel, 0, 0, &mut room);
            for part in room.chunks(PART) {
                let mut summer = Summer::new(simd);
                summer.add(simd, part);
                *sums = sums.with(summer.end());
            }
        });
        Ok(())
    };
    out.par_iter_mut().enumerate().try_for_each(of)
}
