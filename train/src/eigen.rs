//! Small dense linear algebra in f64: eigenvectors of symmetric matrices, and least squares by Cholesky.
//!
//! Eigenvectors by cyclic Jacobi rotations (Golub and Van Loan, Matrix Computations, section 8.5): slow, exact, and 256
//! channels are the most there are.

/// Eigenvalues, the greatest first, and their eigenvectors as rows `[n, n]`, of a symmetric matrix `[n, n]`.
pub fn symmetric(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut a = matrix.to_vec();
    let mut vectors = vec![0.0; n * n];
    (0..n).for_each(|i| vectors[i * n + i] = 1.0);
    let whole: f64 = a.iter().map(|v| v * v).sum();
    for _ in 0..60 {
        let beside: f64 = (0..n)
            .flat_map(|i| (0..i).map(move |j| (i, j)))
            .map(|(i, j)| 2.0 * a[i * n + j] * a[i * n + j])
            .sum();
        if beside <= 1e-24 * whole {
            break;
        }
        for p in 0..n {
            for q in p + 1..n {
                let apq = a[p * n + q];
                if apq == 0.0 {
                    continue;
                }
                let theta = (a[q * n + q] - a[p * n + p]) / (2.0 * apq);
                let t = theta.signum() / (theta.abs() + (theta * theta + 1.0).sqrt());
                let t = if theta == 0.0 { 1.0 } else { t };
                let c = 1.0 / (t * t + 1.0).sqrt();
                let s = t * c;
                rotate_rows(&mut a, n, (p, q), (c, s));
                for row in a.chunks_exact_mut(n) {
                    let (x, y) = (row[p], row[q]);
                    (row[p], row[q]) = (c * x - s * y, s * x + c * y);
                }
                rotate_rows(&mut vectors, n, (p, q), (c, s));
            }
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| a[j * n + j].total_cmp(&a[i * n + i]));
    let values = order.iter().map(|&i| a[i * n + i]).collect();
    let rows = order.iter().flat_map(|&i| {
        let row = &vectors[i * n..(i + 1) * n];
        // The sign of an eigenvector is free; this one does not depend on the way it was found.
        let greatest = row
            .iter()
            .copied()
            .max_by(|x, y| x.abs().total_cmp(&y.abs()));
        let sign = greatest.unwrap_or(1.0).signum();
        row.iter().map(move |v| v * sign)
    });
    (values, rows.collect())
}

/// Rows p and q turned into `c·p − s·q` and `s·p + c·q`.
fn rotate_rows(a: &mut [f64], n: usize, (p, q): (usize, usize), (c, s): (f64, f64)) {
    let (front, back) = a.split_at_mut(q * n);
    let (p, q) = (&mut front[p * n..(p + 1) * n], &mut back[..n]);
    for (x, y) in p.iter_mut().zip(q) {
        (*x, *y) = (c * *x - s * *y, s * *x + c * *y);
    }
}

/// Solves `W·A = B` for `W` `[k, n]`, with `A` `[n, n]` symmetric, and positive once `ridge` times its mean diagonal is
/// added to its diagonal; `B` is `[k, n]`.
pub fn solve(a: &[f64], b: &[f64], n: usize, ridge: f64) -> Vec<f64> {
    let mean = (0..n).map(|i| a[i * n + i]).sum::<f64>() / n as f64;
    let ridge = ridge * mean + f64::MIN_POSITIVE;
    // L·Lᵀ = A, row by row.
    let mut l = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let known: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let left = a[i * n + j] - known + if i == j { ridge } else { 0.0 };
            l[i * n + j] = if i == j {
                left.max(ridge).sqrt()
            } else {
                left / l[j * n + j]
            };
        }
    }
    let mut w = b.to_vec();
    for row in w.chunks_exact_mut(n) {
        for i in 0..n {
            let known: f64 = (0..i).map(|k| l[i * n + k] * row[k]).sum();
            row[i] = (row[i] - known) / l[i * n + i];
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|k| l[k * n + i] * row[k]).sum();
            row[i] = (row[i] - known) / l[i * n + i];
        }
    }
    w
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A symmetric positive matrix.
    fn matrix(n: usize) -> Vec<f64> {
        let f: Vec<f64> = (0..n * (n + 3))
            .map(|i| ((i * i * 7 + i) % 23) as f64 / 23.0 - 0.4)
            .collect();
        let row = |i: usize| &f[i * (n + 3)..(i + 1) * (n + 3)];
        let dot = |i, j| row(i).iter().zip(row(j)).map(|(x, y)| x * y).sum::<f64>();
        (0..n * n).map(|i| dot(i / n, i % n)).collect()
    }

    #[test]
    fn eigenvectors_rebuild_the_matrix_and_are_orthonormal() {
        for n in [1, 2, 3, 7, 12] {
            let a = matrix(n);
            let (values, rows) = symmetric(&a, n);
            assert!(values.is_sorted_by(|x, y| x >= y));
            for i in 0..n {
                for j in 0..n {
                    let rebuilt: f64 = (0..n)
                        .map(|k| values[k] * rows[k * n + i] * rows[k * n + j])
                        .sum();
                    assert!((rebuilt - a[i * n + j]).abs() < 1e-9, "{n}: {i},{j}");
                    let dot: f64 = (0..n).map(|k| rows[i * n + k] * rows[j * n + k]).sum();
                    assert!((dot - f64::from(u8::from(i == j))).abs() < 1e-9);
                }
            }
        }
    }

    #[test]
    fn least_squares_finds_the_weights_that_made_the_right_side() {
        for n in [1, 2, 7] {
            let a = matrix(n);
            let wanted: Vec<f64> = (0..2 * n).map(|i| i as f64 - 1.5).collect();
            let b: Vec<f64> = (0..2 * n)
                .map(|i| {
                    (0..n)
                        .map(|k| wanted[i / n * n + k] * a[k * n + i % n])
                        .sum()
                })
                .collect();
            for (got, wanted) in solve(&a, &b, n, 1e-14).iter().zip(&wanted) {
                assert!((got - wanted).abs() < 1e-6, "{n}: {got} {wanted}");
            }
        }
    }
}
