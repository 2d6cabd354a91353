//! Width and height.

use std::fmt;

/// The size of a picture or a map. Fields are named because orders differ: people say width first, tensors `[c, h, w]`
/// have it last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Size {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl Size {
    /// A square.
    pub fn square(side: usize) -> Self {
        Self {
            width: side,
            height: side,
        }
    }

    /// Places.
    pub fn pixels(&self) -> usize {
        self.width * self.height
    }

    /// The size with one more place on every side.
    pub(crate) fn bordered(&self) -> Self {
        Self {
            width: self.width + 2,
            height: self.height + 2,
        }
    }

    /// Twice as high and wide.
    pub(crate) fn doubled(&self) -> Self {
        Self {
            width: 2 * self.width,
            height: 2 * self.height,
        }
    }

    /// The size of a map of which a place stands for `stride`×`stride` of these; what is left over is dropped.
    pub fn at_stride(&self, stride: usize) -> Self {
        Self {
            width: self.width / stride,
            height: self.height / stride,
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.width, self.height)
    }
}
