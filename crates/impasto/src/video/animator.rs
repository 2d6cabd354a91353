//! Frame after frame of a shot.

use super::past::{Beside, Memory, Past, Reach, Settings};
use super::stretch::{Forward, Stretch, between};
use super::watch::{Moment, Sight, Watcher};
use crate::loss::temporal::TemporalLoss;
use crate::loss::{Normalize, Scaling, Term};
use crate::method::{ExtraTerms, TermContext};
use crate::observer::{Ignore, Observer};
use crate::picture::colors::{ColorMode, ColorSpace, Colors};
use crate::picture::{Filter, Picture};
use crate::recipe::{Init, OptimizerSettings, Schedule};
use crate::{Mask, MaskUse, Outcome, Recipe, Regions, Result, Stylized, Stylizer};
use impasto_compute::Reduction;
use std::sync::Arc;

/// The weight of the loss towards the past at full consistency, its target's variance being 1. Chosen with the numbers below on
/// Sintel's alley_1: the error along its true flow falls to a quarter, and the distance from the style stays.
const STRONGEST: f32 = 20.0;
/// Steps of a frame that has a past: nine twentieths of those of the recipe at its last size, within these.
const FEWEST: usize = 3;
const MOST: usize = 16;
/// The step size of such frames: it starts near its end, and larger steps would move every pixel by as much whatever its gradient.
const GENTLE: f32 = 0.01;
/// The memory of the average of iterates: short, as steps are few.
const SHORT: f32 = 0.5;

/// Who paints.
#[derive(Debug)]
pub struct Painters {
    /// The first frame of a shot, and every frame of recipes that do not optimise.
    pub first: Stylizer,
    /// The others, if they are optimised: of the same recipe, by [`following`].
    pub next: Option<Stylizer>,
}

/// A moment that was painted.
#[derive(Debug)]
pub struct Painted {
    /// The picture of each view, the first leading.
    pub pictures: Vec<Picture>,
    /// How it ended.
    pub outcome: Outcome,
    /// What the past knew of the first view; `None` of the first frame of a shot.
    pub known: Option<Known>,
}

/// How a frame agrees with what was painted before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Known {
    /// The share of it that the past knew of, 0 to 1.
    pub share: f32,
    /// There, how far it became something else: the root of the mean square, of 0..1. The flow is our own, so that what it gets
    /// wrong counts as well.
    pub apart: f32,
}

/// A frame that was gone over once more.
#[derive(Clone, Debug)]
pub struct GoneOver {
    /// What it is now.
    pub picture: Picture,
    /// What is to be kept of it, if anything depends on it.
    pub memory: Memory,
}

/// Paints the frames of a film in their order.
#[derive(Debug)]
pub struct Animator {
    painters: Painters,
    settings: Settings,
    /// That of each view.
    past: Vec<Past>,
    /// Frames of this shot.
    count: usize,
    /// Frames that will be gone over once more.
    stretch: Stretch,
}

/// The recipe by which frames are painted that have a past; `None` for recipes that do not optimise.
pub fn following(recipe: &Recipe) -> Option<Recipe> {
    let mut recipe = recipe.clone();
    let settings = recipe.optimize_mut()?;
    settings.init = Init::Picture;
    let last = settings.schedule.steps.last().copied().unwrap_or(2);
    settings.schedule = Schedule {
        coarse_to_fine: false,
        finest: 0,
        steps: vec![(9 * last / 20).clamp(FEWEST, MOST)],
        scales: vec![],
    };
    if let OptimizerSettings::Adam(adam) = &mut settings.optimizer {
        adam.learning_rate = adam.learning_rate.min(GENTLE);
        adam.averaging = adam.averaging.min(SHORT);
    }
    Some(recipe)
}

impl Animator {
    /// One that has painted nothing yet, of a film of so many views: 1, or one for each eye.
    pub fn new(painters: Painters, views: usize, settings: Settings) -> Self {
        let mut animator = Self {
            painters,
            settings,
            past: (0..views.max(1)).map(|_| Past::default()).collect(),
            count: 0,
            stretch: Stretch::default(),
        };
        animator.cut();
        animator
    }

    /// The next frame begins a shot: nothing before it counts.
    pub fn cut(&mut self) {
        self.past.fill_with(Past::default);
        self.count = 0;
        self.stretch = Stretch::default();
        let keeps = self.settings.consistency > 0.0;
        self.painters.first.begin_shot(keeps);
    }

    /// Who paints.
    pub fn painters(&self) -> &Painters {
        &self.painters
    }

    /// Masks of the moments to come; others stay.
    ///
    /// # Errors
    /// As [`Stylizer::set_regions`].
    pub fn set_masks(&mut self, masks: &[(MaskUse, Mask)]) -> Result<()> {
        let with =
            |regions: Regions, (of, mask): &(MaskUse, Mask)| regions.with_mask(*of, mask.clone());
        let regions = self.painters.first.regions().clone();
        let regions = masks.iter().fold(regions, with);
        if let Some(next) = &mut self.painters.next {
            next.set_regions(regions.clone())?;
        }
        self.painters.first.set_regions(regions)
    }

