//! Losses and image gradients against float64 autograd in PyTorch, on a tiny seeded network.
//!
//! The numbers and the script that made them are in `tests/golden/`.

mod devices;

use devices::devices;
use impasto::encoder::{EncoderOptions, Preprocessing};
use impasto::loss::gram::{GramLoss, GramNorm, StyleMoments};
use impasto::loss::mean_std::MeanStdLoss;
use impasto::loss::region::{Places, RegionLoss};
use impasto::loss::{Gradient, GradientScale, Loss, Scaling, Seen, Term};
use impasto::named::Named;
use impasto::picture::colors::{ColorMode, ColorSpace, Colors};
use impasto::recipe::{ContentTerm, MethodSettings, Optimize, StyleTerm, VariationTerm};
use impasto::{Encoder, Picture, Recipe, Style, Stylizer, WeightedLayer};
use impasto_compute::reference::ReferenceDevice;
use impasto_compute::{Device, Size, Tap, Window};
use impasto_testing::compare::{close, near};
use impasto_testing::{Failures, Tolerance, assert_close, assert_near};
use impasto_weights::Checkpoint;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

fn golden(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/golden", file]
        .iter()
        .collect()
}

fn named<T: Named>(case: &Value, key: &str) -> T {
    T::from_name(case[key].as_str().unwrap()).unwrap()
}

fn number(case: &Value, key: &str) -> f32 {
    case[key].as_f64().unwrap() as f32
}

fn layers(case: &Value, key: &str) -> Vec<WeightedLayer> {
    let layers = case[key].as_array().unwrap().iter();
    layers
        .map(|layer| WeightedLayer {
            layer: layer[0].as_str().unwrap().parse().unwrap(),
            weight: layer[1].as_f64().unwrap() as f32,
        })
        .collect()
}

fn recipe(case: &Value) -> Recipe {
    let settings = Optimize {
        content: ContentTerm {
            weight: number(case, "content_weight"),
            layers: layers(case, "content_layers"),
            ..ContentTerm::default()
        },
        style: StyleTerm {
            weight: number(case, "style_weight"),
            layers: layers(case, "style_layers"),
            loss: named(case, "style_loss"),
            gram_norm: named(case, "gram_norm"),
            ..StyleTerm::default()
        },
        variation: VariationTerm {
            weight: number(case, "tv_weight"),
            kind: named(case, "tv"),
            ..VariationTerm::default()
        },
        normalize: named(case, "normalize"),
        reduction: named(case, "reduction"),
        ..Optimize::default()
    };
    Recipe {
        method: MethodSettings::Optimize(settings),
        encoder: EncoderOptions {
            pooling: named(case, "pooling"),
            plain_pooling: !case["rescaled"].as_bool().unwrap(),
            padding: named(case, "padding"),
            ..EncoderOptions::default()
        },
        ..Recipe::default()
    }
}

/// Every case on one device: values to `value_tolerance` relative, gradients to `gradient_tolerance` of their
/// greatest magnitude. Reports all failures.
fn check(device: impl Fn() -> Box<dyn Device>, value_tolerance: f64, gradient_tolerance: f64) {
    let cases: Value =
        serde_json::from_slice(&std::fs::read(golden("golden.json")).unwrap()).unwrap();
    let pictures = Checkpoint::open(golden("pictures.safetensors")).unwrap();
    let recorded = Checkpoint::open(golden("golden.safetensors")).unwrap();
    let picture = |name: &Value| {
        let tensor = &pictures.tensors[name.as_str().unwrap()];
        Picture::new(tensor.shape[2], tensor.shape[1], tensor.values.clone()).unwrap()
    };
    let mut failures = Failures::new();
    for case in cases["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let preprocessing = case["preprocessing"].as_str().unwrap();
        let (_, preprocessing) = Preprocessing::ALL
            .into_iter()
            .find(|(n, _)| *n == preprocessing)
            .unwrap();
        let encoder = Encoder::open(&golden("tiny.safetensors"), Some(preprocessing)).unwrap();
        let styles = case["styles"].as_array().unwrap().iter();
        let styles = styles
            .map(|s| Style::new("", picture(&s[0]), s[1].as_f64().unwrap() as f32))
            .collect();
        let mut stylizer = match Stylizer::new(device(), &encoder, styles, recipe(case)) {
            Ok(stylizer) => stylizer,
            Err(error) => {
                failures.check(Err::<(), _>(format!("{name}: {error}")));
                continue;
            }
        };
        let got = stylizer
            .inspect(&picture(&case["content"]), &picture(&case["image"]))
            .unwrap();
        let mut compare = |what: &str, got: f64, expected: &Value| {
            let tolerance = Tolerance::relative(value_tolerance);
            let case = format!("{name}: {what}");
            failures.check(near(&case, got, expected.as_f64().unwrap(), tolerance));
        };
        let expected: Vec<_> = case["terms"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|term| term["weight"] != 0.0)
            .collect();
        assert_eq!(got.terms.len(), expected.len(), "{name}");
        for (term, expected) in got.terms.iter().zip(expected) {
            assert_eq!(term.name, expected["name"].as_str().unwrap(), "{name}");
            compare(&term.name, term.value, &expected["value"]);
            let weight = format!("the weight of {}", term.name);
            compare(&weight, term.weight, &expected["weight"]);
        }
        compare("the total", got.total, &case["total"]);
        let expected = &recorded.tensors[&format!("{name}.gradient")].values;
        let tolerance = Tolerance::of_greatest(gradient_tolerance, expected);
        let case = format!("{name}: the gradient");
        failures.check(close(&case, &got.gradient, expected, tolerance));
    }
    failures.assert_none();
}

