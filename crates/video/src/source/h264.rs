//! H.264 in MP4 and MOV: which frames are shown when, and the decoder of `rusty_h264`.

use super::parameters::{Colors, Configuration, Sps};
use super::{Reader, checked_size};
use crate::bytes::Bytes;
use crate::color::{Coding, Matrix, Planes};
use crate::error::{Error, Result};
use crate::frame::{Channels, Frame, Picture, Samples};
use crate::guard::guarded;
use crate::info::{Info, Rotation};
use crate::mp4::{Movie, Sample, Sound, Track, boxes, child, read_sample};
use crate::time::{Time, TimeBase};
use rusty_h264::{DecodeError, Decoder, YuvFrame};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

/// No stream decodes a frame more than 16 frames before it is shown (MaxDpbFrames); damaged times might.
const MOST_WAITING: usize = 64;

pub struct H264Reader {
    path: PathBuf,
    file: File,
    length: u64,
    info: Info,
    configuration: Configuration,
    coding: Coding,
    rotation: Rotation,
    samples: Vec<Sample>,
    /// The number of the frame in each sample; `None` if it is decoded and not shown.
    numbers: Vec<Option<u64>>,
    sound: Option<Sound>,
    decoder: Decoder,
    /// The sample that is decoded next, and whether it needs the parameter sets before it.
    sample: usize,
    begins: bool,
    /// Frames that were decoded before they are shown.
    waiting: BTreeMap<u64, YuvFrame>,
    next: u64,
}

impl H264Reader {
    pub fn open(path: &Path) -> Result<Self> {
        let mut file = File::open(path).map_err(Error::read(path))?;
        let length = file.metadata().map_err(Error::read(path))?.len();
        let mut movie = Movie::read(path, &mut file)?;
        let video = movie
            .tracks
            .iter()
            .position(|track| &track.handler == b"vide");
        let Some(video) = video else {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        };
        let has_sound = movie.tracks.iter().any(|track| &track.handler == b"soun");
        let track = movie.tracks.remove(video);
        let entry = Entry::of(path, &track)?;
        let (width, height) = checked_size(path, entry.sps.width, entry.sps.height)?;
        let coding = entry.coding(path, width, height)?;
        let (numbers, times) = shown(path, &track, movie.timescale)?;
        if times.is_empty() {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        }
        let turned = matches!(track.rotation, Rotation::Quarter | Rotation::ThreeQuarters);
        let (across, down) = if turned {
            (height, width)
        } else {
            (width, height)
        };
        let base = TimeBase {
            numerator: 1,
            denominator: track.timescale,
        };
        let mut info = Info::of_size(across, down, "H.264 in MP4").with_times(base, times);
        info.pixel_aspect = match entry.aspect {
            (x, y) if turned => (y, x),
            aspect => aspect,
        };
        info.rotation = track.rotation;
        info.sound = has_sound;
        let sound = Sound::of(path, movie, None);
        if has_sound && sound.is_none() {
            let note = "the codec of the sound is none that can be copied into MP4";
            info.notes.push(note.to_owned());
        }
        Ok(H264Reader {
            path: path.to_owned(),
            file,
            length,
            info,
            configuration: entry.configuration,
            coding,
            rotation: track.rotation,
            samples: track.samples,
            numbers,
            sound,
            decoder: Decoder::new(),
            sample: 0,
            begins: true,
            waiting: BTreeMap::new(),
            next: 0,
        })
    }

