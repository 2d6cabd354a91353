//! What happens, for those who watch: the newest state and the newest preview, and no backlog.

use serde::Serialize;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// How a job under way stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct JobNow {
    /// Its number.
    pub id: i64,
    /// What it is called.
    pub title: String,
    /// Whether somebody watches it; otherwise it is of the queue.
    pub live: bool,
    /// What is done.
    pub phase: Phase,
    /// The scale, from 1, and how many there are.
    pub scale: usize,
    /// See `scale`.
    pub scales: usize,
    /// Its width and height.
    pub size: (usize, usize),
    /// The step at this scale, from 1, and how many there are.
    pub step: usize,
    /// See `step`.
    pub steps: usize,
    /// Share of the work that is done, 0..1.
    pub progress: f64,
    /// Seconds so far.
    pub seconds: f64,
    /// Seconds to come, about; nothing before that is known.
    pub left: Option<f64>,
    /// The total loss of each step of the scale.
    pub losses: Vec<f32>,
    /// Of a film, how far it is.
    pub film: Option<FilmNow>,
}

/// How far a film is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct FilmNow {
    /// Frames that are painted.
    pub frame: u64,
    /// How many there are.
    pub frames: u64,
    /// Frames a second, since it was started or went on; 0 before that is known.
    pub pace: f64,
}

/// What is done about a job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Networks are prepared, and pictures looked at.
    #[default]
    Preparing,
    /// It is painted.
    Painting,
    /// The result is written.
    Saving,
}

/// How the last job ended that was watched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ended {
    /// Its number.
    pub id: i64,
    /// Whether there is a result.
    pub result: bool,
    /// What was wrong.
    pub problem: Option<String>,
}

/// Everything that a page needs to know at once.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct State {
    /// The job under way.
    pub job: Option<JobNow>,
    /// How the last one ended that was watched.
    pub ended: Option<Ended>,
    /// The number of the newest preview.
    pub preview: u64,
    /// Goes up whenever the queue is another.
    pub queue: u64,
    /// Goes up whenever the results are others.
    pub results: u64,
    /// Whether the queue is paused.
    pub paused: bool,
    /// What keeps the queue from going on.
    pub problem: Option<String>,
    /// Whether the studio is being closed.
    pub closing: bool,
}

/// A preview, as JPEG.
#[derive(Clone, Debug, Default)]
pub struct Preview {
    /// Its number.
    pub number: u64,
    /// The file.
    pub bytes: Arc<[u8]>,
}

/// Where what happens is told, and listened to.
#[derive(Clone, Debug, Default)]
pub struct Events {
    state: watch::Sender<State>,
    preview: Arc<Mutex<Preview>>,
}

impl Events {
    /// Tells something.
    pub fn tell(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(change);
    }

    /// How things stand.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// The newest state whenever there is one; the present one first.
    pub fn listen(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Shows a preview.
    pub fn show(&self, bytes: Vec<u8>) {
        let number = {
            let mut preview = self.preview.lock().unwrap_or_else(PoisonError::into_inner);
            preview.number += 1;
            preview.bytes = bytes.into();
            preview.number
        };
        self.tell(|state| state.preview = number);
    }

    /// The newest preview, if there has been one.
    pub fn preview(&self) -> Option<Preview> {
        let preview = self.preview.lock().unwrap_or_else(PoisonError::into_inner);
        (preview.number > 0).then(|| preview.clone())
    }

    /// The queue is another.
    pub fn queue_changed(&self) {
        self.tell(|state| state.queue += 1);
    }

    /// The results are others.
    pub fn results_changed(&self) {
        self.tell(|state| state.results += 1);
    }

    /// Lets all listeners go.
    pub fn close(&self) {
        self.tell(|state| state.closing = true);
    }
}
