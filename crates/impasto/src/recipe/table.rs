//! The table of settings: a row for each, with its path, what it may be, where in a recipe it is, and a sentence of help.

mod methods;

use super::field::{Field, Group, METHOD, Place};
use super::kind::{Alternative, Kind};
use super::range::{Form, Quantity, Range};
use super::value::{Setting, Value};
use super::{
    Centre, Clip, Distribution, EpsilonTo, GramNorm, Init, Keep, LayerNorm, LayerWeights,
    LineSearch, MadeFor, MethodName, MethodSettings, Normalize, OptimizerSettings, Pixels,
    StyleLoss, TermReduction,
};
use crate::picture::colors::{ColorMode, ColorSpace, When};
use impasto_compute::{Padding, PoolKind, Reduction, TotalVariation};

/// Long sides that make sense, in pixels.
const SIDE: Quantity = Quantity {
    form: Form::Whole,
    range: Range::between(16.0, 32_768.0),
    unit: "pixels",
};
/// How often something is done.
const COUNT: Range = Range::between(1.0, 1e6);
/// The method of the settings that the optimisation alone has.
const OPTIMIZE: Option<&[&str]> = Some(&["optimize"]);
/// Decays of averages.
const DECAY: Range = Range::at_least(0.0).below(1.0);

fn quantity(form: Form, range: Range) -> Kind {
    let unit = "";
    Kind::Number(Quantity { form, range, unit })
}

fn number(range: Range) -> Kind {
    quantity(Form::Single, range)
}

fn double() -> Kind {
    quantity(Form::Double, Range::ALL)
}

fn whole(range: Range) -> Kind {
    quantity(Form::Whole, range)
}

fn measure(name: &'static str, number: Quantity, about: &'static str) -> Alternative {
    let number = Some(number);
    Alternative {
        name,
        number,
        about,
    }
}

fn plain(name: &'static str, about: &'static str) -> Alternative {
    let number = None;
    Alternative {
        name,
        number,
        about,
    }
}

fn names<T: crate::named::Named>() -> Kind {
    Kind::of_names::<T>()
}

/// Where in a recipe a setting of every method is.
macro_rules! at {
    ($($place:tt)+) => {
        Place {
            methods: None,
            get: |recipe| Some(recipe.$($place)+.value()),
            set: |recipe, value| {
                recipe.$($place)+ = Setting::of(value)?;
                Some(())
            },
        }
    };
}

/// Where in the settings of the optimisation a setting is.
macro_rules! at_optimize {
    ($($place:tt)+) => {
        Place {
            methods: OPTIMIZE,
            get: |recipe| Some(recipe.optimize()?.$($place)+.value()),
            set: |recipe, value| {
                recipe.optimize_mut()?.$($place)+ = Setting::of(value)?;
                Some(())
            },
        }
    };
}

/// Where in the settings of an optimiser a setting is.
macro_rules! at_optimizer {
    ($variant:ident, $name:ident) => {
        Place {
            methods: OPTIMIZE,
            get: |recipe| match &recipe.optimize()?.optimizer {
                OptimizerSettings::$variant(it) => Some(it.$name.value()),
                _ => None,
            },
            set: |recipe, value| match &mut recipe.optimize_mut()?.optimizer {
                OptimizerSettings::$variant(it) => {
                    it.$name = Setting::of(value)?;
                    Some(())
                }
                _ => None,
            },
        }
    };
}

/// Every setting, in the order of files.
pub(super) fn rows() -> Vec<Field> {
    let tables = [
        size(),
        content(),
        style(),
        colors(),
        variation(),
        terms(),
        encoder(),
        start(),
        run(),
        schedule(),
        optimizer(),
        methods::nnst(),
        methods::strotss(),
        methods::network(),
    ];
    tables.into_iter().flatten().collect()
}

