//! Zip archives, as PyTorch and NumPy write them: members stored or deflated, found by the central directory.
//!
//! Source: PKWARE's APPNOTE.TXT, sections 4.3 and 4.5 (zip64). Refused: encryption, other compression, members that
//! overlap each other or the directory, and sizes that DEFLATE cannot reach (zip bombs).

use crate::Limits;
use crate::limits::MAX_INFLATION;
use crate::problem::{Problem, Read, within};
use crate::source::{Source, SourceReader};
use flate2::read::DeflateDecoder;
use std::collections::BTreeMap;
use std::io::{self, Read as _};

/// A file inside an archive.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Where its bytes start in the archive.
    offset: u64,
    /// Bytes in the archive.
    packed: u64,
    /// Bytes when unpacked.
    pub(crate) size: u64,
    deflated: bool,
    /// CRC-32 of the unpacked bytes; `None` where the writer did not compute it.
    crc: Option<u32>,
}

/// The members of an archive by name.
#[derive(Debug)]
pub(crate) struct Archive {
    members: BTreeMap<String, Member>,
}

const END: &[u8; 4] = b"PK\x05\x06";
const END64_LOCATOR: &[u8; 4] = b"PK\x06\x07";
const END64: &[u8; 4] = b"PK\x06\x06";
const DIRECTORY_ENTRY: &[u8; 4] = b"PK\x01\x02";
const LOCAL_HEADER: &[u8; 4] = b"PK\x03\x04";

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn cut() -> Problem {
    Problem::damaged("its zip directory is cut off")
}

impl Archive {
    /// Reads the directory of an archive.
    pub(crate) fn open(source: &Source<'_>, limits: &Limits) -> Read<Self> {
        let (offset, size, count) = directory(source)?;
        within("the zip directory", size, limits.header_bytes)?;
        within("the number of files", count, limits.tensors as u64 + 64)?;
        let directory = source.bytes(offset, size)?;
        let mut rest = directory.as_slice();
        let mut members = BTreeMap::new();
        let mut spans = vec![];
        for _ in 0..count {
            let (name, mut member, next) = entry(rest).ok_or_else(cut)??;
            rest = &rest[next..];
            let header = member.offset;
            member.find_data(source)?;
            let end = member.offset.checked_add(member.packed).ok_or_else(cut)?;
            if end > offset {
                return Err(Problem::damaged(format!(
                    "its member {name} runs into the zip directory"
                )));
            }
            if member.size > 64 + member.packed.saturating_mul(MAX_INFLATION) {
                return Err(Problem::damaged(format!(
                    "its member {name} claims to unpack from {} to {} bytes",
                    member.packed, member.size
                )));
            }
            spans.push((header, end, name.clone()));
            if members.insert(name.clone(), member).is_some() {
                return Err(Problem::damaged(format!("two members are called {name}")));
            }
        }
        spans.sort_unstable();
        if let Some(pair) = spans.windows(2).find(|pair| pair[0].1 > pair[1].0) {
            return Err(Problem::damaged(format!(
                "members {} and {} overlap",
                pair[0].2, pair[1].2
            )));
        }
        Ok(Self { members })
    }

    /// Its members by name.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&str, &Member)> {
        self.members
            .iter()
            .map(|(name, member)| (name.as_str(), member))
    }

    /// A member.
    pub(crate) fn get(&self, name: &str) -> Option<&Member> {
        self.members.get(name)
    }
}

