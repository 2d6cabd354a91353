//! Made-up numbers: they look random, and are the same for the same seed on every machine.

/// A stream of numbers. The field is the seed, of which any will do.
///
/// SplitMix64: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014.
#[derive(Clone, Debug)]
pub struct Numbers(pub u64);

impl Numbers {
    /// 64 even bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// The next number, in −1..1.
    #[allow(clippy::should_implement_trait, reason = "a stream without an end")]
    pub fn next(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// The next number, in −1..1, with all the digits of `f64`.
    pub fn fine(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }

    /// The next numbers, in −1..1.
    pub fn many(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Numbers in −1..1.
pub fn noise(seed: u64, count: usize) -> Vec<f32> {
    Numbers(seed).many(count)
}

/// Numbers in −1..1, with all the digits of `f64`.
pub fn fine_noise(seed: u64, count: usize) -> Vec<f64> {
    let mut numbers = Numbers(seed);
    (0..count).map(|_| numbers.fine()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // Of Vigna's reference implementation, seed 1234567.
        let mut numbers = Numbers(1234567);
        let first = [(); 3].map(|()| numbers.bits());
        assert_eq!(
            first,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423
            ]
        );
    }

    #[test]
    fn numbers_fill_their_range_evenly_and_follow_their_seed() {
        for seed in [0, 1, 2, u64::MAX] {
            let values = noise(seed, 100_000);
            assert!(values.iter().all(|v| (-1.0..1.0).contains(v)));
            let below = |limit: f32| values.iter().filter(|&&v| v < limit).count();
            for (limit, share) in [(-0.5, 25_000), (0.0, 50_000), (0.5, 75_000)] {
                assert!(below(limit).abs_diff(share) < 700, "{seed}: {limit}");
            }
            assert_eq!(noise(seed, 5), values[..5]);
            assert_ne!(noise(seed ^ 1, 5), values[..5]);
        }
        assert!(fine_noise(1, 1000).iter().all(|v| (-1.0..1.0).contains(v)));
    }
}