#[rustfmt::skip]
fn size() -> Vec<Field> {
    let sizes = Kind::Choice(vec![
        measure("long-side", SIDE, ""),
        plain("original", "as large as the content"),
    ]);
    let method = Place {
        methods: None,
        get: |recipe| Some(recipe.method.name().value()),
        set: |recipe, value| {
            let other: MethodName = Setting::of(value)?;
            if other != recipe.method.name() {
                recipe.method = MethodSettings::of(other);
            }
            Some(())
        },
    };
    vec![
        Field::new(METHOD, names::<MethodName>(), method, "How the picture is painted: optimised step by step, or by a network in a pass")
            .within(Group::Picture)
            .everyday(),
        Field::new("size", sizes, at!(size), "Long side of the result in pixels, or original: that of the content")
            .within(Group::Picture)
            .everyday(),
    ]
}

#[rustfmt::skip]
fn content() -> Vec<Field> {
    let row = Field::new;
    vec![
        row("content.weight", number(Range::at_least(0.0)), at_optimize!(content.weight), "Weight of the content; 0 leaves it out")
            .everyday(),
        row("content.factor", number(Range::above(0.0)), at_optimize!(content.factor), "A constant of the loss's definition beside its weight: 0.5 for ½ Σ (F − P)²"),
        row("content.layers", Kind::Layers, at_optimize!(content.layers), "Layers that see the content, each with its share")
            .or_else("of the encoder, relu4_2 of a VGG")
            .everyday(),
        row("content.layer-weights", names::<LayerWeights>(), at_optimize!(content.layer_weights), "What the layers' weights mean: shares of the content's weight, or factors on it"),
        row("edges.weight", number(Range::at_least(0.0)), at_optimize!(edges.weight), "Weight of the photo's edges, which stay where they are; 0 leaves them out")
            .everyday(),
    ]
}

#[rustfmt::skip]
fn style() -> Vec<Field> {
    let row = Field::new;
    let scale = Quantity {
        form: Form::Single,
        range: Range::between(0.05, 20.0),
        unit: "",
    };
    let sizes = Kind::Choice(vec![
        measure("scale", scale, "Look at the styles at the picture's size times this: larger makes larger strokes"),
        measure("long-side", SIDE, "Look at the styles at this long side in pixels, at every scale"),
        plain("content", "at the width and height of the picture"),
    ]);
    let degrees = Quantity {
        form: Form::Single,
        range: Range::between(-360.0, 360.0),
        unit: "degrees",
    };
    let turns = Kind::Choice(vec![
        measure("degrees", degrees, ""),
        plain("any", "in all directions at once"),
    ]);
    let spread = Kind::List {
        each: Quantity {
            form: Form::Whole,
            range: Range::between(5.0, 400.0),
            unit: "percent",
        },
        ascending: false,
        required: None,
    };
    vec![
        row("style.weight", number(Range::at_least(0.0)), at_optimize!(style.weight), "Weight of the style; 0 leaves it out")
            .everyday(),
        row("style.factor", number(Range::above(0.0)), at_optimize!(style.factor), "A constant of the loss's definition beside its weight"),
        row("style.layers", Kind::Layers, at_optimize!(style.layers), "Layers that see the style, each with its share")
            .or_else("of the encoder, relu1_1 to relu5_1 of a VGG")
            .everyday(),
        row("style.layer-weights", names::<LayerWeights>(), at_optimize!(style.layer_weights), "What the layers' weights mean: shares of the style's weight, or factors on it"),
        row("style.layer-norm", names::<LayerNorm>(), at_optimize!(style.layer_norm), "What each layer's loss is divided by: nothing, or the layer's c·h·w"),
        row("style.loss", names::<StyleLoss>(), at_optimize!(style.loss), "What of the features is compared")
            .everyday(),
        row("style.gram-norm", names::<GramNorm>(), at_optimize!(style.gram_norm), "What a Gram matrix of c features of h·w pixels is divided by; gatys: 2·c·h·w")
            .everyday(),
        row("style.size", sizes, at!(style.size), "How large the paintings are looked at")
            .everyday(),
        row("style.rotate", turns, at!(style.rotate), "Turn the paintings, and their strokes with them: by degrees counter-clockwise, or any way")
            .everyday(),
        row("style.spread", spread, at!(style.spread), "Percents of their size in which the paintings are looked at, all at once: 100,50 mixes large and small strokes")
            .or_else("100")
            .everyday(),
        row("style.enlarge", Kind::Flag, at!(style.enlarge), "Whether paintings smaller than that are enlarged"),
    ]
}

