//! From a [`Picture`] to the bytes of a file, and to the file.

use std::io::Cursor;
use std::path::Path;

use image::{ExtendedColorType, ImageEncoder};

use super::{Depth, Picture, PictureError, save};

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

impl Format {
    /// The format that the extension of a path says: `png`, `jpg`, `jpeg`, `webp`, `tif`, `tiff`
    /// in any case.
    ///
    /// # Errors
    ///
    /// [`PictureError::Extension`], which lists what can be written.
    pub fn from_path(path: &Path) -> Result<Format, PictureError> {
        let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
        match extension.as_deref() {
            Some("png") => Ok(Format::Png),
            Some("jpg" | "jpeg") => Ok(Format::Jpeg),
            Some("webp") => Ok(Format::WebP),
            Some("tif" | "tiff") => Ok(Format::Tiff),
            other => Err(PictureError::Extension {
                path: path.into(),
                found: match other {
                    Some(other) => format!("impasto does not write .{other}"),
                    None => "the name has no extension".into(),
                },
            }),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Format::Png => "PNG",
            Format::Jpeg => "JPEG",
            Format::WebP => "WebP",
            Format::Tiff => "TIFF",
        }
    }
}

/// How a picture is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SaveOptions {
    /// JSON of the run that made the picture, put into the metadata.
    pub settings: Option<String>,
    /// Quality of a JPEG, 1 (worst) to 100 (best), 95 unless told otherwise; without chroma
    /// subsampling. Other formats are lossless.
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
    let (width, height) = (picture.width() as u32, picture.height() as u32);
    let step = |value: f32| (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    let pixels = picture.width() * picture.height();
    let alpha = picture.alpha().filter(|_| format != Format::Jpeg);
    let mut bytes = Vec::with_capacity(pixels * 4);
    for i in 0..pixels {
        for c in 0..3 {
            bytes.push(step(picture.rgb()[c * pixels + i]));
        }
        if let Some(alpha) = alpha {
            bytes.push(step(alpha[i]));
        }
    }
    let color = if alpha.is_some() {
        ExtendedColorType::Rgba8
    } else {
        ExtendedColorType::Rgb8
    };
    let mut out = Cursor::new(Vec::new());
    match format {
        Format::Png => {
            image::codecs::png::PngEncoder::new(&mut out).write_image(&bytes, width, height, color)
        }
        Format::Jpeg => image::codecs::jpeg::JpegEncoder::new_with_quality(
            &mut out,
            options.quality.clamp(1, 100),
        )
        .write_image(&bytes, width, height, color),
        Format::WebP => image::codecs::webp::WebPEncoder::new_lossless(&mut out)
            .write_image(&bytes, width, height, color),
        Format::Tiff => image::codecs::tiff::TiffEncoder::new(&mut out)
            .write_image(&bytes, width, height, color),
    }
    .map_err(|error| PictureError::Encode {
        format: format.name(),
        what: error.to_string(),
    })?;
    Ok(out.into_inner())
}

pub(super) fn save(
    picture: &Picture,
    path: &Path,
    options: &SaveOptions,
) -> Result<(), PictureError> {
    let format = Format::from_path(path)?;
    let bytes = encode(picture, format, options)?;
    save::write_whole(path, &bytes).map_err(|source| PictureError::Write {
        path: path.into(),
        source,
    })
}
