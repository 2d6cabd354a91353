//! The program ffmpeg, where there is one. It is never fetched, and never needed for what this crate reads itself.

use crate::error::{Error, Result};
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// ffmpeg and ffprobe.
#[derive(Clone, Debug)]
pub struct Ffmpeg {
    program: PathBuf,
}

/// Whether an oldest version that is known to work is reached: `-fps_mode` came with 5.1.
const OLDEST: (u32, u32) = (5, 1);

impl Ffmpeg {
    /// The program at this path, or the one of the search path.
    ///
    /// # Errors
    ///
    /// If it cannot be started, or is too old.
    pub fn find(path: Option<&Path>) -> Result<Ffmpeg> {
        let program = path.unwrap_or(Path::new("ffmpeg")).to_owned();
        let missing = |what: String| Error::NoFfmpeg { what };
        let output = Command::new(&program)
            .arg("-version")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| {
                missing(format!("{} cannot be started ({error})", program.display()))
            })?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if let Some(version) = version(&said).filter(|version| *version < OLDEST) {
            let (major, minor) = version;
            return Err(missing(format!(
                "{} is version {major}.{minor}, and 5.1 is the oldest that can be used",
                program.display()
            )));
        }
        Ok(Ffmpeg { program })
    }

    /// A call of ffmpeg that says errors only and asks nothing.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-v", "error", "-nostdin", "-y"]);
        command
    }

    /// What ffprobe says of a file, in JSON.
    pub fn probe(&self, arguments: &[&str], path: &Path) -> Result<serde_json::Value> {
        let program = match self.program.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.join("ffprobe"),
            _ => PathBuf::from("ffprobe"),
        };
        let output = Command::new(&program)
            .args(["-v", "error", "-of", "json"])
            .args(arguments)
            .arg(argument(path))
            .stdin(Stdio::null())
            .output()
            .map_err(|error| Error::NoFfmpeg {
                what: format!("{} cannot be started ({error})", program.display()),
            })?;
        if !output.status.success() {
            return Err(Error::Ffmpeg {
                what: last_lines(&String::from_utf8_lossy(&output.stderr)),
            });
        }
        serde_json::from_slice(&output.stdout).map_err(|error| Error::Ffmpeg {
            what: format!("ffprobe answered what is no JSON ({error})"),
        })
    }
}

/// 5.1 of `ffmpeg version 5.1.9-0+deb12u1 …`; `None` of builds that are named otherwise.
fn version(said: &str) -> Option<(u32, u32)> {
    let word = said
        .strip_prefix("ffmpeg version ")?
        .split_whitespace()
        .next()?;
    let mut numbers = word.trim_start_matches('n').split(['.', '-']);
    let major = numbers.next()?.parse().ok()?;
    Some((
        major,
        numbers
            .next()
            .and_then(|minor| minor.parse().ok())
            .unwrap_or(0),
    ))
}

/// A file as an argument that is neither an option nor an address.
pub fn argument(path: &Path) -> OsString {
    let mut argument = OsString::from("file:");
    argument.push(path);
    argument
}

fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    match lines.len() {
        0 => "it failed without a word".to_owned(),
        count => lines[count.saturating_sub(3)..].join("; "),
    }
}

/// A running ffmpeg, which is ended when it is dropped.
pub struct Running {
    pub child: Child,
    said: File,
}

impl Running {
    /// Starts a command; what it says is kept for [`finish`](Running::finish).
    pub fn start(mut command: Command) -> Result<Running> {
        let failed = |error: std::io::Error| Error::Ffmpeg {
            what: format!("it cannot be started ({error})"),
        };
        let said = tempfile::tempfile().map_err(failed)?;
        command.stderr(said.try_clone().map_err(failed)?);
        let child = command.spawn().map_err(failed)?;
        Ok(Running { child, said })
    }

    /// Waits for its end.
    ///
    /// # Errors
    ///
    /// If it failed, with the last of what it said.
    pub fn finish(&mut self) -> Result<()> {
        let failed = |error: std::io::Error| Error::Ffmpeg {
            what: error.to_string(),
        };
        let status = self.child.wait().map_err(failed)?;
        if status.success() {
            return Ok(());
        }
        let mut said = Vec::new();
        self.said.rewind().map_err(failed)?;
        self.said.read_to_end(&mut said).map_err(failed)?;
        Err(Error::Ffmpeg {
            what: last_lines(&String::from_utf8_lossy(&said)),
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, or its result is of no use.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
