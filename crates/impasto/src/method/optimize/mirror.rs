//! Thin pictures, mirrored outwards while they are worked on.
//!
//! ```text
//! image = M·picture          dL/d picture = Mᵀ·dL/d image
//! ```
//!
//! A network sees zeros beyond the border of every map, and near it the optimiser finds colours that make up for them. In
//! most pictures few places are near. A panorama is a few pixels high at its coarse scales, where every place is: there the
//! border becomes a frame, which the finer scales keep. So the networks see such a picture continued by its mirror image,
//! and the optimiser the picture alone: `M` copies pixels, its adjoint adds up the gradients of the copies.

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

/// Pixels added on each side: a multiple of the strides of all layers, so that pools lie as they would without.
const MARGIN: usize = 32;
/// How many times as long as wide a picture is that counts as thin.
const THIN: usize = 6;
/// The width of a thin picture from which on there are enough places away from the border.
const WIDE: usize = 96;

/// Pixels to add on each side of a picture of some width and height.
pub(super) fn margin((width, height): (usize, usize)) -> usize {
    let (short, long) = (width.min(height), width.max(height));
    match long >= THIN * short && short < WIDE {
        true => MARGIN,
        false => 0,
    }
}

/// The pixel that is seen at a place `i` of a line of `n`, mirrored at both ends as often as it takes.
fn source(i: isize, n: usize) -> usize {
    let place = i.rem_euclid(2 * n as isize) as usize;
    place.min(2 * n - 1 - place)
}

/// Some lines of neighbours and where they go: the first line read, the first written, how many.
type Run = (usize, usize, usize);

