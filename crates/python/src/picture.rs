//! Pictures, and what may stand for one.

use crate::error::{Class, of_error, raise};
use crate::process;
use impasto::job::Source;
use impasto::picture::{Depth, Filter, Format, SaveOptions, settings_of, write_whole};
use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes};
use std::path::PathBuf;
use std::sync::Arc;

/// A picture: planar f32, sRGB-coded 0..1, with a name.
#[pyclass(frozen, module = "impasto._impasto")]
pub struct Picture {
    pub name: String,
    pub picture: Arc<impasto::Picture>,
    /// What it was read from.
    source: Option<Source>,
}

/// What stands for a picture: one of ours, the bytes of a file, or a path; `@name` is built in.
pub struct Picked(pub Source);

impl<'py> FromPyObject<'_, 'py> for Picked {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(picture) = object.cast::<Picture>() {
            return Ok(Self(picture.get().as_source()));
        }
        if let Ok(bytes) = object.cast::<PyBytes>() {
            return Ok(Self(Source::Bytes {
                name: "bytes".into(),
                bytes: bytes.as_bytes().into(),
            }));
        }
        let path: PathBuf = object.extract()?;
        Ok(Self(Source::new(path.as_os_str())))
    }
}

/// Bytes that a pixel takes while a picture is resampled: four channels of f32, in the result and before its second direction.
const PIXEL_BYTES: u64 = 2 * 16;

/// How samples lie in a buffer.
#[derive(Clone, Copy)]
struct Layout {
    pixels: usize,
    channels: usize,
    planar: bool,
}

impl Layout {
    fn at(self, channel: usize, pixel: usize) -> usize {
        match self.planar {
            true => channel * self.pixels + pixel,
            false => pixel * self.channels + channel,
        }
    }
}

/// The samples of a buffer as planes of 0..1, channel by channel.
fn planes<T: Element>(
    data: &Bound<'_, PyAny>,
    layout: Layout,
    value: impl Fn(T) -> f32,
) -> PyResult<Vec<f32>> {
    let py = data.py();
    let samples = PyBuffer::<T>::get(data)?.to_vec(py)?;
    if samples.len() != layout.pixels * layout.channels {
        let problem = "the buffer is not what its shape says".to_string();
        return Err(raise(py, Class::Invalid, vec![problem]));
    }
    let mut planes = Vec::with_capacity(samples.len());
    for channel in 0..layout.channels {
        planes.extend((0..layout.pixels).map(|pixel| value(samples[layout.at(channel, pixel)])));
    }
    Ok(planes)
}

/// Writes planes as samples of so many bytes.
fn write<const BYTES: usize>(
    bytes: &mut [u8],
    planes: &[&[f32]],
    layout: Layout,
    sample: impl Fn(f32) -> [u8; BYTES],
) {
    for (channel, plane) in planes.iter().enumerate() {
        let step = if layout.planar {
            BYTES
        } else {
            BYTES * layout.channels
        };
        let start = layout.at(channel, 0) * BYTES;
        let samples = bytes[start..].chunks_mut(step);
        for (to, value) in samples.zip(*plane) {
            to[..BYTES].copy_from_slice(&sample(*value));
        }
    }
}

#[pymethods]
impl Picture {
    /// Reads a picture: a path, `@name` or the bytes of a file.
    #[staticmethod]
    fn open(py: Python<'_>, source: Picked) -> PyResult<Self> {
        process::enter(py)?;
        let Picked(source) = source;
        let opened = py.detach(|| source.open());
        let picture = opened.map_err(|error| of_error(py, error))?;
        Ok(Self {
            name: source.name(),
            picture: picture.into(),
            source: Some(source),
        })
    }

    /// A picture of a C-contiguous buffer of samples: `u8`, `u16` or `f32` (0..1), of 1 to 4 channels (grey, grey and alpha,
    /// RGB, RGBA), interleaved `[h, w, c]` or planar `[c, h, w]`.
    #[staticmethod]
    fn of_samples(
        data: &Bound<'_, PyAny>,
        kind: &str,
        size: (usize, usize),
        channels: usize,
        planar: bool,
        name: String,
    ) -> PyResult<Self> {
        let (height, width) = size;
        let pixels = height.saturating_mul(width);
        let layout = Layout {
            pixels,
            channels,
            planar,
        };
        let (mut planes, depth) = match kind {
            "u8" => (
                planes::<u8>(data, layout, |v| f32::from(v) / 255.0)?,
                Depth::Eight,
            ),
            "u16" => (
                planes::<u16>(data, layout, |v| f32::from(v) / 65_535.0)?,
                Depth::Sixteen,
            ),
            _ => (planes::<f32>(data, layout, |v| v)?, Depth::Eight),
        };
        let alpha = matches!(channels, 2 | 4).then(|| planes.split_off((channels - 1) * pixels));
        if channels < 3 {
            planes = planes.repeat(3);
        }
        let picture = impasto::Picture::new(width, height, planes);
        // As of files: an alpha channel that hides nothing is none.
        let alpha = alpha.filter(|alpha| alpha.iter().any(|&alpha| alpha < 1.0));
        let picture = picture.and_then(|picture| match alpha {
            Some(alpha) => picture.with_alpha(alpha),
            None => Ok(picture),
        });
        let picture = picture.map_err(|error| of_error(data.py(), error.into()))?;
        Ok(Self::new(name, picture.with_depth(depth)))
    }

