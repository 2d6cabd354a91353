//! The safetensors format: eight bytes of header length, a JSON header, then the tensors' bytes.
//!
//! Source: the format's public description (huggingface/safetensors, README, "Format"). The header maps names to
//! `{"dtype", "shape", "data_offsets": [begin, end]}`, offsets counted from the end of the header; `__metadata__`
//! maps strings to strings. Tensors must neither overlap nor leave the file.

use super::{Format, Index};
use crate::Limits;
use crate::encoding::Encoding;
use crate::entry::{Entry, Order, Place, refuse_overlaps};
use crate::limits::{MAX_RANK, count};
use crate::problem::{Problem, Read, within};
use crate::source::Source;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeMap;
use std::fmt;

/// True for a header length that a file could have, followed by the opening brace of a JSON object.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    header_length(bytes).is_some_and(|length| (2..1 << 48).contains(&length))
        && bytes.get(8) == Some(&b'{')
}

/// The length of the header, from the first eight bytes.
pub(super) fn header_length(bytes: &[u8]) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.first_chunk()?))
}

pub(crate) fn index<'a>(source: Source<'a>, limits: &Limits) -> Read<Index<'a>> {
    let mut length = [0; 8];
    source.read_at(0, &mut length)?;
    let length = u64::from_le_bytes(length);
    within("the header", length, limits.header_bytes)?;
    if length > source.len() - 8 {
        return Err(Problem::damaged(format!(
            "the header says {length} bytes, the file has {}",
            source.len()
        )));
    }
    let text = source.bytes(8, length)?;
    let mut json = serde_json::Deserializer::from_slice(&text);
    let header = (&mut json)
        .deserialize_map(HeaderVisitor {
            tensors: limits.tensors,
        })
        .and_then(|header| json.end().map(|()| header))
        .map_err(|error| Problem::damaged(format!("its header: {error}")))?;
    within(
        "the number of tensors",
        header.tensors.len() as u64,
        limits.tensors as u64,
    )?;
    let (data, data_length) = (8 + length, source.len() - 8 - length);
    let mut entries = Vec::new();
    for (name, declared) in header.tensors {
        let entry = declared
            .entry(&name, data, data_length)
            .map_err(|problem| problem.in_tensor(&name))?;
        entries.push((entry, declared.end));
    }
    let places = entries.iter().map(|(entry, end)| match entry.place {
        Place::Stored(begin) => (begin, data + end, entry.name.as_str()),
        _ => (0, 0, ""),
    });
    refuse_overlaps(places.collect(), false)?;
    Ok(Index {
        format: Format::Safetensors,
        source,
        entries: entries.into_iter().map(|(entry, _)| entry).collect(),
        metadata: header.metadata,
        operations: vec![],
    })
}

#[derive(Default)]
struct Header {
    tensors: BTreeMap<String, Declared>,
    metadata: BTreeMap<String, String>,
}

/// What the header says of a tensor.
#[derive(Default)]
struct Declared {
    dtype: Option<String>,
    shape: Option<Vec<u64>>,
    begin: u64,
    end: u64,
    placed: bool,
}

impl Declared {
    fn entry(&self, name: &str, data: u64, data_length: u64) -> Read<Entry> {
        let dtype = self
            .dtype
            .as_deref()
            .ok_or_else(|| Problem::damaged("it has no dtype"))?;
        let shape: Option<Vec<usize>> = self.shape.as_ref().and_then(|shape| {
            let sides = shape.iter().map(|&side| usize::try_from(side).ok());
            sides.collect()
        });
        let (Some(shape), true) = (shape, self.placed) else {
            return Err(Problem::damaged("it has no shape or no data_offsets"));
        };
        let encoding = match dtype {
            "F16" => Encoding::F16,
            "BF16" => Encoding::Bf16,
            "F32" => Encoding::F32,
            "F64" => Encoding::F64,
            other => Encoding::Other(other.into()),
        };
        let (begin, end) = (self.begin, self.end);
        if begin > end {
            return Err(Problem::damaged(format!("its place is {begin}..{end}")));
        }
        if end > data_length {
            return Err(Problem::damaged(format!(
                "it ends at byte {end} of {data_length}"
            )));
        }
        let count = count(&shape).ok_or_else(|| {
            Problem::damaged(format!(
                "its shape {shape:?} overflows or has more than {MAX_RANK} dimensions"
            ))
        })?;
        if let Some(width) = encoding.width()
            && count.checked_mul(width).map(|size| size as u64) != Some(end - begin)
        {
            return Err(Problem::damaged(format!(
                "shape {shape:?} of {dtype} does not fit its place {begin}..{end}"
            )));
        }
        Ok(Entry {
            name: name.into(),
            shape,
            encoding,
            order: Order::RowMajor,
            place: Place::Stored(data + begin),
        })
    }
}

/// Reads the header without a tree of JSON values, which a hostile header could make a hundred times its size.
struct HeaderVisitor {
    tensors: usize,
}

impl<'de> Visitor<'de> for HeaderVisitor {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tensors")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let mut header = Header::default();
        while let Some(name) = map.next_key::<String>()? {
            if name == "__metadata__" {
                header.metadata = map.next_value_seed(Seed(MetadataVisitor))?;
                continue;
            }
            let declared = map.next_value_seed(Seed(DeclaredVisitor))?;
            if header.tensors.contains_key(&name) {
                return Err(A::Error::custom(format!("two tensors are called {name}")));
            }
            // One more than allowed is kept, for the message of the limit.
            if header.tensors.len() <= self.tensors {
                header.tensors.insert(name, declared);
            }
        }
        Ok(header)
    }
}

/// Lets a visitor be used where a seed is asked for.
struct Seed<V>(V);

impl<'de, V: Visitor<'de>> serde::de::DeserializeSeed<'de> for Seed<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        deserializer.deserialize_any(self.0)
    }
}

struct MetadataVisitor;

impl<'de> Visitor<'de> for MetadataVisitor {
    type Value = BTreeMap<String, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut metadata = BTreeMap::new();
        while let Some((key, value)) = map.next_entry()? {
            metadata.insert(key, value);
        }
        Ok(metadata)
    }
}

struct DeclaredVisitor;

impl<'de> Visitor<'de> for DeclaredVisitor {
    type Value = Declared;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tensor's dtype, shape and data_offsets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Declared, A::Error> {
        let mut declared = Declared::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "dtype" => declared.dtype = Some(map.next_value()?),
                "shape" => declared.shape = Some(map.next_value_seed(Seed(SizesVisitor))?),
                "data_offsets" => match map.next_value_seed(Seed(SizesVisitor))?[..] {
                    [begin, end] => {
                        (declared.begin, declared.end, declared.placed) = (begin, end, true);
                    }
                    _ => return Err(A::Error::custom("data_offsets are not two numbers")),
                },
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(declared)
    }
}

/// A short list of sizes.
struct SizesVisitor;

impl<'de> Visitor<'de> for SizesVisitor {
    type Value = Vec<u64>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of sizes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u64>, A::Error> {
        let mut sizes = Vec::new();
        while let Some(size) = list.next_element::<u64>()? {
            if sizes.len() == MAX_RANK {
                return Err(A::Error::custom(format!(
                    "a shape has more than {MAX_RANK} dimensions"
                )));
            }
            sizes.push(size);
        }
        Ok(sizes)
    }
}
