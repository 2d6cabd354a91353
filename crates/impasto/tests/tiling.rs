//! Pictures that are cut: in strips, losses, gradients and pictures are those of the whole to the last bit; in tiles,
//! which networks run in that strips do not suit, up to rounding.

use impasto::compute::{Padding, PoolKind, TotalVariation};
use impasto::device::{Choice, Kind, open};
use impasto::encoder::Preprocessing;
use impasto::picture::Filter;
use impasto::recipe::{Normalize, StyleLoss, StyleSize};
use impasto::*;
use impasto_testing::compare::{differences, distance, greatest};
use impasto_testing::{Tolerance, assert_close, assert_same, networks, pictures};
use impasto_weights::{Checkpoint, WeightTensor};
use std::ops::ControlFlow;

/// A picture with shapes of all sizes in it.
fn picture(seed: u64, width: usize, height: usize) -> Picture {
    Picture::new(width, height, pictures::patches(seed, width, height)).unwrap()
}

/// A VGG-19 down to relu5_1 with few channels and random weights.
fn narrow() -> Encoder {
    let blocks = [(2, 8), (2, 12), (4, 16), (4, 20), (1, 18)];
    let mut checkpoint = Checkpoint::default();
    for tensor in networks::vgg(1, &blocks) {
        let (shape, values) = (tensor.shape, tensor.values);
        let values = WeightTensor { shape, values };
        checkpoint.tensors.insert(tensor.name, values);
    }
    Encoder::from_checkpoint("narrow", checkpoint, Some(Preprocessing::Torch)).unwrap()
}

/// A recipe whose networks run in tiles: L2 pools do not suit strips.
fn in_tiles(loss: StyleLoss, normalize: Normalize) -> Recipe {
    let mut recipe = recipe(loss, normalize);
    recipe.encoder.pooling = PoolKind::L2;
    recipe
}

fn recipe(loss: StyleLoss, normalize: Normalize) -> Recipe {
    let mut recipe = Recipe {
        size: OutputSize::Original,
        ..Recipe::default()
    };
    let settings = recipe.optimize_mut().unwrap();
    settings.normalize = normalize;
    settings.style.loss = loss;
    settings.variation.kind = TotalVariation::NinePoint;
    recipe
}

fn stylizer(encoder: &Encoder, recipe: &Recipe, limits: RunLimits) -> Stylizer {
    let device = open(&Choice::default()).unwrap();
    let styles = vec![
        Style::new("one", picture(3, 150, 210), 1.0),
        Style::new("two", picture(5, 260, 90), 0.5),
    ];
    Stylizer::new(device, encoder, styles, recipe.clone())
        .unwrap()
        .with_limits(limits)
        .unwrap()
}

fn tiles(side: usize) -> RunLimits {
    RunLimits {
        tile: Some(side),
        ..RunLimits::default()
    }
}

fn no_limits() -> RunLimits {
    RunLimits {
        memory: Some(1 << 60),
        tile: None,
    }
}

/// The terms of the same names have the same values.
#[track_caller]
fn same_terms(case: &str, got: &Inspection, expected: &Inspection, tolerance: Tolerance) {
    let names = |seen: &Inspection| -> Vec<String> {
        seen.terms.iter().map(|term| term.name.clone()).collect()
    };
    let values =
        |seen: &Inspection| -> Vec<f64> { seen.terms.iter().map(|term| term.value).collect() };
    assert_eq!(names(got), names(expected), "{case}");
    let case = format!("{case}, {:?}", names(expected));
    assert_close(&case, &values(got), &values(expected), tolerance);
}

#[track_caller]
fn same(case: &str, got: &Inspection, expected: &Inspection) {
    same_terms(case, got, expected, Tolerance::relative(1e-5));
    let error = distance(case, &got.gradient, &expected.gradient);
    // A rectifier or a maximum over values that differ by nothing but rounding may go either way, which changes the
    // gradient of all that it sees: rare enough that hardly a value is concerned, but not never.
    let mut differences = differences(case, &got.gradient, &expected.gradient);
    differences.iter_mut().for_each(|d| *d = d.abs());
    differences.sort_by(f64::total_cmp);
    let [most, all] = [differences.len() * 98 / 100, differences.len() - 1]
        .map(|place| differences[place] / greatest(&expected.gradient));
    assert!(
        error < 1e-3 && most < 1e-4 && all < 1e-2,
        "{case}: gradients differ by {error:e} in the mean square, 98 % by {most:e} of the largest, all by {all:e}"
    );
}

