//! PNG: all kinds of colours, 1 to 16 bits, interlaced or not; of an animation the default image.
//!
//! Which colours they are is said by `cICP`, else `iCCP`, else `sRGB`, else `gAMA` and `cHRM` (PNG
//! specification, third edition, 4.3). The end of the file may be missing after the last pixel.

use std::borrow::Cow;
use std::io::Cursor;

use image::metadata::Orientation;
use png::{ColorType, DecodingError, Info, Transformations};

use super::{Alpha, Model, PictureError, Profile, Raw, Samples, Source, exif};
use crate::picture::profile::{Calibration, Cicp};

/// For what is not pixels: profiles and texts are compressed, and could be bombs.
const METADATA: usize = 64 << 20;

pub(super) fn read(bytes: &[u8], source: &Source) -> Result<Raw, PictureError> {
    check_header(bytes, source)?;
    let failed = |error: DecodingError| source.damaged(error);
    let closed = closed(bytes);
    let mut decoder =
        png::Decoder::new_with_limits(Cursor::new(&*closed), png::Limits { bytes: METADATA });
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(failed)?;
    let info = reader.info();
    let (width, height) = (info.width as usize, info.height as usize);
    let profile = profile(info, source)?;
    let narrow = matches!(&profile, Some(Profile::Cicp(cicp)) if !cicp.full_range);
    let (color, depth) = reader.output_color_type();
    let size = reader.output_buffer_size();
    let mut buffer = vec![0; size.ok_or_else(|| source.damaged("it is too large"))?];
    reader.next_frame(&mut buffer).map_err(failed)?;
    // Texts may follow the pixels; what is wrong with them is no reason to refuse the picture.
    let _ = reader.finish();
    let (model, alpha) = match color {
        ColorType::Grayscale => (Model::Grey, None),
        ColorType::GrayscaleAlpha => (Model::Grey, Some(Alpha::Straight)),
        ColorType::Rgb => (Model::Rgb, None),
        ColorType::Rgba => (Model::Rgb, Some(Alpha::Straight)),
        ColorType::Indexed => return Err(source.unsupported("a palette that is not there")),
    };
    let mut samples = match depth {
        png::BitDepth::Sixteen => {
            let pairs = buffer.as_chunks().0.iter();
            Samples::Sixteen(pairs.map(|pair| u16::from_be_bytes(*pair)).collect())
        }
        _ => Samples::Eight(buffer),
    };
    if narrow {
        widen(&mut samples, model.channels(), alpha.is_some());
    }
    Ok(Raw {
        width,
        height,
        samples,
        model,
        alpha,
        profile,
        orientation: orientation(reader.info()),
    })
}

/// The decoder would refuse a huge size too, but without a word on which limit.
fn check_header(bytes: &[u8], source: &Source) -> Result<(), PictureError> {
    if bytes.get(12..16) == Some(b"CgBI") {
        return Err(source.unsupported("Apple's CgBI, as in the programs of its telephones"));
    }
    let header = bytes
        .get(16..26)
        .and_then(|header| header.first_chunk::<10>());
    let [w0, w1, w2, w3, h0, h1, h2, h3, depth, colour] =
        *header.ok_or_else(|| source.damaged("its header is missing"))?;
    let width = u64::from(u32::from_be_bytes([w0, w1, w2, w3]));
    let height = u64::from(u32::from_be_bytes([h0, h1, h2, h3]));
    source.check_size(width, height)?;
    let channels = match colour {
        2 => 3,
        4 => 2,
        6 => 4,
        _ => 1,
    };
    // Deflate makes at most 1032 bytes of one.
    let inflated = width * height * channels * u64::from(depth) / 8;
    if inflated / 1032 > bytes.len() as u64 {
        return Err(source.damaged(format!("too short for its {width}×{height} pixels")));
    }
    Ok(())
}

/// The file with an end. Where it breaks off, what there is of the last chunk of pixels is kept,
/// so that it is the decoder which knows whether all of them are there.
fn closed(bytes: &[u8]) -> Cow<'_, [u8]> {
    const END: &[u8] = b"\0\0\0\0IEND\xae\x42\x60\x82";
    let mut at = 8;
    while let Some((length, kind)) = bytes.get(at..at + 8).map(|head| head.split_at(4)) {
        let length = length
            .iter()
            .fold(0, |sum, &byte| sum << 8 | usize::from(byte));
        let next = at.saturating_add(12).saturating_add(length);
        if kind == b"IEND" && next <= bytes.len() {
            return Cow::Borrowed(bytes);
        }
        if next > bytes.len() {
            let mut whole = bytes[..at].to_vec();
            if kind == b"IDAT" {
                let there = &bytes[at + 8..bytes.len().min(at + 8 + length)];
                whole.extend((there.len() as u32).to_be_bytes());
                whole.extend(kind);
                whole.extend(there);
                whole.extend(crc(&bytes[at + 4..at + 8 + there.len()]).to_be_bytes());
            }
            whole.extend(END);
            return Cow::Owned(whole);
        }
        at = next;
    }
    Cow::Owned([&bytes[..at.min(bytes.len())], END].concat())
}

