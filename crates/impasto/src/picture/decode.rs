//! From the bytes of a file to a [`Picture`].
//!
//! The way: tell the format by content → check the declared size → decode to [`Raw`] samples →
//! [`develop`]: colours to sRGB, planes of `f32`, upright. JPEG and TIFF have readers of their own
//! here because inks must reach the colour management as inks, PNG because its chunks say more of
//! colours than `image` passes on; the others go through `image`.
//!
//! Whether a picture is whole is asked of its pixels, not of the end of its file. Where a file is
//! read and something about it is worth knowing, it is logged as a warning with the file's name.

mod bmp;
mod exif;
mod jpeg;
#[cfg(feature = "jxl")]
mod jxl;
mod png;
mod sniff;
mod tiff;
mod webp;

use std::error::Error;
use std::fs::File;
use std::io::{Cursor, ErrorKind, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use image::codecs::{gif::GifDecoder, pnm::PnmDecoder, qoi::QoiDecoder};
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageResult};
use rayon::prelude::*;

pub(super) use self::sniff::Kind;
use super::profile::{Calibration, Converter, Model, Profile};
use super::{Depth, Picture, PictureError, orient};

/// The format of a file, if it is one that is read.
pub(super) fn sniff(bytes: &[u8]) -> Option<Kind> {
    sniff::kind(bytes).ok()
}

/// How large a picture may be. What is beyond is refused before its pixels are allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Columns times rows; 400 million unless told otherwise (4.8 GB as planes of `f32`).
    pub max_pixels: u64,
    /// Columns, and rows; 65,535 unless told otherwise, the most that a JPEG can have.
    pub max_side: u32,
    /// Bytes of the file; 2 GiB unless told otherwise.
    pub max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            max_pixels: 400_000_000,
            max_side: 65_535,
            max_bytes: 2 << 30,
        }
    }
}

/// What a format's reader gives: samples as they are in the file, interleaved, `[h, w, c]`.
struct Raw {
    width: usize,
    height: usize,
    samples: Samples,
    model: Model,
    alpha: Option<Alpha>,
    profile: Option<Profile>,
    orientation: Orientation,
}

/// Inks are counted from 0 (none) upwards.
enum Samples {
    Eight(Vec<u8>),
    Sixteen(Vec<u16>),
    Float(Vec<f32>),
}

/// What the sample after the colours says.
#[derive(Clone, Copy, PartialEq)]
enum Alpha {
    /// Opacity; colours are as they are seen where opaque.
    Straight,
    /// Opacity, and colours are multiplied by it.
    Multiplied,
    /// Nothing: the sample is skipped.
    Ignored,
}

/// Where a reader is: the name for messages, the format, what is allowed.
#[derive(Clone, Copy)]
struct Source<'a> {
    name: &'a str,
    format: &'static str,
    limits: &'a Limits,
}

impl Source<'_> {
    fn damaged(&self, what: impl ToString) -> PictureError {
        PictureError::Damaged {
            name: self.name.into(),
            format: self.format,
            what: one_line(what),
        }
    }

    fn unsupported(&self, what: impl ToString) -> PictureError {
        let what = one_line(what);
        PictureError::Unsupported {
            name: self.name.into(),
            format: self.format,
            what,
        }
    }

    fn image_error(&self, error: ImageError) -> PictureError {
        match &error {
            ImageError::Unsupported(what) => self.unsupported(what),
            // The outer message only says the format again.
            _ => self.damaged(
                error
                    .source()
                    .map_or(error.to_string(), ToString::to_string),
            ),
        }
    }

    /// Refuses a declared size that is beyond the limits or the memory.
    fn check_size(&self, width: u64, height: u64) -> Result<(), PictureError> {
        if width == 0 || height == 0 {
            return Err(self.damaged(format!("it says {width}×{height} pixels")));
        }
        let refused = |what, limit, value, allowed| {
            let what = format!("{what} of its {width}×{height} pixels");
            Err(PictureError::Limit {
                name: self.name.into(),
                what,
                limit,
                value,
                allowed,
            })
        };
        let longer = width.max(height);
        if longer > u64::from(self.limits.max_side) {
            return refused(
                "the longer side",
                "max_side",
                longer,
                self.limits.max_side.into(),
            );
        }
        let pixels = width.saturating_mul(height);
        if pixels > self.limits.max_pixels {
            return refused("the number", "max_pixels", pixels, self.limits.max_pixels);
        }
        // Four planes of f32 and as much again for what the file holds.
        let bytes = pixels.saturating_mul(32);
        let granted = usize::try_from(bytes)
            .is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok());
        if !granted {
            return Err(PictureError::Memory {
                name: self.name.into(),
                bytes,
            });
        }
        Ok(())
    }
}

