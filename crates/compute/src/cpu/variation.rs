//! Total variation and its gradient in one pass over the image, [`TotalVariation`] says which.
//!
//! The pairs of neighbours that the definition sums over, the diagonal ones on the image continued by its border,
//! are gathered by the two pixels they belong to:
//!
//! ```text
//! value = Σ across(y)·f(x[y,j+1] − x[y,j]) + Σ down(j)·f(x[y+1,j] − x[y,j]) + Σ diagonal·(f(╲) + f(╱))
//! ```
//!
//! with `f = |·|` or its square. Diagonal pairs between the first or last row and its copy beyond the border join
//! the pairs along that row: `across = horizontal + 2·diagonal·copies`; for columns likewise. A pixel's gradient then
//! needs its eight neighbours only, rows are independent, and nothing is written twice.

use super::Context;
use super::array::{Layout, from_plain, get, put, to_plain};
use super::chunks::{CHUNK, each, sum};
use super::simd::with_simd;
use crate::{ComputeError, Reduction, Result, Scalar, Tensor, TotalVariation};

/// What a difference of neighbours contributes.
trait Norm: Sync {
    fn term(difference: f32) -> f32;
    fn slope(difference: f32) -> f32;
}

struct Absolute;
struct Square;

impl Norm for Absolute {
    #[inline(always)]
    fn term(difference: f32) -> f32 {
        difference.abs()
    }
    /// The sign; 0 for equal neighbours.
    #[inline(always)]
    fn slope(difference: f32) -> f32 {
        f32::from(i8::from(difference > 0.0) - i8::from(difference < 0.0))
    }
}

impl Norm for Square {
    #[inline(always)]
    fn term(difference: f32) -> f32 {
        difference * difference
    }
    #[inline(always)]
    fn slope(difference: f32) -> f32 {
        2.0 * difference
    }
}

/// Weights of the three families of pairs.
#[derive(Clone, Copy)]
struct Stencil {
    horizontal: f64,
    vertical: f64,
    diagonal: f64,
}

impl Stencil {
    fn new(kind: TotalVariation, reduction: Reduction, [c, h, w]: [usize; 3]) -> Self {
        let over = |weight: f64, count: usize| match reduction {
            Reduction::Sum => weight,
            Reduction::Mean => weight / (c * count).max(1) as f64,
        };
        match kind {
            TotalVariation::L1 | TotalVariation::L2 => Self {
                horizontal: over(1.0, h * (w - 1)),
                vertical: over(1.0, (h - 1) * w),
                diagonal: 0.0,
            },
            TotalVariation::NinePoint => Self {
                horizontal: over(2.0 / 3.0, h * w),
                vertical: over(2.0 / 3.0, h * w),
                diagonal: over(1.0 / 6.0, (h + 1) * (w + 1)),
            },
        }
    }

    /// Weight of the pairs along line `i` of `n`, which is copied beyond the border if it is the first or the last.
    fn along(&self, straight: f64, i: usize, n: usize) -> f32 {
        let copies = usize::from(i == 0) + usize::from(i + 1 == n);
        (straight + 2.0 * self.diagonal * copies as f64) as f32
    }

    /// Weight of the horizontal pairs in row `y` of `h`.
    fn across(&self, y: usize, h: usize) -> f32 {
        self.along(self.horizontal, y, h)
    }

    /// Weight of the vertical pairs in column `x` of `w`.
    fn down(&self, x: usize, w: usize) -> f32 {
        self.along(self.vertical, x, w)
    }
}

pub(super) fn total_variation(
    context: &Context,
    image: &Tensor,
    kind: TotalVariation,
    reduction: Reduction,
    k: f32,
) -> Result<(Scalar, Tensor)> {
    let &[c, h, w] = image.shape() else {
        return Err(ComputeError::Shape {
            what: "total_variation",
            expected: vec![3, 0, 0],
            got: image.shape().to_vec(),
        });
    };
    let what = "total_variation";
    let copy;
    let values = match Layout::of(image.shape()) {
        Layout::Plain { .. } => get(what, image)?,
        Layout::Blocked { .. } => {
            copy = to_plain(what, image)?;
            &copy
        }
    };
    if values.is_empty() {
        return Ok((Scalar::Ready(0.0), from_plain(context, &[], &[c, h, w])?));
    }
    let stencil = Stencil::new(kind, reduction, [c, h, w]);
    let mut gradient = context.pool.take(values.len())?;
    let rows = (CHUNK / w).max(1);
    let pieces = gradient.chunks_mut(rows * w).enumerate().collect();
    let sums = each(context, pieces, |(piece, gradient): (usize, &mut [f32])| {
        let rows = Rows {
            values,
            size: (h, w),
            first: piece * rows,
            stencil,
            k,
        };
        with_simd!(context.token, simd => match kind {
            TotalVariation::L1 => rows.run::<Absolute>(gradient),
            TotalVariation::L2 | TotalVariation::NinePoint => rows.run::<Square>(gradient),
        })
    });
    let value = Scalar::Ready(sums.iter().sum());
    let gradient = match Layout::of(image.shape()) {
        Layout::Plain { .. } => put(gradient, image.shape()),
        Layout::Blocked { .. } => from_plain(context, &gradient, image.shape())?,
    };
    Ok((value, gradient))
}

