//! Sound, which is copied packet by packet and never decoded.

use super::movie::{Edit, Movie, Sample, Track, boxes};
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Codecs that MP4 may hold and players know.
const CODECS: [&[u8; 4]; 7] = [
    b"mp4a", b"ac-3", b"ec-3", b"Opus", b"alac", b"fLaC", b".mp3",
];

/// The sound of a film: where its packets lie, when they are heard, and how they are to be decoded. Cheap to clone.
#[derive(Clone)]
pub struct Sound {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// Removed with the last clone, where the packets were extracted to a file for this.
    _extracted: Option<tempfile::TempPath>,
    tracks: Vec<SoundTrack>,
}

/// A track of it.
pub struct SoundTrack {
    pub timescale: u32,
    pub entry: Vec<u8>,
    pub language: u16,
    /// Ticks per second of the edits' durations.
    pub movie_timescale: u32,
    pub edits: Vec<Edit>,
    pub samples: Vec<Sample>,
}

impl std::fmt::Debug for Sound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Sound({}, {} tracks)",
            self.inner.path.display(),
            self.inner.tracks.len()
        )
    }
}

impl Sound {
    /// The sound of an MP4 or MOV file that can be copied; `None` if there is none.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or is no such file.
    pub fn open(path: &Path) -> Result<Option<Sound>> {
        let mut file = File::open(path).map_err(Error::read(path))?;
        let movie = Movie::read(path, &mut file)?;
        Ok(Sound::of(path, movie, None))
    }

    pub(crate) fn of(
        path: &Path,
        movie: Movie,
        extracted: Option<tempfile::TempPath>,
    ) -> Option<Sound> {
        let timescale = movie.timescale;
        let tracks: Vec<SoundTrack> = movie
            .tracks
            .into_iter()
            .filter_map(|track| SoundTrack::of(track, timescale))
            .collect();
        (!tracks.is_empty()).then(|| Sound {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                _extracted: extracted,
                tracks,
            }),
        })
    }

    /// The file that the packets are in.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// How many packets each track has.
    pub fn packet_counts(&self) -> Vec<usize> {
        let tracks = self.inner.tracks.iter();
        tracks.map(|track| track.samples.len()).collect()
    }

    /// Calls `packet` with every packet of a track, in order.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any more or is shorter than its tables say, and whatever `packet` returns.
    pub fn read_packets(
        &self,
        track: usize,
        mut packet: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let path = &self.inner.path;
        let mut file = File::open(path).map_err(Error::read(path))?;
        let length = file.metadata().map_err(Error::read(path))?.len();
        let Some(track) = self.inner.tracks.get(track) else {
            return Ok(());
        };
        let mut bytes = Vec::new();
        for sample in &track.samples {
            read_sample(path, &mut file, length, sample, &mut bytes)?;
            packet(&bytes)?;
        }
        Ok(())
    }

    pub(crate) fn tracks(&self) -> &[SoundTrack] {
        &self.inner.tracks
    }
}

/// Reads the bytes of a sample; before anything is allocated they are known to be there.
pub fn read_sample(
    path: &Path,
    file: &mut File,
    length: u64,
    sample: &Sample,
    bytes: &mut Vec<u8>,
) -> Result<()> {
    let end = sample.offset.checked_add(u64::from(sample.size));
    if end.is_none_or(|end| end > length) {
        return Err(Error::damaged(path, "the file is cut off"));
    }
    bytes.resize(sample.size as usize, 0);
    file.seek(SeekFrom::Start(sample.offset))
        .and_then(|_| file.read_exact(bytes))
        .map_err(Error::read(path))
}

impl SoundTrack {
    fn of(track: Track, movie_timescale: u32) -> Option<SoundTrack> {
        let kind: [u8; 4] = track.entry.get(4..8)?.try_into().ok()?;
        if &track.handler != b"soun" || track.samples.is_empty() || !CODECS.contains(&&kind) {
            return None;
        }
        Some(SoundTrack {
            timescale: track.timescale,
            entry: plain_entry(track.entry)?,
            language: track.language,
            movie_timescale,
            edits: track.edits,
            samples: track.samples,
        })
    }
}

/// The description as MP4 has it: QuickTime's longer forms, with the codec's own box wrapped in another, become the short one.
fn plain_entry(entry: Vec<u8>) -> Option<Vec<u8>> {
    let extra = match entry.get(16..18)? {
        [0, 1] => 16,
        [0, 2] => 36,
        _ => return Some(entry),
    };
    let rest = entry.get(36 + extra..)?;
    let inner = boxes(rest)
        .find(|(kind, _)| kind == b"wave")
        .map_or(rest, |(_, inner)| inner);
    let (_, codec) = boxes(inner).find(|(kind, _)| kind == b"esds")?;
    let mut plain = entry.get(..36)?.to_vec();
    plain[16..18].fill(0);
    plain.extend((codec.len() as u32 + 8).to_be_bytes());
    plain.extend(b"esds");
    plain.extend(codec);
    let size = (plain.len() as u32).to_be_bytes();
    plain[..4].copy_from_slice(&size);
    Some(plain)
}
