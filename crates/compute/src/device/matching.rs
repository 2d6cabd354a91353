//! Feature vectors at places, and which of some others each is most like: what losses of nearest neighbours stand on.
//!
//! Vectors are the rows of a matrix `[n, c]`, a row for each place. Nothing here makes a matrix of all distances: of a
//! product only what is greatest is kept, while it is computed.

use super::Hardware;
use super::fallback::Fallback;
use crate::{ComputeError, Result, Scalar, Tensor};

/// The squared length below which a vector is taken for one of this length, so that nothing is divided by zero.
pub(crate) const LEAST_SQUARE: f64 = 1e-8;

/// A place on a map, in pixels from the middle of its first one. Places beyond the border are on it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Downwards.
    pub y: f32,
    /// To the right.
    pub x: f32,
}

impl Point {
    /// The corners of the pixel square around it on a map of some height and width, `[y0, y1, x0, x1]`, and how far it is
    /// from the first ones, `[y, x]`.
    pub(crate) fn corners(self, height: usize, width: usize) -> ([usize; 4], [f32; 2]) {
        let along = |at: f32, n: usize| {
            let last = n.saturating_sub(1);
            let at = at.clamp(0.0, last as f32);
            let first = (at as usize).min(last);
            (first, (first + 1).min(last), at - first as f32)
        };
        let ((y0, y1, dy), (x0, x1, dx)) = (along(self.y, height), along(self.x, width));
        ([y0, y1, x0, x1], [dy, dx])
    }
}

/// The rows that each query is most like, most first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Nearest {
    /// How many of each query.
    pub count: usize,
    /// Indices of rows, `[n, count]`.
    pub indices: Vec<u32>,
    /// The products with them, `[n, count]`.
    pub products: Vec<f32>,
}

impl Nearest {
    /// One of each of so many queries, before anything was looked at.
    pub(crate) fn of_nothing(queries: usize) -> Self {
        Self {
            count: 1,
            indices: vec![0; queries],
            products: vec![f32::NEG_INFINITY; queries],
        }
    }
}

/// Vectors at places, and which of some others each is most like.
///
/// A device without these operations leaves them to the processor, not to the reference: they are where the time goes.
pub trait Matching: Hardware {
    /// Vectors at places: writes what features `[c, h, w]` are at each point, interpolated bilinearly, times a factor, into a
    /// row of a matrix `[n, c']`, from row and column `at` on.
    fn gather(
        &self,
        features: &Tensor,
        points: &[Point],
        factor: f32,
        rows: &mut Tensor,
        at: [usize; 2],
    ) -> Result<()> {
        let processor = Fallback::to_processor(self, "gather")?;
        let mut there = processor.operand(rows)?;
        let features = processor.operand(features)?;
        processor
            .device()
            .gather(&features, points, factor, &mut there, at)?;
        *rows = processor.result(there)?;
        Ok(())
    }

    /// The adjoint of [`Matching::gather`]: adds to features `[c, h, w]` what gradients of rows come to there.
    fn scatter(
        &self,
        rows: &Tensor,
        at: [usize; 2],
        points: &[Point],
        factor: f32,
        features: &mut Tensor,
    ) -> Result<()> {
        let processor = Fallback::to_processor(self, "scatter")?;
        let mut there = processor.operand(features)?;
        let rows = processor.operand(rows)?;
        processor
            .device()
            .scatter(&rows, at, points, factor, &mut there)?;
        *features = processor.result(there)?;
        Ok(())
    }

    /// The mean of the rows of a matrix `[n, c]`, `[c]`; zeros of none.
    fn mean_of_rows(&self, rows: &Tensor) -> Result<Tensor> {
        let processor = Fallback::to_processor(self, "mean_of_rows")?;
        let mean = processor.device().mean_of_rows(&processor.operand(rows)?)?;
        processor.result(mean)
    }

