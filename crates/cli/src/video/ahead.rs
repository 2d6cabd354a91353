//! Shots that are painted before it is their turn, side by side, where there are cores for that.
//!
//! A scout reads the film for where shots begin. Workers, each with painters of its own, take shots that nobody has begun, and leave
//! their frames as files beside the output, of which the film is put together when it is their turn. No shot depends on another, so
//! that the bytes are those of a film that is painted in its order.

use super::eyes::Eyes;
use super::frames::{self, Range};
use super::looking::{Before, Looking};
use super::masks::Masks;
use super::memories::Memories;
use super::painter::{Made, Painter, Pictures};
use super::shots::Shots;
use super::steadied::{Calm, Steadied};
use super::told;
use crate::interrupt;
use anyhow::{Context, anyhow};
use impasto::Picture;
use impasto::picture::{Depth, Filter};
use impasto::video::{Animator, Estimator, Painters, Settings};
use impasto_video::{ReadOptions, Source};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Bytes that frames which are painted ahead may take on the disk, for each worker.
const MOST_BYTES: u64 = 2 << 30;
/// Of a pixel of such a frame: its picture, and what the next ones depend on, with flow both ways.
const BYTES_OF_PIXEL: usize = 3 + 12 + 16;
/// Frames of which some may be there, however large they are.
const FEWEST_AHEAD: u64 = 24;

/// What workers need to know of the film.
#[derive(Clone)]
pub struct Film {
    pub path: PathBuf,
    pub read: ReadOptions,
    pub range: Range,
    /// The numbers of the frames that begin a shot, if they are told.
    pub cuts: Option<BTreeSet<u64>>,
    pub settings: Settings,
    pub estimator: Estimator,
    /// Width and height of its results.
    pub size: (usize, usize),
    /// Frames that are gone over at once.
    pub stretch: u64,
    pub memories: Memories,
}

/// A shot that was found.
#[derive(Clone, Copy, Debug)]
struct Shot {
    /// How many frames are painted before its first.
    place: u64,
    /// The numbers of its first and last frame.
    numbers: [u64; 2],
    /// How many frames it has.
    count: u64,
}

/// How far a worker is with a shot.
#[derive(Debug, Default)]
struct Taken {
    done: u64,
    failed: Option<String>,
}

#[derive(Debug, Default)]
struct State {
    /// Found, and not begun by anybody.
    found: VecDeque<Shot>,
    /// Whether there will be no more.
    scouted: bool,
    /// By their places.
    taken: BTreeMap<u64, Taken>,
    /// Where the film itself is: what begins here or before is not taken any more, and nobody is too far beyond.
    reached: u64,
    /// Whether nobody wants anything more.
    over: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.changed.notify_all();
    }

    /// Waits until a place is near enough to where the film is; whether anybody wants it then.
    fn may_go_on(&self, place: u64, film: &Film) -> bool {
        let pixels = (film.size.0 * film.size.1).max(1);
        let most = (MOST_BYTES / (BYTES_OF_PIXEL * pixels) as u64).max(FEWEST_AHEAD);
        let mut state = self.state();
        while !state.over && !interrupt::requested() && place > state.reached + most {
            state = self.wait(state);
        }
        !state.over
    }

    /// Waits for a change, and now and then looks whether the user wants to end.
    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, Duration::from_millis(200));
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Shots that are painted ahead.
#[derive(Clone)]
pub struct Ahead {
    shared: Arc<Shared>,
    memories: Memories,
}

impl Ahead {
    /// Starts so many workers, each with the painters that `painters` makes; `place` is how many frames of the film are there.
    pub fn start(
        film: Film,
        workers: usize,
        place: u64,
        painters: impl Fn() -> anyhow::Result<Painters> + Clone + Send + 'static,
    ) -> Self {
        let ahead = Self {
            shared: Arc::default(),
            memories: film.memories.clone(),
        };
        // Those that are there already, and the shot that they end in, are the film's own.
        ahead.shared.state().reached = place;
        let (shared, scouted) = (ahead.shared.clone(), film.clone());
        std::thread::spawn(move || {
            if let Err(error) = scout(&scouted, &shared) {
                // Whoever paints meets it too, and says it.
                log::info!("no more shots are painted ahead: {error}");
            }
            shared.change(|state| state.scouted = true);
        });
        for _ in 0..workers {
            let (shared, film, painters) = (ahead.shared.clone(), film.clone(), painters.clone());
            std::thread::spawn(move || work(&film, &shared, painters));
        }
        ahead
    }

    /// Nobody wants anything more.
    pub fn end(&self) {
        self.shared.change(|state| state.over = true);
    }

    /// The film has come to a place.
    pub fn reaches(&self, place: u64) {
        self.shared.change(|state| {
            state.reached = place;
            state.found.retain(|shot| shot.place > place);
        });
    }

    /// Whether a worker has taken the shot that begins at a place.
    pub fn has(&self, place: u64) -> bool {
        self.shared.state().taken.contains_key(&place)
    }

    /// The frame of a place, of the shot that begins at another, as soon as it is painted; `None` if the user does not want to wait.
    ///
    /// # Errors
    /// If it could not be painted.
    pub fn take(&self, shot: u64, place: u64) -> anyhow::Result<Option<Pictures>> {
        let mut state = self.shared.state();
        loop {
            let taken = state.taken.get(&shot).context("a shot was lost")?;
            if shot + taken.done > place {
                break;
            }
            if let Some(failed) = &taken.failed {
                return Err(anyhow!("{failed}"));
            }
            if interrupt::requested() {
                return Ok(None);
            }
            state = self.shared.wait(state);
        }
        drop(state);
        let picture = Picture::open(&self.memories.picture(place))?;
        Ok(Some(Pictures {
            pictures: vec![picture],
            known: None,
            memories: Vec::new(),
        }))
    }
}

