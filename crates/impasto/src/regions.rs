//! Where a picture is painted, and where in which styles.
//!
//! ```text
//! masks m₁ … m_R of regions, made to add up to 1 at most:   m_r ← m_r / max(1, Σ m)
//! the rest 1 − Σ m belongs to the styles without a region, if there are any; else it is kept
//! the mask of the whole P:   share of a region p_r = P·m_r,   kept = 1 − Σ p_r
//! ```
//!
//! What is kept is the content's, to the last bit where nothing else has a share. The border of what is painted is
//! softened inwards, so that nothing is painted outside of it.

use crate::mask::Mask;
use crate::picture::{Filter, Picture, means};
use crate::recipe::Problem;
use crate::style::Style;
use impasto_compute::Size;

/// Rounds of means by which borders are softened: two make straight slopes, rounded at their ends.
const ROUNDS: usize = 2;

/// A point of the picture that takes after a point of the first style: `[x, y]`, each as a share of width and height, from
/// the upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guide {
    /// The point of the content.
    pub content: [f32; 2],
    /// That of the style.
    pub style: [f32; 2],
}

/// Where a picture is painted, and where in which styles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Regions {
    mask: Option<Mask>,
    parts: Vec<Mask>,
    strength: Option<Mask>,
    content: Option<Mask>,
    guides: Vec<Guide>,
}

/// What a mask is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskUse {
    /// White is painted, black keeps the content.
    Whole,
    /// Where a region is, by its number.
    Region(usize),
    /// How strong the style is.
    Strength,
    /// How much the content counts.
    Content,
}

impl Regions {
    /// Paints where a mask is white and keeps the content where it is black; `parts` are the regions that styles belong to
    /// ([`Style::region`]).
    pub fn new(mask: Option<Mask>, parts: Vec<Mask>) -> Self {
        Self {
            mask: mask.filter(|mask| !mask.is_all()),
            parts,
            ..Self::default()
        }
    }

    /// The same with a style that is as strong as a mask says: where it is black nothing draws towards the style.
    pub fn with_strength(self, strength: Option<Mask>) -> Self {
        let strength = strength.filter(|mask| !mask.is_all());
        Self { strength, ..self }
    }

    /// The same with a content that counts as much as a mask says: where it is black nothing holds on to the photo.
    pub fn with_content(self, content: Option<Mask>) -> Self {
        let content = content.filter(|mask| !mask.is_all());
        Self { content, ..self }
    }

    /// The same with points that take after points of the first style, by methods that know of them
    /// ([`Strotss`](crate::recipe::Strotss)).
    pub fn with_guides(self, guides: Vec<Guide>) -> Self {
        Self { guides, ..self }
    }

    /// Points that take after points of the first style.
    pub fn guides(&self) -> &[Guide] {
        &self.guides
    }

    /// The same with another mask, as of another frame of a film; nothing changes for a region that there is not.
    pub fn with_mask(mut self, of: MaskUse, mask: Mask) -> Self {
        match of {
            MaskUse::Whole => self.mask = Some(mask).filter(|mask| !mask.is_all()),
            MaskUse::Strength => return self.with_strength(Some(mask)),
            MaskUse::Content => return self.with_content(Some(mask)),
            MaskUse::Region(number) => {
                if let Some(part) = self.parts.get_mut(number) {
                    *part = mask;
                }
            }
        }
        self
    }

    /// How much the content counts.
    pub(crate) fn content(&self) -> Option<&Mask> {
        self.content.as_ref()
    }

    /// Whether all of a picture is painted in the same styles.
    pub fn is_whole(&self) -> bool {
        self.mask.is_none() && self.parts.is_empty() && self.strength.is_none()
    }

    /// Every mask, with what it is for: the whole (`mask`), a `region`, in their order, the style's `strength`, and the
    /// content (`content mask`).
    pub fn masks(&self) -> impl Iterator<Item = (&'static str, &Mask)> {
        let named = |name| move |mask| (name, mask);
        let whole = self.mask.iter().map(named("mask"));
        let parts = self.parts.iter().map(named("region"));
        let strength = self.strength.iter().map(named("strength"));
        whole
            .chain(parts)
            .chain(strength)
            .chain(self.content.iter().map(named("content mask")))
    }

