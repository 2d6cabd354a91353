//! NumPy's `.npz`: a zip archive of `.npy` arrays.
//!
//! Source: NumPy's "Format for .npy files". An array starts with `\x93NUMPY`, a version, a header length, and a Python
//! literal `{'descr': '<f4', 'fortran_order': False, 'shape': (64, 3, 3, 3), }`; its bytes follow. Object arrays
//! are pickles and are not read; big-endian arrays are refused.

use super::zip::{Archive, Member};
use super::{Format, Index};
use crate::Limits;
use crate::encoding::Encoding;
use crate::entry::{Entry, Order, Place};
use crate::limits::{MAX_RANK, count};
use crate::problem::{Problem, Read, within};
use crate::source::Source;
use std::collections::BTreeMap;

pub(super) fn index<'a>(source: Source<'a>, archive: &Archive, limits: &Limits) -> Read<Index<'a>> {
    let mut entries = Vec::new();
    for (file, member) in archive.members() {
        let Some(name) = file.strip_suffix(".npy") else {
            continue;
        };
        within(
            "the number of tensors",
            entries.len() as u64 + 1,
            limits.tensors as u64,
        )?;
        entries.push(array(&source, name, member).map_err(|problem| problem.in_tensor(name))?);
    }
    Ok(Index {
        format: Format::Npz,
        source,
        entries,
        metadata: BTreeMap::new(),
        operations: vec![],
    })
}

/// The greatest header that is read; NumPy itself refuses longer ones than 10,000 bytes.
const MAX_HEADER: u64 = 16_384;

fn array(source: &Source<'_>, name: &str, member: &Member) -> Read<Entry> {
    let no_array = || Problem::damaged("it is not an array of NumPy");
    let start = member.size.min(MAX_HEADER);
    let bytes = member.read(source, 0, start, |reader| {
        let mut bytes = vec![0; start as usize];
        reader.read_exact(&mut bytes)?;
        Ok(bytes)
    })?;
    let rest = bytes.strip_prefix(b"\x93NUMPY").ok_or_else(no_array)?;
    let (length, skip) = match rest {
        [1, _, a, b, ..] => (usize::from(u16::from_le_bytes([*a, *b])), 10),
        [2 | 3, _, a, b, c, d, ..] => (u32::from_le_bytes([*a, *b, *c, *d]) as usize, 12),
        _ => return Err(no_array()),
    };
    let header = bytes
        .get(skip..)
        .and_then(|bytes| bytes.get(..length))
        .and_then(|header| std::str::from_utf8(header).ok())
        .ok_or_else(no_array)?;
    let header = Header::parse(header).ok_or_else(no_array)?;
    let encoding = match header.descr.as_str() {
        "<f2" => Encoding::F16,
        "<f4" => Encoding::F32,
        "<f8" => Encoding::F64,
        other => Encoding::Other(other.into()),
    };
    let order = match header.fortran_order {
        false => Order::RowMajor,
        true => {
            let strides: Vec<usize> = header
                .shape
                .iter()
                .scan(1usize, |step, &side| {
                    let stride = *step;
                    *step = step.saturating_mul(side);
                    Some(stride)
                })
                .collect();
            Order::of_strides(&header.shape, &strides)?
        }
    };
    let skip = (skip + length) as u64;
    if let Some(width) = encoding.width() {
        let size = count(&header.shape)
            .and_then(|count| count.checked_mul(width))
            .ok_or_else(|| Problem::damaged(format!("its shape {:?} overflows", header.shape)))?;
        if member.size - skip != size as u64 {
            return Err(Problem::damaged(format!(
                "shape {:?} needs {size} bytes, it has {}",
                header.shape,
                member.size - skip
            )));
        }
    }
    Ok(Entry {
        name: name.into(),
        shape: header.shape,
        encoding,
        order,
        place: Place::Zipped {
            member: member.clone(),
            skip,
        },
    })
}

/// What an array says of itself.
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

impl Header {
    /// Reads the literal. Its keys may come in any order; nothing else of Python is understood.
    fn parse(text: &str) -> Option<Self> {
        let after = |key: &str| {
            let rest = text.split_once(&format!("'{key}'"))?.1;
            Some(rest.trim_start().strip_prefix(':')?.trim_start())
        };
        let descr = after("descr")?;
        // A list here describes a record; its text serves as the name of a type that is not read.
        let descr = match descr.strip_prefix('\'') {
            Some(rest) => rest.split_once('\'')?.0.to_string(),
            None => "record".into(),
        };
        let fortran_order = match after("fortran_order")? {
            rest if rest.starts_with("True") => true,
            rest if rest.starts_with("False") => false,
            _ => return None,
        };
        let shape = after("shape")?.strip_prefix('(')?.split_once(')')?.0;
        let shape: Option<Vec<usize>> = shape
            .split(',')
            .map(str::trim)
            .filter(|side| !side.is_empty())
            .map(|side| side.parse().ok())
            .collect();
        let shape = shape.filter(|shape| shape.len() <= MAX_RANK)?;
        Some(Self {
            descr,
            fortran_order,
            shape,
        })
    }
}
