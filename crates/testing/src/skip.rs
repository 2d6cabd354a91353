use std::fmt::Display;
use std::io::Write;

/// Says that the test, or a part of it, is left out and why. The test returns by itself.
///
/// It is written past the test harness, which would keep what a test that passes prints to itself: a line of `skipped:`
/// stands in every log.
pub fn skip(reason: impl Display) {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("a test");
    // In one write, that lines of several tests do not mix. Nothing depends on its being seen.
    let line = format!("skipped: {test}: {reason}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}