/// How `n` lines become those with a margin; the lines themselves first.
fn runs(n: usize, margin: usize) -> impl Iterator<Item = Run> {
    let outside = (0..margin).chain(margin + n..n + 2 * margin);
    let copy = move |to: usize| (source(to as isize - margin as isize, n), to, 1);
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
fn extended(device: &dyn Device, image: &Tensor, margin: usize, axis: Axis) -> Result<Tensor> {
    let n = axis.count(image.shape());
    let mut whole = device.zeros(&axis.resized(image.shape(), n + 2 * margin))?;
    for (from, to, count) in runs(n, margin) {
        let patch = axis.patch(image.shape(), from, to, count);
        device.paste(image, &patch, 0.0, &mut whole)?;
    }
    Ok(whole)
}

/// `Mᵀ` along one axis.
fn folded(device: &dyn Device, gradient: &Tensor, margin: usize, axis: Axis) -> Result<Tensor> {
    let n = axis.count(gradient.shape()) - 2 * margin;
    let mut sum = device.zeros(&axis.resized(gradient.shape(), n))?;
    for (to, from, count) in runs(n, margin) {
        let patch = axis.patch(gradient.shape(), from, to, count);
        device.paste(gradient, &patch, 1.0, &mut sum)?;
    }
    Ok(sum)
}

/// A picture with a margin, as the networks see it.
pub(super) fn mirrored(picture: Picture, margin: usize) -> Result<Picture> {
    if margin == 0 {
        return Ok(picture);
    }
    let (width, height) = (picture.width(), picture.height());
    let (wide, high) = (width + 2 * margin, height + 2 * margin);
    let outside = margin as isize;
    let value = |k: usize| {
        let (c, y, x) = (k / (wide * high), k / wide % high, k % wide);
        let y = source(y as isize - outside, height);
        let x = source(x as isize - outside, width);
        picture.rgb()[(c * height + y) * width + x]
    };
    Ok(Picture::new(
        wide,
        high,
        (0..3 * wide * high).map(value).collect(),
    )?)
}

/// A plane with a margin, likewise.
fn mirrored_plane(plane: &[f32], size: Size, margin: usize) -> Result<Vec<f32>> {
    let grey = Picture::new(size.width, size.height, [plane, plane, plane].concat())?;
    let wide = mirrored(grey, margin)?;
    Ok(wide.rgb()[..wide.width() * wide.height()].to_vec())
}

/// The parameters of a picture, of which networks and losses see a mirrored margin, too.
#[derive(Clone, Debug)]
pub(super) struct Mirrored {
    pub(super) inner: Arc<dyn Parameterization>,
    /// Pixels added on each side.
    pub(super) margin: usize,
}

impl Parameterization for Mirrored {
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
    /// Pixels by which the networks see a picture mirrored outwards at a scale. None for recipes that are to go the way of
    /// their source, nor where terms come from outside, which know the picture's own size.
    pub(super) fn margin(&self, scale: Scale) -> usize {
        match self.settings.faithful || self.setup.extra_terms.is_some() {
            true => 0,
            false => margin((scale.width, scale.height)),
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
            0 => inner,
            margin => Arc::new(Mirrored { inner, margin }),
        }
    }

    /// Who has how much of the picture as the networks see it at a scale.
    pub(super) fn shares(&self, scale: Scale) -> Result<Option<Shares>> {
        let size = Size {
            width: scale.width,
            height: scale.height,
        };
        let (margin, shares) = (self.margin(scale), self.setup.shares(size));
        let mut shares = match shares {
            Some(shares) if margin > 0 => shares,
            shares => return Ok(shares),
        };
        let planes = shares.parts.iter_mut().map(|part| &mut part.share);
        for plane in planes.chain([&mut shares.kept]).chain(&mut shares.strength) {
            *plane = mirrored_plane(plane, size, margin)?;
        }
        shares.size = self.seen(scale);
        Ok(Some(shares))
    }

    /// How much the content counts in the picture as the networks see it at a scale.
    pub(super) fn content_share(&self, scale: Scale) -> Result<Option<Region>> {
        let size = Size {
            width: scale.width,
            height: scale.height,
        };
        let Some(mask) = self.setup.regions.content() else {
            return Ok(None);
        };
        let share = mirrored_plane(&mask.stretched(size), size, self.margin(scale))?;
        Ok(Some(Region::new(&share, self.seen(scale))))
    }

    /// The size in which the networks see a picture at a scale.
    pub(super) fn seen(&self, scale: Scale) -> Size {
        let margin = self.margin(scale);
        Size {
            width: scale.width + 2 * margin,
            height: scale.height + 2 * margin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Pixels;
    use impasto_compute::prelude::*;
    use impasto_compute::reference::ReferenceDevice;
    use impasto_testing::{Tolerance, assert_near, assert_same, noise};

    #[test]
    fn thin_pictures_alone_have_a_margin() {
        for size in [(1280, 64), (64, 1280), (160, 8), (128, 1), (570, 95)] {
            assert_eq!(margin(size), MARGIN, "{size:?}");
        }
        // Small, wide enough, not that thin.
        for size in [(24, 20), (1, 1), (960, 96), (4000, 200), (160, 40)] {
            assert_eq!(margin(size), 0, "{size:?}");
        }
    }

    /// Of pictures as thin as a line, too: the same on a device as on the host, and every pixel is one of the picture's.
    #[test]
    fn a_device_mirrors_as_the_host_does() -> Result<()> {
        let device = ReferenceDevice::new();
        for (width, height) in [(50, 8), (3, 40), (1, 1), (70, 33)] {
            let planes: Vec<f32> = noise(1, 3 * width * height);
            let planes: Vec<f32> = planes.iter().map(|x| 0.5 + 0.4 * x).collect();
            let picture = Picture::new(width, height, planes.clone())?;
            let expected = mirrored(picture, MARGIN)?;
            let image = Mirrored {
                inner: Arc::new(PixelParameters(Pixels::Unit)),
                margin: MARGIN,
            };
            let parameters = image.parameters(&device, planes.clone(), (height, width))?;
            let mut made = None;
            let got = image.to_image(&device, &parameters, &mut made)?;
            let case = format!("{width}×{height}");
            assert_same(&case, &device.download(got)?, expected.rgb());
            let corner = MARGIN * expected.width() + MARGIN;
            assert_eq!(expected.rgb()[corner], planes[0], "{case}");
            assert_eq!(expected.rgb()[corner - 1], planes[0], "{case}");
        }
        Ok(())
    }

    /// `⟨M·x, y⟩ = ⟨x, Mᵀ·y⟩`.
    #[test]
    fn gradients_come_back_by_the_adjoint() -> Result<()> {
        let device = ReferenceDevice::new();
        let image = Mirrored {
            inner: Arc::new(PixelParameters(Pixels::Unit)),
            margin: 5,
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
        Ok(())
    }
}
