//! The one callback through which progress, previews and cancelling travel.

use crate::checkpoint::Notice;
use crate::loss::{LossValue, Objective};
use crate::picture::Picture;
use crate::report::Setback;
use crate::{Error, Result};
use std::fmt;
use std::ops::ControlFlow;

/// Watches a run, and may end it.
///
/// Any `FnMut(&Event) -> ControlFlow<()>` is an observer. It is called from the thread that runs the job, after
/// each thing it is told of; [`ControlFlow::Break`] ends the run there, which is a success with a shorter history.
pub trait Observer {
    /// Is told what happened; says whether to go on.
    fn on_event(&mut self, event: &Event<'_>) -> ControlFlow<()>;
}

impl<F: FnMut(&Event<'_>) -> ControlFlow<()>> Observer for F {
    fn on_event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        self(event)
    }
}

/// Goes on without looking.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ignore;

impl Observer for Ignore {
    fn on_event(&mut self, _: &Event<'_>) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// One size of a coarse-to-fine run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// Width of the picture in pixels.
    pub width: usize,
    /// Height of the picture in pixels.
    pub height: usize,
    /// Steps.
    pub steps: usize,
}

/// What happens in a run, in this order: `Started`, then for each scale `ScaleStarted`, `Step`s, `ScaleFinished`; a
/// `Setback` instead of a step, `Checkpoint` between any two of them.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The job is valid, work begins.
    Started {
        /// The scales to come.
        scales: &'a [Scale],
    },
    /// A scale begins; its targets are computed next.
    ScaleStarted {
        /// Its index.
        index: usize,
        /// The scale.
        scale: Scale,
    },
    /// A step was taken.
    Step(Step<'a>),
    /// Loss or gradient was not a number, or the loss far above its start: the run went back and goes on in shorter steps.
    Setback(Setback),
    /// Something happened to the run's checkpoints.
    Checkpoint(&'a Notice),
    /// A scale is done.
    ScaleFinished {
        /// Its index.
        index: usize,
        /// The scale.
        scale: Scale,
        /// Wall-clock seconds spent on it.
        seconds: f64,
    },
}

/// A step that was taken.
pub struct Step<'a> {
    /// Index of the scale.
    pub scale: usize,
    /// Number of scales.
    pub scales: usize,
    /// Size and steps of the scale.
    pub plan: Scale,
    /// The step, from 1.
    pub step: usize,
    /// Share of the whole run's work that is done, 0..1, counted in pixels.
    pub progress: f64,
    /// Wall-clock seconds since the run started.
    pub seconds: f64,
    pub(crate) objective: &'a Objective,
    pub(crate) values: &'a [LossValue],
    pub(crate) preview: &'a dyn Fn() -> Result<Picture>,
}

impl Step<'_> {
    /// The total loss before the step; waits for the device if it must.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn total(&self) -> Result<f64> {
        Ok(self.objective.total(self.values)?)
    }

    /// Name, weight and unweighted value of each term before the step.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn terms(&self) -> Result<Vec<TermValue>> {
        term_values(self.objective, self.values)
    }

    /// Renders the picture so far, at the size of the scale.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn preview(&self) -> Result<Picture> {
        (self.preview)()
    }
}

impl fmt::Debug for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Step({} of scale {}, {:?})",
            self.step, self.scale, self.plan
        )
    }
}

/// One term's value.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct TermValue {
    /// `content:LAYER`, `style:LAYER` or `tv`.
    pub name: String,
    /// The loss without its weight.
    pub value: f64,
    /// The weight.
    pub weight: f64,
    /// `value · weight`.
    pub weighted: f64,
}

pub(crate) fn term_values(objective: &Objective, values: &[LossValue]) -> Result<Vec<TermValue>> {
    let terms = objective.terms().iter().zip(objective.weights());
    terms
        .zip(values)
        .map(|((term, weight), value)| {
            let (value, weight) = (value.value().map_err(Error::from)?, f64::from(weight));
            Ok(TermValue {
                name: term.name.clone(),
                value,
                weight,
                weighted: value * weight,
            })
        })
        .collect()
}