/// In double precision nothing is left to rounding: every single value has to agree.
#[test]
fn on_the_reference_every_value_is_that_of_the_whole() {
    let (content, image) = (picture(1, 84, 70), picture(2, 84, 70));
    let recipe = recipe(StyleLoss::Gram, Normalize::Target);
    let inspect = |limits| {
        let choice = Choice {
            kind: Kind::Reference,
            ..Choice::default()
        };
        let styles = vec![Style::new("one", picture(3, 40, 60), 1.0)];
        let stylizer = Stylizer::new(open(&choice).unwrap(), &narrow(), styles, recipe.clone());
        let mut stylizer = stylizer.unwrap().with_limits(limits).unwrap();
        stylizer.inspect(&content, &image).unwrap()
    };
    let (got, expected) = (inspect(tiles(64)), inspect(no_limits()));
    let tolerance = Tolerance::of_greatest(1e-6, &expected.gradient);
    assert_close("gradient", &got.gradient, &expected.gradient, tolerance);
}

/// Compares what is seen of a picture that is cut, by side, with what is seen of the whole, for two encoders and three
/// losses of style.
fn against_the_whole(
    recipe: fn(StyleLoss, Normalize) -> Recipe,
    compare: fn(&str, &Inspection, &Inspection),
) {
    let (content, image) = (picture(1, 213, 170), picture(2, 213, 170));
    for (name, encoder) in [("lite", Encoder::lite().unwrap()), ("narrow", narrow())] {
        for (loss, normalize) in [
            (StyleLoss::Gram, Normalize::None),
            (StyleLoss::Wasserstein, Normalize::Target),
            (StyleLoss::MeanStd, Normalize::Gradient),
        ] {
            let recipe = recipe(loss, normalize);
            let inspect = |limits| {
                stylizer(&encoder, &recipe, limits)
                    .inspect(&content, &image)
                    .unwrap()
            };
            let expected = inspect(no_limits());
            for side in [64, 100, 128] {
                let case = format!("{name} {loss:?} {normalize:?}, cut at {side}");
                compare(&case, &inspect(tiles(side)), &expected);
            }
        }
    }
}

#[test]
fn in_strips_every_bit_is_that_of_the_whole() {
    against_the_whole(recipe, |case, got, expected| {
        assert_same(case, &got.gradient, &expected.gradient);
        // Sums of parts are added up in double precision.
        same_terms(case, got, expected, Tolerance::relative(1e-12));
    });
}

#[test]
fn gradients_of_tiles_are_those_of_the_whole() {
    against_the_whole(in_tiles, same);
}

/// A region for the first style, what is kept, and a content that counts less on one side.
fn regions() -> Regions {
    let mask = |share: fn(usize, usize) -> f32| {
        let places = (0..24).flat_map(|y| (0..30).map(move |x| (y, x)));
        let plane: Vec<f32> = places.map(|(y, x)| share(y, x)).collect();
        let rgb = [&plane[..], &plane, &plane].concat();
        Mask::of(&Picture::new(30, 24, rgb).unwrap())
    };
    let part = mask(|y, x| f32::from(u8::from((x + y) % 17 < 11)));
    let painted = mask(|y, _| if y < 20 { 1.0 } else { 0.3 });
    Regions::new(Some(painted), vec![part])
        .with_content(Some(mask(|_, x| x as f32 / 29.0)))
        .with_strength(Some(mask(|y, _| 1.0 - y as f32 / 40.0)))
}

#[test]
fn regions_can_be_cut() {
    let (content, image) = (picture(1, 213, 170), picture(2, 213, 170));
    for (name, encoder) in [("lite", Encoder::lite().unwrap()), ("narrow", narrow())] {
        for (loss, normalize) in [
            (StyleLoss::Gram, Normalize::Gradient),
            (StyleLoss::Wasserstein, Normalize::Target),
            (StyleLoss::MeanStd, Normalize::None),
        ] {
            for make in [recipe, in_tiles] {
                let recipe = make(loss, normalize);
                let strips = recipe.encoder.pooling != PoolKind::L2;
                let inspect = |limits, of_one: bool| {
                    let device = open(&Choice::default()).unwrap();
                    let region = (!of_one).then_some(0);
                    let styles = vec![
                        Style {
                            region,
                            ..Style::new("one", picture(3, 150, 210), 1.0)
                        },
                        Style::new("two", picture(5, 260, 90), 0.5),
                    ];
                    let made = Stylizer::new(device, &encoder, styles, recipe.clone()).unwrap();
                    let made = made.with_limits(limits).unwrap();
                    let mut made = made.in_regions(regions()).unwrap();
                    made.inspect(&content, &image).unwrap()
                };
                let expected = inspect(no_limits(), false);
                let other = inspect(no_limits(), true);
                assert_ne!(
                    expected.terms.len(),
                    other.terms.len(),
                    "regions have terms"
                );
                for side in [64, 128] {
                    let case = format!("{name} {loss:?} {normalize:?} in regions, cut at {side}");
                    let got = inspect(tiles(side), false);
                    match strips {
                        true => assert_same(&case, &got.gradient, &expected.gradient),
                        false => same(&case, &got, &expected),
                    }
                }
            }
        }
    }
}

