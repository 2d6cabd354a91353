//! The photo's colours, moved to a style's, under the lightness of what was painted: the colour step of neural neighbour style
//! transfer (Kolkin et al. 2022, section 3.4), which keeps what matching does to colours out of the picture.
//!
//! ```text
//! (a, b) ← S^½·C^−½·((a, b) of the photo − mean) + mean of the styles        C, S: covariances of a and b
//! five times: (a, b) ← mean over 3×3 pixels, each with weight exp(−10·|L − L of the pixel|)
//! L of what was painted; all three within the range that the styles have
//! ```
//!
//! In Oklab of linear light, with room for chroma made at constant lightness. The published program takes coded values for
//! linear ones, the first version of Oklab's matrices and 10⁻⁴ on both covariances' diagonals, and clamps.

use super::oklab::{Color, from_srgb, to_srgb_within};
use crate::picture::Picture;
use crate::style::Style;
use rayon::prelude::*;

/// Rounds of smoothing, and how fast weights fall with the difference of lightness.
const ROUNDS: usize = 5;
const FALL: f64 = 10.0;
/// The covariance up to which a style has no colours to speak of.
const GREY: f64 = 6e-5;
/// What is added to variances.
const RIDGE: f64 = 1e-8;
const PUBLISHED_RIDGE: f64 = 1e-4;

/// Mean and covariance of a and b, and the range of each coordinate.
struct Chroma {
    mean: [f64; 2],
    /// Variance of a, covariance, variance of b.
    covariance: [f64; 3],
    range: [(f64, f64); 3],
}

impl Chroma {
    /// Of colours, each with a weight.
    fn of(colors: impl Iterator<Item = (Color, f64)> + Clone) -> Self {
        let total: f64 = colors.clone().map(|(_, weight)| weight).sum();
        let (mut mean, mut range) = ([0.0; 2], [(f64::INFINITY, f64::NEG_INFINITY); 3]);
        for (color, weight) in colors.clone() {
            (0..2).for_each(|i| mean[i] += weight / total * color[i + 1]);
            for (value, range) in color.iter().zip(&mut range) {
                *range = (range.0.min(*value), range.1.max(*value));
            }
        }
        let mut covariance = [0.0; 3];
        for ([_, a, b], weight) in colors {
            let (a, b, share) = (a - mean[0], b - mean[1], weight / total);
            let products = [a * a, a * b, b * b].map(|product| share * product);
            covariance
                .iter_mut()
                .zip(products)
                .for_each(|(sum, product)| *sum += product);
        }
        Self {
            mean,
            covariance,
            range,
        }
    }
}

/// Symmetric root of a symmetric matrix of two rows: `(M + √det·1)/√(tr + 2√det)`.
fn root([a, b, c]: [f64; 3], ridge: f64) -> [f64; 3] {
    let (a, c) = (a + ridge, c + ridge);
    let det = (a * c - b * b).max(0.0).sqrt();
    let trace = (a + c + 2.0 * det).max(f64::MIN_POSITIVE).sqrt();
    [(a + det) / trace, b / trace, (c + det) / trace]
}

