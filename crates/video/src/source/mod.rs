//! Reading: which reader a file has, and what all of them share.

mod apng;
mod canvas;
mod ffmpeg;
mod gif;
#[cfg(feature = "h264")]
mod h264;
#[cfg(feature = "h264")]
mod parameters;
mod pictures;
mod webp;
mod y4m;

#[cfg(feature = "h264")]
pub(crate) use parameters::{Sps, unescaped};
pub(crate) use pictures::{Pattern, write_png};

use crate::error::{Error, Result};
use crate::ffmpeg::Ffmpeg;
use crate::frame::{Frame, Picture};
use crate::info::Info;
use crate::mp4::Sound;
use crate::time::TimeBase;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// No frame has more pixels: what says so is damaged, or would not fit into memory.
pub(crate) const MOST_PIXELS: u64 = 1 << 27;

/// Who reads or writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Backend {
    /// This crate where it can, and ffmpeg where it cannot and there is one.
    #[default]
    Auto,
    /// This crate alone.
    Native,
    /// ffmpeg alone.
    Ffmpeg,
}

/// Decodes a picture of a folder; its error is a sentence.
pub type Decode = Arc<dyn Fn(&Path) -> Result<Picture, String> + Send + Sync>;

/// Whether to wait for more.
pub type Waits = Arc<dyn Fn() -> bool + Send + Sync>;

/// How to read.
#[derive(Clone)]
pub struct ReadOptions {
    /// Who reads.
    pub backend: Backend,
    /// The program, if it is not the `ffmpeg` of the path. Its `ffprobe` lies beside it.
    pub ffmpeg: Option<PathBuf>,
    /// Decodes the pictures of folders and patterns, so that the caller's own decoder with its colour profiles is used.
    /// Without it there is PNG.
    pub decode: Option<Decode>,
    /// How long each picture of a folder or pattern is seen; 1/25 s unless it is said.
    pub picture_duration: TimeBase,
    /// A picture that does not move is a film of one frame.
    pub stills: bool,
    /// The pictures of a folder are not all there yet: at their end, more are waited for as long as this says so. They come in the
    /// order in which they are found.
    pub waits: Option<Waits>,
}

impl Default for ReadOptions {
    fn default() -> Self {
        ReadOptions {
            backend: Backend::Auto,
            ffmpeg: None,
            decode: None,
            picture_duration: TimeBase {
                numerator: 1,
                denominator: 25,
            },
            stills: false,
            waits: None,
        }
    }
}

/// What a reader of one kind of file does.
pub(crate) trait Reader: Send {
    fn info(&self) -> &Info;

    /// The next frame, or `None` after the last.
    fn next(&mut self) -> Result<Option<Frame>>;

    /// Goes to where `next` gives the frame of this number, which is there; false if the reader can only go on.
    fn seek(&mut self, _number: u64) -> Result<bool> {
        Ok(false)
    }

    fn sound(&self) -> Result<Option<Sound>> {
        Ok(None)
    }
}

/// A moving picture that is read frame by frame. It is an iterator, too.
pub struct Source {
    path: PathBuf,
    options: ReadOptions,
    reader: Box<dyn Reader>,
    /// The first frame, if it had to be decoded to know whether that is possible.
    ahead: Option<Frame>,
    /// The number of the frame that is next.
    next: u64,
    ended: bool,
}

