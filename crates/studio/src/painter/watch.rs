//! A job under way: what is told of it, and whether it goes on.

use super::{Control, Stop};
use crate::database::JobRow;
use crate::events::{Events, Phase};
use crate::pictures::{jpeg, reduced};
use impasto::{Event, Step};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The least time from one preview to the next.
const PREVIEW: Duration = Duration::from_millis(150);
/// How many times as long as a preview takes it is until the next one.
const PAUSE: u32 = 6;
/// The longest side of a preview.
const PREVIEWED: usize = 1280;

/// The most points of a curve of losses; every other one is left out beyond.
const CURVE: usize = 400;

/// Why a job is left before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// It goes on later from where it is.
    Later,
    /// Somebody stopped it.
    Stopped(Stop),
}

/// Tells how a job goes, and asks whether it should.
pub(super) struct Watch<'a> {
    /// Who wishes what.
    pub(super) control: &'a Control,
    /// Who is told.
    pub(super) events: &'a Events,
    /// The job.
    pub(super) row: &'a JobRow,
    /// When the last preview was shown.
    pub(super) shown: Option<Instant>,
    /// What that took.
    pub(super) cost: Duration,
    /// Why it is left, if it is.
    pub(super) leave: Option<Leave>,
}

/// Why a job is to be left, if it is.
pub(super) fn wish(control: &Control, row: &JobRow) -> Option<Leave> {
    let wishes = control.wishes();
    match wishes.stop {
        Some((id, Stop::Later)) if id == row.id => Some(Leave::Later),
        Some((id, stop)) if id == row.id => Some(Leave::Stopped(stop)),
        _ if wishes.closing || wishes.live || wishes.awaited > 0 => Some(Leave::Later),
        _ if wishes.paused && !row.live => Some(Leave::Later),
        _ => None,
    }
}

impl Watch<'_> {
    /// Is told what happened; says whether to go on.
    pub(super) fn look(&mut self, event: &Event<'_>) -> ControlFlow<()> {
        match event {
            Event::ScaleStarted { .. } => self.events.tell(|state| {
                if let Some(job) = &mut state.job {
                    job.losses.clear();
                }
            }),
            Event::Step(step) => self.tell(step),
            _ => {}
        }
        self.leave = wish(self.control, self.row);
        match self.leave {
            Some(_) => ControlFlow::Break(()),
            None => ControlFlow::Continue(()),
        }
    }

    fn tell(&mut self, step: &Step<'_>) {
        let total = step.total().unwrap_or(f64::NAN) as f32;
        let is_due = self
            .shown
            .is_none_or(|at| at.elapsed() >= PREVIEW.max(PAUSE * self.cost));
        self.events.tell(|state| {
            let Some(job) = &mut state.job else {
                return;
            };
            job.phase = Phase::Painting;
            (job.scale, job.scales) = (step.scale + 1, step.scales);
            (job.step, job.steps) = (step.step, step.plan.steps);
            job.size = (step.plan.width, step.plan.height);
            (job.progress, job.seconds) = (step.progress, step.seconds);
            let rest = (1.0 - step.progress) / step.progress;
            job.left = (step.progress > 0.0).then_some(step.seconds * rest);
            if job.losses.len() >= CURVE {
                let mut place = 0;
                job.losses.retain(|_| {
                    place += 1;
                    place % 2 == 0
                });
            }
            job.losses.push(if total.is_finite() { total } else { 0.0 });
        });
        if is_due {
            let began = Instant::now();
            if let Ok(picture) = step.preview() {
                if let Ok(bytes) = jpeg(&reduced(&picture, PREVIEWED)) {
                    self.events.show(bytes);
                }
                if self.row.live {
                    self.control.wishes().present = Some(Arc::new(picture));
                }
            }
            self.cost = began.elapsed();
            self.shown = Some(Instant::now());
        }
    }
}