#[rustfmt::skip]
fn colors() -> Vec<Field> {
    let row = Field::new;
    vec![
        row("colors.mode", names::<ColorMode>(), at!(colors.mode), "Whose colours the picture has: the style's or the content's, moved as little as possible, pixel by pixel, or by a published map")
            .everyday(),
        row("colors.when", names::<When>(), at!(colors.when), "Whether colours are given to the styles before it is painted, or to the result after; usual: after for content-exact, else before")
            .everyday(),
        row("colors.strength", number(Range::between(0.0, 1.0)), at!(colors.strength), "How far colours go: 0 leaves them, 1 is all the way")
            .everyday(),
        row("colors.space", names::<ColorSpace>(), at!(colors.space), "In which coordinates colours are mapped: Oklab of linear light, or sRGB as the published programs have it")
            .everyday(),
    ]
}

#[rustfmt::skip]
fn variation() -> Vec<Field> {
    let row = Field::new;
    vec![
        row("variation.weight", number(Range::at_least(0.0)), at_optimize!(variation.weight), "Weight of the total variation, which keeps noise out; 0 leaves it out")
            .everyday(),
        row("variation.factor", number(Range::above(0.0)), at_optimize!(variation.factor), "A constant of the loss's definition beside its weight"),
        row("variation.kind", names::<TotalVariation>(), at_optimize!(variation.kind), "Which differences of neighbours total variation takes")
            .everyday(),
        row("variation.reduction", names::<TermReduction>(), at_optimize!(variation.reduction), "Whether total variation is a mean or a sum, or what the recipe's losses are"),
    ]
}

#[rustfmt::skip]
fn terms() -> Vec<Field> {
    let row = Field::new;
    let faithful = Place {
        methods: Some(&["optimize", "nnst", "strotss"]),
        get: |recipe| match &recipe.method {
            MethodSettings::Optimize(it) => Some(it.faithful.value()),
            MethodSettings::Nnst(it) => Some(it.faithful.value()),
            MethodSettings::Strotss(it) => Some(it.faithful.value()),
            _ => None,
        },
        set: |recipe, value| {
            let faithful = match &mut recipe.method {
                MethodSettings::Optimize(it) => &mut it.faithful,
                MethodSettings::Nnst(it) => &mut it.faithful,
                MethodSettings::Strotss(it) => &mut it.faithful,
                _ => return None,
            };
            *faithful = Setting::of(value)?;
            Some(())
        },
    };
    vec![
        row("normalize", names::<Normalize>(), at_optimize!(normalize), "What each term is divided by, so that its weight means the same everywhere")
            .everyday(),
        row("reduction", names::<Reduction>(), at_optimize!(reduction), "Whether losses are means or sums")
            .everyday(),
        row("made-for", names::<MadeFor>(), at_optimize!(made_for), "The network whose activations the weights were chosen beside: on another one they are calibrated"),
        row("faithful", Kind::Flag, faithful, "Do everything as the recipe says it or the method was published: calibrate no weights to the encoder, let L-BFGS diverge, seek neighbours the slow way")
            .within(Group::Optimisation)
            .everyday(),
    ]
}

