//! Colours: as code values 0..1 for painting, as linear light for rendering.

use crate::vector::{V, V3};

/// A colour written as `0xrrggbb`, as numbers 0..1.
pub const fn hex(rgb: u32) -> V3 {
    V([
        (rgb >> 16) as f32 / 255.0,
        (rgb >> 8 & 255) as f32 / 255.0,
        (rgb & 255) as f32 / 255.0,
    ])
}

/// The colour at `t` (0..1) of a ramp of equally spaced colours.
pub fn ramp(colours: &[V3], t: f32) -> V3 {
    let x = t.clamp(0.0, 1.0) * (colours.len() - 1) as f32;
    let i = (x as usize).min(colours.len().saturating_sub(2));
    colours[i].mix(colours[(i + 1).min(colours.len() - 1)], x - i as f32)
}

/// The linear light of a colour written as `0xrrggbb`.
pub fn linear(rgb: u32) -> V3 {
    hex(rgb).map(|c| {
        if c <= 0.040_45 {
            c / 12.92
        } else {
            ((c + 0.055) / 1.055).powf(2.4)
        }
    })
}

/// Linear light as sRGB code, both 0..1.
pub fn encode(linear: V3) -> V3 {
    linear.map(|c| {
        let c = c.clamp(0.0, 1.0);
        if c <= 0.003_130_8 {
            12.92 * c
        } else {
            1.055 * c.powf(1.0 / 2.4) - 0.055
        }
    })
}

/// Linear light of any strength as sRGB code, by a film's curve: bright light rolls off softly
/// (Narkowicz's fit of ACES).
pub fn film(linear: V3) -> V3 {
    encode(linear.map(|c| (c * (2.51 * c + 0.03)) / (c * (2.43 * c + 0.59) + 0.14)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn light_and_code_are_inverse() {
        for rgb in [0x000000, 0x010203, 0x0a0b0c, 0x808080, 0xfe1234, 0xffffff] {
            assert!((encode(linear(rgb)) - hex(rgb)).len() < 1e-4, "{rgb:06x}");
        }
    }

    #[test]
    fn a_ramp_starts_and_ends_at_its_ends() {
        let colours = [hex(0x112233), hex(0x445566), hex(0x778899)];
        assert_eq!(ramp(&colours, -1.0), colours[0]);
        assert_eq!(ramp(&colours, 0.5), colours[1]);
        assert_eq!(ramp(&colours, 2.0), colours[2]);
    }
}