/// Messages of decoders may have several lines; ours have one.
fn one_line(what: impl ToString) -> String {
    what.to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

pub(super) fn open(path: &Path, limits: &Limits) -> Result<Picture, PictureError> {
    let name = path.display().to_string();
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => PictureError::Missing { path: path.into() },
        _ if path.is_dir() => PictureError::Folder { path: path.into() },
        _ => PictureError::Read {
            path: path.into(),
            source,
        },
    };
    let file = File::open(path).map_err(failed)?;
    check_bytes(file.metadata().map_err(failed)?.len(), &name, limits)?;
    let mut bytes = Vec::new();
    // A pipe or a device has no length in advance.
    file.take(limits.max_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    decode(&bytes, &name, limits)
}

fn check_bytes(value: u64, name: &str, limits: &Limits) -> Result<(), PictureError> {
    if value <= limits.max_bytes {
        return Ok(());
    }
    Err(PictureError::Limit {
        name: name.into(),
        what: "the number of bytes in the file".into(),
        limit: "max_bytes",
        value,
        allowed: limits.max_bytes,
    })
}

pub(super) fn decode(bytes: &[u8], name: &str, limits: &Limits) -> Result<Picture, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty { name: name.into() });
    }
    check_bytes(bytes.len() as u64, name, limits)?;
    let kind = sniff::kind(bytes).map_err(|(found, way_out)| PictureError::Unknown {
        name: name.into(),
        found,
        way_out,
    })?;
    let source = Source {
        name,
        format: kind.name(),
        limits,
    };
    // The decoders are other people's code on hostile bytes; where one of them trips over its own
    // assertion, the file is damaged and the program goes on.
    catch_unwind(AssertUnwindSafe(|| {
        develop(read(bytes, kind, &source)?, &source)
    }))
    .unwrap_or_else(|_| Err(source.damaged("the decoder gave up")))
}

fn read(bytes: &[u8], kind: Kind, source: &Source) -> Result<Raw, PictureError> {
    let cursor = Cursor::new(bytes);
    match kind {
        Kind::Jpeg => jpeg::read(bytes, source),
        Kind::Tiff => tiff::read(bytes, source),
        Kind::Png => png::read(bytes, source),
        Kind::WebP => webp::read(bytes, source),
        Kind::Bmp => bmp::read(bytes, source),
        Kind::Gif => {
            let decoder = GifDecoder::new(cursor).and_then(|mut decoder| {
                let (width, height) = decoder.dimensions();
                let canvas = 4 * u64::from(width) * u64::from(height);
                let mut limits = image::Limits::no_limits();
                // A frame may declare any size, whatever that of the picture is.
                limits.max_alloc = Some((3 * canvas).max(64 << 20));
                decoder.set_limits(limits)?;
                Ok(decoder)
            });
            through_image(decoder, source)
        }
        Kind::Pnm => through_image(PnmDecoder::new(cursor), source),
        #[cfg(feature = "jxl")]
        Kind::JpegXl => jxl::read(bytes, source),
        Kind::Qoi => {
            let mut raw = through_image(QoiDecoder::new(cursor), source)?;
            // The last byte of the header says whether samples are those of light.
            raw.profile = (bytes.get(13) == Some(&1)).then_some(Profile::Calibrated(LINEAR));
            Ok(raw)
        }
    }
}

/// Samples that are proportional to light, with the primaries of sRGB.
const LINEAR: Calibration = Calibration {
    gamma: Some(1.0),
    chromaticities: None,
};

fn through_image(
    decoder: ImageResult<impl ImageDecoder>,
    source: &Source,
) -> Result<Raw, PictureError> {
    let mut decoder = decoder.map_err(|error| source.image_error(error))?;
    let (width, height) = decoder.dimensions();
    source.check_size(width.into(), height.into())?;
    // Metadata that cannot be read is no reason to refuse the picture.
    let icc = decoder.icc_profile().unwrap_or_default();
    let exif = decoder.exif_metadata().unwrap_or_default();
    let image = DynamicImage::from_decoder(decoder).map_err(|error| source.image_error(error))?;
    let color = image.color();
    let samples = match image {
        DynamicImage::ImageLuma8(image) => Samples::Eight(image.into_raw()),
        DynamicImage::ImageLumaA8(image) => Samples::Eight(image.into_raw()),
        DynamicImage::ImageRgb8(image) => Samples::Eight(image.into_raw()),
        DynamicImage::ImageRgba8(image) => Samples::Eight(image.into_raw()),
        DynamicImage::ImageLuma16(image) => Samples::Sixteen(image.into_raw()),
        DynamicImage::ImageLumaA16(image) => Samples::Sixteen(image.into_raw()),
        DynamicImage::ImageRgb16(image) => Samples::Sixteen(image.into_raw()),
        DynamicImage::ImageRgba16(image) => Samples::Sixteen(image.into_raw()),
        _ => return Err(source.unsupported(format!("{color:?} samples"))),
    };
    Ok(Raw {
        width: width as usize,
        height: height as usize,
        samples,
        model: if color.has_color() {
            Model::Rgb
        } else {
            Model::Grey
        },
        alpha: color.has_alpha().then_some(Alpha::Straight),
        profile: icc.map(Profile::Icc),
        orientation: exif.map_or(Orientation::NoTransforms, |exif| exif::orientation(&exif)),
    })
}

