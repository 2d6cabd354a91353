//! A run in progress: what a step changes, who is told of it, when it is saved, and when it ends.
//!
//! ```text
//! State { parameters, optimizer, step }  ──step──▶  Evaluator { device, network, objective }
//!        │            ▲                               │
//!        │            └── back to the last good ones ─┤ loss or gradient is not a number
//!        ├── Keeper: a checkpoint now and then        │
//!        └── result, enlarged for the next scale      └── losses ─▶ Observer, Report
//! ```
//!
//! A step is judged by the losses and the gradient it was taken along: at once if the device has them, or else when
//! the next step is under way, so that no device waits for its own losses. The parameters before the step are kept
//! until then: that is all that has to be kept, because an optimiser that has swallowed something that is not a number
//! begins anew. The first such step of a run costs it nine tenths of the step size; the second one ends it.

use super::state::{SHORTER, State};
use super::taken::Taken;
use crate::Result;
use crate::checkpoint::{Cuts, Keeper, Notice};
use crate::loss::{Evaluation, Objective};
use crate::observer::{Event, Observer, Scale, Step};
use crate::picture::Picture;
use crate::report::{Cause, Concern, Report, ScaleReport, Setback};
use crate::tiling::NetworkView;
use impasto_compute::{Device, Tensor};
use std::fmt;
use std::ops::ControlFlow;
use std::time::Instant;

/// How many times the loss at the start of a scale is far above it.
const FAR: f64 = 2.0;

/// The share of its first loss below which a run has surely moved pixels.
const FALLEN: f64 = 0.9;
/// The evaluations that a run has before it is judged by that: the losses of good ones may rise at first.
const PATIENCE: usize = 20;

/// The share of a picture's values that may be as dark or bright as they can be, or that of content or styles and so much
/// more.
const MOST: f64 = 0.5;
const MORE: f64 = 0.25;

/// The share of values that are as dark or bright as can be, in eight bits, of what is to be seen.
fn saturated(picture: &Picture) -> f64 {
    let (edge, alpha) = (0.5 / 255.0, picture.alpha());
    let (mut all, mut at_edge) = (0usize, 0usize);
    for (place, &value) in picture.rgb().iter().enumerate() {
        if alpha.is_none_or(|alpha| alpha[place % alpha.len()] > 0.0) {
            all += 1;
            at_edge += usize::from(value <= edge || value >= 1.0 - edge);
        }
    }
    at_edge as f64 / all.max(1) as f64
}

/// What is minimised at one scale.
pub(in crate::method) struct Evaluator<'a> {
    pub(in crate::method) device: &'a dyn Device,
    pub(in crate::method) network: NetworkView<'a>,
    pub(in crate::method) objective: Objective,
    /// Of what losses draw at random.
    pub(in crate::method) seed: u64,
}

impl Evaluator<'_> {
    /// Values and gradient at an image.
    pub(in crate::method) fn evaluate(&self, image: &Tensor) -> Result<Evaluation> {
        let (device, objective) = (self.device, &self.objective);
        Ok(self.network.evaluate(device, objective, image)?)
    }
}

/// A run as the outside sees it: clock, report, checkpoints, observer.
pub(in crate::method) struct Run<'a> {
    pub(in crate::method) scales: &'a [Scale],
    clock: Instant,
    /// Seconds of work before the clock was started, and those of them spent at the scale that the run was at.
    pub(in crate::method) before: (f64, f64),
    pub(in crate::method) report: Report,
    /// How each scale is cut.
    pub(in crate::method) cuts: Vec<Cuts>,
    pub(in crate::method) keeper: Option<Keeper<'a>>,
    observer: &'a mut dyn Observer,
    flow: ControlFlow<()>,
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({:?})", self.scales)
    }
}

/// How the steps of a scale ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::method) enum End {
    /// As they should, or because the observer wanted it.
    Complete,
    /// At this step something was not a number, and nothing could be done about it. The state is the last good one.
    Diverged {
        /// From 1.
        step: usize,
    },
}

/// What is to be done next at a scale.
enum Next {
    /// A further step.
    Step,
    /// The step that waits for it is judged.
    Judge,
    /// Nothing.
    End,
}

impl<'a> Run<'a> {
    pub(in crate::method) fn new(
        scales: &'a [Scale],
        clock: Instant,
        report: Report,
        keeper: Option<Keeper<'a>>,
        observer: &'a mut dyn Observer,
    ) -> Self {
        Self {
            scales,
            clock,
            before: (0.0, 0.0),
            report,
            cuts: vec![],
            keeper,
            observer,
            flow: ControlFlow::Continue(()),
        }
    }

