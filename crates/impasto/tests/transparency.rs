//! Styles with transparency: what is hidden is no style.

use impasto::compute::PoolKind;
use impasto::device::{Choice, open};
use impasto::named::Named;
use impasto::recipe::{Init, MethodName, MethodSettings, StyleSize, Transform, Wct};
use impasto::*;
use impasto_testing::{Tolerance, assert_close, assert_near, noise, shared};
use std::ops::ControlFlow;

const SIDE: usize = 64;

/// Stripes, and another colour where `hidden` is.
fn stripes(hidden: impl Fn(usize, usize) -> bool, colour: [f32; 3]) -> Picture {
    let value = |k: usize| {
        let (c, x, y) = (k / (SIDE * SIDE), k % SIDE, k / SIDE % SIDE);
        match hidden(x, y) {
            true => colour[c],
            false => [0.9, 0.5, 0.1][(x + y) / 4 % 3] * (1.0 - 0.3 * c as f32),
        }
    };
    Picture::new(SIDE, SIDE, (0..3 * SIDE * SIDE).map(value).collect()).unwrap()
}

fn is_right(x: usize, _: usize) -> bool {
    x >= SIDE / 2
}

/// The stripes, their right half hidden; this colour lies there.
fn half(colour: [f32; 3]) -> Picture {
    let alpha = (0..SIDE * SIDE).map(|k| f32::from(u8::from(!is_right(k % SIDE, 0))));
    let picture = stripes(is_right, colour);
    picture.with_alpha(alpha.collect()).unwrap()
}

fn content() -> Picture {
    let values = noise(5, 3 * 48 * 40).into_iter().map(|x| 0.5 + 0.4 * x);
    Picture::new(48, 40, values.collect()).unwrap()
}

fn recipe(change: impl Fn(&mut Recipe)) -> Recipe {
    let mut recipe = Recipe {
        size: OutputSize::LongSide(48),
        ..Recipe::default()
    };
    recipe.style.size = StyleSize::LongSide(SIDE);
    let schedule = &mut recipe.optimize_mut().unwrap().schedule;
    schedule.scales = vec![32, 48];
    schedule.steps = vec![2];
    change(&mut recipe);
    recipe
}

fn stylizer(style: Picture, recipe: &Recipe) -> Stylizer {
    let device = open(&Choice::default()).unwrap();
    let styles = vec![Style::new("style", style, 1.0)];
    Stylizer::new(device, &Encoder::lite().unwrap(), styles, recipe.clone()).unwrap()
}

fn painted(style: Picture, recipe: &Recipe) -> Picture {
    let observer = &mut |_: &Event<'_>| ControlFlow::Continue(());
    let stylized = stylizer(style, recipe).stylize(&content(), observer);
    stylized.unwrap().picture
}

#[test]
fn hidden_colours_change_nothing() {
    let unit = |recipe: &mut Recipe| recipe.encoder.unit_activations = true;
    let start = |recipe: &mut Recipe| recipe.optimize_mut().unwrap().init = Init::Style;
    let sizes = |recipe: &mut Recipe| recipe.style.size = StyleSize::Content;
    let pools = |recipe: &mut Recipe| recipe.encoder.pooling = PoolKind::L2;
    type Change<'a> = (&'a str, &'a dyn Fn(&mut Recipe));
    let changes: [Change<'_>; 5] = [
        ("as it is", &|_| ()),
        ("unit activations", &unit),
        ("the style's colours as start", &start),
        ("resized", &sizes),
        ("L2 pools", &pools),
    ];
    for (case, change) in changes {
        let recipe = recipe(change);
        let one = painted(half([0.0, 1.0, 0.0]), &recipe);
        let other = painted(half([1.0, 0.0, 1.0]), &recipe);
        assert_eq!(one, other, "{case}");
        assert_ne!(one, painted(stripes(is_right, [0.0, 1.0, 0.0]), &recipe));
    }
}

