//! Fidelity and its gradient.
//!
//! Where the reference is too slow or itself the victim of rounding, they are held against what is known:
//! covariances with common eigenvectors, the equation `4·G·Σ·G = Σ̂` that defines the gradient, and exact
//! covariances of which f32 cannot tell all.

use super::{
    CHANNELS, covariance_of, devices, features, moments_of, product, same_for_any_threads, single,
    transposed, values,
};
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{Device, MatrixOps, Result};
use impasto_testing::compare::{assert_close, assert_near, distance};
use impasto_testing::{Tolerance, noise};

/// Value, and gradient towards the covariance.
fn fidelity(device: &dyn Device, covariance: &[f64], target: &[f64]) -> Result<(f64, Vec<f64>)> {
    let c = covariance.len().isqrt();
    let upload = |matrix: &[f64]| {
        if device.name() == "reference" {
            ReferenceDevice::tensor(matrix.to_vec(), &[c, c])
        } else {
            device.upload(&single(matrix), &[c, c])
        }
    };
    let factor = device.cholesky(&upload(target)?)?;
    let (value, gradient) = device.fidelity(&upload(covariance)?, &factor)?;
    Ok((value.value()?, values(device, &gradient)?))
}

fn trace(matrix: &[f64]) -> f64 {
    let c = matrix.len().isqrt();
    (0..c).map(|i| matrix[i * c + i]).sum()
}

#[test]
fn fidelity_agrees() -> Result<()> {
    for c in CHANNELS {
        let covariance = covariance_of(30, c, 2 * c + 9, 1.0, 1e-4);
        let target = covariance_of(40, c, 3 * c + 5, 2.0, 1e-4);
        let (value, gradient) = fidelity(&ReferenceDevice::new(), &covariance, &target)?;
        for device in devices() {
            let case = format!("{c} channels on {}", device.describe());
            let (got, towards) = fidelity(&*device, &covariance, &target)?;
            let tolerance = Tolerance::absolute(1e-6 * trace(&covariance));
            assert_near(&format!("value, {case}"), got, value, tolerance);
            let tolerance = Tolerance::of_greatest(2e-5, &gradient);
            assert_close(&format!("gradient, {case}"), &towards, &gradient, tolerance);
            assert_eq!(towards, transposed(&towards, c), "{case} is symmetric");
        }
    }
    Ok(())
}

/// A factor serves whatever rotation it carries: `F·Q·(F·Q)ᵀ = F·Fᵀ`.
#[test]
fn any_factor_of_the_target_serves() -> Result<()> {
    for c in [1, 3, 24, 97] {
        let covariance = covariance_of(32, c, 2 * c + 9, 1.0, 1e-3);
        let target = covariance_of(42, c, 3 * c + 5, 2.0, 1e-3);
        let reference = ReferenceDevice::new();
        let tensor = ReferenceDevice::tensor(target.clone(), &[c, c])?;
        let factor = values(&reference, &reference.cholesky(&tensor)?)?;
        let turned = product(&factor, &reflection(52, c), c);
        let (value, gradient) = fidelity(&reference, &covariance, &target)?;
        for device in devices() {
            for factor in [&factor, &turned] {
                let case = format!("{c} channels on {}", device.describe());
                let sigma = device.upload(&single(&covariance), &[c, c])?;
                let factor = device.upload(&single(factor), &[c, c])?;
                let (got, towards) = device.fidelity(&sigma, &factor)?;
                let tolerance = Tolerance::absolute(1e-5 * trace(&covariance));
                assert_near(&case, got.value()?, value, tolerance);
                let tolerance = Tolerance::of_greatest(1e-4, &gradient);
                assert_close(&case, &values(&*device, &towards)?, &gradient, tolerance);
            }
        }
    }
    Ok(())
}

/// The reflection `I − 2·v·vᵀ/|v|²` of some vector.
fn reflection(seed: u64, c: usize) -> Vec<f64> {
    let v: Vec<f64> = noise(seed, c).into_iter().map(f64::from).collect();
    let norm: f64 = v.iter().map(|v| v * v).sum();
    let unit = |k: usize| if k / c == k % c { 1.0 } else { 0.0 };
    (0..c * c)
        .map(|k| unit(k) - 2.0 * v[k / c] * v[k % c] / norm)
        .collect()
}

