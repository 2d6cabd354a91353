//! TensorFlow.js: a `model.json` whose `weightsManifest` names the shards beside it.
//!
//! Source: the TensorFlow.js converter's README, "Format conversion". A group's shards, one behind the other, are the
//! bytes of its weights in order, without gaps. Quantised weights are whole numbers of one or two bytes, or f16.
//! Shards are looked for beside `model.json` only: a path that leads elsewhere is refused.
//!
//! Its predecessor deeplearn.js had a `manifest.json` that maps each tensor's name to its shape and to a file of its own, of f32;
//! that is read as so many groups of one weight.

use super::{Beside, Format, Index};
use crate::Limits;
use crate::encoding::Encoding;
use crate::entry::{Entry, Order, Place};
use crate::limits::{MAX_RANK, count};
use crate::problem::{Problem, Read, within};
use crate::source::Source;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Deserialize)]
struct Model {
    #[serde(rename = "weightsManifest")]
    manifest: Option<Vec<Group>>,
}

#[derive(Deserialize)]
struct Group {
    paths: Vec<String>,
    weights: Vec<Weight>,
}

#[derive(Deserialize)]
struct Weight {
    name: String,
    shape: Vec<u64>,
    dtype: String,
    quantization: Option<Quantization>,
}

#[derive(Deserialize)]
struct Quantization {
    dtype: String,
    #[serde(default)]
    scale: f32,
    #[serde(default)]
    min: f32,
}

/// A tensor of deeplearn.js.
#[derive(Deserialize)]
struct Alone {
    filename: String,
    shape: Vec<u64>,
}

/// The groups of a manifest of deeplearn.js, if the JSON is one.
fn alone(text: &[u8]) -> Option<Vec<Group>> {
    let tensors: BTreeMap<String, Alone> = serde_json::from_slice(text).ok()?;
    let groups = tensors.into_iter().map(|(name, tensor)| Group {
        paths: vec![tensor.filename],
        weights: vec![Weight {
            name,
            shape: tensor.shape,
            dtype: "float32".into(),
            quantization: None,
        }],
    });
    Some(groups.collect())
}

/// The index, or `None` if the JSON is something else.
pub(super) fn index<'a>(
    source: Source<'a>,
    beside: Beside<'_, 'a>,
    limits: &Limits,
) -> Read<Option<Index<'a>>> {
    within("the JSON file", source.len(), limits.header_bytes)?;
    let text = source.bytes(0, source.len())?;
    let model: Model = serde_json::from_slice(&text)
        .map_err(|error| Problem::damaged(format!("its JSON: {error}")))?;
    let Some(manifest) = model.manifest.or_else(|| alone(&text)) else {
        return Ok(None);
    };
    let mut bytes = Source::default();
    let mut entries = Vec::new();
    let mut names = BTreeSet::new();
    let mut shards = BTreeSet::new();
    for group in manifest {
        let mut at = bytes.len();
        for path in group.paths {
            within(
                "the number of shards",
                shards.len() as u64 + 1,
                limits.tensors as u64,
            )?;
            if path.is_empty() || path.starts_with('.') || path.contains(['/', '\\', ':', '\0']) {
                return Err(Problem::unsupported(format!(
                    "its shard {path:?} does not lie beside it; put all files into one folder"
                )));
            }
            if shards.contains(&path) {
                return Err(Problem::damaged(format!("its shard {path} is there twice")));
            }
            bytes.append(beside(&path)?);
            shards.insert(path);
            within("the size of all shards", bytes.len(), limits.file_bytes)?;
        }
        for weight in group.weights {
            within(
                "the number of tensors",
                entries.len() as u64 + 1,
                limits.tensors as u64,
            )?;
            let name = weight.name.clone();
            let (entry, size) = entry(weight, at).map_err(|problem| problem.in_tensor(&name))?;
            bytes
                .inside(at, size)
                .map_err(|problem| problem.in_tensor(&name))?;
            if !names.insert(name) {
                return Err(Problem::damaged(format!(
                    "two tensors are called {}",
                    entry.name
                )));
            }
            at += size;
            entries.push(entry);
        }
        if at != bytes.len() {
            return Err(Problem::damaged(format!(
                "its shards have {} bytes, its weights need {at}",
                bytes.len()
            )));
        }
    }
    Ok(Some(Index {
        format: Format::Tfjs,
        source: bytes,
        entries,
        metadata: BTreeMap::new(),
        operations: vec![],
    }))
}

/// A weight that starts at `offset`, and its number of bytes.
fn entry(weight: Weight, offset: u64) -> Read<(Entry, u64)> {
    let (encoding, width) = match (weight.dtype.as_str(), &weight.quantization) {
        ("float32", None) => (Encoding::F32, 4),
        ("float32", Some(quantization)) => {
            let Quantization { scale, min, .. } = *quantization;
            let width = match quantization.dtype.as_str() {
                "uint8" => 1,
                "uint16" => 2,
                "float16" => 0,
                other => {
                    return Err(Problem::unsupported(format!(
                        "values quantised to {other} cannot be read"
                    )));
                }
            };
            match width {
                0 => (Encoding::F16, 2),
                _ => (Encoding::Quantised { width, scale, min }, width),
            }
        }
        ("int32", None) => (Encoding::Other("int32".into()), 4),
        ("bool" | "uint8", None) => (Encoding::Other(weight.dtype.clone()), 1),
        // Their length is not known from their shape, so nothing behind them could be found.
        (other, _) => {
            return Err(Problem::unsupported(format!(
                "values of type {other} cannot be read"
            )));
        }
    };
    let overflows = || {
        Problem::damaged(format!(
            "its shape {:?} overflows or has more than {MAX_RANK} dimensions",
            weight.shape
        ))
    };
    let sides = weight.shape.iter().map(|&side| usize::try_from(side).ok());
    let shape: Vec<usize> = sides.collect::<Option<_>>().ok_or_else(overflows)?;
    let size = count(&shape)
        .and_then(|count| count.checked_mul(width))
        .ok_or_else(overflows)?;
    let entry = Entry {
        name: weight.name,
        shape,
        encoding,
        order: Order::RowMajor,
        place: Place::Stored(offset),
    };
    Ok((entry, size as u64))
}
