//! From a [`Picture`] to the bytes of a file.
//!
//! Where the colour space and the settings of the run go:
//!
//! | format | sRGB | settings |
//! |---|---|---|
//! | PNG | `sRGB` chunk (with `gAMA` and `cHRM` for old readers) | `iTXt`, key `impasto` |
//! | JPEG | ICC profile in APP2 | comment (COM) |
//! | WebP | ICC profile | EXIF `ImageDescription` |
//! | TIFF | ICC profile, tag 34675 | `ImageDescription`, tag 270 |
//!
//! Settings are written in ASCII, other letters as `\u` escapes of JSON: these fields are older
//! than Unicode, and every reader agrees on ASCII.

use std::borrow::Cow;
use std::io::Cursor;
use std::path::Path;

use image::codecs::{jpeg::JpegEncoder, webp::WebPEncoder};
use image::{ExtendedColorType, ImageEncoder};
use rayon::prelude::*;
use tiff::encoder::colortype::{self, ColorType};
use tiff::encoder::compression::DeflateLevel;
use tiff::encoder::{Compression, Predictor, TiffEncoder, TiffValue};
use tiff::tags::{ExtraSamples, Tag};

use super::{Depth, Picture, PictureError, profile};

/// A format that pictures can be written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Lossless, 8 or 16 bits, alpha.
    Png,
    /// Lossy, 8 bits, no alpha.
    Jpeg,
    /// Lossless, 8 bits, alpha.
    WebP,
    /// Lossless, 8 or 16 bits, alpha.
    Tiff,
}

/// What the formats are called, the extensions that mean them, and the longest side they hold.
const FORMATS: [(Format, &str, &[&str], usize); 4] = [
    (Format::Png, "PNG", &["png"], i32::MAX as usize),
    (
        Format::Jpeg,
        "JPEG",
        &["jpg", "jpeg", "jpe", "jfif"],
        65_535,
    ),
    // The lossless bitstream has room for 16,384; libwebp reads one less.
    (Format::WebP, "WebP", &["webp"], 16_383),
    (Format::Tiff, "TIFF", &["tif", "tiff"], u32::MAX as usize),
];

impl Format {
    /// The format that the extension of a path says, in any case: `png`, `jpg` (`jpeg`, `jpe`,
    /// `jfif`), `webp`, `tif` (`tiff`).
    ///
    /// # Errors
    ///
    /// [`PictureError::Extension`], which lists what can be written.
    pub fn from_path(path: &Path) -> Result<Format, PictureError> {
        let extension = path
            .extension()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        FORMATS
            .iter()
            .find(|(_, _, extensions, _)| extensions.contains(&extension.as_str()))
            .map(|(format, ..)| *format)
            .ok_or_else(|| PictureError::Extension {
                path: path.into(),
                found: match extension.as_str() {
                    "" => "its name has no extension".into(),
                    other => format!("impasto does not write .{other}"),
                },
            })
    }

    /// Whether a picture of this size can be written.
    ///
    /// # Errors
    ///
    /// [`PictureError::TooLarge`].
    pub fn check_size(self, width: usize, height: usize) -> Result<(), PictureError> {
        match width.max(height) > self.max_side() {
            true => Err(PictureError::TooLarge {
                format: self.name(),
                width,
                height,
                limit: self.max_side(),
            }),
            false => Ok(()),
        }
    }

    fn name(self) -> &'static str {
        FORMATS[self as usize].1
    }

    fn max_side(self) -> usize {
        FORMATS[self as usize].3
    }
}

/// How a picture is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveOptions {
    /// JSON of the run that made the picture, put into the metadata.
    pub settings: Option<String>,
    /// Quality of a JPEG, 1 (worst) to 100 (best), 95 unless told otherwise; chroma is never
    /// subsampled. Other formats are lossless.
    pub quality: u8,
    /// Bits per sample in formats that offer both; the picture's own unless told otherwise.
    pub depth: Option<Depth>,
}

impl Default for SaveOptions {
    fn default() -> Self {
        SaveOptions {
            settings: None,
            quality: 95,
            depth: None,
        }
    }
}

