//! One stage of a sweep, and the rows of its map and bits that are in memory.

use super::room::Room;
use super::rows::Rows;
use super::{Features, Keeps};
use crate::cpu::array::{Layout, put, put_blocked};
use crate::cpu::network::CpuNetwork;
use crate::cpu::patches::Source;
use crate::cpu::pointwise;
use crate::cpu::results::{Bits, Mask};
use crate::cpu::shared::Shared;
use crate::cpu::simd::{LANES, Lanes};
use crate::cpu::strip::Strip;
use crate::cpu::winograd::Extent;
use crate::plan::{Kept, Operation, Stage};
use crate::{PoolKind, Result, Size};
use std::ops::Range;

/// One stage: what it has made, some rows of which are in memory.
#[derive(Debug)]
pub(super) struct StageRows {
    pub(super) stage: Stage,
    pub(super) keeps: Keeps,
    /// Rows at a time, of what it reads.
    pub(super) step: usize,
    /// Rows of its map that are needed at a time, about.
    pub(super) room: usize,
    /// Rows that are done, of what it reads.
    pub(super) computed: usize,
    /// Whether it makes rows on this way.
    pub(super) runs: bool,
    pub(super) map: Option<Rows<f32>>,
    pub(super) bits: Option<Rows<u16>>,
    /// The first rows that somebody other than the next stage will read.
    pub(super) map_needed: usize,
    pub(super) bits_needed: usize,
}

impl StageRows {
    pub(super) fn blocks(&self) -> usize {
        self.stage.channels.div_ceil(LANES)
    }

    /// Words of bits per pixel of a block.
    pub(super) fn per_pixel(&self) -> usize {
        self.stage.operation.noted().bits()
    }

    /// Rows of its map.
    pub(super) fn rows(&self) -> usize {
        self.stage.size.height
    }

    /// The map and its strip; empty if it is not there.
    pub(super) fn map(&self) -> (&[Lanes], Strip) {
        match &self.map {
            Some(rows) => (rows.buffer.lanes(), rows.strip),
            None => (&[], self.nothing()),
        }
    }

    pub(super) fn mask(&self) -> Option<Mask<'_>> {
        self.bits.as_ref().map(|rows| Mask {
            words: &rows.buffer,
            strip: rows.strip,
        })
    }

    /// Makes room for rows up to `made`, where the next stage reads from row `read` on.
    pub(super) fn make_room(
        &mut self,
        network: &CpuNetwork,
        made: usize,
        read: usize,
    ) -> Result<()> {
        let context = &network.context;
        let whole = |kept: bool| if kept { self.rows() } else { self.room };
        let (map_room, bits_room) = (whole(self.keeps.map), whole(self.keeps.bits));
        let (blocks, size) = (self.blocks(), self.stage.size);
        let map = match &mut self.map {
            Some(map) => map,
            none => none.insert(Rows::new(context, (blocks, LANES), size, map_room)?),
        };
        map.slide(context, read.min(self.map_needed), made)?;
        let per_pixel = self.per_pixel();
        if per_pixel > 0 {
            let bits = match &mut self.bits {
                Some(bits) => bits,
                none => none.insert(Rows::new(context, (blocks, per_pixel), size, bits_room)?),
            };
            bits.slide(context, self.bits_needed, made)?;
        }
        Ok(())
    }

    /// No rows of its map.
    pub(super) fn nothing(&self) -> Strip {
        Strip::whole(Size {
            width: self.stage.size.width,
            height: 0,
        })
    }

    /// Map and bits, to be written.
    pub(super) fn room(&mut self) -> Room<'_> {
        let none = self.nothing();
        let (map, strip) = match &mut self.map {
            Some(rows) => (rows.buffer.lanes_mut(), rows.strip),
            None => (&mut [][..], none),
        };
        let (bits, bits_strip) = match &mut self.bits {
            Some(rows) => (&mut rows.buffer[..], rows.strip),
            None => (&mut [][..], none),
        };
        Room {
            map,
            strip,
            bits,
            bits_strip,
        }
    }

    /// Notes that rows up to `made` are there.
    pub(super) fn extend(&mut self, made: usize) {
        if let Some(map) = &mut self.map {
            map.extend(made);
        }
        if let Some(bits) = &mut self.bits {
            bits.extend(made);
        }
    }

    /// The whole map as a tensor, if it was kept: a copy only where a tensor is laid out in another way, or where the
    /// way back needs the map as well.
    pub(super) fn show(&mut self, network: &CpuNetwork) -> Result<Features> {
        let Size { width, height } = self.stage.size;
        let shape = [self.stage.channels, height, width];
        let Some(rows) = self.map.take() else {
            return Ok(Features::Unasked);
        };
        let context = &network.context;
        if self.stage.kept != Kept::Lasting {
            return Ok(Features::Own(put_blocked(context, rows.buffer, shape)?));
        }
        if let Layout::Blocked { .. } = Layout::of(&shape) {
            return Ok(Features::OfMap(put(rows.buffer, &shape)));
        }
        let mut copy = context.pool.take(rows.buffer.len())?;
        copy.copy_from_slice(&rows.buffer);
        self.map = Some(rows);
        Ok(Features::Own(put_blocked(context, copy, shape)?))
    }

    /// Makes rows of its map from those of the stage before; they are counted in what it reads.
    pub(super) fn make(
        &mut self,
        network: &CpuNetwork,
        before: &StageRows,
        rows: Range<usize>,
        pixels: usize,
    ) -> Result<()> {
        let (operation, read) = (self.stage.operation, self.stage.before);
        let made = self.stage.made(rows.start)..self.stage.made(rows.end);
        if let Operation::Conv { layer, .. } = operation {
            let (data, strip) = before.map();
            let source = Source::Map {
                data,
                strip,
                padding: network.convolution(layer)?.spec.padding,
            };
            let extent = Extent {
                rows,
                ..Extent::whole(read)
            };
            return network.convolve_into(operation, source, self.room(), extent, pixels);
        }
        let room = self.room();
        let bits = Bits {
            words: Shared::new(room.bits),
            strip: room.bits_strip,
        };
        let (from, out) = (before.map(), (room.map, room.strip));
        match operation {
            Operation::Relu => pointwise::relu(&network.context, from, out, &bits, rows),
            Operation::Pool(pool) => {
                let noted = (pool.kind == PoolKind::Max).then_some(&bits);
                pointwise::pool(&network.context, &pool, from, out, noted, made);
            }
            // Those were told apart, and nothing that reads an image reads features.
            Operation::Conv { .. } | Operation::Read => {}
        }
        Ok(())
    }
}
