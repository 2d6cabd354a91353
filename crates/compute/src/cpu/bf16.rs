//! The matrix product in bfloat16, for processors with AVX-512 BF16 (AMD since Zen 4, Intel since Cooper Lake).
//!
//! The same micro-kernel as for f32 ([`kernel`](super::kernel)): 14 rows by 2 vectors of sums in registers. Each
//! instruction multiplies two pairs of channels and adds both products to an f32 sum, so it does twice the work.

use super::simd::Lanes;

/// 16 channels of a tile, in pairs.
pub(super) type Row = [u32; 8];
/// Two rows of a panel, in pairs.
type Words = [u32; 16];

/// Whether this processor has the instruction.
pub(super) fn is_available() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// `out = v·u`: `v` `[blocks][count]`, `u` panels `[n/16][blocks][8]`, `out` `[n/16][count]`. Does nothing where the
/// instruction is missing; the device never asks then.
pub(super) fn product(v: &[Row], u: &[Words], blocks: usize, count: usize, out: &mut [Lanes]) {
    #[cfg(target_arch = "x86_64")]
    if is_available() {
        // SAFETY: the processor has the instructions.
        unsafe { x86::product(v, u, blocks, count, out) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (v, u, blocks, count, out);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{Lanes, Row, Words};
    use std::arch::x86_64::*;

    /// Rows of sums in registers.
    const ROWS: usize = 14;
    /// Words of two rows in a block of sixteen.
    const PAIRS: usize = 8;

    /// See [`super::product`].
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) fn product(v: &[Row], u: &[Words], blocks: usize, count: usize, out: &mut [Lanes]) {
        let depth = blocks * PAIRS;
        let mut panels = u.chunks(2 * depth);
        let outs = out.chunks_mut(2 * count);
        for (u, out) in panels.by_ref().zip(outs) {
            let groups = count.div_ceil(ROWS);
            let mut row = 0;
            for group in 0..groups {
                let rows = (count - row).div_ceil(groups - group);
                let (v, out) = (&v[row..], &mut out[row..]);
                macro_rules! choose {
                    ($($rows:literal)*) => {
                        match (rows, u.len() == depth) {
                            $(($rows, false) => micro::<$rows, 2>(v, u, depth, count, out),
                            ($rows, true) => micro::<$rows, 1>(v, u, depth, count, out),)*
                            _ => {}
                        }
                    };
                }
                choose!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
                row += rows;
            }
        }
    }

    /// `R` rows by `C` panels.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn micro<const R: usize, const C: usize>(
        v: &[Row],
        u: &[Words],
        depth: usize,
        stride: usize,
        out: &mut [Lanes],
    ) {
        let (first, second) = u.split_at(depth);
        let second = if C == 2 { second } else { first };
        let mut sums = [[_mm512_setzero_ps(); C]; R];
        let blocks = first
            .as_chunks::<PAIRS>()
            .0
            .iter()
            .zip(second.as_chunks::<PAIRS>().0);
        for (block, (u0, u1)) in blocks.enumerate() {
            let Some(rows) = v[block * stride..].first_chunk::<R>() else {
                return;
            };
            for k in 0..PAIRS {
                let columns = [pairs(&u0[k]), pairs(&u1[k])];
                for r in 0..R {
                    let value = _mm512_set1_epi32(rows[r][k].cast_signed());
                    // SAFETY: both types are 512 bits of anything.
                    let value: __m512bh = unsafe { std::mem::transmute(value) };
                    for c in 0..C {
                        sums[r][c] = _mm512_dpbf16_ps(sums[r][c], value, columns[c]);
                    }
                }
            }
        }
        for c in 0..C {
            let rows = &mut out[c * stride..][..R];
            for r in 0..R {
                // SAFETY: 64 bytes, to which any address may be given.
                unsafe { _mm512_storeu_ps(rows[r].as_mut_ptr(), sums[r][c]) };
            }
        }
    }

    /// Loads a vector of pairs.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn pairs(words: &Words) -> __m512bh {
        // SAFETY: both types are 512 bits of anything.
        unsafe { std::mem::transmute::<Words, __m512bh>(*words) }
    }
}
