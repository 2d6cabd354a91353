//! What is seen of a film before anything is painted: frames in the size of the results, how they move, what stands still.
//!
//! It depends on the film alone, so that the next frames can be looked at while one is painted.

use super::estimator::{Estimator, Seen};
use super::past::{Memory, Settings};
use crate::Result;
use crate::picture::{Filter, Picture, fit_long_side, resize_planes};
use impasto_flow::{Flow, Frame};
use std::sync::Arc;

/// Looks at the frames of a film in their order: one picture each, or one for each eye.
#[derive(Debug)]
pub struct Watcher {
    /// Width and height of the results.
    size: (usize, usize),
    settings: Settings,
    estimator: Estimator,
    views: Vec<View>,
}

/// What is known of one view.
#[derive(Debug, Default)]
struct View {
    /// The last frame.
    last: Option<(Arc<Picture>, Arc<Seen>)>,
    /// The flows of the last pair: what has moved so goes on so.
    motion: Option<[Flow; 2]>,
}

/// What is seen of a moment of a film.
#[derive(Clone, Debug)]
pub struct Moment {
    pub(super) views: Vec<Sight>,
    /// Of every view but the first: the flows from it to the first, and back. Empty where nobody looks for flow.
    pub(super) between: Vec<[Flow; 2]>,
}

/// What is seen of one view of it.
#[derive(Clone, Debug)]
pub(super) struct Sight {
    /// The frame.
    pub(super) content: Arc<Picture>,
    /// In the size of its result.
    pub(super) frame: Arc<Picture>,
    pub(super) motion: Option<Motion>,
    /// As flow sees it; none where nobody looks for any.
    seen: Option<Arc<Seen>>,
}

/// How a frame follows from the one before.
#[derive(Clone, Debug)]
pub(super) struct Motion {
    /// From it to the one before, and from there to it.
    pub(super) flows: [Flow; 2],
    /// Pixels that have not changed at all, `[h, w]`.
    pub(super) still: Vec<bool>,
    /// How far each looks the same, `[h, w]`, 0 to 1.
    pub(super) likeness: Vec<f32>,
}

/// Width and height in which flow is sought between results of some width and height.
pub(super) fn watched((width, height): (usize, usize), settings: &Settings) -> (usize, usize) {
    let side = settings.flow_side.min(width.max(height));
    fit_long_side(width, height, side)
}

impl Watcher {
    /// One that has seen nothing yet of a film of so many views, whose results get a width and height.
    pub fn new(size: (usize, usize), views: usize, settings: Settings) -> Self {
        Self {
            size,
            settings,
            estimator: Estimator::default(),
            views: (0..views.max(1)).map(|_| View::default()).collect(),
        }
    }

    /// With somebody else who says how things move.
    #[must_use]
    pub fn with_estimator(self, estimator: Estimator) -> Self {
        Self { estimator, ..self }
    }

    /// The next moment begins a shot: nothing before it counts.
    pub fn cut(&mut self) {
        self.views.fill_with(View::default);
    }

    /// Looks at the next moment: a picture for each view.
    ///
    /// # Errors
    /// If they differ in size from each other, or from those before.
    pub fn look(&mut self, pictures: Vec<Picture>) -> Result<Moment> {
        let mut views = Vec::with_capacity(pictures.len());
        for (picture, view) in pictures.into_iter().zip(&mut self.views) {
            let mut sight = Sight::of(picture, self.size, &self.settings, &self.estimator)?;
            view.follow(&mut sight, &self.estimator)?;
            views.push(sight);
        }
        let first = views.first().and_then(|first| first.seen.as_deref());
        let others = views.iter().skip(1);
        let others = others.filter_map(|view| Some((view.seen.as_deref()?, first?)));
        let between = others.map(|(one, first)| self.estimator.both(one, first, None));
        let between = between.collect::<Result<_>>()?;
        Ok(Moment { views, between })
    }

    /// Goes on after a moment that another program has looked at, with what memories say of its motion, one for each view.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub fn restore(&mut self, pictures: Vec<Picture>, memories: &[Memory]) -> Result<()> {
        let views = pictures.into_iter().zip(&mut self.views);
        for ((picture, view), memory) in views.zip(memories) {
            let sight = Sight::of(picture, self.size, &self.settings, &self.estimator)?;
            view.last = sight.seen.map(|seen| (sight.frame, seen));
            view.motion = memory.motion.clone();
        }
        Ok(())
    }
}

impl View {
    /// How a frame follows from the last one, if there is one.
    fn follow(&mut self, sight: &mut Sight, estimator: &Estimator) -> Result<()> {
        let Some(seen) = sight.seen.clone() else {
            return Ok(());
        };
        let last = self.last.replace((sight.frame.clone(), seen.clone()));
        let Some((before, last)) = last else {
            return Ok(());
        };
        let flows = estimator.both(&seen, &last, self.motion.as_ref())?;
        self.motion = Some(flows.clone());
        let changes = Changes::between(&before, &sight.frame);
        let (width, height) = (sight.frame.width(), sight.frame.height());
        sight.motion = Some(Motion {
            flows,
            still: changes.still(width * height),
            likeness: changes.likeness(height),
        });
        Ok(())
    }
}

impl Sight {
    /// A frame by itself.
    fn of(
        frame: Picture,
        size: (usize, usize),
        settings: &Settings,
        estimator: &Estimator,
    ) -> Result<Self> {
        let content = Arc::new(frame);
        let looks = settings.consistency > 0.0;
        // Where nobody looks, who paints resizes it alone.
        let frame = match !looks || (content.width(), content.height()) == size {
            true => content.clone(),
            false => Arc::new(content.resized(size.0, size.1, Filter::Bicubic)),
        };
        let seen = looks.then(|| estimator.look(&small(&frame, settings)?));
        Ok(Self {
            content,
            frame,
            motion: None,
            seen: seen.transpose()?.map(Arc::new),
        })
    }
}

/// A frame in the size in which flow is sought.
fn small(frame: &Picture, settings: &Settings) -> Result<Frame> {
    let (width, height) = watched((frame.width(), frame.height()), settings);
    let small = frame.resized(width, height, Filter::Bicubic);
    Ok(Frame::new(3, height, width, small.rgb().to_vec())?)
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
