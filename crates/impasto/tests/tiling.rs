//! Pictures that are cut: in strips, losses, gradients and pictures are those of the whole to the last bit; in tiles,
//! which networks run in that strips do not suit, up to rounding.

use impasto::compute::{Padding, PoolKind, TotalVariation};
use impasto::device::{Choice, Kind, open};
use impasto::encoder::Preprocessing;
use impasto::picture::Filter;
use impasto::recipe::{Normalize, StyleLoss};
use impasto::*;
use impasto_weights::{Checkpoint, WeightTensor};
use std::ops::ControlFlow;

/// Numbers in 0..1 without a pattern.
fn noise(seed: u64, n: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    (0..n).map(|_| next()).collect()
}

/// A picture with shapes of all sizes in it.
fn picture(seed: u64, width: usize, height: usize) -> Picture {
    let small = Picture::new(9, 7, noise(seed, 3 * 63)).unwrap();
    let large = small.resized(width, height, Filter::Bicubic);
    let grain = noise(seed + 1, 3 * width * height);
    let mixed = large
        .rgb()
        .iter()
        .zip(grain)
        .map(|(a, b)| 0.8 * a + 0.2 * b);
    Picture::new(width, height, mixed.collect()).unwrap()
}

/// A VGG-19 down to relu5_1 with few channels and random weights.
fn narrow() -> Encoder {
    let mut checkpoint = Checkpoint::default();
    let mut from = 3;
    for (block, (count, channels)) in [(2, 8), (2, 12), (4, 16), (4, 20), (1, 18)]
        .into_iter()
        .enumerate()
    {
        for index in 1..=count {
            let seed = (10 * block + index) as u64;
            let scale = (6.0 / (9 * from) as f32).sqrt();
            let weight = noise(seed, channels * from * 9);
            let weight: Vec<f32> = weight.iter().map(|w| (2.0 * w - 1.0) * scale).collect();
            let bias = noise(seed + 500, channels)
                .iter()
                .map(|b| 0.2 * b - 0.1)
                .collect();
            let name = format!("conv{}_{index}", block + 1);
            for (part, shape, values) in [
                ("weight", vec![channels, from, 3, 3], weight),
                ("bias", vec![channels], bias),
            ] {
                let tensor = WeightTensor { shape, values };
                checkpoint.tensors.insert(format!("{name}.{part}"), tensor);
            }
            from = channels;
        }
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
        normalize,
        size: OutputSize::Original,
        ..Recipe::default()
    };
    recipe.style.loss = loss;
    recipe.variation.kind = TotalVariation::NinePoint;
    recipe
}

fn stylizer(encoder: &Encoder, recipe: &Recipe, limits: Limits) -> Stylizer {
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

fn tiles(side: usize) -> Limits {
    Limits {
        tile: Some(side),
        ..Limits::default()
    }
}

fn no_limits() -> Limits {
    Limits {
        memory: Some(1 << 60),
        tile: None,
    }
}

#[track_caller]
fn same(case: &str, got: &Inspection, expected: &Inspection) {
    for (got, expected) in got.terms.iter().zip(&expected.terms) {
        let error = (got.value - expected.value).abs() / expected.value.abs().max(1e-12);
        assert!(
            error < 1e-5,
            "{case}, {}: {} {}",
            got.name,
            got.value,
            expected.value
        );
    }
    let largest = expected
        .gradient
        .iter()
        .fold(0.0_f32, |m, v| m.max(v.abs()));
    let pairs = got.gradient.iter().zip(&expected.gradient);
    let mut differences: Vec<f32> = pairs.map(|(a, b)| (a - b).abs()).collect();
    let square = |values: &[f32]| values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
    let error = (square(&differences) / square(&expected.gradient)).sqrt();
    // A rectifier or a maximum over values that differ by nothing but rounding may go either way, which changes the
    // gradient of all that it sees: rare enough that hardly a value is concerned, but not never.
    differences.sort_by(f32::total_cmp);
    let [most, all] = [differences.len() * 98 / 100, differences.len() - 1]
        .map(|place| differences[place] / largest);
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
    let largest = expected
        .gradient
        .iter()
        .fold(0.0_f32, |m, v| m.max(v.abs()));
    for (place, (a, b)) in got.gradient.iter().zip(&expected.gradient).enumerate() {
        assert!(
            (a - b).abs() < 1e-6 * largest,
            "value {place}: {a:e} {b:e}, of {largest:e}"
        );
    }
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
        assert_eq!(got.gradient, expected.gradient, "{case}");
        for (got, expected) in got.terms.iter().zip(&expected.terms) {
            // Sums of parts are added up in double precision.
            let error = (got.value - expected.value).abs() / expected.value.abs();
            assert!(error < 1e-12, "{case}, {}", got.name);
        }
    });
}

