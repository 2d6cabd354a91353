//! Animated GIF.

use super::canvas::{Canvas, Dispose, Part};
use super::{MOST_PIXELS, Reader, checked_size};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::guard::guarded;
use crate::info::Info;
use crate::time::{Time, TimeBase};
use gif::{ColorOutput, DecodeOptions, Decoder, DisposalMethod, MemoryLimit, Repeat};
use std::fs::File;
use std::io::BufReader;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

const CODEC: &str = "decoder of GIF";

/// Hundredths of a second.
const TICK: TimeBase = TimeBase {
    numerator: 1,
    denominator: 100,
};

pub struct GifReader {
    path: PathBuf,
    decoder: Decoder<BufReader<File>>,
    canvas: Canvas,
    info: Info,
    next: u64,
    /// Whether the first frame covers everything, so that frames need no opacity.
    opaque: bool,
}

impl GifReader {
    pub fn open(path: &Path) -> Result<Self> {
        let scanned = scan(path)?;
        let mut options = options();
        options.set_color_output(ColorOutput::RGBA);
        let decoder = read_info(path, options)?;
        let size = (u64::from(decoder.width()), u64::from(decoder.height()));
        let (width, height) = checked_size(path, size.0, size.1)?;
        let mut start = 0;
        let mut times = Vec::new();
        for duration in scanned {
            times.push(Time { start, duration });
            start += duration as i64;
        }
        let mut info = Info::of_size(width, height, "GIF").with_times(TICK, times);
        info.repeats = match decoder.repeat() {
            Repeat::Finite(times) => Some(u32::from(times) + 1),
            Repeat::Infinite => Some(0),
        };
        Ok(GifReader {
            path: path.to_owned(),
            decoder,
            canvas: Canvas::new(width, height),
            info,
            next: 0,
            opaque: false,
        })
    }
}

fn options() -> DecodeOptions {
    let mut options = DecodeOptions::new();
    let most = NonZeroU64::new(MOST_PIXELS * 4).unwrap_or(NonZeroU64::MAX);
    options.set_memory_limit(MemoryLimit::Bytes(most));
    options
}

fn read_info(path: &Path, options: DecodeOptions) -> Result<Decoder<BufReader<File>>> {
    let file = BufReader::new(File::open(path).map_err(Error::read(path))?);
    guarded(CODEC, || {
        let read = options.read_info(file);
        read.map_err(|error| Error::damaged(path, error.to_string()))
    })
}

/// How long frames are seen, without decoding them; what a damaged end hides is left out.
fn scan(path: &Path) -> Result<Vec<u64>> {
    let mut options = options();
    options.skip_frame_decoding(true);
    let mut decoder = read_info(path, options)?;
    guarded(CODEC, || {
        let mut durations = Vec::new();
        while let Ok(Some(frame)) = decoder.next_frame_info() {
            // Browsers show frames that say less than two hundredths for ten.
            durations.push(if frame.delay < 2 {
                10
            } else {
                frame.delay.into()
            });
        }
        Ok(durations)
    })
}

impl Reader for GifReader {
    fn info(&self) -> &Info {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        let (decoder, canvas, path) = (&mut self.decoder, &mut self.canvas, &self.path);
        let number = self.next;
        let drawn = guarded(CODEC, || {
            let frame = decoder.read_next_frame().map_err(|error| {
                Error::damaged(path, format!("frame {number} is damaged ({error})"))
            })?;
            let Some(frame) = frame else {
                return Ok(false);
            };
            let part = Part {
                left: frame.left.into(),
                top: frame.top.into(),
                width: frame.width.into(),
                height: frame.height.into(),
            };
            let dispose = match frame.dispose {
                DisposalMethod::Background => Dispose::Clear,
                DisposalMethod::Previous => Dispose::Restore,
                DisposalMethod::Any | DisposalMethod::Keep => Dispose::Keep,
            };
            canvas.draw(part, &frame.buffer, true, dispose);
            Ok(true)
        })?;
        let time = self.info.times.get(number as usize).copied();
        let (true, Some(time)) = (drawn, time) else {
            return Ok(None);
        };
        if number == 0 {
            self.opaque = self.canvas.is_opaque();
        }
        self.next += 1;
        // What a frame clears may let light through in any later one.
        let opaque = self.opaque && self.canvas.is_opaque();
        Ok(Some(Frame {
            number,
            time,
            picture: self.canvas.picture(opaque),
        }))
    }
}
