//! The tables of a film: what the samples of each track are, where, and when.

use super::fragments;
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::info::Rotation;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// No table is larger than this: an hour of 60 frames a second has less than 10 MB.
const LARGEST_TABLE: u64 = 256 << 20;

/// A film.
pub struct Movie {
    /// Ticks per second of edits.
    pub timescale: u32,
    /// In the order of the file.
    pub tracks: Vec<Track>,
}

/// Pictures or sound.
pub struct Track {
    pub id: u32,
    /// `vide`, `soun`, …
    pub handler: [u8; 4],
    /// Ticks per second of samples.
    pub timescale: u32,
    pub rotation: Rotation,
    /// The description of its codec: a box with its header; empty if there are none or several.
    pub entry: Vec<u8>,
    /// Language, packed as in `mdhd`.
    pub language: u16,
    pub edits: Vec<Edit>,
    /// In order of decoding.
    pub samples: Vec<Sample>,
}

/// A part of a track that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit {
    /// Ticks of the film.
    pub duration: u64,
    /// Ticks of the track; −1 is a pause.
    pub start: i64,
}

/// A frame or a packet of sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// In the file.
    pub offset: u64,
    pub size: u32,
    /// When it is decoded, in ticks of the track.
    pub decoded: i64,
    /// Ticks until the next is decoded.
    pub duration: u32,
    /// When it is shown, less when it is decoded.
    pub shift: i32,
    /// Whether it can be decoded without those before it.
    pub key: bool,
}

/// The boxes in a slice: their types and what is in them. Ends where one does not fit.
pub fn boxes(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = Bytes(bytes);
    std::iter::from_fn(move || {
        let size = rest.u32()?;
        let kind: [u8; 4] = rest.take(4)?.try_into().ok()?;
        let length = match size {
            0 => rest.0.len(),
            1 => usize::try_from(rest.u64()?.checked_sub(16)?).ok()?,
            _ => (size as usize).checked_sub(8)?,
        };
        Some((kind, rest.take(length)?))
    })
}

/// What is in the first box of a type.
pub fn child<'a>(bytes: &'a [u8], kind: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes)
        .find(|(found, _)| found == kind)
        .map(|(_, inner)| inner)
}

fn path_to<'a>(bytes: &'a [u8], kinds: &[&[u8; 4]]) -> Option<&'a [u8]> {
    kinds
        .iter()
        .try_fold(bytes, |bytes, kind| child(bytes, kind))
}

/// A box at the top of a file.
pub struct TopBox {
    pub kind: [u8; 4],
    /// Of the whole box.
    pub offset: u64,
    /// Of its header.
    pub header: u64,
    /// Of the whole box, by its header; it may reach behind the end of the file.
    pub size: u64,
}

/// The boxes at the top of a file of this length.
pub fn top_boxes(file: &mut File, length: u64) -> std::io::Result<Vec<TopBox>> {
    let mut found = Vec::new();
    let mut offset = 0_u64;
    while offset.saturating_add(8) <= length {
        file.seek(SeekFrom::Start(offset))?;
        let mut header = [0; 16];
        let there = (length - offset).min(16) as usize;
        file.read_exact(&mut header[..there])?;
        let mut bytes = Bytes(&header[..there]);
        let (Some(size), Some(kind)) = (bytes.u32(), bytes.take(4)) else {
            break;
        };
        let kind = [kind[0], kind[1], kind[2], kind[3]];
        let (size, header) = match size {
            0 => (length - offset, 8),
            1 => match bytes.u64() {
                Some(size) => (size, 16),
                None => break,
            },
            _ => (u64::from(size), 8),
        };
        if size < header {
            break;
        }
        found.push(TopBox {
            kind,
            offset,
            header,
            size,
        });
        offset = offset.saturating_add(size);
    }
    Ok(found)
}

