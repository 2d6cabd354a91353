//! PyTorch's `.pth` and `.pt`: a state dict as a pickle, its storages beside it.
//!
//! Source: `torch/serialization.py`. The zip form has `NAME/data.pkl` and one stored member `NAME/data/KEY` per
//! storage. The legacy form is one stream: the pickles of a magic number, a version, the machine's properties, the
//! object and the list of storage keys, then for each key eight bytes of count and its values. Read are state
//! dicts, also inside dicts (`{"state_dict": …}`, names joined by dots); a pickled module is refused, because
//! rebuilding it means running code.

use super::pickle::{Global, Id, Node, Pickle, Stop};
use super::zip::{Archive, Member};
use super::{Format, Index};
use crate::Limits;
use crate::encoding::Encoding;
use crate::entry::{Entry, Order, Place, refuse_overlaps};
use crate::limits::{MAX_RANK, count};
use crate::problem::{Problem, Read, within};
use crate::source::Source;
use std::collections::{BTreeMap, BTreeSet};

/// A storage as a pickle refers to it.
struct Storage {
    key: String,
    encoding: Encoding,
    /// Bytes per value, also of types that hold no weights.
    width: u64,
    /// Values that it is said to have.
    count: usize,
    /// Values to skip, in early files where a storage was a view of another.
    offset: usize,
}

/// A tensor as a pickle describes it.
struct Described {
    name: String,
    storage: Storage,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// Where a storage's bytes lie.
enum Bytes {
    Member(Member),
    /// Offset and number of bytes in the file.
    Stream(u64, u64),
}

pub(super) fn zipped<'a>(
    source: Source<'a>,
    archive: &Archive,
    limits: &Limits,
) -> Read<Index<'a>> {
    let mut pickles = archive
        .members()
        .filter_map(|(name, member)| Some((name.strip_suffix("data.pkl")?, member)))
        .filter(|(folder, _)| folder.is_empty() || folder.ends_with('/'));
    let (Some((folder, member)), None) = (pickles.next(), pickles.next()) else {
        return Err(Problem::damaged("it has no data.pkl, or several"));
    };
    let order = archive.get(&format!("{folder}byteorder"));
    if let Some(order) = order
        && order.bytes(&source, "the byte order", 16)? != b"little"
    {
        return Err(big_endian());
    }
    let bytes = member.bytes(&source, "its pickle", limits.header_bytes)?;
    let pickle = Pickle::read(&bytes).map_err(|stop| match stop {
        Stop::Cut => Problem::damaged("its pickle is cut off"),
        Stop::Problem(problem) => problem,
    })?;
    let entries = entries(&pickle, limits, |storage| {
        let name = format!("{folder}data/{}", storage.key);
        let member = archive
            .get(&name)
            .ok_or_else(|| Problem::damaged(format!("its storage {name} is missing")))?;
        if member.is_deflated() {
            return Err(Problem::unsupported(
                "the archive was compressed again after PyTorch wrote it; unpack it and pack it without compression",
            ));
        }
        Ok(Bytes::Member(member.clone()))
    })?;
    Ok(Index {
        format: Format::PytorchZip,
        source,
        entries,
        metadata: BTreeMap::new(),
        operations: vec![],
    })
}

/// The first pickle of the legacy form: 0x1950a86a20f9469cfc6c.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

pub(super) fn legacy<'a>(source: Source<'a>, limits: &Limits) -> Read<Index<'a>> {
    // Where the pickles end is not said; they are short beside the storages, so a longer start is tried only when
    // a shorter one does not do.
    let most = source.len().min(limits.header_bytes);
    let mut size = most.min(1 << 18);
    let (pickle, keys, start) = loop {
        match stream(&source.bytes(0, size)?) {
            Ok(found) => break found,
            Err(Stop::Problem(problem)) => return Err(problem),
            Err(Stop::Cut) if size < most => size = most.min(size * 4),
            Err(Stop::Cut) => {
                within("its pickles", source.len(), limits.header_bytes)?;
                return Err(Problem::damaged("its pickles are cut off"));
            }
        }
    };
    // The stream gives a count per storage but not its type, which only the tensors know.
    let mut widths = BTreeMap::new();
    for described in describe(&pickle, limits)? {
        let storage = described.storage;
        if *widths.entry(storage.key).or_insert(storage.width) != storage.width {
            return Err(Problem::damaged("a storage is of two types"));
        }
    }
    let mut places = BTreeMap::new();
    let mut at = start as u64;
    for key in keys {
        let Some(width) = widths.get(&key) else {
            return Err(Problem::damaged(format!(
                "no tensor says what its storage {key} is"
            )));
        };
        let mut number = [0; 8];
        source.read_at(at, &mut number)?;
        let size = u64::from_le_bytes(number).checked_mul(*width);
        let size = size.ok_or_else(|| Problem::damaged("the size of a storage overflows"))?;
        at += 8;
        source.inside(at, size)?;
        places.insert(key, (at, size));
        at += size;
    }
    let entries = entries(&pickle, limits, |storage| match places.get(&storage.key) {
        Some(&(at, size)) => Ok(Bytes::Stream(at, size)),
        None => Err(Problem::damaged(format!(
            "its storage {} is missing",
            storage.key
        ))),
    })?;
    Ok(Index {
        format: Format::PytorchLegacy,
        source,
        entries,
        metadata: BTreeMap::new(),
        operations: vec![],
    })
}

