//! What the thread that paints tells of its steps, and what it is asked about them.

use crate::step::{Ask, Facts};
use impasto::{Event, Observer};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

/// Watches from the thread that paints.
pub struct Watch<'a> {
    /// Whether the run is to end.
    pub stop: &'a AtomicBool,
    /// Where steps are told of, if anybody wants to know.
    pub news: Option<Sender<Facts>>,
    pub asked: Receiver<Ask>,
    /// The least time between two steps that are told of.
    pub every: Option<Duration>,
    pub told: Option<Instant>,
}

impl Watch<'_> {
    /// Tells of a step, and answers what is asked about it.
    fn tell(&mut self, step: &impasto::Step<'_>) {
        let soon = self.told.zip(self.every);
        let last = step.step == step.plan.steps && step.scale + 1 == step.scales;
        if !last && soon.is_some_and(|(told, every)| told.elapsed() < every) {
            return;
        }
        let sent = self
            .news
            .as_ref()
            .is_some_and(|news| news.send(Facts::of(step)).is_ok());
        if !sent {
            return;
        }
        // Who is gone does not wait for answers.
        while let Ok(ask) = self.asked.recv() {
            let _ = match ask {
                Ask::Preview(answer) => answer.send(step.preview()).ok(),
                Ask::Terms(answer) => answer.send(step.terms()).ok(),
                Ask::GoOn => break,
            };
        }
        self.told = Some(Instant::now());
    }
}

impl Observer for Watch<'_> {
    fn on_event(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        if let Event::Step(step) = event {
            self.tell(step);
        }
        match self.stop.load(Ordering::SeqCst) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}
