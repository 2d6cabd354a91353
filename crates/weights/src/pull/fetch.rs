//! Brings the bytes of a plan into a part file, through failures.

use super::http::{Answer, Client, Refusal};
use super::plan::{Plan, header_size};
use super::{Pull, PullEvent, PullObserver};
use crate::{Checksum, Limits, Origin, WeightsError};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, Instant};

/// Why a download ends.
pub(super) enum Stop {
    /// This address does not work.
    Lasting(String),
    /// The folder does not take the bytes.
    Disk(io::Error),
    /// Another program is at it.
    Busy,
    /// The observer wants no more.
    Ended,
    /// The store is at fault.
    Weights(WeightsError),
}

/// Why an attempt ends.
enum Break {
    Stop(Stop),
    /// Another attempt may work.
    Passing(String),
    /// What is here is not of the file that is there now.
    Changed,
}

impl From<Stop> for Break {
    fn from(stop: Stop) -> Self {
        Break::Stop(stop)
    }
}

impl From<Refusal> for Break {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Passing(problem) => Break::Passing(problem),
            Refusal::Lasting(problem) => Break::Stop(Stop::Lasting(problem)),
            Refusal::NoSuchRange => Break::Changed,
        }
    }
}

/// The first request asks for this much, which holds the header of any VGG.
const FIRST: u64 = 1 << 15;

/// Bytes that are written at once.
const BLOCK: usize = 1 << 16;

/// The slowest server that is waited for, in bytes per second.
const SLOWEST: f64 = 1024.0;

/// A download into one part file.
pub(super) struct Fetch<'p, 'o> {
    pull: &'p Pull,
    path: &'p Path,
    journal: &'p Path,
    client: Client,
    observer: PullObserver<'o>,
    /// What is stated of the file that is being fetched.
    origin: Option<&'static Origin>,
    /// The part, locked as long as this lives.
    part: File,
}

