//! Named tensors and metadata, whatever file they came from.

use crate::{Result, WeightsError, safetensors};
use std::collections::BTreeMap;
use std::path::Path;

/// Bounds on what a file may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Greatest size of the file in bytes.
    pub file_bytes: u64,
    /// Greatest number of tensors.
    pub tensors: usize,
    /// Greatest size of a header in bytes.
    pub header_bytes: u64,
}

impl Default for Limits {
    /// 2 GiB, 10,000 tensors, 16 MiB of header: ten times what any VGG file needs.
    fn default() -> Self {
        Self {
            file_bytes: 2 << 30,
            tensors: 10_000,
            header_bytes: 16 << 20,
        }
    }
}

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
    /// Reads a file with the default [`Limits`].
    ///
    /// # Errors
    /// Any [`WeightsError`]; each names the file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let limits = Limits::default();
        let io = |source| WeightsError::Io {
            path: path.to_path_buf(),
            source,
        };
        let size = std::fs::metadata(path).map_err(io)?.len();
        let file = path.display().to_string();
        if size > limits.file_bytes {
            return Err(WeightsError::TooLarge {
                file,
                what: "the file".into(),
                size,
                limit: limits.file_bytes,
            });
        }
        let bytes = std::fs::read(path).map_err(io)?;
        Self::read(&bytes, &file, &limits)
    }

    /// Reads the bytes of a file; `file` is its name for messages. The format is recognised by content.
    ///
    /// # Errors
    /// Any [`WeightsError`] but `Io`.
    pub fn read(bytes: &[u8], file: &str, limits: &Limits) -> Result<Self> {
        if safetensors::looks_like(bytes) {
            return safetensors::read(bytes, file, limits);
        }
        let found = match bytes {
            [] => "an empty file",
            [b'P', b'K', ..] => "a zip archive, perhaps a PyTorch or NumPy file",
            [0x80, 2..=5, ..] => "a pickle, perhaps an old PyTorch file",
            [0x89, b'H', b'D', b'F', ..] => "an HDF5 file, perhaps from Keras",
            [b'<', ..] => "a web page",
            _ if bytes
                .iter()
                .take(512)
                .all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) =>
            {
                "text"
            }
            _ => "unknown bytes",
        };
        Err(WeightsError::UnknownFormat {
            file: file.into(),
            found: found.into(),
        })
    }
}
