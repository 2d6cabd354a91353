//! What has been painted of a shot, and how it moves to the present frame.

use super::watch::{Motion, Sight, watched};
use crate::Result;
use crate::picture::{Filter, Picture, resize_planes};
use impasto_flow::{Flow, Interpolation, Rule};
use std::collections::VecDeque;

/// How painted frames depend on those before.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How much strokes stay what they were, 0 (each frame by itself) to 1.
    pub consistency: f32,
    /// Frames back in time that are looked at, ascending, from 1: what the nearer ones cannot tell, further ones may.
    pub reach: Vec<usize>,
    /// Whether frames are gone over once more, backward: [`Animator::back`](super::Animator::back). Of a single view alone, and
    /// of recipes that optimise.
    pub backward: bool,
    /// The longest side at which flow is sought, in pixels; of larger frames it is enlarged.
    pub flow_side: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            consistency: 0.5,
            reach: vec![1, 2, 4, 8],
            backward: false,
            flow_side: 640,
        }
    }
}

/// A frame of the past.
#[derive(Debug)]
struct Then {
    /// What it became, in the size of the results.
    result: Picture,
    /// From the present frame to it, and back.
    flows: [Flow; 2],
}

/// What is to be kept of a frame so that the frames after it can be painted by another program.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What it became.
    pub result: Picture,
    /// The flow from it to the frame before, and from there to it; none of the first frame of a shot.
    pub motion: Option<[Flow; 2]>,
}

/// Another view of the same moment that is painted already, such as that of the other eye.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beside<'a> {
    /// What it became.
    pub(super) result: &'a Picture,
    /// From this view to it, and back.
    pub(super) flows: &'a [Flow; 2],
}

/// How far the past reaches into a frame.
#[derive(Clone, Debug)]
pub(super) struct Reach {
    /// What the past says of each pixel; anything where it says nothing.
    pub(super) target: Picture,
    /// How far that can be relied on, `[h, w]`, 0 to 1.
    pub(super) weights: Vec<f32>,
    /// Pixels that did not change at all from the frame before to this one, `[h, w]`.
    pub(super) still: Vec<bool>,
}

impl Reach {
    /// The share of pixels of which the past knows.
    pub(super) fn share(&self) -> f32 {
        (self.sum() / self.weights.len().max(1) as f64) as f32
    }

    fn sum(&self) -> f64 {
        self.weights.iter().map(|&weight| f64::from(weight)).sum()
    }

    /// How far a picture is from what the past says, where it does: the root of the mean square. 0 of another size.
    pub(super) fn apart(&self, picture: &Picture) -> f32 {
        let places = self.weights.len().max(1);
        if picture.rgb().len() != self.target.rgb().len() {
            return 0.0;
        }
        let pairs = picture.rgb().iter().zip(self.target.rgb());
        let squares = pairs
            .enumerate()
            .map(|(at, (one, other))| f64::from(self.weights[at % places] * (one - other).powi(2)));
        (squares.sum::<f64>() / (3.0 * self.sum()).max(f64::MIN_POSITIVE)).sqrt() as f32
    }
}

/// The past of a shot.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The newest first.
    frames: VecDeque<Then>,
    /// The flows of the last pair, from each frame to the other.
    motion: Option<[Flow; 2]>,
}

impl Past {
    /// The last result.
    pub(super) fn last_result(&self) -> Option<&Picture> {
        self.frames.front().map(|then| &then.result)
    }

    /// Moves everything to a frame, in the size in which results are: how far the past reaches into it, and what another view has
    /// become. None if there is neither.
    ///
    /// # Errors
    /// If the frame has another size than those before.
    pub(super) fn reach(
        &mut self,
        sight: &Sight,
        beside: Option<Beside<'_>>,
        settings: &Settings,
    ) -> Result<Option<Reach>> {
        let motion = sight.motion.as_ref();
        if let Some(Motion { flows, .. }) = motion {
            self.advance(&flows[0], &flows[1])?;
        }
        self.motion = motion.map(|motion| motion.flows.clone());
        match self.frames.is_empty() && beside.is_none() {
            true => Ok(None),
            false => self.gathered(sight, beside, settings).map(Some),
        }
    }

    /// Puts other results in the place of those of the last frames, the oldest first.
    ///
    /// # Errors
    /// None that pictures can meet.
    pub(super) fn replace(&mut self, results: &[Picture]) -> Result<()> {
        for (then, result) in self.frames.iter_mut().zip(results.iter().rev()) {
            then.result = opaque(result)?;
        }
        Ok(())
    }

    /// What is to be kept of the last frame.
    pub(super) fn memory(&self) -> Option<Memory> {
        Some(Memory {
            result: self.last_result()?.clone(),
            motion: self.motion.clone(),
        })
    }

