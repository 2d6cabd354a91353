//! Compressions that the decoder does not know (CCITT fax and Zstandard) and palettes: the file is
//! written anew in memory as one without compression, of grey samples for those of a palette.

use std::io::Read;

use ruzstd::decoding::StreamingDecoder;

use super::fax::{self, Coding};

/// Tags (TIFF 6.0, sections 8, 11 and 15; Zstandard's number is libtiff's).
mod tag {
    pub const WIDTH: u16 = 256;
    pub const HEIGHT: u16 = 257;
    pub const BITS: u16 = 258;
    pub const COMPRESSION: u16 = 259;
    pub const PHOTOMETRIC: u16 = 262;
    pub const FILL_ORDER: u16 = 266;
    pub const STRIP_OFFSETS: u16 = 273;
    pub const SAMPLES: u16 = 277;
    pub const ROWS_PER_STRIP: u16 = 278;
    pub const STRIP_BYTES: u16 = 279;
    pub const PLANAR: u16 = 284;
    pub const FAX3_OPTIONS: u16 = 292;
    pub const COLOR_MAP: u16 = 320;
    pub const TILE_WIDTH: u16 = 322;
    pub const TILE_HEIGHT: u16 = 323;
    pub const TILE_OFFSETS: u16 = 324;
    pub const TILE_BYTES: u16 = 325;
}

const ZSTD: u32 = 50_000;
const PALETTE: u32 = 3;
const BLACK_IS_ZERO: u32 = 1;

/// A file that the decoder knows, in place of one that it does not.
pub(super) struct Plain {
    pub(super) bytes: Vec<u8>,
    /// All reds, all greens, all blues, of 16 bits; samples are indices into each third.
    pub(super) palette: Option<Vec<u16>>,
}

/// The file anew; None if the decoder is to see it as it is, an error if pixels are missing.
pub(super) fn plain(bytes: &[u8], max_pixels: u64) -> Result<Option<Plain>, String> {
    let Some(directory) = Directory::first(bytes) else {
        return Ok(None);
    };
    let compression = directory.number(tag::COMPRESSION).unwrap_or(1);
    let is_palette = directory.number(tag::PHOTOMETRIC) == Some(PALETTE);
    let coding = match compression {
        2 => Some(Coding::Rows),
        3 => {
            let options = directory.number(tag::FAX3_OPTIONS).unwrap_or(0);
            Some(Coding::Group3 {
                two_dimensional: options & 1 == 1,
            })
        }
        4 => Some(Coding::Group4),
        ZSTD => None,
        _ if is_palette => None,
        _ => return Ok(None),
    };
    let mut new = bytes.to_vec();
    let mut directory = directory;
    if coding.is_some() || compression == ZSTD {
        let chunks = directory.chunks().ok_or("its strips are not said")?;
        if chunks.pixels > max_pixels {
            return Ok(None);
        }
        if coding.is_some() && (chunks.bits != 1 || chunks.samples != 1) {
            return Ok(None);
        }
        let reversed = directory.number(tag::FILL_ORDER) == Some(2);
        let mut places = (Vec::new(), Vec::new());
        for chunk in &chunks.list {
            let data = bytes
                .get(chunk.start..)
                .ok_or("a strip is beyond its end")?;
            let data = data.get(..chunk.length).ok_or("a strip is cut short")?;
            let data = match coding {
                Some(coding) if reversed => {
                    let data: Vec<u8> = data.iter().map(|byte| byte.reverse_bits()).collect();
                    fax::decode(&data, coding, chunk.width, chunk.rows)
                }
                Some(coding) => fax::decode(data, coding, chunk.width, chunk.rows),
                None => inflate(data, chunk.bytes),
            };
            let data = data.ok_or("a strip is damaged, or pixels are missing")?;
            new.resize(new.len().next_multiple_of(2), 0);
            places.0.push(new.len() as u32);
            places.1.push(data.len() as u32);
            new.extend(data);
        }
        directory.set(tag::COMPRESSION, vec![1]);
        directory.set(chunks.offsets_tag, places.0);
        directory.set(chunks.bytes_tag, places.1);
        if coding.is_some() {
            directory.set(tag::FILL_ORDER, vec![1]);
        }
    }
    let mut palette = None;
    if is_palette {
        let colours = directory
            .numbers(tag::COLOR_MAP)
            .ok_or("its palette is missing")?;
        palette = Some(colours.iter().map(|&value| value as u16).collect());
        directory.set(tag::PHOTOMETRIC, vec![BLACK_IS_ZERO]);
    }
    directory.append(&mut new);
    Ok(Some(Plain {
        bytes: new,
        palette,
    }))
}

