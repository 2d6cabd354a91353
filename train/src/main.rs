//! `impasto-train` makes the weights that impasto ships.
//!
//! `impasto-train encoder CONFIG` teaches a small encoder to see as a large one does, `impasto-train paint CONFIG` three decoders to
//! make pictures of what it sees, behind the transports that give features a style; CONFIG says everything about it. It is no part
//! of the product, and learns on the product's own devices.

mod card;
mod config;
mod data;
mod eigen;
mod encoder;
mod heads;
mod job;
mod judge;
mod page;
mod paint;
mod random;
mod state;
mod student;
mod teacher;
#[cfg(test)]
mod testing;
mod trajectories;
mod validation;
mod weights;

use clap::Parser;
use std::process::ExitCode;

/// Makes the weights that impasto ships.
#[derive(Debug, Parser)]
#[command(version)]
enum Command {
    /// Teaches a small encoder to see as a large one does
    Encoder(encoder::Arguments),
    /// Teaches three decoders to paint behind transports
    Paint(paint::Arguments),
    /// Asks the teacher what it thinks of pictures that encoders paint
    Judge(judge::Arguments),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Encoder(arguments) => encoder::run(&arguments),
        Command::Paint(arguments) => paint::run(&arguments),
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
