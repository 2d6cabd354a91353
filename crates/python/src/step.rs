//! A step of a run, as callbacks see it.

use crate::error::{Class, of_error, raise};
use crate::picture::Picture;
use pyo3::prelude::*;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

/// What the thread that paints is asked after a step, until it may go on.
pub enum Ask {
    /// The picture so far.
    Preview(Sender<impasto::Result<impasto::Picture>>),
    /// Name, weight and value of each term.
    Terms(Sender<impasto::Result<Vec<impasto::TermValue>>>),
    /// Nothing more.
    GoOn,
}

/// What is known of a step at once.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    pub scale: usize,
    pub scales: usize,
    pub width: usize,
    pub height: usize,
    pub step: usize,
    pub steps: usize,
    pub progress: f64,
    pub seconds: f64,
}

impl Facts {
    /// Those of a step.
    pub fn of(step: &impasto::Step<'_>) -> Self {
        Self {
            scale: step.scale,
            scales: step.scales,
            width: step.plan.width,
            height: step.plan.height,
            step: step.step,
            steps: step.plan.steps,
            progress: step.progress,
            seconds: step.seconds,
        }
    }
}

/// A step that was taken.
#[pyclass(frozen, module = "impasto._impasto")]
pub struct Step {
    facts: Facts,
    asks: Mutex<Option<Sender<Ask>>>,
}

#[pymethods]
impl Step {
    /// Index of the scale, from 0.
    #[getter]
    fn scale(&self) -> usize {
        self.facts.scale
    }

    /// Number of scales.
    #[getter]
    fn scales(&self) -> usize {
        self.facts.scales
    }

    /// Columns of the picture at this scale.
    #[getter]
    fn width(&self) -> usize {
        self.facts.width
    }

    /// Rows of the picture at this scale.
    #[getter]
    fn height(&self) -> usize {
        self.facts.height
    }

    /// The step at this scale, from 1.
    #[getter]
    fn step(&self) -> usize {
        self.facts.step
    }

    /// Steps of this scale.
    #[getter]
    fn steps(&self) -> usize {
        self.facts.steps
    }

    /// Share of the run's work that is done, 0..1.
    #[getter]
    fn progress(&self) -> f64 {
        self.facts.progress
    }

    /// Seconds since the run began.
    #[getter]
    fn seconds(&self) -> f64 {
        self.facts.seconds
    }

    /// Name, value without weight, and weight of each term of the loss before the step.
    fn terms(&self, py: Python<'_>) -> PyResult<Vec<(String, f64, f64)>> {
        let terms = self.ask(py, Ask::Terms)?;
        let terms = terms.into_iter();
        Ok(terms
            .map(|term| (term.name, term.value, term.weight))
            .collect())
    }

    /// The picture so far, at the size of the scale.
    fn preview(&self, py: Python<'_>) -> PyResult<Picture> {
        let picture = self.ask(py, Ask::Preview)?;
        Ok(Picture::new("preview".into(), picture))
    }
}

impl Step {
    pub fn new(facts: Facts, asks: Sender<Ask>) -> Self {
        Self {
            facts,
            asks: Mutex::new(Some(asks)),
        }
    }

    /// The run goes on: nothing can be asked any more.
    pub fn close(&self) {
        self.asks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
    }

    fn ask<T: Send>(
        &self,
        py: Python<'_>,
        ask: fn(Sender<impasto::Result<T>>) -> Ask,
    ) -> PyResult<T> {
        let over = || {
            let problem = "the run has gone on since this step: ask while the callback runs".into();
            raise(py, Class::Invalid, vec![problem])
        };
        let asks = self
            .asks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let asks = asks.ok_or_else(over)?;
        let (sender, receiver): (_, Receiver<impasto::Result<T>>) = channel();
        let answer = py.detach(move || {
            asks.send(ask(sender)).ok()?;
            receiver.recv().ok()
        });
        answer
            .ok_or_else(over)?
            .map_err(|error| of_error(py, error))
    }
}
