use crate::Error;

/// A picture: `[c, h, w]` with one channel (luma) or three (red, green, blue), values in 0..1.
///
/// Values that are no numbers count as black, others are brought into 0..1.
#[derive(Debug, Clone, PartialEq)]
pub struct Frame {
    pub(crate) channels: usize,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) data: Vec<f32>,
}

impl Frame {
    /// A picture of planar values `[channels, height, width]`.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are one or three channels, at least one pixel, and as many values as that makes.
    pub fn new(
        channels: usize,
        height: usize,
        width: usize,
        mut data: Vec<f32>,
    ) -> Result<Self, Error> {
        let needed = channels
            .checked_mul(height)
            .and_then(|n| n.checked_mul(width));
        if !matches!(channels, 1 | 3) || data.is_empty() || needed != Some(data.len()) {
            let shape = vec![channels, height, width];
            return Err(Error::Shape {
                what: "a frame",
                shape,
                values: data.len(),
            });
        }
        for value in &mut data {
            *value = if value.is_nan() {
                0.0
            } else {
                value.clamp(0.0, 1.0)
            };
        }
        Ok(Self {
            channels,
            height,
            width,
            data,
        })
    }

    /// A picture of interleaved bytes, red, green, blue, row by row.
    ///
    /// # Errors
    /// [`Error::Shape`], as [`Frame::new`].
    pub fn from_rgb8(height: usize, width: usize, bytes: &[u8]) -> Result<Self, Error> {
        let planar = (0..3)
            .flat_map(|c| bytes.iter().skip(c).step_by(3))
            .map(|&byte| f32::from(byte) / 255.0);
        Self::new(3, height, width, planar.collect())
    }

    /// 1 or 3.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Its values, `[c, h, w]`.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// One channel.
    ///
    /// # Panics
    /// Where there is none of that number.
    pub(crate) fn channel(&self, channel: usize) -> &[f32] {
        let plane = self.height * self.width;
        &self.data[channel * plane..(channel + 1) * plane]
    }

    /// Luma of each pixel, `[h, w]`: .299 red + .587 green + .114 blue (ITU-R BT.601).
    pub fn luma(&self) -> Vec<f32> {
        if self.channels == 1 {
            return self.data.clone();
        }
        let (red, green, blue) = (self.channel(0), self.channel(1), self.channel(2));
        (0..red.len())
            .map(|i| luma(red[i], green[i], blue[i]))
            .collect()
    }
}

/// ITU-R BT.601.
pub(crate) fn luma(red: f32, green: f32, blue: f32) -> f32 {
    0.299 * red + 0.587 * green + 0.114 * blue
}

/// Checks that something of the size `got` fits what is of the size `needed` (width, height).
pub(crate) fn same_size(
    what: &'static str,
    got: (usize, usize),
    needed: (usize, usize),
) -> Result<(), Error> {
    if got == needed {
        Ok(())
    } else {
        Err(Error::Size { what, got, needed })
    }
}
