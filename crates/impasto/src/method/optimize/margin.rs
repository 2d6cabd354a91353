//! What networks see beyond the border of a picture: thin pictures are mirrored outwards while they are worked on, those that
//! go all around are continued by their other end.
//!
//! ```text
//! image = M·picture          dL/d picture = Mᵀ·dL/d image
//! ```
//!
//! A network sees zeros beyond the border of every map, and near it the optimiser finds colours that make up for them. In
//! most pictures few places are near. A panorama is a few pixels high at its coarse scales, where every place is: there the
//! border becomes a frame, which the finer scales keep. So the networks see such a picture continued by its mirror image,
//! and the optimiser the picture alone: `M` copies pixels, its adjoint adds up the gradients of the copies.
//!
//! Of a picture that goes all around, such as an equirectangular panorama, `M` continues the rows by what they begin or end
//! with. There is no border then at which anything could end, and no seam.

use super::Session;
use super::parameterization::{Parameterization, PixelParameters};
use super::pyramid::PyramidParameters;
use crate::Result;
use crate::observer::Scale;
use crate::optim::{Parameters, Shapes};
use crate::picture::Picture;
use crate::region::Region;
use crate::regions::Shares;
use impasto_compute::{Align, Device, Patch, Size, Tensor, Window};
use std::sync::Arc;

/// Pixels added on each side of a thin picture: a multiple of the strides of all layers, so that pools lie as they would without.
const MIRRORED: usize = 32;
/// Pixels added left and right of a picture that goes all around, likewise; as many as the style's deeper layers see.
const AROUND: usize = 64;
/// How many times as long as wide a picture is that counts as thin.
const THIN: usize = 6;
/// The width of a thin picture from which on there are enough places away from the border.
const WIDE: usize = 96;

/// How lines go on beyond their ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beyond {
    /// By their mirror image.
    Mirrored,
    /// By their other end.
    Around,
}

/// Pixels that networks see beyond the border of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Margin {
    /// Above and below, mirrored.
    pub(super) rows: usize,
    /// Left and right.
    pub(super) columns: usize,
    beyond: Beyond,
}

impl Margin {
    pub(crate) const NONE: Self = Self {
        rows: 0,
        columns: 0,
        beyond: Beyond::Mirrored,
    };

    /// That of a picture of some width and height.
    pub(crate) fn of((width, height): (usize, usize), goes_around: bool) -> Self {
        let (short, long) = (width.min(height), width.max(height));
        let thin = match long >= THIN * short && short < WIDE {
            true => MIRRORED,
            false => 0,
        };
        match goes_around {
            true => Self {
                rows: thin,
                columns: AROUND,
                beyond: Beyond::Around,
            },
            false => Self {
                rows: thin,
                columns: thin,
                beyond: Beyond::Mirrored,
            },
        }
    }

    /// The size that networks see of a picture of some size.
    pub(crate) fn around(self, size: Size) -> Size {
        Size {
            width: size.width + 2 * self.columns,
            height: size.height + 2 * self.rows,
        }
    }

    /// Where the picture lies in what they see.
    pub(crate) fn within(self, size: Size) -> Window {
        Window {
            top: self.rows,
            left: self.columns,
            height: size.height,
            width: size.width,
        }
    }

    /// Whether they see the picture alone.
    pub(crate) fn is_none(self) -> bool {
        (self.rows, self.columns) == (0, 0)
    }

    /// Planes of a size as the networks see them.
    pub(crate) fn extended(self, planes: &[f32], size: Size) -> Vec<f32> {
        let seen = self.around(size);
        let rows = places(size.height, self.rows, Beyond::Mirrored);
        let columns = places(size.width, self.columns, self.beyond);
        let mut extended = Vec::with_capacity(planes.len() / size.pixels().max(1) * seen.pixels());
        for plane in planes.chunks_exact(size.pixels().max(1)) {
            for &y in &rows {
                let row = &plane[y * size.width..][..size.width];
                extended.extend(columns.iter().map(|&x| row[x]));
            }
        }
        extended
    }

