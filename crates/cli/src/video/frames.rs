//! Frames of files and pictures of the library, and which of them are painted.

use anyhow::{Context, anyhow, bail};
use impasto::Picture;
use impasto::picture::Depth;
use impasto_video::{self as video, Channels, Samples};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

/// The frames that are painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub first: u64,
    /// The last, if there is an end.
    pub last: Option<u64>,
    /// From each to the next.
    pub every: u64,
}

impl Range {
    /// What `--frames` and `--every` say.
    pub fn read(frames: Option<&str>, every: Option<u64>) -> Result<Self, String> {
        let every = every.unwrap_or(1);
        if every == 0 {
            return Err("--every is 0: must be at least 1".into());
        }
        let wrong =
            |text: &str| format!("--frames is {text:?}: must be FROM..TO, such as 100..200");
        let (first, last) = match frames {
            None => (0, None),
            Some(text) => {
                let (from, to) = text.split_once("..").ok_or_else(|| wrong(text))?;
                let number = |part: &str| part.trim().parse::<u64>().map_err(|_| wrong(text));
                let first = if from.trim().is_empty() {
                    0
                } else {
                    number(from)?
                };
                let last = if to.trim().is_empty() {
                    None
                } else {
                    Some(number(to)?)
                };
                (first, last)
            }
        };
        match last {
            Some(last) if last < first => Err(format!(
                "--frames ends at {last}, before it begins at {first}"
            )),
            last => Ok(Self { first, last, every }),
        }
    }

    /// Whether a frame is painted.
    pub fn has(self, number: u64) -> bool {
        number >= self.first
            && !self.is_over(number)
            && (number - self.first).is_multiple_of(self.every)
    }

    /// Whether neither this frame nor any after it is painted.
    pub fn is_over(self, number: u64) -> bool {
        self.last.is_some_and(|last| number > last)
    }

    /// How many are painted of a film of so many.
    pub fn count(self, frames: u64) -> u64 {
        let end = self
            .last
            .map_or(frames, |last| frames.min(last.saturating_add(1)));
        end.saturating_sub(self.first).div_ceil(self.every)
    }
}

/// The frames that begin a shot, as a file says them.
pub fn cuts(file: &OsStr) -> anyhow::Result<BTreeSet<u64>> {
    if file == "none" {
        return Ok(BTreeSet::new());
    }
    let path = Path::new(file);
    let text = std::fs::read_to_string(path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().enumerate();
    let lines = lines.map(|(at, line)| (at + 1, line.split('#').next().unwrap_or_default().trim()));
    let numbers = lines
        .filter(|(_, line)| !line.is_empty())
        .map(|(at, line)| {
            let number = line.parse();
            number.map_err(|_| {
                anyhow!(
                    "{}, line {at}: {line:?} is not the number of a frame",
                    path.display()
                )
            })
        });
    numbers.collect()
}

/// A frame as the library takes it.
pub fn picture(frame: &video::Picture) -> anyhow::Result<Picture> {
    if !frame.is_whole() {
        bail!("a frame has fewer pixels than it says");
    }
    let (width, height) = (frame.width, frame.height);
    let channels = frame.channels.count();
    let mut planes = match &frame.samples {
        Samples::Eight(samples) => planes(samples, channels, 255.0),
        Samples::Sixteen(samples) => planes(samples, channels, 65535.0),
    };
    let alpha = planes.split_off(3 * width * height);
    let picture = Picture::new(width, height, planes)?;
    Ok(match frame.channels {
        Channels::Rgb => picture,
        Channels::Rgba => picture.with_alpha(alpha)?,
    })
}

/// Pixels of so many samples as planes of numbers from 0 to 1.
fn planes<T: Copy + Into<f32>>(samples: &[T], channels: usize, white: f32) -> Vec<f32> {
    let places = samples.len() / channels;
    let mut planes = vec![0.0; samples.len()];
    for (channel, plane) in planes.chunks_exact_mut(places.max(1)).enumerate() {
        let samples = samples.iter().skip(channel).step_by(channels);
        for (value, &sample) in plane.iter_mut().zip(samples) {
            *value = sample.into() / white;
        }
    }
    planes
}

/// A picture as files take it: of 8 bits.
pub fn frame(picture: &Picture) -> anyhow::Result<video::Picture> {
    let (width, height) = (picture.width(), picture.height());
    let places = width * height;
    let channels = match picture.alpha() {
        Some(_) => Channels::Rgba,
        None => Channels::Rgb,
    };
    let planes = picture.rgb().chunks_exact(places.max(1));
    let mut samples = vec![0; places * channels.count()];
    for (channel, plane) in planes.chain(picture.alpha()).enumerate() {
        let samples = samples.iter_mut().skip(channel);
        for (sample, value) in samples.step_by(channels.count()).zip(plane) {
            // Rounds; what is not a number is black.
            *sample = (value * 255.0 + 0.5) as u8;
        }
    }
    let made = video::Picture::eight(width, height, channels, samples);
    made.ok_or_else(|| anyhow!("a painted frame has no pixels"))
}

/// Decodes the pictures of folders, as those that are painted one by one.
pub fn decode(path: &Path) -> Result<video::Picture, String> {
    let picture = Picture::open(path).map_err(|error| error.to_string())?;
    frame(&picture.with_depth(Depth::Eight)).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_counted() {
        let read = |text| Range::read(Some(text), None);
        let range = read("100..200").unwrap();
        assert!(range.has(100) && range.has(200) && !range.has(201) && !range.has(99));
        assert_eq!(
            (range.count(1000), range.count(150), range.count(50)),
            (101, 50, 0)
        );
        assert!(read("5..").unwrap().has(1_000_000) && read("..5").unwrap().has(0));
        let third = Range::read(Some("1..10"), Some(3)).unwrap();
        let painted: Vec<_> = (0..20).filter(|&number| third.has(number)).collect();
        assert_eq!(painted, [1, 4, 7, 10]);
        assert_eq!(third.count(20), 4);
        for wrong in ["", "5", "a..b", "5..4", "-1..4", "1...2"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(Range::read(None, Some(0)).is_err());
    }

    #[test]
    fn frames_come_back_as_they_were() {
        for channels in [Channels::Rgb, Channels::Rgba] {
            let samples: Vec<u8> = (0..3 * 2 * channels.count())
                .map(|at| (at * 23) as u8)
                .collect();
            let made = video::Picture::eight(3, 2, channels, samples).unwrap();
            assert_eq!(frame(&picture(&made).unwrap()).unwrap(), made);
        }
    }
}
