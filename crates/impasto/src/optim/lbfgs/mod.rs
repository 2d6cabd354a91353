//! L-BFGS: Newton's step with an inverse Hessian made of the last pairs of steps and gradient differences.
//!
//! ```text
//! s = t·d    y = g − g₋    ρ = 1/yᵀs    H₀ = yᵀs/yᵀy · I       pairs with yᵀs ≤ 10⁻¹⁰ are not kept
//! d = −H·g   by the two loops over the pairs                    x ← x + t·d
//! t = lr, of the very first step lr·min(1, 1/|g|₁);  or what the line search finds
//! ```
//!
//! Source: Nocedal 1980; Liu and Nocedal 1989; the details, down to when evaluations are counted, are those of
//! `torch.optim.LBFGS`, which is Schmidt's minFunc. PyTorch calls a closure in the middle of its loop; here the loop
//! is turned inside out: the caller evaluates at the parameters, [`Lbfgs::step`] takes loss and gradient and moves
//! them to where the next evaluation is wanted. So every evaluation is a step like those of any other optimiser:
//! it can be seen, the run can end after it.
//!
//! An outer step is what one call of PyTorch's `step` does: it evaluates at the parameters as it finds them, even if that
//! was just done, and ends after `max_iter` iterations, `max_eval` evaluations or where a tolerance is met. What is
//! remembered lasts over outer steps. At a new scale L-BFGS starts afresh: its pairs belong to the old size.

mod parts;
mod search;

use crate::optim::Parameters;
use crate::recipe::{LbfgsSettings, LineSearch};
use impasto_compute::{Device, Result};
use search::{Next, Search, SearchLimits, Trial};
use std::collections::VecDeque;
use std::sync::Arc;

/// Pairs of less curvature than this are not kept.
const LEAST_CURVATURE: f64 = 1e-10;

/// The state of L-BFGS.
#[derive(Debug)]
pub struct Lbfgs {
    settings: LbfgsSettings,
    /// The greatest change of any value in one iteration, if it is limited.
    longest: Option<f64>,
    memory: Memory,
    /// Iterations and evaluations of this outer step.
    iterations: usize,
    evaluations: usize,
    phase: Phase,
}

/// What lasts over outer steps.
#[derive(Debug, Default)]
struct Memory {
    /// Iterations since the start.
    iterations: u64,
    pairs: VecDeque<Pair>,
    /// `H₀`.
    scale: f64,
    /// The last direction, the step along it, and the gradient before it.
    last: Option<Last>,
}

/// A step and what it did to the gradient.
#[derive(Debug)]
struct Pair {
    step: Parameters,
    change: Parameters,
    /// `1/yᵀs`.
    rho: f64,
}

#[derive(Debug)]
struct Last {
    direction: Parameters,
    length: f64,
    gradient: Parameters,
    /// The loss before the step.
    loss: f64,
}

/// What the next evaluation is.
#[derive(Debug)]
enum Phase {
    /// The first of an outer step.
    Start,
    /// That behind a step of fixed length.
    Moved,
    /// A trial of the line search.
    Trial(Box<Search>),
}

/// Loss and gradient at the parameters.
struct Point {
    loss: f64,
    gradient: Parameters,
}

impl Lbfgs {
    /// A fresh state.
    pub fn new(settings: LbfgsSettings) -> Self {
        Self {
            settings,
            longest: None,
            memory: Memory::default(),
            iterations: 0,
            evaluations: 0,
            phase: Phase::Start,
        }
    }

    /// The same with a limit on how much any value changes in one iteration: its steps are shortened to that. Without a
    /// pair of enough curvature, a direction is the gradient at full length, however long that is.
    pub fn limited(self, longest: Option<f64>) -> Self {
        Self { longest, ..self }
    }

    /// A fresh state of the same settings.
    pub fn restart(&self) -> Self {
        Self::new(self.settings).limited(self.longest)
    }

    /// Bytes that it keeps for so many values, once its history is full, the gradient included.
    pub fn bytes(settings: &LbfgsSettings, values: usize) -> usize {
        let search = match settings.line_search {
            LineSearch::None => 0,
            LineSearch::StrongWolfe => 4,
        };
        (2 * settings.history + 3 + search)
            .saturating_mul(values)
            .saturating_mul(size_of::<f32>())
    }

