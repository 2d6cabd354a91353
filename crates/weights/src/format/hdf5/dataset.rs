//! Datasets: shape, type and place.

use super::chunks::{Chunked, Filter};
use super::object::{DATASPACE, DATATYPE, EXTERNAL_FILES, FILTERS, LAYOUT, Object};
use super::{Block, Metadata, UNDEFINED, newer};
use crate::encoding::Encoding;
use crate::entry::{Entry, Order, Place};
use crate::limits::{MAX_RANK, count};
use crate::problem::{Problem, Read};

/// The dataset that an object is, or `None` if it is a group.
pub(super) fn entry(
    metadata: &Metadata<'_, '_>,
    object: &Object,
    name: &str,
) -> Read<Option<Entry>> {
    let (Some(mut space), Some(mut datatype), Some(mut layout)) = (
        object.message(DATASPACE),
        object.message(DATATYPE),
        object.message(LAYOUT),
    ) else {
        return Ok(None);
    };
    let shape = shape(&mut space)?;
    let encoding = encoding(&mut datatype)?;
    let values =
        count(&shape).ok_or_else(|| Problem::damaged(format!("its shape {shape:?} overflows")))?;
    if object.message(EXTERNAL_FILES).is_some() {
        return Err(Problem::unsupported(
            "its values are in another file; copy the model into one file with h5py",
        ));
    }
    let entry = |encoding, place| Entry {
        name: name.into(),
        shape: shape.clone(),
        encoding,
        order: Order::RowMajor,
        place,
    };
    let Some(width) = encoding.width() else {
        return Ok(Some(entry(encoding, Place::Stored(0))));
    };
    let size = values
        .checked_mul(width)
        .ok_or_else(|| Problem::damaged(format!("its shape {shape:?} overflows")))?
        as u64;
    if size == 0 {
        return Ok(Some(entry(encoding, Place::Stored(0))));
    }
    let version = layout.u8()?;
    if !matches!(version, 3 | 4) {
        return Err(newer(
            "a dataset's layout is of a version that is not known",
        ));
    }
    let absent = || Problem::damaged("its values were never written");
    let place = match layout.u8()? {
        // Values inside the header have no address of their own in what has been read; Keras writes none.
        0 => return Err(newer("a dataset is stored inside its header")),
        1 => {
            let (address, length) = (layout.u64()?, layout.u64()?);
            if address == UNDEFINED {
                return Err(absent());
            }
            if length != size {
                return Err(Problem::damaged(format!(
                    "shape {shape:?} needs {size} bytes, it has {length}"
                )));
            }
            metadata.source.inside(address, size)?;
            Place::Stored(address)
        }
        2 => {
            let filters = match object.message(FILTERS) {
                Some(mut message) => filters(&mut message)?,
                None => vec![],
            };
            let chunked = match version {
                3 => chunks_in_tree(metadata, &mut layout, &shape, width, filters)?,
                _ => single_chunk(&mut layout, &shape, width, filters)?,
            };
            let Some(chunked) = chunked else {
                return Err(absent());
            };
            chunked.check(metadata.source, &shape, width)?;
            Place::Chunked(chunked)
        }
        _ => return Err(newer("a dataset is stored in a way that is not known")),
    };
    Ok(Some(entry(encoding, place)))
}

fn shape(space: &mut Block) -> Read<Vec<usize>> {
    let (version, rank) = (space.u8()?, usize::from(space.u8()?));
    space.skip(match version {
        1 => 6,
        2 => 2,
        _ => return Err(newer("a shape is of a version that is not known")),
    })?;
    if rank > MAX_RANK {
        return Err(Problem::damaged(format!("it has {rank} dimensions")));
    }
    let sides = (0..rank).map(|_| {
        let side = space.u64()?;
        usize::try_from(side).map_err(|_| Problem::damaged(format!("one of its sides is {side}")))
    });
    sides.collect()
}

