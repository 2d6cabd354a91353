//! Style transfer by relaxed optimal transport and self-similarity: against an independent implementation in PyTorch, in
//! regions, at odd sizes, cut off and resumed.
//!
//! The recorded numbers and the script that made them are in `tests/golden/strotss/`.

use impasto::checkpoint::{Checkpoints, Resume};
use impasto::device::{Choice, Precision, open};
use impasto::encoder::{EncoderOptions, Preprocessing};
use impasto::loss::columns::{Columns, Part, Places};
use impasto::loss::sampled::palette::Palette;
use impasto::loss::sampled::remd::Remd;
use impasto::loss::sampled::similarity::SelfSimilarity;
use impasto::loss::sampled::spread::Spread;
use impasto::loss::sampled::{Comparison, SampledLoss, Sampler};
use impasto::loss::{Objective, Scaling, Term, View};
use impasto::recipe::{MethodSettings, Rotate, Strotss};
use impasto::{
    Encoder, Event, Ignore, Mask, Outcome, OutputSize, Picture, Recipe, Regions, StepSeed, Style,
    Stylizer,
};
use impasto_compute::{Point, Size, TapRequest, Tensor};
use impasto_testing::compare::{close, decibels, near};
use impasto_testing::pictures::{grain, patches};
use impasto_testing::{Failures, Folder, Tolerance, shared};
use impasto_weights::Checkpoint;
use serde_json::Value;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

fn golden(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/golden", file]
        .iter()
        .collect()
}

fn recipe(settings: Strotss) -> Recipe {
    Recipe {
        size: OutputSize::Original,
        encoder: EncoderOptions::default(),
        method: MethodSettings::Strotss(settings),
        ..Recipe::default()
    }
}

fn lite(settings: Strotss, styles: Vec<Style>) -> Stylizer {
    let device = open(&Choice::default()).unwrap();
    let encoder = Encoder::lite().unwrap();
    Stylizer::new(device, &encoder, styles, recipe(settings)).unwrap()
}

fn few() -> Strotss {
    Strotss {
        steps: 4,
        places: 200,
        samples: 300,
        ..Strotss::default()
    }
}

fn photo(width: usize, height: usize) -> Picture {
    Picture::new(width, height, patches(1, width, height)).unwrap()
}

fn painting(width: usize, height: usize) -> Style {
    let picture = Picture::new(width, height, grain(2, width, height)).unwrap();
    Style::new("painting", picture, 1.0)
}

