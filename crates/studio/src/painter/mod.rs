//! The thread that paints: what is watched first, then the queue, one job at a time.

mod film;
mod quick;
mod watch;

use crate::clips::Clips;
use crate::database::{Database, Finished, JobRow, State};
use crate::events::{Ended, Events, JobNow, Phase};
use crate::folder::Folder;
use crate::order::{Told, looked_at};
use crate::pictures::{Pictures, jpeg};
use crate::results;
use crate::told::of_error;
use crate::{Error, Program};
pub use film::BEGUN_OTHERWISE;
use film::{Reel, Work};
use impasto::checkpoint::{Checkpoints, Resume};
use impasto::job::{Job, Run};
use impasto::{Event, Outcome, Picture, Stylized};
use quick::Quick;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use watch::{Leave, Watch};

/// Watched jobs that take less are not saved: they are painted again before anybody notices.
const WORTH_SAVING: Duration = Duration::from_secs(10);

/// What the painter works with.
pub struct World {
    /// Where everything is.
    pub folder: Arc<Folder>,
    /// The queue.
    pub database: Database,
    /// Pictures to paint.
    pub pictures: Arc<Pictures>,
    /// Who watches.
    pub events: Events,
    /// What is the same for every job.
    pub run: Arc<Run>,
    /// Clips to paint.
    pub clips: Arc<Clips>,
    /// What paints films.
    pub program: Option<Program>,
}

/// What becomes of a picture that is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It is a result.
    Keep,
    /// It is forgotten.
    Drop,
    /// It is no result yet: it goes on later.
    Later,
}

#[derive(Default)]
struct Wishes {
    closing: bool,
    paused: bool,
    /// A watched job waits.
    live: bool,
    /// A job is to end.
    stop: Option<(i64, Stop)>,
    /// Something has changed since the painter looked.
    woken: bool,
    /// The picture of the watched job, to start from.
    present: Option<Arc<Picture>>,
    /// Films whose beginnings are no longer wanted.
    forgotten: Vec<i64>,
    /// Orders that are looked at just now, and will take the place of what is painted.
    awaited: usize,
}

#[derive(Default)]
struct Control {
    wishes: Mutex<Wishes>,
    changed: Condvar,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Control {
    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The way to the thread that paints.
#[derive(Clone)]
pub struct Painter(Arc<Control>);

impl Painter {
    /// Starts the thread.
    ///
    /// # Errors
    /// [`Error::Thread`].
    pub fn start(world: World) -> Result<Self, Error> {
        let control = Arc::new(Control::default());
        control.wishes().paused = world.events.state().paused;
        let mut easel = Easel {
            world,
            control: control.clone(),
            quick: None,
            reel: None,
        };
        easel.tidy();
        let thread = std::thread::Builder::new().name("impasto-painter".into());
        let thread = thread.spawn(move || easel.run()).map_err(Error::Thread)?;
        *control
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(Self(control))
    }

    fn wish(&self, change: impl FnOnce(&mut Wishes)) {
        let mut wishes = self.0.wishes();
        change(&mut wishes);
        wishes.woken = true;
        self.0.changed.notify_all();
    }

    /// Looks at the queue.
    pub fn wake(&self) {
        self.wish(|_| {});
    }

    /// Leaves what it paints after its step for an order that is still looked at, as long as what this returns is there.
    pub fn expect(&self) -> Expected {
        self.wish(|wishes| wishes.awaited += 1);
        Expected(self.clone())
    }

    /// Leaves what it paints for a watched job; one that does not start from the present picture makes its own.
    pub fn watch(&self, fresh: bool) {
        self.wish(|wishes| {
            wishes.live = true;
            if fresh {
                wishes.present = None;
            }
        });
    }

    /// Ends a job after its step.
    pub fn stop(&self, id: i64, stop: Stop) {
        self.wish(|wishes| wishes.stop = Some((id, stop)));
    }

    /// Removes what is painted of a film that will not be gone on with.
    pub fn forget(&self, id: i64) {
        self.wish(|wishes| wishes.forgotten.push(id));
    }

    /// Pauses the queue, or lets it go on.
    pub fn pause(&self, paused: bool) {
        self.wish(|wishes| wishes.paused = paused);
    }

    /// The picture of the watched job so far.
    pub fn present(&self) -> Option<Arc<Picture>> {
        self.0.wishes().present.clone()
    }

    /// Ends after the step, and waits for that.
    pub fn close(&self) {
        self.wish(|wishes| wishes.closing = true);
        let thread = self
            .0
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            // A painter that has panicked is closed as well.
            let _ = thread.join();
        }
    }
}

/// An order that is looked at.
pub struct Expected(Painter);

impl Drop for Expected {
    fn drop(&mut self) {
        self.0
            .wish(|wishes| wishes.awaited = wishes.awaited.saturating_sub(1));
    }
}

/// The thread's own.
struct Easel {
    world: World,
    control: Arc<Control>,
    quick: Option<Quick>,
    /// A film under way, which may wait for something else.
    reel: Option<Reel>,
}

impl Easel {
    fn run(&mut self) {
        let mut warm = false;
        loop {
            self.forget();
            let paused = {
                let mut wishes = self.control.wishes();
                // What is painted next may be told in a moment.
                let expects = |wishes: &mut Wishes| wishes.awaited > 0 && !wishes.closing;
                let waited = self.control.changed.wait_while(wishes, expects);
                wishes = waited.unwrap_or_else(PoisonError::into_inner);
                (wishes.live, wishes.woken, wishes.stop) = (false, false, None);
                if wishes.closing {
                    // What it has painted is kept, and gone on with the next time.
                    self.reel = None;
                    return;
                }
                wishes.paused
            };
            match self
                .world
                .database
                .ask_now(move |tables| tables.next(!paused))
            {
                Ok(Some(row)) => self.take(&row),
                Ok(None) if !warm => {
                    warm = true;
                    self.warm_up();
                }
                Ok(None) => self.wait(),
                Err(error) => {
                    log::error!("{error}");
                    self.wait();
                }
            }
        }
    }

