//! Everything that keeps a job from being run, as data; a shell puts it into its own words.

use super::output::OutputProblem;
use super::{BadWeight, RegionProblem, Source};
use crate::encoder::EncoderError;
use crate::named::Named;
use crate::picture::colors::ColorMode;
use crate::recipe;
use crate::{Error, Picture};
use impasto_compute::ComputeError;
use std::fmt;

/// Something that keeps a job from being run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Problem {
    /// A setting of the recipe that cannot be.
    Setting(recipe::Problem),
    /// A layer that was chosen for a setting, and that the encoder lacks.
    Layer {
        /// The setting's path.
        field: &'static str,
        /// What there is instead.
        error: EncoderError,
    },
    /// More numbers of steps were chosen than a content goes through scales.
    Steps {
        /// How many.
        given: usize,
        /// The content.
        content: String,
        /// Its scales.
        scales: usize,
    },
    /// The weight of a style that is none.
    StyleWeight(BadWeight),
    /// A preprocessing was chosen for an encoder that states its own.
    Preprocessing,
    /// Threads were chosen for a device that has none to choose.
    Threads,
    /// A precision was chosen for the reference, which is exact.
    Precision,
    /// The encoder cannot be found or used.
    Encoder(EncoderError),
    /// A palette was chosen for colours that are not mapped to those of another picture.
    Palette(ColorMode),
    /// Masks or regions that cannot be.
    Region(RegionProblem),
    /// A setting was chosen that has no effect in this job.
    Idle {
        /// The setting's path.
        field: &'static str,
        /// What it goes with.
        needs: Needs,
    },
    /// A network that paints was chosen for a recipe that has no work for one.
    Model,
    /// The device cannot be opened.
    Device(ComputeError),
    /// What cannot be written, or must not be.
    Output(OutputProblem),
    /// A picture that cannot be read, or whatever else failed.
    Failed(Error),
    /// What the job may use cannot be.
    Limits(Error),
}

/// What some settings go with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Colours other than the style's.
    Colors,
    /// A mask or regions.
    Places,
}

impl Problem {
    /// Whether the job was described wrongly; otherwise the world is not as it was taken to be, such as a file that is not
    /// there.
    pub fn is_mistake(&self) -> bool {
        match self {
            Problem::Encoder(error) => matches!(error, EncoderError::Unknown { .. }),
            Problem::Output(problem) => problem.is_mistake(),
            Problem::Failed(error) => matches!(error, Error::NoSuchExample { .. }),
            _ => true,
        }
    }

    /// The problems that an error of the library lists, or the one that it is.
    pub fn all_of(error: Error) -> Vec<Self> {
        match error {
            Error::Invalid(problems) => problems.into_iter().map(Problem::Setting).collect(),
            error => vec![Problem::Failed(error)],
        }
    }
}

/// In the names of the library.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Setting(problem) => write!(f, "{problem}"),
            Problem::Layer { field, error } => write!(f, "{field}: {error}"),
            Problem::Steps {
                given,
                content,
                scales,
            } => {
                let s = if *scales == 1 { "" } else { "s" };
                write!(
                    f,
                    "there are {given} numbers of steps, but {content} goes through {scales} scale{s}"
                )
            }
            Problem::StyleWeight(weight) => write!(f, "{weight}"),
            Problem::Preprocessing => {
                f.write_str("a preprocessing goes with a file of weights only")
            }
            Problem::Threads => {
                f.write_str("threads go with the cpu only: no other device has any to choose")
            }
            Problem::Precision => f.write_str(
                "a precision goes with the cpu and the gpu only: the reference is exact",
            ),
            Problem::Encoder(error) => write!(f, "{error}"),
            Problem::Model => f.write_str(
                "a model goes with a feed-forward method, or with a start that a network paints",
            ),
            Problem::Palette(mode) => write!(
                f,
                "a palette goes with colours that are mapped (content, cholesky, pca, coral, histogram), not with {}",
                mode.name()
            ),
            Problem::Region(problem) => write!(f, "{problem}"),
            Problem::Idle { field, needs } => {
                let needs = match needs {
                    Needs::Colors => "colours other than the style's",
                    Needs::Places => "a mask or regions",
                };
                write!(f, "{field} has an effect with {needs} only")
            }
            Problem::Device(error) => write!(f, "{error}"),
            Problem::Output(problem) => write!(f, "{problem}"),
            Problem::Failed(error) | Problem::Limits(error) => write!(f, "{error}"),
        }
    }
}

/// The picture of a source; why there is none is noted.
pub fn open(source: &Source, problems: &mut Vec<Problem>) -> Option<Picture> {
    let opened = source.open();
    opened
        .map_err(|error| problems.push(Problem::Failed(error)))
        .ok()
}
