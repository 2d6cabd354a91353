//! What can go wrong, and what can be done about it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The result of a call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong with moving pictures; [`Error::advice`] says what the user can do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file could not be read.
    #[error("{}: cannot be read: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
    /// A file could not be written.
    #[error("{}: cannot be written: {reason}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: std::io::Error,
    },
    /// The bytes are no moving picture of a kind that is known here.
    #[error("{}: this is no moving picture that can be read here", path.display())]
    NotVideo {
        /// The file.
        path: PathBuf,
        /// Whether ffmpeg, which knows more kinds, is there.
        ffmpeg: bool,
    },
    /// The file is whole, but holds what cannot be decoded here.
    #[error("{}: {what} cannot be read here", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// What it holds: `10-bit H.264`, `HEVC`.
        what: String,
        /// Whether ffmpeg, which can decode it, is there.
        ffmpeg: bool,
    },
    /// The file contradicts itself or ends too early.
    #[error("{}: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, in a few words.
        what: String,
    },
    /// The file has no frames.
    #[error("{}: there are no frames in it", path.display())]
    Empty {
        /// The file, folder or pattern.
        path: PathBuf,
    },
    /// It is a picture that does not move.
    #[error("{}: this is a picture that does not move", path.display())]
    Still {
        /// The file.
        path: PathBuf,
    },
    /// A picture of a folder could not be decoded by the caller's decoder.
    #[error("{}: {what}", path.display())]
    Picture {
        /// The picture.
        path: PathBuf,
        /// What its decoder said.
        what: String,
    },
    /// There is no frame of this number.
    #[error("there is no frame {number}; the last one is {last}")]
    NoSuchFrame {
        /// What was asked for, from 0.
        number: u64,
        /// The last that there is.
        last: u64,
    },
    /// What is read cannot be read again from its start.
    #[error("a pipe cannot be read backwards (frame {number} has passed)")]
    Backwards {
        /// What was asked for, from 0.
        number: u64,
    },
    /// A frame has another size than those before.
    #[error("frame {number} has {} × {} px and those before {} × {} px", is.0, is.1, was.0, was.1)]
    OtherSize {
        /// The frame, from 0.
        number: u64,
        /// Width and height of those before.
        was: (usize, usize),
        /// Its width and height.
        is: (usize, usize),
    },
    /// A frame does not follow those before in time, or has a picture that is none.
    #[error("frame {number} cannot be written: {what}")]
    BadFrame {
        /// The frame, from 0.
        number: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// The name of an output does not say which kind of file is wanted.
    #[error("{}: its ending does not say what to write; there are .mp4, .gif, .png, .y4m and patterns like %04d.png", path.display())]
    UnknownOutput {
        /// The output.
        path: PathBuf,
    },
    /// What is to be written does not allow what is asked for.
    #[error("{what}")]
    CannotWrite {
        /// What is not possible.
        what: String,
    },
    /// What a run left unfinished belongs to another one.
    #[error("{} was begun by another run", part.display())]
    OtherRun {
        /// What was left.
        part: PathBuf,
    },
    /// Another process is writing the very output.
    #[error("{} is being written by another run", part.display())]
    InUse {
        /// What that run has finished.
        part: PathBuf,
    },
    /// ffmpeg is asked for and not there.
    #[error("there is no ffmpeg: {what}")]
    NoFfmpeg {
        /// Where it was looked for.
        what: String,
    },
    /// ffmpeg refused.
    #[error("ffmpeg: {what}")]
    Ffmpeg {
        /// The last lines of what it said.
        what: String,
    },
    /// A codec of another crate failed in a way that it should not.
    #[error("the {codec} has a fault that this file meets: {what}")]
    Fault {
        /// Which one: `decoder of H.264`.
        codec: &'static str,
        /// What it said.
        what: String,
    },
}

/// What the user can do about an [`Error`]; each program has its own words for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Advice {
    /// Install ffmpeg, which reads nearly everything, so that it is on the path.
    InstallFfmpeg,
    /// ffmpeg is there and can read or write this: choose it, or let it be chosen.
    UseFfmpeg,
    /// Get or copy the file anew: it is cut off or damaged.
    GetFileAnew,
    /// Take an ending that says what is to be written.
    NameOutput,
    /// Begin anew, or go on with the options of the run that was begun.
    BeginAnew,
    /// The disk is full: free some space, or write elsewhere.
    FreeSpace,
    /// Write where that is allowed.
    OtherPlace,
    /// Wait for the other run, or write elsewhere.
    OtherOutput,
}

impl Error {
    /// What the user can do.
    pub fn advice(&self) -> Option<Advice> {
        match self {
            Error::NotVideo { ffmpeg, .. } | Error::Unsupported { ffmpeg, .. } if *ffmpeg => {
                Some(Advice::UseFfmpeg)
            }
            Error::NotVideo { .. } | Error::Unsupported { .. } | Error::NoFfmpeg { .. } => {
                Some(Advice::InstallFfmpeg)
            }
            Error::Damaged { .. } | Error::Fault { .. } => Some(Advice::GetFileAnew),
            Error::UnknownOutput { .. } => Some(Advice::NameOutput),
            Error::OtherRun { .. } => Some(Advice::BeginAnew),
            Error::InUse { .. } => Some(Advice::OtherOutput),
            Error::Write { reason, .. } => match reason.kind() {
                ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
                    Some(Advice::FreeSpace)
                }
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                    Some(Advice::OtherPlace)
                }
                _ => None,
            },
            _ => None,
        }
    }

    pub(crate) fn read(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
        move |reason| Error::Read {
            path: path.to_owned(),
            reason,
        }
    }

    pub(crate) fn write(path: &Path) -> impl Fn(std::io::Error) -> Error + '_ {
        move |reason| Error::Write {
            path: path.to_owned(),
            reason,
        }
    }

    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Error {
        Error::Damaged {
            path: path.to_owned(),
            what: what.into(),
        }
    }

    pub(crate) fn unsupported(path: &Path, what: impl Into<String>) -> Error {
        Error::Unsupported {
            path: path.to_owned(),
            what: what.into(),
            ffmpeg: false,
        }
    }

    /// Whether ffmpeg may know more than what refused.
    pub(crate) fn is_beyond_us(&self) -> bool {
        matches!(self, Error::NotVideo { .. } | Error::Unsupported { .. })
    }

    /// Notes that ffmpeg is there.
    pub(crate) fn with_ffmpeg(mut self) -> Error {
        if let Error::NotVideo { ffmpeg, .. } | Error::Unsupported { ffmpeg, .. } = &mut self {
            *ffmpeg = true;
        }
        self
    }
}
