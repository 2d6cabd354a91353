//! Painting frame after frame.

use super::looking::{GoOn, Looked};
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
    /// Frames that are finished.
    pub done: u64,
}

/// A frame that is painted: a picture for each eye.
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

    /// Paints the next frame; none if it was ended before it was finished.
    pub fn paint(&mut self, frame: &Looked) -> anyhow::Result<Option<Pictures>> {
        if frame.begins {
            self.animator.cut();
        }
        if let Some(turn) = &self.turn {
            turn.set(frame.number);
        }
        if !frame.masks.is_empty() {
            self.animator.set_masks(&frame.masks)?;
        }
        let mut observe = |_: &Event<'_>| match interrupt::requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let painted = self.animator.paint(&frame.moment, &mut observe)?;
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
        self.done += 1;
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
