//! Functions of moments, and factors of covariances. Factors are compared by their product: any `L` with
//! `L·Lᵀ = Σ` serves.

use super::{
    CHANNELS, ROUNDING, Results, agree, covariance_of, devices, features, moments_of, product,
    same_for_any_threads, single, transposed, upload_moments, values,
};
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{Device, Result};
use impasto_testing::{Tolerance, assert_close, noise};

pub(super) fn moment_script(device: &dyn Device, c: usize) -> Result<Results> {
    let moments = upload_moments(device, &moments_of(&features(3, c, 2 * c + 9), c))?;
    let covariance = device.covariance(&moments, 0.125)?;
    let mut gradient = noise(9, c * c);
    for i in 0..c {
        for j in 0..i {
            gradient[i * c + j] = gradient[j * c + i];
        }
    }
    let gradient = device.upload(&gradient, &[c, c])?;
    let towards = device.covariance_backward(&moments, &gradient, 0.75)?;
    let deviation = device.standard_deviation(&moments, 1e-3)?;
    let slope = device.upload(&noise(10, c), &[c])?;
    let spread = device.standard_deviation_backward(&moments, &deviation, &slope)?;
    Ok(vec![
        ("covariance", values(device, &covariance)?),
        ("trace", vec![device.trace(&covariance)?.value()?]),
        ("covariance_backward mean", values(device, &towards.mean)?),
        (
            "covariance_backward second",
            values(device, &towards.second)?,
        ),
        ("standard_deviation", values(device, &deviation)?),
        (
            "standard_deviation_backward mean",
            values(device, &spread.mean)?,
        ),
        (
            "standard_deviation_backward second",
            values(device, &spread.second)?,
        ),
    ])
}

/// Features of some channels and size, mixed to others.
pub(super) fn mix_script(
    device: &dyn Device,
    [inputs, outputs]: [usize; 2],
    [h, w]: [usize; 2],
) -> Result<Results> {
    let features = device.upload(&noise(11, inputs * h * w), &[inputs, h, w])?;
    let matrix = device.upload(&noise(12, outputs * inputs), &[outputs, inputs])?;
    let bias = device.upload(&noise(13, outputs), &[outputs])?;
    let mixed = device.mix_channels(&features, &matrix, &bias)?;
    // Whatever fills up a block of channels must not count.
    let sum = device.sum_abs(&mixed)?.value()?;
    Ok(vec![
        ("mix_channels", values(device, &mixed)?),
        ("its sum_abs", vec![sum]),
    ])
}

/// Features of some channels and size under weights that add up to 1, some of which are 0.
pub(super) fn weighted_script(
    device: &dyn Device,
    c: usize,
    [h, w]: [usize; 2],
) -> Result<Results> {
    let map: Vec<f32> = single(&features(14, c, h * w));
    let mut weights: Vec<f32> = noise(15, h * w).iter().map(|x| x.max(0.0)).collect();
    let total: f32 = weights.iter().sum();
    weights
        .iter_mut()
        .for_each(|weight| *weight /= total.max(1e-6));
    let map = device.upload(&map, &[c, h, w])?;
    let moments = device.weighted_moments(&map, &device.upload(&weights, &[h, w])?)?;
    Ok(vec![
        ("weighted_moments mean", values(device, &moments.mean)?),
        ("weighted_moments second", values(device, &moments.second)?),
    ])
}

#[test]
fn weighted_moments_agree() {
    for c in CHANNELS {
        for size in [[1, 1], [3, 5], [23, 31], [0, 4]] {
            agree(&format!("{c} channels at {size:?}"), ROUNDING, |device| {
                weighted_script(device, c, size)
            });
        }
    }
    agree("no channels", ROUNDING, |device| {
        weighted_script(device, 0, [3, 5])
    });
}

#[test]
fn weighted_moments_do_not_depend_on_threads() {
    same_for_any_threads("40 channels", |device| {
        weighted_script(device, 40, [97, 131])
    });
}

