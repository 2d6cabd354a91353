//! Writes weights as one safetensors file, complete or not at all.
//!
//! The metadata get `sha256`: that of all bytes behind the header, so that the file can be checked without anything
//! beside it.

use crate::hash::sha256;
use crate::{Checkpoint, Result, WeightsError};
use half::f16;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How values are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Four bytes per value, without loss.
    #[default]
    F32,
    /// Two bytes per value: 11 bits of precision, up to 65504.
    F16,
}

impl Precision {
    fn width(self) -> usize {
        match self {
            Precision::F32 => 4,
            Precision::F16 => 2,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Precision::F32 => "F32",
            Precision::F16 => "F16",
        }
    }

    fn encode(self, values: &[f32]) -> Cow<'static, [u8]> {
        Cow::Owned(match self {
            Precision::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Precision::F16 => values
                .iter()
                .flat_map(|&v| f16::from_f32(v).to_le_bytes())
                .collect(),
        })
    }
}

/// Key of the hash in the metadata.
pub(crate) const SHA256: &str = "sha256";

/// Values that are converted at once.
const BLOCK: usize = 1 << 16;

/// Writes all tensors and metadata to `path` by way of a temporary name beside it.
///
/// # Errors
/// [`WeightsError::Write`]; [`WeightsError::NotInF16`] for a value beyond 65504.
pub fn write_safetensors(path: &Path, checkpoint: &Checkpoint, precision: Precision) -> Result<()> {
    let tensors = &checkpoint.tensors;
    for (name, tensor) in tensors {
        let too_large = |value: &f32| !f16::from_f32(*value).is_finite();
        if precision == Precision::F16
            && let Some(position) = tensor.values.iter().position(too_large)
        {
            return Err(WeightsError::NotInF16 {
                tensor: name.clone(),
                value: tensor.values[position],
            });
        }
    }
    let blocks = || {
        tensors
            .values()
            .flat_map(|tensor| tensor.values.chunks(BLOCK))
            .map(|block| precision.encode(block))
    };
    let mut metadata = checkpoint.metadata.clone();
    metadata.insert(SHA256.into(), sha256(blocks()));
    let header = header(
        tensors.iter().map(|(name, tensor)| Declared {
            name,
            dtype: precision.name(),
            shape: &tensor.shape,
            width: precision.width(),
        }),
        &metadata,
    );
    write_whole(path, |file| {
        file.write_all(&header)?;
        blocks().try_for_each(|block| file.write_all(&block))
    })
    .map_err(|error| WeightsError::Write {
        path: path.into(),
        error,
    })
}

/// What a header says of a tensor. No two have one name.
pub(crate) struct Declared<'d> {
    pub(crate) name: &'d str,
    /// Its type as the format calls it.
    pub(crate) dtype: &'static str,
    pub(crate) shape: &'d [usize],
    /// Bytes per value.
    pub(crate) width: usize,
}

/// All that stands before the values of tensors that lie one behind the other: the length of the JSON header and the
/// header, padded with spaces so that the values start at a multiple of eight.
pub(crate) fn header<'d>(
    tensors: impl IntoIterator<Item = Declared<'d>>,
    metadata: &BTreeMap<String, String>,
) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    header.insert("__metadata__".into(), json!(metadata));
    let mut begin = 0;
    for tensor in tensors {
        let end = begin + tensor.shape.iter().product::<usize>() * tensor.width;
        header.insert(
            tensor.name.into(),
            json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [begin, end]}),
        );
        begin = end;
    }
    let mut text = Value::Object(header).to_string();
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat()
}

/// Lets `write` fill a new file beside `path`, which then takes its name. It is removed if anything fails.
pub(crate) fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<&File>) -> io::Result<()>,
) -> io::Result<()> {
    let (temporary, file) = create_beside(path)?;
    let mut buffered = BufWriter::with_capacity(1 << 18, &file);
    let written = write(&mut buffered)
        .and_then(|()| buffered.flush())
        .and_then(|()| file.sync_all());
    drop(buffered);
    drop(file);
    let renamed = written.and_then(|()| fs::rename(&temporary, path));
    if renamed.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&temporary);
    }
    renamed
}

fn create_beside(path: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let temporary = path.with_file_name(format!(".impasto-{}-{count}.tmp", std::process::id()));
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => return opened.map(|file| (temporary, file)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WeightTensor;

    fn checkpoint(value: f32) -> Checkpoint {
        let tensor = |shape: &[usize], value: f32| WeightTensor {
            shape: shape.to_vec(),
            values: vec![value; shape.iter().product()],
        };
        Checkpoint {
            tensors: [
                ("a".to_string(), tensor(&[2, 3], 0.5)),
                ("b".to_string(), tensor(&[1], value)),
            ]
            .into(),
            metadata: [("origin".to_string(), "a test".to_string())].into(),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join("w.safetensors");
        for (precision, size) in [(Precision::F32, 28), (Precision::F16, 14)] {
            let written = checkpoint(-1.25);
            write_safetensors(&path, &written, precision).unwrap();
            let read = Checkpoint::open(&path).unwrap();
            assert_eq!(read.tensors, written.tensors);
            assert_eq!(read.metadata["origin"], "a test");
            let bytes = fs::read(&path).unwrap();
            let data = &bytes[bytes.len() - size..];
            assert_eq!(read.metadata[SHA256], sha256([Cow::Borrowed(data)]));
            assert_eq!((bytes.len() - size) % 8, 0);
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_f16_cannot_hold_is_refused_and_nothing_is_left() {
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join("w.safetensors");
        let error = write_safetensors(&path, &checkpoint(1e6), Precision::F16).unwrap_err();
        assert!(error.to_string().contains("tensor b"), "{error}");
        let missing = folder.path().join("nowhere").join("w.safetensors");
        assert!(write_safetensors(&missing, &checkpoint(1.0), Precision::F32).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