/// Exactly `length` bytes of a Zstandard stream.
fn inflate(data: &[u8], length: usize) -> Option<Vec<u8>> {
    let decoder = StreamingDecoder::new(data).ok()?;
    let mut out = Vec::new();
    decoder.take(length as u64).read_to_end(&mut out).ok()?;
    (out.len() == length).then_some(out)
}

/// A strip or tile.
struct Chunk {
    start: usize,
    length: usize,
    width: usize,
    rows: usize,
    /// How long it is without compression.
    bytes: usize,
}

struct Chunks {
    list: Vec<Chunk>,
    pixels: u64,
    bits: usize,
    samples: usize,
    offsets_tag: u16,
    bytes_tag: u16,
}

/// The first image file directory of a classic TIFF.
struct Directory<'a> {
    bytes: &'a [u8],
    little: bool,
    entries: Vec<Entry<'a>>,
    next: [u8; 4],
}

struct Entry<'a> {
    tag: u16,
    kind: u16,
    count: u32,
    value: Value<'a>,
}

enum Value<'a> {
    /// The four bytes of the entry, in the order of the file: the value or where it is.
    Stored(&'a [u8]),
    /// Numbers of 32 bits.
    New(Vec<u32>),
}

impl<'a> Directory<'a> {
    fn first(bytes: &'a [u8]) -> Option<Directory<'a>> {
        let little = match bytes.get(..4)? {
            b"II*\0" => true,
            b"MM\0*" => false,
            _ => return None,
        };
        let mut directory = Directory {
            bytes,
            little,
            entries: Vec::new(),
            next: [0; 4],
        };
        let start = directory.u32_at(4)? as usize;
        let count = directory.u16_at(start)?;
        for i in 0..usize::from(count) {
            let at = start + 2 + 12 * i;
            directory.entries.push(Entry {
                tag: directory.u16_at(at)?,
                kind: directory.u16_at(at + 2)?,
                count: directory.u32_at(at + 4)?,
                value: Value::Stored(bytes.get(at + 8..at + 12)?),
            });
        }
        let end = start + 2 + 12 * usize::from(count);
        let next = bytes.get(end..).and_then(<[u8]>::first_chunk);
        directory.next = next.copied().unwrap_or_default();
        Some(directory)
    }

    fn u16_at(&self, at: usize) -> Option<u16> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little {
            u16::from_le_bytes(bytes)
        } else {
            u16::from_be_bytes(bytes)
        })
    }

    fn u32_at(&self, at: usize) -> Option<u32> {
        let bytes = *self.bytes.get(at..)?.first_chunk()?;
        Some(if self.little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
    }

    /// The values of a tag of bytes or of 16 or 32 bits.
    fn numbers(&self, tag: u16) -> Option<Vec<u32>> {
        let entry = self.entries.iter().find(|entry| entry.tag == tag)?;
        let stored = match &entry.value {
            Value::New(values) => return Some(values.clone()),
            Value::Stored(stored) => stored,
        };
        let size = match entry.kind {
            1 => 1,
            3 => 2,
            4 => 4,
            _ => return None,
        };
        let length = size * entry.count as usize;
        let inside = stored.as_ptr() as usize - self.bytes.as_ptr() as usize;
        let start = if length <= 4 {
            inside
        } else {
            self.u32_at(inside)? as usize
        };
        // Nothing is allocated for what cannot be in the file.
        self.bytes.get(start..start.checked_add(length)?)?;
        (0..entry.count as usize)
            .map(|i| match size {
                1 => self.bytes.get(start + i).copied().map(u32::from),
                2 => self.u16_at(start + 2 * i).map(u32::from),
                _ => self.u32_at(start + 4 * i),
            })
            .collect()
    }

    fn number(&self, tag: u16) -> Option<u32> {
        self.numbers(tag)?.first().copied()
    }

    fn set(&mut self, tag: u16, values: Vec<u32>) {
        self.entries.retain(|entry| entry.tag != tag);
        self.entries.push(Entry {
            tag,
            kind: 4,
            count: values.len() as u32,
            value: Value::New(values),
        });
    }

    /// Where the strips or tiles are, and what they hold.
    fn chunks(&self) -> Option<Chunks> {
        let width = self.number(tag::WIDTH)? as usize;
        let height = self.number(tag::HEIGHT)? as usize;
        let bits = self.number(tag::BITS).unwrap_or(1) as usize;
        let samples = self.number(tag::SAMPLES).unwrap_or(1) as usize;
        let planar = self.number(tag::PLANAR) == Some(2);
        let tiled = self.number(tag::TILE_WIDTH).is_some();
        let (offsets_tag, bytes_tag) = if tiled {
            (tag::TILE_OFFSETS, tag::TILE_BYTES)
        } else {
            (tag::STRIP_OFFSETS, tag::STRIP_BYTES)
        };
        let offsets = self.numbers(offsets_tag)?;
        let lengths = self.numbers(bytes_tag)?;
        let (chunk_width, chunk_rows) = if tiled {
            let rows = self.number(tag::TILE_HEIGHT)?;
            (self.number(tag::TILE_WIDTH)? as usize, rows as usize)
        } else {
            let rows = self.number(tag::ROWS_PER_STRIP);
            (width, rows.map_or(height, |rows| rows as usize).min(height))
        };
        if [width, height, chunk_width, chunk_rows, bits, samples].contains(&0)
            || bits > 64
            || samples > 64
            || chunk_width > 1 << 20
            || chunk_rows > 1 << 20
            || offsets.len() != lengths.len()
        {
            return None;
        }
        let per_plane = width.div_ceil(chunk_width) * height.div_ceil(chunk_rows);
        if offsets.len() != per_plane * if planar { samples } else { 1 } {
            return None;
        }
        let row_samples = chunk_width * if planar { 1 } else { samples };
        let list = offsets.iter().zip(&lengths).enumerate();
        let list = list.map(|(i, (&start, &length))| {
            let top = i % per_plane * chunk_rows;
            let rows = if tiled {
                chunk_rows
            } else {
                chunk_rows.min(height - top)
            };
            Chunk {
                start: start as usize,
                length: length as usize,
                width: chunk_width,
                rows,
                bytes: rows * (row_samples * bits).div_ceil(8),
            }
        });
        let list: Vec<Chunk> = list.collect();
        let pixels = list.iter().map(|chunk| (chunk.width * chunk.rows) as u64);
        Some(Chunks {
            pixels: pixels.sum(),
            list,
            bits,
            samples,
            offsets_tag,
            bytes_tag,
        })
    }

    /// Writes the directory behind the file, and where it is into the header.
    fn append(mut self, file: &mut Vec<u8>) {
        self.entries.sort_by_key(|entry| entry.tag);
        let little = self.little;
        let two = |value: u16| {
            if little {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            }
        };
        let four = |value: u32| {
            if little {
                value.to_le_bytes()
            } else {
                value.to_be_bytes()
            }
        };
        let mut table = two(self.entries.len() as u16).to_vec();
        for entry in &self.entries {
            table.extend(two(entry.tag));
            table.extend(two(entry.kind));
            table.extend(four(entry.count));
            match &entry.value {
                Value::Stored(bytes) => table.extend(*bytes),
                Value::New(values) if values.len() == 1 => table.extend(four(values[0])),
                Value::New(values) => {
                    file.resize(file.len().next_multiple_of(2), 0);
                    table.extend(four(file.len() as u32));
                    file.extend(values.iter().flat_map(|&value| four(value)));
                }
            }
        }
        table.extend(self.next);
        file.resize(file.len().next_multiple_of(2), 0);
        let start = four(file.len() as u32);
        file[4..8].copy_from_slice(&start);
        file.extend(table);
    }
}
