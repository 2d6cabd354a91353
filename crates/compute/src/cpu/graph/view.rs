//! Maps as stages read them: what is done number by number is done while reading.
//!
//! Maps lie row-major inside a graph, `[c, h, w]`, so that vectors run along rows and no number of channels wastes any.

use super::activation::{apply, bounds, copy, scale, transfer};
use crate::cpu::shared::Shared;
use crate::cpu::simd::Isa;
use crate::graph::Activation;
use crate::{Padding, Size};
use std::ops::Range;

/// A map, and what becomes of its numbers while they are read: `activation(x · scale + shift)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// `[c, h, w]`, as far as rows are there.
    pub(super) lines: Lines<&'a [f32]>,
    pub(super) channels: usize,
    /// Of the whole map.
    pub(super) size: Size,
    /// Scale and shift by channel.
    pub(super) affine: Option<(&'a [f32], &'a [f32])>,
    pub(super) activation: Option<Activation>,
    /// Whether every place is read four times, as one of a map twice as high and wide.
    pub(super) doubled: bool,
}

/// Rows of a map as they lie in memory.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines<T> {
    pub(super) data: T,
    /// Numbers from one channel to the next.
    pub(super) plane: usize,
    /// The first row that is there.
    pub(super) first: usize,
}

impl<'a> Lines<&'a mut [f32]> {
    /// For pieces of work that write different places.
    pub(super) fn shared(self) -> Lines<Shared<'a, f32>> {
        let Self { data, plane, first } = self;
        Lines {
            data: Shared::new(data),
            plane,
            first,
        }
    }
}

/// Columns of the rows of a map that are read together.
#[derive(Debug)]
pub(super) struct Columns {
    /// The first that lies inside.
    first: usize,
    /// Columns before it, and inside.
    before: usize,
    inside: usize,
    padding: Padding,
    /// What is read for those that do not lie inside.
    outside: Vec<(usize, Outside)>,
}

/// What is read for a column beyond the border.
#[derive(Clone, Copy, Debug)]
enum Outside {
    Zero,
    /// What is read for another one.
    Of(usize),
    /// A column of the map that is not read otherwise.
    Column(usize),
}

impl<'a> Source<'a> {
    /// A map as it is.
    pub(super) fn plain(data: &'a [f32], channels: usize, size: Size) -> Self {
        let lines = Lines {
            data,
            plane: size.pixels(),
            first: 0,
        };
        Self {
            lines,
            channels,
            size,
            affine: None,
            activation: None,
            doubled: false,
        }
    }

    /// The size of what is read.
    pub(super) fn size(&self) -> Size {
        match self.doubled {
            true => self.size.doubled(),
            false => self.size,
        }
    }

    /// Some rows as a single one, for whoever does not look at neighbours.
    pub(super) fn flat(self, rows: &Range<usize>) -> Self {
        let Lines { data, plane, first } = self.lines;
        let width = self.size.width;
        let lines = Lines {
            data: &data[(rows.start - first) * width..],
            plane,
            first: 0,
        };
        let size = Size {
            width: rows.len() * width,
            height: 1,
        };
        Self {
            lines,
            size,
            ..self
        }
    }

