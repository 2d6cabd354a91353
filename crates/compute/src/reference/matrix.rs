//! Functions of moments: covariance, Cholesky factor, fidelity and standard deviation, with their gradients.

use super::{get, put, same};
use crate::{ComputeError, Moments, Result, Scalar, Tensor};

/// The side of a square matrix.
pub(super) fn side(what: &'static str, matrix: &Tensor) -> Result<usize> {
    match *matrix.shape() {
        [rows, columns] if rows == columns => Ok(rows),
        _ => Err(ComputeError::Shape {
            what,
            expected: vec![0, 0],
            got: matrix.shape().to_vec(),
        }),
    }
}

/// Mean, second raw moment and channels.
fn parts<'a>(what: &'static str, moments: &'a Moments) -> Result<(&'a [f64], &'a [f64], usize)> {
    let c = side(what, &moments.second)?;
    if *moments.mean.shape() != [c] {
        return Err(ComputeError::Shape {
            what,
            expected: vec![c],
            got: moments.mean.shape().to_vec(),
        });
    }
    Ok((get(what, &moments.mean)?, get(what, &moments.second)?, c))
}

pub(super) fn covariance(moments: &Moments, ridge: f64) -> Result<Tensor> {
    let (mean, second, c) = parts("covariance", moments)?;
    let mut sigma = second.to_vec();
    for i in 0..c {
        for j in 0..c {
            sigma[i * c + j] -= mean[i] * mean[j];
        }
        sigma[i * c + i] += ridge;
    }
    Ok(put(sigma, &[c, c]))
}

pub(super) fn covariance_backward(moments: &Moments, gradient: &Tensor, k: f64) -> Result<Moments> {
    let (mean, _, c) = parts("covariance_backward", moments)?;
    same("covariance_backward", &moments.second, gradient)?;
    let second: Vec<f64> = get("covariance_backward", gradient)?
        .iter()
        .map(|d| k * d)
        .collect();
    let first = (0..c)
        .map(|i| -2.0 * (0..c).map(|j| second[i * c + j] * mean[j]).sum::<f64>())
        .collect();
    Ok(Moments {
        mean: put(first, &[c]),
        second: put(second, &[c, c]),
    })
}

/// Lower Cholesky factor of a symmetric matrix `[c, c]`; pivots below `1e-13` of the largest diagonal entry
/// are raised to it.
pub(super) fn cholesky(matrix: &[f64], c: usize) -> Vec<f64> {
    let largest = (0..c).map(|i| matrix[i * c + i]).fold(0.0, f64::max);
    let floor = (largest * 1e-13).max(f64::MIN_POSITIVE);
    let mut factor = vec![0.0; c * c];
    for j in 0..c {
        for i in j..c {
            let sum: f64 = (0..j).map(|k| factor[i * c + k] * factor[j * c + k]).sum();
            let rest = matrix[i * c + j] - sum;
            factor[i * c + j] = if i == j {
                rest.max(floor).sqrt()
            } else {
                rest / factor[j * c + j]
            };
        }
    }
    factor
}

/// Fidelity from the symmetric square root of the target and the eigenvalues of `Σ̂^½ Σ Σ̂^½`.
pub(super) fn fidelity(covariance: &Tensor, target_factor: &Tensor) -> Result<(Scalar, Tensor)> {
    same("fidelity", covariance, target_factor)?;
    let c = side("fidelity", covariance)?;
    let sigma = get("fidelity", covariance)?;
    let factor = get("fidelity", target_factor)?;
    let target = product(factor, &transposed(factor, c), c);
    let root = function_of_symmetric(&target, c, |value| value.max(0.0).sqrt()).0;
    let inner = product(&product(&root, sigma, c), &root, c);
    let (inverse_root, eigenvalues) = function_of_symmetric(&inner, c, |value| {
        if value > 0.0 { 1.0 / value.sqrt() } else { 0.0 }
    });
    let value = eigenvalues.iter().map(|value| value.max(0.0).sqrt()).sum();
    let mut gradient = product(&product(&root, &inverse_root, c), &root, c);
    gradient.iter_mut().for_each(|g| *g *= 0.5);
    Ok((Scalar::Ready(value), put(gradient, &[c, c])))
}