#[rustfmt::skip]
fn encoder() -> Vec<Field> {
    let row = Field::new;
    vec![
        row("encoder.pooling", names::<PoolKind>(), at!(encoder.pooling), "How each pool makes one value of four")
            .everyday(),
        row("encoder.plain-pooling", Kind::Flag, at!(encoder.plain_pooling), "Do not rescale average and l2 pools to the mean of max pools")
            .everyday(),
        row("encoder.unit-activations", Kind::Flag, at!(encoder.unit_activations), "Rescale the weights so that every filter's mean activation over the pictures of the run is 1"),
        row("encoder.padding", names::<Padding>(), at!(encoder.padding), "What the first convolution sees beyond the border")
            .everyday(),
    ]
}

#[rustfmt::skip]
fn start() -> Vec<Field> {
    let row = Field::new;
    vec![
        row("init", names::<Init>(), at_optimize!(init), "What to start from; style is noise in the colours of the styles")
            .within(Group::Picture)
            .everyday(),
        row("noise.distribution", names::<Distribution>(), at_optimize!(noise.distribution), "How noise is distributed"),
        row("noise.amplitude", number(Range::at_least(0.0)), at_optimize!(noise.amplitude), "Half the width of uniform noise, the standard deviation of normal noise, in units of the recipe's pixels")
            .in_pixels(),
        row("noise.centre", names::<Centre>(), at_optimize!(noise.centre), "The colour that noise lies around: medium grey, or the mean of ImageNet"),
        row("noise.ratio", number(Range::between(0.0, 1.0)), at_optimize!(noise.ratio), "Share of the noise where it is mixed with the content"),
    ]
}

#[rustfmt::skip]
fn run() -> Vec<Field> {
    let row = Field::new;
    vec![
        row("feather", number(Range::between(0.0, 0.25)), at!(feather), "How wide the borders of what is painted are, where masks keep the photo, as a share of the long side")
            .within(Group::Picture)
            .everyday(),
        row("photo", Kind::Flag, at!(photo), "Give the photo the tones of what was painted, without strokes: a guided filter after it")
            .within(Group::Picture)
            .everyday(),
        row("wrap", Kind::Flag, at!(wrap), "The picture goes all around, as a 360° panorama does: its right end goes on at its left one, without a seam")
            .within(Group::Picture)
            .everyday(),
        row("seed", whole(Range::at_least(0.0)), at!(seed), "Seed of everything random, 0 to 2^64-1")
            .within(Group::Picture)
            .everyday(),
        row("pixels", names::<Pixels>(), at_optimize!(pixels), "In which units the optimiser sees the picture: 0..1, 0..255, or as torchvision normalises"),
        row("pyramid", whole(Range::between(0.0, 16.0)), at_optimize!(pyramid), "Optimise the picture as a Laplacian pyramid of so many halvings, large shapes at once; 0 for pixel by pixel"),
        row("clip", names::<Clip>(), at_optimize!(clip), "When pixels are brought back into their range: after a step, before an evaluation, at the end"),
        row("keep", names::<Keep>(), at_optimize!(keep), "Which picture of a scale is its result: the last, that of the least loss, or the one after it"),
        row("strict-taps", Kind::Flag, at!(strict_taps), "Refuse to look at the nearest layer instead of one that the encoder lacks")
            .within(Group::Encoder)
            .everyday(),
    ]
}

#[rustfmt::skip]
fn schedule() -> Vec<Field> {
    let row = Field::new;
    let scales = Kind::List {
        each: SIDE,
        ascending: true,
        required: None,
    };
    let steps = Kind::List {
        each: Quantity {
            form: Form::Whole,
            range: COUNT,
            unit: "",
        },
        ascending: false,
        required: Some("must be one number for each scale, or one for all, each from 1 to 1000000"),
    };
    vec![
        row("schedule.scales", scales, at_optimize!(schedule.scales), "Long sides in pixels to go through, ascending; the last is the size of the result")
            .or_else("from 128 by √2")
            .everyday(),
        row("schedule.coarse-to-fine", Kind::Flag, at_optimize!(schedule.coarse_to_fine), "Whether the run goes from 128 px by √2 to its size; otherwise it has one scale"),
        row("schedule.finest", whole(Range::between(0.0, 99.0)), at_optimize!(schedule.finest), "Of those scales at most so many, the finest; 0 for all"),
        row("schedule.steps", steps, at_optimize!(schedule.steps), "Steps at each scale, coarsest first; the last number serves all further scales")
            .everyday(),
    ]
}