pub(super) fn encode(
    picture: &Picture,
    format: Format,
    options: &SaveOptions,
) -> Result<Vec<u8>, PictureError> {
    let (width, height) = (picture.width(), picture.height());
    format.check_size(width, height)?;
    let job = Job {
        picture,
        // Below the limits of every format, so below u32::MAX.
        width: width as u32,
        height: height as u32,
        depth: options.depth.unwrap_or(picture.depth()),
        settings: options.settings.as_deref().map(ascii_json),
    };
    match format {
        Format::Png => job.png(),
        Format::Jpeg => job.jpeg(options.quality),
        Format::WebP => job.webp(),
        Format::Tiff => job.tiff(),
    }
    .map_err(|error| PictureError::Encode {
        format: format.name(),
        what: error.to_string(),
    })
}

/// Whatever an encoder says; the caller can do no more about one than about another.
type Encoded = Result<Vec<u8>, Box<dyn std::error::Error>>;

struct Job<'a> {
    picture: &'a Picture,
    width: u32,
    height: u32,
    depth: Depth,
    settings: Option<String>,
}

impl Job<'_> {
    fn png(self) -> Encoded {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width, self.height);
        encoder.set_color(match self.picture.alpha() {
            Some(_) => png::ColorType::Rgba,
            None => png::ColorType::Rgb,
        });
        encoder.set_depth(match self.depth {
            Depth::Eight => png::BitDepth::Eight,
            Depth::Sixteen => png::BitDepth::Sixteen,
        });
        // Higher levels take five times as long for at most 7 % on paintings and photographs.
        encoder.set_deflate_compression(png::DeflateCompression::Level(1));
        encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
        if let Some(settings) = self.settings {
            encoder.add_itxt_chunk("impasto".into(), settings)?;
        }
        let samples = match self.depth {
            Depth::Eight => interleaved(self.picture, eight),
            Depth::Sixteen => {
                interleaved(self.picture, |value| sixteen(value).to_be_bytes()).into_flattened()
            }
        };
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&samples)?;
        writer.finish()?;
        Ok(out)
    }

    fn jpeg(self, quality: u8) -> Encoded {
        let over_white = match self.picture.alpha() {
            Some(alpha) => Cow::Owned(over_white(self.picture, alpha)),
            None => Cow::Borrowed(self.picture),
        };
        let samples = interleaved(&over_white, eight);
        let mut out = Vec::new();
        let mut encoder = JpegEncoder::new_with_quality(&mut out, quality.clamp(1, 100));
        encoder.set_icc_profile(profile::srgb())?;
        encoder.write_image(&samples, self.width, self.height, ExtendedColorType::Rgb8)?;
        if let Some(settings) = self.settings {
            insert_comment(&mut out, &settings);
        }
        Ok(out)
    }

    fn webp(self) -> Encoded {
        let mut out = Vec::new();
        let mut encoder = WebPEncoder::new_lossless(&mut out);
        encoder.set_icc_profile(profile::srgb())?;
        if let Some(settings) = &self.settings {
            encoder.set_exif_metadata(exif_description(settings))?;
        }
        let color = match self.picture.alpha() {
            Some(_) => ExtendedColorType::Rgba8,
            None => ExtendedColorType::Rgb8,
        };
        let samples = interleaved(self.picture, eight);
        encoder.write_image(&samples, self.width, self.height, color)?;
        Ok(out)
    }

    fn tiff(self) -> Encoded {
        let (eight, sixteen) = (eight as fn(f32) -> u8, sixteen as fn(f32) -> u16);
        match (self.depth, self.picture.alpha().is_some()) {
            (Depth::Eight, false) => self.tiff_of::<colortype::RGB8>(eight),
            (Depth::Eight, true) => self.tiff_of::<colortype::RGBA8>(eight),
            (Depth::Sixteen, false) => self.tiff_of::<colortype::RGB16>(sixteen),
            (Depth::Sixteen, true) => self.tiff_of::<colortype::RGBA16>(sixteen),
        }
    }

    fn tiff_of<C: ColorType>(self, step: fn(f32) -> C::Inner) -> Encoded
    where
        C::Inner: Copy + Send,
        [C::Inner]: TiffValue,
    {
        let mut out = Cursor::new(Vec::new());
        let mut encoder = TiffEncoder::new(&mut out)?
            .with_compression(Compression::Deflate(DeflateLevel::Fast))
            .with_predictor(Predictor::Horizontal);
        let mut image = encoder.new_image::<C>(self.width, self.height)?;
        let tags = image.encoder();
        tags.write_tag(Tag::IccProfile, profile::srgb().as_slice())?;
        if let Some(settings) = &self.settings {
            tags.write_tag(Tag::ImageDescription, settings.as_str())?;
        }
        if self.picture.alpha().is_some() {
            let straight = [ExtraSamples::UnassociatedAlpha.to_u16()];
            tags.write_tag(Tag::ExtraSamples, straight.as_slice())?;
        }
        image.write_data(&interleaved(self.picture, step))?;
        Ok(out.into_inner())
    }
}

