//! Affine maps that bring a set of colours to the mean and covariance of another.
//!
//! With means `μ` and covariances `C` (divided by the number of colours), 10⁻⁵·I added to both, the map from `s` to `c`
//! is `x ↦ A(x − μ_s) + μ_c`, where
//!
//! ```text
//! transport   A = C_s^-½ (C_s^½ C_c C_s^½)^½ C_s^-½     moves colours the least (Pitié and Kokaram 2007)
//! cholesky    A = L_c L_s⁻¹,  C = L Lᵀ
//! pca         A = C_c^½ C_s^-½                          (Gatys et al. 2016, Preserving Color; "image analogies")
//! coral       A = D_c √(R_c + I/n) √(R_s + I/n)⁻¹ D_s⁻¹   deviations D, correlations R, no ridge (AdaIN's program)
//! ```

use super::oklab::Color;
use super::{ColorMode, ColorSpace};

/// Added to variances, of which a flat picture has none; what the variances of `coral` are at least.
const EPSILON: f64 = 1e-5;
/// Sweeps of Jacobi's method; three by three is done after five.
const SWEEPS: usize = 12;

/// A matrix of three rows.
type Matrix = [[f64; 3]; 3];

const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// Mean and covariance of weighted colours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Moments {
    mean: Color,
    covariance: Matrix,
    /// The sum of the weights.
    count: f64,
}

impl Moments {
    /// Those of colours, each with its weight; of none, zeros.
    pub(super) fn of(colors: impl Iterator<Item = (Color, f64)> + Clone) -> Self {
        let (mut mean, mut count) = ([0.0; 3], 0.0);
        for (color, weight) in colors.clone() {
            count += weight;
            for (sum, value) in mean.iter_mut().zip(color) {
                *sum += weight * value;
            }
        }
        let total = if count > 0.0 { count } else { 1.0 };
        let mean = mean.map(|sum| sum / total);
        // A second pass: differences of large sums lose what flat pictures have.
        let mut covariance = [[0.0; 3]; 3];
        for (color, weight) in colors {
            let away: Color = std::array::from_fn(|axis| color[axis] - mean[axis]);
            for (row, x) in covariance.iter_mut().zip(away) {
                for (sum, y) in row.iter_mut().zip(away) {
                    *sum += weight * x * y / total;
                }
            }
        }
        Self {
            mean,
            covariance,
            count,
        }
    }

    /// Mean and standard deviation of the first coordinate.
    pub(super) fn first(&self) -> (f64, f64) {
        (self.mean[0], self.covariance[0][0].max(0.0).sqrt())
    }
}

/// `x ↦ matrix·(x − from) + to`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct AffineMap {
    matrix: Matrix,
    from: Color,
    to: Color,
}

impl AffineMap {
    /// The map of a mode from some moments to others; transport for modes that are no affine map.
    pub(super) fn new(mode: ColorMode, from: &Moments, to: &Moments) -> Self {
        let ridged = |moments: &Moments| add(&moments.covariance, &scaled(&IDENTITY, EPSILON));
        let (s, c) = (ridged(from), ridged(to));
        let matrix = match mode {
            ColorMode::Cholesky => product(&cholesky(&c), &inverse_lower(&cholesky(&s))),
            ColorMode::Pca => product(&power(&c, 0.5), &power(&s, -0.5)),
            ColorMode::Coral => coral(from, to),
            _ => {
                let (root, inverse) = (power(&s, 0.5), power(&s, -0.5));
                let middle = power(&product(&root, &product(&c, &root)), 0.5);
                product(&inverse, &product(&middle, &inverse))
            }
        };
        Self {
            matrix,
            from: from.mean,
            to: to.mean,
        }
    }

    /// Where a colour goes.
    pub(super) fn apply(&self, color: Color) -> Color {
        let away: Color = std::array::from_fn(|axis| color[axis] - self.from[axis]);
        std::array::from_fn(|axis| {
            let row = &self.matrix[axis];
            self.to[axis] + row[0] * away[0] + row[1] * away[1] + row[2] * away[2]
        })
    }
}

