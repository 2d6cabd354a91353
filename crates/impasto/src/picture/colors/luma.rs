//! Lightness and chroma apart: what is painted keeps the one, the photo gives the other.

use super::Picture;
use super::gaussian::Moments;
use super::oklab::{self, Color};

/// Coordinates of which the first is lightness and the others are chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Luma {
    /// Oklab's L, a and b.
    Oklab,
    /// Y, U and V of sRGB values, with the numbers of Gatys et al. 2016.
    Yuv,
}

impl Luma {
    pub(super) fn enter(self, rgb: Color) -> Color {
        let [r, g, b] = rgb;
        match self {
            Luma::Oklab => oklab::from_srgb(rgb),
            Luma::Yuv => [
                0.299 * r + 0.587 * g + 0.114 * b,
                -0.147 * r - 0.288 * g + 0.436 * b,
                0.615 * r - 0.515 * g - 0.100 * b,
            ],
        }
    }

    pub(super) fn leave(self, color: Color) -> Color {
        let [y, u, v] = color;
        match self {
            Luma::Oklab => oklab::to_srgb_within(color),
            Luma::Yuv => [y + 1.139 * v, y - 0.395 * u - 0.580 * v, y + 2.03 * u]
                .map(|value| value.clamp(0.0, 1.0)),
        }
    }
}

impl Luma {
    /// A colour with its lightness and, as far as `strength` says, another's chroma. Its own chroma leaves it as it is.
    pub(super) fn with_chroma(self, own: Color, other: Color, strength: f64) -> Color {
        let (from, to) = (self.enter(own), self.enter(other));
        let [_, a, b]: Color = std::array::from_fn(|axis| strength * (to[axis] - from[axis]));
        match self {
            Luma::Oklab => self.leave([from[0], from[1] + a, from[2] + b]),
            // The printed numbers are inverse to three digits alone: what they change is added.
            Luma::Yuv => [
                own[0] + 1.139 * b,
                own[1] - 0.395 * a - 0.580 * b,
                own[2] + 2.03 * a,
            ]
            .map(|value| value.clamp(0.0, 1.0)),
        }
    }
}

/// The picture without chroma.
pub(super) fn grey(luma: Luma, picture: &Picture) -> Picture {
    let greys = picture
        .colors()
        .map(|rgb| luma.leave([luma.enter(rgb)[0], 0.0, 0.0]));
    picture.recolored(greys)
}

/// The picture without chroma, its lightness brought to the other's mean and deviation (Gatys et al. 2016, equation 10).
///
/// Of a flat picture it is the mean.
pub(super) fn matched_grey(luma: Luma, picture: &Picture, like: &Picture) -> Picture {
    let moments = |picture: &Picture| {
        let lightness: Vec<(Color, f64)> = picture
            .colors()
            .map(|rgb| [luma.enter(rgb)[0], 0.0, 0.0])
            .zip(picture.weights())
            .collect();
        Moments::of(lightness.iter().copied()).first()
    };
    let ((from, deviation), (to, wanted)) = (moments(picture), moments(like));
    let slope = if deviation > LEAST {
        wanted / deviation
    } else {
        1.0
    };
    let greys = picture.colors().map(|rgb| {
        let lightness = slope * (luma.enter(rgb)[0] - from) + to;
        luma.leave([lightness, 0.0, 0.0])
    });
    picture.recolored(greys)
}

/// Deviations of lightness below this, half a step of 8 bits, are none.
const LEAST: f64 = 0.002;