    /// `x_p ← x_p + k·v`: adds a vector `[c]` to every row of a matrix `[n, c]`.
    fn add_to_rows(&self, rows: &mut Tensor, k: f32, vector: &Tensor) -> Result<()> {
        let processor = Fallback::to_processor(self, "add_to_rows")?;
        let mut there = processor.operand(rows)?;
        let vector = processor.operand(vector)?;
        processor.device().add_to_rows(&mut there, k, &vector)?;
        *rows = processor.result(there)?;
        Ok(())
    }

    /// `x_p ← x_p / ‖x_p‖`: every row of a matrix `[n, c]` of length 1; rows whose squared length is below 10⁻⁸ are divided
    /// by 10⁻⁴.
    fn normalize_rows(&self, rows: &mut Tensor) -> Result<()> {
        let processor = Fallback::to_processor(self, "normalize_rows")?;
        let mut there = processor.operand(rows)?;
        processor.device().normalize_rows(&mut there)?;
        *rows = processor.result(there)?;
        Ok(())
    }

    /// `A·Bᵀ` of matrices `[n, k]` and `[m, k]`, `[n, m]`.
    fn product(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        let processor = Fallback::to_processor(self, "product")?;
        let (a, b) = (processor.operand(a)?, processor.operand(b)?);
        processor.result(processor.device().product(&a, &b)?)
    }

    /// For each row `q` of queries `[n, c]`, the rows `s` of candidates `[m, c]` of the greatest products `q·s`: `count` of
    /// them, or all if there are fewer. Of equal ones that of the lowest index comes first. A product that is not a number
    /// is less than all that are.
    fn nearest(&self, queries: &Tensor, candidates: &Tensor, count: usize) -> Result<Nearest> {
        let processor = Fallback::to_processor(self, "nearest")?;
        let (queries, candidates) = (processor.operand(queries)?, processor.operand(candidates)?);
        processor.device().nearest(&queries, &candidates, count)
    }

    /// [`Matching::nearest`] both ways by one product: the row of `b` `[m, c]` that each row of `a` `[n, c]` is most like, and
    /// the row of `a` that each of `b` is.
    fn nearest_both(&self, a: &Tensor, b: &Tensor) -> Result<[Nearest; 2]> {
        let processor = Fallback::to_processor(self, "nearest_both")?;
        let (a, b) = (processor.operand(a)?, processor.operand(b)?);
        processor.device().nearest_both(&a, &b)
    }

    /// [`Matching::nearest`] among some candidates alone, the same number for each query, `[n, k]`: one of each query.
    fn nearest_among(
        &self,
        queries: &Tensor,
        candidates: &Tensor,
        among: &[u32],
    ) -> Result<Nearest> {
        let processor = Fallback::to_processor(self, "nearest_among")?;
        let (queries, candidates) = (processor.operand(queries)?, processor.operand(candidates)?);
        processor
            .device()
            .nearest_among(&queries, &candidates, among)
    }

    /// How far rows `x` `[n, c]` are from those of candidates `t` `[m, c]` that they were matched with, by cosine, and `k`
    /// times the gradient towards them, `[n, c]`:
    ///
    /// ```text
    /// L = Σ_p w_p·(1 − x_p·t_m(p) / (‖x_p‖·‖t_m(p)‖))
    /// ```
    ///
    /// Without weights all are 1. Squared lengths are at least 10⁻⁸.
    fn matched_cosine(
        &self,
        rows: &Tensor,
        candidates: &Tensor,
        matches: &[u32],
        weights: Option<&[f32]>,
        k: f32,
    ) -> Result<(Scalar, Tensor)> {
        let processor = Fallback::to_processor(self, "matched_cosine")?;
        let (rows, candidates) = (processor.operand(rows)?, processor.operand(candidates)?);
        let device = processor.device();
        let (value, gradient) = device.matched_cosine(&rows, &candidates, matches, weights, k)?;
        processor.result((value, gradient))
    }
}

fn refuse<T>(what: &'static str, expected: Vec<usize>, got: &[usize]) -> Result<T> {
    let got = got.to_vec();
    Err(ComputeError::Shape {
        what,
        expected,
        got,
    })
}

