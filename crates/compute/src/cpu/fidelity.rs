//! Fidelity, the heart of the Wasserstein loss, and its gradient, without eigenvectors.
//!
//! For any factors `F·Fᵀ = Σ` and `F̂·F̂ᵀ = Σ̂` the fidelity is the nuclear norm of one matrix, and what it needs of
//! that matrix is its orthogonal polar factor (Bhatia, Jain and Lim, *On the Bures–Wasserstein distance between
//! positive definite matrices*, Expositiones Mathematicae 37, 2019):
//!
//! ```text
//! M = Fᵀ·F̂ = U·H        tr (Σ̂^½ Σ Σ̂^½)^½ = tr H = Σ U∘M        gradient = ½·F⁻ᵀ·U·F̂ᵀ, symmetric
//! ```
//!
//! 1. `F` by Cholesky with pivoting, [`Factor`]; rounding of f32 in a singular `Σ` is cut off there.
//! 2. One step of Newton's iteration for the polar factor, `X = ½·(M/‖M‖ + N/‖N‖)` with `N = M⁻ᵀ = F⁻¹·F̂⁻ᵀ`
//!    (Higham, *Functions of Matrices*, sections 8.3 and 8.6, scaled by Frobenius norms). It is nearly free, because both
//!    factors are triangular, and it is what makes f32 enough: singular values that differ by a factor of 10⁶
//!    differ by 10³ after it, small ones come from `N`, in which they are the large ones, and there is a lower bound to
//!    all of them.
//! 3. Polynomials take `X` to `U`, [`orthogonalise`].
//!
//! All that is heavy are products in f32: about fifteen of full size for a picture and a painting, a few more where
//! covariances are nearly singular. Nothing is kept between calls.
//!
//! **Accuracy**, greatest found over five pairs of photos and paintings, against eigenvectors in f64 of moments in f64;
//! VGG-19, ranges of caffe (features up to 10³), ridge 10⁻⁴. Errors of the value relative to `tr Σ`; of the gradient
//! towards features `G·(F − μ)`, greatest over greatest and in the mean square:
//!
//! | layer | channels | pixels | value | greatest | mean square |
//! |---|---|---|---|---|---|
//! | relu1_1 | 64 | 2752 … 36864 | 3e-7 | 8e-5 | 4e-5 |
//! | relu2_1 | 128 | 672 … 9216 | 7e-7 | 8e-4 | 7e-5 |
//! | relu3_1 | 256 | 480 … 2304 | 6e-7 | 3e-4 | 1e-4 |
//! | relu3_1 and relu3_4 together | 512 | 672 … 2304 | 1e-6 | 2e-4 | 9e-5 |
//! | the same, singular | 512 | 160, 480 | 2e-5 | 2e-2 | 1e-2 |
//! | random filters on relu3_4, singular | 512 | 40 … 576 | 8e-4 | 5e-2 | 2e-2 |
//!
//! The greatest errors at relu2_1 and relu3_1 are in channels that are nearly dead in one of the pictures, which the
//! floor of the factor holds up. Singular covariances are those of fewer pixels than channels, or hardly more: there,
//! nothing that starts from moments in f32 does much better; eigenvectors in f64 of covariances that were summed in
//! f32 err by 1e-2 and 4e-3.

use super::Context;
use super::array::{get, put, same};
use super::chunks::{CHUNK, each};
use super::factor::{Covariance, Factor};
use super::polar::orthogonalise;
use super::simd::LANES;
use super::square::{Shape, Square};
use crate::device::side;
use crate::{Result, Scalar, Tensor};

/// Side up to which a fidelity costs less than waking the device's threads.
const ALONE: usize = 64;

/// Powers of two that bring a covariance to about 1, and its factor with it: what f32 can hold has its fidelity.
#[derive(Clone, Copy)]
struct Scale {
    exponent: i32,
}

impl Scale {
    fn of(greatest_variance: f64) -> Self {
        let exponent = (greatest_variance.log2() / 2.0).floor().clamp(-62.0, 62.0);
        Self {
            exponent: exponent as i32,
        }
    }

    /// By which the covariance is multiplied.
    fn covariance(self) -> f32 {
        2.0_f32.powi(-2 * self.exponent)
    }

    /// By which its factor is multiplied.
    fn factor(self) -> f32 {
        2.0_f32.powi(-self.exponent)
    }

    /// By which a factor is multiplied to undo that.
    fn undo(self) -> f64 {
        2.0_f64.powi(self.exponent)
    }
}

/// Runs `work` on the device's threads if the side is one for which they are woken.
fn on_threads<R: Send>(context: &Context, c: usize, work: impl FnOnce() -> R + Send) -> R {
    if c <= ALONE {
        work()
    } else {
        context.threads.install(work)
    }
}

pub(super) fn cholesky(context: &Context, covariance: &Tensor) -> Result<Tensor> {
    let c = side("cholesky", covariance)?;
    let sigma = Covariance::new(get("cholesky", covariance)?, c);
    let scale = Scale::of(f64::from(sigma.greatest()));
    let sigma = sigma.scaled(scale.covariance());
    let factor = on_threads(context, c, || Factor::of(context, sigma))?;
    let mut values = context.pool.take(c * c)?;
    factor.write(&mut values, scale.undo() as f32);
    Ok(put(values, covariance.shape()))
}