    fn wait(&self) {
        let mut wishes = self.control.wishes();
        while !wishes.woken {
            wishes = self
                .control
                .changed
                .wait(wishes)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Paints a job, whatever becomes of it.
    fn take(&mut self, row: &JobRow) {
        let id = row.id;
        self.world.events.tell(|state| {
            state.job = Some(JobNow {
                id,
                title: row.title.clone(),
                live: row.live,
                ..JobNow::default()
            });
            if row.live {
                state.ended = None;
            }
            state.queue += 1;
        });
        // A library that panics is a bug, and no reason to lose the queue.
        let painted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.paint(row)));
        let painted = painted.unwrap_or_else(|_| {
            self.quick = None;
            Err(vec![
                "painting it came to an unexpected end: a mistake of the program".into(),
            ])
        });
        let mut ended = Ended {
            id,
            result: false,
            problem: None,
        };
        match painted {
            Ok(done) => ended.result = done,
            Err(problems) => {
                let problem = problems.join("\n");
                ended.problem = Some(problem.clone());
                let noted = self
                    .world
                    .database
                    .ask_now(move |tables| tables.fail(id, &problem));
                noted.unwrap_or_else(|error| log::error!("{error}"));
            }
        }
        self.world.events.tell(|state| {
            state.job = None;
            state.queue += 1;
            state.results += u64::from(ended.result);
            // What is watched has an end of its own, whatever the queue goes on with.
            if row.live {
                state.ended = Some(ended);
            }
        });
    }

    /// Paints a job; whether there is a result.
    fn paint(&mut self, row: &JobRow) -> Result<bool, Vec<String>> {
        let one = |text: String| vec![text];
        let told: Told = serde_json::from_str(&row.told).map_err(|error| one(error.to_string()))?;
        let (file, written) = results::file_of(&self.world.folder, &told, row.id);
        // Written, and not noted before the program was ended.
        if let Some(size) = written {
            return self.finish(row, &told, State::Done, &file, size, 0.0);
        }
        if let Some(film) = &told.film {
            let (told, file) = (&told, &*file);
            return self.film(Work {
                row,
                told,
                film,
                file,
            });
        }
        if row.live {
            self.paint_at_once(&told);
        }
        let order = told.order(&self.world.pictures, &self.world.run)?;
        if let Some(left) = self.left(row) {
            return left;
        }
        let mut draft = order.check();
        let problems = draft.problems();
        if !problems.is_empty() {
            return Err(looked_at(&problems));
        }
        let checkpoints = Checkpoints {
            resume: Resume::IfSaved,
            least: if row.live {
                WORTH_SAVING
            } else {
                Duration::ZERO
            },
            ..Checkpoints::new(self.world.folder.join("checkpoints"))
        };
        let mut job = draft
            .prepare(Some(checkpoints))
            .map_err(|found| looked_at(&found))?;
        let content = job
            .contents
            .first_mut()
            .and_then(|content| content.picture.take());
        let content = content.ok_or_else(|| one("the photo is gone".into()))?;
        if let Some(left) = self.left(row) {
            return left;
        }
        let (stylized, leave) = self.watched(row, &mut job, &content)?;
        self.keep(row, &told, &file, &job, stylized, leave)
    }

    /// What becomes of a job that is to be left before anything of it is painted, if it is.
    fn left(&self, row: &JobRow) -> Option<Result<bool, Vec<String>>> {
        let id = row.id;
        match watch::wish(&self.control, row)? {
            Leave::Later | Leave::Stopped(Stop::Later) => Some(Ok(false)),
            Leave::Stopped(Stop::Keep) => Some(Err(vec![
                "it was stopped before anything was painted".into(),
            ])),
            Leave::Stopped(Stop::Drop) => {
                let removed = self.world.database.ask_now(move |tables| tables.remove(id));
                Some(
                    removed
                        .map(|_| false)
                        .map_err(|error| vec![error.to_string()]),
                )
            }
        }
    }

