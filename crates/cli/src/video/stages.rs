//! Reading, painting and writing, side by side: while a frame is painted the next ones are decoded, and those before encoded.

use super::account::Account;
use super::eyes::Eyes;
use super::frames::{self, Range};
use super::looking::{Looked, Looking, Next};
use super::memories::Memories;
use super::painter::{Made, Painter, Pictures};
use super::told;
use crate::args::Progress;
use crate::progress::duration;
use crate::{Exit, interrupt, note, print, say};
use anyhow::anyhow;
use impasto::Picture;
use impasto::picture::{Filter, SaveOptions, fit_long_side};
use impasto_video::{Frame, Sink, Time};
use serde_json::json;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Frames that were looked at and wait to be painted.
const AHEAD: usize = 2;
/// The least time from one line of progress to the next.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// The least time from one preview to the next.
const SHOWN_EVERY: Duration = Duration::from_secs(1);
/// The long side of a preview in pixels.
const PREVIEW: usize = 960;

/// Where the newest frame is shown.
pub struct Preview<'a> {
    path: &'a Path,
    shown: Option<Instant>,
    failed: bool,
}

impl<'a> Preview<'a> {
    /// In a file.
    pub fn new(path: &'a Path) -> Self {
        Self {
            path,
            shown: None,
            failed: false,
        }
    }

    /// Shows a frame if none was shown just before. What cannot be written is no reason to end.
    fn show(&mut self, frame: &Picture) {
        let due = self
            .shown
            .is_none_or(|shown| shown.elapsed() >= SHOWN_EVERY);
        if self.failed || !due {
            return;
        }
        let (width, height) = (frame.width(), frame.height());
        let side = PREVIEW.min(width.max(height));
        let (width, height) = fit_long_side(width, height, side);
        let small = frame.resized(width, height, Filter::Bicubic);
        if let Err(error) = small.save(self.path, &SaveOptions::default()) {
            self.failed = true;
            note(&format!("no preview: {error}; it goes on"));
        }
        self.shown = Some(Instant::now());
    }
}

/// What frames become.
pub struct Written<'a> {
    pub sink: &'a mut Sink,
    /// Where memories are kept, where they are.
    pub memories: Option<Memories>,
    /// What a frame shows.
    pub eyes: Eyes,
    /// Width and height of the picture of one eye.
    pub size: (usize, usize),
    /// Which frames of the film these are.
    pub range: Range,
    /// How many there will be, if that is known.
    pub count: Option<u64>,
    pub progress: Progress,
    /// Painted frames that may wait to be encoded.
    pub queue: usize,
    /// When the first one is seen in the film.
    pub zero: i64,
    /// What is told about the film in the end, if it is.
    pub account: Option<Account>,
    /// Where the newest frame is shown, if it is.
    pub preview: Option<Preview<'a>>,
}

/// How it went: what ended it, how many frames are written, what is to be told of them.
pub struct Passed {
    pub exit: Exit,
    pub frames: u64,
    pub account: Option<Account>,
}

/// Paints what comes from a film and writes what was painted, until the film, the user or a fault ends it. Every frame that was
/// painted is written, whatever ends it.
pub fn run(
    looking: Looking,
    painter: &mut Painter,
    written: Written<'_>,
) -> anyhow::Result<Passed> {
    let kept = written.sink.kept();
    let shows = written.account.is_some();
    let (send, looked) = sync_channel(AHEAD);
    // It ends with the film, or when nobody wants more; one that waits for a camera is not waited for.
    std::thread::spawn(move || {
        let small = |frame: &_| shows.then(|| Account::small(frame));
        looking.run(small, |next| send.send(next).is_ok());
    });
    let (painted, to_write) = sync_channel(written.queue);
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || written.take(&to_write));
        let exit = painting(&looked, painter, kept, &painted);
        // Nothing more comes: the writer ends when it has written what waits.
        drop(painted);
        let written = writer.join();
        let (frames, account) = written.map_err(|_| anyhow!("a frame could not be written"))??;
        Ok(Passed {
            exit: exit?,
            frames,
            account,
        })
    })
}

