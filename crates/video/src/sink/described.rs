//! Says in a stream what its colours are: the encoder leaves that out (ITU-T H.264 7.3.2.1.1, E.1.1).

use super::segment::Shape;
use crate::source::{Sps, unescaped};

/// Writes bits, first the most significant.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    count: usize,
}

impl BitWriter {
    fn bits(&mut self, value: u32, count: usize) {
        for index in (0..count).rev() {
            if self.count.is_multiple_of(8) {
                self.bytes.push(0);
            }
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> index & 1) as u8) << (7 - self.count % 8);
            }
            self.count += 1;
        }
    }

    /// ue(v).
    fn unsigned(&mut self, value: u32) {
        let length = (value + 1).ilog2() as usize;
        self.bits(0, length);
        self.bits(value + 1, length + 1);
    }
}

/// A sequence parameter set that said nothing of shapes of pixels and colours, with those; `None` if it is none, or said so.
pub fn with_colors(unit: &[u8], shape: &Shape) -> Option<Vec<u8>> {
    let sps = Sps::parse(unit)?;
    let plain = unescaped(unit.get(1..)?);
    let mut writer = BitWriter::default();
    for index in 0..sps.vui_flag {
        writer.bits(u32::from(plain.get(index / 8)? >> (7 - index % 8) & 1), 1);
    }
    if plain.get(sps.vui_flag / 8)? >> (7 - sps.vui_flag % 8) & 1 == 1 {
        return None;
    }
    writer.bits(1, 1);
    match (u16::try_from(shape.aspect.0), u16::try_from(shape.aspect.1)) {
        (Ok(x), Ok(y)) if shape.aspect != (1, 1) => {
            writer.bits(0x1ff, 9);
            writer.bits(x.into(), 16);
            writer.bits(y.into(), 16);
        }
        // Square pixels have a number of their own.
        _ => writer.bits(0x101, 9),
    }
    // No word on overscan; signal of any kind, limited range, with colours.
    writer.bits(0b011_0101, 7);
    for code in shape.colors() {
        writer.bits(code.into(), 8);
    }
    // Nothing of where chroma lies, clocks, buffers and fields.
    writer.bits(0, 5);
    // Frames are shown in order of decoding: none is held back.
    writer.bits(0b11, 2);
    for value in [0, 0, 15, 15, 0, sps.references] {
        writer.unsigned(value);
    }
    writer.bits(1, 1);
    let mut escaped = vec![unit[0]];
    let mut zeros = 0;
    for byte in writer.bytes {
        if zeros >= 2 && byte <= 3 {
            escaped.push(3);
            zeros = 0;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        escaped.push(byte);
    }
    Some(escaped)
}
