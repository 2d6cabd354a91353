//! The kernel of all convolutions: sums of rows, each times a number.
//!
//! Vectors run along rows of maps. One call holds a few output channels times a few vectors in registers and runs over
//! the *taps*, which are places relative to the one that is made: one load per vector and one broadcast per channel feed
//! all accumulators. Every result is one chain of multiply-adds in the order of the taps, however rows are cut, so results
//! do not depend on how the work is split.

use crate::cpu::shared::Shared;
use crate::cpu::simd::Isa;
use fearless_simd::prelude::*;

/// Output channels at once.
pub(super) const CHANNELS: usize = 4;
/// More numbers than a vector has: what rows may be read and written beyond their ends.
pub(super) const SLACK: usize = 16;

/// Some output channels, at most [`CHANNELS`], of some filters.
#[derive(Clone, Copy)]
pub(super) struct Block<'a> {
    /// Where each tap lies, from the first place that is read for a result.
    pub(super) taps: &'a [u32],
    /// `[tap][channel]`.
    pub(super) weights: &'a [f32],
    /// One for each channel.
    pub(super) bias: &'a [f32],
}

/// Where results go: rows of channels, some distance from each other.
#[derive(Clone, Copy)]
pub(super) struct Out<'a> {
    pub(super) to: &'a Shared<'a, f32>,
    /// The first number of the first channel.
    pub(super) start: usize,
    /// From one channel to the next.
    pub(super) plane: usize,
    /// The least and the greatest number that is written; others become these.
    pub(super) bounds: Option<(f32, f32)>,
}

impl Out<'_> {
    /// The same, so many places on.
    #[inline(always)]
    fn behind(self, places: usize) -> Self {
        Self {
            start: self.start + places,
            ..self
        }
    }
}

/// Makes `count` results in a row, from `src[tap..]`, of every channel of a block. Up to [`SLACK`] more are read, and what
/// does not fill a vector more is written.
#[inline(always)]
pub(super) fn product<S: Isa>(simd: S, src: &[f32], block: Block<'_>, count: usize, out: Out<'_>) {
    macro_rules! run {
        ($channels:literal, $vectors:literal, $half:literal) => {
            rows::<S, $channels, $vectors, $half>(simd, src, block, count, out)
        };
    }
    // Accumulators, vectors and a broadcast in as many registers as there are.
    match (S::ROWS, S::COLUMNS, block.bias.len()) {
        (14, 2, 4) | (6, 4, 4) => run!(4, 6, 3),
        (14, 2, 3) | (6, 4, 3) => run!(3, 8, 4),
        (2, 4, 4) => run!(4, 2, 1),
        (2, 4, 3) => run!(3, 2, 1),
        (_, _, 4) => run!(4, 3, 2),
        (_, _, 3) => run!(3, 4, 2),
        (_, _, 2) => run!(2, 6, 2),
        _ => run!(1, 8, 2),
    }
}

/// `V` vectors at a time, `H` at a time of what is left, and then one. A function of its own, so that it has all registers.
#[inline(never)]
fn rows<S: Isa, const C: usize, const V: usize, const H: usize>(
    simd: S,
    src: &[f32],
    block: Block<'_>,
    count: usize,
    out: Out<'_>,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let len = S::f32s::LEN;
            let mut at = 0;
            while at + (V - 1) * len < count {
                micro::<S, C, V>(simd, &src[at..], block, out.behind(at));
                at += V * len;
            }
            while H > 1 && at + (H - 1) * len < count {
                micro::<S, C, H>(simd, &src[at..], block, out.behind(at));
                at += H * len;
            }
            while at < count {
                micro::<S, C, 1>(simd, &src[at..], block, out.behind(at));
                at += len;
            }
        },
    );
}

#[inline(always)]
fn micro<S: Isa, const C: usize, const V: usize>(
    simd: S,
    src: &[f32],
    block: Block<'_>,
    out: Out<'_>,
) {
    let len = S::f32s::LEN;
    let mut sums = [[S::f32s::splat(simd, 0.0); V]; C];
    for c in 0..C {
        sums[c] = [S::f32s::splat(simd, block.bias[c]); V];
    }
    let weights = block.weights.as_chunks::<C>().0;
    for (&tap, weights) in block.taps.iter().zip(weights) {
        let row = &src[tap as usize..][..V * len];
        if C >= V {
            // The fewer vectors stay in registers.
            let mut values = [S::f32s::splat(simd, 0.0); V];
            for v in 0..V {
                values[v] = S::f32s::from_slice(simd, &row[v * len..(v + 1) * len]);
            }
            for c in 0..C {
                let weight = S::f32s::splat(simd, weights[c]);
                for v in 0..V {
                    sums[c][v] = values[v].mul_add(weight, sums[c][v]);
                }
            }
        } else {
            // The fewer weights do.
            let mut broadcast = [S::f32s::splat(simd, 0.0); C];
            for c in 0..C {
                broadcast[c] = S::f32s::splat(simd, weights[c]);
            }
            for v in 0..V {
                let value = S::f32s::from_slice(simd, &row[v * len..(v + 1) * len]);
                for c in 0..C {
                    sums[c][v] = value.mul_add(broadcast[c], sums[c][v]);
                }
            }
        }
    }
    if let Some((low, high)) = out.bounds {
        let (low, high) = (S::f32s::splat(simd, low), S::f32s::splat(simd, high));
        for c in 0..C {
            for v in 0..V {
                sums[c][v] = sums[c][v].max(low).min(high);
            }
        }
    }
    // SAFETY: whoever runs the kernel makes these places alone.
    let mut rows = unsafe { out.to.spread::<C>(out.start, out.plane, V * len) };
    for c in 0..C {
        let row = rows.write(c);
        for v in 0..V {
            sums[c][v].store_slice(&mut row[v * len..(v + 1) * len]);
        }
    }
}
