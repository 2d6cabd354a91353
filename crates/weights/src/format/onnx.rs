//! ONNX: a model as one protocol buffer, as far as weights are concerned.
//!
//! Source: `onnx/onnx.proto` (onnx.ai) and the encoding of protocol buffers (protobuf.dev, "Encoding"). Of `ModelProto` the
//! graph is read (field 7); of the graph its nodes (1) by their operation (4) and constant values (5), and its initializers
//! (5): name (8), dims (1), type (2), and the bytes (`raw_data` 9, or packed `float_data` 4 or `double_data` 10). Values stay
//! in the file until they are read. Numbers in files beside (`external_data`) are refused.
//!
//! Messages of messages are as deep as the schema is, so nothing recurses.

use super::{Format, Index};
use crate::Limits;
use crate::encoding::Encoding;
use crate::entry::{Entry, Order, Place, refuse_overlaps};
use crate::limits::{MAX_RANK, count};
use crate::problem::{Problem, Read, within};
use crate::source::Source;
use std::collections::BTreeMap;

/// True for a version of the format, from 1 to 31, and then a field that a model has.
pub(super) fn looks_like(bytes: &[u8]) -> bool {
    // Fields 2 to 8 and 14 of `ModelProto`, with the types that they have there.
    let follows = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72];
    matches!(bytes, [0x08, 1..=31, next, ..] if follows.contains(next))
}

/// A message, or a part of one, by its place in the file.
#[derive(Clone, Copy)]
struct Span {
    at: u64,
    end: u64,
}

impl Span {
    fn length(self) -> u64 {
        self.end - self.at
    }
}

/// What a field holds.
enum Value {
    Number(u64),
    Bytes(Span),
    /// Four or eight bytes, which nothing that is read here has.
    Fixed,
}

/// Reads messages field by field.
struct Reader<'r, 'a> {
    source: &'r Source<'a>,
    /// Fields and bytes that may still be read.
    left: u64,
    limit: u64,
}

impl Reader<'_, '_> {
    fn spend(&mut self, bytes: u64) -> Read<()> {
        let used = (self.limit - self.left).saturating_add(bytes);
        within("the size of all that is no tensor", used, self.limit)?;
        self.left = self.limit - used;
        Ok(())
    }

    fn varint(&mut self, span: &mut Span) -> Read<u64> {
        let mut bytes = [0; 10];
        let here = span.length().min(10) as usize;
        self.source.read_at(span.at, &mut bytes[..here])?;
        let mut number = 0;
        for (index, byte) in bytes[..here].iter().enumerate() {
            number |= u64::from(byte & 0x7f) << (7 * index).min(63);
            if byte & 0x80 == 0 {
                span.at += index as u64 + 1;
                return Ok(number);
            }
        }
        Err(Problem::damaged("a number in it does not end"))
    }

    /// The next field of a message: its number and what it holds.
    fn field(&mut self, span: &mut Span) -> Read<Option<(u64, Value)>> {
        if span.at >= span.end {
            return Ok(None);
        }
        self.spend(1)?;
        let key = self.varint(span)?;
        let value = match key & 7 {
            0 => Value::Number(self.varint(span)?),
            2 => {
                let length = self.varint(span)?;
                if length > span.length() {
                    return Err(Problem::damaged(format!(
                        "a field of {length} bytes is said to lie at byte {}, where {} are left",
                        span.at,
                        span.length()
                    )));
                }
                let held = Span {
                    at: span.at,
                    end: span.at + length,
                };
                span.at = held.end;
                Value::Bytes(held)
            }
            wire @ (1 | 5) => {
                let width = if wire == 1 { 8 } else { 4 };
                if span.length() < width {
                    return Err(Problem::damaged("a number in it is cut off"));
                }
                span.at += width;
                Value::Fixed
            }
            _ => return Err(Problem::damaged("a field in it is of no known kind")),
        };
        Ok(Some((key >> 3, value)))
    }

    fn text(&mut self, span: Span) -> Read<String> {
        self.spend(span.length())?;
        let bytes = self.source.bytes(span.at, span.length())?;
        String::from_utf8(bytes).map_err(|_| Problem::damaged("a name in it is not UTF-8"))
    }
}

