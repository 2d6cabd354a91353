//! Feed-forward methods: pictures of the embedded network, and of published ones where they are at hand.

mod vectors;

use impasto::compute::Device;
use impasto::device::{Choice, open};
use impasto::recipe::{Fast, Init, MethodName, MethodSettings, Paint, StyleSize, Transform, Wct};
use impasto::{
    Cut, Error, Ignore, LEAST_TILE, Networks, Outcome, OutputSize, PainterSpec, Picture, Recipe,
    RunLimits, ScalePlan, Style, Stylizer,
};
use impasto_testing::{noise, shared};
use std::sync::Arc;
use vectors::{Vectors, devices};

fn picture(seed: u64, width: usize, height: usize) -> Picture {
    let values = noise(seed, 3 * width * height);
    // Soft colours with some noise: what a decoder knows.
    let value = |(place, noise): (usize, &f32)| {
        let (x, y) = (place % width, place / width % height);
        let wave = (x as f32 * 0.3 + seed as f32).sin() * (y as f32 * 0.2).cos();
        (0.5 + 0.3 * wave + 0.1 * noise).clamp(0.0, 1.0)
    };
    let values = values.iter().enumerate().map(value).collect();
    Picture::new(width, height, values).unwrap()
}

fn device(threads: usize) -> Arc<dyn Device> {
    let choice = Choice {
        threads: Some(threads),
        ..Choice::default()
    };
    open(&choice).unwrap().into()
}

fn recipe(method: MethodSettings) -> Recipe {
    Recipe {
        size: OutputSize::Original,
        method,
        ..Recipe::default()
    }
}

fn painted(
    painter: &PainterSpec,
    method: MethodSettings,
    threads: usize,
    content: &Picture,
    styles: Vec<Style>,
) -> Picture {
    let networks = Networks {
        encoder: None,
        painter: Some(painter),
    };
    let mut stylizer =
        Stylizer::with_networks(device(threads), networks, styles, recipe(method)).unwrap();
    let stylized = stylizer.stylize(content, &mut Ignore).unwrap();
    assert_eq!(stylized.outcome, Outcome::Finished);
    stylized.picture
}

fn embedded() -> PainterSpec {
    PainterSpec::find(MethodName::Paint, None, None).unwrap()
}

fn distance(a: &Picture, b: &Picture) -> f64 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let squares = a.rgb().iter().zip(b.rgb());
    let sum: f64 = squares.map(|(x, y)| f64::from(x - y).powi(2)).sum();
    (sum / a.rgb().len() as f64).sqrt()
}

#[test]
fn the_embedded_network_paints_pictures_of_any_size() {
    let painter = embedded();
    for (width, height) in [(1, 1), (2, 3), (7, 5), (33, 18), (64, 1)] {
        let content = picture(1, width, height);
        let styles = vec![Style::new("painting", picture(2, 17, 23), 1.0)];
        let method = MethodSettings::of(MethodName::Paint);
        let made = painted(&painter, method, 1, &content, styles);
        assert_eq!((made.width(), made.height()), (width, height));
        assert!(made.rgb().iter().all(|v| (0.0..=1.0).contains(v)));
    }
}

#[test]
fn a_picture_does_not_depend_on_threads_and_does_on_the_style() {
    let painter = embedded();
    let content = picture(1, 70, 45);
    let make = |threads, styles: &[(u64, f32)], method: Paint| {
        let styles = styles
            .iter()
            .map(|&(seed, weight)| Style::new("painting", picture(seed, 60, 40), weight));
        let method = MethodSettings::Paint(method);
        painted(&painter, method, threads, &content, styles.collect())
    };
    let first = make(1, &[(2, 1.0)], Paint::default());
    for threads in [2, 3] {
        assert_eq!(make(threads, &[(2, 1.0)], Paint::default()), first);
    }
    let other = make(1, &[(3, 1.0)], Paint::default());
    assert!(distance(&first, &other) > 1e-3);
    let mixed = make(1, &[(2, 1.0), (3, 1.0)], Paint::default());
    assert!(distance(&mixed, &first) > 1e-4 && distance(&mixed, &other) > 1e-4);
    let weak = Paint {
        alpha: 0.0,
        ..Paint::default()
    };
    let weak = make(1, &[(2, 1.0)], weak);
    assert!(distance(&weak, &first) > 1e-3);
    let scales = Paint {
        scales: 2,
        ..Paint::default()
    };
    assert!(distance(&make(1, &[(2, 1.0)], scales), &first) > 1e-4);
}

