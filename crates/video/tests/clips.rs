//! Films of cameras and other programs: those beside the checkout, and what ffmpeg makes where it is there.

mod support;

use impasto_testing::{Folder, shared, skip};
use impasto_video::{
    Advice, Backend, Error, Frame, ReadOptions, Sink, Sound, Source, WriteOptions,
};
use std::path::Path;
use support::*;

/// Name, width, height, frames; 0 frames is a codec that is not read here.
const CLIPS: [(&str, usize, usize, u64); 5] = [
    ("friday.mp4", 640, 480, 185),
    ("stream-of-water.mp4", 480, 360, 90),
    ("bbb-rabbit320.mp4", 320, 240, 234),
    ("one-by-one-person-detection.mp4", 768, 432, 1394),
    ("sintel-alley_1.mp4", 1024, 436, 0),
];

/// Frames of each clip that are decoded.
const MOST: u64 = 250;

/// Frames of each clip that are compared.
const COMPARED: usize = 24;

#[test]
fn every_clip_is_read_or_refused() {
    let Some(folder) = shared("video/clips") else {
        return;
    };
    for (name, width, height, frames) in CLIPS {
        let path = folder.join(name);
        if frames == 0 {
            let refused = Source::open(&path, &native()).err();
            let Some(Error::Unsupported { what, .. }) = refused else {
                panic!("{name}: {refused:?}");
            };
            assert_eq!(what, "MPEG-4 part 2");
            continue;
        }
        let begun = std::time::Instant::now();
        let mut source = Source::open(&path, &native()).unwrap();
        assert_eq!(
            (source.info().width, source.info().height),
            (width, height),
            "{name}"
        );
        assert_eq!(source.info().frames, Some(frames), "{name}");
        let mut count = 0;
        while count < MOST
            && let Some(frame) = source.next_frame().unwrap()
        {
            assert_eq!(frame.number, count, "{name}");
            assert_eq!(frame.time, source.info().times[count as usize], "{name}");
            count += 1;
        }
        assert_eq!(count, frames.min(MOST), "{name}");
        let rate = count as f64 / begun.elapsed().as_secs_f64();
        eprintln!("{name}: {rate:.0} frames a second");
    }
}

/// All frames by ffmpeg, in RGB of 8 bits.
fn reference(path: &Path, frames: usize) -> Vec<u8> {
    by_ffmpeg(&[
        "-i",
        path.to_str().unwrap(),
        "-frames:v",
        &frames.to_string(),
        "-fps_mode",
        "passthrough",
        "-sws_flags",
        "bicubic+accurate_rnd+full_chroma_int",
        "-pix_fmt",
        "rgb24",
        "-f",
        "rawvideo",
        "-",
    ])
}

/// The largest mean difference of frames from ffmpeg's. Decoding is exact, but ffmpeg takes chroma to lie between the columns
/// of luma where H.264 says that it lies on every other; much of a small test picture is edges, and a wrong matrix or a wrong
/// frame is off by 7.
const CLIP_LIMIT: f64 = 1.2;
const TEST_PICTURE_LIMIT: f64 = 2.6;

/// Compares the first frames of a film with ffmpeg's.
fn compare(path: &Path, limit: f64) {
    let mut source = Source::open(path, &native()).unwrap();
    let info = source.info().clone();
    let frames = reference(path, COMPARED);
    let size = info.width * info.height * 3;
    for (number, expected) in frames.chunks_exact(size).enumerate() {
        let frame = source.next_frame().unwrap().unwrap();
        let samples = frame.picture.to_rgb();
        let sum: u64 = samples
            .iter()
            .zip(expected)
            .map(|(a, b)| u64::from(a.abs_diff(*b)))
            .sum();
        let mean = sum as f64 / size as f64;
        assert!(
            mean < limit,
            "{}: frame {number} is off by {mean}",
            path.display()
        );
    }
}