fn big_endian() -> Problem {
    Problem::unsupported(
        "it was written on a big-endian machine; load it with PyTorch there and save it as safetensors",
    )
}

/// The object of a legacy stream, its storage keys in order, and where the storages begin.
fn stream(bytes: &[u8]) -> Result<(Pickle, Vec<String>, usize), Stop> {
    let mut at = 0;
    let mut next = || {
        let pickle = Pickle::read(&bytes[at..])?;
        at += pickle.length;
        Ok::<_, Stop>(pickle)
    };
    let magic = next()?;
    if *magic.node(magic.root) != Node::Bytes(MAGIC.into()) {
        return Err(Stop::Problem(Problem::unsupported(
            "it is a pickle, but not one of torch.save; save the model's state_dict() with PyTorch and use that file",
        )));
    }
    next()?;
    let machine = next()?;
    if let Node::Dict(items) = machine.node(machine.root) {
        let little = items
            .iter()
            .find(|(key, _)| machine.text(*key) == Some("little_endian"));
        if little.is_some_and(|(_, value)| *machine.node(*value) == Node::Bool(false)) {
            return Err(Stop::Problem(big_endian()));
        }
    }
    let object = next()?;
    let keys = next()?;
    let names: Option<Vec<String>> = keys
        .items(keys.root)
        .map(|keys_of| keys_of.iter().map(|&key| keys.text(key)))
        .and_then(|names| names.map(|name| name.map(String::from)).collect());
    let names =
        names.ok_or_else(|| Stop::Problem(Problem::damaged("its list of storages is no list")))?;
    Ok((object, names, at))
}

/// The tensors of an object, placed.
fn entries(
    pickle: &Pickle,
    limits: &Limits,
    bytes_of: impl Fn(&Storage) -> Read<Bytes>,
) -> Read<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut places = Vec::new();
    for described in describe(pickle, limits)? {
        let name = described.name.clone();
        let (entry, place) =
            place(described, &bytes_of).map_err(|problem| problem.in_tensor(&name))?;
        entries.push(entry);
        places.push(place);
    }
    let places = places.iter().zip(&entries);
    refuse_overlaps(
        places
            .map(|(&(begin, end), entry)| (begin, end, entry.name.as_str()))
            .collect(),
        // Tied weights: two names for one tensor.
        true,
    )?;
    Ok(entries)
}

fn place(
    described: Described,
    bytes_of: impl Fn(&Storage) -> Read<Bytes>,
) -> Read<(Entry, (u64, u64))> {
    let Described {
        name,
        storage,
        offset,
        shape,
        strides,
    } = described;
    let overflows = || Problem::damaged(format!("its shape {shape:?} or place overflows"));
    if shape.len() > MAX_RANK || count(&shape).is_none() {
        return Err(overflows());
    }
    let order = Order::of_strides(&shape, &strides)?;
    let bytes = bytes_of(&storage)?;
    let size = match &bytes {
        Bytes::Member(member) => member.size,
        Bytes::Stream(_, size) => *size,
    };
    let first = offset.checked_add(storage.offset).ok_or_else(overflows)? as u64;
    let span = order.span(&shape) as u64;
    let end = first.checked_add(span).ok_or_else(overflows)?;
    let (skip, stop) = (
        first.checked_mul(storage.width).ok_or_else(overflows)?,
        end.checked_mul(storage.width).ok_or_else(overflows)?,
    );
    if end > storage.count as u64 || stop > size {
        return Err(Problem::damaged(format!(
            "it ends at value {end} of a storage of {} values in {size} bytes",
            storage.count
        )));
    }
    let (place, begin) = match bytes {
        Bytes::Member(member) => {
            let begin = member.start();
            (Place::Zipped { member, skip }, begin)
        }
        Bytes::Stream(at, _) => (Place::Stored(at + skip), at),
    };
    let entry = Entry {
        name,
        shape,
        encoding: storage.encoding,
        order,
        place,
    };
    Ok((entry, (begin + skip, begin + stop)))
}

