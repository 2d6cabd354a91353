//! Named tensors and metadata, whatever file they came from.

use crate::{Limits, Result, WeightsFile};
use std::collections::BTreeMap;
use std::path::Path;

/// One tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightTensor {
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values; all are finite.
    pub values: Vec<f32>,
}

/// The content of a file of weights.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The tensors by name.
    pub tensors: BTreeMap<String, WeightTensor>,
    /// What the file says of itself.
    pub metadata: BTreeMap<String, String>,
}

impl Checkpoint {
    /// Reads all tensors of a file, with the default [`Limits`]. Those of whole numbers are left out.
    ///
    /// # Errors
    /// Any [`WeightsError`](crate::WeightsError); each names the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        WeightsFile::open(path, &Limits::default())?.read_all(|_| true)
    }

    /// Reads the bytes of a file; `file` is its name for messages. The format is recognised by content.
    ///
    /// # Errors
    /// Any [`WeightsError`](crate::WeightsError).
    pub fn read(bytes: &[u8], file: &str, limits: &Limits) -> Result<Self> {
        WeightsFile::from_bytes(bytes, file, limits)?.read_all(|_| true)
    }
}
