//! What has been painted of a shot, and how it moves to the present frame.

use crate::Result;
use crate::picture::{Filter, Picture, fit_long_side, resize_planes};
use impasto_flow::{Flow, Frame, Interpolation, Pyramid, Rule};
use std::collections::VecDeque;

/// How painted frames depend on those before.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How much strokes stay what they were, 0 (each frame by itself) to 1.
    pub consistency: f32,
    /// Frames back in time that are looked at, ascending, from 1: what the nearer ones cannot tell, further ones may.
    pub reach: Vec<usize>,
    /// The longest side at which flow is sought, in pixels; of larger frames it is enlarged.
    pub flow_side: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            consistency: 0.5,
            reach: vec![1, 2, 4, 8],
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

/// How far the past reaches into a frame.
#[derive(Clone, Debug)]
pub struct Reach {
    /// What the past says of each pixel; anything where it says nothing.
    pub target: Picture,
    /// How far that can be relied on, `[h, w]`, 0 to 1.
    pub weights: Vec<f32>,
    /// Pixels that did not change at all from the frame before to this one, `[h, w]`.
    pub still: Vec<bool>,
}

impl Reach {
    /// The share of pixels of which the past knows.
    pub fn share(&self) -> f32 {
        let sum: f64 = self.weights.iter().map(|&weight| f64::from(weight)).sum();
        (sum / self.weights.len().max(1) as f64) as f32
    }
}

/// The past of a shot.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// The newest first.
    frames: VecDeque<Then>,
    /// The last frame, and how it was seen for flow.
    last: Option<(Picture, Pyramid)>,
    /// The flows of the last pair, from each frame to the other.
    motion: Option<[Flow; 2]>,
}

impl Past {
    /// The last result.
    pub(super) fn last_result(&self) -> Option<&Picture> {
        self.frames.front().map(|then| &then.result)
    }

    /// Moves everything to a frame, in the size in which results are: how far the past reaches into it. None if there is none.
    ///
    /// # Errors
    /// If the frame has another size than those before.
    pub(super) fn reach(&mut self, frame: &Picture, settings: &Settings) -> Result<Option<Reach>> {
        let seen = pyramid(frame, settings.flow_side)?;
        let Some((before, last)) = self.last.replace((frame.clone(), seen)) else {
            return Ok(None);
        };
        let Some((_, seen)) = &self.last else {
            return Ok(None);
        };
        let known = self.motion.as_ref().map(|[back, forth]| [back, forth]);
        let estimate = impasto_flow::Settings::default();
        let [back, forth] = impasto_flow::both_between(seen, &last, &estimate, known)?;
        self.advance(&back, &forth)?;
        self.motion = Some([back, forth]);
        let changes = Changes::between(&before, frame);
        self.gathered(frame, settings, &changes).map(Some)
    }

    /// What is to be kept of the last frame.
    pub(super) fn memory(&self) -> Option<Memory> {
        Some(Memory {
            result: self.last_result()?.clone(),
            motion: self.motion.clone(),
        })
    }

    /// Takes memories back, the oldest first, of frames up to this one.
    ///
    /// # Errors
    /// If they do not belong together.
    pub(super) fn restore(
        &mut self,
        frame: &Picture,
        memories: Vec<Memory>,
        settings: &Settings,
    ) -> Result<()> {
        self.last = Some((frame.clone(), pyramid(frame, settings.flow_side)?));
        for Memory { result, motion } in memories {
            if let Some([back, forth]) = &motion {
                self.advance(back, forth)?;
            }
            self.motion = motion;
            self.keep(result, settings)?;
        }
        Ok(())
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
        let Some((_, seen)) = &self.last else {
            return Ok(());
        };
        let (width, height) = seen.size();
        let nowhere = Flow::from_fn(height, width, |_, _| [0.0; 2])?;
        // Alpha is the film's own, and no memory has it.
        let result = Picture::new(result.width(), result.height(), result.rgb().to_vec())?;
        self.frames.push_front(Then {
            result,
            flows: [nowhere.clone(), nowhere],
        });
        let most = settings.reach.iter().copied().max().unwrap_or(1);
        self.frames.truncate(most);
        Ok(())
    }