    /// The units of a sample.
    fn units<'a>(&mut self, sample: usize, bytes: &'a mut Vec<u8>) -> Result<Vec<&'a [u8]>> {
        let place = self.samples[sample];
        read_sample(&self.path, &mut self.file, self.length, &place, bytes)?;
        self.configuration
            .units(bytes)
            .ok_or_else(|| Error::damaged(&self.path, format!("sample {sample} is damaged")))
    }

    fn decode_sample(&mut self) -> Result<()> {
        let sample = self.sample;
        self.sample += 1;
        let mut bytes = Vec::new();
        let units = self.units(sample, &mut bytes)?;
        let mut stream = Vec::new();
        let configuration = &self.configuration;
        if std::mem::take(&mut self.begins) {
            let sets = configuration.sequence.iter().chain(&configuration.picture);
            sets.for_each(|unit| append(&mut stream, unit));
        }
        units.iter().for_each(|unit| append(&mut stream, unit));
        let decoded = guarded("decoder of H.264", || Ok(self.decoder.decode(&stream)))?;
        match (decoded, self.numbers[sample]) {
            (Ok(Some(frame)), Some(number)) => {
                if number >= self.next {
                    self.waiting.insert(number, frame);
                }
                Ok(())
            }
            // A frame that nobody sees may lack what it is predicted from.
            (_, None) => Ok(()),
            (_, Some(number)) if number < self.next => Ok(()),
            (Ok(None), Some(number)) => Err(Error::damaged(
                &self.path,
                format!("frame {number} is incomplete"),
            )),
            (Err(DecodeError::Unsupported(what)), _) => Err(Error::unsupported(
                &self.path,
                format!("H.264 with what its decoder calls “{what}”"),
            )),
            (Err(error), Some(number)) => Err(Error::damaged(
                &self.path,
                format!("frame {number} is damaged ({error:?})"),
            )),
        }
    }
}

impl Reader for H264Reader {
    fn info(&self) -> &Info {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        let number = self.next;
        let Some(&time) = self.info.times.get(number as usize) else {
            return Ok(None);
        };
        let frame = loop {
            if let Some(frame) = self.waiting.remove(&number) {
                break frame;
            }
            if self.sample == self.samples.len() || self.waiting.len() > MOST_WAITING {
                let what = format!("frame {number} is missing");
                return Err(Error::damaged(&self.path, what));
            }
            self.decode_sample()?;
        };
        self.next += 1;
        Ok(Some(Frame {
            number,
            time,
            picture: turned(to_picture(&frame, self.coding), self.rotation),
        }))
    }

    fn seek(&mut self, number: u64) -> Result<bool> {
        let wanted = self.numbers.iter().position(|&found| found == Some(number));
        let Some(wanted) = wanted else {
            return Ok(false);
        };
        // Forwards within reach: going on is cheaper than beginning again.
        let mut start = wanted;
        let mut bytes = Vec::new();
        loop {
            // Frames behind a key frame in the file may be shown before it, and need what lies before the key frame.
            let early = self.numbers[start].is_some_and(|found| found <= number);
            if self.samples[start].key && early {
                let units = self.units(start, &mut bytes)?;
                if units.iter().any(|unit| unit[0] & 31 == 5) {
                    break;
                }
            }
            match start.checked_sub(1) {
                Some(before) => start = before,
                None => break,
            }
        }
        let reachable = self.next <= number && start < self.sample;
        if !reachable {
            self.decoder = Decoder::new();
            self.waiting.clear();
            self.sample = start;
            self.begins = true;
        }
        self.next = number;
        self.waiting.retain(|&found, _| found >= number);
        Ok(true)
    }

    fn sound(&self) -> Result<Option<Sound>> {
        Ok(self.sound.clone())
    }
}

/// Appends a unit with a start code before it.
fn append(stream: &mut Vec<u8>, unit: &[u8]) {
    stream.extend([0, 0, 0, 1]);
    stream.extend(unit);
}

/// What the description of the track says.
struct Entry {
    configuration: Configuration,
    sps: Sps,
    aspect: (u32, u32),
    /// As the file has it, for streams that do not say.
    colors: Option<(Colors, bool)>,
}

