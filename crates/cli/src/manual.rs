//! `impasto man`: the manual pages of all commands, from the same arguments as the help.

use crate::Exit;
use crate::args::Cli;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use std::fs;
use std::io;
use std::path::Path;

/// Writes a page for each command that the help lists into a folder, which is made if it does not exist.
///
/// # Errors
/// If the folder or a file cannot be written.
pub fn write(folder: &Path) -> anyhow::Result<Exit> {
    let mut program = Cli::command();
    // Gives the commands within commands their full names.
    program.build();
    fs::create_dir_all(folder)
        .and_then(|()| pages(&program, folder))
        .map_err(|error| {
            anyhow::anyhow!(
                "cannot write manual pages to {}: {error}; name a folder that you may write to",
                folder.display()
            )
        })?;
    Ok(Exit::Done)
}

/// The page of a command and those of the commands within it.
fn pages(command: &Command, folder: &Path) -> io::Result<()> {
    let shown = command.get_subcommands().filter(|c| !c.is_hide_set());
    for command in shown {
        pages(command, folder)?;
    }
    let page = Man::new(command.clone()).source(concat!("impasto ", env!("CARGO_PKG_VERSION")));
    page.generate_to(folder)?;
    Ok(())
}
