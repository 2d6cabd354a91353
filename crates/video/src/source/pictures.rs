//! Folders and patterns of pictures.

use super::{Decode, ReadOptions, Reader, Waits, checked_size};
use crate::error::{Error, Result};
use crate::frame::{Channels, Frame, Picture, Samples};
use crate::guard::guarded;
use crate::info::Info;
use crate::time::Time;
use png::{BitDepth, ColorType, Limits, Transformations};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Endings of pictures that a folder is searched for.
const ENDINGS: [&str; 9] = [
    "png", "jpg", "jpeg", "webp", "tif", "tiff", "avif", "jxl", "bmp",
];

/// From one look for more pictures to the next.
const PATIENCE: Duration = Duration::from_millis(100);
/// A file that has not grown for so long is whole, unless it cannot be decoded: then it is looked at once more.
const WRITING: Duration = Duration::from_millis(50);

/// Names with a number in them: `frames/%04d.png`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    folder: PathBuf,
    before: String,
    digits: usize,
    after: String,
}

impl Pattern {
    /// `None` if the name has no `%d` or `%04d` in it.
    pub fn of(path: &Path) -> Option<Pattern> {
        let name = path.file_name()?.to_str()?;
        let (before, rest) = name.split_once('%')?;
        let (digits, after) = rest.split_once('d')?;
        let digits = match digits {
            "" => 1,
            _ => digits.parse().ok().filter(|&digits| digits <= 20)?,
        };
        Some(Pattern {
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            before: before.to_owned(),
            digits,
            after: after.to_owned(),
        })
    }

    /// Six digits and `.png`, in a folder.
    pub fn in_folder(folder: &Path) -> Pattern {
        Pattern {
            folder: folder.to_owned(),
            before: String::new(),
            digits: 6,
            after: ".png".to_owned(),
        }
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of this number.
    pub fn path(&self, number: u64) -> PathBuf {
        let Pattern {
            before,
            after,
            digits,
            ..
        } = self;
        self.folder
            .join(format!("{before}{number:0digits$}{after}"))
    }

    fn number(&self, name: &str) -> Option<u64> {
        let digits = name.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        let plain = digits.len() >= self.digits && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok()).flatten()
    }
}

pub struct PicturesReader {
    /// The folder, pattern or picture.
    path: PathBuf,
    files: Vec<PathBuf>,
    decode: Decode,
    info: Info,
    next: u64,
    waits: Option<Waits>,
}

impl PicturesReader {
    /// Those of a folder or pattern.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self> {
        let mut files = find(path)?;
        while let (true, Some(waits)) = (files.is_empty(), &options.waits) {
            if !waits() {
                break;
            }
            std::thread::sleep(PATIENCE);
            files = find(path)?;
        }
        Self::of(path, files, options)
    }

    /// A picture that does not move.
    pub fn one(path: &Path, options: &ReadOptions) -> Result<Self> {
        let options = ReadOptions {
            waits: None,
            ..options.clone()
        };
        Self::of(path, vec![path.to_owned()], &options)
    }

    fn of(path: &Path, files: Vec<PathBuf>, options: &ReadOptions) -> Result<Self> {
        let Some(first) = files.first() else {
            return Err(Error::Empty {
                path: path.to_owned(),
            });
        };
        let decode = options.decode.clone().unwrap_or_else(|| Arc::new(read_png));
        let picture = decoded_soon(&decode, first, options.waits.as_ref())?;
        let times = (0..files.len() as i64).map(at).collect();
        let mut info = Info::of_size(picture.width, picture.height, "pictures")
            .with_times(options.picture_duration, times);
        if options.waits.is_some() {
            (info.frames, info.duration) = (None, None);
        }
        Ok(PicturesReader {
            path: path.to_owned(),
            files,
            decode,
            info,
            next: 0,
            waits: options.waits.clone(),
        })
    }

    /// Waits for one more picture; none comes any more if nobody waits.
    fn wait(&mut self, number: usize) -> Result<bool> {
        while self.files.len() <= number {
            let Some(true) = self.waits.as_ref().map(|waits| waits()) else {
                return Ok(false);
            };
            let known: HashSet<&PathBuf> = self.files.iter().collect();
            let found = find(&self.path)?.into_iter();
            let more: Vec<_> = found.filter(|file| !known.contains(file)).collect();
            if more.is_empty() {
                std::thread::sleep(PATIENCE);
            }
            self.files.extend(more);
        }
        Ok(true)
    }
}

