//! Log lines of the library, for `--verbose`.

use crate::say;
use log::{LevelFilter, Log, Metadata, Record};

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("impasto")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            say(&record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// Shows log lines from now on: warnings, unless told to be more or less talkative.
pub fn start(quiet: bool, verbose: bool) {
    log::set_max_level(match (quiet, verbose) {
        (true, _) => LevelFilter::Error,
        (false, true) => LevelFilter::Debug,
        (false, false) => LevelFilter::Warn,
    });
    // Fails only if there is a logger already, and nobody else sets one.
    let _ = log::set_logger(&Logger);
}