/// Samples → sRGB, planar, upright.
fn develop(raw: Raw, source: &Source) -> Result<Picture, PictureError> {
    let (width, height) = (raw.width, raw.height);
    let colours = raw.model.channels();
    let channels = colours + usize::from(raw.alpha.is_some());
    if raw.samples.len() != width * height * channels {
        return Err(source.damaged("there are more or fewer pixels than it says"));
    }
    let converter = raw
        .profile
        .as_ref()
        .and_then(|profile| Converter::new(profile, raw.model, source.name));
    let mut rgb = vec![0.0; 3 * width * height];
    let (red, rest) = rgb.split_at_mut(width * height);
    let (green, blue) = rest.split_at_mut(width * height);
    let planes = red
        .par_chunks_exact_mut(width)
        .zip(green.par_chunks_exact_mut(width))
        .zip(blue.par_chunks_exact_mut(width));
    planes
        .enumerate()
        .for_each_init(Scratch::default, |scratch, (y, ((red, green), blue))| {
            let scratch_row = &mut scratch.row;
            raw.samples.row(y, width * channels, scratch_row);
            take_colours(scratch_row, colours, raw.alpha);
            match &converter {
                Some(converter) => {
                    converter.row(scratch_row, &mut scratch.steps, [red, green, blue])
                }
                None => raw.model.row(scratch_row, [red, green, blue]),
            }
        });
    let depth = match raw.samples {
        Samples::Eight(_) => Depth::Eight,
        Samples::Sixteen(_) | Samples::Float(_) => Depth::Sixteen,
    };
    let mut alpha = match raw.alpha {
        Some(Alpha::Straight | Alpha::Multiplied) => raw.samples.last_plane(channels),
        Some(Alpha::Ignored) | None => Vec::new(),
    };
    if !alpha.is_empty() && alpha.par_iter().all(|&alpha| alpha <= 0.0) {
        log::warn!(
            "{}: it is transparent throughout, so nothing of it is to be seen",
            source.name
        );
    }
    drop(raw.samples);
    let (upright_width, upright_height) = orient::size(width, height, raw.orientation);
    rgb = orient::planes(rgb, width, height, raw.orientation);
    let picture = Picture::new(upright_width, upright_height, rgb)?.with_depth(depth);
    if alpha.par_iter().all(|&alpha| alpha >= 1.0) {
        return Ok(picture);
    }
    alpha = orient::planes(alpha, width, height, raw.orientation);
    picture.with_alpha(alpha)
}

/// Buffers for one row, kept from row to row.
#[derive(Default)]
struct Scratch {
    row: Vec<f32>,
    steps: [Vec<u16>; 2],
}

impl Samples {
    fn len(&self) -> usize {
        match self {
            Samples::Eight(samples) => samples.len(),
            Samples::Sixteen(samples) => samples.len(),
            Samples::Float(samples) => samples.len(),
        }
    }

    /// Row `y` of `length` samples as 0..1.
    fn row(&self, y: usize, length: usize, row: &mut Vec<f32>) {
        row.clear();
        let range = y * length..(y + 1) * length;
        match self {
            Samples::Eight(samples) => row.extend(samples[range].iter().map(eight)),
            Samples::Sixteen(samples) => row.extend(samples[range].iter().map(sixteen)),
            Samples::Float(samples) => row.extend(samples[range].iter().map(float)),
        }
    }

    /// The last of `channels` interleaved samples as 0..1.
    fn last_plane(&self, channels: usize) -> Vec<f32> {
        let last = channels - 1;
        match self {
            Samples::Eight(s) => s
                .par_chunks_exact(channels)
                .map(|s| eight(&s[last]))
                .collect(),
            Samples::Sixteen(s) => s
                .par_chunks_exact(channels)
                .map(|s| sixteen(&s[last]))
                .collect(),
            Samples::Float(s) => s
                .par_chunks_exact(channels)
                .map(|s| float(&s[last]))
                .collect(),
        }
    }
}

fn eight(sample: &u8) -> f32 {
    f32::from(*sample) / 255.0
}

fn sixteen(sample: &u16) -> f32 {
    f32::from(*sample) / 65535.0
}

fn float(sample: &f32) -> f32 {
    if sample.is_nan() {
        0.0
    } else {
        sample.clamp(0.0, 1.0)
    }
}

/// Leaves the `colours` of each pixel in `row`, not multiplied by alpha.
fn take_colours(row: &mut Vec<f32>, colours: usize, alpha: Option<Alpha>) {
    let Some(alpha) = alpha else { return };
    let pixels = row.len() / (colours + 1);
    for x in 0..pixels {
        let opacity = row[x * (colours + 1) + colours];
        for c in 0..colours {
            let value = row[x * (colours + 1) + c];
            row[x * colours + c] = match alpha {
                Alpha::Multiplied if opacity > 0.0 => (value / opacity).min(1.0),
                _ => value,
            };
        }
    }
    row.truncate(pixels * colours);
}
