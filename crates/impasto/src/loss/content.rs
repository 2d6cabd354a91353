//! Content: the features of the picture stay those of the photo.
//!
//! ```text
//! L = mean (F − P)²            dL/dF = 2/N · (F − P)            N = c·h·w
//! ```
//!
//! `F` are the picture's features at a layer, `P` the photo's (Gatys, Ecker and Bethge 2016, equation 1, which has
//! `½ Σ`: a factor of ½ and a sum instead of the mean). Normalised by its target it is divided by the variance of `P` over all entries, so that 1 is what a
//! constant picture would score.

use super::region::Places;
use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use impasto_compute::{Device, Moments, Patch, Result, Size, Tap, Tensor, Window};

/// The content loss at one tap.
#[derive(Debug)]
pub struct ContentLoss {
    view: View,
    target: Tensor,
    /// Its variance over all entries.
    variance: f64,
    /// The roots of the weights of places, by which the target is multiplied already; `None` if all count alike.
    roots: Option<Places>,
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
            roots: None,
        })
    }

    /// The same loss in which each place counts with a weight of its own, 0 to 1, `[h, w]`:
    /// `L = mean w_p·(F_p − P_p)²`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn weighted(mut self, device: &dyn Device, weights: &[f32]) -> Result<Self> {
        let &[_, h, w] = self.target.shape() else {
            return Ok(self);
        };
        let roots: Vec<f32> = weights.iter().map(|weight| weight.sqrt()).collect();
        let (height, width) = (h, w);
        let roots = Places::new(device, roots, Size { width, height })?;
        let (whole, mut slot) = (Window::whole(Size { width, height }), None);
        device.scale_places(&mut self.target, roots.part(device, &whole, &mut slot)?)?;
        self.roots = Some(roots);
        Ok(self)
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
        if let Some(roots) = &self.roots {
            let mut slot = None;
            let roots = roots.part(device, &place, &mut slot)?;
            let mut scaled = device.copy(features)?;
            device.scale_places(&mut scaled, roots)?;
            let (sum, mut gradient) = device.squared_error(&scaled, target, scale.times(2.0))?;
            device.scale_places(&mut gradient, roots)?;
            return Ok((LossValue::of(1.0, sum), vec![Gradient::Tensor(gradient)]));
        }
        let (sum, gradient) = device.squared_error(features, target, scale.times(2.0))?;
        Ok((LossValue::of(1.0, sum), vec![Gradient::Tensor(gradient)]))
    }

    fn is_sum_over_places(&self) -> bool {
        true
    }
}
