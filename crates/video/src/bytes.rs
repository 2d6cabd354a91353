//! Numbers out of bytes that may end at any place.

/// Reads big-endian numbers from the front of a slice; every call may find its end.
#[derive(Clone, Copy)]
pub struct Bytes<'a>(pub &'a [u8]);

impl<'a> Bytes<'a> {
    pub fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(front)
    }

    pub fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub fn u16(&mut self) -> Option<u16> {
        self.take(2)
            .and_then(|bytes| Some(u16::from_be_bytes(bytes.try_into().ok()?)))
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.take(4)
            .and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)))
    }

    pub fn i32(&mut self) -> Option<i32> {
        self.u32().map(u32::cast_signed)
    }

    pub fn u64(&mut self) -> Option<u64> {
        self.take(8)
            .and_then(|bytes| Some(u64::from_be_bytes(bytes.try_into().ok()?)))
    }

    /// A number that has 64 bits in version 1 of its box and 32 in version 0.
    pub fn wide(&mut self, version: u8) -> Option<u64> {
        match version {
            0 => self.u32().map(u64::from),
            _ => self.u64(),
        }
    }

    /// A list: its length, then so many entries of `size` bytes. The length is compared with what there is.
    pub fn list(&mut self, size: usize) -> Option<std::slice::ChunksExact<'a, u8>> {
        let count = self.u32()? as usize;
        let bytes = self.take(count.checked_mul(size)?)?;
        Some(bytes.chunks_exact(size))
    }
}

/// Reads bits, first the most significant; exponential Golomb codes as in H.264 9.1.
pub struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bits<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Bits { bytes, at: 0 }
    }

    /// How many bits have been read.
    pub fn position(&self) -> usize {
        self.at
    }

    pub fn bit(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// Up to 32 bits.
    pub fn bits(&mut self, count: usize) -> Option<u32> {
        let mut value = 0u32;
        for _ in 0..count {
            value = value << 1 | u32::from(self.bit()?);
        }
        Some(value)
    }

    /// ue(v).
    pub fn unsigned(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while !self.bit()? {
            zeros += 1;
            if zeros > 31 {
                return None;
            }
        }
        Some(((1u64 << zeros) - 1 + u64::from(self.bits(zeros)?)) as u32)
    }

    /// se(v).
    pub fn signed(&mut self) -> Option<i32> {
        let code = i64::from(self.unsigned()?);
        let size = (code + 1) / 2;
        Some(if code % 2 == 1 { size } else { -size } as i32)
    }
}
