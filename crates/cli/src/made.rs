//! The settings that pictures were made with: `impasto inspect picture`, and `--settings-from`.

use crate::args::Run;
use crate::problems::Problems;
use crate::words::Told;
use crate::{Exit, Failure, print, settings};
use clap::{Args, ValueHint};
use impasto::job::{EncoderChoice, Made, Source};
use impasto::recipe::file::RecipeFile;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;

/// `impasto inspect picture`.
#[derive(Args)]
pub struct InspectPicture {
    /// A PNG, JPEG, WebP or TIFF that impasto has written; - for the standard input
    #[arg(value_name = "IMAGE", value_hint = ValueHint::FilePath)]
    pub image: OsString,

    /// Print all that the file says, as JSON
    #[arg(long)]
    pub json: bool,
}

/// Prints what a picture was made with: what is in its file, and its recipe as a recipe file.
pub fn inspect(args: &InspectPicture) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let Some(source) = settings::standard(Source::new(&args.image), &mut problems) else {
        return Err(problems.into());
    };
    let made = Made::of(&source)?;
    if args.json {
        let text = impasto::picture::settings_of(&source.bytes()?);
        print(&format!("{}\n", text.unwrap_or_default()))?;
        return Ok(Exit::Done);
    }
    let mut text = format!("# impasto {}, {}\n", made.version, made.encoder);
    for style in &made.styles {
        let region = style.region.map(|region| format!(", region {region}"));
        let (name, weight) = (&style.name, style.weight);
        // A name is a line, whatever is in it.
        let _ = writeln!(
            text,
            "# style {name:?}, weight {weight}{}",
            region.unwrap_or_default()
        );
    }
    let about = String::new();
    let recipe = made.recipe;
    text += &RecipeFile { about, recipe }.to_toml();
    print(&text)?;
    Ok(Exit::Done)
}

/// The settings that a run starts from, if it starts from those of a picture.
pub fn read(args: &Run, recipe: Option<&OsStr>, problems: &mut Problems) -> Option<Made> {
    let name = args.settings_from.as_deref()?;
    for (option, given) in [
        ("--recipe", recipe.is_some()),
        ("--quality", args.quality.is_some()),
    ] {
        if given {
            problems.usage(format!(
                "--settings-from and {option} are both given: choose one"
            ));
        }
    }
    let source = settings::standard(Source::new(name), problems)?;
    match Made::of(&source) {
        Ok(made) => Some(made),
        Err(error) => {
            problems.file(error.told());
            None
        }
    }
}

/// The encoder of a picture, unless another one is chosen; of recipes that optimise, since others have none.
pub fn encoder(choice: EncoderChoice, made: Option<&Made>) -> EncoderChoice {
    match made.filter(|made| choice.name.is_none() && made.recipe.looks()) {
        Some(made) => EncoderChoice {
            name: Some(made.encoder.as_str().into()),
            ..choice
        },
        None => choice,
    }
}
