//! The settings of a recipe as options: names, help and readers, from the library's table of settings.
//!
//! Every everyday setting is an option: `--NAME` of the recipe itself, of the encoder, the schedule and the optimiser,
//! `--TABLE-NAME` of the others. [`NAMES`] holds those that are called otherwise. Of a choice of several numbers, each is an
//! option of its own.

use crate::value::Given;
use clap::builder::{PossibleValue, TypedValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use impasto::Recipe;
use impasto::named::Named;
use impasto::recipe::{Field, Form, Group, Kind, Quality, Quantity, Value, field, fields};
use std::ffi::OsStr;
use std::sync::LazyLock;

/// Options with a name of their own, by path and, of a choice of numbers, which of them.
const NAMES: [(&str, &str); 14] = [
    ("content.layers", "content-layer"),
    ("style.gram-norm", "gram-norm"),
    ("style.size scale", "style-scale"),
    ("style.size long-side", "style-size"),
    ("colors.mode", "colors"),
    ("edges.weight", "keep-edges"),
    ("variation.weight", "tv-weight"),
    ("variation.kind", "tv"),
    ("optimizer.method", "optimizer"),
    ("optimizer.learning-rate", "learning-rate"),
    ("optimizer.averaging", "averaging"),
    ("network.alpha", "alpha"),
    ("network.levels", "levels"),
    ("network.transform", "wct"),
];

/// Also takes a picture, so that it is read with the pictures.
pub const INIT: &str = "init";

/// A setting as an option.
#[derive(Debug)]
pub struct Row {
    /// The setting.
    pub field: &'static Field,
    /// The number that it gives, of a choice of several.
    alternative: Option<&'static str>,
    /// Its name, without hyphens before it.
    long: String,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    let everyday = fields().iter().filter(|field| field.everyday);
    everyday.flat_map(rows_of).collect()
});

/// The options of a setting.
fn rows_of(field: &'static Field) -> Vec<Row> {
    let numbers: Vec<_> = match &field.kind {
        Kind::Choice(alternatives) => {
            let numbers = alternatives.iter().filter(|other| other.number.is_some());
            numbers.map(|other| other.name).collect()
        }
        _ => vec![],
    };
    let row = |alternative: Option<&'static str>| Row {
        field,
        alternative,
        long: long(field, alternative),
    };
    match numbers.len() {
        0 | 1 => vec![row(None)],
        _ => numbers.into_iter().map(|name| row(Some(name))).collect(),
    }
}

fn long(field: &Field, alternative: Option<&str>) -> String {
    let key = match alternative {
        Some(name) => format!("{} {name}", field.path),
        None => field.path.into(),
    };
    let own = NAMES.iter().find(|(path, _)| *path == key);
    match (own, field.table()) {
        (Some((_, name)), _) => (*name).into(),
        (None, "" | "encoder" | "schedule" | "optimizer") => field.name().into(),
        (None, table) => format!("{table}-{}", field.name()),
    }
}

/// How the option of a setting is called in messages: `--content-weight`; `used` are the options that were given. A setting
/// without an option comes from a recipe.
pub fn name(path: &str, used: &[String]) -> String {
    let mut rows = ROWS.iter().filter(|row| row.field.path == path);
    let first = rows.next();
    let named = rows.chain(first).find(|row| used.contains(&row.long));
    match named.or(first) {
        Some(row) => format!("--{}", row.long),
        None => format!("{path} of the recipe"),
    }
}

/// Whether a setting changes the loss of a picture at its own size.
fn shapes_loss(field: &Field) -> bool {
    let size = field.path == "style.size";
    match field.table() {
        "" => matches!(field.path, "normalize" | "reduction"),
        "content" | "style" | "variation" | "encoder" => !size,
        _ => false,
    }
}

impl Row {
    fn arg(&'static self) -> Arg {
        let arg = Arg::new(self.long.as_str())
            .long(self.long.as_str())
            .help(self.help())
            .help_heading(heading(self.field.group));
        match self.field.kind {
            Kind::Flag => arg.action(ArgAction::SetTrue),
            _ => arg.value_parser(Reader(self)).value_name(self.value_name()),
        }
    }

