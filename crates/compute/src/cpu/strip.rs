//! Maps of which some rows are in memory.

use super::patches::within;
use super::simd::Lanes;
use crate::{Padding, Size};

/// The rows `first .. first + rows` of a blocked map of `h×w` pixels; all of them, usually.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strip {
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) first: usize,
    pub(super) rows: usize,
    /// Rows for which each block of channels has room.
    pub(super) room: usize,
}

impl Strip {
    /// The whole map.
    pub(super) fn whole(size: Size) -> Self {
        let Size {
            width: w,
            height: h,
        } = size;
        Self {
            h,
            w,
            first: 0,
            rows: h,
            room: h,
        }
    }

    /// The size of the map.
    pub(super) fn size(&self) -> Size {
        Size {
            width: self.w,
            height: self.h,
        }
    }

    /// Pixels from one block of channels to the next.
    pub(super) fn pixels(&self) -> usize {
        self.room * self.w
    }

    /// One block of channels.
    #[inline(always)]
    pub(super) fn plane<'a>(&self, data: &'a [Lanes], block: usize) -> &'a [Lanes] {
        &data[block * self.pixels()..][..self.pixels()]
    }

    /// The place of a pixel in its block.
    #[inline(always)]
    pub(super) fn place(&self, y: usize, x: usize) -> usize {
        (y - self.first) * self.w + x
    }

    /// Whether a square of side `n` lies inside.
    #[inline(always)]
    pub(super) fn contains(&self, top: isize, left: isize, n: usize) -> bool {
        let (rows, n) = (
            self.first as isize..=(self.first + self.rows) as isize,
            n as isize,
        );
        top >= *rows.start() && left >= 0 && top + n <= *rows.end() && left + n <= self.w as isize
    }

    /// Whether a row is in memory.
    #[inline(always)]
    pub(super) fn has_row(&self, y: isize) -> bool {
        y >= self.first as isize && y < (self.first + self.rows) as isize
    }

    /// The place of the first pixel of the row that position `y` reads, or `None` for a row of zeros.
    #[inline(always)]
    pub(super) fn row(&self, padding: Padding, y: isize) -> Option<usize> {
        let row = within(padding, y, self.h)?.checked_sub(self.first)?;
        (row < self.rows).then_some(row * self.w)
    }
}
