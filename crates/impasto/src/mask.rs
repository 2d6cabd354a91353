//! Masks: how much each place of a picture belongs to something.

use crate::picture::{Filter, Picture, resize_planes};
use impasto_compute::Size;
use std::fmt;

/// Colours of a map of regions this near to each other, in each channel, are the same one.
const NEAR: f32 = 1.5 / 255.0;

/// How much each place of a picture belongs to something, 0 (black) to 1 (white). It fits pictures of any size, to which it
/// is stretched.
#[derive(Clone, PartialEq)]
pub struct Mask {
    name: String,
    size: Size,
    share: Vec<f32>,
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({}×{})", self.size.width, self.size.height)
    }
}

impl Mask {
    /// What a picture says as a mask: its brightness (Y of sRGB values), less where it is transparent. Of a picture of one
    /// colour with transparency, what is opaque: many programs keep masks so.
    pub fn of(picture: &Picture) -> Self {
        let pixels = picture.width() * picture.height();
        let rgb = picture.rgb();
        let plain = rgb
            .chunks_exact(pixels)
            .all(|plane| plane.iter().all(|value| value == &plane[0]));
        let brightness = |pixel: usize| {
            let [r, g, b] = [0, 1, 2].map(|plane| rgb[plane * pixels + pixel]);
            // White comes to 1 in full.
            (0.299 * r + 0.587 * g + 0.114 * b).min(1.0)
        };
        let share = (0..pixels).map(|pixel| match picture.alpha() {
            Some(alpha) if plain => alpha[pixel],
            Some(alpha) => alpha[pixel] * brightness(pixel),
            None => brightness(pixel),
        });
        Self {
            name: String::new(),
            size: Size {
                width: picture.width(),
                height: picture.height(),
            },
            share: share.map(whole).collect(),
        }
    }

    /// The region of a colour in a map of regions, which has one colour for each: places whose nearest colour among
    /// `colors` it is, so that softened borders between regions belong to one of them; places of any other colour that is
    /// not between two of these belong to none. Colours are sRGB-coded 0..1.
    pub fn of_color(map: &Picture, color: [f32; 3], colors: &[[f32; 3]]) -> Self {
        let pixels = map.width() * map.height();
        let distance = |a: [f32; 3], b: [f32; 3]| -> f32 {
            a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
        };
        let near = |a: [f32; 3], b: [f32; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() <= NEAR);
        let share = (0..pixels).map(|pixel| {
            let here = [0, 1, 2].map(|plane| map.rgb()[plane * pixels + pixel]);
            let hidden = map.alpha().is_some_and(|alpha| alpha[pixel] < 0.5);
            let nearest = colors
                .iter()
                .min_by(|a, b| distance(here, **a).total_cmp(&distance(here, **b)));
            let is_between = colors.iter().any(|a| {
                let others = colors.iter().filter(|b| !near(*a, **b));
                others
                    .map(|b| distance(here, *a) + distance(here, *b) - distance(*a, *b))
                    .any(|excess| excess <= NEAR)
            });
            let found = nearest.is_some_and(|nearest| near(*nearest, color));
            let known = nearest.is_some_and(|nearest| near(*nearest, here)) || is_between;
            f32::from(u8::from(found && known && !hidden))
        });
        Self {
            name: String::new(),
            size: Size {
                width: map.width(),
                height: map.height(),
            },
            share: share.collect(),
        }
    }

    /// The same under a name, for people.
    pub fn named(self, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { name, ..self }
    }

    /// What it is called; empty for those without a name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether everything belongs to it.
    pub fn is_all(&self) -> bool {
        self.share.iter().all(|share| *share >= 1.0)
    }

    /// Columns and rows.
    pub fn size(&self) -> (usize, usize) {
        (self.size.width, self.size.height)
    }

    /// The shares `[height, width]`, 0 to 1.
    pub fn shares(&self) -> &[f32] {
        &self.share
    }

    /// The shares of a picture of some size, `[height, width]`, 0 to 1.
    pub fn stretched(&self, size: Size) -> Vec<f32> {
        if size == self.size {
            return self.share.clone();
        }
        let (from, to) = (
            (self.size.height, self.size.width),
            (size.height, size.width),
        );
        let share = resize_planes(&self.share, 1, from, to, Filter::Bilinear);
        share.into_iter().map(whole).collect()
    }
}

/// A share in 0..1; what is a rounding away from either end is there.
fn whole(share: f32) -> f32 {
    match share {
        ..=1e-4 => 0.0,
        0.9999.. => 1.0,
        share => share,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(pixels: &[[f32; 3]], alpha: Option<&[f32]>) -> Picture {
        let plane = |plane: usize| pixels.iter().map(move |pixel| pixel[plane]);
        let planes = (0..3).flat_map(plane).collect();
        let picture = Picture::new(pixels.len(), 1, planes).unwrap();
        match alpha {
            Some(alpha) => picture.with_alpha(alpha.to_vec()).unwrap(),
            None => picture,
        }
    }

    #[test]
    fn brightness_and_opacity_are_shares() {
        let greys = [[0.0; 3], [0.5; 3], [1.0; 3]];
        assert_eq!(Mask::of(&picture(&greys, None)).shares(), [0.0, 0.5, 1.0]);
        let half = Mask::of(&picture(&greys, Some(&[1.0, 1.0, 0.5])));
        assert_eq!(half.shares(), [0.0, 0.5, 0.5]);
        // Of one colour, whichever: the opacity alone.
        for color in [[0.0; 3], [1.0, 0.0, 0.0], [1.0; 3]] {
            let alone = Mask::of(&picture(&[color; 3], Some(&[0.0, 0.25, 1.0])));
            assert_eq!(alone.shares(), [0.0, 0.25, 1.0]);
        }
        assert!(Mask::of(&picture(&[[1.0; 3]; 2], None)).is_all());
    }

    #[test]
    fn a_colour_has_its_places_and_its_side_of_soft_borders() {
        let (red, blue) = ([1.0, 0.0, 0.0], [0.0, 0.0, 1.0]);
        let between = |share: f32| [1.0 - share, 0.0, share];
        let green = [0.0, 1.0, 0.0];
        let map = picture(&[red, between(0.25), between(0.75), blue, green], None);
        let of = |color| Mask::of_color(&map, color, &[red, blue]);
        assert_eq!(of(red).shares(), [1.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(of(blue).shares(), [0.0, 0.0, 1.0, 1.0, 0.0]);
        // Alone, a colour is itself.
        let alone = Mask::of_color(&map, green, &[green]);
        assert_eq!(alone.shares(), [0.0, 0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn masks_are_stretched_and_stay_shares() {
        let mask = Mask::of(&picture(&[[0.0; 3], [1.0; 3]], None));
        for (width, height) in [(1, 1), (2, 1), (7, 3), (64, 2)] {
            let shares = mask.stretched(Size { width, height });
            assert_eq!(shares.len(), width * height);
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)));
            assert!(
                width == 1 || shares[0] == 0.0 && shares[width - 1] == 1.0,
                "{shares:?}"
            );
        }
    }
}
