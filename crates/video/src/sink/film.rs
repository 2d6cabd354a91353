//! A whole film out of its fragments: times that need no fragments, the sound that belongs to it, and both in turn.

use super::segment::Shape;
use crate::error::{Error, Result};
use crate::mp4::write::{OutTrack, ftyp, moov};
use crate::mp4::{Edit, Sample, SoundTrack, Track, read_sample};
use crate::time::TimeBase;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The frames of the whole film.
pub struct Plan {
    entry: Vec<u8>,
    timescale: u32,
    samples: Vec<Sample>,
    edits: Vec<Edit>,
    /// Ticks before the first frame, and of all frames.
    pub start: i64,
    pub ticks: u64,
}

impl Plan {
    pub fn new(timescale: u32, track: Track, is_part: bool) -> Plan {
        let mut samples = track.samples;
        let start = samples.first().map_or(0, |sample| sample.decoded);
        for index in 1..samples.len() {
            let gap = samples[index].decoded - samples[index - 1].decoded;
            samples[index - 1].duration = u32::try_from(gap).unwrap_or(0);
        }
        // No frame may be shown before it is decoded: all are shown later, and the edit takes that back.
        let delay = samples
            .iter()
            .map(|sample| -i64::from(sample.shift))
            .max()
            .unwrap_or(0)
            .max(0);
        for sample in &mut samples {
            sample.shift += delay as i32;
        }
        let ticks: u64 = samples
            .iter()
            .map(|sample| u64::from(sample.duration))
            .sum();
        let pause = if is_part { 0 } else { start };
        let mut edits = Vec::new();
        if pause > 0 {
            edits.push(Edit {
                duration: pause as u64,
                start: -1,
            });
        }
        if pause > 0 || delay > 0 {
            edits.push(Edit {
                duration: ticks,
                start: delay,
            });
        }
        Plan {
            entry: track.entry,
            timescale,
            samples,
            edits,
            start,
            ticks,
        }
    }

    pub fn track(self, part: &Path, shape: &Shape) -> Packets {
        let width =
            u64::from(shape.aspect.0) * shape.width as u64 / u64::from(shape.aspect.1.max(1));
        Packets {
            path: part.to_owned(),
            handler: b"vide",
            timescale: self.timescale,
            entry: self.entry,
            language: 0x55c4,
            edits: self.edits,
            size: (width.clamp(1, 65535) as u32, shape.height as u32),
            samples: self.samples,
            chunks: Vec::new(),
        }
    }
}

/// A track and the file that its samples are in.
pub struct Packets {
    path: PathBuf,
    handler: &'static [u8; 4],
    timescale: u32,
    entry: Vec<u8>,
    language: u16,
    edits: Vec<Edit>,
    size: (u32, u32),
    samples: Vec<Sample>,
    chunks: Vec<(u32, u64)>,
}

/// Which part of the sound is wanted, in ticks of the written film.
pub struct Cut {
    pub from: i64,
    pub until: Option<i64>,
    pub timescale: u32,
}

impl Cut {
    /// All packets of a sound; what is not heard of a part of a film is left out.
    pub fn sound(&self, path: &Path, track: &SoundTrack) -> Option<Packets> {
        let base = |denominator| TimeBase {
            numerator: 1,
            denominator,
        };
        let (film, own) = (base(self.timescale), base(track.timescale));
        let mut samples = track.samples.clone();
        let ticks: i64 = samples
            .iter()
            .map(|sample| i64::from(sample.duration))
            .sum();
        let mut edits: Vec<Edit> = track
            .edits
            .iter()
            .map(|edit| {
                let length = i64::try_from(edit.duration).unwrap_or(i64::MAX);
                let length = base(track.movie_timescale).convert(length, film);
                Edit {
                    duration: length.max(0) as u64,
                    ..*edit
                }
            })
            .collect();
        if self.from > 0 || self.until.is_some() {
            if edits.is_empty() {
                edits.push(Edit {
                    duration: own.convert(ticks, film).max(0) as u64,
                    start: 0,
                });
            }
            edits = self.edits(&edits, own);
            let heard = edits.iter().filter(|edit| edit.start >= 0);
            let first = heard.clone().map(|edit| edit.start).min()?;
            let length = |edit: &Edit| film.convert(edit.duration as i64, own);
            let last = heard.map(|edit| edit.start + length(edit)).max()?;
            // Codecs of sound need the packets just before to begin.
            let before = |sample: &Sample| sample.decoded + 4 * i64::from(sample.duration) < first;
            let skipped = samples.iter().take_while(|sample| before(sample)).count();
            let origin = samples.get(skipped)?.decoded;
            samples.retain(|sample| !before(sample) && sample.decoded <= last);
            for edit in edits.iter_mut().filter(|edit| edit.start >= 0) {
                edit.start -= origin;
            }
        }
        Some(Packets {
            path: path.to_owned(),
            handler: b"soun",
            timescale: track.timescale,
            entry: track.entry.clone(),
            language: track.language,
            edits,
            size: (0, 0),
            samples,
            chunks: Vec::new(),
        })
    }