/// Times by ffprobe, in seconds.
fn probed(path: &Path) -> Vec<f64> {
    let output = std::process::Command::new("ffprobe")
        .args([
            "-v",
            "error",
            "-select_streams",
            "v:0",
            "-show_entries",
            "frame=pts_time",
            "-of",
            "csv=p=0",
        ])
        .arg(path)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines()
        .filter_map(|line| line.trim_matches(',').parse().ok())
        .collect()
}

fn assert_times(path: &Path) {
    let source = Source::open(path, &native()).unwrap();
    let info = source.info();
    let expected = probed(path);
    assert_eq!(info.times.len(), expected.len(), "{}", path.display());
    for (number, (time, expected)) in info.times.iter().zip(expected).enumerate() {
        let found = info.time_base.seconds(time.start);
        assert!(
            (found - expected).abs() < 2e-3,
            "{}: frame {number} at {found} s, not {expected} s",
            path.display()
        );
    }
}

#[test]
fn frames_and_times_are_those_of_ffmpeg() {
    let (Some(folder), Some(_)) = (shared("video/clips"), ffmpeg()) else {
        return;
    };
    for (name, .., frames) in CLIPS {
        if frames > 0 {
            compare(&folder.join(name), CLIP_LIMIT);
            assert_times(&folder.join(name));
        }
    }
}

/// What ffmpeg's x264 makes of a moving test picture: arguments, and what is expected of it.
const KINDS: [(&str, &str); 9] = [
    ("-pix_fmt yuv420p -bf 3 -preset veryslow", ""),
    ("-pix_fmt yuv420p -profile:v baseline", ""),
    (
        "-pix_fmt yuvj420p -colorspace bt709 -color_primaries bt709 -color_trc bt709",
        "",
    ),
    (
        "-pix_fmt yuv420p -colorspace bt709 -vf scale=out_color_matrix=bt709",
        "",
    ),
    (
        "-pix_fmt yuv420p -x264-params slices=4:open-gop=1:keyint=10",
        "",
    ),
    ("-pix_fmt yuv420p10le", "10-bit H.264"),
    ("-pix_fmt yuv444p", "H.264 in 4:4:4"),
    (
        "-pix_fmt yuv420p -flags +ildct+ilme -x264-params tff=1",
        "interlace",
    ),
    (
        "-pix_fmt yuv420p -color_trc smpte2084 -color_primaries bt2020 -colorspace bt2020nc",
        "HDR (PQ)",
    ),
];

fn make(folder: &Folder, name: &str, arguments: &str) -> std::path::PathBuf {
    let path = folder.join(name);
    let head = "-f lavfi -i testsrc2=size=100x60:rate=25:duration=1.2,gblur=sigma=3 -c:v libx264";
    let all = format!("{head} {arguments}");
    let mut all: Vec<&str> = all.split_whitespace().collect();
    all.push(path.to_str().unwrap());
    by_ffmpeg(&all);
    path
}

#[test]
fn what_x264_can_make_is_read_or_refused() {
    if ffmpeg().is_none() {
        return;
    }
    let folder = Folder::new();
    for (index, (arguments, refusal)) in KINDS.iter().enumerate() {
        for ending in ["mp4", "mov"] {
            let path = make(&folder, &format!("{index}.{ending}"), arguments);
            if refusal.is_empty() {
                compare(&path, TEST_PICTURE_LIMIT);
                assert_times(&path);
                continue;
            }
            let refused = Source::open(&path, &native()).err();
            let Some(Error::Unsupported { what, ffmpeg, .. }) = &refused else {
                panic!("{arguments}: {refused:?}");
            };
            assert!(what.contains(refusal), "{arguments}: {what}");
            assert!(ffmpeg);
            assert_eq!(refused.unwrap().advice(), Some(Advice::UseFfmpeg));
            let mut source = match Source::open(&path, &ReadOptions::default()) {
                Ok(source) => source,
                Err(error) => panic!("{arguments}: {error}"),
            };
            let frame = source.next_frame();
            match frame {
                Ok(Some(frame)) => assert_eq!(frame.picture.width, 100),
                // Not every build can map tones.
                other => skip(format_args!("{arguments}: {other:?}")),
            }
        }
    }
}