/// NaN passes the clamp, and becomes 0 where floats become integers.
fn eight(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

fn sixteen(value: f32) -> u16 {
    (value.clamp(0.0, 1.0) * 65535.0).round() as u16
}

/// Planes → `[h, w, c]`, with alpha last where there is one.
fn interleaved<T: Send + Copy>(picture: &Picture, step: impl Fn(f32) -> T + Sync) -> Vec<T> {
    let pixels = picture.width() * picture.height();
    let mut planes: Vec<&[f32]> = picture.rgb().chunks_exact(pixels).collect();
    planes.extend(picture.alpha());
    let mut out = vec![step(0.0); pixels * planes.len()];
    out.par_chunks_exact_mut(planes.len() * picture.width())
        .enumerate()
        .for_each(|(y, row)| {
            for (x, pixel) in row.chunks_exact_mut(planes.len()).enumerate() {
                for (sample, plane) in pixel.iter_mut().zip(&planes) {
                    *sample = step(plane[y * picture.width() + x]);
                }
            }
        });
    out
}

fn over_white(picture: &Picture, alpha: &[f32]) -> Picture {
    let mut rgb = picture.rgb.clone();
    for plane in rgb.chunks_exact_mut(alpha.len()) {
        for (value, &alpha) in plane.iter_mut().zip(alpha) {
            *value = 1.0 + (value.clamp(0.0, 1.0) - 1.0) * alpha.clamp(0.0, 1.0);
        }
    }
    Picture {
        rgb,
        alpha: None,
        ..*picture
    }
}

/// JSON with every other letter than ASCII's as a `\u` escape.
fn ascii_json(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for letter in json.chars() {
        match letter {
            // A NUL would end a field early; JSON has none outside its strings' escapes.
            '\0' => {}
            letter if letter.is_ascii() => ascii.push(letter),
            letter => {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    ascii.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
    ascii
}

/// Puts a comment after the start and the JFIF segment of a JPEG.
fn insert_comment(jpeg: &mut Vec<u8>, comment: &str) {
    let Ok(length) = u16::try_from(comment.len() + 2) else {
        log::warn!("the settings are too long for a JPEG comment, and are left out");
        return;
    };
    let mut segment = vec![0xff, 0xfe];
    segment.extend(length.to_be_bytes());
    segment.extend(comment.as_bytes());
    let after_jfif = 2 + 2 + usize::from(u16::from_be_bytes([jpeg[4], jpeg[5]]));
    jpeg.splice(after_jfif..after_jfif, segment);
}

/// EXIF with the one field `ImageDescription` (EXIF 2.32, 4.6.4): header, count, entry, end, text.
fn exif_description(text: &str) -> Vec<u8> {
    let mut text = text.as_bytes().to_vec();
    text.push(0);
    let at_least_a_pointer = text.len().max(5);
    text.resize(at_least_a_pointer, 0);
    let mut exif = b"II*\0\x08\0\0\0\x01\0\x0e\x01\x02\0".to_vec();
    exif.extend((text.len() as u32).to_le_bytes());
    exif.extend(26u32.to_le_bytes());
    exif.extend([0; 4]);
    exif.extend(text);
    exif
}