/// The checksum of a chunk's kind and content (PNG specification, 5.5).
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    !crc
}

/// What says which colours the samples are, by precedence; None for sRGB.
fn profile(info: &Info, source: &Source) -> Result<Option<Profile>, PictureError> {
    if let Some(points) = &info.coding_independent_code_points {
        let cicp = Cicp {
            primaries: points.color_primaries,
            transfer: points.transfer_function,
            full_range: points.is_video_full_range_image,
        };
        if let Some(name) = cicp.high_dynamic_range() {
            return Err(source.unsupported(format!("high dynamic range, {name}")));
        }
        if points.matrix_coefficients == 0 && cicp.is_known() {
            return Ok(Some(Profile::Cicp(cicp)));
        }
        log::warn!(
            "{}: its cICP chunk is ignored (primaries {}, transfer {}, matrix {} are not known)",
            source.name,
            cicp.primaries,
            cicp.transfer,
            points.matrix_coefficients
        );
    }
    if let Some(icc) = &info.icc_profile {
        return Ok(Some(Profile::Icc(icc.to_vec())));
    }
    if info.srgb.is_some() {
        return Ok(None);
    }
    let pair = |(x, y): (png::ScaledFloat, png::ScaledFloat)| [x.into_value(), y.into_value()];
    let calibration = Calibration {
        gamma: info.gama_chunk.map(|gamma| gamma.into_value()),
        chromaticities: info
            .chrm_chunk
            .map(|c| [pair(c.white), pair(c.red), pair(c.green), pair(c.blue)]),
    };
    Ok(calibration
        .is_there()
        .then_some(Profile::Calibrated(calibration)))
}

/// Colours of narrow range (16 to 235 of 255, as in video) to full range; alpha is always full.
fn widen(samples: &mut Samples, colours: usize, alpha: bool) {
    let channels = colours + usize::from(alpha);
    let stretch = |value: f32, unit: f32| (value - 16.0 * unit) / (219.0 * unit);
    match samples {
        Samples::Eight(samples) => {
            for pixel in samples.chunks_exact_mut(channels) {
                for value in &mut pixel[..colours] {
                    *value = (255.0 * stretch((*value).into(), 1.0)).round() as u8;
                }
            }
        }
        Samples::Sixteen(samples) => {
            for pixel in samples.chunks_exact_mut(channels) {
                for value in &mut pixel[..colours] {
                    *value = (65535.0 * stretch((*value).into(), 256.0)).round() as u16;
                }
            }
        }
        Samples::Float(_) => {}
    }
}

/// From the `eXIf` chunk, else from the texts that ImageMagick wrote before there was one.
fn orientation(info: &Info) -> Orientation {
    if let Some(chunk) = &info.exif_metadata {
        return exif::orientation(chunk);
    }
    let is_exif = |keyword: &str| {
        ["Raw profile type exif", "Raw profile type APP1"]
            .iter()
            .any(|name| name.eq_ignore_ascii_case(keyword))
    };
    let plain = info.uncompressed_latin1_text.iter();
    let plain = plain
        .filter(|chunk| is_exif(&chunk.keyword))
        .map(|chunk| chunk.text.clone());
    let packed = info.compressed_latin1_text.iter();
    let packed = packed
        .filter(|chunk| is_exif(&chunk.keyword))
        .filter_map(|chunk| {
            let mut chunk = chunk.clone();
            chunk.decompress_text_with_limit(METADATA).ok()?;
            chunk.get_text().ok()
        });
    let international = info.utf8_text.iter();
    let international = international
        .filter(|chunk| is_exif(&chunk.keyword))
        .filter_map(|chunk| {
            let mut chunk = chunk.clone();
            chunk.decompress_text_with_limit(METADATA).ok()?;
            chunk.get_text().ok()
        });
    plain
        .chain(packed)
        .chain(international)
        .filter_map(|text| exif::raw_profile(&text))
        .map(|exif| exif::orientation(&exif))
        .find(|orientation| *orientation != Orientation::NoTransforms)
        .unwrap_or(Orientation::NoTransforms)
}