    /// The number that is given, if it is one.
    fn quantity(&self) -> Option<Quantity> {
        match &self.field.kind {
            Kind::Number(quantity) => Some(*quantity),
            Kind::List { each, .. } => Some(*each),
            Kind::Choice(alternatives) => alternatives
                .iter()
                .find(|other| self.alternative.is_none_or(|name| name == other.name))
                .and_then(|other| other.number),
            _ => None,
        }
    }

    fn value_name(&self) -> &'static str {
        match (
            &self.field.kind,
            self.quantity().map(|quantity| quantity.form),
        ) {
            (Kind::List { required: None, .. }, _) => "N,N,...",
            (Kind::List { .. }, _) => "N[,N...]",
            (Kind::Layers, _) => "LAYER[:W],...",
            (_, Some(Form::Whole)) => "N",
            (_, Some(_)) => "F",
            (_, None) => "NAME",
        }
    }

    /// The sentence of the table, range and default.
    fn help(&self) -> String {
        let about = match (&self.field.kind, self.alternative) {
            (Kind::Choice(alternatives), Some(name)) => alternatives
                .iter()
                .find(|other| other.name == name)
                .map_or("", |other| other.about),
            _ => self.field.about,
        };
        let range = self.quantity().map(|quantity| quantity.range.to_string());
        // What every whole number is needs not be said.
        let range = range.filter(|range| !range.is_empty() && !range.starts_with("at least"));
        let default = self.default().map(|default| format!("default: {default}"));
        let notes: Vec<_> = range.into_iter().chain(default).collect();
        match notes.is_empty() {
            true => about.into(),
            false => format!("{about} [{}]", notes.join("; ")),
        }
    }

    /// What it is unless it is given.
    fn default(&self) -> Option<String> {
        let field = self.field;
        let of_quality = |quality: Quality| {
            let mut recipe = Recipe::default();
            quality.apply(&mut recipe);
            field.get(&recipe)
        };
        let default = field.default();
        if Quality::NAMES
            .iter()
            .filter_map(|(_, quality)| of_quality(*quality))
            .any(|value| Some(value) != default)
        {
            return Some("of the quality".into());
        }
        match (default?, self.alternative) {
            (Value::Flag(_), _) => None,
            (Value::Measure(name, _), Some(other)) if name != other => None,
            (value, _) if value.to_string().is_empty() => field.automatic.map(Into::into),
            (value, _) => Some(value.to_string()),
        }
    }

    fn read(&self, text: &str) -> Result<Value, String> {
        match self.alternative {
            Some(name) => self.field.parse_number(name, text),
            None => self.field.parse(text),
        }
    }
}

fn heading(group: Group) -> &'static str {
    match group {
        Group::Picture => "Picture",
        Group::Style => "Style",
        Group::Colors => "Colours",
        Group::Content => "Content",
        Group::Encoder => "Encoder",
        Group::Optimisation => "Optimisation",
        Group::Network => "Feed-forward networks",
    }
}

/// The help of `--init`, which the command line declares itself.
pub fn init_help() -> String {
    let row = field(INIT).and_then(|field| rows_of(field).pop());
    row.map_or(String::new(), |row| row.help())
}

/// Reads the value of an option without failing; see [`Given`].
#[derive(Clone)]
struct Reader(&'static Row);

impl TypedValueParser for Reader {
    type Value = Given<Value>;

    fn parse_ref(
        &self,
        _: &Command,
        _: Option<&Arg>,
        value: &OsStr,
    ) -> Result<Given<Value>, clap::Error> {
        let (text, option) = (value.to_string_lossy(), &self.0.long);
        let read = self.0.read(&text);
        Ok(read.map_err(|why| format!("--{option} is {text}: {why}")))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        match &self.0.field.kind {
            Kind::Choice(alternatives) if self.0.quantity().is_none() => Some(Box::new(
                alternatives
                    .iter()
                    .map(|other| PossibleValue::new(other.name)),
            )),
            _ => None,
        }
    }
}

/// Settings that were given as options.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    given: Vec<(&'static Row, Given<Value>)>,
}

