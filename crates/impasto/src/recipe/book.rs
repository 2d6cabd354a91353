//! The recipes that are part of the program: the published methods by name, and our own.
//!
//! Their files are in `recipes/`; each number there says where it comes from.

use super::Recipe;
use super::file::RecipeFile;
use crate::text::letters_to_change;
use crate::{Error, Result};
use std::path::Path;

/// A recipe that is part of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// Its name.
    pub name: &'static str,
    /// Its file, with comments.
    pub text: &'static str,
}

macro_rules! book {
    ($($name:literal),* $(,)?) => {
        &[$(BuiltIn {
            name: $name,
            text: include_str!(concat!("../../recipes/", $name, ".toml")),
        }),*]
    };
}

const BOOK: &[BuiltIn] = book![
    "impasto",
    "impasto-draft",
    "impasto-fine",
    "impasto-best",
    "gatys2015",
    "gatys2016",
    "neural-style",
    "tensorflow",
    "keras-eager",
    "pytorch",
    "udacity",
    "coursera",
    "holberton",
    "crowson",
    "nnst",
    "strotss",
    "paint",
    "wct",
    "adain",
    "microast",
    "ghiasi",
    "fast",
];

/// Every recipe that is part of the program.
pub fn all() -> &'static [BuiltIn] {
    BOOK
}

/// The recipe of a name, or of a file. A built-in name comes first; a file of that name is reached as `./NAME`.
///
/// # Errors
/// [`Error::NoSuchRecipe`], which lists those that there are; [`Error::RecipeFile`] with every mistake.
pub fn find(name: &str) -> Result<RecipeFile> {
    if let Some(built_in) = BOOK.iter().find(|built_in| built_in.name == name) {
        return built_in.read();
    }
    let path = Path::new(name);
    let is_file_name = path.components().count() > 1 || path.extension().is_some();
    if is_file_name || path.exists() {
        return RecipeFile::open(path);
    }
    let mut known: Vec<_> = BOOK.iter().map(|built_in| built_in.name).collect();
    known.sort_by_key(|known| letters_to_change(known, name));
    Err(Error::NoSuchRecipe {
        name: name.into(),
        known: known.join(", "),
    })
}

impl BuiltIn {
    /// Reads it.
    ///
    /// # Errors
    /// None of a library as it was built.
    pub fn read(&self) -> Result<RecipeFile> {
        RecipeFile::parse(self.text).map_err(|mistakes| Error::RecipeFile {
            file: self.name.into(),
            problems: mistakes.iter().map(ToString::to_string).collect(),
        })
    }
}

impl Recipe {
    /// The recipe of a name or file, as [`find`] finds it.
    ///
    /// # Errors
    /// Those of [`find`].
    pub fn named(name: &str) -> Result<Self> {
        Ok(find(name)?.recipe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::named::Named;
    use crate::recipe::Quality;

    #[test]
    fn the_table_holds_every_file_of_the_folder_and_nothing_else() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".toml").map(String::from))
            .collect();
        files.sort();
        let mut names: Vec<_> = BOOK.iter().map(|built_in| built_in.name).collect();
        names.sort_unstable();
        assert_eq!(files, names);
    }

    #[test]
    fn every_recipe_reads_and_says_what_it_is() {
        for built_in in all() {
            let file = built_in.read().unwrap_or_else(|error| panic!("{error}"));
            assert!(!file.about.is_empty(), "{}", built_in.name);
            assert_eq!(
                RecipeFile::parse(&file.to_toml()),
                Ok(file),
                "{}",
                built_in.name
            );
        }
    }

    /// Files of the first version name no method, and are otherwise the same.
    #[test]
    fn every_recipe_of_the_first_version_is_still_read() {
        let now = "version = 2\nmethod = \"optimize\"\n";
        let optimise: Vec<_> = all().iter().filter(|one| one.text.contains(now)).collect();
        assert_eq!(optimise.len(), 13);
        for built_in in optimise {
            let before = built_in.text.replace(now, "version = 1\n");
            let (before, now) = (RecipeFile::parse(&before), built_in.read());
            assert_eq!(before.unwrap(), now.unwrap(), "{}", built_in.name);
        }
    }

    #[test]
    fn our_own_are_the_qualities_of_the_default() {
        for (name, quality) in [
            ("impasto-draft", Quality::Draft),
            ("impasto", Quality::Normal),
            ("impasto-fine", Quality::Fine),
            ("impasto-best", Quality::Best),
        ] {
            let mut recipe = Recipe::default();
            quality.apply(&mut recipe);
            assert_eq!(Recipe::named(name).unwrap(), recipe, "{}", quality.name());
        }
    }

    /// A file that leaves a setting out would change with our own defaults.
    #[test]
    fn published_recipes_leave_nothing_to_our_taste() {
        let tasteful = [
            "weight",
            "layers",
            "loss",
            "kind",
            "steps",
            "learning-rate",
            "pooling",
            "padding",
            "plain-pooling",
            "normalize",
            "reduction",
            "pixels",
            "clip",
            "keep",
            "init",
        ];
        let optimises = |one: &&BuiltIn| one.text.contains("method = \"optimize\"");
        let published = all().iter().filter(optimises);
        for built_in in published.filter(|b| !b.name.starts_with("impasto")) {
            for setting in tasteful {
                let given = built_in
                    .text
                    .lines()
                    .any(|line| line.starts_with(&format!("{setting} =")));
                assert!(given, "{} does not say {setting}", built_in.name);
            }
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_likeliest_first() {
        let error = find("tensorflaw").unwrap_err().to_string();
        assert!(
            error.contains("no recipe \"tensorflaw\"") && error.contains("there are tensorflow, "),
            "{error}"
        );
        let error = find("none.toml").unwrap_err();
        assert!(matches!(error, Error::RecipeFile { .. }), "{error}");
    }
}
