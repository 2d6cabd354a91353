//! Randomness that can be named: every crop, run and start has a stream of its own, so that a training that was cut off
//! goes on with the numbers that it would have had.
//!
//! SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014): a counter and a
//! mixing function. It is not meant for secrets.

/// What a stream of random numbers is for; part of its name.
#[derive(Clone, Copy, Debug)]
pub enum Purpose {
    /// The crops on which the teacher's principal components and the first heads are found.
    Components = 1,
    /// The crops of a step.
    Step,
    /// The crops of the validation, photos and paintings.
    Validation,
    /// A stylization whose pictures are trained on.
    Trajectory,
    /// A stylization whose pictures are held out.
    HeldOutTrajectory,
    /// The windows of held-out trajectories.
    Window,
    /// Weights to start from.
    Weights,
}

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

fn mixed(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Random {
    /// The stream of a purpose and an index, such as step and place in the batch.
    pub fn of(seed: u64, purpose: Purpose, index: [u64; 2]) -> Self {
        let name = [purpose as u64, index[0], index[1]];
        Self(name.iter().fold(mixed(seed ^ GOLDEN), |state, &part| {
            mixed(state.wrapping_add(GOLDEN).wrapping_mul(3) ^ mixed(part.wrapping_add(GOLDEN)))
        }))
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mixed(self.0)
    }

    /// Uniform in 0..1.
    pub fn uniform(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Uniform in `low..high`.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.uniform()
    }

    /// Uniform among `0..n`; 0 if there are none.
    pub fn below(&mut self, n: usize) -> usize {
        // The bias of a remainder of 64 bits is beyond notice for what fits into memory.
        (self.bits() % (n.max(1) as u64)) as usize
    }

    /// True in a share of cases.
    pub fn chance(&mut self, share: f32) -> bool {
        self.uniform() < share
    }

    /// One of a few.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f32::consts::TAU * self.uniform()).cos()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_differ_by_each_part_of_their_name_and_are_the_same_again() {
        let first = |seed, purpose, index| Random::of(seed, purpose, index).bits();
        let one = first(1, Purpose::Step, [2, 3]);
        assert_eq!(one, first(1, Purpose::Step, [2, 3]));
        for other in [
            first(2, Purpose::Step, [2, 3]),
            first(1, Purpose::Window, [2, 3]),
            first(1, Purpose::Step, [3, 2]),
            first(1, Purpose::Step, [2, 4]),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn normal_numbers_have_mean_zero_and_deviation_one() {
        let mut random = Random::of(7, Purpose::Weights, [0, 0]);
        let numbers: Vec<f64> = (0..20_000).map(|_| f64::from(random.normal())).collect();
        let mean = numbers.iter().sum::<f64>() / 20_000.0;
        let square = numbers.iter().map(|n| n * n).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((square - 1.0).abs() < 0.05, "{square}");
    }
}
