//! MP4 with H.264: fragments while frames come, which can be watched at any time; in the end one index before all data, and
//! the sound.

use super::segment::{FfmpegEncoder, SegmentEncoder, Shape, entry};
use super::{WriteOptions, Writer, part_of, whole};
use crate::color::{Matrix, Yuv420, to_yuv420};
use crate::error::{Error, Result};
use crate::ffmpeg::Ffmpeg;
use crate::frame::Frame;
use crate::info::Info;
use crate::mp4::write::{OutTrack, boxed, fragment, ftyp, moov};
use crate::mp4::{Edit, Movie, Sample, Sound, contents, read_sample, top_boxes};
use crate::source::Backend;
use crate::time::{Time, TimeBase};
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

pub struct Mp4Writer {
    path: PathBuf,
    part: PathBuf,
    file: File,
    encoder: Box<dyn SegmentEncoder>,
    shape: Shape,
    size: (usize, usize),
    time_base: TimeBase,
    segment: usize,
    pending: Vec<(Time, Yuv420)>,
    fragments: u32,
    kept: u64,
    /// The configuration of the segments that are written.
    configuration: Option<Vec<u8>>,
    sound: Option<Sound>,
    /// A part of a film begins at 0, and its sound with it.
    is_part: bool,
    /// Frames of the whole film, where that is known.
    all: Option<u64>,
    first: u64,
}

impl Mp4Writer {
    pub fn create(path: &Path, info: &Info, options: &WriteOptions) -> Result<Self> {
        let even = |length: usize| length.next_multiple_of(2);
        let (width, height) = (even(info.width), even(info.height));
        if width.max(height) > 16384 {
            return Err(Error::CannotWrite {
                what: format!("{width} × {height} px are too many for H.264"),
            });
        }
        let shape = Shape {
            width,
            height,
            quantizer: options.quantizer.min(51),
            aspect: info.pixel_aspect,
            matrix: Matrix::guess(width, height),
        };
        let (encoder, name) = encoder(shape, options)?;
        let part = part_of(path);
        let segment = options.segment.max(1);
        let layout = format!(
            "impasto video part 1\n{name} {shape:?} {:?} {segment} {}\n{}",
            info.time_base, options.first, options.run
        );
        let failed = Error::write(&part);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(!options.resume)
            .open(&part)
            .map_err(&failed)?;
        let found = found(&part, &mut file, &layout)?;
        if found.end == 0 {
            let head = [ftyp(), boxed(b"free", &[layout.as_bytes()])].concat();
            file.set_len(0).map_err(&failed)?;
            file.rewind()
                .and_then(|()| file.write_all(&head))
                .map_err(&failed)?;
        } else {
            file.set_len(found.end).map_err(&failed)?;
            file.seek(SeekFrom::Start(found.end)).map_err(&failed)?;
        }
        drop(failed);
        Ok(Mp4Writer {
            path: path.to_owned(),
            part,
            file,
            encoder,
            shape,
            size: (info.width, info.height),
            time_base: info.time_base,
            segment,
            pending: Vec::new(),
            fragments: found.fragments,
            kept: found.frames,
            configuration: found.configuration,
            sound: options.sound.clone(),
            is_part: options.first > 0,
            all: info.frames,
            first: options.first,
        })
    }

    fn ticks(&self, value: i64) -> i64 {
        value.saturating_mul(i64::from(self.time_base.numerator))
    }

    fn write_segment(&mut self) -> Result<()> {
        let (times, frames): (Vec<Time>, Vec<Yuv420>) =
            std::mem::take(&mut self.pending).into_iter().unzip();
        if frames.is_empty() {
            return Ok(());
        }
        let segment = self.encoder.encode(frames)?;
        let failed = Error::write(&self.part);
        match &self.configuration {
            None => {
                let entry = entry(&segment.configuration, &self.shape);
                let track = OutTrack {
                    handler: b"vide",
                    timescale: self.time_base.denominator,
                    entry: &entry,
                    language: 0x55c4,
                    edits: Vec::new(),
                    size: (self.shape.width as u32, self.shape.height as u32),
                    samples: &[],
                    chunks: &[],
                };
                let index = moov(self.time_base.denominator, &[track], true);
                self.file.write_all(&index).map_err(&failed)?;
                self.configuration = Some(segment.configuration);
            }
            Some(before) if *before != segment.configuration => {
                return Err(Error::OtherRun {
                    part: self.part.clone(),
                });
            }
            Some(_) => (),
        }
        // The n-th to be decoded is decoded when the n-th is shown; what is shown earlier than that gets its time in the end.
        let starts: Vec<i64> = times.iter().map(|time| self.ticks(time.start)).collect();
        let end = times.last().map_or(0, |time| self.ticks(time.end()));
        let mut data = Vec::new();
        let mut samples = Vec::new();
        for (index, frame) in segment.frames.iter().enumerate() {
            let (Some(&decoded), Some(&shown)) = (starts.get(index), starts.get(frame.shown))
            else {
                return Err(Error::Fault {
                    codec: "encoder of H.264",
                    what: "it made other frames than it was given".to_owned(),
                });
            };
            let next = starts.get(index + 1).copied().unwrap_or(end);
            samples.push(Sample {
                offset: 0,
                size: frame.bytes.len() as u32,
                decoded,
                duration: u32::try_from(next - decoded).unwrap_or(u32::MAX),
                shift: i32::try_from(shown - decoded).unwrap_or(0),
                key: frame.key,
            });
            data.extend(&frame.bytes);
        }
        self.fragments += 1;
        fragment(&mut self.file, self.fragments, &samples, &data).map_err(&failed)
    }
}

