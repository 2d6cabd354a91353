//! Settings, and everything that there is to know of each.
//!
//! Files, checks, the options of the command line with their help, the rows of a report and whatever else shows or asks for
//! settings are derived from their table, `recipe/table.rs`. A setting is a field of [`Recipe`] and a row there.
//!
//! ```
//! use impasto::recipe::{self, Recipe};
//!
//! let weight = recipe::field("content.weight").ok_or("no such setting")?;
//! assert_eq!(weight.about, "Weight of the content; 0 leaves it out");
//!
//! let mut recipe = Recipe::default();
//! weight.set(&mut recipe, &weight.parse("0.5")?)?;
//! assert_eq!(recipe.optimize().ok_or("of another method")?.content.weight, 0.5);
//!
//! // Every setting that another value was given to than the default's.
//! for field in recipe::fields() {
//!     let Some(value) = field.get(&recipe) else {
//!         continue; // Of another optimiser, say.
//!     };
//!     if Some(&value) != field.default().as_ref() {
//!         println!("{} = {value}", field.path);
//!     }
//! }
//! # Ok::<(), String>(())
//! ```

use super::kind::Kind;
use super::value::Value;
use super::{Problem, Recipe, table};
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
    /// The choice that it is a setting of: it exists where that setting has one of these names.
    pub of: Option<(&'static str, &'static [&'static str])>,
    /// Whether its numbers count in the units of the optimisation's `pixels`.
    in_pixels: bool,
    place: Place,
}

/// Where in a recipe a setting is.
#[derive(Debug)]
pub(super) struct Place {
    /// The methods that it is a setting of; `None` for those of every method.
    pub(super) methods: Option<&'static [&'static str]>,
    pub(super) get: fn(&Recipe) -> Option<Value>,
    pub(super) set: fn(&mut Recipe, &Value) -> Option<()>,
}