#[test]
fn every_padding_pool_and_layer_can_be_tiled() {
    let (content, image) = (picture(1, 131, 140), picture(2, 131, 140));
    let encoder = narrow();
    for (pooling, padding, content_layers, style_layers) in [
        (
            PoolKind::Average,
            Padding::Reflect,
            "conv1_2:1,relu3_2:2",
            "conv3_1,relu4_3",
        ),
        (PoolKind::L2, Padding::Zero, "relu2_2", "relu2_2,relu1_1"),
        (PoolKind::Max, Padding::Replicate, "pool2", "relu1_2"),
    ] {
        let mut recipe = recipe(StyleLoss::Gram, Normalize::Target);
        recipe.encoder.pooling = pooling;
        recipe.encoder.padding = padding;
        let layers = |text: &str| {
            text.split(',')
                .map(|layer| layer.parse().unwrap())
                .collect()
        };
        let settings = recipe.optimize_mut().unwrap();
        settings.content.layers = layers(content_layers);
        settings.style.layers = layers(style_layers);
        let inspect = |limits| {
            stylizer(&encoder, &recipe, limits)
                .inspect(&content, &image)
                .unwrap()
        };
        same(
            &format!("{pooling:?}"),
            &inspect(tiles(64)),
            &inspect(no_limits()),
        );
    }
}

#[test]
fn pictures_are_those_of_the_whole_for_any_number_of_threads() {
    let content = picture(1, 200, 150);
    let encoder = Encoder::lite().unwrap();
    for (loss, steps) in [(StyleLoss::Gram, 12), (StyleLoss::Wasserstein, 4)] {
        let mut recipe = recipe(loss, Normalize::Target);
        let schedule = &mut recipe.optimize_mut().unwrap().schedule;
        schedule.scales = vec![140, 200];
        schedule.steps = vec![2, steps];
        let paint = |threads, limits| {
            let choice = Choice {
                threads: Some(threads),
                ..Choice::default()
            };
            let styles = vec![Style::new("one", picture(3, 150, 210), 1.0)];
            let stylizer = Stylizer::new(open(&choice).unwrap(), &encoder, styles, recipe.clone());
            let mut stylizer = stylizer.unwrap().with_limits(limits).unwrap();
            let stylized = stylizer.stylize(&content, &mut Ignore).unwrap();
            stylized.picture.rgb().to_vec()
        };
        let whole = paint(2, no_limits());
        for (threads, side) in [(1, 64), (2, 64), (3, 96), (2, 128)] {
            let case = format!("{loss:?}, strips of {side}, {threads} threads");
            assert_same(&case, &paint(threads, tiles(side)), &whole);
        }
    }
}

#[test]
fn pictures_of_tiles_do_not_depend_on_threads() {
    let content = picture(1, 200, 150);
    let mut recipe = in_tiles(StyleLoss::Gram, Normalize::Target);
    let schedule = &mut recipe.optimize_mut().unwrap().schedule;
    schedule.scales = vec![200];
    schedule.steps = vec![2];
    let encoder = Encoder::lite().unwrap();
    let paint = |threads| {
        let choice = Choice {
            threads: Some(threads),
            ..Choice::default()
        };
        let styles = vec![Style::new("one", picture(3, 150, 210), 1.0)];
        let stylizer = Stylizer::new(open(&choice).unwrap(), &encoder, styles, recipe.clone());
        let mut stylizer = stylizer.unwrap().with_limits(tiles(64)).unwrap();
        let stylized = stylizer.stylize(&content, &mut Ignore).unwrap();
        stylized.picture.rgb().to_vec()
    };
    let expected = paint(2);
    assert_same("1 thread", &paint(1), &expected);
    assert_same("3 threads", &paint(3), &expected);
}

#[test]
fn less_memory_means_more_work_and_then_a_refusal_that_says_what_fits() {
    let content = Picture::new(1600, 1200, vec![0.5; 3 * 1600 * 1200]).unwrap();
    let encoder = Encoder::lite().unwrap();
    // In strips, and in tiles.
    for (recipe, tight, too_tight) in [
        (
            recipe(StyleLoss::Gram, Normalize::Target),
            560_000_000,
            300_000_000,
        ),
        (
            in_tiles(StyleLoss::Gram, Normalize::Target),
            560_000_000,
            260_000_000,
        ),
    ] {
        memory_is_kept(&content, &encoder, &recipe, tight, too_tight);
    }
}