#[test]
fn a_run_starts_from_what_the_network_paints() {
    let example = |name: &str| {
        let picture = impasto::examples::open(name).unwrap();
        picture.resized(96, 64, impasto::picture::Filter::Bicubic)
    };
    let content = example("@lake");
    let style = || vec![Style::new("painting", example("@swirls"), 1.0)];
    let run = |init| {
        let mut recipe = recipe(MethodSettings::default());
        let settings = recipe.optimize_mut().unwrap();
        settings.init = init;
        settings.schedule.steps = vec![1];
        let encoder = impasto::Encoder::lite().unwrap();
        // The embedded network needs not be given.
        let mut stylizer = Stylizer::new(device(2), &encoder, style(), recipe).unwrap();
        stylizer.stylize(&content, &mut Ignore).unwrap()
    };
    let (painted_start, content_start) =
        (run(Init::Network(MethodName::Paint)), run(Init::Content));
    let loss = |stylized: &impasto::Stylized| stylized.report.steps[0].total;
    assert!(loss(&painted_start) < 0.7 * loss(&content_start));
}

#[test]
fn networks_that_do_not_fit_are_refused_by_name() {
    let style = || vec![Style::new("painting", picture(2, 20, 20), 1.0)];
    let refused = |networks: Networks<'_>, method| {
        let made = Stylizer::with_networks(device(1), networks, style(), recipe(method));
        match made {
            Err(Error::Invalid(problems)) => problems[0].to_string(),
            other => panic!("{other:?}"),
        }
    };
    let painter = embedded();
    let with = Networks {
        encoder: None,
        painter: Some(&painter),
    };
    let wct = MethodSettings::of(MethodName::Wct);
    assert!(refused(with, wct.clone()).contains("method is wct"));
    assert!(refused(Networks::default(), wct).contains("method is wct"));
    let levels = MethodSettings::Paint(Paint {
        levels: vec![5, 1],
        ..Paint::default()
    });
    let problem = refused(with, levels);
    assert!(problem.contains("network.levels is 5") && problem.contains("3,2,1"));
    assert!(refused(Networks::default(), MethodSettings::default()).contains("encoder"));
    let found = PainterSpec::find(MethodName::Microast, None, None);
    let problem = found.unwrap_err().to_string();
    assert!(problem.contains("microast"), "{problem}");
}

#[test]
fn what_does_not_fit_is_refused_with_the_size_that_would() {
    let painter = embedded();
    let networks = Networks {
        encoder: None,
        painter: Some(&painter),
    };
    let style = vec![Style::new("painting", picture(2, 30, 20), 1.0)];
    let recipe = Recipe {
        size: OutputSize::LongSide(3000),
        ..recipe(MethodSettings::of(MethodName::Paint))
    };
    let limits = RunLimits {
        memory: Some(400 << 20),
        tile: None,
    };
    let stylizer = Stylizer::with_networks(device(1), networks, style, recipe).unwrap();
    let stylizer = stylizer.with_limits(limits).unwrap();
    let refused = stylizer.plan(&picture(1, 60, 40)).unwrap_err();
    let Error::TooLarge {
        fits: Some(side), ..
    } = refused
    else {
        panic!("{refused:?}")
    };
    assert!((256..3000).contains(&side), "{side}");
}

/// Paints in strips: of so many rows, or within so many bytes.
fn in_strips(
    painter: &PainterSpec,
    method: &MethodSettings,
    content: &Picture,
    limits: RunLimits,
) -> (Picture, ScalePlan) {
    let networks = Networks {
        encoder: None,
        painter: Some(painter),
    };
    let styles = vec![Style::new("painting", picture(2, 60, 50), 1.0)];
    let recipe = recipe(method.clone());
    let stylizer = Stylizer::with_networks(device(2), networks, styles, recipe).unwrap();
    let mut stylizer = stylizer.with_limits(limits).unwrap();
    let plan = stylizer.plan(content).unwrap().scales.remove(0);
    let made = stylizer.stylize(content, &mut Ignore).unwrap();
    (made.picture, plan)
}

#[test]
fn strips_paint_the_same_picture() {
    let paint = (embedded(), MethodSettings::of(MethodName::Paint));
    let fast = shared("weights/magenta/stylize26_dequant.safetensors").map(|file| {
        let method = MethodSettings::of(MethodName::Fast);
        (PainterSpec::open(&file).unwrap(), method)
    });
    let wct = shared("weights/vgg19-16x").map(|folder| {
        let found = PainterSpec::find(MethodName::Wct, Some(&folder), None);
        (found.unwrap(), MethodSettings::of(MethodName::Wct))
    });
    for (painter, method) in [Some(paint), fast, wct].into_iter().flatten() {
        let content = picture(1, 91, 230);
        let (whole, plan) = in_strips(&painter, &method, &content, RunLimits::default());
        assert_eq!(plan.cut, None);
        for rows in [LEAST_TILE, 100] {
            let limits = RunLimits {
                tile: Some(rows),
                ..RunLimits::default()
            };
            let (made, plan) = in_strips(&painter, &method, &content, limits);
            assert!(matches!(plan.cut, Some(Cut::Strips(_))), "{plan:?}");
            assert_eq!(made, whole, "{rows} rows");
        }
    }
}

