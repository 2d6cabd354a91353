//! Files that are cut off, altered, or no films: an error with a sentence, or frames, and never a panic.

mod support;

use impasto_testing::{Folder, Numbers, shared};
use impasto_video::{Advice, Error, Sink, Source, WriteOptions};
use std::path::Path;
use support::*;

/// Reads to the end or to the first error; how many frames there were.
fn read_through(path: &Path) -> (u64, Option<Error>) {
    let mut source = match Source::open(path, &native()) {
        Ok(source) => source,
        Err(error) => return (0, Some(error)),
    };
    let mut count = 0;
    loop {
        match source.next_frame() {
            Ok(Some(frame)) => {
                assert!(frame.picture.is_whole());
                assert_eq!(frame.number, count);
                count += 1;
            }
            Ok(None) => return (count, None),
            Err(error) => {
                assert!(!error.to_string().is_empty());
                assert_eq!(
                    source.next_frame().unwrap(),
                    None,
                    "after an error there is nothing"
                );
                return (count, Some(error));
            }
        }
    }
}

/// A film of each kind.
fn films(folder: &Folder) -> Vec<std::path::PathBuf> {
    [
        "film.mp4",
        "film.mp4.part",
        "film.gif",
        "film.png",
        "film.y4m",
    ]
    .into_iter()
    .map(|name| {
        let path = folder.join(name);
        let options = WriteOptions {
            segment: 3,
            ..WriteOptions::default()
        };
        if let Some(whole) = name.strip_suffix(".part") {
            let mut sink = Sink::create(folder.join(whole), &info(34, 26), &options).unwrap();
            (0..7).for_each(|number| sink.write(&frame(number, 34, 26)).unwrap());
        } else {
            write(&path, (34, 26), 7, &options).unwrap();
        }
        path
    })
    .collect()
}

#[test]
fn cut_off_at_any_place() {
    let folder = Folder::new();
    for film in films(&folder) {
        let bytes = std::fs::read(&film).unwrap();
        let cut = folder.join("cut");
        let (all, error) = read_through(&film);
        assert!(error.is_none(), "{}: {error:?}", film.display());
        let mut most = 0;
        for length in (0..bytes.len())
            .step_by(100)
            .chain([1, 7, 8, 9, 15, 16, bytes.len() - 1])
        {
            std::fs::write(&cut, &bytes[..length]).unwrap();
            let (count, error) = read_through(&cut);
            let fragments = film.extension().is_some_and(|ending| ending == "part");
            assert!(count <= all);
            // A film in fragments ends where it ends, and one byte of GIF says no more than that it is the end.
            let silent = error.is_none() && !fragments && count < all;
            assert!(
                !silent,
                "{}, {length} bytes: {count} frames and no word",
                film.display()
            );
            most = most.max(count);
        }
        assert!(most > 1, "{}: what is there is read", film.display());
    }
}

#[test]
fn altered_anywhere() {
    let folder = Folder::new();
    let altered = folder.join("altered");
    let mut numbers = Numbers(7);
    for film in films(&folder) {
        let bytes = std::fs::read(&film).unwrap();
        for _ in 0..150 {
            let mut bytes = bytes.clone();
            // Headers are met as often as data.
            let reach = [64, 1024, bytes.len()][numbers.bits() as usize % 3].min(bytes.len());
            for _ in 0..=numbers.bits() % 4 {
                let place = numbers.bits() as usize % reach;
                bytes[place] =
                    [0, 1, 0x7f, 0xff, numbers.bits() as u8][numbers.bits() as usize % 5];
            }
            std::fs::write(&altered, &bytes).unwrap();
            read_through(&altered);
        }
    }
}

#[test]
fn clips_cut_off_and_altered() {
    let Some(folder) = shared("video/clips") else {
        return;
    };
    let scratch = Folder::new();
    let cut = scratch.join("cut.mp4");
    for name in ["stream-of-water.mp4", "bbb-rabbit320.mp4"] {
        let bytes = std::fs::read(folder.join(name)).unwrap();
        for share in [3, 10, 50, 90] {
            std::fs::write(&cut, &bytes[..bytes.len() * share / 100]).unwrap();
            let (count, error) = read_through(&cut);
            let Some(error) = error else {
                panic!("{name}: {share} % of it have {count} frames and no word");
            };
            assert_eq!(
                error.advice(),
                Some(Advice::GetFileAnew),
                "{name}, {share} %: {error}"
            );
        }
        let mut numbers = Numbers(3);
        for _ in 0..6 {
            let mut bytes = bytes.clone();
            for _ in 0..40 {
                let place = numbers.bits() as usize % bytes.len();
                bytes[place] = numbers.bits() as u8;
            }
            std::fs::write(&cut, &bytes).unwrap();
            read_through(&cut);
        }
    }
}

