//! TensorFlow Lite: a model as one flat buffer, as far as weights are concerned.
//!
//! Source: `tensorflow/lite/schema/schema.fbs` and the layout of FlatBuffers (flatbuffers.dev, "Internals"). A table begins
//! with the distance back to its list of fields, which has the place of each field in it; vectors and texts begin with their
//! length; all places are distances forward. Of the model are read the operations (field 1) and the buffers (4), of its first
//! subgraph (2) the tensors (0) and which operations (3) it has, of a tensor its shape (0), type (1), buffer (2), name (3) and how it is
//! quantised (4). Tensors with bytes of their own are weights; values stay in the file until they are read.
//!
//! Numbers that are quantised are `scale·(q − zero)`, with one scale for all or one for each slice of a dimension; the whole
//! numbers of biases are such, too.

use super::{Format, Index};
use crate::Limits;
use crate::encoding::{Affine, Encoding, Whole};
use crate::entry::{Entry, Order, Place, refuse_overlaps};
use crate::limits::{MAX_RANK, count};
use crate::problem::{Problem, Read, within};
use crate::source::Source;
use std::collections::{BTreeMap, BTreeSet};

/// The mark of the format, behind the place of the model.
const MARK: &[u8] = b"TFL3";

pub(super) fn looks_like(bytes: &[u8]) -> bool {
    bytes.get(4..8) == Some(MARK)
}

/// Operations by their number in the schema, as far as networks of pictures have them.
const OPERATIONS: [(i64, &str); 33] = [
    (0, "ADD"),
    (1, "AVERAGE_POOL_2D"),
    (2, "CONCATENATION"),
    (3, "CONV_2D"),
    (4, "DEPTHWISE_CONV_2D"),
    (6, "DEQUANTIZE"),
    (9, "FULLY_CONNECTED"),
    (14, "LOGISTIC"),
    (17, "MAX_POOL_2D"),
    (18, "MUL"),
    (19, "RELU"),
    (21, "RELU6"),
    (22, "RESHAPE"),
    (23, "RESIZE_BILINEAR"),
    (25, "SOFTMAX"),
    (28, "TANH"),
    (34, "PAD"),
    (39, "TRANSPOSE"),
    (40, "MEAN"),
    (41, "SUB"),
    (42, "DIV"),
    (43, "SQUEEZE"),
    (45, "STRIDED_SLICE"),
    (53, "CAST"),
    (54, "PRELU"),
    (67, "TRANSPOSE_CONV"),
    (75, "SQRT"),
    (76, "RSQRT"),
    (78, "POW"),
    (97, "RESIZE_NEAREST_NEIGHBOR"),
    (99, "SQUARED_DIFFERENCE"),
    (100, "MIRROR_PAD"),
    (114, "QUANTIZE"),
];

/// Reads tables.
struct Reader<'r, 'a> {
    source: &'r Source<'a>,
    /// Bytes that may still be read.
    left: u64,
    limit: u64,
}

/// A table: its own place, and the place and length of its list of fields.
#[derive(Clone, Copy)]
struct Table {
    at: u64,
    fields: u64,
    size: u64,
}

/// A vector: the place of its first element, and how many there are.
#[derive(Clone, Copy, Default)]
struct List {
    at: u64,
    length: u64,
}

impl Reader<'_, '_> {
    fn bytes<const N: usize>(&mut self, at: u64) -> Read<[u8; N]> {
        let used = (self.limit - self.left).saturating_add(N as u64);
        within("the size of all that is no tensor", used, self.limit)?;
        self.left = self.limit - used;
        let mut bytes = [0; N];
        self.source.read_at(at, &mut bytes)?;
        Ok(bytes)
    }

    fn u32(&mut self, at: u64) -> Read<u64> {
        Ok(u32::from_le_bytes(self.bytes(at)?).into())
    }

    /// The place that is named at a place.
    fn follow(&mut self, at: u64) -> Read<u64> {
        Ok(at + self.u32(at)?)
    }

    fn table(&mut self, at: u64) -> Read<Table> {
        let back = i64::from(i32::from_le_bytes(self.bytes(at)?));
        let fields = i64::try_from(at).ok().and_then(|at| at.checked_sub(back));
        let fields = fields.and_then(|fields| u64::try_from(fields).ok());
        let Some(fields) = fields else {
            return Err(Problem::damaged("a table in it begins before the file"));
        };
        let size = u64::from(u16::from_le_bytes(self.bytes(fields)?));
        Ok(Table { at, fields, size })
    }

