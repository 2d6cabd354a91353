//! A film of the queue: painted by the program itself, started once more, which tells how far it is.
//!
//! ```text
//! Reel: child ◀─ stdin: wait, go, finish, its end ── this thread ◀─ stdout: frames ── child
//!         └─▶ checkpoints/film-ID.mp4.part, .frames, .jpg ─▶ checkpoints/film-ID.mp4 ─▶ results/NAME-ID.mp4
//! ```
//!
//! While something else is painted the film waits where it is. However the studio ends, the child's input ends with it, and
//! the film goes on from its last frames when the folder is opened again.

use super::watch::{Leave, wish};
use super::{Easel, Stop};
use crate::clips::{self, Clip, relative};
use crate::database::{JobRow, State};
use crate::events::{FilmNow, Phase};
use crate::order::{Told, ToldFilm};
use crate::pictures::Reference;
use crate::results;
use impasto::Quality;
use impasto::named::Named;
use impasto::picture::write_whole;
use impasto::recipe::file::RecipeFile;
use serde_json::Value;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What the program says of a beginning that another run has left, which is never gone on with.
pub const BEGUN_OTHERWISE: &str = "was begun by another run";
/// What the program says while one that was killed just now still ends: it is started again a little later.
const IN_USE: &str = "is being written by another run";
/// How long that is tried.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked whether something else is wished.
const LOOK: Duration = Duration::from_millis(100);
/// The last lines of what the program says that are kept.
const LINES: usize = 20;
/// What it says before a line.
const VOICE: &str = "impasto: ";

/// What is heard of the child.
enum Heard {
    /// A line of its progress.
    Line(String),
    /// It has nothing more to say.
    Ended,
}

/// A film under way: the program that paints it. Dropping it stops it; what it has painted is kept.
pub(super) struct Reel {
    id: i64,
    child: Child,
    heard: Receiver<Heard>,
    /// What it says to people.
    said: Option<JoinHandle<Vec<String>>>,
    /// When it was started, or went on, and after how many frames.
    since: Option<(Instant, u64)>,
    now: FilmNow,
    /// Seconds that it has worked.
    worked: f64,
    /// When the preview was written that was shown last.
    shown: Option<std::time::SystemTime>,
}

impl Reel {
    fn start(mut command: Command, id: i64, frames: u64) -> std::io::Result<Self> {
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let (tell, heard) = channel();
        let lines = child.stdout.take().map(BufReader::new);
        std::thread::spawn(move || {
            for line in lines
                .into_iter()
                .flat_map(BufRead::lines)
                .map_while(Result::ok)
            {
                if tell.send(Heard::Line(line)).is_err() {
                    break;
                }
            }
            let _ = tell.send(Heard::Ended);
        });
        let lines = child.stderr.take().map(BufReader::new);
        let said = std::thread::spawn(move || {
            let mut last = Vec::new();
            for line in lines
                .into_iter()
                .flat_map(BufRead::lines)
                .map_while(Result::ok)
            {
                log::info!("{line}");
                last.push(line);
                if last.len() > LINES {
                    last.remove(0);
                }
            }
            last
        });
        Ok(Self {
            id,
            child,
            heard,
            said: Some(said),
            since: None,
            now: FilmNow {
                frames,
                ..FilmNow::default()
            },
            worked: 0.0,
            shown: None,
        })
    }

    /// Tells the child something; one that has ended does not hear it.
    fn say(&mut self, word: &str) {
        if let Some(input) = &mut self.child.stdin {
            let _ = writeln!(input, "{word}").and_then(|()| input.flush());
        }
    }

    /// Lets it wait where it is.
    fn wait(&mut self) {
        self.say("wait");
        self.rest();
    }

    /// What follows does not count.
    fn rest(&mut self) {
        let since = self.since.take();
        self.worked += since.map_or(0.0, |(since, _)| since.elapsed().as_secs_f64());
    }