/// A painted picture with the colours of the photo, which is as large, moved to those of what is seen of some styles; in the
/// published way, or in ours.
pub(crate) fn recolored(
    painted: &Picture,
    photo: &Picture,
    styles: &[Style],
    published: bool,
) -> Picture {
    let convert = |rgb: Color| match published {
        true => first::from_coded(rgb),
        false => from_srgb(rgb),
    };
    let colors = |picture: &Picture| -> Vec<Color> {
        let (rgb, pixels) = (picture.rgb(), picture.width() * picture.height());
        let color = |at: usize| [0, 1, 2].map(|c| f64::from(rgb[c * pixels + at]));
        (0..pixels)
            .into_par_iter()
            .map(|at| convert(color(at)))
            .collect()
    };
    let mut of_styles = Vec::new();
    for style in styles {
        let picture = &style.picture;
        let alpha = picture.alpha().filter(|_| picture.is_partly_hidden());
        let share = f64::from(style.weight) / (picture.width() * picture.height()) as f64;
        let seen = colors(picture).into_iter().enumerate().map(|(at, color)| {
            let alpha = alpha.map_or(1.0, |alpha| f64::from(alpha[at]));
            (color, share * alpha)
        });
        of_styles.extend(seen.filter(|(_, weight)| *weight > 0.0));
    }
    if of_styles.is_empty() {
        return painted.clone();
    }
    let style = Chroma::of(of_styles.into_iter().collect::<Vec<_>>().iter().copied());
    let photo = colors(photo);
    let own = Chroma::of(photo.iter().map(|&color| (color, 1.0)));
    let clamp = |value: f64, (low, high): (f64, f64)| value.clamp(low, high);
    let painted_colors = colors(painted);
    let lightness: Vec<f64> = painted_colors
        .iter()
        .map(|color| clamp(color[0], style.range[0]))
        .collect();
    let mut chroma = moved(&photo, &own, &style, published);
    let width = painted.width();
    for _ in 0..ROUNDS {
        chroma = smoothed(&chroma, &lightness, width);
    }
    let pixels = lightness.len();
    let mut result = painted.clone();
    for (at, (lightness, chroma)) in lightness.iter().zip(chroma).enumerate() {
        let color = [
            *lightness,
            clamp(chroma[0], style.range[1]),
            clamp(chroma[1], style.range[2]),
        ];
        let rgb = match published {
            true => first::to_coded(color),
            false => to_srgb_within(color),
        };
        for (c, value) in rgb.into_iter().enumerate() {
            result.rgb_mut()[c * pixels + at] = value as f32;
        }
    }
    result
}

/// The photo's chroma, with mean and covariance of the styles'; their mean alone, if they have no colours to speak of.
fn moved(photo: &[Color], own: &Chroma, style: &Chroma, published: bool) -> Vec<[f64; 2]> {
    let greatest = style
        .covariance
        .iter()
        .fold(0.0, |most: f64, value| most.max(value.abs()));
    if greatest < GREY {
        return vec![style.mean; photo.len()];
    }
    let ridge = if published { PUBLISHED_RIDGE } else { RIDGE };
    let ([p, q, r], [s, t, u]) = (root(own.covariance, ridge), root(style.covariance, ridge));
    let det = (p * r - q * q).max(f64::MIN_POSITIVE);
    let inverse = [r / det, -q / det, p / det];
    let map = [
        [
            s * inverse[0] + t * inverse[1],
            s * inverse[1] + t * inverse[2],
        ],
        [
            t * inverse[0] + u * inverse[1],
            t * inverse[1] + u * inverse[2],
        ],
    ];
    let move_one = |color: &Color| {
        let (a, b) = (color[1] - own.mean[0], color[2] - own.mean[1]);
        [0, 1].map(|i| map[i][0] * a + map[i][1] * b + style.mean[i])
    };
    photo.iter().map(move_one).collect()
}

/// Means over 3×3 pixels, of which those of like lightness count.
fn smoothed(chroma: &[[f64; 2]], lightness: &[f64], width: usize) -> Vec<[f64; 2]> {
    let height = lightness.len() / width.max(1);
    let at = |place: usize| {
        let (y, x) = (place / width, place % width);
        let (mut sum, mut total) = ([0.0; 2], 0.0);
        for row in y.saturating_sub(1)..(y + 2).min(height) {
            for column in x.saturating_sub(1)..(x + 2).min(width) {
                let other = row * width + column;
                let weight = (-FALL * (lightness[other] - lightness[place]).abs()).exp();
                total += weight;
                (0..2).for_each(|i| sum[i] += weight * chroma[other][i]);
            }
        }
        sum.map(|sum| sum / total)
    };
    (0..lightness.len()).into_par_iter().map(at).collect()
}

