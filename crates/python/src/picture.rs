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
    /// Where the first sample of a channel is, and how far the next one is from it.
    fn place(self, channel: usize) -> (usize, usize) {
        match self.planar {
            true => (channel * self.pixels, 1),
            false => (channel, self.channels),
        }
    }
}

/// The samples of a C-contiguous buffer. (A view of them would be none: who owns the buffer may write meanwhile.)
fn samples<T: Element>(data: &Bound<'_, PyAny>, layout: Layout) -> PyResult<Vec<T>> {
    let py = data.py();
    let samples = PyBuffer::<T>::get(data)?.to_vec(py)?;
    match samples.len() == layout.pixels * layout.channels {
        true => Ok(samples),
        false => {
            let problem = "the buffer is not what its shape says".to_string();
            Err(raise(py, Class::Invalid, vec![problem]))
        }
    }
}

/// Samples as planes of 0..1, channel by channel.
fn planes<T: Copy>(samples: &[T], layout: Layout, value: impl Fn(T) -> f32) -> Vec<f32> {
    let mut planes = vec![0.0; samples.len()];
    let each = planes.chunks_exact_mut(layout.pixels.max(1));
    for (channel, plane) in each.enumerate() {
        let (first, step) = layout.place(channel);
        for (to, sample) in plane.iter_mut().zip(samples[first..].chunks(step)) {
            *to = value(sample[0]);
        }
    }
    planes
}

/// Pixels that are made samples at once, all in the same way, before these are put where they belong.
const BLOCK: usize = 256;

/// Writes planes as samples of so many bytes.
fn write<const BYTES: usize>(
    bytes: &mut [u8],
    planes: &[&[f32]],
    layout: Layout,
    sample: impl Fn(f32) -> [u8; BYTES],
) {
    let (samples, _) = bytes.as_chunks_mut::<BYTES>();
    let mut block = [[0; BYTES]; BLOCK];
    for (channel, plane) in planes.iter().enumerate() {
        let (first, step) = layout.place(channel);
        for (index, values) in plane.chunks(BLOCK).enumerate() {
            for (to, value) in block.iter_mut().zip(values) {
                *to = sample(*value);
            }
            let places = samples[first + index * BLOCK * step..].iter_mut();
            for (to, from) in places.step_by(step).zip(&block[..values.len()]) {
                *to = *from;
            }
        }
    }
}

/// From here on every f32 is a whole number: what is added to it is rounded, halves to the even one.
const WHOLE: f32 = 8_388_608.0;

/// A value of 0..1 in steps of 1/`most` (2¹⁶ − 1 at most), to the nearest one, halves upward, as files have it; NaN is 0.
/// `f32::round` is a call for each sample on processors as compilers suppose them, and took most of the time of an array.
#[expect(clippy::manual_clamp, reason = "NaN passes a clamp")]
fn nearest(value: f32, most: f32) -> u16 {
    let scaled = value.max(0.0).min(1.0) * most;
    let even = (scaled + WHOLE) - WHOLE;
    let up = if scaled - even >= 0.5 { 1.0 } else { 0.0 };
    // The bits of such a number end with the whole number itself.
    (even + up + WHOLE).to_bits() as u16
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
        // What bytes are in 0..1; a division for each sample took longer than all else.
        let bytes: [f32; 256] = std::array::from_fn(|byte| byte as f32 / 255.0);
        let (mut planes, depth) = match kind {
            "u8" => (
                planes(&samples::<u8>(data, layout)?, layout, |v| {
                    bytes[usize::from(v)]
                }),
                Depth::Eight,
            ),
            "u16" => (
                planes(&samples::<u16>(data, layout)?, layout, |v| {
                    f32::from(v) / 65_535.0
                }),
                Depth::Sixteen,
            ),
            // Planes of f32 are what they are already.
            _ if planar => (samples(data, layout)?, Depth::Eight),
            _ => (planes(&samples(data, layout)?, layout, |v| v), Depth::Eight),
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
                write(
                    bytes,
                    &planes,
                    layout,
                    |value| [nearest(value, 255.0) as u8],
                );
                Ok(())
            }),
            "u16" => PyByteArray::new_with(py, 2 * count, |bytes| {
                let step = |value: f32| nearest(value, 65_535.0).to_ne_bytes();
                write(bytes, &planes, layout, step);
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