fn encoder(
    shape: Shape,
    options: &WriteOptions,
) -> Result<(Box<dyn SegmentEncoder>, &'static str)> {
    #[cfg(feature = "h264")]
    if options.backend != Backend::Ffmpeg {
        let native = super::segment::NativeEncoder::new(shape);
        return Ok((Box::new(native), "rusty_h264 0.17"));
    }
    if options.backend == Backend::Native {
        return Err(Error::CannotWrite {
            what: "MP4 needs H.264, which this program was built without".to_owned(),
        });
    }
    let tool = Ffmpeg::find(options.ffmpeg.as_deref())?;
    Ok((Box::new(FfmpegEncoder::new(tool, shape)), "x264"))
}

/// What an earlier run has left.
#[derive(Default)]
struct Found {
    /// Where what is whole ends; 0 if there is nothing.
    end: u64,
    fragments: u32,
    frames: u64,
    configuration: Option<Vec<u8>>,
}

fn found(part: &Path, file: &mut File, layout: &str) -> Result<Found> {
    let failed = Error::read(part);
    let length = file.metadata().map_err(&failed)?.len();
    let tops = top_boxes(file, length).map_err(&failed)?;
    let whole: Vec<_> = tops
        .iter()
        .take_while(|top| top.offset.saturating_add(top.size) <= length)
        .collect();
    let Some(free) = whole.get(1).filter(|top| &top.kind == b"free") else {
        // Not even the head was written; anything else at this place is not ours.
        return match length < 32 {
            true => Ok(Found::default()),
            false => Err(Error::OtherRun {
                part: part.to_owned(),
            }),
        };
    };
    if contents(file, free).map_err(&failed)? != layout.as_bytes() {
        return Err(Error::OtherRun {
            part: part.to_owned(),
        });
    }
    let mut found = Found {
        end: free.offset + free.size,
        ..Found::default()
    };
    let Some(index) = whole.get(2).filter(|top| &top.kind == b"moov") else {
        return Ok(found);
    };
    found.end = index.offset + index.size;
    for pair in whole.get(3..).unwrap_or_default().chunks_exact(2) {
        found.end = pair[1].offset + pair[1].size;
        found.fragments += 1;
    }
    file.set_len(found.end).map_err(&failed)?;
    let movie = Movie::read(part, file)?;
    if let Some(track) = movie.tracks.first() {
        found.frames = track.samples.len() as u64;
        found.configuration = crate::mp4::boxes(&track.entry)
            .next()
            .and_then(|(_, inner)| crate::mp4::child(inner.get(78..)?, b"avcC"))
            .map(<[u8]>::to_vec);
    }
    Ok(found)
}

impl Writer for Mp4Writer {
    fn kept(&self) -> u64 {
        self.kept
    }

    fn write(&mut self, frame: &Frame) -> Result<()> {
        let target = (self.shape.width, self.shape.height);
        let planes = to_yuv420(
            &frame.picture.to_rgb(),
            self.size,
            target,
            self.shape.matrix,
        );
        self.pending.push((frame.time, planes));
        match self.pending.len() == self.segment {
            true => self.write_segment(),
            false => Ok(()),
        }
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        self.write_segment()?;
        self.file.flush().map_err(Error::write(&self.part))?;
        let movie = Movie::read(&self.part, &mut self.file)?;
        let Some(track) = movie.tracks.into_iter().next() else {
            return Err(Error::damaged(&self.part, "it has no frames"));
        };
        let ends_early = self
            .all
            .is_some_and(|all| self.first + (track.samples.len() as u64) < all);
        let plan = Plan::new(self.time_base.denominator, track, self.is_part);
        let cut = Cut {
            from: if self.is_part { plan.start } else { 0 },
            until: ends_early.then_some(plan.start + plan.ticks as i64),
            timescale: self.time_base.denominator,
        };
        let mut tracks = vec![plan.track(&self.part, &self.shape)];
        if let Some(sound) = &self.sound {
            let added = sound
                .tracks()
                .iter()
                .filter_map(|track| cut.sound(sound.path(), track));
            tracks.extend(added);
        }
        let path = self.path.clone();
        let timescale = self.time_base.denominator;
        whole(&path, |output| {
            interleave(&path, output, timescale, &mut tracks)
        })?;
        drop(self.file);
        std::fs::remove_file(&self.part).map_err(Error::write(&self.part))
    }
}

/// The frames of the whole film.
struct Plan {
    entry: Vec<u8>,
    timescale: u32,
    samples: Vec<Sample>,
    edits: Vec<Edit>,
    /// Ticks before the first frame, and of all frames.
    start: i64,
    ticks: u64,
}

impl Plan {
    fn new(timescale: u32, track: crate::mp4::Track, is_part: bool) -> Plan {
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

    fn track(self, part: &Path, shape: &Shape) -> Packets {
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
struct Cut {
    from: i64,
    until: Option<i64>,
    timescale: u32,
}

impl Cut {
    /// All packets of a sound; what is not heard of a part of a film is left out.
    fn sound(&self, path: &Path, track: &crate::mp4::SoundTrack) -> Option<Packets> {
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
fn interleave(
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
