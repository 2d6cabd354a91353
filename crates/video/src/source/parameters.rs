//! What a stream of H.264 says of itself: the sequence parameter set (ITU-T H.264 7.3.2.1.1, E.1.1) and how MP4 keeps it.

use crate::bytes::{Bits, Bytes};

/// What is read of a sequence parameter set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sps {
    pub chroma_format: u32,
    pub depth: u32,
    /// How many frames others may be predicted from.
    pub references: u32,
    /// Size in pixels without what is cropped.
    pub width: u64,
    pub height: u64,
    /// Where the flag stands, in bits, that says whether there is more about how to show it.
    pub vui_flag: usize,
    pub aspect: Option<(u32, u32)>,
    pub full_range: Option<bool>,
    pub colors: Option<Colors>,
}

/// Code points of ITU-T H.273.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colors {
    pub transfer: u32,
    pub matrix: u32,
}

/// Profiles whose sets say more about samples.
const LONG_PROFILES: [u32; 13] = [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135];

/// Widths and heights of pixels, table E-1, from 1 on.
const ASPECTS: [(u32, u32); 16] = [
    (1, 1),
    (12, 11),
    (10, 11),
    (16, 11),
    (40, 33),
    (24, 11),
    (20, 11),
    (32, 11),
    (80, 33),
    (18, 11),
    (15, 11),
    (64, 33),
    (160, 99),
    (4, 3),
    (3, 2),
    (2, 1),
];

/// A unit without the bytes that keep start codes out of it.
pub fn unescaped(unit: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(unit.len());
    let mut zeros = 0;
    for &byte in unit {
        if zeros >= 2 && byte == 3 {
            zeros = 0;
            continue;
        }
        zeros = if byte == 0 { zeros + 1 } else { 0 };
        plain.push(byte);
    }
    plain
}

impl Sps {
    /// Reads a unit with its header byte; `None` if it ends too early or makes no sense.
    pub fn parse(unit: &[u8]) -> Option<Sps> {
        let plain = unescaped(unit.get(1..)?);
        let mut bits = Bits::new(&plain);
        let profile = bits.bits(8)?;
        bits.bits(16)?;
        bits.unsigned()?;
        let mut sps = Sps {
            chroma_format: 1,
            depth: 8,
            ..Sps::default()
        };
        if LONG_PROFILES.contains(&profile) {
            sps.samples(&mut bits)?;
        }
        bits.unsigned()?;
        match bits.unsigned()? {
            0 => drop(bits.unsigned()?),
            1 => {
                bits.bit()?;
                bits.signed()?;
                bits.signed()?;
                for _ in 0..bits.unsigned()?.min(256) {
                    bits.signed()?;
                }
            }
            _ => (),
        }
        sps.references = bits.unsigned()?;
        bits.bit()?;
        sps.size(&mut bits)?;
        sps.vui_flag = bits.position();
        if bits.bit()? {
            // What is missing here is not needed to decode.
            sps.usability(&mut bits);
        }
        Some(sps)
    }

    fn samples(&mut self, bits: &mut Bits) -> Option<()> {
        self.chroma_format = bits.unsigned()?;
        if self.chroma_format == 3 {
            bits.bit()?;
        }
        self.depth = 8 + bits.unsigned()?.min(8).max(bits.unsigned()?.min(8));
        bits.bit()?;
        if bits.bit()? {
            let lists = if self.chroma_format == 3 { 12 } else { 8 };
            for list in 0..lists {
                if bits.bit()? {
                    let mut next = 8i32;
                    for _ in 0..if list < 6 { 16 } else { 64 } {
                        if next != 0 {
                            next = (next + bits.signed()?).rem_euclid(256);
                        }
                    }
                }
            }
        }
        Some(())
    }

    fn size(&mut self, bits: &mut Bits) -> Option<()> {
        let width = 16 * (u64::from(bits.unsigned()?) + 1);
        let units = u64::from(bits.unsigned()?) + 1;
        let frames_only = bits.bit()?;
        let height = 16 * units * if frames_only { 1 } else { 2 };
        if !frames_only {
            bits.bit()?;
        }
        bits.bit()?;
        let mut crop = [0u64; 4];
        if bits.bit()? {
            for side in &mut crop {
                *side = u64::from(bits.unsigned()?);
            }
        }
        let across = if matches!(self.chroma_format, 1 | 2) {
            2
        } else {
            1
        };
        let down = if self.chroma_format == 1 { 2 } else { 1 } * if frames_only { 1 } else { 2 };
        self.width = width.checked_sub(across * (crop[0] + crop[1]))?;
        self.height = height.checked_sub(down * (crop[2] + crop[3]))?;
        Some(())
    }

    fn usability(&mut self, bits: &mut Bits) -> Option<()> {
        if bits.bit()? {
            self.aspect = match bits.bits(8)? as usize {
                255 => Some((bits.bits(16)?, bits.bits(16)?)),
                index => index
                    .checked_sub(1)
                    .and_then(|index| ASPECTS.get(index).copied()),
            };
        }
        if bits.bit()? {
            bits.bit()?;
        }
        if bits.bit()? {
            bits.bits(3)?;
            self.full_range = Some(bits.bit()?);
            if bits.bit()? {
                bits.bits(8)?;
                self.colors = Some(Colors {
                    transfer: bits.bits(8)?,
                    matrix: bits.bits(8)?,
                });
            }
        }
        Some(())
    }
}

/// The parameter sets that MP4 keeps beside the samples (`avcC`, ISO/IEC 14496-15 5.3.3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// Bytes of the length before each unit of a sample.
    pub length_size: usize,
    pub sequence: Vec<Vec<u8>>,
    pub picture: Vec<Vec<u8>>,
}

impl Configuration {
    pub fn parse(bytes: &[u8]) -> Option<Configuration> {
        let mut bytes = Bytes(bytes);
        bytes.take(4)?;
        let length_size = usize::from(bytes.u8()? & 3) + 1;
        let units = |bytes: &mut Bytes, count: u8| {
            (0..count)
                .map(|_| {
                    let length = bytes.u16()?;
                    bytes.take(usize::from(length)).map(<[u8]>::to_vec)
                })
                .collect::<Option<Vec<_>>>()
        };
        let count = bytes.u8()? & 31;
        let sequence = units(&mut bytes, count)?;
        let count = bytes.u8()?;
        let picture = units(&mut bytes, count)?;
        Some(Configuration {
            length_size,
            sequence,
            picture,
        })
    }

    /// The units of a sample; `None` if a length does not fit.
    pub fn units<'a>(&self, mut sample: &'a [u8]) -> Option<Vec<&'a [u8]>> {
        let mut units = Vec::new();
        while !sample.is_empty() {
            let (length, rest) = sample.split_at_checked(self.length_size)?;
            let length = length
                .iter()
                .fold(0usize, |length, &byte| length << 8 | usize::from(byte));
            let (unit, rest) = rest.split_at_checked(length)?;
            if !unit.is_empty() {
                units.push(unit);
            }
            sample = rest;
        }
        Some(units)
    }
}
