//! Checkpoints: a run that was cut off goes on where it was, to the same result bit for bit.
//!
//! ```text
//! FOLDER/impasto-JOB-a.checkpoint      JOB: 16 digits of the SHA-256 of everything that the result depends on
//! FOLDER/impasto-JOB-b.checkpoint      written in turn: while one is replaced, the other one stays
//! FOLDER/impasto-JOB-PROCESS.tmp       one that is being written
//! ```
//!
//! A checkpoint holds the parameters, the last ones before them that were good, the optimiser's state, the place in the
//! schedule and the report so far. What is drawn at random follows from the recipe's seed and the place in the
//! schedule, so there is no random state to be kept. A job is known by its pictures, weights, recipe, version of the program and by what the
//! device's last bits depend on ([`Hardware::arithmetic`](impasto_compute::Hardware::arithmetic)); a checkpoint of any
//! other job is refused with the differences named.
//!
//! The library touches the disk only where a [`Stylizer`](crate::Stylizer) was given [`Checkpoints`]. A checkpoint
//! that cannot be saved does not end the run. Files are removed when the caller says that the result is safe
//! ([`Checkpoint::remove`]); what others left behind, when it is older than two weeks or there is a lot of it.

mod error;
mod file;
mod identity;

#[cfg(test)]
mod tests;

pub use error::CheckpointError;
pub(crate) use file::{Cuts, Header, Past, Place, Saved};
pub use identity::Difference;
pub(crate) use identity::{Identity, RunInputs, fingerprint};

use crate::{Error, Result};
use std::cell::OnceCell;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Time from one checkpoint to the next unless told otherwise.
const EVERY: Duration = Duration::from_secs(30);
/// What the time from one to the next is at least, in multiples of what it takes to save one.
const PAUSE: u32 = 19;
/// Age at which what other runs left in the folder is removed.
const OLD: Duration = Duration::from_secs(14 * 24 * 3600);
/// Checkpoints of other runs that are kept, two a run.
const KEPT: usize = 32;

/// Whether, where and when a run is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoints {
    /// The folder; it is made if it does not exist.
    pub folder: PathBuf,
    /// The time from one to the next; 0 saves after every step. `None` for 30 seconds, or for so long that saving takes
    /// no more than a twentieth of the time.
    pub every: Option<Duration>,
    /// Only a run is saved that is expected to take at least this long, judged by its pace so far.
    pub least: Duration,
    /// Whether a run goes on from its checkpoint.
    pub resume: Resume,
}

/// Whether a run goes on from its checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resume {
    /// It begins anew.
    #[default]
    No,
    /// It goes on if the folder has a checkpoint of this job that can be used, and begins anew if not.
    IfSaved,
    /// It goes on, and begins anew only if the folder has no checkpoint at all: those of other jobs are refused, as
    /// are damaged ones.
    Yes,
}

impl Checkpoints {
    /// Saves every run in a folder, every 30 seconds if that takes little time; does not resume.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            every: None,
            least: Duration::ZERO,
            resume: Resume::No,
        }
    }
}

/// What happened to the checkpoints of a run.
#[derive(Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The run goes on from a checkpoint.
    Resumed {
        /// The file.
        path: PathBuf,
        /// Index of the scale.
        scale: usize,
        /// Steps taken at it.
        step: usize,
        /// Seconds of work that are in it.
        seconds: f64,
    },
    /// The run was to go on, and there is nothing to go on from: it begins anew.
    NothingToResume {
        /// The folder.
        folder: PathBuf,
    },
    /// A checkpoint of this job cannot be used; the one before takes its place, or the beginning.
    Unusable(CheckpointError),
    /// A checkpoint was saved.
    Saved {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
        /// Seconds that it took.
        seconds: f64,
    },
    /// A checkpoint could not be saved. The run goes on; this is told once until it works again.
    NotSaved(CheckpointError),
    /// A file that another run had left behind is removed.
    Removed {
        /// The file.
        path: PathBuf,
    },
}

/// The files of a run on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    folder: PathBuf,
    job: String,
}

impl Checkpoint {
    /// The folder that it is in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes it: to be called when the result is safe.
    ///
    /// # Errors
    /// [`CheckpointError::Remove`] if the system refuses.
    pub fn remove(self) -> Result<(), CheckpointError> {
        for entry in files(&self.folder)? {
            if entry.job == self.job {
                remove(&entry.path)?;
            }
        }
        Ok(())
    }
}

/// One of the two files of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    A,
    B,
}

impl Slot {
    const ALL: [Slot; 2] = [Slot::A, Slot::B];