/// `tr (a·b)^½` and `½·√(b/a)` where both covariances have the same eigenvectors, here three reflections, and
/// eigenvalues over four decades.
#[test]
fn fidelity_of_512_channels_is_the_known_one() -> Result<()> {
    const C: usize = 512;
    let basis = product(&reflection(50, C), &reflection(51, C), C);
    let basis = product(&basis, &reflection(52, C), C);
    let with_eigenvalues = |f: &dyn Fn(usize) -> f64| {
        let scaled: Vec<f64> = (0..C * C).map(|k| basis[k] * f(k % C)).collect();
        product(&scaled, &transposed(&basis, C), C)
    };
    let a = |i: usize| 1e4_f64.powf(i as f64 / (C - 1) as f64) * 1e-2;
    let b = |i: usize| 1e4_f64.powf((i * 37 % C) as f64 / (C - 1) as f64) * 1e-2;
    let (covariance, target) = (with_eigenvalues(&a), with_eigenvalues(&b));
    let value: f64 = (0..C).map(|i| (a(i) * b(i)).sqrt()).sum();
    let gradient = with_eigenvalues(&|i| 0.5 * (b(i) / a(i)).sqrt());
    for device in devices() {
        let (got, towards) = fidelity(&*device, &covariance, &target)?;
        let case = format!("value on {}", device.describe());
        let tolerance = Tolerance::absolute(1e-6 * trace(&covariance));
        assert_near(&case, got, value, tolerance);
        // Towards features the gradient is G·Σ^½; in the directions of little variance G itself is uncertain.
        let root = with_eigenvalues(&|i| a(i).sqrt());
        let (got, expected) = (product(&towards, &root, C), product(&gradient, &root, C));
        let case = format!("gradient on {}", device.describe());
        let tolerance = Tolerance::of_greatest(3e-4, &expected);
        assert_close(&case, &got, &expected, tolerance);
    }
    Ok(())
}

/// The gradient is half the optimal transport map `T`, for which `T·Σ·T = Σ̂`, and `tr (G·Σ)` is half the value.
#[test]
fn fidelity_of_512_channels_solves_its_equation() -> Result<()> {
    const C: usize = 512;
    let covariance = covariance_of(60, C, 900, 1e3, 1e-4);
    let target = covariance_of(70, C, 700, 2e3, 1e-4);
    for device in devices() {
        let (value, gradient) = fidelity(&*device, &covariance, &target)?;
        let moved = product(&gradient, &covariance, C);
        let mut again = product(&moved, &gradient, C);
        again.iter_mut().for_each(|v| *v *= 4.0);
        let case = format!("4·G·Σ·G on {}", device.describe());
        let tolerance = Tolerance::of_greatest(2e-5, &target);
        assert_close(&case, &again, &target, tolerance);
        let tolerance = Tolerance::absolute(1e-6 * trace(&covariance));
        assert_near(&case, 2.0 * trace(&moved), value, tolerance);
    }
    Ok(())
}

/// Fewer pixels than channels, and channels that are dead in one picture, in the other or in both: what f32 knows of
/// such a covariance bounds how well anything can be computed from it; gradients towards features stay right to
/// some percent, and finite.
#[test]
fn fidelity_of_singular_covariances_is_useful() -> Result<()> {
    let kill = |features: &mut [f64], c: usize, dead: &[usize]| {
        let n = features.len() / c;
        dead.iter().for_each(|&i| features[i * n..][..n].fill(0.0));
    };
    for (c, n) in [(96, 40), (24, 3), (64, 63), (33, 200), (16, 1)] {
        let mut seen = features(80, c, n);
        kill(&mut seen, c, &[0, 5]);
        seen.iter_mut().for_each(|v| *v *= 300.0);
        let (mean, second) = moments_of(&seen, c);
        let ridge = |k: usize| if k / c == k % c { 1e-4 } else { 0.0 };
        let covariance: Vec<f64> = (0..c * c)
            .map(|k| second[k] - mean[k / c] * mean[k % c] + ridge(k))
            .collect();
        let mut target = covariance_of(90, c, 2 * n, 9e4, 1e-4);
        for k in 0..c * c {
            if [k / c, k % c].iter().any(|i| [5, 7].contains(i)) {
                target[k] = ridge(k);
            }
        }
        let centred: Vec<f64> = (0..c * n).map(|k| seen[k] - mean[k / n]).collect();
        let towards_features = |gradient: &[f64]| -> Vec<f64> {
            let row = |k: usize| &gradient[k / n * c..][..c];
            let value = |k: usize| -> f64 {
                let pixel = (0..c).map(|j| centred[j * n + k % n]);
                row(k).iter().zip(pixel).map(|(g, f)| g * f).sum()
            };
            (0..c * n).map(value).collect()
        };
        let (value, gradient) = fidelity(&ReferenceDevice::new(), &covariance, &target)?;
        let expected = towards_features(&gradient);
        for device in devices() {
            let case = format!("{c} channels of {n} pixels on {}", device.describe());
            let (got, gradient) = fidelity(&*device, &covariance, &target)?;
            let traces = trace(&covariance) + trace(&target);
            assert_near(&case, got, value, Tolerance::absolute(1e-3 * traces));
            let got = towards_features(&gradient);
            // Of a single pixel nothing remains once it is centred.
            if n == 1 {
                assert_close(&case, &got, &vec![0.0; c * n], Tolerance::absolute(0.0));
                continue;
            }
            // A gpu pivots by blocks of 16 channels: 2 to 8 % for 96 of 40 pixels, where the processors have 0.3 %.
            let error = distance(&case, &got, &expected);
            let most = if device.name() == "cpu" { 0.05 } else { 0.1 };
            assert!(error <= most, "{case}: gradient off by {error:e}");
        }
    }
    Ok(())
}

