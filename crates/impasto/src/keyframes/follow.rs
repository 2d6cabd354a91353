//! Following spots through a film: from keyframes on by the flow from frame to frame, and back again.
//!
//! On a keyframe spots lie wherever there is room: those that came from keyframes before it keep their colours, so that one place of
//! what is filmed has one colour on all of them. New ones go on with the film; on the way back they fill frames before their
//! keyframe, where nothing came from further in front. No spot goes over a cut.

use super::guide::{Guide, Spots};
use crate::picture::{Filter, Picture, fit_long_side};
use crate::video::{Estimator, Seen};
use crate::{Mask, Result};
use impasto_flow::{Flow, Rule};
use std::collections::BTreeMap;

/// The long side at which flow is sought.
const SIDE: usize = 192;
/// Of as many columns and rows one is kept: of a flow, all of which would be megabytes for a second of film.
const KEPT: usize = 2;
/// Parts of a pixel in which it is kept.
const PARTS: f32 = 32.0;

/// Where the places of a frame are on another one.
#[derive(Clone, Debug)]
pub(super) struct Way {
    across: usize,
    down: usize,
    /// Width and height of its pixels.
    size: (usize, usize),
    motion: Vec<[i16; 2]>,
    /// Whether they come back from there to where they were.
    known: Vec<bool>,
}

impl Way {
    /// By the flow there, and the one back.
    pub(super) fn of(there: &Flow, back: &Flow) -> Result<Self> {
        let known = impasto_flow::reliable(there, back, &Rule::default())?;
        let (width, height) = there.size();
        let rows = (0..height).step_by(KEPT);
        let places = rows.flat_map(|y| (0..width).step_by(KEPT).map(move |x| y * width + x));
        let places: Vec<usize> = places.collect();
        // Out of range is far outside of the frame.
        let whole = |pixels: f32| (pixels * PARTS).round() as i16;
        let motion = |&at: &usize| [whole(there.u()[at]), whole(there.v()[at])];
        Ok(Self {
            across: width.div_ceil(KEPT),
            down: height.div_ceil(KEPT),
            size: (width, height),
            motion: places.iter().map(motion).collect(),
            known: places.iter().map(|&at| known.data()[at]).collect(),
        })
    }

    /// Where a place is that lies somewhere, both in shares of width and height, and whether that is known.
    pub(super) fn from(&self, [x, y]: [f32; 2]) -> ([f32; 2], bool) {
        let [width, height] = [self.size.0, self.size.1].map(|side| side as f32);
        let cell = |share: f32, n: f32, cells: usize| {
            ((share * n) as usize / KEPT).min(cells.saturating_sub(1))
        };
        let at = cell(y, height, self.down) * self.across + cell(x, width, self.across);
        let [u, v] = self.motion[at].map(|parts| f32::from(parts) / PARTS);
        ([x + u / width, y + v / height], self.known[at])
    }
}

/// Follows spots through a film.
#[derive(Debug)]
pub struct Following {
    guide: Guide,
    keyframes: BTreeMap<u64, Option<Mask>>,
    spots: BTreeMap<u64, Spots>,
    /// By number: from a frame to the one before, as far as spots go back there.
    back: BTreeMap<u64, Way>,
    before: Option<Before>,
}

/// The frame before.
#[derive(Debug)]
struct Before {
    number: u64,
    seen: Seen,
    motion: Option<[Flow; 2]>,
}

/// The size in which spots of a frame are followed.
fn followed(frame: &Picture) -> (usize, usize) {
    let side = SIDE.min(frame.width().max(frame.height()));
    fit_long_side(frame.width(), frame.height(), side)
}

impl Following {
    /// Spots of some keyframes, each where its mask is white.
    pub fn new(seed: u64, keyframes: BTreeMap<u64, Option<Mask>>) -> Self {
        Self {
            guide: Guide::new(seed),
            keyframes,
            spots: BTreeMap::new(),
            back: BTreeMap::new(),
            before: None,
        }
    }

    /// Looks at the next frame of a film, by its number. One that `begins` a shot has nothing to do with those before.
    ///
    /// # Errors
    /// If it has another size than the one before.
    pub fn look(&mut self, number: u64, frame: &Picture, begins: bool) -> Result<()> {
        let (width, height) = followed(frame);
        let small = frame.resized(width, height, Filter::Bicubic);
        let seen = impasto_flow::Frame::new(3, height, width, small.rgb().to_vec())?;
        let seen = Estimator::default().look(&seen)?;
        let before = self.before.take().filter(|_| !begins);
        let mut spots = Spots::default();
        let motion = match &before {
            None => None,
            Some(before) => {
                let known = before.motion.as_ref();
                let [there, back] = Estimator::default().both(&before.seen, &seen, known)?;
                if let Some(last) = self.spots.get(&before.number) {
                    spots = last.moved(&Way::of(&there, &back)?);
                }
                if self.keyframes.range(number..).next().is_some() {
                    self.back.insert(number, Way::of(&back, &there)?);
                }
                Some([there, back])
            }
        };
        if let Some(mask) = self.keyframes.get(&number) {
            self.guide.fill(&mut spots, (width, height), mask.as_ref());
        }
        self.spots.insert(number, spots);
        self.before = Some(Before {
            number,
            seen,
            motion,
        });
        Ok(())
    }

    /// Goes the way back: the guide, and the spots of each frame.
    pub fn finish(mut self) -> (Guide, BTreeMap<u64, Spots>) {
        for (number, way) in self.back.iter().rev() {
            let before = self.spots.range(..*number).next_back();
            let Some((&before, _)) = before else {
                continue;
            };
            let moved = self.spots.get(number).map(|spots| spots.moved(way));
            if let (Some(moved), Some(spots)) = (moved, self.spots.get_mut(&before)) {
                spots.join(&moved, way.size);
            }
        }
        (self.guide, self.spots)
    }
}
