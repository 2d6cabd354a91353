//! Content: the features of the picture stay those of the photo.
//!
//! ```text
//! L = mean (F − P)²            dL/dF = 2/N · (F − P)            N = c·h·w
//! ```
//!
//! `F` are the picture's features at a layer, `P` the photo's (Gatys, Ecker and Bethge 2016, equation 1, which has
//! `½ Σ`: a factor of ½ and a sum instead of the mean). Normalised by its target it is divided by the variance of `P` over all entries, so that 1 is what a
//! constant picture would score.

use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use impasto_compute::{Device, Moments, Patch, Result, Tap, Tensor};

/// The content loss at one tap.
#[derive(Debug)]
pub struct ContentLoss {
    view: View,
    target: Tensor,
    /// Its variance over all entries.
    variance: f64,
}

impl ContentLoss {
    /// The loss towards a photo's features `[c, h, w]`, whose moments give their variance.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, tap: Tap, target: Tensor, moments: &Moments) -> Result<Self> {
        let (mean, second) = (
            device.download(&moments.mean)?,
            device.download(&moments.second)?,
        );
        let c = mean.len();
        let average = mean.iter().map(|&m| f64::from(m)).sum::<f64>() / c as f64;
        let square = (0..c).map(|i| f64::from(second[i * c + i])).sum::<f64>() / c as f64;
        Ok(Self {
            view: View::Features(tap),
            target,
            variance: square - average * average,
        })
    }
}

impl Loss for ContentLoss {
    fn views(&self) -> &[View] {
        std::slice::from_ref(&self.view)
    }

    fn extent(&self) -> Extent {
        Extent {
            entries: self.target.len(),
            target: self.variance,
        }
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)> {
        let (features, place) = Seen::only(seen)?.features()?;
        let mut part = None;
        if features.shape() != self.target.shape() {
            let part = part.insert(device.zeros(features.shape())?);
            let patch = Patch {
                from: place,
                to: (0, 0),
            };
            device.paste(&self.target, &patch, 0.0, part)?;
        }
        let target = part.as_ref().unwrap_or(&self.target);
        let (sum, gradient) = device.squared_error(features, target, scale.times(2.0))?;
        Ok((LossValue::of(1.0, sum), vec![Gradient::Tensor(gradient)]))
    }

    fn is_sum_over_places(&self) -> bool {
        true
    }
}
