//! The frames of a film in their order, and where shots begin.

use super::frames::{self, Range};
use impasto::Picture;
use impasto_flow::{CutRule, Cuts, Frame as Seen, Signature};
use impasto_video::{Frame, Source, Time, TimeBase};
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

/// Takes no more frames than so many a second.
#[derive(Clone, Copy)]
pub struct Thin {
    /// Ticks of the film from one to the next.
    step: f64,
    /// When the film begins.
    zero: Option<i64>,
    /// The last place that was taken.
    last: Option<i64>,
}

impl Thin {
    /// So many frames a second of a film of a time base.
    pub fn new(rate: f32, base: TimeBase) -> Self {
        let tick = base.seconds(1);
        Self {
            step: 1.0 / (f64::from(rate) * tick),
            zero: None,
            last: None,
        }
    }

    /// When a frame is seen, if it is taken.
    pub fn take(&mut self, time: Time) -> Option<Time> {
        let zero = *self.zero.get_or_insert(time.start);
        // A frame that is a little early, as its time is rounded, is not left out.
        let place = ((time.start - zero) as f64 / self.step + 0.01).floor() as i64;
        if self.last.is_some_and(|last| place <= last) {
            return None;
        }
        self.last = Some(place);
        let at = |place: i64| zero + (place as f64 * self.step).round() as i64;
        let duration = (at(place + 1) - at(place)).max(1).unsigned_abs();
        Some(Time {
            start: at(place),
            duration: duration.max(time.duration),
        })
    }
}

/// Frames in order, each with whether it begins a shot, which is known some frames later.
pub struct Shots {
    source: Source,
    range: Range,
    told: Option<BTreeSet<u64>>,
    thin: Option<Thin>,
    /// The number of the last frame that was taken.
    last: Option<u64>,
    found: Cuts,
    /// The numbers of the frames that were shown to `found`, by the numbers that it gives them.
    shown: Vec<u64>,
    waiting: VecDeque<Waiting>,
    ended: bool,
    /// Why the film ends too early, told when all frames before are taken.
    failed: Option<anyhow::Error>,
}

impl Shots {
    /// Those of a source; beginnings are found unless they are told.
    pub fn new(
        source: Source,
        range: Range,
        told: Option<BTreeSet<u64>>,
        thin: Option<Thin>,
    ) -> Self {
        Self {
            source,
            range,
            told,
            thin,
            last: None,
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
        let time = match &mut self.thin {
            None => frame.time,
            Some(thin) => match thin.take(frame.time) {
                Some(time) => time,
                None => return Ok(()),
            },
        };
        let content = frames::picture(&frame.picture)?;
        // A frame that is left out may be the one that begins the shot.
        let begins = self.told.as_ref().map(|told| {
            let since = self.last.map_or(0, |last| last + 1);
            told.range(since..=frame.number).count()
        });
        self.last = Some(frame.number);
        let mut found = None;
        if self.told.is_none() {
            let (width, height) = (content.width(), content.height());
            let seen = Seen::new(3, height, width, content.rgb().to_vec())?;
            self.shown.push(frame.number);
            found = self.found.push(Signature::new(&seen), None);
        }
        self.waiting.push_back(Waiting {
            begins: begins.is_some_and(|begins| begins > 0),
            number: frame.number,
            time,
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