/// What is in a box, of which all must be there.
pub fn contents(file: &mut File, top: &TopBox) -> std::io::Result<Vec<u8>> {
    let size = top.size - top.header;
    if size > LARGEST_TABLE {
        return Err(std::io::Error::other("a table is larger than 256 MiB"));
    }
    file.seek(SeekFrom::Start(top.offset + top.header))?;
    let mut bytes = Vec::new();
    file.take(size).read_to_end(&mut bytes)?;
    if bytes.len() as u64 != size {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

impl Movie {
    /// Reads all tables. What lies behind the end of the file is in the tables all the same.
    ///
    /// # Errors
    ///
    /// If the tables are not there, or contradict one another.
    pub fn read(path: &Path, file: &mut File) -> Result<Movie> {
        let length = file.metadata().map_err(Error::read(path))?.len();
        let tops = top_boxes(file, length).map_err(Error::read(path))?;
        let Some(moov) = tops.iter().find(|top| &top.kind == b"moov") else {
            let what = "the file is cut off: its index, which stands at its end, is missing";
            return Err(Error::damaged(path, what));
        };
        let broken = |what: &str| Error::damaged(path, format!("its index is damaged ({what})"));
        let index = contents(file, moov).map_err(|_| broken("it is cut off"))?;
        if child(&index, b"cmov").is_some() {
            return Err(Error::unsupported(path, "a compressed index"));
        }
        let mut header = Bytes(child(&index, b"mvhd").ok_or_else(|| broken("no mvhd"))?);
        let timescale = times(&mut header).ok_or_else(|| broken("mvhd"))?.0;
        let mut tracks = Vec::new();
        for (kind, inner) in boxes(&index) {
            // Tracks that nobody here understands are left out rather than refused.
            if &kind == b"trak"
                && let Some(track) = track(inner, length).map_err(broken)?
            {
                tracks.push(track);
            }
        }
        let mut movie = Movie { timescale, tracks };
        let defaults = child(&index, b"mvex").unwrap_or_default();
        for top in tops.iter().filter(|top| &top.kind == b"moof") {
            // A fragment that is cut off is the end of the film.
            let Ok(bytes) = contents(file, top) else {
                break;
            };
            fragments::add(&mut movie.tracks, &bytes, defaults, top.offset, length)
                .ok_or_else(|| broken("a fragment"))?;
        }
        Ok(movie)
    }
}

/// Skips version, flags, creation and change; gives ticks per second, which are not 0, and duration.
fn times(bytes: &mut Bytes) -> Option<(u32, u64)> {
    let version = bytes.u8()?;
    bytes.take(if version == 0 { 3 + 8 } else { 3 + 16 })?;
    let timescale = bytes.u32().filter(|&scale| scale > 0)?;
    Some((timescale, bytes.wide(version)?))
}

fn track(bytes: &[u8], length: u64) -> Result<Option<Track>, &'static str> {
    let Some(media) = child(bytes, b"mdia") else {
        return Ok(None);
    };
    let handler = child(media, b"hdlr")
        .and_then(|inner| inner.get(8..12))
        .and_then(|kind| kind.try_into().ok())
        .ok_or("hdlr")?;
    if !matches!(&handler, b"vide" | b"soun") {
        return Ok(None);
    }
    let header = child(bytes, b"tkhd").ok_or("no tkhd")?;
    let (id, rotation) = track_header(header).ok_or("tkhd")?;
    let mut media_header = Bytes(child(media, b"mdhd").ok_or("no mdhd")?);
    let (timescale, _) = times(&mut media_header).ok_or("mdhd")?;
    let language = media_header.u16().unwrap_or(0x55c4);
    let table = path_to(media, &[b"minf", b"stbl"]).ok_or("no stbl")?;
    let entries = child(table, b"stsd").and_then(|inner| inner.get(4..));
    let mut entries = Bytes(entries.ok_or("no stsd")?);
    let entry = match entries.u32() {
        Some(1) => entries.0.to_vec(),
        _ => Vec::new(),
    };
    let edits = match path_to(bytes, &[b"edts", b"elst"]) {
        Some(inner) => edits(inner).ok_or("elst")?,
        None => Vec::new(),
    };
    // Sound without a codec has as many samples as a second has ticks; nobody copies it, and its table may be huge.
    let raw = &handler == b"soun"
        && child(table, b"stsz")
            .is_some_and(|sizes| Bytes(sizes.get(4..).unwrap_or_default()).u32() != Some(0));
    let samples = if raw {
        Vec::new()
    } else {
        samples(table, length)?
    };
    Ok(Some(Track {
        id,
        handler,
        timescale,
        rotation,
        entry,
        language,
        edits,
        samples,
    }))
}

fn track_header(bytes: &[u8]) -> Option<(u32, Rotation)> {
    let mut bytes = Bytes(bytes);
    let version = bytes.u8()?;
    bytes.take(if version == 0 { 3 + 8 } else { 3 + 16 })?;
    let id = bytes.u32()?;
    bytes.take(if version == 0 { 4 + 4 } else { 4 + 8 } + 16)?;
    let mut matrix = [0; 9];
    for value in &mut matrix {
        *value = bytes.i32()?;
    }
    // Rows (a b u) (c d v): x' = ax + cy. Only quarter turns are known; mirrored and skewed films are shown as they are.
    let sign = |index: usize| i32::signum(matrix[index]);
    let rotation = match (sign(0), sign(1), sign(3), sign(4)) {
        (0, 1, -1, 0) => Rotation::Quarter,
        (-1, 0, 0, -1) => Rotation::Half,
        (0, -1, 1, 0) => Rotation::ThreeQuarters,
        _ => Rotation::None,
    };
    Some((id, rotation))
}

fn edits(bytes: &[u8]) -> Option<Vec<Edit>> {
    let mut bytes = Bytes(bytes);
    let version = bytes.u8()?;
    bytes.take(3)?;
    let list = bytes.list(if version == 0 { 12 } else { 20 })?;
    list.map(|entry| {
        let mut entry = Bytes(entry);
        Some(Edit {
            duration: entry.wide(version)?,
            start: match version {
                0 => i64::from(entry.i32()?),
                _ => entry.u64()?.cast_signed(),
            },
        })
    })
    .collect()
}

/// The sample table: sizes, chunks, times, key frames.
fn samples(table: &[u8], length: u64) -> Result<Vec<Sample>, &'static str> {
    let full = |kind: &[u8; 4]| child(table, kind).and_then(|inner| inner.get(4..));
    let sizes = sizes(full(b"stsz").ok_or("no stsz")?, length).ok_or("stsz")?;
    let mut samples: Vec<Sample> = Vec::with_capacity(sizes.len());
    place(
        full(b"stsc").unwrap_or_default(),
        &chunks(table).ok_or("stco")?,
        &sizes,
        &mut samples,
    )
    .ok_or("stsc")?;
    let mut times = Bytes(full(b"stts").ok_or("no stts")?);
    let mut durations = runs(times.list(8).ok_or("stts")?);
    let mut decoded = 0i64;
    let mut last = 0;
    for sample in &mut samples {
        // A table that is too short goes on with its last duration, as other readers do.
        last = durations.next().unwrap_or(last);
        sample.decoded = decoded;
        sample.duration = last;
        decoded = decoded.saturating_add(i64::from(last));
    }
    if let Some(inner) = full(b"ctts") {
        let shifts = runs(Bytes(inner).list(8).ok_or("ctts")?);
        for (sample, shift) in samples.iter_mut().zip(shifts) {
            // Unsigned in version 0; there, too, writers put negative numbers.
            sample.shift = shift.cast_signed();
        }
    }
    if let Some(inner) = full(b"stss") {
        samples.iter_mut().for_each(|sample| sample.key = false);
        for entry in Bytes(inner).list(4).ok_or("stss")? {
            let number = Bytes(entry).u32().unwrap_or(0) as usize;
            if let Some(sample) = number.checked_sub(1).and_then(|at| samples.get_mut(at)) {
                sample.key = true;
            }
        }
    }
    Ok(samples)
}

