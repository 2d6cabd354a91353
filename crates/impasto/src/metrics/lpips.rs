//! Learned perceptual image patch similarity (Zhang, Isola, Efros, Shechtman and Wang 2018), on VGG-16.
//!
//! ```text
//! d = Σ_l 1/(h·w) Σ_p Σ_c w_lc · (x̂_lcp − ŷ_lcp)²        x̂_lp = x_lp / (‖x_lp‖ + 10⁻¹⁰)
//! ```
//!
//! Layers are relu1_2, 2_2, 3_3, 4_3 and 5_3; `w` are weights that were learned from what people said, `lin0` to `lin4` of the
//! authors' file `vgg.pth` (version 0.1).

use crate::encoder::{Encoder, EncoderOptions, LayerName};
use crate::picture::Picture;
use crate::recipe::Problem;
use crate::{Error, Result};
use impasto_compute::{Device, Size, Tap, TapRequest};
use impasto_weights::Checkpoint;
use std::path::Path;

/// The layers, by block and place in it, in the order of the file.
const LAYERS: [(u8, u8); 5] = [(1, 2), (2, 2), (3, 3), (4, 3), (5, 3)];
/// What keeps lengths from 0.
const LEAST: f64 = 1e-10;

/// The distance: a network, and how much each of its features counts.
#[derive(Debug)]
pub struct Lpips {
    encoder: Encoder,
    layers: Vec<(Tap, Vec<f32>)>,
}

impl Lpips {
    /// With a VGG-16 and the authors' file of weights.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a file that cannot be read or does not hold the weights, and for an encoder that lacks the layers.
    pub fn open(encoder: Encoder, weights: &Path) -> Result<Self> {
        let unread = |error: impasto_weights::WeightsError| {
            let name = weights.display();
            Error::Invalid(vec![Problem::new("lpips", name, error.to_string())])
        };
        let file = Checkpoint::open(weights).map_err(unread)?;
        let spec = encoder.spec(&EncoderOptions::default());
        let (mut layers, mut problems) = (Vec::new(), Vec::new());
        for (at, (block, index)) in LAYERS.into_iter().enumerate() {
            let layer = LayerName::Relu { block, index };
            let names = [format!("lin{at}.model.1.weight"), format!("lin{at}.weight")];
            let weights = names.iter().find_map(|name| file.tensors.get(name));
            let (tap, weights) = match (encoder.tap(layer), weights) {
                (Ok(tap), Some(weights)) => (tap, weights.values.clone()),
                (Err(error), _) => {
                    problems.push(Problem::new("lpips", layer, error.to_string()));
                    continue;
                }
                (_, None) => {
                    let allowed = "is not in the file: take the authors' vgg.pth";
                    problems.push(Problem::new("lpips", &names[0], allowed));
                    continue;
                }
            };
            let side = spec.minimum_side(tap)?;
            let (width, height) = (side, side);
            let [channels, ..] = spec.shape_at(tap, Size { width, height })?;
            if weights.len() != channels {
                let allowed = format!("must have {channels} numbers");
                problems.push(Problem::new("lpips", &names[0], allowed));
            }
            layers.push((tap, weights));
        }
        match problems.is_empty() {
            true => Ok(Self { encoder, layers }),
            false => Err(Error::Invalid(problems)),
        }
    }

    /// The distance of two pictures of one size, 0 for the same; `None` of pictures that are too small for the network.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn distance(&self, device: &dyn Device, pictures: [&Picture; 2]) -> Result<Option<f64>> {
        let spec = self.encoder.spec(&EncoderOptions::default());
        let (width, height) = (pictures[0].width(), pictures[0].height());
        for (tap, _) in &self.layers {
            if width.min(height) < spec.minimum_side(*tap)? {
                return Ok(None);
            }
        }
        let network = device.network(&spec)?;
        let requests: Vec<_> = self
            .layers
            .iter()
            .map(|(tap, _)| TapRequest::features(*tap))
            .collect();
        let look = |picture: &Picture| -> Result<Vec<Vec<f32>>> {
            let image = device.upload(picture.rgb(), &[3, height, width])?;
            let tape = network.forward(&image, &requests)?;
            let taps = self.layers.iter();
            taps.map(|(tap, _)| Ok(device.download(tape.features(*tap)?)?))
                .collect()
        };
        let (x, y) = (look(pictures[0])?, look(pictures[1])?);
        let layers = self.layers.iter().zip(x.iter().zip(&y));
        let sum = layers.map(|((_, weights), (x, y))| of_layer(weights, x, y));
        Ok(Some(sum.sum()))
    }
}

/// The distance of what a layer shows of two pictures, `[c, h·w]` each.
fn of_layer(weights: &[f32], x: &[f32], y: &[f32]) -> f64 {
    let places = x.len() / weights.len();
    let lengths = |of: &[f32]| -> Vec<f64> {
        let mut squares = vec![0.0f64; places];
        for plane in of.chunks_exact(places) {
            let pairs = squares.iter_mut().zip(plane);
            pairs.for_each(|(sum, &value)| *sum += f64::from(value).powi(2));
        }
        squares.into_iter().map(|sum| sum.sqrt() + LEAST).collect()
    };
    let (of_x, of_y) = (lengths(x), lengths(y));
    let mut sum = 0.0;
    let planes = x.chunks_exact(places).zip(y.chunks_exact(places));
    for (weight, (x, y)) in weights.iter().zip(planes) {
        for at in 0..places {
            let difference = f64::from(x[at]) / of_x[at] - f64::from(y[at]) / of_y[at];
            sum += f64::from(*weight) * difference.powi(2);
        }
    }
    sum / places as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_near};

    /// Two places, two features: by hand.
    #[test]
    fn a_layer_is_compared_by_directions() {
        let (x, y) = ([3.0, 0.0, 4.0, 1.0], [1.0, 0.0, 0.0, 2.0]);
        // The first place: (.6, .8) and (1, 0); the second: (0, 1) twice.
        let wanted = (2.0 * 0.4f64.powi(2) + 0.5 * 0.8f64.powi(2)) / 2.0;
        let got = of_layer(&[2.0, 0.5], &x, &y);
        assert_near("a layer", got, wanted, Tolerance::relative(1e-6));
        assert_near(
            "the same",
            of_layer(&[2.0, 0.5], &x, &x),
            0.0,
            Tolerance::absolute(1e-12),
        );
    }
}
