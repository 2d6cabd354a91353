//! What can go wrong in the library.

use crate::checkpoint::CheckpointError;
use crate::encoder::EncoderError;
use crate::nets::NetError;
use crate::picture::PictureError;
use crate::recipe::Problem;
use impasto_compute::ComputeError;

/// The result of a call of the library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong; variants by what the caller can do about it, which [`Error::advice`] says where it is up to the program.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A picture could not be read or written.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// An encoder could not be found, read or used.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// A feed-forward network could not be found, read or used.
    #[error(transparent)]
    Net(#[from] NetError),
    /// A picture holds no settings of a run.
    #[error(
        "{name} holds no settings: another program made it, or they were left out when it was written"
    )]
    NoSettings {
        /// The picture.
        name: String,
    },
    /// The settings in a picture cannot be used.
    #[error("the settings in {name} cannot be read: {what}")]
    Settings {
        /// The picture.
        name: String,
        /// Why not.
        what: String,
    },
    /// No example picture has this name.
    #[error(
        "there is no example picture @{name}; there are {known} (a file of that name is ./@{name})"
    )]
    NoSuchExample {
        /// What was asked for, without the `@`.
        name: String,
        /// Those that there are, the likeliest first.
        known: String,
    },
    /// Frames of a film do not belong together.
    #[error("frames of the film do not fit each other: {0}")]
    Flow(#[from] impasto_flow::Error),
    /// The device refused.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// The job cannot be run as it is described; every problem is listed.
    #[error("{}", list(.0))]
    Invalid(Vec<Problem>),
    /// A file of a recipe cannot be used; everything that is wrong with it is listed.
    #[error("{}", lines(file, problems))]
    RecipeFile {
        /// The file.
        file: String,
        /// What is wrong: `line 3: …`, or why it cannot be read.
        problems: Vec<String>,
    },
    /// No recipe has this name, and no file.
    #[error("there is no recipe {name:?}, neither built in nor as a file; there are {known}")]
    NoSuchRecipe {
        /// What was asked for.
        name: String,
        /// Those that are built in, the likeliest first.
        known: String,
    },
    /// The picture does not fit into memory, not even in strips or tiles.
    #[error(
        "{width}×{height} px need {needed} of memory even in strips or tiles, and the limit is {limit}"
    )]
    TooLarge {
        /// Width of the scale that does not fit.
        width: usize,
        /// Height of the scale that does not fit.
        height: usize,
        /// What it needs.
        needed: String,
        /// What there is.
        limit: String,
        /// The long side that would fit, if one would.
        fits: Option<usize>,
    },
    /// A style does not fit into memory at the size at which it is looked at; the picture itself would.
    #[error(
        "a style looked at in {width}×{height} px needs {needed} of memory even in strips or tiles, and the limit is {limit}"
    )]
    StyleTooLarge {
        /// Width at which the style is looked at.
        width: usize,
        /// Height at which the style is looked at.
        height: usize,
        /// What that needs.
        needed: String,
        /// What there is.
        limit: String,
    },
    /// A checkpoint cannot be used.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}

fn lines(file: &str, problems: &[String]) -> String {
    let lines = problems.iter().map(|problem| format!("{file}, {problem}"));
    lines.collect::<Vec<_>>().join("\n")
}

fn list(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