    /// The samples as a new `bytearray`: `u8`, `u16` (clamped and rounded) or `f32` (as they are), RGB or, with `alpha`, RGBA.
    fn samples<'py>(
        &self,
        py: Python<'py>,
        kind: &str,
        alpha: bool,
        planar: bool,
    ) -> PyResult<Bound<'py, PyByteArray>> {
        let pixels = self.picture.width() * self.picture.height();
        let channels = if alpha { 4 } else { 3 };
        let layout = Layout {
            pixels,
            channels,
            planar,
        };
        let (rgb, opacity) = (self.picture.rgb(), self.picture.alpha());
        let opaque = vec![
            1.0;
            if alpha && opacity.is_none() {
                pixels
            } else {
                0
            }
        ];
        let planes = rgb.chunks_exact(pixels);
        let planes = planes.chain(alpha.then(|| opacity.unwrap_or(&opaque)));
        let planes: Vec<&[f32]> = planes.collect();
        let count = pixels * channels;
        match kind {
            "u8" => PyByteArray::new_with(py, count, |bytes| {
                let byte = |value: f32| [(value.clamp(0.0, 1.0) * 255.0).round() as u8];
                write(bytes, &planes, layout, byte);
                Ok(())
            }),
            "u16" => PyByteArray::new_with(py, 2 * count, |bytes| {
                let step = |value: f32| (value.clamp(0.0, 1.0) * 65_535.0).round() as u16;
                write(bytes, &planes, layout, |value| step(value).to_ne_bytes());
                Ok(())
            }),
            _ => PyByteArray::new_with(py, 4 * count, |bytes| {
                write(bytes, &planes, layout, f32::to_ne_bytes);
                Ok(())
            }),
        }
    }

    /// What it is called.
    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    /// Columns.
    #[getter]
    fn width(&self) -> usize {
        self.picture.width()
    }

    /// Rows.
    #[getter]
    fn height(&self) -> usize {
        self.picture.height()
    }

    /// Whether some of it is transparent.
    #[getter]
    fn has_alpha(&self) -> bool {
        self.picture.alpha().is_some()
    }

    /// Bits of a sample in files: 8 or 16.
    #[getter]
    fn depth(&self) -> u8 {
        match self.picture.depth() {
            Depth::Eight => 8,
            Depth::Sixteen => 16,
        }
    }

    /// What its file says about how it was made, as JSON.
    fn settings(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let Some(source) = &self.source else {
            return Ok(None);
        };
        let bytes = source.bytes().map_err(|error| of_error(py, error))?;
        Ok(settings_of(&bytes))
    }

    /// The picture resampled, by a bicubic filter. `MemoryError` where the system has not enough.
    fn resized(&self, py: Python<'_>, width: usize, height: usize) -> PyResult<Self> {
        process::enter(py)?;
        let needed = PIXEL_BYTES
            .saturating_mul(width as u64)
            .saturating_mul(height as u64);
        if impasto::free_memory().is_some_and(|free| needed > free) {
            return Err(PyMemoryError::new_err(format!(
                "a picture of {width}×{height} needs {needed} bytes of memory to be made, and there are not as many"
            )));
        }
        let resized = py.detach(|| self.picture.resized(width, height, Filter::Bicubic));
        Ok(Self::new(self.name.clone(), resized))
    }

    /// The bytes of a file, in the format of an extension such as `png`.
    fn encode<'py>(
        &self,
        py: Python<'py>,
        format: &str,
        settings: Option<String>,
        quality: Option<u8>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        process::enter(py)?;
        let encoded =
            py.detach(|| self.encoded(&PathBuf::from(format!("a.{format}")), settings, quality));
        Ok(PyBytes::new(
            py,
            &encoded.map_err(|error| of_error(py, error))?,
        ))
    }

    /// Writes a file, in the format of its extension; it appears whole or not at all.
    fn save(
        &self,
        py: Python<'_>,
        path: PathBuf,
        settings: Option<String>,
        quality: Option<u8>,
    ) -> PyResult<()> {
        process::enter(py)?;
        let saved = py.detach(|| {
            let bytes = self.encoded(&path, settings, quality)?;
            let written = write_whole(&path, &bytes);
            Ok(
                written.map_err(|source| impasto::picture::PictureError::Write {
                    path: path.clone(),
                    source,
                })?,
            )
        });
        saved.map_err(|error: impasto::Error| of_error(py, error))
    }
}

impl Picture {
    /// A picture that was not read from anywhere.
    pub fn new(name: String, picture: impasto::Picture) -> Self {
        Self::shared(name, picture.into())
    }

    /// The same of one that others have, too.
    pub fn shared(name: String, picture: Arc<impasto::Picture>) -> Self {
        Self {
            name,
            picture,
            source: None,
        }
    }

    /// The picture where jobs take one.
    fn as_source(&self) -> Source {
        Source::Picture {
            name: self.name.clone(),
            picture: self.picture.clone(),
        }
    }

    fn encoded(
        &self,
        path: &std::path::Path,
        settings: Option<String>,
        quality: Option<u8>,
    ) -> impasto::Result<Vec<u8>> {
        let usual = SaveOptions::default();
        let options = SaveOptions {
            settings,
            quality: quality.unwrap_or(usual.quality),
            ..usual
        };
        Ok(self.picture.encode(Format::from_path(path)?, &options)?)
    }
}
