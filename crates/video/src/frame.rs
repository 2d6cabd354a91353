//! Frames and their pictures.

use crate::time::Time;

/// A frame of a moving picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Its number in order of being seen, from 0.
    pub number: u64,
    /// When it is seen.
    pub time: Time,
    /// What is seen, upright.
    pub picture: Picture,
}

/// What a pixel consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, and opacity that they are not multiplied by.
    Rgba,
}

impl Channels {
    /// Samples per pixel.
    pub fn count(self) -> usize {
        match self {
            Channels::Rgb => 3,
            Channels::Rgba => 4,
        }
    }
}

/// The samples of a picture: rows from the top, pixels from the left, channels of a pixel side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Samples {
    /// 0 to 255.
    Eight(Vec<u8>),
    /// 0 to 65535.
    Sixteen(Vec<u16>),
}

impl Samples {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Samples::Eight(samples) => samples.len(),
            Samples::Sixteen(samples) => samples.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A picture of a film, with the transfer curve of the film (gamma as in sRGB, near enough).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Pixels of a row, at least 1.
    pub width: usize,
    /// Rows, at least 1.
    pub height: usize,
    /// What a pixel consists of.
    pub channels: Channels,
    /// `height · width · channels` samples.
    pub samples: Samples,
}

impl Picture {
    /// A picture of 8-bit samples; `None` if their number is not `width · height · channels` or there are none.
    pub fn eight(
        width: usize,
        height: usize,
        channels: Channels,
        samples: Vec<u8>,
    ) -> Option<Self> {
        let picture = Picture {
            width,
            height,
            channels,
            samples: Samples::Eight(samples),
        };
        picture.is_whole().then_some(picture)
    }

    /// Whether there are as many samples as the size says, and any.
    pub fn is_whole(&self) -> bool {
        let count = self
            .width
            .checked_mul(self.height)
            .and_then(|pixels| pixels.checked_mul(self.channels.count()));
        count.is_some_and(|count| count > 0 && count == self.samples.len())
    }

    /// The samples in 8 bits, rounded if there are 16.
    pub fn to_eight(&self) -> std::borrow::Cow<'_, [u8]> {
        match &self.samples {
            Samples::Eight(samples) => samples.into(),
            Samples::Sixteen(samples) => {
                let narrow = |&sample: &u16| ((u32::from(sample) * 255 + 32767) / 65535) as u8;
                samples.iter().map(narrow).collect::<Vec<_>>().into()
            }
        }
    }

    /// The picture in 8-bit RGB; what is transparent is laid over black, as films are shown.
    pub fn to_rgb(&self) -> std::borrow::Cow<'_, [u8]> {
        let eight = self.to_eight();
        if self.channels == Channels::Rgb {
            return eight;
        }
        let mut rgb = Vec::with_capacity(self.width * self.height * 3);
        for pixel in eight.chunks_exact(4) {
            let opacity = u32::from(pixel[3]);
            rgb.extend(
                pixel[..3]
                    .iter()
                    .map(|&value| ((u32::from(value) * opacity + 127) / 255) as u8),
            );
        }
        rgb.into()
    }

    /// The picture in 8-bit RGBA.
    pub fn to_rgba(&self) -> std::borrow::Cow<'_, [u8]> {
        let eight = self.to_eight();
        if self.channels == Channels::Rgba {
            return eight;
        }
        let pixels = eight.chunks_exact(3);
        pixels
            .flat_map(|pixel| [pixel[0], pixel[1], pixel[2], 255])
            .collect::<Vec<_>>()
            .into()
    }
}
