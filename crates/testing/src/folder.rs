//! Folders that are there for one test and then gone.

use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// An empty folder of a test's own, removed with everything in it when this is dropped.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// A new one.
    ///
    /// # Panics
    /// If the system has no room for it: no test can go on then.
    #[allow(
        clippy::new_without_default,
        reason = "every call makes another folder"
    )]
    pub fn new() -> Self {
        let made = tempfile::Builder::new().prefix("impasto-test-").tempdir();
        Self(made.expect("a folder for the test can be made"))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Where a file of this name in it is, or would be.
    pub fn join(&self, name: impl AsRef<Path>) -> PathBuf {
        self.path().join(name)
    }

    /// Writes a file, and says where it is.
    ///
    /// # Panics
    /// If it cannot be written.
    #[track_caller]
    pub fn write(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.join(name);
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }

    /// Names of the files and folders in it, sorted.
    ///
    /// # Panics
    /// If it cannot be read.
    #[track_caller]
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path()).expect("the test's folder can be read");
        let name = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.expect("the test's folder can be read");
            entry.file_name().to_string_lossy().into_owned()
        };
        let mut names: Vec<_> = entries.map(name).collect();
        names.sort();
        names
    }

    /// A path below a file, at which nothing can be made on any system and for any user: as a disk that fails.
    ///
    /// # Panics
    /// If the file cannot be written.
    #[track_caller]
    pub fn impossible(&self) -> PathBuf {
        self.write("a file", "").join("below a file")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_gone_with_what_is_in_it() {
        let folder = Folder::new();
        let file = folder.write("b", "text");
        folder.write("a", [0; 3]);
        assert_eq!(folder.names(), ["a", "b"]);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
        assert_ne!(Folder::new().path(), folder.path());
        let path = folder.path().to_path_buf();
        drop(folder);
        assert!(!path.exists() && !file.exists());
    }

    #[test]
    fn what_is_impossible_stays_so() {
        let folder = Folder::new();
        let path = folder.impossible();
        assert!(std::fs::create_dir_all(&path).is_err());
        assert!(std::fs::write(&path, "").is_err());
    }
}
