//! Clips and films: looked at before they are taken, seen frame by frame, served in parts.

use crate::open::{Answer, Open, read};
use impasto::Picture;
use impasto::picture::{Format, SaveOptions};
use impasto_testing::Folder;
use impasto_video::{Channels, Frame, Info, Sink, Time, TimeBase, WriteOptions};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;

/// A film of some frames of a tenth of a second, in which a bar moves; the ending of its name says which kind.
fn write(path: &Path, frames: usize) {
    let (width, height) = (64, 48);
    let info = Info {
        time_base: TimeBase::new(1, 10).unwrap(),
        ..Info::of_size(width, height, "test")
    };
    let mut sink = Sink::create(path, &info, &WriteOptions::default()).unwrap();
    for number in 0..frames {
        let at = |place: usize| match place % width / 4 == number {
            true => [240, 200, 40],
            false => [40, 60, 120],
        };
        let samples = (0..width * height).flat_map(at).collect();
        let picture = impasto_video::Picture::eight(width, height, Channels::Rgb, samples).unwrap();
        let (number, start) = (number as u64, number as i64);
        let time = Time { start, duration: 1 };
        sink.write(&Frame {
            number,
            time,
            picture,
        })
        .unwrap();
    }
    sink.finish().unwrap();
}

/// The bytes of such a film.
fn film(name: &str, frames: usize) -> Vec<u8> {
    let folder = Folder::new();
    let path = folder.path().join(name);
    write(&path, frames);
    std::fs::read(path).unwrap()
}

fn send(open: &Open, name: &str, bytes: &[u8]) -> Answer {
    let headers = format!(
        "Origin: http://127.0.0.1:{}\r\nContent-Type: application/octet-stream\r\n",
        open.port
    );
    open.with_cookie(&format!("POST /api/clips?name={name}"), &headers, bytes)
}

/// The names of what is kept of clips.
fn kept(folder: &Folder) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join("clips")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.collect()
}

/// How bright the columns of a picture are where the bar is of frame 5, less than of frame 0.
fn bar(bytes: &[u8]) -> f32 {
    let picture = Picture::decode(bytes, "frame", &Default::default()).unwrap();
    assert_eq!((picture.width(), picture.height()), (64, 48));
    picture.rgb()[24 * 64 + 22] - picture.rgb()[24 * 64 + 2]
}

#[test]
fn clips_are_looked_at_and_seen_frame_by_frame() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    for name in ["walk.mp4", "walk.gif", "walk.png", "walk.y4m"] {
        let answer = send(&open, name, &film(name, 8));
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
        let clip = answer.json()["clip"].clone();
        assert_eq!(clip["name"], name);
        assert_eq!(
            (&clip["frames"], &clip["width"], &clip["height"]),
            (&json!(8), &json!(64), &json!(48))
        );
        assert!(
            (clip["seconds"].as_f64().unwrap() - 0.8).abs() < 0.02,
            "{clip}"
        );
        let id = clip["id"].as_str().unwrap();
        assert_eq!(open.get(&format!("/api/clips/{id}")).json()["clip"], clip);
        let frame = |number: &str| open.get(&format!("/api/clips/{id}/frames/{number}"));
        // Forwards, backwards, and the same again.
        for (number, sign) in [("0", -1.0), ("5", 1.0), ("0", -1.0), ("5", 1.0), ("5", 1.0)] {
            let answer = frame(number);
            assert_eq!(
                (answer.status, answer.header("content-type")),
                (200, Some("image/jpeg"))
            );
            assert!(
                sign * bar(&answer.body) > 0.3,
                "{name}, {number}: {}",
                bar(&answer.body)
            );
        }
        for none in ["8", "-1", "4294967296", "x", "0/", "1e1", ""] {
            assert_eq!(frame(none).status, 404, "{name}: {none}");
        }
        // A frame becomes a picture like any.
        let picture =
            open.post(&format!("/api/clips/{id}/frames/5"), "{}").json()["picture"].clone();
        assert_eq!(picture["name"], "walk 5.png");
        let back = open.get(&format!(
            "/api/pictures/{}",
            picture["id"].as_str().unwrap()
        ));
        assert!(bar(&back.body) > 0.3);
        // The file has no address.
        for path in ["", "/film", "/original", ".mp4", ".json"] {
            let status = open.get(&format!("/api/clips/{id}{path}")).status;
            assert!(status == 404 || path.is_empty(), "{path}: {status}");
        }
    }
    assert_eq!(kept(&folder).len(), 8, "four, and what is known of each");
    // The same again is the same.
    let again = send(&open, "other.mp4", &film("walk.mp4", 8)).json()["clip"].clone();
    assert_eq!(again["name"], "other.mp4");
    assert_eq!(kept(&folder).len(), 8);
}

