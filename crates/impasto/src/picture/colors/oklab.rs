//! Oklab: lightness and two chroma axes in which equal steps look about equal.
//!
//! ```text
//! sRGB ─decode▶ linear light ─M₁▶ l, m, s ─∛▶ l′, m′, s′ ─M₂▶ L, a, b
//! ```
//!
//! Source: B. Ottosson 2020, *A perceptual color space for image processing*, with its matrices of January 2021. Linear
//! light by IEC 61966-2-1, continued oddly below 0, so that values a little out of range come back as they were.

/// A colour of three coordinates.
pub(super) type Color = [f64; 3];

/// sRGB of which all channels are this near to 0..1 is taken to be there, and clamped.
const NEAR: f64 = 1e-6;

/// Halvings of the interval in which the most chroma is looked for: below a thousandth of a step of 16 bits.
const HALVINGS: usize = 26;

/// Linear light of an sRGB-coded value.
fn linear(value: f64) -> f64 {
    let size = value.abs();
    let light = match size <= 0.04045 {
        true => size / 12.92,
        false => ((size + 0.055) / 1.055).powf(2.4),
    };
    light.copysign(value)
}

/// The sRGB-coded value of linear light.
fn coded(light: f64) -> f64 {
    let size = light.abs();
    let value = match size <= 0.0031308 {
        true => size * 12.92,
        false => 1.055 * size.powf(1.0 / 2.4) - 0.055,
    };
    value.copysign(light)
}

/// Lightness, green to red and blue to yellow, of an sRGB-coded colour in 0..1.
pub(crate) fn from_srgb(rgb: Color) -> Color {
    let [r, g, b] = rgb.map(linear);
    let l = (0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b).cbrt();
    let m = (0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b).cbrt();
    let s = (0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b).cbrt();
    [
        0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
        1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
        0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
    ]
}

/// The sRGB-coded colour, which may lie outside of 0..1.
pub(super) fn to_srgb([lightness, a, b]: Color) -> Color {
    let l = (lightness + 0.3963377774 * a + 0.2158037573 * b).powi(3);
    let m = (lightness - 0.1055613458 * a - 0.0638541728 * b).powi(3);
    let s = (lightness - 0.0894841775 * a - 1.2914855480 * b).powi(3);
    [
        4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
        -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
        -0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s,
    ]
    .map(coded)
}

/// The sRGB-coded colour in 0..1 of this lightness and hue, with as much of the chroma as there is room for.
pub(super) fn to_srgb_within([lightness, a, b]: Color) -> Color {
    let lightness = lightness.clamp(0.0, 1.0);
    let there = |rgb: &Color| {
        let range = -NEAR..=1.0 + NEAR;
        rgb.iter().all(|value| range.contains(value))
    };
    let with = |share: f64| to_srgb([lightness, share * a, share * b]);
    let whole = with(1.0);
    let rgb = match there(&whole) {
        true => whole,
        false => {
            let (mut inside, mut outside) = (0.0, 1.0);
            for _ in 0..HALVINGS {
                let middle = 0.5 * (inside + outside);
                match there(&with(middle)) {
                    true => inside = middle,
                    false => outside = middle,
                }
            }
            with(inside)
        }
    };
    rgb.map(|value| value.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_near};

    #[test]
    fn colours_come_back() {
        let steps = [-0.05, 0.0, 0.01, 0.04, 0.2, 0.5, 0.8, 1.0, 1.02];
        for (r, g) in steps
            .iter()
            .flat_map(|r| steps.iter().map(move |g| (*r, *g)))
        {
            for b in steps {
                let back = to_srgb(from_srgb([r, g, b]));
                for (back, from) in back.into_iter().zip([r, g, b]) {
                    assert_near("sRGB", back, from, Tolerance::absolute(1e-5));
                }
            }
        }
    }

    #[test]
    fn white_red_and_blue_are_where_they_are_published() {
        let cases = [
            ([1.0, 1.0, 1.0], [1.0, 0.0, 0.0]),
            ([1.0, 0.0, 0.0], [0.62796, 0.22486, 0.12585]),
            ([0.0, 0.0, 1.0], [0.45201, -0.03246, -0.31153]),
        ];
        for (rgb, lab) in cases {
            for (got, wanted) in from_srgb(rgb).into_iter().zip(lab) {
                assert_near("Oklab", got, wanted, Tolerance::absolute(2e-5));
            }
        }
    }

    #[test]
    fn chroma_gives_way_and_lightness_stays() {
        for lab in [
            [0.9, 0.3, 0.1],
            [0.2, -0.2, 0.2],
            [0.5, 0.0, -0.4],
            [1.0, 0.1, 0.0],
        ] {
            let rgb = to_srgb_within(lab);
            assert!(
                rgb.iter().all(|value| (0.0..=1.0).contains(value)),
                "{rgb:?}"
            );
            let [lightness, a, b] = from_srgb(rgb);
            assert_near("lightness", lightness, lab[0], Tolerance::absolute(1e-4));
            let turned = a * lab[2] - b * lab[1];
            assert_near("hue", turned, 0.0, Tolerance::absolute(1e-4));
        }
    }
}