/// Some rows of the planes, counted through all channels.
struct Rows<'a> {
    values: &'a [f32],
    size: (usize, usize),
    first: usize,
    stencil: Stencil,
    k: f32,
}

/// A row, its neighbours and their weights. A row that has no neighbour is its own, at weight 0 for diagonals.
struct Neighbours<'a> {
    above: &'a [f32],
    here: &'a [f32],
    below: &'a [f32],
    across: f32,
    diagonal_above: f32,
    diagonal_below: f32,
}

impl Rows<'_> {
    /// Writes the gradient of the rows and returns the sum of the pairs that start in them.
    #[inline(always)]
    fn run<N: Norm>(&self, gradient: &mut [f32]) -> f64 {
        let (h, w) = self.size;
        let row = |index: usize| &self.values[index * w..][..w];
        let mut value = 0.0;
        for (index, gradient) in gradient.chunks_exact_mut(w).enumerate() {
            let (index, y) = (self.first + index, (self.first + index) % h);
            let (top, bottom) = (y == 0, y + 1 == h);
            let diagonal = self.stencil.diagonal as f32;
            let rows = Neighbours {
                above: row(if top { index } else { index - 1 }),
                here: row(index),
                below: row(if bottom { index } else { index + 1 }),
                across: self.stencil.across(y, h),
                diagonal_above: if top { 0.0 } else { diagonal },
                diagonal_below: if bottom { 0.0 } else { diagonal },
            };
            value += self.row::<N>(&rows, gradient);
        }
        value
    }

    #[inline(always)]
    fn row<N: Norm>(&self, rows: &Neighbours<'_>, gradient: &mut [f32]) -> f64 {
        let w = gradient.len();
        let mut value = 0.0;
        let mut edge = |x: usize| {
            // A neighbour beyond the edge is as this pixel: no difference.
            let here = rows.here[x];
            let at = |row: &[f32], inside: bool, x: usize| if inside { row[x] } else { here };
            let (left, right) = (x > 0, x + 1 < w);
            let columns = |row: &[f32]| {
                [
                    at(row, left, x.saturating_sub(1)),
                    row[x],
                    at(row, right, x + 1),
                ]
            };
            let pixels = [rows.above, rows.here, rows.below].map(columns);
            let down = self.stencil.down(x, w);
            gradient[x] = self.k * rows.slope::<N>(pixels, down);
            value += rows.terms::<N>(pixels, down);
        };
        edge(0);
        if w > 1 {
            edge(w - 1);
        }
        if w > 2 {
            let down = self.stencil.down(1, w);
            let gradient = &mut gradient[1..w - 1];
            let [above, here, below] = [rows.above, rows.here, rows.below]
                .map(|row| [&row[..w - 2], &row[1..w - 1], &row[2..w]]);
            let pixels = |i: usize| [above, here, below].map(|row| row.map(|column| column[i]));
            for i in 0..w - 2 {
                gradient[i] = self.k * rows.slope::<N>(pixels(i), down);
            }
            value += sum(w - 2, |i| rows.terms::<N>(pixels(i), down));
        }
        value
    }
}

impl Neighbours<'_> {
    /// The slope of all pairs of the middle pixel.
    #[inline(always)]
    fn slope<N: Norm>(&self, pixels: [[f32; 3]; 3], down: f32) -> f32 {
        let [above, [left, here, right], below] = pixels;
        let from = |pixel: f32| N::slope(here - pixel);
        self.across * (from(left) + from(right))
            + down * (from(above[1]) + from(below[1]))
            + self.diagonal_above * (from(above[0]) + from(above[2]))
            + self.diagonal_below * (from(below[0]) + from(below[2]))
    }

    /// The pairs of the middle pixel with those to the right and below.
    #[inline(always)]
    fn terms<N: Norm>(&self, pixels: [[f32; 3]; 3], down: f32) -> f64 {
        let [_, [_, here, right], below] = pixels;
        let to = |pixel: f32| N::term(pixel - here);
        f64::from(
            self.across * to(right)
                + down * to(below[1])
                + self.diagonal_below * (to(below[0]) + to(below[2])),
        )
    }
}