#[test]
fn a_style_that_hides_nothing_is_taken_as_it_is() {
    let (recipe, style) = (recipe(|_| ()), stripes(|_, _| false, [0.0; 3]));
    let opaque = style.clone().with_alpha(vec![1.0; SIDE * SIDE]).unwrap();
    assert_eq!(painted(style, &recipe), painted(opaque, &recipe));
}

/// What is to be seen of it counts as if it were all there is: the losses are those towards the whole stripes, or
/// nearly, because the half has other phases and one border more.
#[test]
fn what_is_seen_counts_as_if_it_were_all() {
    let recipe = recipe(|_| ());
    let (content, image) = (content(), content());
    let losses = |style: Picture| {
        let inspection = stylizer(style, &recipe).inspect(&content, &image).unwrap();
        inspection.total
    };
    let whole = losses(stripes(|_, _| false, [0.0; 3]));
    let seen = losses(half([0.0, 1.0, 0.0]));
    let shown = losses(stripes(is_right, [0.0, 1.0, 0.0]));
    assert_near("hidden", seen, whole, Tolerance::relative(0.1));
    assert!(
        (shown - whole).abs() > 3.0 * (seen - whole).abs(),
        "{shown} {seen} {whole}"
    );
}

#[test]
fn tiles_see_the_same() {
    let whole = recipe(|recipe| recipe.style.size = StyleSize::LongSide(3 * LEAST_TILE));
    let paint = |tile| {
        let stylizer = stylizer(half([0.0; 3]), &whole);
        let limits = RunLimits { tile, memory: None };
        let mut stylizer = stylizer.with_limits(limits).unwrap();
        let observer = &mut |_: &Event<'_>| ControlFlow::Continue(());
        stylizer.stylize(&content(), observer).unwrap().picture
    };
    let (one, many) = (paint(None), paint(Some(LEAST_TILE)));
    assert_close("tiles", many.rgb(), one.rgb(), Tolerance::absolute(1e-3));
}

/// Of a style that is hidden altogether the colours are taken: there is nothing else.
#[test]
fn a_style_that_is_clear_throughout_is_no_error() {
    let style = stripes(|_, _| false, [0.0; 3]);
    let clear = style.with_alpha(vec![0.0; SIDE * SIDE]).unwrap();
    let picture = painted(
        clear,
        &recipe(|recipe| recipe.optimize_mut().unwrap().init = Init::Style),
    );
    assert!(picture.rgb().iter().all(|value| value.is_finite()));
}

/// What a network paints in a style, which is looked at in its own size.
fn painted_by(painter: &PainterSpec, method: MethodSettings, style: Picture) -> Picture {
    let mut recipe = Recipe {
        size: OutputSize::LongSide(48),
        method,
        ..Recipe::default()
    };
    recipe.style.size = StyleSize::LongSide(SIDE);
    let networks = Networks {
        encoder: None,
        painter: Some(painter),
    };
    let styles = vec![Style::new("style", style, 1.0)];
    let device = open(&Choice::default()).unwrap();
    let mut stylizer = Stylizer::with_networks(device, networks, styles, recipe).unwrap();
    stylizer.stylize(&content(), &mut Ignore).unwrap().picture
}

fn distance(a: &Picture, b: &Picture) -> f64 {
    let squares = a.rgb().iter().zip(b.rgb());
    let sum: f64 = squares.map(|(x, y)| f64::from(x - y).powi(2)).sum();
    (sum / a.rgb().len() as f64).sqrt()
}

/// The same for networks that paint: colours that are hidden change not a bit, and what is seen counts as if it were all.
fn network_sees_what_is_seen(case: &str, painter: &PainterSpec, method: &MethodSettings) {
    let paint = |style| painted_by(painter, method.clone(), style);
    let green = [0.0, 1.0, 0.0];
    let seen = paint(half(green));
    assert_eq!(seen, paint(half([1.0, 0.0, 1.0])), "{case}");
    let whole = paint(stripes(|_, _| false, [0.0; 3]));
    let shown = paint(stripes(is_right, green));
    let (off, otherwise) = (distance(&seen, &whole), distance(&shown, &whole));
    println!("{case}: {off} of {otherwise}");
    // The predictor of Ghiasi et al. was trained on pictures eight times as wide as the half.
    let share = match method {
        MethodSettings::Ghiasi(_) => 0.8,
        _ => 0.5,
    };
    assert!(off < share * otherwise, "{case}: {off} of {otherwise}");
}

