//! The line search of L-BFGS: a step length that fulfils the strong Wolfe conditions.
//!
//! ```text
//! f(x + t·d) ≤ f(x) + c₁·t·gᵀd        |∇f(x + t·d)ᵀd| ≤ c₂·|gᵀd|        c₁ = 10⁻⁴, c₂ = 0.9
//! ```
//!
//! Lengths grow until a good one is found or bracketed, then the bracket is narrowed; each trial is the minimum of the
//! cubic through values and slopes of two points. Source: Nocedal and Wright 2006, algorithms 3.5 and 3.6, with the
//! limits and the order of tests of PyTorch's strong-Wolfe search. Where that calls a function, this says which length
//! to try next and takes what came of it ([`Search::take`]).

use crate::optim::Parameters;
use impasto_compute::{Device, Result};
use std::sync::Arc;

/// `c₁`.
const SUFFICIENT: f64 = 1e-4;
/// `c₂`.
const CURVATURE: f64 = 0.9;

/// A search in progress.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) origin: Parameters,
    pub(super) start: Trial,
    pub(super) limits: SearchLimits,
    /// Trials after the first.
    pub(super) further: usize,
    /// The length that is being tried.
    pub(super) length: f64,
    pub(super) stage: Stage,
}

/// When a search gives up.
#[derive(Clone, Copy, Debug)]
pub(super) struct SearchLimits {
    /// Trials that may follow the first.
    pub(super) further: usize,
    /// A bracket in which no parameter changes by more is not narrowed.
    pub(super) tolerance: f64,
    /// Greatest magnitude in the direction.
    pub(super) longest: f64,
}

/// A length with what was found there.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) length: f64,
    pub(super) loss: f64,
    pub(super) gradient: Arc<Parameters>,
    /// The gradient along the direction.
    pub(super) slope: f64,
}

#[derive(Debug)]
pub(super) enum Stage {
    /// The trial before the one that is being tried.
    Growing(Trial),
    Narrowing(Bracket),
}

#[derive(Clone, Debug)]
pub(super) struct Bracket {
    pub(super) ends: [Trial; 2],
    /// Index of the end with the lower loss.
    pub(super) low: usize,
    /// Whether the last trial was close to an end.
    pub(super) stuck: bool,
}

/// What follows a trial.
pub(super) enum Next {
    /// Another one, at [`Search::length`].
    Trial,
    /// Nothing: this one is taken.
    Found(Trial),
}

impl Search {
    /// A search from parameters with what is known there, and the first length to try.
    pub(super) fn new(origin: Parameters, start: Trial, length: f64, limits: SearchLimits) -> Self {
        Self {
            origin,
            stage: Stage::Growing(start.clone()),
            start,
            limits,
            further: 0,
            length,
        }
    }

    /// Where it began.
    pub(super) fn origin(&self) -> &Parameters {
        &self.origin
    }

    /// The length that is to be tried.
    pub(super) fn length(&self) -> f64 {
        self.length
    }

    /// Evaluations so far.
    pub(super) fn evaluations(&self) -> usize {
        1 + self.further
    }

    /// Moves parameters to a length along the direction.
    pub(super) fn place(
        &self,
        device: &dyn Device,
        direction: &Parameters,
        length: f64,
        parameters: &mut Parameters,
    ) -> Result<()> {
        parameters.axpby(device, 1.0, &self.origin, 0.0)?;
        parameters.axpby(device, length as f32, direction, 1.0)
    }

    /// Takes loss and gradient of the trial.
    pub(super) fn take(
        &mut self,
        device: &dyn Device,
        direction: &Parameters,
        loss: f64,
        gradient: &Parameters,
    ) -> Result<Next> {
        let trial = Trial {
            length: self.length,
            loss,
            gradient: Arc::new(gradient.copy(device)?),
            slope: gradient.dot(device, direction)?,
        };
        let stage = std::mem::replace(&mut self.stage, Stage::Growing(self.start.clone()));
        Ok(match stage {
            Stage::Growing(previous) => self.grow(previous, trial),
            Stage::Narrowing(bracket) => self.narrow(bracket, trial),
        })
    }

