//! Gradients of what moves numbers from place to place: borders, sizes, pools.

use super::super::target::Target;
use super::super::view::{Lines, Source};
use crate::cpu::Context;
use crate::cpu::memory::Buffer;
use crate::cpu::simd::with_simd;
use crate::graph::{Pooling, PoolingKind, Upsampling};
use crate::{Padding, Result, Size};
use rayon::prelude::*;
use std::ops::Range;

/// A whole map, to be made as it is.
pub(super) fn whole(map: &mut [f32], size: Size) -> Target<'_> {
    let lines = Lines {
        data: map,
        plane: size.pixels(),
        first: 0,
    };
    Target {
        lines: lines.shared(),
        size,
        rows: 0..size.height,
        add: None,
        activation: None,
        sums: None,
    }
}

/// Takes a map back from what it was continued to.
pub(super) struct Folding {
    pub(super) channels: usize,
    /// The size of the map with what lies beyond its border; what was read of less, or of more, is zero.
    pub(super) padded: Size,
    /// Places before the first one, downwards and to the right.
    pub(super) before: [usize; 2],
    pub(super) padding: Padding,
    pub(super) size: Size,
}

impl Folding {
    /// Adds what lies beyond the border to the places that it was read from: a new map `[c, h, w]`.
    pub(super) fn run(&self, context: &Context, from: &[f32]) -> Result<Buffer> {
        let (size, padded) = (self.size, self.padded);
        let mut buffer = context.pool.zeros(self.channels * size.pixels())?;
        let [top, left] = self.before;
        let columns: Vec<_> = self.beside(left, padded.width, size.width).collect();
        // As many columns as there are in both, from the first of the map on.
        let count = size.width.min(padded.width.saturating_sub(left));
        let planes = buffer.par_chunks_exact_mut(size.pixels());
        planes.enumerate().for_each(|(channel, to)| {
            let from = &from[channel * padded.pixels()..][..padded.pixels()];
            for (row, line) in from.chunks_exact(padded.width).enumerate() {
                let Some(y) = self.inside(row, top, size.height) else {
                    continue;
                };
                let to = &mut to[y * size.width..][..size.width];
                let line_inside = line.get(left..).unwrap_or_default();
                for (to, value) in to[..count].iter_mut().zip(line_inside) {
                    *to += value;
                }
                for &(column, x) in &columns {
                    to[x] += line[column];
                }
            }
        });
        Ok(buffer)
    }

    /// Which place of `n` a padded one was read from.
    fn inside(&self, padded: usize, before: usize, n: usize) -> Option<usize> {
        self.padding.source(padded as isize - before as isize, n)
    }

    /// The padded places beyond the border, and what they were read from.
    fn beside(
        &self,
        before: usize,
        padded: usize,
        n: usize,
    ) -> impl Iterator<Item = (usize, usize)> {
        let outside = (0..before.min(padded)).chain((before + n).min(padded)..padded);
        outside.filter_map(move |place| Some((place, self.inside(place, before, n)?)))
    }
}

/// Puts a map into a larger one, so many places from its border; zeros around it.
pub(super) fn surround(
    context: &Context,
    from: &Source<'_>,
    amount: usize,
    size: Size,
) -> Result<Buffer> {
    let mut buffer = context.pool.zeros(from.channels * size.pixels())?;
    let planes = buffer.par_chunks_exact_mut(size.pixels());
    planes.enumerate().for_each(|(channel, to)| {
        for y in 0..from.size.height {
            let to = &mut to[(y + amount) * size.width + amount..][..from.size.width];
            to.copy_from_slice(from.row(channel, y));
        }
    });
    Ok(buffer)
}