fn encoding(datatype: &mut Block) -> Read<Encoding> {
    let class = datatype.u8()?;
    let order = datatype.u8()?;
    datatype.skip(2)?;
    let size = datatype.number(4)?;
    if class & 0x0f != 1 {
        return Ok(Encoding::Other(format!("HDF5 class {}", class & 0x0f)));
    }
    if order & 0x41 != 0 {
        return Ok(Encoding::Other("big-endian float".into()));
    }
    datatype.skip(5)?;
    let exponent = datatype.u8()?;
    datatype.skip(1)?;
    let mantissa = datatype.u8()?;
    Ok(match (size, exponent, mantissa) {
        (2, 5, 10) => Encoding::F16,
        (2, 8, 7) => Encoding::Bf16,
        (4, 8, 23) => Encoding::F32,
        (8, 11, 52) => Encoding::F64,
        _ => Encoding::Other(format!("{size}-byte float")),
    })
}

fn filters(message: &mut Block) -> Read<Vec<Filter>> {
    let version = message.u8()?;
    let count = message.u8()?;
    message.skip(match version {
        1 => 6,
        2 => 0,
        _ => return Err(newer("a filter is of a version that is not known")),
    })?;
    let mut filters = Vec::new();
    for _ in 0..count {
        let id = message.u16()?;
        // Version 2 leaves out the names of the filters that everybody knows.
        let named = version == 1 || id >= 256;
        let name = if named { message.u16()? } else { 0 };
        message.skip(2)?;
        let values = message.u16()?;
        let padded = version == 1;
        message.skip(if padded {
            name.next_multiple_of(8)
        } else {
            name
        })?;
        message.skip(4 * values + if padded && values % 2 == 1 { 4 } else { 0 })?;
        filters.push(match id {
            1 => Filter::Deflate,
            2 => Filter::Shuffle,
            3 => Filter::Fletcher32,
            _ => {
                return Err(Problem::unsupported(format!(
                    "it is compressed by filter {id}; save it again with compression=\"gzip\" or none"
                )));
            }
        });
    }
    Ok(filters)
}

/// The sides of a chunk, of which the last is the size of a value.
fn chunk_sides(layout: &mut Block, rank: usize, own: usize, each: usize) -> Read<Vec<usize>> {
    if own != rank + 1 {
        return Err(Problem::damaged("its chunks have other dimensions than it"));
    }
    (0..own)
        .map(|_| Ok(layout.number(each)? as usize))
        .collect()
}

fn of_value_size(mut sides: Vec<usize>, width: usize) -> Read<Vec<usize>> {
    match sides.pop() {
        Some(size) if size == width => Ok(sides),
        _ => Err(Problem::damaged("its chunks hold values of another size")),
    }
}

/// Layout 3: a tree of chunks.
fn chunks_in_tree(
    metadata: &Metadata<'_, '_>,
    layout: &mut Block,
    shape: &[usize],
    width: usize,
    filters: Vec<Filter>,
) -> Read<Option<Chunked>> {
    let own = usize::from(layout.u8()?);
    let address = layout.u64()?;
    let sides = of_value_size(chunk_sides(layout, shape.len(), own, 4)?, width)?;
    if address == UNDEFINED {
        return Ok(None);
    }
    Chunked::from_tree(metadata, address, shape, sides, width, filters).map(Some)
}

/// Layout 4 with everything in one chunk, the only one of its indices that is read.
fn single_chunk(
    layout: &mut Block,
    shape: &[usize],
    width: usize,
    filters: Vec<Filter>,
) -> Read<Option<Chunked>> {
    let flags = layout.u8()?;
    let own = usize::from(layout.u8()?);
    let each = usize::from(layout.u8()?);
    if !(1..=8).contains(&each) {
        return Err(Problem::damaged("its chunks have sides of no size"));
    }
    let sides = of_value_size(chunk_sides(layout, shape.len(), own, each)?, width)?;
    if layout.u8()? != 1 {
        return Err(newer("a dataset has an index of chunks that is not read"));
    }
    let filtered = match flags & 2 {
        0 => None,
        _ => {
            let size = layout.u64()?;
            Some((size, layout.number(4)? as u32))
        }
    };
    let address = layout.u64()?;
    if address == UNDEFINED {
        return Ok(None);
    }
    Chunked::single(address, filtered, sides, width, filters).map(Some)
}