/// When a picture is seen.
fn at(number: i64) -> Time {
    Time {
        start: number,
        duration: 1,
    }
}

/// The pictures of a folder or pattern, in their order.
fn find(path: &Path) -> Result<Vec<PathBuf>> {
    Ok(match Pattern::of(path).filter(|_| !path.is_dir()) {
        Some(pattern) => {
            let mut found: Vec<(u64, PathBuf)> = list(pattern.folder())?
                .into_iter()
                .filter_map(|file| Some((pattern.number(file.file_name()?.to_str()?)?, file)))
                .collect();
            found.sort();
            found.into_iter().map(|(_, file)| file).collect()
        }
        None => {
            let mut found: Vec<PathBuf> = list(path)?
                .into_iter()
                .filter(|file| is_picture(file))
                .collect();
            found.sort_by_cached_key(|file| natural(file));
            found
        }
    })
}

/// A picture that may just be being written, if pictures are waited for: it is decoded when it does not grow any more.
fn decoded_soon(decode: &Decode, path: &Path, waits: Option<&Waits>) -> Result<Picture> {
    let length = || std::fs::metadata(path).map_or(0, |file| file.len());
    let Some(waits) = waits else {
        return decoded(decode, path);
    };
    let mut before = length();
    loop {
        std::thread::sleep(WRITING);
        let now = length();
        if now == before || !waits() {
            let found = decoded(decode, path);
            if found.is_ok() || !waits() {
                return found;
            }
            std::thread::sleep(4 * WRITING);
            if length() == now {
                return decoded(decode, path);
            }
        }
        before = now;
    }
}

fn decoded(decode: &Decode, path: &Path) -> Result<Picture> {
    let refused = |what: String| Error::Picture {
        path: path.to_owned(),
        what,
    };
    let picture = guarded("decoder of pictures", || decode(path).map_err(refused))?;
    match picture.is_whole() {
        true => Ok(picture),
        false => Err(refused("it has fewer pixels than it says".to_owned())),
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let entries = std::fs::read_dir(folder).map_err(Error::read(folder))?;
    entries
        .map(|entry| entry.map(|entry| entry.path()).map_err(Error::read(folder)))
        .collect()
}

fn is_picture(file: &Path) -> bool {
    let ending = file.extension().and_then(|ending| ending.to_str());
    let hidden = file
        .file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with('.'));
    !hidden && ending.is_some_and(|ending| ENDINGS.contains(&ending.to_ascii_lowercase().as_str()))
}

/// Names in the order in which people count: 9 before 10.
fn natural(file: &Path) -> Vec<(String, u128)> {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut parts = vec![(String::new(), 0)];
    let mut digits = String::new();
    for letter in name.chars().chain(['\0']) {
        if letter.is_ascii_digit() && digits.len() < 38 {
            digits.push(letter);
            continue;
        }
        if let (Ok(number), Some(part)) = (digits.parse(), parts.last_mut()) {
            part.1 = number;
            parts.push((String::new(), 0));
        }
        digits.clear();
        if let Some(part) = parts.last_mut() {
            part.0.push(letter);
        }
    }
    // What is equal so far differs in zeros before numbers.
    parts.push((name.into_owned(), 0));
    parts
}

impl Reader for PicturesReader {
    fn info(&self) -> &Info {
        &self.info
    }

