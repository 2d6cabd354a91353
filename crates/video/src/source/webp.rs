//! Animated WebP.

use super::{MOST_PIXELS, Reader, checked_size};
use crate::error::{Error, Result};
use crate::frame::{Channels, Frame, Picture, Samples};
use crate::guard::guarded;
use crate::info::Info;
use crate::time::{Time, TimeBase};
use image_webp::{LoopCount, WebPDecoder};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

const CODEC: &str = "decoder of WebP";

pub struct WebpReader {
    path: PathBuf,
    decoder: WebPDecoder<BufReader<File>>,
    info: Info,
    channels: Channels,
    next: u64,
}

impl WebpReader {
    pub fn open(path: &Path) -> Result<Self> {
        let file = BufReader::new(File::open(path).map_err(Error::read(path))?);
        let mut decoder = guarded(CODEC, || {
            let read = WebPDecoder::new(file);
            read.map_err(|error| Error::damaged(path, error.to_string()))
        })?;
        if !decoder.is_animated() {
            return Err(Error::Still {
                path: path.to_owned(),
            });
        }
        let size = decoder.dimensions();
        let (width, height) = checked_size(path, size.0.into(), size.1.into())?;
        decoder.set_memory_limit(MOST_PIXELS as usize * 8);
        let mut info = Info::of_size(width, height, "animated WebP")
            .with_times(TimeBase::MILLISECONDS, scan(path)?);
        info.repeats = Some(match decoder.loop_count() {
            LoopCount::Forever => 0,
            LoopCount::Times(times) => u32::from(times.get()),
        });
        let channels = match decoder.has_alpha() {
            true => Channels::Rgba,
            false => Channels::Rgb,
        };
        Ok(WebpReader {
            path: path.to_owned(),
            decoder,
            info,
            channels,
            next: 0,
        })
    }
}

/// When frames are seen, by the headers of their chunks.
fn scan(path: &Path) -> Result<Vec<Time>> {
    let mut file = BufReader::new(File::open(path).map_err(Error::read(path))?);
    let mut times = Vec::new();
    let mut start = 0;
    let mut walk = || -> std::io::Result<()> {
        file.seek(SeekFrom::Start(12))?;
        loop {
            let mut head = [0; 8];
            file.read_exact(&mut head)?;
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
            let mut rest = i64::from(length) + i64::from(length % 2);
            if head.starts_with(b"ANMF") && length >= 16 {
                let mut data = [0; 16];
                file.read_exact(&mut data)?;
                rest -= 16;
                let said = u32::from_le_bytes([data[12], data[13], data[14], 0]);
                // Browsers show frames that say 10 ms or less for 100.
                let duration = if said <= 10 { 100 } else { said };
                times.push(Time {
                    start,
                    duration: duration.into(),
                });
                start += i64::from(duration);
            }
            file.seek_relative(rest)?;
        }
    };
    // The walk ends with the file.
    let _ = walk();
    Ok(times)
}

impl Reader for WebpReader {
    fn info(&self) -> &Info {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        let number = self.next;
        let Some(&time) = self.info.times.get(number as usize) else {
            return match number < u64::from(self.decoder.num_frames()) {
                true => Err(Error::damaged(&self.path, "the file is cut off")),
                false => Ok(None),
            };
        };
        let (width, height) = (self.info.width, self.info.height);
        let mut samples = vec![0; width * height * self.channels.count()];
        let (decoder, path) = (&mut self.decoder, &self.path);
        guarded(CODEC, || {
            let read = decoder.read_frame(&mut samples);
            read.map_err(|error| {
                Error::damaged(path, format!("frame {number} is damaged ({error})"))
            })
        })?;
        self.next += 1;
        Ok(Some(Frame {
            number,
            time,
            picture: Picture {
                width,
                height,
                channels: self.channels,
                samples: Samples::Eight(samples),
            },
        }))
    }
}