    /// Takes a memory back, after those of the frames before.
    ///
    /// # Errors
    /// If they do not belong together.
    pub(super) fn restore(&mut self, memory: Memory, settings: &Settings) -> Result<()> {
        let Memory { result, motion } = memory;
        if let Some([back, forth]) = &motion {
            self.advance(back, forth)?;
        }
        self.motion = motion;
        self.keep(result, settings)
    }

    /// Moves what is known to the next frame, which lies so far from the last one.
    fn advance(&mut self, back: &Flow, forth: &Flow) -> Result<()> {
        for (index, then) in self.frames.iter_mut().enumerate() {
            let [there, here] = &then.flows;
            then.flows = match index {
                0 => [back.clone(), forth.clone()],
                _ => [
                    impasto_flow::compose(back, there)?.0,
                    impasto_flow::compose(here, forth)?.0,
                ],
            };
        }
        Ok(())
    }

    /// Keeps what the last frame became.
    pub(super) fn keep(&mut self, result: Picture, settings: &Settings) -> Result<()> {
        let (width, height) = watched((result.width(), result.height()), settings);
        let nowhere = Flow::from_fn(height, width, |_, _| [0.0; 2])?;
        self.frames.push_front(Then {
            result: opaque(&result)?,
            flows: [nowhere.clone(), nowhere],
        });
        let most = settings.reach.iter().copied().max().unwrap_or(1);
        self.frames.truncate(most);
        Ok(())
    }

    /// The target of all that is looked at: another view of this very moment, then the nearest frame that knows a place, further
    /// ones what it leaves. Where flow knows nothing, as on a plain wall, and the film looks the same, it is taken to stand still.
    fn gathered(
        &self,
        sight: &Sight,
        beside: Option<Beside<'_>>,
        settings: &Settings,
    ) -> Result<Reach> {
        let (width, height) = (sight.frame.width(), sight.frame.height());
        let places = width * height;
        let mut weights = vec![0.0f32; places];
        let mut target = vec![0.0f32; 3 * places];
        let beside = beside.map(|view| (view.result, view.flows));
        let before = settings.reach.iter();
        let before = before.filter_map(|&back| self.frames.get(back - 1));
        let before = before.map(|then| (&then.result, &then.flows));
        for (result, [there, here]) in beside.into_iter().chain(before) {
            let (moved, known) = moved(result, [there, here], (width, height))?;
            for place in 0..places {
                let more = (known[place] - weights[place]).max(0.0);
                if more > 0.0 {
                    weights[place] += more;
                    for channel in 0..3 {
                        target[channel * places + place] += more * moved[channel * places + place];
                    }
                }
            }
        }
        let last = self.last_result().map(Picture::rgb);
        let last = last.filter(|last| last.len() == target.len());
        for place in 0..places {
            let likeness = sight.motion.as_ref().map(|motion| motion.likeness[place]);
            let more = (1.0 - weights[place]) * likeness.unwrap_or(0.0);
            if let (Some(last), true) = (last, more > 0.0) {
                weights[place] += more;
                for channel in 0..3 {
                    target[channel * places + place] += more * last[channel * places + place];
                }
            }
            if weights[place] > 0.0 {
                for channel in 0..3 {
                    target[channel * places + place] /= weights[place];
                }
            }
        }
        let still = sight.motion.as_ref().map(|motion| motion.still.clone());
        Ok(Reach {
            target: Picture::new(width, height, target)?,
            still: still.unwrap_or_else(|| vec![false; places]),
            weights,
        })
    }
}

/// A picture without alpha, which is the film's own: no memory has it.
fn opaque(picture: &Picture) -> Result<Picture> {
    let (width, height) = (picture.width(), picture.height());
    Ok(Picture::new(width, height, picture.rgb().to_vec())?)
}

/// What another frame became, moved to a frame of some width and height along the flow to it, and how far that can be relied on,
/// `[3, h, w]` and `[h, w]`.
///
/// # Errors
/// If flows and frames differ in size.
pub(super) fn moved(
    result: &Picture,
    [there, here]: [&Flow; 2],
    (width, height): (usize, usize),
) -> Result<(Vec<f32>, Vec<f32>)> {
    let known = impasto_flow::reliable(there, here, &Rule::default())?;
    let (across, down) = known.size();
    let (from, to) = ((down, across), (height, width));
    let mut known = resize_planes(&known.weights(), 1, from, to, Filter::Bicubic);
    known
        .iter_mut()
        .for_each(|known| *known = known.clamp(0.0, 1.0));
    let flow = there.resized(height, width)?;
    let moved = impasto_flow::warp_maps(result.rgb(), 3, &flow, Interpolation::Cubic)?;
    Ok((moved, known))
}