    /// Paints, and looks after each step whether it should go on.
    fn watched(
        &self,
        row: &JobRow,
        job: &mut Job,
        content: &Picture,
    ) -> Result<(Stylized, Option<Leave>), Vec<String>> {
        let mut watch = Watch {
            control: &self.control,
            events: &self.world.events,
            row,
            shown: None,
            cost: Duration::ZERO,
            leave: None,
        };
        let stylized = job
            .stylizer
            .stylize(content, &mut |event: &Event<'_>| watch.look(event));
        let stylized = stylized.map_err(|error| vec![of_error(&error)])?;
        Ok((stylized, watch.leave))
    }

    /// What becomes of a picture that was painted, to its end or not.
    fn keep(
        &self,
        row: &JobRow,
        told: &Told,
        file: &str,
        job: &Job,
        stylized: Stylized,
        leave: Option<Leave>,
    ) -> Result<bool, Vec<String>> {
        let id = row.id;
        let Stylized {
            picture,
            report,
            outcome,
            checkpoint,
        } = stylized;
        if let Outcome::Diverged { .. } = outcome {
            return Err(vec![
                "the picture went astray: its losses are no numbers any more; move the sliders towards the middle".into(),
            ]);
        }
        let state = match (outcome, leave) {
            (Outcome::Stopped, Some(Leave::Later | Leave::Stopped(Stop::Later)) | None) => {
                return Ok(false);
            }
            (Outcome::Stopped, Some(Leave::Stopped(Stop::Drop))) => {
                let removed = self.world.database.ask_now(move |tables| tables.remove(id));
                removed.map_err(|error| vec![error.to_string()])?;
                return Ok(false);
            }
            (Outcome::Stopped, Some(Leave::Stopped(Stop::Keep))) => State::Stopped,
            _ => State::Done,
        };
        self.world.events.tell(|now| {
            if let Some(job) = &mut now.job {
                job.phase = Phase::Saving;
            }
        });
        let settings = results::settings(&job.settings, told, row.id);
        if let Err(error) = results::write(&self.world.folder, file, &picture, settings) {
            return self.wait_for_room(row, &error.to_string());
        }
        if let Ok(bytes) = jpeg(&picture) {
            self.world.events.show(bytes);
        }
        if row.live {
            self.control.wishes().present = Some(Arc::new(picture.clone()));
        }
        let size = (picture.width(), picture.height());
        let finished = self.finish(row, told, state, file, size, report.seconds);
        if let (State::Done, Some(checkpoint)) = (state, checkpoint) {
            // What is left of it is removed when it is old.
            let _ = checkpoint.remove();
        }
        finished
    }

    fn finish(
        &self,
        row: &JobRow,
        told: &Told,
        state: State,
        file: &str,
        size: (usize, usize),
        seconds: f64,
    ) -> Result<bool, Vec<String>> {
        let (id, name) = (row.id, file.to_string());
        let file = name.clone();
        let noted = self.world.database.ask_now(move |tables| {
            let file = &file;
            tables.finish(
                id,
                &Finished {
                    state,
                    file,
                    size,
                    seconds,
                },
            )
        });
        if !noted.map_err(|error| vec![error.to_string()])? {
            let dropped = self.control.wishes().stop == Some((id, Stop::Drop));
            return self.orphan(row, &name, size, dropped);
        }
        if let (Some(start), State::Done) = (told.start.clone(), state) {
            let asked = start.clone();
            let needed = self
                .world
                .database
                .ask_now(move |tables| tables.is_needed(&asked, id));
            // What is needed by mistake is left, and no harm.
            if !needed.unwrap_or(true) {
                self.world.pictures.drop_start(&start);
            }
        }
        Ok(true)
    }

    /// A picture whose job was taken out meanwhile: it is removed if that was meant, and a result otherwise.
    fn orphan(
        &self,
        row: &JobRow,
        file: &str,
        size: (usize, usize),
        dropped: bool,
    ) -> Result<bool, Vec<String>> {
        if dropped {
            let _ = std::fs::remove_file(self.world.folder.result(file, false));
            return Ok(false);
        }
        let (row, file) = (row.clone(), file.to_string());
        let taken = self.world.database.ask_now(move |tables| {
            tables.take_in(Some(row.id), &row.title, &row.told, &file, size)
        });
        taken.map_err(|error| vec![error.to_string()])?;
        Ok(true)
    }

    /// The folder takes no pictures: the job waits, and the queue with it.
    fn wait_for_room(&self, row: &JobRow, problem: &str) -> Result<bool, Vec<String>> {
        if row.live {
            return Err(vec![problem.into()]);
        }
        let id = row.id;
        let waits = self
            .world
            .database
            .ask_now(move |tables| tables.set_state(id, State::Queued));
        waits.unwrap_or_else(|error| log::error!("{error}"));
        self.control.wishes().paused = true;
        self.world.events.tell(|state| {
            state.paused = true;
            state.problem = Some(format!("the queue is paused: {problem}"));
        });
        Ok(false)
    }
}
