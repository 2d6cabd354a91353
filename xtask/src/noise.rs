//! Chance that repeats: a seeded generator (PCG32, O'Neill 2014) and value noise on a hashed lattice.

use crate::vector::{V2, V3, lerp, v2, v3};

/// A PCG32 generator: the same seed gives the same numbers everywhere.
pub struct Rng(u64);

impl Rng {
    /// A generator for `seed`.
    pub fn new(seed: u64) -> Self {
        let mut rng = Rng(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        rng.bits();
        rng
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        let old = self.0;
        self.0 = old
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(0xda3e_39cb_94b9_5bdb);
        let folded = (((old >> 18) ^ old) >> 27) as u32;
        folded.rotate_right((old >> 59) as u32)
    }

    /// A number in 0..1, 1 excluded.
    pub fn unit(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / (1 << 24) as f32
    }

    /// A number in `low..high`.
    pub fn range(&mut self, low: f32, high: f32) -> f32 {
        lerp(low, high, self.unit())
    }

    /// A number around 0 with standard deviation about 1, never beyond 3.5.
    pub fn normal(&mut self) -> f32 {
        (0..4).map(|_| self.unit()).sum::<f32>() * 1.732 - 3.464
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.bits()) * n as u64) >> 32) as usize
    }

    /// One of `items`.
    pub fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        items[self.below(items.len())]
    }

    /// Puts `items` in random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}

/// A well-mixed function of three whole numbers.
pub fn hash(x: i32, y: i32, z: i32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x8da6_b343)
        ^ (y as u32).wrapping_mul(0xd816_3841)
        ^ (z as u32).wrapping_mul(0xcb1a_b31f);
    h = (h ^ (h >> 16)).wrapping_mul(0x7feb_352d);
    h = (h ^ (h >> 15)).wrapping_mul(0x846c_a68b);
    h ^ (h >> 16)
}

/// [`hash`] as a number in 0..1.
pub fn hash01(x: i32, y: i32, z: i32) -> f32 {
    (hash(x, y, z) >> 8) as f32 / (1 << 24) as f32
}

fn fade(t: f32) -> f32 {
    t * t * t * (t * (t * 6.0 - 15.0) + 10.0)
}

/// Smooth noise in 0..1 that changes about once per unit; `layer` chooses an independent field.
pub fn noise(p: V2, layer: i32) -> f32 {
    let (fx, fy) = (p[0].floor(), p[1].floor());
    let (x, y) = (fx as i32, fy as i32);
    let (u, v) = (fade(p[0] - fx), fade(p[1] - fy));
    let at = |dx, dy| hash01(x + dx, y + dy, layer);
    lerp(lerp(at(0, 0), at(1, 0), u), lerp(at(0, 1), at(1, 1), u), v)
}

/// [`noise`] in space.
pub fn noise3(p: V3, layer: i32) -> f32 {
    let f = p[2].floor();
    let z = (f as i32).wrapping_mul(7919).wrapping_add(layer);
    let flat = v2(p[0], p[1]);
    lerp(
        noise(flat, z),
        noise(flat, z.wrapping_add(7919)),
        fade(p[2] - f),
    )
}

/// Noise of `octaves` scales, each half as large and half as strong as the one before, in 0..1.
/// Every octave is turned, which hides the lattice.
pub fn fbm(p: V2, octaves: u32, layer: i32) -> f32 {
    let (mut q, mut sum, mut weight, mut total) = (p, 0.0, 1.0, 0.0);
    for octave in 0..octaves {
        sum += weight * noise(q, layer + octave as i32 * 31);
        total += weight;
        weight *= 0.5;
        q = v2(1.6 * q[0] - 1.2 * q[1], 1.2 * q[0] + 1.6 * q[1]) + v2(17.3, 9.1);
    }
    sum / total
}

/// [`fbm`] in space.
pub fn fbm3(p: V3, octaves: u32, layer: i32) -> f32 {
    let (mut q, mut sum, mut weight, mut total) = (p, 0.0, 1.0, 0.0);
    for octave in 0..octaves {
        sum += weight * noise3(q, layer + octave as i32 * 31);
        total += weight;
        weight *= 0.5;
        q = v3(1.6 * q[0] - 1.2 * q[1], 1.2 * q[0] + 1.6 * q[1], 2.0 * q[2]) + v3(17.3, 9.1, 4.7);
    }
    sum / total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_repeats_and_differs_by_seed() {
        let draw = |seed| {
            let mut rng = Rng::new(seed);
            [0; 8].map(|_| rng.bits())
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn numbers_are_spread_evenly() {
        let mut rng = Rng::new(3);
        let mut bins = [0usize; 10];
        let mut sum = 0.0;
        for _ in 0..20_000 {
            let x = rng.unit();
            bins[(x * 10.0) as usize] += 1;
            sum += rng.normal();
        }
        assert!(bins.iter().all(|&n| (1800..2200).contains(&n)), "{bins:?}");
        assert!((sum / 20_000.0).abs() < 0.03, "mean {}", sum / 20_000.0);
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<_> = (0..100).collect();
        Rng::new(4).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }

    #[test]
    fn noise_is_smooth_across_the_lattice_and_stays_in_range() {
        for i in -300..300 {
            let p = v2(i as f32 * 0.05, i as f32 * -0.031);
            let near = (noise(p, 0) - noise(p + v2(1e-3, 1e-3), 0)).abs();
            assert!(near < 0.01, "a step of {near} at {p:?}");
            assert!((0.0..=1.0).contains(&fbm(p, 5, 1)));
            let q = v3(p[0], p[1], i as f32 * 0.07);
            assert!((0.0..=1.0).contains(&fbm3(q, 3, 1)));
            assert!((noise3(q, 0) - noise3(q + V3::splat(1e-3), 0)).abs() < 0.01);
        }
    }
}
