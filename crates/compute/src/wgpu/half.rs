//! Numbers of 16 bits for products: each map is brought into their range by a power of two of its own.
//!
//! ```text
//! k = 2^(10 − ⌊log₂ max|x|⌋)        Σ w·x = Σ (s·w)(k·x) / (s·k)
//! ```
//!
//! f16 reaches from 6·10⁻⁵, or 6·10⁻⁸ with fewer and fewer digits, to 65504. Activations of a network in 0..255 exceed that
//! behind the transforms of minimal filtering, and gradients may be of any size: those of losses that are means over a large
//! picture lie below it as a whole. So the greatest number of a map is found on the device before the map is read, and
//! comes to lie between 1024 and 2048: transforms then reach 26 000, and what is 10⁻⁷ of the greatest is still exact to
//! eleven bits. Powers of two change no digit; sums are in f32 and are divided by both powers as they are finished.
//! Filters have such a power too, which the host finds.

use super::context::Context;
use super::kernel::{Kernel, Launch, Param, reads, writes};
use super::memory::Array;
use super::vector;
use crate::Result;

const POWERS: Kernel = Kernel {
    name: "powers",
    file: include_str!("half.wgsl"),
    operands: &[reads("partials"), writes("scales")],
};

/// The power of two of the greatest number, once it is scaled.
const GREATEST: i32 = 10;

/// The power of two for a map whose numbers will be multiplied by `factor` as they are read, and its reciprocal, on the device.
pub(super) fn scales(context: &Context, map: &Array, factor: f32) -> Result<Array> {
    let partials = vector::greatest(context, map)?;
    let scales = context.pool.take(2)?;
    context.run(&Launch {
        kernel: &POWERS,
        constants: &[("GREATEST", GREATEST as u32)],
        more: None,
        operands: &[Some(&partials), Some(&scales)],
        params: &[Param::U(partials.len()), Param::F(factor)],
        groups: 1,
        batches: 1,
    })?;
    Ok(scales)
}

/// The power of two for filters.
pub(super) fn filter_scale(weights: &[f32]) -> f32 {
    let greatest = weights.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
    match greatest.is_normal() {
        // Far from the ends of f32, so that the reciprocal exists.
        true => 2_f32.powi((GREATEST - greatest.log2().floor() as i32).clamp(-120, 120)),
        false => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::filter_scale;

    #[test]
    fn filters_come_to_lie_in_the_range() {
        for greatest in [1e-30_f32, 3e-4, 0.7, 1.0, 255.0, 1e30] {
            let scale = filter_scale(&[0.0, -greatest, greatest / 3.0]);
            assert_eq!(scale.to_bits() & 0x7f_ffff, 0, "{greatest} by {scale}");
            let most = scale * greatest;
            assert!((1023.0..2049.0).contains(&most), "{greatest}: {most}");
        }
        for strange in [0.0, f32::INFINITY, f32::NAN] {
            assert_eq!(filter_scale(&[strange]), 1.0);
        }
    }
}
