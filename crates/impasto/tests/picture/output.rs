//! What is written: samples, depth, alpha, profile, settings, and the file itself.

use std::fs;
use std::path::Path;

use impasto::picture::{Depth, Format, Limits, Picture, PictureError, SaveOptions};
use impasto_testing::{Folder, Tolerance, assert_close};

const FORMATS: [Format; 4] = [Format::Png, Format::Jpeg, Format::WebP, Format::Tiff];
const SIZES: [(usize, usize); 5] = [(1, 1), (1, 7), (7, 1), (3, 2), (33, 17)];

/// A picture whose samples are whole steps of `depth`.
fn sample(width: usize, height: usize, depth: Depth, alpha: bool) -> Picture {
    let top = if depth == Depth::Eight { 255 } else { 65_535 };
    let step = |i: usize| (i * 7919 % (top + 1)) as f32 / top as f32;
    let picture = Picture::new(width, height, (0..3 * width * height).map(step).collect());
    let picture = picture.unwrap().with_depth(depth);
    if !alpha {
        return picture;
    }
    picture
        .with_alpha((5..width * height + 5).map(step).collect())
        .unwrap()
}

fn read(bytes: &[u8], name: &str) -> Picture {
    Picture::decode(bytes, name, &Limits::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn lossless_formats_give_back_what_was_written() {
    for format in [Format::Png, Format::WebP, Format::Tiff] {
        for (width, height) in SIZES {
            for (depth, alpha) in [
                (Depth::Eight, false),
                (Depth::Eight, true),
                (Depth::Sixteen, true),
                (Depth::Sixteen, false),
            ] {
                if format == Format::WebP && depth == Depth::Sixteen {
                    continue;
                }
                let picture = sample(width, height, depth, alpha);
                let bytes = picture.encode(format, &SaveOptions::default()).unwrap();
                let what = format!("{format:?} {width}×{height} {depth:?} alpha {alpha}");
                assert_eq!(read(&bytes, &what), picture, "{what}");
            }
        }
    }
}

#[test]
fn jpeg_is_close_and_lies_over_white() {
    for (width, height) in SIZES {
        let flat = [
            vec![0.8; width * height],
            vec![0.2; width * height],
            vec![0.5; width * height],
        ];
        let picture = Picture::new(width, height, flat.concat()).unwrap();
        let clear = picture
            .clone()
            .with_alpha(vec![0.25; width * height])
            .unwrap();
        for (picture, expected) in [(picture, [0.8, 0.2, 0.5]), (clear, [0.95, 0.8, 0.875])] {
            let written = read(
                &picture
                    .encode(Format::Jpeg, &SaveOptions::default())
                    .unwrap(),
                "jpeg",
            );
            assert_eq!(
                (written.width(), written.height(), written.alpha()),
                (width, height, None)
            );
            for (c, plane) in written.rgb().chunks_exact(width * height).enumerate() {
                let case = format!("{width}×{height}, plane {c}");
                let flat = vec![expected[c]; width * height];
                assert_close(&case, plane, &flat, Tolerance::absolute(3.0 / 255.0));
            }
        }
    }
}

#[test]
fn the_depth_asked_for_wins_over_the_picture_s_own() {
    let picture = sample(5, 3, Depth::Sixteen, false);
    for (format, asked, expected) in [
        (Format::Png, None, Depth::Sixteen),
        (Format::Png, Some(Depth::Eight), Depth::Eight),
        (Format::Tiff, Some(Depth::Eight), Depth::Eight),
        (Format::WebP, Some(Depth::Sixteen), Depth::Eight),
        (Format::Jpeg, None, Depth::Eight),
    ] {
        let options = SaveOptions {
            depth: asked,
            ..SaveOptions::default()
        };
        let bytes = picture.encode(format, &options).unwrap();
        assert_eq!(
            read(&bytes, "depth").depth(),
            expected,
            "{format:?} {asked:?}"
        );
    }
}

#[test]
fn values_are_rounded_to_the_nearest_step_and_strange_ones_clamped() {
    let table = [
        (0.49 / 255.0, 0),
        (0.51 / 255.0, 1),
        (254.4 / 255.0, 254),
        (-3.0, 0),
        (7.0, 255),
        (f32::INFINITY, 255),
        (f32::NEG_INFINITY, 0),
        (f32::NAN, 0),
    ];
    let row: Vec<f32> = table.iter().map(|(value, _)| *value).collect();
    let picture = Picture::new(table.len(), 1, row.repeat(3)).unwrap();
    for format in [Format::Png, Format::WebP, Format::Tiff] {
        let bytes = picture.encode(format, &SaveOptions::default()).unwrap();
        let written = read(&bytes, "steps");
        for (x, (value, expected)) in table.iter().enumerate() {
            let step = (written.rgb()[x] * 255.0).round() as i32;
            assert_eq!(step, *expected, "{value} in {format:?}");
        }
    }
}

#[test]
fn every_format_carries_the_settings_and_a_profile() {
    let settings = r#"{"style":"Sternennacht ★ 🎨","steps":500}"#;
    let ascii = r#"{"style":"Sternennacht \u2605 \ud83c\udfa8","steps":500}"#;
    let options = SaveOptions {
        settings: Some(settings.into()),
        ..SaveOptions::default()
    };
    let as_json = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(as_json(settings), as_json(ascii));
    for format in FORMATS {
        for alpha in [false, true] {
            let picture = sample(9, 5, Depth::Eight, alpha);
            let bytes = picture.encode(format, &options).unwrap();
            let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
            assert!(holds(ascii.as_bytes()), "{format:?} lacks the settings");
            let marker: &[u8] = if format == Format::Png {
                b"sRGB"
            } else {
                b"mntrRGB XYZ "
            };
            assert!(holds(marker), "{format:?} lacks the profile");
            assert_eq!(read(&bytes, "settings").width(), 9);
        }
    }
}

#[test]
fn settings_too_long_for_a_comment_do_not_spoil_the_picture() {
    let picture = sample(9, 5, Depth::Eight, false);
    for length in [65_533 - 2, 65_534 - 2, 200_000] {
        let settings = format!("\"{}\"", "x".repeat(length));
        let options = SaveOptions {
            settings: Some(settings),
            ..SaveOptions::default()
        };
        for format in FORMATS {
            let written = read(&picture.encode(format, &options).unwrap(), "long settings");
            assert_eq!(
                (written.width(), written.height()),
                (9, 5),
                "{format:?} {length}"
            );
        }
    }
}

#[test]
fn the_same_picture_gives_the_same_bytes() {
    let picture = sample(40, 30, Depth::Eight, true);
    let with = |format, threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| picture.encode(format, &SaveOptions::default()).unwrap())
    };
    for format in FORMATS {
        assert_eq!(with(format, 1), with(format, 3), "{format:?}");
    }
}

