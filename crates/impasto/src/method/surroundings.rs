//! The memory that a run takes beside its passes.

use super::Setup;
use crate::picture::Picture;
use crate::strokes::views_of_each;
use crate::tiling::free_memory;

/// The program itself, its threads, and what allocators keep back.
pub(super) const PROGRAM: usize = 96 << 20;

/// Share of the free memory that is taken if no limit is given.
const SHARE: f64 = 0.9;
/// Bytes a pixel of the sums of a region.
const SUMS: usize = size_of::<f64>();
/// Bytes a pixel while colours are given: those there are with their weights, those they become, what is sorted of them,
/// and the picture.
const COLORS: usize = 12 * size_of::<f64>() + 3 * size_of::<f32>();
/// Bytes a pixel while a picture gets the tones of another: the photo in its size, and the result.
const PHOTO: usize = 6 * size_of::<f32>();

/// Bytes of the program and of the pictures of a run on a content; weights not.
pub(super) fn bytes(setup: &Setup, content: &Picture) -> usize {
    let bytes = |picture: &Picture| {
        let planes = if picture.alpha().is_some() { 4 } else { 3 };
        planes * size_of::<f32>() * picture.width() * picture.height()
    };
    let styles = setup.styles.iter().map(|style| bytes(&style.picture));
    let styles = styles.sum::<usize>();
    // Turned, in several sizes or in other colours, what was given is there as well.
    let given = match views_of_each(&setup.recipe.style) {
        Some(count) => styles / count,
        None if setup.recipe.colors.come_before() => styles,
        None => 0,
    };
    let masks = setup.regions.masks().map(|(_, mask)| {
        let (width, height) = mask.size();
        size_of::<f32>() * width * height
    });
    let others = [setup.start.as_ref(), setup.palette.as_ref(), Some(content)];
    PROGRAM
        + styles
        + given
        + masks.sum::<usize>()
        + others.into_iter().flatten().map(bytes).sum::<usize>()
}

/// Bytes that a run may have, of which the program and its pictures take some; `None` if nobody knows.
pub(super) fn limit(setup: &Setup, base: usize) -> Option<usize> {
    match setup.limits.memory {
        Some(limit) => Some(limit as usize),
        // What the program and its pictures take is no longer free.
        None => {
            let free = setup.device.free_memory().or_else(free_memory);
            free.map(|free| base + (SHARE * free as f64) as usize)
        }
    }
}

/// Bytes that shares of regions take of a picture of so many pixels: a plane for each part, what is kept, how strong it
/// is, and sums over a part.
pub(super) fn of_regions(setup: &Setup, pixels: usize) -> usize {
    match setup.regions.is_whole() {
        true => 0,
        false => pixels * (size_of::<f32>() * (setup.regions.masks().count() + 4) + SUMS),
    }
}

/// Bytes that it takes to give a picture of so many pixels the colours or the tones that come after it was painted.
pub(super) fn of_finish(setup: &Setup, pixels: usize) -> usize {
    let colors = setup.recipe.colors.come_after();
    let photo = setup.recipe.photo;
    let most = usize::from(colors) * COLORS;
    pixels * most.max(usize::from(photo) * PHOTO)
}

/// A whole number of bytes for people, in units of 10⁹ or 10⁶.
pub(crate) fn amount(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.2} GB", bytes as f64 / 1e9),
        _ => format!("{:.0} MB", bytes as f64 / 1e6),
    }
}