pub(super) fn standard_deviation(moments: &Moments, epsilon: f64) -> Result<Tensor> {
    let (mean, second, c) = parts("standard_deviation", moments)?;
    let deviation = (0..c)
        .map(|i| {
            (second[i * c + i] - mean[i] * mean[i] + epsilon)
                .max(0.0)
                .sqrt()
        })
        .collect();
    Ok(put(deviation, &[c]))
}

pub(super) fn standard_deviation_backward(
    moments: &Moments,
    deviation: &Tensor,
    gradient: &Tensor,
) -> Result<Moments> {
    let what = "standard_deviation_backward";
    let (mean, _, c) = parts(what, moments)?;
    same(what, &moments.mean, deviation)?;
    same(what, deviation, gradient)?;
    let (deviation, gradient) = (get(what, deviation)?, get(what, gradient)?);
    let (mut first, mut second) = (vec![0.0; c], vec![0.0; c * c]);
    for i in 0..c {
        if deviation[i] > 0.0 {
            first[i] = -gradient[i] * mean[i] / deviation[i];
            second[i * c + i] = gradient[i] / (2.0 * deviation[i]);
        }
    }
    Ok(Moments {
        mean: put(first, &[c]),
        second: put(second, &[c, c]),
    })
}

fn transposed(a: &[f64], c: usize) -> Vec<f64> {
    (0..c * c).map(|k| a[k % c * c + k / c]).collect()
}

fn product(a: &[f64], b: &[f64], c: usize) -> Vec<f64> {
    let mut out = vec![0.0; c * c];
    for i in 0..c {
        for k in 0..c {
            let factor = a[i * c + k];
            for j in 0..c {
                out[i * c + j] += factor * b[k * c + j];
            }
        }
    }
    out
}

/// `V·diag(f(λ))·Vᵀ` and the eigenvalues `λ` of a symmetric matrix, by cyclic Jacobi rotations
/// (Golub and Van Loan, Matrix Computations, algorithm 8.5.3).
fn function_of_symmetric(matrix: &[f64], c: usize, f: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>) {
    const SWEEPS: usize = 60;
    let mut a = matrix.to_vec();
    let mut v = vec![0.0; c * c];
    for i in 0..c {
        v[i * c + i] = 1.0;
    }
    let norm: f64 = a.iter().map(|x| x * x).sum();
    for _ in 0..SWEEPS {
        let off: f64 = (0..c * c)
            .filter(|k| k / c != k % c)
            .map(|k| a[k] * a[k])
            .sum();
        if off <= norm * 1e-30 {
            break;
        }
        for p in 0..c {
            for q in p + 1..c {
                if a[p * c + q] == 0.0 {
                    continue;
                }
                let theta = (a[q * c + q] - a[p * c + p]) / (2.0 * a[p * c + q]);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let t = if theta == 0.0 { 1.0 } else { t };
                let cos = 1.0 / (t * t + 1.0).sqrt();
                let sin = t * cos;
                for k in 0..c {
                    let (x, y) = (a[k * c + p], a[k * c + q]);
                    a[k * c + p] = cos * x - sin * y;
                    a[k * c + q] = sin * x + cos * y;
                }
                for k in 0..c {
                    let (x, y) = (a[p * c + k], a[q * c + k]);
                    a[p * c + k] = cos * x - sin * y;
                    a[q * c + k] = sin * x + cos * y;
                    let (x, y) = (v[k * c + p], v[k * c + q]);
                    v[k * c + p] = cos * x - sin * y;
                    v[k * c + q] = sin * x + cos * y;
                }
            }
        }
    }
    let eigenvalues: Vec<f64> = (0..c).map(|i| a[i * c + i]).collect();
    let scaled: Vec<f64> = (0..c * c).map(|k| v[k] * f(eigenvalues[k % c])).collect();
    (product(&scaled, &transposed(&v, c), c), eigenvalues)
}
