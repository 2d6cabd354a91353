//! APNG (PNG, third edition, 11.3.4): every frame a whole one, in 8 bits.

use super::journal::{Journal, Record};
use super::{WriteOptions, Writer, whole};
use crate::bytes::Bytes;
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::guard::guarded;
use crate::info::Info;
use crate::time::TimeBase;
use std::io::Write;
use std::path::{Path, PathBuf};

pub struct ApngWriter {
    path: PathBuf,
    journal: Journal,
    size: (u32, u32),
    time_base: TimeBase,
    repeats: u32,
}

impl ApngWriter {
    pub fn create(path: &Path, info: &Info, options: &WriteOptions) -> Result<Self> {
        let (width, height) = (info.width as u32, info.height as u32);
        let layout = format!("apng {width} {height} {:?}", info.time_base);
        Ok(ApngWriter {
            path: path.to_owned(),
            journal: Journal::open(path, &layout, options)?,
            size: (width, height),
            time_base: info.time_base,
            repeats: info.repeats.unwrap_or(0),
        })
    }
}

/// The chunk before each frame.
fn control(sequence: u32, (width, height): (u32, u32), (up, down): (u16, u16)) -> Vec<u8> {
    let mut data = Vec::with_capacity(26);
    for value in [sequence, width, height, 0, 0] {
        data.extend(value.to_be_bytes());
    }
    data.extend(up.to_be_bytes());
    data.extend(down.to_be_bytes());
    // Nothing is disposed of, and each frame replaces all.
    data.extend([0, 0]);
    data
}

/// A time as a fraction of two numbers of 16 bits: exact where that can be.
fn delay(ticks: u64, base: TimeBase) -> (u16, u16) {
    let up = ticks.saturating_mul(u64::from(base.numerator));
    let exact = u32::try_from(up)
        .ok()
        .and_then(|up| TimeBase::new(up, base.denominator));
    if let Some(exact) = exact
        && let (Ok(up), Ok(down)) = (
            u16::try_from(exact.numerator),
            u16::try_from(exact.denominator),
        )
    {
        return (up, down);
    }
    let ticks = i64::try_from(ticks).unwrap_or(i64::MAX);
    let nearest = base.convert(ticks, TimeBase::MILLISECONDS);
    (nearest.clamp(1, 65535) as u16, 1000)
}

fn chunk(output: &mut dyn Write, kind: &[u8; 4], data: &[u8]) -> std::io::Result<()> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(kind);
    hasher.update(data);
    output.write_all(&(data.len() as u32).to_be_bytes())?;
    output.write_all(kind)?;
    output.write_all(data)?;
    output.write_all(&hasher.finalize().to_be_bytes())
}

/// The compressed rows of a picture, in RGBA.
fn compressed(frame: &Frame) -> Result<Vec<u8>> {
    let (width, height) = (frame.picture.width as u32, frame.picture.height as u32);
    let mut png = Vec::new();
    let pixels = frame.picture.to_rgba();
    guarded("encoder of PNG", || {
        let refused = |error: png::EncodingError| Error::CannotWrite {
            what: error.to_string(),
        };
        let mut encoder = png::Encoder::new(&mut png, width, height);
        encoder.set_color(png::ColorType::Rgba);
        let mut writer = encoder.write_header().map_err(refused)?;
        writer.write_image_data(&pixels).map_err(refused)?;
        writer.finish().map_err(refused)
    })?;
    let mut rest = Bytes(png.get(8..).unwrap_or_default());
    let mut data = Vec::new();
    while let (Some(length), Some(kind)) = (rest.u32(), rest.take(4)) {
        let inner = rest.take(length as usize).unwrap_or_default();
        if kind == b"IDAT" {
            data.extend(inner);
        }
        rest.u32();
    }
    Ok(data)
}

impl Writer for ApngWriter {
    fn kept(&self) -> u64 {
        self.journal.kept()
    }

    fn write(&mut self, frame: &Frame) -> Result<()> {
        self.journal.append(&Record {
            time: frame.time,
            bytes: compressed(frame)?,
        })
    }

    fn finish(mut self: Box<Self>) -> Result<()> {
        let count = self.journal.count()? as u32;
        let path = self.path.clone();
        whole(&path, |output| {
            let failed = Error::write(&path);
            output.write_all(b"\x89PNG\r\n\x1a\n").map_err(&failed)?;
            let mut head = Vec::new();
            head.extend(self.size.0.to_be_bytes());
            head.extend(self.size.1.to_be_bytes());
            // 8 bits, RGBA.
            head.extend([8, 6, 0, 0, 0]);
            chunk(output, b"IHDR", &head).map_err(&failed)?;
            chunk(output, b"sRGB", &[0]).map_err(&failed)?;
            let animation = [count.to_be_bytes(), self.repeats.to_be_bytes()];
            chunk(output, b"acTL", animation.as_flattened()).map_err(&failed)?;
            // Control chunks and, from the second frame on, those of data are numbered together.
            let mut sequence = 0u32;
            let (size, time_base) = (self.size, self.time_base);
            self.journal.read(|record| {
                let control = control(sequence, size, delay(record.time.duration, time_base));
                chunk(output, b"fcTL", &control).map_err(&failed)?;
                if sequence == 0 {
                    sequence = 1;
                    return chunk(output, b"IDAT", &record.bytes).map_err(&failed);
                }
                let mut data = (sequence + 1).to_be_bytes().to_vec();
                data.extend(&record.bytes);
                sequence += 2;
                chunk(output, b"fdAT", &data).map_err(&failed)
            })?;
            chunk(output, b"IEND", &[]).map_err(&failed)
        })?;
        self.journal.remove()
    }
}
