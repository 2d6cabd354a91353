//! Content: the features of the picture stay those of the photo.
//!
//! ```text
//! L = mean (F − P)²            dL/dF = 2/N · (F − P)            N = c·h·w
//! ```
//!
//! `F` are the picture's features at a layer, `P` the photo's (Gatys, Ecker and Bethge 2016, equation 1, which has
//! `½ Σ`: a factor of ½ and a sum instead of the mean). Normalised by its target it is divided by the variance of `P` over all entries, so that 1 is what a
//! constant picture would score.

use super::{Gradient, Loss, LossValue, Scaling, Seen, View};
use impasto_compute::{Device, Moments, Patch, Result, Tap, Tensor, Window};

/// The content loss at one tap.
#[derive(Debug)]
pub struct ContentLoss {
    tap: Tap,
    target: Tensor,
    factor: f64,
    scaling: Scaling,
}

impl ContentLoss {
    /// The loss towards a photo's features `[c, h, w]`, whose moments give their variance.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(
        device: &dyn Device,
        tap: Tap,
        target: Tensor,
        moments: &Moments,
        scaling: Scaling,
    ) -> Result<Self> {
        let (mean, second) = (
            device.download(&moments.mean)?,
            device.download(&moments.second)?,
        );
        let c = mean.len();
        let average = mean.iter().map(|&m| f64::from(m)).sum::<f64>() / c as f64;
        let square = (0..c).map(|i| f64::from(second[i * c + i])).sum::<f64>() / c as f64;
        let factor = scaling.factor(target.len(), square - average * average);
        Ok(Self {
            tap,
            target,
            factor,
            scaling,
        })
    }
}

impl Loss for ContentLoss {
    fn view(&self) -> View {
        View::Features(self.tap)
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: Seen<'_>,
        weight: f32,
    ) -> Result<(LossValue, Gradient)> {
        let slope = (2.0 * f64::from(weight) * self.factor) as f32;
        let (sum, gradient) = device.squared_error(seen.tensor()?, &self.target, slope)?;
        let value = LossValue {
            parts: vec![(self.factor, sum)],
            ..LossValue::default()
        };
        self.scaling
            .finish(device, value, Gradient::Tensor(gradient), weight)
    }

    fn in_parts(&self) -> Option<Scaling> {
        Some(self.scaling)
    }

    fn evaluate_part(
        &self,
        device: &dyn Device,
        features: &Tensor,
        place: &Window,
        weight: f32,
    ) -> Result<(LossValue, Tensor)> {
        let mut target = device.zeros(features.shape())?;
        let patch = Patch {
            from: *place,
            to: (0, 0),
        };
        device.paste(&self.target, &patch, 0.0, &mut target)?;
        let slope = (2.0 * f64::from(weight) * self.factor) as f32;
        let (sum, gradient) = device.squared_error(features, &target, slope)?;
        let value = LossValue {
            parts: vec![(self.factor, sum)],
            ..LossValue::default()
        };
        Ok((value, gradient))
    }
}
