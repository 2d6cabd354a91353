//! The settings that one method alone has, but for the optimisation's.

use super::super::Transform;
use super::super::field::{Field, Group, Place};
use super::super::kind::Kind;
use super::super::range::{Form, Quantity, Range};
use super::super::value::Setting;
use super::{COUNT, MethodSettings, names, number, whole};

/// The methods of networks that paint in a pass.
const NETWORKS: Option<&[&str]> = Some(&["paint", "wct", "adain", "microast", "ghiasi", "fast"]);

/// Where in the settings of one method a setting is.
macro_rules! at_network {
    ($variant:ident, $methods:expr, $name:ident) => {
        Place {
            methods: Some($methods),
            get: |recipe| match &recipe.method {
                MethodSettings::$variant(it) => Some(it.$name.value()),
                _ => None,
            },
            set: |recipe, value| match &mut recipe.method {
                MethodSettings::$variant(it) => {
                    it.$name = Setting::of(value)?;
                    Some(())
                }
                _ => None,
            },
        }
    };
}

#[rustfmt::skip]
pub(super) fn nnst() -> Vec<Field> {
    const NNST: &[&str] = &["nnst"];
    let row = |path, kind, place, about| Field::new(path, kind, place, about).within(Group::Optimisation);
    vec![
        row("nnst.layers", Kind::Layers, at_network!(Nnst, NNST, layers), "Layers that are matched together, each with its share")
            .or_else("of the encoder, up to relu4_3 of a VGG"),
        row("nnst.steps", whole(COUNT), at_network!(Nnst, NNST, steps), "Steps at each size, in which every place becomes like the place of the styles that it was matched with")
            .everyday(),
        row("nnst.splitting", whole(Range::between(0.0, 1e6)), at_network!(Nnst, NNST, splitting), "Steps of a pass in which every layer is matched by itself: it makes the strokes sharp; 0 leaves it out")
            .everyday(),
        row("nnst.finish", whole(Range::between(0.0, 1e6)), at_network!(Nnst, NNST, finish), "Steps of the last pass, towards the paintings' statistics as the optimisation takes them: it brings in their colours and textures; 0 leaves it out")
            .everyday(),
        row("nnst.learning-rate", number(Range::above(0.0).up_to(1.0)), at_network!(Nnst, NNST, learning_rate), "Size of a step, of each level of a pyramid of the picture"),
        row("nnst.alpha", number(Range::between(0.0, 1.0)), at_network!(Nnst, NNST, alpha), "How much of the photo is in what is matched with the paintings: 1 is the photo alone, 0 what was painted at the size before")
            .everyday(),
        row("nnst.turns", Kind::Flag, at_network!(Nnst, NNST, turns), "Whether paintings are looked at in all four directions, so that strokes follow the photo")
            .everyday(),
        row("nnst.refresh", whole(COUNT), at_network!(Nnst, NNST, refresh), "Steps after which the pass layer by layer seeks neighbours anew"),
        row("nnst.samples", whole(Range::between(16.0, 4e6)), at_network!(Nnst, NNST, samples), "Places of the paintings that are matched with, at most"),
        row("nnst.recolor", Kind::Flag, at_network!(Nnst, NNST, recolor), "Whether colours are the photo's, moved to the paintings', under the lightness of what was painted")
            .everyday(),
    ]
}

#[rustfmt::skip]
pub(super) fn strotss() -> Vec<Field> {
    const STROTSS: &[&str] = &["strotss"];
    let row = |path, kind, place, about| Field::new(path, kind, place, about).within(Group::Optimisation);
    vec![
        row("strotss.layers", Kind::Layers, at_network!(Strotss, STROTSS, layers), "Layers that are compared together with colours, each with its share")
            .or_else("of the encoder, up to relu4_3 of a VGG"),
        row("strotss.steps", whole(COUNT), at_network!(Strotss, STROTSS, steps), "Steps at each size")
            .everyday(),
        row("strotss.learning-rate", number(Range::above(0.0).up_to(1.0)), at_network!(Strotss, STROTSS, learning_rate), "Size of a step, of each level of a pyramid of the picture; half of it at the last size"),
        row("strotss.content", number(Range::between(0.0, 1000.0)), at_network!(Strotss, STROTSS, content), "Weight of the photo's self-similarity: 16 times as much at the first size, half as much at each further one")
            .everyday(),
        row("strotss.places", whole(Range::between(16.0, 16_384.0)), at_network!(Strotss, STROTSS, places), "Places of the picture that are compared at each step"),
        row("strotss.samples", whole(Range::between(16.0, 1e6)), at_network!(Strotss, STROTSS, samples), "Places of the paintings that they are compared with"),
    ]
}

#[rustfmt::skip]
pub(super) fn network() -> Vec<Field> {
    let row = Field::new;
    let alpha = Place {
        methods: NETWORKS,
        get: |recipe| Some(recipe.method.alpha()?.value()),
        set: |recipe, value| {
            *recipe.method.alpha_mut()? = Setting::of(value)?;
            Some(())
        },
    };
    let levels = Place {
        methods: Some(&["paint", "wct"]),
        get: |recipe| match &recipe.method {
            MethodSettings::Paint(it) => Some(it.levels.value()),
            MethodSettings::Wct(it) => Some(it.levels.value()),
            _ => None,
        },
        set: |recipe, value| {
            let levels = match &mut recipe.method {
                MethodSettings::Paint(it) => &mut it.levels,
                MethodSettings::Wct(it) => &mut it.levels,
                _ => return None,
            };
            *levels = Setting::of(value)?;
            Some(())
        },
    };
    let numbers = |required| Kind::List {
        each: Quantity {
            form: Form::Whole,
            range: Range::between(1.0, 9999.0),
            unit: "",
        },
        ascending: false,
        required,
    };
    vec![
        row("network.alpha", number(Range::between(0.0, 1.0)), alpha, "How strongly a feed-forward network paints: 1 the style in full, 0 the photo as well as the network can draw it")
            .everyday(),
        row("network.levels", numbers(Some("must be levels of the network, deepest first, such as 3,2,1")), levels, "Levels at which features get the style's statistics, deepest first")
            .everyday(),
        row("network.transform", names::<Transform>(), at_network!(Wct, &["wct"], transform), "How features get the style's mean and covariance: by optimal transport, or whitened and coloured as a published program does")
            .everyday(),
        row("network.scales", whole(Range::between(1.0, 5.0)), at_network!(Paint, &["paint"], scales), "At how many sizes the network paints, each twice the last: more make larger strokes")
            .everyday(),
        row("network.styles", numbers(None), at_network!(Fast, &["fast"], styles), "Which of the network's own styles, counted from 1; several are mixed")
            .or_else("the first")
            .everyday(),
    ]
}