#[test]
fn frames_stand_upright() {
    if ffmpeg().is_none() {
        return;
    }
    let folder = Folder::new();
    let plain = make(&folder, "plain.mp4", "-pix_fmt yuv420p");
    for degrees in ["90", "180", "270"] {
        let path = folder.join(format!("{degrees}.mp4"));
        let turn = format!("rotate={degrees}");
        let (from, to) = (plain.to_str().unwrap(), path.to_str().unwrap());
        by_ffmpeg(&["-i", from, "-c", "copy", "-metadata:s:v", &turn, to]);
        compare(&path, TEST_PICTURE_LIMIT);
        let source = Source::open(&path, &native()).unwrap();
        let tall = degrees != "180";
        assert_eq!(
            (source.info().width, source.info().height),
            if tall { (60, 100) } else { (100, 60) }
        );
        // Written, it needs no turning.
        let again = folder.join("again.mp4");
        copy(source, &again, &WriteOptions::default());
        let source = Source::open(&again, &native()).unwrap();
        assert_eq!(source.info().rotation, impasto_video::Rotation::None);
        assert_eq!(source.info().width, if tall { 60 } else { 100 });
    }
}

/// Writes a film again, with its sound.
fn copy(mut source: Source, to: &Path, options: &WriteOptions) {
    let mut options = options.clone();
    options.sound = source.sound().unwrap();
    let mut sink = Sink::create(to, source.info(), &options).unwrap();
    source.seek(sink.next_number()).unwrap();
    for frame in source {
        sink.write(&frame.unwrap()).unwrap();
    }
    sink.finish().unwrap();
}

fn packets(sound: &Sound) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    for track in 0..sound.packet_counts().len() {
        sound
            .read_packets(track, |packet| {
                packets.push(packet.to_vec());
                Ok(())
            })
            .unwrap();
    }
    packets
}

