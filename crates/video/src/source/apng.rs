//! APNG: PNG with several frames.

use super::canvas::{Canvas, Dispose, Part};
use super::{MOST_PIXELS, Reader, checked_size};
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::guard::guarded;
use crate::info::Info;
use crate::time::{Time, TimeBase};
use png::{BlendOp, ColorType, DisposeOp, Limits, Transformations};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const CODEC: &str = "decoder of PNG";

pub struct ApngReader {
    path: PathBuf,
    reader: png::Reader<BufReader<File>>,
    canvas: Canvas,
    buffer: Vec<u8>,
    info: Info,
    next: u64,
    /// The picture that programs without APNG show comes first and is no frame.
    skip_first: bool,
    /// How many frames the file says that it has.
    promised: u32,
}

/// What chunks say before anything is decoded.
#[derive(Default)]
struct Scan {
    repeats: Option<u32>,
    frames: u32,
    /// How long each frame is seen, numerator and denominator in seconds.
    delays: Vec<(u16, u16)>,
    picture_is_frame: bool,
}

impl ApngReader {
    pub fn open(path: &Path) -> Result<Self> {
        let scan = scan(path)?;
        if scan.repeats.is_none() {
            return Err(Error::Still {
                path: path.to_owned(),
            });
        }
        let file = BufReader::new(File::open(path).map_err(Error::read(path))?);
        let limits = Limits {
            bytes: MOST_PIXELS as usize * 8,
        };
        let mut decoder = png::Decoder::new_with_limits(file, limits);
        decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
        let reader = guarded(CODEC, || {
            let read = decoder.read_info();
            read.map_err(|error| Error::damaged(path, error.to_string()))
        })?;
        let head = reader.info();
        let (width, height) = checked_size(path, head.width.into(), head.height.into())?;
        let (time_base, times) = times(&scan.delays);
        let mut info = Info::of_size(width, height, "APNG").with_times(time_base, times);
        info.repeats = scan.repeats;
        Ok(ApngReader {
            path: path.to_owned(),
            reader,
            canvas: Canvas::new(width, height),
            buffer: vec![0; width * height * 4],
            info,
            next: 0,
            skip_first: !scan.picture_is_frame,
            promised: scan.frames,
        })
    }
}

/// Walks over the chunks up to the end or to where they are cut off.
fn scan(path: &Path) -> Result<Scan> {
    let mut file = BufReader::new(File::open(path).map_err(Error::read(path))?);
    let mut scan = Scan::default();
    let mut has_picture = false;
    let mut walk = || -> std::io::Result<()> {
        file.seek(SeekFrom::Start(8))?;
        loop {
            let mut head = [0; 8];
            file.read_exact(&mut head)?;
            let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
            let mut rest = i64::from(length) + 4;
            match &head[4..] {
                b"acTL" if length == 8 => {
                    let mut data = [0; 8];
                    file.read_exact(&mut data)?;
                    rest -= 8;
                    scan.frames = Bytes(&data).u32().unwrap_or(0);
                    scan.repeats = Bytes(&data[4..]).u32();
                }
                b"fcTL" if length == 26 => {
                    let mut data = [0; 26];
                    file.read_exact(&mut data)?;
                    rest -= 26;
                    scan.picture_is_frame |= !has_picture;
                    let mut delay = Bytes(&data[20..]);
                    let delay = (delay.u16().unwrap_or(0), delay.u16().unwrap_or(0));
                    // A denominator of 0 is one of 100.
                    let down = if delay.1 == 0 { 100 } else { delay.1 };
                    scan.delays.push((delay.0, down));
                }
                b"IDAT" => has_picture = true,
                b"IEND" => return Ok(()),
                _ => (),
            }
            file.seek_relative(rest)?;
        }
    };
    // A file that is cut off has the frames that it has; the decoder says where it ends.
    let _ = walk();
    Ok(scan)
}

/// Times in ticks of which every delay is a whole number if such a tick is not too short, and microseconds if it is.
fn times(delays: &[(u16, u16)]) -> (TimeBase, Vec<Time>) {
    let common = delays.iter().try_fold(1u32, |common, &(_, down)| {
        let shared = TimeBase::new(common, u32::from(down))?;
        common
            .checked_mul(shared.denominator)
            .filter(|&common| common <= 1_000_000)
    });
    let base = TimeBase {
        numerator: 1,
        denominator: common.unwrap_or(1_000_000),
    };
    let mut start = 0;
    let mut times = Vec::new();
    for &(up, down) in delays {
        let own = TimeBase {
            numerator: 1,
            denominator: u32::from(down.max(1)),
        };
        // As short as possible is a hundredth in most browsers.
        let duration = match up {
            0 => i64::from(base.denominator / 100).max(1),
            _ => own.convert(i64::from(up), base).max(1),
        };
        times.push(Time {
            start,
            duration: duration as u64,
        });
        start += duration;
    }
    (base, times)
}

impl Reader for ApngReader {
    fn info(&self) -> &Info {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        let number = self.next;
        let Some(&time) = self.info.times.get(number as usize) else {
            return match number < u64::from(self.promised) {
                true => Err(Error::damaged(&self.path, "the file is cut off")),
                false => Ok(None),
            };
        };
        let skip = std::mem::take(&mut self.skip_first);
        let (reader, canvas, buffer) = (&mut self.reader, &mut self.canvas, &mut self.buffer);
        let path = &self.path;
        guarded(CODEC, || {
            let damaged =
                |error| Error::damaged(path, format!("frame {number} is damaged ({error})"));
            if skip {
                reader.next_frame(buffer).map_err(damaged)?;
            }
            let output = reader.next_frame(buffer).map_err(damaged)?;
            let control = reader.info().frame_control.unwrap_or_default();
            let part = Part {
                left: control.x_offset as usize,
                top: control.y_offset as usize,
                width: output.width as usize,
                height: output.height as usize,
            };
            let samples = &buffer[..part.width * part.height * output.color_type.samples()];
            let pixels = to_rgba(samples, output.color_type);
            let dispose = match control.dispose_op {
                DisposeOp::None => Dispose::Keep,
                // Before the first frame there is nothing to come back to.
                DisposeOp::Background => Dispose::Clear,
                DisposeOp::Previous if number == 0 => Dispose::Clear,
                DisposeOp::Previous => Dispose::Restore,
            };
            canvas.draw(part, &pixels, control.blend_op == BlendOp::Over, dispose);
            Ok(())
        })?;
        self.next += 1;
        Ok(Some(Frame {
            number,
            time,
            picture: self.canvas.picture(self.canvas.is_opaque()),
        }))
    }
}

fn to_rgba(samples: &[u8], color: ColorType) -> Vec<u8> {
    match color {
        ColorType::Rgba => samples.to_vec(),
        ColorType::Rgb => samples
            .chunks_exact(3)
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
            .collect(),
        ColorType::GrayscaleAlpha => samples
            .chunks_exact(2)
            .flat_map(|pixel| [pixel[0], pixel[0], pixel[0], pixel[1]])
            .collect(),
        // Palettes have been expanded.
        ColorType::Grayscale | ColorType::Indexed => samples
            .iter()
            .flat_map(|&grey| [grey, grey, grey, 255])
            .collect(),
    }
}