    /// What is wrong with styles for these regions.
    pub(crate) fn problems(&self, styles: &[Style]) -> Vec<Problem> {
        let count = self.parts.len();
        let beyond = styles.iter().filter_map(|style| {
            let region = style.region.filter(|region| *region >= count)?;
            let field = format!("region of style {}", style.name);
            Some(Problem::new(
                field,
                region + 1,
                format!("there are {count} regions"),
            ))
        });
        beyond.collect()
    }

    /// How much of each pixel of a picture belongs to the styles of each region, and how much is kept; borders of what is
    /// painted are as wide as `feather` says, a share of the long side.
    pub(crate) fn shares(&self, size: Size, styles: &[Style], feather: f32) -> Shares {
        let pixels = size.pixels();
        let mut parts: Vec<Part> = Vec::new();
        let mut left = vec![1.0f32; pixels];
        let masks: Vec<_> = self.parts.iter().map(|mask| mask.stretched(size)).collect();
        let mut totals = vec![0.0f32; pixels];
        for mask in &masks {
            totals
                .iter_mut()
                .zip(mask)
                .for_each(|(total, share)| *total += share);
        }
        for (index, mask) in masks.iter().enumerate() {
            let share: Vec<f32> = mask
                .iter()
                .zip(&totals)
                .map(|(share, total)| share / total.max(1.0))
                .collect();
            left.iter_mut()
                .zip(&share)
                .for_each(|(left, share)| *left = (*left - share).max(0.0));
            parts.push(Part {
                region: Some(index),
                share,
            });
        }
        parts.push(Part {
            region: None,
            share: left,
        });
        // Networks of one style, and recipes without, paint what belongs to no region.
        let is_painted = |part: &Part| match part.region {
            None if styles.is_empty() => true,
            _ => part.styles(styles).next().is_some(),
        };
        parts.retain(is_painted);
        parts = united(parts, styles);
        let mut painted = vec![0.0f32; pixels];
        for part in &parts {
            let sums = painted.iter_mut().zip(&part.share);
            sums.for_each(|(sum, share)| *sum += share);
        }
        // Where regions meet, nothing is kept.
        painted.iter_mut().for_each(|share| {
            if *share > 0.999 {
                *share = 1.0;
            }
        });
        if let Some(mask) = &self.mask {
            let mask = mask.stretched(size);
            let both = painted.iter_mut().zip(mask);
            both.for_each(|(painted, mask)| *painted *= mask);
        }
        let radius = feather * size.width.max(size.height) as f32;
        let soft = softened(&painted, size, radius);
        let mut kept = vec![0.0f32; pixels];
        let sums: Vec<f32> = (0..pixels)
            .map(|at| parts.iter().map(|part| part.share[at]).sum())
            .collect();
        for (at, kept) in kept.iter_mut().enumerate() {
            let share = painted[at].min(soft[at]);
            *kept = 1.0 - share;
            let scale = if sums[at] > 0.0 {
                share / sums[at]
            } else {
                0.0
            };
            parts.iter_mut().for_each(|part| part.share[at] *= scale);
        }
        parts.retain(|part| part.share.iter().any(|share| *share > 0.0));
        let strength = self.strength.as_ref().map(|mask| mask.stretched(size));
        Shares {
            size,
            parts,
            kept,
            strength,
        }
    }
}

/// Who has how much of each pixel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shares {
    pub(crate) size: Size,
    /// Those of which something is to be seen.
    pub(crate) parts: Vec<Part>,
    /// What stays the content's, `[h, w]`.
    pub(crate) kept: Vec<f32>,
    /// How strong the style is, `[h, w]`; `None` if it is everywhere.
    pub(crate) strength: Option<Vec<f32>>,
}

/// Parts in the same styles are one: its style is that of all of it together.
fn united(parts: Vec<Part>, styles: &[Style]) -> Vec<Part> {
    let mut united: Vec<Part> = Vec::with_capacity(parts.len());
    for part in parts {
        match united.iter_mut().find(|other| other.is_like(&part, styles)) {
            Some(other) => {
                let shares = other.share.iter_mut().zip(&part.share);
                shares.for_each(|(sum, share)| *sum += share);
            }
            None => united.push(part),
        }
    }
    united
}

/// What belongs to the styles of a region.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Part {
    /// The region; `None` for what belongs to no mask.
    pub(crate) region: Option<usize>,
    /// `[h, w]`.
    pub(crate) share: Vec<f32>,
}