    /// The target of all frames that are looked at: the nearest that knows a place has it, further ones what it leaves. Where
    /// flow knows nothing, as on a plain wall, and the film looks the same, it is taken to stand still.
    fn gathered(&self, frame: &Picture, settings: &Settings, changes: &Changes) -> Result<Reach> {
        let (width, height) = (frame.width(), frame.height());
        let places = width * height;
        let mut weights = vec![0.0f32; places];
        let mut target = vec![0.0f32; 3 * places];
        for &back in &settings.reach {
            let Some(then) = self.frames.get(back - 1) else {
                continue;
            };
            let [there, here] = &then.flows;
            let known = impasto_flow::reliable(there, here, &Rule::default())?;
            let (across, down) = known.size();
            let (from, to) = ((down, across), (height, width));
            let known = resize_planes(&known.weights(), 1, from, to, Filter::Bicubic);
            let flow = there.resized(height, width)?;
            let moved = impasto_flow::warp_maps(then.result.rgb(), 3, &flow, Interpolation::Cubic)?;
            for place in 0..places {
                let more = (known[place].clamp(0.0, 1.0) - weights[place]).max(0.0);
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
        let likeness = changes.likeness(height);
        for place in 0..places {
            let more = (1.0 - weights[place]) * likeness[place];
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
        Ok(Reach {
            target: Picture::new(width, height, target)?,
            still: changes.still(places),
            weights,
        })
    }
}

/// A frame as flow sees it.
fn pyramid(frame: &Picture, side: usize) -> Result<Pyramid> {
    let (width, height) = fit_long_side(
        frame.width(),
        frame.height(),
        side.min(frame.width().max(frame.height())),
    );
    let small = frame.resized(width, height, Filter::Bicubic);
    let frame = Frame::new(3, height, width, small.rgb().to_vec())?;
    Ok(Pyramid::new(&frame))
}

/// How much blocks of 8 by 8 pixels have changed from one frame to the next.
struct Changes {
    /// Blocks of a row.
    across: usize,
    /// Rows of blocks.
    down: usize,
    /// The greatest change in each, 0..1.
    greatest: Vec<f32>,
    /// The mean of all.
    mean: Vec<f32>,
    width: usize,
}

impl Changes {
    const BLOCK: usize = 8;
    /// Half a step of 8 bits: what changes less does not change at all.
    const SAME: f32 = 0.5 / 255.0;
    /// What changes less on average looks the same, as of the noise of a codec; what changes more than the second does not.
    const ALIKE: [f32; 2] = [3.0 / 255.0, 7.0 / 255.0];

    /// Between frames of one size; of others everything has changed.
    fn between(before: &Picture, frame: &Picture) -> Self {
        let (width, height) = (frame.width(), frame.height());
        let (across, down) = (width.div_ceil(Self::BLOCK), height.div_ceil(Self::BLOCK));
        let mut changes = Self {
            across,
            down,
            greatest: vec![0.0; across * down],
            mean: vec![0.0; across * down],
            width,
        };
        let same_size = before.size() == frame.size();
        let mut counts = vec![0.0f32; across * down];
        for (at, (one, other)) in before.rgb().iter().zip(frame.rgb()).enumerate() {
            let block = changes.block(at % (width * height));
            let change = (one - other).abs();
            // What is not a number has changed.
            let change = if change.is_nan() { 1.0 } else { change };
            changes.greatest[block] = changes.greatest[block].max(change);
            changes.mean[block] += change;
            counts[block] += 1.0;
        }
        for place in 0..(width * height) {
            let hidden =
                |picture: &Picture| picture.alpha().and_then(|alpha| alpha.get(place).copied());
            let [one, other] = [before, frame].map(|picture| hidden(picture).unwrap_or(1.0));
            // What was hidden before was not painted as what is to be seen.
            if (one - other).abs() > Self::SAME {
                let block = changes.block(place);
                changes.greatest[block] = 1.0;
                changes.mean[block] += 3.0;
            }
        }
        for (mean, count) in changes.mean.iter_mut().zip(counts) {
            *mean = if same_size {
                *mean / count.max(1.0)
            } else {
                1.0
            };
        }
        if !same_size {
            changes.greatest.fill(1.0);
        }
        changes
    }

    /// The block of a pixel.
    fn block(&self, place: usize) -> usize {
        let (x, y) = (place % self.width, place / self.width);
        y / Self::BLOCK * self.across + x / Self::BLOCK
    }

    /// Pixels around which nothing has changed, to the last bit of 8, in their block and its neighbours.
    fn still(&self, places: usize) -> Vec<bool> {
        let calm = |block: usize| {
            let near = |at: usize, most: usize| at.saturating_sub(1)..(at + 2).min(most);
            let (x, y) = (block % self.across, block / self.across);
            near(y, self.down).all(|y| {
                near(x, self.across).all(|x| self.greatest[y * self.across + x] <= Self::SAME)
            })
        };
        let calm: Vec<bool> = (0..self.greatest.len()).map(calm).collect();
        (0..places).map(|place| calm[self.block(place)]).collect()
    }

    /// How far each pixel looks the same, 0 to 1, smoothly from block to block.
    fn likeness(&self, height: usize) -> Vec<f32> {
        let [least, most] = Self::ALIKE;
        let alike = |mean: &f32| ((most - mean) / (most - least)).clamp(0.0, 1.0);
        let blocks: Vec<f32> = self.mean.iter().map(alike).collect();
        let (from, to) = ((self.down, self.across), (height, self.width));
        let mut likeness = resize_planes(&blocks, 1, from, to, Filter::Bicubic);
        likeness
            .iter_mut()
            .for_each(|alike| *alike = alike.clamp(0.0, 1.0));
        likeness
    }
}
