//! A download as people see it.

use super::size;
use crate::note;
use crate::progress::{BARS, duration};
use impasto_weights::PullEvent;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::Instant;

/// A bar on a terminal, else a line for each tenth.
pub struct Display {
    bar: Option<ProgressBar>,
    terminal: bool,
    began: Instant,
    /// Bytes that were here when it began.
    first: Option<u64>,
    tenths: u64,
    /// What happened at the last place.
    failed: Option<String>,
}

impl Display {
    pub fn new() -> Self {
        let quiet = log::max_level() < log::LevelFilter::Warn;
        Self {
            bar: None,
            terminal: std::io::stderr().is_terminal() && !quiet,
            began: Instant::now(),
            first: None,
            tenths: 0,
            failed: None,
        }
    }

    pub fn show(&mut self, event: &PullEvent<'_>) {
        match event {
            PullEvent::Trying { url } => {
                // The last place's failure is part of the error at the end.
                if let Some(failure) = self.failed.take() {
                    note(&failure);
                }
                (self.first, self.tenths) = (None, 0);
                note(&format!("from {url}"));
            }
            PullEvent::WholeFile { bytes } => {
                // It starts at its first byte, whatever was here.
                (self.first, self.tenths) = (None, 0);
                let bytes = bytes.map_or("of unknown size".into(), size);
                note(&format!(
                    "parts of it cannot be had there: fetching the whole file, {bytes}"
                ));
            }
            PullEvent::Progress { done, total } => self.progress(*done, *total),
            PullEvent::Retrying { problem, wait } => {
                note(&format!(
                    "{problem}; trying again in {:.0} s",
                    wait.as_secs_f64().ceil()
                ));
            }
            PullEvent::Failed { url, problem } => {
                self.clear();
                self.failed = Some(format!("{url}: {problem}"));
            }
            PullEvent::Checking => {
                self.clear();
                note("checking what was fetched");
            }
            _ => {}
        }
    }

    fn progress(&mut self, done: u64, total: Option<u64>) {
        let first = *self.first.get_or_insert_with(|| {
            self.began = Instant::now();
            done
        });
        if self.terminal {
            let bar = self.bar.get_or_insert_with(|| {
                let bar = BARS.add(ProgressBar::new(0));
                let template =
                    "{bar:30.cyan/dim} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
                if let Ok(style) = ProgressStyle::with_template(template) {
                    bar.set_style(style);
                }
                bar.set_position(first);
                bar.reset_eta();
                bar
            });
            bar.set_length(total.unwrap_or(done));
            bar.set_position(done);
            return;
        }
        let Some(total) = total.filter(|total| *total > 0) else {
            return;
        };
        let tenths = 10 * done / total;
        if tenths > self.tenths {
            self.tenths = tenths;
            let seconds = self.began.elapsed().as_secs_f64().max(1e-3);
            let speed = done.saturating_sub(first) as f64 / seconds;
            let left = total.saturating_sub(done) as f64 / speed.max(1.0);
            note(&format!(
                "{} of {}, {}/s, {} left",
                size(done),
                size(total),
                size(speed as u64),
                duration(left)
            ));
        }
    }

    pub fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
            BARS.remove(&bar);
        }
    }
}