    /// The numbers of a row of the map as they lie in memory.
    #[inline(always)]
    pub(super) fn row(&self, channel: usize, y: usize) -> &'a [f32] {
        let Lines { data, plane, first } = self.lines;
        let width = self.size.width;
        &data[channel * plane + (y - first) * width..][..width]
    }

    /// What is done to numbers of a channel.
    #[inline(always)]
    fn finish<S: Isa>(&self, simd: S, channel: usize, numbers: &mut [f32]) {
        if let Some((scales, shifts)) = self.affine {
            scale(simd, numbers, scales[channel], shifts[channel]);
        }
        if let Some(activation) = self.activation {
            apply(simd, activation, numbers);
        }
    }

    /// Which columns are read from `left` on, some of which may lie beyond the border.
    pub(super) fn columns(&self, left: isize, count: usize, padding: Padding) -> Columns {
        let width = self.size().width;
        let first = left.clamp(0, width as isize);
        let last = (left + count as isize).clamp(first, width as isize);
        let before = ((first - left) as usize).min(count);
        let inside = ((last - first) as usize).min(count - before);
        let first = first as usize;
        let outside = |index: usize| {
            let read = match padding.source(left + index as isize, width) {
                None => Outside::Zero,
                Some(x) if (first..first + inside).contains(&x) => Outside::Of(before + x - first),
                Some(x) => Outside::Column(x),
            };
            (index, read)
        };
        Columns {
            first,
            before,
            inside,
            padding,
            outside: (0..before)
                .chain(before + inside..count)
                .map(outside)
                .collect(),
        }
    }

    /// Reads columns of a row, which may lie beyond the border.
    #[inline(always)]
    pub(super) fn read<S: Isa>(
        &self,
        simd: S,
        channel: usize,
        y: isize,
        columns: &Columns,
        to: &mut [f32],
    ) {
        let Some(y) = columns.padding.source(y, self.size().height) else {
            to.fill(0.0);
            return;
        };
        let row = match self.doubled {
            true => self.row(channel, y / 2),
            false => self.row(channel, y),
        };
        let Columns {
            first,
            before,
            inside,
            ..
        } = *columns;
        let part = &mut to[before..before + inside];
        if self.doubled {
            spread(row, first, part);
            self.finish(simd, channel, part);
        } else {
            self.transfer(simd, channel, &row[first..first + inside], part);
        }
        for &(index, outside) in &columns.outside {
            match outside {
                Outside::Zero => to[index] = 0.0,
                Outside::Of(other) => to[index] = to[other],
                Outside::Column(x) => {
                    to[index] = row[if self.doubled { x / 2 } else { x }];
                    self.finish(simd, channel, &mut to[index..index + 1]);
                }
            }
        }
    }

    /// Copies numbers of a channel, and does what is done to them.
    #[inline(always)]
    fn transfer<S: Isa>(&self, simd: S, channel: usize, from: &[f32], to: &mut [f32]) {
        let bounds = match self.activation {
            Some(activation) => bounds(activation),
            None => Some((f32::NEG_INFINITY, f32::INFINITY)),
        };
        match bounds {
            Some(bounds) if self.affine.is_some() || self.activation.is_some() => {
                let affine = self.affine;
                let affine = affine.map_or((1.0, 0.0), |(a, b)| (a[channel], b[channel]));
                transfer(simd, from, to, affine, bounds);
            }
            _ => {
                copy(simd, from, to);
                self.finish(simd, channel, to);
            }
        }
    }

    /// Reads part of a row inside.
    #[inline(always)]
    pub(super) fn read_inside<S: Isa>(
        &self,
        simd: S,
        channel: usize,
        y: usize,
        left: usize,
        to: &mut [f32],
    ) {
        let columns = self.columns(left as isize, to.len(), Padding::Replicate);
        self.read(simd, channel, y as isize, &columns, to);
    }
}

/// Every number twice, from a place of the result on.
#[inline(always)]
fn spread(row: &[f32], first: usize, to: &mut [f32]) {
    if to.is_empty() {
        return;
    }
    let (mut to, mut x) = (to, first);
    if x % 2 == 1 {
        to[0] = row[x / 2];
        to = &mut to[1..];
        x += 1;
    }
    let row = &row[x / 2..];
    let (pairs, rest) = to.as_chunks_mut::<2>();
    for (pair, &value) in pairs.iter_mut().zip(row) {
        *pair = [value; 2];
    }
    if let Some(last) = rest.first_mut() {
        *last = row[pairs.len()];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Level, Token, with_simd};

    #[test]
    fn rows_are_read_at_any_distance_from_the_border() {
        let token = Token::new(Level::detect()).expect("it was detected");
        let data: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let size = Size {
            width: 3,
            height: 2,
        };
        for padding in [Padding::Zero, Padding::Replicate, Padding::Reflect] {
            for doubled in [false, true] {
                let source = Source {
                    affine: Some((&[2.0, 3.0], &[0.5, 1.0])),
                    doubled,
                    ..Source::plain(&data, 2, size)
                };
                let Size { width, height } = source.size();
                let factor = if doubled { 2 } else { 1 };
                for (y, left, len) in (-5..9).flat_map(|y| {
                    (-9..12).flat_map(move |left| [1, 2, 7, 20].map(|n| (y, left, n)))
                }) {
                    let mut got = vec![f32::NAN; len];
                    let columns = source.columns(left, len, padding);
                    with_simd!(token, simd => source.read(simd, 1, y, &columns, &mut got));
                    let expected: Vec<f32> = (0..len as isize)
                        .map(|i| {
                            let place =
                                (padding.source(y, height)).zip(padding.source(left + i, width));
                            place.map_or(0.0, |(y, x)| {
                                data[6 + y / factor * 3 + x / factor] * 3.0 + 1.0
                            })
                        })
                        .collect();
                    assert_eq!(got, expected, "{padding:?} {doubled} {y} {left}");
                }
            }
        }
    }
}
