//! The numbers that a convolution multiplies: f32, or bfloat16 with sums in f32.
//!
//! [`Half`] packs two channels into a word of 32 bits: channels `i` and `i + 8` of each block of sixteen, so that a
//! vector is packed by halves, without a shuffle. Filters pair their rows in the same way, and one instruction
//! multiplies both pairs and adds both products. It needs a processor with that instruction ([`bf16`](super::bf16)).

use super::bf16;
use super::kernel::{Panels, Rows, product};
use super::memory::Number;
use super::simd::{Isa, LANES, Lanes, Token, with_simd};
use fearless_simd::prelude::*;
use fearless_simd::{f32x8, u32x8};

/// A format of numbers, and the matrix product of stage 2 in it.
pub(super) trait Format: Send + Sync + 'static {
    /// What it is stored in.
    type Word: Number;
    /// Words of 16 channels.
    const WORDS: usize;

    /// Stores one vector of the 16 channels of a pixel, from channel `lane` on. Vectors come in order.
    fn store<S: Isa>(simd: S, value: S::f32s, lane: usize, words: &mut [Self::Word]);

    /// Stores rows `pair` and `pair + 8` of the 16 rows of a panel.
    fn store_rows(low: &Lanes, high: &Lanes, pair: usize, panel: &mut [Self::Word]);

    /// `out = v·u`: `v` `[blocks][count]`, `u` panels of `blocks·16` rows, `out` `[panels][count]`.
    fn multiply(
        token: Token,
        v: &[Self::Word],
        u: &[Self::Word],
        blocks: usize,
        count: usize,
        out: &mut [Lanes],
    );
}

/// f32.
#[derive(Debug)]
pub(super) struct Single;

impl Format for Single {
    type Word = f32;
    const WORDS: usize = LANES;

    #[inline(always)]
    fn store<S: Isa>(_: S, value: S::f32s, lane: usize, words: &mut [f32]) {
        value.store_slice(&mut words[lane..lane + S::f32s::LEN]);
    }

    #[inline(always)]
    fn store_rows(low: &Lanes, high: &Lanes, pair: usize, panel: &mut [f32]) {
        panel[pair * LANES..][..LANES].copy_from_slice(low);
        panel[(pair + LANES / 2) * LANES..][..LANES].copy_from_slice(high);
    }

    fn multiply(
        token: Token,
        v: &[f32],
        u: &[f32],
        blocks: usize,
        count: usize,
        out: &mut [Lanes],
    ) {
        let rows = Rows {
            data: v.as_chunks().0,
            stride: count,
            count,
        };
        let panels = Panels::dense(u.as_chunks().0, blocks * LANES);
        with_simd!(token, simd => product(simd, rows, panels, out, count));
    }
}

/// bfloat16, in pairs.
#[derive(Debug)]
pub(super) struct Half;

impl Format for Half {
    type Word = u32;
    const WORDS: usize = LANES / 2;

    #[inline(always)]
    fn store<S: Isa>(simd: S, value: S::f32s, lane: usize, words: &mut [u32]) {
        // Where a vector holds all channels, its halves are packed at once; else the upper half comes later.
        let len = S::f32s::LEN;
        let mut lanes = [0.0; LANES];
        value.store_slice(&mut lanes[..len]);
        if len == LANES {
            let half = |from: usize| rounded(simd, f32x8::from_slice(simd, &lanes[from..from + 8]));
            ((half(0) >> 16) | (half(8) & 0xffff_0000)).store_slice(&mut words[..LANES / 2]);
        } else {
            for (index, value) in lanes[..len].iter().enumerate() {
                let (channel, bits) = (lane + index, round(*value));
                let word = &mut words[channel % (LANES / 2)];
                *word = if channel < LANES / 2 {
                    bits >> 16
                } else {
                    *word | bits
                };
            }
        }
    }

    #[inline(always)]
    fn store_rows(low: &Lanes, high: &Lanes, pair: usize, panel: &mut [u32]) {
        let words = panel[pair * LANES..][..LANES].iter_mut();
        for ((word, low), high) in words.zip(low).zip(high) {
            *word = round(*low) >> 16 | round(*high);
        }
    }

    fn multiply(_: Token, v: &[u32], u: &[u32], blocks: usize, count: usize, out: &mut [Lanes]) {
        bf16::product(v.as_chunks().0, u.as_chunks().0, blocks, count, out);
    }
}

/// A number rounded to bfloat16, to nearest and ties away from zero, in the upper half of a word; the lower half is zero.
#[inline(always)]
fn round(value: f32) -> u32 {
    value.to_bits().wrapping_add(0x8000) & 0xffff_0000
}

/// The same for eight numbers; the lower half is anything.
#[inline(always)]
fn rounded<S: Isa>(_: S, value: f32x8<S>) -> u32x8<S> {
    let bits: u32x8<S> = value.to_bits();
    bits + 0x8000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::Level;

    #[test]
    fn rounding_is_to_nearest() {
        for (value, expected) in [
            (1.0, 1.0),
            (1.0 + 0.9 / 256.0, 1.0),
            (-1.0 - 1.0 / 256.0, -1.0 - 2.0 / 256.0),
            (1.0 + 2.9 / 256.0, 1.0 + 2.0 / 256.0),
            (1.0 + 3.1 / 256.0, 1.0 + 4.0 / 256.0),
            (-std::f32::consts::PI, -3.140625),
            (0.0, 0.0),
        ] {
            assert_eq!(f32::from_bits(round(value)), expected, "{value}");
        }
    }

    #[test]
    fn every_level_packs_alike() {
        #[inline(always)]
        fn pack<S: Isa>(simd: S, lanes: &Lanes) -> [u32; 8] {
            let mut words = [0; 8];
            for lane in (0..LANES).step_by(S::f32s::LEN) {
                let value = S::f32s::from_slice(simd, &lanes[lane..lane + S::f32s::LEN]);
                Half::store(simd, value, lane, &mut words);
            }
            words
        }
        let lanes: Lanes = std::array::from_fn(|i| (i as f32 - 7.3) * 1.234567);
        let expected: [u32; 8] =
            std::array::from_fn(|i| round(lanes[i]) >> 16 | round(lanes[i + 8]));
        for token in Level::ALL.into_iter().filter_map(Token::new) {
            assert_eq!(
                with_simd!(token, simd => pack(simd, &lanes)),
                expected,
                "{token:?}"
            );
        }
    }
}