fn coral(from: &Moments, to: &Moments) -> Matrix {
    let deviations = |moments: &Moments| -> Color {
        std::array::from_fn(|axis| moments.covariance[axis][axis].max(EPSILON).sqrt())
    };
    let (s, c) = (deviations(from), deviations(to));
    let correlation = |moments: &Moments, deviations: &Color| -> Matrix {
        let ridge = 1.0 / moments.count.max(1.0);
        let entry = |row: usize, column: usize| {
            let ridge = if row == column { ridge } else { 0.0 };
            moments.covariance[row][column] / (deviations[row] * deviations[column]) + ridge
        };
        std::array::from_fn(|row| std::array::from_fn(|column| entry(row, column)))
    };
    let turned = product(
        &power(&correlation(to, &c), 0.5),
        &power(&correlation(from, &s), -0.5),
    );
    std::array::from_fn(|row| {
        std::array::from_fn(|column| c[row] * turned[row][column] / s[column])
    })
}

fn add(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|row| std::array::from_fn(|column| a[row][column] + b[row][column]))
}

fn scaled(a: &Matrix, factor: f64) -> Matrix {
    a.map(|row| row.map(|value| factor * value))
}

fn product(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|row| {
        std::array::from_fn(|column| (0..3).map(|k| a[row][k] * b[k][column]).sum())
    })
}

/// `L` with `L·Lᵀ` the matrix, which has a ridge.
fn cholesky(a: &Matrix) -> Matrix {
    let mut l = [[0.0; 3]; 3];
    for row in 0..3 {
        for column in 0..=row {
            let done: f64 = (0..column).map(|k| l[row][k] * l[column][k]).sum();
            let left = a[row][column] - done;
            l[row][column] = match row == column {
                true => left.max(f64::MIN_POSITIVE).sqrt(),
                false => left / l[column][column],
            };
        }
    }
    l
}

fn inverse_lower(l: &Matrix) -> Matrix {
    let mut inverse = [[0.0; 3]; 3];
    for column in 0..3 {
        for row in column..3 {
            let known: f64 = (column..row).map(|k| l[row][k] * inverse[k][column]).sum();
            let one = if row == column { 1.0 } else { 0.0 };
            inverse[row][column] = (one - known) / l[row][row];
        }
    }
    inverse
}

/// A power of a symmetric matrix without negative eigenvalues, by its eigenvectors; the least count as the ridge.
fn power(a: &Matrix, exponent: f64) -> Matrix {
    let (values, vectors) = eigen(a);
    let least = 1e-15
        * values
            .iter()
            .fold(f64::MIN_POSITIVE, |most, value| value.max(most));
    let powers = values.map(|value| value.max(least).powf(exponent));
    std::array::from_fn(|row| {
        std::array::from_fn(|column| {
            (0..3)
                .map(|k| vectors[row][k] * powers[k] * vectors[column][k])
                .sum()
        })
    })
}

/// Eigenvalues and eigenvectors (columns) of a symmetric matrix, by Jacobi's rotations.
fn eigen(a: &Matrix) -> (Color, Matrix) {
    let (mut a, mut vectors) = (*a, IDENTITY);
    for _ in 0..SWEEPS {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q] == 0.0 {
                continue;
            }
            let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
            let sign = if theta < 0.0 { -1.0 } else { 1.0 };
            let tangent = sign / (theta.abs() + theta.hypot(1.0));
            let cosine = 1.0 / tangent.hypot(1.0);
            let sine = tangent * cosine;
            let mut turn = IDENTITY;
            (turn[p][p], turn[q][q], turn[p][q], turn[q][p]) = (cosine, cosine, sine, -sine);
            let turned: Matrix =
                std::array::from_fn(|row| std::array::from_fn(|column| turn[column][row]));
            a = product(&turned, &product(&a, &turn));
            vectors = product(&vectors, &turn);
        }
    }
    ([a[0][0], a[1][1], a[2][2]], vectors)
}

/// The coordinates in which a mode works: those of the space, but for modes that are defined in sRGB.
pub(super) fn space_of(mode: ColorMode, space: ColorSpace) -> ColorSpace {
    match mode {
        ColorMode::Luminance => ColorSpace::Srgb,
        ColorMode::ContentExact => ColorSpace::Oklab,
        _ => space,
    }
}
