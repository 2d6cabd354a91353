//! Which vector instructions there are, and how a function gets compiled once for each of them.
//!
//! Kernels are written once, generic over [`Isa`], with the native vectors `S::f32s` of `fearless_simd`, whose
//! safe operations become single instructions inside [`with_simd!`]. Feature maps come in blocks of [`LANES`]
//! channels, so every kernel is a loop over the `LANES / S::f32s::LEN` vectors of a block: one on AVX-512, two on
//! AVX2, four on NEON and on the portable level.
//!
//! A kernel function is `#[inline(always)]`, so that it is compiled inside the function that enables the
//! instructions; where a big kernel should stay a function of its own, `simd.vectorize` draws the line.

use crate::{ComputeError, Result};
use fearless_simd::Simd;
use std::fmt;
use std::str::FromStr;

/// Channels in a block of a feature map.
pub(super) const LANES: usize = 16;

/// One pixel of one block of channels.
pub(super) type Lanes = [f32; LANES];

/// A set of vector instructions that the kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Level {
    /// What every processor of the architecture has (SSE2 on x86-64; no vector instructions asked for elsewhere).
    Portable,
    /// 128-bit vectors of 64-bit ARM.
    Neon,
    /// 256-bit vectors with fused multiply-add: AVX2 and FMA (x86-64-v3).
    Avx2,
    /// 512-bit vectors: AVX-512 as Ice Lake and Zen 4 have it.
    Avx512,
}

impl Level {
    /// All levels, slowest first.
    pub const ALL: [Level; 4] = [Level::Portable, Level::Neon, Level::Avx2, Level::Avx512];

    /// The fastest level of this processor.
    pub fn detect() -> Self {
        let available = Self::ALL
            .into_iter()
            .rev()
            .find(|level| level.is_available());
        available.unwrap_or(Level::Portable)
    }

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        Token::new(self).is_some()
    }

    /// The name that `IMPASTO_SIMD` understands.
    pub fn name(self) -> &'static str {
        match self {
            Level::Portable => "portable",
            Level::Neon => "neon",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Level {
    type Err = ComputeError;
    fn from_str(name: &str) -> Result<Self> {
        let level = Self::ALL.into_iter().find(|level| level.name() == name);
        level.ok_or_else(|| {
            ComputeError::BadSetting(format!(
                "there is no instruction set named {name:?}; choose portable, neon, avx2 or avx512"
            ))
        })
    }
}

/// The proof that a level is available. Only [`Token::new`] makes one.
#[derive(Clone, Copy, Debug)]
pub(super) enum Token {
    #[cfg(target_arch = "x86_64")]
    Portable(fearless_simd::x86::Sse2),
    #[cfg(not(target_arch = "x86_64"))]
    Portable(fearless_simd::Fallback),
    #[cfg(target_arch = "aarch64")]
    Neon(fearless_simd::aarch64::Neon),
    #[cfg(target_arch = "x86_64")]
    Avx2(fearless_simd::x86::Avx2),
    #[cfg(target_arch = "x86_64")]
    Avx512(fearless_simd::x86::Avx512),
}

impl Token {
    pub(super) fn new(level: Level) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        {
            let found = fearless_simd::Level::new();
            match level {
                Level::Portable => found.as_sse2().map(Token::Portable),
                Level::Avx2 => found.as_avx2().map(Token::Avx2),
                Level::Avx512 => found.as_avx512().map(Token::Avx512),
                Level::Neon => None,
            }
        }
        #[cfg(target_arch = "aarch64")]
        match level {
            Level::Portable => Some(Token::Portable(fearless_simd::Fallback::new())),
            Level::Neon => fearless_simd::Level::new().as_neon().map(Token::Neon),
            Level::Avx2 | Level::Avx512 => None,
        }
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        match level {
            Level::Portable => Some(Token::Portable(fearless_simd::Fallback::new())),
            Level::Neon | Level::Avx2 | Level::Avx512 => None,
        }
    }
}

