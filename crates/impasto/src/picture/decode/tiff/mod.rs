//! TIFF: grey (1 to 16 bits), palettes, RGB, CMYK and YCbCr, 8 or 16 bits or floats, with or
//! without alpha, in one plane or several; LZW, Deflate, PackBits, JPEG, Zstandard and fax.
//!
//! Refused: Lab, and camera raw files, whose first picture is a thumbnail.

mod fax;
mod plain;

use std::io::Cursor;

use image::metadata::Orientation;
use tiff::decoder::{Decoder, DecodingResult, Limits};
use tiff::tags::{ExtraSamples, Tag};
use tiff::{ColorType, TiffError};

use super::{Alpha, Model, PictureError, Profile, Raw, Samples, Source};

pub(super) fn read(bytes: &[u8], source: &Source) -> Result<Raw, PictureError> {
    let failed = |error: TiffError| match error {
        TiffError::UnsupportedError(what) => source.unsupported(what),
        error => source.damaged(error),
    };
    let mut decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?;
    let (width, height) = decoder.dimensions().map_err(failed)?;
    source.check_size(width.into(), height.into())?;
    let plain = plain::plain(bytes, 2 * source.limits.max_pixels);
    let plain = plain.map_err(|what| source.damaged(what))?;
    let (bytes, palette) = match &plain {
        Some(plain) => (plain.bytes.as_slice(), plain.palette.as_deref()),
        None => (bytes, None),
    };
    let decoder = Decoder::new(Cursor::new(bytes)).map_err(failed)?;
    // A tag's values are in the file, and the reader keeps each in at most this many bytes.
    const VALUE: usize = 64;
    let mut decoder = decoder.with_limits(limits(bytes.len().saturating_mul(VALUE), bytes));
    let reduced = decoder
        .find_tag_unsigned::<u32>(Tag::NewSubfileType)
        .ok()
        .flatten();
    if reduced.is_some_and(|kind| kind & 1 == 1) {
        return Err(source.unsupported("a thumbnail first, as in camera raw files"));
    }
    let color = decoder.colortype().map_err(failed)?;
    let (mut model, channels) = channels(color, source)?;
    let alpha = alpha(&mut decoder, model, channels);
    let icc = decoder.find_tag(Tag::IccProfile).map_err(failed)?;
    let icc = icc.and_then(|value| value.into_u8_vec().ok());
    let orientation = decoder
        .find_tag_unsigned::<u8>(Tag::Orientation)
        .ok()
        .flatten();

    let (width, height) = (width as usize, height as usize);
    let pixels = width * height * channels * size_of::<f32>();
    let mut decoder = decoder.with_limits(limits(pixels, bytes));
    let mut samples = DecodingResult::U8(Vec::new());
    let layout = decoder.read_image_to_buffer(&mut samples).map_err(failed)?;
    let planes = layout.planes.max(1);
    let mut samples = match samples {
        DecodingResult::U8(samples) => Samples::Eight(match color.bit_depth() {
            8 => interleaved(samples, planes),
            bits if channels == 1 => unpacked(&samples, width, height, bits),
            bits => return Err(source.unsupported(format!("{channels} samples of {bits} bits"))),
        }),
        DecodingResult::U16(samples) => Samples::Sixteen(interleaved(samples, planes)),
        DecodingResult::F32(samples) => Samples::Float(interleaved(samples, planes)),
        other => return Err(source.unsupported(sample_type(&other))),
    };
    if let (ColorType::YCbCr(_), Samples::Eight(samples)) = (color, &mut samples) {
        samples.as_chunks_mut().0.iter_mut().for_each(from_ycbcr);
    }
    if let Some(palette) = palette {
        let bits = u32::from(color.bit_depth());
        samples = coloured(&samples, palette, bits)
            .ok_or_else(|| source.unsupported("a palette with more than its colours"))?;
        model = Model::Rgb;
    }
    Ok(Raw {
        width,
        height,
        samples,
        model,
        alpha,
        profile: icc.map(Profile::Icc),
        orientation: orientation
            .and_then(Orientation::from_exif)
            .unwrap_or(Orientation::NoTransforms),
    })
}

/// Memory for what is read at once, and for what a strip is unpacked from.
fn limits(decoded: usize, bytes: &[u8]) -> Limits {
    let mut limits = Limits::unlimited();
    limits.decoding_buffer_size = decoded;
    limits.intermediate_buffer_size = bytes.len();
    limits
}

