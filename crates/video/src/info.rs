//! What is known of a moving picture before its frames are read.

use crate::time::{Time, TimeBase};

/// By how much a camera was turned; frames have been turned upright already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rotation {
    /// Not at all.
    #[default]
    None,
    /// A quarter clockwise.
    Quarter,
    /// Upside down.
    Half,
    /// A quarter counter-clockwise.
    ThreeQuarters,
}

/// What is known of a moving picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Info {
    /// Pixels of a row of the upright frame.
    pub width: usize,
    /// Rows of the upright frame.
    pub height: usize,
    /// How many frames there are, where the file says so.
    pub frames: Option<u64>,
    /// When each of them is seen; empty where the file does not say so beforehand.
    pub times: Vec<Time>,
    /// The length of a tick of all times.
    pub time_base: TimeBase,
    /// Ticks from the start to the end of the last frame, where that is known.
    pub duration: Option<u64>,
    /// Width of a pixel as it is to be shown, divided by its height; (1, 1) nearly always.
    pub pixel_aspect: (u32, u32),
    /// How the camera was turned, which has been undone.
    pub rotation: Rotation,
    /// Whether there is sound.
    pub sound: bool,
    /// How often it is to be repeated; 0 is for ever, `None` is for what says nothing of it.
    pub repeats: Option<u32>,
    /// What reads it, for people: `H.264 in MP4`, `ffmpeg`.
    pub reader: String,
    /// What was done that is worth knowing, for people: that HDR was mapped to what screens show.
    pub notes: Vec<String>,
}

impl Info {
    /// Of frames of some size, with square pixels; nothing else is known yet.
    pub fn of_size(width: usize, height: usize, reader: &str) -> Self {
        Info {
            width,
            height,
            frames: None,
            times: Vec::new(),
            time_base: TimeBase::MILLISECONDS,
            duration: None,
            pixel_aspect: (1, 1),
            rotation: Rotation::None,
            sound: false,
            repeats: None,
            reader: reader.to_owned(),
            notes: Vec::new(),
        }
    }

    /// With the times of all frames, from which number and duration follow.
    pub(crate) fn with_times(mut self, time_base: TimeBase, times: Vec<Time>) -> Self {
        self.time_base = time_base;
        self.frames = Some(times.len() as u64);
        let end = times.iter().map(|time| time.end()).max().unwrap_or(0);
        self.duration = Some(end.max(0) as u64);
        self.times = times;
        self
    }

    /// The mean rate, in frames a second, where it is known.
    pub fn rate(&self) -> Option<f64> {
        let first = self.times.first()?.start;
        let span = self.time_base.seconds(self.times.last()?.end() - first);
        (span > 0.0).then(|| self.times.len() as f64 / span)
    }
}
