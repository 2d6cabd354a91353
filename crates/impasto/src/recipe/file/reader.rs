//! Reads the text of a recipe, and tells every mistake in it with its line.

use super::{FIRST, Mistake, RecipeFile, VERSION};
use crate::recipe::field::either;
use crate::recipe::{Field, Recipe, field, fields};
use crate::text::letters_to_change;
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;
use toml::de::{DeTable, DeValue};

/// A file being read.
pub(super) struct Reader<'a> {
    text: &'a str,
    pub(super) mistakes: Vec<Mistake>,
    /// Lines of the settings that are there: `style.weight`.
    lines: HashMap<String, usize>,
}

/// Something that a file sets.
struct Entry {
    /// `style.weight`.
    path: String,
    line: usize,
    json: Json,
}

impl Entry {
    /// Where it stands in the table of settings.
    fn place(&self) -> Option<usize> {
        fields().iter().position(|field| field.path == self.path)
    }
}

impl<'a> Reader<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            mistakes: vec![],
            lines: HashMap::new(),
        }
    }

    fn line(&self, offset: usize) -> usize {
        let before = self.text.as_bytes().get(..offset).unwrap_or_default();
        1 + before.iter().filter(|&&byte| byte == b'\n').count()
    }

    /// Notes a mistake, unless its line has one already: what is wrong first makes the rest seem so.
    fn note(&mut self, line: usize, message: impl Into<String>) {
        if !self.mistakes.iter().any(|mistake| mistake.line == line) {
            let message = message.into();
            self.mistakes.push(Mistake { line, message });
        }
    }

    pub(super) fn read(&mut self) -> RecipeFile {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let line = self.line(error.span().map_or(0, |span| span.start));
            self.note(line, error.message().replace('\n', ", "));
        }
        // A broken header makes every setting below it seem misplaced: what is not TOML is said alone.
        if !errors.is_empty() {
            return RecipeFile::default();
        }
        let mut entries = self.entries(document.get_ref());
        self.version(&mut entries);
        let about = self.about(&mut entries);
        // A choice comes before its settings in the table, so that they are there when they are set.
        entries.sort_by_key(Entry::place);
        let mut recipe = Recipe::default();
        for entry in &entries {
            self.set(&mut recipe, entry);
        }
        for problem in recipe.problems() {
            let line = self.lines.get(&problem.field).copied().unwrap_or(1);
            self.note(line, problem.to_string());
        }
        RecipeFile { about, recipe }
    }

    /// Everything that the file sets.
    fn entries(&mut self, document: &DeTable<'_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (key, value) in document {
            let (name, line) = (key.get_ref().as_ref(), self.line(key.span().start));
            let is_table = fields().iter().any(|field| field.table() == name);
            match value.get_ref() {
                DeValue::Table(table) if is_table => {
                    entries.extend(table.iter().map(|(key, value)| Entry {
                        path: format!("{name}.{}", key.get_ref()),
                        line: self.line(key.span().start),
                        json: plain(value.get_ref()),
                    }));
                }
                _ if is_table => self.note(
                    line,
                    format!("{name} is a table: write [{name}] and its settings below"),
                ),
                value => entries.push(Entry {
                    path: name.into(),
                    line,
                    json: plain(value),
                }),
            }
        }
        entries
    }

    /// Takes the version out, and notes if it is none that is read.
    fn version(&mut self, entries: &mut Vec<Entry>) {
        match take(entries, "version") {
            Some(Entry { json, .. }) if json == json!(VERSION) || json == json!(FIRST) => {}
            Some(Entry { line, json, .. }) => self.note(
                line,
                format!("version is {json}: this program reads versions {FIRST} and {VERSION}"),
            ),
            None => self.note(
                1,
                format!("version is missing: begin with version = {VERSION}"),
            ),
        }
    }

    /// Takes the line for lists out.
    fn about(&mut self, entries: &mut Vec<Entry>) -> String {
        match take(entries, "about") {
            None => String::new(),
            Some(Entry {
                json: Json::String(text),
                ..
            }) => text,
            Some(Entry { line, .. }) => {
                self.note(line, "about must be a text");
                String::new()
            }
        }
    }

    /// Sets what an entry says, or notes why not.
    fn set(&mut self, recipe: &mut Recipe, entry: &Entry) {
        self.lines.insert(entry.path.clone(), entry.line);
        let Some(field) = field(&entry.path) else {
            self.note(entry.line, unknown(recipe, &entry.path));
            return;
        };
        if field.get(recipe).is_none() {
            self.note(entry.line, misplaced(field));
            return;
        }
        let read = field.kind.read(&entry.json);
        if let Err(problem) = read.and_then(|value| field.set(recipe, &value)) {
            self.note(entry.line, format!("{}: {problem}", entry.path));
        }
    }
}

fn take(entries: &mut Vec<Entry>, path: &str) -> Option<Entry> {
    let place = entries.iter().position(|entry| entry.path == path)?;
    Some(entries.remove(place))
}

/// What is said of a name that is none, where a recipe could have had it.
fn unknown(recipe: &Recipe, path: &str) -> String {
    let (table, name) = path.split_once('.').unwrap_or(("", path));
    let mut known: Vec<_> = fields()
        .iter()
        .filter(|field| field.table() == table && field.get(recipe).is_some())
        .map(Field::name)
        .collect();
    let place = match table {
        "" => {
            known.extend(fields().iter().map(Field::table));
            known.extend(["version", "about"]);
            String::new()
        }
        table => format!(" in [{table}]"),
    };
    let likely = known.into_iter().filter(|known| !known.is_empty());
    let likely = likely.min_by_key(|known| letters_to_change(known, name));
    format!(
        "there is no {name}{place}; did you mean {}?",
        likely.unwrap_or_default()
    )
}

/// What is said of a setting of another choice than the recipe makes.
fn misplaced(setting: &Field) -> String {
    let (table, name) = (setting.table(), setting.name());
    let (choice, names) = setting.of.unwrap_or_default();
    let quoted: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    let quoted: Vec<_> = quoted.iter().map(String::as_str).collect();
    let of = either(&quoted);
    let choice = field(choice).map_or(choice, Field::name);
    let place = match table {
        "" => String::new(),
        table => format!(" in [{table}]"),
    };
    format!("there is no {name}{place} here: it goes with {choice} = {of}")
}

/// A value of TOML as one of JSON.
fn plain(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => {
            let (digits, radix) = (number.as_str(), number.radix());
            match (
                i64::from_str_radix(digits, radix),
                u64::from_str_radix(digits, radix),
            ) {
                (Ok(number), _) => json!(number),
                (_, Ok(number)) => json!(number),
                _ => json!(number.to_string()),
            }
        }
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(value) if value.is_finite() => json!(value),
            // JSON has no such number: as a text it is refused by name.
            _ => json!(number.as_str()),
        },
        DeValue::Boolean(value) => json!(value),
        DeValue::Datetime(date) => json!(date.to_string()),
        DeValue::Array(values) => values.iter().map(|value| plain(value.get_ref())).collect(),
        DeValue::Table(table) => table
            .iter()
            .map(|(key, value)| (key.get_ref().to_string(), plain(value.get_ref())))
            .collect::<Map<_, _>>()
            .into(),
    }
}
