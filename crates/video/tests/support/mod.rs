//! Films that the tests make up.

#![allow(dead_code)]

use impasto_video::{
    Channels, Frame, Info, Picture, ReadOptions, Result, Samples, Sink, Source, Time, TimeBase,
    WriteOptions,
};
use std::path::{Path, PathBuf};

/// What is known of a film of this size in ticks of 1/100 s.
pub fn info(width: usize, height: usize) -> Info {
    Info {
        width,
        height,
        frames: None,
        times: Vec::new(),
        time_base: TimeBase {
            numerator: 1,
            denominator: 100,
        },
        duration: None,
        pixel_aspect: (1, 1),
        rotation: impasto_video::Rotation::None,
        sound: false,
        repeats: None,
        reader: String::new(),
        notes: Vec::new(),
    }
}

/// A smooth picture that moves with the number, without opacity.
pub fn picture(number: u64, width: usize, height: usize) -> Picture {
    let mut samples = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let across = (x as u64 * 255 / width as u64 + 9 * number) % 256;
            let wave =
                ((x as f64 * 0.11 + y as f64 * 0.07 + number as f64 * 0.4).sin() + 1.0) * 100.0;
            samples.extend([
                wave as u8 + 20,
                (across / 2) as u8 + 60,
                (y * 200 / height) as u8 + 20,
            ]);
        }
    }
    Picture {
        width,
        height,
        channels: Channels::Rgb,
        samples: Samples::Eight(samples),
    }
}

/// Uneven times: 3, 5, 10, 3, 5, 10, … ticks.
pub fn time(number: u64) -> Time {
    let durations = [3, 5, 10];
    Time {
        start: (number / 3 * 18 + durations[..number as usize % 3].iter().sum::<u64>()) as i64,
        duration: durations[number as usize % 3],
    }
}

pub fn frame(number: u64, width: usize, height: usize) -> Frame {
    Frame {
        number,
        time: time(number),
        picture: picture(number, width, height),
    }
}

/// Writes so many frames.
pub fn write(path: &Path, size: (usize, usize), count: u64, options: &WriteOptions) -> Result<()> {
    let mut sink = Sink::create(path, &info(size.0, size.1), options)?;
    for number in sink.next_number()..count {
        sink.write(&frame(number, size.0, size.1))?;
    }
    sink.finish()
}

/// All frames.
pub fn read(path: &Path) -> Result<(Info, Vec<Frame>)> {
    let mut source = Source::open(path, &native())?;
    let mut frames = Vec::new();
    while let Some(frame) = source.next_frame()? {
        frames.push(frame);
    }
    Ok((source.info().clone(), frames))
}

pub fn native() -> ReadOptions {
    ReadOptions {
        backend: impasto_video::Backend::Native,
        ..ReadOptions::default()
    }
}

/// The mean and the largest difference of two pictures of a size, in steps of 255.
pub fn difference(a: &Picture, b: &Picture) -> (f64, u8) {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let (a, b) = (a.to_rgb(), b.to_rgb());
    let differences: Vec<u8> = a
        .iter()
        .zip(b.iter())
        .map(|(a, b)| a.abs_diff(*b))
        .collect();
    let sum: u64 = differences
        .iter()
        .map(|&difference| u64::from(difference))
        .sum();
    let largest = differences.iter().copied().max().unwrap_or(0);
    (sum as f64 / differences.len().max(1) as f64, largest)
}

/// ffmpeg, if it is there and the test need not skip.
pub fn ffmpeg() -> Option<PathBuf> {
    let found = std::process::Command::new("ffmpeg")
        .arg("-version")
        .output();
    if found.is_err() {
        impasto_testing::skip("there is no ffmpeg to compare with");
        return None;
    }
    Some(PathBuf::from("ffmpeg"))
}

/// What a call of ffmpeg writes to its output.
pub fn by_ffmpeg(arguments: &[&str]) -> Vec<u8> {
    let output = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-y"])
        .args(arguments)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ffmpeg {arguments:?}: {said}");
    output.stdout
}
