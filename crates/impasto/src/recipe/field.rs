//! The table of settings: everything that there is to know of each, in one place.
//!
//! Files, checks, the options of the command line with their help, the rows of a report and whatever else shows or asks for
//! settings are derived from it. A setting is a field of [`Recipe`] and a row here.
//!
//! ```
//! use impasto::recipe::{self, Recipe};
//!
//! let weight = recipe::field("content.weight").ok_or("no such setting")?;
//! assert_eq!(weight.about, "Weight of the content; 0 leaves it out");
//!
//! let mut recipe = Recipe::default();
//! weight.set(&mut recipe, &weight.parse("0.5")?)?;
//! assert_eq!(recipe.content.weight, 0.5);
//!
//! // Every setting that another value was given to than the default's.
//! for field in recipe::fields() {
//!     let value = field.get(&recipe);
//!     if value != field.default() {
//!         println!("{} = {}", field.path, value.ok_or("none")?);
//!     }
//! }
//! # Ok::<(), String>(())
//! ```

use super::kind::{Alternative, Form, Kind, Quantity, Range};
use super::value::{Setting, Value};
use super::{
    Centre, Clip, Distribution, EpsilonTo, GramNorm, Init, Keep, LayerNorm, LayerWeights,
    LineSearch, Normalize, OptimizerSettings, Pixels, Problem, Recipe, StyleLoss, TermReduction,
};
use impasto_compute::{Padding, PoolKind, Reduction, TotalVariation};
use std::sync::LazyLock;

/// A setting of a recipe.
#[derive(Debug)]
pub struct Field {
    /// Its path: `content.weight`, or `seed` for one of the recipe itself.
    pub path: &'static str,
    /// What it is about.
    pub group: Group,
    /// Whether people change it often. Forms may fold the others away; on the command line these are options, and the
    /// others are settings of recipe files alone.
    pub everyday: bool,
    /// What it may be.
    pub kind: Kind,
    /// One sentence of help, without a full stop.
    pub about: &'static str,
    /// What its default stands for where that is an empty list.
    pub automatic: Option<&'static str>,
    /// The choice that it is a setting of: it exists where that setting has this name.
    pub of: Option<(&'static str, &'static str)>,
    /// Whether its numbers count in the units of the recipe's `pixels`.
    in_pixels: bool,
    get: Get,
    set: Set,
}

type Get = fn(&Recipe) -> Option<Value>;
type Set = fn(&mut Recipe, &Value) -> Option<()>;

/// What a setting is about: how forms and pages of help divide them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// The picture that is made, and what it starts from.
    Picture,
    /// What the painting gives.
    Style,
    /// What is kept of the photo, and the noise kept out.
    Content,
    /// The network that looks at pictures.
    Encoder,
    /// How the picture is found.
    Optimisation,
}