#[test]
fn the_reference_device_agrees_with_pytorch() {
    check(|| Box::new(ReferenceDevice::new()), 1e-6, 1e-5);
}

#[test]
fn the_cpu_device_agrees_with_pytorch() {
    check(
        || impasto::device::open(&impasto::device::Choice::default()).unwrap(),
        2e-5,
        2e-4,
    );
}

/// Maps between colours against POT, NumPy and SciPy, in sRGB, where the published programs have them.
#[test]
fn colours_are_mapped_as_others_map_them() {
    let text = std::fs::read_to_string(golden("colors/colors.json")).unwrap();
    let golden: Value = serde_json::from_str(&text).unwrap();
    let picture = |colors: &Value| {
        let colors = colors.as_array().unwrap();
        let plane = |plane: usize| {
            let values = colors.iter().map(move |color| color[plane].as_f64());
            values.map(|value| value.unwrap() as f32)
        };
        Picture::new(colors.len(), 1, (0..3).flat_map(plane).collect()).unwrap()
    };
    let (own, like) = (picture(&golden["own"]), picture(&golden["like"]));
    let maps = golden["maps"].as_object().unwrap();
    assert_eq!(maps.len(), 4);
    for (name, wanted) in maps {
        let colors = Colors {
            mode: ColorMode::from_name(name).unwrap(),
            space: ColorSpace::Srgb,
            ..Colors::default()
        };
        let given = colors.give(&own, &like);
        let tolerance = Tolerance::absolute(1e-5);
        assert_close(name, given.rgb(), picture(wanted).rgb(), tolerance);
    }
}

/// Losses of a region against autograd in PyTorch, on every device.
#[test]
fn losses_in_a_region_agree_with_pytorch() {
    let text = std::fs::read_to_string(golden("regions/regions.json")).unwrap();
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let numbers = |value: &Value| -> Vec<f32> {
        let values = value.as_array().unwrap().iter();
        values.map(|value| value.as_f64().unwrap() as f32).collect()
    };
    let shape: Vec<usize> = numbers(&recorded["shape"])
        .iter()
        .map(|&n| n as usize)
        .collect();
    let [c, h, w] = shape[..] else {
        panic!("{shape:?}")
    };
    let mut all = devices();
    all.push(Arc::new(ReferenceDevice::new()));
    for device in all {
        let device = device.as_ref();
        let upload =
            |name: &str, shape: &[usize]| device.upload(&numbers(&recorded[name]), shape).unwrap();
        let (style, features) = (upload("style", &shape), upload("features", &shape));
        let all = device
            .upload(&vec![1.0 / (h * w) as f32; h * w], &[h, w])
            .unwrap();
        let target = device.weighted_moments(&style, &all).unwrap();
        let styles = [StyleMoments {
            moments: &target,
            pixels: h * w,
            share: 1.0,
        }];
        let tap = Tap::Layer(0);
        let losses: [(&str, Box<dyn Loss>, f64); 2] = [
            (
                "gram",
                Box::new(GramLoss::new(device, tap, &styles, h * w, GramNorm::Hw).unwrap()),
                (c * c) as f64,
            ),
            (
                "mean-std",
                Box::new(MeanStdLoss::new(device, tap, &styles).unwrap()),
                c as f64,
            ),
        ];
        for (name, loss, entries) in losses {
            let expected = &recorded["losses"][name];
            let (width, height) = (w, h);
            let size = Size { width, height };
            let places = Places::new(device, numbers(&recorded["weights"]), size).unwrap();
            let loss = RegionLoss::new(loss, places);
            let term = Term {
                name: name.into(),
                weight: 1.0,
                scaling: Scaling::NONE,
                loss: Box::new(loss),
            };
            let places = term.loss.places().unwrap();
            let place = Window::whole(size);
            let moments = places.moments(device, &features, &place).unwrap();
            let seen = Seen::Moments(&moments);
            // The raw loss is a sum over entries; the recorded one is their mean.
            let (value, gradients) = term
                .loss
                .evaluate(device, &[seen], GradientScale::ONE)
                .unwrap();
            let [Gradient::Moments(towards)] = &gradients[..] else {
                panic!("a region looks at moments")
            };
            let gradient = places
                .towards_features(device, (&features, &place), towards)
                .unwrap();
            let case = format!("{name} on {}", device.describe());
            let value = value.value().unwrap() / entries;
            let wanted = expected["value"].as_f64().unwrap();
            assert_near(&case, value, wanted, Tolerance::relative(1e-4));
            let gradient: Vec<f32> = device.download(&gradient).unwrap();
            let gradient: Vec<f32> = gradient.iter().map(|g| g / entries as f32).collect();
            let wanted = numbers(&expected["gradient"]);
            assert_close(
                &case,
                &gradient,
                &wanted,
                Tolerance::of_greatest(1e-4, &wanted),
            );
        }
    }
}
