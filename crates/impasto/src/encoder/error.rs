//! Why a file is not an encoder, or an encoder not found.

use impasto_weights::WeightsError;

/// Why a file is not an encoder, or an encoder not found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncoderError {
    /// The file could not be read, holds another kind of network, or is not installed.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// No file and no known encoder of this name.
    #[error("there is no encoder {name:?}: it is neither a file nor one of {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// What could have been.
        known: String,
    },
    /// The heads are not those of an encoder.
    #[error("{file} does not hold a VGG-shaped encoder: {problem}")]
    NotAnEncoder {
        /// The file.
        file: String,
        /// What was missing or does not fit.
        problem: String,
    },
    /// The encoder has no such layer.
    #[error("{encoder} has no layer {layer}; it has {available}")]
    NoSuchLayer {
        /// The encoder.
        encoder: String,
        /// The layer that was asked for.
        layer: String,
        /// Those that it has.
        available: String,
    },
}
