//! Writing: which writer an output has, and what all of them share.

mod apng;
#[cfg(feature = "h264")]
mod described;
mod film;
mod gif;
mod journal;
mod mp4;
mod pictures;
mod segment;
mod y4m;

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::info::Info;
use crate::mp4::Sound;
use crate::source::{Backend, Pattern};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// How to write.
#[derive(Clone, Debug)]
pub struct WriteOptions {
    /// Who encodes H.264; everything else is written by this crate.
    pub backend: Backend,
    /// The program, if it is not the `ffmpeg` of the path.
    pub ffmpeg: Option<PathBuf>,
    /// What was finished by a run of the same `run` is kept, and the sink goes on from there.
    pub resume: bool,
    /// Says which run an unfinished output belongs to: a hash of all that shapes frames. Another run does not go on with it.
    pub run: String,
    /// The number of the first frame; not 0 where only a part of a film is written.
    pub first: u64,
    /// Sound that is copied into MP4, in step with the times of frames.
    pub sound: Option<Sound>,
    /// How coarse H.264 may be, 0 (hardly) to 51; 20 cannot be told from the frames at a glance.
    pub quantizer: u8,
    /// Frames that are encoded and written at once in MP4: no more than these are lost when a run is cut off, and fewer make
    /// larger files.
    pub segment: usize,
}

impl Default for WriteOptions {
    fn default() -> Self {
        WriteOptions {
            backend: Backend::Auto,
            ffmpeg: None,
            resume: false,
            run: String::new(),
            first: 0,
            sound: None,
            quantizer: 20,
            segment: 24,
        }
    }
}

/// What a writer of one kind of file does.
trait Writer: Send {
    /// Frames that an earlier run has finished.
    fn kept(&self) -> u64;

    /// The next frame, of the size that was said, later than those before.
    fn write(&mut self, frame: &Frame) -> Result<()>;

    fn finish(self: Box<Self>) -> Result<()>;
}

/// A moving picture that is written frame by frame. Without [`finish`](Sink::finish) it is left unfinished, and a later run can
/// go on with it.
pub struct Sink {
    writer: Box<dyn Writer>,
    size: (usize, usize),
    first: u64,
    next: u64,
    last_start: Option<i64>,
    notes: Vec<String>,
}

impl Sink {
    /// Begins an output: `.mp4`, `.gif`, `.png` (APNG), `.y4m`, a pattern like `frames/%04d.png` or a folder for PNG, or `-`
    /// for Y4M on standard output. Of `info`, size, length of ticks, shape of pixels and repetitions are used.
    ///
    /// # Errors
    ///
    /// If the ending is none of these, the file cannot be written, the size is none that the format can have, or what is to be
    /// resumed belongs to another run.
    pub fn create(path: impl AsRef<Path>, info: &Info, options: &WriteOptions) -> Result<Sink> {
        let path = path.as_ref();
        if info.width == 0 || info.height == 0 {
            return Err(Error::CannotWrite {
                what: "frames without pixels cannot be written".to_owned(),
            });
        }
        let kind = Kind::of(path)?;
        let mut notes = Vec::new();
        if options.sound.is_some() && kind != Kind::Mp4 {
            notes.push("the sound is left out: only MP4 has any".to_owned());
        }
        let writer: Box<dyn Writer> = match kind {
            Kind::Mp4 => {
                if info.width % 2 + info.height % 2 > 0 {
                    let note = "H.264 has even sizes: the last column or row of pixels is repeated";
                    notes.push(note.to_owned());
                }
                Box::new(mp4::Mp4Writer::create(path, info, options)?)
            }
            Kind::Gif => Box::new(gif::GifWriter::create(path, info, options)?),
            Kind::Apng => Box::new(apng::ApngWriter::create(path, info, options)?),
            Kind::Y4m => Box::new(y4m::Y4mWriter::create(path, info, options)?),
            Kind::Pictures(pattern) => {
                Box::new(pictures::PicturesWriter::create(pattern, options)?)
            }
        };
        let next = options.first + writer.kept();
        Ok(Sink {
            writer,
            size: (info.width, info.height),
            first: options.first,
            next,
            last_start: None,
            notes,
        })
    }