impl Entry {
    fn of(path: &Path, track: &Track) -> Result<Entry> {
        let damaged = || Error::damaged(path, "the description of its pictures is damaged");
        if track.entry.is_empty() {
            let what = "pictures in several codings, or in none,";
            return Err(Error::unsupported(path, what));
        }
        let (kind, inner) = boxes(&track.entry).next().ok_or_else(damaged)?;
        if !matches!(&kind, b"avc1" | b"avc3") {
            return Err(Error::unsupported(path, codec_name(&kind)));
        }
        let parts = inner.get(78..).ok_or_else(damaged)?;
        let configuration = child(parts, b"avcC")
            .and_then(Configuration::parse)
            .ok_or_else(damaged)?;
        let unit = configuration.sequence.first();
        let unit = unit.ok_or_else(|| Error::unsupported(path, "H.264 without a description"))?;
        let sps = Sps::parse(unit).ok_or_else(damaged)?;
        let aspect = child(parts, b"pasp").and_then(|inner| {
            let mut inner = Bytes(inner);
            Some((inner.u32()?, inner.u32()?))
        });
        let aspect = aspect
            .or(sps.aspect)
            .filter(|&(x, y)| x > 0 && y > 0)
            .unwrap_or((1, 1));
        let colors = child(parts, b"colr").and_then(|inner| {
            let mut inner = Bytes(inner);
            let kind = inner.take(4)?;
            inner.u16()?;
            let transfer = u32::from(inner.u16()?);
            let matrix = u32::from(inner.u16()?);
            let full = kind == b"nclx" && inner.u8()? & 0x80 != 0;
            matches!(kind, b"nclx" | b"nclc").then_some((Colors { transfer, matrix }, full))
        });
        Ok(Entry {
            configuration,
            sps,
            aspect,
            colors,
        })
    }

    /// How its numbers are to be understood.
    fn coding(&self, path: &Path, width: usize, height: usize) -> Result<Coding> {
        let sps = &self.sps;
        if sps.depth > 8 {
            return Err(Error::unsupported(path, format!("{}-bit H.264", sps.depth)));
        }
        if sps.chroma_format != 1 {
            let names = ["4:0:0 (grey)", "4:2:0", "4:2:2", "4:4:4"];
            let name = names.get(sps.chroma_format as usize).unwrap_or(&"unknown");
            return Err(Error::unsupported(path, format!("H.264 in {name}")));
        }
        let known = |colors: &Colors| colors.matrix != 2 || colors.transfer != 2;
        let colors = sps
            .colors
            .filter(known)
            .or(self.colors.map(|(colors, _)| colors));
        match colors.map(|colors| colors.transfer) {
            Some(16) => return Err(Error::unsupported(path, "HDR (PQ)")),
            Some(18) => return Err(Error::unsupported(path, "HDR (HLG)")),
            _ => (),
        }
        let matrix = match colors.map(|colors| colors.matrix) {
            Some(0) => Matrix::Identity,
            Some(1) => Matrix::Bt709,
            Some(4..=7) => Matrix::Bt601,
            Some(9 | 10) => Matrix::Bt2020,
            _ => Matrix::guess(width, height),
        };
        let full = sps
            .full_range
            .or(self.colors.map(|(_, full)| full))
            .unwrap_or(false);
        Ok(Coding {
            matrix,
            full,
            left: true,
        })
    }
}

/// What people call a codec.
fn codec_name(kind: &[u8; 4]) -> String {
    let name = match kind {
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => "HEVC (H.265)",
        b"vvc1" | b"vvi1" => "VVC (H.266)",
        b"av01" => "AV1",
        b"vp08" => "VP8",
        b"vp09" => "VP9",
        b"mp4v" => "MPEG-4 part 2",
        b"encv" => "an encrypted film",
        b"jpeg" | b"mjpa" | b"mjpb" => "Motion JPEG",
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => "ProRes",
        b"s263" | b"h263" => "H.263",
        _ => return format!("pictures in “{}”", kind.escape_ascii()),
    };
    name.to_owned()
}

