//! Named tensors and metadata, whatever file they came from.

use crate::vgg::Vgg;
use crate::{Limits, Result, WeightsError, WeightsFile};
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

    /// The VGG that is in it, and nothing else, moved: as [`WeightsFile::read_vgg`] reads it. `name` is for messages.
    ///
    /// # Errors
    /// [`WeightsError::NotVgg`].
    pub fn into_vgg(mut self, name: &str) -> Result<Self> {
        let shapes = self
            .tensors
            .iter()
            .map(|(name, tensor)| (name.as_str(), tensor.shape.as_slice()));
        let not = |problem| WeightsError::NotVgg {
            file: name.into(),
            problem,
        };
        let vgg = Vgg::find(&shapes.collect()).map_err(not)?;
        let tensors = vgg.take(name, |tensor| {
            let taken = self.tensors.remove(tensor);
            taken.ok_or_else(|| not(format!("the tensor {tensor} is missing")))
        })?;
        Ok(Self {
            tensors,
            metadata: vgg.describe(self.metadata),
        })
    }
}