/// Evaluates an expression with `$simd` bound to the proof of a level; the expression is compiled once per level,
/// with its instructions enabled for everything that inlines into it.
macro_rules! with_simd {
    ($token:expr, $simd:ident => $body:expr) => {{
        use fearless_simd::Simd as _;
        match $token {
            $crate::cpu::simd::Token::Portable($simd) => $simd.vectorize(
                #[inline(always)]
                || $body,
            ),
            #[cfg(target_arch = "aarch64")]
            $crate::cpu::simd::Token::Neon($simd) => $simd.vectorize(
                #[inline(always)]
                || $body,
            ),
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::simd::Token::Avx2($simd) => $simd.vectorize(
                #[inline(always)]
                || $body,
            ),
            #[cfg(target_arch = "x86_64")]
            $crate::cpu::simd::Token::Avx512($simd) => $simd.vectorize(
                #[inline(always)]
                || $body,
            ),
        }
    }};
}
pub(super) use with_simd;

impl Token {
    /// Numbers of a vector.
    pub(super) fn lanes(self) -> usize {
        #[inline(always)]
        fn of<S: Isa>(_: S) -> usize {
            <S::f32s as fearless_simd::SimdBase<S>>::LEN
        }
        with_simd!(self, simd => of(simd))
    }
}

/// A set of instructions, and the shape of the matrix kernel that fills its registers.
pub(super) trait Isa: Simd {
    /// Rows of accumulators: each is multiplied by one broadcast value.
    const ROWS: usize;
    /// Vectors in a row of accumulators: each is one load for all rows.
    const COLUMNS: usize;
}

/// 32 registers: 28 accumulators, 2 columns, and broadcasts straight from memory.
#[cfg(target_arch = "x86_64")]
impl Isa for fearless_simd::x86::Avx512 {
    const ROWS: usize = 14;
    const COLUMNS: usize = 2;
}

/// 16 registers: 12 accumulators, 2 columns, 1 broadcast.
#[cfg(target_arch = "x86_64")]
impl Isa for fearless_simd::x86::Avx2 {
    const ROWS: usize = 6;
    const COLUMNS: usize = 2;
}

/// 16 registers: 8 accumulators, 4 columns, 1 broadcast, 1 product (there is no fused multiply-add).
#[cfg(target_arch = "x86_64")]
impl Isa for fearless_simd::x86::Sse2 {
    const ROWS: usize = 2;
    const COLUMNS: usize = 4;
}

/// 32 registers: 24 accumulators, 4 columns, broadcasts.
#[cfg(target_arch = "aarch64")]
impl Isa for fearless_simd::aarch64::Neon {
    const ROWS: usize = 6;
    const COLUMNS: usize = 4;
}

/// Unknown registers; small enough for sixteen.
#[cfg(not(target_arch = "x86_64"))]
impl Isa for fearless_simd::Fallback {
    const ROWS: usize = 2;
    const COLUMNS: usize = 4;
}

#[cfg(test)]
mod tests {
    use super::*;
    use fearless_simd::prelude::*;

    #[inline(always)]
    fn sum<S: Isa>(simd: S, x: &Lanes) -> f32 {
        let mut sum = S::f32s::splat(simd, 0.0);
        for part in x.chunks_exact(S::f32s::LEN) {
            sum += S::f32s::from_slice(simd, part);
        }
        sum.reduce_sum()
    }

    #[test]
    fn every_available_level_computes() {
        let x: Lanes = std::array::from_fn(|i| i as f32);
        let tokens: Vec<Token> = Level::ALL.into_iter().filter_map(Token::new).collect();
        assert!(!tokens.is_empty());
        for token in tokens {
            assert_eq!(with_simd!(token, simd => sum(simd, &x)), 120.0);
        }
    }

    #[test]
    fn names_are_read_back_and_others_refused() {
        for level in Level::ALL {
            assert_eq!(level.to_string().parse::<Level>().ok(), Some(level));
        }
        assert!("sse9".parse::<Level>().is_err());
        assert!(Level::detect().is_available());
    }
}