    fn name(self) -> &'static str {
        match self {
            Slot::A => "a",
            Slot::B => "b",
        }
    }

    fn other(self) -> Self {
        match self {
            Slot::A => Slot::B,
            Slot::B => Slot::A,
        }
    }
}

/// Saves and finds the checkpoints of one run.
pub(crate) struct Keeper<'a> {
    settings: &'a Checkpoints,
    identify: Box<dyn Fn() -> Identity + 'a>,
    /// Made when it is needed: it takes reading every weight and every pixel.
    identity: OnceCell<Identity>,
    /// The file that was last written or read, and the place that is in it.
    newest: Option<(Slot, Place)>,
    last: Instant,
    /// What saving took the last time.
    cost: Duration,
    cleaned: bool,
    /// Whether the last attempt to save failed.
    failing: bool,
}

impl fmt::Debug for Keeper<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keeper({:?}, {:?})", self.settings, self.newest)
    }
}

impl<'a> Keeper<'a> {
    pub(crate) fn new(settings: &'a Checkpoints, identify: impl Fn() -> Identity + 'a) -> Self {
        Self {
            settings,
            identify: Box::new(identify),
            identity: OnceCell::new(),
            newest: None,
            last: Instant::now(),
            cost: Duration::ZERO,
            cleaned: false,
            failing: false,
        }
    }

    /// What makes the job this one.
    pub(crate) fn identity(&self) -> &Identity {
        self.identity.get_or_init(|| (self.identify)())
    }

    fn path(&self, job: &str, slot: Slot) -> PathBuf {
        let name = format!("impasto-{job}-{}.checkpoint", slot.name());
        self.settings.folder.join(name)
    }

    /// The checkpoint to go on from, if there is to be one, and what is to be told about that.
    ///
    /// # Errors
    /// [`CheckpointError`], if the settings say that the run must not begin anew.
    pub(crate) fn find(&mut self) -> Result<(Option<Saved>, Vec<Notice>), CheckpointError> {
        let strict = match self.settings.resume {
            Resume::No => return Ok((None, vec![])),
            Resume::IfSaved => false,
            Resume::Yes => true,
        };
        let job = self.identity().name();
        let mut best: Option<Saved> = None;
        let mut unusable = Vec::new();
        for slot in Slot::ALL {
            match Saved::open(&self.path(&job, slot)) {
                Ok(None) => {}
                Ok(Some(saved)) if saved.header.job != *self.identity() => {
                    unusable.push(saved.damaged("it is of another job than its name says"));
                }
                Ok(Some(saved)) => {
                    let place = saved.header.place;
                    if self.newest.is_none_or(|(_, newest)| newest < place) {
                        self.newest = Some((slot, place));
                        best = Some(saved);
                    }
                }
                Err(error) => unusable.push(error),
            }
        }
        if best.is_none() && strict {
            if let Some(error) = unusable.pop() {
                return Err(error);
            }
            self.refuse_others()?;
        }
        let mut notices: Vec<_> = unusable.into_iter().map(Notice::Unusable).collect();
        match &best {
            None => notices.push(Notice::NothingToResume {
                folder: self.settings.folder.clone(),
            }),
            Some(Saved { path, header, .. }) => notices.push(Notice::Resumed {
                path: path.clone(),
                scale: header.place.scale,
                step: header.place.step,
                seconds: header.past.seconds,
            }),
        }
        Ok((best, notices))
    }

    /// Refuses to begin anew where there are checkpoints of other jobs: names what the closest one differs in.
    fn refuse_others(&self) -> Result<(), CheckpointError> {
        let mut others = Vec::new();
        for entry in files(&self.settings.folder)? {
            // Whatever else lies there is no checkpoint that could have been meant.
            if let (true, Ok(Some(job))) = (entry.complete, file::peek(&entry.path)) {
                others.push((self.identity().differences(&job), entry));
            }
        }
        let closest = others
            .into_iter()
            .min_by_key(|(differences, entry)| (differences.len(), entry.age));
        match closest {
            None => Ok(()),
            Some((differences, Entry { path, .. })) => {
                Err(CheckpointError::OtherJob { path, differences })
            }
        }
    }

    /// Whether it is time to save a run that has gone on for some seconds and has this share of its work behind it.
    pub(crate) fn is_due(&self, seconds: f64, progress: f64) -> bool {
        let usual = EVERY.max(self.cost.saturating_mul(PAUSE));
        let every = self.settings.every.unwrap_or(usual);
        self.last.elapsed() >= every && self.is_worthwhile(seconds, progress)
    }

    /// Whether a run is long enough to be saved at all.
    pub(crate) fn is_worthwhile(&self, seconds: f64, progress: f64) -> bool {
        seconds >= self.settings.least.as_secs_f64() * progress
    }

