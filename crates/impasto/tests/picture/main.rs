//! Pictures, seen from outside: what is read, what is refused, what is written, and how sizes
//! change.

mod colour;
mod damage;
mod files;
#[cfg(feature = "jxl")]
mod jxl;
mod kinds;
mod output;
mod refusal;
mod resize;

use std::path::{Path, PathBuf};

/// The pictures and numbers made by other programs, with the script that made them.
fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/picture")
        .join(name)
}