/// Finds where shots begin.
fn scout(film: &Film, shared: &Shared) -> anyhow::Result<()> {
    let mut source = Source::open(&film.path, &film.read).map_err(told)?;
    source.seek(film.range.first).map_err(told)?;
    let mut shots = Shots::new(source, film.range, film.cuts.clone(), None);
    let mut shot: Option<Shot> = None;
    let mut place = 0;
    let found = |shot: Shot| {
        shared.change(|state| {
            if shot.place > state.reached {
                state.found.push_back(shot);
            }
        });
    };
    while let Some(frame) = shots.next()? {
        if shared.state().over {
            return Ok(());
        }
        match &mut shot {
            Some(shot) if !frame.begins => {
                shot.numbers[1] = frame.number;
                shot.count += 1;
            }
            _ => {
                let begun = Shot {
                    place,
                    numbers: [frame.number; 2],
                    count: 1,
                };
                if let Some(whole) = shot.replace(begun) {
                    found(whole);
                }
            }
        }
        place += 1;
    }
    if let Some(last) = shot {
        found(last);
    }
    Ok(())
}

/// Paints shot after shot.
fn work(film: &Film, shared: &Shared, painters: impl Fn() -> anyhow::Result<Painters>) {
    let mut animator = None;
    while let Some(shot) = next_shot(shared) {
        let ends = Ends { shared, shot };
        let painted = (|| {
            // An earlier run may have left it.
            if film.memories.has(shot.place..shot.place + shot.count) {
                shared.change(|state| done(state, shot.place, shot.count));
                return Ok(());
            }
            let own = match animator.take() {
                Some(own) => own,
                None => Animator::new(painters()?, 1, film.settings.clone()),
            };
            animator = Some(paint(film, shared, shot, own)?);
            Ok::<_, anyhow::Error>(())
        })();
        if let Err(error) = painted {
            return ends.with(format!("{error:#}"));
        }
    }
}

/// Tells those who wait for a shot when nobody paints it any more, whatever has ended that.
struct Ends<'a> {
    shared: &'a Shared,
    shot: Shot,
}

impl Ends<'_> {
    fn with(&self, told: String) {
        self.shared.change(|state| {
            if let Some(taken) = state.taken.get_mut(&self.shot.place) {
                taken.failed.get_or_insert(told);
            }
        });
    }
}

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.with("a shot that was painted ahead did not come to its end".into());
    }
}

fn done(state: &mut State, shot: u64, frames: u64) {
    if let Some(taken) = state.taken.get_mut(&shot) {
        taken.done = frames;
    }
}

/// The next shot for a worker, once one is found.
fn next_shot(shared: &Shared) -> Option<Shot> {
    let mut state = shared.state();
    loop {
        if state.over || interrupt::requested() {
            return None;
        }
        if let Some(shot) = state.found.pop_front() {
            state.taken.insert(shot.place, Taken::default());
            return Some(shot);
        }
        if state.scouted {
            return None;
        }
        state = shared.wait(state);
    }
}

/// Paints a shot; gives back who does.
fn paint(film: &Film, shared: &Shared, shot: Shot, animator: Animator) -> anyhow::Result<Animator> {
    let mut source = Source::open(&film.path, &film.read).map_err(told)?;
    let [first, last] = shot.numbers;
    source.seek(first).map_err(told)?;
    let range = Range {
        first,
        last: Some(last),
        every: film.range.every,
    };
    let begins = Some(BTreeSet::from([first]));
    let watcher = animator.watcher_of(film.size);
    let mut looking = Looking {
        shots: Steadied::new(Shots::new(source, range, begins, None), Calm::default()),
        watcher: watcher.with_estimator(film.estimator.clone()),
        eyes: Eyes::One,
        masks: Masks::default(),
        before: Before::nothing(),
        place: shot.place,
        ahead: None,
        elsewhere: None,
    };
    let mut painter = Painter {
        animator,
        turn: None,
        keeps: true,
        done: shot.place,
        waiting: Vec::new(),
        stretch: film.stretch,
        ahead: None,
    };
    while shared.may_go_on(painter.done, film) {
        let next = looking.next(|_| None)?;
        let ended = next.is_none();
        let made = match next {
            Some(frame) => painter.paint(frame)?,
            None => painter.finish()?,
        };
        // Without anything the user has ended it.
        for made in made.iter().flatten() {
            keep(film, made)
                .with_context(|| format!("frame {} cannot be kept", made.frame.number))?;
            shared.change(|state| done(state, shot.place, made.place + 1 - shot.place));
        }
        if ended || made.is_none() {
            break;
        }
    }
    Ok(painter.animator)
}

/// Keeps a frame as a file until it is its turn, in the eight bits that it will have, and what the frames after it depend on.
fn keep(film: &Film, made: &Made) -> anyhow::Result<()> {
    let (width, height) = film.size;
    let memories = &film.memories;
    memories.keep(made.place, &made.pictures.memories)?;
    let picture = made
        .pictures
        .pictures
        .first()
        .context("a frame has no picture")?;
    let fitted;
    let picture = match (picture.width(), picture.height()) == film.size {
        true => picture,
        false => {
            fitted = picture.resized(width, height, Filter::Bicubic);
            &fitted
        }
    };
    let eight = frames::picture(&frames::frame(picture)?)?.with_depth(Depth::Eight);
    memories.keep_picture(made.place, &eight)?;
    Ok(())
}