impl Field {
    /// The table that it stands under in files: `content` of `content.weight`; empty for those of the recipe itself.
    pub fn table(&self) -> &'static str {
        self.path.split_once('.').map_or("", |(table, _)| table)
    }

    /// Its name in that table.
    pub fn name(&self) -> &'static str {
        self.path
            .split_once('.')
            .map_or(self.path, |(_, name)| name)
    }

    /// Its value in a recipe; `None` if the recipe has no such setting ([`Field::of`]).
    pub fn get(&self, recipe: &Recipe) -> Option<Value> {
        (self.get)(recipe)
    }

    /// Its value in the default recipe, or, of a choice's settings, where the default is changed to that choice.
    pub fn default(&self) -> Option<Value> {
        let mut recipe = Recipe::default();
        self.prepare(&mut recipe);
        self.get(&recipe)
    }

    /// Makes the choices by which a recipe has this setting.
    fn prepare(&self, recipe: &mut Recipe) {
        if let Some((path, name)) = self.of
            && let Some(choice) = field(path)
        {
            choice.prepare(recipe);
            (choice.set)(recipe, &Value::Name(name));
        }
    }

    /// Sets it, whatever its range; [`Recipe::problems`] says what cannot run.
    ///
    /// # Errors
    /// The value is of another kind, or the recipe has no such setting: in a few words.
    pub fn set(&self, recipe: &mut Recipe, value: &Value) -> Result<(), String> {
        match (self.get(recipe), self.of) {
            (None, Some((choice, name))) => {
                let choice = choice.split('.').next().unwrap_or(choice);
                Err(format!("goes with the {choice} {name} only"))
            }
            _ => (self.set)(recipe, value).ok_or_else(|| "is of another kind".into()),
        }
    }

    /// Reads a value as command lines have it: `0.5`, `relu1_1,relu2_1:0.5`, `wasserstein`; of a choice with numbers the
    /// number of the first, such as `512`, or the name of one without.
    ///
    /// # Errors
    /// What it must be: `must be a number`.
    pub fn parse(&self, text: &str) -> Result<Value, String> {
        self.kind.parse(text)
    }

    /// Reads the number of an alternative of a choice with numbers: of `scale`, `1.5`.
    ///
    /// # Errors
    /// What it must be.
    pub fn parse_number(&self, alternative: &str, text: &str) -> Result<Value, String> {
        self.kind.parse_number(alternative, text)
    }

    /// What is wrong with its value in a recipe by itself.
    pub(super) fn problems(&self, recipe: &Recipe) -> Vec<Problem> {
        let Some(value) = self.get(recipe) else {
            return vec![];
        };
        let factor = match self.in_pixels {
            true => f64::from(recipe.pixels.scale()[0].max(1.0)),
            false => 1.0,
        };
        let wrong = self.kind.check(&value, factor).into_iter();
        wrong
            .map(|(part, rule)| Problem::new(self.path, part, rule))
            .collect()
    }

    fn new(path: &'static str, kind: Kind, (get, set): (Get, Set), about: &'static str) -> Self {
        Self {
            path,
            group: match path.split_once('.').map_or("", |(table, _)| table) {
                "content" | "variation" => Group::Content,
                "style" => Group::Style,
                "encoder" => Group::Encoder,
                "noise" => Group::Picture,
                _ => Group::Optimisation,
            },
            everyday: false,
            kind,
            about,
            automatic: None,
            of: None,
            in_pixels: false,
            get,
            set,
        }
    }

    fn everyday(self) -> Self {
        let everyday = true;
        Self { everyday, ..self }
    }

    fn within(self, group: Group) -> Self {
        Self { group, ..self }
    }

    fn or_else(self, automatic: &'static str) -> Self {
        let automatic = Some(automatic);
        Self { automatic, ..self }
    }

    fn of(self, path: &'static str, name: &'static str) -> Self {
        let of = Some((path, name));
        Self { of, ..self }
    }

    fn in_pixels(self) -> Self {
        let in_pixels = true;
        Self { in_pixels, ..self }
    }
}

/// Every setting, in the order of files.
pub fn fields() -> &'static [Field] {
    &FIELDS
}

/// The setting of a path.
pub fn field(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path)
}

/// Long sides that make sense, in pixels.
const SIDE: Quantity = Quantity {
    form: Form::Whole,
    range: Range::between(16.0, 32_768.0),
    unit: "pixels",
};
/// How often something is done.
const COUNT: Range = Range::between(1.0, 1e6);
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

/// Where in a recipe a setting is.
macro_rules! at {
    ($($place:tt)+) => {
        (
            |recipe| Some(recipe.$($place)+.value()),
            |recipe, value| {
                recipe.$($place)+ = Setting::of(value)?;
                Some(())
            },
        )
    };
}

/// Where in the settings of an optimiser a setting is.
macro_rules! at_optimizer {
    ($variant:ident, $name:ident) => {
        (
            |recipe| match &recipe.optimizer {
                OptimizerSettings::$variant(it) => Some(it.$name.value()),
                _ => None,
            },
            |recipe, value| match &mut recipe.optimizer {
                OptimizerSettings::$variant(it) => {
                    it.$name = Setting::of(value)?;
                    Some(())
                }
                _ => None,
            },
        )
    };
}

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let tables = [
        size(),
        content(),
        style(),
        variation(),
        terms(),
        encoder(),
        start(),
        run(),
        schedule(),
        optimizer(),
    ];
    tables.into_iter().flatten().collect()
});

#[rustfmt::skip]
fn size() -> Vec<Field> {
    let sizes = Kind::Choice(vec![
        measure("long-side", SIDE, ""),
        plain("original", "as large as the content"),
    ]);
    vec![
        Field::new("size", sizes, at!(size), "Long side of the result in pixels, or original: that of the content")
            .within(Group::Picture)
            .everyday(),
    ]
}