#[rustfmt::skip]
fn optimizer() -> Vec<Field> {
    const OPTIMIZER: &str = "optimizer.method";
    let row = Field::new;
    let method = Place {
        methods: OPTIMIZE,
        get: |recipe| Some(Value::Name(recipe.optimize()?.optimizer.name())),
        set: |recipe, value| {
            let optimizer = &mut recipe.optimize_mut()?.optimizer;
            let other = OptimizerSettings::of_name(value.name()?)?;
            if other.name() != optimizer.name() {
                *optimizer = other;
            }
            Some(())
        },
    };
    let rate = Place {
        methods: OPTIMIZE,
        get: |recipe| Some(recipe.optimize()?.optimizer.learning_rate().value()),
        set: |recipe, value| {
            *recipe.optimize_mut()?.optimizer.learning_rate_mut() = Setting::of(value)?;
            Some(())
        },
    };
    let methods = OptimizerSettings::NAMES.iter().map(|name| plain(name, ""));
    let adam = |path, kind, place, about| row(path, kind, place, about).of(OPTIMIZER, &["adam"]);
    let lbfgs = |path, kind, place, about| row(path, kind, place, about).of(OPTIMIZER, &["lbfgs"]);
    vec![
        row(OPTIMIZER, Kind::Choice(methods.collect()), method, "How a step is taken")
            .everyday(),
        row("optimizer.learning-rate", number(Range::above(0.0).up_to(100.0)), rate, "Size of a step, in units of the recipe's pixels: 0..1 unless it says otherwise")
            .in_pixels()
            .everyday(),
        adam("optimizer.beta1", number(DECAY), at_optimizer!(Adam, beta1), "Decay of the mean gradient"),
        adam("optimizer.beta2", number(DECAY), at_optimizer!(Adam, beta2), "Decay of the mean squared gradient"),
        adam("optimizer.epsilon", number(Range::above(0.0)), at_optimizer!(Adam, epsilon), "Added to the root of the mean squared gradient"),
        adam("optimizer.epsilon-to", names::<EpsilonTo>(), at_optimizer!(Adam, epsilon_to), "To which root: that after its bias correction, or before"),
        adam("optimizer.bias-correction", Kind::Flag, at_optimizer!(Adam, bias_correction), "Whether Adam's means are corrected for their start at 0; without, and with beta1 0, it is RMSprop"),
        adam("optimizer.averaging", number(DECAY), at_optimizer!(Adam, averaging), "Decay of the average over steps that is the result; 0 takes the last step")
            .everyday(),
        lbfgs("optimizer.history", whole(COUNT), at_optimizer!(Lbfgs, history), "Pairs of steps and gradient differences that are remembered"),
        lbfgs("optimizer.line-search", names::<LineSearch>(), at_optimizer!(Lbfgs, line_search), "How far a step goes: by the learning rate, or to where the strong Wolfe conditions hold"),
        lbfgs("optimizer.max-iter", whole(COUNT), at_optimizer!(Lbfgs, max_iter), "Iterations of an outer step"),
        lbfgs("optimizer.max-eval", whole(Range::at_least(0.0)), at_optimizer!(Lbfgs, max_eval), "Evaluations after which an outer step ends; 0 stands for 1.25 times max-iter"),
        lbfgs("optimizer.tolerance-grad", double(), at_optimizer!(Lbfgs, tolerance_grad), "An outer step ends where no entry of the gradient is greater; negative for never"),
        lbfgs("optimizer.tolerance-change", double(), at_optimizer!(Lbfgs, tolerance_change), "An outer step ends where neither loss nor any pixel changes by more; negative for never"),
    ]
}
