//! A run in progress: what a step changes, what is told of it, when it is saved, and when it ends.
//!
//! ```text
//! State { image, optimizer, step }  ──step──▶  Evaluator { device, network, objective }
//!        │            ▲                               │
//!        │            └── back to the last good image ┤ loss or gradient is not a number
//!        ├── Keeper: a checkpoint now and then        │
//!        └── result, enlarged for the next scale      └── losses ─▶ Observer, Report
//! ```
//!
//! A step is judged by the losses and the gradient it was taken along. They are looked at at once if the device has
//! them, or else when the next step is under way, so that no device waits for its own losses. The image before the
//! step is kept until then: that is all that has to be kept, because an optimiser that has swallowed something that
//! is not a number begins anew. The first such step of a run costs it nine tenths of the step size; the second one
//! ends it.

use crate::Result;
use crate::checkpoint::{Cuts, Header, Keeper, Notice, Past, Place, Saved};
use crate::loss::{Evaluation, LossValue, Objective};
use crate::observer::{Event, Observer, Scale, Step};
use crate::optim::{Optimizer, Parts, Unfit};
use crate::picture::{Filter, Picture, resize_planes};
use crate::recipe::{Keep, Recipe};
use crate::report::{Report, ScaleReport, Setback, StepReport};
use crate::tiling::Eye;
use impasto_compute::{Device, Scalar, Tensor};
use std::fmt;
use std::ops::ControlFlow;
use std::time::Instant;

/// What steps are multiplied by after a setback.
const SHORTER: f32 = 0.1;
/// Names of tensors in a checkpoint; those of the optimiser follow the last one.
const IMAGE: &str = "image";
const GOOD: &str = "good";
const BEST: &str = "best";
const OPTIMIZER: &str = "optimizer.";

/// What is minimised at one scale.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'a> {
    pub(super) device: &'a dyn Device,
    pub(super) network: Eye<'a>,
    pub(super) objective: &'a Objective,
}

impl Evaluator<'_> {
    /// Values and gradient at an image.
    fn evaluate(&self, image: &Tensor) -> Result<Evaluation> {
        Ok(self.network.evaluate(self.device, self.objective, image)?)
    }
}

/// Everything that a step changes.
#[derive(Debug)]
pub(super) struct State {
    /// Size and steps of the scale it is at.
    pub(super) scale: Scale,
    /// Steps taken at this scale.
    pub(super) step: usize,
    /// The image that is stepped, `[3, h, w]`, in the units of the recipe's pixels.
    image: Tensor,
    /// The last image before it whose losses and gradient are numbers.
    good: Option<Tensor>,
    /// The recipe, with shorter steps after a setback.
    recipe: Recipe,
    optimizer: Optimizer,
    /// The picture to keep so far, unless the last picture is kept.
    best: Option<Best>,
}

/// The image with the least loss at a scale, or the one after it.
#[derive(Debug)]
struct Best {
    loss: f64,
    /// The step that evaluated it.
    step: usize,
    image: Tensor,
}

/// What a step left, perhaps not yet on the host.
pub(super) struct Taken {
    step: usize,
    pub(super) values: Vec<LossValue>,
    /// L1 norm of the gradient.
    norm: Scalar,
    /// The image before the step, where values and gradient were taken.
    before: Option<Tensor>,
    seconds: f64,
}

impl Taken {
    /// Whether asking for the values waits for nothing.
    fn has_arrived(&self) -> bool {
        let mut parts = self.values.iter().flat_map(LossValue::scalars);
        let ready = |scalar: &Scalar| matches!(scalar, Scalar::Ready(_));
        ready(&self.norm) && parts.all(ready)
    }

    /// What the report says of it; `None` if something is not a number.
    fn report(&self, scale: usize, objective: &Objective) -> Result<Option<StepReport>> {
        let terms = self.values.iter().map(|value| Ok(value.value()?));
        let terms = terms.collect::<Result<Vec<f64>>>()?;
        let total = objective.total(&self.values)?;
        let sound = total.is_finite() && self.norm.value()?.is_finite();
        Ok(sound.then_some(StepReport {
            scale,
            step: self.step,
            total,
            terms,
            seconds: self.seconds,
        }))
    }
}

impl State {
    /// The start of a run, from planes `[3, h, w]` in 0..1 of its first scale.
    pub(super) fn new(
        device: &dyn Device,
        recipe: &Recipe,
        planes: Vec<f32>,
        scale: Scale,
    ) -> Result<Self> {
        let shape = [3, scale.height, scale.width];
        Ok(Self {
            scale,
            step: 0,
            image: device.upload(&recipe.pixels.encode(planes), &shape)?,
            good: None,
            recipe: recipe.clone(),
            optimizer: Optimizer::new(device, recipe, &shape)?,
            best: None,
        })
    }

