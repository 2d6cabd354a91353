//! What is whole is read, with its end marker or without; what lacks pixels is refused or told,
//! whatever its end says.

use std::fs;

use impasto::picture::{Depth, Format, Limits, Picture, PictureError, SaveOptions};

use super::golden;

fn decode(bytes: &[u8]) -> Result<Picture, PictureError> {
    Picture::decode(bytes, "file", &Limits::default())
}

/// A picture whose content is no pattern that a decoder could guess.
fn noise(width: usize, height: usize) -> Picture {
    let mut state = 1u32;
    let planes = (0..3 * width * height).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as f32 / 255.0
    });
    Picture::new(width, height, planes.collect()).unwrap()
}

fn encoded(format: Format) -> Vec<u8> {
    noise(96, 64)
        .encode(format, &SaveOptions::default())
        .unwrap()
}

const JPEGS: [&str; 6] = [
    "rgb.jpg",
    "progressive.jpg",
    "restarts.jpg",
    "arithmetic.jpg",
    "arithmetic-restarts.jpg",
    "arithmetic-progressive.jpg",
];

/// In arithmetic codes nobody can tell what is missing, so that these need their end.
#[test]
fn a_jpeg_without_its_end_marker_is_read() {
    for name in JPEGS {
        let bytes = fs::read(golden(name)).unwrap();
        assert!(bytes.ends_with(&[0xff, 0xd9]), "{name}");
        let cut = decode(&bytes[..bytes.len() - 2]);
        if name.starts_with("arithmetic") {
            assert!(cut.is_err(), "{name}");
            continue;
        }
        let cut = cut.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(cut, decode(&bytes).unwrap(), "{name}");
    }
}

#[test]
fn a_jpeg_that_lacks_blocks_is_refused_though_it_has_an_end_marker() {
    let mut files: Vec<(String, Vec<u8>)> = JPEGS
        .iter()
        .map(|name| (name.to_string(), fs::read(golden(name)).unwrap()))
        .collect();
    files.push(("noise".into(), encoded(Format::Jpeg)));
    for (name, bytes) in files {
        let scan = bytes
            .windows(2)
            .rposition(|pair| pair == [0xff, 0xda])
            .unwrap();
        for share in [2, 4, 6] {
            let mut cut = bytes[..scan + 14 + (bytes.len() - scan - 14) * share / 10].to_vec();
            cut.extend([0xff, 0xd9]);
            match decode(&cut) {
                Err(error @ PictureError::Damaged { .. }) => {
                    assert!(
                        error.to_string().contains("% of it is missing"),
                        "{name}: {error}"
                    );
                }
                other => panic!("{name} {share}: {:?}", other.map(|_| "read")),
            }
        }
    }
}

#[test]
fn a_restart_interval_that_is_missing_is_not_passed_over() {
    let bytes = fs::read(golden("restarts.jpg")).unwrap();
    let is_restart = |pair: &[u8]| pair[0] == 0xff && (0xd0..=0xd7).contains(&pair[1]);
    let restarts: Vec<usize> = (0..bytes.len() - 1)
        .filter(|&at| is_restart(&bytes[at..at + 2]))
        .collect();
    let lost = [&bytes[..restarts[0]], &bytes[restarts[1]..]].concat();
    let error = decode(&lost).unwrap_err();
    assert!(matches!(error, PictureError::Damaged { .. }), "{error}");
}

