//! Content feature structural distance: whether each place of the result is like the same other places of it as in the photo.
//!
//! ```text
//! M = FᵀF / c²        P = softmax of the rows of M        D = Σ_p KL(P of the photo ‖ P of the result)
//! ```
//!
//! `F` `[c, n]` are features at relu3_1 of VGG-19, so `c` is 256, as large as torchvision's; an encoder with heads has their
//! principal components instead, whose products are nearly the same. Source: Chung, Hyun and Heo 2024 (StyleID, CVPR), section 4.1.

use crate::Result;
use crate::loss::columns::grid;
use crate::picture::Picture;
use impasto_compute::{Device, Network, Point, Tap, TapRequest, Tensor};

/// Channels of VGG-19 at the layer.
const CHANNELS: f32 = 256.0;
/// Rows that are worked on at a time.
const ROWS: usize = 256;

/// A network, the layer, and what its features are multiplied by.
type Look<'a> = (&'a dyn Network, Tap, f32);

/// The distance of a result from a photo of its size.
pub(super) fn distance(
    device: &dyn Device,
    look: Look<'_>,
    [photo, result]: [&Picture; 2],
) -> Result<f64> {
    let (photo, result) = (rows(device, look, photo)?, rows(device, look, result)?);
    let n = photo.shape().first().copied().unwrap_or(0);
    let (own, other) = (device.download(&photo)?, device.download(&result)?);
    let width = own.len() / n.max(1);
    let mut sum = 0.0;
    for start in (0..n).step_by(ROWS) {
        let count = ROWS.min(n - start);
        let part = |values: &[f32], all: &Tensor| -> Result<Vec<f32>> {
            let part = &values[start * width..(start + count) * width];
            let part = device.upload(part, &[count, width])?;
            Ok(device.download(&device.product(&part, all)?)?)
        };
        let (own, other) = (part(&own, &photo)?, part(&other, &result)?);
        let pairs = own.chunks_exact(n).zip(other.chunks_exact(n));
        sum += pairs
            .map(|(own, other)| divergence(own, other))
            .sum::<f64>();
    }
    Ok(sum)
}

/// Features at all places as rows, over the channels.
fn rows(device: &dyn Device, (network, tap, unit): Look<'_>, picture: &Picture) -> Result<Tensor> {
    let shape = [3, picture.height(), picture.width()];
    let image = device.upload(picture.rgb(), &shape)?;
    let tape = network.forward(&image, &[TapRequest::features(tap)])?;
    let features = tape.features(tap)?;
    let &[c, height, width] = features.shape() else {
        return Ok(device.zeros(&[0, 0])?);
    };
    let on_map = |place: Point| Point {
        y: (place.y * height.saturating_sub(1) as f32).round(),
        x: (place.x * width.saturating_sub(1) as f32).round(),
    };
    let places: Vec<_> = grid([height, width]).into_iter().map(on_map).collect();
    let mut rows = device.zeros(&[places.len(), c])?;
    device.gather(features, &places, unit / CHANNELS, &mut rows, [0, 0])?;
    Ok(rows)
}

/// Kullback-Leibler divergence of the softmax of some numbers from that of others.
fn divergence(own: &[f32], other: &[f32]) -> f64 {
    let logs = |values: &[f32]| {
        let greatest = values.iter().fold(f32::NEG_INFINITY, |a, &b| a.max(b));
        let sum: f64 = values.iter().map(|&v| f64::from(v - greatest).exp()).sum();
        f64::from(greatest) + sum.ln()
    };
    let (of_own, of_other) = (logs(own), logs(other));
    let pairs = own.iter().zip(other);
    let terms = pairs.map(|(&p, &q)| {
        let (p, q) = (f64::from(p) - of_own, f64::from(q) - of_other);
        p.exp() * (p - q)
    });
    // What is below 0 is rounding.
    terms.sum::<f64>().max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_near};

    /// `KL((¼, ¾) ‖ (½, ½)) = ¼·ln ½ + ¾·ln 3⁄2`, whatever is added to all numbers.
    #[test]
    fn divergence_is_that_of_the_distributions() {
        let wanted = 0.25 * 0.5f64.ln() + 0.75 * 1.5f64.ln();
        let got = divergence(&[100.0, 100.0 + 3f32.ln()], &[-7.0, -7.0]);
        assert_near("divergence", got, wanted, Tolerance::absolute(1e-6));
        assert_eq!(divergence(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
    }
}
