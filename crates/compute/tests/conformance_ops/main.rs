//! Every small operation of a device, held against the reference device, at sizes where loops, vectors, blocks of
//! channels and chunks of threads begin and end. What the reference computes is held against finite differences in
//! [`gradients`].
//!
//! An operation is run by a script that knows only `&dyn Device` and gives named results; the same script serves
//! the comparison with the reference, the comparison of thread counts, and every device to come.

#[path = "../devices/mod.rs"]
mod devices;
mod fallback;
mod fidelity;
mod gradients;
mod images;
mod matching;
mod matrices;
mod refusals;
mod vectors;

use devices::{cpu, devices};
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{Device, Moments, Result};
use impasto_testing::{Tolerance, assert_close, assert_same, noise};

/// What a script found out, by name.
type Results = Vec<(&'static str, Vec<f64>)>;

/// Sides of matrices: vectors, blocks and kernels begin and end between them.
const CHANNELS: [usize; 13] = [1, 2, 3, 7, 15, 16, 17, 24, 33, 64, 96, 97, 128];

/// Rounding of a few operations in f32 on numbers of about 1.
const ROUNDING: Tolerance = Tolerance {
    absolute: 2e-6,
    relative: 2e-6,
};

/// Holds a script's results on every device against those on the reference.
fn agree(case: &str, tolerance: Tolerance, script: impl Fn(&dyn Device) -> Result<Results>) {
    let expected = script(&ReferenceDevice::new()).expect("the reference computes");
    for device in devices() {
        let got = script(&*device).expect("the device computes");
        let case = format!("{case} on {}", device.describe());
        each(&case, &got, &expected, |case, got, expected| {
            assert_close(case, got, expected, tolerance)
        });
    }
}

/// Holds a script's results of one thread against those of several, bit by bit.
fn same_for_any_threads(case: &str, script: impl Fn(&dyn Device) -> Result<Results>) {
    let results = |threads| script(&*cpu(None, threads)).expect("the device computes");
    let one = results(1);
    for threads in [2, 3] {
        let case = format!("{case} with {threads} threads");
        each(&case, &results(threads), &one, assert_same);
    }
}

/// Compares what a script found out, result by result. Of tensors without values, both have to have none.
fn each(case: &str, got: &Results, expected: &Results, compare: impl Fn(&str, &[f64], &[f64])) {
    let names = |results: &Results| results.iter().map(|(name, _)| *name).collect::<Vec<_>>();
    assert_eq!(names(got), names(expected), "{case}");
    assert!(!expected.is_empty(), "{case}: the script tells nothing");
    for ((name, got), (_, expected)) in got.iter().zip(expected) {
        let case = format!("{case}: {name}");
        match expected.is_empty() {
            true => assert!(got.is_empty(), "{case}: {} values too many", got.len()),
            false => compare(&case, got, expected),
        }
    }
}

/// Features `[c, n]`, row-major, whose channels are correlated and have means other than 0.
fn features(seed: u64, c: usize, n: usize) -> Vec<f64> {
    let shared: Vec<f64> = noise(seed, n).into_iter().map(f64::from).collect();
    let own = noise(seed + 1, c * n);
    let character = noise(seed + 2, 2 * c);
    let value = |channel: usize, pixel: usize| {
        f64::from(own[channel * n + pixel])
            + f64::from(character[channel]) * shared[pixel]
            + f64::from(character[c + channel])
    };
    (0..c * n).map(|i| value(i / n, i % n)).collect()
}

/// Mean and second raw moment of features `[c, n]`.
fn moments_of(features: &[f64], c: usize) -> (Vec<f64>, Vec<f64>) {
    let n = features.len() / c.max(1);
    let row = |channel: usize| &features[channel * n..][..n];
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>() / n as f64;
    let mean = (0..c)
        .map(|i| row(i).iter().sum::<f64>() / n as f64)
        .collect();
    let mut second = vec![0.0; c * c];
    for i in 0..c {
        for j in 0..=i {
            let value = dot(row(i), row(j));
            second[i * c + j] = value;
            second[j * c + i] = value;
        }
    }
    (mean, second)
}

/// The moments on a device.
fn upload_moments(device: &dyn Device, moments: &(Vec<f64>, Vec<f64>)) -> Result<Moments> {
    let c = moments.0.len();
    let single = |values: &[f64]| -> Vec<f32> { values.iter().map(|&v| v as f32).collect() };
    Ok(Moments {
        mean: device.upload(&single(&moments.0), &[c])?,
        second: device.upload(&single(&moments.1), &[c, c])?,
    })
}

/// A tensor's values in f64: on the reference device as exact as it has them.
fn values(device: &dyn Device, tensor: &impasto_compute::Tensor) -> Result<Vec<f64>> {
    match ReferenceDevice::values(tensor) {
        Ok(values) => Ok(values.to_vec()),
        Err(_) => Ok(device
            .download(tensor)?
            .into_iter()
            .map(f64::from)
            .collect()),
    }
}

/// A covariance of `n` pixels in f64, row-major, as a user's features have it: ridge included.
fn covariance_of(seed: u64, c: usize, n: usize, scale: f64, ridge: f64) -> Vec<f64> {
    let (mean, second) = moments_of(&features(seed, c, n), c);
    let value = |k: usize| {
        let (i, j) = (k / c, k % c);
        let on_diagonal = if i == j { ridge } else { 0.0 };
        scale * (second[k] - mean[i] * mean[j]) + on_diagonal
    };
    (0..c * c).map(value).collect()
}

fn single(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&v| v as f32).collect()
}

/// `A·B` of square matrices.
fn product(a: &[f64], b: &[f64], c: usize) -> Vec<f64> {
    let mut out = vec![0.0; c * c];
    for i in 0..c {
        for k in 0..c {
            let factor = a[i * c + k];
            for (out, b) in out[i * c..][..c].iter_mut().zip(&b[k * c..][..c]) {
                *out += factor * b;
            }
        }
    }
    out
}

fn transposed(a: &[f64], c: usize) -> Vec<f64> {
    (0..c * c).map(|k| a[k % c * c + k / c]).collect()
}