#[test]
fn a_png_without_its_end_is_read_and_one_without_pixels_is_not() {
    for name in [
        "rgb.png",
        "rgb-interlaced.png",
        "palette4.png",
        "rgba16.png",
    ] {
        let bytes = fs::read(golden(name)).unwrap();
        let whole = decode(&bytes).unwrap();
        let pixels = bytes.windows(4).rposition(|kind| kind == b"IDAT").unwrap();
        // The end alone, half of its chunk, and the checksum of the pixels.
        for cut in [12, 5, 16] {
            let cut = decode(&bytes[..bytes.len() - cut]);
            assert_eq!(cut.unwrap_or_else(|error| panic!("{name}: {error}")), whole);
        }
        let half = (pixels + 4 + bytes.len()) / 2 - 8;
        let error = decode(&bytes[..half]).unwrap_err();
        assert!(
            matches!(error, PictureError::Damaged { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_webp_may_lack_what_follows_its_pixels() {
    let bytes = fs::read(golden("orientation6.webp")).unwrap();
    let exif = bytes.windows(4).rposition(|kind| kind == b"EXIF").unwrap();
    for length in [exif, exif + 6, exif + 12] {
        let picture = decode(&bytes[..length]).unwrap_or_else(|error| panic!("{length}: {error}"));
        let upright = decode(&bytes).unwrap();
        assert_eq!(
            (picture.width(), picture.height()),
            (upright.height(), upright.width())
        );
    }
    let error = decode(&bytes[..exif - 4]).unwrap_err();
    assert!(matches!(error, PictureError::Damaged { .. }), "{error}");
}

/// Half of the pixels, in containers that say that nothing is missing.
#[test]
fn containers_that_agree_with_themselves_hide_no_missing_pixels() {
    let webp = |bytes: Vec<u8>, at: usize| {
        let content = (bytes.len() - at - 8) / 4 * 2;
        let mut cut = bytes[..at + 8 + content].to_vec();
        cut[at + 4..at + 8].copy_from_slice(&(content as u32).to_le_bytes());
        let length = (cut.len() - 8) as u32;
        cut[4..8].copy_from_slice(&length.to_le_bytes());
        cut
    };
    let lossy = fs::read(golden("lossy.webp")).unwrap();
    let at = lossy.windows(4).position(|kind| kind == b"VP8 ").unwrap();
    let lossless = encoded(Format::WebP);
    let at_lossless = lossless
        .windows(4)
        .position(|kind| kind == b"VP8L")
        .unwrap();
    let tiff = {
        // A strip of half its rows.
        let mut file = b"II*\0\x08\0\0\0\x08\0".to_vec();
        for (tag, value) in [
            (256u16, 8u32),
            (257, 8),
            (258, 8),
            (259, 1),
            (262, 1),
            (273, 110),
            (278, 8),
            (279, 32),
        ] {
            file.extend(tag.to_le_bytes());
            file.extend(4u16.to_le_bytes());
            file.extend(1u32.to_le_bytes());
            file.extend(value.to_le_bytes());
        }
        file.extend([0; 4]);
        file.resize(110 + 32, 77);
        file
    };
    let gif = {
        let bytes = fs::read(golden("palette.gif")).unwrap();
        let mut cut = bytes[..bytes.len() - 14].to_vec();
        cut.extend([0, b';']);
        cut
    };
    for (name, bytes) in [
        ("lossy.webp", webp(lossy, at)),
        ("lossless.webp", webp(lossless, at_lossless)),
        ("strip.tif", tiff),
        ("frame.gif", gif),
        (
            "qoi",
            b"qoif\0\0\0\x08\0\0\0\x08\x03\0\xfe\x01\x02\x03\xc2\0\0\0\0\0\0\0\x01".to_vec(),
        ),
        ("pgm", b"P5 4 4 255\n01234567".to_vec()),
        ("ppm", b"P3 2 2 255\n1 2 3 4 5 6 7 8 9".to_vec()),
    ] {
        match decode(&bytes) {
            Err(PictureError::Damaged { .. }) => {}
            other => panic!("{name}: {:?}", other.map(|picture| picture.rgb().to_vec())),
        }
    }
}

#[test]
fn a_gif_without_its_trailer_is_read() {
    let bytes = fs::read(golden("palette.gif")).unwrap();
    assert!(bytes.ends_with(b";"));
    assert_eq!(
        decode(&bytes[..bytes.len() - 1]).unwrap(),
        decode(&bytes).unwrap()
    );
}

#[test]
fn twelve_bits_are_kept() {
    let bytes = fs::read(golden("twelve-bits.jpg")).unwrap();
    assert_eq!(decode(&bytes).unwrap().depth(), Depth::Sixteen);
}

#[test]
fn a_progressive_jpeg_without_its_last_scan_is_coarse_and_without_its_end_too_it_is_refused() {
    let bytes = fs::read(golden("progressive.jpg")).unwrap();
    let last = bytes
        .windows(2)
        .rposition(|pair| pair == [0xff, 0xda])
        .unwrap();
    let closed = [&bytes[..last], &[0xff, 0xd9]].concat();
    assert!(decode(&closed).is_ok());
    let error = decode(&bytes[..last]).unwrap_err();
    assert!(matches!(error, PictureError::Damaged { .. }), "{error}");
}

#[test]
fn valid_kinds_that_are_not_read_are_not_called_damaged() {
    let bytes = fs::read(golden("rgb.jpg")).unwrap();
    let header = bytes
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    let marked = |marker: u8| {
        let mut bytes = bytes.clone();
        bytes[header + 1] = marker;
        bytes
    };
    let phone =
        b"\x89PNG\r\n\x1a\n\0\0\0\x04CgBI\x50\0\x20\x02\x2b\xd5\xb3\x7f\0\0\0\x0dIHDR".to_vec();
    for (bytes, what) in [
        (marked(0xc3), "lossless"),
        (marked(0xc5), "hierarchical"),
        (marked(0xf7), "JPEG-LS"),
        (phone, "CgBI"),
    ] {
        let error = decode(&bytes).unwrap_err();
        let message = error.to_string();
        assert!(
            matches!(error, PictureError::Unsupported { .. }),
            "{message}"
        );
        assert!(
            message.contains(what) && message.contains("magick"),
            "{message}"
        );
    }
}