/// Equal weights are none, and places without weight might as well not be there.
#[test]
fn weights_choose_the_places_that_count() -> Result<()> {
    let (c, n) = (20, 12 * 8);
    let all = features(16, c, n);
    let upper: Vec<f64> = all
        .chunks(n)
        .flat_map(|row| row[..n / 2].to_vec())
        .collect();
    for device in devices() {
        let map = device.upload(&single(&all), &[c, 12, 8])?;
        for (case, count, expected) in [("all", n, &all), ("the upper half", n / 2, &upper)] {
            let weight = |place: usize| {
                if place < count {
                    1.0 / count as f32
                } else {
                    0.0
                }
            };
            let weights: Vec<f32> = (0..n).map(weight).collect();
            let weights = device.upload(&weights, &[12, 8])?;
            let got = device.weighted_moments(&map, &weights)?;
            let (mean, second) = moments_of(expected, c);
            let case = format!("{case} on {}", device.describe());
            assert_close(&case, &values(&*device, &got.mean)?, &mean, ROUNDING);
            assert_close(&case, &values(&*device, &got.second)?, &second, ROUNDING);
        }
    }
    Ok(())
}

#[test]
fn mixed_channels_agree() {
    let channels = [
        [1, 1],
        [3, 3],
        [3, 20],
        [17, 3],
        [16, 32],
        [33, 15],
        [96, 130],
    ];
    for channels in channels.into_iter().chain([[0, 4], [4, 0]]) {
        for size in [[1, 1], [3, 5], [23, 31], [0, 4]] {
            let terms = channels[1] * size[0] * size[1] * (channels[0] + 1);
            let tolerance = Tolerance {
                absolute: ROUNDING.absolute.max(1e-7 * terms as f64),
                ..ROUNDING
            };
            agree(&format!("{channels:?} at {size:?}"), tolerance, |device| {
                mix_script(device, channels, size)
            });
        }
    }
}

#[test]
fn mixed_channels_do_not_depend_on_threads() {
    same_for_any_threads("40 channels to 24", |device| {
        mix_script(device, [40, 24], [97, 131])
    });
}

#[test]
fn functions_of_moments_agree() {
    for c in CHANNELS {
        let tolerance = Tolerance {
            absolute: ROUNDING.absolute * (c as f64).sqrt(),
            ..ROUNDING
        };
        agree(&format!("{c} channels"), tolerance, |device| {
            moment_script(device, c)
        });
    }
}

/// A channel that never changes has no deviation, and no gradient through it.
#[test]
fn dead_channels_have_no_deviation() -> Result<()> {
    let mut all = devices();
    all.push(Box::new(ReferenceDevice::new()));
    for device in all {
        let moments = upload_moments(&*device, &(vec![0.5, 1.0], vec![0.25, 0.5, 0.5, 3.0]))?;
        let deviation = device.standard_deviation(&moments, 0.0)?;
        let slope = device.upload(&[1.0, 1.0], &[2])?;
        let spread = device.standard_deviation_backward(&moments, &deviation, &slope)?;
        assert_eq!(values(&*device, &deviation)?[0], 0.0);
        assert_eq!(values(&*device, &spread.mean)?[0], 0.0);
        assert_eq!(values(&*device, &spread.second)?[0], 0.0);
    }
    Ok(())
}

/// Nothing at all is no error, and its fidelity is zero.
#[test]
fn matrices_without_channels_are_taken() {
    agree("no channels", ROUNDING, |device| {
        let mut results = moment_script(device, 0)?;
        let empty = device.upload(&[], &[0, 0])?;
        let factor = device.cholesky(&empty)?;
        let (value, gradient) = device.fidelity(&empty, &factor)?;
        results.push(("fidelity", vec![value.value()?]));
        results.push(("its gradient", values(device, &gradient)?));
        Ok(results)
    });
}

#[test]
fn factors_multiply_to_the_covariance() -> Result<()> {
    let mut all = devices();
    all.push(Box::new(ReferenceDevice::new()));
    for device in all {
        for c in CHANNELS {
            let covariance = covariance_of(20, c, 2 * c + 9, 1.0, 1e-4);
            let tensor = device.upload(&single(&covariance), &[c, c])?;
            let factor = values(&*device, &device.cholesky(&tensor)?)?;
            let again = product(&factor, &transposed(&factor, c), c);
            let case = format!("{c} channels on {}", device.describe());
            let tolerance = Tolerance {
                absolute: 1e-5,
                relative: 1e-5,
            };
            assert_close(&case, &again, &covariance, tolerance);
        }
    }
    Ok(())
}

#[test]
fn functions_of_moments_do_not_depend_on_threads() {
    for c in [16, 97, 300] {
        same_for_any_threads(&format!("{c} channels"), |device| moment_script(device, c));
    }
}
