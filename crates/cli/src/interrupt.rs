//! Ctrl-C: the first one asks the run to stop after its step, the second ends the program at once.

use anyhow::Context;
use std::sync::atomic::{AtomicBool, Ordering};

/// The exit status of a program that Ctrl-C ended, as shells have it.
pub const STATUS: u8 = 130;

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// Listens from now on.
///
/// # Errors
/// If the system refuses.
pub fn listen() -> anyhow::Result<()> {
    let heard = || {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(STATUS));
        }
    };
    ctrlc::set_handler(heard).context("cannot listen for Ctrl-C")
}

/// Whether Ctrl-C was pressed.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
