//! Colours of the picture are those of the style: relaxed earth mover's distance in three numbers.
//!
//! ```text
//! D_ij = 1 − cos(a_i, b_j) + √(‖a_i − b_j‖²/3)        L = max( mean_i min_j D_ij, mean_j min_i D_ij )
//! ```
//!
//! `a` and `b` are colours turned so that the first axis is that of grey (Kolkin et al. 2019, section 3.2).

use super::{Comparison, Drawn, shape};
use impasto_compute::{Device, Result, Tensor};
use rayon::prelude::*;

/// Axes: grey, and two across it.
const AXES: [[f32; 3]; 3] = [
    [0.577_350_3, 0.577_350_3, 0.577_350_3],
    [-0.577_350_3, 0.788_675_1, -0.211_324_87],
    [-0.577_350_3, -0.211_324_87, 0.788_675_1],
];
/// The least square of a distance, and of a length.
const LEAST: f32 = 1e-5;
const SHORTEST: f32 = 1e-8;

/// The distance to a style's colours.
#[derive(Debug)]
pub struct Palette {
    style: Vec<Colour>,
}

/// A turned colour and its length.
#[derive(Clone, Copy, Debug)]
struct Colour {
    at: [f32; 3],
    length: f32,
}

fn colours(values: &[f32]) -> Vec<Colour> {
    let turned = |rgb: &[f32; 3]| {
        let at = AXES.map(|axis| (0..3).map(|i| axis[i] * rgb[i]).sum::<f32>());
        let square = at.iter().map(|x| x * x).sum::<f32>();
        Colour {
            at,
            length: square.max(SHORTEST).sqrt(),
        }
    };
    values.as_chunks::<3>().0.iter().map(turned).collect()
}

impl Palette {
    /// The distance to the colours of rows `[m, 3]` of a style.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, style: &Tensor) -> Result<Self> {
        Ok(Self {
            style: colours(&device.download(style)?),
        })
    }
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    (0..3).map(|i| a[i] * b[i]).sum()
}

fn distance(a: &Colour, b: &Colour) -> f32 {
    let square: f32 = (0..3).map(|i| (a.at[i] - b.at[i]).powi(2)).sum::<f32>() / 3.0;
    1.0 - dot(a.at, b.at) / (a.length * b.length) + square.max(LEAST).sqrt()
}

/// The gradient of a distance towards the first colour, before it was turned.
fn slope(a: &Colour, b: &Colour) -> [f32; 3] {
    let lengths = a.length * b.length;
    let cosine = dot(a.at, b.at) / lengths;
    let square: f32 = (0..3).map(|i| (a.at[i] - b.at[i]).powi(2)).sum::<f32>() / 3.0;
    let along = match a.length * a.length > SHORTEST {
        true => cosine / (a.length * a.length),
        false => 0.0,
    };
    let turned: [f32; 3] = std::array::from_fn(|i| {
        let straight = match square > LEAST {
            true => (a.at[i] - b.at[i]) / (3.0 * square.sqrt()),
            false => 0.0,
        };
        along * a.at[i] - b.at[i] / lengths + straight
    });
    std::array::from_fn(|i| (0..3).map(|axis| AXES[axis][i] * turned[axis]).sum())
}

/// Of each colour, the index of the nearest other one, and how far it is.
fn nearest(of: &[Colour], others: &[Colour]) -> Vec<(usize, f32)> {
    let find = |colour: &Colour| {
        let mut best = (0, f32::INFINITY);
        for (index, other) in others.iter().enumerate() {
            let distance = distance(colour, other);
            if distance < best.1 {
                best = (index, distance);
            }
        }
        best
    };
    of.par_iter().map(find).collect()
}

fn mean(found: &[(usize, f32)]) -> f64 {
    let sum: f64 = found.iter().map(|(_, distance)| f64::from(*distance)).sum();
    sum / found.len().max(1) as f64
}

impl Comparison for Palette {
    fn compare(
        &self,
        device: &dyn Device,
        rows: &Tensor,
        _: &Drawn,
        k: f64,
    ) -> Result<(f64, Tensor)> {
        let [n, _] = shape(rows);
        let own = colours(&device.download(rows)?);
        let (forth, back) = (nearest(&own, &self.style), nearest(&self.style, &own));
        let (one, other) = (mean(&forth), mean(&back));
        let mut gradient = vec![0.0f32; 3 * n];
        let mut add = |i: usize, j: usize, k: f32| {
            let slope = slope(&own[i], &self.style[j]);
            (0..3).for_each(|c| gradient[3 * i + c] += k * slope[c]);
        };
        match one >= other {
            true => {
                let k = (k / n.max(1) as f64) as f32;
                forth
                    .iter()
                    .enumerate()
                    .for_each(|(i, (j, _))| add(i, *j, k));
            }
            false => {
                let k = (k / back.len().max(1) as f64) as f32;
                back.iter()
                    .enumerate()
                    .for_each(|(j, (i, _))| add(*i, j, k));
            }
        }
        Ok((one.max(other), device.upload(&gradient, &[n, 3])?))
    }
}
