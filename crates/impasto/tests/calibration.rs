//! Recipes on another network than the one that their weights were made for, and weights of any size.

use impasto::device::{Choice, open};
use impasto::encoder::Preprocessing;
use impasto::recipe::{MadeFor, Optimize};
use impasto::{
    Cause, Concern, Encoder, Event, Ignore, OutputSize, Picture, Recipe, Style, Stylized, Stylizer,
    examples,
};
use impasto_testing::compare::decibels;
use impasto_weights::{Checkpoint, WeightTensor};
use std::ops::ControlFlow;

/// What a recipe of the optimisation says of it.
fn settings(recipe: &mut Recipe) -> &mut Optimize {
    recipe.optimize_mut().expect("all of them optimise")
}

fn lite() -> Encoder {
    Encoder::lite().unwrap()
}

/// A network of every layer of VGG-19, with few channels and random filters.
fn vgg(preprocessing: Preprocessing) -> Encoder {
    const CHANNELS: usize = 6;
    let mut checkpoint = Checkpoint::default();
    let (mut input, mut state) = (3, 1u32);
    for (block, convs) in [(1, 2), (2, 2), (3, 4), (4, 4), (5, 4)] {
        for index in 1..=convs {
            let mut value = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state as f32 / u32::MAX as f32 - 0.4
            };
            let values = (0..CHANNELS * input * 9).map(|_| 0.5 * value()).collect();
            let filters = WeightTensor {
                shape: vec![CHANNELS, input, 3, 3],
                values,
            };
            let bias = WeightTensor {
                shape: vec![CHANNELS],
                values: vec![0.1; CHANNELS],
            };
            let name = |part: &str| format!("conv{block}_{index}.{part}");
            checkpoint.tensors.insert(name("weight"), filters);
            checkpoint.tensors.insert(name("bias"), bias);
            input = CHANNELS;
        }
    }
    Encoder::from_checkpoint("vgg", checkpoint, Some(preprocessing)).unwrap()
}

fn picture(name: &str) -> Picture {
    examples::find(name).unwrap().picture().unwrap()
}

fn stylizer(encoder: &Encoder, recipe: Recipe) -> Stylizer {
    let styles = vec![Style::new("style", picture("swirls"), 1.0)];
    Stylizer::new(open(&Choice::default()).unwrap(), encoder, styles, recipe).unwrap()
}

fn paint(encoder: &Encoder, recipe: Recipe) -> Stylized {
    let mut stylizer = stylizer(encoder, recipe);
    stylizer.stylize(&picture("city"), &mut Ignore).unwrap()
}

fn recipe(name: &str, side: usize, steps: usize) -> Recipe {
    let mut recipe = Recipe::named(name).unwrap();
    recipe.size = OutputSize::LongSide(side);
    settings(&mut recipe).schedule.coarse_to_fine = false;
    settings(&mut recipe).schedule.steps = vec![steps];
    recipe
}

#[test]
fn on_the_network_that_a_recipe_means_nothing_changes() {
    for (name, preprocessing) in [
        ("tensorflow", Preprocessing::Caffe),
        ("pytorch", Preprocessing::Torch),
        ("gatys2016", Preprocessing::Torch),
        ("gatys2016", Preprocessing::Caffe),
    ] {
        let encoder = vgg(preprocessing);
        let published = recipe(name, 48, 4);
        let prepared = stylizer(&encoder, published.clone());
        assert!(prepared.calibration().is_none(), "{name}");
        let mut plain = published.clone();
        settings(&mut plain).made_for = MadeFor::Any;
        settings(&mut plain).faithful = true;
        let (one, other) = (paint(&encoder, published), paint(&encoder, plain));
        assert_eq!(one.picture.rgb(), other.picture.rgb(), "{name}");
    }
}

#[test]
fn on_another_network_every_term_is_as_large_as_it_was_meant() {
    let published = recipe("pytorch", 48, 4);
    let lite = lite();
    let calibrated = stylizer(&lite, published.clone());
    let layers = calibrated.calibration().unwrap();
    assert_eq!(layers.len(), 6);
    // The content loss of torchvision's conv2_2 and of the embedded relu2_1: 1.254e5/57.375² and 5.6e4.
    let factor = layers[0].calibrated / layers[0].published;
    assert!((factor - 6.802e-4).abs() < 1e-6, "{factor}");
    assert!(
        layers
            .iter()
            .all(|layer| layer.calibrated < layer.published)
    );
    let mut faithful = published;
    settings(&mut faithful).faithful = true;
    assert!(stylizer(&lite, faithful).calibration().is_none());
    assert!(
        stylizer(&lite, recipe("impasto", 48, 4))
            .calibration()
            .is_none()
    );
}

