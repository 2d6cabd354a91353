//! The library's table of settings as keyword arguments: names, what they may be, and how they are read.
//!
//! A keyword is the setting's path with `_` for what is not a letter, without the table's name where that says nothing
//! ([`PLAIN`]); [`NAMES`] holds those that have another. Of a choice of several numbers, each is a keyword of its own.

use crate::error::{Class, raise};
use impasto::recipe::{Field, Form, Group, Kind, Quality, Quantity, Value, field, fields};
use impasto::{Recipe, named::Named};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::LazyLock;

/// Tables whose settings are called by their own name alone.
const PLAIN: [&str; 5] = ["", "encoder", "schedule", "optimizer", "network"];

/// Keywords of their own, by path and, of a choice of numbers, which of them.
const NAMES: [(&str, &str); 10] = [
    ("style.size scale", "style_scale"),
    ("style.size long-side", "style_size"),
    ("colors.mode", "colors"),
    ("variation.weight", "total_variation_weight"),
    ("variation.factor", "total_variation_factor"),
    ("variation.kind", "total_variation"),
    ("variation.reduction", "total_variation_reduction"),
    ("optimizer.method", "optimizer"),
    ("network.scales", "network_scales"),
    ("network.styles", "network_styles"),
];

/// A setting as a keyword.
pub struct Row {
    /// The setting.
    pub field: &'static Field,
    /// The number that it gives, of a choice of several.
    alternative: Option<&'static str>,
    /// Its keyword.
    pub keyword: String,
}

static ROWS: LazyLock<Vec<Row>> = LazyLock::new(|| {
    // What a run starts from is an argument that also takes pictures.
    let fields = fields().iter().filter(|field| field.path != "init");
    fields.flat_map(rows_of).collect()
});

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
        keyword: keyword(field, alternative),
    };
    match numbers.len() {
        0 | 1 => vec![row(None)],
        _ => numbers.into_iter().map(|name| row(Some(name))).collect(),
    }
}

fn keyword(field: &Field, alternative: Option<&str>) -> String {
    let key = match alternative {
        Some(name) => format!("{} {name}", field.path),
        None => field.path.into(),
    };
    let own = NAMES.iter().find(|(path, _)| *path == key);
    match own {
        Some((_, name)) => (*name).into(),
        None if PLAIN.contains(&field.table()) => field.name().replace('-', "_"),
        None => field.path.replace(['-', '.'], "_"),
    }
}

/// How the setting of a path is called.
pub fn keyword_of(path: &str) -> String {
    let row = ROWS.iter().find(|row| row.field.path == path);
    row.map_or_else(|| path.into(), |row| row.keyword.clone())
}

impl Row {
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

    /// The names that it may be, beside a number.
    fn names(&self) -> Vec<&'static str> {
        let Kind::Choice(alternatives) = &self.field.kind else {
            return vec![];
        };
        let plain = alternatives.iter().filter(|other| other.number.is_none());
        // Of several numbers the last one also takes the names.
        match self.alternative {
            Some("scale") => vec![],
            _ => plain.map(|other| other.name).collect(),
        }
    }

    /// Its type as Python writes it.
    fn annotation(&self) -> String {
        let number = self.quantity().map(|quantity| match quantity.form {
            Form::Whole => "int",
            Form::Single | Form::Double => "float",
        });
        let names: Vec<_> = self
            .names()
            .iter()
            .map(|name| format!("\"{name}\""))
            .collect();
        let literal = (!names.is_empty()).then(|| format!("Literal[{}]", names.join(", ")));
        match (&self.field.kind, number, literal) {
            (Kind::Flag, ..) => "bool".into(),
            (Kind::Layers, ..) => "str | Sequence[str] | Mapping[str, float]".into(),
            (Kind::List { .. }, ..) => "int | Sequence[int]".into(),
            (_, Some(number), Some(names)) => format!("{number} | {names}"),
            (_, Some(number), None) => number.into(),
            (_, None, Some(names)) => names,
            (_, None, None) => "str".into(),
        }
    }

    /// The sentence of the table.
    fn about(&self) -> &'static str {
        match (&self.field.kind, self.alternative) {
            (Kind::Choice(alternatives), Some(name)) => alternatives
                .iter()
                .find(|other| other.name == name)
                .map_or("", |other| other.about),
            _ => self.field.about,
        }
    }

    fn range(&self) -> Option<String> {
        let range = self.quantity()?.range.to_string();
        (!range.is_empty()).then_some(range)
    }

    /// What it is unless it is given, as people write it; `None` if that is for recipe and quality to say.
    fn default(&self) -> Option<String> {
        let of_quality = |quality: Quality| {
            let mut recipe = Recipe::default();
            quality.apply(&mut recipe);
            self.field.get(&recipe)
        };
        let default = self.field.default();
        let mut qualities = Quality::NAMES
            .iter()
            .map(|(_, quality)| of_quality(*quality));
        if qualities.any(|value| value.is_some() && value != default) {
            return None;
        }
        match (default?, self.alternative) {
            (Value::Measure(name, _), Some(other)) if name != other => None,
            (value, _) if value.to_string().is_empty() => self.field.automatic.map(Into::into),
            (value, _) => Some(value.to_string()),
        }
    }

    /// Whether a value of the setting is one that this keyword gives.
    pub fn says(&self, value: &Value) -> bool {
        match (value, self.alternative) {
            (Value::Measure(name, _), Some(own)) => *name == own,
            (Value::Name(name), Some(_)) => self.names().contains(name),
            _ => true,
        }
    }

    fn read(&self, text: &str) -> Result<Value, String> {
        // Nothing of a list is what it stands for, as in files.
        match (&self.field.kind, text) {
            (Kind::Layers, "") => return Ok(Value::Layers(vec![])),
            (Kind::List { .. }, "") => return Ok(Value::Wholes(vec![])),
            _ => {}
        }
        match self.alternative {
            Some(_) if self.names().contains(&text) => self.field.parse(text),
            Some(name) => self.field.parse_number(name, text),
            None => self.field.parse(text),
        }
    }
}

