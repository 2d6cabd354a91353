//! Checkpoints: the options about them, and what is said of them.

use crate::problems::Problems;
use crate::settings;
use crate::value::{self, Given};
use crate::words::Told;
use clap::{Args, ValueHint};
use impasto::checkpoint::{Checkpoints, Notice, Resume};
use impasto::compute::Device;
use impasto::job::{self, RecordAt};
use std::path::PathBuf;
use std::time::Duration;

/// Runs that take less are not saved unless that was asked for.
const LEAST: Duration = Duration::from_secs(120);
/// More than a day is a slip of the pen.
const MOST: f32 = 86_400.0;

/// Whether a run is saved and goes on.
#[derive(Args)]
pub struct Options {
    /// Save the run here now and then, for --resume [default: the cache folder, if a run takes over two minutes]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Checkpoints")]
    pub checkpoint: Option<PathBuf>,

    /// Seconds from one checkpoint to the next, up to 86400; 0 saves after every step [default: 30, or more if they are slow]
    #[arg(long, value_name = "SECONDS", value_parser = value::real(), help_heading = "Checkpoints")]
    pub checkpoint_every: Option<Given<f32>>,

    /// Save no checkpoints
    #[arg(long, help_heading = "Checkpoints")]
    pub no_checkpoint: bool,

    /// Go on from the checkpoint of this very job; the result is what it would have been without the break
    #[arg(long, help_heading = "Checkpoints")]
    pub resume: bool,
}

impl Options {
    /// Where runs are saved, unless the system names no such folder.
    fn folder(&self) -> Option<PathBuf> {
        let cache = || settings::cache_folder().map(|cache| cache.join("checkpoints"));
        self.checkpoint.clone().or_else(cache)
    }

    /// Where it is kept what of a job is finished.
    pub fn record(&self) -> Option<RecordAt> {
        let folder = self.folder().filter(|_| !self.no_checkpoint)?;
        Some(RecordAt {
            folder,
            resume: self.resume,
        })
    }

    /// What they say for a number of contents on a device; what is wrong with them is noted.
    pub fn read(
        &self,
        contents: usize,
        device: Option<&dyn Device>,
        problems: &mut Problems,
    ) -> Option<Checkpoints> {
        let every = problems.take(&self.checkpoint_every);
        if let Some(every) = every.filter(|every| !(0.0..=MOST).contains(every)) {
            problems.usage(format!(
                "--checkpoint-every is {every}: must be a number of seconds from 0 to {MOST}"
            ));
        }
        let given = [
            ("--checkpoint", self.checkpoint.is_some()),
            ("--checkpoint-every", self.checkpoint_every.is_some()),
            ("--resume", self.resume),
        ];
        let wanted = given.iter().find(|(_, given)| *given);
        if let (Some((option, _)), true) = (wanted, self.no_checkpoint) {
            problems.usage(format!(
                "{option} and --no-checkpoint are both given: choose one"
            ));
        }
        if device.is_some_and(|device| device.arithmetic().is_none()) {
            if let Some((option, _)) = wanted {
                problems.usage(format!(
                    "{option} does not go with this device: it computes with more digits than can be saved"
                ));
            }
            return None;
        }
        if let Some(folder) = &self.checkpoint {
            // Why it cannot be made is found out by the check.
            let _ = std::fs::create_dir_all(folder);
            problems.gather(|found| job::check_folder(folder, found));
        }
        let Some(folder) = self.folder() else {
            if wanted.is_some() {
                problems.usage("this system names no cache folder: name one with --checkpoint");
            }
            return None;
        };
        let asked = self.checkpoint.is_some() || self.checkpoint_every.is_some();
        let checkpoints = Checkpoints {
            every: every.and_then(|every| Duration::try_from_secs_f32(every).ok()),
            least: if asked { Duration::ZERO } else { LEAST },
            resume: match (self.resume, contents) {
                (false, _) => Resume::No,
                (true, 1) => Resume::Yes,
                // Those that were done have no checkpoint any more, and those to come have none yet.
                (true, _) => Resume::IfSaved,
            },
            ..Checkpoints::new(folder)
        };
        (!self.no_checkpoint).then_some(checkpoints)
    }
}

/// What is said of checkpoints to everybody, and what only to those who asked for it.
pub enum Line {
    /// To everybody.
    Note(String),
    /// With `--verbose`.
    Detail(String),
}

/// Puts a notice into words; `scales` is the number of scales of the run.
pub fn words(notice: &Notice, scales: usize) -> Option<Line> {
    Some(match notice {
        Notice::Resumed {
            scale,
            step,
            seconds,
            ..
        } => Line::Note(format!(
            "going on after step {step} of scale {}/{scales}, {} into the run",
            scale + 1,
            crate::progress::duration(*seconds)
        )),
        Notice::NothingToResume { folder } => Line::Note(format!(
            "there is no checkpoint of this job in {}: beginning anew",
            folder.display()
        )),
        Notice::Unusable(error) => Line::Note(error.told()),
        Notice::NotSaved(error) => Line::Note(format!("{}; the run goes on", error.told())),
        Notice::Saved {
            path,
            bytes,
            seconds,
        } => Line::Detail(format!(
            "checkpoint: {}, {:.1} MB in {seconds:.2} s",
            path.display(),
            *bytes as f64 / 1e6
        )),
        Notice::Removed { path } => {
            Line::Detail(format!("removed an old checkpoint: {}", path.display()))
        }
        _ => return None,
    })
}