#[test]
fn what_is_no_clip_is_refused_by_its_content() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    for (name, bytes) in [
        (
            "a.mp4",
            &b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"[..],
        ),
        ("a.mp4", b"<!doctype html><script>alert(1)</script>"),
        ("a.mp4", b"%PDF-1.7 1 0 obj"),
        ("a.mkv", b"\x1a\x45\xdf\xa3\x01\0\0\0\0\0\0\x1fB\x86"),
        ("a.mp4", b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"),
        ("a.mp4", b"#EXTM3U\nfile:///etc/passwd\n"),
        ("a.y4m", b"YUV4MPEG2 W99999 H99999 F1:1\nFRAME\n"),
        ("a.gif", b"GIF89a"),
        ("a.webp", b"RIFF\xff\xff\xff\xffWEBPVP8X"),
        ("a.mp4", b""),
    ] {
        let answer = send(&open, name, bytes);
        assert_eq!(answer.status, 422, "{name}: {}", answer.text());
        let sentence = answer.json()["problems"][0].as_str().unwrap().to_string();
        assert!(
            sentence.len() > 20 && !sentence.contains("arriving"),
            "{sentence}"
        );
        assert!(sentence.contains(name), "{sentence}");
    }
    // What does not move is a picture, which the page sends as such.
    let still = Picture::new(8, 8, vec![0.5; 192]).unwrap();
    let still = still.encode(Format::Png, &SaveOptions::default()).unwrap();
    assert_eq!(send(&open, "a.png", &still).json(), json!({"still": true}));
    // A film that is cut off is what it is up to there, or a sentence; so is one that was changed.
    let mut random = impasto::Random::new(3);
    let mut refused = 0;
    for name in ["a.mp4", "a.gif", "a.png", "a.y4m"] {
        let whole = film(name, 6);
        for turn in 0..60 {
            let mut bytes = whole.clone();
            match turn % 3 {
                0 => bytes.truncate(random.below(bytes.len())),
                _ => {
                    for _ in 0..1 + turn / 4 {
                        let place = random.below(bytes.len());
                        bytes[place] = random.below(256) as u8;
                    }
                }
            }
            let answer = send(&open, "x", &bytes);
            match answer.status {
                200 => {
                    let answer = answer.json();
                    if let Some(id) = answer["clip"]["id"].as_str() {
                        let last = answer["clip"]["frames"].as_u64().unwrap() - 1;
                        let seen = open.get(&format!("/api/clips/{id}/frames/{last}"));
                        assert!([200, 404, 422].contains(&seen.status), "{name}: {seen:?}");
                    }
                }
                422 => {
                    refused += 1;
                    let problems = answer.json()["problems"].clone();
                    assert!(
                        problems[0].as_str().is_some_and(|line| line.len() > 10),
                        "{problems}"
                    );
                }
                _ => panic!("{name}, {turn}: {answer:?}"),
            }
        }
    }
    assert!(refused > 40, "{refused}");
    assert!(
        kept(&folder).iter().all(|name| !name.starts_with('.')),
        "{:?}",
        kept(&folder)
    );
    open.assert_untouched();
}

#[test]
fn clips_come_from_our_own_page_under_limits() {
    let folder = Folder::new();
    let open = Open::new(&folder);
    let bytes = film("a.mp4", 2);
    let (port, kind) = (open.port, "Content-Type: application/octet-stream\r\n");
    for (headers, status) in [
        (kind.to_string(), 403),
        (format!("{kind}Origin: null\r\n"), 403),
        (
            format!("{kind}Origin: http://127.0.0.1:{}\r\n", port ^ 1),
            403,
        ),
        (
            format!("Content-Type: video/mp4\r\nOrigin: http://127.0.0.1:{port}\r\n"),
            415,
        ),
    ] {
        let answer = open.with_cookie("POST /api/clips?name=a.mp4", &headers, &bytes);
        assert_eq!(answer.status, status, "{headers}");
    }
    // More is told than is taken: nothing of it is waited for.
    let mut stream = open.stream();
    let cookie = &open.cookie;
    let head = format!(
        "POST /api/clips HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\nOrigin: http://127.0.0.1:{port}\r\n{kind}Content-Length: 99999999999\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let answer = read(&mut stream);
    assert_eq!(answer.status, 413, "{answer:?}");
    assert!(answer.text().contains("2 GiB"), "{answer:?}");
    // One that breaks off leaves nothing.
    let mut stream = open.stream();
    let head = head.replace("99999999999", "1000");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"half").unwrap();
    drop(stream);
    open.until("it is gone", |_| kept(&folder).is_empty().then_some(()));
    for id in [
        "..%2f..%2fstudio",
        "%00",
        "x",
        &"a".repeat(32),
        &"a".repeat(10_000),
        "' OR 1=1",
    ] {
        let id = id.replace(' ', "%20");
        assert_eq!(open.get(&format!("/api/clips/{id}")).status, 404, "{id}");
        assert_eq!(
            open.get(&format!("/api/clips/{id}/frames/0")).status,
            404,
            "{id}"
        );
        assert_eq!(
            open.post(&format!("/api/clips/{id}/frames/0"), "{}").status,
            404,
            "{id}"
        );
    }
    // Names are words to be shown.
    let clip = send(&open, "..%2f..%2f%3Cimg%20onerror%3D1%3E.mp4", &bytes).json()["clip"].clone();
    assert_eq!(clip["name"], "<img onerror=1>.mp4");
    // Without a program that paints films, none is ordered; none is painted at once.
    let order = json!({"content": "@lake", "styles": [{"picture": "@swirls", "weight": 1}], "film": {"clip": clip["id"], "consistency": 0.5}});
    assert_eq!(
        open.post("/api/queue", &json!([order]).to_string()).status,
        422
    );
    assert_eq!(open.post("/api/paint", &order.to_string()).status, 422);
    open.assert_untouched();
}

