//! The bytes of a file that is not trusted, read by position.
//!
//! A [`Source`] is a row of pieces: a whole file, bytes in memory, the shards of a model one behind the other, or
//! the parts of a file that were downloaded with holes between them. Readers see one address space and are told
//! what lies outside it; nothing is read before it is asked for, so an 80 MB file costs 80 MB of memory once.

use crate::problem::{Problem, Read};
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Seek, SeekFrom};
use std::sync::Arc;

/// Where the bytes of a piece come from.
#[derive(Clone, Debug)]
enum Place<'a> {
    Memory(Cow<'a, [u8]>),
    /// A file from this offset on.
    File(Arc<File>, u64),
    /// Bytes that are known to exist but are not here.
    Hole,
}

#[derive(Clone, Debug)]
struct Piece<'a> {
    start: u64,
    length: u64,
    place: Place<'a>,
}

/// A row of pieces with one address space.
#[derive(Clone, Debug, Default)]
pub(crate) struct Source<'a> {
    pieces: Vec<Piece<'a>>,
    length: u64,
}

impl<'a> Source<'a> {
    /// Bytes in memory.
    pub(crate) fn memory(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        let mut source = Self::default();
        let bytes = bytes.into();
        source.push(bytes.len() as u64, Place::Memory(bytes));
        source
    }

