//! The reference device against itself: every gradient is the slope of the value, by central differences in f64.

use super::{features, moments_of};
use impasto_compute::prelude::*;
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{Moments, Reduction, Result, Tensor, TotalVariation};
use impasto_testing::{Tolerance, assert_close, noise};

/// Central differences with this step are right to about its square.
const STEP: f64 = 1e-5;
const TOLERANCE: Tolerance = Tolerance {
    absolute: 1e-7,
    relative: 1e-6,
};

/// Holds a gradient against the differences of `value` in each of its variables.
fn check(case: &str, at: &[f64], gradient: &[f64], value: impl Fn(&[f64]) -> Result<f64>) {
    let slope = |i: usize| {
        let moved = |by: f64| {
            let mut at = at.to_vec();
            at[i] += by;
            value(&at).expect("the reference computes")
        };
        (moved(STEP) - moved(-STEP)) / (2.0 * STEP)
    };
    let slopes: Vec<f64> = (0..at.len()).map(slope).collect();
    assert_close(case, gradient, &slopes, TOLERANCE);
}

fn tensor(values: &[f64], shape: &[usize]) -> Result<Tensor> {
    ReferenceDevice::tensor(values.to_vec(), shape)
}

fn double(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

#[test]
fn total_variation() -> Result<()> {
    let device = ReferenceDevice::new();
    for shape in [[1, 1, 1], [2, 1, 4], [1, 5, 1], [2, 2, 2], [3, 4, 5]] {
        let pixels = double(noise(1, shape.iter().product()));
        for kind in [
            TotalVariation::L1,
            TotalVariation::L2,
            TotalVariation::NinePoint,
        ] {
            for reduction in [Reduction::Mean, Reduction::Sum] {
                let value = |pixels: &[f64]| {
                    let image = tensor(pixels, &shape)?;
                    device
                        .total_variation(&image, kind, reduction, 0.0)?
                        .0
                        .value()
                };
                let image = tensor(&pixels, &shape)?;
                let (_, gradient) = device.total_variation(&image, kind, reduction, 1.0)?;
                let case = format!("{kind:?} {reduction:?} of {shape:?}");
                check(&case, &pixels, ReferenceDevice::values(&gradient)?, value);
            }
        }
    }
    Ok(())
}

#[test]
fn squared_error() -> Result<()> {
    let device = ReferenceDevice::new();
    let (x, t) = (double(noise(2, 12)), tensor(&double(noise(3, 12)), &[12])?);
    let (_, gradient) = device.squared_error(&tensor(&x, &[12])?, &t, 2.0)?;
    check(
        "squared_error",
        &x,
        ReferenceDevice::values(&gradient)?,
        |x| device.squared_error(&tensor(x, &[12])?, &t, 0.0)?.0.value(),
    );
    Ok(())
}

/// Splits `[mean, second]`.
fn moments(values: &[f64], c: usize) -> Result<Moments> {
    Ok(Moments {
        mean: tensor(&values[..c], &[c])?,
        second: tensor(&values[c..], &[c, c])?,
    })
}

fn joined(moments: &Moments) -> Result<Vec<f64>> {
    let mut values = ReferenceDevice::values(&moments.mean)?.to_vec();
    values.extend(ReferenceDevice::values(&moments.second)?);
    Ok(values)
}

#[test]
fn covariance() -> Result<()> {
    let device = ReferenceDevice::new();
    for c in [1, 2, 5] {
        let (mean, second) = moments_of(&features(4, c, 20), c);
        let at = [mean, second].concat();
        let mut slope = double(noise(5, c * c));
        for i in 0..c {
            for j in 0..i {
                slope[i * c + j] = slope[j * c + i];
            }
        }
        let slope = tensor(&slope, &[c, c])?;
        let gradient = device.covariance_backward(&moments(&at, c)?, &slope, 1.5)?;
        check(&format!("{c} channels"), &at, &joined(&gradient)?, |at| {
            let covariance = device.covariance(&moments(at, c)?, 0.25)?;
            Ok(1.5 * device.dot(&covariance, &slope)?.value()?)
        });
    }
    Ok(())
}

#[test]
fn standard_deviation() -> Result<()> {
    let device = ReferenceDevice::new();
    for c in [1, 2, 5] {
        let (mean, second) = moments_of(&features(6, c, 20), c);
        let at = [mean, second].concat();
        let slope = tensor(&double(noise(7, c)), &[c])?;
        let deviation = device.standard_deviation(&moments(&at, c)?, 1e-2)?;
        let gradient = device.standard_deviation_backward(&moments(&at, c)?, &deviation, &slope)?;
        check(&format!("{c} channels"), &at, &joined(&gradient)?, |at| {
            let deviation = device.standard_deviation(&moments(at, c)?, 1e-2)?;
            device.dot(&deviation, &slope)?.value()
        });
    }
    Ok(())
}

/// Through covariance and fidelity to the features themselves, as a style loss goes.
#[test]
fn fidelity() -> Result<()> {
    const N: usize = 17;
    let device = ReferenceDevice::new();
    for c in [1, 2, 5] {
        let of_features = |features: &[f64]| {
            let (mean, second) = moments_of(features, c);
            moments(&[mean, second].concat(), c)
        };
        let target = device.covariance(&of_features(&features(8, c, N))?, 1e-2)?;
        let factor = device.cholesky(&target)?;
        let at = features(11, c, N);
        let seen = of_features(&at)?;
        let covariance = device.covariance(&seen, 1e-2)?;
        let (_, gradient) = device.fidelity(&covariance, &factor)?;
        let towards = device.covariance_backward(&seen, &gradient, 1.0)?;
        let (mean, second) = (
            ReferenceDevice::values(&towards.mean)?,
            ReferenceDevice::values(&towards.second)?,
        );
        // dL/dF = (dS + dSᵀ)·F/n + dμ·1ᵀ/n.
        let value = |k: usize| {
            let (i, pixel) = (k / N, k % N);
            let row = (0..c).map(|j| 2.0 * second[i * c + j] * at[j * N + pixel]);
            (row.sum::<f64>() + mean[i]) / N as f64
        };
        let gradient: Vec<f64> = (0..c * N).map(value).collect();
        check(&format!("{c} channels"), &at, &gradient, |at| {
            let covariance = device.covariance(&of_features(at)?, 1e-2)?;
            device.fidelity(&covariance, &factor)?.0.value()
        });
    }
    Ok(())
}
