//! A whole run on a GPU against the CPU: losses, gradient, picture. Needs the feature `gpu`, and an adapter: hardware, or
//! software such as Mesa's lavapipe, which is taken here because it is named. Skipped with a word where there is none.

#![cfg(feature = "gpu")]

use impasto::compute::Device;
use impasto::device::{Choice, Kind, gpus, open};
use impasto::{Encoder, Event, Inspection, Picture, Recipe, Result, Size, Style, Stylizer};
use impasto::{examples, picture::Filter};
use std::ops::ControlFlow;

/// A GPU of this machine by its number, hardware if there is some.
fn gpu() -> Result<Option<Box<dyn Device>>> {
    let all = gpus()?;
    let Some(best) = all.iter().min_by_key(|gpu| gpu.software) else {
        eprintln!("skipped: this machine offers no gpu");
        return Ok(None);
    };
    eprintln!("on gpu:{}, {}", best.index, best.name);
    device(Kind::Gpu(Some(best.index))).map(Some)
}

fn device(kind: Kind) -> Result<Box<dyn Device>> {
    Ok(open(&Choice {
        kind,
        ..Choice::default()
    })?)
}

fn pictures() -> Result<(Picture, Style)> {
    let content = examples::open("@lake")?.resized(64, 48, Filter::Bicubic);
    let style = examples::open("@swirls")?.resized(64, 64, Filter::Bicubic);
    Ok((content, Style::new("swirls", style, 1.0)))
}

fn stylizer(device: Box<dyn Device>, steps: usize) -> Result<Stylizer> {
    let mut recipe = Recipe {
        size: Size::LongSide(64),
        ..Recipe::default()
    };
    recipe.schedule.scales = vec![64];
    recipe.schedule.steps = vec![steps];
    Stylizer::new(device, &Encoder::lite()?, vec![pictures()?.1], recipe)
}

#[test]
fn losses_and_gradient_are_those_of_the_cpu() -> Result<()> {
    let Some(gpu) = gpu()? else { return Ok(()) };
    let inspect = |device| -> Result<Inspection> {
        let (content, style) = pictures()?;
        // Neither the content nor the style itself, whose losses are differences of numbers that are nearly equal.
        let style = style.picture.resized(64, 48, Filter::Bicubic);
        let pairs = content.rgb().iter().zip(style.rgb());
        let image = Picture::new(64, 48, pairs.map(|(a, b)| 0.5 * (a + b)).collect())?;
        stylizer(device, 1)?.inspect(&content, &image)
    };
    let (got, expected) = (inspect(gpu)?, inspect(device(Kind::Cpu)?)?);
    for (got, expected) in got.terms.iter().zip(&expected.terms) {
        let error = (got.value / expected.value - 1.0).abs();
        println!("{}: {error:e} of {:e}", got.name, expected.value);
        assert!(error < 1e-4, "{}: {error:e}", got.name);
    }
    let largest = expected
        .gradient
        .iter()
        .fold(0.0_f32, |max, v| max.max(v.abs()));
    let pairs = got.gradient.iter().zip(&expected.gradient);
    let error = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("gradient: {:e} of its greatest", error / largest);
    assert!(error <= 1e-4 * largest, "{error:e} of {largest:e}");
    Ok(())
}

#[test]
fn fifty_steps_paint_the_same_picture() -> Result<()> {
    let Some(gpu) = gpu()? else { return Ok(()) };
    let paint = |device| -> Result<Picture> {
        let (content, _) = pictures()?;
        let mut go_on = |_: &Event<'_>| ControlFlow::Continue(());
        Ok(stylizer(device, 50)?.stylize(&content, &mut go_on)?.picture)
    };
    let (got, expected) = (paint(gpu)?, paint(device(Kind::Cpu)?)?);
    let pairs = got.rgb().iter().zip(expected.rgb());
    let squares: f64 = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum();
    let psnr = -10.0 * (squares / got.rgb().len() as f64).log10();
    println!("{psnr:.1} dB");
    // Adam follows the sign of gradients that are nearly zero, so rounding grows: the processor is 44.3 dB from itself with
    // `strict` products, lavapipe was 42.8 dB from it.
    assert!(psnr >= 40.0, "{psnr:.1} dB");
    Ok(())
}
