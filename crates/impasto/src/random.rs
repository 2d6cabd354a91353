//! Everything random: generators that follow from a recipe's seed.

use rand_pcg::Pcg64;
use rand_pcg::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A generator of random numbers, the same on every machine (PCG XSL RR 128/64, O'Neill 2014).
#[derive(Clone, Debug)]
pub struct Random(Pcg64);

impl Random {
    /// The generator of a seed.
    pub fn new(seed: u64) -> Self {
        Self(Pcg64::seed_from_u64(seed))
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Standard normal, by Box and Muller 1958.
    pub fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - f64::from(self.uniform())).ln()).sqrt();
        radius * (std::f64::consts::TAU * f64::from(self.uniform())).cos()
    }

    /// Uniform among the whole numbers below a bound, up to a bias of `bound/2⁶⁴`; 0 if that is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        ((u128::from(self.0.next_u64()) * bound as u128) >> 64) as usize
    }
}

/// Where the random numbers of a step come from: from a run's seed, the scale, the step, and the name of the term that
/// draws them. Nothing else counts, so a run draws the same wherever it was cut off and whatever other terms draw.
#[derive(Clone, Copy, Debug)]
pub struct StepSeed<'a> {
    /// The recipe's seed.
    pub seed: u64,
    /// Index of the scale.
    pub scale: usize,
    /// The step at this scale, from 1.
    pub step: usize,
    /// The term.
    pub term: &'a str,
}

impl StepSeed<'_> {
    /// The generator of this step.
    pub fn random(&self) -> Random {
        let mut hash = Sha256::new();
        for number in [self.seed, self.scale as u64, self.step as u64] {
            hash.update(number.to_le_bytes());
        }
        hash.update(self.term);
        Random(Pcg64::from_seed(hash.finalize().into()))
    }

    /// The same of another step: of the one at which something was drawn that is kept for several.
    pub fn at(&self, step: usize) -> Self {
        Self { step, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_and_term_has_numbers_of_its_own() {
        let seed = StepSeed {
            seed: 7,
            scale: 1,
            step: 3,
            term: "style",
        };
        let first = |seed: StepSeed<'_>| seed.random().below(1 << 40);
        assert_eq!(first(seed), first(seed.at(4).at(3)));
        for other in [
            StepSeed { seed: 8, ..seed },
            StepSeed { scale: 2, ..seed },
            seed.at(4),
            StepSeed {
                term: "content",
                ..seed
            },
        ] {
            assert_ne!(first(other), first(seed), "{other:?}");
        }
    }

    #[test]
    fn whole_numbers_are_spread_evenly() {
        let mut random = Random::new(1);
        let mut counts = [0; 5];
        for _ in 0..5000 {
            counts[random.below(5)] += 1;
        }
        assert!(
            counts.iter().all(|count| (900..1100).contains(count)),
            "{counts:?}"
        );
        assert_eq!(random.below(0), 0);
    }
}