#[rustfmt::skip]
fn content() -> Vec<Field> {
    let row = Field::new;
    vec![
        row("content.weight", number(Range::at_least(0.0)), at!(content.weight), "Weight of the content; 0 leaves it out")
            .everyday(),
        row("content.factor", number(Range::above(0.0)), at!(content.factor), "A constant of the loss's definition beside its weight: 0.5 for ½ Σ (F − P)²"),
        row("content.layers", Kind::Layers, at!(content.layers), "Layers that see the content, each with its share")
            .or_else("of the encoder, relu4_2 of a VGG")
            .everyday(),
        row("content.layer-weights", names::<LayerWeights>(), at!(content.layer_weights), "What the layers' weights mean: shares of the content's weight, or factors on it"),
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
    vec![
        row("style.weight", number(Range::at_least(0.0)), at!(style.weight), "Weight of the style; 0 leaves it out")
            .everyday(),
        row("style.factor", number(Range::above(0.0)), at!(style.factor), "A constant of the loss's definition beside its weight"),
        row("style.layers", Kind::Layers, at!(style.layers), "Layers that see the style, each with its share")
            .or_else("of the encoder, relu1_1 to relu5_1 of a VGG")
            .everyday(),
        row("style.layer-weights", names::<LayerWeights>(), at!(style.layer_weights), "What the layers' weights mean: shares of the style's weight, or factors on it"),
        row("style.layer-norm", names::<LayerNorm>(), at!(style.layer_norm), "What each layer's loss is divided by: nothing, or the layer's c·h·w"),
        row("style.loss", names::<StyleLoss>(), at!(style.loss), "What of the features is compared")
            .everyday(),
        row("style.gram-norm", names::<GramNorm>(), at!(style.gram_norm), "What a Gram matrix of c features of h·w pixels is divided by; gatys: 2·c·h·w")
            .everyday(),
        row("style.size", sizes, at!(style.size), "How large the paintings are looked at")
            .everyday(),
        row("style.enlarge", Kind::Flag, at!(style.enlarge), "Whether paintings smaller than that are enlarged"),
    ]
}

#[rustfmt::skip]
fn variation() -> Vec<Field> {
    let row = Field::new;
    vec![
        row("variation.weight", number(Range::at_least(0.0)), at!(variation.weight), "Weight of the total variation, which keeps noise out; 0 leaves it out")
            .everyday(),
        row("variation.factor", number(Range::above(0.0)), at!(variation.factor), "A constant of the loss's definition beside its weight"),
        row("variation.kind", names::<TotalVariation>(), at!(variation.kind), "Which differences of neighbours total variation takes")
            .everyday(),
        row("variation.reduction", names::<TermReduction>(), at!(variation.reduction), "Whether total variation is a mean or a sum, or what the recipe's losses are"),
    ]
}

#[rustfmt::skip]
fn terms() -> Vec<Field> {
    let row = Field::new;
    vec![
        row("normalize", names::<Normalize>(), at!(normalize), "What each term is divided by, so that its weight means the same everywhere")
            .everyday(),
        row("reduction", names::<Reduction>(), at!(reduction), "Whether losses are means or sums")
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
        row("init", names::<Init>(), at!(init), "What to start from; style is noise in the colours of the styles")
            .within(Group::Picture)
            .everyday(),
        row("noise.distribution", names::<Distribution>(), at!(noise.distribution), "How noise is distributed"),
        row("noise.amplitude", number(Range::at_least(0.0)), at!(noise.amplitude), "Half the width of uniform noise, the standard deviation of normal noise, in units of the recipe's pixels")
            .in_pixels(),
        row("noise.centre", names::<Centre>(), at!(noise.centre), "The colour that noise lies around: medium grey, or the mean of ImageNet"),
        row("noise.ratio", number(Range::between(0.0, 1.0)), at!(noise.ratio), "Share of the noise where it is mixed with the content"),
    ]
}

#[rustfmt::skip]
fn run() -> Vec<Field> {
    let row = Field::new;
    vec![
        row("seed", whole(Range::at_least(0.0)), at!(seed), "Seed of everything random, 0 to 2^64-1")
            .within(Group::Picture)
            .everyday(),
        row("pixels", names::<Pixels>(), at!(pixels), "In which units the optimiser sees the picture: 0..1, 0..255, or as torchvision normalises"),
        row("clip", names::<Clip>(), at!(clip), "When pixels are brought back into their range: after a step, before an evaluation, at the end"),
        row("keep", names::<Keep>(), at!(keep), "Which picture of a scale is its result: the last, that of the least loss, or the one after it"),
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
        row("schedule.scales", scales, at!(schedule.scales), "Long sides in pixels to go through, ascending; the last is the size of the result")
            .or_else("from 128 by √2")
            .everyday(),
        row("schedule.coarse-to-fine", Kind::Flag, at!(schedule.coarse_to_fine), "Whether the run goes from 128 px by √2 to its size; otherwise it has one scale"),
        row("schedule.steps", steps, at!(schedule.steps), "Steps at each scale, coarsest first; the last number serves all further scales")
            .everyday(),
    ]
}

#[rustfmt::skip]
fn optimizer() -> Vec<Field> {
    const METHOD: &str = "optimizer.method";
    let row = Field::new;
    let method: (Get, Set) = (
        |recipe| Some(Value::Name(recipe.optimizer.name())),
        |recipe, value| {
            let other = OptimizerSettings::of_name(value.name()?)?;
            if other.name() != recipe.optimizer.name() {
                recipe.optimizer = other;
            }
            Some(())
        },
    );
    let rate: (Get, Set) = (
        |recipe| Some(recipe.optimizer.learning_rate().value()),
        |recipe, value| {
            *recipe.optimizer.learning_rate_mut() = Setting::of(value)?;
            Some(())
        },
    );
    let methods = OptimizerSettings::NAMES.iter().map(|name| plain(name, ""));
    let adam = |path, kind, place, about| row(path, kind, place, about).of(METHOD, "adam");
    let lbfgs = |path, kind, place, about| row(path, kind, place, about).of(METHOD, "lbfgs");
    vec![
        row(METHOD, Kind::Choice(methods.collect()), method, "How a step is taken")
            .everyday(),
        row("optimizer.learning-rate", number(Range::above(0.0).up_to(100.0)), rate, "Size of a step, in units of the recipe's pixels: 0..1 unless it says otherwise")
            .in_pixels()
            .everyday(),
        adam("optimizer.beta1", number(DECAY), at_optimizer!(Adam, beta1), "Decay of the mean gradient"),
        adam("optimizer.beta2", number(DECAY), at_optimizer!(Adam, beta2), "Decay of the mean squared gradient"),
        adam("optimizer.epsilon", number(Range::above(0.0)), at_optimizer!(Adam, epsilon), "Added to the root of the mean squared gradient"),
        adam("optimizer.epsilon-to", names::<EpsilonTo>(), at_optimizer!(Adam, epsilon_to), "To which root: that after its bias correction, or before"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_setting_has_a_path_of_its_own_and_a_sentence() {
        let mut paths = HashSet::new();
        for field in fields() {
            assert!(paths.insert(field.path), "{} twice", field.path);
            assert!(!field.about.is_empty() && !field.about.ends_with('.'));
            assert!(field.path.split('.').count() <= 2, "{}", field.path);
        }
    }

    #[test]
    fn the_settings_of_a_table_stand_together() {
        let mut tables: Vec<_> = fields().iter().map(Field::table).collect();
        tables.dedup();
        tables.retain(|table| !table.is_empty());
        let names: HashSet<_> = tables.iter().collect();
        assert_eq!(names.len(), tables.len(), "{tables:?}");
    }

    #[test]
    fn every_default_is_in_its_range_and_can_be_set() {
        for field in fields() {
            let default = field.default().unwrap();
            let mut recipe = Recipe::default();
            field.prepare(&mut recipe);
            assert_eq!(field.problems(&recipe), [], "{}", field.path);
            assert_eq!(field.set(&mut recipe, &default), Ok(()), "{}", field.path);
            assert_eq!(field.get(&recipe), Some(default));
        }
    }

    #[test]
    fn a_setting_of_another_choice_is_refused_by_its_name() {
        let history = field("optimizer.history").unwrap();
        let mut recipe = Recipe::default();
        assert_eq!(history.get(&recipe), None);
        assert_eq!(
            history.set(&mut recipe, &Value::Whole(3)),
            Err("goes with the optimizer lbfgs only".into())
        );
        let seed = field("seed").unwrap();
        assert!(seed.set(&mut recipe, &Value::Flag(true)).is_err());
    }

    /// A field of a recipe without a row could be neither read nor written. Its names are those that `Debug` shows.
    #[test]
    fn the_table_has_every_field_of_a_recipe() {
        for optimizer in OptimizerSettings::NAMES {
            let mut recipe = Recipe::default();
            let method = field("optimizer.method").unwrap();
            method.set(&mut recipe, &Value::Name(optimizer)).unwrap();
            let text = format!("{recipe:#?}");
            let lines = text.lines().filter(|line| !line.ends_with('{'));
            let names = lines.filter_map(|line| line.trim().split_once(": "));
            let mut shown: Vec<_> = names.map(|(name, _)| name.replace('_', "-")).collect();
            shown.sort();
            let rows = fields().iter().filter(|row| row.get(&recipe).is_some());
            let mut rows: Vec<_> = rows
                .map(|row| match row.name() {
                    "method" => "optimizer",
                    name => name,
                })
                .collect();
            rows.sort_unstable();
            assert_eq!(rows, shown);
        }
    }
}
