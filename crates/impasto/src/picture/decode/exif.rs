//! The orientation in EXIF, however it is wrapped.

use image::metadata::Orientation;

/// The orientation that EXIF says; upright if it says none. WebP and PNG should hold EXIF as it
/// is, and some programs put the prefix of JPEG's segment before it.
pub(super) fn orientation(exif: &[u8]) -> Orientation {
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    Orientation::from_exif_chunk(exif).unwrap_or(Orientation::NoTransforms)
}

/// The bytes of an ImageMagick "Raw profile", as PNG's texts hold it: a name, a length, and
/// hexadecimal digits, each on lines of their own.
pub(super) fn raw_profile(text: &str) -> Option<Vec<u8>> {
    let mut words = text.split_ascii_whitespace().skip(1);
    let length: usize = words.next()?.parse().ok()?;
    let digits: Vec<u8> = words.flat_map(str::bytes).collect();
    let pairs = digits.as_chunks::<2>().0.iter().take(length);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect()
}