    /// The place of a field, if the table has it.
    fn field(&mut self, table: Table, number: u64) -> Read<Option<u64>> {
        let entry = 4 + 2 * number;
        if entry + 2 > table.size {
            return Ok(None);
        }
        let offset = u64::from(u16::from_le_bytes(self.bytes(table.fields + entry)?));
        Ok((offset > 0).then_some(table.at + offset))
    }

    /// A whole number of four bytes; 0 if it is not there.
    fn number(&mut self, table: Table, number: u64) -> Read<i64> {
        match self.field(table, number)? {
            Some(at) => Ok(i32::from_le_bytes(self.bytes(at)?).into()),
            None => Ok(0),
        }
    }

    /// A whole number of one byte; 0 if it is not there.
    fn byte(&mut self, table: Table, number: u64) -> Read<i64> {
        match self.field(table, number)? {
            Some(at) => Ok(i8::from_le_bytes(self.bytes(at)?).into()),
            None => Ok(0),
        }
    }

    /// A vector of elements of so many bytes; empty if it is not there.
    fn list(&mut self, table: Table, number: u64, width: u64) -> Read<List> {
        let Some(at) = self.field(table, number)? else {
            return Ok(List::default());
        };
        let at = self.follow(at)?;
        let length = self.u32(at)?;
        self.source.inside(at + 4, length * width)?;
        Ok(List { at: at + 4, length })
    }

    /// The tables of a vector.
    fn tables(&mut self, table: Table, number: u64, most: u64) -> Read<Vec<Table>> {
        let list = self.list(table, number, 4)?;
        within("the length of a list", list.length, most)?;
        (0..list.length)
            .map(|index| {
                let at = self.follow(list.at + 4 * index)?;
                self.table(at)
            })
            .collect()
    }

    fn text(&mut self, table: Table, number: u64) -> Read<String> {
        let list = self.list(table, number, 1)?;
        within("the size of all that is no tensor", list.length, self.left)?;
        self.left -= list.length;
        let bytes = self.source.bytes(list.at, list.length)?;
        String::from_utf8(bytes).map_err(|_| Problem::damaged("a name in it is not UTF-8"))
    }
}

pub(super) fn index<'a>(source: Source<'a>, limits: &Limits) -> Read<Index<'a>> {
    let mut reader = Reader {
        source: &source,
        left: limits.header_bytes,
        limit: limits.header_bytes,
    };
    let root = reader.follow(0)?;
    let model = reader.table(root)?;
    let most = limits.tensors as u64;
    let buffers = reader.tables(model, 4, 4 * most)?;
    let mut data = Vec::new();
    for buffer in buffers {
        data.push(reader.list(buffer, 0, 1)?);
    }
    let codes = reader.tables(model, 1, most)?;
    let graphs = reader.tables(model, 2, most)?;
    let Some(&graph) = graphs.first() else {
        return Err(Problem::damaged("it has no graph"));
    };
    let mut names = Vec::new();
    for code in codes {
        // The number was a byte once; what does not fit there is in another field.
        let number = reader.byte(code, 0)?.max(reader.number(code, 3)?);
        let custom = reader.text(code, 1)?;
        let known = OPERATIONS.iter().find(|(known, _)| *known == number);
        names.push(match known {
            _ if !custom.is_empty() => custom,
            Some((_, name)) => (*name).to_string(),
            None => format!("number {number}"),
        });
    }
    let mut used = BTreeSet::new();
    for operation in reader.tables(graph, 3, 4 * most)? {
        used.insert(reader.number(operation, 0)?);
    }
    let operations = used.into_iter().filter_map(|index| {
        let index = usize::try_from(index).ok()?;
        names.get(index).cloned()
    });
    let operations = operations.collect();
    let mut entries = Vec::new();
    let mut spans = Vec::new();
    let mut taken = BTreeSet::new();
    for (number, tensor) in reader.tables(graph, 0, most)?.into_iter().enumerate() {
        let buffer = usize::try_from(reader.number(tensor, 2)?).ok();
        let Some(bytes) = buffer.and_then(|buffer| data.get(buffer).copied()) else {
            return Err(Problem::damaged(
                "a tensor lies in a buffer that is not there",
            ));
        };
        if bytes.length == 0 {
            continue;
        }
        let mut name = reader.text(tensor, 3)?;
        if !taken.insert(name.clone()) {
            name = format!("{number}:{name}");
        }
        let entry =
            entry(&mut reader, tensor, bytes, &name).map_err(|problem| problem.in_tensor(&name))?;
        // One buffer may be that of several tensors, which are the same then.
        if taken.insert(format!("buffer {buffer:?}")) {
            spans.push((bytes.at, bytes.at + bytes.length, name));
        }
        entries.push(entry);
    }
    let spans = spans
        .iter()
        .map(|(from, to, name)| (*from, *to, name.as_str()));
    refuse_overlaps(spans.collect(), false)?;
    Ok(Index {
        format: Format::Tflite,
        source,
        entries,
        metadata: BTreeMap::new(),
        operations,
    })
}

