//! Rectangles of images and of maps.

use crate::{ComputeError, Result, Size};
use std::ops::Range;

/// A rectangle of pixels of an image or of places of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// The first row.
    pub top: usize,
    /// The first column.
    pub left: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Window {
    /// All of a map.
    pub fn whole(size: Size) -> Self {
        Self {
            top: 0,
            left: 0,
            height: size.height,
            width: size.width,
        }
    }

    /// Its size.
    pub fn size(&self) -> Size {
        Size {
            width: self.width,
            height: self.height,
        }
    }

    /// The row behind the last.
    pub fn bottom(&self) -> usize {
        self.top + self.height
    }

    /// The column behind the last.
    pub fn right(&self) -> usize {
        self.left + self.width
    }

    /// Pixels.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// The same rectangle where a place stands for `stride`×`stride` of these; its far ends are rounded down, as
    /// pools do.
    pub fn at_stride(&self, stride: usize) -> Self {
        let (top, left) = (self.top / stride, self.left / stride);
        Self {
            top,
            left,
            height: (self.bottom() / stride).saturating_sub(top),
            width: (self.right() / stride).saturating_sub(left),
        }
    }

    /// What two rectangles share; of no pixels if there is nothing.
    pub fn shared(&self, other: &Window) -> Self {
        let (top, left) = (self.top.max(other.top), self.left.max(other.left));
        Self {
            top,
            left,
            height: self.bottom().min(other.bottom()).saturating_sub(top),
            width: self.right().min(other.right()).saturating_sub(left),
        }
    }

    /// The same rectangle, its places counted from the first of another one, which contains it.
    pub fn within(&self, other: &Window) -> Self {
        Self {
            top: self.top - other.top,
            left: self.left - other.left,
            ..*self
        }
    }
}

/// Which part of one tensor `[c, h, w]` goes to which part of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patch {
    /// Read.
    pub from: Window,
    /// First row and column written.
    pub to: (usize, usize),
}

impl Patch {
    /// Checks that both rectangles lie inside, and that channels agree.
    pub(crate) fn check(&self, x: &[usize], y: &[usize]) -> Result<()> {
        let Window { height, width, .. } = self.from;
        let fits = |shape: &[usize], top: usize, left: usize| match *shape {
            [_, h, w] => top + height <= h && left + width <= w,
            _ => false,
        };
        let good = fits(x, self.from.top, self.from.left) && fits(y, self.to.0, self.to.1);
        if good && x[0] == y[0] {
            return Ok(());
        }
        Err(ComputeError::Shape {
            what: "a patch of a tensor",
            expected: vec![
                x.first().copied().unwrap_or(0),
                self.to.0 + height,
                self.to.1 + width,
            ],
            got: y.to_vec(),
        })
    }

    /// Row by row, where it lies in row-major tensors `[c, h, w]` of these shapes, which were checked.
    pub(crate) fn rows(
        &self,
        x: &[usize],
        y: &[usize],
        mut visit: impl FnMut(Range<usize>, Range<usize>),
    ) {
        let Window { height, width, .. } = self.from;
        for channel in 0..x[0] {
            for row in 0..height {
                let source = (channel * x[1] + self.from.top + row) * x[2] + self.from.left;
                let target = (channel * y[1] + self.to.0 + row) * y[2] + self.to.1;
                visit(source..source + width, target..target + width);
            }
        }
    }
}
