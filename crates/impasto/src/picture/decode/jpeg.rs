//! JPEG: baseline and progressive; grey, RGB, YCbCr, CMYK and YCCK.
//!
//! Pictures of four inks are taken from the decoder as they are stored, so that an ICC profile
//! sees the inks. Adobe programs, and all that follow them, store inks inverted (255 is no ink)
//! and say so by an APP14 segment; without it 0 is no ink (ITU-T T.872, 6.1). YCCK is the YCbCr
//! transform of inverted C, M, Y seen as `255 − R`, `255 − G`, `255 − B` (Adobe Technical Note
//! 5116).

use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;

use super::{Model, PictureError, Raw, Samples, Source};

pub(super) fn read(bytes: &[u8], source: &Source) -> Result<Raw, PictureError> {
    let layout = Layout::of(bytes);
    if !layout.complete {
        return Err(source.damaged("its end is missing"));
    }
    match read_with(bytes, source, &layout, true) {
        // Viewers show files with a flaw here or there; so do we, as long as they are whole.
        Err(PictureError::Damaged { what, .. }) => {
            let raw = read_with(bytes, source, &layout, false)?;
            log::warn!(
                "{}: the JPEG data has a flaw ({what}); a part may look odd",
                source.name
            );
            Ok(raw)
        }
        read => read,
    }
}

fn read_with(
    bytes: &[u8],
    source: &Source,
    layout: &Layout,
    strict: bool,
) -> Result<Raw, PictureError> {
    let failed = |error: DecodeErrors| match error {
        DecodeErrors::Unsupported(what) => source.unsupported(format!("{what:?}")),
        error => source.damaged(error),
    };
    let options = DecoderOptions::default()
        .set_strict_mode(strict)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(failed)?;
    let info = decoder
        .info()
        .ok_or_else(|| source.damaged("it has no header"))?;
    source.check_size(info.width.into(), info.height.into())?;
    let stored = decoder.input_colorspace().unwrap_or(ColorSpace::Unknown);
    let (model, wanted) = match stored {
        ColorSpace::Luma => (Model::Grey, ColorSpace::Luma),
        ColorSpace::YCbCr | ColorSpace::RGB => (Model::Rgb, ColorSpace::RGB),
        ColorSpace::CMYK | ColorSpace::YCCK => (Model::Cmyk, stored),
        other => return Err(source.unsupported(format!("{other:?} colours"))),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(wanted));
    let mut samples = decoder.decode().map_err(failed)?;
    match stored {
        ColorSpace::YCCK => samples.as_chunks_mut().0.iter_mut().for_each(from_ycck),
        ColorSpace::CMYK if layout.adobe => samples.iter_mut().for_each(|ink| *ink = 255 - *ink),
        _ => {}
    }
    Ok(Raw {
        width: info.width.into(),
        height: info.height.into(),
        samples: Samples::Eight(samples),
        model,
        alpha: None,
        icc: decoder.icc_profile(),
        orientation: decoder
            .exif()
            .and_then(|exif| Orientation::from_exif_chunk(exif))
            .unwrap_or(Orientation::NoTransforms),
    })
}

/// Inverted YCCK → inks. Of the two inversions of C, M, Y one undoes the other.
fn from_ycck(pixel: &mut [u8; 4]) {
    let [y, cb, cr, k] = pixel.map(f32::from);
    let (cb, cr) = (cb - 128.0, cr - 128.0);
    let ink = |value: f32| value.round().clamp(0.0, 255.0) as u8;
    *pixel = [
        ink(y + 1.402 * cr),
        ink(y - 0.344_136 * cb - 0.714_136 * cr),
        ink(y + 1.772 * cb),
        ink(255.0 - k),
    ];
}

/// What the decoder does not tell.
struct Layout {
    /// There is an APP14 segment of Adobe.
    adobe: bool,
    /// The end-of-image marker follows the first scan.
    complete: bool,
}

impl Layout {
    fn of(bytes: &[u8]) -> Layout {
        let mut layout = Layout {
            adobe: false,
            complete: false,
        };
        let mut at = 2;
        while let Some(&[0xff, marker, high, low]) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
            let length = usize::from(u16::from_be_bytes([high, low]));
            match marker {
                // Fill bytes may precede a marker.
                0xff => {
                    at += 1;
                    continue;
                }
                // In a scan, ff is followed by 0 or a restart, so that ff d9 is the end.
                0xda => {
                    layout.complete = bytes[at..].windows(2).any(|pair| pair == [0xff, 0xd9]);
                    break;
                }
                0xee => layout.adobe |= bytes[at + 4..].starts_with(b"Adobe"),
                _ => {}
            }
            at += 2 + length;
        }
        layout
    }
}
