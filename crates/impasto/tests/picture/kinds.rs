//! Small formats, alpha that is none, and files that are told apart by what is in them.

use impasto::picture::{Depth, Filter, Limits, Picture};

fn decode(bytes: &[u8]) -> Picture {
    Picture::decode(bytes, "file", &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

fn steps(picture: &Picture) -> Vec<u8> {
    picture
        .rgb()
        .iter()
        .map(|value| (255.0 * value).round() as u8)
        .collect()
}

#[test]
fn portable_maps_are_read() {
    let grey = |values: &[u8]| values.repeat(3);
    let table: [(&[u8], Vec<u8>); 6] = [
        (b"P1\n2 2\n1 0\n0 1\n", grey(&[0, 255, 255, 0])),
        (b"P4\n2 1\n\x80", grey(&[0, 255])),
        (b"P2\n# a comment\n2 1\n15\n0 15\n", grey(&[0, 255])),
        (b"P5 2 1 255\n\x07\xf0", grey(&[7, 240])),
        (b"P3 1 1 255\n1 2 3\n", vec![1, 2, 3]),
        (b"P6 1 1 255\n\x01\x02\x03", vec![1, 2, 3]),
    ];
    for (bytes, expected) in table {
        assert_eq!(steps(&decode(bytes)), expected, "{:?}", &bytes[..2]);
    }
    let wide = decode(b"P5 1 1 65535\n\x12\x34");
    assert_eq!(wide.depth(), Depth::Sixteen);
    assert!((wide.rgb()[0] - 4660.0 / 65535.0).abs() < 1e-6);
    let header = b"P7\nWIDTH 1\nHEIGHT 1\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n";
    let clear = decode(&[header.as_slice(), &[1, 2, 3, 51]].concat());
    assert_eq!(clear.alpha(), Some([0.2].as_slice()));
}

#[test]
fn qoi_is_read_with_its_two_curves() {
    let qoi = |curve: u8| {
        let mut bytes = b"qoif\0\0\0\x02\0\0\0\x01\x03".to_vec();
        bytes.extend([curve, 0xfe, 128, 128, 128, 0xc0]);
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 1]);
        bytes
    };
    assert_eq!(steps(&decode(&qoi(0))), [128; 6]);
    assert_eq!(steps(&decode(&qoi(1))), [188; 6]);
}

/// A BMP of version 4 with 32 bits a pixel, 2×1, with these alphas.
fn bmp(alpha: [u8; 2]) -> Vec<u8> {
    let mut bytes = b"BM".to_vec();
    for value in [122 + 8, 0, 122, 108, 2u32, 1] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.extend(b"\x01\0\x20\0");
    for value in [
        3u32,
        8,
        2835,
        2835,
        0,
        0,
        0xff_0000,
        0xff00,
        0xff,
        0xff00_0000,
    ] {
        bytes.extend(value.to_le_bytes());
    }
    bytes.resize(122, 0);
    bytes.extend([30, 20, 10, alpha[0], 60, 50, 40, alpha[1]]);
    bytes
}

#[test]
fn a_bmp_whose_alpha_is_zero_throughout_is_opaque() {
    let opaque = decode(&bmp([0, 0]));
    assert_eq!(opaque.alpha(), None);
    assert_eq!(steps(&opaque), [10, 40, 20, 50, 30, 60]);
    assert_eq!(decode(&bmp([0, 255])).alpha(), Some([0.0, 1.0].as_slice()));
}

#[test]
fn a_picture_that_is_clear_throughout_says_so() {
    let picture = Picture::new(2, 1, vec![0.5; 6]).unwrap();
    assert!(!picture.is_clear());
    assert!(
        !picture
            .clone()
            .with_alpha(vec![0.0, 0.1])
            .unwrap()
            .is_clear()
    );
    assert!(picture.with_alpha(vec![0.0; 2]).unwrap().is_clear());
}

#[test]
fn alpha_is_there_at_every_size() {
    let alpha: Vec<f32> = (0..12 * 8)
        .map(|i| if i % 12 < 6 { 1.0 } else { 0.0 })
        .collect();
    let picture = Picture::new(12, 8, vec![0.5; 3 * 12 * 8]).unwrap();
    assert_eq!(picture.alpha_resized(5, 5, Filter::Bicubic), None);
    let picture = picture.with_alpha(alpha.clone()).unwrap();
    assert_eq!(picture.alpha_resized(12, 8, Filter::Bicubic), Some(alpha));
    for (width, height) in [(5, 3), (1, 1), (0, 0), (40, 17)] {
        let plane = picture
            .alpha_resized(width, height, Filter::Bicubic)
            .unwrap();
        assert_eq!(plane.len(), width.max(1) * height.max(1));
        assert!(plane.iter().all(|alpha| (0.0..=1.0).contains(alpha)));
        let resized = picture.resized(width, height, Filter::Bicubic);
        assert_eq!(resized.alpha(), Some(plane.as_slice()));
    }
}

/// A file of the HEIF container with these brands, and an item of this codec.
fn heif(major: &[u8; 4], compatible: &[&[u8; 4]], codec: &[u8; 4]) -> Vec<u8> {
    let mut bytes = (16 + 4 * compatible.len() as u32).to_be_bytes().to_vec();
    bytes.extend(b"ftyp");
    bytes.extend(major);
    bytes.extend([0; 4]);
    compatible.iter().for_each(|brand| bytes.extend(*brand));
    bytes.extend(b"\0\0\0\x1dmeta\0\0\0\0\0\0\0\x15infe\x02\0\0\0\0\x01\0\0");
    bytes.extend(codec);
    bytes
}

#[test]
fn pictures_in_one_container_are_told_apart_and_the_way_out_is_said() {
    type Brand = &'static [u8; 4];
    let table: [(Brand, &[Brand], Brand, &str, &str); 7] = [
        (b"heic", &[b"mif1", b"heic"], b"hvc1", "found HEIC", "sips"),
        (
            b"mif1",
            &[b"mif1", b"heic"],
            b"hvc1",
            "found HEIC",
            "heif-convert",
        ),
        (
            b"avif",
            &[b"mif1", b"miaf"],
            b"av01",
            "found AVIF",
            "avifdec",
        ),
        (
            b"mif1",
            &[b"mif1", b"avif", b"miaf"],
            b"av01",
            "found AVIF",
            "ffmpeg",
        ),
        (
            b"mif1",
            &[b"mif1", b"miaf"],
            b"av01",
            "found AVIF",
            "magick",
        ),
        (b"mif1", &[b"mif1"], b"hvc1", "found HEIC", "sips"),
        (
            b"isom",
            &[b"mp41", b"avc1"],
            b"avc1",
            "found a video",
            "ffmpeg",
        ),
    ];
    for (major, compatible, codec, found, way_out) in table {
        let bytes = heif(major, compatible, codec);
        let error = Picture::decode(&bytes, "file", &Limits::default()).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains(found) && message.contains(way_out),
            "{message}"
        );
        assert!(!message.contains("damaged"), "{message}");
    }
}