    /// Takes a line of its progress; whether it was about a frame.
    fn take(&mut self, line: &str) -> bool {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let frame = line["frame"].as_u64().filter(|_| line["event"] == "frame");
        let Some(frame) = frame else { return false };
        self.now.frame = frame;
        let (since, first) = *self.since.get_or_insert_with(|| (Instant::now(), frame));
        let seconds = since.elapsed().as_secs_f64();
        if frame > first && seconds > 0.0 {
            self.now.pace = (frame - first) as f64 / seconds;
        }
        true
    }

    /// Ends it, and waits for that; the lines that it has said last.
    fn end(&mut self) -> Vec<String> {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
        let said = self.said.take().map(JoinHandle::join);
        said.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Reel {
    fn drop(&mut self) {
        self.end();
    }
}

/// A film of the queue.
#[derive(Clone, Copy)]
pub(super) struct Work<'a> {
    /// Its job.
    pub(super) row: &'a JobRow,
    /// What was ordered.
    pub(super) told: &'a Told,
    /// Of which clip.
    pub(super) film: &'a ToldFilm,
    /// The file that it becomes.
    pub(super) file: &'a str,
}

/// What belongs to a film that is not finished, in the folder of checkpoints.
struct Beginning {
    folder: PathBuf,
    id: i64,
}

impl Beginning {
    fn file(&self, end: &str) -> PathBuf {
        self.folder.join(format!("film-{}{end}", self.id))
    }

    fn output(&self) -> PathBuf {
        self.file(".mp4")
    }

    /// Removes all of it.
    fn remove(&self) {
        for end in [".mp4", ".mp4.part", ".jpg", ".toml"] {
            let _ = fs::remove_file(self.file(end));
        }
        let _ = fs::remove_dir_all(self.file(".mp4.frames"));
    }
}

impl Easel {
    fn beginning(&self, id: i64) -> Beginning {
        Beginning {
            folder: self.world.folder.join("checkpoints"),
            id,
        }
    }

    /// Removes beginnings of films that nobody goes on with.
    pub(super) fn tidy(&self) {
        let entries = fs::read_dir(self.world.folder.join("checkpoints"));
        for entry in entries.into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let number = name
                .strip_prefix("film-")
                .and_then(|rest| rest.split('.').next());
            let Some(id) = number.and_then(|number| number.parse::<i64>().ok()) else {
                continue;
            };
            let found = self.world.database.ask_now(move |tables| tables.job(id));
            if matches!(&found, Ok(None)) || matches!(&found, Ok(Some(row)) if row.file.is_some()) {
                self.beginning(id).remove();
            }
        }
    }

    /// Removes beginnings that were to be forgotten; one that is painted just now is ended before.
    pub(super) fn forget(&mut self) {
        let forgotten = std::mem::take(&mut self.control.wishes().forgotten);
        for id in forgotten {
            if self.reel.as_ref().is_some_and(|reel| reel.id == id) {
                self.reel = None;
            }
            self.beginning(id).remove();
        }
    }

