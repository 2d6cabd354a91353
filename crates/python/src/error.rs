//! Exceptions: which class of the package, and what they say.

use crate::words;
use impasto::job::Problem;
use impasto::nets::NetError;
use impasto::picture::PictureError;
use impasto::{Error, encoder::EncoderError};
use pyo3::prelude::*;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A class of exceptions of the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Arguments or settings that cannot be.
    Invalid,
    /// A file that is not there.
    Missing,
    /// Threads stayed in another process.
    Forked,
    /// Something else failed.
    Failed,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Class::Invalid => "InvalidError",
            Class::Missing => "MissingError",
            Class::Forked => "ForkedError",
            Class::Failed => "ImpastoError",
        }
    }

    /// That of a problem.
    fn of(problem: &Problem) -> Self {
        match problem {
            Problem::Failed(error) | Problem::Limits(error) => Self::of_error(error),
            Problem::Encoder(EncoderError::Unknown { name, .. }) if is_file_name(name) => {
                Class::Missing
            }
            _ if problem.is_mistake() => Class::Invalid,
            Problem::Encoder(EncoderError::Weights(_)) => Class::Missing,
            _ => Class::Failed,
        }
    }

    fn of_error(error: &Error) -> Self {
        match error {
            Error::Picture(PictureError::Missing { .. })
            | Error::Net(NetError::NotInstalled { .. }) => Class::Missing,
            // The folder that it should be written into.
            Error::Picture(PictureError::Write { source, .. })
                if source.kind() == ErrorKind::NotFound =>
            {
                Class::Missing
            }
            Error::Net(NetError::Unknown { name, .. }) if is_file_name(name) => Class::Missing,
            Error::Net(NetError::Unknown { .. }) => Class::Invalid,
            Error::Picture(
                PictureError::Extension { .. }
                | PictureError::Shape { .. }
                | PictureError::Empty { .. },
            ) => Class::Invalid,
            Error::Invalid(_)
            | Error::RecipeFile { .. }
            | Error::NoSuchRecipe { .. }
            | Error::NoSuchExample { .. }
            | Error::NoSettings { .. }
            | Error::Settings { .. } => Class::Invalid,
            _ => Class::Failed,
        }
    }
}

/// Whether a name is that of a file or folder rather than of something that is known by its name: it has a folder or an
/// extension.
fn is_file_name(name: &str) -> bool {
    let path = Path::new(name);
    path.extension().is_some() || name.contains(std::path::is_separator)
}

/// The file that is not there.
fn missing_file(error: &Error) -> Option<PathBuf> {
    match error {
        Error::Picture(PictureError::Missing { path } | PictureError::Write { path, .. }) => {
            Some(path.clone())
        }
        Error::Net(NetError::Unknown { name, .. }) => Some(name.into()),
        _ => None,
    }
}

/// An exception that lists problems.
pub fn raise(py: Python<'_>, class: Class, problems: Vec<String>) -> PyErr {
    raise_about(py, class, problems, None)
}

/// The same, of a file that is missing.
fn raise_about(
    py: Python<'_>,
    class: Class,
    problems: Vec<String>,
    file: Option<PathBuf>,
) -> PyErr {
    let make = || {
        let classes = py.import("impasto._errors")?.getattr(class.name())?;
        match file.filter(|_| class == Class::Missing) {
            Some(file) => classes.call1((problems, file.as_os_str())),
            None => classes.call1((problems,)),
        }
    };
    match make() {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// The exception of all problems of a job.
pub fn of_problems(py: Python<'_>, problems: &[Problem]) -> PyErr {
    of_everything(py, vec![], problems)
}

/// The exception of mistakes that were found before a job was looked at, and of all its problems.
pub fn of_everything(py: Python<'_>, mut lines: Vec<String>, problems: &[Problem]) -> PyErr {
    let classes: Vec<Class> = problems.iter().map(Class::of).collect();
    // One mistake makes it a mistake; otherwise it is what all of them are.
    let class = match classes.first() {
        _ if !lines.is_empty() || classes.contains(&Class::Invalid) => Class::Invalid,
        Some(first) if classes.iter().all(|class| class == first) => *first,
        _ => Class::Failed,
    };
    for line in problems.iter().flat_map(words::of_problem) {
        if !lines.contains(&line) {
            lines.push(line);
        }
    }
    let file = problems.iter().find_map(|problem| match problem {
        Problem::Failed(error) | Problem::Limits(error) => missing_file(error),
        Problem::Encoder(EncoderError::Unknown { name, .. }) => Some(name.into()),
        _ => None,
    });
    raise_about(py, class, lines, file)
}

/// The exception of an error.
pub fn of_error(py: Python<'_>, error: Error) -> PyErr {
    let class = Class::of_error(&error);
    raise_about(py, class, words::of_error(&error), missing_file(&error))
}
