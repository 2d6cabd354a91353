//! Ctrl-C, SIGTERM and SIGHUP: the first one asks the run to stop after its step, the second ends the program at once.
//!
//! A signal that whoever started the program lets it ignore, as `nohup` does with SIGHUP, stays ignored.

use crate::leash;
use anyhow::Context;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

/// What a shell adds to the number of the signal that ended a program.
const STATUS: u8 = 128;

/// The signals by number, and what people call them.
const SIGNALS: [(u8, &str); 3] = [(2, "Ctrl-C"), (15, "SIGTERM"), (1, "SIGHUP")];

/// The number of the signal that was heard; 0 for none.
static REQUESTED: AtomicU8 = AtomicU8::new(0);
/// Whether a run is under way that stops by itself.
static LISTENING: AtomicBool = AtomicBool::new(false);

fn heard(signal: u8) {
    let again = REQUESTED.swap(signal, Ordering::SeqCst) != 0;
    if again || !LISTENING.load(Ordering::SeqCst) {
        std::process::exit(i32::from(STATUS + signal));
    }
}

/// Takes signals into the program's own hands; to be called before any other thread is started.
///
/// # Errors
/// If the system refuses.
#[cfg(unix)]
pub fn prepare() -> anyhow::Result<()> {
    use nix::sys::signal::{SigSet, Signal};
    let ignored = ignored();
    let mut set = SigSet::empty();
    for (number, _) in SIGNALS {
        if ignored >> (number - 1) & 1 == 0 {
            set.add(Signal::try_from(i32::from(number))?);
        }
    }
    set.thread_block().context("cannot listen for Ctrl-C")?;
    let listener = move || {
        while let Ok(signal) = set.wait() {
            heard(signal as u8);
        }
    };
    std::thread::Builder::new()
        .name("impasto-signals".into())
        .spawn(listener)
        .context("cannot start a thread that listens for Ctrl-C")?;
    Ok(())
}

/// The signals that are ignored, a bit each from the lowest on. Where there is no `/proc`, systems do not deliver those.
#[cfg(unix)]
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    line.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
}

/// Takes signals into the program's own hands; to be called before any other thread is started.
///
/// # Errors
/// If the system refuses.
#[cfg(not(unix))]
pub fn prepare() -> anyhow::Result<()> {
    ctrlc::set_handler(|| heard(SIGNALS[0].0)).context("cannot listen for Ctrl-C")
}

/// Does what a first Ctrl-C does, for whoever runs the program as a part of theirs and sees that nobody waits for it any more.
/// Whether a run is under way that stops by itself; if not, the process is to be ended.
pub fn stop() -> bool {
    // After a signal it stops already, and a second one would end it at once.
    let _ = REQUESTED.compare_exchange(0, SIGNALS[0].0, Ordering::SeqCst, Ordering::SeqCst);
    LISTENING.load(Ordering::SeqCst)
}

/// From now on a signal is left to the run, which asks for it by [`requested`].
pub fn listen() {
    LISTENING.store(true, Ordering::SeqCst);
}

/// Whether a signal was heard. A run that is held by the program that it is part of waits here.
pub fn requested() -> bool {
    leash::wait();
    REQUESTED.load(Ordering::SeqCst) != 0
}

/// Whether a signal was heard, which then counts as if it had not been: it has ended what it should.
pub fn take() -> bool {
    REQUESTED.swap(0, Ordering::SeqCst) != 0
}

/// What people call the signal that was heard.
pub fn name() -> &'static str {
    let heard = REQUESTED.load(Ordering::SeqCst);
    let found = SIGNALS.iter().find(|(number, _)| *number == heard);
    found.map_or("a signal", |(_, name)| name)
}

/// The exit status of a program that the signal ended, as shells have it.
pub fn status() -> u8 {
    STATUS + REQUESTED.load(Ordering::SeqCst)
}
