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
use super::chunks::{CHUNK, each};
use super::simd::{Isa, with_simd};
use crate::{ComputeError, Reduction, Result, Scalar, Tensor, TotalVariation};
use fearless_simd::prelude::*;

/// What differences of neighbours contribute.
trait Norm: Sync {
    fn term<S: Isa>(difference: S::f32s) -> S::f32s;
    fn slope<S: Isa>(simd: S, difference: S::f32s) -> S::f32s;
}

struct Absolute;
struct Square;

impl Norm for Absolute {
    #[inline(always)]
    fn term<S: Isa>(difference: S::f32s) -> S::f32s {
        difference.abs()
    }
    /// The sign; 0 for equal neighbours.
    #[inline(always)]
    fn slope<S: Isa>(simd: S, difference: S::f32s) -> S::f32s {
        let zero = S::f32s::splat(simd, 0.0);
        let sign = S::f32s::splat(simd, 1.0).copysign(difference);
        difference.simd_eq(zero).select(zero, sign)
    }
}

impl Norm for Square {
    #[inline(always)]
    fn term<S: Isa>(difference: S::f32s) -> S::f32s {
        difference * difference
    }
    #[inline(always)]
    fn slope<S: Isa>(_: S, difference: S::f32s) -> S::f32s {
        difference + difference
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
            TotalVariation::L1 => rows.run::<_, Absolute>(simd, gradient),
            TotalVariation::L2 | TotalVariation::NinePoint => rows.run::<_, Square>(simd, gradient),
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
    rows: [&'a [f32]; 3],
    across: f32,
    diagonal_above: f32,
    diagonal_below: f32,
}

impl Rows<'_> {
    /// Writes the gradient of the rows and returns the sum of the pairs that start in them.
    #[inline(always)]
    fn run<S: Isa, N: Norm>(&self, simd: S, gradient: &mut [f32]) -> f64 {
        let (h, w) = self.size;
        let row = |index: usize| &self.values[index * w..][..w];
        let mut value = 0.0;
        for (index, gradient) in gradient.chunks_exact_mut(w).enumerate() {
            let (index, y) = (self.first + index, (self.first + index) % h);
            let (top, bottom) = (y == 0, y + 1 == h);
            let above = row(if top { index } else { index - 1 });
            let below = row(if bottom { index } else { index + 1 });
            let diagonal = self.stencil.diagonal as f32;
            let neighbours = Neighbours {
                rows: [above, row(index), below],
                across: self.stencil.across(y, h),
                diagonal_above: if top { 0.0 } else { diagonal },
                diagonal_below: if bottom { 0.0 } else { diagonal },
            };
            value += self.row::<S, N>(simd, &neighbours, gradient);
        }
        value
    }

    #[inline(always)]
    fn row<S: Isa, N: Norm>(&self, simd: S, row: &Neighbours<'_>, gradient: &mut [f32]) -> f64 {
        let w = gradient.len();
        let k = S::f32s::splat(simd, self.k);
        // Whole vectors of pixels that have both neighbours; the sums of a row stay in f32.
        let whole = w.saturating_sub(2) / S::f32s::LEN * S::f32s::LEN;
        let down = self.stencil.down(1, w);
        let mut sum = S::f32s::splat(simd, 0.0);
        for x in (1..1 + whole).step_by(S::f32s::LEN) {
            let load = |row: &[f32], x: usize| S::f32s::from_slice(simd, &row[x..x + S::f32s::LEN]);
            let [above, here, below] = row.rows;
            let pixels = [
                [load(above, x - 1), load(above, x), load(above, x + 1)],
                [load(here, x - 1), load(here, x), load(here, x + 1)],
                [load(below, x - 1), load(below, x), load(below, x + 1)],
            ];
            let (terms, slopes) = row.pairs::<S, N>(simd, pixels, down);
            (slopes * k).store_slice(&mut gradient[x..x + S::f32s::LEN]);
            sum += terms;
        }
        let mut value = f64::from(sum.reduce_sum());
        // The others one by one. A neighbour beyond the edge is as the pixel itself: no difference.
        for x in (0..1).chain(1 + whole..w) {
            let here = row.rows[1][x];
            let at = |row: &[f32], x: Option<usize>| {
                let pixel = x.and_then(|x| row.get(x)).copied();
                S::f32s::splat(simd, pixel.unwrap_or(here))
            };
            let columns = [x.checked_sub(1), Some(x), Some(x + 1)];
            let pixels = row.rows.map(|row| columns.map(|x| at(row, x)));
            let (terms, slopes) = row.pairs::<S, N>(simd, pixels, self.stencil.down(x, w));
            gradient[x] = self.k * slopes.as_slice()[0];
            value += f64::from(terms.as_slice()[0]);
        }
        value
    }
}

impl Neighbours<'_> {
    /// The pairs of the middle pixels with those to the right and below, and the slope of all their pairs.
    #[inline(always)]
    fn pairs<S: Isa, N: Norm>(
        &self,
        simd: S,
        pixels: [[S::f32s; 3]; 3],
        down: f32,
    ) -> (S::f32s, S::f32s) {
        let [above, [left, here, right], below] = pixels;
        let to = |pixel: S::f32s| N::term::<S>(pixel - here);
        let from = |pixel: S::f32s| N::slope(simd, here - pixel);
        let diagonals = to(below[0]) + to(below[2]);
        let terms = to(right) * self.across + to(below[1]) * down + diagonals * self.diagonal_below;
        let slopes = (from(left) + from(right)) * self.across
            + (from(above[1]) + from(below[1])) * down
            + (from(above[0]) + from(above[2])) * self.diagonal_above
            + (from(below[0]) + from(below[2])) * self.diagonal_below;
        (terms, slopes)
    }
}