    /// A whole file.
    pub(crate) fn file(file: File) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let mut source = Self::default();
        source.push(length, Place::File(Arc::new(file), 0));
        Ok(source)
    }

    /// The start of something longer, `length` bytes in all.
    pub(crate) fn start_of(bytes: &'a [u8], length: u64) -> Self {
        let mut source = Self::memory(bytes);
        source.push(length.saturating_sub(source.length), Place::Hole);
        source
    }

    /// Parts of something longer: `spans` of its addresses, `length` in all, lie one behind the other in `file`.
    /// The spans are in order and do not overlap.
    pub(crate) fn excerpt(file: File, spans: &[std::ops::Range<u64>], length: u64) -> Self {
        let file = Arc::new(file);
        let mut source = Self::default();
        let mut at = 0;
        for span in spans {
            source.push(span.start.saturating_sub(source.length), Place::Hole);
            let size = span.end.saturating_sub(span.start);
            source.push(size, Place::File(file.clone(), at));
            at += size;
        }
        source.push(length.saturating_sub(source.length), Place::Hole);
        source
    }

    /// Appends the bytes of another source.
    pub(crate) fn append(&mut self, other: Source<'a>) {
        for piece in other.pieces {
            self.push(piece.length, piece.place);
        }
    }

    fn push(&mut self, length: u64, place: Place<'a>) {
        if length > 0 {
            self.pieces.push(Piece {
                start: self.length,
                length,
                place,
            });
            self.length += length;
        }
    }

    /// Number of bytes.
    pub(crate) fn len(&self) -> u64 {
        self.length
    }

    /// The part from `offset` on, `length` bytes long, as a source of its own.
    pub(crate) fn part(&self, offset: u64, length: u64) -> Read<Source<'a>> {
        self.inside(offset, length)?;
        let end = offset + length;
        let mut part = Source::default();
        for piece in &self.pieces {
            let from = piece.start.max(offset);
            let to = (piece.start + piece.length).min(end);
            if from >= to {
                continue;
            }
            let skip = from - piece.start;
            let place = match &piece.place {
                Place::File(file, at) => Place::File(file.clone(), at + skip),
                Place::Hole => Place::Hole,
                Place::Memory(Cow::Borrowed(bytes)) => Place::Memory(Cow::Borrowed(
                    &bytes[skip as usize..(skip + to - from) as usize],
                )),
                Place::Memory(Cow::Owned(bytes)) => Place::Memory(Cow::Owned(
                    bytes[skip as usize..(skip + to - from) as usize].to_vec(),
                )),
            };
            part.push(to - from, place);
        }
        Ok(part)
    }

    /// Refuses a place outside the bytes.
    pub(crate) fn inside(&self, offset: u64, length: u64) -> Read<()> {
        match offset.checked_add(length) {
            Some(end) if end <= self.length => Ok(()),
            _ => Err(Problem::damaged(format!(
                "{length} bytes are said to lie at byte {offset}, the file has {}",
                self.length
            ))),
        }
    }

    /// Fills `buffer` with the bytes at `offset`.
    pub(crate) fn read_at(&self, mut offset: u64, mut buffer: &mut [u8]) -> Read<()> {
        self.inside(offset, buffer.len() as u64)?;
        let mut index = self
            .pieces
            .partition_point(|piece| piece.start + piece.length <= offset);
        while !buffer.is_empty() {
            let Some(piece) = self.pieces.get(index) else {
                return Err(Problem::damaged("its pieces do not fit each other"));
            };
            let skip = offset - piece.start;
            let here = (piece.length - skip).min(buffer.len() as u64) as usize;
            let (now, later) = buffer.split_at_mut(here);
            match &piece.place {
                Place::Memory(bytes) => {
                    now.copy_from_slice(&bytes[skip as usize..skip as usize + here])
                }
                Place::File(file, at) => {
                    let mut file = file.as_ref();
                    file.seek(SeekFrom::Start(at + skip))?;
                    io::Read::read_exact(&mut file, now).map_err(|error| match error.kind() {
                        io::ErrorKind::UnexpectedEof => {
                            Problem::damaged("it became shorter while it was read")
                        }
                        _ => Problem::Io(error),
                    })?;
                }
                Place::Hole => {
                    return Err(Problem::damaged(format!(
                        "byte {offset} was not fetched with the rest"
                    )));
                }
            }
            (buffer, offset, index) = (later, offset + here as u64, index + 1);
        }
        Ok(())
    }

    /// The `length` bytes at `offset`. The caller has checked `length` against a limit.
    pub(crate) fn bytes(&self, offset: u64, length: u64) -> Read<Vec<u8>> {
        self.inside(offset, length)?;
        let mut bytes = vec![0; length as usize];
        self.read_at(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// A reader of the `length` bytes at `offset`, in order.
    pub(crate) fn reader(&self, offset: u64, length: u64) -> Read<SourceReader<'_, 'a>> {
        self.inside(offset, length)?;
        Ok(SourceReader {
            source: self,
            at: offset,
            end: offset + length,
            failed: None,
        })
    }
}

/// Reads a part of a source in order.
pub(crate) struct SourceReader<'s, 'a> {
    source: &'s Source<'a>,
    at: u64,
    end: u64,
    /// What went wrong below, kept because [`io::Read`] can carry only system errors.
    failed: Option<Problem>,
}

impl SourceReader<'_, '_> {
    /// The problem behind an [`io::Error`] that this reader gave.
    pub(crate) fn problem(&mut self, error: io::Error) -> Problem {
        self.failed.take().unwrap_or(Problem::Io(error))
    }
}

impl io::Read for SourceReader<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = (self.end - self.at).min(buffer.len() as u64) as usize;
        if let Err(problem) = self.source.read_at(self.at, &mut buffer[..count]) {
            self.failed = Some(problem);
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_read_as_one_row() {
        let mut source = Source::memory(&b"abc"[..]);
        source.append(Source::memory(b"defg".to_vec()));
        assert_eq!(source.len(), 7);
        assert_eq!(source.bytes(1, 5).unwrap(), b"bcdef");
        assert_eq!(source.part(2, 3).unwrap().bytes(0, 3).unwrap(), b"cde");
        assert!(source.bytes(3, 5).is_err());
        assert!(source.bytes(u64::MAX, 2).is_err());
    }

    #[test]
    fn an_excerpt_has_holes_where_nothing_was_fetched() {
        let folder = impasto_testing::Folder::new();
        let file = File::open(folder.write("w", "headtail")).unwrap();
        let source = Source::excerpt(file, &[0..4, 10..14], 20);
        assert_eq!(source.len(), 20);
        assert_eq!(source.bytes(0, 4).unwrap(), b"head");
        assert_eq!(source.bytes(10, 4).unwrap(), b"tail");
        assert!(source.bytes(3, 2).is_err());
        assert!(source.bytes(13, 2).is_err());
        assert!(source.bytes(18, 3).is_err());
    }
}
