//! The transforms of Winograd's minimal filtering for 3×3 filters (Lavin and Gray, arXiv 1509.09308).
//!
//! A tile of `M×M` results is
//!
//! ```text
//! Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
//! ```
//!
//! with `g` the 3×3 filter, `d` the `(M+2)×(M+2)` patch of the input under it. `⊙` is taken for each of the
//! `(M+2)²` *points* separately, and over channels it is a matrix product. The matrices come from evaluating
//! polynomials at `M+1` points and at infinity (Toom and Cook); which points is free, and decides the rounding error.
//!
//! * [`F2`]: points 0, ±1, ∞. 16 products per 4 results instead of 36: 2.25 times fewer.
//! * [`F4`]: points 0, ±5/8, ±5/4, ∞. 36 products per 16 results instead of 144: 4 times fewer. The usual points 0,
//!   ±1, ±2, ∞ have twice the error; 6×6 tiles gain nothing in time and lose a digit.
//!
//! With `p = 5/8`, `q = 5/4`, the one-dimensional transforms of [`F4`] are
//!
//! ```text
//!      ⎡p²q²  0    −p²−q²  0       1  0⎤        ⎡1  1   1    1   1   0⎤        ⎡ 1/(p²q²)   0     0    ⎤
//!      ⎢ 0   −pq²  −q²     p       1  0⎥        ⎢0  p  −p    q  −q   0⎥        ⎢ s          sp    sp²  ⎥
//! Bᵀ = ⎢ 0    pq²  −q²    −p       1  0⎥   Aᵀ = ⎢0  p²  p²   q²  q²  0⎥    G = ⎢ s         −sp    sp²  ⎥
//!      ⎢ 0   −qp²  −p²     q       1  0⎥        ⎣0  p³ −p³   q³ −q³  1⎦        ⎢ t          tq    tq²  ⎥
//!      ⎢ 0    qp²  −p²    −q       1  0⎥                                       ⎢ t         −tq    tq²  ⎥
//!      ⎣ 0    p²q²  0     −p²−q²   0  1⎦                                       ⎣ 0          0     1    ⎦
//! ```
//!
//! where `s = 1/(2p²(p²−q²))` and `t = 1/(2q²(q²−p²))`.

use super::simd::Isa;
use fearless_simd::prelude::*;

/// One-dimensional transforms of a minimal filtering algorithm with `M` results and `A = M + 2` points.
pub(super) trait Tile<const M: usize, const A: usize>: Send + Sync {
    /// `G·g`.
    fn filter(g: [f64; 3]) -> [f64; A];
    /// `Bᵀ·d`.
    fn input<S: Isa>(d: [S::f32s; A]) -> [S::f32s; A];
    /// `Aᵀ·m`.
    fn output<S: Isa>(m: [S::f32s; A]) -> [S::f32s; M];
}

/// `F(2×2, 3×3)`.
pub(super) struct F2;

impl Tile<2, 4> for F2 {
    #[inline(always)]
    fn filter(g: [f64; 3]) -> [f64; 4] {
        let (even, odd) = (0.5 * (g[0] + g[2]), 0.5 * g[1]);
        [g[0], even + odd, even - odd, g[2]]
    }

    #[inline(always)]
    fn input<S: Isa>(d: [S::f32s; 4]) -> [S::f32s; 4] {
        [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[3] - d[1]]
    }

    #[inline(always)]
    fn output<S: Isa>(m: [S::f32s; 4]) -> [S::f32s; 2] {
        [m[0] + m[1] + m[2], m[1] - m[2] + m[3]]
    }
}

/// `F(4×4, 3×3)`.
pub(super) struct F4;

const P: f64 = 0.625;
const Q: f64 = 1.25;
const P2: f64 = P * P;
const Q2: f64 = Q * Q;
const S: f64 = 1.0 / (2.0 * P2 * (P2 - Q2));
const T: f64 = 1.0 / (2.0 * Q2 * (Q2 - P2));

