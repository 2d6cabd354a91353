//! WebP: lossy and lossless, with alpha; of an animation the first frame.
//!
//! The container may lack what follows the pixels (metadata, further frames): the file is read as
//! if it ended with its last whole chunk.

use std::borrow::Cow;
use std::io::Cursor;

use image::codecs::webp::WebPDecoder;

use super::{PictureError, Raw, Source, through_image};

pub(super) fn read(bytes: &[u8], source: &Source) -> Result<Raw, PictureError> {
    let whole = whole(bytes).ok_or_else(|| source.damaged("its end is missing"))?;
    through_image(WebPDecoder::new(Cursor::new(&*whole)), source)
}

/// The file up to its last whole chunk, with a header that agrees; None if no pixels are in it.
fn whole(bytes: &[u8]) -> Option<Cow<'_, [u8]>> {
    let declared = u32::from_le_bytes(*bytes.get(4..)?.first_chunk()?) as usize;
    let mut at = 12;
    let (mut pixels, mut features, mut exif, mut xmp) = (false, None, false, false);
    while let Some(&[k0, k1, k2, k3, l0, l1, l2, l3]) =
        bytes.get(at..).and_then(<[u8]>::first_chunk)
    {
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        // Chunks are padded to an even length; the last padding may be missing.
        let content = at.saturating_add(8).saturating_add(length);
        if content > bytes.len() {
            break;
        }
        match &[k0, k1, k2, k3] {
            b"VP8 " | b"VP8L" | b"ANMF" => pixels = true,
            b"VP8X" => features = Some(at + 8),
            b"EXIF" => exif = true,
            b"XMP " => xmp = true,
            _ => {}
        }
        at = content.next_multiple_of(2);
    }
    if !pixels {
        return None;
    }
    if declared <= bytes.len() - 8 {
        return Some(Cow::Borrowed(bytes));
    }
    let mut copy = bytes.get(..at).unwrap_or(bytes).to_vec();
    copy.resize(at, 0);
    copy[4..8].copy_from_slice(&((at - 8) as u32).to_le_bytes());
    if let Some(flags) = features.and_then(|at| copy.get_mut(at)) {
        *flags &= !(u8::from(!exif) << 3 | u8::from(!xmp) << 2);
    }
    Some(Cow::Owned(copy))
}
