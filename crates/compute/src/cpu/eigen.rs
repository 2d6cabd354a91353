//! Eigenvectors of symmetric matrices: Householder's tridiagonal form, then implicit QL steps (Golub and Van Loan, Matrix
//! Computations, sections 8.3 and 8.4). In f64 and by one thread: matrices are covariances of a few hundred channels.

/// QL steps for one eigenvalue after which it is taken as it is; two are usual.
const STEPS: usize = 60;

/// Eigenvalues of a symmetric matrix `[n, n]`, in no order, and their vectors as rows.
pub(super) fn symmetric(matrix: &[f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let mut q = matrix.to_vec();
    let (mut diagonal, mut beside) = tridiagonal(&mut q, n);
    // Rows that are turned are next to each other in memory: so vectors are kept as rows.
    let mut rows: Vec<f64> = (0..n * n).map(|k| q[k % n * n + k / n]).collect();
    implicit_ql(&mut diagonal, &mut beside, &mut rows, n);
    (diagonal, rows)
}

/// `A = Q·T·Qᵀ`: `A` becomes `Q`; the diagonal of `T`, and what is below it (entry `i` is beside row `i`, the first is 0).
fn tridiagonal(a: &mut [f64], n: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut diagonal, mut beside) = (vec![0.0; n], vec![0.0; n]);
    // The vectors of the reflections, by the row that they clear, with 2/‖v‖².
    let mut reflections: Vec<(Vec<f64>, f64)> = Vec::new();
    for i in (1..n).rev() {
        let row: Vec<f64> = a[i * n..][..i].to_vec();
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        let last = row[i - 1];
        let rest: f64 = row[..i - 1].iter().map(|x| x * x).sum();
        if rest == 0.0 || length == 0.0 {
            beside[i] = last;
            reflections.push((vec![], 0.0));
            continue;
        }
        // Away from the entry that stays, so that nothing cancels.
        let kept = if last > 0.0 { -length } else { length };
        let mut v = row;
        v[i - 1] -= kept;
        let factor = 2.0 / v.iter().map(|x| x * x).sum::<f64>();
        beside[i] = kept;
        // A ← H·A·H on the leading i×i block: A − v·wᵀ − w·vᵀ.
        let mut w = vec![0.0; i];
        for (w, row) in w.iter_mut().zip(a.chunks_exact(n)) {
            *w = factor * row[..i].iter().zip(&v).map(|(x, y)| x * y).sum::<f64>();
        }
        let half = 0.5 * factor * w.iter().zip(&v).map(|(x, y)| x * y).sum::<f64>();
        w.iter_mut().zip(&v).for_each(|(w, v)| *w -= half * v);
        for (j, row) in a.chunks_exact_mut(n).take(i).enumerate() {
            let (vj, wj) = (v[j], w[j]);
            for (x, (v, w)) in row[..i].iter_mut().zip(v.iter().zip(&w)) {
                *x -= vj * w + wj * v;
            }
        }
        reflections.push((v, factor));
    }
    (0..n).for_each(|i| diagonal[i] = a[i * n + i]);
    a.fill(0.0);
    (0..n).for_each(|i| a[i * n + i] = 1.0);
    // Q is the product of the reflections in the order in which they were found: the last one is applied first.
    for (v, factor) in reflections.iter().rev() {
        let i = v.len();
        let mut sums = vec![0.0; i];
        for (row, vj) in a.chunks_exact(n).zip(v) {
            sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += vj * x);
        }
        for (row, vj) in a.chunks_exact_mut(n).zip(v) {
            let sums = row.iter_mut().zip(&sums);
            sums.for_each(|(x, sum)| *x -= factor * vj * sum);
        }
    }
    (diagonal, beside)
}

/// Turns a tridiagonal matrix into a diagonal one, and the rows of vectors with it.
fn implicit_ql(d: &mut [f64], e: &mut [f64], rows: &mut [f64], n: usize) {
    if n == 0 {
        return;
    }
    e.rotate_left(1);
    for first in 0..n {
        for _ in 0..STEPS {
            // Where the matrix falls apart.
            let small = |i: usize| e[i].abs() <= f64::EPSILON * (d[i].abs() + d[i + 1].abs());
            let last = (first..n - 1).find(|&i| small(i)).unwrap_or(n - 1);
            if last == first {
                break;
            }
            let half = (d[first + 1] - d[first]) / (2.0 * e[first]);
            let root = half.hypot(1.0).copysign(half);
            let mut g = d[last] - d[first] + e[first] / (half + root);
            let (mut s, mut c, mut p) = (1.0, 1.0, 0.0);
            let mut whole = true;
            for i in (first..last).rev() {
                let (f, b) = (s * e[i], c * e[i]);
                let r = f.hypot(g);
                e[i + 1] = r;
                if r == 0.0 {
                    d[i + 1] -= p;
                    e[last] = 0.0;
                    whole = false;
                    break;
                }
                (s, c) = (f / r, g / r);
                let shifted = d[i + 1] - p;
                let turn = (d[i] - shifted) * s + 2.0 * c * b;
                p = s * turn;
                d[i + 1] = shifted + p;
                g = c * turn - b;
                let (upper, lower) = rows[i * n..].split_at_mut(n);
                for (x, y) in upper.iter_mut().zip(&mut lower[..n]) {
                    (*y, *x) = (s * *x + c * *y, c * *x - s * *y);
                }
            }
            if whole {
                d[first] -= p;
                e[first] = g;
                e[last] = 0.0;
            }
        }
    }
}