/// Every setting as a keyword.
pub fn rows() -> &'static [Row] {
    &ROWS
}

/// What of a recipe is changed.
pub type Changes = Vec<(&'static Field, Value)>;

/// Reads settings by keyword, each as its text.
///
/// # Errors
/// A line for each that cannot be read, or that there is not.
pub fn read(given: &[(String, String)]) -> (Changes, Vec<String>) {
    let (mut changes, mut problems) = (Changes::new(), Vec::new());
    for (name, text) in given {
        if let Some(field) = field("init").filter(|field| field.path == name) {
            match field.parse(text) {
                Ok(value) => changes.push((field, value)),
                Err(allowed) => problems.push(format!("init is {text:?}: {allowed}")),
            }
            continue;
        }
        // A path is taken as well, as recipe files have it.
        let by_keyword = ROWS.iter().find(|row| row.keyword == *name);
        let Some(row) = by_keyword.or_else(|| ROWS.iter().find(|row| row.field.path == name))
        else {
            problems.push(format!("there is no setting {name:?}{}", nearest(name)));
            continue;
        };
        match row.read(text) {
            Ok(value) => changes.push((row.field, value)),
            Err(allowed) => problems.push(format!("{name} is {text:?}: {allowed}")),
        }
    }
    (changes, problems)
}

/// The keyword that somebody may have meant: one with most of its letters pairs in common.
fn nearest(name: &str) -> String {
    let pairs = |text: &str| -> Vec<(char, char)> {
        let letters: Vec<char> = text.chars().collect();
        letters.windows(2).map(|pair| (pair[0], pair[1])).collect()
    };
    let given = pairs(name);
    let likeness = |row: &Row| {
        let here = pairs(&row.keyword);
        let common = given.iter().filter(|pair| here.contains(pair)).count();
        2.0 * common as f64 / (given.len() + here.len()).max(1) as f64
    };
    let likely = ROWS.iter().map(|row| (likeness(row), row));
    let best = likely.max_by(|one, other| one.0.total_cmp(&other.0));
    match best.filter(|(likeness, _)| *likeness > 0.5) {
        Some((_, row)) => format!("; perhaps {}", row.keyword),
        None => String::new(),
    }
}

fn group(group: Group) -> &'static str {
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

/// Every setting as a keyword: `keyword`, `path`, `group`, `type` (as Python writes it), `about`, `range`, `default` (`None`
/// where recipe or quality say it), `names` and `everyday`.
#[pyfunction]
pub fn settings(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    let rows = ROWS.iter().map(|row| {
        let told = PyDict::new(py);
        told.set_item("keyword", &row.keyword)?;
        told.set_item("path", row.field.path)?;
        told.set_item("group", group(row.field.group))?;
        told.set_item("type", row.annotation())?;
        told.set_item("about", row.about())?;
        told.set_item("range", row.range())?;
        told.set_item("default", row.default())?;
        told.set_item("names", row.names())?;
        told.set_item("everyday", row.field.everyday)?;
        Ok(told)
    });
    rows.collect()
}

/// An exception for settings that cannot be read.
pub fn refused(py: Python<'_>, problems: Vec<String>) -> PyErr {
    raise(py, Class::Invalid, problems)
}
