//! From the bytes of a file to a [`Picture`].

use std::io::{Cursor, ErrorKind};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader};

use super::{Depth, Picture, PictureError};

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

pub(super) fn open(path: &Path, limits: &Limits) -> Result<Picture, PictureError> {
    let failed = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => PictureError::Missing { path: path.into() },
        _ if path.is_dir() => PictureError::Folder { path: path.into() },
        _ => PictureError::Read {
            path: path.into(),
            source,
        },
    };
    let bytes = std::fs::read(path).map_err(failed)?;
    decode(&bytes, &path.display().to_string(), limits)
}

pub(super) fn decode(bytes: &[u8], name: &str, _limits: &Limits) -> Result<Picture, PictureError> {
    if bytes.is_empty() {
        return Err(PictureError::Empty { name: name.into() });
    }
    let unknown = || PictureError::Unknown {
        name: name.into(),
        found: "other data",
    };
    let reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|_| unknown())?;
    let format = match reader.format().ok_or_else(unknown)? {
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::Png => "PNG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Tiff => "TIFF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Gif => "GIF",
        _ => return Err(unknown()),
    };
    let damaged = |error: ImageError| PictureError::Damaged {
        name: name.into(),
        format,
        what: error.to_string(),
    };
    let mut decoder = reader.into_decoder().map_err(damaged)?;
    let orientation = decoder.orientation().map_err(damaged)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(damaged)?;
    image.apply_orientation(orientation);
    let (width, height) = (image.width() as usize, image.height() as usize);
    let depth = match image.color() {
        image::ColorType::L8 | image::ColorType::La8 => Depth::Eight,
        image::ColorType::Rgb8 | image::ColorType::Rgba8 => Depth::Eight,
        _ => Depth::Sixteen,
    };
    let pixels = image.to_rgba32f().into_raw();
    let plane = |c: usize| pixels.iter().skip(c).step_by(4).copied();
    let alpha: Vec<f32> = plane(3).collect();
    let rgb = (0..3).flat_map(plane).collect();
    let picture = Picture::new(width, height, rgb)?.with_depth(depth);
    if alpha.iter().all(|&a| a >= 1.0) {
        Ok(picture)
    } else {
        picture.with_alpha(alpha)
    }
}