impl<'p, 'o> Fetch<'p, 'o> {
    /// Opens the part, which may hold something already.
    pub(super) fn new(
        pull: &'p Pull,
        path: &'p Path,
        journal: &'p Path,
        observer: PullObserver<'o>,
    ) -> Result<Self, Stop> {
        let part = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Stop::Disk)?;
        match part.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(Stop::Busy),
            // A file system without locks is no reason not to download.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        Ok(Self {
            pull,
            path,
            journal,
            client: Client::new(pull.patience, pull.proxy),
            observer,
            origin: None,
            part,
        })
    }

    /// Tells the observer.
    pub(super) fn tell(&mut self, event: PullEvent<'_>) -> Result<(), Stop> {
        match (self.observer)(&event).is_break() {
            true => Err(Stop::Ended),
            false => Ok(()),
        }
    }

    /// The part, to be read from its start. It is the same open file: where locks are mandatory, no other may read it.
    pub(super) fn reader(&self) -> Result<File, Stop> {
        let mut part = self.part.try_clone().map_err(Stop::Disk)?;
        part.rewind().map_err(Stop::Disk)?;
        Ok(part)
    }

    /// Removes the part if nothing is in it.
    pub(super) fn clean(&mut self) -> Result<(), Stop> {
        match self.have()? {
            0 => remove(self.path),
            _ => Ok(()),
        }
    }

    /// Fetches what is needed of a file, and says what that was. What is stated of it is in `origin`.
    pub(super) fn run(&mut self, url: &str, origin: Option<&'static Origin>) -> Result<Plan, Stop> {
        self.origin = origin;
        // What is here of another address stays until this one has answered: it may be the network that is down.
        let mut plan = Plan::load(self.journal, url, self.pull.last);
        let (mut failures, mut changes) = (0, 0);
        loop {
            let before = self.have()?;
            let problem = match self.attempt(url, &mut plan) {
                Ok(plan) => return Ok(plan),
                Err(Break::Stop(stop)) => return Err(stop),
                Err(Break::Changed) if changes == 1 => {
                    return Err(Stop::Lasting("the file changes while it is fetched".into()));
                }
                Err(Break::Changed) => {
                    changes += 1;
                    plan = None;
                    self.restart()?;
                    continue;
                }
                Err(Break::Passing(problem)) => problem,
            };
            // What brings something may go on for ever.
            failures = if self.have()? > before {
                1
            } else {
                failures + 1
            };
            if failures >= self.pull.attempts {
                return Err(Stop::Lasting(problem));
            }
            let wait = self.pull.pause * 2u32.saturating_pow(failures - 1);
            self.tell(PullEvent::Retrying {
                problem: &problem,
                wait,
            })?;
            std::thread::sleep(wait);
        }
    }

    fn have(&self) -> Result<u64, Stop> {
        Ok(self.part.metadata().map_err(Stop::Disk)?.len())
    }

    /// Forgets what was fetched. The plan goes first, so that it never describes other bytes than its own.
    pub(super) fn restart(&mut self) -> Result<(), Stop> {
        remove(self.journal)?;
        self.part.set_len(0).map_err(Stop::Disk)
    }

    fn keep(&mut self, plan: &Plan) -> Result<(), Stop> {
        plan.save(self.journal).map_err(Stop::Disk)
    }

    /// Goes as far as it goes.
    fn attempt(&mut self, url: &str, plan: &mut Option<Plan>) -> Result<Plan, Break> {
        let plan = match plan {
            Some(plan) => plan,
            None => {
                let (first, rest) = self.begin(url)?;
                let plan = plan.insert(first);
                if let Some(answer) = rest {
                    return self.take_whole(plan, answer);
                }
                plan
            }
        };
        loop {
            let have = self.have()?;
            self.tell(PullEvent::Progress {
                done: have,
                total: plan.bytes(),
            })?;
            let Some(wanted) = plan.next(have) else {
                return Ok(plan.clone());
            };
            let answer = self.client.get(url, wanted.clone())?;
            if !answer.partial {
                return self.take_whole(plan, answer);
            }
            if answer.start != wanted.start
                || answer.total.is_some_and(|total| Some(total) != plan.total)
                || is_other(plan, &answer)
            {
                return Err(Break::Changed);
            }
            let size = wanted.end - wanted.start;
            self.copy(answer, Some(size), have, plan.bytes())?;
        }
    }

    /// Makes a plan. If the server knows no ranges, its answer is that of the whole file.
    fn begin(&mut self, url: &str) -> Result<(Plan, Option<Answer>), Break> {
        let last = self.pull.last;
        let answer = self.client.get(url, 0..FIRST)?;
        self.check(&answer)?;
        let (etag, sha256) = (answer.etag.clone(), answer.sha256.clone());
        let (true, Some(total)) = (answer.partial && answer.start == 0, answer.total) else {
            let total = answer.total.filter(|_| !answer.partial);
            let whole = Plan::whole(url, last, total).tagged(etag, sha256);
            return match answer.partial {
                false => Ok((whole, Some(answer))),
                true => Err(Break::Stop(Stop::Lasting(
                    "it does not send the part that it was asked for, or not how long the file is"
                        .into(),
                ))),
            };
        };
        let mut start = self.bytes(answer, FIRST.min(total))?;
        let limits = Limits::default();
        let header = header_size(&start, total).filter(|size| *size <= limits.header_bytes);
        let Some(header) = header else {
            let plan = Plan::whole(url, last, Some(total)).tagged(etag, sha256);
            self.tell(PullEvent::WholeFile { bytes: Some(total) })?;
            self.start(&start, &plan)?;
            return Ok((plan, None));
        };
        if header > total {
            return Err(Break::Stop(Stop::Lasting(format!(
                "its header says {header} bytes, the file has {total}"
            ))));
        }
        if header > start.len() as u64 {
            let rest = self.client.get(url, start.len() as u64..header)?;
            if !rest.partial || rest.start != start.len() as u64 || rest.total != Some(total) {
                return Err(Break::Changed);
            }
            let size = header - rest.start;
            start.extend(self.bytes(rest, size)?);
        }
        start.truncate(header as usize);
        let plan = Plan::convolutions(url, last, &start, total)
            .map_err(|error| Stop::Lasting(error.to_string()))?
            .tagged(etag, sha256);
        self.start(&start, &plan)?;
        Ok((plan, None))
    }

    /// Puts the first bytes of a new file in the place of whatever is here.
    fn start(&mut self, bytes: &[u8], plan: &Plan) -> Result<(), Stop> {
        self.restart()?;
        self.write(bytes, 0)?;
        self.keep(plan)
    }

    /// Refuses, before any of it is fetched, a file that no reader would take or that is not the one that is meant.
    fn check(&self, answer: &Answer) -> Result<(), Stop> {
        let limit = Limits::default().file_bytes;
        let stated = self.origin.and_then(|origin| origin.size);
        let problem = match (answer.total, stated) {
            (Some(total), _) if total > limit => {
                format!("the file has {total} bytes, more than {limit} are not taken")
            }
            (Some(total), Some(stated)) if total != stated => {
                format!("the file has {total} bytes, it should have {stated}: it is another one")
            }
            _ => match (
                self.origin.and_then(|origin| origin.checksum),
                &answer.sha256,
            ) {
                (Some(Checksum::Sha256(stated)), Some(says)) if stated != says => format!(
                    "the server says that the file's SHA-256 is {says}, it should be {stated}"
                ),
                _ => return Ok(()),
            },
        };
        Err(Stop::Lasting(problem))
    }

    /// Takes a whole file from an answer that starts at its first byte.
    fn take_whole(&mut self, plan: &mut Plan, answer: Answer) -> Result<Plan, Break> {
        self.check(&answer)?;
        self.restart()?;
        let whole = Plan::whole(&plan.url, self.pull.last, answer.total);
        *plan = whole.tagged(answer.etag.clone(), answer.sha256.clone());
        self.keep(plan)?;
        let total = answer.total;
        self.tell(PullEvent::WholeFile { bytes: total })?;
        self.copy(answer, total, 0, total)?;
        if total.is_none() {
            plan.ended(self.have()?);
        }
        Ok(plan.clone())
    }

    /// Appends the body of an answer to the part: exactly `size` bytes, or all there is.
    fn copy(
        &mut self,
        answer: Answer,
        size: Option<u64>,
        have: u64,
        total: Option<u64>,
    ) -> Result<(), Break> {
        let limit = size.unwrap_or(Limits::default().file_bytes);
        let mut body = answer.body.take(limit);
        let mut block = vec![0; BLOCK];
        let mut done = have;
        let mut pace = Pace::new(self.pull.patience);
        loop {
            let count = body.read(&mut block).map_err(|error| self.broken(error))?;
            if count == 0 {
                break;
            }
            self.write(&block[..count], done)?;
            done += count as u64;
            self.tell(PullEvent::Progress { done, total })?;
            pace.check(count)?;
        }
        match size {
            Some(size) if done - have < size => Err(Break::Passing(format!(
                "the connection ended after {} of {size} bytes",
                done - have
            ))),
            _ => Ok(()),
        }
    }

    /// The first bytes of an answer, not more than `size`.
    fn bytes(&self, answer: Answer, size: u64) -> Result<Vec<u8>, Break> {
        let mut bytes = Vec::new();
        let mut body = answer.body.take(size);
        let mut block = vec![0; BLOCK];
        let mut pace = Pace::new(self.pull.patience);
        loop {
            let count = body.read(&mut block).map_err(|error| self.broken(error))?;
            if count == 0 {
                break;
            }
            bytes.extend_from_slice(&block[..count]);
            pace.check(count)?;
        }
        match bytes.len() as u64 == size {
            true => Ok(bytes),
            false => Err(Break::Passing("the connection ended early".into())),
        }
    }

    fn write(&mut self, bytes: &[u8], at: u64) -> Result<(), Stop> {
        let seek = self.part.seek(SeekFrom::Start(at));
        seek.and_then(|_| self.part.write_all(bytes))
            .map_err(Stop::Disk)
    }

    /// What an error inside a body means.
    fn broken(&self, error: io::Error) -> Break {
        match self.client.refusal(ureq::Error::from(error)) {
            // Half an answer is never the server's last word.
            Refusal::Lasting(problem) | Refusal::Passing(problem) => Break::Passing(problem),
            Refusal::NoSuchRange => Break::Changed,
        }
    }
}

