//! The colours of one picture given to another.
//!
//! | mode | what it does | source |
//! |---|---|---|
//! | `content` | moves colours as little as brings them to the other's mean and covariance | Pitié and Kokaram 2007 |
//! | `cholesky`, `pca` | other maps to the same mean and covariance | Gatys et al. 2016, *Preserving Color in Neural Artistic Style Transfer* |
//! | `coral` | the map of AdaIN's program | Sun et al. 2016; Huang and Belongie 2017 |
//! | `histogram` | brings over the whole distribution | Pitié et al. 2005 |
//! | `content-exact` | keeps lightness alone (Oklab) and takes the other's chroma, pixel by pixel | |
//! | `luminance` | keeps Y alone and takes the other's U and V, pixel by pixel | Gatys et al. 2016, section 4 |
//!
//! The first five map colours to colours, in Oklab of linear light or in sRGB, and leave places alone; the last two need
//! both pictures to show the same things. What leaves the range of sRGB from Oklab comes back at the same lightness and
//! hue with less chroma; from sRGB it is clamped.
//!
//! ```
//! use impasto::picture::{Picture, colors::{ColorMode, Colors}};
//!
//! let grey = Picture::new(2, 1, vec![0.2, 0.8, 0.2, 0.8, 0.2, 0.8])?;
//! let warm = Picture::new(2, 1, vec![0.5, 0.9, 0.2, 0.8, 0.1, 0.2])?;
//! let colors = Colors { mode: ColorMode::Content, ..Colors::default() };
//! let warmer = colors.give(&grey, &warm);
//! assert!(warmer.rgb()[0] > warmer.rgb()[4]);
//! # Ok::<(), impasto::picture::PictureError>(())
//! ```

mod gaussian;
mod histogram;
mod luma;
mod oklab;
mod recolor;
#[cfg(test)]
mod tests;

use super::{Filter, Picture};
use crate::named::Named;
use gaussian::{AffineMap, Moments, space_of};
use luma::Luma;
use oklab::Color;
pub(crate) use oklab::from_srgb as oklab;
pub(crate) use recolor::recolored;

/// Pixels that are looked at of a picture that gives colours.
const MOST: usize = 1 << 21;

/// What is done about colours, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Colors {
    /// Whose colours, and by which map.
    pub mode: ColorMode,
    /// On which side of the painting.
    pub when: When,
    /// In which coordinates colours are mapped; `content-exact` and `luminance` have their own.
    pub space: ColorSpace,
    /// How far colours go: 0 leaves them, 1 is all the way.
    pub strength: f32,
}

impl Default for Colors {
    fn default() -> Self {
        Self {
            mode: ColorMode::Style,
            when: When::Usual,
            space: ColorSpace::Oklab,
            strength: 1.0,
        }
    }
}

/// Whose colours a picture gets, and by which map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ColorMode {
    /// The style's, as it paints.
    #[default]
    Style,
    /// The content's mean and covariance, by optimal transport.
    Content,
    /// The content's chroma, pixel by pixel, under the lightness of what is painted.
    ContentExact,
    /// As [`ColorMode::Content`], by Cholesky factors.
    Cholesky,
    /// As [`ColorMode::Content`], by symmetric roots.
    Pca,
    /// As [`ColorMode::Content`], as AdaIN's program has it.
    Coral,
    /// All of the content's distribution.
    Histogram,
    /// The content's U and V, pixel by pixel, under the Y of what is painted.
    Luminance,
}

impl Named for ColorMode {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("style", ColorMode::Style),
        ("content", ColorMode::Content),
        ("content-exact", ColorMode::ContentExact),
        ("cholesky", ColorMode::Cholesky),
        ("pca", ColorMode::Pca),
        ("coral", ColorMode::Coral),
        ("histogram", ColorMode::Histogram),
        ("luminance", ColorMode::Luminance),
    ];
}

impl ColorMode {
    /// What is kept of a picture where chroma is taken pixel by pixel; `None` for modes that map colours to colours.
    fn luma(self) -> Option<Luma> {
        match self {
            ColorMode::ContentExact => Some(Luma::Oklab),
            ColorMode::Luminance => Some(Luma::Yuv),
            ColorMode::Style
            | ColorMode::Content
            | ColorMode::Cholesky
            | ColorMode::Pca
            | ColorMode::Coral
            | ColorMode::Histogram => None,
        }
    }

    /// Whether it maps colours to colours, so that any picture can give them.
    pub fn maps(self) -> bool {
        self != ColorMode::Style && !self.is_by_pixel()
    }

    /// Whether it takes colours pixel by pixel, so that both pictures must show the same things.
    pub fn is_by_pixel(self) -> bool {
        self.luma().is_some()
    }
}

/// On which side of the painting colours are seen to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum When {
    /// As is usual for the mode: before, but for `content-exact`.
    #[default]
    Usual,
    /// Before: the styles get the colours and are painted with. Of `content-exact` and `luminance`: content and styles are
    /// grey while it is painted.
    Before,
    /// After: the result gets the colours.
    After,
}

impl Named for When {
    const NAMES: &'static [(&'static str, Self)] = &[
        ("usual", When::Usual),
        ("before", When::Before),
        ("after", When::After),
    ];
}

/// Coordinates of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ColorSpace {
    /// Oklab of linear light: equal distances look about equal.
    #[default]
    Oklab,
    /// sRGB as it is coded, 0..1: what the published programs have.
    Srgb,
}

