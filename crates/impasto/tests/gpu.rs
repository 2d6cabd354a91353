//! A whole run on a GPU against the CPU: losses, gradient, picture. Needs the feature `gpu`, and an adapter: hardware, or
//! software such as Mesa's lavapipe, which is taken here because it is named. Skipped with a word where there is none.

#![cfg(feature = "gpu")]

use impasto::compute::Device;
use impasto::device::{Choice, Kind, Precision, gpus, open};
use impasto::{Encoder, Event, Inspection, OutputSize, Picture, Recipe, Result, Style, Stylizer};
use impasto::{examples, picture::Filter};
use impasto_testing::compare::{decibels, distance};
use impasto_testing::{Tolerance, assert_close, skip};
use std::ops::ControlFlow;

/// A GPU of this machine by its number, hardware if there is some.
fn gpu(precision: Precision) -> Result<Option<Box<dyn Device>>> {
    let all = gpus()?;
    let Some(best) = all.iter().min_by_key(|gpu| gpu.software) else {
        skip("this machine offers no gpu");
        return Ok(None);
    };
    if precision == Precision::F16 && !best.half {
        skip(format_args!("{} has no 16-bit floats", best.name));
        return Ok(None);
    }
    eprintln!("on gpu:{}, {}", best.index, best.name);
    device(Kind::Gpu(Some(best.index)), precision).map(Some)
}

fn device(kind: Kind, precision: Precision) -> Result<Box<dyn Device>> {
    Ok(open(&Choice {
        kind,
        precision,
        ..Choice::default()
    })?)
}

fn cpu() -> Result<Box<dyn Device>> {
    device(Kind::Cpu, Precision::Standard)
}

fn pictures() -> Result<(Picture, Style)> {
    let content = examples::open("@lake")?.resized(64, 48, Filter::Bicubic);
    let style = examples::open("@swirls")?.resized(64, 64, Filter::Bicubic);
    Ok((content, Style::new("swirls", style, 1.0)))
}

fn stylizer(device: Box<dyn Device>, steps: usize) -> Result<Stylizer> {
    let mut recipe = Recipe {
        size: OutputSize::LongSide(64),
        ..Recipe::default()
    };
    let schedule = &mut recipe.optimize_mut().unwrap().schedule;
    schedule.scales = vec![64];
    schedule.steps = vec![steps];
    Stylizer::new(device, &Encoder::lite()?, vec![pictures()?.1], recipe)
}

fn inspect(device: Box<dyn Device>) -> Result<Inspection> {
    let (content, style) = pictures()?;
    // Neither the content nor the style itself, whose losses are differences of numbers that are nearly equal.
    let style = style.picture.resized(64, 48, Filter::Bicubic);
    let pairs = content.rgb().iter().zip(style.rgb());
    let image = Picture::new(64, 48, pairs.map(|(a, b)| 0.5 * (a + b)).collect())?;
    stylizer(device, 1)?.inspect(&content, &image)
}

fn paint(device: Box<dyn Device>) -> Result<Picture> {
    let (content, _) = pictures()?;
    let mut go_on = |_: &Event<'_>| ControlFlow::Continue(());
    Ok(stylizer(device, 50)?.stylize(&content, &mut go_on)?.picture)
}

/// The terms of the same names have the same values, up to a share of each.
#[track_caller]
fn same_terms(got: &Inspection, expected: &Inspection, tolerance: f64) {
    let terms = |seen: &Inspection| -> (Vec<String>, Vec<f64>) {
        let terms = seen.terms.iter();
        terms.map(|term| (term.name.clone(), term.value)).unzip()
    };
    let ((names, got), (expected_names, expected)) = (terms(got), terms(expected));
    assert_eq!(names, expected_names);
    println!("{names:?}: {got:?} for {expected:?}");
    let tolerance = Tolerance::relative(tolerance);
    assert_close(&format!("{names:?}"), &got, &expected, tolerance);
}

#[test]
fn losses_and_gradient_are_those_of_the_cpu() -> Result<()> {
    let Some(gpu) = gpu(Precision::Standard)? else {
        return Ok(());
    };
    let (got, expected) = (inspect(gpu)?, inspect(cpu()?)?);
    same_terms(&got, &expected, 1e-4);
    let tolerance = Tolerance::of_greatest(1e-4, &expected.gradient);
    assert_close("gradient", &got.gradient, &expected.gradient, tolerance);
    Ok(())
}

/// What is rounded to 16 bits is seen in no loss, and turns the gradient by less than noise does.
#[test]
fn half_precision_has_nearly_the_same_losses_and_gradient() -> Result<()> {
    let Some(gpu) = gpu(Precision::F16)? else {
        return Ok(());
    };
    let (got, expected) = (inspect(gpu)?, inspect(cpu()?)?);
    same_terms(&got, &expected, 1e-2);
    let error = distance("gradient", &got.gradient, &expected.gradient);
    println!("gradient: {error:e}");
    assert!((1e-6..3e-2).contains(&error), "{error:e}");
    Ok(())
}

/// Adam follows the sign of gradients that are nearly zero, so rounding grows from step to step, in some pictures more than in
/// others. No two f32 arithmetics are nearer than that: the bound is 45 dB, or what the processor is from itself with its
/// more exact filtering, where that is less. (45.6 dB here; lavapipe was 46.6 dB from it.)
#[test]
fn fifty_steps_paint_the_same_picture() -> Result<()> {
    let Some(gpu) = gpu(Precision::Standard)? else {
        return Ok(());
    };
    let expected = paint(cpu()?)?;
    let strict = paint(device(Kind::Cpu, Precision::Strict)?)?;
    let own = decibels("strict", strict.rgb(), expected.rgb());
    let psnr = decibels("gpu", paint(gpu)?.rgb(), expected.rgb());
    println!("{psnr:.1} dB, strict {own:.1} dB");
    assert!(psnr >= own.min(45.0), "{psnr:.1} dB, strict {own:.1} dB");
    Ok(())
}

/// In half precision, too, the eye sees the same picture.
#[test]
fn half_precision_paints_nearly_the_same_picture() -> Result<()> {
    let Some(gpu) = gpu(Precision::F16)? else {
        return Ok(());
    };
    let expected = paint(cpu()?)?;
    let psnr = decibels("gpu", paint(gpu)?.rgb(), expected.rgb());
    println!("{psnr:.1} dB");
    assert!(psnr >= 30.0, "{psnr:.1} dB");
    Ok(())
}
