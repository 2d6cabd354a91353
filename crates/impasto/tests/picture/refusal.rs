//! What is refused: each with its own message, which names the file and says what to do.

use std::fs;
use std::path::Path;

use impasto::picture::{Limits, Picture, PictureError};
use proptest::prelude::*;

use super::golden;

/// A PNG that declares a size and has next to no pixels.
fn png_of(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .write_header()
        .unwrap()
        .write_chunk(png::chunk::IDAT, &[0x78, 0x9c])
        .unwrap();
    bytes
}

/// A BMP header for a size, and nothing else.
fn bmp_of(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bytes.extend(width.to_le_bytes());
    bytes.extend(height.to_le_bytes());
    bytes.extend(b"\x01\0\x18\0");
    bytes.resize(54, 0);
    bytes
}

#[test]
fn files_that_are_no_pictures_say_what_they_are() {
    let table: [(&str, &[u8], &str); 12] = [
        ("empty.jpg", b"", "the file is empty (0 bytes)"),
        (
            "text.jpg",
            b"Dear diary,\nno picture today.\n",
            "found text",
        ),
        ("umlaut.txt", "Gr\u{fc}\u{df}e".as_bytes(), "found text"),
        (
            "page.png",
            b"<!DOCTYPE html><html></html>",
            "found a web page or XML",
        ),
        ("phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0", "found HEIC"),
        ("new.jpg", b"\0\0\0\x1cftypavif\0\0\0\0", "found AVIF"),
        ("paper.png", b"%PDF-1.7\n", "found PDF"),
        ("zero.png", &[0; 64], "found nothing but zeros"),
        ("noise.png", &[0x9d, 0x01, 0xfe, 0x80], "found other data"),
        (
            "start.jpg",
            &[0xff, 0xd8, 0xff],
            "JPEG data is damaged or cut short",
        ),
        (
            "start.png",
            b"\x89PNG\r\n\x1a\n",
            "PNG data is damaged or cut short",
        ),
        ("start.gif", b"GIF89a", "GIF data is damaged or cut short"),
    ];
    for (name, bytes, found) in table {
        let error = Picture::decode(bytes, name, &Limits::default())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(&format!("cannot read {name}: ")),
            "{error}"
        );
        assert!(error.contains(found), "{name}: {error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

#[test]
fn paths_that_cannot_be_read_say_why() {
    let folder = impasto_testing::Folder::new();
    let missing = Picture::open(&folder.path().join("none.png")).unwrap_err();
    assert!(matches!(missing, PictureError::Missing { .. }), "{missing}");
    let directory = Picture::open(folder.path()).unwrap_err();
    assert!(
        matches!(directory, PictureError::Folder { .. }),
        "{directory}"
    );
    let nothing = Picture::open(Path::new("")).unwrap_err();
    assert!(matches!(nothing, PictureError::Missing { .. }), "{nothing}");
    let text = folder.path().join("text.jpg");
    fs::write(&text, "no picture").unwrap();
    let error = Picture::open(&text).unwrap_err().to_string();
    assert!(error.contains(&text.display().to_string()), "{error}");
}

#[test]
fn sizes_beyond_the_limits_are_refused_by_name() {
    let limits = |max_pixels, max_side, max_bytes| Limits {
        max_pixels,
        max_side,
        max_bytes,
    };
    let usual = Limits::default();
    let table = [
        ("bomb.png", png_of(60_000, 60_000), usual, "max_pixels"),
        ("wide.png", png_of(70_000, 1), usual, "max_side"),
        (
            "huge.png",
            png_of(i32::MAX as u32, i32::MAX as u32),
            usual,
            "max_side",
        ),
        ("bomb.bmp", bmp_of(50_000, 50_000), usual, "max_pixels"),
        (
            "small.png",
            png_of(11, 10),
            limits(100, 100, 1000),
            "max_pixels",
        ),
        (
            "long.png",
            png_of(10, 11),
            limits(1000, 10, 1000),
            "max_side",
        ),
        ("heavy.png", png_of(1, 1), limits(1000, 10, 20), "max_bytes"),
    ];
    for (name, bytes, limits, limit) in table {
        let error = Picture::decode(&bytes, name, &limits).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, PictureError::Limit { .. }), "{message}");
        assert!(
            message.contains(name) && message.contains(limit),
            "{message}"
        );
    }
}

