//! What is written is read again: frames, times, sizes, and what was cut off and gone on with.

mod support;

use impasto_testing::Folder;
use impasto_video::{Channels, Error, Picture, Samples, Sink, Source, WriteOptions};
use support::*;

/// Ending, largest mean difference, and ticks of 1/100 s that times may be off.
const FORMATS: [(&str, f64, i64); 4] = [
    ("film.mp4", 3.0, 0),
    ("film.gif", 10.0, 0),
    ("film.png", 0.0, 0),
    ("film.y4m", 1.5, i64::MAX),
];

const SIZES: [(usize, usize); 5] = [(64, 48), (66, 34), (2, 2), (2, 40), (130, 18)];

#[test]
fn every_writer_is_read_by_its_reader() {
    let folder = Folder::new();
    for (name, limit, off) in FORMATS {
        for (width, height) in SIZES {
            for count in [1, 2, 7] {
                let path = folder.join(name);
                write(&path, (width, height), count, &WriteOptions::default()).unwrap();
                let (info, frames) = read(&path).unwrap();
                let case = format!("{name} {width}×{height}, {count} frames");
                assert_eq!(frames.len() as u64, count, "{case}");
                assert_eq!(info.frames, Some(count), "{case}");
                assert_eq!((info.width, info.height), (width, height), "{case}");
                for (number, frame) in (0..).zip(&frames) {
                    assert_eq!(frame.number, number, "{case}");
                    let (mean, _) = difference(&frame.picture, &picture(number, width, height));
                    let small = width * height < 200;
                    let limit = if small && limit > 0.0 { 40.0 } else { limit };
                    assert!(mean <= limit, "{case}: frame {number} is off by {mean}");
                    if off < i64::MAX {
                        let wanted = time(number);
                        let to = impasto_video::TimeBase {
                            numerator: 1,
                            denominator: 100,
                        };
                        let found = frame.time.convert(info.time_base, to);
                        assert_eq!(found, wanted, "{case}: frame {number}");
                    }
                }
                assert_eq!(folder.names(), [name], "{case}: nothing else is left");
                std::fs::remove_file(path).unwrap();
            }
        }
    }
}

#[test]
fn odd_sizes() {
    let folder = Folder::new();
    for (name, limit, _) in FORMATS {
        for (width, height) in [(33, 17), (1, 1), (3, 64), (64, 3)] {
            let path = folder.join(name);
            let sink = Sink::create(&path, &info(width, height), &WriteOptions::default()).unwrap();
            let even = name == "film.mp4";
            assert_eq!(
                sink.notes().len(),
                usize::from(even),
                "{name} says what it does about {width}×{height}"
            );
            drop(sink);
            write(&path, (width, height), 2, &WriteOptions::default()).unwrap();
            let (info, frames) = read(&path).unwrap();
            if even {
                assert_eq!(info.width, width.next_multiple_of(2));
                assert_eq!(info.height, height.next_multiple_of(2));
                continue;
            }
            assert_eq!((info.width, info.height), (width, height));
            let (mean, _) = difference(&frames[1].picture, &picture(1, width, height));
            assert!(mean <= limit * 10.0, "{name} {width}×{height}: {mean}");
        }
    }
}

#[test]
fn opacity_is_kept_where_a_format_has_it() {
    let folder = Folder::new();
    for name in ["film.png", "film.gif", "frames/%d.png"] {
        let path = folder.join(name);
        let mut sink = Sink::create(&path, &info(8, 8), &WriteOptions::default()).unwrap();
        let mut frames = Vec::new();
        for number in 0..3u64 {
            let mut frame = frame(number, 8, 8);
            // A hole that moves: what was there before must not show in it.
            let mut samples = frame.picture.to_rgba().into_owned();
            samples[number as usize * 4 + 3] = 0;
            frame.picture = Picture::eight(8, 8, Channels::Rgba, samples).unwrap();
            sink.write(&frame).unwrap();
            frames.push(frame);
        }
        sink.finish().unwrap();
        let (_, read) = read(&path).unwrap();
        for (frame, read) in frames.iter().zip(&read) {
            let (Samples::Eight(wanted), Samples::Eight(found)) =
                (&frame.picture.samples, &read.picture.samples)
            else {
                panic!("{name}: other samples");
            };
            assert_eq!(read.picture.channels, Channels::Rgba, "{name}");
            let opacity = |samples: &[u8]| {
                samples
                    .iter()
                    .skip(3)
                    .step_by(4)
                    .copied()
                    .collect::<Vec<_>>()
            };
            assert_eq!(opacity(wanted), opacity(found), "{name}");
        }
    }
}