/// How deep dicts may lie in dicts.
const MAX_DEPTH: usize = 4;

/// The tensors of an object, by the names that lead to them.
fn describe(pickle: &Pickle, limits: &Limits) -> Read<Vec<Described>> {
    let mut found = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut waiting = vec![(String::new(), pickle.root, 0)];
    while let Some((prefix, dict, depth)) = waiting.pop() {
        let Node::Dict(items) = pickle.node(dict) else {
            continue;
        };
        for &(key, value) in items {
            let key = match pickle.node(key) {
                Node::Text(text) => text.to_string(),
                Node::Int(number) => number.to_string(),
                _ => continue,
            };
            let name = if prefix.is_empty() {
                key
            } else {
                format!("{prefix}.{key}")
            };
            // Names grow with depth, so that their sum is bounded only here.
            within("a tensor's name", name.len() as u64, 1024)?;
            match pickle.node(value) {
                Node::Dict(_) if depth < MAX_DEPTH && seen.insert(value) => {
                    within(
                        "the number of dicts",
                        seen.len() as u64,
                        limits.tensors as u64,
                    )?;
                    waiting.push((name, value, depth + 1));
                }
                Node::Call(..) => {
                    let tensor =
                        tensor(pickle, &name, value).map_err(|problem| problem.in_tensor(&name))?;
                    within(
                        "the number of tensors",
                        found.len() as u64 + 1,
                        limits.tensors as u64,
                    )?;
                    found.extend(tensor.map(|tensor| (name, tensor)));
                }
                _ => {}
            }
        }
    }
    Ok(found.into_values().collect())
}

/// A tensor, if the call is one that makes tensors.
fn tensor(pickle: &Pickle, name: &str, call: Id) -> Read<Option<Described>> {
    let mut call = call;
    // A parameter wraps a tensor, once.
    if let Node::Call(Global::RebuildParameter, arguments) = pickle.node(call) {
        let inner = pickle.items(*arguments).and_then(|items| items.first());
        call = *inner.ok_or_else(|| Problem::damaged("its parameter is empty"))?;
    }
    let Node::Call(Global::RebuildTensor, arguments) = pickle.node(call) else {
        return Ok(None);
    };
    let read = || {
        let [storage, offset, shape, strides, ..] = *pickle.items(*arguments)? else {
            return None;
        };
        Some(Described {
            name: name.into(),
            storage: self::storage(pickle, storage)?,
            offset: pickle.size(offset)?,
            shape: pickle.sizes(shape)?,
            strides: pickle.sizes(strides)?,
        })
    };
    let described = read();
    described
        .map(Some)
        .ok_or_else(|| Problem::damaged("its description is not one of PyTorch's"))
}

/// A storage from `("storage", type, key, location, count)` and, in early files, a view or None.
fn storage(pickle: &Pickle, id: Id) -> Option<Storage> {
    let Node::Persistent(id) = pickle.node(id) else {
        return None;
    };
    let [tag, kind, key, _, count, ref view @ ..] = *pickle.items(*id)? else {
        return None;
    };
    let Node::Global(Global::Storage(kind)) = *pickle.node(kind) else {
        return None;
    };
    if pickle.text(tag) != Some("storage") {
        return None;
    }
    let (encoding, width) = match kind {
        "Half" => (Encoding::F16, 2),
        "BFloat16" => (Encoding::Bf16, 2),
        "Float" => (Encoding::F32, 4),
        "Double" => (Encoding::F64, 8),
        "Long" => (Encoding::Other("i64".into()), 8),
        "Int" => (Encoding::Other("i32".into()), 4),
        "Short" => (Encoding::Other("i16".into()), 2),
        other => (Encoding::Other(other.to_lowercase()), 1),
    };
    let mut offset = 0;
    if let [view] = *view
        && let Some(&[_, skip, _]) = pickle.items(view)
    {
        offset = pickle.size(skip)?;
    }
    Some(Storage {
        key: pickle.text(key)?.into(),
        encoding,
        width,
        count: pickle.size(count)?,
        offset,
    })
}
