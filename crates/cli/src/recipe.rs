//! `impasto recipe`: the published methods by name, and files of one's own.

use crate::problems::Problems;
use crate::{Exit, Failure, print};
use clap::{Subcommand, ValueHint};
use impasto::recipe::book;
use impasto::recipe::file::RecipeFile;
use std::fmt::Write;
use std::path::PathBuf;

/// What can be done with recipes.
#[derive(Subcommand)]
pub enum RecipeCommand {
    /// List the recipes that are part of the program
    List,
    /// Print a recipe as a file, to read or to change: `impasto recipe show pytorch > mine.toml`
    Show {
        /// A name of the list, or a file
        #[arg(value_name = "NAME|FILE", value_hint = ValueHint::FilePath)]
        name: String,
    },
    /// Read a recipe file and say everything that is wrong with it, with its line
    Check {
        /// The file
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
}

/// Runs it.
///
/// # Errors
/// A name that is none, and every mistake of a file.
pub fn run(command: &RecipeCommand) -> Result<Exit, Failure> {
    let text = match command {
        RecipeCommand::List => list()?,
        RecipeCommand::Show { name } => show(name)?,
        RecipeCommand::Check { file } => {
            RecipeFile::open(file).map_err(refused)?;
            format!("{}: good\n", file.display())
        }
    };
    print(&text)?;
    Ok(Exit::Done)
}

fn list() -> anyhow::Result<String> {
    let mut text = String::new();
    for built_in in book::all() {
        let _ = writeln!(text, "{:<14} {}", built_in.name, built_in.read()?.about);
    }
    Ok(text)
}

/// A built-in recipe with its comments, a file as it is read: with every setting.
fn show(name: &str) -> Result<String, Failure> {
    match book::all().iter().find(|built_in| built_in.name == name) {
        Some(built_in) => Ok(built_in.text.into()),
        None => Ok(book::find(name).map_err(refused)?.to_toml()),
    }
}

fn refused(error: impasto::Error) -> Problems {
    let mut problems = Problems::default();
    problems.recipe_file(&error);
    problems
}