#[test]
fn pictures_keep_their_bits_and_numbers() {
    let folder = Folder::new();
    let path = folder.join("frames/shot-%03d.png");
    let options = WriteOptions {
        first: 8,
        ..WriteOptions::default()
    };
    let mut sink = Sink::create(&path, &info(5, 4), &options).unwrap();
    let deep: Vec<u16> = (0..60).map(|index| index * 1000 + 7).collect();
    for number in 8..12 {
        let mut frame = frame(number, 5, 4);
        frame.picture.samples = Samples::Sixteen(deep.clone());
        sink.write(&frame).unwrap();
    }
    sink.finish().unwrap();
    assert_eq!(std::fs::read_dir(folder.join("frames")).unwrap().count(), 4);
    assert!(folder.join("frames/shot-008.png").exists());
    let (info, frames) = read(&path).unwrap();
    assert_eq!(info.frames, Some(4));
    assert_eq!(frames[3].picture.samples, Samples::Sixteen(deep));
    // As a folder, and with the caller's own decoder.
    let mut options = native();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let kept = seen.clone();
    options.decode = Some(std::sync::Arc::new(move |path: &std::path::Path| {
        kept.lock()
            .unwrap()
            .push(path.file_name().unwrap().to_owned());
        Ok(picture(1, 5, 4))
    }));
    let source = Source::open(folder.join("frames"), &options).unwrap();
    assert_eq!(source.map(Result::unwrap).count(), 4);
    let mut seen = seen.lock().unwrap().clone();
    seen.dedup();
    assert_eq!(
        seen,
        [
            "shot-008.png",
            "shot-009.png",
            "shot-010.png",
            "shot-011.png"
        ]
    );
}

#[test]
fn what_was_cut_off_goes_on_with_the_same_bytes() {
    let folder = Folder::new();
    let size = (48, 32);
    let options = WriteOptions {
        resume: true,
        segment: 4,
        run: "one".to_owned(),
        ..WriteOptions::default()
    };
    for name in [
        "film.mp4",
        "film.gif",
        "film.png",
        "film.y4m",
        "frames/%04d.png",
    ] {
        let whole = folder.join(format!("whole-{}", name.replace('/', "-")));
        let whole = if name.contains('/') {
            folder.join("whole/%04d.png")
        } else {
            whole
        };
        write(&whole, size, 11, &options).unwrap();
        let path = folder.join(name);
        for stop in [0, 3, 4, 9, 11] {
            let mut sink = Sink::create(&path, &info(size.0, size.1), &options).unwrap();
            assert_eq!(sink.kept(), 0, "{name}");
            (0..stop).for_each(|number| sink.write(&frame(number, size.0, size.1)).unwrap());
            drop(sink);
            // The last write may not have come through as a whole.
            let part = folder.join(format!("{name}.part"));
            if let Ok(file) = std::fs::OpenOptions::new().write(true).open(&part) {
                let length = file.metadata().unwrap().len();
                if stop == 9 {
                    file.set_len(length - 3).unwrap();
                }
                // Another run must not go on with it.
                let other = WriteOptions {
                    run: "two".to_owned(),
                    ..options.clone()
                };
                let refused = Sink::create(&path, &info(size.0, size.1), &other).err();
                assert!(
                    matches!(refused, Some(Error::OtherRun { .. })),
                    "{name}: {refused:?}"
                );
            }
            let sink = Sink::create(&path, &info(size.0, size.1), &options).unwrap();
            let kept = sink.kept();
            let least = if name == "film.mp4" {
                stop.saturating_sub(7)
            } else {
                stop.saturating_sub(1)
            };
            assert!(
                (least..=stop).contains(&kept),
                "{name}: {kept} of {stop} frames are kept"
            );
            drop(sink);
            write(&path, size, 11, &options).unwrap();
            let number = |number| name.replace("%04d", number);
            let of_whole = whole.to_str().unwrap().replace("%04d", "0010");
            let bytes = std::fs::read(folder.join(number("0010"))).unwrap();
            assert_eq!(
                bytes,
                std::fs::read(of_whole).unwrap(),
                "{name} stopped after {stop}"
            );
            if name.contains('/') {
                std::fs::remove_dir_all(folder.join("frames")).unwrap();
            }
        }
    }
}