/// It is not the picture that is to be made smaller.
#[test]
fn a_style_that_does_not_fit_is_named() {
    let content = Picture::new(64, 48, vec![0.5; 3 * 64 * 48]).unwrap();
    let mut recipe = recipe(StyleLoss::Gram, Normalize::Target);
    recipe.size = OutputSize::LongSide(64);
    recipe.style.size = StyleSize::LongSide(8000);
    recipe.style.enlarge = true;
    let limits = RunLimits {
        memory: Some(400_000_000),
        tile: None,
    };
    let refused = stylizer(&Encoder::lite().unwrap(), &recipe, limits).plan(&content);
    let Err(Error::StyleTooLarge { width, height, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(width.max(height), 8000);
}

fn memory_is_kept(
    content: &Picture,
    encoder: &Encoder,
    recipe: &Recipe,
    small: u64,
    too_small: u64,
) {
    let in_strips = recipe.encoder.pooling == PoolKind::Max;
    let plan = |memory: u64| {
        let limits = RunLimits {
            memory: Some(memory),
            tile: None,
        };
        stylizer(encoder, recipe, limits).plan(content)
    };
    let free = plan(1 << 40).unwrap();
    assert!(free.scales.iter().all(|scale| scale.cut.is_none()));
    let scales = free.scales.len();
    assert!(free.scales[scales - 1].bytes > free.scales[0].bytes);

    let tight = plan(free.bytes() - 100_000_000).unwrap();
    assert!(tight.bytes() <= free.bytes() - 100_000_000);
    assert_eq!(tight.scales[0].cut, None, "a coarse scale fits as a whole");
    let last = &tight.scales[scales - 1];
    assert_eq!(matches!(last.cut, Some(Cut::Strips(_))), in_strips);
    assert!(last.cut.is_some() && last.work > 1.0);
    let tightest = plan(small).unwrap();
    assert!(tightest.bytes() <= small);
    assert!(tightest.scales[scales - 1].work > last.work);
    assert_eq!(tightest.scales[scales - 1].tile_count > 1, !in_strips);
    // The same limit gives the same tiles.
    assert_eq!(plan(free.bytes() - 100_000_000).unwrap(), tight);

    let Err(Error::TooLarge { fits, .. }) = plan(too_small) else {
        panic!("the plan should not fit");
    };
    let side = fits.unwrap();
    assert!((64..1600).contains(&side), "{side}");
    let smaller = content.resized(side, side * 3 / 4, Filter::Bicubic);
    let limits = RunLimits {
        memory: Some(too_small),
        tile: None,
    };
    let limited = stylizer(encoder, recipe, limits);
    assert!(limited.plan(&smaller).is_ok());
    let refused = stylizer(encoder, recipe, limits).stylize(content, &mut |_: &Event<'_>| {
        panic!("work began although the picture does not fit")
    });
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    let tiny = RunLimits {
        memory: Some(1_000_000),
        tile: None,
    };
    let Err(Error::TooLarge { fits, .. }) = stylizer(encoder, recipe, tiny).plan(content) else {
        panic!("nothing fits into a megabyte");
    };
    assert_eq!(fits, None);
}

#[test]
fn tiles_too_small_are_refused_and_small_pictures_are_not_cut() {
    let encoder = Encoder::lite().unwrap();
    let recipe = recipe(StyleLoss::Gram, Normalize::Target);
    let device = open(&Choice::default()).unwrap();
    let styles = vec![Style::new("one", picture(3, 40, 40), 1.0)];
    let stylizer = Stylizer::new(device, &encoder, styles, recipe).unwrap();
    assert!(matches!(
        stylizer.with_limits(tiles(LEAST_TILE - 1)),
        Err(Error::Invalid(_))
    ));
    let recipe = Recipe::default();
    let plan = self::stylizer(&encoder, &recipe, tiles(64))
        .plan(&picture(1, 60, 64))
        .unwrap();
    assert!(
        plan.scales
            .iter()
            .all(|scale| scale.cut.is_some() == (scale.width.max(scale.height) > 64))
    );
}

#[test]
fn a_run_in_tiles_can_be_stopped() {
    let content = picture(1, 100, 100);
    let recipe = recipe(StyleLoss::Gram, Normalize::Target);
    let mut stylizer = stylizer(&narrow(), &recipe, tiles(64));
    let stylized = stylizer
        .stylize(&content, &mut |event: &Event<'_>| match event {
            Event::Step(step) if step.step == 2 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
        .unwrap();
    assert!(stylized.report.stopped);
    assert_eq!(stylized.outcome, Outcome::Stopped);
}
