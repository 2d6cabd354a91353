//! Y4M: 8 bits, chroma of half the columns and rows, limited range.

use super::journal::{Journal, Record};
use super::{WriteOptions, Writer, whole};
use crate::color::{Matrix, to_yuv420};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::info::Info;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

pub struct Y4mWriter {
    output: Output,
    head: String,
    size: (usize, usize),
}

enum Output {
    Pipe(BufWriter<std::io::Stdout>),
    File(PathBuf, Journal),
}

impl Y4mWriter {
    pub fn create(path: &Path, info: &Info, options: &WriteOptions) -> Result<Self> {
        let (width, height) = (info.width, info.height);
        let (up, down) = rate(info);
        let (x, y) = info.pixel_aspect;
        let head = format!("YUV4MPEG2 W{width} H{height} F{up}:{down} Ip A{x}:{y} C420mpeg2\n");
        let output = match path.as_os_str() == "-" {
            true => {
                let mut output = BufWriter::new(std::io::stdout());
                output
                    .write_all(head.as_bytes())
                    .map_err(Error::write(path))?;
                Output::Pipe(output)
            }
            false => Output::File(path.to_owned(), Journal::open(path, &head, options)?),
        };
        Ok(Y4mWriter {
            output,
            head,
            size: (width, height),
        })
    }
}

/// Frames per second. Y4M has one rate: that of the mean where times are uneven, with the exact one where they are even.
fn rate(info: &Info) -> (u32, u32) {
    let base = info.time_base;
    let span = match (info.times.first(), info.times.last()) {
        (Some(first), Some(last)) => (last.end() - first.start).max(1) as u64,
        _ => return (base.denominator, base.numerator),
    };
    let count = info.times.len() as u64;
    let ticks = (span + count / 2) / count;
    let exact = u32::try_from(ticks.max(1))
        .ok()
        .and_then(|ticks| ticks.checked_mul(base.numerator))
        .and_then(|up| crate::time::TimeBase::new(base.denominator, up));
    exact.map_or((25, 1), |rate| (rate.numerator, rate.denominator))
}

impl Writer for Y4mWriter {
    fn kept(&self) -> u64 {
        match &self.output {
            Output::Pipe(_) => 0,
            Output::File(_, journal) => journal.kept(),
        }
    }

    fn write(&mut self, frame: &Frame) -> Result<()> {
        let matrix = Matrix::guess(self.size.0, self.size.1);
        let planes = to_yuv420(&frame.picture.to_rgb(), self.size, self.size, matrix);
        let bytes = [b"FRAME\n", &planes.y[..], &planes.u, &planes.v].concat();
        match &mut self.output {
            Output::Pipe(output) => output
                .write_all(&bytes)
                .map_err(Error::write(Path::new("-"))),
            Output::File(_, journal) => journal.append(&Record {
                time: frame.time,
                bytes,
            }),
        }
    }

    fn finish(self: Box<Self>) -> Result<()> {
        match self.output {
            Output::Pipe(mut output) => output.flush().map_err(Error::write(Path::new("-"))),
            Output::File(path, mut journal) => {
                whole(&path, |output| {
                    let failed = Error::write(&path);
                    output.write_all(self.head.as_bytes()).map_err(&failed)?;
                    journal.read(|record| output.write_all(&record.bytes).map_err(&failed))
                })?;
                journal.remove()
            }
        }
    }
}
