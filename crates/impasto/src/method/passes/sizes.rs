//! Sizes that are halved from pass to pass, and pictures in them.

use super::Passes;
use crate::Result;
use crate::method::Setup;
use crate::method::optimize::state::State;
use crate::observer::Scale;
use crate::picture::{Filter, Picture, fit_long_side};
use crate::style::Style;
use impasto_compute::{Align, Device, Size, Tensor};

/// The least long side of a coarse pass.
const COARSEST: usize = 64;
/// The least short side of one.
const NARROWEST: usize = 16;
/// How opaque a place of a style is that is seen.
const OPAQUE: f32 = 0.5;

/// The width and height of a picture in a content's shape, at least so large that all layers are reached, and how often it is
/// halved for the coarsest pass.
pub(in crate::method) fn sizes(content: &Picture, long_side: usize, least: usize) -> (Size, usize) {
    let (width, height) = fit_long_side(content.width(), content.height(), long_side);
    let (width, height) = (width.max(least), height.max(least));
    let (long, short) = (width.max(height), width.min(height));
    let fits = |halvings: &usize| {
        long >> halvings >= COARSEST && short >> halvings >= least.max(NARROWEST)
    };
    let halvings = (1..usize::BITS as usize).take_while(fits).last();
    (Size { width, height }, halvings.unwrap_or(0))
}

/// The size of a pass.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::method) struct Halved {
    /// Size and steps.
    pub(in crate::method) scale: Scale,
    /// The size of the finest pass, and how often photo and styles are halved for this one.
    pub(in crate::method) finest: Size,
    pub(in crate::method) halvings: usize,
}

impl Halved {
    /// A pass of so many steps at a size that is halved some times.
    pub(in crate::method) fn new(finest: Size, halvings: usize, steps: usize) -> Self {
        let Size { width, height } = halved_size(finest, halvings);
        Self {
            scale: Scale {
                width,
                height,
                steps,
            },
            finest,
            halvings,
        }
    }

    /// Its size.
    pub(in crate::method) fn size(&self) -> Size {
        Size {
            width: self.scale.width,
            height: self.scale.height,
        }
    }

    /// A picture in it: `[3, h, w]` on the device.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(in crate::method) fn image(
        &self,
        device: &dyn Device,
        picture: &Picture,
    ) -> Result<Tensor> {
        halved(device, picture, self.finest, self.halvings)
    }

    /// The size in which a style is looked at.
    pub(in crate::method) fn of_style(&self, setup: &Setup, style: &Style, least: usize) -> Size {
        halved_size(style_size(setup, style, self.finest, least), self.halvings)
    }
}

/// A size halved some times.
fn halved_size(size: Size, halvings: usize) -> Size {
    Size {
        width: (size.width >> halvings).max(1),
        height: (size.height >> halvings).max(1),
    }
}

/// The size of a style for the finest pass.
pub(in crate::method) fn style_size(
    setup: &Setup,
    style: &Style,
    finest: Size,
    least: usize,
) -> Size {
    let (width, height) = setup.recipe.style.size_of(style, finest);
    Size {
        width: width.max(least),
        height: height.max(least),
    }
}

/// A picture in a size, halved some times: `[3, h, w]` on the device.
///
/// # Errors
/// Whatever the device reports.
fn halved(device: &dyn Device, picture: &Picture, finest: Size, halvings: usize) -> Result<Tensor> {
    let picture = picture.resized(finest.width, finest.height, Filter::Bicubic);
    let mut image = device.upload(picture.rgb(), &[3, finest.height, finest.width])?;
    for halving in 1..=halvings {
        let Size { width, height } = halved_size(finest, halving);
        image = device.resized(&image, [height, width], Align::Borders)?;
    }
    Ok(image)
}

/// What an image has that its half has not.
///
/// # Errors
/// Whatever the device reports.
pub(in crate::method) fn detail(device: &dyn Device, image: &Tensor) -> Result<Tensor> {
    let (height, width) = match *image.shape() {
        [_, height, width] => (height, width),
        _ => (0, 0),
    };
    let half = [height, width].map(|side| (side / 2).max(1));
    let coarse = device.resized(image, half, Align::Borders)?;
    let mut detail = device.resized(&coarse, [height, width], Align::Borders)?;
    device.axpby(1.0, image, -1.0, &mut detail)?;
    Ok(detail)
}

/// What a pass has painted, in the size of the next.
///
/// # Errors
/// Whatever the device reports.
pub(in crate::method) fn enlarged(
    passes: &dyn Passes,
    coarser: &State,
    to: Scale,
) -> Result<Vec<f32>> {
    let device = passes.setup().device.as_ref();
    let (from, planes) = (coarser.scale, coarser.result(device)?);
    if (from.width, from.height) == (to.width, to.height) {
        return Ok(planes);
    }
    let image = device.upload(&planes, &[3, from.height, from.width])?;
    let image = device.resized(&image, [to.height, to.width], Align::Borders)?;
    Ok(device.download(&image)?)
}

/// A style as it is looked at, and where it is seen, `[h, w]`, if not everywhere: hidden parts are filled, and do not count.
///
/// # Errors
/// Whatever the device reports.
pub(in crate::method) fn style_at(
    device: &dyn Device,
    style: &Style,
    finest: Size,
    halvings: usize,
) -> Result<(Tensor, Option<Vec<bool>>)> {
    if !style.picture.is_partly_hidden() {
        return Ok((halved(device, &style.picture, finest, halvings)?, None));
    }
    let image = halved(device, &style.picture.filled(), finest, halvings)?;
    let Size { width, height } = halved_size(finest, halvings);
    let small = style.picture.resized(width, height, Filter::Bicubic);
    let seen = small
        .alpha()
        .map(|alpha| alpha.iter().map(|&alpha| alpha >= OPAQUE).collect());
    Ok((image, seen))
}