/// Of a covariance with itself fidelity is the trace, and the gradient half the identity: a picture that has
/// arrived is not pushed any further.
#[test]
fn fidelity_of_equals_is_the_trace() -> Result<()> {
    for (c, n) in [(3, 50), (64, 300), (97, 150), (128, 100)] {
        let covariance = covariance_of(100, c, n, 1e5, 1e-4);
        for device in devices() {
            let case = format!("{c} channels of {n} pixels on {}", device.describe());
            let (value, gradient) = fidelity(&*device, &covariance, &covariance)?;
            assert_near(&case, value, trace(&covariance), Tolerance::relative(2e-5));
            let half = |k: usize| if k / c == k % c { 0.5 } else { 0.0 };
            let half: Vec<f64> = (0..c * c).map(half).collect();
            let tolerance = Tolerance::absolute(2e-4);
            assert_close(&case, &gradient, &half, tolerance);
        }
    }
    Ok(())
}

/// `fidelity(a·Σ, b·Σ̂) = √(a·b)·fidelity(Σ, Σ̂)`, as far as f32 reaches.
#[test]
fn fidelity_works_at_every_scale() -> Result<()> {
    let covariance = covariance_of(110, 24, 90, 1.0, 0.0);
    let target = covariance_of(120, 24, 90, 1.0, 0.0);
    let scaled = |matrix: &[f64], by: f64| -> Vec<f64> { matrix.iter().map(|v| v * by).collect() };
    for device in devices() {
        let (value, gradient) = fidelity(&*device, &covariance, &target)?;
        for (a, b) in [(1e-20, 1e-20), (1e20, 1e20), (1e-18, 1e18), (3e30, 1e-30)] {
            let (got, towards) = fidelity(&*device, &scaled(&covariance, a), &scaled(&target, b))?;
            let case = format!("{a:e}, {b:e} on {}", device.describe());
            let tolerance = Tolerance::relative(1e-5);
            assert_near(&case, got / (a * b).sqrt(), value, tolerance);
            let tolerance = Tolerance::of_greatest(1e-5, &gradient);
            assert_close(
                &case,
                &scaled(&towards, (a / b).sqrt()),
                &gradient,
                tolerance,
            );
        }
        let zeros = vec![0.0; 24 * 24];
        for (covariance, target) in [(&zeros, &zeros), (&zeros, &target), (&covariance, &zeros)] {
            let (value, gradient) = fidelity(&*device, covariance, target)?;
            assert!(value.abs() <= 1e-3 && gradient.iter().all(|g| g.is_finite()));
        }
    }
    Ok(())
}

#[test]
fn fidelity_does_not_depend_on_threads() {
    for c in [16, 97, 130, 256] {
        same_for_any_threads(&format!("{c} channels"), |device| {
            let covariance = covariance_of(130, c, 2 * c, 1e3, 1e-4);
            let target = covariance_of(140, c, c / 2, 1e3, 1e-4);
            let (value, gradient) = fidelity(device, &covariance, &target)?;
            Ok(vec![("value", vec![value]), ("gradient", gradient)])
        });
    }
}

/// What is no number stays none: a picture that has gone astray must not look like one that has arrived.
#[test]
fn fidelity_of_what_is_no_number_is_none() -> Result<()> {
    let target = covariance_of(150, 24, 90, 1.0, 1e-3);
    for broken in [f64::NAN, f64::INFINITY] {
        let mut covariance = target.clone();
        covariance[5 * 25] = broken;
        for device in devices() {
            let (value, _) = fidelity(&*device, &covariance, &target)?;
            assert!(value.is_nan(), "{value} on {}", device.describe());
        }
    }
    Ok(())
}
