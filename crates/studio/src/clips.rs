//! Clips that are sent: looked at by our own readers before they are taken, and kept as they came under the hash of their bytes.
//!
//! ```text
//! bytes ─▶ clips/.arriving-N ─▶ impasto_video::Source (our readers alone) ─▶ clips/ID.mp4 + clips/ID.json
//!                                     └─ frame N ─▶ JPEG to look at, PNG to paint
//! ```
//!
//! A clip is never given back: what is seen of it are frames, decoded here and encoded again.

use crate::folder::Folder;
use crate::pictures::{clean, jpeg, reduced};
use crate::told::Refused;
use impasto::Picture;
use impasto::picture::write_whole;
use impasto_video::{Advice, Backend, Error, ReadOptions, Source};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes of a clip.
pub const MOST_BYTES: u64 = 2 << 30;
/// The most clips that a folder takes.
pub const MOST: usize = 200;
/// The most pixels of a frame: 8K.
const MOST_PIXELS: usize = 7680 * 4320;
/// The longest side of a frame that is looked at.
const SHOWN: usize = 1280;
/// Digits of an id.
const ID: usize = 32;

/// What is known of a clip.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Clip {
    /// The beginning of the SHA-256 of its bytes.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// How its file ends, by what is in it.
    pub end: String,
    /// What reads it: `H.264 in MP4`.
    pub reader: String,
    /// Columns of a frame.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// How many frames.
    pub frames: u64,
    /// How long it is.
    pub seconds: f64,
    /// Whether there is sound.
    pub sound: bool,
    /// Bytes of its file.
    pub bytes: u64,
}

/// What a file is that was sent as a clip.
#[derive(Debug)]
pub enum Looked {
    /// It moves.
    Clip(Clip),
    /// It is a picture that does not.
    Still,
}

/// The clips of a folder.
pub struct Clips {
    folder: Arc<Folder>,
    /// The one that was looked at last, where it was left: the next frame is often near.
    open: Mutex<Option<(String, Source)>>,
}

impl Clips {
    /// Those of a folder; what a program left that was ended while a clip arrived is removed.
    pub fn new(folder: Arc<Folder>) -> Self {
        let entries = std::fs::read_dir(folder.join("clips"));
        for entry in entries.into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with('.') {
                let _ = std::fs::remove_file(entry.path());
            }
        }
        Self {
            folder,
            open: Mutex::default(),
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        let entries = std::fs::read_dir(self.folder.join("clips"));
        let entries = entries.into_iter().flatten().flatten();
        entries
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "json"))
            .count()
    }

    /// Where a clip arrives.
    pub fn arriving(&self, number: u64) -> PathBuf {
        self.folder
            .join("clips")
            .join(format!(".arriving-{number}"))
    }

    /// Takes in what has arrived, under the hash of its bytes.
    ///
    /// # Errors
    /// Why it is no clip that is taken, in a sentence.
    pub fn keep(
        &self,
        arrived: &Path,
        name: &str,
        hash: &str,
        bytes: u64,
    ) -> Result<Looked, Refused> {
        let name = clean(name);
        let end = end_of(arrived)?;
        let source = match open(arrived, &name) {
            Ok(source) => source,
            Err(Error::Still { .. }) => return Ok(Looked::Still),
            Err(error) => return Err(refused(arrived, &name, &error)),
        };
        let info = source.info().clone();
        if info.width * info.height > MOST_PIXELS {
            let problem = format!(
                "{name}: its frames have {} × {} pixels, and {MOST_PIXELS} in all may be: make it smaller",
                info.width, info.height
            );
            return Err(Refused::new(422, problem));
        }
        let seconds = |ticks: u64| info.time_base.seconds(ticks as i64);
        let (frames, seconds) = match (info.frames, info.duration) {
            (Some(frames), Some(ticks)) => (frames, seconds(ticks)),
            _ => counted(source).map_err(|error| refused(arrived, &name, &error))?,
        };
        let clip = Clip {
            id: hash[..ID].to_string(),
            name,
            end: end.into(),
            reader: info.reader,
            width: info.width,
            height: info.height,
            frames,
            seconds,
            sound: info.sound,
            bytes,
        };
        let failed = |path: &Path| {
            let path = path.to_path_buf();
            move |source| Refused::from(crate::Error::File { path, source })
        };
        let file = self.file(&clip);
        std::fs::rename(arrived, &file).map_err(failed(&file))?;
        let about = self.about(&clip.id);
        let told = serde_json::to_vec(&clip).unwrap_or_default();
        write_whole(&about, &told).map_err(failed(&about))?;
        Ok(Looked::Clip(clip))
    }

    /// The clip of an id, if it is there.
    pub fn find(&self, id: &str) -> Option<Clip> {
        let digits = id.len() == ID && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        let told = digits
            .then(|| std::fs::read(self.about(id)).ok())
            .flatten()?;
        let clip: Clip = serde_json::from_slice(&told).ok()?;
        self.file(&clip).exists().then_some(clip)
    }

    fn about(&self, id: &str) -> PathBuf {
        self.folder.join("clips").join(format!("{id}.json"))
    }

    fn file(&self, clip: &Clip) -> PathBuf {
        self.folder.path().join(relative(clip))
    }

    /// A frame.
    ///
    /// # Errors
    /// If there is no such frame, or it cannot be decoded.
    pub fn frame(&self, clip: &Clip, number: u64) -> Result<Picture, Refused> {
        if number >= clip.frames {
            return Err(Refused::missing());
        }
        let path = self.file(clip);
        let wrong = |error: Error| refused(&path, &clip.name, &error);
        let mut open_one = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = open_one.take().filter(|(id, _)| *id == clip.id);
        let mut source = match kept {
            Some((_, source)) => source,
            None => open(&path, &clip.name).map_err(wrong)?,
        };
        source.seek(number).map_err(wrong)?;
        let frame = source.next_frame().map_err(wrong)?;
        let frame = frame.ok_or_else(Refused::missing)?;
        *open_one = Some((clip.id.clone(), source));
        picture(&frame.picture)
    }

    /// A frame to look at: a JPEG.
    ///
    /// # Errors
    /// As [`Clips::frame`].
    pub fn shown(&self, clip: &Clip, number: u64) -> Result<Vec<u8>, Refused> {
        let frame = self.frame(clip, number)?;
        Ok(jpeg(&reduced(&frame, SHOWN))?)
    }
}