    fn next(&mut self) -> Result<Option<Frame>> {
        let number = self.next;
        if !self.wait(number as usize)? {
            return Ok(None);
        }
        let file = &self.files[number as usize];
        let picture = decoded_soon(&self.decode, file, self.waits.as_ref())?;
        self.next += 1;
        Ok(Some(Frame {
            number,
            time: at(number as i64),
            picture,
        }))
    }

    fn seek(&mut self, number: u64) -> Result<bool> {
        self.next = number;
        Ok(true)
    }
}

/// PNG without its colour profile, in 8 or 16 bits as it is.
fn read_png(path: &Path) -> Result<Picture, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let limits = Limits {
        bytes: super::MOST_PIXELS as usize * 8,
    };
    let mut decoder = png::Decoder::new_with_limits(BufReader::new(file), limits);
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(|error| error.to_string())?;
    let size = (reader.info().width, reader.info().height);
    let (width, height) =
        checked_size(path, size.0.into(), size.1.into()).map_err(|error| error.to_string())?;
    let bytes = reader.output_buffer_size().ok_or("it is too large")?;
    let mut buffer = vec![0; bytes];
    let output = reader
        .next_frame(&mut buffer)
        .map_err(|error| error.to_string())?;
    let (grey, channels) = match output.color_type {
        ColorType::Grayscale | ColorType::Indexed => (true, Channels::Rgb),
        ColorType::GrayscaleAlpha => (true, Channels::Rgba),
        ColorType::Rgb => (false, Channels::Rgb),
        ColorType::Rgba => (false, Channels::Rgba),
    };
    let samples = match output.bit_depth {
        BitDepth::Sixteen => {
            let pairs = buffer.chunks_exact(2);
            let samples = pairs
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            Samples::Sixteen(if grey {
                colored(samples, channels)
            } else {
                samples
            })
        }
        _ => Samples::Eight(if grey {
            colored(buffer, channels)
        } else {
            buffer
        }),
    };
    Ok(Picture {
        width,
        height,
        channels,
        samples,
    })
}

/// Grey, with or without opacity, in three channels.
fn colored<T: Copy>(samples: Vec<T>, channels: Channels) -> Vec<T> {
    let pixels = samples.chunks_exact(channels.count() - 2);
    pixels
        .flat_map(|pixel| [pixel[0]; 3].into_iter().chain(pixel[1..].iter().copied()))
        .collect()
}

/// Writes a picture as it is, marked as sRGB, to a temporary name that is changed when all of it is there.
pub fn write_png(path: &Path, picture: &Picture) -> Result<()> {
    let failed = |error: String| Error::write(path)(std::io::Error::other(error));
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let file = tempfile::NamedTempFile::new_in(folder).map_err(Error::write(path))?;
    let mut output = BufWriter::new(file);
    let mut encoder = png::Encoder::new(&mut output, picture.width as u32, picture.height as u32);
    encoder.set_color(match picture.channels {
        Channels::Rgb => ColorType::Rgb,
        Channels::Rgba => ColorType::Rgba,
    });
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    encoder.set_compression(png::Compression::Fast);
    let bytes = match &picture.samples {
        Samples::Eight(samples) => std::borrow::Cow::from(samples),
        Samples::Sixteen(samples) => {
            encoder.set_depth(BitDepth::Sixteen);
            samples
                .iter()
                .flat_map(|sample| sample.to_be_bytes())
                .collect::<Vec<_>>()
                .into()
        }
    };
    let mut writer = encoder
        .write_header()
        .map_err(|error| failed(error.to_string()))?;
    writer
        .write_image_data(&bytes)
        .map_err(|error| failed(error.to_string()))?;
    writer.finish().map_err(|error| failed(error.to_string()))?;
    let file = output
        .into_inner()
        .map_err(|error| failed(error.to_string()))?;
    let saved = file
        .persist(path)
        .map_err(|error| Error::write(path)(error.error));
    crate::sink::readable(&saved?).map_err(Error::write(path))
}
