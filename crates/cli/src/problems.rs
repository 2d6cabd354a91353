//! Everything that is wrong with a call, collected before any work starts.

use crate::source::Source;
use crate::value::Given;
use impasto::{Error, Picture};
use std::fmt;

/// Lines that say what is wrong, each with what to do about it.
#[derive(Debug, Default)]
pub struct Problems {
    lines: Vec<String>,
    usage: bool,
}

/// How the command line calls the fields of a recipe, where it does not say `--FIELD`.
const OPTIONS: [(&str, &str); 13] = [
    (
        "content.weight, style.weight and variation.weight",
        "each of --content-weight, --style-weight and --tv-weight",
    ),
    ("content.weight", "--content-weight"),
    ("content.layers", "--content-layer"),
    ("style.weight", "--style-weight"),
    ("style.layers", "--style-layers"),
    ("style.gram-norm", "--gram-norm"),
    ("style.size", "--style-size"),
    ("style.scale", "--style-scale"),
    ("variation.weight", "--tv-weight"),
    ("schedule.scales", "--scales"),
    ("schedule.steps", "--steps"),
    ("optimizer.learning-rate", "--learning-rate"),
    ("optimizer.averaging", "--averaging"),
];

/// Settings without an option.
const RECIPE_ONLY: [&str; 3] = ["clip", "keep", "pixels"];

impl Problems {
    /// Notes an option or setting that cannot be.
    pub fn usage(&mut self, line: impl fmt::Display) {
        self.usage = true;
        self.note(line);
    }

    /// Notes a file or folder that cannot be used.
    pub fn file(&mut self, line: impl fmt::Display) {
        self.note(line);
    }

    /// Notes all problems of others.
    pub fn extend(&mut self, others: Problems) {
        self.usage |= others.usage;
        others.lines.iter().for_each(|line| self.note(line));
    }

    fn note(&mut self, line: impl fmt::Display) {
        let line = line.to_string();
        if !self.lines.contains(&line) {
            self.lines.push(line);
        }
    }

    /// Notes problems of a recipe in the words of the command line.
    pub fn recipe(&mut self, problems: &[impasto::Problem]) {
        for problem in problems {
            let field = problem.field.as_str();
            let option = OPTIONS.iter().find(|(name, _)| *name == field);
            let option = match option {
                Some((_, text)) => (*text).to_string(),
                // What no option sets comes from a recipe file.
                None if field.contains('.') || RECIPE_ONLY.contains(&field) => {
                    format!("{field} of the recipe")
                }
                None => format!("--{field}"),
            };
            self.usage(format!(
                "{option} is {}: {}",
                problem.value, problem.allowed
            ));
        }
    }

    /// Notes why there is no recipe: a line for each mistake.
    pub fn recipe_file(&mut self, error: &Error) {
        error.to_string().lines().for_each(|line| self.usage(line));
    }

    /// The value of an option, if it was given and is good; what is wrong with it is noted.
    pub fn take<T: Clone>(&mut self, given: &Option<Given<T>>) -> Option<T> {
        match given {
            None => None,
            Some(Ok(value)) => Some(value.clone()),
            Some(Err(line)) => {
                self.usage(line);
                None
            }
        }
    }

    /// Sets what an option says, if it was given and is good; what is wrong with it is noted.
    pub fn set<T: Clone>(&mut self, place: &mut T, given: &Option<Given<T>>) {
        if let Some(value) = self.take(given) {
            *place = value;
        }
    }

    /// The picture that a name stands for; why there is none is noted.
    pub fn open(&mut self, source: &Source) -> Option<Picture> {
        match source.open() {
            Ok(picture) => return Some(picture),
            Err(error @ Error::NoSuchExample { .. }) => self.usage(error),
            Err(error) => self.file(error),
        }
        None
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// The lines.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Whether an option or a setting is among them, not files alone.
    pub fn of_usage(&self) -> bool {
        self.usage
    }
}
