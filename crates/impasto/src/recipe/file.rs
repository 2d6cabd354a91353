//! Recipes as TOML files.
//!
//! ```toml
//! version = 1                      # of this format
//! about = "what the list says"     # optional
//! init = "noise"                   # settings of the recipe itself come first ...
//!
//! [style]                          # ... then those of its parts
//! weight = 100
//! layers = ["relu1_1", "relu2_1:0.5"]
//!
//! [optimizer]
//! method = "lbfgs"                 # or "adam", which needs not be said
//! history = 10
//! ```
//!
//! The settings are those of [`fields`]; what a file leaves out is as in
//! [`Recipe::default`]. A file is read strictly: a name that is none is a mistake, and so is a value that cannot be.
//! Every mistake is reported with its line, not just the first. A recipe that was written reads as the same recipe.
//! It holds no pictures and no weights, and no file name is taken from it.

use super::serial::settings;
use super::{Field, Recipe, Value, field, fields};
use crate::text::letters_to_change;
use crate::{Error, Result};
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use toml::de::{DeTable, DeValue};

/// The version of the format that is written, and the only one there is.
pub const VERSION: u64 = 1;

/// A recipe with what its file says about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecipeFile {
    /// One line for lists; may be empty.
    pub about: String,
    /// The recipe.
    pub recipe: Recipe,
}

/// Something wrong in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its line, counted from 1.
    pub line: usize,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// A file of more bytes is none that a person wrote.
const LARGEST: u64 = 1 << 20;

