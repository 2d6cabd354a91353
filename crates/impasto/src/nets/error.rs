//! Why files are not a network that paints.

use crate::encoder::EncoderError;
use impasto_compute::ComputeError;
use impasto_weights::WeightsError;

/// Why files are not a network that paints, or one is not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NetError {
    /// A file could not be read: it is damaged, too large, of no known format, or has numbers that are none.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The encoder of the network could not be made.
    #[error(transparent)]
    Encoder(#[from] EncoderError),
    /// There is neither a file nor a folder nor a network of this name.
    #[error("there is no network {name:?}: it is neither a file, nor a folder, nor one of {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What could have been.
        known: String,
    },
    /// A known network that is not on this machine.
    #[error("the network {name} is not installed")]
    NotInstalled {
        /// The network.
        name: String,
    },
    /// A folder without a single file of weights.
    #[error("{folder} has no file of weights in it; name the file or the folder that has them")]
    Empty {
        /// The folder.
        folder: String,
    },
    /// The file is a network that looks at pictures.
    #[error("{file} is an encoder ({found}): it looks at pictures and makes none")]
    IsEncoder {
        /// The file.
        file: String,
        /// What it is.
        found: String,
    },
    /// The tensors are those of no network that is known.
    #[error(
        "{file} is no network that impasto knows: its tensors are called {tensors}; known are {known}"
    )]
    Foreign {
        /// The file, or the folder.
        file: String,
        /// Some of its tensors.
        tensors: String,
        /// The families that are known.
        known: String,
    },
    /// The file is a graph with an operation that none of the networks here has.
    #[error(
        "{file} has the operation {operation}, which none of the networks that impasto knows has: it is another network; known are {known}"
    )]
    Operation {
        /// The file.
        file: String,
        /// The first such operation.
        operation: String,
        /// The families that are known.
        known: String,
    },
    /// Some of the files of a network are there, others not.
    #[error(
        "{place} has {found} of {network}, but not {missing}; put all its files into one folder and name that"
    )]
    Incomplete {
        /// The file, or the folder.
        place: String,
        /// What is there.
        found: String,
        /// The network.
        network: &'static str,
        /// What is not.
        missing: String,
    },
    /// A folder has more than one network.
    #[error("{folder} has several networks ({found}); name the file of one")]
    Several {
        /// The folder.
        folder: String,
        /// What is there.
        found: String,
    },
    /// A tensor of the network is missing.
    #[error(
        "{file} looks like {network}, but has no tensor {tensor}: it is incomplete or another network of that kind; fetch the file again"
    )]
    Missing {
        /// The file.
        file: String,
        /// What it looks like.
        network: &'static str,
        /// The tensor.
        tensor: String,
    },
    /// A tensor has another shape than the network's.
    #[error(
        "{file} looks like {network}, but its tensor {tensor} has the shape {got:?} instead of {expected}: it is another network of that kind, which cannot be run"
    )]
    Shape {
        /// The file.
        file: String,
        /// What it looks like.
        network: &'static str,
        /// The tensor.
        tensor: String,
        /// Its shape.
        got: Vec<usize>,
        /// What it should be.
        expected: String,
    },
    /// The layers do not fit each other.
    #[error("{file} looks like {network}, but its layers do not fit each other: {problem}")]
    Graph {
        /// The file.
        file: String,
        /// What it looks like.
        network: &'static str,
        /// What does not fit.
        problem: ComputeError,
    },
    /// Which of two equal parts a file is cannot be told.
    #[error("{place}: which file is the {parts} cannot be told from their tensors; call them so")]
    Alike {
        /// The folder.
        place: String,
        /// The parts.
        parts: &'static str,
    },
    /// A style that a network does not have.
    #[error("{network} has no style {index}; it has {count}, from 0")]
    NoSuchStyle {
        /// The network.
        network: String,
        /// What was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
}
