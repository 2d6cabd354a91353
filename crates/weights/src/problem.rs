//! What a reader finds wrong before the file's name is attached.

use crate::WeightsError;

/// What a reader finds wrong; [`Problem::in_file`] makes an error of it.
#[derive(Debug)]
pub(crate) enum Problem {
    /// The file contradicts itself or is cut off.
    Damaged(String),
    /// The file is of a kind that is not read, with what to do about it.
    Unsupported(String),
    /// The file asks for more than the limits allow.
    TooLarge { what: String, size: u64, limit: u64 },
    /// A tensor holds a value that is not a number.
    NotFinite {
        tensor: String,
        value: f32,
        position: usize,
    },
    /// The system failed to read.
    Io(std::io::Error),
}

/// The result of a reader's step.
pub(crate) type Read<T> = Result<T, Problem>;

impl Problem {
    pub(crate) fn damaged(problem: impl Into<String>) -> Self {
        Problem::Damaged(problem.into())
    }

    pub(crate) fn unsupported(problem: impl Into<String>) -> Self {
        Problem::Unsupported(problem.into())
    }

    /// Puts the tensor's name before what is wrong with it.
    pub(crate) fn in_tensor(self, name: &str) -> Self {
        match self {
            Problem::Damaged(problem) => Problem::Damaged(format!("tensor {name}: {problem}")),
            Problem::Unsupported(problem) => {
                Problem::Unsupported(format!("tensor {name}: {problem}"))
            }
            Problem::TooLarge { what, size, limit } => Problem::TooLarge {
                what: format!("{what} of tensor {name}"),
                size,
                limit,
            },
            other => other,
        }
    }

    pub(crate) fn in_file(self, file: &str) -> WeightsError {
        let file = file.to_string();
        match self {
            Problem::Damaged(problem) => WeightsError::Damaged { file, problem },
            Problem::Unsupported(problem) => WeightsError::Unsupported { file, problem },
            Problem::TooLarge { what, size, limit } => WeightsError::TooLarge {
                file,
                what,
                size,
                limit,
            },
            Problem::NotFinite {
                tensor,
                value,
                position,
            } => WeightsError::NotFinite {
                file,
                tensor,
                value,
                position,
            },
            Problem::Io(error) => WeightsError::Io {
                path: file.into(),
                error,
            },
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Problem::Io(error)
    }
}

/// Refuses `size` above `limit`.
pub(crate) fn within(what: &str, size: u64, limit: u64) -> Read<()> {
    if size <= limit {
        return Ok(());
    }
    Err(Problem::TooLarge {
        what: what.into(),
        size,
        limit,
    })
}