    /// Edits of what lies between the ends.
    fn edits(&self, edits: &[Edit], own: TimeBase) -> Vec<Edit> {
        let film = TimeBase {
            numerator: 1,
            denominator: self.timescale,
        };
        let mut at = 0i64;
        let mut kept = Vec::new();
        for edit in edits {
            let end = at.saturating_add(edit.duration as i64);
            let from = at.max(self.from);
            let until = self.until.map_or(end, |until| end.min(until));
            if until > from {
                let skipped = film.convert(from - at, own);
                kept.push(Edit {
                    duration: (until - from) as u64,
                    start: if edit.start < 0 {
                        -1
                    } else {
                        edit.start + skipped
                    },
                });
            }
            at = end;
        }
        kept
    }
}

/// Writes index and data: half a second of each track in turn, so that players need not jump.
pub fn interleave(
    path: &Path,
    output: &mut dyn Write,
    timescale: u32,
    tracks: &mut [Packets],
) -> Result<()> {
    let mut order: Vec<(u64, usize, std::ops::Range<usize>)> = Vec::new();
    for (index, track) in tracks.iter_mut().enumerate() {
        let mut from = 0;
        while from < track.samples.len() {
            let half =
                |sample: &Sample| (sample.decoded.max(0) as u64) * 2 / u64::from(track.timescale);
            let time = half(&track.samples[from]);
            let more = track.samples[from..]
                .iter()
                .take_while(|sample| half(sample) == time);
            let until = from + more.count();
            order.push((time, index, from..until));
            from = until;
        }
    }
    order.sort_by_key(|&(time, index, _)| (time, index));
    let total: u64 = tracks
        .iter()
        .flat_map(|track| &track.samples)
        .map(|sample| u64::from(sample.size))
        .sum();
    let head = ftyp();
    // Places in the index depend on its size, and its size on how large they are.
    let mut index = Vec::new();
    for _ in 0..3 {
        let mut offset = (head.len() + index.len()) as u64 + 16;
        tracks.iter_mut().for_each(|track| track.chunks.clear());
        for (_, track, range) in &order {
            let track = &mut tracks[*track];
            track.chunks.push((range.len() as u32, offset));
            offset += track.samples[range.clone()]
                .iter()
                .map(|sample| u64::from(sample.size))
                .sum::<u64>();
        }
        let tracks: Vec<OutTrack> = tracks.iter().map(Packets::described).collect();
        index = moov(timescale, &tracks, false);
    }
    let failed = Error::write(path);
    output.write_all(&head).map_err(&failed)?;
    output.write_all(&index).map_err(&failed)?;
    output.write_all(&[0, 0, 0, 1]).map_err(&failed)?;
    output.write_all(b"mdat").map_err(&failed)?;
    output
        .write_all(&(total + 16).to_be_bytes())
        .map_err(&failed)?;
    let mut files = Vec::new();
    for track in tracks.iter() {
        let file = File::open(&track.path).map_err(Error::read(&track.path))?;
        let length = file.metadata().map_err(Error::read(&track.path))?.len();
        files.push((file, length));
    }
    let mut bytes = Vec::new();
    for (_, index, range) in order {
        let track = &tracks[index];
        let (file, length) = &mut files[index];
        for sample in &track.samples[range] {
            read_sample(&track.path, file, *length, sample, &mut bytes)?;
            output.write_all(&bytes).map_err(&failed)?;
        }
    }
    Ok(())
}

impl Packets {
    fn described(&self) -> OutTrack<'_> {
        OutTrack {
            handler: self.handler,
            timescale: self.timescale,
            entry: &self.entry,
            language: self.language,
            edits: self.edits.clone(),
            size: self.size,
            samples: &self.samples,
            chunks: &self.chunks,
        }
    }
}
