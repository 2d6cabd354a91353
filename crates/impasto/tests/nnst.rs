//! Neural neighbour style transfer: against an independent implementation in PyTorch, in regions, at odd sizes, cut off and
//! resumed, and its quick search against the thorough one.
//!
//! The recorded numbers and the script that made them are in `tests/golden/nnst/`.

use impasto::checkpoint::{Checkpoints, Resume};
use impasto::device::{Choice, Precision, open};
use impasto::encoder::{EncoderOptions, Preprocessing};
use impasto::recipe::{MethodSettings, Nnst};
use impasto::{
    Encoder, Event, Ignore, Mask, Outcome, OutputSize, Picture, Recipe, Regions, Style, Stylized,
    Stylizer,
};
use impasto_testing::compare::{close, decibels, near};
use impasto_testing::pictures::{grain, patches};
use impasto_testing::{Failures, Folder, Tolerance, shared};
use impasto_weights::Checkpoint;
use serde_json::Value;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

fn golden(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/golden", file]
        .iter()
        .collect()
}

fn picture(name: &str) -> Picture {
    Picture::open(&golden(&format!("nnst/{name}.png"))).unwrap()
}

fn recipe(settings: Nnst) -> Recipe {
    Recipe {
        size: OutputSize::Original,
        encoder: EncoderOptions::default(),
        method: MethodSettings::Nnst(settings),
        ..Recipe::default()
    }
}

/// On the tiny network, whose every ReLU is looked at.
fn tiny(settings: Nnst, style: &str) -> Stylizer {
    let encoder = Encoder::open(&golden("tiny.safetensors"), Some(Preprocessing::Caffe)).unwrap();
    on(&encoder, settings, style)
}

fn on(encoder: &Encoder, settings: Nnst, style: &str) -> Stylizer {
    let device = open(&Choice {
        precision: Precision::Strict,
        ..Choice::default()
    });
    let styles = vec![Style::new("style", picture(style), 1.0)];
    Stylizer::new(device.unwrap(), encoder, styles, recipe(settings)).unwrap()
}

/// The losses and the result of a run are those of PyTorch's.
fn went(got: &Stylized, run: &Value, failures: &mut Failures) {
    let name = run["name"].as_str().unwrap();
    for (scale, losses) in run["losses"].as_array().unwrap().iter().enumerate() {
        let here = got.report.steps.iter().filter(|step| step.scale == scale);
        let here: Vec<f64> = here.map(|step| step.total).collect();
        // The step that is lost is not taken.
        assert!(here.len() >= 10, "{name}: {} steps", here.len());
        for (step, (loss, wanted)) in here.iter().zip(losses.as_array().unwrap()).enumerate() {
            let tolerance = Tolerance::relative(if (scale, step) == (0, 0) { 1e-5 } else { 1e-3 });
            let case = format!("{name}: loss {step} of pass {scale}");
            failures.check(near(&case, *loss, wanted.as_f64().unwrap(), tolerance));
        }
    }
    let near = decibels(name, got.picture.rgb(), picture(name).rgb());
    failures.check(match near >= 45.0 {
        true => Ok(()),
        false => Err(format!(
            "{name}: the picture is {near:.1} dB from PyTorch's"
        )),
    });
}

/// On the embedded network.
fn lite(settings: Nnst, styles: Vec<Style>) -> Stylizer {
    let device = open(&Choice::default()).unwrap();
    let encoder = Encoder::lite().unwrap();
    Stylizer::new(device, &encoder, styles, recipe(settings)).unwrap()
}

fn few() -> Nnst {
    Nnst {
        steps: 4,
        splitting: 4,
        finish: 4,
        turns: false,
        ..Nnst::default()
    }
}

fn photo(width: usize, height: usize) -> Picture {
    Picture::new(width, height, patches(1, width, height)).unwrap()
}

fn painting(width: usize, height: usize) -> Style {
    let picture = Picture::new(width, height, grain(2, width, height)).unwrap();
    Style::new("painting", picture, 1.0)
}

