//! Painting frame after frame, and what is kept so that it can go on.

use super::memories::Memories;
use crate::{interrupt, note, words};
use anyhow::{Context, anyhow};
use impasto::video::Animator;
use impasto::{Event, Outcome, Picture};
use std::ops::ControlFlow;

/// Who paints, and what is kept of it.
pub struct Painter {
    animator: Animator,
    memories: Option<Memories>,
    /// How many frames back memories reach.
    reach: u64,
    /// Frames that are finished.
    pub done: u64,
    /// The frame that has begun the present shot, counted as `done` is.
    shot: u64,
    /// That frame, while frames are passed over.
    first: Option<Picture>,
    told_unsaved: bool,
}

impl Painter {
    /// Paints frames of a film, whose memories are kept so far back, where they are kept.
    pub fn new(animator: Animator, memories: Option<Memories>, reach: u64) -> Self {
        Self {
            animator,
            memories,
            reach,
            done: 0,
            shot: 0,
            first: None,
            told_unsaved: false,
        }
    }

    /// Removes the memories: the film is finished.
    pub fn forget(&self) {
        if let Some(memories) = &self.memories {
            memories.remove();
        }
    }

    /// A frame that an earlier run has painted; the last one of these brings its memories back.
    pub fn pass(&mut self, content: &Picture, begins: bool, kept: u64) -> anyhow::Result<()> {
        if begins || self.first.is_none() {
            self.shot = self.done;
            self.first = Some(content.clone());
        }
        self.done += 1;
        if self.done < kept {
            return Ok(());
        }
        if let (Some(memories), Some(first_of_shot)) = (&self.memories, self.first.take()) {
            let last = kept - 1;
            let first = self.shot.max((last + 1).saturating_sub(self.reach));
            let found = memories.read(first, last);
            let found = found.context("the frames that were painted last are not there any more: begin anew, without --resume")?;
            let (count, frames) = ((kept - self.shot) as usize, (&first_of_shot, content));
            self.animator.restore(frames, count, found)?;
        }
        Ok(())
    }

    /// Paints the next frame; none if it was ended before it was finished.
    pub fn paint(&mut self, content: &Picture, begins: bool) -> anyhow::Result<Option<Picture>> {
        if begins {
            self.animator.cut();
            self.shot = self.done;
        }
        let mut observe = |_: &Event<'_>| match interrupt::requested() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        };
        let painted = self.animator.paint(content, &mut observe)?;
        match painted.outcome {
            Outcome::Stopped => return Ok(None),
            Outcome::Diverged { .. } => {
                return Err(anyhow!(
                    "frame {} went astray: {}",
                    self.done,
                    words::advice(&impasto::Advice::Gentler)
                ));
            }
            Outcome::Finished => {}
        }
        if let (Some(memories), Some(memory)) = (&self.memories, self.animator.memory())
            && let Err(error) = memories.keep(self.done, &memory)
            && !std::mem::replace(&mut self.told_unsaved, true)
        {
            note(&format!("it could not go on if it were cut off: {error}"));
        }
        Ok(Some(painted.picture))
    }
}