/// (count, value) pairs, each value so many times.
fn runs(list: std::slice::ChunksExact<'_, u8>) -> impl Iterator<Item = u32> + '_ {
    list.flat_map(|entry| {
        let mut entry = Bytes(entry);
        let count = entry.u32().unwrap_or(0) as usize;
        std::iter::repeat_n(entry.u32().unwrap_or(0), count)
    })
}

fn sizes(bytes: &[u8], length: u64) -> Option<Vec<u32>> {
    let mut bytes = Bytes(bytes);
    let size = bytes.u32()?;
    if size > 0 {
        let count = bytes.u32()?;
        let fits = u64::from(count) * u64::from(size) <= length;
        return fits.then(|| vec![size; count as usize]);
    }
    bytes.list(4)?.map(|entry| Bytes(entry).u32()).collect()
}

fn chunks(table: &[u8]) -> Option<Vec<u64>> {
    let full = |kind: &[u8; 4]| child(table, kind).and_then(|inner| inner.get(4..));
    match full(b"stco") {
        Some(inner) => {
            let mut list = Bytes(inner).list(4)?;
            list.try_fold(Vec::new(), |mut chunks, entry| {
                chunks.push(u64::from(Bytes(entry).u32()?));
                Some(chunks)
            })
        }
        None => {
            let list = Bytes(full(b"co64").unwrap_or(&[0; 4])).list(8)?;
            list.map(|entry| Bytes(entry).u64()).collect()
        }
    }
}

/// Deals samples out to chunks.
fn place(bytes: &[u8], chunks: &[u64], sizes: &[u32], samples: &mut Vec<Sample>) -> Option<()> {
    if sizes.is_empty() {
        return Some(());
    }
    let list = Bytes(bytes).list(12)?;
    let entries: Vec<(u32, u32)> = list
        .map(|entry| {
            let mut entry = Bytes(entry);
            Some((entry.u32()?, entry.u32()?))
        })
        .collect::<Option<_>>()?;
    let mut sizes = sizes.iter();
    for (index, &(first, count)) in entries.iter().enumerate() {
        let first = (first as usize).checked_sub(1)?;
        let end = entries
            .get(index + 1)
            .map_or(chunks.len(), |next| (next.0 as usize).saturating_sub(1));
        for &chunk in chunks.get(first..end.min(chunks.len()))? {
            let mut offset = chunk;
            for &size in sizes.by_ref().take(count as usize) {
                samples.push(Sample {
                    offset,
                    size,
                    decoded: 0,
                    duration: 0,
                    shift: 0,
                    key: true,
                });
                offset = offset.saturating_add(u64::from(size));
            }
        }
    }
    sizes.next().is_none().then_some(())
}