/// Whether an answer is of another version of the file than the plan. What a hub says of the content goes before the
/// ETag, which may differ between the machines of one storage.
fn is_other(plan: &Plan, answer: &Answer) -> bool {
    match (&plan.sha256, &answer.sha256) {
        (Some(own), Some(new)) => own != new,
        _ => matches!((&plan.etag, &answer.etag), (Some(own), Some(new)) if own != new),
    }
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> Result<(), Stop> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Stop::Disk(error)),
        _ => Ok(()),
    }
}

/// Tells a server that trickles from one that is slow.
struct Pace {
    patience: Duration,
    since: Instant,
    bytes: usize,
}

impl Pace {
    fn new(patience: Duration) -> Self {
        Self {
            patience,
            since: Instant::now(),
            bytes: 0,
        }
    }

    fn check(&mut self, bytes: usize) -> Result<(), Break> {
        self.bytes += bytes;
        let seconds = self.since.elapsed();
        if seconds < self.patience {
            return Ok(());
        }
        if (self.bytes as f64) < SLOWEST * seconds.as_secs_f64() {
            return Err(Break::Passing(format!(
                "it sends less than a kilobyte in a second ({} bytes in {:.0} s)",
                self.bytes,
                seconds.as_secs_f64()
            )));
        }
        (self.since, self.bytes) = (Instant::now(), 0);
        Ok(())
    }
}
