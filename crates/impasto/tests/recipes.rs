//! The recipes of the published methods against runs of independent implementations in PyTorch, step by step.
//!
//! The recorded losses and pictures and the script that made them are in `tests/golden/trajectories/`; the
//! implementations are in `bench/reference/trajectory/`, where the same comparison can be made on the real network and
//! beside TensorFlow.

use impasto::device::{Choice, Precision, open};
use impasto::encoder::Preprocessing;
use impasto::recipe::{Init, OptimizerSettings};
use impasto::{Advice, Encoder, Error, Ignore, OutputSize, Picture, Recipe, Style, Stylizer};
use impasto_testing::compare::{decibels, near};
use impasto_testing::{Failures, Tolerance};
use serde_json::Value;
use std::path::PathBuf;

fn golden(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/golden", file]
        .iter()
        .collect()
}

fn picture(name: &str) -> Picture {
    Picture::open(&golden(&format!("trajectories/{name}.png"))).unwrap()
}

#[test]
fn published_methods_go_the_way_of_their_tutorials() {
    let recorded = std::fs::read(golden("trajectories/trajectories.json")).unwrap();
    let recorded: Value = serde_json::from_slice(&recorded).unwrap();
    let (content, style) = (picture("content"), picture("style"));
    let encoder = Encoder::open(&golden("tiny.safetensors"), Some(Preprocessing::Caffe)).unwrap();
    let mut failures = Failures::new();
    for run in recorded.as_array().unwrap() {
        let name = run["recipe"].as_str().unwrap();
        let expected: Vec<f64> = run["losses"]
            .as_array()
            .unwrap()
            .iter()
            .map(|loss| loss.as_f64().unwrap())
            .collect();
        let mut recipe = Recipe::named(name).unwrap();
        recipe.size = OutputSize::Original;
        let settings = recipe.optimize_mut().unwrap();
        settings.schedule.coarse_to_fine = false;
        // The network of the test has neither all layers nor activations of any known size.
        settings.faithful = true;
        settings.schedule.steps = vec![expected.len()];
        // The one thing that no two programs share is their noise.
        settings.init = Init::Picture;
        let adam = matches!(settings.optimizer, OptimizerSettings::Adam(_));
        let device = open(&Choice {
            precision: Precision::Strict,
            ..Choice::default()
        });
        let styles = vec![Style::new("style", style.clone(), 1.0)];
        let mut stylizer = Stylizer::new(device.unwrap(), &encoder, styles, recipe)
            .unwrap()
            .start_from(picture(run["start"].as_str().unwrap()));
        let got = stylizer.stylize(&content, &mut Ignore).unwrap();
        let losses: Vec<f64> = got.report.steps.iter().map(|step| step.total).collect();
        assert_eq!(losses.len(), expected.len(), "{name}");
        let loss = |step: usize| {
            let tolerance = Tolerance::relative(if step == 0 { 1e-4 } else { 1e-2 });
            let case = format!("{name}: loss {step}");
            near(&case, losses[step], expected[step], tolerance)
        };
        // Of those that differ, the first one is told.
        for step in 0..if adam { 20 } else { 10 } {
            if !failures.check(loss(step)) {
                break;
            }
        }
        if let Some(file) = run["picture"].as_str() {
            let expected = picture(file.trim_end_matches(".png"));
            let near = decibels(name, got.picture.rgb(), expected.rgb());
            failures.check(match near >= 40.0 {
                true => Ok(()),
                false => Err(format!(
                    "{name}: the picture is {near:.1} dB from PyTorch's"
                )),
            });
        }
    }
    failures.assert_none();
}

/// A method that is asked for layers the encoder lacks says so, or refuses if it must be exact.
#[test]
fn layers_that_the_encoder_lacks_are_named_or_refused() {
    let device = || open(&Choice::default()).unwrap();
    let styles = || vec![Style::new("style", picture("style"), 1.0)];
    let encoder = Encoder::lite().unwrap();
    let mut recipe = Recipe::named("gatys2016").unwrap();
    // Layers whose weights are calibrated may share one; as they are written, no two become one.
    for (faithful, last) in [
        (false, "style: relu3_3 for relu5_1"),
        (true, "style: nothing for relu5_1"),
    ] {
        recipe.optimize_mut().unwrap().faithful = faithful;
        let stylizer = Stylizer::new(device(), &encoder, styles(), recipe.clone()).unwrap();
        let lines: Vec<String> = stylizer
            .substitutions()
            .iter()
            .map(|substitution| format!("{}: {substitution}", substitution.term))
            .collect();
        let expected = [
            "content: relu3_3 for relu4_2",
            "style: relu3_3 for relu4_1",
            last,
        ];
        assert_eq!(lines, expected);
    }
    recipe.strict_taps = true;
    let error = Stylizer::new(device(), &encoder, styles(), recipe).unwrap_err();
    let text = error.to_string();
    for part in ["relu4_2", "relu4_1", "relu5_1"] {
        assert!(text.contains(part), "{text}");
    }
    let Error::Invalid(problems) = error else {
        panic!("{error}")
    };
    let full = Some(Advice::FullNetwork);
    assert!(problems.iter().all(|problem| problem.advice == full));
}
