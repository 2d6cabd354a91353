//! Files that are sent: clean pictures come of them, or a sentence.

use crate::open::Open;
use impasto::Picture;
use impasto::picture::{Format, Limits, SaveOptions};
use impasto_testing::{Folder, skip};
use serde_json::Value;
use std::path::Path;

/// A picture of one colour.
fn picture(width: usize, height: usize, value: f32) -> Picture {
    Picture::new(width, height, vec![value; 3 * width * height]).unwrap()
}

fn png(width: usize, height: usize) -> Vec<u8> {
    picture(width, height, 0.5)
        .encode(Format::Png, &SaveOptions::default())
        .unwrap()
}

fn id(open: &Open, name: &str, bytes: &[u8]) -> String {
    let answer = open.send(name, bytes);
    assert_eq!(answer.status, 200, "{answer:?} {}", answer.text());
    answer.json()["picture"]["id"].as_str().unwrap().into()
}

/// That an answer is a sentence, and nothing of the file.
fn assert_sentence(open: &Open, name: &str, bytes: &[u8]) -> String {
    let answer = open.send(name, bytes);
    assert_eq!(answer.status, 422, "{name}: {}", answer.text());
    let problems = answer.json()["problems"].clone();
    let sentence = problems[0].as_str().unwrap().to_string();
    assert!(
        sentence.len() > 20 && sentence.len() < 600,
        "{name}: {sentence}"
    );
    sentence
}

#[test]
fn a_picture_comes_back_as_a_clean_png() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let options = SaveOptions {
        settings: Some(r#"{"secret": "SECRET"}"#.into()),
        ..SaveOptions::default()
    };
    let sent = [
        picture(40, 30, 0.25).encode(Format::Png, &options).unwrap(),
        b"<script>SECRET</script>".to_vec(),
    ]
    .concat();
    let id = id(&open, "photo.png", &sent);
    let back = open.get(&format!("/api/pictures/{id}"));
    assert_eq!(back.header("content-type"), Some("image/png"));
    let found = Picture::decode(&back.body, "a", &Limits::default()).unwrap();
    assert_eq!((found.width(), found.height()), (40, 30));
    assert!(!back.body.windows(6).any(|six| six == b"SECRET"));
    let small = open.get(&format!("/api/pictures/{id}/small"));
    assert_eq!(small.header("content-type"), Some("image/jpeg"));
    // The very bytes are kept, and have no address.
    let kept = folder
        .path()
        .join("pictures")
        .join(format!("{id}.original"));
    assert_eq!(std::fs::read(kept).unwrap(), sent);
    assert_eq!(
        open.get(&format!("/api/pictures/{id}.original")).status,
        404
    );
    assert_eq!(
        open.get(&format!("/api/pictures/{id}/original")).status,
        404
    );
    // Another program's studio does not know it.
    let other = Folder::new();
    assert_eq!(
        Open::new(&other).get(&format!("/api/pictures/{id}")).status,
        404
    );
}

#[test]
fn names_of_files_are_words_to_be_shown() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let long = "x".repeat(4_000);
    for name in [
        "..%2f..%2fx.png",
        "%2fetc%2fpasswd",
        "a%00b.png",
        &long,
        "CON.png",
        "%3Cimg%20onerror%3D1%3E.png",
        "%E2%80%AEgnp.exe",
        "",
    ] {
        let answer = open.send(name, &png(9, 7)).json();
        let shown = answer["picture"]["name"].as_str().unwrap();
        assert!(
            !shown.is_empty()
                && shown.chars().count() <= 120
                && !shown.contains(['/', '\0', '\u{202e}']),
            "{shown}"
        );
    }
    let files: Vec<_> = std::fs::read_dir(folder.path().join("pictures"))
        .unwrap()
        .collect();
    assert_eq!(
        files.len(),
        2,
        "one picture under one id, whatever it is called: {files:?}"
    );
}

