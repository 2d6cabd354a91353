//! Frames that are gone over once more, from the last one to the first (Ruder, Dosovitskiy and Brox 2016, section 4.5): what
//! was painted late, as it was hidden before, is carried back to when it came into sight, and both neighbours of a frame are
//! what it is held to.

use super::past::{Reach, moved};
use super::watch::{Motion, Sight};
use crate::picture::Picture;
use crate::{Regions, Result};
use std::sync::Arc;

/// Some frames of a shot, one after the other, as they were painted forward.
#[derive(Debug, Default)]
pub(super) struct Stretch {
    pub(super) frames: Vec<Forward>,
}

/// A frame that was painted forward.
#[derive(Debug)]
pub(super) struct Forward {
    pub(super) sight: Sight,
    /// What it became, in the size of the results.
    pub(super) result: Picture,
    /// How far the frames before reached into it; none of the first of a shot.
    pub(super) reach: Option<Arc<Reach>>,
    /// The masks it was painted with.
    pub(super) regions: Regions,
    /// How many frames of its shot come before it.
    pub(super) count: usize,
}

impl Stretch {
    /// Pixels of each frame, `[h, w]`, that have stood still ever since the frame before the stretch: what they are is what that
    /// frame has, which does not change any more.
    pub(super) fn anchored(&self) -> Vec<Vec<bool>> {
        let mut anchored: Vec<Vec<bool>> = Vec::with_capacity(self.frames.len());
        for frame in &self.frames {
            let places = frame.sight.frame.size().pixels();
            let still = frame.reach.as_ref().map(|reach| reach.still.as_slice());
            let before = anchored.last();
            let here = |place: usize| {
                let still = still.is_some_and(|still| still[place]);
                still && before.is_none_or(|before| before[place])
            };
            anchored.push((0..places).map(here).collect());
        }
        anchored
    }
}

/// What a frame is held to from both sides: where only one of them knows a place, to that; where both do, to their mean.
///
/// # Errors
/// If the frames differ in size.
pub(super) fn between(frame: &Forward, next: &Picture, motion: &Motion) -> Result<Reach> {
    let (width, height) = (frame.sight.frame.width(), frame.sight.frame.height());
    let places = width * height;
    // From the frame to the next one, and back.
    let [back, forth] = &motion.flows;
    let (values, mut known) = moved(next, [forth, back], (width, height))?;
    // Where flow knows nothing and the film looks the same it is taken to stand still, as ever.
    let mut target = values;
    let alike = next.rgb().len() == target.len();
    for place in (0..places).filter(|_| alike) {
        let more = ((1.0 - known[place]) * motion.likeness[place]).max(0.0);
        let all = known[place] + more;
        if more > 0.0 {
            for channel in 0..3 {
                let at = channel * places + place;
                target[at] = (known[place] * target[at] + more * next.rgb()[at]) / all;
            }
            known[place] = all;
        }
    }
    if let Some(before) = &frame.reach {
        for place in 0..places {
            let (one, other) = (known[place], before.weights[place]);
            if other > 0.0 {
                let share = other / (one + other);
                for channel in 0..3 {
                    let at = channel * places + place;
                    target[at] += share * (before.target.rgb()[at] - target[at]);
                }
                known[place] = one.max(other);
            }
        }
    }
    Ok(Reach {
        target: Picture::new(width, height, target)?,
        weights: known,
        still: motion.still.clone(),
    })
}