    /// A picture as the networks see it.
    pub(crate) fn continued(self, picture: Picture) -> Result<Picture> {
        if self.is_none() {
            return Ok(picture);
        }
        let size = Size {
            width: picture.width(),
            height: picture.height(),
        };
        let Size { width, height } = self.around(size);
        let continued = Picture::new(width, height, self.extended(picture.rgb(), size))?;
        match picture.alpha() {
            Some(alpha) => Ok(continued.with_alpha(self.extended(alpha, size))?),
            None => Ok(continued),
        }
    }

    /// Who has how much of a picture as the networks see it.
    pub(crate) fn of_shares(self, mut shares: Shares) -> Shares {
        let size = shares.size;
        let planes = shares.parts.iter_mut().map(|part| &mut part.share);
        for plane in planes.chain([&mut shares.kept]).chain(&mut shares.strength) {
            *plane = self.extended(plane, size);
        }
        shares.size = self.around(size);
        shares
    }
}

/// The line that is seen at a place `i` of `n`.
fn source(i: isize, n: usize, beyond: Beyond) -> usize {
    match beyond {
        // As often as it takes.
        Beyond::Mirrored => {
            let place = i.rem_euclid(2 * n as isize) as usize;
            place.min(2 * n - 1 - place)
        }
        Beyond::Around => i.rem_euclid(n as isize) as usize,
    }
}

/// The lines that are seen of `n` with a margin.
fn places(n: usize, margin: usize, beyond: Beyond) -> Vec<usize> {
    let outside = margin as isize;
    (-outside..(n + margin) as isize)
        .map(|i| source(i, n, beyond))
        .collect()
}

/// Some lines of neighbours and where they go: the first line read, the first written, how many.
type Run = (usize, usize, usize);

/// How `n` lines become those with a margin; the lines themselves first.
fn runs(n: usize, margin: usize, beyond: Beyond) -> impl Iterator<Item = Run> {
    let outside = (0..margin).chain(margin + n..n + 2 * margin);
    let copy = move |to: usize| (source(to as isize - margin as isize, n, beyond), to, 1);
    std::iter::once((0, margin, n)).chain(outside.map(copy))
}

/// An axis of an image `[c, h, w]`.
#[derive(Clone, Copy)]
enum Axis {
    Rows,
    Columns,
}

impl Axis {
    /// Lines across this axis of a shape.
    fn count(self, shape: &[usize]) -> usize {
        match self {
            Axis::Rows => shape[1],
            Axis::Columns => shape[2],
        }
    }

    /// Lines that are added on each side, and what they are.
    fn margin(self, margin: Margin) -> (usize, Beyond) {
        match self {
            Axis::Rows => (margin.rows, Beyond::Mirrored),
            Axis::Columns => (margin.columns, margin.beyond),
        }
    }

    /// A shape with so many lines.
    fn resized(self, shape: &[usize], count: usize) -> [usize; 3] {
        match self {
            Axis::Rows => [shape[0], count, shape[2]],
            Axis::Columns => [shape[0], shape[1], count],
        }
    }

    /// So many lines from one place to another.
    fn patch(self, shape: &[usize], from: usize, to: usize, count: usize) -> Patch {
        match self {
            Axis::Rows => Patch {
                from: Window {
                    top: from,
                    left: 0,
                    height: count,
                    width: shape[2],
                },
                to: (to, 0),
            },
            Axis::Columns => Patch {
                from: Window {
                    top: 0,
                    left: from,
                    height: shape[1],
                    width: count,
                },
                to: (0, to),
            },
        }
    }
}

/// `M` along one axis.
fn extended(device: &dyn Device, image: &Tensor, margin: Margin, axis: Axis) -> Result<Tensor> {
    let n = axis.count(image.shape());
    let (added, beyond) = axis.margin(margin);
    let mut whole = device.zeros(&axis.resized(image.shape(), n + 2 * added))?;
    for (from, to, count) in runs(n, added, beyond) {
        let patch = axis.patch(image.shape(), from, to, count);
        device.paste(image, &patch, 0.0, &mut whole)?;
    }
    Ok(whole)
}