/// Films are in the folder of results: the database is an index of them as well.
#[test]
fn films_are_taken_in_from_the_folder_and_served_in_parts() {
    let folder = Folder::new();
    Open::new(&folder).close();
    let path = folder.path().join("results/walk-swirls-3.mp4");
    write(&path, 8);
    let settings = json!({
        "program": "impasto", "version": "0.1.0", "styles": [["swirls", 1.0]], "recipe": "seed = 7\n",
        "studio": {"job": 3, "order": {"content": "@lake", "styles": [{"picture": "@swirls", "weight": 1.0}], "film": {"clip": "a", "consistency": 0.5}}},
    });
    std::fs::write(path.with_extension("json"), settings.to_string()).unwrap();
    // One without settings, and one that is none.
    write(&folder.path().join("results/other.mp4"), 2);
    std::fs::write(folder.path().join("results/broken.mp4"), b"<script>").unwrap();
    let open = Open::new(&folder);
    let rows = open.results();
    assert_eq!(rows.len(), 2, "{rows:?}");
    let row = rows
        .iter()
        .find(|row| row["file"] == "walk-swirls-3.mp4")
        .unwrap();
    assert_eq!(
        (&row["id"], &row["film"], &row["width"]),
        (&json!(3), &json!(true), &json!(64))
    );
    let told = open.get("/api/results/3/settings").json();
    assert_eq!(told["order"]["film"]["consistency"], 0.5);
    assert_eq!(told["made"]["text"], "seed = 7\n");
    let small = open.get("/api/results/3/small");
    assert!(bar(&small.body) < -0.3);
    assert_eq!(open.get("/api/results/3/picture").status, 404);
    assert_eq!(open.get("/api/results/3/export?format=png").status, 404);

    let whole = std::fs::read(&path).unwrap();
    let length = whole.len();
    let part = |range: &str| {
        let headers = match range {
            "" => String::new(),
            range => format!("Range: {range}\r\n"),
        };
        open.with_cookie("GET /api/results/3/film", &headers, b"")
    };
    let answer = part("");
    assert_eq!((answer.status, &answer.body), (200, &whole));
    for (name, value) in [
        ("content-type", "video/mp4"),
        ("accept-ranges", "bytes"),
        ("x-content-type-options", "nosniff"),
        ("content-length", &length.to_string()),
    ] {
        assert_eq!(answer.header(name), Some(value));
    }
    assert!(
        answer
            .header("content-security-policy")
            .unwrap()
            .contains("media-src 'self'")
    );
    for (range, from, to) in [
        ("bytes=0-", 0, length),
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=-50", length - 50, length),
    ] {
        let answer = part(range);
        assert_eq!(
            (answer.status, &answer.body[..]),
            (206, &whole[from..to]),
            "{range}"
        );
        let told = format!("bytes {from}-{}/{length}", to - 1);
        assert_eq!(answer.header("content-range"), Some(&*told));
    }
    let none = part(&format!("bytes={length}-"));
    assert_eq!((none.status, none.body.len()), (416, 0));
    assert_eq!(
        none.header("content-range"),
        Some(&*format!("bytes */{length}"))
    );
    let saved = open.get("/api/results/3/film?save=1");
    assert!(
        saved
            .header("content-disposition")
            .unwrap()
            .contains("walk-swirls-3.mp4"),
        "{saved:?}"
    );
    // Deleting takes the settings along, and undoing brings them back.
    let deleted =
        |to: bool| open.post("/api/results/3/delete", &json!({"deleted": to}).to_string());
    deleted(true);
    assert_eq!(part("").status, 404);
    assert!(!path.exists() && !path.with_extension("json").exists());
    deleted(false);
    assert_eq!(part("").body, whole);
    assert_ne!(
        open.get("/api/results/3/settings").json()["made"],
        Value::Null
    );
    assert_eq!(open.get("/api/results/99/film").status, 404);
}