impl Source {
    /// Opens a file, a folder of pictures, a pattern of pictures like `frames/%04d.png`, or `-` for Y4M on standard input.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is none of these, or is cut off before its first frame; [`Error::Unsupported`] says what ffmpeg
    /// would be needed for.
    pub fn open(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Source> {
        let path = path.as_ref();
        let native = match options.backend {
            Backend::Ffmpeg => return Source::by_ffmpeg(path, options, None),
            Backend::Native | Backend::Auto => Source::native(path, options),
        };
        match native {
            Err(error) if error.is_beyond_us() => match options.backend {
                Backend::Auto => Source::by_ffmpeg(path, options, Some(error)),
                _ if Ffmpeg::find(options.ffmpeg.as_deref()).is_ok() => Err(error.with_ffmpeg()),
                _ => Err(error),
            },
            other => other,
        }
    }

    fn native(path: &Path, options: &ReadOptions) -> Result<Source> {
        let mut source = Source {
            path: path.to_owned(),
            options: options.clone(),
            reader: reader(path, options)?,
            ahead: None,
            next: 0,
            ended: false,
        };
        // Some of what cannot be decoded shows in the first frame alone, and ffmpeg can still be asked then.
        source.ahead = source.reader.next()?;
        if source.ahead.is_none() {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        }
        Ok(source)
    }

    /// `refused`: why this crate does not read it, which is what is said if there is no ffmpeg.
    fn by_ffmpeg(path: &Path, options: &ReadOptions, refused: Option<Error>) -> Result<Source> {
        let tool = match (Ffmpeg::find(options.ffmpeg.as_deref()), refused) {
            (Ok(tool), _) => tool,
            (Err(_), Some(refused)) => return Err(refused),
            (Err(error), None) => return Err(error),
        };
        Ok(Source {
            path: path.to_owned(),
            options: options.clone(),
            reader: Box::new(ffmpeg::FfmpegReader::open(path, tool)?),
            ahead: None,
            next: 0,
            ended: false,
        })
    }

    /// What is known of it.
    pub fn info(&self) -> &Info {
        self.reader.info()
    }

    /// Its sound, if there is any that can be copied into MP4.
    ///
    /// # Errors
    ///
    /// If the file cannot be read any more.
    pub fn sound(&self) -> Result<Option<Sound>> {
        self.reader.sound()
    }

    /// The next frame, or `None` after the last. After an error there are no more frames.
    ///
    /// # Errors
    ///
    /// If the file is damaged or cut off here, or its frames change their size.
    pub fn next_frame(&mut self) -> Result<Option<Frame>> {
        if self.ended {
            return Ok(None);
        }
        let frame = match self.ahead.take() {
            Some(frame) => Ok(Some(frame)),
            None => self.reader.next(),
        };
        self.ended = !matches!(frame, Ok(Some(_)));
        if let Ok(Some(frame)) = &frame {
            self.next = frame.number + 1;
            let info = self.reader.info();
            let (was, is) = (
                (info.width, info.height),
                (frame.picture.width, frame.picture.height),
            );
            if was != is {
                self.ended = true;
                let number = frame.number;
                return Err(Error::OtherSize { number, was, is });
            }
        }
        frame
    }

    /// Goes to a frame, so that [`next_frame`](Source::next_frame) gives it: from the key frame before it where the format
    /// has any, by reading what lies before it where not.
    ///
    /// # Errors
    ///
    /// If there is no such frame, or a pipe would have to be read backwards.
    pub fn seek(&mut self, number: u64) -> Result<()> {
        let frames = self.info().frames;
        if let Some(frames) = frames.filter(|&frames| number > frames) {
            return Err(Error::NoSuchFrame {
                number,
                last: frames.saturating_sub(1),
            });
        }
        if frames == Some(number) {
            (self.ended, self.ahead, self.next) = (true, None, number);
            return Ok(());
        }
        if number == self.next && !self.ended {
            return Ok(());
        }
        if self.reader.seek(number)? {
            (self.ended, self.ahead, self.next) = (false, None, number);
            return Ok(());
        }
        if number < self.next {
            if self.path.as_os_str() == "-" {
                return Err(Error::Backwards { number });
            }
            *self = Source::open(&self.path, &self.options)?;
        }
        while self.next < number {
            if self.next_frame()?.is_none() {
                let last = self.next.saturating_sub(1);
                return Err(Error::NoSuchFrame { number, last });
            }
        }
        Ok(())
    }
}

impl Iterator for Source {
    type Item = Result<Frame>;

    fn next(&mut self) -> Option<Result<Frame>> {
        self.next_frame().transpose()
    }
}

/// The reader for what a path is.
fn reader(path: &Path, options: &ReadOptions) -> Result<Box<dyn Reader>> {
    match moving(path, options) {
        Err(Error::Still { .. } | Error::NotVideo { .. }) if options.stills => {
            Ok(Box::new(pictures::PicturesReader::one(path, options)?))
        }
        found => found,
    }
}

/// The reader for what moves, by its first bytes; the ending of a name says nothing.
fn moving(path: &Path, options: &ReadOptions) -> Result<Box<dyn Reader>> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(y4m::Y4mReader::open_pipe()?));
    }
    if path.is_dir() || (!path.exists() && Pattern::of(path).is_some()) {
        return Ok(Box::new(pictures::PicturesReader::open(path, options)?));
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(Error::read(path))?;
    file.take(16)
        .read_to_end(&mut start)
        .map_err(Error::read(path))?;
    if start.is_empty() {
        return Err(Error::Empty {
            path: path.to_owned(),
        });
    }
    match start.as_slice() {
        [b'G', b'I', b'F', b'8', ..] => Ok(Box::new(gif::GifReader::open(path)?)),
        [0x89, b'P', b'N', b'G', ..] => Ok(Box::new(apng::ApngReader::open(path)?)),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Ok(Box::new(webp::WebpReader::open(path)?)),
        start if start.starts_with(b"YUV4MPEG2") => Ok(Box::new(y4m::Y4mReader::open(path)?)),
        [_, _, _, _, kind @ ..] if is_mp4(kind) => mp4(path),
        _ => Err(Error::NotVideo {
            path: path.to_owned(),
            ffmpeg: false,
        }),
    }
}

/// Whether the type of a first box is one of those that MP4 and MOV files begin with.
fn is_mp4(kind: &[u8]) -> bool {
    let known: [&[u8]; 7] = [
        b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot",
    ];
    kind.get(..4).is_some_and(|kind| known.contains(&kind))
}

#[cfg(feature = "h264")]
fn mp4(path: &Path) -> Result<Box<dyn Reader>> {
    Ok(Box::new(h264::H264Reader::open(path)?))
}

#[cfg(not(feature = "h264"))]
fn mp4(path: &Path) -> Result<Box<dyn Reader>> {
    Err(Error::unsupported(
        path,
        "MP4 (this program was built without H.264)",
    ))
}

/// Refuses sizes that no film has.
pub(crate) fn checked_size(path: &Path, width: u64, height: u64) -> Result<(usize, usize)> {
    if width == 0 || height == 0 {
        return Err(Error::damaged(path, "its frames have no pixels"));
    }
    match width.checked_mul(height) {
        Some(pixels) if pixels <= MOST_PIXELS => Ok((width as usize, height as usize)),
        _ => Err(Error::damaged(
            path,
            format!("frames of {width} × {height} px are too large"),
        )),
    }
}