impl Tile<4, 6> for F4 {
    #[inline(always)]
    fn filter(g: [f64; 3]) -> [f64; 6] {
        let (even_p, odd_p) = (S * g[0] + S * P2 * g[2], S * P * g[1]);
        let (even_q, odd_q) = (T * g[0] + T * Q2 * g[2], T * Q * g[1]);
        [
            1.0 / (P2 * Q2) * g[0],
            even_p + odd_p,
            even_p - odd_p,
            even_q + odd_q,
            even_q - odd_q,
            g[2],
        ]
    }

    #[inline(always)]
    fn input<I: Isa>(d: [I::f32s; 6]) -> [I::f32s; 6] {
        const PRODUCT: f32 = (P2 * Q2) as f32;
        const SUM: f32 = (P2 + Q2) as f32;
        // Even and odd part of the polynomials through ±p, and of those through ±q.
        let even_p = d[2].mul_add(-Q2 as f32, d[4]);
        let odd_p = d[1].mul_add(-Q2 as f32, d[3]);
        let even_q = d[2].mul_add(-P2 as f32, d[4]);
        let odd_q = d[1].mul_add(-P2 as f32, d[3]);
        [
            d[0].mul_add(PRODUCT, d[2].mul_add(-SUM, d[4])),
            odd_p.mul_add(P as f32, even_p),
            odd_p.mul_add(-P as f32, even_p),
            odd_q.mul_add(Q as f32, even_q),
            odd_q.mul_add(-Q as f32, even_q),
            d[1].mul_add(PRODUCT, d[3].mul_add(-SUM, d[5])),
        ]
    }

    #[inline(always)]
    fn output<I: Isa>(m: [I::f32s; 6]) -> [I::f32s; 4] {
        let (sum_p, difference_p) = (m[1] + m[2], m[1] - m[2]);
        let (sum_q, difference_q) = (m[3] + m[4], m[3] - m[4]);
        [
            m[0] + sum_p + sum_q,
            difference_q.mul_add(Q as f32, difference_p * P as f32),
            sum_q.mul_add(Q2 as f32, sum_p * P2 as f32),
            difference_q.mul_add((Q2 * Q) as f32, difference_p.mul_add((P2 * P) as f32, m[5])),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_close};

    /// Filters a line of `A` numbers through the one-dimensional transforms, one level, lane 0.
    fn filter<const M: usize, const A: usize, W: Tile<M, A>>(d: [f32; A], g: [f64; 3]) -> [f32; M] {
        #[inline(always)]
        fn on<S: Isa, const M: usize, const A: usize, W: Tile<M, A>>(
            simd: S,
            d: [f32; A],
            g: [f64; 3],
        ) -> [f32; M] {
            let u = W::filter(g).map(|u| u as f32);
            let mut v = W::input::<S>(d.map(|d| S::f32s::splat(simd, d)));
            for (v, u) in v.iter_mut().zip(u) {
                *v *= u;
            }
            W::output::<S>(v).map(|y| y.as_slice()[0])
        }
        let token = crate::cpu::simd::Token::new(crate::cpu::simd::Level::detect());
        token.map_or(
            [f32::NAN; M],
            |token| crate::cpu::simd::with_simd!(token, simd => on::<_, M, A, W>(simd, d, g)),
        )
    }

    #[test]
    fn transforms_filter_a_line() {
        let g = [0.75, -1.25, 0.5];
        let d = [1.0, -2.0, 0.5, 3.0, -1.5, 2.0];
        let expected: [f32; 4] =
            std::array::from_fn(|i| (0..3).map(|k| d[i + k] * g[k] as f32).sum());
        let four = filter::<4, 6, F4>(d, g);
        let two = filter::<2, 4, F2>([d[0], d[1], d[2], d[3]], g);
        let tolerance = Tolerance::absolute(1e-5);
        assert_close("four", &four, &expected, tolerance);
        assert_close("two", &two, &expected[..2], tolerance);
    }
}
