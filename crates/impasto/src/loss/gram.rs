//! Style as Gram matrices: which features occur together, wherever they are.
//!
//! ```text
//! G = F·Fᵀ / norm = k·S        k = n/norm,  S = F·Fᵀ/n,  n = h·w
//! L = mean (G − A)²            dL/dS = 2k²/c² · (S − A/k)
//! ```
//!
//! `A` is the painting's Gram matrix, each normalised by its own number of pixels (Gatys, Ecker and Bethge 2016,
//! equations 3–5; the normalisations are those of [`GramNorm`]). Normalised by its target it is divided by the mean
//! of `A²`. Several paintings have the weighted mean of their matrices.

use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use impasto_compute::{Device, Moments, Result, Tap, Tensor};

/// What a Gram matrix `F·Fᵀ` of features `[c, h·w]` is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GramNorm {
    /// Nothing.
    None,
    /// `h·w` (TensorFlow's tutorial).
    Hw,
    /// `c·h·w` (Johnson et al. 2016, PyTorch's tutorial).
    Chw,
    /// `2·c·h·w`, so that the sum of squared differences is Gatys' `1/(4N²M²)·Σ(G−A)²` (2016, equation 4).
    Gatys,
}

impl GramNorm {
    /// `k` of `G = k·S`, for features of `channels` and `pixels`.
    pub(crate) fn factor(self, channels: f64, pixels: f64) -> f64 {
        match self {
            GramNorm::None => pixels,
            GramNorm::Hw => 1.0,
            GramNorm::Chw => 1.0 / channels,
            GramNorm::Gatys => 0.5 / channels,
        }
    }
}

/// The Gram loss at one tap.
#[derive(Debug)]
pub struct GramLoss {
    view: View,
    /// `A/k`, `[c, c]`.
    target: Tensor,
    /// Zeros `[c]`: the gradient towards the mean.
    mean: Tensor,
    /// `k²`.
    square: f64,
    /// The mean of `A²`.
    size: f64,
}

/// What a painting shows at one tap: moments, the pixels they were taken over, and how much it counts.
#[derive(Clone, Copy, Debug)]
pub struct StyleMoments<'a> {
    /// Mean and second moment.
    pub moments: &'a Moments,
    /// `h·w` of the features.
    pub pixels: usize,
    /// Share among the styles; the shares add up to 1.
    pub share: f32,
}

impl GramLoss {
    /// The loss towards the mean Gram matrix of some paintings, for pictures with `pixels` places at this tap.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(
        device: &dyn Device,
        tap: Tap,
        styles: &[StyleMoments<'_>],
        pixels: usize,
        norm: GramNorm,
    ) -> Result<Self> {
        let (mean, shape) = (&styles[0].moments.mean, styles[0].moments.second.shape());
        let channels = mean.len();
        let of = |pixels: usize| norm.factor(channels as f64, pixels as f64);
        let k = of(pixels);
        let mut target = device.upload(&vec![0.0; channels * channels], shape)?;
        for style in styles {
            let factor = f64::from(style.share) * of(style.pixels) / k;
            device.axpby(factor as f32, &style.moments.second, 1.0, &mut target)?;
        }
        // |A|² = k²·|A/k|²
        let entries = channels * channels;
        let size = k * k * device.dot(&target, &target)?.value()? / entries as f64;
        let mean = device.upload(&vec![0.0; channels], mean.shape())?;
        Ok(Self {
            view: View::Moments(tap),
            target,
            mean,
            square: k * k,
            size,
        })
    }
}

impl Loss for GramLoss {
    fn views(&self) -> &[View] {
        std::slice::from_ref(&self.view)
    }

    fn extent(&self) -> Extent {
        Extent {
            entries: self.target.len(),
            target: self.size,
        }
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)> {
        let moments = Seen::only(seen)?.moments()?;
        let slope = scale.times(2.0 * self.square);
        let (sum, second) = device.squared_error(&moments.second, &self.target, slope)?;
        let mean = device.copy(&self.mean)?;
        let gradient = Gradient::Moments(Moments { mean, second });
        Ok((LossValue::of(self.square, sum), vec![gradient]))
    }
}