#[test]
fn what_is_no_film_is_refused_with_a_reason() {
    let folder = Folder::new();
    let text = folder.write("letter.mp4", "Dear film, you are none.");
    let refused = Source::open(&text, &native()).err().unwrap();
    assert!(matches!(refused, Error::NotVideo { .. }), "{refused:?}");
    assert!(refused.advice().is_some());
    let empty = folder.write("empty.gif", "");
    let refused = Source::open(&empty, &native()).err().unwrap();
    assert!(matches!(refused, Error::Empty { .. }), "{refused:?}");
    let missing = Source::open(folder.join("missing.mp4"), &native())
        .err()
        .unwrap();
    assert!(matches!(missing, Error::Read { .. }), "{missing:?}");
    std::fs::create_dir(folder.join("frames")).unwrap();
    for path in ["frames", "frames/%d.png"] {
        let refused = Source::open(folder.join(path), &native()).err().unwrap();
        assert!(
            matches!(refused, Error::Empty { .. }),
            "{path}: {refused:?}"
        );
    }
    // A picture that does not move, which is as good as one frame of a folder.
    write(
        &folder.join("frames/%d.png"),
        (4, 4),
        1,
        &WriteOptions::default(),
    )
    .unwrap();
    let refused = Source::open(folder.join("frames/0.png"), &native())
        .err()
        .unwrap();
    assert!(matches!(refused, Error::Still { .. }), "{refused:?}");
}

#[test]
fn frames_of_other_sizes_are_refused() {
    let folder = Folder::new();
    let pattern = folder.join("frames/%d.png");
    write(&pattern, (8, 8), 2, &WriteOptions::default()).unwrap();
    let other = folder.join("other/%d.png");
    write(&other, (8, 6), 1, &WriteOptions::default()).unwrap();
    std::fs::copy(folder.join("other/0.png"), folder.join("frames/2.png")).unwrap();
    let (count, error) = read_through(&pattern);
    assert_eq!(count, 2);
    let Some(Error::OtherSize { number, was, is }) = error else {
        panic!("{error:?}");
    };
    assert_eq!((number, was, is), (2, (8, 8), (8, 6)));
}

#[test]
fn headers_that_ask_for_more_than_there_is_memory() {
    let folder = Folder::new();
    let films: [(&str, &[u8]); 4] = [
        ("huge.y4m", b"YUV4MPEG2 W4000000000 H4000000000 F25:1\nFRAME\n"),
        ("none.y4m", b"YUV4MPEG2 W0 H8 F25:1\nFRAME\n"),
        ("endless.y4m", &[b'Y'; 5000]),
        ("huge.gif", b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;"),
    ];
    for (name, bytes) in films {
        let (count, error) = read_through(&folder.write(name, bytes));
        assert_eq!(count, 0, "{name}");
        assert!(error.is_some(), "{name}");
    }
}

/// What the test below runs with a film on its standard input.
#[test]
#[ignore = "reads its standard input"]
fn reads_its_standard_input() {
    let mut source = Source::open("-", &native()).unwrap();
    assert_eq!(source.info().frames, None);
    for number in 0..3 {
        let frame = source.next_frame().unwrap().unwrap();
        assert!(difference(&frame.picture, &picture(number, 34, 26)).0 < 3.0);
    }
    assert!(matches!(
        source.seek(1),
        Err(Error::Backwards { number: 1 })
    ));
    source.seek(6).unwrap();
    assert_eq!(source.next_frame().unwrap().unwrap().number, 6);
    assert_eq!(source.next_frame().unwrap(), None);
}

#[test]
fn y4m_comes_through_a_pipe() {
    let folder = Folder::new();
    let path = folder.join("film.y4m");
    write(&path, (34, 26), 7, &WriteOptions::default()).unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "reads_its_standard_input", "--ignored"])
        .stdin(std::fs::File::open(&path).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}"
    );
}
