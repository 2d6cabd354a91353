//! What PNG says of its colours and its orientation beside ICC profiles and EXIF chunks.

use std::borrow::Cow;

use impasto::picture::{Limits, Picture, PictureError};

/// A PNG of one colour, 3×2, with `chunks` before its pixels.
fn png(colour: [u8; 3], chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 3, 2);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header().unwrap();
    for (kind, content) in chunks {
        writer
            .write_chunk(png::chunk::ChunkType(**kind), content)
            .unwrap();
    }
    writer.write_image_data(&colour.repeat(6)).unwrap();
    writer.finish().unwrap();
    bytes
}

fn decode(bytes: &[u8]) -> Result<Picture, PictureError> {
    Picture::decode(bytes, "file.png", &Limits::default())
}

/// The colour of the first pixel, in steps of 255.
fn seen(colour: [u8; 3], chunks: &[(&[u8; 4], &[u8])]) -> [f32; 3] {
    let picture = decode(&png(colour, chunks)).unwrap();
    [0, 1, 2].map(|c| 255.0 * picture.rgb()[6 * c])
}

fn coded(light: f64) -> f64 {
    if light <= 0.003_130_8 {
        12.92 * light
    } else {
        1.055 * light.powf(1.0 / 2.4) - 0.055
    }
}

fn light(coded: f64) -> f64 {
    if coded <= 0.040_45 {
        coded / 12.92
    } else {
        ((coded + 0.055) / 1.055).powf(2.4)
    }
}

/// Linear primaries to those of sRGB, white being the same.
const P3: [[f64; 3]; 3] = [
    [1.224_940, -0.224_940, 0.0],
    [-0.042_057, 1.042_057, 0.0],
    [-0.019_638, -0.078_636, 1.098_274],
];
const BT2020: [[f64; 3]; 3] = [
    [1.660_491, -0.587_641, -0.072_850],
    [-0.124_550, 1.132_900, -0.008_349],
    [-0.018_151, -0.100_579, 1.118_730],
];
const SAME: [[f64; 3]; 3] = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

fn expected(colour: [u8; 3], light: impl Fn(f64) -> f64, matrix: [[f64; 3]; 3]) -> [f32; 3] {
    let linear = colour.map(|value| light(f64::from(value) / 255.0));
    matrix.map(|row| {
        let sum: f64 = row.iter().zip(linear).map(|(m, v)| m * v).sum();
        255.0 * coded(sum.clamp(0.0, 1.0)) as f32
    })
}

fn assert_close(got: [f32; 3], expected: [f32; 3], what: &str) {
    for (a, b) in got.iter().zip(expected) {
        assert!(
            (a - b).abs() < 0.6,
            "{what}: {got:?} instead of {expected:?}"
        );
    }
}

const COLOURS: [[u8; 3]; 3] = [[180, 110, 60], [40, 90, 70], [255, 255, 255]];
const LINEAR_GAMMA: (&[u8; 4], &[u8]) = (b"gAMA", &[0, 1, 0x86, 0xa0]);
const SRGB_GAMMA: (&[u8; 4], &[u8]) = (b"gAMA", &[0, 0, 0xb1, 0x8f]);

#[test]
fn code_points_say_primaries_and_curve() {
    let bt709 = |v: f64| {
        if v < 0.081 {
            v / 4.5
        } else {
            ((v + 0.099) / 1.099).powf(1.0 / 0.45)
        }
    };
    for colour in COLOURS {
        let cases: [([u8; 2], [f32; 3]); 6] = [
            ([1, 13], colour.map(f32::from)),
            ([12, 13], expected(colour, light, P3)),
            ([9, 13], expected(colour, light, BT2020)),
            ([1, 8], expected(colour, |v| v, SAME)),
            ([1, 1], expected(colour, bt709, SAME)),
            ([9, 14], expected(colour, bt709, BT2020)),
        ];
        for ([primaries, transfer], expected) in cases {
            let got = seen(colour, &[(b"cICP", &[primaries, transfer, 0, 1])]);
            assert_close(
                got,
                expected,
                &format!("{colour:?} cICP {primaries} {transfer}"),
            );
        }
    }
}

#[test]
fn code_points_of_narrow_range_are_widened() {
    let got = seen([16, 235, 126], &[(b"cICP", &[1, 13, 0, 0])]);
    assert_close(got, [0.0, 255.0, 128.0], "narrow");
}

#[test]
fn high_dynamic_range_is_refused_by_its_name() {
    for (transfer, name) in [(16, "PQ"), (18, "HLG")] {
        let error = decode(&png([1, 2, 3], &[(b"cICP", &[9, transfer, 0, 1])])).unwrap_err();
        let message = error.to_string();
        assert!(
            matches!(error, PictureError::Unsupported { .. }),
            "{message}"
        );
        assert!(
            message.contains(name) && !message.contains("damaged"),
            "{message}"
        );
    }
}