    /// The start of the next scale, from the result of this one.
    pub(super) fn enlarged(self, device: &dyn Device, scale: Scale) -> Result<Self> {
        let shape = [3, scale.height, scale.width];
        let mut planes = resize_planes(
            &self.result(device)?,
            3,
            (self.scale.height, self.scale.width),
            (scale.height, scale.width),
            Filter::BicubicPlain,
        );
        planes.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
        Ok(Self {
            scale,
            step: 0,
            image: device.upload(&self.recipe.pixels.encode(planes), &shape)?,
            good: None,
            optimizer: self.optimizer.rescale(device, &shape)?,
            best: None,
            ..self
        })
    }

    /// The picture so far, `[3, h, w]` in 0..1.
    pub(super) fn result(&self, device: &dyn Device) -> Result<Vec<f32>> {
        let planes = match &self.best {
            Some(best) => device.download(&best.image)?,
            None => self.optimizer.result(device, &self.image)?,
        };
        Ok(self.recipe.pixels.decode(planes))
    }

    pub(super) fn step(&mut self, evaluator: &Evaluator<'_>) -> Result<Taken> {
        let Evaluator {
            device, objective, ..
        } = *evaluator;
        self.step += 1;
        let total = |values: &[LossValue]| -> Result<f64> { Ok(objective.total(values)?) };
        let (keep, step, best) = (self.recipe.keep, self.step, &mut self.best);
        let (mut is_best, mut before) = (false, None);
        let mut evaluate = |image: &Tensor| -> Result<Evaluation> {
            let evaluation = evaluator.evaluate(image)?;
            // Not earlier: it is amid an evaluation that memory is scarce.
            before = Some(device.copy(image)?);
            if keep != Keep::Last {
                let loss = total(&evaluation.values)?;
                is_best = loss.is_finite() && best.as_ref().is_none_or(|best| loss < best.loss);
                if is_best {
                    let image = device.copy(image)?;
                    *best = Some(Best { loss, step, image });
                }
            }
            Ok(evaluation)
        };
        let evaluation = self
            .optimizer
            .step(device, &mut self.image, &mut evaluate, &total)?;
        if let (true, Keep::AfterBest, Some(best)) = (is_best, keep, &mut self.best) {
            best.image = device.copy(&self.image)?;
        }
        Ok(Taken {
            step: self.step,
            norm: device.sum_abs(&evaluation.gradient)?,
            values: evaluation.values,
            before,
            seconds: 0.0,
        })
    }

    /// Undoes a step that was taken along something that is not a number, and the one that led to it, if there was
    /// one at this scale: then there is another way, in shorter steps.
    fn undo(&mut self, device: &dyn Device, taken: Taken) -> Result<bool> {
        let back = self.good.take();
        let again = back.is_some();
        self.step = taken.step - 1 - usize::from(again);
        if let Some(image) = back.or(taken.before) {
            self.image = image;
        }
        if again {
            self.recipe.optimizer = self.recipe.optimizer.shortened(SHORTER);
        }
        self.optimizer = Optimizer::new(device, &self.recipe, self.image.shape())?;
        self.best = self.best.take().filter(|best| best.step <= self.step);
        Ok(again)
    }

    /// All tensors with the names that they have in a checkpoint, and the numbers of the optimiser.
    fn parts(&self) -> Parts<&Tensor> {
        let Parts { numbers, tensors } = self.optimizer.parts();
        let named = |(name, tensor)| (format!("{OPTIMIZER}{name}"), tensor);
        let mut all = Parts {
            numbers,
            tensors: tensors.into_iter().map(named).collect(),
        };
        all.put_tensor(IMAGE, &self.image);
        if let Some(good) = &self.good {
            all.put_tensor(GOOD, good);
        }
        if let Some(best) = &self.best {
            all.put_tensor(BEST, &best.image);
            all.put(BEST, best.loss);
            all.put(format!("{BEST}.step"), best.step as f64);
        }
        all
    }

