//! JPEG: sequential and progressive, Huffman and arithmetic codes, 8 and 12 bits; grey, RGB, YCbCr,
//! CMYK and YCCK.
//!
//! [`stream`] reads the coefficients of every file, and so knows whether all of its blocks are
//! there. Samples come from the decoder of `zune-jpeg` where it can, which is for 8 bits in
//! Huffman codes, and from [`pixels`] where it cannot.
//!
//! Pictures of four inks are taken from the decoder as they are stored, so that an ICC profile
//! sees the inks. They are stored inverted (255 is no ink), as Adobe's programs do it and as every
//! browser takes them, with Adobe's APP14 segment or without. YCCK is the YCbCr transform of
//! inverted C, M, Y seen as `255 − R`, `255 − G`, `255 − B` (Adobe Technical Note 5116).

mod arithmetic;
mod huffman;
mod pixels;
mod scan;
mod stream;

use image::metadata::Orientation;
use zune_core::bytestream::ZCursor;
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

use self::stream::{Jpeg, Refusal};
use super::{Model, PictureError, Raw, Samples, Source, exif};

/// A picture of which more than this share is missing is refused; less is a flaw, and told.
const FLAW: f64 = 0.05;

pub(super) fn read(bytes: &[u8], source: &Source) -> Result<Raw, PictureError> {
    let accept = |width, height| {
        let size = source.check_size(width as u64, height as u64);
        size.map_err(Stop::Refused)
    };
    let jpeg = stream::read(bytes, accept).map_err(|stop| match stop {
        Stop::Refused(error) => error,
        Stop::Unreadable(Refusal::Unsupported(what)) => source.unsupported(what),
        Stop::Unreadable(Refusal::Damaged(what)) => source.damaged(what),
    })?;
    check_whole(&jpeg, source)?;
    let colours = Colours::of(&jpeg).ok_or_else(|| source.unsupported("two colours"))?;
    let samples = match fast(bytes, &jpeg, colours) {
        Some(samples) => samples,
        None => pixels::render(&jpeg, colours),
    };
    Ok(Raw {
        width: jpeg.width,
        height: jpeg.height,
        samples,
        model: colours.model(),
        alpha: None,
        profile: jpeg.icc.map(super::Profile::Icc),
        orientation: jpeg
            .exif
            .map_or(Orientation::NoTransforms, |exif| exif::orientation(&exif)),
    })
}

/// Why a file is not read: by us, or by what it holds.
enum Stop {
    Refused(PictureError),
    Unreadable(Refusal),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Unreadable(refusal)
    }
}

/// Refuses half a picture. Viewers show files with a flaw here or there; so do we, and say so.
fn check_whole(jpeg: &Jpeg, source: &Source) -> Result<(), PictureError> {
    let whole = &jpeg.completeness;
    let percent = (100.0 * whole.missing).ceil();
    if whole.missing > FLAW || whole.ended && !whole.closed {
        return Err(source.damaged(format!("{percent} % of it is missing")));
    }
    // An arithmetic code that breaks off goes on as the likeliest picture: whether blocks are
    // missing cannot be known without the end marker.
    if !whole.closed && (whole.coarse || jpeg.process.arithmetic) {
        return Err(source.damaged("its end is missing"));
    }
    if whole.coarse {
        log::warn!(
            "{}: the JPEG data lack the last scans of a progressive picture; it looks coarse",
            source.name
        );
    }
    if whole.surplus && whole.missing == 0.0 {
        log::warn!(
            "{}: the JPEG data have a flaw; a part may look odd",
            source.name
        );
    }
    if whole.missing > 0.0 {
        log::warn!(
            "{}: the JPEG data have a flaw; about {percent} % of the picture is missing",
            source.name
        );
    }
    Ok(())
}

/// What the components of a picture are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colours {
    Grey,
    Rgb,
    YCbCr,
    Cmyk,
    Ycck,
}

impl Colours {
    /// By Adobe's segment, else by the components' names, else what JFIF says (ITU-T T.871).
    fn of(jpeg: &Jpeg) -> Option<Colours> {
        let names: Vec<u8> = jpeg.components.iter().map(|c| c.id).collect();
        Some(match (names.as_slice(), jpeg.adobe) {
            ([_], _) => Colours::Grey,
            ([_, _, _], Some(0)) | (b"RGB", None) => Colours::Rgb,
            ([_, _, _], _) => Colours::YCbCr,
            ([_, _, _, _], Some(2)) => Colours::Ycck,
            ([_, _, _, _], _) => Colours::Cmyk,
            _ => return None,
        })
    }

    fn model(self) -> Model {
        match self {
            Colours::Grey => Model::Grey,
            Colours::Rgb | Colours::YCbCr => Model::Rgb,
            Colours::Cmyk | Colours::Ycck => Model::Cmyk,
        }
    }

    /// What `zune-jpeg` calls them, and what it is asked for.
    fn spaces(self) -> (ColorSpace, ColorSpace) {
        match self {
            Colours::Grey => (ColorSpace::Luma, ColorSpace::Luma),
            Colours::Rgb => (ColorSpace::RGB, ColorSpace::RGB),
            Colours::YCbCr => (ColorSpace::YCbCr, ColorSpace::RGB),
            Colours::Cmyk => (ColorSpace::CMYK, ColorSpace::CMYK),
            Colours::Ycck => (ColorSpace::YCCK, ColorSpace::YCCK),
        }
    }
}

/// The samples as `zune-jpeg` sees them; None where it does not know the kind of file, or stumbles.
fn fast(bytes: &[u8], jpeg: &Jpeg, colours: Colours) -> Option<Samples> {
    if jpeg.process.arithmetic || jpeg.process.precision != 8 || jpeg.completeness.missing > 0.0 {
        return None;
    }
    let (stored, wanted) = colours.spaces();
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::MAX)
        .set_max_height(usize::MAX)
        .jpeg_set_out_colorspace(wanted);
    let mut closed;
    let bytes = if jpeg.completeness.closed {
        bytes
    } else {
        closed = bytes.to_vec();
        closed.extend([0xff, 0xd9]);
        &closed
    };
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().ok()?;
    let size = decoder.dimensions()?;
    if size != (jpeg.width, jpeg.height) || decoder.input_colorspace() != Some(stored) {
        return None;
    }
    let mut samples = decoder.decode().ok()?;
    match colours {
        Colours::Ycck => {
            for pixel in samples.as_chunks_mut().0 {
                let inks = from_ycck(pixel.map(f32::from), 255.0);
                *pixel = inks.map(|ink| ink.round().clamp(0.0, 255.0) as u8);
            }
        }
        Colours::Cmyk => samples.iter_mut().for_each(|ink| *ink = 255 - *ink),
        _ => {}
    }
    Some(Samples::Eight(samples))
}

/// Inverted YCCK → inks 0 to `top`. Of the two inversions of C, M, Y one undoes the other.
fn from_ycck([y, cb, cr, k]: [f32; 4], top: f32) -> [f32; 4] {
    let centre = (top + 1.0) / 2.0;
    let (cb, cr) = (cb - centre, cr - centre);
    [
        y + 1.402 * cr,
        y - 0.344_136 * cb - 0.714_136 * cr,
        y + 1.772 * cb,
        top - k,
    ]
}
