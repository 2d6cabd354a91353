//! The `impasto` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    impasto_cli::main(std::env::args_os()).into()
}
