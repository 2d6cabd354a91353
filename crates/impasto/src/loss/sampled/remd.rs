//! Relaxed earth mover's distance: what it takes, at least, to make the places of the picture those of the style.
//!
//! ```text
//! L = max( mean_i min_j D_ij, mean_j min_i D_ij )        D_ij = 1 − x_i·s_j / (‖x_i‖·‖s_j‖)
//! ```
//!
//! The first mean is small if every place is like some of the style, the second if all of the style is somewhere (Kolkin et
//! al. 2019, equation 5, after Kusner et al. 2015). The gradient is that of the greater one.

use super::{Comparison, Drawn, shape};
use impasto_compute::{Device, Result, Tensor};

/// The distance to rows of a style.
#[derive(Debug)]
pub struct Remd {
    /// `[m, c]`, of length 1.
    style: Tensor,
}

impl Remd {
    /// The distance to rows `[m, c]` of a style.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, mut style: Tensor) -> Result<Self> {
        device.normalize_rows(&mut style)?;
        Ok(Self { style })
    }
}

/// Mean of `1 − p`.
fn mean(products: &[f32]) -> f64 {
    let sum: f64 = products
        .iter()
        .map(|&product| 1.0 - f64::from(product))
        .sum();
    sum / products.len().max(1) as f64
}

impl Comparison for Remd {
    fn compare(
        &self,
        device: &dyn Device,
        rows: &Tensor,
        _: &Drawn,
        k: f64,
    ) -> Result<(f64, Tensor)> {
        let ([n, c], [m, _]) = (shape(rows), shape(&self.style));
        let mut own = device.copy(rows)?;
        device.normalize_rows(&mut own)?;
        let [forth, back] = device.nearest_both(&own, &self.style)?;
        let (one, other) = (mean(&forth.products), mean(&back.products));
        if one >= other {
            let k = (k / n.max(1) as f64) as f32;
            let (_, gradient) =
                device.matched_cosine(rows, &self.style, &forth.indices, None, k)?;
            return Ok((one, gradient));
        }
        // Rows of the picture, once for each row of the style that is like them.
        let values = device.download(rows)?;
        let row = |&index: &u32| &values[index as usize * c..(index as usize + 1) * c];
        let taken: Vec<f32> = back.indices.iter().flat_map(row).copied().collect();
        let taken = device.upload(&taken, &[m, c])?;
        let own: Vec<u32> = (0..m as u32).collect();
        let k = (k / m.max(1) as f64) as f32;
        let (_, towards) = device.matched_cosine(&taken, &self.style, &own, None, k)?;
        let towards = device.download(&towards)?;
        let mut gradient = vec![0.0; n * c];
        for (&index, towards) in back.indices.iter().zip(towards.chunks_exact(c.max(1))) {
            let sums = gradient[index as usize * c..].iter_mut().zip(towards);
            sums.for_each(|(sum, value)| *sum += value);
        }
        Ok((other, device.upload(&gradient, &[n, c])?))
    }
}