#[test]
fn an_exponent_and_chromaticities_are_honoured() {
    let chrm = |values: [u32; 8]| values.map(u32::to_be_bytes).concat();
    let p3 = chrm([31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000]);
    let srgb = chrm([31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000]);
    for colour in COLOURS {
        let linear = expected(colour, |v| v, SAME);
        assert_close(seen(colour, &[LINEAR_GAMMA]), linear, "gAMA 1");
        assert_close(
            seen(colour, &[LINEAR_GAMMA, (b"cHRM", &srgb)]),
            linear,
            "gAMA 1 and cHRM",
        );
        assert_close(
            seen(colour, &[(b"cHRM", &p3)]),
            expected(colour, light, P3),
            "cHRM",
        );
        let same = colour.map(f32::from);
        assert_close(seen(colour, &[SRGB_GAMMA]), same, "sRGB's gAMA");
        assert_close(
            seen(colour, &[SRGB_GAMMA, (b"cHRM", &srgb)]),
            same,
            "sRGB's gAMA and cHRM",
        );
        for (what, chunk) in [
            ("no gamma", (b"gAMA", [0u8; 4].as_slice())),
            ("huge gamma", (b"gAMA", [0xff; 4].as_slice())),
            ("no chromaticities", (b"cHRM", [0u8; 32].as_slice())),
        ] {
            assert_close(seen(colour, &[chunk]), same, what);
        }
    }
}

#[test]
fn the_more_exact_chunk_wins() {
    let colour = [180, 110, 60];
    let same = colour.map(f32::from);
    let srgb: (&[u8; 4], &[u8]) = (b"sRGB", &[0]);
    let cicp: (&[u8; 4], &[u8]) = (b"cICP", &[1, 13, 0, 1]);
    assert_close(
        seen(colour, &[srgb, LINEAR_GAMMA]),
        same,
        "sRGB before gAMA",
    );
    assert_close(
        seen(colour, &[cicp, LINEAR_GAMMA]),
        same,
        "cICP before gAMA",
    );
    let p3: (&[u8; 4], &[u8]) = (b"cICP", &[12, 13, 0, 1]);
    assert_close(
        seen(colour, &[p3, srgb]),
        expected(colour, light, P3),
        "cICP before sRGB",
    );
    let unknown: (&[u8; 4], &[u8]) = (b"cICP", &[200, 13, 0, 1]);
    let linear = expected(colour, |v| v, SAME);
    assert_close(
        seen(colour, &[unknown, LINEAR_GAMMA]),
        linear,
        "gAMA after an unknown cICP",
    );
}

/// EXIF that says nothing but orientation 6.
const EXIF: &[u8] = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";

#[test]
fn orientation_is_found_however_it_is_wrapped() {
    let prefixed = [b"Exif\0\0", EXIF].concat();
    let raw = |name: &str, exif: &[u8]| {
        let digits: Vec<String> = exif.iter().map(|byte| format!("{byte:02x}")).collect();
        let lines: Vec<String> = digits.chunks(36).map(<[String]>::concat).collect();
        format!("\n{name}\n{:8}\n{}\n", exif.len(), lines.join("\n"))
    };
    for exif in [EXIF, &prefixed] {
        for (keyword, name) in [
            ("Raw profile type exif", "exif"),
            ("Raw profile type APP1", "generic"),
        ] {
            for packed in [false, true] {
                let mut bytes = Vec::new();
                let mut encoder = png::Encoder::new(&mut bytes, 3, 2);
                encoder.set_color(png::ColorType::Rgb);
                let text = raw(name, exif);
                if packed {
                    encoder.add_ztxt_chunk(keyword.into(), text).unwrap();
                } else {
                    encoder.add_text_chunk(keyword.into(), text).unwrap();
                }
                encoder
                    .write_header()
                    .unwrap()
                    .write_image_data(&[9; 18])
                    .unwrap();
                let picture = decode(&bytes).unwrap();
                assert_eq!(
                    (picture.width(), picture.height()),
                    (2, 3),
                    "{keyword} {packed}"
                );
            }
        }
        let mut info = png::Info::with_size(3, 2);
        info.color_type = png::ColorType::Rgb;
        info.exif_metadata = Some(Cow::Borrowed(exif));
        let mut bytes = Vec::new();
        let encoder = png::Encoder::with_info(&mut bytes, info).unwrap();
        encoder
            .write_header()
            .unwrap()
            .write_image_data(&[9; 18])
            .unwrap();
        let picture = decode(&bytes).unwrap();
        assert_eq!((picture.width(), picture.height()), (2, 3), "eXIf");
        let picture = decode(&webp_with_exif(exif)).unwrap();
        assert_eq!((picture.width(), picture.height()), (2, 3), "WebP");
    }
}

fn webp_with_exif(exif: &[u8]) -> Vec<u8> {
    use image::ImageEncoder;
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut bytes);
    encoder.set_exif_metadata(exif.to_vec()).unwrap();
    let color = image::ExtendedColorType::Rgb8;
    encoder.write_image(&[9; 18], 3, 2, color).unwrap();
    bytes
}