    /// Paints a film, or goes on with it; whether there is a result.
    pub(super) fn film(&mut self, work: Work<'_>) -> Result<bool, Vec<String>> {
        let row = work.row;
        let beginning = self.beginning(row.id);
        if beginning.output().exists() {
            return self.take_film(work, State::Done, 0.0);
        }
        let kept = self.reel.take().filter(|reel| reel.id == row.id);
        let mut reel = match kept {
            Some(mut reel) => {
                reel.say("go");
                if reel.now.frame > 0 {
                    self.tell_film(row, &mut reel, &beginning.file(".jpg"));
                }
                reel
            }
            None => self.start_film(work, &beginning)?,
        };
        let (mut stopped, began) = (false, Instant::now());
        loop {
            match reel.heard.recv_timeout(LOOK) {
                Ok(Heard::Line(line)) => {
                    if reel.take(&line) {
                        self.tell_film(row, &mut reel, &beginning.file(".jpg"));
                    }
                }
                Ok(Heard::Ended) | Err(RecvTimeoutError::Disconnected) => {
                    let said = reel.end();
                    let in_use = said.iter().any(|line| line.contains(IN_USE));
                    if !in_use || began.elapsed() > PATIENCE {
                        return self.film_ended(work, &mut reel, stopped, &said);
                    }
                    std::thread::sleep(LOOK);
                    reel = self.start_film(work, &beginning)?;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            match wish(&self.control, row) {
                None => {}
                Some(Leave::Later | Leave::Stopped(Stop::Later)) => {
                    reel.wait();
                    self.reel = Some(reel);
                    return Ok(false);
                }
                Some(Leave::Stopped(Stop::Drop)) => {
                    drop(reel);
                    beginning.remove();
                    let id = row.id;
                    let removed = self.world.database.ask_now(move |tables| tables.remove(id));
                    return removed
                        .map(|_| false)
                        .map_err(|error| vec![error.to_string()]);
                }
                Some(Leave::Stopped(Stop::Keep)) if !stopped => {
                    stopped = true;
                    reel.say("finish");
                    self.tell_phase(Phase::Saving);
                }
                Some(Leave::Stopped(Stop::Keep)) => {}
            }
        }
    }

    /// What becomes of a film whose program has ended.
    fn film_ended(
        &self,
        work: Work<'_>,
        reel: &mut Reel,
        stopped: bool,
        said: &[String],
    ) -> Result<bool, Vec<String>> {
        reel.rest();
        if self.beginning(work.row.id).output().exists() {
            let whole = reel.now.frame >= reel.now.frames;
            let state = match stopped && !whole {
                true => State::Stopped,
                false => State::Done,
            };
            return self.take_film(work, state, reel.worked);
        }
        if stopped {
            return Err(vec!["it was stopped before anything was painted".into()]);
        }
        Err(self.sentences(said, work))
    }

    fn start_film(&self, work: Work<'_>, beginning: &Beginning) -> Result<Reel, Vec<String>> {
        let Work {
            row, told, film, ..
        } = work;
        let one = |text: String| vec![text];
        let program = self.world.program.as_ref();
        let program = program.ok_or_else(|| one("this program paints no films".into()))?;
        let clip = self.world.clips.find(&film.clip);
        let clip = clip.ok_or_else(|| one("the clip is gone from the studio's folder".into()))?;
        // Everything about it is looked at as it is about a picture.
        told.order(&self.world.pictures, &self.world.run)?;
        let (recipe, _) = told.recipe()?;
        let about = told.title();
        let recipe = RecipeFile { about, recipe }.to_toml();
        let path = beginning.file(".toml");
        let written = write_whole(&path, recipe.as_bytes());
        written.map_err(|error| one(format!("cannot write {}: {error}", path.display())))?;
        let (first, words) = program
            .words
            .split_first()
            .ok_or_else(|| one("there is no program".into()))?;
        let mut command = Command::new(first);
        command.args(words).arg("video");
        command.args(&program.options);
        command
            .args(self.words(told, film, &clip, row.id))
            .current_dir(self.world.folder.path());
        let started = Reel::start(command, row.id, clip.frames);
        started.map_err(|error| {
            one(format!(
                "the program that paints films cannot be started: {error}"
            ))
        })
    }

    /// What a film is, as options. Files are named from the studio's folder, so that no name of a folder is taken apart; each
    /// value is one word with its option, so that none is an option itself.
    fn words(&self, told: &Told, film: &ToldFilm, clip: &Clip, id: i64) -> Vec<OsString> {
        let picture = |picture: &str| match Reference::read(picture) {
            Some(Reference::Sent(id)) => format!("pictures/{id}.png"),
            _ => picture.to_string(),
        };
        let mut words: Vec<String> = vec![
            "--leash".into(),
            "--resume".into(),
            "--progress=json".into(),
            "--backend=native".into(),
            format!("--recipe=checkpoints/film-{id}.toml"),
            format!("--consistency={}", film.consistency),
            format!("--preview=checkpoints/film-{id}.jpg"),
            format!("--output=checkpoints/film-{id}.mp4"),
        ];
        // A quality is more than its recipe.
        let by_quality = told.recipe.is_empty() && told.text.is_empty();
        if by_quality && told.quality == Quality::Fine.name() {
            words.push("--passes=2".into());
        }
        let styles = told.styles.iter();
        words.extend(
            styles.map(|style| format!("--style={}:{}", picture(&style.picture), style.weight)),
        );
        words.extend(
            told.mask
                .iter()
                .map(|mask| format!("--mask={}", picture(mask))),
        );
        let regions = told.regions.iter();
        words.extend(regions.map(|region| {
            let (mask, style) = (picture(&region.mask), picture(&region.picture));
            format!("--region={mask}={style}:{}", region.weight)
        }));
        words.push("--".into());
        words.push(relative(clip));
        words.into_iter().map(OsString::from).collect()
    }

    /// Takes a film that is whole in among the results.
    fn take_film(&self, work: Work<'_>, state: State, seconds: f64) -> Result<bool, Vec<String>> {
        let Work {
            row, told, file, ..
        } = work;
        self.tell_phase(Phase::Saving);
        let beginning = self.beginning(row.id);
        let output = beginning.output();
        let size = clips::size_of(&output).unwrap_or_default();
        let recipe = fs::read_to_string(beginning.file(".toml")).unwrap_or_default();
        let folder = &self.world.folder;
        if let Err(error) = results::take_film(folder, &output, file, told, row.id, &recipe) {
            return self.wait_for_room(row, &error.to_string());
        }
        let finished = self.finish(row, told, state, file, size, seconds);
        beginning.remove();
        finished
    }

    fn tell_phase(&self, phase: Phase) {
        self.world.events.tell(|state| {
            if let Some(job) = &mut state.job {
                job.phase = phase;
            }
        });
    }

    /// Tells how far a film is, and shows its newest frame.
    fn tell_film(&self, row: &JobRow, reel: &mut Reel, preview: &Path) {
        let now = reel.now;
        self.world.events.tell(|state| {
            let Some(job) = state.job.as_mut().filter(|job| job.id == row.id) else {
                return;
            };
            job.phase = Phase::Painting;
            job.progress = now.frame as f64 / now.frames.max(1) as f64;
            let rest = now.frames.saturating_sub(now.frame) as f64;
            job.left = (now.pace > 0.0).then(|| rest / now.pace);
            job.film = Some(now);
        });
        let written = fs::metadata(preview)
            .and_then(|about| about.modified())
            .ok();
        if written.is_some() && written != reel.shown {
            reel.shown = written;
            if let Ok(bytes) = fs::read(preview) {
                self.world.events.show(bytes);
            }
        }
    }

    /// What the program said, in the words of the page: names for files.
    fn sentences(&self, said: &[String], work: Work<'_>) -> Vec<String> {
        let Work { told, film, .. } = work;
        let clip = self.world.clips.find(&film.clip);
        let lines = said.iter().filter_map(|line| line.strip_prefix(VOICE));
        let lines = lines.map(|line| {
            let mut line = line.to_string();
            if let Some(clip) = &clip {
                line = line.replace(&relative(clip), &clip.name);
            }
            for (id, name) in &told.names {
                line = line.replace(&format!("pictures/{id}.png"), name);
            }
            line
        });
        // What it says of its beginning is no problem.
        let mut lines: Vec<_> = lines
            .filter(|line| !line.contains(" px painted at "))
            .collect();
        if lines.iter().any(|line| line.contains(BEGUN_OTHERWISE)) {
            lines = vec![format!(
                "what is painted of it {BEGUN_OTHERWISE}, of another version of the program perhaps; “Try again” begins anew"
            )];
        }
        if lines.is_empty() {
            lines.push("the program that paints films came to an unexpected end; “Try again” goes on where it was".into());
        }
        lines
    }
}
