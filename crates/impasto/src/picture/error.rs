//! What can go wrong with a picture, each with its path and what to do next, in one line.

use std::io;
use std::path::{Path, PathBuf};

/// Why a picture could not be read, made or written.
///
/// `name` is the path as the caller gave it, or the name passed to
/// [`Picture::decode`](super::Picture::decode).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// No file of that name exists.
    #[error("cannot read {}: there is no such file; check the name and the folder", path.display())]
    Missing {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The path is a folder.
    #[error("cannot read {}: it is a folder; name a picture inside it", path.display())]
    Folder {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The path is a folder that pictures were looked for in, and there are none.
    #[error("cannot read {}: it is a folder without a picture in it", path.display())]
    NoPictures {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// The file exists and could not be read.
    #[error("cannot read {}: {source}; {}", path.display(), read_hint(source))]
    Read {
        /// The path that was asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file has no bytes.
    #[error("cannot read {name}: the file is empty (0 bytes); copy or download it again")]
    Empty {
        /// The name of the picture.
        name: String,
    },
    /// The content is none of the formats that are read.
    #[error("cannot read {name}: it is not a picture impasto knows (found {found}); {way_out}")]
    Unknown {
        /// The name of the picture.
        name: String,
        /// What the first bytes look like.
        found: &'static str,
        /// What makes a picture of it that can be read, in words, with other programs' commands.
        way_out: &'static str,
    },
    /// The format is known, this kind of it is not. The file may well be whole.
    #[error(
        "cannot read {name}: this kind of {format} is not supported ({what}); \
         make a PNG of it with `magick FILE FILE.png` or the program that made it"
    )]
    Unsupported {
        /// The name of the picture.
        name: String,
        /// The format found in the content.
        format: &'static str,
        /// The feature that is missing.
        what: String,
    },
    /// The file ends early or contradicts itself.
    #[error(
        "cannot read {name}: the {format} data is damaged or cut short ({what}); \
         copy or download it again"
    )]
    Damaged {
        /// The name of the picture.
        name: String,
        /// The format found in the content.
        format: &'static str,
        /// What the decoder stumbled over.
        what: String,
    },
    /// The picture is larger than the [`Limits`](super::Limits) allow.
    #[error(
        "cannot read {name}: {what} is {value}, more than the limit {limit} of {allowed}; \
         make it smaller first, or raise the limit"
    )]
    Limit {
        /// The name of the picture.
        name: String,
        /// What was measured, with the size of the picture where it is known.
        what: String,
        /// The field of [`Limits`](super::Limits) that refused it.
        limit: &'static str,
        /// What the file declares.
        value: u64,
        /// What the limit allows.
        allowed: u64,
    },
    /// The machine would not give the memory for the pixels.
    #[error("cannot read {name}: no memory for its {bytes} bytes of pixels; make it smaller first")]
    Memory {
        /// The name of the picture.
        name: String,
        /// How many bytes were asked for.
        bytes: u64,
    },
    /// The sides and the number of values do not belong together, or a side is zero.
    #[error("a picture of {width}×{height} needs {expected} values of {what}, got {got}")]
    Shape {
        /// The plane or planes that do not fit.
        what: &'static str,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The number of values that belong to this size, at least 1.
        expected: usize,
        /// The number of values that were passed.
        got: usize,
    },
    /// The name of the file to write does not say a format that can be written.
    #[error(
        "cannot write {}: {found}; use .png, .jpg, .webp or .tif at the end of the name",
        path.display()
    )]
    Extension {
        /// The path to write.
        path: PathBuf,
        /// What the name says instead.
        found: String,
    },
    /// The format cannot hold a picture of this size.
    #[error(
        "cannot write {width}×{height} pixels as {format}, whose sides are at most {limit}; use PNG or TIFF"
    )]
    TooLarge {
        /// The format to write.
        format: &'static str,
        /// Columns.
        width: usize,
        /// Rows.
        height: usize,
        /// The longest side that the format holds.
        limit: usize,
    },
    /// The encoder failed.
    #[error("cannot encode the picture as {format}: {what}; try another format")]
    Encode {
        /// The format to write.
        format: &'static str,
        /// What the encoder said.
        what: String,
    },
    /// The file could not be written. Nothing is left behind under its name.
    #[error("cannot write {}: {source}; {}", path.display(), write_hint(path, source))]
    Write {
        /// The path to write.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

fn read_hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied => "check the permissions of the file and its folder",
        io::ErrorKind::InvalidInput => "check the name",
        _ => "check the disk or copy the file again",
    }
}

fn write_hint(path: &Path, source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "choose a folder that you may write to"
        }
        io::ErrorKind::NotFound => "create the folder first or choose another one",
        io::ErrorKind::NotADirectory => "a part of the path is a file; choose another folder",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or choose another disk"
        }
        io::ErrorKind::IsADirectory => "it is a folder; add a file name",
        _ if path.is_dir() => "it is a folder; add a file name",
        _ => "check the disk or choose another folder",
    }
}
