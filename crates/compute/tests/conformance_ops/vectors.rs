//! Elementwise operations and sums.

use super::{ROUNDING, Results, agree, same_for_any_threads, values};
use impasto_compute::{AdamBuffers, AdamStep, Device, Result, Scalar};
use impasto_testing::{Tolerance, assert_close, assert_near, noise};

/// Plain and blocked, with and without channels that fill up a block, empty, and longer than a thread's chunk.
const SHAPES: &[&[usize]] = &[
    &[],
    &[1],
    &[2],
    &[3],
    &[7],
    &[15],
    &[16],
    &[17],
    &[0],
    &[3, 0, 5],
    &[20, 0, 3],
    &[1, 1, 1],
    &[3, 7, 2],
    &[5, 1, 3],
    &[16, 3, 5],
    &[24, 7, 3],
    &[3, 97, 131],
    &[33, 61, 47],
];

fn adam_step() -> AdamStep {
    AdamStep {
        learning_rate: 0.02,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        correction1: 1.0 - 0.9_f32.powi(3),
        correction2: 1.0 - 0.99_f32.powi(3),
        clamp: Some((0.1, 0.75)),
        average_decay: 0.97,
    }
}

pub(super) fn script(device: &dyn Device, shape: &[usize]) -> Result<Results> {
    let len = shape.iter().product();
    let tensor = |seed| device.upload(&noise(seed, len), shape);
    let (x, mut y) = (tensor(1)?, tensor(2)?);
    let dot = device.dot(&x, &y)?.value()?;
    let sum_abs = device.sum_abs(&x)?.value()?;
    let max_abs = device.max_abs(&x)?.value()?;
    let mut clamped = device.copy(&x)?;
    device.clamp(&mut clamped, 0.25, 0.5)?;
    // Whatever fills up a block of channels must not count, though 0 is out of the range.
    let sum_clamped = device.sum_abs(&clamped)?.value()?;
    let (squared_error, slope) = device.squared_error(&x, &y, 1.5)?;
    device.axpby(0.75, &x, -1.25, &mut y)?;
    let mut copy = device.copy(&y)?;
    device.scale_over(&mut copy, 3.0, &[Scalar::Ready(1.5), Scalar::Ready(2.5)])?;
    let mut zeros = device.copy(&x)?;
    device.scale_over(&mut zeros, 3.0, &[Scalar::Ready(2.5), Scalar::Ready(-2.5)])?;

    let (mut image, mut first, mut average) = (tensor(3)?, tensor(4)?, tensor(5)?);
    let second: Vec<f32> = noise(6, len).into_iter().map(f32::abs).collect();
    let mut second = device.upload(&second, shape)?;
    for clamp in [None, Some((0.1, 0.75))] {
        let buffers = AdamBuffers {
            image: &mut image,
            gradient: &x,
            first: &mut first,
            second: &mut second,
            average: &mut average,
        };
        let step = AdamStep {
            clamp,
            ..adam_step()
        };
        device.adam(buffers, &step)?;
    }
    // Whatever fills up a block of channels must not count.
    let sum_after = device.sum_abs(&image)?.value()?;
    Ok(vec![
        ("dot", vec![dot]),
        ("sum_abs", vec![sum_abs]),
        ("max_abs", vec![max_abs]),
        ("clamp", values(device, &clamped)?),
        ("sum_abs after clamp", vec![sum_clamped]),
        ("squared_error", vec![squared_error.value()?]),
        ("its gradient", values(device, &slope)?),
        ("axpby", values(device, &y)?),
        ("scale_over", values(device, &copy)?),
        ("scale_over nothing", values(device, &zeros)?),
        ("image of adam", values(device, &image)?),
        ("first of adam", values(device, &first)?),
        ("second of adam", values(device, &second)?),
        ("average of adam", values(device, &average)?),
        ("sum_abs after adam", vec![sum_after]),
    ])
}

#[test]
fn vector_operations_agree() {
    for shape in SHAPES {
        // Scalars are sums of up to 10^5 rounded terms.
        let len: usize = shape.iter().product();
        let tolerance = Tolerance {
            absolute: ROUNDING.absolute.max(1e-8 * len as f64),
            ..ROUNDING
        };
        agree(&format!("{shape:?}"), tolerance, |device| {
            script(device, shape)
        });
    }
}

#[test]
fn vector_operations_do_not_depend_on_threads() {
    for shape in [&[3, 97, 131][..], &[33, 61, 47], &[300_007]] {
        same_for_any_threads(&format!("{shape:?}"), |device| script(device, shape));
    }
}

/// Sums of many equal terms would drift by 10⁻³ in f32.
#[test]
fn sums_are_exact_enough_for_long_vectors() -> Result<()> {
    let len = 3_000_017;
    for device in super::devices() {
        // Shaders sum in f32, in small groups.
        let rounding = if device.name() == "gpu" { 1e-6 } else { 1e-12 };
        let x = device.upload(&vec![0.1; len], &[len])?;
        let zeros = device.upload(&vec![0.0; len], &[len])?;
        let term = f64::from(0.1_f32);
        let expected = term * term * len as f64;
        let (dot, abs) = (device.dot(&x, &x)?, device.sum_abs(&x)?);
        let (squares, _) = device.squared_error(&x, &zeros, 1.0)?;
        let got = [dot.value()?, abs.value()?, squares.value()?];
        let expected = [expected, term * len as f64, expected];
        let case = format!("dot, sum_abs, squared_error on {}", device.describe());
        assert_close(&case, &got, &expected, Tolerance::relative(rounding));
    }
    Ok(())
}

/// L-BFGS ends its steps by the greatest magnitude: a gradient that is no number must not look small to it.
#[test]
fn the_greatest_magnitude_is_of_either_sign_and_no_number_if_one_is_none() -> Result<()> {
    let all = super::devices().into_iter();
    let reference: Box<dyn Device> = Box::new(super::ReferenceDevice::new());
    for device in all.chain([reference]) {
        let max_abs = |values: &[f32]| -> Result<f64> {
            device
                .max_abs(&device.upload(values, &[values.len()])?)?
                .value()
        };
        assert_eq!(max_abs(&[0.5, -2.0, 1.0])?, 2.0);
        assert_eq!(max_abs(&[])?, 0.0);
        assert_eq!(max_abs(&[1.0, f32::NEG_INFINITY])?, f64::INFINITY);
        let mut values = vec![1.0; 70_001];
        values[3] = f32::NAN;
        assert!(max_abs(&values)?.is_nan(), "{}", device.describe());
    }
    Ok(())
}

/// Adam with ε = 0 divides 0 by 0 where there is neither gradient nor memory; lanes that fill up a block are such.
#[test]
fn channels_that_fill_up_a_block_stay_out_of_sums() -> Result<()> {
    for device in super::devices() {
        let shape = [5, 3, 3];
        let ones = || device.upload(&[1.0; 45], &shape);
        let (mut image, gradient, mut first) = (ones()?, ones()?, ones()?);
        let (mut second, mut average) = (ones()?, ones()?);
        let buffers = AdamBuffers {
            image: &mut image,
            gradient: &gradient,
            first: &mut first,
            second: &mut second,
            average: &mut average,
        };
        let step = AdamStep {
            epsilon: 0.0,
            clamp: Some((0.5, 1.0)),
            ..adam_step()
        };
        device.adam(buffers, &step)?;
        let expected: f64 = values(&*device, &image)?.iter().sum();
        let got = device.sum_abs(&image)?.value()?;
        let tolerance = Tolerance::absolute(1e-5);
        assert_near(&device.describe(), got, expected, tolerance);
    }
    Ok(())
}