/// What a setting is about: how forms and pages of help divide them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Group {
    /// The picture that is made, and what it starts from.
    Picture,
    /// What the painting gives.
    Style,
    /// Whose colours the picture has.
    Colors,
    /// What is kept of the photo, and the noise kept out.
    Content,
    /// The network that looks at pictures.
    Encoder,
    /// How the picture is found.
    Optimisation,
    /// The network that paints in a pass.
    Network,
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

    /// Its value in a recipe; `None` if the recipe has no such setting: it is one of another choice.
    pub fn get(&self, recipe: &Recipe) -> Option<Value> {
        let made = |(path, names): (&str, &[&str])| {
            field(path)?
                .get(recipe)?
                .name()
                .filter(|name| names.contains(name))
        };
        match self.of {
            Some(choice) if made(choice).is_none() => None,
            _ => (self.place.get)(recipe),
        }
    }

    /// The methods that it is a setting of; `None` for those of every method.
    pub fn methods(&self) -> Option<&'static [&'static str]> {
        self.place.methods
    }

    /// Its value in the default recipe, or, of a choice's settings, where the default is changed to that choice.
    pub fn default(&self) -> Option<Value> {
        let mut recipe = Recipe::default();
        self.prepare(&mut recipe);
        self.get(&recipe)
    }

    /// Makes the choices by which a recipe has this setting.
    fn prepare(&self, recipe: &mut Recipe) {
        if let Some((path, [name, ..])) = self.of
            && let Some(choice) = field(path)
            && self.get(recipe).is_none()
        {
            choice.prepare(recipe);
            (choice.place.set)(recipe, &Value::Name(name));
        }
    }

    /// Sets it, whatever its range; [`Recipe::problems`] says what cannot run.
    ///
    /// # Errors
    /// The value is of another kind, or the recipe has no such setting: in a few words.
    pub fn set(&self, recipe: &mut Recipe, value: &Value) -> Result<(), String> {
        match (self.get(recipe), self.of) {
            (None, Some((choice, names))) => {
                let choice = choice.split('.').next().unwrap_or(choice);
                Err(format!("goes with the {choice} {} only", either(names)))
            }
            _ => (self.place.set)(recipe, value).ok_or_else(|| "is of another kind".into()),
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
        let factor = match recipe.optimize() {
            Some(settings) if self.in_pixels => f64::from(settings.pixels.scale()[0].max(1.0)),
            _ => 1.0,
        };
        let wrong = self.kind.check(&value, factor).into_iter();
        wrong
            .map(|(part, rule)| Problem::new(self.path, part, rule))
            .collect()
    }

    pub(super) fn new(path: &'static str, kind: Kind, place: Place, about: &'static str) -> Self {
        Self {
            path,
            group: match path.split_once('.').map_or("", |(table, _)| table) {
                "content" | "edges" | "variation" => Group::Content,
                "style" => Group::Style,
                "colors" => Group::Colors,
                "encoder" => Group::Encoder,
                "noise" => Group::Picture,
                "network" => Group::Network,
                _ => Group::Optimisation,
            },
            everyday: false,
            kind,
            about,
            automatic: None,
            of: place.methods.map(|methods| (METHOD, methods)),
            in_pixels: false,
            place,
        }
    }

    pub(super) fn everyday(self) -> Self {
        let everyday = true;
        Self { everyday, ..self }
    }

    pub(super) fn within(self, group: Group) -> Self {
        Self { group, ..self }
    }

    pub(super) fn or_else(self, automatic: &'static str) -> Self {
        let automatic = Some(automatic);
        Self { automatic, ..self }
    }

    pub(super) fn of(self, path: &'static str, names: &'static [&'static str]) -> Self {
        let of = Some((path, names));
        Self { of, ..self }
    }

    pub(super) fn in_pixels(self) -> Self {
        let in_pixels = true;
        Self { in_pixels, ..self }
    }
}

/// One of some names, as in a sentence: `a, b or c`.
pub(super) fn either(names: &[&str]) -> String {
    match names {
        [others @ .., before, last] => {
            let others: String = others.iter().map(|name| format!("{name}, ")).collect();
            format!("{others}{before} or {last}")
        }
        [only] => (*only).into(),
        [] => String::new(),
    }
}

/// The setting that names the method.
pub const METHOD: &str = "method";

static FIELDS: LazyLock<Vec<Field>> = LazyLock::new(table::rows);

/// Every setting, in the order of files.
pub fn fields() -> &'static [Field] {
    &FIELDS
}

/// The setting of a path.
pub fn field(path: &str) -> Option<&'static Field> {
    FIELDS.iter().find(|field| field.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::named::Named;
    use crate::recipe::{MethodName, OptimizerSettings};
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
    fn a_setting_is_of_some_methods_or_of_all() {
        for (path, methods) in [
            ("size", None),
            ("style.size", None),
            ("encoder.padding", None),
            ("strict-taps", None),
            ("content.weight", Some(&["optimize"][..])),
            ("optimizer.history", Some(&["optimize"])),
            ("network.transform", Some(&["wct"])),
        ] {
            assert_eq!(field(path).unwrap().methods(), methods, "{path}");
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
        let optimizers = OptimizerSettings::NAMES.iter();
        let optimizers = optimizers.map(|name| ("optimizer.method", *name));
        let methods = MethodName::NAMES.iter().map(|(name, _)| (METHOD, *name));
        for (path, name) in optimizers.chain(methods) {
            let mut recipe = Recipe::default();
            let choice = field(path).unwrap();
            choice.set(&mut recipe, &Value::Name(name)).unwrap();
            let text = format!("{recipe:#?}");
            let lines = text.lines().filter(|line| !line.ends_with('{'));
            let names = lines.filter_map(|line| line.trim().split_once(": "));
            let mut shown: Vec<_> = names.map(|(name, _)| name.replace('_', "-")).collect();
            shown.sort();
            let rows = fields().iter().filter(|row| row.get(&recipe).is_some());
            let mut rows: Vec<_> = rows
                .map(|row| match row.path {
                    "optimizer.method" => "optimizer",
                    _ => row.name(),
                })
                .collect();
            rows.sort_unstable();
            assert_eq!(rows, shown);
        }
    }
}