#[test]
fn gradients_of_tiles_are_those_of_the_whole() {
    against_the_whole(in_tiles, same);
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
        recipe.content.layers = layers(content_layers);
        recipe.style.layers = layers(style_layers);
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
        recipe.schedule.scales = vec![140, 200];
        recipe.schedule.steps = vec![2, steps];
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
            let same = paint(threads, tiles(side)) == whole;
            assert!(same, "{loss:?}, strips of {side}, {threads} threads");
        }
    }
}

#[test]
fn pictures_of_tiles_do_not_depend_on_threads() {
    let content = picture(1, 200, 150);
    let mut recipe = in_tiles(StyleLoss::Gram, Normalize::Target);
    recipe.schedule.scales = vec![200];
    recipe.schedule.steps = vec![2];
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
    assert_eq!(paint(1), expected);
    assert_eq!(paint(3), expected);
}

#[test]
fn every_way_to_remember_takes_the_same_steps() {
    let content = picture(1, 200, 150);
    let mut recipe = in_tiles(StyleLoss::Gram, Normalize::Target);
    recipe.schedule.scales = vec![200];
    recipe.schedule.steps = vec![2];
    let encoder = Encoder::lite().unwrap();
    let losses = |limits, change: &dyn Fn(&mut TilePlan)| -> Vec<f64> {
        let stylizer = stylizer(&encoder, &recipe, limits);
        let mut plan = stylizer.plan(&content).unwrap();
        if let Some(Cut::Tiles(tiles)) = &mut plan.scales[0].cut {
            change(tiles);
        }
        let mut stylizer = stylizer.following(plan);
        let stylized = stylizer.stylize(&content, &mut Ignore).unwrap();
        let steps = &stylized.report.steps;
        steps.iter().map(|step| step.total).collect()
    };
    let expected = losses(no_limits(), &|_| ());
    // Uncut, behind the first pool, behind a layer whose moments are asked for.
    for cut in [None, Some(4), Some(6)] {
        for front_kept in [false, true] {
            for kept in [1, usize::MAX] {
                let got = losses(tiles(64), &|plan| {
                    (plan.cut, plan.front_kept, plan.kept, plan.front) =
                        (cut, front_kept, kept, 64);
                });
                for (got, expected) in got.iter().zip(&expected) {
                    assert!(
                        (got - expected).abs() < 1e-4 * expected,
                        "cut {cut:?}, front kept: {front_kept}, {kept} kept: {got} {expected}"
                    );
                }
            }
        }
    }
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

fn memory_is_kept(
    content: &Picture,
    encoder: &Encoder,
    recipe: &Recipe,
    small: u64,
    too_small: u64,
) {
    let in_strips = recipe.encoder.pooling == PoolKind::Max;
    let plan = |memory: u64| {
        let limits = Limits {
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

    // A plan that was made before is followed, whatever memory there is by now.
    let resumed = stylizer(encoder, recipe, no_limits()).following(tight.clone());
    assert_eq!(resumed.plan(content).unwrap(), tight);

    let Err(Error::TooLarge { fits, .. }) = plan(too_small) else {
        panic!("the plan should not fit");
    };
    let side = fits.unwrap();
    assert!((64..1600).contains(&side), "{side}");
    let smaller = content.resized(side, side * 3 / 4, Filter::Bicubic);
    let limits = Limits {
        memory: Some(too_small),
        tile: None,
    };
    let limited = stylizer(encoder, recipe, limits);
    assert!(limited.plan(&smaller).is_ok());
    let refused = stylizer(encoder, recipe, limits).stylize(content, &mut |_: &Event<'_>| {
        panic!("work began although the picture does not fit")
    });
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    let tiny = Limits {
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
}