    /// Who looks at the film for this one: all pictures have the size of the first.
    pub fn watcher(&self, first: &Picture) -> Watcher {
        self.watcher_of(self.size(first))
    }

    /// Who looks at a film for this one whose results have a width and height.
    pub fn watcher_of(&self, size: (usize, usize)) -> Watcher {
        Watcher::new(size, self.past.len(), self.settings.clone())
    }

    /// Paints the next moment. One that the observer ends is a picture, and no part of the past.
    ///
    /// # Errors
    /// As [`Stylizer::stylize`].
    pub fn paint(&mut self, moment: &Moment, observer: &mut dyn Observer) -> Result<Painted> {
        let mut painted = Painted {
            pictures: Vec::with_capacity(self.past.len()),
            outcome: Outcome::Finished,
            known: None,
        };
        for (view, sight) in moment.views.iter().enumerate().take(self.past.len()) {
            let flows = view
                .checked_sub(1)
                .and_then(|other| moment.between.get(other));
            let beside = painted.pictures.first().zip(flows);
            let beside = beside.map(|(result, flows)| Beside { result, flows });
            let (stylized, known) = self.view(view, sight, beside, observer)?;
            painted.known = painted.known.or(known.filter(|_| view == 0));
            painted.outcome = stylized.outcome;
            painted.pictures.push(stylized.picture);
            if painted.outcome != Outcome::Finished {
                break;
            }
        }
        self.count += 1;
        Ok(painted)
    }

    /// Paints one view of a moment, beside another one.
    fn view(
        &mut self,
        view: usize,
        sight: &Sight,
        beside: Option<Beside<'_>>,
        observer: &mut dyn Observer,
    ) -> Result<(Stylized, Option<Known>)> {
        let goes_back = self.goes_back();
        let past = &mut self.past[view];
        let depends = self.settings.consistency > 0.0;
        let reach = match depends {
            true => past.reach(sight, beside, &self.settings)?.map(Arc::new),
            false => None,
        };
        let mut stylized = match (&reach, &mut self.painters.next) {
            (Some(reach), Some(next)) => {
                let mut ground = match past.last_result() {
                    Some(last) => colored(&sight.frame, last),
                    // What the other eye does not see has never been painted.
                    None => {
                        self.painters
                            .first
                            .stylize(&sight.content, observer)?
                            .picture
                    }
                };
                mix(ground.rgb_mut(), reach, |weight| weight);
                next.set_start(Some(ground));
                next.set_extra_terms(Some(terms(reach.clone(), &self.settings, self.count)));
                next.stylize(&sight.content, observer)?
            }
            _ => self.painters.first.stylize(&sight.content, observer)?,
        };
        match (&reach, past.last_result(), &self.painters.next) {
            (Some(reach), Some(last), Some(_)) => {
                keep_still(&mut stylized.picture, last, &reach.still)
            }
            (Some(reach), _, None) => {
                blend(&mut stylized.picture, reach, self.settings.consistency)
            }
            _ => {}
        }
        let known = reach.as_ref().map(|reach| Known {
            share: reach.share(),
            apart: reach.apart(&stylized.picture),
        });
        if stylized.outcome != Outcome::Stopped && depends {
            let kept = fitted(&stylized.picture, &sight.frame);
            if goes_back {
                self.stretch.frames.push(Forward {
                    sight: sight.clone(),
                    result: kept.clone(),
                    reach,
                    regions: self.painters.first.regions().clone(),
                    count: self.count,
                });
            }
            past.keep(kept, &self.settings)?;
        }
        Ok((stylized, known))
    }

    /// Whether frames are gone over once more: if that is asked for, and of a single view that is optimised.
    pub fn goes_back(&self) -> bool {
        let asked = self.settings.backward && self.settings.consistency > 0.0;
        asked && self.past.len() == 1 && self.painters.next.is_some()
    }

    /// Goes once more over all frames that were painted since the last time, or since the shot began, from the last one, which
    /// stays, to the first; returns them all, the oldest first. None if the observer ends it. The more frames, the further what is
    /// hidden is carried back, and the more memory they take.
    ///
    /// # Errors
    /// As [`Stylizer::stylize`].
    pub fn back(&mut self, observer: &mut dyn Observer) -> Result<Option<Vec<GoneOver>>> {
        let stretch = std::mem::take(&mut self.stretch);
        let anchored = stretch.anchored();
        let regions = self.painters.first.regions().clone();
        let mut results: Vec<Picture> = stretch
            .frames
            .iter()
            .map(|frame| frame.result.clone())
            .collect();
        let pairs = stretch.frames.windows(2).enumerate().rev();
        for (at, pair) in pairs {
            let (Some(next), Some(motion)) = (&mut self.painters.next, &pair[1].sight.motion)
            else {
                continue;
            };
            let frame = &pair[0];
            let reach = Arc::new(between(frame, &results[at + 1], motion)?);
            let mut ground = frame.result.clone();
            // Half of the way: what it was counts as much as what its neighbours say.
            mix(ground.rgb_mut(), &reach, |weight| weight / 2.0);
            next.set_regions(frame.regions.clone())?;
            next.set_start(Some(ground));
            next.set_extra_terms(Some(terms(reach.clone(), &self.settings, frame.count)));
            let stylized = next.stylize(&frame.sight.content, observer)?;
            match stylized.outcome {
                Outcome::Finished => {}
                Outcome::Stopped => return Ok(None),
                // The frame as it was painted forward is good.
                Outcome::Diverged { .. } => continue,
            }
            let mut picture = fitted(&stylized.picture, &frame.sight.frame);
            keep_still(&mut picture, &results[at + 1], &reach.still);
            keep_still(&mut picture, &frame.result, &anchored[at]);
            results[at] = picture;
        }
        if let Some(next) = &mut self.painters.next {
            next.set_regions(regions)?;
        }
        for past in &mut self.past {
            past.replace(&results)?;
        }
        let frames = stretch.frames.into_iter().zip(results);
        let gone_over = frames.map(|(frame, picture)| GoneOver {
            memory: Memory {
                result: picture.clone(),
                motion: frame.sight.motion.map(|motion| motion.flows),
            },
            picture,
        });
        Ok(Some(gone_over.collect()))
    }

