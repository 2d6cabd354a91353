//! Self-similarity: places of the picture are as unlike each other as the same places of the photo.
//!
//! ```text
//! D_ij = 1 − x_i·x_j / (‖x_i‖·‖x_j‖)        N_ij = D_ij / Σ_i D_ij        L = 1/n · Σ_ij |N_ij − N̂_ij|
//! ```
//!
//! `N̂` is that of the photo (Kolkin et al. 2019, equation 8). What a place looks like may change, but not what it looks like
//! beside others.

use super::{Comparison, Drawn, shape, transposed};
use crate::loss::columns::Columns;
use impasto_compute::{ComputeError, Device, Point, Result, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// A sum of distances below which all are taken for 0.
const LEAST: f32 = 1e-6;
/// The least length of a row.
const SHORTEST: f32 = 1e-4;
/// Rows that are worked on at a time: sums do not depend on the number of threads.
const ROWS: usize = 64;

/// The distance from a photo's self-similarity.
#[derive(Debug)]
pub struct SelfSimilarity {
    columns: Columns,
    photo: Photo,
}

/// What the photo shows.
#[derive(Debug)]
enum Photo {
    /// Each part of the columns, everywhere.
    Maps(Arc<Vec<Tensor>>),
    /// Rows at the places of each step, of length 1.
    Draws(Vec<Tensor>),
}

impl SelfSimilarity {
    /// The distance from what a photo shows of each part of some columns.
    pub fn new(columns: Columns, photo: Arc<Vec<Tensor>>) -> Self {
        Self {
            columns,
            photo: Photo::Maps(photo),
        }
    }

    /// The same for steps whose places are known beforehand, from the first on: of large photos nothing else is kept.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn of_draws(
        device: &dyn Device,
        columns: Columns,
        photo: &[Tensor],
        draws: impl Iterator<Item = Vec<Point>>,
    ) -> Result<Self> {
        let rows = draws.map(|places| rows_at(device, &columns, photo, &places));
        let photo = Photo::Draws(rows.collect::<Result<_>>()?);
        Ok(Self { columns, photo })
    }
}

/// What a photo shows at some places, of length 1.
fn rows_at(
    device: &dyn Device,
    columns: &Columns,
    photo: &[Tensor],
    places: &[Point],
) -> Result<Tensor> {
    let photo: Vec<_> = photo.iter().collect();
    let mut rows = device.zeros(&[places.len(), columns.width()])?;
    columns.gather(device, &photo, places, &mut rows, 0)?;
    device.normalize_rows(&mut rows)?;
    Ok(rows)
}

/// Distances of rows from each other, `[n, n]`, and their sums by column.
fn distances(device: &dyn Device, rows: &Tensor) -> Result<(Vec<f32>, Vec<f32>)> {
    let [n, _] = shape(rows);
    let mut values = device.download(&device.product(rows, rows)?)?;
    let parts: Vec<Vec<f32>> = values
        .par_chunks_mut((ROWS * n).max(1))
        .map(|rows| {
            let mut sums = vec![0.0f32; n];
            for row in rows.chunks_exact_mut(n) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *value = 1.0 - *value;
                    *sum += *value;
                }
            }
            sums
        })
        .collect();
    let mut sums = added(parts, n);
    sums.iter_mut().for_each(|sum| {
        if *sum < LEAST {
            *sum = f32::INFINITY;
        }
    });
    Ok((values, sums))
}

/// The sum of some vectors, in their order.
fn added(parts: Vec<Vec<f32>>, n: usize) -> Vec<f32> {
    let mut sums = vec![0.0f32; n];
    for part in parts {
        let pairs = sums.iter_mut().zip(part);
        pairs.for_each(|(sum, value)| *sum += value);
    }
    sums
}