/// Numbers of the frames in samples, and times of frames, after the edits.
fn shown(path: &Path, track: &Track, timescale: u32) -> Result<(Vec<Option<u64>>, Vec<Time>)> {
    let film = TimeBase {
        numerator: 1,
        denominator: timescale,
    };
    let own = TimeBase {
        numerator: 1,
        denominator: track.timescale,
    };
    let pauses = track.edits.iter().take_while(|edit| edit.start == -1);
    let pause = pauses.clone().fold(0i64, |sum, edit| {
        sum.saturating_add(i64::try_from(edit.duration).unwrap_or(i64::MAX))
    });
    let pause = film.convert(pause, own);
    let parts = &track.edits[pauses.count()..];
    if parts.len() > 1 {
        return Err(Error::unsupported(path, "a film cut from several parts"));
    }
    let shown_at = |sample: &Sample| sample.decoded.saturating_add(i64::from(sample.shift));
    let first = track.samples.iter().map(shown_at).min().unwrap_or(0);
    // Without an edit the film begins with its first frame, as players have it.
    let (start, end) = match parts.first() {
        Some(edit) => {
            let length = film.convert(i64::try_from(edit.duration).unwrap_or(i64::MAX), own);
            let end = match edit.duration {
                0 => i64::MAX,
                _ => edit.start.saturating_add(length),
            };
            (edit.start, end)
        }
        None => (first.min(0), i64::MAX),
    };
    let mut order: Vec<usize> = (0..track.samples.len()).collect();
    order.sort_by_key(|&index| shown_at(&track.samples[index]));
    let mut numbers = vec![None; order.len()];
    let mut times: Vec<Time> = Vec::new();
    for (place, &index) in order.iter().enumerate() {
        let sample = &track.samples[index];
        let from = shown_at(sample);
        let next = order.get(place + 1);
        let until = match next {
            Some(&next) => shown_at(&track.samples[next]),
            None => from.saturating_add(i64::from(sample.duration)),
        };
        if (until <= start && until > from) || from >= end {
            continue;
        }
        let (from, until) = (from.max(start), until.min(end));
        numbers[index] = Some(times.len() as u64);
        times.push(Time {
            start: from.saturating_sub(start).saturating_add(pause),
            duration: until.saturating_sub(from).max(0) as u64,
        });
    }
    Ok((numbers, times))
}

fn to_picture(frame: &YuvFrame, coding: Coding) -> Picture {
    Planes {
        width: frame.width,
        height: frame.height,
        y: &frame.y,
        u: &frame.u,
        v: &frame.v,
        depth: 8,
        halves: (true, true),
    }
    .to_picture(coding)
}

/// The picture as it was meant to be seen.
fn turned(picture: Picture, rotation: Rotation) -> Picture {
    let Samples::Eight(samples) = &picture.samples else {
        return picture;
    };
    let (width, height) = (picture.width, picture.height);
    // Where the pixel at (x, y) of the result comes from.
    let from: Box<dyn Fn(usize, usize) -> (usize, usize)> = match rotation {
        Rotation::None => return picture,
        Rotation::Quarter => Box::new(|x, y| (y, height - 1 - x)),
        Rotation::Half => Box::new(|x, y| (width - 1 - x, height - 1 - y)),
        Rotation::ThreeQuarters => Box::new(|x, y| (width - 1 - y, x)),
    };
    let (across, down) = match rotation {
        Rotation::Half => (width, height),
        _ => (height, width),
    };
    let mut result = Vec::with_capacity(samples.len());
    for y in 0..down {
        for x in 0..across {
            let (x, y) = from(x, y);
            result.extend(&samples[(y * width + x) * 3..][..3]);
        }
    }
    Picture {
        width: across,
        height: down,
        channels: Channels::Rgb,
        samples: Samples::Eight(result),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{shared, skip};
    use std::process::Command;

    #[test]
    fn planes_are_those_of_ffmpeg_to_the_bit() {
        let Some(path) = shared("video/clips/friday.mp4") else {
            return;
        };
        let decoded = Command::new("ffmpeg")
            .args(["-v", "error", "-nostdin", "-i"])
            .arg(&path)
            .args([
                "-frames:v",
                "30",
                "-f",
                "rawvideo",
                "-pix_fmt",
                "yuv420p",
                "-",
            ])
            .output();
        let Ok(decoded) = decoded else {
            return skip("there is no ffmpeg to compare with");
        };
        let mut reader = H264Reader::open(&path).unwrap();
        let size = 640 * 480;
        let frames = decoded.stdout.chunks_exact(size * 3 / 2);
        assert_eq!(frames.len(), 30);
        for (number, expected) in frames.enumerate() {
            while !reader.waiting.contains_key(&(number as u64)) {
                reader.decode_sample().unwrap();
            }
            let frame = reader.waiting.remove(&(number as u64)).unwrap();
            reader.next += 1;
            let planes = [&frame.y[..], &frame.u, &frame.v].concat();
            assert!(planes == expected, "frame {number} differs");
        }
    }
}
