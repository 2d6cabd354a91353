//! What stages make: maps, the bits noted of them, and where they are written.

use super::Context;
use super::array::get;
use super::memory::Buffer;
use super::results::Mask;
use super::simd::{LANES, Lanes};
use super::strip::Strip;
use crate::plan::Stage;
use crate::{Result, Size, Tensor};

/// What a stage has made.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) channels: usize,
    pub(super) size: Size,
    pub(super) map: Map,
    /// Signs or places of maxima, for the backward pass of the stage.
    pub(super) bits: Option<Buffer<u16>>,
}

/// Where a stage writes: map and bits, and which of their rows are there.
pub(super) struct Room<'a> {
    pub(super) map: &'a mut [Lanes],
    pub(super) strip: Strip,
    pub(super) bits: &'a mut [u16],
    pub(super) bits_strip: Strip,
}

/// Who holds a map.
#[derive(Debug)]
pub(super) enum Map {
    /// Nobody any more.
    Dropped,
    /// The tape.
    Kept(Buffer),
    /// A tensor that the tape hands out.
    Shown(Tensor),
}

impl Node {
    /// Room for what a stage makes.
    pub(super) fn new(context: &Context, stage: &Stage) -> Result<Self> {
        let len = stage.channels.div_ceil(LANES) * stage.size.pixels();
        Ok(Self {
            map: Map::Kept(context.pool.take(len * LANES)?),
            bits: match stage.operation.noted().bits() {
                0 => None,
                per_pixel => Some(context.pool.take(len * per_pixel)?),
            },
            ..Self::empty(stage)
        })
    }

    /// What a stage makes, without map and bits.
    pub(super) fn empty(stage: &Stage) -> Self {
        Self {
            channels: stage.channels,
            size: stage.size,
            map: Map::Dropped,
            bits: None,
        }
    }

    pub(super) fn pixels(&self) -> usize {
        self.size.pixels()
    }

    /// Pixels of all blocks of channels.
    pub(super) fn len(&self) -> usize {
        self.channels.div_ceil(LANES) * self.pixels()
    }

    /// The shape of a tensor of some channels and its size.
    pub(super) fn shape(&self, channels: usize) -> [usize; 3] {
        [channels, self.size.height, self.size.width]
    }

    /// The map; empty if it has been dropped.
    pub(super) fn lanes(&self) -> Result<&[Lanes]> {
        match &self.map {
            Map::Dropped => Ok(&[]),
            Map::Kept(buffer) => Ok(buffer.lanes()),
            Map::Shown(tensor) => Ok(get("a map", tensor)?.as_chunks().0),
        }
    }

    /// Map and bits, to be written; empty where there are none.
    pub(super) fn room(&mut self) -> Room<'_> {
        let strip = Strip::whole(self.size);
        Room {
            map: match &mut self.map {
                Map::Kept(buffer) => buffer.lanes_mut(),
                Map::Dropped | Map::Shown(_) => &mut [],
            },
            strip,
            bits: self.bits.as_deref_mut().unwrap_or_default(),
            bits_strip: strip,
        }
    }

    /// The bits, to be read.
    pub(super) fn mask(&self) -> Option<Mask<'_>> {
        self.bits.as_deref().map(|words| Mask {
            words,
            strip: Strip::whole(self.size),
        })
    }
}
