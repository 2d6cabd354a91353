//! Frame after frame of a shot.

use super::past::{Memory, Past, Reach, Settings};
use crate::loss::temporal::TemporalLoss;
use crate::loss::{Normalize, Scaling, Term};
use crate::method::{ExtraTerms, TermContext};
use crate::observer::{Ignore, Observer};
use crate::picture::colors::{ColorMode, ColorSpace, Colors};
use crate::picture::{Filter, Picture};
use crate::recipe::{Init, OptimizerSettings, Schedule};
use crate::{Outcome, Recipe, Result, Stylizer};
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

/// A frame that was painted.
#[derive(Debug)]
pub struct Painted {
    /// The picture.
    pub picture: Picture,
    /// How it ended.
    pub outcome: Outcome,
    /// The share of it that the past knew of; `None` of the first frame of a shot.
    pub known: Option<f32>,
}

/// Paints the frames of a film in their order.
#[derive(Debug)]
pub struct Animator {
    painters: Painters,
    settings: Settings,
    past: Past,
    /// Frames of this shot.
    count: usize,
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
    /// One that has painted nothing yet.
    pub fn new(painters: Painters, settings: Settings) -> Self {
        let mut animator = Self {
            painters,
            settings,
            past: Past::default(),
            count: 0,
        };
        animator.cut();
        animator
    }

    /// The next frame begins a shot: nothing before it counts.
    pub fn cut(&mut self) {
        self.past = Past::default();
        self.count = 0;
        let keeps = self.settings.consistency > 0.0;
        self.painters.first.begin_shot(keeps);
    }

    /// Paints the next frame. One that the observer ends is a picture, and no part of the past.
    ///
    /// # Errors
    /// As [`Stylizer::stylize`].
    pub fn paint(&mut self, frame: &Picture, observer: &mut dyn Observer) -> Result<Painted> {
        let seen = self.seen(frame);
        let reach = match self.settings.consistency > 0.0 {
            true => self.past.reach(&seen, &self.settings)?,
            false => None,
        };
        let known = reach.as_ref().map(Reach::share);
        let stylized = match (reach, &mut self.painters.next) {
            (Some(reach), Some(next)) => {
                let reach = Arc::new(reach);
                let last = self.past.last_result();
                let start = start(&seen, &reach, last)?;
                next.set_start(Some(start));
                next.set_extra_terms(Some(terms(reach.clone(), &self.settings, self.count)));
                let mut stylized = next.stylize(frame, observer)?;
                if let Some(last) = self.past.last_result() {
                    keep_still(&mut stylized.picture, last, &reach);
                }
                stylized
            }
            (reach, _) => {
                let mut stylized = self.painters.first.stylize(frame, observer)?;
                if let Some(reach) = reach {
                    blend(&mut stylized.picture, &reach, self.settings.consistency);
                }
                stylized
            }
        };
        if !matches!(stylized.outcome, Outcome::Stopped) && self.settings.consistency > 0.0 {
            // Thin frames are painted wider than they are.
            let painted = &stylized.picture;
            let kept = match painted.size() == seen.size() {
                true => painted.clone(),
                false => painted.resized(seen.width(), seen.height(), Filter::Bicubic),
            };
            self.past.keep(kept, &self.settings)?;
            self.count += 1;
        }
        Ok(Painted {
            picture: stylized.picture,
            outcome: stylized.outcome,
            known,
        })
    }

    /// What is to be kept of the last frame; none if nothing depends on it.
    pub fn memory(&self) -> Option<Memory> {
        self.past.memory()
    }

    /// Goes on after a frame that another program has painted, the shot's first one beside it, with the memories of the frames of its shot up to it, the
    /// oldest first: of as many as [`Settings::reach`] goes back, or of the whole shot if it is shorter.
    ///
    /// # Errors
    /// If they do not belong together.
    pub fn restore(
        &mut self,
        (first, frame): (&Picture, &Picture),
        count: usize,
        memories: Vec<Memory>,
    ) -> Result<()> {
        self.cut();
        if self.painters.next.is_none() {
            // Its statistics are those that all frames of the shot are painted by.
            self.painters.first.stylize(first, &mut Ignore)?;
        }
        let seen = self.seen(frame);
        self.past.restore(&seen, memories, &self.settings)?;
        self.count = count;
        Ok(())
    }

    /// A frame in the size of its result.
    fn seen(&self, frame: &Picture) -> Picture {
        let (width, height) = self.size(frame);
        match (frame.width(), frame.height()) == (width, height) {
            true => frame.clone(),
            false => frame.resized(width, height, Filter::Bicubic),
        }
    }

    /// The size of the result of a frame.
    fn size(&self, frame: &Picture) -> (usize, usize) {
        let scales = self.painters.first.scales(frame);
        let last = scales.last();
        last.map_or((frame.width(), frame.height()), |scale| {
            (scale.width, scale.height)
        })
    }
}

/// What a frame starts from: the past where it is known, elsewhere the frame in the colours of the last result.
fn start(frame: &Picture, reach: &Reach, last: Option<&Picture>) -> Result<Picture> {
    let colored = match last {
        Some(last) => {
            let colors = Colors {
                mode: ColorMode::Content,
                // Where little is unknown, little is seen of it: no need for a finer space.
                space: ColorSpace::Srgb,
                ..Colors::default()
            };
            colors.give(frame, last)
        }
        None => frame.clone(),
    };
    let mut start = colored;
    mix(start.rgb_mut(), reach, |weight| weight);
    Ok(start)
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
fn keep_still(picture: &mut Picture, last: &Picture, reach: &Reach) {
    if picture.rgb().len() != last.rgb().len() {
        return;
    }
    let places = reach.still.len().max(1);
    for (at, (value, before)) in picture.rgb_mut().iter_mut().zip(last.rgb()).enumerate() {
        if reach.still[at % places] {
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