impl RecipeFile {
    /// Reads a recipe from text.
    ///
    /// # Errors
    /// Every mistake in it, in the order of lines.
    pub fn parse(text: &str) -> std::result::Result<Self, Vec<Mistake>> {
        let mut reader = Reader::new(text);
        let file = reader.read();
        match reader.mistakes.is_empty() {
            true => Ok(file),
            false => {
                reader.mistakes.sort_by_key(|mistake| mistake.line);
                Err(reader.mistakes)
            }
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::RecipeFile`] if it cannot be read, with every mistake in it otherwise.
    pub fn open(path: &Path) -> Result<Self> {
        let failed = |problems: Vec<String>| Error::RecipeFile {
            file: path.display().to_string(),
            problems,
        };
        let size = std::fs::metadata(path).map_err(|error| failed(vec![error.to_string()]))?;
        if size.len() > LARGEST {
            return Err(failed(vec!["is too large for a recipe".into()]));
        }
        let text =
            std::fs::read_to_string(path).map_err(|error| failed(vec![error.to_string()]))?;
        Self::parse(&text)
            .map_err(|mistakes| failed(mistakes.iter().map(ToString::to_string).collect()))
    }

    /// The text of a file, with every setting.
    pub fn to_toml(&self) -> String {
        let mut text = format!("version = {VERSION}\n");
        if !self.about.is_empty() {
            text += &format!("about = {}\n", json!(self.about));
        }
        let (mut tables, mut table) = (String::new(), "");
        for (field, value) in settings(&self.recipe) {
            // Texts, numbers and lists are written alike in JSON and TOML. A number that is none has no form in JSON; no
            // valid recipe has one.
            let value = match value {
                Value::Measure(name, number) => format!("{{ {name} = {} }}", literal(&number)),
                value => literal(&value),
            };
            let line = format!("{} = {value}\n", field.name());
            if field.table().is_empty() {
                text += &line;
                continue;
            }
            if field.table() != table {
                table = field.table();
                tables += &format!("\n[{table}]\n");
            }
            tables += &line;
        }
        text + &tables
    }

    /// Writes a file, which appears complete or not at all.
    ///
    /// # Errors
    /// [`Error::RecipeFile`].
    pub fn save(&self, path: &Path) -> Result<()> {
        crate::picture::write_whole(path, self.to_toml().as_bytes()).map_err(|error| {
            Error::RecipeFile {
                file: path.display().to_string(),
                problems: vec![format!("cannot be written: {error}")],
            }
        })
    }
}

fn literal(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A file being read.
struct Reader<'a> {
    text: &'a str,
    mistakes: Vec<Mistake>,
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
    fn new(text: &'a str) -> Self {
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

    fn read(&mut self) -> RecipeFile {
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
            Some(Entry { json, .. }) if json == json!(VERSION) => {}
            Some(Entry { line, json, .. }) => self.note(
                line,
                format!("version is {json}: this program reads version {VERSION}"),
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
    let (choice, of) = setting.of.unwrap_or_default();
    let choice = field(choice).map_or(choice, Field::name);
    format!("there is no {name} in [{table}] here: it goes with {choice} = {of:?}")
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

#[cfg(test)]
mod tests {
    use super::super::*;
    use super::*;

    fn mistakes(text: &str) -> Vec<String> {
        let mistakes = RecipeFile::parse(text).unwrap_err();
        mistakes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn three_mistakes_give_three_messages_with_their_lines() {
        let text = "version = 1\n\n[style]\nwieght = 100\nloss = \"grammar\"\n\n[optimizer]\nlearning-rate = -1\n";
        assert_eq!(
            mistakes(text),
            [
                "line 4: there is no wieght in [style]; did you mean weight?",
                "line 5: style.loss: \"grammar\" is none of gram, wasserstein, mean-std",
                "line 8: optimizer.learning-rate is -1: must be greater than 0, up to 100",
            ]
        );
    }

    #[test]
    fn every_kind_of_mistake_has_its_line() {
        for (text, expected) in [
            ("init = \"noise\"\n", "line 1: version is missing"),
            (
                "# later\nversion = 2\n",
                "line 2: version is 2: this program reads version 1",
            ),
            (
                "version = 1\n\ncolour = 3\n",
                "line 3: there is no colour; did you mean",
            ),
            ("version = 1\nstyle = 3\n", "line 2: style is a table"),
            (
                "version = 1\n[style]\nweight = \"much\"\n",
                "line 3: style.weight: not string \"much\", expected a number",
            ),
            (
                "version = 1\n[style]\nweight = nan\n",
                "line 3: style.weight: not string \"nan\", expected a number",
            ),
            (
                "version = 1\nseed = -1\n",
                "line 2: seed: not integer `-1`, expected a whole number",
            ),
            (
                "version = 1\nsize = { longside = 3 }\n",
                "line 2: size: \"longside\" is none of long-side, original",
            ),
            (
                "version = 1\nsize = { long-side = 1 }\n",
                "line 2: size is 1: must be between",
            ),
            (
                "version = 1\n[style]\nlayers = [\"relu1_1\", \"sky\"]\n",
                "line 3: style.layers: \"sky\" names no layer",
            ),
            ("version = 1\n[style\nweight = 1\n", "line 2: "),
            ("version = 1\nversion = 1\n", "line 2: duplicate key"),
            (
                "version = 1\n[optimizer]\nmethod = \"sgd\"\n",
                "line 3: optimizer.method: \"sgd\" is none of adam, lbfgs",
            ),
            (
                "version = 1\n[optimizer]\nmethod = \"lbfgs\"\nbeta1 = 0.9\n",
                "line 4: there is no beta1 in [optimizer]",
            ),
            (
                "version = 1\n[optimizer]\nmethod = \"lbfgs\"\nhistory = 0\n",
                "line 4: optimizer.history is 0",
            ),
            (
                "version = 1\npixels = \"torch\"\nclip = \"step\"\n",
                "line 3: clip is step",
            ),
            (
                "version = 1\n[style]\nsize = { scale = 100 }\n",
                "line 3: style.size is 100: must be between 0.05 and 20",
            ),
        ] {
            let mistakes = mistakes(text);
            assert!(mistakes[0].starts_with(expected), "{text}: {mistakes:?}");
            assert_eq!(mistakes.len(), 1, "{text}: {mistakes:?}");
        }
    }

    #[test]
    fn what_a_file_leaves_out_is_the_default() {
        let file = RecipeFile::parse("version = 1\n").unwrap();
        assert_eq!(file, RecipeFile::default());
        let file = RecipeFile::parse("version = 1\n[optimizer]\nepsilon = 0.1\n").unwrap();
        let OptimizerSettings::Adam(adam) = file.recipe.optimizer else {
            panic!("{:?}", file.recipe.optimizer)
        };
        assert_eq!(
            (adam.epsilon, adam.beta2),
            (0.1, AdamSettings::default().beta2)
        );
    }

    #[test]
    fn a_recipe_that_was_written_reads_as_the_same() {
        let mut recipe = Recipe {
            size: OutputSize::Original,
            seed: u64::MAX,
            init: Init::Mixed,
            pixels: Pixels::Byte,
            keep: Keep::AfterBest,
            ..Recipe::default()
        };
        recipe.style.weight = 1.0 / 3.0;
        recipe.style.layers = vec!["relu1_1:0.1".parse().unwrap(), "7".parse().unwrap()];
        recipe.style.size = StyleSize::Content;
        recipe.optimizer.adam_mut().unwrap().averaging = 0.0;
        let mut lbfgs = recipe.clone();
        lbfgs.optimizer = OptimizerSettings::Lbfgs(LbfgsSettings {
            tolerance_grad: -1.0,
            ..LbfgsSettings::default()
        });
        let about = "with \"quotes\" and ümlauts".to_string();
        for recipe in [Recipe::default(), recipe, lbfgs] {
            let about = about.clone();
            let file = RecipeFile { about, recipe };
            let text = file.to_toml();
            assert_eq!(RecipeFile::parse(&text), Ok(file), "{text}");
        }
    }

    #[test]
    fn a_file_is_written_whole_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        let file = RecipeFile::default();
        file.save(&path).unwrap();
        assert_eq!(RecipeFile::open(&path).unwrap(), file);
        std::fs::write(&path, "version = 1\nseeds = 3\nzeed = 3\n").unwrap();
        let error = RecipeFile::open(&path).unwrap_err().to_string();
        assert!(
            error.contains("mine.toml, line 2: there is no seeds; did you mean seed?"),
            "{error}"
        );
        assert!(
            error.contains("mine.toml, line 3: there is no zeed; did you mean seed?"),
            "{error}"
        );
        let error = RecipeFile::open(&folder.path().join("none.toml")).unwrap_err();
        assert!(error.to_string().contains("none.toml"), "{error}");
    }
}