/// A picture for which there is not room enough as a whole is painted in strips, and is the same.
#[test]
fn what_does_not_fit_is_painted_in_strips() {
    let (painter, method) = (embedded(), MethodSettings::of(MethodName::Paint));
    let content = picture(1, 320, 1600);
    let (whole, plan) = in_strips(&painter, &method, &content, RunLimits::default());
    assert_eq!(plan.cut, None);
    let memory = Some(plan.bytes * 9 / 10);
    let limits = RunLimits { memory, tile: None };
    let (made, cut) = in_strips(&painter, &method, &content, limits);
    assert!(matches!(cut.cut, Some(Cut::Strips(_))), "{cut:?}");
    assert!(Some(cut.bytes) <= memory, "{cut:?}");
    assert_eq!(made, whole);
}

/// The five levels of universal style transfer, by transport and as the authors' program whitens, against NumPy in f64.
#[test]
fn the_cascade_is_that_of_universal_style_transfer() {
    let (Some(weights), Some(file)) = (
        shared("weights/vgg19-16x"),
        shared("feedforward-vectors/wct16x-vector.safetensors"),
    ) else {
        return;
    };
    let vectors = Vectors::open(&file);
    let picture = |name: &str| {
        let (shape, values) = vectors.planes(name);
        Picture::new(shape[2], shape[1], values).unwrap()
    };
    let (content, style) = (picture("content_u8_hwc"), picture("style_u8_hwc"));
    let painter = PainterSpec::find(MethodName::Wct, Some(&weights), None).unwrap();
    for (transform, name, levels) in [
        (Transform::Transport, "ot_alpha0.6_after_level5", vec![5]),
        (
            Transform::Transport,
            "ot_alpha0.6_after_level1",
            vec![5, 4, 3, 2, 1],
        ),
        (
            Transform::Lua,
            "lua_alpha0.6_after_level1",
            vec![5, 4, 3, 2, 1],
        ),
    ] {
        let settings = Wct {
            alpha: 0.6,
            levels,
            transform,
        };
        let mut recipe = recipe(MethodSettings::Wct(settings));
        recipe.style.size = StyleSize::LongSide(256);
        let networks = Networks {
            encoder: None,
            painter: Some(&painter),
        };
        let (_, expected) = vectors.get(name);
        let expected = expected.iter().map(|v| v.clamp(0.0, 1.0)).collect();
        let expected = Picture::new(content.width(), content.height(), expected).unwrap();
        for device in devices() {
            let styles = vec![Style::new("style", style.clone(), 1.0)];
            let case = format!("{name} on {}", device.describe());
            let stylizer = Stylizer::with_networks(device, networks, styles, recipe.clone());
            let made = stylizer.unwrap().stylize(&content, &mut Ignore).unwrap();
            let error = distance(&made.picture, &expected);
            println!("{case}: RMS {error:e}");
            assert!(error <= 1e-3, "{case}: RMS {error:e}");
        }
    }
}

/// A network of 26 styles paints by numbers, and refuses those that it has not.
#[test]
fn a_network_of_many_styles_is_asked_by_number() {
    let Some(file) = shared("weights/magenta/stylize26_dequant.safetensors") else {
        return;
    };
    let painter = PainterSpec::open(&file).unwrap();
    let content = picture(1, 33, 21);
    let make = |styles: Vec<usize>| {
        let method = MethodSettings::Fast(Fast {
            styles,
            ..Fast::default()
        });
        painted(&painter, method, 2, &content, vec![])
    };
    assert_eq!(make(vec![]), make(vec![1]));
    assert_eq!(make(vec![7]), make(vec![7, 7]));
    assert!(distance(&make(vec![7]), &make(vec![8])) > 1e-2);
    let method = MethodSettings::Fast(Fast {
        styles: vec![27],
        ..Fast::default()
    });
    let networks = Networks {
        encoder: None,
        painter: Some(&painter),
    };
    let made = Stylizer::with_networks(device(1), networks, vec![], recipe(method));
    assert!(matches!(made, Err(Error::Invalid(_))));
}
