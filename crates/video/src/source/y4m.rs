//! Y4M (YUV4MPEG2, `man yuv4mpeg`): what programs pass to one another through pipes.

use super::{Reader, checked_size};
use crate::color::{Coding, Matrix, Planes, half};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::info::Info;
use crate::time::{Time, TimeBase};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// No header is longer: it is a line of a dozen short fields.
const LONGEST_LINE: u64 = 1024;

pub struct Y4mReader {
    path: PathBuf,
    input: Box<dyn BufRead + Send>,
    info: Info,
    layout: Layout,
    next: u64,
}

/// How frames lie in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Layout {
    halves: (bool, bool),
    grey: bool,
    depth: u32,
    coding: Coding,
}

impl Y4mReader {
    pub fn open_pipe() -> Result<Self> {
        let input = Box::new(BufReader::new(std::io::stdin()));
        Y4mReader::new(Path::new("-"), input, None)
    }

    pub fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::read(path))?;
        let length = file.metadata().map_err(Error::read(path))?.len();
        Y4mReader::new(path, Box::new(BufReader::new(file)), Some(length))
    }

    fn new(path: &Path, mut input: Box<dyn BufRead + Send>, length: Option<u64>) -> Result<Self> {
        let line = line(path, input.as_mut())?;
        let Some(fields) = line.strip_prefix(b"YUV4MPEG2 ") else {
            return Err(Error::NotVideo {
                path: path.to_owned(),
                ffmpeg: false,
            });
        };
        let header = Header::parse(path, &String::from_utf8_lossy(fields))?;
        let (width, height) = checked_size(path, header.width, header.height)?;
        let layout = header.layout(path)?;
        let mut info = Info::of_size(width, height, "Y4M");
        info.time_base = header.frame;
        info.pixel_aspect = header.aspect;
        // Frames may have fields of their own; where their number comes out even, none has.
        let frame = 6 + layout.bytes(width, height) as u64;
        let body = length.map(|length| length.saturating_sub(line.len() as u64 + 1));
        if let Some(body) = body.filter(|body| body % frame == 0) {
            let times = (0..body / frame).map(|number| Time {
                start: number as i64,
                duration: 1,
            });
            info = info.with_times(header.frame, times.collect());
        }
        Ok(Y4mReader {
            path: path.to_owned(),
            input,
            info,
            layout,
            next: 0,
        })
    }
}

/// A line without its end; empty at the end of the stream.
fn line(path: &Path, input: &mut dyn BufRead) -> Result<Vec<u8>> {
    let mut line = Vec::new();
    input
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut line)
        .map_err(Error::read(path))?;
    match line.pop() {
        None | Some(b'\n') => Ok(line),
        Some(_) => Err(Error::damaged(path, "a header does not end")),
    }
}

struct Header {
    width: u64,
    height: u64,
    frame: TimeBase,
    aspect: (u32, u32),
    interlaced: bool,
    full: bool,
    colors: String,
}

impl Header {
    fn parse(path: &Path, fields: &str) -> Result<Header> {
        let mut header = Header {
            width: 0,
            height: 0,
            frame: TimeBase {
                numerator: 1,
                denominator: 25,
            },
            aspect: (1, 1),
            interlaced: false,
            full: false,
            colors: "420jpeg".to_owned(),
        };
        let pair = |value: &str| {
            let (up, down) = value.split_once(':')?;
            Some((up.parse::<u32>().ok()?, down.parse::<u32>().ok()?))
        };
        for field in fields.split_ascii_whitespace() {
            let Some((kind, value)) = field.split_at_checked(1) else {
                continue;
            };
            match kind {
                "W" => header.width = value.parse().unwrap_or(0),
                "H" => header.height = value.parse().unwrap_or(0),
                "F" => {
                    // The rate, of which the time of a frame is the inverse; 0:0 is not known.
                    let rate = pair(value).and_then(|(up, down)| TimeBase::new(down, up));
                    header.frame = rate.unwrap_or(header.frame);
                }
                "A" => {
                    let aspect = pair(value).filter(|&(x, y)| x > 0 && y > 0);
                    header.aspect = aspect.unwrap_or((1, 1));
                }
                "I" => header.interlaced = !matches!(value, "p" | "?"),
                "C" => header.colors = value.to_owned(),
                "X" => header.full |= value == "COLORRANGE=FULL",
                _ => (),
            }
        }
        if header.interlaced {
            return Err(Error::unsupported(path, "interlaced Y4M"));
        }
        Ok(header)
    }

