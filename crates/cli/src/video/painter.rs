//! Painting frame after frame.

use super::ahead::Ahead;
use super::looking::{GoOn, Looked, Seen};
use crate::{interrupt, words};
use anyhow::anyhow;
use impasto::keyframes::Turn;
use impasto::video::{Animator, Known, Memory};
use impasto::{Event, Outcome, Picture};
use std::ops::ControlFlow;

/// Who paints.
pub struct Painter {
    pub animator: Animator,
    /// Who is told which frame is painted, if anybody wants to know.
    pub turn: Option<Turn>,
    /// Whether memories of frames that are painted are asked for.
    pub keeps: bool,
    /// Frames that are painted.
    pub done: u64,
    /// Frames that will be gone over once more, and what they are until then.
    pub waiting: Vec<Made>,
    /// How many are gone over at once.
    pub stretch: u64,
    /// Shots that are painted ahead, if any are.
    pub ahead: Option<Ahead>,
}

/// A frame that is painted.
pub struct Made {
    /// How many were painted before it.
    pub place: u64,
    pub frame: Box<Looked>,
    pub pictures: Pictures,
}

/// What a frame became: a picture for each eye.
pub struct Pictures {
    pub pictures: Vec<Picture>,
    pub known: Option<Known>,
    /// What is to be kept of it.
    pub memories: Vec<Memory>,
}

impl Painter {
    /// Goes on where an earlier run was cut off.
    pub fn go_on(&mut self, from: GoOn) -> anyhow::Result<()> {
        self.done = from.frames;
        if let Some(shot) = from.shot {
            self.animator
                .restore(&shot.first, shot.count, shot.memories)?;
        }
        Ok(())
    }

    /// Paints the next frame: what is finished now, which may be none, or some. `None` if it was ended before.
    ///
    /// # Errors
    /// If it cannot be painted.
    pub fn paint(&mut self, frame: Box<Looked>) -> anyhow::Result<Option<Vec<Made>>> {
        let mut made = Vec::new();
        if frame.begins {
            let Some(before) = self.finish()? else {
                return Ok(None);
            };
            made = before;
            self.animator.cut();
        }
        let elsewhere = match frame.seen {
            Seen::Elsewhere(shot) => Some(shot),
            Seen::Moment(_) => None,
        };
        let pictures = match (elsewhere, &self.ahead) {
            (Some(shot), Some(ahead)) => ahead.take(shot, self.done)?,
            _ => self.pictures(&frame)?,
        };
        let Some(pictures) = pictures else {
            return Ok(None);
        };
        let new = Made {
            place: self.done,
            frame,
            pictures,
        };
        self.done += 1;
        if elsewhere.is_some() || !self.animator.goes_back() {
            made.push(new);
            return Ok(Some(made));
        }
        self.waiting.push(new);
        if self.done.is_multiple_of(self.stretch) {
            let Some(more) = self.finish()? else {
                return Ok(None);
            };
            made.extend(more);
        }
        Ok(Some(made))
    }

    /// Goes once more over the frames that wait for it. `None` if it was ended before.
    ///
    /// # Errors
    /// If they cannot be painted.
    pub fn finish(&mut self) -> anyhow::Result<Option<Vec<Made>>> {
        if self.waiting.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let Some(gone_over) = self.animator.back(&mut stops)? else {
            return Ok(None);
        };
        let waiting = std::mem::take(&mut self.waiting);
        let made = waiting.into_iter().zip(gone_over);
        let made = made.map(|(made, gone_over)| Made {
            pictures: Pictures {
                pictures: vec![gone_over.picture],
                memories: match self.keeps {
                    true => vec![gone_over.memory],
                    false => Vec::new(),
                },
                ..made.pictures
            },
            ..made
        });
        Ok(Some(made.collect()))
    }

    fn pictures(&mut self, frame: &Looked) -> anyhow::Result<Option<Pictures>> {
        if let Some(turn) = &self.turn {
            turn.set(frame.number);
        }
        if !frame.masks.is_empty() {
            self.animator.set_masks(&frame.masks)?;
        }
        let Seen::Moment(moment) = &frame.seen else {
            return Err(anyhow!("frame {} is painted elsewhere", frame.number));
        };
        let painted = self.animator.paint(moment, &mut stops)?;
        match painted.outcome {
            Outcome::Stopped => return Ok(None),
            Outcome::Diverged { .. } => {
                return Err(anyhow!(
                    "frame {} went astray: {}",
                    frame.number,
                    words::advice(&impasto::Advice::Gentler)
                ));
            }
            Outcome::Finished => {}
        }
        let memories = match self.keeps {
            true => self.animator.memories(),
            false => Vec::new(),
        };
        Ok(Some(Pictures {
            pictures: painted.pictures,
            known: painted.known,
            memories,
        }))
    }
}

/// Ends what is painted when the user wants that.
fn stops(_: &Event<'_>) -> ControlFlow<()> {
    match interrupt::requested() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}