#[test]
fn what_is_no_picture_is_refused_by_its_content() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    for (name, bytes) in [
        (
            "a.svg",
            &b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"[..],
        ),
        ("a.png", b"<!doctype html><script>alert(1)</script>"),
        ("a.pdf", b"%PDF-1.7 1 0 obj"),
        ("a.pth", b"\x80\x02}q\x00."),
        ("a.zip", b"PK\x03\x04aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("a.png", b""),
        ("a.gif", b"GIF89a"),
        ("a.exe", b"MZ\x90\x00"),
    ] {
        assert_sentence(&open, name, bytes);
    }
    // 65,535 pixels a side in a file of 60 bytes, and a whole one that is cut at every tenth byte.
    let mut huge = png(8, 8);
    huge[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let sentence = assert_sentence(&open, "huge.png", &huge);
    assert!(
        sentence.contains("30000") || sentence.contains("50000000"),
        "{sentence}"
    );
    let whole = png(64, 64);
    for end in (0..whole.len() - 40).step_by(10) {
        assert_sentence(&open, "cut.png", &whole[..end]);
    }
    assert_eq!(
        std::fs::read_dir(folder.path().join("pictures"))
            .unwrap()
            .count(),
        0
    );
    open.assert_untouched();
}

/// The library's own pictures, each changed at random places.
#[test]
fn a_thousand_changed_files_are_pictures_or_sentences() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../impasto/tests/golden/picture");
    let mut files: Vec<_> = std::fs::read_dir(fixtures)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| path.is_file() && path.metadata().unwrap().len() < 100_000);
    files.sort();
    assert!(files.len() > 20, "{files:?}");
    let mut random = impasto::Random::new(1);
    let mut counts = [0; 2];
    for turn in 0..1_000 {
        let mut bytes = std::fs::read(&files[turn % files.len()]).unwrap();
        for _ in 0..1 + turn / files.len() {
            let place = random.below(bytes.len());
            bytes[place] = random.below(256) as u8;
        }
        let answer = open.send("x", &bytes);
        match answer.status {
            200 => counts[0] += 1,
            422 => {
                counts[1] += 1;
                assert!(
                    answer.json()["problems"][0]
                        .as_str()
                        .unwrap()
                        .starts_with("cannot read x: "),
                    "{}",
                    answer.text()
                );
            }
            _ => panic!("{}: {answer:?}", files[turn % files.len()].display()),
        }
    }
    assert!(counts[0] > 50 && counts[1] > 50, "{counts:?}");
    assert_eq!(open.get("/api/state").status, 200);
}

/// Pictures that have broken programs, if they are there, and a TIFF of a hundred pages: the first one is taken.
#[test]
fn files_that_broke_others_are_pictures_or_sentences() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let page = |next: u32| {
        // Width, height, 8 bits, not compressed, black is 0, one strip of 4 bytes at offset 8.
        let entries: [(u16, u16, u32); 8] = [
            (256, 4, 2),
            (257, 4, 2),
            (258, 3, 8),
            (259, 3, 1),
            (262, 3, 1),
            (273, 4, 8),
            (278, 4, 2),
            (279, 4, 4),
        ];
        let mut bytes = (entries.len() as u16).to_le_bytes().to_vec();
        for (tag, kind, value) in entries {
            bytes.extend(tag.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            bytes.extend(1u32.to_le_bytes());
            bytes.extend(value.to_le_bytes());
        }
        bytes.extend(next.to_le_bytes());
        bytes
    };
    let mut tiff = b"II*\0\x0c\0\0\0\x00\x40\x80\xff".to_vec();
    let length = page(0).len() as u32;
    for number in 1..=100 {
        let next = 12 + number * length;
        tiff.extend(page(if number == 100 { 0 } else { next }));
    }
    let answer = open.send("pages.tif", &tiff);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["picture"]["width"], 2);
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/bugs");
    let Ok(files) = std::fs::read_dir(&shared) else {
        return skip("../shared/bugs is not there");
    };
    for entry in files {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let answer = open.send("x", &bytes);
        match answer.status {
            200 => assert!(answer.json()["picture"]["width"].as_i64().unwrap() > 0),
            422 => assert!(answer.json()["problems"][0].is_string()),
            status => panic!("{}: {status}", path.display()),
        }
    }
}

#[test]
fn settings_in_a_file_are_shown_as_text_or_refused() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let send = |settings: &str| {
        let options = SaveOptions {
            settings: Some(settings.into()),
            ..SaveOptions::default()
        };
        let bytes = picture(8, 8, 0.5).encode(Format::Png, &options).unwrap();
        open.send("a.png", &bytes).json()["made"].clone()
    };
    assert_eq!(send(r#"{"program":"other"}"#), Value::Null);
    let wrong = send(r#"{"program":"impasto","version":3,"recipe":"<script>"}"#);
    assert!(
        wrong["problem"]
            .as_str()
            .unwrap()
            .starts_with("the settings in a.png cannot be read"),
        "{wrong}"
    );
    let script = send(
        r#"{"program":"impasto","version":"<script>","encoder":"lite","styles":[],"recipe":{"seed":7}}"#,
    );
    assert_eq!(script["version"], "<script>");
    assert!(script["text"].as_str().unwrap().contains("seed = 7"));
    let long = format!(
        r#"{{"program":"impasto","version":"{}"}}"#,
        "x".repeat(5 << 20)
    );
    assert_eq!(send(&long), Value::Null);
}
