//! The formats, one file each. A reader turns a [`Source`] into an [`Index`]: what tensors there are and where they
//! lie, all of it checked. Values are read afterwards, the same way for all formats ([`crate::entry`]).

pub(crate) mod hdf5;
mod npz;
mod onnx;
mod pickle;
mod pytorch;
pub(crate) mod safetensors;
mod tfjs;
mod tflite;
pub(crate) mod zip;

use crate::Limits;
use crate::entry::Entry;
use crate::problem::{Problem, Read};
use crate::source::Source;
use std::collections::BTreeMap;
use std::fmt;

/// The kinds of file that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// safetensors.
    Safetensors,
    /// PyTorch since 1.6: a zip archive.
    PytorchZip,
    /// PyTorch before 1.6, and torchvision's VGG files: a row of pickles, then bytes.
    PytorchLegacy,
    /// NumPy's archive of arrays.
    Npz,
    /// HDF5 as Keras writes it, also inside a `.keras` archive.
    Hdf5,
    /// TensorFlow.js: `model.json` with shards beside it.
    Tfjs,
    /// ONNX, one file.
    Onnx,
    /// TensorFlow Lite.
    Tflite,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Safetensors => "safetensors",
            Format::PytorchZip => "PyTorch (zip)",
            Format::PytorchLegacy => "PyTorch (legacy)",
            Format::Npz => "NumPy npz",
            Format::Hdf5 => "Keras HDF5",
            Format::Tfjs => "TensorFlow.js",
            Format::Onnx => "ONNX",
            Format::Tflite => "TensorFlow Lite",
        })
    }
}

/// What a file holds.
#[derive(Clone, Debug)]
pub(crate) struct Index<'a> {
    pub(crate) format: Format,
    /// The bytes that the entries' places mean.
    pub(crate) source: Source<'a>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) metadata: BTreeMap<String, String>,
    /// The operations that it is made of, each once, where the file says that.
    pub(crate) operations: Vec<String>,
}

/// Finds a file that lies beside the one being read, by its plain name.
pub(crate) type Beside<'b, 'a> = &'b dyn Fn(&str) -> Read<Source<'a>>;

/// What bytes are, by their content.
enum Kind {
    Known(Format),
    Zip,
    Foreign(&'static str),
}

fn kind(start: &[u8]) -> Kind {
    if safetensors::looks_like(start) {
        return Kind::Known(Format::Safetensors);
    }
    let text = start
        .iter()
        .all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace());
    // A shard may begin with any byte, but its numbers are no text.
    let binary = |b: &u8| b.is_ascii_control() && !b.is_ascii_whitespace();
    let braced = start.trim_ascii_start().starts_with(b"{");
    Kind::Foreign(match start {
        [] => "an empty file",
        [b'P', b'K', 3, 4, ..] => return Kind::Zip,
        [0x80, 2..=5, ..] => return Kind::Known(Format::PytorchLegacy),
        _ if tflite::looks_like(start) => return Kind::Known(Format::Tflite),
        _ if onnx::looks_like(start) => return Kind::Known(Format::Onnx),
        _ if start.starts_with(hdf5::SIGNATURE) => return Kind::Known(Format::Hdf5),
        _ if braced && !start.iter().any(binary) => return Kind::Known(Format::Tfjs),
        _ if start.starts_with(b"version https://git-lfs") => {
            "a Git LFS pointer; the file that it points to was not fetched"
        }
        _ if start.starts_with(b"MATLAB") => "a MATLAB file",
        _ if start.starts_with(&[0x1f, 0x8b]) => "a gzip file; unpack it first",
        _ if start.get(257..262) == Some(b"ustar") => "a tar archive; unpack it first",
        _ if start.trim_ascii_start().starts_with(b"<") => "a web page",
        _ if text => "text",
        _ => "unknown bytes",
    })
}

/// The length of a safetensors file's JSON header, from the file's first bytes; `None` if it is another file.
pub(crate) fn safetensors_header(start: &[u8]) -> Option<u64> {
    match safetensors::looks_like(start) {
        true => safetensors::header_length(start),
        false => None,
    }
}

/// The first bytes of a file, by which its format is told.
pub(crate) const TELLING: u64 = 512;

/// Reads what a file holds. The error of a foreign file is its kind.
pub(crate) fn index<'a>(
    source: Source<'a>,
    beside: Beside<'_, 'a>,
    limits: &Limits,
) -> Read<Result<Index<'a>, String>> {
    let start = source.bytes(0, source.len().min(TELLING))?;
    let index = match kind(&start) {
        Kind::Foreign(found) => return Ok(Err(found.into())),
        Kind::Known(Format::Safetensors) => safetensors::index(source, limits)?,
        Kind::Known(Format::PytorchLegacy) => pytorch::legacy(source, limits)?,
        Kind::Known(Format::Hdf5) => hdf5::index(source, limits)?,
        Kind::Known(Format::Onnx) => onnx::index(source, limits)?,
        Kind::Known(Format::Tflite) => tflite::index(source, limits)?,
        Kind::Known(_) => match tfjs::index(source, beside, limits)? {
            Some(index) => index,
            None => return Ok(Err("a JSON file without a weightsManifest".into())),
        },
        Kind::Zip => {
            let archive = zip::Archive::open(&source, limits)?;
            let ends = |suffix: &str| archive.members().any(|(name, _)| name.ends_with(suffix));
            if ends("data.pkl") {
                pytorch::zipped(source, &archive, limits)?
            } else if ends(".npy") {
                npz::index(source, &archive, limits)?
            } else if let Some(member) = archive.get("model.weights.h5") {
                hdf5::index(member.whole(&source)?, limits)?
            } else {
                return Ok(Err("a zip archive without weights".into()));
            }
        }
    };
    if index.entries.is_empty() {
        return Err(Problem::damaged("it holds no tensors"));
    }
    Ok(Ok(index))
}
