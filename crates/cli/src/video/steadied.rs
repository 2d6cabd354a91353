//! Frames in their order without their noise, where that is asked for.

use super::shots::{Shots, Waiting};
use impasto::keyframes::Steady;
use std::collections::VecDeque;

/// How frames lose their noise.
#[derive(Clone, Copy, Debug, Default)]
pub struct Calm {
    /// Frames to either side that are looked at; none for frames as they are.
    pub reach: usize,
    /// Width and height in which they are painted.
    pub size: (usize, usize),
}

/// The frames of [`Shots`].
pub struct Steadied {
    shots: Shots,
    steady: Option<Steady>,
    /// Frames that were read, and those that are finished of them; the others still wait for their neighbours.
    waiting: VecDeque<Waiting>,
    finished: usize,
}

impl Steadied {
    pub fn new(shots: Shots, calm: Calm) -> Self {
        Self {
            shots,
            steady: (calm.reach > 0).then(|| Steady::new(calm.size, calm.reach)),
            waiting: VecDeque::new(),
            finished: 0,
        }
    }

    /// The next frame to paint.
    pub fn next(&mut self) -> anyhow::Result<Option<Waiting>> {
        let Some(steady) = &mut self.steady else {
            return self.shots.next();
        };
        while self.finished == 0 {
            let next = self.shots.next()?;
            let finished = match next {
                Some(next) => {
                    let finished = steady.push(&next.content, next.begins)?;
                    self.waiting.push_back(next);
                    finished
                }
                None if self.waiting.is_empty() => return Ok(None),
                None => steady.finish()?,
            };
            for (waiting, finished) in self.waiting.iter_mut().zip(finished) {
                waiting.content = finished;
                self.finished += 1;
            }
        }
        self.finished -= 1;
        Ok(self.waiting.pop_front())
    }
}