impl Part {
    /// How strong its styles are beside those of others: times the share of the picture, each pixel is drawn as strongly as
    /// in one that is all in one style.
    pub(crate) fn strength(&self, styles: &[Style]) -> f32 {
        let weights: Vec<f32> = self.styles(styles).map(|style| style.weight).collect();
        match self.region {
            Some(_) => weights.iter().sum::<f32>() / weights.len().max(1) as f32,
            None => 1.0,
        }
    }

    /// Whether it is painted as another.
    fn is_like(&self, other: &Self, styles: &[Style]) -> bool {
        let same = |a: &Style, b: &Style| {
            (a.weight, a.scale) == (b.weight, b.scale) && a.picture == b.picture
        };
        self.strength(styles) == other.strength(styles)
            && self.styles(styles).count() == other.styles(styles).count()
            && self
                .styles(styles)
                .zip(other.styles(styles))
                .all(|(a, b)| same(a, b))
    }

    /// Its styles.
    pub(crate) fn styles<'a>(&self, styles: &'a [Style]) -> impl Iterator<Item = &'a Style> {
        let region = self.region;
        styles.iter().filter(move |style| style.region == region)
    }
}

impl Shares {
    /// How strongly each pixel is drawn towards the styles of a part, and the mean of that.
    pub(crate) fn drawn(&self, part: &Part) -> (Vec<f32>, f64) {
        let drawn: Vec<f32> = match &self.strength {
            None => part.share.clone(),
            Some(strength) => part
                .share
                .iter()
                .zip(strength)
                .map(|(a, b)| a * b)
                .collect(),
        };
        let sum: f64 = drawn.iter().map(|&share| f64::from(share)).sum();
        let mean = sum / drawn.len().max(1) as f64;
        (drawn, mean)
    }

    /// Planes `[3, h, w]` with the content's where they are kept.
    pub(crate) fn keep(&self, planes: &mut [f32], content: &[f32]) {
        let pixels = self.kept.len();
        for (planes, content) in planes
            .chunks_exact_mut(pixels)
            .zip(content.chunks_exact(pixels))
        {
            let pairs = planes.iter_mut().zip(content).zip(&self.kept);
            pairs.for_each(|((value, content), kept)| {
                *value = match *kept {
                    ..=0.0 => *value,
                    1.0.. => *content,
                    kept => *value + kept * (content - *value),
                }
            });
        }
    }

    /// How much of each pixel is seen of a picture of each part, in the order of the parts: their shares, with borders
    /// `radius` pixels wide, where something is painted at all.
    pub(crate) fn blend(&self, radius: f32) -> Vec<Vec<f32>> {
        let parts = self.parts.iter();
        let mut soft: Vec<_> = parts
            .map(|part| softened(&part.share, self.size, radius))
            .collect();
        for at in 0..self.size.pixels() {
            let sum: f32 = soft.iter().map(|share| share[at]).sum();
            if sum > 0.0 {
                soft.iter_mut().for_each(|share| share[at] /= sum);
            }
            if let Some(strength) = &self.strength {
                soft.iter_mut().for_each(|share| share[at] *= strength[at]);
            }
        }
        soft
    }

    /// A picture with the content's pixels where they are kept.
    pub(crate) fn composite(&self, picture: &Picture, content: &Picture) -> Picture {
        let Size { width, height } = self.size;
        let content = content.resized(width, height, Filter::Bicubic);
        let mut composite = picture.clone();
        self.keep(composite.rgb_mut(), content.rgb());
        composite
    }
}