/// The model of the colours, and how many samples a pixel has.
fn channels(color: ColorType, source: &Source) -> Result<(Model, usize), PictureError> {
    Ok(match color {
        ColorType::Gray(_) => (Model::Grey, 1),
        ColorType::GrayA(_) | ColorType::Multiband { num_samples: 2, .. } => (Model::Grey, 2),
        ColorType::RGB(_) | ColorType::YCbCr(8) => (Model::Rgb, 3),
        ColorType::RGBA(_) => (Model::Rgb, 4),
        ColorType::CMYK(_) => (Model::Cmyk, 4),
        ColorType::CMYKA(_) => (Model::Cmyk, 5),
        other => return Err(source.unsupported(format!("colours stored as {other:?}"))),
    })
}

/// What the sample after the colours is, if there is one.
fn alpha(decoder: &mut Decoder<Cursor<&[u8]>>, model: Model, channels: usize) -> Option<Alpha> {
    if channels == model.channels() {
        return None;
    }
    let extra = decoder
        .find_tag_unsigned_vec::<u16>(Tag::ExtraSamples)
        .ok()
        .flatten();
    let first = extra
        .unwrap_or_default()
        .first()
        .copied()
        .unwrap_or_default();
    Some(match ExtraSamples::from_u16(first) {
        Some(ExtraSamples::AssociatedAlpha) => Alpha::Multiplied,
        Some(ExtraSamples::UnassociatedAlpha) => Alpha::Straight,
        _ => Alpha::Ignored,
    })
}

/// `[c, h, w]` → `[h, w, c]`.
fn interleaved<T: Copy>(samples: Vec<T>, planes: usize) -> Vec<T> {
    if planes == 1 {
        return samples;
    }
    let length = samples.len() / planes;
    (0..length * planes)
        .map(|i| samples[i % planes * length + i / planes])
        .collect()
}

/// Rows of samples of 1, 2 or 4 bits, each row in whole bytes → 8 bits.
fn unpacked(packed: &[u8], width: usize, height: usize, bits: u8) -> Vec<u8> {
    let bits = usize::from(bits);
    let row_bytes = (width * bits).div_ceil(8);
    let top = (1u16 << bits) - 1;
    let mut samples = Vec::with_capacity(width * height);
    for row in packed.chunks_exact(row_bytes).take(height) {
        for x in 0..width {
            let at = x * bits;
            let sample = (u16::from(row[at / 8]) >> (8 - bits - at % 8)) & top;
            samples.push((sample * 255 / top) as u8);
        }
    }
    samples
}

/// Indices of so many bits, those of fewer than 8 spread to 8, as the colours of a palette. None
/// if the palette has fewer colours, or there is more than one sample for each pixel.
fn coloured(indices: &Samples, palette: &[u16], bits: u32) -> Option<Samples> {
    let colours = palette.len() / 3;
    if bits > 16 || colours < 1 << bits {
        return None;
    }
    // Some programs write colours of 8 bits into the fields of 16.
    let shift = if palette.iter().all(|&value| value < 256) {
        0
    } else {
        8
    };
    let top = (1u32 << bits.min(8)) - 1;
    let colour = |index: usize| [0, 1, 2].map(|c| (palette[c * colours + index] >> shift) as u8);
    let samples = match indices {
        Samples::Eight(indices) => {
            let index = |&index: &u8| (u32::from(index) * top / 255) as usize;
            indices.iter().flat_map(|i| colour(index(i))).collect()
        }
        Samples::Sixteen(indices) => indices.iter().flat_map(|&i| colour(i.into())).collect(),
        Samples::Float(_) => return None,
    };
    Some(Samples::Eight(samples))
}

/// ITU-T T.871, clause 7.
fn from_ycbcr(pixel: &mut [u8; 3]) {
    let [y, cb, cr] = pixel.map(f32::from);
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let rgb = [
        y + 1.402 * cr,
        y - 0.344_136 * cb - 0.714_136 * cr,
        y + 1.772 * cb,
    ];
    *pixel = rgb.map(|value| value.round().clamp(0.0, 255.0) as u8);
}

fn sample_type(samples: &DecodingResult) -> &'static str {
    match samples {
        DecodingResult::U32(_) => "samples of 32 bits",
        DecodingResult::U64(_) => "samples of 64 bits",
        DecodingResult::F16(_) | DecodingResult::F64(_) => "floats of 16 or 64 bits",
        _ => "signed samples",
    }
}
