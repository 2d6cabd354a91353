//! `impasto-train` makes the weights that impasto ships.
//!
//! `impasto-train encoder CONFIG` teaches a small encoder to see as a large one does; CONFIG says everything about it. It
//! is no part of the product, and the only user of burn, which knows what impasto's own devices do not: gradients
//! towards weights.

mod adamw;
mod card;
mod config;
mod data;
mod eigen;
mod encoder;
mod heads;
mod job;
mod judge;
mod random;
mod state;
mod student;
mod teacher;
#[cfg(test)]
mod testing;
mod trajectories;
mod validation;

use clap::Parser;
use std::process::ExitCode;

/// Makes the weights that impasto ships.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Teaches a small encoder to see as a large one does
    Encoder(encoder::Arguments),
    /// Asks the teacher what it thinks of pictures that encoders paint
    Judge(judge::Arguments),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Encoder(arguments) => encoder::run(&arguments),
        Command::Judge(arguments) => judge::run(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
