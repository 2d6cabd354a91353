//! Self-similarity: places of the picture are as unlike each other as the same places of the photo.
//!
//! ```text
//! D_ij = 1 − x_i·x_j / (‖x_i‖·‖x_j‖)        N_ij = D_ij / Σ_i D_ij        L = 1/n · Σ_ij |N_ij − N̂_ij|
//! ```
//!
//! `N̂` is that of the photo (Kolkin et al. 2019, equation 8). What a place looks like may change, but not what it looks like
//! beside others.

use super::{Comparison, shape, transposed};
use crate::loss::columns::Columns;
use impasto_compute::{Device, Point, Result, Tensor};
use rayon::prelude::*;

/// A sum of distances below which all are taken for 0.
const LEAST: f32 = 1e-6;
/// The least length of a row.
const SHORTEST: f32 = 1e-4;

/// The distance from a photo's self-similarity.
#[derive(Debug)]
pub struct SelfSimilarity {
    columns: Columns,
    /// What the photo shows of each part of the columns.
    photo: Vec<Tensor>,
}

impl SelfSimilarity {
    /// The distance from what a photo shows of some columns.
    pub fn new(columns: Columns, photo: Vec<Tensor>) -> Self {
        Self { columns, photo }
    }
}

/// Distances of rows from each other, `[n, n]`, and their sums by column.
fn distances(device: &dyn Device, rows: &Tensor) -> Result<(Vec<f32>, Vec<f32>)> {
    let [n, _] = shape(rows);
    let mut values = device.download(&device.product(rows, rows)?)?;
    values.iter_mut().for_each(|value| *value = 1.0 - *value);
    let mut sums = vec![0.0f32; n];
    for row in values.chunks_exact(n.max(1)) {
        sums.iter_mut()
            .zip(row)
            .for_each(|(sum, value)| *sum += value);
    }
    sums.iter_mut().for_each(|sum| {
        if *sum < LEAST {
            *sum = f32::INFINITY;
        }
    });
    Ok((values, sums))
}

impl Comparison for SelfSimilarity {
    fn compare(
        &self,
        device: &dyn Device,
        rows: &Tensor,
        places: &[Point],
        k: f64,
    ) -> Result<(f64, Tensor)> {
        let [n, c] = shape(rows);
        let mut own = device.copy(rows)?;
        device.normalize_rows(&mut own)?;
        let photo: Vec<_> = self.photo.iter().collect();
        let mut target = device.zeros(&[n, c])?;
        self.columns
            .gather(device, &photo, places, &mut target, 0)?;
        device.normalize_rows(&mut target)?;
        let ((d, sums), (wanted, wanted_sums)) =
            (distances(device, &own)?, distances(device, &target)?);
        // dL/dD_ij = (e_ij − Σ_i e_ij·N_ij)/Σ_i D_ij, e = sign(N − N̂)/n
        let signs: Vec<f32> = (0..n * n)
            .into_par_iter()
            .map(|at| {
                let j = at % n;
                let difference = d[at] / sums[j] - wanted[at] / wanted_sums[j];
                if difference == 0.0 {
                    0.0
                } else {
                    difference.signum()
                }
            })
            .collect();
        let (mut value, mut along) = (0.0f64, vec![0.0f32; n]);
        for (row, (d, wanted)) in d.chunks_exact(n).zip(wanted.chunks_exact(n)).enumerate() {
            for j in 0..n {
                let share = d[j] / sums[j];
                value += f64::from((share - wanted[j] / wanted_sums[j]).abs());
                along[j] += signs[row * n + j] * share;
            }
        }
        let factor = (k / n.max(1) as f64) as f32;
        let towards = |i: usize, j: usize| (signs[i * n + j] - along[j]) / sums[j];
        // D falls with x̂·x̂ᵀ, whose entries are looked at from both sides.
        let both: Vec<f32> = (0..n * n)
            .into_par_iter()
            .map(|at| -factor * (towards(at / n, at % n) + towards(at % n, at / n)))
            .collect();
        let unit = device.download(&own)?;
        let turned = device.upload(&transposed(&unit, [n, c]), &[c, n])?;
        let both = device.upload(&both, &[n, n])?;
        let mut gradient = device.download(&device.product(&both, &turned)?)?;
        let values = device.download(rows)?;
        let lines = gradient.chunks_exact_mut(c.max(1));
        let lines = lines.zip(
            unit.chunks_exact(c.max(1))
                .zip(values.chunks_exact(c.max(1))),
        );
        for (gradient, (unit, row)) in lines {
            let length = row.iter().map(|x| x * x).sum::<f32>().sqrt();
            let along: f32 = gradient.iter().zip(unit).map(|(g, u)| g * u).sum();
            let along = if length > SHORTEST { along } else { 0.0 };
            let pairs = gradient.iter_mut().zip(unit);
            pairs.for_each(|(g, u)| *g = (*g - along * u) / length.max(SHORTEST));
        }
        Ok((value / n.max(1) as f64, device.upload(&gradient, &[n, c])?))
    }
}
