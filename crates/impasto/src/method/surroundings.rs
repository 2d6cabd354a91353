//! The memory that a run takes beside its passes.

use super::Setup;
use crate::picture::Picture;

/// The program itself, its threads, and what allocators keep back.
pub(super) const PROGRAM: usize = 96 << 20;

/// Bytes of the program and of the pictures of a run on a content; weights not.
pub(super) fn bytes(setup: &Setup, content: &Picture) -> usize {
    let bytes = |picture: &Picture| {
        let planes = if picture.alpha().is_some() { 4 } else { 3 };
        planes * size_of::<f32>() * picture.width() * picture.height()
    };
    let styles = setup.styles.iter().map(|style| bytes(&style.picture));
    // In other colours, each is there twice.
    let copies = if setup.recipe.colors.come_before() {
        2
    } else {
        1
    };
    let others = [setup.start.as_ref(), setup.palette.as_ref(), Some(content)];
    PROGRAM
        + copies * styles.sum::<usize>()
        + others.into_iter().flatten().map(bytes).sum::<usize>()
}

/// A whole number of bytes for people, in units of 10⁹ or 10⁶.
pub(super) fn amount(bytes: u64) -> String {
    match bytes {
        1_000_000_000.. => format!("{:.2} GB", bytes as f64 / 1e9),
        _ => format!("{:.0} MB", bytes as f64 / 1e6),
    }
}
