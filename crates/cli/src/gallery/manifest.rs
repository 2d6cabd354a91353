//! What a gallery's folder holds, so that an interrupted gallery continues where it stopped.
//!
//! `gallery.json` marks a folder as a gallery and has an entry for each finished picture: a fingerprint of what it was
//! made from, and the SHA-256 of its file. It is replaced, whole, after each picture. A picture is finished if its entry
//! has the fingerprint that is asked for and its file the hash of the entry; whatever ended the program, the picture it
//! was at is the only one that is not.

use crate::problems::Problems;
use crate::shard::is_passing;
use anyhow::Context;
use impasto::job::{Ledger, sha256};
use impasto::picture::{is_temporary, write_whole};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The file's name in a gallery's folder.
pub const NAME: &str = "gallery.json";

/// What the file calls itself, and the version that is read and written.
const FORMAT: (&str, u32) = ("impasto gallery", 1);

/// The finished pictures of a folder.
#[derive(Debug)]
pub struct Manifest {
    folder: PathBuf,
    cells: BTreeMap<String, Entry>,
}

/// A finished picture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The content, as it was named.
    pub content: String,
    /// The style, as it was named.
    pub style: String,
    /// SHA-256 of recipe, encoder and inputs.
    pub fingerprint: String,
    /// SHA-256 of the picture's file.
    pub sha256: String,
    /// Steps taken.
    pub steps: usize,
    /// Wall-clock seconds that painting took.
    pub seconds: f64,
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
struct Document<C> {
    format: String,
    version: u32,
    cells: C,
}

impl Manifest {
    /// Reads what a folder holds. One that does not exist or is empty holds nothing; one with files but no gallery in
    /// it is refused, so that nothing of anybody's is replaced.
    pub fn read(folder: &Path, problems: &mut Problems) -> Option<Self> {
        let nothing = || Self {
            folder: folder.into(),
            cells: BTreeMap::new(),
        };
        let path = folder.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(_) if !path.exists() => {
                if is_empty(folder) || Ledger::is_in(folder) {
                    return Some(nothing());
                }
                problems.file(format!(
                    "cannot put a gallery into {}: it has other files in it; choose a new or an empty folder with --out-dir",
                    folder.display()
                ));
                return None;
            }
            Err(error) => {
                problems.file(format!("cannot read {}: {error}", path.display()));
                return None;
            }
        };
        let document = serde_json::from_str::<Document<BTreeMap<String, Entry>>>(&text);
        let problem = match document {
            Ok(document) if (document.format.as_str(), document.version) == FORMAT => {
                return Some(Self {
                    cells: document.cells,
                    ..nothing()
                });
            }
            Ok(document) => format!(
                "it is {} {}, not {} {}",
                document.format, document.version, FORMAT.0, FORMAT.1
            ),
            Err(error) => format!("it is damaged ({error})"),
        };
        problems.file(format!(
            "cannot continue the gallery of {}: {problem}; choose another folder, or remove the file to paint it anew",
            path.display()
        ));
        None
    }

    /// The entry and the bytes of a picture that is finished with this fingerprint.
    pub fn finished(&self, file: &str, fingerprint: &str) -> Option<(&Entry, Vec<u8>)> {
        let entry = self.cells.get(file)?;
        if entry.fingerprint != fingerprint {
            return None;
        }
        let bytes = fs::read(self.folder.join(file)).ok()?;
        (sha256(&bytes) == entry.sha256).then_some((entry, bytes))
    }

    /// Notes a finished picture.
    ///
    /// # Errors
    /// Those of [`Manifest::write`].
    pub fn add(&mut self, file: &str, entry: Entry) -> anyhow::Result<()> {
        self.cells.insert(file.into(), entry);
        self.write()
    }

    /// Writes the file. It appears complete or not at all.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn write(&self) -> anyhow::Result<()> {
        let document = Document {
            format: FORMAT.0.into(),
            version: FORMAT.1,
            cells: &self.cells,
        };
        let path = self.folder.join(NAME);
        let text = serde_json::to_string_pretty(&document)? + "\n";
        write_whole(&path, text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display()))
    }
}