/// Paints frame after frame.
fn painting(
    looked: &Receiver<anyhow::Result<Next>>,
    painter: &mut Painter,
    kept: u64,
    painted: &SyncSender<Made>,
) -> anyhow::Result<Exit> {
    // What was painted once more for those after it is there already. A writer that takes no more has failed, and says why.
    let send = |made: Vec<Made>| {
        let mut made = made.into_iter().filter(|made| made.place >= kept);
        made.all(|made| painted.send(made).is_ok())
    };
    let mut exit = Exit::Done;
    for next in looked {
        if interrupt::requested() {
            return Ok(Exit::Interrupted);
        }
        let frame = match next {
            Ok(Next::Paint(frame)) => frame,
            Ok(Next::GoOn(from)) => {
                painter.go_on(from)?;
                continue;
            }
            // A camera that is switched off, a file that is cut off: what there was is a film.
            Err(error) if painter.done > kept => {
                say(&format!("{error}; what comes before is painted"));
                exit = Exit::Failed;
                break;
            }
            Err(error) => return Err(error),
        };
        let Some(made) = painter.paint(frame)? else {
            return Ok(Exit::Interrupted);
        };
        if !send(made) {
            return Ok(Exit::Done);
        }
    }
    match painter.finish()? {
        Some(made) => send(made),
        None => return Ok(Exit::Interrupted),
    };
    Ok(exit)
}

impl Written<'_> {
    /// Writes what comes; how many frames there are then.
    fn take(mut self, painted: &Receiver<Made>) -> anyhow::Result<(u64, Option<Account>)> {
        let kept = self.sink.kept();
        let (began, mut last) = (Instant::now(), Instant::now());
        let mut done = kept;
        let mut unsaved = false;
        for Made {
            frame, pictures, ..
        } in painted
        {
            if let (Some(memories), false) = (&self.memories, pictures.memories.is_empty())
                && let Err(error) = memories.keep(done, &pictures.memories)
                && !std::mem::replace(&mut unsaved, true)
            {
                note(&format!(
                    "if this run were cut off, some frames would be painted once more: {error}"
                ));
            }
            self.write(&frame, pictures)?;
            if let Some(memories) = &self.memories {
                memories.passed(done, self.eyes.count());
            }
            done += 1;
            match self.progress {
                Progress::None => {}
                Progress::Json => {
                    let (source, begins) = (frame.number, frame.begins);
                    let line = json!({"event": "frame", "frame": done, "frames": self.count, "source": source, "begins": begins});
                    print(&format!("{line}\n"))?;
                }
                _ if last.elapsed() > TOLD_EVERY => {
                    last = Instant::now();
                    self.tell(done, began.elapsed().as_secs_f64() / (done - kept) as f64);
                }
                _ => {}
            }
        }
        Ok((done, self.account))
    }

    fn write(&mut self, looked: &Looked, made: Pictures) -> anyhow::Result<()> {
        // Thin frames are painted wider than they are.
        let (width, height) = self.size;
        let views = made.pictures.into_iter();
        let views = views.map(|view| match (view.width(), view.height()) == self.size {
            true => view,
            false => view.resized(width, height, Filter::Bicubic),
        });
        let picture = self.eyes.join(views.collect())?;
        if let Some(preview) = &mut self.preview {
            preview.show(&picture);
        }
        if let Some(account) = &mut self.account {
            account.take(looked, made.known, &picture);
        }
        let frame = Frame {
            number: self.sink.next_number(),
            // Those that are left out are seen in the frame before them.
            time: Time {
                start: looked.time.start - self.zero,
                duration: looked.time.duration * self.range.every,
            },
            picture: frames::frame(&picture)?,
        };
        self.sink.write(&frame).map_err(told)
    }

    fn tell(&self, done: u64, pace: f64) {
        let left = self.count.map(|count| {
            let left = duration(pace * count.saturating_sub(done) as f64);
            (format!(" of {count}"), format!(", {left} left"))
        });
        let (of, left) = left.unwrap_or_default();
        note(&format!(
            "frame {done}{of}: {:.2} a second{left}",
            1.0 / pace
        ));
    }
}
