//! HDF5, as much of it as Keras and h5py write for weights.
//!
//! Source: The HDF Group's "HDF5 File Format Specification Version 3.0". Read are superblocks 0 to 3, object headers
//! 1 and 2, groups of both kinds with their links inside the header or in a symbol table, and datasets of
//! little-endian IEEE floats that are compact, contiguous or chunked (deflate, shuffle, Fletcher-32).
//! Refused with a way out: links in a fractal heap and the chunk indices of `libver="latest"`, which Keras never
//! uses; data in other files; soft and external links are passed over. Attributes are not read.
//!
//! All structures are read through one [`Metadata`], which has a budget: whatever the file's pointers do, in
//! circles or in long chains, the work ends when the budget of bytes is spent.

mod chunks;
mod dataset;
mod group;
mod object;

pub(crate) use chunks::Chunked;

use super::{Format, Index};
use crate::Limits;
use crate::entry::{Place, refuse_overlaps};
use crate::problem::{Problem, Read, within};
use crate::source::Source;
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

/// The first bytes of every file.
pub(super) const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";

/// An address that means nothing is there.
const UNDEFINED: u64 = u64::MAX;

/// How deep groups may lie in groups; Keras' files have four levels.
const MAX_DEPTH: usize = 12;

pub(super) fn index<'a>(source: Source<'a>, limits: &Limits) -> Read<Index<'a>> {
    let metadata = Metadata {
        source: &source,
        left: Cell::new(limits.header_bytes),
        limit: limits.header_bytes,
    };
    let mut entries = Vec::new();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![(String::new(), superblock(&metadata)?, 0)];
    while let Some((name, address, depth)) = waiting.pop() {
        if !seen.insert(address) {
            continue;
        }
        let object =
            object::Object::read(&metadata, address).map_err(|problem| problem.in_tensor(&name))?;
        if let Some(entry) =
            dataset::entry(&metadata, &object, &name).map_err(|problem| problem.in_tensor(&name))?
        {
            within(
                "the number of tensors",
                entries.len() as u64 + 1,
                limits.tensors as u64,
            )?;
            entries.push(entry);
            continue;
        }
        if depth == MAX_DEPTH {
            return Err(Problem::damaged(format!(
                "its groups lie more than {MAX_DEPTH} deep: {name}"
            )));
        }
        for link in group::links(&metadata, &object)? {
            let name = match name.as_str() {
                "" => link.name,
                name => format!("{name}/{}", link.name),
            };
            within("a tensor's name", name.len() as u64, 1024)?;
            within(
                "the number of objects",
                (waiting.len() + seen.len()) as u64 + 1,
                4 * limits.tensors as u64,
            )?;
            waiting.push((name, link.address, depth + 1));
        }
    }
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let mut places = Vec::new();
    for entry in &entries {
        match &entry.place {
            Place::Stored(begin) => {
                let size = entry.count() * entry.encoding.width().unwrap_or(0) as u64;
                places.push((*begin, begin + size, entry.name.as_str()));
            }
            Place::Chunked(chunked) => places.extend(
                chunked
                    .places()
                    .map(|(begin, end)| (begin, end, entry.name.as_str())),
            ),
            Place::Zipped { .. } => {}
        }
    }
    refuse_overlaps(places, false)?;
    Ok(Index {
        format: Format::Hdf5,
        entries,
        metadata: BTreeMap::new(),
        operations: vec![],
        source,
    })
}

/// The file's structures, read within a budget of bytes.
struct Metadata<'s, 'a> {
    source: &'s Source<'a>,
    left: Cell<u64>,
    limit: u64,
}

impl Metadata<'_, '_> {
    /// Takes `cost` bytes from the budget.
    fn spend(&self, cost: u64) -> Read<()> {
        if cost > self.left.get() {
            return Err(Problem::TooLarge {
                what: "the space of its groups and headers".into(),
                size: self.limit.saturating_add(cost - self.left.get()),
                limit: self.limit,
            });
        }
        self.left.set(self.left.get() - cost);
        Ok(())
    }

    /// The `length` bytes at `address`.
    fn block(&self, address: u64, length: u64) -> Read<Block> {
        // Even an empty block costs something, or a circle of them would never end.
        self.spend(length.saturating_add(8))?;
        Ok(Block {
            bytes: self.source.bytes(address, length)?,
            at: 0,
        })
    }
}

/// A piece of the file's structures, read in order.
struct Block {
    bytes: Vec<u8>,
    at: usize,
}

impl Block {
    fn take(&mut self, count: usize) -> Read<&[u8]> {
        let at = self.at;
        let bytes = at
            .checked_add(count)
            .and_then(|end| self.bytes.get(at..end))
            .ok_or_else(|| Problem::damaged("one of its headers is cut off"))?;
        self.at += count;
        Ok(bytes)
    }

    fn skip(&mut self, count: usize) -> Read<()> {
        self.take(count).map(drop)
    }

    fn number(&mut self, width: usize) -> Read<u64> {
        let bytes = self.take(width)?;
        Ok(bytes
            .iter()
            .rev()
            .fold(0, |value, &byte| value << 8 | u64::from(byte)))
    }

    fn u8(&mut self) -> Read<u8> {
        Ok(self.take(1)?[0])
    }

    fn u16(&mut self) -> Read<usize> {
        Ok(self.number(2)? as usize)
    }

    fn u64(&mut self) -> Read<u64> {
        self.number(8)
    }

    /// Refuses another signature than this.
    fn expect(&mut self, signature: &[u8]) -> Read<()> {
        if self.take(signature.len())? == signature {
            return Ok(());
        }
        Err(Problem::damaged(format!(
            "a header that should start with {} does not",
            String::from_utf8_lossy(signature)
        )))
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }
}

fn newer(what: &str) -> Problem {
    Problem::unsupported(format!(
        "{what}; save it again with h5py's default settings (without libver=\"latest\")"
    ))
}

/// The address of the root group's header.
fn superblock(metadata: &Metadata<'_, '_>) -> Read<u64> {
    let mut block = metadata.block(0, metadata.source.len().min(96))?;
    block.expect(SIGNATURE)?;
    let version = block.u8()?;
    match version {
        0 | 1 => block.skip(4)?,
        2 | 3 => {}
        _ => return Err(newer("its superblock is of a version that is not known")),
    }
    if block.take(2)? != [8, 8] {
        return Err(newer("its addresses do not have eight bytes"));
    }
    let base = if version < 2 {
        // Sizes of groups' nodes and flags; one more field in version 1. Free space, end, driver come later.
        block.skip(if version == 0 { 9 } else { 13 })?;
        let base = block.u64()?;
        block.skip(8 + 8 + 8 + 8)?;
        base
    } else {
        block.skip(1)?;
        let base = block.u64()?;
        block.skip(8 + 8)?;
        base
    };
    if base != 0 {
        return Err(newer("it has a user block"));
    }
    block.u64()
}