/// Oklab by its first matrices (December 2020), of coded values as if they were light.
mod first {
    use super::Color;

    pub(super) fn from_coded([r, g, b]: Color) -> Color {
        let l = (0.4121656120 * r + 0.5362752080 * g + 0.0514575653 * b).cbrt();
        let m = (0.2118591070 * r + 0.6807189584 * g + 0.1074065790 * b).cbrt();
        let s = (0.0883097947 * r + 0.2818474174 * g + 0.6302613616 * b).cbrt();
        [
            0.2104542553 * l + 0.7936177850 * m - 0.0040720468 * s,
            1.9779984951 * l - 2.4285922050 * m + 0.4505937099 * s,
            0.0259040371 * l + 0.7827717662 * m - 0.8086757660 * s,
        ]
    }

    pub(super) fn to_coded([lightness, a, b]: Color) -> Color {
        let l = (lightness + 0.3963377774 * a + 0.2158037573 * b).powi(3);
        let m = (lightness - 0.1055613458 * a - 0.0638541728 * b).powi(3);
        let s = (lightness - 0.0894841775 * a - 1.2914855480 * b).powi(3);
        [
            4.0767245293 * l - 3.3072168827 * m + 0.2307590544 * s,
            -1.2681437731 * l + 2.6093323231 * m - 0.3411344290 * s,
            -0.0041119885 * l - 0.7034763098 * m + 1.7068625689 * s,
        ]
        .map(|value| value.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_near, noise};

    fn picture(seed: u64, gains: [f32; 3]) -> Picture {
        let noise = noise(seed, 3 * 400);
        let value = |k: usize| (0.5 + 0.25 * gains[k / 400] * noise[k]).clamp(0.0, 1.0);
        Picture::new(20, 20, (0..1200).map(value).collect()).unwrap()
    }

    fn chroma(picture: &Picture) -> Chroma {
        let pixels = picture.width() * picture.height();
        let color = |at: usize| {
            let rgb = [0, 1, 2].map(|c| f64::from(picture.rgb()[c * pixels + at]));
            (from_srgb(rgb), 1.0)
        };
        Chroma::of((0..pixels).map(color))
    }

    /// What is moved has mean and covariance of the style.
    #[test]
    fn chroma_gets_the_statistics_of_the_style() {
        let (photo, style) = (picture(1, [1.0, 0.5, 0.2]), picture(2, [0.2, 0.6, 1.0]));
        let (own, wanted) = (chroma(&photo), chroma(&style));
        let colors: Vec<Color> = (0..400)
            .map(|at| from_srgb([0, 1, 2].map(|c| f64::from(photo.rgb()[c * 400 + at]))))
            .collect();
        let moved = moved(&colors, &own, &wanted, false);
        let got = Chroma::of(moved.iter().map(|[a, b]| ([0.0, *a, *b], 1.0)));
        for i in 0..3 {
            let tolerance = Tolerance::relative(1e-4);
            assert_near(
                "covariance",
                got.covariance[i],
                wanted.covariance[i],
                tolerance,
            );
        }
        (0..2).for_each(|i| {
            assert_near(
                "mean",
                got.mean[i],
                wanted.mean[i],
                Tolerance::absolute(1e-9),
            );
        });
    }

    /// A grey style gives a grey picture, a flat one no number that is none.
    #[test]
    fn styles_without_colours_give_none() {
        let (photo, flat) = (picture(3, [1.0; 3]), picture(4, [0.0; 3]));
        for published in [false, true] {
            let styles = [Style::new("flat", flat.clone(), 1.0)];
            let got = recolored(&photo, &photo, &styles, published);
            let spread = |at: usize| {
                let rgb = [0, 1, 2].map(|c| got.rgb()[c * 400 + at]);
                rgb.iter()
                    .fold(0.0f32, |most, value| most.max((value - rgb[0]).abs()))
            };
            assert!((0..400).all(|at| spread(at) < 2e-3), "{published}");
        }
    }
}
