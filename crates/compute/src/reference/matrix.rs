//! Functions of square matrices: trace, Cholesky factor, fidelity and its gradient.

use super::{ReferenceDevice, get, put};
use crate::device::{Mixture, same, side};
use crate::{Eigen, MatrixOps, Result, Scalar, Tensor};

impl MatrixOps for ReferenceDevice {
    fn trace(&self, matrix: &Tensor) -> Result<Scalar> {
        let c = side("trace", matrix)?;
        let values = get("trace", matrix)?;
        Ok(Scalar::Ready((0..c).map(|i| values[i * c + i]).sum()))
    }

    fn cholesky(&self, covariance: &Tensor) -> Result<Tensor> {
        let c = side("cholesky", covariance)?;
        Ok(put(
            lower_factor(get("cholesky", covariance)?, c),
            covariance.shape(),
        ))
    }

    /// From the symmetric square root of the target and the eigenvalues of `Σ̂^½ Σ Σ̂^½`.
    fn fidelity(&self, covariance: &Tensor, target_factor: &Tensor) -> Result<(Scalar, Tensor)> {
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

    fn mix_channels(&self, features: &Tensor, matrix: &Tensor, bias: &Tensor) -> Result<Tensor> {
        let Mixture {
            inputs,
            size: [h, w],
            outputs,
        } = Mixture::of(features, matrix, bias)?;
        let what = "mix_channels";
        let (x, bias) = (get(what, features)?, get(what, bias)?);
        let matrix = get(what, matrix)?;
        let pixels = h * w;
        let mut mixed = Vec::with_capacity(outputs * pixels);
        for out in 0..outputs {
            for pixel in 0..pixels {
                let terms = (0..inputs).map(|k| matrix[out * inputs + k] * x[k * pixels + pixel]);
                mixed.push(bias[out] + terms.sum::<f64>());
            }
        }
        Ok(put(mixed, &[outputs, h, w]))
    }

    fn eigen(&self, matrix: &Tensor) -> Result<Eigen> {
        let c = side("eigen", matrix)?;
        let (values, columns) = eigenvectors(get("eigen", matrix)?, c);
        Ok(ordered(&values, &transposed(&columns, c), c))
    }
}

/// Eigenvalues, the greatest first, with their vectors as rows, whose signs do not depend on the way they were found.
pub(crate) fn ordered(values: &[f64], rows: &[f64], c: usize) -> Eigen {
    let mut order: Vec<usize> = (0..c).collect();
    order.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
    let mut vectors = Vec::with_capacity(c * c);
    for &i in &order {
        let row = &rows[i * c..][..c];
        let greatest = row
            .iter()
            .copied()
            .max_by(|x, y| x.abs().total_cmp(&y.abs()));
        let sign = greatest.unwrap_or(1.0).signum();
        vectors.extend(row.iter().map(|v| v * sign));
    }
    Eigen {
        values: order.iter().map(|&i| values[i]).collect(),
        vectors,
    }
}

/// Lower Cholesky factor of a symmetric matrix `[c, c]`; pivots below `1e-13` of the largest diagonal entry
/// are raised to it.
fn lower_factor(matrix: &[f64], c: usize) -> Vec<f64> {
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

/// `V·diag(f(λ))·Vᵀ` and the eigenvalues `λ` of a symmetric matrix.
fn function_of_symmetric(matrix: &[f64], c: usize, f: impl Fn(f64) -> f64) -> (Vec<f64>, Vec<f64>) {
    let (eigenvalues, v) = eigenvectors(matrix, c);
    let scaled: Vec<f64> = (0..c * c).map(|k| v[k] * f(eigenvalues[k % c])).collect();
    (product(&scaled, &transposed(&v, c), c), eigenvalues)
}

/// Eigenvalues `λ` of a symmetric matrix and their vectors as columns, by cyclic Jacobi rotations
/// (Golub and Van Loan, Matrix Computations, algorithm 8.5.3).
fn eigenvectors(matrix: &[f64], c: usize) -> (Vec<f64>, Vec<f64>) {
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
    ((0..c).map(|i| a[i * c + i]).collect(), v)
}