    /// The state that a checkpoint holds.
    fn restore(
        device: &dyn Device,
        recipe: Recipe,
        scale: Scale,
        saved: &mut Saved,
    ) -> Result<Self> {
        let step = saved.header.place.step;
        let (mut parts, mut own) = (Parts::default(), Parts::default());
        for (name, bits) in &saved.header.numbers {
            let parts = if name.starts_with(BEST) {
                &mut own
            } else {
                &mut parts
            };
            parts.put(name, f64::from_bits(*bits));
        }
        for (index, (name, shape)) in saved.header.tensors.clone().into_iter().enumerate() {
            let tensor = device.upload(&saved.values(index)?, &shape)?;
            match name.strip_prefix(OPTIMIZER) {
                Some(name) => parts.put_tensor(name, tensor),
                None => own.put_tensor(name, tensor),
            }
        }
        let shape = [3, scale.height, scale.width];
        let state = || -> Result<Self, Unfit> {
            let mut optional = |name: &str| match own.tensors.contains_key(name) {
                true => own.take(name, &shape).map(Some),
                false => Ok(None),
            };
            let (good, best) = (optional(GOOD)?, optional(BEST)?);
            let best = match best {
                None => None,
                Some(image) => Some(Best {
                    loss: own.number(BEST)?,
                    step: own.count(&format!("{BEST}.step"))?,
                    image,
                }),
            };
            Ok(Self {
                scale,
                step,
                image: own.take(IMAGE, &shape)?,
                good,
                optimizer: Optimizer::restore(&recipe, &shape, parts)?,
                recipe,
                best,
            })
        };
        Ok(state().map_err(|error| saved.damaged(error.to_string()))?)
    }
}

/// A run as the outside sees it: clock, report, checkpoints, observer.
pub(super) struct Run<'a> {
    scales: &'a [Scale],
    clock: Instant,
    /// Seconds of work before the clock was started, and those of them spent at the scale that the run was at.
    before: (f64, f64),
    report: Report,
    /// How each scale is cut.
    pub(super) cuts: Vec<Cuts>,
    keeper: Option<Keeper<'a>>,
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
pub(super) enum End {
    /// As they should, or because the observer wanted it.
    Well,
    /// At this step something was not a number, and nothing could be done about it. The state is the last good one.
    Astray(usize),
}

