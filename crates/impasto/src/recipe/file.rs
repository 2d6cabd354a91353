//! Recipes as TOML files.
//!
//! ```toml
//! version = 2                      # of this format
//! method = "optimize"              # how pictures are painted, which needs not be said
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
//! The settings are those of [`fields`](super::fields); what a file leaves out is as in
//! [`Recipe::default`]. A file is read strictly: a name that is none is a mistake, and so is a value that cannot be.
//! Every mistake is reported with its line, not just the first. A recipe that was written reads as the same recipe.
//! It holds no pictures and no weights, and no file name is taken from it.

mod reader;

use super::serial::settings;
use super::{Recipe, Value};
use crate::{Error, Result};
use reader::Reader;
use serde_json::json;
use std::fmt;
use std::path::Path;

/// The version of the format that is written.
pub const VERSION: u64 = 2;
/// The version before, which is read as well: it knew one method, and did not name it.
const FIRST: u64 = 1;

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
        let bytes = std::fs::read(path).map_err(|error| failed(vec![error.to_string()]))?;
        let text = text_of(&bytes).map_err(|why| failed(vec![why.into()]))?;
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

/// The text of a file: UTF-8, or UTF-16 as PowerShell's `>` writes it, with or without a byte order mark.
fn text_of(bytes: &[u8]) -> std::result::Result<String, &'static str> {
    let utf16 = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|&pair| unit(pair)).collect();
        match rest {
            [] => String::from_utf16(&units).map_err(|_| "is no text in UTF-16"),
            _ => Err("is cut short: text in UTF-16 has an even number of bytes"),
        }
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        // A recipe begins with a letter of ASCII, a blank or a #, so that its zero byte tells which way round it is.
        [first, 0, ..] if *first != 0 => utf16(bytes, u16::from_le_bytes),
        [0, second, ..] if *second != 0 => utf16(bytes, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> std::result::Result<String, &'static str> {
    let text = std::str::from_utf8(bytes);
    text.map(String::from)
        .map_err(|_| "is no text in UTF-8 or UTF-16; save it as UTF-8")
}

fn literal(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
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
        let expected = [
            "line 4: there is no wieght in [style]; did you mean weight?",
            // The losses that there are follow.
            "line 5: style.loss: \"grammar\" is none of gram, wasserstein, ",
            "line 8: optimizer.learning-rate is -1: must be greater than 0, up to 100",
        ];
        let told = mistakes(text);
        assert_eq!(told.len(), expected.len(), "{told:?}");
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{told}");
        }
    }

    #[test]
    fn every_kind_of_mistake_has_its_line() {
        for (text, expected) in [
            ("init = \"noise\"\n", "line 1: version is missing"),
            (
                "# later\nversion = 3\n",
                "line 2: version is 3: this program reads versions 1 and 2",
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
        let OptimizerSettings::Adam(adam) = file.recipe.optimize().unwrap().optimizer else {
            panic!("{file:?}")
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
            ..Recipe::default()
        };
        recipe.style.size = StyleSize::Content;
        let settings = recipe.optimize_mut().unwrap();
        settings.init = Init::Mixed;
        settings.pixels = Pixels::Byte;
        settings.keep = Keep::AfterBest;
        settings.style.weight = 1.0 / 3.0;
        settings.style.layers = vec!["relu1_1:0.1".parse().unwrap(), "7".parse().unwrap()];
        settings.optimizer.adam_mut().unwrap().averaging = 0.0;
        let mut lbfgs = recipe.clone();
        lbfgs.optimize_mut().unwrap().optimizer = OptimizerSettings::Lbfgs(LbfgsSettings {
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

    /// Editors and shells of Windows write marks, two bytes a letter and carriage returns.
    #[test]
    fn text_is_read_in_every_encoding_that_programs_write() {
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join("mine.toml");
        let text = "# Größe\r\nversion = 1\r\nseed = 7\r\nabout = \"ümlaut\"\r\n";
        let units = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(bytes).collect()
        };
        let (little, big) = (units(u16::to_le_bytes), units(u16::to_be_bytes));
        for bytes in [
            text.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            [b"\xff\xfe", &little[..]].concat(),
            [b"\xfe\xff", &big[..]].concat(),
            little.clone(),
            big,
        ] {
            std::fs::write(&path, &bytes).unwrap();
            let file = RecipeFile::open(&path).unwrap();
            assert_eq!((file.recipe.seed, file.about.as_str()), (7, "ümlaut"));
        }
        let wrong = "version = 1\r\nzeed = 3\r\n".encode_utf16();
        let wrong: Vec<u8> = wrong.flat_map(u16::to_le_bytes).collect();
        for (bytes, words) in [
            (
                [b"\xff\xfe", &wrong[..]].concat(),
                "line 2: there is no zeed",
            ),
            (little[..little.len() - 1].to_vec(), "cut short"),
            (b"seed = \xff".to_vec(), "save it as UTF-8"),
            (b"\xff\xfe\x00\xd8".to_vec(), "no text in UTF-16"),
        ] {
            std::fs::write(&path, bytes).unwrap();
            let error = RecipeFile::open(&path).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_file_is_written_whole_and_read_again() {
        let folder = impasto_testing::Folder::new();
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
