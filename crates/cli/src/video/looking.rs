//! Reading frames and looking at them, ahead of who paints: which begin a shot, how they move.

use super::ahead::Ahead;
use super::eyes::Eyes;
use super::masks::Masks;
use super::memories::Memories;
use super::shots::Waiting;
use super::steadied::Steadied;
use impasto::video::{Memory, Moment, Watcher};
use impasto::{Mask, MaskUse, Picture};
use impasto_video::Time;

/// Looks at the frames of a film in their order.
pub struct Looking {
    pub shots: Steadied,
    pub watcher: Watcher,
    pub eyes: Eyes,
    pub masks: Masks,
    /// What an earlier run has left.
    pub before: Before,
    /// How many frames are painted before the next one.
    pub place: u64,
    /// Shots that are painted ahead, if any are.
    pub ahead: Option<Ahead>,
    /// The place of the shot that another one paints.
    pub elsewhere: Option<u64>,
}

/// Frames that an earlier run has painted, and that are passed over.
pub struct Before {
    /// How many.
    pub frames: u64,
    /// What is left of them; nothing where nothing depends on it.
    pub memories: Option<Memories>,
    /// How many frames back memories reach.
    pub reach: u64,
}

impl Before {
    /// There was no earlier run.
    pub fn nothing() -> Self {
        Self {
            frames: 0,
            memories: None,
            reach: 0,
        }
    }
}

/// What comes next.
pub enum Next {
    /// The painting goes on after so many frames.
    GoOn(GoOn),
    /// A frame is to be painted.
    Paint(Box<Looked>),
}

/// Where the painting goes on.
pub struct GoOn {
    /// Frames that are passed over.
    pub frames: u64,
    /// What the next ones depend on; nothing where nothing does.
    pub shot: Option<Shot>,
}

/// What is known of the shot that goes on.
pub struct Shot {
    /// The first picture of it.
    pub first: Picture,
    /// How many frames of it there are.
    pub count: usize,
    /// Memories of the last frames, the oldest first.
    pub memories: Vec<Vec<Memory>>,
}

/// What is seen of a frame.
pub enum Seen {
    /// All that is needed to paint it.
    Moment(Moment),
    /// Nothing: it is painted ahead, with the shot that begins at this place.
    Elsewhere(u64),
}

/// A frame that was looked at.
pub struct Looked {
    /// Its number in the film.
    pub number: u64,
    pub time: Time,
    pub begins: bool,
    pub seen: Seen,
    /// Masks that are those of this frame.
    pub masks: Vec<(MaskUse, Mask)>,
    /// The frame itself, small, where a report shows some.
    pub content: Option<Picture>,
}

impl Looking {
    /// Everything that comes, to `send`, until that takes no more.
    pub fn run(
        mut self,
        small: impl Fn(&Picture) -> Option<Picture>,
        mut send: impl FnMut(anyhow::Result<Next>) -> bool,
    ) {
        let passed = self.pass();
        self.place = self.before.frames;
        let next = match passed {
            Ok(Some(go_on)) => Some(Ok(Next::GoOn(go_on))),
            Ok(None) => None,
            Err(error) => Some(Err(error)),
        };
        let failed = next.as_ref().is_some_and(Result::is_err);
        if next.is_some_and(|next| !send(next)) || failed {
            return;
        }
        while let Some(next) = self.next(&small).transpose() {
            let next = next.map(Next::Paint);
            let failed = next.is_err();
            if !send(next) || failed {
                return;
            }
        }
    }

    /// Passes over what an earlier run has painted.
    fn pass(&mut self) -> anyhow::Result<Option<GoOn>> {
        let Before {
            frames,
            memories,
            reach,
        } = &self.before;
        let (mut first, mut shot) = (None, 0);
        for done in 0..*frames {
            let Some(Waiting {
                content, begins, ..
            }) = self.shots.next()?
            else {
                return Ok(None);
            };
            let mut views = self.eyes.split(content)?;
            if begins || first.is_none() {
                first = views.first().cloned();
                shot = done;
            }
            if done + 1 < *frames {
                continue;
            }
            let (Some(memories), Some(first)) = (memories, first.take()) else {
                continue;
            };
            let since = shot.max(frames.saturating_sub(*reach));
            let memories = memories.read(since, done, self.eyes.count())?;
            if let Some(last) = memories.last() {
                self.watcher.restore(std::mem::take(&mut views), last)?;
            }
            let shot = Shot {
                first,
                count: (frames - shot) as usize,
                memories,
            };
            return Ok(Some(GoOn {
                frames: *frames,
                shot: Some(shot),
            }));
        }
        let frames = *frames;
        Ok((frames > 0).then_some(GoOn { frames, shot: None }))
    }

    /// The next frame, looked at; none behind the last.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn next(
        &mut self,
        small: impl Fn(&Picture) -> Option<Picture>,
    ) -> anyhow::Result<Option<Box<Looked>>> {
        let Some(Waiting {
            number,
            time,
            content,
            begins,
        }) = self.shots.next()?
        else {
            return Ok(None);
        };
        let place = self.place;
        self.place += 1;
        let ahead = self.ahead.as_ref();
        ahead.inspect(|ahead| ahead.reaches(place));
        if begins {
            self.watcher.cut();
            self.elsewhere = ahead.filter(|ahead| ahead.has(place)).map(|_| place);
        }
        let shown = small(&content);
        let seen = match self.elsewhere {
            Some(shot) => Seen::Elsewhere(shot),
            None => Seen::Moment(self.watcher.look(self.eyes.split(content)?)?),
        };
        Ok(Some(Box::new(Looked {
            number,
            time,
            begins,
            seen,
            masks: self.masks.at(number)?,
            content: shown,
        })))
    }
}