/// `Mᵀ` along one axis.
fn folded(device: &dyn Device, gradient: &Tensor, margin: Margin, axis: Axis) -> Result<Tensor> {
    let (added, beyond) = axis.margin(margin);
    let n = axis.count(gradient.shape()) - 2 * added;
    let mut sum = device.zeros(&axis.resized(gradient.shape(), n))?;
    for (to, from, count) in runs(n, added, beyond) {
        let patch = axis.patch(gradient.shape(), from, to, count);
        device.paste(gradient, &patch, 1.0, &mut sum)?;
    }
    Ok(sum)
}

/// The parameters of a picture, of which networks and losses see a margin, too.
#[derive(Clone, Debug)]
pub(super) struct Continued {
    pub(super) inner: Arc<dyn Parameterization>,
    pub(super) margin: Margin,
}

impl Parameterization for Continued {
    fn shapes(&self, size: (usize, usize)) -> Shapes {
        self.inner.shapes(size)
    }

    fn range(&self) -> Option<(f32, f32)> {
        self.inner.range()
    }

    fn parameters(
        &self,
        device: &dyn Device,
        planes: Vec<f32>,
        size: (usize, usize),
    ) -> Result<Parameters> {
        self.inner.parameters(device, planes, size)
    }

    fn to_image<'p>(
        &self,
        device: &dyn Device,
        parameters: &'p Parameters,
        made: &'p mut Option<Tensor>,
    ) -> Result<&'p Tensor> {
        let mut own = None;
        let picture = self.inner.to_image(device, parameters, &mut own)?;
        let wide = extended(device, picture, self.margin, Axis::Columns)?;
        Ok(made.insert(extended(device, &wide, self.margin, Axis::Rows)?))
    }

    fn gradient(&self, device: &dyn Device, image: Tensor) -> Result<Parameters> {
        let wide = folded(device, &image, self.margin, Axis::Rows)?;
        drop(image);
        let picture = folded(device, &wide, self.margin, Axis::Columns)?;
        self.inner.gradient(device, picture)
    }

    fn planes(
        &self,
        device: &dyn Device,
        values: Vec<Vec<f32>>,
        size: (usize, usize),
    ) -> Result<Vec<f32>> {
        self.inner.planes(device, values, size)
    }
}

