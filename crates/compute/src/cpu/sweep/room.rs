//! Where stages write.

use crate::cpu::simd::Lanes;
use crate::cpu::strip::Strip;

/// Where a stage writes: map and bits, and which of their rows are there.
pub(in crate::cpu) struct Room<'a> {
    pub(in crate::cpu) map: &'a mut [Lanes],
    pub(in crate::cpu) strip: Strip,
    pub(in crate::cpu) bits: &'a mut [u16],
    pub(in crate::cpu) bits_strip: Strip,
}