    /// Whether the observer has ended the run.
    pub(in crate::method) fn is_stopped(&self) -> bool {
        self.flow.is_break()
    }

    /// Tells the observer, unless it has ended the run.
    pub(in crate::method) fn notify(&mut self, event: &Event<'_>) {
        if self.flow.is_continue() {
            self.flow = self.observer.on_event(event);
        }
    }

    /// Tells the observer what happened to the checkpoints, even if it has ended the run: its end is when one is saved.
    pub(in crate::method) fn notify_of_checkpoints(&mut self, notices: &[Notice]) {
        for notice in notices {
            let flow = self.observer.on_event(&Event::Checkpoint(notice));
            if self.flow.is_continue() {
                self.flow = flow;
            }
        }
    }

    /// Seconds of work.
    pub(in crate::method) fn seconds(&self) -> f64 {
        self.before.0 + self.clock.elapsed().as_secs_f64()
    }

    /// Share of the work, counted in pixels that steps go over, that is done after a step.
    fn progress(&self, index: usize, step: usize) -> f64 {
        let pixels = |scale: &Scale| (scale.width * scale.height) as f64;
        let work = |scale: &Scale| pixels(scale) * scale.steps as f64;
        let done: f64 = self.scales[..index].iter().map(work).sum();
        let all: f64 = self.scales.iter().map(work).sum();
        (done + pixels(&self.scales[index]) * step as f64) / all
    }

