//! JPEG XL (ISO/IEC 18181): lossless and lossy, with alpha, of any depth; of an animation the first frame.
//!
//! Which way is up is said by the code stream, and the decoder obeys; what EXIF says beside it does not count (18181-1,
//! annex D).

use image::metadata::Orientation;
use jxl_oxide::{AllocTracker, InitializeResult, JxlImage, PixelFormat};

use super::{Alpha, PictureError, Raw, Samples, Source};
use crate::picture::profile::{Model, Profile};

/// Bytes that the header may take: a profile of colours, at most.
const HEADER: usize = 64 << 20;
/// Bytes that the decoder may take for a pixel, and whatever the size: planes of f32 for colours, alpha and what is blended.
const PIXEL: usize = 160;
const FIXED: usize = 256 << 20;

pub(super) fn read(bytes: &[u8], source: &Source) -> Result<Raw, PictureError> {
    let header = AllocTracker::with_limit(HEADER);
    let mut unread = JxlImage::builder().alloc_tracker(header).build_uninit();
    unread
        .feed_bytes(bytes)
        .map_err(|error| source.damaged(error))?;
    let size = match unread.try_init().map_err(|error| source.damaged(error))? {
        InitializeResult::Initialized(image) => (image.width(), image.height()),
        InitializeResult::NeedMoreData(_) => return Err(source.damaged("its header is cut short")),
    };
    source.check_size(size.0.into(), size.1.into())?;
    let pixels = size.0 as usize * size.1 as usize;
    let tracker = AllocTracker::with_limit(pixels.saturating_mul(PIXEL).saturating_add(FIXED));
    let image = JxlImage::builder().alloc_tracker(tracker).read(bytes);
    let image = image.map_err(|error| source.damaged(error))?;
    if let Some(transfer) = image.hdr_type() {
        return Err(source.unsupported(format!("high dynamic range, {transfer:?}")));
    }
    let model = match image.pixel_format() {
        PixelFormat::Gray | PixelFormat::Graya => Model::Grey,
        PixelFormat::Rgb | PixelFormat::Rgba => Model::Rgb,
        PixelFormat::Cmyk | PixelFormat::Cmyka => return Err(source.unsupported("inks")),
    };
    if image.num_loaded_keyframes() == 0 {
        return Err(source.damaged("pixels are missing"));
    }
    let render = image
        .render_frame(0)
        .map_err(|error| source.damaged(error))?;
    let metadata = &image.image_header().metadata;
    let alpha = metadata.ec_info.iter().find(|channel| channel.is_alpha());
    let alpha = alpha.map(|channel| match channel.alpha_associated() {
        Some(true) => Alpha::Multiplied,
        Some(false) | None => Alpha::Straight,
    });
    let mut stream = render.stream();
    let (width, height) = (stream.width() as usize, stream.height() as usize);
    let count = width * height * stream.channels() as usize;
    let (samples, written) = match metadata.bit_depth.bits_per_sample() {
        ..=8 => {
            let mut samples = vec![0; count];
            let written = stream.write_to_buffer(&mut samples);
            (Samples::Eight(samples), written)
        }
        _ => {
            let mut samples = vec![0; count];
            let written = stream.write_to_buffer(&mut samples);
            (Samples::Sixteen(samples), written)
        }
    };
    if written != count {
        return Err(source.damaged("pixels are missing"));
    }
    // Samples of sRGB itself pass as they are; the profile that says so is rounded.
    let is_srgb = matches!(image.rendered_cicp(), Some([1, 13, ..]));
    Ok(Raw {
        width,
        height,
        samples,
        model,
        alpha,
        profile: (!is_srgb).then(|| Profile::Icc(image.rendered_icc())),
        orientation: Orientation::NoTransforms,
    })
}
