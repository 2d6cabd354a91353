//! What the processor can do at most: multiply-adds that wait for nothing.

use super::CpuDevice;
use super::simd::{Isa, with_simd};
use fearless_simd::prelude::*;
use std::hint::black_box;
use std::time::Instant;

/// Independent chains of multiply-adds: latency times ports of every processor known, and room in 16 registers.
const CHAINS: usize = 12;
/// Multiply-adds of a chain in one round; about 10 ms.
const LENGTH: usize = 4_000_000;
/// Rounds, of which the best counts: others may have been disturbed.
const ROUNDS: usize = 8;

impl CpuDevice {
    /// Measures how many floating-point operations per second the device's threads can do together: f32
    /// multiply-adds in registers, two operations each, in units of 10⁹. Takes about a tenth of a second.
    pub fn measure_peak_gflops(&self) -> f64 {
        let threads = &self.context.threads;
        let token = self.context.token;
        let round = |_: usize| {
            let clock = Instant::now();
            let lanes = threads.broadcast(|_| with_simd!(token, simd => chains(simd)));
            let operations = lanes.iter().sum::<usize>() * CHAINS * LENGTH * 2;
            operations as f64 / clock.elapsed().as_secs_f64() / 1e9
        };
        (0..ROUNDS).map(round).fold(0.0, f64::max)
    }
}

/// Runs the chains; returns the lanes of a vector.
#[inline(always)]
fn chains<S: Isa>(simd: S) -> usize {
    // Converges to 2/3, so that no step overflows or becomes denormal.
    let factor = S::f32s::splat(simd, black_box(0.25));
    let summand = S::f32s::splat(simd, black_box(0.5));
    let mut values = [S::f32s::splat(simd, black_box(1.0)); CHAINS];
    for _ in 0..LENGTH {
        for value in &mut values {
            *value = value.mul_add(factor, summand);
        }
    }
    for value in values {
        black_box(value.reduce_sum());
    }
    S::f32s::LEN
}

#[cfg(test)]
mod tests {
    use crate::cpu::{CpuDevice, CpuSettings};

    #[test]
    fn a_processor_does_something() {
        let settings = CpuSettings {
            threads: Some(1),
            ..CpuSettings::default()
        };
        let peak = CpuDevice::new(settings).unwrap().measure_peak_gflops();
        assert!((0.01..10_000.0).contains(&peak), "{peak}");
    }
}
