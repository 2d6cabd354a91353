//! Chunked datasets: where the chunks lie, how they are unpacked, and how they make one array.

use super::Metadata;
use crate::entry::reserve;
use crate::limits::{MAX_INFLATION, count};
use crate::problem::{Problem, Read};
use crate::source::Source;
use flate2::read::ZlibDecoder;
use std::collections::BTreeSet;
use std::io::Read as _;

/// A step between a chunk's values and its bytes in the file, in the order of writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// zlib.
    Deflate,
    /// First bytes of all values, then all second bytes, and so on.
    Shuffle,
    /// Four bytes of checksum at the end.
    Fletcher32,
}

#[derive(Clone, Debug)]
struct Chunk {
    /// Indices of its first value.
    corner: Vec<usize>,
    address: u64,
    /// Bytes in the file.
    size: u64,
    /// Filters that were left out, one bit each.
    mask: u32,
}

/// The chunks of a dataset.
#[derive(Clone, Debug)]
pub(crate) struct Chunked {
    sides: Vec<usize>,
    filters: Vec<Filter>,
    chunks: Vec<Chunk>,
}

fn broken() -> Problem {
    Problem::damaged("the tree of its chunks is broken")
}

/// The bytes of an unpacked chunk.
fn chunk_bytes(sides: &[usize], width: usize) -> Read<usize> {
    count(sides)
        .and_then(|values| values.checked_mul(width))
        .filter(|&size| size > 0)
        .ok_or_else(|| Problem::damaged(format!("its chunks have the shape {sides:?}")))
}

impl Chunked {
    /// A dataset of one chunk; `filtered` is its size in the file and its mask of filters.
    pub(super) fn single(
        address: u64,
        filtered: Option<(u64, u32)>,
        sides: Vec<usize>,
        width: usize,
        filters: Vec<Filter>,
    ) -> Read<Self> {
        let plain = chunk_bytes(&sides, width)? as u64;
        let (size, mask) = filtered.unwrap_or((plain, 0));
        let corner = vec![0; sides.len()];
        Ok(Self {
            chunks: vec![Chunk {
                corner,
                address,
                size,
                mask,
            }],
            sides,
            filters,
        })
    }

    /// Finds the chunks by their tree (version 1).
    pub(super) fn from_tree(
        metadata: &Metadata<'_, '_>,
        root: u64,
        shape: &[usize],
        sides: Vec<usize>,
        width: usize,
        filters: Vec<Filter>,
    ) -> Read<Self> {
        chunk_bytes(&sides, width)?;
        let mut chunks = Vec::new();
        let mut waiting = vec![(root, None)];
        // A key is the chunk's size, its mask, and its corner with one more index, of the byte in a value.
        let key = 8 + 8 * (shape.len() as u64 + 1);
        while let Some((address, level)) = waiting.pop() {
            let mut node = metadata.block(address, 8)?;
            node.expect(b"TREE")?;
            let (kind, own_level, used) = (node.u8()?, node.u8()?, node.u16()?);
            if kind != 1 || level.is_some_and(|level| level != own_level) {
                return Err(broken());
            }
            let mut node = metadata.block(address.saturating_add(24), (key + 8) * used as u64)?;
            for _ in 0..used {
                let (size, mask) = (node.number(4)?, node.number(4)? as u32);
                let corner: Vec<usize> = (0..shape.len())
                    .map(|_| Ok(usize::try_from(node.u64()?).unwrap_or(usize::MAX)))
                    .collect::<Read<_>>()?;
                node.skip(8)?;
                let child = node.u64()?;
                match own_level.checked_sub(1) {
                    Some(below) => waiting.push((child, Some(below))),
                    None => chunks.push(Chunk {
                        corner,
                        address: child,
                        size,
                        mask,
                    }),
                }
            }
        }
        Ok(Self {
            sides,
            filters,
            chunks,
        })
    }

