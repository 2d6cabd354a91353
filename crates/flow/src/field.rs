use crate::Error;
use crate::simd::vectorised;
use rayon::prelude::*;

/// Where each pixel of one frame goes in another: `[2, h, w]`, along x (to the right) and along y (down), in pixels.
///
/// What lies at (x, y) in the one lies at (x + u, y + v) in the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Flow {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) data: Vec<f32>,
}

impl Flow {
    /// A flow of planar values `[2, height, width]`. Values that are not finite are kept: whoever reads them takes them for
    /// unknown.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is at least one pixel and two values for each.
    pub fn new(height: usize, width: usize, data: Vec<f32>) -> Result<Self, Error> {
        let needed = height.checked_mul(width).and_then(|n| n.checked_mul(2));
        if data.is_empty() || needed != Some(data.len()) {
            return Err(Error::Shape {
                what: "a flow",
                shape: vec![2, height, width],
                values: data.len(),
            });
        }
        Ok(Self {
            height,
            width,
            data,
        })
    }

    /// A flow that `motion` says of each pixel (x, y).
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no pixel.
    pub fn from_fn(
        height: usize,
        width: usize,
        motion: impl Fn(usize, usize) -> [f32; 2],
    ) -> Result<Self, Error> {
        let mut data = vec![0.0; 2 * height * width];
        let (u, v) = data.split_at_mut(height * width);
        for y in 0..height {
            for x in 0..width {
                [u[y * width + x], v[y * width + x]] = motion(x, y);
            }
        }
        Self::new(height, width, data)
    }

    /// The flow of what stands still. Both lengths have to be at least 1.
    pub(crate) fn zero(height: usize, width: usize) -> Self {
        Self {
            height,
            width,
            data: vec![0.0; 2 * height * width],
        }
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Width and height.
    pub fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    /// Its values, `[2, h, w]`.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// Motion along x, `[h, w]`.
    pub fn u(&self) -> &[f32] {
        &self.data[..self.height * self.width]
    }

    /// Motion along y, `[h, w]`.
    pub fn v(&self) -> &[f32] {
        &self.data[self.height * self.width..]
    }

    pub(crate) fn both_mut(&mut self) -> (&mut [f32], &mut [f32]) {
        self.data.split_at_mut(self.height * self.width)
    }

    /// Both motions of the pixel of that number.
    #[inline(always)]
    pub(crate) fn motion(&self, index: usize) -> [f32; 2] {
        [
            self.data[index],
            self.data[self.height * self.width + index],
        ]
    }

    /// The flow of the same frames in another size: bilinear, and motions scaled by the ratio of the sizes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the new size has no pixel.
    pub fn resized(&self, height: usize, width: usize) -> Result<Self, Error> {
        if height == 0 || width == 0 {
            return Err(Error::Shape {
                what: "a flow",
                shape: vec![2, height, width],
                values: 0,
            });
        }
        if (width, height) == self.size() {
            return Ok(self.clone());
        }
        let mut to = Self::zero(height, width);
        let scales = [
            width as f32 / self.width as f32,
            height as f32 / self.height as f32,
        ];
        let columns: Vec<Between> = (0..width)
            .map(|x| Between::new(x, width, self.width))
            .collect();
        let (u, v) = to.both_mut();
        for (from, to, scale) in [(self.u(), u, scales[0]), (self.v(), v, scales[1])] {
            to.par_chunks_mut(width).enumerate().for_each(|(y, row)| {
                let line = Between::new(y, height, self.height);
                let above = &from[line.0 * self.width..(line.0 + 1) * self.width];
                let below = &from[line.1 * self.width..(line.1 + 1) * self.width];
                let lines = Lines {
                    above,
                    below,
                    down: line.2,
                    scale,
                };
                vectorised(between_rows, (lines, &columns[..], row));
            });
        }
        Ok(to)
    }
}

/// Two neighbours and how far a place lies from the first to the second.
#[derive(Clone, Copy)]
struct Between(usize, usize, f32);

impl Between {
    /// Where the middle of one of `to` pixels lies among `from` that span the same length.
    fn new(index: usize, to: usize, from: usize) -> Self {
        let place =
            ((index as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64);
        let first = place.floor() as usize;
        Self(
            first,
            (first + 1).min(from - 1),
            (place - first as f64) as f32,
        )
    }
}

/// Two rows, how far between them another lies, and what its values are multiplied by.
struct Lines<'a> {
    above: &'a [f32],
    below: &'a [f32],
    down: f32,
    scale: f32,
}

#[inline(always)]
fn between_rows((lines, columns, to): (Lines, &[Between], &mut [f32])) {
    let Lines {
        above,
        below,
        down,
        scale,
    } = lines;
    for (value, column) in to.iter_mut().zip(columns) {
        let upper = above[column.0] + (above[column.1] - above[column.0]) * column.2;
        let lower = below[column.0] + (below[column.1] - below[column.0]) * column.2;
        *value = (upper + (lower - upper) * down) * scale;
    }
}