/// Offset, size and number of entries of the central directory.
fn directory(source: &Source<'_>) -> Read<(u64, u64, u64)> {
    // The end record has 22 bytes and a comment of at most 65,535.
    let tail_size = source.len().min(22 + 65_535);
    let tail_start = source.len() - tail_size;
    let tail = source.bytes(tail_start, tail_size)?;
    let at = (0..tail.len().saturating_sub(21))
        .rev()
        .find(|&at| tail[at..].starts_with(END))
        .ok_or_else(cut)?;
    let end = &tail[at..];
    let read = || {
        Some((
            u64::from(u32_at(end, 16)?),
            u64::from(u32_at(end, 12)?),
            u64::from(u16_at(end, 10)?),
        ))
    };
    let (offset, size, count) = read().ok_or_else(cut)?;
    if offset != u64::from(u32::MAX) && size != u64::from(u32::MAX) && count != 0xffff {
        return Ok((offset, size, count));
    }
    let locator = at
        .checked_sub(20)
        .map(|at| &tail[at..])
        .filter(|locator| locator.starts_with(END64_LOCATOR));
    let Some(locator) = locator else {
        return Ok((offset, size, count));
    };
    let end64 = source.bytes(u64_at(locator, 8).ok_or_else(cut)?, 56)?;
    if !end64.starts_with(END64) {
        return Err(cut());
    }
    let read = || {
        Some((
            u64_at(&end64, 48)?,
            u64_at(&end64, 40)?,
            u64_at(&end64, 32)?,
        ))
    };
    read().ok_or_else(cut)
}

/// The first entry of a directory and its length. The member's offset is still that of its local header.
fn entry(bytes: &[u8]) -> Option<Read<(String, Member, usize)>> {
    if !bytes.starts_with(DIRECTORY_ENTRY) {
        return None;
    }
    let flags = u16_at(bytes, 8)?;
    let method = u16_at(bytes, 10)?;
    let crc = u32_at(bytes, 16)?;
    let mut packed = u64::from(u32_at(bytes, 20)?);
    let mut size = u64::from(u32_at(bytes, 24)?);
    let name_length = usize::from(u16_at(bytes, 28)?);
    let extra_length = usize::from(u16_at(bytes, 30)?);
    let comment_length = usize::from(u16_at(bytes, 32)?);
    let mut offset = u64::from(u32_at(bytes, 42)?);
    let name = String::from_utf8_lossy(bytes.get(46..46 + name_length)?).into_owned();
    let mut extra = bytes.get(46 + name_length..46 + name_length + extra_length)?;
    let next = 46 + name_length + extra_length + comment_length;
    bytes.get(..next)?;
    while let (Some(id), Some(length)) = (u16_at(extra, 0), u16_at(extra, 2)) {
        let field = extra.get(4..4 + usize::from(length))?;
        if id == 1 {
            // zip64: only the fields that do not fit into 32 bits are there, in this order.
            let mut at = 0;
            for value in [&mut size, &mut packed, &mut offset] {
                if *value == u64::from(u32::MAX) {
                    *value = u64_at(field, at)?;
                    at += 8;
                }
            }
        }
        extra = &extra[4 + usize::from(length)..];
    }
    let refused = |why: String| Some(Err(Problem::unsupported(why)));
    if flags & 1 != 0 {
        return refused(format!("its member {name} is encrypted"));
    }
    let deflated = match method {
        0 => false,
        8 => true,
        _ => {
            return refused(format!(
                "its member {name} is compressed by method {method}; only stored and deflated members are read"
            ));
        }
    };
    if !deflated && packed != size {
        return Some(Err(Problem::damaged(format!(
            "its member {name} is stored, but {packed} bytes are said to be {size}"
        ))));
    }
    let member = Member {
        offset,
        packed,
        size,
        deflated,
        crc: (crc != 0).then_some(crc),
    };
    Some(Ok((name, member, next)))
}

impl Member {
    /// Moves the offset from the local header to the data behind it.
    fn find_data(&mut self, source: &Source<'_>) -> Read<()> {
        let header = source.bytes(self.offset, 30)?;
        let lengths = (u16_at(&header, 26), u16_at(&header, 28));
        let (true, (Some(name), Some(extra))) = (header.starts_with(LOCAL_HEADER), lengths) else {
            return Err(Problem::damaged("a zip member's own header is missing"));
        };
        self.offset += 30 + u64::from(name) + u64::from(extra);
        source.inside(self.offset, self.packed)
    }

