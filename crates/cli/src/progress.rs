//! How a run is shown: a bar per scale, a line per scale, JSON lines, or nothing.
//!
//! What is for people goes to stderr, JSON to stdout.

use crate::args::Progress;
use crate::checkpoint;
use crate::note;
use impasto::checkpoint::Notice;
use impasto::{Cause, Event, Report, Scale, Setback, Step};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// All bars; lines for people pass through it so that they do not cut through a bar.
pub static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// The least time between two changes of a bar: losses are asked of the device only that often.
const PAUSE: Duration = Duration::from_millis(100);

enum Kind {
    Bar(Option<ProgressBar>),
    Lines,
    Json,
    None,
}

/// Shows the progress of several contents.
pub struct Display {
    kind: Kind,
    contents: usize,
    /// The content at work.
    content: String,
    scales: usize,
    scale_began: Instant,
    drawn: Option<Instant>,
    /// The last loss that was seen.
    total: Option<f64>,
}

/// A line of `--progress json`; `event` says which.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Line<'a> {
    /// Work on a content begins; the scales that it will go through.
    Started { content: &'a str, scales: Vec<Plan> },
    /// A step was taken. Scales and steps count from 1; losses are without their weights; `eta` is in seconds.
    Step {
        content: &'a str,
        scale: usize,
        scales: usize,
        width: usize,
        height: usize,
        step: usize,
        steps: usize,
        total: f64,
        losses: BTreeMap<String, f64>,
        seconds: f64,
        eta: f64,
        progress: f64,
    },
    /// The run goes on from a checkpoint, made after this step; `seconds` of work are in it.
    Resumed {
        content: &'a str,
        scale: usize,
        step: usize,
        seconds: f64,
    },
    /// A checkpoint was saved.
    Saved { content: &'a str, path: String },
    /// At this step something was not a number, or the loss far above its start: the run went back and goes on in steps of
    /// `factor` times the size.
    Setback {
        content: &'a str,
        scale: usize,
        step: usize,
        factor: f32,
        cause: Cause,
    },
    /// The result is written.
    Finished {
        content: &'a str,
        output: String,
        stopped: bool,
        seconds: f64,
    },
}

/// A scale that is to come.
#[derive(Serialize)]
struct Plan {
    width: usize,
    height: usize,
    steps: usize,
}

impl Display {
    /// A display for this many contents.
    pub fn new(kind: Progress, contents: usize) -> Self {
        let kind = match kind {
            Progress::Auto if std::io::stderr().is_terminal() => Kind::Bar(None),
            Progress::Auto => Kind::Lines,
            Progress::Bar => Kind::Bar(None),
            Progress::Json => Kind::Json,
            Progress::None => Kind::None,
        };
        Self {
            kind,
            contents,
            content: String::new(),
            scales: 0,
            scale_began: Instant::now(),
            drawn: None,
            total: None,
        }
    }

    /// The next content begins.
    pub fn begin(&mut self, content: &str) {
        self.content = content.into();
        self.drawn = None;
        self.total = None;
    }

    /// Shows what happened.
    ///
    /// # Errors
    /// Whatever the device reports when it is asked for the loss.
    pub fn show(&mut self, event: &Event<'_>) -> impasto::Result<()> {
        match event {
            Event::Started { scales } => self.start(scales),
            Event::ScaleStarted { index, scale } => self.begin_scale(*index, *scale),
            Event::Step(step) => self.step(step)?,
            Event::Setback(setback) => self.set_back(*setback),
            Event::Checkpoint(notice) => self.checkpoint(notice),
            Event::ScaleFinished {
                index,
                scale,
                seconds,
            } => self.end_scale(*index, *scale, *seconds),
            _ => {}
        }
        Ok(())
    }

    /// The content is done; `summary` says what became of it.
    pub fn end(&mut self, summary: &str, output: &Path, report: &Report) {
        if matches!(self.kind, Kind::Json) {
            print_json(&Line::Finished {
                content: &self.content,
                output: output.display().to_string(),
                stopped: report.stopped,
                seconds: report.seconds,
            });
        }
        self.clear();
        note(summary);
    }

    /// Takes away what is left of a bar.
    pub fn clear(&mut self) {
        if let Kind::Bar(bar) = &mut self.kind
            && let Some(bar) = bar.take()
        {
            bar.finish_and_clear();
            BARS.remove(&bar);
        }
    }

    fn start(&mut self, scales: &[Scale]) {
        self.scales = scales.len();
        if matches!(self.kind, Kind::Json) {
            let plan = |scale: &Scale| Plan {
                width: scale.width,
                height: scale.height,
                steps: scale.steps,
            };
            print_json(&Line::Started {
                content: &self.content,
                scales: scales.iter().map(plan).collect(),
            });
        }
    }

    fn begin_scale(&mut self, index: usize, scale: Scale) {
        self.scale_began = Instant::now();
        let label = self.label(index, scale);
        if let Kind::Bar(slot) = &mut self.kind {
            let bar = BARS.add(ProgressBar::new(scale.steps as u64));
            let template = "{prefix} {bar:30.cyan/dim} {pos}/{len} {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_prefix(label);
            bar.set_message("…");
            *slot = Some(bar);
        }
    }

    fn step(&mut self, step: &Step<'_>) -> impasto::Result<()> {
        match &self.kind {
            Kind::None => {}
            Kind::Json => {
                let terms = step.terms()?.into_iter();
                print_json(&Line::Step {
                    content: &self.content,
                    scale: step.scale + 1,
                    scales: step.scales,
                    width: step.plan.width,
                    height: step.plan.height,
                    step: step.step,
                    steps: step.plan.steps,
                    total: step.total()?,
                    losses: terms.map(|term| (term.name, term.value)).collect(),
                    seconds: step.seconds,
                    eta: seconds_left(step),
                    progress: step.progress,
                });
            }
            Kind::Lines => {
                if step.step == step.plan.steps {
                    self.total = Some(step.total()?);
                }
            }
            Kind::Bar(Some(bar)) => {
                let last = step.step == step.plan.steps;
                if last || self.drawn.is_none_or(|drawn| drawn.elapsed() >= PAUSE) {
                    self.drawn = Some(Instant::now());
                    let speed = step.step as f64 / self.scale_began.elapsed().as_secs_f64();
                    let left = duration(seconds_left(step));
                    let total = step.total()?;
                    self.total = Some(total);
                    let loss = number(total);
                    bar.set_message(format!("loss {loss}, {speed:.1} steps/s, {left} left"));
                    bar.set_position(step.step as u64);
                }
            }
            Kind::Bar(None) => {}
        }
        Ok(())
    }

    fn set_back(&self, setback: Setback) {
        let Setback {
            scale,
            step,
            factor,
            cause,
        } = setback;
        let scale = scale + 1;
        if matches!(self.kind, Kind::Json) {
            print_json(&Line::Setback {
                content: &self.content,
                scale,
                step,
                factor,
                cause,
            });
        }
        let place = format!("at step {step} of scale {scale}/{}", self.scales);
        note(&match cause {
            Cause::NotANumber => format!(
                "loss or gradient is not a number {place}: back to the last good picture, \
                 and on with {factor} of the step size"
            ),
            Cause::Rose => format!(
                "the loss is more than twice what it was {place}: back to the best picture, and on in shorter steps \
                 (--faithful lets it diverge)"
            ),
        });
    }

    fn checkpoint(&self, notice: &Notice) {
        let content = &self.content;
        match (notice, &self.kind) {
            (
                Notice::Resumed {
                    scale,
                    step,
                    seconds,
                    ..
                },
                Kind::Json,
            ) => print_json(&Line::Resumed {
                content,
                scale: scale + 1,
                step: *step,
                seconds: *seconds,
            }),
            (Notice::Saved { path, .. }, Kind::Json) => print_json(&Line::Saved {
                content,
                path: path.display().to_string(),
            }),
            _ => {}
        }
        match checkpoint::words(notice, self.scales) {
            Some(checkpoint::Line::Note(line)) => note(&line),
            Some(checkpoint::Line::Detail(line)) => log::info!("{line}"),
            None => {}
        }
    }

    /// Leaves a line behind. A bar would not stay: the next line for people wipes the ones that are done.
    fn end_scale(&mut self, index: usize, scale: Scale, seconds: f64) {
        self.clear();
        if matches!(self.kind, Kind::Bar(_) | Kind::Lines) {
            let loss = self.total.map(|total| format!("loss {}, ", number(total)));
            note(&format!(
                "{}: {} steps, {}{}",
                self.label(index, scale),
                scale.steps,
                loss.unwrap_or_default(),
                duration(seconds)
            ));
        }
    }

    fn label(&self, index: usize, scale: Scale) -> String {
        let (width, height) = (scale.width, scale.height);
        let place = format!("{}/{} {width}×{height}", index + 1, self.scales);
        if self.contents > 1 {
            format!("{} {place}", self.content)
        } else {
            place
        }
    }
}

/// Seconds until the run is done, from its pace so far.
fn seconds_left(step: &Step<'_>) -> f64 {
    step.seconds * (1.0 - step.progress) / step.progress
}

/// A loss for people: `0.0749`, `812.5310`, `3.90e24`.
fn number(value: f64) -> String {
    if (1e-3..1e5).contains(&value) {
        format!("{value:.4}")
    } else {
        format!("{value:.2e}")
    }
}

/// Seconds for people: `9 s`, `2 min 05 s`, `1 h 02 min`.
pub fn duration(seconds: f64) -> String {
    if seconds < 10.0 {
        return format!("{seconds:.1} s");
    }
    let seconds = seconds.round() as u64;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds:02} s"),
        (hours, minutes, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// Writes a line of JSON. Nobody reading any more is no reason to stop painting.
fn print_json(line: &Line<'_>) {
    if let Ok(text) = serde_json::to_string(line) {
        let mut stdout = std::io::stdout().lock();
        let _ = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
    }
}

#[cfg(test)]
mod tests {
    use super::{duration, number};

    #[test]
    fn losses_are_told_as_short_as_they_can_be() {
        for (value, text) in [
            (0.07491, "0.0749"),
            (812.531, "812.5310"),
            (1.5e-7, "1.50e-7"),
            (3.9e24, "3.90e24"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn durations_are_told_as_people_do() {
        for (seconds, text) in [
            (0.04, "0.0 s"),
            (9.96, "10.0 s"),
            (59.4, "59 s"),
            (59.6, "1 min 00 s"),
            (3599.0, "59 min 59 s"),
            (7325.0, "2 h 02 min"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