fn recorded() -> Value {
    let text = std::fs::read_to_string(golden("nnst/nnst.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn runs_go_the_way_of_the_published_method() {
    let mut failures = Failures::new();
    for run in recorded()["runs"].as_array().unwrap() {
        let (text, count) = (
            |key: &str| run[key].as_str().unwrap(),
            |key: &str| run[key].as_u64().unwrap() as usize,
        );
        let settings = Nnst {
            steps: count("steps"),
            splitting: count("splitting"),
            finish: 0,
            turns: run["turns"].as_bool().unwrap(),
            faithful: true,
            ..Nnst::default()
        };
        let mut stylizer = tiny(settings, text("style"));
        let got = stylizer
            .stylize(&picture(text("content")), &mut Ignore)
            .unwrap();
        went(&got, run, &mut failures);
    }
    failures.assert_none();
}

#[test]
fn losses_and_gradients_agree_with_pytorch() {
    let settings = Nnst {
        faithful: true,
        ..Nnst::default()
    };
    agrees(tiny(settings, "style-small"), &recorded(), "inspected", 0);
}

/// On VGG-19, where it is there: terms and their gradient, ten steps of each kind, and the picture after them.
#[test]
fn vgg19_goes_the_way_of_pytorch() {
    let Some(file) = shared("weights/vgg19/vgg19-conv1_1-to-conv3_4.safetensors") else {
        return;
    };
    let text = std::fs::read_to_string(golden("nnst/vgg19.json")).unwrap();
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let encoder = Encoder::open(&file, Some(Preprocessing::Caffe)).unwrap();
    let job = |steps: usize, splitting: usize| {
        let settings = Nnst {
            steps,
            splitting,
            finish: 0,
            turns: false,
            faithful: true,
            ..Nnst::default()
        };
        on(&encoder, settings, "style-small")
    };
    agrees(job(1, 1), &recorded, "vgg19", 20);
    let run = &recorded["runs"][0];
    let got = job(11, 10)
        .stylize(&picture("content-small"), &mut Ignore)
        .unwrap();
    let mut failures = Failures::new();
    went(&got, run, &mut failures);
    failures.assert_none();
}

/// Terms and gradient at a picture are those of PyTorch, but for so many values of the gradient: of two neighbours that are as near
/// as each other, rounding may take the other one.
fn agrees(mut stylizer: Stylizer, recorded: &Value, tensors: &str, apart: usize) {
    let got = stylizer
        .inspect(&picture("content-small"), &picture("image-small"))
        .unwrap();
    let wanted = recorded["inspected"].as_object().unwrap();
    assert_eq!(got.terms.len(), wanted.len());
    let mut failures = Failures::new();
    for term in &got.terms {
        let wanted = wanted[&term.name].as_f64().unwrap();
        failures.check(near(
            &term.name,
            term.value,
            wanted,
            Tolerance::relative(1e-5),
        ));
    }
    let gradient = Checkpoint::open(golden(&format!("nnst/{tensors}.safetensors"))).unwrap();
    let wanted = &gradient.tensors["gradient"].values;
    let tolerance = Tolerance::of_greatest(1e-3, wanted);
    match apart {
        0 => failures.check(close("the gradient", &got.gradient, wanted, tolerance)),
        most => {
            assert_eq!(got.gradient.len(), wanted.len());
            let pairs = got.gradient.iter().zip(wanted);
            let far = pairs.filter(|(a, b)| close("a value", &[**a], &[**b], tolerance).is_err());
            let far = far.count();
            failures.check(match far <= most {
                true => Ok(()),
                false => Err(format!("the gradient: {far} values are apart")),
            })
        }
    };
    failures.assert_none();
}

/// Neighbours by principal components are those by everything, but for few.
#[test]
fn the_quick_search_finds_what_the_thorough_one_does() {
    let (content, style) = (photo(160, 120), painting(144, 160));
    let loss = |faithful: bool| {
        let settings = Nnst {
            steps: 2,
            splitting: 0,
            faithful,
            ..Nnst::default()
        };
        let mut stylizer = lite(settings, vec![style.clone()]);
        let got = stylizer.stylize(&content, &mut Ignore).unwrap();
        got.report.steps[0].total
    };
    let (quick, thorough) = (loss(false), loss(true));
    // A worse match is a greater loss from the start.
    assert!(
        (quick / thorough - 1.0).abs() < 0.02,
        "{quick} instead of {thorough}"
    );
}

#[test]
fn pictures_of_odd_sizes_are_painted() {
    let flat = Picture::new(40, 30, vec![0.5; 3 * 40 * 30]).unwrap();
    let cases = [
        ("small", photo(9, 7), painting(64, 64)),
        ("thin", photo(300, 12), painting(64, 64)),
        ("flat", flat.clone(), painting(64, 64)),
        ("a flat style", photo(70, 50), Style::new("flat", flat, 1.0)),
        ("a small style", photo(70, 50), painting(16, 16)),
        ("a pixel", photo(1, 1), painting(1, 1)),
    ];
    for (case, content, style) in cases {
        for recolor in [false, true] {
            let mut stylizer = lite(Nnst { recolor, ..few() }, vec![style.clone()]);
            let got = stylizer.stylize(&content, &mut Ignore).unwrap();
            assert_eq!(got.outcome, Outcome::Finished, "{case}");
            let size = (got.picture.width(), got.picture.height());
            assert_eq!(size, (content.width(), content.height()), "{case}");
            assert!(
                got.picture.rgb().iter().all(|value| value.is_finite()),
                "{case}"
            );
        }
    }
}

/// Each region takes after its own style, also one of three pixels, and what is masked stays as it is.
#[test]
fn regions_take_after_their_styles() {
    let (width, height) = (64, 48);
    let of = |inside: &dyn Fn(usize, usize) -> bool| {
        let share = |at: usize| f32::from(u8::from(inside(at % width, at / width)));
        let plane: Vec<f32> = (0..width * height).map(share).collect();
        Mask::of(&Picture::new(width, height, [&plane[..], &plane, &plane].concat()).unwrap())
    };
    let flat = |colour: [f32; 3], region: Option<usize>| {
        let plane = |value: f32| vec![value; 48 * 48];
        let noise = grain(3, 48, 48);
        let planes = colour.iter().flat_map(|&value| plane(value));
        let planes = planes
            .zip(noise)
            .map(|(value, noise)| 0.9 * value + 0.1 * noise);
        let picture = Picture::new(48, 48, planes.collect()).unwrap();
        Style {
            region,
            ..Style::new("colour", picture, 1.0)
        }
    };
    let content = photo(width, height);
    let (red, blue) = ([0.9, 0.1, 0.1], [0.1, 0.1, 0.9]);
    let halves = Regions::new(
        Some(of(&|_, y| y < 40)),
        vec![of(&|x, _| x < 32), of(&|x, _| x >= 32)],
    );
    let settings = Nnst {
        steps: 60,
        splitting: 10,
        learning_rate: 5e-3,
        turns: false,
        ..Nnst::default()
    };
    let styles = vec![flat(red, Some(0)), flat(blue, Some(1))];
    let mut stylizer = lite(settings, styles).in_regions(halves).unwrap();
    let got = stylizer.stylize(&content, &mut Ignore).unwrap().picture;
    let mean = |picture: &Picture, c: usize, columns: std::ops::Range<usize>| {
        let values = columns.clone().flat_map(|x| (8..32).map(move |y| (y, x)));
        let at = |(y, x)| picture.rgb()[(c * height + y) * width + x];
        values.map(at).sum::<f32>() / (24 * columns.len()) as f32
    };
    // Red over blue, beside what the photo has.
    let redness = |picture: &Picture, columns: std::ops::Range<usize>| {
        mean(picture, 0, columns.clone()) - mean(picture, 2, columns)
    };
    let left = redness(&got, 4..28) - redness(&content, 4..28);
    let right = redness(&got, 36..60) - redness(&content, 36..60);
    assert!(left > 0.05 && right < -0.05, "{left} {right}");
    let last = (height - 1) * width;
    assert_eq!(
        got.rgb()[last..last + width],
        content.rgb()[last..last + width]
    );
    let tiny = Regions::new(None, vec![of(&|x, y| y == 20 && (20..23).contains(&x))]);
    let styles = vec![flat(red, Some(0)), flat(blue, None)];
    let mut stylizer = lite(few(), styles).in_regions(tiny).unwrap();
    let got = stylizer.stylize(&content, &mut Ignore).unwrap();
    assert_eq!(got.outcome, Outcome::Finished);
    assert!(got.picture.rgb().iter().all(|value| value.is_finite()));
}

/// A run that is cut off anywhere goes on to the same bytes: what was matched with what is kept.
#[test]
fn runs_that_are_cut_off_go_on_to_the_same_picture() {
    let (content, style) = (photo(140, 100), painting(120, 140));
    let whole = lite(few(), vec![style.clone()]);
    let whole = { whole }.stylize(&content, &mut Ignore).unwrap();
    // Amid each of the four passes.
    for stop in [2, 6, 11, 15] {
        let folder = Folder::new();
        let checkpoints = Checkpoints {
            every: Some(Duration::ZERO),
            ..Checkpoints::new(folder.path())
        };
        let mut taken = 0;
        let mut stops = |event: &Event<'_>| {
            taken += usize::from(matches!(event, Event::Step(_)));
            match taken >= stop {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let mut stylizer = lite(few(), vec![style.clone()]).checkpoints(checkpoints.clone());
        let cut = stylizer.stylize(&content, &mut stops).unwrap();
        assert_eq!(cut.outcome, Outcome::Stopped);
        let resume = Resume::Yes;
        let mut stylizer = lite(few(), vec![style.clone()]).checkpoints(Checkpoints {
            resume,
            ..checkpoints
        });
        let got = stylizer.stylize(&content, &mut Ignore).unwrap();
        assert_eq!(
            got.picture.rgb(),
            whole.picture.rgb(),
            "cut off at step {stop}"
        );
        assert_eq!(got.report.steps.len(), whole.report.steps.len());
    }
}

/// In strips, under a limit, it is the same picture.
#[test]
fn limits_of_memory_change_nothing() {
    let (content, style) = (photo(400, 300), painting(300, 400));
    let settings = Nnst {
        steps: 1,
        splitting: 1,
        ..few()
    };
    let mut stylizer = lite(settings.clone(), vec![style.clone()]);
    let whole = stylizer.stylize(&content, &mut Ignore).unwrap();
    let stylizer = lite(settings, vec![style]);
    let limits = impasto::RunLimits {
        tile: Some(64),
        memory: None,
    };
    let mut stylizer = stylizer.with_limits(limits).unwrap();
    assert!(
        stylizer
            .plan(&content)
            .unwrap()
            .scales
            .iter()
            .all(|scale| scale.cut.is_some() || scale.width.max(scale.height) <= 64)
    );
    let got = stylizer.stylize(&content, &mut Ignore).unwrap();
    assert_eq!(got.picture.rgb(), whole.picture.rgb());
}