impl Settings {
    /// Everything that was given here and there.
    pub fn and(&self, others: &Self) -> Self {
        let given = self.given.iter().chain(&others.given).cloned();
        Self {
            given: given.collect(),
        }
    }

    /// What can be set; the lines that say what cannot be read, and which options contradict each other.
    pub fn read(&self) -> (Vec<(&'static Field, Value)>, Vec<String>) {
        let (mut changes, mut lines) = (Vec::new(), Vec::new());
        for (place, (row, given)) in self.given.iter().enumerate() {
            match given {
                Ok(value) => changes.push((row.field, value.clone())),
                Err(line) => lines.push(line.clone()),
            }
            let mut before = self.given[..place].iter();
            if let Some((other, _)) = before.find(|(other, _)| other.field.path == row.field.path) {
                let (one, other) = (&row.long, &other.long);
                lines.push(format!("--{one} and --{other} are both given: choose one"));
            }
        }
        (changes, lines)
    }

    /// The options that were given.
    pub fn used(&self) -> Vec<String> {
        self.given.iter().map(|(row, _)| row.long.clone()).collect()
    }

    fn of(matches: &ArgMatches, rows: impl Iterator<Item = &'static Row>) -> Self {
        let given = rows.filter_map(|row| {
            let value = match row.field.kind {
                Kind::Flag => matches.get_flag(&row.long).then_some(Ok(Value::Flag(true))),
                _ => matches.get_one::<Given<Value>>(&row.long).cloned(),
            };
            Some((row, value?))
        });
        Self {
            given: given.collect(),
        }
    }
}

macro_rules! options {
    ($(#[$about:meta])* $name:ident, $filter:expr) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default)]
        pub struct $name(pub Settings);

        impl $name {
            fn rows() -> impl Iterator<Item = &'static Row> {
                let filter: fn(&Field) -> bool = $filter;
                ROWS.iter().filter(move |row| row.field.path != INIT && filter(row.field))
            }
        }

        impl Args for $name {
            fn augment_args(command: Command) -> Command {
                Self::rows().fold(command, |command, row| command.arg(row.arg()))
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }

        impl FromArgMatches for $name {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
                Ok(Self(Settings::of(matches, Self::rows())))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}

options!(
    /// The settings that change the loss of a picture at its own size.
    LossSettings,
    shapes_loss
);
options!(
    /// All others.
    RunSettings,
    |field| !shapes_loss(field)
);

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_everyday_setting_is_an_option_of_its_own_name() {
        let mut names = HashSet::new();
        for row in ROWS.iter() {
            assert!(names.insert(&row.long), "--{} twice", row.long);
            assert!(!row.help().is_empty());
        }
        for field in fields().iter().filter(|field| field.everyday) {
            assert!(name(field.path, &[]).starts_with("--"), "{}", field.path);
        }
        let options = LossSettings::rows().chain(RunSettings::rows()).count();
        assert_eq!(options + 1, ROWS.len(), "all but --init");
    }

    #[test]
    fn every_name_of_the_list_is_needed_and_used() {
        for (path, long) in NAMES {
            let row = ROWS.iter().find(|row| row.long == long);
            let field = row.unwrap_or_else(|| panic!("{path}")).field;
            assert!(path.starts_with(field.path), "{path}");
        }
    }

    #[test]
    fn help_says_range_and_default() {
        let help = |long: &str| {
            let row = ROWS.iter().find(|row| row.long == long);
            row.unwrap().help()
        };
        for (option, end) in [
            ("content-weight", "leaves it out [default: of the quality]"),
            ("size", "[16 to 32768; default: 512]"),
            ("style-scale", "[0.05 to 20; default: 1]"),
            ("style-size", "at every scale [16 to 32768]"),
            ("averaging", "[0 to <1; default: of the quality]"),
            (
                "content-layer",
                "[default: of the encoder, relu4_2 of a VGG]",
            ),
            ("plain-pooling", "to the mean of max pools"),
        ] {
            assert!(help(option).ends_with(end), "{option}: {}", help(option));
        }
    }
}
