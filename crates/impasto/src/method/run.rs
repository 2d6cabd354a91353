//! A run in progress: what a step changes, what is told of it, and when it ends.
//!
//! ```text
//! State { image, optimizer, step }  ──step──▶  Evaluator { device, network, objective }
//!        │                                            │
//!        └── result, enlarged for the next scale      └── losses ─▶ Observer, Report
//! ```

use crate::loss::{Evaluation, LossValue, Objective};
use crate::observer::{Event, Observer, Scale, Step};
use crate::optim::Optimizer;
use crate::picture::{Filter, Picture, resize_planes};
use crate::recipe::{Keep, Pixels, Recipe};
use crate::report::{Report, ScaleReport, StepReport};
use crate::{Error, Result};
use impasto_compute::{Device, Network, Scalar, Tensor};
use std::fmt;
use std::ops::ControlFlow;
use std::time::Instant;

/// What is minimised at one scale.
#[derive(Clone, Copy)]
pub(super) struct Evaluator<'a> {
    pub(super) device: &'a dyn Device,
    pub(super) network: &'a dyn Network,
    pub(super) objective: &'a Objective,
}

impl Evaluator<'_> {
    /// Values and gradient at an image.
    fn evaluate(&self, image: &Tensor) -> Result<Evaluation> {
        Ok(self.objective.evaluate(self.device, self.network, image)?)
    }
}

/// Everything that a step changes.
#[derive(Debug)]
pub(super) struct State {
    /// Size and steps of the scale it is at.
    pub(super) scale: Scale,
    /// Steps taken at this scale.
    step: usize,
    /// The image that is stepped, `[3, h, w]`, in the units of `pixels`.
    image: Tensor,
    optimizer: Optimizer,
    pixels: Pixels,
    keep: Keep,
    /// The picture to keep so far and the least loss, unless the last picture is kept.
    best: Option<(f64, Tensor)>,
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
            optimizer: Optimizer::new(device, recipe, &shape)?,
            pixels: recipe.pixels,
            keep: recipe.keep,
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
            image: device.upload(&self.pixels.encode(planes), &shape)?,
            optimizer: self.optimizer.rescale(device, &shape)?,
            best: None,
            ..self
        })
    }

    /// The picture so far, `[3, h, w]` in 0..1.
    pub(super) fn result(&self, device: &dyn Device) -> Result<Vec<f32>> {
        let planes = match &self.best {
            Some((_, best)) => device.download(best)?,
            None => self.optimizer.result(device, &self.image)?,
        };
        Ok(self.pixels.decode(planes))
    }

    fn step(&mut self, evaluator: &Evaluator<'_>) -> Result<Evaluation> {
        self.step += 1;
        let Evaluator {
            device, objective, ..
        } = *evaluator;
        let total = |values: &[LossValue]| -> Result<f64> { Ok(objective.total(values)?) };
        let (keep, best) = (self.keep, &mut self.best);
        let mut is_best = false;
        let mut evaluate = |image: &Tensor| -> Result<Evaluation> {
            let evaluation = evaluator.evaluate(image)?;
            if keep != Keep::Last {
                let loss = total(&evaluation.values)?;
                is_best = best.as_ref().is_none_or(|(least, _)| loss < *least);
                if is_best {
                    *best = Some((loss, device.copy(image)?));
                }
            }
            Ok(evaluation)
        };
        let evaluation = self
            .optimizer
            .step(device, &mut self.image, &mut evaluate, &total)?;
        if let (true, Keep::AfterBest, Some((_, image))) = (is_best, keep, &mut self.best) {
            *image = device.copy(&self.image)?;
        }
        Ok(evaluation)
    }
}

/// A run as the outside sees it: clock, report, observer.
pub(super) struct Run<'a> {
    scales: &'a [Scale],
    clock: Instant,
    report: Report,
    observer: &'a mut dyn Observer,
    flow: ControlFlow<()>,
    /// Pixels that steps have gone over, and those that all steps will.
    done: f64,
    work: f64,
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Run({} of {} pixels)", self.done, self.work)
    }
}

/// What a step left, not yet fetched from the device.
struct Taken {
    values: Vec<LossValue>,
    /// L1 norm of the gradient.
    norm: Scalar,
    seconds: f64,
}

impl<'a> Run<'a> {
    pub(super) fn new(scales: &'a [Scale], report: Report, observer: &'a mut dyn Observer) -> Self {
        Self {
            scales,
            clock: Instant::now(),
            report,
            observer,
            flow: ControlFlow::Continue(()),
            done: 0.0,
            work: scales
                .iter()
                .map(|&scale| pixels(scale) * scale.steps as f64)
                .sum(),
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

    /// The steps of one scale.
    ///
    /// # Errors
    /// [`Error::Diverged`]; whatever the device reports.
    pub(super) fn scale(
        &mut self,
        index: usize,
        started: Instant,
        evaluator: &Evaluator<'_>,
        state: &mut State,
    ) -> Result<()> {
        let scale = state.scale;
        let Evaluator {
            device, objective, ..
        } = *evaluator;
        self.report.terms = objective
            .terms()
            .iter()
            .map(|term| (term.name.clone(), term.weight))
            .collect();
        let first = state.step;
        let mut history = Vec::with_capacity(scale.steps - first);
        while state.step < scale.steps {
            let evaluation = state.step(evaluator)?;
            self.done += pixels(scale);
            let event = Step {
                scale: index,
                scales: self.scales.len(),
                plan: scale,
                step: state.step,
                progress: self.done / self.work,
                seconds: self.clock.elapsed().as_secs_f64(),
                objective,
                values: &evaluation.values,
                preview: &|| {
                    Ok(Picture::new(
                        scale.width,
                        scale.height,
                        state.result(device)?,
                    )?)
                },
            };
            self.tell(&Event::Step(event));
            history.push(Taken {
                norm: device.sum_abs(&evaluation.gradient)?,
                values: evaluation.values,
                seconds: self.clock.elapsed().as_secs_f64(),
            });
            if self.is_stopped() {
                break;
            }
        }
        for (step, taken) in (first + 1..).zip(&history) {
            self.note(index, scale, step, objective, taken)?;
        }
        let seconds = started.elapsed().as_secs_f64();
        self.report.scales.push(ScaleReport {
            width: scale.width,
            height: scale.height,
            steps: state.step,
            seconds,
        });
        self.tell(&Event::ScaleFinished {
            index,
            scale,
            seconds,
        });
        Ok(())
    }

    /// Writes a step into the report.
    fn note(
        &mut self,
        index: usize,
        scale: Scale,
        step: usize,
        objective: &Objective,
        taken: &Taken,
    ) -> Result<()> {
        let terms = taken
            .values
            .iter()
            .map(|value| Ok(value.value()?))
            .collect::<Result<Vec<f64>>>()?;
        let total = objective.total(&taken.values)?;
        if !(total.is_finite() && taken.norm.value()?.is_finite()) {
            return Err(Error::Diverged {
                width: scale.width,
                height: scale.height,
                step,
            });
        }
        self.report.steps.push(StepReport {
            scale: index,
            step,
            total,
            terms,
            seconds: taken.seconds,
        });
        Ok(())
    }

    /// The report of a run that ended in a state.
    pub(super) fn finish(mut self, state: &State) -> Report {
        self.report.stopped =
            self.report.scales.len() < self.scales.len() || state.step < state.scale.steps;
        self.report.seconds = self.clock.elapsed().as_secs_f64();
        self.report
    }
}

/// What a step at a scale goes over.
fn pixels(scale: Scale) -> f64 {
    (scale.width * scale.height) as f64
}