impl Session<'_> {
    /// What the networks see beyond the border of a picture at a scale. Nothing for recipes that are to go the way of their
    /// source, unless the picture goes all around.
    pub(super) fn margin(&self, scale: Scale) -> Margin {
        let goes_around = self.setup.recipe.wrap;
        match self.settings.faithful && !goes_around {
            true => Margin::NONE,
            false => Margin::of((scale.width, scale.height), goes_around),
        }
    }

    /// What is optimised at a scale.
    pub(super) fn parameterization(&self, scale: Scale) -> Arc<dyn Parameterization> {
        let pixels = self.settings.pixels;
        let inner: Arc<dyn Parameterization> = match self.settings.pyramid {
            0 => Arc::new(PixelParameters(pixels)),
            levels => Arc::new(PyramidParameters {
                pixels,
                levels,
                align: Align::Borders,
            }),
        };
        match self.margin(scale) {
            margin if margin.is_none() => inner,
            margin => Arc::new(Continued { inner, margin }),
        }
    }

    /// Who has how much of the picture as the networks see it at a scale.
    pub(super) fn shares(&self, scale: Scale) -> Option<Shares> {
        let size = Size {
            width: scale.width,
            height: scale.height,
        };
        let shares = self.setup.shares(size);
        shares.map(|shares| self.margin(scale).of_shares(shares))
    }

    /// How much the content counts in the picture as the networks see it at a scale.
    pub(super) fn content_share(&self, scale: Scale) -> Option<Region> {
        let size = Size {
            width: scale.width,
            height: scale.height,
        };
        let mask = self.setup.regions.content()?;
        let share = self.margin(scale).extended(&mask.stretched(size), size);
        Some(Region::new(&share, self.seen(scale)))
    }

    /// The size in which the networks see a picture at a scale.
    pub(super) fn seen(&self, scale: Scale) -> Size {
        self.margin(scale).around(Size {
            width: scale.width,
            height: scale.height,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Pixels;
    use impasto_compute::prelude::*;
    use impasto_compute::reference::ReferenceDevice;
    use impasto_testing::{Tolerance, assert_near, assert_same, noise};

    const MARGINS: [Margin; 3] = [
        Margin {
            rows: MIRRORED,
            columns: MIRRORED,
            beyond: Beyond::Mirrored,
        },
        Margin {
            rows: 0,
            columns: AROUND,
            beyond: Beyond::Around,
        },
        Margin {
            rows: 5,
            columns: 7,
            beyond: Beyond::Around,
        },
    ];

    #[test]
    fn thin_pictures_have_a_margin_and_those_that_go_around() {
        for size in [(1280, 64), (64, 1280), (160, 8), (128, 1), (570, 95)] {
            let margin = Margin::of(size, false);
            assert_eq!(
                (margin.rows, margin.columns),
                (MIRRORED, MIRRORED),
                "{size:?}"
            );
            let margin = Margin::of(size, true);
            assert_eq!(
                (margin.rows, margin.columns),
                (MIRRORED, AROUND),
                "{size:?}"
            );
        }
        // Small, wide enough, not that thin.
        for size in [(24, 20), (1, 1), (960, 96), (4000, 200), (160, 40)] {
            assert!(Margin::of(size, false).is_none(), "{size:?}");
            let margin = Margin::of(size, true);
            assert_eq!((margin.rows, margin.columns), (0, AROUND), "{size:?}");
        }
    }

    /// Of pictures as thin as a line, too: the same on a device as on the host, and every pixel is one of the picture's.
    #[test]
    fn a_device_continues_as_the_host_does() -> Result<()> {
        let device = ReferenceDevice::new();
        for margin in MARGINS {
            for (width, height) in [(50, 8), (3, 40), (1, 1), (70, 33)] {
                let planes: Vec<f32> = noise(1, 3 * width * height);
                let planes: Vec<f32> = planes.iter().map(|x| 0.5 + 0.4 * x).collect();
                let picture = Picture::new(width, height, planes.clone())?;
                let expected = margin.continued(picture)?;
                let image = Continued {
                    inner: Arc::new(PixelParameters(Pixels::Unit)),
                    margin,
                };
                let parameters = image.parameters(&device, planes.clone(), (height, width))?;
                let mut made = None;
                let got = image.to_image(&device, &parameters, &mut made)?;
                let case = format!("{width}×{height} {margin:?}");
                assert_same(&case, &device.download(got)?, expected.rgb());
                let corner = margin.rows * expected.width() + margin.columns;
                assert_eq!(expected.rgb()[corner], planes[0], "{case}");
                let beside = match margin.beyond {
                    Beyond::Mirrored => planes[0],
                    Beyond::Around => planes[width - 1],
                };
                assert_eq!(expected.rgb()[corner - 1], beside, "{case}");
            }
        }
        Ok(())
    }

    /// `⟨M·x, y⟩ = ⟨x, Mᵀ·y⟩`.
    #[test]
    fn gradients_come_back_by_the_adjoint() -> Result<()> {
        let device = ReferenceDevice::new();
        for margin in MARGINS {
            let image = Continued {
                inner: Arc::new(PixelParameters(Pixels::Unit)),
                margin,
            };
            let (height, width) = (3, 17);
            let x = image.parameters(&device, noise(1, 3 * height * width), (height, width))?;
            let mut made = None;
            let mx = image.to_image(&device, &x, &mut made)?;
            let y = device.upload(&noise(2, mx.len()), mx.shape())?;
            let there = device.dot(mx, &y)?.value()?;
            let back = image.gradient(&device, y)?;
            let back = device.dot(&x.tensors()[0], &back.tensors()[0])?.value()?;
            assert_near("⟨Mx, y⟩", there, back, Tolerance::relative(1e-5));
        }
        Ok(())
    }
}
