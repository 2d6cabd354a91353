//! Whitening and colouring by eigenvectors, with the thresholds of published programs, for parity with them.

use crate::recipe::Transform;

/// What a program adds to variances, and which eigenvalues it drops.
struct Rule {
    /// Added to the content's variances.
    content_ridge: f64,
    /// Added to the style's variances.
    style_ridge: f64,
    /// Eigenvalues up to this are dropped.
    least: f64,
}

impl Rule {
    fn of(program: Transform) -> Self {
        let (content_ridge, style_ridge, least) = match program {
            Transform::Transport | Transform::Lua => (0.0, 0.0, 1e-5),
            Transform::Pytorch => (1.0, 0.0, 1e-5),
            Transform::Tf => (1e-8, 1e-8, 1e-5),
            Transform::Distilled => (0.0, 0.0, 1e-100),
        };
        Self {
            content_ridge,
            style_ridge,
            least,
        }
    }
}

/// `S^½ · C^−½` of covariances `[c, c]` (Li et al. 2017, equations 1 and 2).
pub(super) fn matrix(content: &[f64], style: &[f64], c: usize, program: Transform) -> Vec<f64> {
    let rule = Rule::of(program);
    let whitening = power(content, c, rule.content_ridge, rule.least, -0.5);
    let colouring = power(style, c, rule.style_ridge, rule.least, 0.5);
    product(&colouring, &whitening, c)
}

/// A power of a symmetric matrix, on the eigenvectors whose eigenvalues are large enough.
fn power(matrix: &[f64], c: usize, ridge: f64, least: f64, exponent: f64) -> Vec<f64> {
    let mut matrix = matrix.to_vec();
    (0..c).for_each(|i| matrix[i * c + i] += ridge);
    let (values, vectors) = symmetric(&matrix, c);
    let mut result = vec![0.0; c * c];
    for (value, vector) in values.iter().zip(vectors.chunks_exact(c.max(1))) {
        if value.is_nan() || *value <= least {
            continue;
        }
        let factor = value.powf(exponent);
        for (row, &x) in result.chunks_exact_mut(c).zip(vector) {
            let x = factor * x;
            row.iter_mut()
                .zip(vector)
                .for_each(|(sum, y)| *sum += x * y);
        }
    }
    result
}

fn product(a: &[f64], b: &[f64], c: usize) -> Vec<f64> {
    let mut result = vec![0.0; c * c];
    for (row, out) in a
        .chunks_exact(c.max(1))
        .zip(result.chunks_exact_mut(c.max(1)))
    {
        for (&x, other) in row.iter().zip(b.chunks_exact(c)) {
            out.iter_mut().zip(other).for_each(|(sum, y)| *sum += x * y);
        }
    }
    result
}

/// Sweeps after which rotations are given up; ten are usual.
const SWEEPS: usize = 60;

/// Eigenvalues of a symmetric matrix `[n, n]`, and their eigenvectors as rows: cyclic Jacobi rotations (Golub and Van
/// Loan, Matrix Computations, section 8.5), slow and exact.
fn symmetric(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    let whole: f64 = a.iter().map(|v| v * v).sum();
    for _ in 0..SWEEPS {
        let beside: f64 = (0..n)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| 2.0 * a[i * n + j] * a[i * n + j])
            .sum();
        // A matrix that holds no numbers ends here, too.
        if beside.is_nan() || beside <= 1e-26 * whole {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                rotate(&mut a, &mut vectors, n, p, q);
            }
        }
    }
    ((0..n).map(|i| a[i * n + i]).collect(), vectors)
}

/// The rotation that makes the entry of `p` and `q` zero.
fn rotate(a: &mut [f64], vectors: &mut [f64], n: usize, p: usize, q: usize) {
    let apq = a[p * n + q];
    if apq == 0.0 {
        return;
    }
    let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
    let sign = if theta < 0.0 { -1.0 } else { 1.0 };
    let t = sign / (theta.abs() + (theta * theta + 1.0).sqrt());
    let c = 1.0 / (t * t + 1.0).sqrt();
    let s = t * c;
    rotate_rows(a, n, (p, q), (c, s));
    for row in a.chunks_exact_mut(n) {
        (row[p], row[q]) = (c * row[p] - s * row[q], s * row[p] + c * row[q]);
    }
    rotate_rows(vectors, n, (p, q), (c, s));
}

/// Rows `p < q` turned into `c·p − s·q` and `s·p + c·q`.
fn rotate_rows(a: &mut [f64], n: usize, (p, q): (usize, usize), (c, s): (f64, f64)) {
    let (front, back) = a.split_at_mut(q * n);
    let (p, q) = (&mut front[p * n..][..n], &mut back[..n]);
    for (x, y) in p.iter_mut().zip(q) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Numbers, Tolerance, assert_close};

    fn covariance(seed: u64, c: usize, n: usize) -> Vec<f64> {
        let mut numbers = Numbers(seed);
        let f: Vec<f64> = (0..c * n).map(|_| numbers.fine()).collect();
        let entry = |k: usize| {
            (0..n)
                .map(|x| f[k / c * n + x] * f[k % c * n + x])
                .sum::<f64>()
        };
        (0..c * c).map(entry).collect()
    }

    #[test]
    fn eigenvectors_give_the_matrix_back() {
        for c in [1, 2, 7, 24] {
            let a = covariance(3, c, 40);
            let (values, vectors) = symmetric(&a, c);
            let again = (0..c * c).map(|k| {
                let (i, j) = (k / c, k % c);
                (0..c)
                    .map(|e| values[e] * vectors[e * c + i] * vectors[e * c + j])
                    .sum()
            });
            let again: Vec<f64> = again.collect();
            assert_close("V·Λ·Vᵀ", &again, &a, Tolerance::of_greatest(1e-12, &a));
        }
    }

    /// Of W = S^½·C^−½, W·C·Wᵀ is S.
    #[test]
    fn whitened_and_coloured_features_have_the_covariance_of_the_style() {
        let c = 12;
        let (content, style) = (covariance(1, c, 60), covariance(2, c, 50));
        let w = matrix(&content, &style, c, Transform::Lua);
        let transposed: Vec<f64> = (0..c * c).map(|k| w[k % c * c + k / c]).collect();
        let got = product(&product(&w, &content, c), &transposed, c);
        assert_close(
            "W·C·Wᵀ",
            &got,
            &style,
            Tolerance::of_greatest(1e-10, &style),
        );
    }

    #[test]
    fn numbers_that_are_none_end() {
        let (values, _) = symmetric(&[f64::NAN; 9], 3);
        assert_eq!(values.len(), 3);
    }
}
