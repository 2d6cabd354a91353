//! Object headers: the messages that describe a group or a dataset.

use super::{Block, Metadata};
use crate::problem::{Problem, Read};

/// Kinds of message that are understood; all others are passed over.
pub(super) const DATASPACE: u16 = 0x01;
pub(super) const LINK_INFO: u16 = 0x02;
pub(super) const DATATYPE: u16 = 0x03;
pub(super) const LINK: u16 = 0x06;
pub(super) const EXTERNAL_FILES: u16 = 0x07;
pub(super) const LAYOUT: u16 = 0x08;
pub(super) const FILTERS: u16 = 0x0b;
pub(super) const SYMBOL_TABLE: u16 = 0x11;
const CONTINUATION: u16 = 0x10;

const KEPT: [u16; 8] = [
    DATASPACE,
    LINK_INFO,
    DATATYPE,
    LINK,
    EXTERNAL_FILES,
    LAYOUT,
    FILTERS,
    SYMBOL_TABLE,
];

/// The messages of an object.
pub(super) struct Object {
    messages: Vec<(u16, Vec<u8>)>,
}

/// How the messages of a header are framed.
#[derive(Clone, Copy)]
enum Frame {
    /// Version 1.
    Old,
    /// Version 2, with or without an order of creation.
    New { ordered: bool },
}

impl Object {
    pub(super) fn read(metadata: &Metadata<'_, '_>, address: u64) -> Read<Self> {
        let start = metadata.block(address, 6)?.bytes;
        let (frame, first, length) = match start.as_slice() {
            [1, ..] => {
                let mut block = metadata.block(address, 12)?;
                block.skip(8)?;
                (Frame::Old, address.saturating_add(16), block.number(4)?)
            }
            [b'O', b'H', b'D', b'R', 2, flags] => {
                let times = if flags & 0x20 != 0 { 16 } else { 0 };
                let phases = if flags & 0x10 != 0 { 4 } else { 0 };
                let width = 1 << (flags & 3);
                let mut block = metadata.block(address, 6 + times + phases + width)?;
                block.skip((6 + times + phases) as usize)?;
                let length = block.number(width as usize)?;
                let frame = Frame::New {
                    ordered: flags & 4 != 0,
                };
                let first = address.saturating_add(6 + times + phases + width);
                (frame, first, length)
            }
            _ => {
                return Err(Problem::damaged(format!(
                    "there is no object at byte {address}"
                )));
            }
        };
        let mut object = Self { messages: vec![] };
        let mut waiting = vec![(first, length, false)];
        while let Some((address, length, continued)) = waiting.pop() {
            let framed = continued && matches!(frame, Frame::New { .. });
            // A signature comes first and a checksum last.
            let length = length.saturating_sub(if framed { 4 } else { 0 });
            let mut block = metadata.block(address, length)?;
            if framed {
                block.expect(b"OCHK")?;
            }
            object.messages(&mut block, frame, &mut waiting)?;
        }
        Ok(object)
    }

    /// Reads the messages of one block.
    fn messages(
        &mut self,
        block: &mut Block,
        frame: Frame,
        waiting: &mut Vec<(u64, u64, bool)>,
    ) -> Read<()> {
        let header = match frame {
            Frame::Old => 8,
            Frame::New { ordered: false } => 4,
            Frame::New { ordered: true } => 6,
        };
        // What is shorter than a header is a gap.
        while block.left() >= header {
            let (kind, length, flags);
            match frame {
                Frame::Old => {
                    kind = block.u16()? as u16;
                    length = block.u16()?;
                    flags = block.u8()?;
                    block.skip(3)?;
                }
                Frame::New { ordered } => {
                    kind = u16::from(block.u8()?);
                    length = block.u16()?;
                    flags = block.u8()?;
                    block.skip(if ordered { 2 } else { 0 })?;
                }
            }
            if length > block.left() {
                return Err(Problem::damaged("a message leaves its header"));
            }
            let data = block.take(length)?.to_vec();
            if kind == CONTINUATION {
                let mut place = Block { bytes: data, at: 0 };
                let (address, length) = (place.u64()?, place.u64()?);
                waiting.push((address, length, true));
            } else if KEPT.contains(&kind) {
                if flags & 2 != 0 {
                    return Err(super::newer("it shares a header's message between objects"));
                }
                self.messages.push((kind, data));
            }
        }
        Ok(())
    }

    /// The first message of a kind.
    pub(super) fn message(&self, kind: u16) -> Option<Block> {
        self.all(kind).next()
    }

    /// All messages of a kind.
    pub(super) fn all(&self, kind: u16) -> impl Iterator<Item = Block> {
        self.messages
            .iter()
            .filter(move |(other, _)| *other == kind)
            .map(|(_, bytes)| Block {
                bytes: bytes.clone(),
                at: 0,
            })
    }
}