/// The gradient towards what was doubled, of some size.
pub(super) fn halved(
    context: &Context,
    kind: Upsampling,
    g: &Source<'_>,
    size: Size,
) -> Result<Buffer> {
    let mut buffer = context.pool.take(g.channels * size.pixels())?;
    let planes = buffer.par_chunks_exact_mut(size.pixels());
    planes.enumerate().try_for_each(|(channel, to)| {
        let mut room = context.pool.take::<f32>(g.size.width)?;
        for (y, to) in to.chunks_exact_mut(size.width).enumerate() {
            let row = |y: usize| g.row(channel, y);
            let (first, second) = (row(2 * y), row(2 * y + 1));
            match kind {
                Upsampling::Nearest => {
                    let pairs = first.as_chunks::<2>().0.iter();
                    let pairs = pairs.zip(second.as_chunks::<2>().0);
                    for (to, (a, b)) in to.iter_mut().zip(pairs) {
                        *to = (a[0] + a[1]) + (b[0] + b[1]);
                    }
                }
                Upsampling::Bilinear => {
                    // Rows whose farther one this is; the first and the last are their own.
                    let above = row((2 * y).saturating_sub(1));
                    let below = row((2 * y + 2).min(2 * size.height - 1));
                    for x in 0..room.len() {
                        room[x] = 0.75 * (first[x] + second[x]) + 0.25 * (above[x] + below[x]);
                    }
                    let last = room.len() - 1;
                    for (x, to) in to.iter_mut().enumerate() {
                        let near = room[2 * x] + room[2 * x + 1];
                        let far = room[(2 * x).saturating_sub(1)] + room[(2 * x + 2).min(last)];
                        *to = 0.75 * near + 0.25 * far;
                    }
                }
            }
        }
        Ok(())
    })?;
    Ok(buffer)
}

/// The gradient towards what was pooled, of some size; `x`, if the greatest of it were taken.
pub(super) fn unpooled(
    context: &Context,
    op: &Pooling,
    g: &Source<'_>,
    (size, x): (Size, Option<Source<'_>>),
) -> Result<Buffer> {
    let mut buffer = context.pool.zeros(g.channels * size.pixels())?;
    let planes = buffer.par_chunks_exact_mut(size.pixels());
    planes.enumerate().try_for_each(|(channel, to)| {
        // The rows that a row of neighbourhoods sees; of means, nobody looks at them.
        let lines = x.map_or(0, |_| op.kernel * size.width);
        let mut lines = context.pool.take::<f32>(lines)?;
        for y in 0..g.size.height {
            let rows = seen(op, y, size.height);
            if let Some(x) = &x {
                let lines = lines.chunks_exact_mut(size.width);
                with_simd!(context.token, simd => {
                    for (row, line) in rows.clone().zip(lines) {
                        x.read_inside(simd, channel, row, 0, line);
                    }
                });
            }
            for (place, g) in g.row(channel, y).iter().enumerate() {
                let columns = seen(op, place, size.width);
                match op.kind {
                    PoolingKind::Max => {
                        let first = greatest(&lines, size.width, rows.len(), columns);
                        to[rows.start * size.width + first] += g;
                    }
                    PoolingKind::Average => {
                        let share = g / (rows.len() * columns.len()) as f32;
                        for row in rows.clone() {
                            let to = &mut to[row * size.width..][columns.clone()];
                            to.iter_mut().for_each(|to| *to += share);
                        }
                    }
                }
            }
        }
        Ok(())
    })?;
    Ok(buffer)
}

/// Which places a neighbourhood sees, of `n`.
fn seen(op: &Pooling, place: usize, n: usize) -> Range<usize> {
    let before = op.border.before(n, op.kernel, op.stride);
    let first = place * op.stride;
    first.saturating_sub(before)..(first + op.kernel).saturating_sub(before).min(n)
}

/// Where the first of the greatest numbers of some columns of some rows lies.
#[inline(always)]
fn greatest(lines: &[f32], width: usize, rows: usize, columns: Range<usize>) -> usize {
    let mut most = (f32::NEG_INFINITY, columns.start);
    for (row, line) in lines.chunks_exact(width).take(rows).enumerate() {
        for x in columns.clone() {
            if line[x] > most.0 {
                most = (line[x], row * width + x);
            }
        }
    }
    most.1
}
