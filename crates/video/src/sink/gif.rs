//! Animated GIF: a palette for every frame, chosen by NeuQuant.

use super::journal::{Journal, Record};
use super::{WriteOptions, Writer, whole};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::guard::guarded;
use crate::info::Info;
use crate::time::TimeBase;
use gif::{DisposalMethod, Encoder, Repeat};
use std::path::{Path, PathBuf};

/// Hundredths of a second.
const TICK: TimeBase = TimeBase {
    numerator: 1,
    denominator: 100,
};

/// NeuQuant looks at every so manieth pixel: at a few tens of thousands, and at all of a small picture.
fn stride(size: (u16, u16)) -> i32 {
    (i32::from(size.0).saturating_mul(i32::from(size.1)) / 50_000).clamp(1, 10)
}

pub struct GifWriter {
    path: PathBuf,
    journal: Journal,
    size: (u16, u16),
    time_base: TimeBase,
    repeat: Repeat,
}

impl GifWriter {
    pub fn create(path: &Path, info: &Info, options: &WriteOptions) -> Result<Self> {
        let (Ok(width), Ok(height)) = (u16::try_from(info.width), u16::try_from(info.height))
        else {
            return Err(Error::CannotWrite {
                what: "GIF has at most 65535 × 65535 px".to_owned(),
            });
        };
        let layout = format!("gif {width} {height} {:?}", info.time_base);
        Ok(GifWriter {
            path: path.to_owned(),
            journal: Journal::open(path, &layout, options)?,
            size: (width, height),
            time_base: info.time_base,
            repeat: match info.repeats {
                None | Some(0) => Repeat::Infinite,
                Some(times) => Repeat::Finite((times - 1).min(65535) as u16),
            },
        })
    }

    /// What stands before all frames.
    fn head(&self) -> Result<Vec<u8>> {
        let mut encoder = encoder(self.size)?;
        encoder.set_repeat(self.repeat).map_err(refused)?;
        Ok(encoder.get_ref().clone())
    }
}

fn encoder((width, height): (u16, u16)) -> Result<Encoder<Vec<u8>>> {
    Encoder::new(Vec::new(), width, height, &[]).map_err(refused)
}

fn refused(error: gif::EncodingError) -> Error {
    Error::CannotWrite {
        what: error.to_string(),
    }
}

impl Writer for GifWriter {
    fn kept(&self) -> u64 {
        self.journal.kept()
    }

    fn write(&mut self, frame: &Frame) -> Result<()> {
        let time = frame.time.convert(self.time_base, TICK);
        let mut pixels = frame.picture.to_rgba().into_owned();
        let bytes = guarded("encoder of GIF", || {
            let mut encoded = gif::Frame::from_rgba_speed(
                self.size.0,
                self.size.1,
                &mut pixels,
                stride(self.size),
            );
            // Less than two hundredths is a tenth to browsers.
            encoded.delay = time.duration.clamp(2, 65535) as u16;
            // What shows through must not show the frame before.
            encoded.dispose = match encoded.transparent {
                Some(_) => DisposalMethod::Background,
                None => DisposalMethod::Keep,
            };
            let mut encoder = encoder(self.size)?;
            let head = encoder.get_ref().len();
            encoder.write_frame(&encoded).map_err(refused)?;
            Ok(encoder.get_ref()[head..].to_vec())
        })?;
        self.journal.append(&Record { time, bytes })
    }

    fn finish(self: Box<Self>) -> Result<()> {
        let head = self.head()?;
        let GifWriter {
            path, mut journal, ..
        } = *self;
        whole(&path, |output| {
            let failed = Error::write(&path);
            output.write_all(&head).map_err(&failed)?;
            journal.read(|record| output.write_all(&record.bytes).map_err(&failed))?;
            // The trailer.
            output.write_all(b";").map_err(&failed)
        })?;
        journal.remove()
    }
}
