//! Maps as stages read them: what is done number by number is done while reading.
//!
//! Maps lie row-major inside a graph, `[c, h, w]`, so that vectors run along rows and no number of channels wastes any.

use super::activation::{apply, scale};
use crate::cpu::simd::Isa;
use crate::graph::Activation;
use crate::{Padding, Size};

/// A map, and what becomes of its numbers while they are read: `activation(x · scale + shift)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// `[c, h, w]`.
    pub(super) data: &'a [f32],
    pub(super) size: Size,
    /// Scale and shift by channel.
    pub(super) affine: Option<(&'a [f32], &'a [f32])>,
    pub(super) activation: Option<Activation>,
    /// Whether every place is read four times, as one of a map twice as high and wide.
    pub(super) doubled: bool,
}

impl<'a> Source<'a> {
    /// A map as it is.
    #[cfg(test)]
    fn plain(data: &'a [f32], size: Size) -> Self {
        Self {
            data,
            size,
            affine: None,
            activation: None,
            doubled: false,
        }
    }

    /// The size of what is read.
    pub(super) fn size(&self) -> Size {
        let Size { width, height } = self.size;
        match self.doubled {
            true => Size {
                width: 2 * width,
                height: 2 * height,
            },
            false => self.size,
        }
    }

    /// The same as a single row, for whoever does not look at neighbours.
    pub(super) fn flat(self) -> Self {
        Self {
            size: Size {
                width: self.size.pixels(),
                height: 1,
            },
            ..self
        }
    }

    /// The numbers of a row of the map as they lie in memory.
    #[inline(always)]
    fn row(&self, channel: usize, y: usize) -> &'a [f32] {
        let Size { width, height } = self.size;
        &self.data[(channel * height + y) * width..][..width]
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

    /// Reads columns from `left` on of a row, which may lie beyond the border.
    #[inline(always)]
    pub(super) fn read<S: Isa>(
        &self,
        simd: S,
        channel: usize,
        y: isize,
        left: isize,
        padding: Padding,
        to: &mut [f32],
    ) {
        let Size { width, height } = self.size();
        let Some(y) = padding.source(y, height) else {
            to.fill(0.0);
            return;
        };
        let row = match self.doubled {
            true => self.row(channel, y / 2),
            false => self.row(channel, y),
        };
        // The columns that lie inside.
        let behind = left + to.len() as isize;
        let first = left.clamp(0, width as isize);
        let last = behind.clamp(first, width as isize);
        let (before, inside) = ((first - left) as usize, (last - first) as usize);
        let (before, inside) = (before.min(to.len()), inside.min(to.len()));
        let first = first as usize;
        if self.doubled {
            spread(row, first, &mut to[before..before + inside]);
        } else {
            to[before..before + inside].copy_from_slice(&row[first..first + inside]);
        }
        if inside == to.len() {
            return self.finish(simd, channel, to);
        }
        let outside = (0..before).chain(before + inside..to.len());
        for index in outside.clone() {
            if let Some(x) = padding.source(left + index as isize, width) {
                to[index] = row[if self.doubled { x / 2 } else { x }];
            }
        }
        if padding != Padding::Zero {
            return self.finish(simd, channel, to);
        }
        self.finish(simd, channel, &mut to[before..before + inside]);
        for index in outside {
            to[index] = 0.0;
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
        self.read(
            simd,
            channel,
            y as isize,
            left as isize,
            Padding::Replicate,
            to,
        );
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
                    ..Source::plain(&data, size)
                };
                let Size { width, height } = source.size();
                let factor = if doubled { 2 } else { 1 };
                for (y, left, len) in (-5..9).flat_map(|y| {
                    (-9..12).flat_map(move |left| [1, 2, 7, 20].map(|n| (y, left, n)))
                }) {
                    let mut got = vec![f32::NAN; len];
                    with_simd!(token, simd => source.read(simd, 1, y, left, padding, &mut got));
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