/// Whether there is nothing in a folder but what is there for a moment, or no folder.
fn is_empty(folder: &Path) -> bool {
    match fs::read_dir(folder) {
        Ok(entries) => entries.flatten().all(|entry| is_passing(&entry.path())),
        Err(_) => true,
    }
}

/// Removes the unfinished files that a program leaves behind that is ended without warning.
pub fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_temporary(&entry.path()) {
            // One that stays does no harm.
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(fingerprint: &str, bytes: &[u8]) -> Entry {
        Entry {
            content: "@lake".into(),
            style: "a \"b\".jpg".into(),
            fingerprint: fingerprint.into(),
            sha256: sha256(bytes),
            steps: 7,
            seconds: 1.25,
        }
    }

    fn read(folder: &Path) -> Result<Manifest, String> {
        let mut problems = Problems::default();
        Manifest::read(folder, &mut problems).ok_or_else(|| problems.lines().join("\n"))
    }

    #[test]
    fn what_is_written_is_read_again() {
        let folder = impasto_testing::Folder::new();
        let mut manifest = read(folder.path()).unwrap();
        fs::write(folder.path().join("a.png"), b"picture").unwrap();
        manifest.add("a.png", entry("f", b"picture")).unwrap();
        let again = read(folder.path()).unwrap();
        let (found, bytes) = again.finished("a.png", "f").unwrap();
        assert_eq!(
            (found, bytes.as_slice()),
            (&entry("f", b"picture"), &b"picture"[..])
        );
    }

    #[test]
    fn a_picture_is_finished_only_if_everything_fits() {
        let folder = impasto_testing::Folder::new();
        let mut manifest = read(folder.path()).unwrap();
        let path = folder.path().join("a.png");
        manifest.add("a.png", entry("f", b"picture")).unwrap();
        assert!(manifest.finished("a.png", "f").is_none(), "no file");
        fs::write(&path, b"pictur").unwrap();
        assert!(manifest.finished("a.png", "f").is_none(), "another file");
        fs::write(&path, b"picture").unwrap();
        assert!(manifest.finished("a.png", "g").is_none(), "other inputs");
        assert!(manifest.finished("b.png", "f").is_none(), "no entry");
        assert!(manifest.finished("a.png", "f").is_some());
    }

    #[test]
    fn what_an_ended_program_left_is_swept_away_and_nothing_else() {
        let folder = impasto_testing::Folder::new();
        let left = folder.path().join(".impasto-123-0.tmp");
        fs::write(&left, "half").unwrap();
        assert!(read(folder.path()).is_ok(), "as good as empty");
        let others = [".impasto", "impasto-1-0.tmp", "a.tmp", "gallery.json"];
        for name in others {
            fs::write(folder.path().join(name), "").unwrap();
        }
        sweep(folder.path());
        assert!(!left.exists());
        assert!(others.iter().all(|name| folder.path().join(name).exists()));
    }

    #[test]
    fn folders_of_others_and_damaged_files_are_left_alone() {
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join(NAME);
        for (text, words) in [
            ("", "damaged"),
            (
                "{\"format\": \"impasto gallery\", \"version\": 1",
                "damaged",
            ),
            (
                "{\"format\": \"impasto gallery\", \"version\": 2, \"cells\": {}}",
                "impasto gallery 2",
            ),
            (
                "{\"format\": \"else\", \"version\": 1, \"cells\": {}}",
                "it is else 1",
            ),
        ] {
            fs::write(&path, text).unwrap();
            let problem = read(folder.path()).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
        fs::remove_file(&path).unwrap();
        fs::write(folder.path().join("holiday.jpg"), "").unwrap();
        assert!(read(folder.path()).unwrap_err().contains("other files"));
        assert!(read(&folder.path().join("none")).is_ok());
    }
}