/// A plane whose borders are as wide as twice a radius in pixels: means over squares, twice.
fn softened(plane: &[f32], size: Size, radius: f32) -> Vec<f32> {
    let reach = (radius / ROUNDS as f32).round() as usize;
    if reach == 0 {
        return plane.to_vec();
    }
    let mut soft: Vec<f64> = plane.iter().map(|&share| f64::from(share)).collect();
    for _ in 0..ROUNDS {
        soft = means(&soft, (size.width, size.height), reach);
    }
    soft.into_iter().map(|share| share as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_testing::{Tolerance, assert_close};

    const SIZE: Size = Size {
        width: 40,
        height: 20,
    };

    fn mask(share: impl Fn(usize) -> f32) -> Mask {
        let line: Vec<f32> = (0..SIZE.pixels())
            .map(|at| share(at % SIZE.width))
            .collect();
        let rgb = [&line[..], &line, &line].concat();
        Mask::of(&Picture::new(SIZE.width, SIZE.height, rgb).unwrap())
    }

    fn painted_in(region: Option<usize>, grey: f32) -> Style {
        let picture = Picture::new(1, 1, vec![grey; 3]).unwrap();
        Style {
            region,
            ..Style::new("painting", picture, 1.0)
        }
    }

    /// A style of its own for each region.
    fn style(region: Option<usize>) -> Style {
        painted_in(
            region,
            region.map_or(0.0, |region| 0.25 + 0.25 * region as f32),
        )
    }

    #[test]
    fn shares_and_what_is_kept_add_up() {
        let regions = Regions::new(
            Some(mask(|x| if x < 35 { 1.0 } else { 0.25 })),
            vec![
                mask(|x| f32::from(u8::from(x < 20))),
                mask(|x| f32::from(u8::from((10..25).contains(&x)))),
            ],
        );
        for styles in [
            vec![style(Some(0)), style(Some(1))],
            vec![style(Some(0)), style(Some(1)), style(None)],
            vec![style(Some(1))],
            vec![style(None)],
        ] {
            for feather in [0.0, 0.1] {
                let shares = regions.shares(SIZE, &styles, feather);
                let sums: Vec<f32> = (0..SIZE.pixels())
                    .map(|at| {
                        shares.kept[at]
                            + shares.parts.iter().map(|part| part.share[at]).sum::<f32>()
                    })
                    .collect();
                assert_close(
                    "sum",
                    &sums,
                    &vec![1.0; SIZE.pixels()],
                    Tolerance::absolute(1e-5),
                );
                assert!(shares.kept.iter().all(|kept| (0.0..=1.0).contains(kept)));
            }
        }
        // Two regions share where they overlap; gaps are kept unless there is a style for them.
        let shares = regions.shares(SIZE, &[style(Some(0)), style(Some(1))], 0.0);
        assert_eq!(shares.parts[0].share[15], 0.5);
        assert_eq!((shares.kept[30], shares.kept[15]), (1.0, 0.0));
        let shares = regions.shares(SIZE, &[style(Some(0)), style(None)], 0.0);
        assert_eq!(
            (shares.kept[30], shares.kept[22], shares.kept[38]),
            (0.0, 1.0, 0.75)
        );
    }

    #[test]
    fn regions_in_the_same_style_are_one() {
        let halves = || {
            vec![
                mask(|x| f32::from(u8::from(x < 20))),
                mask(|x| f32::from(u8::from(x >= 20))),
            ]
        };
        let one = Regions::new(None, vec![]).shares(SIZE, &[style(None)], 0.1);
        let shares = |styles: &[Style]| Regions::new(None, halves()).shares(SIZE, styles, 0.1);
        let with = |other: Style| shares(&[painted_in(Some(0), 0.5), other]).parts;
        let two = with(painted_in(Some(1), 0.5));
        assert_eq!(two.len(), 1);
        assert_eq!(two[0].share, one.parts[0].share);
        // Another weight, picture or size is another style.
        let same = painted_in(Some(1), 0.5);
        for other in [
            painted_in(Some(1), 0.25),
            Style {
                weight: 0.5,
                ..same.clone()
            },
            Style { scale: 0.5, ..same },
        ] {
            assert_eq!(with(other).len(), 2);
        }
    }

    #[test]
    fn borders_are_softened_inwards() {
        let regions = Regions::new(Some(mask(|x| f32::from(u8::from(x < 20)))), vec![]);
        let shares = regions.shares(SIZE, &[style(None)], 0.1);
        let row = &shares.kept[..SIZE.width];
        assert!(row[20..].iter().all(|kept| *kept == 1.0), "{row:?}");
        assert!(row[17] > 0.0 && row[17] < 1.0 && row[5] == 0.0, "{row:?}");
        assert!(row[..20].is_sorted(), "{row:?}");
    }

    #[test]
    fn a_white_mask_is_none() {
        assert!(Regions::new(Some(mask(|_| 1.0)), vec![]).is_whole());
        assert!(!Regions::new(Some(mask(|x| f32::from(u8::from(x < 39)))), vec![]).is_whole());
    }
}
