//! The frames of a film in their order, and where shots begin.

use super::frames::{self, Range};
use impasto::Picture;
use impasto_flow::{CutRule, Cuts, Frame as Seen, Signature};
use impasto_video::{Frame, Source, Time};
use std::collections::{BTreeSet, VecDeque};

/// A frame that waits.
pub struct Waiting {
    /// Its number in the film.
    pub number: u64,
    /// When it is seen.
    pub time: Time,
    /// What is seen.
    pub content: Picture,
    /// Whether it begins a shot.
    pub begins: bool,
}

/// Frames in order, each with whether it begins a shot, which is known some frames later.
pub struct Shots<'a> {
    source: &'a mut Source,
    range: Range,
    told: Option<&'a BTreeSet<u64>>,
    found: Cuts,
    /// The numbers of the frames that were shown to `found`, by the numbers that it gives them.
    shown: Vec<u64>,
    waiting: VecDeque<Waiting>,
    ended: bool,
    /// Why the film ends too early, told when all frames before are taken.
    failed: Option<anyhow::Error>,
}

impl<'a> Shots<'a> {
    /// Those of a source; beginnings are found unless they are told.
    pub fn new(source: &'a mut Source, range: Range, told: Option<&'a BTreeSet<u64>>) -> Self {
        Self {
            source,
            range,
            told,
            found: Cuts::new(CutRule::default()),
            shown: Vec::new(),
            waiting: VecDeque::new(),
            ended: false,
            failed: None,
        }
    }

    /// Takes a frame that was read already.
    pub fn take(&mut self, frame: Frame) -> anyhow::Result<()> {
        if !self.range.has(frame.number) {
            return Ok(());
        }
        let content = frames::picture(&frame.picture)?;
        let mut found = None;
        if self.told.is_none() {
            let (width, height) = (content.width(), content.height());
            let seen = Seen::new(3, height, width, content.rgb().to_vec())?;
            self.shown.push(frame.number);
            found = self.found.push(Signature::new(&seen), None);
        }
        self.waiting.push_back(Waiting {
            begins: self.told.is_some_and(|told| told.contains(&frame.number)),
            number: frame.number,
            time: frame.time,
            content,
        });
        self.mark(found);
        Ok(())
    }

    fn mark(&mut self, found: Option<usize>) {
        let number = found.and_then(|index| self.shown.get(index));
        let waiting = self.waiting.iter_mut();
        if let Some(waiting) =
            number.and_then(|number| waiting.into_iter().find(|one| one.number == *number))
        {
            waiting.begins = true;
        }
    }

    /// The next frame to paint.
    pub fn next(&mut self) -> anyhow::Result<Option<Waiting>> {
        let ahead = match self.told {
            Some(_) => 1,
            None => CutRule::default().flash.max(1),
        };
        while !self.ended && self.waiting.len() < ahead {
            match self.source.next_frame().map_err(super::told) {
                Ok(Some(frame)) if self.range.is_over(frame.number) => self.ended = true,
                Ok(Some(frame)) => self.take(frame)?,
                Ok(None) => self.ended = true,
                Err(error) => (self.ended, self.failed) = (true, Some(error)),
            }
            if self.ended {
                let rule = CutRule::default();
                let found = std::mem::replace(&mut self.found, Cuts::new(rule)).finish();
                self.mark(found);
            }
        }
        match (self.waiting.pop_front(), self.failed.take()) {
            (None, Some(error)) => Err(error),
            (next, failed) => {
                self.failed = failed;
                Ok(next)
            }
        }
    }
}