pub(super) fn index<'a>(source: Source<'a>, limits: &Limits) -> Read<Index<'a>> {
    let mut reader = Reader {
        source: &source,
        left: limits.header_bytes,
        limit: limits.header_bytes,
    };
    let mut model = Span {
        at: 0,
        end: source.len(),
    };
    let mut tensors = Vec::new();
    let mut operations = Vec::new();
    while let Some((number, value)) = reader.field(&mut model)? {
        let (7, Value::Bytes(mut graph)) = (number, value) else {
            continue;
        };
        while let Some((number, value)) = reader.field(&mut graph)? {
            let found = match (number, value) {
                (1, Value::Bytes(span)) => node(&mut reader, span, &mut operations)?,
                (5, Value::Bytes(span)) => Some(tensor(&mut reader, span)?),
                _ => None,
            };
            tensors.extend(found);
            within(
                "the number of tensors",
                tensors.len() as u64,
                limits.tensors as u64,
            )?;
        }
    }
    let mut entries: Vec<Entry> = Vec::new();
    for declared in tensors {
        let name = declared.name.clone();
        let entry = declared
            .entry()
            .map_err(|problem| problem.in_tensor(&name))?;
        entries.push(entry);
    }
    let spans = entries.iter().map(|entry| match entry.place {
        Place::Stored(at) => {
            let width = entry.encoding.width().unwrap_or(0) as u64;
            (at, at + width * entry.count(), entry.name.as_str())
        }
        _ => (0, 0, ""),
    });
    refuse_overlaps(spans.collect(), false)?;
    Ok(Index {
        format: Format::Onnx,
        source,
        entries,
        metadata: BTreeMap::new(),
        operations,
    })
}

/// Reads a node: its operation, and, of a constant, the tensor.
fn node(
    reader: &mut Reader<'_, '_>,
    mut span: Span,
    operations: &mut Vec<String>,
) -> Read<Option<Tensor>> {
    let (mut name, mut operation, mut value) = (None, String::new(), None);
    while let Some((number, held)) = reader.field(&mut span)? {
        match (number, held) {
            (2, Value::Bytes(span)) if name.is_none() => name = Some(reader.text(span)?),
            (4, Value::Bytes(span)) => operation = reader.text(span)?,
            (5, Value::Bytes(mut attribute)) => {
                while let Some((number, held)) = reader.field(&mut attribute)? {
                    if let (5, Value::Bytes(span)) = (number, held) {
                        value = Some(span);
                    }
                }
            }
            _ => {}
        }
    }
    let constant = match (operation.as_str(), name, value) {
        ("Constant", Some(name), Some(span)) => {
            let tensor = tensor(reader, span)?;
            Some(Tensor { name, ..tensor })
        }
        _ => None,
    };
    if !operations.contains(&operation) {
        operations.push(operation);
    }
    Ok(constant)
}

/// What the file says of a tensor.
#[derive(Default)]
struct Tensor {
    name: String,
    dims: Vec<u64>,
    kind: u64,
    /// The bytes of its values.
    data: Option<Span>,
    /// Values that lie one by one instead.
    scattered: bool,
    external: bool,
}

fn tensor(reader: &mut Reader<'_, '_>, mut span: Span) -> Read<Tensor> {
    let mut tensor = Tensor::default();
    while let Some((number, value)) = reader.field(&mut span)? {
        match (number, value) {
            (1, Value::Number(side)) => tensor.dims.push(side),
            (1, Value::Bytes(mut packed)) => {
                while packed.at < packed.end {
                    reader.spend(1)?;
                    let side = reader.varint(&mut packed)?;
                    tensor.dims.push(side);
                }
            }
            (2, Value::Number(kind)) => tensor.kind = kind,
            (4 | 9 | 10, Value::Bytes(span)) if tensor.data.is_none() => tensor.data = Some(span),
            (4 | 10, _) => tensor.scattered = true,
            (8, Value::Bytes(span)) => tensor.name = reader.text(span)?,
            (13, _) => tensor.external = true,
            (14, Value::Number(place)) => tensor.external |= place != 0,
            _ => {}
        }
        within(
            "the number of dimensions",
            tensor.dims.len() as u64,
            MAX_RANK as u64,
        )?;
    }
    Ok(tensor)
}

impl Tensor {
    fn entry(self) -> Read<Entry> {
        let encoding = match self.kind {
            1 => Encoding::F32,
            10 => Encoding::F16,
            11 => Encoding::F64,
            16 => Encoding::Bf16,
            6 => Encoding::Other("int32".into()),
            7 => Encoding::Other("int64".into()),
            other => Encoding::Other(format!("number {other}")),
        };
        if self.external {
            return Err(Problem::unsupported(
                "its numbers lie in another file; write the model as one file (onnx.save with save_as_external_data=False)",
            ));
        }
        if self.scattered {
            return Err(Problem::unsupported(
                "its numbers are not packed; write the model again with a program of today",
            ));
        }
        let shape: Option<Vec<usize>> = self
            .dims
            .iter()
            .map(|&side| usize::try_from(side).ok())
            .collect();
        let sized = shape.and_then(|shape| Some((count(&shape)? as u64, shape)));
        let Some((values, shape)) = sized else {
            return Err(Problem::damaged(format!(
                "its shape {:?} cannot be",
                self.dims
            )));
        };
        let data = self.data.unwrap_or(Span { at: 0, end: 0 });
        if let Some(width) = encoding.width()
            && values.checked_mul(width as u64) != Some(data.length())
        {
            return Err(Problem::damaged(format!(
                "its {values} values of type {} have {} bytes",
                encoding.name(),
                data.length()
            )));
        }
        Ok(Entry {
            name: self.name,
            shape,
            encoding,
            order: Order::RowMajor,
            place: Place::Stored(data.at),
        })
    }
}
