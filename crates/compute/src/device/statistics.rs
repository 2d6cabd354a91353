//! Moments of features under weights, and functions of moments, on which style losses stand, with their gradients.

use super::fallback::{Fallback, REFERENCE};
use super::{Hardware, side};
use crate::{ComputeError, Result, Tensor};

/// The statistics of one layer's features `F` `[c, h·w]` on which style losses stand.
///
/// Moments are sums over pixels, so those of a large picture are the weighted mean of those of its tiles.
/// The same struct carries a loss's gradient towards them; there `second` is taken entry by entry, as if the
/// entries were independent (a loss of a symmetric matrix has a symmetric gradient).
#[derive(Debug)]
pub struct Moments {
    /// Mean of each channel, `[c]`.
    pub mean: Tensor,
    /// Second raw moment `F·Fᵀ/(h·w)`, `[c, c]`.
    pub second: Tensor,
}

impl Moments {
    /// Channels, if both are of as many.
    pub(crate) fn channels(&self, what: &'static str) -> Result<usize> {
        let c = side(what, &self.second)?;
        if *self.mean.shape() == [c] {
            return Ok(c);
        }
        Err(ComputeError::Shape {
            what,
            expected: vec![c],
            got: self.mean.shape().to_vec(),
        })
    }
}

/// Moments of features under weights, and functions of moments with their gradients.
pub trait Statistics: Hardware {
    /// Moments of features `F` `[c, h, w]` in which place `p` counts with a weight `w_p` of at least 0, `[h, w]`:
    /// `μ = Σ w_p·F_p`, `S = Σ w_p·F_p·F_pᵀ`. With weights of `1/(h·w)` they are those of the whole map; other weights that
    /// add up to 1 make them those of a region.
    fn weighted_moments(&self, features: &Tensor, weights: &Tensor) -> Result<Moments> {
        let fallback = Fallback::of(self, "weighted_moments")?;
        let (features, weights) = (fallback.operand(features)?, fallback.operand(weights)?);
        fallback.result(REFERENCE.weighted_moments(&features, &weights)?)
    }

    /// Covariance `S − μ·μᵀ + ridge·I`, `[c, c]`.
    fn covariance(&self, moments: &Moments, ridge: f32) -> Result<Tensor> {
        let fallback = Fallback::of(self, "covariance")?;
        fallback.result(REFERENCE.covariance(&fallback.operand(moments)?, ridge)?)
    }

    /// The gradient towards moments from a symmetric gradient `D` towards their covariance:
    /// `dS = k·D`, `dμ = −2k·D·μ`.
    fn covariance_backward(&self, moments: &Moments, gradient: &Tensor, k: f32) -> Result<Moments> {
        let fallback = Fallback::of(self, "covariance_backward")?;
        let (moments, gradient) = (fallback.operand(moments)?, fallback.operand(gradient)?);
        fallback.result(REFERENCE.covariance_backward(&moments, &gradient, k)?)
    }

    /// Standard deviation of each channel, `√(S_cc − μ_c² + ε)`, `[c]`.
    fn standard_deviation(&self, moments: &Moments, epsilon: f32) -> Result<Tensor> {
        let fallback = Fallback::of(self, "standard_deviation")?;
        fallback.result(REFERENCE.standard_deviation(&fallback.operand(moments)?, epsilon)?)
    }

    /// The gradient towards moments from a gradient `d` `[c]` towards the standard deviation `deviation`:
    /// `dS_cc = d_c / (2σ_c)`, `dμ_c = −d_c·μ_c / σ_c`.
    fn standard_deviation_backward(
        &self,
        moments: &Moments,
        deviation: &Tensor,
        gradient: &Tensor,
    ) -> Result<Moments> {
        let fallback = Fallback::of(self, "standard_deviation_backward")?;
        let moments = fallback.operand(moments)?;
        let (deviation, gradient) = (fallback.operand(deviation)?, fallback.operand(gradient)?);
        fallback.result(REFERENCE.standard_deviation_backward(&moments, &deviation, &gradient)?)
    }
}

/// Channels and size `[c, h, w]` of features, if weights are of that size.
pub(crate) fn weighted(
    what: &'static str,
    features: &Tensor,
    weights: &Tensor,
) -> Result<[usize; 3]> {
    let refuse = |expected: Vec<usize>, got: &Tensor| {
        Err(ComputeError::Shape {
            what,
            expected,
            got: got.shape().to_vec(),
        })
    };
    match (features.shape(), weights.shape()) {
        (&[c, h, w], [height, width]) if (h, w) == (*height, *width) => Ok([c, h, w]),
        (&[_, h, w], _) => refuse(vec![h, w], weights),
        _ => refuse(vec![0, 0, 0], features),
    }
}
