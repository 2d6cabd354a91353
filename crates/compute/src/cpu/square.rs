//! Square matrices in panels of 16 columns, `[n/16][n][16]`, and their products.
//!
//! The layout is that of every operand of the matrix kernel, so a product needs no packing; what needs a transposed
//! operand transposes blocks of 16×16. Sides are multiples of 16: the rows and columns that fill a matrix up are
//! zero, and stay zero in products. Threads share a matrix by panels, and every element is summed by one of them in
//! the order of the depth.

use super::Context;
use super::kernel::{Panels, Rows, product};
use super::memory::Buffer;
use super::simd::{LANES, Lanes, with_simd};
use crate::Result;
use rayon::prelude::*;
use std::ops::Range;

/// Sixteen rows of a panel.
pub(super) type Block = [Lanes; LANES];

/// Panels that one task computes: the kernel's width on the widest vectors.
const PANELS: usize = 2;
/// Rows that one call of the kernel computes, a multiple of its height on the widest vectors. Where a factor is
/// triangular, zeros are skipped in steps of this.
const ROWS: usize = 56;
/// Side up to which a product costs less than waking another thread.
const ALONE: usize = 64;

/// What is known of a product's operands or result, and need not be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing.
    Full,
    /// The result is symmetric: only blocks on and below the diagonal are wanted, see [`Square::symmetric`].
    Symmetric,
    /// The left factor is lower triangular.
    LeftLower,
    /// The left factor is upper triangular.
    LeftUpper,
    /// The right factor is upper triangular.
    RightUpper,
}

impl Shape {
    /// The depth at which neither factor is zero, for some rows and columns of the result.
    fn depth(self, rows: &Range<usize>, columns: &Range<usize>, side: usize) -> Range<usize> {
        match self {
            Shape::Full | Shape::Symmetric => 0..side,
            Shape::LeftLower => 0..rows.end.next_multiple_of(LANES),
            Shape::LeftUpper => rows.start / LANES * LANES..side,
            Shape::RightUpper => 0..columns.end,
        }
    }
}

/// A matrix.
#[derive(Debug)]
pub(super) struct Square {
    side: usize,
    data: Buffer,
}

impl Square {
    /// A matrix for `c` rows and columns with whatever content.
    pub(super) fn take(context: &Context, c: usize) -> Result<Self> {
        let side = c.next_multiple_of(LANES);
        Ok(Self {
            side,
            data: context.pool.take(side * side)?,
        })
    }

    /// Rows and columns, with those that fill it up.
    pub(super) fn side(&self) -> usize {
        self.side
    }

    pub(super) fn lanes(&self) -> &[Lanes] {
        self.data.as_chunks().0
    }

    pub(super) fn lanes_mut(&mut self) -> &mut [Lanes] {
        self.data.as_chunks_mut().0
    }

    #[inline(always)]
    pub(super) fn at(&self, i: usize, j: usize) -> f32 {
        self.data[(j / LANES * self.side + i) * LANES + j % LANES]
    }

    /// Rows `16·i..` of panel `j`.
    #[inline(always)]
    pub(super) fn block(&self, i: usize, j: usize) -> &Block {
        &self.lanes()[j * self.side..][..self.side].as_chunks().0[i]
    }

    /// A block of the transposed matrix.
    #[inline(always)]
    pub(super) fn transposed(&self, i: usize, j: usize) -> Block {
        let block = self.block(j, i);
        let mut out = [[0.0; LANES]; LANES];
        for row in 0..LANES {
            for lane in 0..LANES {
                out[lane][row] = block[row][lane];
            }
        }
        out
    }

    /// A block of the symmetric matrix of which [`Shape::Symmetric`] has computed one half.
    #[inline(always)]
    pub(super) fn symmetric(&self, i: usize, j: usize) -> Block {
        if i >= j {
            *self.block(i, j)
        } else {
            self.transposed(i, j)
        }
    }

    /// Computes every block, by its row and column of blocks.
    pub(super) fn fill(
        &mut self,
        context: &Context,
        block: impl Fn(usize, usize) -> Block + Send + Sync,
    ) {
        let side = self.side;
        in_panels(side, self.lanes_mut(), side, |panels, out| {
            with_simd!(context.token, simd => {
                for (j, panel) in panels.zip(out.chunks_exact_mut(side)) {
                    for (i, out) in panel.as_chunks_mut().0.iter_mut().enumerate() {
                        *out = block(i, j);
                    }
                }
            });
        });
    }

    /// Computes every row of every panel, by row and panel.
    pub(super) fn fill_rows(&mut self, row: impl Fn(usize, usize) -> Lanes + Send + Sync) {
        let side = self.side;
        in_panels(side, self.lanes_mut(), side, |panels, out| {
            for (j, panel) in panels.zip(out.chunks_exact_mut(side)) {
                for (i, out) in panel.iter_mut().enumerate() {
                    *out = row(i, j);
                }
            }
        });
    }

    /// `self = left·right`, or what the shape leaves of it.
    pub(super) fn product(
        &mut self,
        context: &Context,
        left: &Square,
        right: &Square,
        shape: Shape,
    ) {
        let side = self.side;
        in_panels(side, self.lanes_mut(), side, |panels, out| {
            let columns = panels.start * LANES..panels.end * LANES;
            let first = if shape == Shape::Symmetric {
                columns.start
            } else {
                0
            };
            for start in (first..side).step_by(ROWS) {
                let rows = start..side.min(start + ROWS);
                let depth = shape.depth(&rows, &columns, side);
                let v = Rows {
                    data: &left.lanes()[depth.start / LANES * side + start..],
                    stride: side,
                    count: rows.len(),
                };
                let u = Panels {
                    data: &right.lanes()[panels.start * side + depth.start..],
                    stride: side,
                    count: panels.len(),
                    depth: depth.len(),
                };
                with_simd!(context.token, simd => product(simd, v, u, &mut out[start..], side));
            }
        });
    }

