//! BMP: all that the `image` crate reads.

use std::io::Cursor;

use image::codecs::bmp::BmpDecoder;

use super::{Alpha, PictureError, Raw, Source, through_image};

pub(super) fn read(bytes: &[u8], source: &Source) -> Result<Raw, PictureError> {
    let mut raw = through_image(BmpDecoder::new(Cursor::new(bytes)), source)?;
    // Programs that know nothing of alpha leave its byte zero, and viewers show the colours.
    if raw.alpha.is_some() && raw.samples.last_plane(4).iter().all(|&alpha| alpha == 0.0) {
        raw.alpha = Some(Alpha::Ignored);
    }
    Ok(raw)
}