/// The file of a clip, from the studio's folder.
pub fn relative(clip: &Clip) -> String {
    format!("clips/{}.{}", clip.id, clip.end)
}

/// The first frame of a film.
pub fn first_frame(path: &Path) -> Option<Picture> {
    let mut source = open(path, "").ok()?;
    picture(&source.next_frame().ok()??.picture).ok()
}

/// Width and height of a film.
pub fn size_of(path: &Path) -> Option<(usize, usize)> {
    let source = open(path, "").ok()?;
    Some((source.info().width, source.info().height))
}

/// Opens a file by our own readers: what others would read is not read.
fn open(path: &Path, name: &str) -> Result<Source, Error> {
    let options = ReadOptions {
        backend: Backend::Native,
        ..ReadOptions::default()
    };
    log::debug!("looking at {name:?}");
    Source::open(path, &options)
}

/// A frame as a picture.
fn picture(frame: &impasto_video::Picture) -> Result<Picture, Refused> {
    let samples = frame.to_rgb();
    let mut planes = Vec::with_capacity(samples.len());
    for channel in 0..3 {
        let plane = samples.iter().skip(channel).step_by(3);
        planes.extend(plane.map(|&sample| f32::from(sample) / 255.0));
    }
    let made = Picture::new(frame.width, frame.height, planes);
    made.map_err(|error| Refused::new(422, error))
}

/// Frames and seconds of what does not say so beforehand.
fn counted(mut source: Source) -> Result<(u64, f64), Error> {
    let (mut frames, mut end) = (0, 0);
    while let Some(frame) = source.next_frame()? {
        frames += 1;
        end = frame.time.end();
    }
    Ok((frames, source.info().time_base.seconds(end)))
}

/// How the file of a container ends: it is one of these, or it is refused.
fn end_of(path: &Path) -> Result<&'static str, Refused> {
    use std::io::Read;
    let mut start = Vec::new();
    let failed = |source| {
        let path = path.to_path_buf();
        Refused::from(crate::Error::File { path, source })
    };
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(16).read_to_end(&mut start).map_err(failed)?;
    Ok(match start.as_slice() {
        [b'G', b'I', b'F', ..] => "gif",
        [0x89, b'P', b'N', b'G', ..] => "png",
        [b'R', b'I', b'F', b'F', ..] => "webp",
        [b'Y', b'U', b'V', b'4', ..] => "y4m",
        _ => "mp4",
    })
}

/// A sentence about a file, by its name, with what to do.
fn refused(path: &Path, name: &str, error: &Error) -> Refused {
    let told = error.to_string().replace(&path.display().to_string(), name);
    let advice = match error.advice() {
        Some(Advice::InstallFfmpeg | Advice::UseFfmpeg) => {
            "the studio takes MP4 and MOV with H.264, GIF, APNG, WebP and Y4M: convert it first"
        }
        Some(Advice::GetFileAnew) => "get the file anew",
        _ => return Refused::new(422, told),
    };
    Refused::new(422, format!("{told}; {advice}"))
}
