//! `impasto recipe`: the published methods by name, and files of one's own.

use crate::problems::Problems;
use crate::words::significant;
use crate::{Exit, Failure, print};
use clap::{Subcommand, ValueHint};
use impasto::Encoder;
use impasto::recipe::file::RecipeFile;
use impasto::recipe::{StyleLoss, book};
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
        /// Also print, as comments, what the weights become on this network [default: the one that would be used]
        #[arg(long, value_name = "NAME|FILE", value_hint = ValueHint::FilePath)]
        encoder: Option<String>,
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
        RecipeCommand::Show { name, encoder } => show(name, encoder.as_deref())?,
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

/// A built-in recipe with its comments, a file as it is read: with every setting. Then what its weights become on an
/// encoder that they were not made for.
fn show(name: &str, encoder: Option<&str>) -> Result<String, Failure> {
    let found = book::find(name).map_err(refused)?;
    let mut text = match book::all().iter().find(|built_in| built_in.name == name) {
        Some(built_in) => built_in.text.into(),
        None => found.to_toml(),
    };
    let encoder = Encoder::find(encoder).map_err(anyhow::Error::from)?;
    let calibrated = impasto::calibration(&found.recipe, &encoder).map_err(refused)?;
    if let Some(layers) = calibrated {
        let _ = write!(
            text,
            "\n# On {}, these weights of the recipe become (--faithful takes them as they are):\n",
            encoder.name()
        );
        let settings = found.recipe.optimize();
        let is_gram = settings.is_some_and(|settings| settings.style.loss == StyleLoss::Gram);
        let is_shared = is_gram
            && layers
                .iter()
                .any(|layer| layer.term == "style" && layer.is_shallower());
        for layer in layers {
            let (wanted, published) = (
                layer.wanted.to_string(),
                significant(layer.published.into()),
            );
            let (found, calibrated) = (
                layer.found.to_string(),
                significant(layer.calibrated.into()),
            );
            let _ = writeln!(
                text,
                "#   {:<8} {wanted:<8} {published:>9}  ->  {found:<8} {calibrated:>9}",
                layer.term
            );
        }
        if is_shared {
            text.push_str(
                "#   deep style layers are lacking: each layer has the share of the style's size that its weight above says\n\
                 #   of all, and total variation, as at 512 px or added, holds back single pixels\n",
            );
        }
    }
    Ok(text)
}

fn refused(error: impasto::Error) -> Problems {
    let mut problems = Problems::default();
    problems.recipe_file(&error);
    problems
}
