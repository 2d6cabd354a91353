//! Networks that paint each region of a picture in its own styles.
//!
//! Each region is painted by itself, with some of what lies around it. The statistics that cascades take of a content are
//! those of the region; those of networks that normalise inside are about that. The pictures are blended over borders as wide as the recipe's feather.

use super::means::Means;
use super::painter::{Painter, Seen};
use crate::Result;
use crate::method::Setup;
use crate::method::optimize::Margin;
use crate::picture::{Filter, Picture, resize_planes};
use crate::recipe::MethodSettings;
use crate::regions::Shares;
use crate::style::Style;
use impasto_compute::{Size, Window};

/// Pixels around a region that are painted with it: a multiple of the strides of all networks.
const AROUND: usize = 32;

/// What a network paints of a content in its own size: all of it in the styles of the job, or each region in its own.
/// `known` is what the network knows of the styles already, which comes back with what it has learned.
///
/// # Errors
/// Whatever the device reports.
pub(crate) fn painted(
    setup: &Setup,
    means: Means<'_>,
    painter: &Painter,
    settings: &MethodSettings,
    content: &Picture,
    known: Option<Seen>,
) -> Result<(Picture, Option<Seen>)> {
    let size = Size {
        width: content.width(),
        height: content.height(),
    };
    let shares = setup.shares(size);
    if !setup.recipe.wrap {
        return painted_in(setup, means, painter, settings, (content, shares), known);
    }
    let margin = Margin::of((size.width, size.height), true);
    let (content, shares) = (
        margin.continued(content.clone())?,
        shares.map(|shares| margin.of_shares(shares)),
    );
    let content = (&content, shares);
    let (picture, seen) = painted_in(setup, means, painter, settings, content, known)?;
    Ok((picture.cropped(&margin.within(size))?, seen))
}

/// The same for a content as the network sees it.
fn painted_in(
    setup: &Setup,
    means: Means<'_>,
    painter: &Painter,
    settings: &MethodSettings,
    (content, shares): (&Picture, Option<Shares>),
    known: Option<Seen>,
) -> Result<(Picture, Option<Seen>)> {
    let size = Size {
        width: content.width(),
        height: content.height(),
    };
    let Some(shares) = shares else {
        let seen = painter.look(means, &setup.recipe, &setup.styles, size, known)?;
        let picture = painter.paint(means, settings, (content, None), &seen)?;
        return Ok((picture, Some(seen)));
    };
    let radius = setup.recipe.feather * size.width.max(size.height) as f32;
    let pixels = size.pixels();
    let mut planes = content.rgb().to_vec();
    let blend = shares.blend(radius);
    for (place, share) in blend.iter().enumerate() {
        let Some(window) = window(share, &shares, radius) else {
            continue;
        };
        let styles: Vec<Style> = shares.parts[place].styles(&setup.styles).cloned().collect();
        let seen = painter.look(means, &setup.recipe, &styles, size, None)?;
        let here = content.cropped(&window)?;
        let counts = crate::picture::part(&shares.parts[place].share, size.width, &window);
        let picture = painter.paint(means, settings, (&here, Some(&counts)), &seen)?;
        for row in 0..window.height {
            let (from, to) = (
                row * window.width,
                (window.top + row) * size.width + window.left,
            );
            for plane in 0..3 {
                let made = &picture.rgb()[plane * window.pixels() + from..][..window.width];
                let given = &content.rgb()[plane * pixels + to..][..window.width];
                let out = &mut planes[plane * pixels + to..][..window.width];
                let share = &share[to..][..window.width];
                for (((out, made), given), share) in out.iter_mut().zip(made).zip(given).zip(share)
                {
                    *out += share * (made - given);
                }
            }
        }
    }
    planes
        .iter_mut()
        .for_each(|value| *value = value.clamp(0.0, 1.0));
    Ok((Picture::new(size.width, size.height, planes)?, None))
}

/// The part of a picture that is painted for a region; none if nothing is to be seen of it.
fn window(share: &[f32], shares: &Shares, radius: f32) -> Option<Window> {
    let Size { width, height } = shares.size;
    let is_there = |place: usize| share[place] > 0.0;
    let rows = || (0..height).filter(|y| (0..width).any(|x| is_there(y * width + x)));
    let columns = || (0..width).filter(|x| (0..height).any(|y| is_there(y * width + x)));
    let around = AROUND + radius.ceil() as usize;
    let span = |first: usize, last: usize, n: usize| {
        let from = first.saturating_sub(around) / 4 * 4;
        (from, (last + 1 + around).min(n) - from)
    };
    let (top, tall) = span(rows().next()?, rows().next_back()?, height);
    let (left, wide) = span(columns().next()?, columns().next_back()?, width);
    Some(Window {
        top,
        left,
        height: tall,
        width: wide,
    })
}

/// A plane of one size in another.
pub(super) fn stretched(plane: &[f32], from: Size, to: Size) -> Vec<f32> {
    match from == to {
        true => plane.to_vec(),
        false => {
            let (from, to) = ((from.height, from.width), (to.height, to.width));
            resize_planes(plane, 1, from, to, Filter::Bilinear)
        }
    }
}
