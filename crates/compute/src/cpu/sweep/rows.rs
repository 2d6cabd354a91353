//! Maps that slide: the rows of a map that are in memory.

use crate::cpu::Context;
use crate::cpu::memory::{Buffer, Number};
use crate::cpu::strip::Strip;
use crate::{Result, Size};
use rayon::prelude::*;

/// Some rows of a map or of its bits, which begin further down as earlier ones are not needed any more.
#[derive(Debug)]
pub(super) struct Rows<T: Number> {
    pub(super) buffer: Buffer<T>,
    pub(super) strip: Strip,
    blocks: usize,
    /// Numbers per pixel of a block.
    per: usize,
}

impl<T: Number> Rows<T> {
    /// No rows yet of a map of some blocks of channels and some size, with room for so many.
    pub(super) fn new(
        context: &Context,
        (blocks, per): (usize, usize),
        size: Size,
        room: usize,
    ) -> Result<Self> {
        let Size {
            width: w,
            height: h,
        } = size;
        let room = room.min(h);
        Ok(Self {
            buffer: context.pool.take(blocks * room * w * per)?,
            strip: Strip {
                h,
                w,
                first: 0,
                rows: 0,
                room,
            },
            blocks,
            per,
        })
    }

    /// A map that is there as a whole.
    pub(super) fn whole(buffer: Buffer<T>, (blocks, per): (usize, usize), size: Size) -> Self {
        Self {
            buffer,
            strip: Strip::whole(size),
            blocks,
            per,
        }
    }

    /// The row behind the last.
    pub(super) fn end(&self) -> usize {
        self.strip.first + self.strip.rows
    }

    /// Makes room for rows up to `end`, and keeps those from `keep` on.
    pub(super) fn slide(&mut self, context: &Context, keep: usize, end: usize) -> Result<()> {
        let Strip {
            w,
            first,
            rows,
            room,
            ..
        } = self.strip;
        if end <= first + room {
            return Ok(());
        }
        let keep = keep.clamp(first, first + rows);
        let (skipped, kept) = (keep - first, first + rows - keep);
        let row = w * self.per;
        // Room to spare, so that few rows are moved for each that is made.
        if room == self.strip.h || (end - keep) + (end - keep) / 4 <= room {
            let planes = self.buffer.par_chunks_exact_mut((room * row).max(1));
            planes.for_each(|plane| plane.copy_within(skipped * row..(skipped + kept) * row, 0));
        } else {
            let size = self.strip.size();
            let wanted = (end - keep) + (end - keep) / 2;
            let mut larger = Self::new(context, (self.blocks, self.per), size, wanted)?;
            let room = larger.strip.room;
            let planes = larger.buffer.par_chunks_exact_mut((room * row).max(1));
            let old = self.buffer.par_chunks_exact((self.strip.room * row).max(1));
            planes.zip(old).for_each(|(to, from)| {
                to[..kept * row].copy_from_slice(&from[skipped * row..(skipped + kept) * row]);
            });
            self.buffer = larger.buffer;
            self.strip.room = room;
        }
        self.strip.first = keep;
        self.strip.rows = kept;
        Ok(())
    }

    /// Notes that rows up to `end` are there.
    pub(super) fn extend(&mut self, end: usize) {
        self.strip.rows = end.max(self.end()) - self.strip.first;
    }
}