#[test]
fn times_and_sound_come_through() {
    let Some(folder) = shared("video/clips") else {
        return;
    };
    let written = Folder::new();
    // Its times are uneven.
    let name = "stream-of-water.mp4";
    let path = folder.join(name);
    let source = Source::open(&path, &native()).unwrap();
    let info = source.info().clone();
    let sound = source.sound().unwrap().unwrap();
    let to = written.join(name);
    let begun = std::time::Instant::now();
    copy(source, &to, &WriteOptions::default());
    let bytes = to.metadata().unwrap().len();
    let rate = info.times.len() as f64 / begun.elapsed().as_secs_f64();
    eprintln!("{name}: written in {bytes} bytes, {rate:.0} frames a second");
    let again = Source::open(&to, &native()).unwrap();
    assert_eq!(again.info().times, info.times, "{name}");
    assert_eq!(again.info().time_base, info.time_base, "{name}");
    let copied = again.sound().unwrap().unwrap();
    assert!(
        packets(&copied) == packets(&sound),
        "{name}: packets of sound differ"
    );
    if ffmpeg().is_some() {
        assert_times(&to);
        compare(&to, CLIP_LIMIT);
        // The sound begins and ends where it did.
        let ends = |path: &Path| {
            let entries = "stream=start_time,duration,nb_frames,codec_name";
            let output = std::process::Command::new("ffprobe")
                .args([
                    "-v",
                    "error",
                    "-select_streams",
                    "a",
                    "-show_entries",
                    entries,
                    "-of",
                    "csv=p=0",
                ])
                .arg(path)
                .output()
                .unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        assert_eq!(ends(&to), ends(&path), "{name}");
        let heard = |path: &Path| {
            by_ffmpeg(&[
                "-i",
                path.to_str().unwrap(),
                "-map",
                "0:a",
                "-f",
                "s16le",
                "-",
            ])
        };
        assert!(heard(&to) == heard(&path), "{name}: the sound is another");
    }
}

#[test]
fn a_part_of_a_film_has_its_part_of_the_sound() {
    let Some(path) = shared("video/clips/bbb-rabbit320.mp4") else {
        return;
    };
    let folder = Folder::new();
    let mut source = Source::open(&path, &native()).unwrap();
    let to = folder.join("part.mp4");
    let options = WriteOptions {
        first: 60,
        sound: source.sound().unwrap(),
        ..WriteOptions::default()
    };
    let mut sink = Sink::create(&to, source.info(), &options).unwrap();
    source.seek(60).unwrap();
    for frame in source.by_ref().take(60) {
        sink.write(&frame.unwrap()).unwrap();
    }
    sink.finish().unwrap();
    let part = Source::open(&to, &native()).unwrap();
    assert_eq!(part.info().frames, Some(60));
    assert_eq!(part.info().times[0].start, 0);
    let all = packets(&options.sound.unwrap());
    let kept = packets(&part.sound().unwrap().unwrap());
    // Two of 7.8 seconds, and a few packets before.
    assert!((85..95).contains(&kept.len()), "{} packets", kept.len());
    assert!(all.windows(kept.len()).any(|window| window == kept));
    if ffmpeg().is_some() {
        let rate = 44100 * 2 * 2;
        let heard = by_ffmpeg(&[
            "-i",
            to.to_str().unwrap(),
            "-map",
            "0:a",
            "-f",
            "s16le",
            "-ac",
            "2",
            "-",
        ]);
        let whole = by_ffmpeg(&[
            "-i",
            path.to_str().unwrap(),
            "-map",
            "0:a",
            "-f",
            "s16le",
            "-ac",
            "2",
            "-",
        ]);
        let seconds = heard.len() as f64 / rate as f64;
        assert!((seconds - 2.0).abs() < 0.06, "{seconds} s of sound");
        // Half a second in, what is heard is what was heard at 2.5 s.
        let piece = &heard[rate / 2..][..8192];
        let place = whole
            .windows(piece.len())
            .step_by(4)
            .position(|window| window == piece);
        let place = place.map(|place| place as f64 * 4.0 / rate as f64);
        assert!(
            place.is_some_and(|place| (place - 2.5).abs() < 0.03),
            "{place:?}"
        );
    }
}

#[test]
fn ffmpeg_reads_and_encodes_the_same_film() {
    let (Some(path), Some(_)) = (shared("video/clips/stream-of-water.mp4"), ffmpeg()) else {
        return;
    };
    let by = |backend| ReadOptions {
        backend,
        ..ReadOptions::default()
    };
    let native = Source::open(&path, &by(Backend::Native)).unwrap();
    let mut other = Source::open(&path, &by(Backend::Ffmpeg)).unwrap();
    let seconds = |source: &Source| {
        let info = source.info();
        let times = info.times.iter();
        times
            .map(|time| (info.time_base.seconds(time.start) * 1000.0).round())
            .collect::<Vec<_>>()
    };
    assert_eq!(seconds(&native), seconds(&other));
    assert!(
        packets(&native.sound().unwrap().unwrap()) == packets(&other.sound().unwrap().unwrap())
    );
    other.seek(33).unwrap();
    let frame = other.next_frame().unwrap().unwrap();
    let own = native.map(Result::unwrap).nth(33).unwrap();
    assert_eq!(frame.number, 33);
    assert!(difference(&frame.picture, &own.picture).0 < 1.2);

    let folder = Folder::new();
    let to = folder.join("x264.mp4");
    let options = WriteOptions {
        backend: Backend::Ffmpeg,
        ..WriteOptions::default()
    };
    let info = other.info().clone();
    other.seek(0).unwrap();
    let frames: Vec<Frame> = other.by_ref().map(Result::unwrap).take(60).collect();
    let mut sink = Sink::create(&to, &info, &options).unwrap();
    frames.iter().for_each(|frame| sink.write(frame).unwrap());
    sink.finish().unwrap();
    let written = Source::open(&to, &by(Backend::Native)).unwrap();
    assert_eq!(written.info().times[..59], native_times(&info)[..59]);
    assert_times(&to);
    for (frame, written) in frames.iter().zip(written) {
        let mean = difference(&frame.picture, &written.unwrap().picture).0;
        assert!(mean < 5.0, "frame {} is off by {mean}", frame.number);
    }
}

fn native_times(info: &impasto_video::Info) -> Vec<impasto_video::Time> {
    info.times.clone()
}

#[test]
fn films_that_begin_later_or_are_cut_keep_their_times() {
    if ffmpeg().is_none() {
        return;
    }
    let folder = Folder::new();
    let plain = make(&folder, "plain.mp4", "-pix_fmt yuv420p -bf 2 -g 10");
    let from = plain.to_str().unwrap();
    // An edit hides what lies before the cut, which has to be decoded all the same.
    let cut = folder.join("cut.mp4");
    by_ffmpeg(&[
        "-ss",
        "0.2",
        "-i",
        from,
        "-c",
        "copy",
        cut.to_str().unwrap(),
    ]);
    // An edit says that there is nothing at first.
    let late = folder.join("late.mp4");
    let to = late.to_str().unwrap();
    by_ffmpeg(&[
        "-itsoffset",
        "0.4",
        "-i",
        from,
        "-i",
        from,
        "-map",
        "0:v",
        "-map",
        "1:v",
        "-c",
        "copy",
        to,
    ]);
    for path in [&cut, &late] {
        assert_times(path);
        compare(path, TEST_PICTURE_LIMIT);
        let source = Source::open(path, &native()).unwrap();
        let info = source.info().clone();
        let again = folder.join("again.mp4");
        copy(source, &again, &WriteOptions::default());
        assert_eq!(
            Source::open(&again, &native()).unwrap().info().times,
            info.times
        );
        assert_times(&again);
    }
}

#[test]
fn animations_of_other_programs() {
    if ffmpeg().is_none() {
        return;
    }
    let folder = Folder::new();
    let head = "-f lavfi -i testsrc2=size=100x60:rate=10:duration=0.8";
    // Name, arguments, largest mean difference.
    let kinds = [
        (
            "film.webp",
            "-c:v libwebp_anim -pix_fmt bgra -lossless 1 -loop 0",
            1.0,
        ),
        ("lossy.webp", "-c:v libwebp_anim -quality 95 -loop 0", 12.0),
        ("film.gif", "", 0.0),
        ("film.apng", "-f apng -pix_fmt rgb24", 0.0),
        ("film.y4m", "-pix_fmt yuv420p", 2.6),
        ("deep.y4m", "-strict -1 -pix_fmt yuv444p10le", 1.0),
        ("grey.y4m", "-pix_fmt gray", 1.0),
    ];
    for (name, arguments, limit) in kinds {
        let path = folder.join(name);
        let all = format!("{head} {arguments}");
        let mut all: Vec<&str> = all.split_whitespace().collect();
        all.push(path.to_str().unwrap());
        by_ffmpeg(&all);
        let source = Source::open(&path, &native()).unwrap();
        let info = source.info().clone();
        assert_eq!(info.times.len(), 8, "{name}");
        let seconds = info.time_base.seconds(info.times[7].end());
        assert!((seconds - 0.8).abs() < 0.01, "{name} lasts {seconds} s");
        // ffmpeg 5 reads no animated WebP; what it was made of is in the GIF's place.
        let expected = match name.ends_with("webp") {
            false => reference(&path, 8),
            true => by_ffmpeg(
                &[head, "-pix_fmt rgb24 -f rawvideo -"]
                    .join(" ")
                    .split(' ')
                    .collect::<Vec<_>>(),
            ),
        };
        for (frame, expected) in source.zip(expected.chunks_exact(100 * 60 * 3)) {
            let frame = frame.unwrap();
            let samples = frame.picture.to_rgb();
            let sum: u64 = samples
                .iter()
                .zip(expected)
                .map(|(a, b)| u64::from(a.abs_diff(*b)))
                .sum();
            let mean = sum as f64 / samples.len() as f64;
            assert!(
                mean <= limit,
                "{name}: frame {} is off by {mean}",
                frame.number
            );
        }
    }
}
