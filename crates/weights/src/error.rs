//! What can be wrong with a file of weights.
//!
//! What the system said is part of a message; it is not given as a source as well.

use crate::{Advice, networks, registry};
use std::io;
use std::path::PathBuf;

/// The result of reading weights.
pub type Result<T> = std::result::Result<T, WeightsError>;

/// What can be wrong with a file of weights; variants by what the reader can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file could not be read.
    #[error("cannot read {}: {}", path.display(), read_advice(error))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file could not be written or removed.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file, or its folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The content is of no format that is known.
    #[error(
        "{file} is not a file of weights that impasto knows (found {found}); use safetensors, PyTorch .pth, Keras .h5, NumPy .npz, TensorFlow.js model.json, ONNX or TensorFlow Lite"
    )]
    UnknownFormat {
        /// The file's name.
        file: String,
        /// What it looks like.
        found: String,
    },
    /// The file contradicts itself or is cut off.
    #[error("the weights {file} are damaged: {problem}; fetch the file again")]
    Damaged {
        /// The file's name.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The file is of a known format, but written in a way that is not read.
    #[error("the weights {file} cannot be read: {problem}")]
    Unsupported {
        /// The file's name.
        file: String,
        /// What is in the way, and the way out.
        problem: String,
    },
    /// The tensors are those of another kind of network.
    #[error("{file} does not hold a VGG-shaped encoder: {problem}")]
    NotVgg {
        /// The file's name.
        file: String,
        /// What was missing or does not fit.
        problem: String,
    },
    /// The tensors are those of another network than the one whose name they would get.
    #[error("{file} holds {found}, which is not {name} ({expected})")]
    OtherNetwork {
        /// The file's name.
        file: String,
        /// The network in it.
        found: String,
        /// The known model.
        name: String,
        /// The network that the model is.
        expected: String,
    },
    /// The file is larger than the limit.
    #[error("the weights {file} are refused: {what} is {size}, the limit is {limit}")]
    TooLarge {
        /// The file's name.
        file: String,
        /// What is too large.
        what: String,
        /// How large it is.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// A tensor holds values that are not numbers.
    #[error(
        "the weights {file} are refused: tensor {tensor} holds {value} at position {position}; fetch the file again"
    )]
    NotFinite {
        /// The file's name.
        file: String,
        /// The tensor.
        tensor: String,
        /// The value.
        value: f32,
        /// Its position in the tensor.
        position: usize,
    },
    /// A value is too large to be written with two bytes.
    #[error("tensor {tensor} holds {value}, which f16 cannot hold; use f32")]
    NotInF16 {
        /// The tensor.
        tensor: String,
        /// The value.
        value: f32,
    },
    /// A name that cannot be a file's on every system, or that is taken.
    #[error(
        "{name:?} cannot be a model's name: use 1 to 64 of a-z, 0-9, dot, hyphen and underscore, starting with a letter or digit (lite is taken)"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// The platform has no folder for data.
    #[error("there is no folder for models")]
    NoFolder,
    /// A model that is not on this machine.
    #[error("the weights of {name} are not installed (expected at {})", expected.display())]
    NotInstalled {
        /// The model.
        name: String,
        /// Where its file belongs.
        expected: PathBuf,
    },
    /// A model of this name is there already.
    #[error("{name} is installed already ({})", path.display())]
    Exists {
        /// The model.
        name: String,
        /// Its file.
        path: PathBuf,
    },
    /// A file is not the one that is known under the name that it would get.
    #[error(
        "{} is another file than the one that is known as {name} (its SHA-256 is {found}, not {expected}…); fetch it again", path.display()
    )]
    OtherFile {
        /// The file.
        path: PathBuf,
        /// The known network.
        name: String,
        /// The hash that it should have, or its first digits.
        expected: String,
        /// The hash that it has.
        found: String,
    },
    /// An installed file is no longer what was written.
    #[error(
        "{} has changed since it was installed (SHA-256 {found}, was {expected}): remove it and install it again", path.display()
    )]
    Changed {
        /// The file.
        path: PathBuf,
        /// The hash that it carries.
        expected: String,
        /// The hash that it has.
        found: String,
    },
}

impl WeightsError {
    /// What the user can do, where that is up to the program that is used. Everything else is part of the message.
    pub fn advice(&self) -> Option<Advice> {
        Some(match self {
            WeightsError::Write { error, .. } => Advice::of_folder(error),
            WeightsError::OtherNetwork { .. } => Advice::ImportUnderOwnName,
            WeightsError::NoFolder => Advice::NameFolder,
            WeightsError::NotInstalled { name, .. } => {
                let name = name.clone();
                let models = registry::models().iter().map(|model| model.name);
                let networks = networks().iter().map(|network| network.name);
                let known: Vec<_> = models.chain(networks).collect();
                match known.contains(&name.as_str()) {
                    true => Advice::Pull { model: name },
                    false => Advice::Import { name, known },
                }
            }
            WeightsError::Exists { .. } => Advice::Replace,
            _ => return None,
        })
    }
}

/// What is wrong with a file that cannot be read, and what to do.
fn read_advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => {
            "there is no such file; check the name and the folder".to_string()
        }
        io::ErrorKind::IsADirectory => "it is a folder; name the file in it".to_string(),
        io::ErrorKind::PermissionDenied => {
            "you may not read it; change its permissions or copy it".to_string()
        }
        io::ErrorKind::OutOfMemory => {
            "there is not enough memory for it; close other programs".to_string()
        }
        _ => format!("{error}; fetch it again, or copy it to another disk"),
    }
}