    /// The steps of one scale.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(in crate::method) fn scale(
        &mut self,
        started: Instant,
        evaluator: &mut Evaluator<'_>,
        state: &mut State,
    ) -> Result<End> {
        let device = evaluator.device;
        let terms = evaluator.objective.terms().iter();
        let terms = terms.zip(evaluator.objective.weights());
        self.report.terms = terms
            .map(|(term, weight)| (term.name.clone(), weight))
            .collect();
        let before = std::mem::take(&mut self.before.1);
        let scale_seconds = || before + started.elapsed().as_secs_f64();
        let mut end = End::Complete;
        // A step that waits to be judged.
        let mut waiting: Option<Taken> = None;
        loop {
            let (judged, announced) = match self.next(state, waiting.is_some()) {
                Next::Step => {
                    let mut taken = state.step(evaluator)?;
                    taken.seconds = self.seconds();
                    if taken.has_arrived() && waiting.is_none() {
                        (Some(taken), false)
                    } else {
                        self.announce(evaluator, state, &taken);
                        (waiting.replace(taken), true)
                    }
                }
                Next::Judge => (waiting.take(), true),
                Next::End => break,
            };
            let Some(taken) = judged else {
                continue;
            };
            match taken.report(state.index, &evaluator.objective)? {
                Some(report) => {
                    let loss = report.total;
                    self.report.steps.push(report);
                    if !announced {
                        self.announce(evaluator, state, &taken);
                    }
                    state.note(&taken, loss);
                    let step = taken.step;
                    state.good = taken.before;
                    if self.rescue(device, state, step, loss)? {
                        waiting = None;
                    }
                }
                None => {
                    // What came after it came of it.
                    waiting = None;
                    let step = taken.step;
                    if !self.set_back(device, state, taken)? {
                        end = End::Diverged { step };
                        break;
                    }
                }
            }
            if waiting.is_none() && self.is_due(state) {
                self.save(evaluator, state, scale_seconds())?;
            }
        }
        if self.is_stopped() && end == End::Complete && self.is_worthwhile(state) {
            self.save(evaluator, state, scale_seconds())?;
        }
        self.settle(state);
        let (index, scale, seconds) = (state.index, state.scale, scale_seconds());
        self.report.scales.push(ScaleReport {
            width: scale.width,
            height: scale.height,
            steps: state.step,
            seconds,
        });
        if end == End::Complete {
            self.notify(&Event::ScaleFinished {
                index,
                scale,
                seconds,
            });
        }
        Ok(end)
    }

    fn next(&self, state: &State, waiting: bool) -> Next {
        let further = state.step < state.scale.steps && !self.is_stopped();
        match (further, waiting) {
            // A checkpoint holds no step that waits to be judged.
            (true, true) if self.is_due(state) => Next::Judge,
            (true, _) => Next::Step,
            (false, true) => Next::Judge,
            (false, false) => Next::End,
        }
    }

    /// Tells the observer of a step.
    fn announce(&mut self, evaluator: &Evaluator<'_>, state: &State, taken: &Taken) {
        let scale = state.scale;
        let preview = || {
            let pixels = state.result(evaluator.device)?;
            Ok(Picture::new(scale.width, scale.height, pixels)?)
        };
        let event = Step {
            scale: state.index,
            scales: self.scales.len(),
            plan: scale,
            step: taken.step,
            progress: self.progress(state.index, taken.step),
            seconds: taken.seconds,
            objective: &evaluator.objective,
            values: &taken.values,
            preview: &preview,
        };
        self.notify(&Event::Step(event));
    }

    /// Goes back to the last good parameters. Whether it makes sense to go on from there: not if there are none at this
    /// scale, and not a second time.
    fn set_back(&mut self, device: &dyn Device, state: &mut State, taken: Taken) -> Result<bool> {
        let setback = Setback {
            scale: state.index,
            step: taken.step,
            factor: SHORTER,
            cause: Cause::NotANumber,
        };
        let again = state.undo(device, taken)?;
        if again {
            self.report.steps.pop();
        }
        let mut before = self.report.setbacks.iter();
        if !again || before.any(|setback| setback.cause == Cause::NotANumber) {
            return Ok(false);
        }
        self.report.setbacks.push(setback);
        self.notify(&Event::Setback(setback));
        Ok(true)
    }

    /// Rescues a run whose loss is far above its start, unless it is to go the way of its source whatever comes of it.
    /// Whether it did.
    fn rescue(
        &mut self,
        device: &dyn Device,
        state: &mut State,
        step: usize,
        loss: f64,
    ) -> Result<bool> {
        let patient = step < PATIENCE || step == state.scale.steps;
        if patient || state.rise(loss) <= FAR || self.is_faithful() {
            return Ok(false);
        }
        if !state.rescue(device, step)? {
            return Ok(false);
        }
        let setback = Setback {
            scale: state.index,
            step,
            factor: 1.0,
            cause: Cause::Rose,
        };
        self.report.setbacks.push(setback);
        self.notify(&Event::Setback(setback));
        Ok(true)
    }

    /// At the end of a scale: if its loss is far above its start, the picture of the least loss is the result, which is
    /// told.
    fn settle(&mut self, state: &mut State) {
        let scale = state.index;
        let last = self.report.steps.last().filter(|step| step.scale == scale);
        let (Some(start), Some(end)) = (state.first, last.map(|step| step.total)) else {
            return;
        };
        if state.rise(end) > FAR {
            state.settle();
            let concern = Concern::Rose { scale, start, end };
            self.report.concerns.push(concern);
        }
    }

    fn is_faithful(&self) -> bool {
        self.report.recipe.method.is_faithful()
    }

    fn is_due(&self, state: &State) -> bool {
        let progress = self.progress(state.index, state.step);
        let keeper = self.keeper.as_ref();
        keeper.is_some_and(|keeper| keeper.is_due(self.seconds(), progress))
    }

    fn is_worthwhile(&self, state: &State) -> bool {
        let progress = self.progress(state.index, state.step);
        let keeper = self.keeper.as_ref();
        keeper.is_some_and(|keeper| keeper.is_worthwhile(self.seconds(), progress))
    }

    /// Judges the result as a picture: planes of it, of what the run started from if they are of one size, and of
    /// content and styles.
    pub(in crate::method) fn look_at_result<'p>(
        &mut self,
        result: &Picture,
        first: Option<impl FnOnce() -> Vec<f32>>,
        others: impl Iterator<Item = &'p Picture>,
    ) {
        let usual = others.map(saturated).fold(0.0, f64::max);
        let share = saturated(result);
        if share > MOST.max(usual + MORE) {
            self.report.concerns.push(Concern::Saturated { share });
        }
        // What has found a much smaller loss has moved, and needs no second picture in memory to see it.
        let steps = &self.report.steps;
        let (Some(start), Some(end)) = (steps.first(), steps.last()) else {
            return;
        };
        if end.total < FALLEN * start.total || self.is_stopped() {
            return;
        }
        let moved = |(a, b): (&f32, &f32)| (a - b).abs() >= 0.5 / 255.0;
        let still = |first: Vec<f32>| !result.rgb().iter().zip(&first).any(moved);
        if first.is_some_and(|first| still(first())) {
            self.report.concerns.push(Concern::Unmoved);
        }
    }

    /// The report of a run that ended in a state, and the keeper of its checkpoints.
    pub(in crate::method) fn finish(mut self, state: &State) -> (Report, Option<Keeper<'a>>) {
        self.report.stopped =
            self.report.scales.len() < self.scales.len() || state.step < state.scale.steps;
        self.report.seconds = self.seconds();
        (self.report, self.keeper)
    }
}

#[cfg(test)]
mod tests;