/// What a recipe's deep style layers are to the ones that stand in for them.
#[test]
fn where_deep_style_layers_are_lacking_the_others_get_their_shares() {
    let published = recipe("tensorflow", 48, 4);
    let stylizer = stylizer(&lite(), published);
    let layers = stylizer.calibration().unwrap();
    let style: Vec<_> = layers
        .iter()
        .filter(|layer| layer.term == "style")
        .collect();
    let is_shallower: Vec<_> = style.iter().map(|layer| layer.is_shallower()).collect();
    assert_eq!(is_shallower, [false, false, false, true, true]);
    // Mean squares of the entries of the embedded encoder's Gram matrices.
    let grams = [4.255e6, 2.689e9, 8.346e9, 1.845e11, 1.845e11];
    let sizes = style.iter().zip(grams);
    let sizes: Vec<f64> = sizes
        .map(|(layer, gram)| f64::from(layer.calibrated) * gram)
        .collect();
    for size in &sizes {
        assert!((size / sizes[0] - 1.0).abs() < 1e-4, "{sizes:?}");
    }
    // All in all they are as large as those of the network that is meant.
    let meant = 2e-3 * (1.065e6 + 6.831e8 + 1.205e9 + 1.568e11 + 1.216e7);
    let total: f64 = sizes.iter().sum();
    assert!((total / meant - 1.0).abs() < 1e-4, "{total} and {meant}");

    // A method whose layers all lie in blocks that are there.
    let pytorch = self::stylizer(&lite(), recipe("pytorch", 48, 4));
    let layers = pytorch.calibration().unwrap();
    assert!(!layers.iter().any(|layer| layer.is_shallower()));
}

/// A term that recipes without one get where deep style layers are lacking, and a sum that counts as it does at 512 px.
#[test]
fn total_variation_holds_back_what_deep_layers_would() {
    let variation = |name: &str, is_faithful: bool| {
        let mut recipe = recipe(name, 64, 2);
        settings(&mut recipe).faithful = is_faithful;
        let mut first = None;
        let mut watch = |event: &Event<'_>| {
            if let Event::Step(step) = event {
                let terms = step.terms().unwrap();
                let term = terms.into_iter().find(|term| term.name == "tv");
                first = first.take().or(term.map(|term| term.weighted));
            }
            ControlFlow::Continue(())
        };
        let mut stylizer = stylizer(&lite(), recipe);
        stylizer.stylize(&picture("city"), &mut watch).unwrap();
        first.unwrap_or(0.0)
    };
    let eager = variation("keras-eager", false);
    assert!(eager > 0.0);
    assert_eq!(variation("keras-eager", true), 0.0);
    let (sum, faithful) = (
        variation("tensorflow", false),
        variation("tensorflow", true),
    );
    assert!((sum / faithful - 64.0).abs() < 1e-3, "{sum} and {faithful}");
    assert_eq!(variation("pytorch", false), 0.0);
}

/// Weights of torchvision's units, and a layer for whose share of the loss a shallower one stands in.
#[test]
fn a_published_method_paints_on_the_embedded_encoder() {
    let painted = paint(&lite(), recipe("pytorch", 128, 40));
    let losses: Vec<f64> = painted.report.steps.iter().map(|step| step.total).collect();
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    assert!(last < 0.1 * first, "{first} to {last}");
    assert_eq!(painted.report.concerns, []);
    assert_eq!(painted.report.setbacks, []);
}

/// What happens to a run whose weights are of no network's units.
#[test]
fn a_run_that_diverges_is_rescued_or_told() {
    let mut uncalibrated = recipe("pytorch", 96, 40);
    settings(&mut uncalibrated).made_for = MadeFor::Any;
    let rescued = paint(&lite(), uncalibrated.clone());
    let losses: Vec<f64> = rescued.report.steps.iter().map(|step| step.total).collect();
    let causes: Vec<_> = rescued.report.setbacks.iter().map(|it| it.cause).collect();
    assert_eq!(causes, [Cause::Rose]);
    assert!(losses[losses.len() - 1] < losses[0], "{losses:?}");
    assert_eq!(rescued.report.concerns, []);

    settings(&mut uncalibrated).faithful = true;
    let told = paint(&lite(), uncalibrated);
    assert_eq!(told.report.setbacks, []);
    assert!(matches!(
        told.report.concerns[..],
        [Concern::Rose { .. }, ..]
    ));
}

#[test]
fn only_ratios_of_weights_matter() {
    for name in ["impasto", "pytorch"] {
        let plain = recipe(name, 64, 6);
        let expected = paint(&lite(), plain.clone()).picture;
        for factor in [1e-8, 1e12] {
            let mut other = plain.clone();
            settings(&mut other).content.weight *= factor;
            settings(&mut other).style.weight *= factor;
            settings(&mut other).variation.weight *= factor;
            let got = paint(&lite(), other).picture;
            let near = decibels(name, got.rgb(), expected.rgb());
            assert!(near > 40.0, "{name} times {factor}: {near:.1} dB");
        }
    }
}

#[test]
fn a_flat_picture_is_no_distance_from_a_flat_style() {
    let flat = |value: f32| Picture::new(64, 64, vec![value; 3 * 64 * 64]).unwrap();
    for value in [0.0, 0.2, 1.0] {
        let styles = vec![Style::new("flat", flat(value), 1.0)];
        let device = open(&Choice::default()).unwrap();
        let mut stylizer = Stylizer::new(device, &lite(), styles, Recipe::default()).unwrap();
        let seen = stylizer.inspect(&flat(value), &flat(value)).unwrap();
        for term in &seen.terms {
            assert!((0.0..1e-2).contains(&term.value), "{term:?} at {value}");
        }
    }
}
