//! What can go wrong with a checkpoint.

use super::Difference;
use std::io;
use std::path::{Path, PathBuf};

/// Why a checkpoint could not be saved or used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// It could not be written; the one before is untouched.
    #[error("cannot save the checkpoint {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could not be read.
    #[error("cannot read the checkpoint {}: {source}; check the folder and its permissions", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could not be removed.
    #[error("cannot remove {}: {source}; it is no longer needed, remove it by hand", path.display())]
    Remove {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is in a format of another version of the program.
    #[error(
        "the checkpoint {} was saved by another version of impasto; \
         finish the run with that version, or remove the file and begin anew",
        path.display()
    )]
    OtherVersion {
        /// The file.
        path: PathBuf,
    },
    /// It was cut short or changed, or is of another kind.
    #[error("the checkpoint {} is damaged: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// There are checkpoints, but none of this job.
    #[error(
        "cannot resume: the checkpoint {} is of another job: {}",
        path.display(), list(differences)
    )]
    OtherJob {
        /// The file that comes closest.
        path: PathBuf,
        /// What is different about its job.
        differences: Vec<Difference>,
    },
}

impl CheckpointError {
    pub(super) fn read(path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => CheckpointError::Damaged {
                path: path.into(),
                what: "it was cut short".into(),
            },
            _ => CheckpointError::Read {
                path: path.into(),
                source,
            },
        }
    }
}

fn list(differences: &[Difference]) -> String {
    let differences: Vec<_> = differences.iter().map(ToString::to_string).collect();
    differences.join("; ")
}
