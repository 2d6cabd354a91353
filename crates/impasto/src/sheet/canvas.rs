//! The paper that a sheet is laid out on.

use super::text::Mask;
use crate::picture::{Picture, PictureError};

/// Red, green and blue of a colour, sRGB-coded 0..1.
pub(super) type Colour = [f32; 3];

/// Planes `[3, height, width]`, sRGB-coded 0..1.
pub(super) struct Canvas {
    width: usize,
    height: usize,
    rgb: Vec<f32>,
}

impl Canvas {
    /// Paper of one colour.
    pub fn new(width: usize, height: usize, paper: Colour) -> Self {
        let plane = width * height;
        let mut rgb = Vec::with_capacity(3 * plane);
        for value in paper {
            rgb.resize(rgb.len() + plane, value);
        }
        Self { width, height, rgb }
    }

    /// Lays a picture with its upper left corner at (`left`, `top`); what is transparent shows the paper. What lies
    /// beyond the edge is left out.
    pub fn paste(&mut self, picture: &Picture, left: usize, top: usize) {
        let (width, height) = (picture.width(), picture.height());
        let (from, to) = (width * height, self.width * self.height);
        for y in 0..height.min(self.height.saturating_sub(top)) {
            for x in 0..width.min(self.width.saturating_sub(left)) {
                let (source, place) = (y * width + x, (top + y) * self.width + left + x);
                let alpha = picture.alpha().map_or(1.0, |alpha| alpha[source]);
                for c in 0..3 {
                    let value = picture.rgb()[c * from + source].clamp(0.0, 1.0);
                    let paper = &mut self.rgb[c * to + place];
                    *paper += alpha * (value - *paper);
                }
            }
        }
    }

    /// Writes a line of text with its upper left corner at (`left`, `top`).
    pub fn write(&mut self, mask: &Mask, left: usize, top: usize, ink: Colour) {
        for y in 0..mask.height {
            for x in 0..mask.width {
                self.blend(left + x, top + y, mask.coverage[y * mask.width + x], ink);
            }
        }
    }

    /// Writes a line of text upwards, its start at the lower left corner (`left`, `bottom`).
    pub fn write_upwards(&mut self, mask: &Mask, left: usize, bottom: usize, ink: Colour) {
        for y in 0..mask.height {
            for x in 0..mask.width.min(bottom) {
                let coverage = mask.coverage[y * mask.width + x];
                self.blend(left + y, bottom - 1 - x, coverage, ink);
            }
        }
    }

    fn blend(&mut self, x: usize, y: usize, coverage: f32, ink: Colour) {
        if coverage > 0.0 && x < self.width && y < self.height {
            for (c, value) in ink.into_iter().enumerate() {
                let place = &mut self.rgb[(c * self.height + y) * self.width + x];
                *place += coverage * (value - *place);
            }
        }
    }

    /// The finished picture.
    pub fn picture(self) -> Result<Picture, PictureError> {
        Picture::new(self.width, self.height, self.rgb)
    }
}
