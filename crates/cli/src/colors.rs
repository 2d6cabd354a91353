//! `impasto colors`: the colours of one picture given to another, without any painting.

use crate::problems::Problems;
use crate::value::{self, Given};
use crate::{Exit, Failure, note, settings};
use clap::{Args, ValueHint};
use impasto::job::{self, Files, Problem, RegionProblem, Source};
use impasto::named::Named;
use impasto::picture::colors::{ColorMode, ColorSpace, Colors};
use impasto::picture::{Format, SaveOptions};
use std::ffi::OsString;
use std::path::PathBuf;

/// The call.
#[derive(Args)]
pub struct Arguments {
    /// The picture that gets other colours: a file, or @NAME of a built-in one
    #[arg(value_name = "PICTURE", value_hint = ValueHint::FilePath)]
    picture: OsString,

    /// The picture that gives them
    #[arg(long, value_name = "PICTURE", value_hint = ValueHint::FilePath)]
    like: OsString,

    /// Where the result goes: PNG, JPEG, WebP or TIFF by its name; 16 bits where the picture has them and the format can
    #[arg(long, short, value_name = "FILE", value_hint = ValueHint::FilePath)]
    output: PathBuf,

    /// By which map; content-exact and luminance need two pictures of the same things [default: content]
    #[arg(long, value_parser = value::named::<ColorMode>())]
    mode: Option<Given<ColorMode>>,

    /// In which coordinates colours are mapped [default: oklab]
    #[arg(long, value_parser = value::named::<ColorSpace>())]
    space: Option<Given<ColorSpace>>,

    /// How far colours go, 0 to 1 [default: 1]
    #[arg(long, value_name = "F", value_parser = value::real())]
    strength: Option<Given<f32>>,
}

/// Runs the command.
pub fn run(args: &Arguments) -> Result<Exit, Failure> {
    let mut problems = Problems::default();
    let colors = Colors {
        mode: problems.take(&args.mode).unwrap_or(ColorMode::Content),
        space: problems.take(&args.space).unwrap_or_default(),
        strength: problems.take(&args.strength).unwrap_or(1.0),
        ..Colors::default()
    };
    if !(0.0..=1.0).contains(&colors.strength) {
        problems.usage(format!("--strength is {}: must be 0 to 1", colors.strength));
    }
    if colors.mode == ColorMode::Style {
        problems.usage("--mode is style: must be a map, such as content or histogram");
    }
    let sources = [&args.picture, &args.like]
        .map(|name| settings::standard(Source::new(name), &mut problems));
    let mut files = Files::default();
    files.read_pictures(sources.iter().flatten());
    let opened = problems.gather(|found| {
        files.write(&args.output, found);
        if let Err(error) = Format::from_path(&args.output) {
            found.push(Problem::Failed(error.into()));
        }
        sources
            .each_ref()
            .map(|source| job::open(source.as_ref()?, found))
    });
    if let [_, Some(like)] = &opened
        && like.is_clear()
    {
        let name = args.like.to_string_lossy().into_owned();
        problems.job(&[Problem::Region(RegionProblem::NothingSeen(name))], &[]);
    }
    let ([Some(picture), Some(like)], true) = (opened, problems.is_empty()) else {
        return Err(problems.into());
    };
    let recolored = colors.give(&picture, &like);
    recolored.save(&args.output, &SaveOptions::default())?;
    note(&format!(
        "wrote {}: {}×{} px, {} of {}",
        args.output.display(),
        recolored.width(),
        recolored.height(),
        colors.mode.name(),
        args.like.display()
    ));
    Ok(Exit::Done)
}
