//! A file appears complete or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Writes a file that appears complete or not at all: `bytes` go to a temporary name in the same
/// folder, are flushed to the disk and renamed to `path`. The temporary file is removed if any of
/// this fails. A link is followed, so that it stays a link, also one to a file that is not there yet. What is neither
/// file nor folder, such as a pipe or `/dev/stdout`, is written to and not replaced.
///
/// # Errors
///
/// What the system says.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Ok(found) = fs::metadata(path) {
        if found.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !found.is_file() {
            return OpenOptions::new().write(true).open(path)?.write_all(bytes);
        }
    }
    let target = destination(path);
    let (temporary, mut file) = create_beside(&target)?;
    let written = file
        .write_all(bytes)
        .and_then(|()| file.sync_all())
        .map(|()| drop(file))
        .and_then(|()| fs::rename(&temporary, &target));
    match written {
        Ok(()) => flush_folder(&target),
        // The first error is the one to report.
        Err(_) => drop(fs::remove_file(&temporary)),
    }
    written
}

/// The most links that are followed, as systems have it.
const LINKS: usize = 40;

/// The file that a path leads to: behind all links, whether or not it exists.
pub(crate) fn destination(path: &Path) -> PathBuf {
    if let Ok(found) = fs::canonicalize(path) {
        return found;
    }
    let mut target = path.to_path_buf();
    for _ in 0..LINKS {
        match fs::read_link(&target) {
            // A relative link starts at the folder that it is in.
            Ok(next) => target = folder_of(&target).join(next),
            Err(_) => break,
        }
    }
    target
}

/// The folder that a file is in; the current one is called `.`.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// Waits until the disk has the name of a new file, so that it survives a power cut. The file is complete under its
/// name either way, so that nothing is to be reported where a system does not do this for folders.
pub(crate) fn flush_folder(path: &Path) {
    let _ = File::open(folder_of(path)).and_then(|folder| folder.sync_all());
}

/// Whether a file is one that [`write_whole`] has not renamed yet, or never will because its program was ended.
pub fn is_temporary(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// How the names of temporary files begin and end.
const PREFIX: &str = ".impasto-";
const SUFFIX: &str = ".tmp";

/// A new file beside `target`, with the permissions that any new file gets.
fn create_beside(target: &Path) -> io::Result<(PathBuf, File)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Not made from the target's name, which may already be as long as names can be.
        let temporary =
            target.with_file_name(format!("{PREFIX}{}-{count}{SUFFIX}", std::process::id()));
        match OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&temporary)
        {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            opened => return opened.map(|file| (temporary, file)),
        }
    }
}
