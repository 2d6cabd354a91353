//! Pictures on the host: read, colour-managed, resized, written.
//!
//! A [`Picture`] is what the rest of the library works with: planar `f32`, sRGB-coded, upright,
//! three colour planes and perhaps alpha, whatever the file was. [`Picture::open`] decodes by
//! content, applies the EXIF orientation and converts what the file says of its colours (an ICC
//! profile, or PNG's `cICP`, `gAMA` and `cHRM`) to sRGB;
//! [`Picture::save`] writes PNG, JPEG, WebP or TIFF with an sRGB profile and the settings of the
//! run in the metadata.
//!
//! What it refuses: pictures above the [`Limits`] (before any pixel is allocated), files that lack
//! pixels (never half a picture; an end marker alone may be missing), pictures of high dynamic
//! range, names that do not say a format it can write. It keeps no
//! metadata of the pictures it reads: an output is a new picture, and a photograph's place and
//! camera are nobody's business.

pub mod colors;
mod decode;
mod encode;
mod error;
mod fill;
mod guided;
mod means;
mod orient;
mod profile;
mod resize;
mod save;
mod settings;

use impasto_compute::{Size, Window};
use std::path::Path;

pub use decode::Limits;
pub use encode::{Format, SaveOptions};
pub use error::PictureError;
pub(crate) use means::means;
pub use resize::{Filter, fit_long_side, resize_planes};
pub(crate) use save::{destination, flush_folder, folder_of};
pub use save::{is_temporary, write_whole};
pub use settings::settings_of;

/// Bits per sample of the file a picture came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Depth {
    /// Up to 8 bits per sample.
    #[default]
    Eight,
    /// More than 8 bits per sample.
    Sixteen,
}

/// A decoded picture on the host: planar `f32`, sRGB-coded, 0..1.
///
/// Colours are not premultiplied by alpha.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    width: usize,
    height: usize,
    rgb: Vec<f32>,
    alpha: Option<Vec<f32>>,
    depth: Depth,
}

/// The part of a plane whose rows have so many columns; of what lies beyond it nothing.
pub(crate) fn part(plane: &[f32], width: usize, window: &Window) -> Vec<f32> {
    let rows = plane.chunks_exact(width.max(1)).skip(window.top);
    let rows = rows.take(window.height);
    let columns = window.left.min(width)..(window.left + window.width).min(width);
    rows.flat_map(|row| &row[columns.clone()])
        .copied()
        .collect()
}

impl Picture {
    /// Columns and rows.
    pub fn size(&self) -> Size {
        Size {
            width: self.width,
            height: self.height,
        }
    }

    /// A picture of 8 bits without alpha from planes `[3, height, width]` (red, green, blue),
    /// sRGB-coded 0..1. Values outside that range are kept, and clamped when written.
    ///
    /// # Errors
    ///
    /// [`PictureError::Shape`] if a side is zero or `rgb` has another length.
    pub fn new(width: usize, height: usize, rgb: Vec<f32>) -> Result<Picture, PictureError> {
        check_shape("red, green and blue", width, height, 3, &rgb)?;
        Ok(Picture {
            width,
            height,
            rgb,
            alpha: None,
            depth: Depth::Eight,
        })
    }

    /// The same picture with an alpha plane `[height, width]`, 0 (clear) to 1 (opaque).
    ///
    /// # Errors
    ///
    /// [`PictureError::Shape`] if `alpha` has another length.
    pub fn with_alpha(self, alpha: Vec<f32>) -> Result<Picture, PictureError> {
        check_shape("alpha", self.width, self.height, 1, &alpha)?;
        Ok(Picture {
            alpha: Some(alpha),
            ..self
        })
    }

    /// The same picture, to be written with this depth unless [`SaveOptions::depth`] says
    /// otherwise.
    pub fn with_depth(self, depth: Depth) -> Picture {
        Picture { depth, ..self }
    }

    /// Columns, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Planes `[3, height, width]`: red, green, blue, sRGB-coded 0..1.
    pub fn rgb(&self) -> &[f32] {
        &self.rgb
    }

    /// Those planes, to be changed.
    pub(crate) fn rgb_mut(&mut self) -> &mut [f32] {
        &mut self.rgb
    }

    /// Plane `[height, width]`, 0 (clear) to 1 (opaque), if the picture is not opaque throughout.
    pub fn alpha(&self) -> Option<&[f32]> {
        self.alpha.as_deref()
    }