#[test]
fn the_extension_says_the_format() {
    for (name, expected) in [
        ("a.png", Some(Format::Png)),
        ("a.JPG", Some(Format::Jpeg)),
        ("a.b.jpeg", Some(Format::Jpeg)),
        ("a.webp", Some(Format::WebP)),
        ("a.tif", Some(Format::Tiff)),
        ("a.TIFF", Some(Format::Tiff)),
        ("a.gif", None),
        ("png", None),
        (".png", None),
        ("", None),
    ] {
        match (Format::from_path(Path::new(name)), expected) {
            (Ok(format), Some(expected)) => assert_eq!(format, expected, "{name}"),
            (Err(error), None) => {
                let message = error.to_string();
                assert!(message.contains(".png, .jpg, .webp or .tif"), "{message}");
            }
            (got, _) => panic!("{name}: {got:?}"),
        }
    }
}

#[test]
fn a_file_is_replaced_whole_and_nothing_else_is_left() {
    let folder = Folder::new();
    for name in ["a.png", "a.jpg", "a.webp", "a.tif"] {
        let path = folder.path().join(name);
        fs::write(&path, "something older and longer than nothing").unwrap();
        let picture = sample(6, 4, Depth::Eight, false);
        picture.save(&path, &SaveOptions::default()).unwrap();
        assert_eq!(Picture::open(&path).unwrap().width(), 6);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn a_file_that_cannot_be_written_leaves_nothing_behind() {
    let folder = Folder::new();
    fs::write(folder.path().join("file"), "not a folder").unwrap();
    fs::create_dir(folder.path().join("folder.png")).unwrap();
    let picture = sample(3, 3, Depth::Eight, false);
    for (name, hint) in [
        ("missing/out.png", "create the folder"),
        ("file/out.png", "a part of the path is a file"),
        ("folder.png", "it is a folder"),
        ("out.xyz", "does not write .xyz"),
        ("out", "no extension"),
    ] {
        let path = folder.path().join(name);
        let error = picture
            .save(&path, &SaveOptions::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(hint) && error.contains(name), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[cfg(unix)]
#[test]
fn a_link_stays_a_link() {
    let folder = Folder::new();
    let (target, link) = (
        folder.path().join("target.png"),
        folder.path().join("link.png"),
    );
    fs::write(&target, "old").unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    sample(3, 2, Depth::Eight, false)
        .save(&link, &SaveOptions::default())
        .unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(Picture::open(&target).unwrap().height(), 2);
}

#[test]
fn sizes_that_a_format_cannot_hold_are_refused() {
    for (format, width) in [(Format::Jpeg, 65_536), (Format::WebP, 16_384)] {
        let picture = Picture::new(width, 1, vec![0.5; 3 * width]).unwrap();
        match picture.encode(format, &SaveOptions::default()) {
            Err(error @ PictureError::TooLarge { .. }) => {
                assert!(
                    error.to_string().contains(&(width - 1).to_string()),
                    "{error}"
                );
            }
            other => panic!("{format:?}: {:?}", other.map(|bytes| bytes.len())),
        }
        let picture = Picture::new(1, width - 1, vec![0.5; 3 * (width - 1)]).unwrap();
        let bytes = picture.encode(format, &SaveOptions::default()).unwrap();
        assert_eq!(read(&bytes, "long").height(), width - 1);
    }
}

#[test]
fn planes_of_the_wrong_length_are_refused() {
    for (width, height, values) in [
        (2, 2, 11),
        (2, 2, 13),
        (0, 3, 0),
        (3, 0, 0),
        (usize::MAX, 2, 6),
    ] {
        let error = Picture::new(width, height, vec![0.0; values]).unwrap_err();
        assert!(matches!(error, PictureError::Shape { .. }), "{error}");
    }
    let error = Picture::new(2, 1, vec![0.0; 6])
        .unwrap()
        .with_alpha(vec![1.0; 3])
        .unwrap_err();
    assert!(
        error.to_string().contains("2 values of alpha, got 3"),
        "{error}"
    );
}