    /// Whether a trial is not low enough for its length.
    fn is_too_high(&self, trial: &Trial) -> bool {
        trial.loss > self.start.loss + SUFFICIENT * trial.length * self.start.slope
    }

    /// Whether the slope at a trial is small enough.
    fn is_flat(&self, trial: &Trial) -> bool {
        trial.slope.abs() <= -CURVATURE * self.start.slope
    }

    fn grow(&mut self, previous: Trial, trial: Trial) -> Next {
        if self.further >= self.limits.further {
            return Next::Found(Bracket::new(self.start.clone(), trial).into_lower());
        }
        let rises = self.further > 1 && trial.loss >= previous.loss;
        if self.is_too_high(&trial) || rises {
            return self.choose(Bracket::new(previous, trial));
        }
        if self.is_flat(&trial) {
            return Next::Found(trial);
        }
        if trial.slope >= 0.0 {
            return self.choose(Bracket::new(previous, trial));
        }
        let least = trial.length + 0.01 * (trial.length - previous.length);
        let bounds = (least, 10.0 * trial.length);
        self.length = minimum_of_cubic(&previous, &trial, bounds);
        self.further += 1;
        self.stage = Stage::Growing(trial);
        Next::Trial
    }

    fn narrow(&mut self, mut bracket: Bracket, trial: Trial) -> Next {
        let low = bracket.low;
        if self.is_too_high(&trial) || trial.loss >= bracket.ends[low].loss {
            bracket.ends[1 - low] = trial;
            bracket.choose_low();
            return self.choose(bracket);
        }
        let done = self.is_flat(&trial);
        let span = bracket.ends[1 - low].length - bracket.ends[low].length;
        if !done && trial.slope * span >= 0.0 {
            bracket.ends[1 - low] = bracket.ends[low].clone();
        }
        bracket.ends[low] = trial;
        match done {
            true => Next::Found(bracket.into_lower()),
            false => self.choose(bracket),
        }
    }

    /// The next trial within a bracket.
    fn choose(&mut self, mut bracket: Bracket) -> Next {
        let [a, b] = &bracket.ends;
        let (least, greatest) = (a.length.min(b.length), a.length.max(b.length));
        let span = greatest - least;
        if self.further >= self.limits.further || span * self.limits.longest < self.limits.tolerance
        {
            return Next::Found(bracket.into_lower());
        }
        let mut length = minimum_of_cubic(a, b, (least, greatest));
        // Twice close to an end, or at it, is no progress: the next trial keeps a tenth of the bracket away from it.
        let margin = 0.1 * span;
        if f64::min(greatest - length, length - least) < margin {
            if bracket.stuck || length >= greatest || length <= least {
                length = match (length - greatest).abs() < (length - least).abs() {
                    true => greatest - margin,
                    false => least + margin,
                };
                bracket.stuck = false;
            } else {
                bracket.stuck = true;
            }
        } else {
            bracket.stuck = false;
        }
        self.length = length;
        self.further += 1;
        self.stage = Stage::Narrowing(bracket);
        Next::Trial
    }
}

impl Bracket {
    fn new(first: Trial, second: Trial) -> Self {
        let mut bracket = Self {
            ends: [first, second],
            low: 0,
            stuck: false,
        };
        bracket.choose_low();
        bracket
    }

    fn choose_low(&mut self) {
        self.low = usize::from(self.ends[0].loss > self.ends[1].loss);
    }

    fn into_lower(self) -> Trial {
        let [first, second] = self.ends;
        if self.low == 0 { first } else { second }
    }
}

/// Where the cubic through values and slopes at two points is least, within bounds; their middle where it has no
/// minimum.
fn minimum_of_cubic(a: &Trial, b: &Trial, (least, greatest): (f64, f64)) -> f64 {
    let (a, b) = if a.length <= b.length { (a, b) } else { (b, a) };
    let d1 = a.slope + b.slope - 3.0 * (a.loss - b.loss) / (a.length - b.length);
    let square = d1 * d1 - a.slope * b.slope;
    if square < 0.0 || square.is_nan() {
        return (least + greatest) / 2.0;
    }
    let d2 = square.sqrt();
    let position =
        b.length - (b.length - a.length) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2));
    position.max(least).min(greatest)
}