/// The value times `n`, and its gradient towards each distance, in whose place it is written: `(e_ij − Σ_i e_ij·N_ij)/Σ_i D_ij`
/// with `e = sign(N − N̂)`.
fn towards_distances(d: &mut [f32], sums: &[f32], wanted: &[f32], wanted_sums: &[f32]) -> f64 {
    let n = sums.len();
    let inverse = |sums: &[f32]| -> Vec<f32> { sums.iter().map(|sum| 1.0 / sum).collect() };
    let (inverse, wanted_inverse) = (inverse(sums), inverse(wanted_sums));
    let pieces = d.par_chunks_mut((ROWS * n).max(1));
    let parts: Vec<(f64, Vec<f32>)> = pieces
        .zip(wanted.par_chunks((ROWS * n).max(1)))
        .map(|(d, wanted)| {
            let (mut value, mut along) = (0.0, vec![0.0f32; n]);
            for (d, wanted) in d.chunks_exact_mut(n).zip(wanted.chunks_exact(n)) {
                let mut of_row = 0.0f32;
                for j in 0..n {
                    let share = d[j] * inverse[j];
                    let difference = share - wanted[j] * wanted_inverse[j];
                    let sign = f32::from(i8::from(difference > 0.0) - i8::from(difference < 0.0));
                    of_row += difference.abs();
                    along[j] += sign * share;
                    d[j] = sign;
                }
                value += f64::from(of_row);
            }
            (value, along)
        })
        .collect();
    let value = parts.iter().map(|(value, _)| value).sum();
    let along = added(parts.into_iter().map(|(_, along)| along).collect(), n);
    d.par_chunks_mut(n.max(1)).for_each(|row| {
        for j in 0..n {
            row[j] = (row[j] - along[j]) * inverse[j];
        }
    });
    value
}

/// `k·(T + Tᵀ)` of a square matrix.
fn symmetric(towards: &[f32], n: usize, k: f32) -> Vec<f32> {
    let mut both = transposed(towards, [n, n]);
    let pieces = both
        .par_chunks_mut(n.max(1))
        .zip(towards.par_chunks(n.max(1)));
    pieces.for_each(|(both, towards)| {
        let pairs = both.iter_mut().zip(towards);
        pairs.for_each(|(both, towards)| *both = k * (*both + towards));
    });
    both
}

impl Comparison for SelfSimilarity {
    fn compare(
        &self,
        device: &dyn Device,
        rows: &Tensor,
        drawn: &Drawn,
        k: f64,
    ) -> Result<(f64, Tensor)> {
        let [n, c] = shape(rows);
        let mut own = device.copy(rows)?;
        device.normalize_rows(&mut own)?;
        let (wanted, wanted_sums) = match &self.photo {
            Photo::Maps(photo) => {
                let target = rows_at(device, &self.columns, photo, &drawn.places)?;
                distances(device, &target)?
            }
            Photo::Draws(rows) => match rows.get(drawn.step.saturating_sub(1)) {
                Some(target) => distances(device, target)?,
                None => {
                    return Err(ComputeError::BadSetting(format!(
                        "step {} is beyond those whose places are known",
                        drawn.step
                    )));
                }
            },
        };
        let (mut d, sums) = distances(device, &own)?;
        let value = towards_distances(&mut d, &sums, &wanted, &wanted_sums);
        // D falls with x̂·x̂ᵀ, whose entries are looked at from both sides.
        let both = symmetric(&d, n, -(k / n.max(1) as f64) as f32);
        let unit = device.download(&own)?;
        let turned = device.upload(&transposed(&unit, [n, c]), &[c, n])?;
        let both = device.upload(&both, &[n, n])?;
        let mut gradient = device.download(&device.product(&both, &turned)?)?;
        let values = device.download(rows)?;
        let lines = gradient.par_chunks_exact_mut(c.max(1));
        let units = unit.par_chunks_exact(c.max(1));
        let lines = lines.zip(units.zip(values.par_chunks_exact(c.max(1))));
        lines.for_each(|(gradient, (unit, row))| {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            let along: f32 = gradient.iter().zip(unit).map(|(g, u)| g * u).sum();
            let along = if length > SHORTEST { along } else { 0.0 };
            let pairs = gradient.iter_mut().zip(unit);
            pairs.for_each(|(g, u)| *g = (*g - along * u) / length.max(SHORTEST));
        });
        Ok((value / n.max(1) as f64, device.upload(&gradient, &[n, c])?))
    }
}