    /// How many frames are there from an earlier run.
    pub fn kept(&self) -> u64 {
        self.writer.kept()
    }

    /// The number of the frame that is to be written next.
    pub fn next_number(&self) -> u64 {
        self.next
    }

    /// What is left out or changed, for people.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Writes the next frame.
    ///
    /// # Errors
    ///
    /// If it is not the next one, has another size, is not later than the one before, or cannot be written.
    pub fn write(&mut self, frame: &Frame) -> Result<()> {
        let number = frame.number;
        let bad = |what| Err(Error::BadFrame { number, what });
        if number != self.next {
            return bad("it is not the next one");
        }
        if !frame.picture.is_whole() {
            return bad("it has fewer pixels than it says");
        }
        let is = (frame.picture.width, frame.picture.height);
        if is != self.size {
            let was = self.size;
            return Err(Error::OtherSize { number, was, is });
        }
        if frame.time.start < 0 || self.last_start.is_some_and(|last| frame.time.start <= last) {
            return bad("it is not later than the one before");
        }
        self.writer.write(frame)?;
        self.last_start = Some(frame.time.start);
        self.next += 1;
        Ok(())
    }

    /// Makes the output whole and gives it its name.
    ///
    /// # Errors
    ///
    /// If there is no frame, or it cannot be written.
    pub fn finish(self) -> Result<()> {
        if self.next == self.first {
            return Err(Error::CannotWrite {
                what: "a film without frames cannot be written".to_owned(),
            });
        }
        self.writer.finish()
    }
}

#[derive(PartialEq, Eq)]
enum Kind {
    Mp4,
    Gif,
    Apng,
    Y4m,
    Pictures(Pattern),
}

impl Kind {
    fn of(path: &Path) -> Result<Kind> {
        let unknown = || Error::UnknownOutput {
            path: path.to_owned(),
        };
        if path.as_os_str() == "-" {
            return Ok(Kind::Y4m);
        }
        let ending = path
            .extension()
            .map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        if let Some(pattern) = Pattern::of(path) {
            return match ending.as_deref() {
                Some("png") => Ok(Kind::Pictures(pattern)),
                _ => Err(unknown()),
            };
        }
        if path.is_dir() || path.to_string_lossy().ends_with(['/', '\\']) {
            return Ok(Kind::Pictures(Pattern::in_folder(path)));
        }
        match ending.as_deref() {
            Some("mp4" | "m4v" | "mov") => Ok(Kind::Mp4),
            Some("gif") => Ok(Kind::Gif),
            Some("png" | "apng") => Ok(Kind::Apng),
            Some("y4m") => Ok(Kind::Y4m),
            _ => Err(unknown()),
        }
    }
}

/// The name of an output that is not whole.
fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    PathBuf::from(name)
}

/// Opens what is not whole yet, for this process alone.
fn open_part(part: &Path, options: &WriteOptions) -> Result<File> {
    let failed = Error::write(part);
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(part)
        .map_err(&failed)?;
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => {
            return Err(Error::InUse {
                part: part.to_owned(),
            });
        }
        // A file system that has no locks.
        Ok(()) | Err(TryLockError::Error(_)) => {}
    }
    if !options.resume {
        file.set_len(0).map_err(&failed)?;
    }
    Ok(file)
}

/// Writes a file under a temporary name beside it, which is changed when all of it is there.
fn whole(path: &Path, write: impl FnOnce(&mut dyn std::io::Write) -> Result<()>) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let file = tempfile::NamedTempFile::new_in(folder).map_err(Error::write(path))?;
    let mut output = std::io::BufWriter::new(file);
    write(&mut output)?;
    let file = output
        .into_inner()
        .map_err(|error| Error::write(path)(error.into_error()))?;
    let saved = file
        .persist(path)
        .map_err(|error| Error::write(path)(error.error));
    readable(&saved?).map_err(Error::write(path))
}

/// Temporary files are their owner's alone; results are for whom other new files are for.
#[cfg(unix)]
pub(crate) fn readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
pub(crate) fn readable(_file: &File) -> std::io::Result<()> {
    Ok(())
}