    /// The alpha plane resampled to `[height, width]` (a zero is taken as 1), 0 to 1: that of
    /// [`Picture::resized`], as weights of what is to be seen. None if the picture is opaque.
    pub fn alpha_resized(&self, width: usize, height: usize, filter: Filter) -> Option<Vec<f32>> {
        let (from, to) = ((self.height, self.width), (height.max(1), width.max(1)));
        let mut alpha = resize_planes(self.alpha.as_deref()?, 1, from, to, filter);
        clamp(&mut alpha);
        Some(alpha)
    }

    /// A part of it, with the opacity and depth that it has.
    ///
    /// # Errors
    /// [`PictureError`] if the part has no pixels, or reaches beyond the picture.
    pub fn cropped(&self, window: &Window) -> Result<Picture, PictureError> {
        let planes = self.rgb.chunks_exact((self.width * self.height).max(1));
        let planes = planes.flat_map(|plane| part(plane, self.width, window));
        let cropped = Picture::new(window.width, window.height, planes.collect())?;
        let cropped = cropped.with_depth(self.depth);
        match &self.alpha {
            Some(alpha) => cropped.with_alpha(part(alpha, self.width, window)),
            None => Ok(cropped),
        }
    }

    /// The same picture with its opacity times a mask's shares, so that nothing is to be seen where the mask is black.
    pub fn masked(&self, mask: &crate::Mask) -> Picture {
        let mut alpha = mask.stretched(Size {
            width: self.width,
            height: self.height,
        });
        if let Some(own) = &self.alpha {
            alpha
                .iter_mut()
                .zip(own)
                .for_each(|(alpha, own)| *alpha *= own);
        }
        Picture {
            alpha: alpha.iter().any(|&alpha| alpha < 1.0).then_some(alpha),
            ..self.clone()
        }
    }

    /// Whether every pixel is fully transparent, so that nothing of the picture is to be seen.
    pub fn is_clear(&self) -> bool {
        let alpha = self.alpha.as_deref();
        alpha.is_some_and(|alpha| alpha.iter().all(|&alpha| alpha <= 0.0))
    }

    /// Whether some of it is transparent, at least a little, and some is to be seen.
    pub(crate) fn is_partly_hidden(&self) -> bool {
        let alpha = self.alpha.as_deref();
        alpha.is_some_and(|alpha| alpha.iter().any(|&alpha| alpha < 1.0)) && !self.is_clear()
    }

    /// The picture without alpha: what is hidden has the colours around it, smoothly continued.
    pub(crate) fn filled(&self) -> Picture {
        let size = (self.width, self.height);
        let rgb = match &self.alpha {
            Some(alpha) => fill::filled(&self.rgb, alpha, size),
            None => self.rgb.clone(),
        };
        Picture {
            rgb,
            alpha: None,
            ..*self
        }
    }

    /// The least rectangle with everything that is at least half opaque, or, if nothing is, with all that is not clear; what
    /// is hidden in it has the colours around it. A picture that is opaque or clear throughout is left as it is.
    pub(crate) fn visible(&self) -> Picture {
        let alpha = self.alpha.as_deref().unwrap_or_default();
        let bounds = |least| fill::bounds(alpha, self.width, least);
        let seen = bounds(0.5).or_else(|| bounds(f32::MIN_POSITIVE));
        let Some([left, top, right, bottom]) = seen else {
            return self.clone();
        };
        let rows = |plane: &[f32]| -> Vec<f32> {
            let rows = plane.chunks_exact(self.width);
            let rows = rows
                .enumerate()
                .filter(|(y, _)| (top..bottom).contains(&(y % self.height)));
            rows.flat_map(|(_, row)| row[left..right].iter().copied())
                .collect()
        };
        let seen = Picture {
            width: right - left,
            height: bottom - top,
            rgb: rows(&self.rgb),
            alpha: Some(rows(alpha)),
            depth: self.depth,
        };
        seen.filled()
    }

    /// Depth of the file the picture came from.
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// Reads a picture with [`Limits::default`]; see [`Picture::decode`].
    ///
    /// # Errors
    ///
    /// Those of [`Picture::decode`], and [`PictureError::Missing`], [`PictureError::Folder`] or
    /// [`PictureError::Read`] for a file that cannot be read.
    pub fn open(path: &Path) -> Result<Picture, PictureError> {
        decode::open(path, &Limits::default())
    }