pub(super) fn fidelity(
    context: &Context,
    covariance: &Tensor,
    target_factor: &Tensor,
) -> Result<(Scalar, Tensor)> {
    same("fidelity", covariance, target_factor)?;
    let c = side("fidelity", covariance)?;
    let sigma = Covariance::new(get("fidelity", covariance)?, c);
    let target = get("fidelity", target_factor)?;
    let mut gradient = context.pool.take(c * c)?;
    let greatest = f64::from(sigma.greatest());
    let target_greatest = greatest_variance(target, c);
    let value = if greatest == 0.0 || target_greatest == 0.0 {
        gradient.fill(0.0);
        0.0
    } else if (greatest * target_greatest).is_finite() {
        let pair = Pair {
            context,
            sigma,
            target,
            scale: Scale::of(greatest),
            target_scale: Scale::of(target_greatest),
        };
        on_threads(context, c, || pair.fidelity(&mut gradient))?
    } else {
        gradient.fill(f32::NAN);
        f64::NAN
    };
    Ok((Scalar::Ready(value), put(gradient, covariance.shape())))
}

/// The greatest variance of the covariance that has this factor; not a number if one of them is none.
fn greatest_variance(factor: &[f32], c: usize) -> f64 {
    let variance = |row: &[f32]| row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
    let rows = factor.chunks_exact(c.max(1)).map(variance);
    rows.fold(0.0, |max, v| if v > max || v.is_nan() { v } else { max })
}

/// What fidelity is computed of, neither zero nor infinite.
struct Pair<'a> {
    context: &'a Context,
    sigma: Covariance<'a>,
    target: &'a [f32],
    scale: Scale,
    target_scale: Scale,
}

impl Pair<'_> {
    /// Writes the gradient and returns the value.
    fn fidelity(&self, gradient: &mut [f32]) -> Result<f64> {
        let context = self.context;
        let own = Factor::of(context, self.sigma.scaled(self.scale.covariance()))?;
        let target = self.target_factor()?;
        let side = own.lower.side();
        let mut left = Square::take(context, side)?;
        let mut right = Square::take(context, side)?;

        // M = FᵀF̂. The channels over which the product sums come in the order of F, so that F is triangular.
        let places = target.places();
        let place = |k: usize| own.order.get(k).map(|&channel| places[channel]);
        let reordered = |matrix: &Square, k: usize, panel: usize| match place(k) {
            Some(row) => matrix.lanes()[panel * side + row],
            None => [0.0; LANES],
        };
        left.fill(context, |i, j| own.lower.transposed(i, j));
        right.fill_rows(|k, panel| reordered(&target.lower, k, panel));
        let mut m = Square::take(context, side)?;
        m.product(context, &left, &right, Shape::LeftUpper);

        // N = M⁻ᵀ = F⁻¹·F̂⁻ᵀ.
        let own_inverse = own.inverse(context)?;
        let target_inverse = target.inverse(context)?;
        left.fill(context, |i, j| target_inverse.transposed(i, j));
        right.fill_rows(|k, panel| reordered(&left, k, panel));
        let mut n = target_inverse;
        n.product(context, &own_inverse, &right, Shape::LeftLower);

        // X = ½·(M/‖M‖ + N/‖N‖), then U.
        let norms = [m.norm(context), n.norm(context)];
        let [half_m, half_n] = norms.map(|norm| (0.5 / norm) as f32);
        let mut x = left;
        x.fill_rows(|i, panel| {
            let index = panel * side + i;
            let (m, n) = (&m.lanes()[index], &n.lanes()[index]);
            std::array::from_fn(|lane| half_m * m[lane] + half_n * n[lane])
        });
        orthogonalise(context, &mut x, 1.0 / (norms[0] * norms[1]).sqrt())?;
        let value = x.dot(context, &m);

        // Z = F⁻ᵀ·U·F̂ᵀ in the orders of F and F̂.
        let [mut product, mut transposed] = [m, n];
        transposed.fill(context, |i, j| target.lower.transposed(i, j));
        product.product(context, &x, &transposed, Shape::RightUpper);
        transposed.fill(context, |i, j| own_inverse.transposed(i, j));
        x.product(context, &transposed, &product, Shape::LeftUpper);
        let (undo, target_undo) = (self.scale.undo(), self.target_scale.undo());
        let quarter = (0.25 * target_undo / undo) as f32;
        self.write(&x, &own.places(), &places, quarter, gradient);
        Ok(value * undo * target_undo)
    }

    /// The factor of the target: as it was given, or of the covariance that it gives.
    fn target_factor(&self) -> Result<Factor> {
        let (c, scale) = (self.sigma.side(), self.target_scale);
        if let Some(factor) = Factor::read(self.context, self.target, c, scale.factor())? {
            return Ok(factor);
        }
        let mut covariance = self.context.pool.take(c * c)?;
        for (i, row) in covariance.chunks_exact_mut(c).enumerate() {
            for (j, value) in row.iter_mut().enumerate() {
                let [a, b] = [i, j].map(|i| &self.target[i * c..][..c]);
                let sum: f64 = a
                    .iter()
                    .zip(b)
                    .map(|(a, b)| f64::from(*a) * f64::from(*b))
                    .sum();
                *value = (sum * f64::from(scale.covariance())) as f32;
            }
        }
        Factor::of(self.context, Covariance::new(&covariance, c))
    }

    /// Writes `k·(Z + Zᵀ)` in the order of the channels.
    fn write(
        &self,
        z: &Square,
        places: &[usize],
        target_places: &[usize],
        k: f32,
        gradient: &mut [f32],
    ) {
        let c = places.len();
        let rows = (CHUNK / c).max(1);
        let pieces = gradient.chunks_mut(rows * c).enumerate().collect();
        each(
            self.context,
            pieces,
            |(piece, values): (usize, &mut [f32])| {
                for (i, row) in values.chunks_exact_mut(c).enumerate() {
                    let i = piece * rows + i;
                    for (j, value) in row.iter_mut().enumerate() {
                        let there = z.at(places[i], target_places[j]);
                        let back = z.at(places[j], target_places[i]);
                        *value = k * (there + back);
                    }
                }
            },
        );
    }
}