#[test]
fn a_png_too_short_for_its_size_is_refused_before_the_pixels_are_allocated() {
    let error = Picture::decode(&png_of(19_000, 19_000), "hollow.png", &Limits::default());
    let message = error.unwrap_err().to_string();
    assert!(
        message.contains("too short for its 19000×19000 pixels"),
        "{message}"
    );
}

#[test]
fn every_format_checks_the_limits() {
    for name in [
        "rgb.jpg",
        "rgb.png",
        "lossy.webp",
        "rgb16.tif",
        "rgb.bmp",
        "palette.gif",
    ] {
        let bytes = fs::read(golden(name)).unwrap();
        let limits = Limits {
            max_pixels: 30,
            ..Limits::default()
        };
        let error = Picture::decode(&bytes, name, &limits).unwrap_err();
        assert!(
            matches!(
                error,
                PictureError::Limit {
                    limit: "max_pixels",
                    ..
                }
            ),
            "{error}"
        );
    }
}

/// A frame of 60,000×60,000 in a picture of 2×2.
#[test]
fn a_gif_frame_larger_than_its_picture_is_refused_before_it_is_allocated() {
    let mut bytes = b"GIF89a\x02\0\x02\0\x80\0\0\0\0\0\xff\xff\xff".to_vec();
    bytes.extend(b",\0\0\0\0\x60\xea\x60\xea\0\x02\x02\x84\x51\0;");
    let error = Picture::decode(&bytes, "frame.gif", &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("limit exceeded"), "{error}");
}

/// A file of a hundred kilobytes that would inflate to a hundred megabytes of metadata.
#[test]
fn compressed_metadata_that_explodes_does_no_harm() {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 1, 1);
    encoder.set_color(png::ColorType::Rgb);
    encoder
        .add_ztxt_chunk("bomb".into(), " ".repeat(100 << 20))
        .unwrap();
    encoder
        .write_header()
        .unwrap()
        .write_image_data(&[1, 2, 3])
        .unwrap();
    assert!(bytes.len() < 1 << 20);
    match Picture::decode(&bytes, "text.png", &Limits::default()) {
        Ok(picture) => assert_eq!(picture.width(), 1),
        Err(error) => panic!("{error}"),
    }
}

const TARGETS: [&str; 24] = [
    "arithmetic.jpg",
    "arithmetic-progressive.jpg",
    "restarts.jpg",
    "twelve-bits.jpg",
    "fax-rows.tif",
    "fax3-2d.tif",
    "fax4-reversed.tif",
    "zstd.tif",
    "palette.tif",
    "orientation6.webp",
    "rgb.jpg",
    "progressive.jpg",
    "cmyk-icc.jpg",
    "ycck.jpg",
    "orientation6.jpg",
    "p3.png",
    "rgb-interlaced.png",
    "palette-alpha.png",
    "tiff_lzw.tif",
    "cmyk-icc.tif",
    "jpeg.tif",
    "lossy-alpha.webp",
    "animated.gif",
    "palette.bmp",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn damaged_bytes_never_panic(
        target in 0..TARGETS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = fs::read(golden(TARGETS[target])).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let limits = Limits { max_pixels: 1 << 20, ..Limits::default() };
        if let Err(error) = Picture::decode(&bytes, "damaged", &limits) {
            let message = error.to_string();
            prop_assert!(message.starts_with("cannot read damaged: ") && !message.contains('\n'));
        }
    }
}