    /// Saves a run, unless it was just saved; returns what is to be told.
    ///
    /// # Errors
    /// Whatever `values` returns: not what the disk does.
    pub(crate) fn save(
        &mut self,
        header: &Header,
        values: &mut dyn FnMut(usize) -> Result<Vec<f32>>,
    ) -> Result<Vec<Notice>> {
        let started = Instant::now();
        let job = header.job.name();
        let slot = match self.newest {
            Some((_, place)) if place == header.place => return Ok(vec![]),
            Some((newest, _)) => newest.other(),
            None if self.path(&job, Slot::A).exists() => Slot::B,
            None => Slot::A,
        };
        let path = self.path(&job, slot);
        let folder = &self.settings.folder;
        let temporary = folder.join(format!("impasto-{job}-{}.tmp", std::process::id()));
        let mut notices = Vec::new();
        let made = fs::create_dir_all(folder).map_err(|source| CheckpointError::Write {
            path: path.clone(),
            source,
        });
        let written = match made {
            Ok(()) => {
                if !std::mem::replace(&mut self.cleaned, true) {
                    notices = clean(folder, &job);
                }
                file::write(&path, &temporary, header, values)
            }
            Err(error) => Err(error.into()),
        };
        self.last = Instant::now();
        self.cost = started.elapsed();
        match written {
            Ok(bytes) => {
                self.newest = Some((slot, header.place));
                self.failing = false;
                notices.push(Notice::Saved {
                    path,
                    bytes,
                    seconds: self.cost.as_secs_f64(),
                });
            }
            Err(Error::Checkpoint(error)) => {
                if !std::mem::replace(&mut self.failing, true) {
                    notices.push(Notice::NotSaved(error));
                }
            }
            Err(other) => return Err(other),
        }
        Ok(notices)
    }

    /// What is on the disk of this run, if anything is.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        self.newest.map(|_| Checkpoint {
            folder: self.settings.folder.clone(),
            job: self.identity().name(),
        })
    }
}

/// A file in a folder of checkpoints whose name says that it is ours.
struct Entry {
    path: PathBuf,
    job: String,
    /// Whether it is a checkpoint, not one that is being written.
    complete: bool,
    age: Duration,
}

/// All of them; none if there is no such folder.
fn files(folder: &Path) -> Result<Vec<Entry>, CheckpointError> {
    let read = |source| CheckpointError::read(folder, source);
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(read)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(read)?;
        let name = entry.file_name();
        let Some((job, complete)) = name.to_str().and_then(parse) else {
            continue;
        };
        let changed = entry.metadata().and_then(|data| data.modified());
        let age = changed.map_or(Duration::ZERO, |time| {
            SystemTime::now().duration_since(time).unwrap_or_default()
        });
        files.push(Entry {
            path: entry.path(),
            job: job.into(),
            complete,
            age,
        });
    }
    Ok(files)
}

/// The job of a file's name, and whether it is a checkpoint.
fn parse(name: &str) -> Option<(&str, bool)> {
    let (stem, kind) = name.strip_prefix("impasto-")?.rsplit_once('.')?;
    let (job, rest) = stem.split_once('-')?;
    let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let complete = match kind {
        "checkpoint" => Slot::ALL.iter().any(|slot| slot.name() == rest),
        "tmp" => false,
        _ => return None,
    };
    let known = complete || kind == "tmp" && rest.chars().all(|c| c.is_ascii_digit());
    (job.len() == 16 && job.chars().all(hexadecimal) && known).then_some((job, complete))
}

/// Removes what killed runs left: unfinished files of this job, and what is old or too much of others.
fn clean(folder: &Path, job: &str) -> Vec<Notice> {
    // A folder that cannot be listed is told of when the checkpoint cannot be written to it.
    let mut files = files(folder).unwrap_or_default();
    files.sort_by_key(|entry| entry.age);
    let mut kept = 0;
    let mut notices = Vec::new();
    for entry in files {
        let goes = match (entry.job == job, entry.complete) {
            (true, complete) => !complete,
            (false, false) => entry.age > OLD,
            (false, true) => {
                kept += 1;
                entry.age > OLD || kept > KEPT
            }
        };
        // One that cannot be removed harms nobody, and somebody else may have been faster.
        if goes && remove(&entry.path).is_ok() {
            notices.push(Notice::Removed { path: entry.path });
        }
    }
    notices
}

fn remove(path: &Path) -> Result<(), CheckpointError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(|source| CheckpointError::Remove {
            path: path.into(),
            source,
        }),
    }
}