/// The networks that are compared on, with the names of what PyTorch made of them: the tiny one, and VGG-19 where it is there.
fn networks() -> Vec<(Encoder, [&'static str; 2])> {
    let vgg = shared("weights/vgg19/vgg19-conv1_1-to-conv3_4.safetensors");
    let files = [
        Some((golden("tiny.safetensors"), ["strotss", "inspected"])),
        vgg.map(|file| (file, ["vgg19", "vgg19"])),
    ];
    let open = |(file, names): (PathBuf, _)| {
        let encoder = Encoder::open(&file, Some(Preprocessing::Caffe)).unwrap();
        (encoder, names)
    };
    files.into_iter().flatten().map(open).collect()
}

/// A job on a network whose pictures were recorded.
fn compared(encoder: &Encoder, settings: Strotss) -> Stylizer {
    let device = open(&Choice {
        precision: Precision::Strict,
        ..Choice::default()
    });
    let styles = vec![Style::new("style", recorded("style"), 1.0)];
    Stylizer::new(device.unwrap(), encoder, styles, recipe(settings)).unwrap()
}

fn recorded(name: &str) -> Picture {
    Picture::open(&golden(&format!("strotss/{name}.png"))).unwrap()
}

#[test]
fn losses_gradients_and_ten_steps_agree_with_pytorch() {
    let mut failures = Failures::new();
    for (encoder, [text, tensors]) in networks() {
        let tensors = Checkpoint::open(golden(&format!("strotss/{tensors}.safetensors"))).unwrap();
        let file = golden(&format!("strotss/{text}.json"));
        let numbers: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let mut stylizer = compared(&encoder, Strotss::default());
        let got = stylizer
            .inspect(&recorded("content"), &recorded("image"))
            .unwrap();
        let terms = numbers["terms"].as_object().unwrap();
        assert_eq!(got.terms.len(), terms.len());
        let exact = Tolerance::relative(1e-4);
        for term in &got.terms {
            let (case, wanted) = (format!("{text}: {}", term.name), &terms[&term.name]);
            failures.check(near(&case, term.value, wanted.as_f64().unwrap(), exact));
            failures.check(near(&case, term.weight, 1.0 / 3.0, exact));
        }
        let wanted = &tensors.tensors["gradient"].values;
        let tolerance = Tolerance::of_greatest(1e-3, wanted);
        let case = format!("{text}: the gradient");
        failures.check(close(&case, &got.gradient, wanted, tolerance));
        // All places of so small a picture are looked at, so that nothing is drawn.
        let settings = Strotss {
            steps: 10,
            ..Strotss::default()
        };
        let mut stylizer = compared(&encoder, settings);
        let run = stylizer.stylize(&recorded("content"), &mut Ignore).unwrap();
        let losses = numbers["run"].as_array().unwrap();
        // Steps 7 and 8 of the tiny network are .2 % apart: its few channels have neighbours that are nearly as near.
        let (later, least) = match text {
            "vgg19" => (1e-3, 50.0),
            _ => (5e-3, 40.0),
        };
        assert_eq!(run.report.steps.len(), losses.len());
        for (step, loss) in run.report.steps.iter().zip(losses) {
            let case = format!("{text}: the loss of step {}", step.step);
            let tolerance = Tolerance::relative(if step.step == 1 { 1e-4 } else { later });
            failures.check(near(&case, step.total, loss.as_f64().unwrap(), tolerance));
        }
        let wanted = &tensors.tensors["result"].values;
        let near = decibels(text, run.picture.rgb(), wanted);
        failures.check(match near >= least {
            true => Ok(()),
            false => Err(format!(
                "{text}: the picture is {near:.1} dB from PyTorch's"
            )),
        });
    }
    failures.assert_none();
}

/// Beside the moments, which are greater by far, the others would not be seen.
#[test]
fn the_gradient_of_each_term_agrees_with_pytorch() {
    let encoder = Encoder::open(&golden("tiny.safetensors"), Some(Preprocessing::Caffe)).unwrap();
    let device = open(&Choice {
        precision: Precision::Strict,
        ..Choice::default()
    });
    let device = device.unwrap();
    let spec = encoder.spec(&EncoderOptions::default());
    let network = device.network(&spec).unwrap();
    let size = Size {
        width: 32,
        height: 32,
    };
    let part = |view, channels, stride| Part {
        view,
        channels,
        // From the original network's units to torchvision's.
        factor: if view == View::Image {
            1.0
        } else {
            1.0 / (255.0 * 0.225)
        },
        stride,
    };
    let mut parts = vec![part(View::Image, 3, 1)];
    let taps: Vec<_> = encoder
        .taps()
        .into_iter()
        .map(|name| encoder.tap(name).unwrap())
        .collect();
    for &tap in &taps {
        let [channels, ..] = spec.shape_at(tap, size).unwrap();
        let stride = spec.stride(spec.layer_of(tap).unwrap());
        parts.push(part(View::Features(tap), channels, stride));
    }
    let colours = Columns::new(parts[..1].to_vec(), Places::Pixels);
    let columns = Columns::new(parts, Places::Pixels);
    let all: Vec<_> = (0..32 * 32)
        .map(|at| Point {
            y: (at / 32) as f32,
            x: (at % 32) as f32,
        })
        .collect();
    let upload = |name: &str| {
        let picture = Picture::open(&golden(&format!("strotss/{name}.png"))).unwrap();
        device.upload(picture.rgb(), &[3, 32, 32]).unwrap()
    };
    let look = |name: &str| -> Vec<Tensor> {
        let image = upload(name);
        let requests: Vec<_> = taps.iter().map(|tap| TapRequest::features(*tap)).collect();
        let tape = network.forward(&image, &requests).unwrap();
        let features = taps
            .iter()
            .map(|tap| device.copy(tape.features(*tap).unwrap()).unwrap());
        let features: Vec<_> = features.collect();
        [image].into_iter().chain(features).collect()
    };
    let rows = |columns: &Columns| {
        let features = look("style");
        let features: Vec<_> = features.iter().collect();
        let mut rows = device.zeros(&[all.len(), columns.width()]).unwrap();
        columns
            .gather(&*device, &features, &all, &mut rows, 0)
            .unwrap();
        rows
    };
    let similarity = SelfSimilarity::new(columns.clone(), Arc::new(look("content")));
    let comparisons: [(&str, &Columns, Box<dyn Comparison>); 4] = [
        ("content", &columns, Box::new(similarity)),
        (
            "transport",
            &columns,
            Box::new(Remd::new(&*device, rows(&columns)).unwrap()),
        ),
        (
            "moments",
            &columns,
            Box::new(Spread::new(&*device, &rows(&columns)).unwrap()),
        ),
        (
            "palette",
            &colours,
            Box::new(Palette::new(&*device, &rows(&colours)).unwrap()),
        ),
    ];
    let recorded = Checkpoint::open(golden("strotss/inspected.safetensors")).unwrap();
    let mut failures = Failures::new();
    for (name, columns, comparison) in comparisons {
        let sampler = Sampler::new(size, None, 1024);
        let mut objective = Objective::new(vec![Term {
            name: name.into(),
            weight: 1.0,
            scaling: Scaling::NONE,
            loss: Box::new(SampledLoss::new(columns.clone(), sampler, comparison)),
        }]);
        objective.prepare(&*device, 0, 0, 1).unwrap();
        let got = objective
            .evaluate(&*device, &*network, None, &upload("image"))
            .unwrap();
        let gradient = device.download(&got.gradient).unwrap();
        let wanted = &recorded.tensors[name].values;
        failures.check(close(
            name,
            &gradient,
            wanted,
            Tolerance::of_greatest(1e-3, wanted),
        ));
    }
    failures.assert_none();
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
        let mut stylizer = lite(few(), vec![style]);
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

/// Each region takes after its own style, also one of three pixels.
#[test]
fn regions_take_after_their_styles() {
    let (width, height) = (64, 48);
    let of = |inside: &dyn Fn(usize, usize) -> bool| {
        let share = |at: usize| f32::from(u8::from(inside(at % width, at / width)));
        let plane: Vec<f32> = (0..width * height).map(share).collect();
        Mask::of(&Picture::new(width, height, [&plane[..], &plane, &plane].concat()).unwrap())
    };
    let flat = |colour: [f32; 3], region: Option<usize>| {
        let planes = colour.iter().flat_map(|&value| vec![value; 48 * 48]);
        let planes = planes
            .zip(grain(3, 48, 48))
            .map(|(value, noise)| 0.9 * value + 0.1 * noise);
        let picture = Picture::new(48, 48, planes.collect()).unwrap();
        Style {
            region,
            ..Style::new("colour", picture, 1.0)
        }
    };
    let content = photo(width, height);
    let (red, blue) = ([0.9, 0.1, 0.1], [0.1, 0.1, 0.9]);
    let halves = Regions::new(None, vec![of(&|x, _| x < 32), of(&|x, _| x >= 32)]);
    let settings = Strotss { steps: 60, ..few() };
    let styles = vec![flat(red, Some(0)), flat(blue, Some(1))];
    let mut stylizer = lite(settings, styles).in_regions(halves).unwrap();
    let got = stylizer.stylize(&content, &mut Ignore).unwrap().picture;
    let redness = |columns: std::ops::Range<usize>| {
        let mut sum = 0.0;
        for (y, x) in columns.clone().flat_map(|x| (8..40).map(move |y| (y, x))) {
            let at = |c: usize| got.rgb()[(c * height + y) * width + x];
            sum += (at(0) - at(2)) / (32 * columns.len()) as f32;
        }
        sum
    };
    // Both start from the mean of the two colours.
    let (left, right) = (redness(4..28), redness(36..60));
    assert!(left - right > 0.3, "{left} {right}");
    let tiny = Regions::new(None, vec![of(&|x, y| y == 20 && (20..23).contains(&x))]);
    let styles = vec![flat(red, Some(0)), flat(blue, None)];
    let mut stylizer = lite(few(), styles).in_regions(tiny).unwrap();
    let got = stylizer.stylize(&content, &mut Ignore).unwrap();
    assert_eq!(got.outcome, Outcome::Finished);
    assert!(got.picture.rgb().iter().all(|value| value.is_finite()));
}

/// Two flat halves, and a style of the same two: each half is guided to the other's colour, and takes it.
#[test]
fn points_take_after_points() {
    let halves = |left: f32, right: f32, side: usize| {
        let grain = grain(4, side, side);
        let value = |at: usize| {
            let half = if at % side < side / 2 { left } else { right };
            0.8 * half + 0.2 * grain[at]
        };
        Picture::new(side, side, (0..3 * side * side).map(value).collect()).unwrap()
    };
    let (content, painting) = (halves(0.2, 0.8, 64), halves(0.1, 0.9, 64));
    let guide = |from: f32, to: f32| impasto::Guide {
        content: [from, 0.5],
        style: [to, 0.5],
    };
    let settings = Strotss {
        steps: 60,
        learning_rate: 5e-3,
        ..few()
    };
    let at = |x: usize, guides: &[impasto::Guide]| {
        let styles = vec![Style::new("halves", painting.clone(), 1.0)];
        let regions = Regions::default().with_guides(guides.to_vec());
        let mut stylizer = lite(settings.clone(), styles).in_regions(regions).unwrap();
        let got = stylizer.stylize(&content, &mut Ignore).unwrap().picture;
        let square = (28..36).flat_map(|y| (x - 4..x + 4).map(move |x| (y, x)));
        square.map(|(y, x)| got.rgb()[y * 64 + x]).sum::<f32>() / 64.0
    };
    let turned = [guide(0.25, 0.75), guide(0.75, 0.25)];
    let (plain, guided) = (at(48, &[]) - at(16, &[]), at(48, &turned) - at(16, &turned));
    assert!(guided < plain - 0.02, "{guided} instead of {plain}");
}

/// As published, rows and columns of a region's places are shuffled apart, so that most are not in it; ours all are.
#[test]
fn places_of_a_region_are_in_it_unless_the_recipe_is_faithful() {
    let size = Size {
        width: 40,
        height: 40,
    };
    let diagonal: Vec<bool> = (0..1600).map(|at| at % 40 == at / 40).collect();
    let drawn = |apart: bool| {
        let sampler = Sampler::new(size, Some(diagonal.clone()), 40).shuffled_apart(apart);
        let seed = StepSeed {
            seed: 1,
            scale: 0,
            step: 3,
            term: "any",
        };
        let places = sampler.draw(&seed);
        assert_eq!(places.len(), 40);
        places.iter().filter(|place| place.x == place.y).count()
    };
    assert_eq!(drawn(false), 40);
    assert!(drawn(true) < 10, "{}", drawn(true));
}

/// Of a photo only the places of all steps are kept where these are fewer numbers: to the same losses.
#[test]
fn what_is_kept_of_the_photo_changes_nothing() {
    let losses = |steps: usize| -> Vec<f64> {
        let settings = Strotss {
            steps,
            places: 16,
            samples: 32,
            ..Strotss::default()
        };
        let mut stylizer = lite(settings, vec![painting(48, 48)]);
        let got = stylizer.stylize(&photo(64, 48), &mut Ignore).unwrap();
        got.report.steps.iter().map(|step| step.total).collect()
    };
    // Of so many steps, maps of the whole are fewer.
    let (few, many) = (losses(4), losses(60));
    assert_eq!(few, many[..4]);
}

/// Where a mask is black, nothing holds on to the photo's structure.
#[test]
fn a_mask_says_where_the_photo_counts() {
    let mask = |left: f32, right: f32| {
        let value = |at: usize| if at % 64 < 32 { left } else { right };
        let plane: Vec<f32> = (0..64 * 48).map(value).collect();
        Mask::of(&Picture::new(64, 48, [&plane[..], &plane, &plane].concat()).unwrap())
    };
    let content = |mask: Option<Mask>| {
        let regions = Regions::default().with_content(mask);
        let mut stylizer = lite(few(), vec![painting(48, 48)])
            .in_regions(regions)
            .unwrap();
        let image = photo(64, 48);
        let other = Picture::new(64, 48, grain(7, 64, 48)).unwrap();
        // The left half is the photo's, the right one is not.
        let pixels = image.rgb().iter().zip(other.rgb()).enumerate();
        let both = pixels.map(|(at, (a, b))| if at % 64 < 32 { *a } else { *b });
        let both = Picture::new(64, 48, both.collect()).unwrap();
        let got = stylizer.inspect(&image, &both).unwrap();
        got.terms
            .iter()
            .find(|term| term.name == "content")
            .unwrap()
            .value
    };
    let (all, left) = (content(None), content(Some(mask(1.0, 0.0))));
    let nowhere = content(Some(mask(0.0, 0.0)));
    assert!(left < 0.5 * all, "{left} of {all}");
    assert_eq!(nowhere, 0.0);
}

/// Of two styles, the picture takes after each by its weight; turned ones, and one of 16 px, are no trouble.
#[test]
fn several_styles_share_by_weight() {
    let flat = |value: f32, side: usize, weight: f32| {
        let planes = grain(3, side, side);
        let planes = planes.into_iter().map(|noise| 0.9 * value + 0.1 * noise);
        let picture = Picture::new(side, side, planes.collect()).unwrap();
        Style::new("flat", picture, weight)
    };
    let mean = |dark: f32, bright: f32| {
        let settings = Strotss { steps: 20, ..few() };
        let styles = vec![flat(0.1, 48, dark), flat(0.9, 16, bright)];
        let mut stylizer = lite(settings, styles);
        let got = stylizer.stylize(&photo(48, 48), &mut Ignore).unwrap();
        let values = got.picture.rgb();
        values.iter().sum::<f32>() / values.len() as f32
    };
    let (dark, bright) = (mean(4.0, 1.0), mean(1.0, 4.0));
    assert!(bright > dark + 0.15, "{dark} {bright}");
    let mut turned = recipe(few());
    turned.style.rotate = Rotate::Degrees(90.0);
    let device = open(&Choice::default()).unwrap();
    let encoder = Encoder::lite().unwrap();
    let mut stylizer = Stylizer::new(device, &encoder, vec![painting(40, 30)], turned).unwrap();
    let got = stylizer.stylize(&photo(48, 40), &mut Ignore).unwrap();
    assert_eq!(got.outcome, Outcome::Finished);
}

/// A run that is cut off goes on to the same bytes: what is drawn follows from the step alone.
#[test]
fn runs_that_are_cut_off_go_on_to_the_same_picture() {
    let (content, style) = (photo(140, 100), painting(120, 140));
    let mut stylizer = lite(few(), vec![style.clone()]);
    let whole = stylizer.stylize(&content, &mut Ignore).unwrap();
    let folder = Folder::new();
    let checkpoints = Checkpoints {
        every: Some(Duration::ZERO),
        ..Checkpoints::new(folder.path())
    };
    let mut taken = 0;
    let mut stops = |event: &Event<'_>| {
        taken += usize::from(matches!(event, Event::Step(_)));
        match taken >= 6 {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    };
    let mut stylizer = lite(few(), vec![style.clone()]).checkpoints(checkpoints.clone());
    let cut = stylizer.stylize(&content, &mut stops).unwrap();
    assert_eq!(cut.outcome, Outcome::Stopped);
    let mut stylizer = lite(few(), vec![style]).checkpoints(Checkpoints {
        resume: Resume::Yes,
        ..checkpoints
    });
    let got = stylizer.stylize(&content, &mut Ignore).unwrap();
    assert_eq!(got.picture.rgb(), whole.picture.rgb());
}