    /// Decodes the bytes of a JPEG, PNG, WebP, TIFF, BMP, GIF, PNM or QOI file, or a JPEG XL file with the feature `jxl`, told
    /// apart by content.
    ///
    /// `name` is used in messages only. Of an animation the first frame is taken, grey becomes
    /// three equal planes, an alpha channel that is opaque throughout is dropped.
    ///
    /// # Errors
    ///
    /// Content that is empty, unknown, unsupported, damaged, or beyond `limits`.
    pub fn decode(bytes: &[u8], name: &str, limits: &Limits) -> Result<Picture, PictureError> {
        decode::decode(bytes, name, limits)
    }

    /// The picture resampled to `width`×`height` (a zero is taken as 1), clamped to 0..1.
    ///
    /// With alpha, colours are weighted by it, so that what is hidden does not bleed into what is
    /// seen: `rgb' = R(rgb · α) / R(α)`, `α' = R(α)`, with `R` from [`resize_planes`].
    pub fn resized(&self, width: usize, height: usize, filter: Filter) -> Picture {
        let (from, to) = ((self.height, self.width), (height.max(1), width.max(1)));
        let (mut rgb, alpha) = match &self.alpha {
            None if from == to => (self.rgb.clone(), None),
            None => (resize_planes(&self.rgb, 3, from, to, filter), None),
            Some(alpha) => {
                let mut rgb = self.rgb.clone();
                multiply(&mut rgb, alpha);
                let mut rgb = resize_planes(&rgb, 3, from, to, filter);
                let alpha = self.alpha_resized(width, height, filter);
                divide(&mut rgb, alpha.as_deref().unwrap_or_default());
                (rgb, alpha)
            }
        };
        clamp(&mut rgb);
        Picture {
            width: to.1,
            height: to.0,
            rgb,
            alpha,
            depth: self.depth,
        }
    }

    /// Writes the picture in the format that the extension of `path` says.
    ///
    /// The file appears complete or not at all: it is written under a temporary name in the same
    /// folder, flushed to the disk and renamed over `path`.
    ///
    /// # Errors
    ///
    /// [`PictureError::Extension`] for a name without a format, [`PictureError::Write`] if the
    /// system refuses, and the errors of [`Picture::encode`].
    pub fn save(&self, path: &Path, options: &SaveOptions) -> Result<(), PictureError> {
        let bytes = self.encode(Format::from_path(path)?, options)?;
        write_whole(path, &bytes).map_err(|source| PictureError::Write {
            path: path.into(),
            source,
        })
    }

    /// The bytes of a file in `format`.
    ///
    /// Samples are clamped to 0..1, rounded to the nearest step and not dithered; NaN becomes 0.
    /// JPEG has no alpha: the picture is laid over white, mixed in sRGB-coded values as browsers
    /// do. WebP is written lossless, 8 bits.
    ///
    /// # Errors
    ///
    /// [`PictureError::TooLarge`] if the format cannot hold this size, [`PictureError::Encode`]
    /// if the encoder fails.
    pub fn encode(&self, format: Format, options: &SaveOptions) -> Result<Vec<u8>, PictureError> {
        encode::encode(self, format, options)
    }
}

fn check_shape(
    what: &'static str,
    width: usize,
    height: usize,
    planes: usize,
    values: &[f32],
) -> Result<(), PictureError> {
    let expected = width.saturating_mul(height).saturating_mul(planes).max(1);
    if values.len() != expected {
        return Err(PictureError::Shape {
            what,
            width,
            height,
            expected,
            got: values.len(),
        });
    }
    Ok(())
}

fn multiply(rgb: &mut [f32], alpha: &[f32]) {
    for plane in rgb.chunks_exact_mut(alpha.len()) {
        plane
            .iter_mut()
            .zip(alpha)
            .for_each(|(value, alpha)| *value *= alpha);
    }
}

fn divide(rgb: &mut [f32], alpha: &[f32]) {
    for plane in rgb.chunks_exact_mut(alpha.len()) {
        for (value, &alpha) in plane.iter_mut().zip(alpha) {
            *value = if alpha > 0.0 { *value / alpha } else { 0.0 };
        }
    }
}

fn clamp(values: &mut [f32]) {
    values
        .iter_mut()
        .for_each(|value| *value = value.clamp(0.0, 1.0));
}