impl Named for ColorSpace {
    const NAMES: &'static [(&'static str, Self)] =
        &[("oklab", ColorSpace::Oklab), ("srgb", ColorSpace::Srgb)];
}

impl ColorSpace {
    fn enter(self, rgb: Color) -> Color {
        match self {
            ColorSpace::Oklab => oklab::from_srgb(rgb),
            ColorSpace::Srgb => rgb,
        }
    }

    fn leave(self, color: Color) -> Color {
        match self {
            ColorSpace::Oklab => oklab::to_srgb_within(color),
            ColorSpace::Srgb => color.map(|value| value.clamp(0.0, 1.0)),
        }
    }
}

impl Colors {
    /// Whether anything is done about colours.
    pub fn are_changed(&self) -> bool {
        self.mode != ColorMode::Style && self.strength > 0.0
    }

    /// Whether something is done before it is painted.
    pub fn come_before(&self) -> bool {
        let usual = self.mode != ColorMode::ContentExact;
        self.are_changed() && (self.when == When::Before || self.when == When::Usual && usual)
    }

    /// Whether something is done after it is painted: chroma always comes after.
    pub fn come_after(&self) -> bool {
        self.are_changed() && (!self.come_before() || self.mode.is_by_pixel())
    }

    /// The picture with the colours of another; of [`ColorMode::Style`] as it is.
    ///
    /// Where colours are taken pixel by pixel, the other picture is resampled to the size of this one. What is transparent
    /// counts as little as it is to be seen, and alpha and depth stay.
    pub fn give(&self, picture: &Picture, like: &Picture) -> Picture {
        if !self.are_changed() {
            return picture.clone();
        }
        match self.mode.luma() {
            Some(luma) => self.swap(luma, picture, like),
            None => self.map(picture, like),
        }
    }

    /// The style that is painted with instead of one, for a content or whatever gives the colours, `like`: of modes that
    /// take chroma pixel by pixel grey, its lightness brought to the mean and deviation of the other's.
    pub(crate) fn prepare_style(&self, style: &Picture, like: &Picture) -> Picture {
        match self.mode.luma() {
            Some(luma) => luma::matched_grey(luma, style, like),
            None => self.give(style, like),
        }
    }

    /// The content that is painted instead of one: of modes that take chroma pixel by pixel grey.
    pub(crate) fn prepare_content(&self, content: &Picture) -> Picture {
        match self.mode.luma() {
            Some(luma) => luma::grey(luma, content),
            None => content.clone(),
        }
    }

    /// Lightness of the picture, chroma of the other.
    fn swap(&self, luma: Luma, picture: &Picture, like: &Picture) -> Picture {
        let like = like.resized(picture.width, picture.height, Filter::Bicubic);
        let strength = f64::from(self.strength);
        let others = like.colors();
        picture.recolored(
            picture
                .colors()
                .zip(others)
                .map(|(own, other)| luma.with_chroma(own, other, strength)),
        )
    }

    fn map(&self, picture: &Picture, like: &Picture) -> Picture {
        let (space, strength) = (space_of(self.mode, self.space), f64::from(self.strength));
        let seen = |picture: &Picture, step: usize| -> Vec<(Color, f64)> {
            let seen = picture.colors().zip(picture.weights()).step_by(step);
            seen.map(|(rgb, weight)| (space.enter(rgb), weight))
                .collect()
        };
        // What gives the colours of a large picture are some of its pixels.
        let step = (like.width * like.height).div_ceil(MOST).max(1);
        let (own, others) = (seen(picture, 1), seen(like, step));
        let moved: Vec<Color> = if self.mode == ColorMode::Histogram {
            let split =
                |seen: &[(Color, f64)]| -> (Vec<Color>, Vec<f64>) { seen.iter().copied().unzip() };
            let ((mut moved, weights), (like, like_weights)) = (split(&own), split(&others));
            histogram::transfer(&mut moved, &weights, &like, &like_weights);
            moved
        } else {
            let (from, to) = (
                Moments::of(own.iter().copied()),
                Moments::of(others.iter().copied()),
            );
            let map = AffineMap::new(self.mode, &from, &to);
            own.iter().map(|(color, _)| map.apply(*color)).collect()
        };
        picture.recolored(own.iter().zip(moved).map(|((from, _), to)| {
            space.leave(std::array::from_fn(|axis| {
                from[axis] + strength * (to[axis] - from[axis])
            }))
        }))
    }
}

impl Picture {
    /// The colours, row by row.
    fn colors(&self) -> impl Iterator<Item = Color> + Clone {
        let pixels = self.width * self.height;
        let at =
            move |pixel: usize| [0, 1, 2].map(|plane| f64::from(self.rgb[plane * pixels + pixel]));
        (0..pixels).map(at)
    }

    /// How much is to be seen of each pixel, 0 to 1; of a picture that is clear throughout, 1.
    fn weights(&self) -> impl Iterator<Item = f64> {
        let alpha = self.alpha.as_deref().filter(|_| !self.is_clear());
        (0..self.width * self.height)
            .map(move |pixel| alpha.map_or(1.0, |alpha| f64::from(alpha[pixel])))
    }

    /// The same picture in other colours, row by row.
    fn recolored(&self, colors: impl Iterator<Item = Color>) -> Picture {
        let pixels = self.width * self.height;
        let mut recolored = self.clone();
        for (pixel, color) in colors.enumerate().take(pixels) {
            for (plane, value) in color.into_iter().enumerate() {
                recolored.rgb[plane * pixels + pixel] = value as f32;
            }
        }
        recolored
    }
}