    /// Takes loss and gradient at the parameters, and moves them to where they are wanted next.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn step(
        &mut self,
        device: &dyn Device,
        parameters: &mut Parameters,
        loss: f64,
        gradient: &Parameters,
    ) -> Result<()> {
        let point = || -> Result<Point> {
            let gradient = gradient.copy(device)?;
            Ok(Point { loss, gradient })
        };
        match std::mem::replace(&mut self.phase, Phase::Start) {
            Phase::Start => {
                (self.iterations, self.evaluations) = (0, 1);
                if self.is_optimal(device, gradient)? {
                    return Ok(());
                }
                self.iterate(device, parameters, point()?)
            }
            Phase::Moved => {
                self.evaluations += 1;
                match self.ends(device, loss, gradient)? {
                    true => Ok(()),
                    false => self.iterate(device, parameters, point()?),
                }
            }
            Phase::Trial(mut search) => {
                let Some(last) = &mut self.memory.last else {
                    return Ok(());
                };
                let next = search.take(device, &last.direction, loss, gradient)?;
                let Next::Found(found) = next else {
                    search.place(device, &last.direction, search.length(), parameters)?;
                    self.phase = Phase::Trial(search);
                    return Ok(());
                };
                self.evaluations += search.evaluations();
                search.place(device, &last.direction, found.length, parameters)?;
                last.length = found.length;
                match self.ends(device, found.loss, &found.gradient)? {
                    true => Ok(()),
                    false => {
                        let gradient = found.gradient.copy(device)?;
                        let loss = found.loss;
                        self.iterate(device, parameters, Point { loss, gradient })
                    }
                }
            }
        }
    }

    /// The parameters as the last complete iteration left them: these, or, amid a line search, where that began.
    pub fn settled<'a>(&'a self, parameters: &'a Parameters) -> &'a Parameters {
        match &self.phase {
            Phase::Trial(search) => search.origin(),
            Phase::Start | Phase::Moved => parameters,
        }
    }

    fn is_optimal(&self, device: &dyn Device, gradient: &Parameters) -> Result<bool> {
        Ok(gradient.max_abs(device)? <= self.settings.tolerance_grad)
    }

    /// Whether an outer step ends after an iteration that led to a loss and gradient.
    fn ends(&self, device: &dyn Device, loss: f64, gradient: &Parameters) -> Result<bool> {
        if self.iterations >= self.settings.max_iter
            || self.evaluations >= self.settings.evaluations()
            || self.is_optimal(device, gradient)?
        {
            return Ok(true);
        }
        let Some(last) = &self.memory.last else {
            return Ok(false);
        };
        let change = self.settings.tolerance_change;
        let longest = last.direction.max_abs(device)? * last.length.abs();
        Ok(longest <= change || (loss - last.loss).abs() < change)
    }

    /// One iteration up to its first evaluation: finds the direction and moves along it.
    fn iterate(
        &mut self,
        device: &dyn Device,
        parameters: &mut Parameters,
        at: Point,
    ) -> Result<()> {
        self.iterations += 1;
        self.memory.iterations += 1;
        let first = self.memory.iterations == 1;
        let direction = self
            .memory
            .direction(device, &at.gradient, self.settings.history)?;
        let rate = f64::from(self.settings.learning_rate);
        let length = match first {
            true => rate * f64::min(1.0, 1.0 / at.gradient.sum_abs(device)?),
            false => rate,
        };
        let length = match self.longest {
            Some(longest) => length.min(longest / direction.max_abs(device)?),
            None => length,
        };
        let slope = at.gradient.dot(device, &direction)?;
        let last = self.memory.last.insert(Last {
            direction,
            length,
            gradient: at.gradient,
            loss: at.loss,
        });
        if slope > -self.settings.tolerance_change {
            return Ok(());
        }
        match self.settings.line_search {
            LineSearch::None => {
                parameters.axpby(device, length as f32, &last.direction, 1.0)?;
                // An outer step does not evaluate behind its last iteration; the next one does.
                if self.iterations != self.settings.max_iter {
                    self.phase = Phase::Moved;
                }
            }
            LineSearch::StrongWolfe => {
                let limits = SearchLimits {
                    further: self.settings.evaluations().saturating_sub(self.evaluations),
                    tolerance: self.settings.tolerance_change,
                    longest: last.direction.max_abs(device)?,
                };
                let start = Trial {
                    length: 0.0,
                    loss: last.loss,
                    gradient: Arc::new(last.gradient.copy(device)?),
                    slope,
                };
                let search = Search::new(parameters.copy(device)?, start, length, limits);
                search.place(device, &last.direction, length, parameters)?;
                self.phase = Phase::Trial(Box::new(search));
            }
        }
        Ok(())
    }
}

impl Memory {
    /// The direction at a gradient; remembers what the last step did to it.
    fn direction(
        &mut self,
        device: &dyn Device,
        gradient: &Parameters,
        history: usize,
    ) -> Result<Parameters> {
        let mut q = gradient.copy(device)?;
        let Some(last) = self.last.take() else {
            q.axpby(device, 0.0, gradient, -1.0)?;
            self.scale = 1.0;
            return Ok(q);
        };
        let Last {
            direction: mut step,
            length,
            gradient: mut change,
            ..
        } = last;
        change.axpby(device, 1.0, gradient, -1.0)?;
        step.axpby(device, 0.0, gradient, length as f32)?;
        let curvature = change.dot(device, &step)?;
        if curvature > LEAST_CURVATURE {
            while self.pairs.len() >= history.max(1) {
                self.pairs.pop_front();
            }
            self.scale = curvature / change.dot(device, &change)?;
            let rho = 1.0 / curvature;
            self.pairs.push_back(Pair { step, change, rho });
        }
        q.axpby(device, 0.0, gradient, -1.0)?;
        let mut alphas = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let alpha = pair.step.dot(device, &q)? * pair.rho;
            q.axpby(device, -alpha as f32, &pair.change, 1.0)?;
            alphas.push(alpha);
        }
        q.axpby(device, 0.0, gradient, self.scale as f32)?;
        for (pair, alpha) in self.pairs.iter().zip(alphas.iter().rev()) {
            let beta = pair.change.dot(device, &q)? * pair.rho;
            q.axpby(device, (alpha - beta) as f32, &pair.step, 1.0)?;
        }
        Ok(q)
    }
}

#[cfg(test)]
mod tests;