impl<'a> Run<'a> {
    pub(super) fn new(
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
    pub(super) fn is_stopped(&self) -> bool {
        self.flow.is_break()
    }

    /// Tells the observer, unless it has ended the run.
    pub(super) fn tell(&mut self, event: &Event<'_>) {
        if self.flow.is_continue() {
            self.flow = self.observer.on_event(event);
        }
    }

    /// Tells the observer what happened to the checkpoints, even if it has ended the run: its end is when one is saved.
    pub(super) fn tell_all(&mut self, notices: &[Notice]) {
        for notice in notices {
            let flow = self.observer.on_event(&Event::Checkpoint(notice));
            if self.flow.is_continue() {
                self.flow = flow;
            }
        }
    }

    /// Goes on from a checkpoint: the index of its scale, and the state there.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] if it contradicts the schedule or itself; whatever the device reports.
    pub(super) fn resume(
        &mut self,
        device: &dyn Device,
        recipe: &Recipe,
        mut saved: Saved,
    ) -> Result<(usize, State)> {
        let Header { place, past, .. } = &saved.header;
        let scale = self.scales.get(place.scale).copied();
        let scale = scale.filter(|scale| place.step <= scale.steps);
        let (Some(scale), true) = (scale, past.scales.len() == place.scale) else {
            return Err(saved.damaged("its place is not in the schedule").into());
        };
        let index = place.scale;
        let past = std::mem::take(&mut saved.header.past);
        let mut recipe = recipe.clone();
        if !past.setbacks.is_empty() {
            recipe.optimizer = recipe.optimizer.shortened(SHORTER);
        }
        let state = State::restore(device, recipe, scale, &mut saved)?;
        self.before = (past.seconds, past.scale_seconds);
        self.report.scales = past.scales;
        self.report.steps = past.steps;
        self.report.setbacks = past.setbacks;
        Ok((index, state))
    }

    /// Seconds of work.
    fn seconds(&self) -> f64 {
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
    pub(super) fn scale(
        &mut self,
        index: usize,
        started: Instant,
        evaluator: &Evaluator<'_>,
        state: &mut State,
    ) -> Result<End> {
        let Evaluator {
            device, objective, ..
        } = *evaluator;
        let scale = state.scale;
        self.report.terms = objective
            .terms()
            .iter()
            .map(|term| (term.name.clone(), term.weight))
            .collect();
        let before = std::mem::take(&mut self.before.1);
        let scale_seconds = || before + started.elapsed().as_secs_f64();
        let mut end = End::Well;
        // A step that waits to be judged.
        let mut late: Option<Taken> = None;
        loop {
            let due = self.is_due(index, state);
            let going_on = state.step < scale.steps && !self.is_stopped();
            let (judged, told) = if going_on && !(due && late.is_some()) {
                let mut taken = state.step(evaluator)?;
                taken.seconds = self.seconds();
                if taken.has_arrived() && late.is_none() {
                    (taken, false)
                } else {
                    self.tell_step(index, objective, device, state, &taken);
                    match late.replace(taken) {
                        Some(taken) => (taken, true),
                        None => continue,
                    }
                }
            } else {
                match late.take() {
                    Some(taken) => (taken, true),
                    None => break,
                }
            };
            match judged.report(index, objective)? {
                Some(report) => {
                    self.report.steps.push(report);
                    if !told {
                        self.tell_step(index, objective, device, state, &judged);
                    }
                    state.good = judged.before;
                }
                None => {
                    late = None;
                    let step = judged.step;
                    if !self.set_back(index, device, state, judged)? {
                        end = End::Astray(step);
                        break;
                    }
                }
            }
            if late.is_none() && self.is_due(index, state) {
                self.save(index, device, state, scale_seconds())?;
            }
        }
        if self.is_stopped() && end == End::Well && self.is_worthwhile(index, state) {
            self.save(index, device, state, scale_seconds())?;
        }
        let seconds = scale_seconds();
        self.report.scales.push(ScaleReport {
            width: scale.width,
            height: scale.height,
            steps: state.step,
            seconds,
        });
        if end == End::Well {
            self.tell(&Event::ScaleFinished {
                index,
                scale,
                seconds,
            });
        }
        Ok(end)
    }

    fn tell_step(
        &mut self,
        index: usize,
        objective: &Objective,
        device: &dyn Device,
        state: &State,
        taken: &Taken,
    ) {
        let scale = state.scale;
        let preview = || {
            let pixels = state.result(device)?;
            Ok(Picture::new(scale.width, scale.height, pixels)?)
        };
        let event = Step {
            scale: index,
            scales: self.scales.len(),
            plan: scale,
            step: taken.step,
            progress: self.progress(index, taken.step),
            seconds: taken.seconds,
            objective,
            values: &taken.values,
            preview: &preview,
        };
        self.tell(&Event::Step(event));
    }

    /// Goes back to the last good image. Whether it makes sense to go on from there: not if there is none at this
    /// scale, and not a second time.
    fn set_back(
        &mut self,
        index: usize,
        device: &dyn Device,
        state: &mut State,
        taken: Taken,
    ) -> Result<bool> {
        let setback = Setback {
            scale: index,
            step: taken.step,
            factor: SHORTER,
        };
        let again = state.undo(device, taken)?;
        if again {
            self.report.steps.pop();
        }
        if !again || !self.report.setbacks.is_empty() {
            return Ok(false);
        }
        self.report.setbacks.push(setback);
        self.tell(&Event::Setback(setback));
        Ok(true)
    }

    fn is_due(&self, index: usize, state: &State) -> bool {
        let progress = self.progress(index, state.step);
        let keeper = self.keeper.as_ref();
        keeper.is_some_and(|keeper| keeper.is_due(self.seconds(), progress))
    }

    fn is_worthwhile(&self, index: usize, state: &State) -> bool {
        let progress = self.progress(index, state.step);
        let keeper = self.keeper.as_ref();
        keeper.is_some_and(|keeper| keeper.is_worthwhile(self.seconds(), progress))
    }

    /// Saves a checkpoint.
    fn save(
        &mut self,
        index: usize,
        device: &dyn Device,
        state: &State,
        scale_seconds: f64,
    ) -> Result<()> {
        let seconds = self.seconds();
        let Some(keeper) = &mut self.keeper else {
            return Ok(());
        };
        let Parts { numbers, tensors } = state.parts();
        let tensors: Vec<_> = tensors.into_iter().collect();
        let shape = |(name, tensor): &(String, &Tensor)| (name.clone(), tensor.shape().to_vec());
        let header = Header {
            job: keeper.identity().clone(),
            place: Place {
                scale: index,
                step: state.step,
            },
            past: Past {
                scales: self.report.scales.clone(),
                steps: self.report.steps.clone(),
                setbacks: self.report.setbacks.clone(),
                seconds,
                scale_seconds,
            },
            cuts: self.cuts.clone(),
            numbers: numbers
                .into_iter()
                .map(|(name, number)| (name, number.to_bits()))
                .collect(),
            tensors: tensors.iter().map(shape).collect(),
        };
        let notices = keeper.save(&header, &mut |index| Ok(device.download(tensors[index].1)?))?;
        self.tell_all(&notices);
        Ok(())
    }

    /// The report of a run that ended in a state, and the keeper of its checkpoints.
    pub(super) fn finish(mut self, state: &State) -> (Report, Option<Keeper<'a>>) {
        self.report.stopped =
            self.report.scales.len() < self.scales.len() || state.step < state.scale.steps;
        self.report.seconds = self.seconds();
        (self.report, self.keeper)
    }
}

#[cfg(test)]
mod tests;