#[test]
fn what_is_hidden_of_a_content_changes_nothing_of_what_a_network_paints() {
    let painter = PainterSpec::find(MethodName::Paint, None, None).unwrap();
    let networks = Networks {
        encoder: None,
        painter: Some(&painter),
    };
    let recipe = Recipe {
        size: OutputSize::Original,
        method: MethodSettings::of(MethodName::Paint),
        ..Recipe::default()
    };
    let device = open(&Choice::default()).unwrap();
    let styles = vec![Style::new("style", content(), 1.0)];
    let mut stylizer = Stylizer::with_networks(device, networks, styles, recipe).unwrap();
    let mut painted = |content: &Picture| {
        let stylized = stylizer.stylize(content, &mut Ignore).unwrap();
        stylized.picture
    };
    let (red, blue) = (
        painted(&half([1.0, 0.0, 0.0])),
        painted(&half([0.0, 0.0, 1.0])),
    );
    assert_eq!(red, blue);
    assert_eq!(red.alpha(), half([0.0; 3]).alpha());
    // The right half of the same stripes, opaque and red, would have changed the left one.
    let opaque = painted(&stripes(is_right, [1.0, 0.0, 0.0]));
    assert_ne!(opaque.rgb()[..SIDE / 4], red.rgb()[..SIDE / 4]);
}

/// A region where nothing of a photo is to be seen is painted all the same.
#[test]
fn a_hidden_region_is_no_failure() {
    let shares = (0..3 * SIDE * SIDE).map(|k| f32::from(u8::from(is_right(k % SIDE, 0))));
    let mask = Mask::of(&Picture::new(SIDE, SIDE, shares.collect()).unwrap());
    let style = Style {
        region: Some(0),
        ..Style::new("style", content(), 1.0)
    };
    let painter = PainterSpec::find(MethodName::Paint, None, None).unwrap();
    let networks = Networks {
        encoder: None,
        painter: Some(&painter),
    };
    let recipe = Recipe {
        size: OutputSize::Original,
        method: MethodSettings::of(MethodName::Paint),
        ..Recipe::default()
    };
    let device = open(&Choice::default()).unwrap();
    let stylizer = Stylizer::with_networks(device, networks, vec![style], recipe).unwrap();
    let mut stylizer = stylizer.in_regions(Regions::new(None, vec![mask])).unwrap();
    let hidden = half([1.0, 0.0, 0.0]);
    let painted = stylizer.stylize(&hidden, &mut Ignore).unwrap().picture;
    assert!(painted.rgb().iter().all(|value| value.is_finite()));
    assert_eq!(painted.alpha(), hidden.alpha());
}

#[test]
fn networks_that_paint_do_not_see_what_is_hidden() {
    let embedded = PainterSpec::find(MethodName::Paint, None, None).unwrap();
    let method = MethodSettings::of(MethodName::Paint);
    network_sees_what_is_seen("paint", &embedded, &method);
    for (folder, names) in [
        ("vgg19-16x", &[MethodName::Wct, MethodName::Adain][..]),
        ("microast", &[MethodName::Microast]),
        ("magenta", &[MethodName::Ghiasi]),
    ] {
        let Some(folder) = shared(&format!("weights/{folder}")) else {
            continue;
        };
        for &name in names {
            let painter = PainterSpec::find(name, Some(&folder), None).unwrap();
            let mut method = MethodSettings::of(name);
            if let MethodSettings::Wct(wct) = &mut method {
                // Deeper levels have four places in half of the stripes.
                wct.levels = vec![3, 2, 1];
                let whitened = Wct {
                    transform: Transform::Lua,
                    ..wct.clone()
                };
                let method = MethodSettings::Wct(whitened);
                network_sees_what_is_seen("wct, whitened", &painter, &method);
            }
            network_sees_what_is_seen(name.name(), &painter, &method);
        }
    }
}
