//! MP4 with H.264: fragments while frames come, which can be watched at any time; in the end one index before all data, and
//! the sound.

use super::film::{Cut, Plan, interleave};
use super::segment::{FfmpegEncoder, SegmentEncoder, Shape, entry};
use super::{WriteOptions, Writer, open_part, part_of, whole};
use crate::color::{Matrix, Yuv420, to_yuv420};
use crate::error::{Error, Result};
use crate::ffmpeg::Ffmpeg;
use crate::frame::Frame;
use crate::info::Info;
use crate::mp4::write::{OutTrack, boxed, fragment, ftyp, moov};
use crate::mp4::{Movie, Sample, Sound, contents, top_boxes};
use crate::source::Backend;
use crate::time::{Time, TimeBase};
use std::fs::File;
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
        let mut file = open_part(&part, options)?;
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