    /// The sum over all panels of what `part` makes of each, in order.
    pub(super) fn sum(&self, part: impl Fn(usize, &[Lanes]) -> f64 + Send + Sync) -> f64 {
        let panels = self.lanes().chunks_exact(self.side).enumerate();
        if self.side <= ALONE {
            return panels.map(|(j, panel)| part(j, panel)).sum();
        }
        let panels: Vec<_> = panels.collect();
        let parts: Vec<f64> = panels
            .into_par_iter()
            .map(|(j, panel)| part(j, panel))
            .collect();
        parts.iter().sum()
    }

    /// Frobenius norm.
    pub(super) fn norm(&self, context: &Context) -> f64 {
        self.dot(context, self).sqrt()
    }

    /// `Σ aᵢⱼ·bᵢⱼ`.
    pub(super) fn dot(&self, context: &Context, other: &Square) -> f64 {
        self.sum(|j, panel| {
            let other = &other.lanes()[j * self.side..][..self.side];
            with_simd!(context.token, simd => dot(panel, other))
        })
    }

    /// Frobenius norm of the symmetric matrix of which [`Shape::Symmetric`] has computed one half.
    pub(super) fn symmetric_norm(&self, context: &Context) -> f64 {
        let square = self.sum(|j, panel| {
            let (diagonal, below) = panel[j * LANES..].split_at(LANES);
            with_simd!(context.token, simd => dot(diagonal, diagonal) + 2.0 * dot(below, below))
        });
        square.sqrt()
    }
}

#[inline(always)]
fn dot(a: &[Lanes], b: &[Lanes]) -> f64 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += f64::from(a[lane]) * f64::from(b[lane]);
        }
    }
    sums.iter().sum()
}

/// Hands out the panels of a matrix of `rows` rows in portions of [`PANELS`], with their indices.
pub(super) fn in_panels(
    side: usize,
    data: &mut [Lanes],
    rows: usize,
    task: impl Fn(Range<usize>, &mut [Lanes]) + Send + Sync,
) {
    if rows == 0 {
        return;
    }
    let run = |(index, out): (usize, &mut [Lanes])| {
        let start = index * PANELS;
        task(start..start + out.len() / rows, out);
    };
    if side <= ALONE {
        data.chunks_mut(PANELS * rows).enumerate().for_each(run);
    } else {
        data.par_chunks_mut(PANELS * rows).enumerate().for_each(run);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{CpuDevice, CpuSettings, Level};
    use impasto_testing::{Tolerance, assert_near};

    /// Small integers, of which every sum is exact.
    fn integer(i: usize, j: usize) -> f32 {
        ((i * 37 + j * 11) % 17) as f32 - 8.0
    }

    fn of(
        context: &Context,
        side: usize,
        entry: impl Fn(usize, usize) -> f32 + Sync + Send,
    ) -> Result<Square> {
        let mut square = Square::take(context, side)?;
        square.fill_rows(|i, panel| std::array::from_fn(|lane| entry(i, panel * LANES + lane)));
        Ok(square)
    }

    #[test]
    fn products_skip_nothing_but_zeros() -> Result<()> {
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let device = CpuDevice::new(CpuSettings {
                level: Some(level),
                ..CpuSettings::default()
            })?;
            let context = &*device.context;
            for side in [16, 48, 64, 128, 176] {
                let any = |i, j| integer(i, j);
                let upper = |i, j| if i <= j { integer(i, j) } else { 0.0 };
                let lower = |i, j| if i >= j { integer(i, j) } else { 0.0 };
                type Entry = dyn Fn(usize, usize) -> f32 + Sync + Send;
                let cases: [(Shape, &Entry, &Entry); 5] = [
                    (Shape::Full, &any, &any),
                    (Shape::LeftLower, &lower, &any),
                    (Shape::LeftUpper, &upper, &any),
                    (Shape::RightUpper, &any, &upper),
                    (Shape::Symmetric, &any, &|i, j| integer(j, i)),
                ];
                for (shape, left, right) in cases {
                    let (a, b) = (of(context, side, left)?, of(context, side, right)?);
                    let mut out = Square::take(context, side)?;
                    out.product(context, &a, &b, shape);
                    for i in 0..side {
                        for j in 0..side {
                            let expected: f32 = (0..side).map(|k| left(i, k) * right(k, j)).sum();
                            let got = if shape == Shape::Symmetric {
                                out.symmetric(i / LANES, j / LANES)[i % LANES][j % LANES]
                            } else {
                                out.at(i, j)
                            };
                            assert_eq!(got, expected, "{level} {shape:?} of {side} at {i}, {j}");
                        }
                    }
                    if shape == Shape::Symmetric {
                        let sum = |f: &dyn Fn(usize, usize) -> f32| -> f64 {
                            (0..side * side)
                                .map(|k| f64::from(f(k / side, k % side)).powi(2))
                                .sum()
                        };
                        let symmetric = |i: usize, j: usize| {
                            out.symmetric(i / LANES, j / LANES)[i % LANES][j % LANES]
                        };
                        let expected = sum(&symmetric).sqrt();
                        let exact = Tolerance::relative(1e-12);
                        let norm = out.symmetric_norm(context);
                        assert_near("symmetric norm", norm, expected, exact);
                        assert_near("norm", a.norm(context), sum(left).sqrt(), exact);
                    }
                }
            }
        }
        Ok(())
    }
}