    /// Refuses chunks that leave the file, do not cover the dataset once, or cannot unpack to their size.
    pub(super) fn check(&self, source: &Source<'_>, shape: &[usize], width: usize) -> Read<()> {
        let unpacked = chunk_bytes(&self.sides, width)? as u64;
        if self
            .sides
            .iter()
            .zip(shape)
            .any(|(chunk, side)| chunk > side)
        {
            return Err(Problem::unsupported(format!(
                "its chunks {:?} are larger than it; save it again without chunks",
                self.sides
            )));
        }
        let wanted = shape
            .iter()
            .zip(&self.sides)
            .try_fold(1usize, |product, (side, chunk)| {
                product.checked_mul(side.div_ceil(*chunk))
            })
            .ok_or_else(broken)?;
        if self.chunks.len() != wanted {
            return Err(Problem::damaged(format!(
                "it has {} chunks where {wanted} are needed",
                self.chunks.len()
            )));
        }
        let mut corners = BTreeSet::new();
        for chunk in &self.chunks {
            let inside = chunk
                .corner
                .iter()
                .zip(shape.iter().zip(&self.sides))
                .all(|(&at, (&side, &chunk))| at < side && at % chunk == 0);
            if !inside || !corners.insert(&chunk.corner) {
                return Err(Problem::damaged(format!(
                    "a chunk lies at {:?}",
                    chunk.corner
                )));
            }
            source.inside(chunk.address, chunk.size)?;
            if unpacked > 64 + chunk.size.saturating_mul(MAX_INFLATION) {
                return Err(Problem::damaged(format!(
                    "a chunk claims to unpack from {} to {unpacked} bytes",
                    chunk.size
                )));
            }
        }
        Ok(())
    }

    /// Where the chunks lie in the file.
    pub(super) fn places(&self) -> impl Iterator<Item = (u64, u64)> {
        self.chunks
            .iter()
            .map(|chunk| (chunk.address, chunk.address + chunk.size))
    }

    /// All bytes of the dataset in row-major order.
    pub(crate) fn read(&self, source: &Source<'_>, shape: &[usize], width: usize) -> Read<Vec<u8>> {
        let size = count(shape).and_then(|values| values.checked_mul(width));
        let size = size.ok_or_else(broken)?;
        let mut bytes = reserve(size)?;
        bytes.resize(size, 0);
        for chunk in &self.chunks {
            let values = self.unpack(source, chunk, width)?;
            self.scatter(chunk, &values, shape, width, &mut bytes);
        }
        Ok(bytes)
    }

    /// The bytes of one chunk, whole even where it sticks out of the dataset.
    fn unpack(&self, source: &Source<'_>, chunk: &Chunk, width: usize) -> Read<Vec<u8>> {
        let size = chunk_bytes(&self.sides, width)?;
        let mut bytes = source.bytes(chunk.address, chunk.size)?;
        let used = self.filters.iter().enumerate().rev();
        for (_, filter) in used.filter(|(bit, _)| *bit > 31 || chunk.mask >> bit & 1 == 0) {
            bytes = match filter {
                Filter::Deflate => {
                    let mut unpacked = reserve(size + 4)?;
                    // Four bytes more than the values: the checksum may lie inside the compression.
                    ZlibDecoder::new(bytes.as_slice())
                        .take(size as u64 + 4)
                        .read_to_end(&mut unpacked)
                        .map_err(|error| {
                            Problem::damaged(format!("a chunk does not unpack: {error}"))
                        })?;
                    unpacked
                }
                Filter::Shuffle => unshuffle(&bytes, width),
                Filter::Fletcher32 => {
                    let values = bytes.len().checked_sub(4);
                    bytes.truncate(values.ok_or_else(broken)?);
                    bytes
                }
            };
        }
        if bytes.len() != size {
            return Err(Problem::damaged(format!(
                "a chunk has {} bytes where {size} are needed",
                bytes.len()
            )));
        }
        Ok(bytes)
    }

    /// Copies the part of a chunk that lies inside the dataset, row by row.
    fn scatter(&self, chunk: &Chunk, values: &[u8], shape: &[usize], width: usize, to: &mut [u8]) {
        let rank = shape.len();
        let inner = rank.saturating_sub(1);
        let visible: Vec<usize> = (0..rank)
            .map(|d| self.sides[d].min(shape[d] - chunk.corner[d]))
            .collect();
        let row = visible.get(inner).map_or(width, |values| values * width);
        let mut index = vec![0; inner];
        'rows: loop {
            let (mut from, mut into) = (0, 0);
            for d in 0..rank {
                let at = index.get(d).copied().unwrap_or(0);
                from = from * self.sides[d] + at;
                into = into * shape[d] + chunk.corner[d] + at;
            }
            let (from, into) = (from * width, into * width);
            to[into..into + row].copy_from_slice(&values[from..from + row]);
            for d in (0..inner).rev() {
                index[d] += 1;
                if index[d] < visible[d] {
                    continue 'rows;
                }
                index[d] = 0;
            }
            return;
        }
    }
}

/// Undoes the shuffle filter; bytes behind the last whole value stay where they are.
fn unshuffle(bytes: &[u8], width: usize) -> Vec<u8> {
    let values = bytes.len() / width;
    let mut plain = bytes.to_vec();
    for (part, column) in bytes.chunks_exact(values.max(1)).take(width).enumerate() {
        for (value, byte) in column.iter().enumerate() {
            plain[value * width + part] = *byte;
        }
    }
    plain
}