#[test]
fn what_is_unfinished_can_be_watched() {
    let folder = Folder::new();
    let path = folder.join("film.mp4");
    let options = WriteOptions {
        segment: 4,
        ..WriteOptions::default()
    };
    let mut sink = Sink::create(&path, &info(48, 32), &options).unwrap();
    (0..10).for_each(|number| sink.write(&frame(number, 48, 32)).unwrap());
    drop(sink);
    assert!(!path.exists());
    let (info, frames) = read(&folder.join("film.mp4.part")).unwrap();
    assert_eq!(frames.len(), 8);
    assert_eq!(info.times[7], time(7));
}

#[test]
fn frames_are_found_by_number() {
    let folder = Folder::new();
    for name in [
        "film.mp4",
        "film.gif",
        "film.png",
        "film.y4m",
        "frames/%d.png",
    ] {
        let path = folder.join(name);
        let options = WriteOptions {
            segment: 4,
            ..WriteOptions::default()
        };
        write(&path, (32, 32), 13, &options).unwrap();
        let (_, frames) = read(&path).unwrap();
        let mut source = Source::open(&path, &native()).unwrap();
        for number in [0, 7, 3, 12, 11, 4, 4] {
            source.seek(number).unwrap();
            let frame = source.next_frame().unwrap().unwrap();
            assert_eq!(frame, frames[number as usize], "{name}: frame {number}");
        }
        source.seek(13).unwrap();
        assert_eq!(source.next_frame().unwrap(), None, "{name}");
        assert!(
            matches!(source.seek(14), Err(Error::NoSuchFrame { last: 12, .. })),
            "{name}"
        );
        source.seek(12).unwrap();
        assert_eq!(
            source.next_frame().unwrap().unwrap(),
            frames[12],
            "{name} after its end"
        );
    }
}

#[test]
fn what_cannot_be_written_is_refused() {
    let folder = Folder::new();
    let options = WriteOptions::default();
    let create =
        |name: &str, info: impasto_video::Info| Sink::create(folder.join(name), &info, &options);
    for name in ["film", "film.avi", "film.webm", "%d.jpg"] {
        let refused = create(name, info(8, 8)).err();
        assert!(
            matches!(refused, Some(Error::UnknownOutput { .. })),
            "{name}: {refused:?}"
        );
    }
    for (name, width) in [("film.gif", 70000), ("film.mp4", 20000), ("film.y4m", 0)] {
        let refused = create(name, info(width, 8)).err();
        assert!(
            matches!(refused, Some(Error::CannotWrite { .. })),
            "{name}: {refused:?}"
        );
    }
    for name in [
        "film.mp4",
        "film.gif",
        "film.png",
        "film.y4m",
        "frames/%d.png",
    ] {
        let path = folder.join(name);
        assert!(
            matches!(
                write(&path, (8, 8), 0, &options),
                Err(Error::CannotWrite { .. })
            ),
            "{name} without frames"
        );
        let mut sink = create(name, info(8, 8)).unwrap();
        assert!(matches!(
            sink.write(&frame(1, 8, 8)),
            Err(Error::BadFrame { number: 1, .. })
        ));
        assert!(matches!(
            sink.write(&frame(0, 8, 6)),
            Err(Error::OtherSize { .. })
        ));
        sink.write(&frame(0, 8, 8)).unwrap();
        let mut late = frame(1, 8, 8);
        late.time.start = 0;
        assert!(
            matches!(sink.write(&late), Err(Error::BadFrame { .. })),
            "{name} at the same time"
        );
    }
}
