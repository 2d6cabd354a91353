//! Chores of the repository, run as `cargo xtask NAME`.
//!
//! `cargo xtask paint [NAME...]` paints the example pictures, all or the named ones, into `crates/impasto/pictures/`.
//! `cargo xtask paint --check [NAME...]` paints them again and fails if a committed one looks different.

mod brush;
mod canvas;
mod colour;
mod contents;
mod noise;
mod paint;
mod shape;
mod styles;
mod vector;

use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask paint [--check] [NAME...]";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some(("paint", rest)) = args.split_first().map(|(task, rest)| (task.as_str(), rest)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let (flags, names): (Vec<_>, Vec<_>) = rest
        .iter()
        .map(String::as_str)
        .partition(|arg| arg.starts_with('-'));
    if let Some(flag) = flags.iter().find(|flag| **flag != "--check") {
        eprintln!("there is no option `{flag}`\n{USAGE}");
        return ExitCode::from(2);
    }
    match paint::run(&names, !flags.is_empty()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}