/// Rows and columns of a matrix.
pub(crate) fn matrix(what: &'static str, tensor: &Tensor) -> Result<[usize; 2]> {
    match *tensor.shape() {
        [n, c] => Ok([n, c]),
        _ => refuse(what, vec![0, 0], tensor.shape()),
    }
}

/// Rows of two matrices, and their columns, if they have as many.
pub(crate) fn pair(what: &'static str, a: &Tensor, b: &Tensor) -> Result<[usize; 3]> {
    let ([n, c], [m, k]) = (matrix(what, a)?, matrix(what, b)?);
    match c == k {
        true => Ok([n, m, c]),
        false => refuse(what, vec![m, c], b.shape()),
    }
}

/// Rows and columns of a matrix and a vector of as many entries as it has columns.
pub(crate) fn with_vector(
    what: &'static str,
    rows: &Tensor,
    vector: &Tensor,
) -> Result<[usize; 2]> {
    let [n, c] = matrix(what, rows)?;
    match *vector.shape() == [c] {
        true => Ok([n, c]),
        false => refuse(what, vec![c], vector.shape()),
    }
}

/// What is gathered: channels and size of the features, and the columns of the matrix.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gathering {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) columns: usize,
}

impl Gathering {
    /// Checks the operands of [`Matching::gather`] and its adjoint.
    pub(crate) fn of(
        what: &'static str,
        features: &Tensor,
        points: &[Point],
        rows: &Tensor,
        [row, first]: [usize; 2],
    ) -> Result<Self> {
        let &[channels, height, width] = features.shape() else {
            return refuse(what, vec![0, 0, 0], features.shape());
        };
        let [n, columns] = matrix(what, rows)?;
        if row + points.len() > n || first + channels > columns {
            let least = vec![row + points.len(), first + channels];
            return refuse(what, least, rows.shape());
        }
        if !points.is_empty() && height * width == 0 {
            return refuse(what, vec![channels, 1, 1], features.shape());
        }
        Ok(Self {
            channels,
            height,
            width,
            columns,
        })
    }
}

/// Checks matches, of which each query has as many, and weights; how many it has.
pub(crate) fn matched(
    what: &'static str,
    [n, m]: [usize; 2],
    matches: &[u32],
    weights: Option<&[f32]>,
) -> Result<usize> {
    let per = matches.len().checked_div(n).unwrap_or(0);
    let fits = weights.is_none_or(|weights| weights.len() == n);
    if per * n != matches.len() || !fits || n > 0 && per == 0 {
        return refuse(what, vec![n], &[matches.len()]);
    }
    match matches.iter().max() {
        Some(&most) if most as usize >= m => refuse(what, vec![most as usize + 1], &[m]),
        _ => Ok(per),
    }
}

/// The greatest products of one query so far, in order.
pub(crate) struct Running<'a> {
    pub(crate) indices: &'a mut [u32],
    pub(crate) products: &'a mut [f32],
}

impl Running<'_> {
    /// Those of nothing: of what is never a number, the first rows.
    pub(crate) fn begin(&mut self) {
        self.products.fill(f32::NEG_INFINITY);
        (0..)
            .zip(&mut *self.indices)
            .for_each(|(index, slot)| *slot = index);
    }

    /// What a product must be greater than.
    #[inline(always)]
    pub(crate) fn least(&self) -> f32 {
        self.products.last().copied().unwrap_or(f32::INFINITY)
    }

    /// Takes in a product that is at least the least, before equal ones of higher indices.
    pub(crate) fn insert(&mut self, index: u32, product: f32) {
        let mut others = self.products.iter().zip(&*self.indices);
        let after = |(&other, &at): (&f32, &u32)| other < product || other == product && at > index;
        if let Some(place) = others.position(after) {
            self.products[place..].rotate_right(1);
            self.indices[place..].rotate_right(1);
            (self.products[place], self.indices[place]) = (product, index);
        }
    }
}