    /// What is to be kept of the last moment, of each view; nothing if nothing depends on it.
    pub fn memories(&self) -> Vec<Memory> {
        self.past.iter().filter_map(Past::memory).collect()
    }

    /// Goes on after moments that another program has painted, with the first picture of their shot, and the memories of the
    /// moments up to the last one, the oldest first, each with one for every view: of as many as [`Settings::reach`] goes back, or
    /// of the whole shot if it is shorter. `count` is how many the shot has so far.
    ///
    /// # Errors
    /// If they do not belong together.
    pub fn restore(
        &mut self,
        first: &Picture,
        count: usize,
        memories: Vec<Vec<Memory>>,
    ) -> Result<()> {
        self.cut();
        if self.painters.next.is_none() {
            // Its statistics are those that all frames of the shot are painted by.
            self.painters.first.stylize(first, &mut Ignore)?;
        }
        for moment in memories {
            for (past, memory) in self.past.iter_mut().zip(moment) {
                past.restore(memory, &self.settings)?;
            }
        }
        self.count = count;
        Ok(())
    }

    /// Width and height of the result of a frame.
    pub fn size(&self, frame: &Picture) -> (usize, usize) {
        let scales = self.painters.first.scales(frame);
        let last = scales.last();
        last.map_or((frame.width(), frame.height()), |scale| {
            (scale.width, scale.height)
        })
    }
}

/// A picture in the size of a frame: thin frames are painted wider than they are.
fn fitted(painted: &Picture, frame: &Picture) -> Picture {
    match painted.size() == frame.size() {
        true => painted.clone(),
        false => painted.resized(frame.width(), frame.height(), Filter::Bicubic),
    }
}

/// What a frame starts from where the past is not known: the frame in the colours of the last result.
fn colored(frame: &Picture, last: &Picture) -> Picture {
    let colors = Colors {
        mode: ColorMode::Content,
        // Where little is unknown, little is seen of it: no need for a finer space.
        space: ColorSpace::Srgb,
        ..Colors::default()
    };
    colors.give(frame, last)
}

/// Puts the past into planes, as much of it as its weight says.
fn mix(planes: &mut [f32], reach: &Reach, share: impl Fn(f32) -> f32) {
    let target = reach.target.rgb();
    let places = reach.weights.len().max(1);
    for (at, value) in planes.iter_mut().enumerate() {
        let share = share(reach.weights[at % places]);
        *value += share * (target[at] - *value);
    }
}

/// What a network has painted without knowing of the past gets some of it.
fn blend(picture: &mut Picture, reach: &Reach, consistency: f32) {
    if (picture.width(), picture.height()) == (reach.target.width(), reach.target.height()) {
        mix(picture.rgb_mut(), reach, |weight| weight * consistency);
    }
}

/// Where the film stands still, the picture does, to the last bit.
fn keep_still(picture: &mut Picture, last: &Picture, still: &[bool]) {
    if picture.rgb().len() != last.rgb().len() {
        return;
    }
    let places = still.len().max(1);
    for (at, (value, before)) in picture.rgb_mut().iter_mut().zip(last.rgb()).enumerate() {
        if still[at % places] {
            *value = *before;
        }
    }
}

/// The loss towards the past, at whatever scale it is asked for.
fn terms(reach: Arc<Reach>, settings: &Settings, frame: usize) -> ExtraTerms {
    let weight = STRONGEST * settings.consistency * settings.consistency;
    ExtraTerms::new(
        format!("frame {frame} of its shot"),
        move |context: &TermContext<'_>| {
            let target = context.upload(&reach.target)?;
            let weights = context.places(&reach.weights, reach.target.size());
            Ok(vec![Term {
                name: "temporal".into(),
                weight,
                scaling: Scaling {
                    normalize: Normalize::Target,
                    reduction: Reduction::Mean,
                    factor: 1.0,
                },
                loss: Box::new(TemporalLoss::new(context.device, target, &weights)?),
            }])
        },
    )
}