fn entry(reader: &mut Reader<'_, '_>, tensor: Table, bytes: List, name: &str) -> Read<Entry> {
    let sides = reader.list(tensor, 0, 4)?;
    within("the number of dimensions", sides.length, MAX_RANK as u64)?;
    let mut shape = Vec::new();
    for index in 0..sides.length {
        let side = i32::from_le_bytes(reader.bytes(sides.at + 4 * index)?);
        let Ok(side) = usize::try_from(side) else {
            return Err(Problem::damaged(format!("a side of it is {side}")));
        };
        shape.push(side);
    }
    let Some(values) = count(&shape) else {
        return Err(Problem::damaged(format!("its shape {shape:?} cannot be")));
    };
    let whole = |whole: Whole, reader: &mut Reader<'_, '_>| -> Read<Encoding> {
        Ok(match quantisation(reader, tensor, &shape)? {
            Some((scales, zeros, run)) => Encoding::Affine(Affine {
                whole,
                scales: scales.into(),
                zeros: zeros.into(),
                run,
            }),
            None => Encoding::Other(whole.name().into()),
        })
    };
    let encoding = match reader.byte(tensor, 1)? {
        0 => Encoding::F32,
        1 => Encoding::F16,
        2 => whole(Whole::I32, reader)?,
        3 => whole(Whole::U8, reader)?,
        9 => whole(Whole::I8, reader)?,
        10 => Encoding::F64,
        4 => Encoding::Other("int64".into()),
        other => Encoding::Other(format!("number {other}")),
    };
    if let Some(width) = encoding.width()
        && (values as u64).checked_mul(width as u64) != Some(bytes.length)
    {
        return Err(Problem::damaged(format!(
            "its {values} values of type {} have {} bytes",
            encoding.name(),
            bytes.length
        )));
    }
    Ok(Entry {
        name: name.into(),
        shape,
        encoding,
        order: Order::RowMajor,
        place: Place::Stored(bytes.at),
    })
}

/// Scales, zeros, and how many values in a row have the same.
type Quantisation = (Vec<f32>, Vec<f32>, usize);

fn quantisation(
    reader: &mut Reader<'_, '_>,
    tensor: Table,
    shape: &[usize],
) -> Read<Option<Quantisation>> {
    let Some(at) = reader.field(tensor, 4)? else {
        return Ok(None);
    };
    let at = reader.follow(at)?;
    let table = reader.table(at)?;
    let scales = reader.list(table, 2, 4)?;
    if scales.length == 0 {
        return Ok(None);
    }
    let zeros = reader.list(table, 3, 8)?;
    let dimension = usize::try_from(reader.number(table, 6)?).unwrap_or(usize::MAX);
    let slices = match scales.length {
        1 => 1,
        _ => shape.get(dimension).copied().unwrap_or(0) as u64,
    };
    if scales.length != slices || (zeros.length != 0 && zeros.length != slices) {
        return Err(Problem::damaged(format!(
            "it has {} scales and {} zeros for {slices} slices",
            scales.length, zeros.length
        )));
    }
    let run = match scales.length {
        1 => usize::MAX,
        _ => shape[dimension + 1..].iter().product(),
    };
    let mut quantisation = (Vec::new(), Vec::new(), run);
    for index in 0..slices {
        let scale = f32::from_le_bytes(reader.bytes(scales.at + 4 * index)?);
        quantisation.0.push(scale);
        quantisation.1.push(match zeros.length {
            0 => 0.0,
            _ => i64::from_le_bytes(reader.bytes(zeros.at + 8 * index)?) as f32,
        });
    }
    Ok(Some(quantisation))
}
