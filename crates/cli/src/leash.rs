//! A program that is part of another one: what that says on the standard input, a word a line, and that it ends with it.
//!
//! However the other program ends, its end of the pipe is closed then, and the run stops as at Ctrl-C.

use crate::interrupt;
use anyhow::Context;
use std::io::BufRead;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// The status of a program that was ended before its run began, as shells have it after Ctrl-C.
const ENDED: i32 = 130;

/// Whether the run is held.
static HELD: Mutex<bool> = Mutex::new(false);
static CHANGED: Condvar = Condvar::new();
/// Whether the run is to make its output whole when it stops.
static FINISHES: AtomicBool = AtomicBool::new(false);

/// Listens from now on: `wait` holds the run after its step, `go` lets it go on, `finish` stops it and makes what there is
/// of its output whole; the end of the input stops it.
///
/// # Errors
/// If the system refuses.
pub fn follow() -> anyhow::Result<()> {
    let listen = || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            match line.trim() {
                "wait" => hold(true),
                "go" => hold(false),
                "finish" => {
                    FINISHES.store(true, Ordering::SeqCst);
                    stop();
                }
                _ => {}
            }
        }
        stop();
    };
    let thread = std::thread::Builder::new().name("impasto-leash".into());
    thread
        .spawn(listen)
        .context("cannot listen to the program that this is part of")?;
    Ok(())
}

fn hold(held: bool) {
    *HELD.lock().unwrap_or_else(PoisonError::into_inner) = held;
    CHANGED.notify_all();
}

fn stop() {
    if !interrupt::stop() {
        std::process::exit(ENDED);
    }
    hold(false);
}

/// Returns at once, or, while the run is held, when it is not any more.
pub fn wait() {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    drop(CHANGED.wait_while(held, |held| *held));
}

/// Whether the output is to be made whole of what there is.
pub fn finishes() -> bool {
    FINISHES.load(Ordering::SeqCst)
}