    fn layout(&self, path: &Path) -> Result<Layout> {
        let unknown = || Error::unsupported(path, format!("Y4M in {}", self.colors));
        let colors = self.colors.as_str();
        let digits = colors.bytes().take_while(u8::is_ascii_digit).count();
        let (kind, rest) = colors.split_at(digits);
        let (halves, rest) = match kind {
            "420" => ((true, true), rest),
            "422" => ((true, false), rest),
            "444" => ((false, false), rest),
            "" if rest.starts_with("mono") => ((false, false), &rest[4..]),
            _ => return Err(unknown()),
        };
        let depth = match rest {
            "" | "jpeg" | "mpeg2" | "paldv" => 8,
            _ => {
                let depth = rest.strip_prefix('p').unwrap_or(rest).parse().ok();
                depth
                    .filter(|depth| (9..=16).contains(depth))
                    .ok_or_else(unknown)?
            }
        };
        Ok(Layout {
            halves,
            grey: colors.starts_with("mono"),
            depth,
            coding: Coding {
                matrix: Matrix::guess(self.width as usize, self.height as usize),
                full: self.full,
                left: rest != "jpeg" && !rest.is_empty(),
            },
        })
    }
}

impl Layout {
    fn samples(self, width: usize, height: usize) -> (usize, usize) {
        let chroma = match self.grey {
            true => 0,
            false => half(width, self.halves.0) * half(height, self.halves.1),
        };
        (width * height, chroma)
    }

    fn bytes(self, width: usize, height: usize) -> usize {
        let (luma, chroma) = self.samples(width, height);
        (luma + 2 * chroma) * if self.depth > 8 { 2 } else { 1 }
    }
}

/// The planes of a frame and the picture they are.
fn picture<T: Copy + Into<f32>>(
    samples: &[T],
    middle: T,
    (width, height): (usize, usize),
    layout: Layout,
) -> crate::frame::Picture {
    let (luma, chroma) = layout.samples(width, height);
    let grey = if layout.grey {
        vec![middle; luma]
    } else {
        Vec::new()
    };
    let (u, v) = match layout.grey {
        true => (&grey[..], &grey[..]),
        false => (&samples[luma..luma + chroma], &samples[luma + chroma..]),
    };
    Planes {
        width,
        height,
        y: &samples[..luma],
        u,
        v,
        depth: layout.depth,
        halves: layout.halves,
    }
    .to_picture(layout.coding)
}

impl Reader for Y4mReader {
    fn info(&self) -> &Info {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        let line = line(&self.path, self.input.as_mut())?;
        if line.is_empty() {
            return Ok(None);
        }
        if !line.starts_with(b"FRAME") {
            return Err(Error::damaged(
                &self.path,
                "a frame does not begin as it should",
            ));
        }
        let size = (self.info.width, self.info.height);
        let count = self.layout.bytes(size.0, size.1);
        let mut bytes = Vec::new();
        let mut input = self.input.as_mut().take(count as u64);
        input
            .read_to_end(&mut bytes)
            .map_err(Error::read(&self.path))?;
        let number = self.next;
        if bytes.len() != count {
            let what = format!("the stream ends within frame {number}");
            return Err(Error::damaged(&self.path, what));
        }
        let picture = match self.layout.depth {
            8 => picture(&bytes, 128, size, self.layout),
            depth => {
                let pairs = bytes.chunks_exact(2);
                let samples: Vec<u16> = pairs
                    .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
                    .collect();
                picture(&samples, 1 << (depth - 1), size, self.layout)
            }
        };
        self.next += 1;
        Ok(Some(Frame {
            number,
            time: Time {
                start: number as i64,
                duration: 1,
            },
            picture,
        }))
    }
}