    /// Where its bytes start in the archive.
    pub(crate) fn start(&self) -> u64 {
        self.offset
    }

    /// Whether it is compressed.
    pub(crate) fn is_deflated(&self) -> bool {
        self.deflated
    }

    /// All of its bytes as a source of their own; it must be stored.
    pub(crate) fn whole<'a>(&self, source: &Source<'a>) -> Read<Source<'a>> {
        if self.deflated {
            return Err(Problem::unsupported(
                "the weights inside the archive are compressed; unpack it and use the file inside",
            ));
        }
        source.part(self.offset, self.size)
    }

    /// All of its bytes, at most `limit`.
    pub(crate) fn bytes(&self, source: &Source<'_>, what: &str, limit: u64) -> Read<Vec<u8>> {
        within(what, self.size, limit)?;
        self.read(source, 0, self.size, |reader| {
            let mut bytes = vec![0; self.size as usize];
            reader.read_exact(&mut bytes)?;
            Ok(bytes)
        })
    }

    /// Hands `use_it` a reader that starts after `skip` unpacked bytes, of which it reads exactly `size`. If that
    /// brings it to the member's end, the checksum of all that was unpacked is checked.
    pub(crate) fn read<T>(
        &self,
        source: &Source<'_>,
        skip: u64,
        size: u64,
        use_it: impl FnOnce(&mut dyn io::Read) -> io::Result<T>,
    ) -> Read<T> {
        let end = skip.checked_add(size);
        if end.is_none_or(|end| end > self.size) {
            return Err(Problem::damaged(format!(
                "{size} bytes are said to follow byte {skip} of a member of {}",
                self.size
            )));
        }
        let to_the_end = end == Some(self.size);
        if !self.deflated && (!to_the_end || self.crc.is_none()) {
            let mut reader = source.reader(self.offset + skip, size)?;
            return use_it(&mut reader).map_err(|error| reader.problem(error));
        }
        let mut reader = Unpack::new(source.reader(self.offset, self.packed)?, self.deflated);
        let used = io::copy(&mut (&mut reader).take(skip), &mut io::sink())
            .and_then(|_| use_it(&mut reader))
            .map_err(|error| reader.problem(error))?;
        match self.crc {
            Some(crc) if to_the_end && reader.hasher.clone().finalize() != crc => {
                Err(Problem::damaged("its checksum (CRC-32) does not match"))
            }
            _ => Ok(used),
        }
    }
}

/// Unpacks a member and sums up what comes out.
struct Unpack<'s, 'a> {
    packed: Packed<'s, 'a>,
    hasher: crc32fast::Hasher,
}

enum Packed<'s, 'a> {
    Stored(SourceReader<'s, 'a>),
    Deflated(Box<DeflateDecoder<SourceReader<'s, 'a>>>),
}

impl<'s, 'a> Unpack<'s, 'a> {
    fn new(reader: SourceReader<'s, 'a>, deflated: bool) -> Self {
        Self {
            packed: match deflated {
                false => Packed::Stored(reader),
                true => Packed::Deflated(Box::new(DeflateDecoder::new(reader))),
            },
            hasher: crc32fast::Hasher::new(),
        }
    }

    fn problem(&mut self, error: io::Error) -> Problem {
        let reader = match &mut self.packed {
            Packed::Stored(reader) => reader,
            Packed::Deflated(decoder) => decoder.get_mut(),
        };
        match reader.problem(error) {
            Problem::Io(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::InvalidInput
                        | io::ErrorKind::InvalidData
                        | io::ErrorKind::UnexpectedEof
                ) =>
            {
                Problem::damaged(format!("it does not unpack: {error}"))
            }
            other => other,
        }
    }
}

impl io::Read for Unpack<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.packed {
            Packed::Stored(reader) => reader.read(buffer)?,
            Packed::Deflated(decoder) => decoder.read(buffer)?,
        };
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}
