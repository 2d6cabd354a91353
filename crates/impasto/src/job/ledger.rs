//! What of a folder of results is finished, written by any number of processes at once, on one machine or many.
//!
//! ```text
//! FOLDER/finished-WRITER.jsonl      a line for each result: its file, what it was made from, the hash of the file
//! ```
//!
//! Every writer has a file of its own, to which it adds a line behind each result, and reads those of all. So nothing is locked,
//! a process that is killed loses the picture that it was at and no other, and a folder that several machines share needs
//! nothing but to be one. A line that was cut off is none.
//!
//! A result is noted before its file appears: a line whose file is not there, or is another, says nothing. So whenever a process
//! is killed, what is there and whole is known to be.

use super::sha256;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// How the names of ledgers begin and end.
const BEGIN: &str = "finished-";
const END: &str = ".jsonl";

/// A result that is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    /// The name of its file in the folder.
    pub file: String,
    /// SHA-256 of everything that it was made from.
    pub made_from: String,
    /// SHA-256 of the file.
    pub sha256: String,
    /// Steps taken.
    pub steps: usize,
    /// Wall-clock seconds that painting took.
    pub seconds: f64,
}

/// The finished results of a folder.
#[derive(Debug, Default)]
pub struct Ledger {
    folder: PathBuf,
    results: HashMap<String, Vec<Finished>>,
    own: Option<File>,
}

impl Ledger {
    /// Reads what all writers have noted in a folder; there may be none.
    ///
    /// # Errors
    /// If a ledger cannot be read.
    pub fn read(folder: &Path) -> io::Result<Self> {
        let mut results: HashMap<String, Vec<Finished>> = HashMap::new();
        for path in ledgers(folder)? {
            let text = fs::read(path)?;
            for line in text.split(|byte| *byte == b'\n') {
                if let Ok(finished) = serde_json::from_slice::<Finished>(line) {
                    let same = results.entry(finished.file.clone()).or_default();
                    same.push(finished);
                }
            }
        }
        Ok(Self {
            folder: folder.into(),
            results,
            own: None,
        })
    }

    /// The same, to be added to. Two writers at a time must not have one name. The folder is made if it does not exist.
    ///
    /// # Errors
    /// If a ledger cannot be read, or the writer's own cannot be written.
    pub fn open(folder: &Path, writer: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let mut ledger = Self::read(folder)?;
        let path = folder.join(format!("{BEGIN}{writer}{END}"));
        let mut options = OpenOptions::new();
        let mut own = options.read(true).append(true).create(true).open(path)?;
        // Behind a line that was cut off a new one begins.
        if own.seek(SeekFrom::End(0))? > 0 {
            own.seek(SeekFrom::End(-1))?;
            let mut last = [0];
            own.read_exact(&mut last)?;
            if last != *b"\n" {
                own.write_all(b"\n")?;
            }
        }
        ledger.own = Some(own);
        Ok(ledger)
    }

    /// The result that a file is, if it is finished, was made from this, and is as it was written.
    pub fn find(&self, file: &str, made_from: &str) -> Option<&Finished> {
        let mut same = self.results.get(file)?.iter();
        let found = same.rfind(|finished| finished.made_from == made_from)?;
        let bytes = fs::read(self.folder.join(file)).ok()?;
        (sha256(&bytes) == found.sha256).then_some(found)
    }

    /// Notes a result, whose file is to appear next.
    ///
    /// # Errors
    /// If the line cannot be written.
    pub fn add(&mut self, finished: Finished) -> io::Result<()> {
        let line = serde_json::to_string(&finished)? + "\n";
        if let Some(own) = &mut self.own {
            // In one write, so that a line is whole or the last one.
            own.write_all(line.as_bytes())?;
        }
        let same = self.results.entry(finished.file.clone()).or_default();
        same.push(finished);
        Ok(())
    }

    /// Whether somebody keeps a ledger in a folder, so that it is one of results.
    pub fn is_in(folder: &Path) -> bool {
        ledgers(folder).is_ok_and(|found| !found.is_empty())
    }
}

/// The ledgers of a folder, which need not exist.
fn ledgers(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(BEGIN) && name.ends_with(END) {
            found.push(folder.join(name.as_ref()));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(file: &str, made_from: &str, bytes: &[u8]) -> Finished {
        Finished {
            file: file.into(),
            made_from: made_from.into(),
            sha256: sha256(bytes),
            steps: 3,
            seconds: 0.25,
        }
    }

    #[test]
    fn every_writer_sees_what_all_have_finished() {
        let folder = impasto_testing::Folder::new();
        let folder = folder.path().join("results");
        assert!(!Ledger::is_in(&folder));
        let mut one = Ledger::open(&folder, "1-of-2").unwrap();
        let mut two = Ledger::open(&folder, "2-of-2").unwrap();
        assert!(Ledger::is_in(&folder));
        fs::write(folder.join("a.png"), "a").unwrap();
        fs::write(folder.join("b.png"), "b").unwrap();
        one.add(finished("a.png", "x", b"a")).unwrap();
        two.add(finished("b.png", "y", b"b")).unwrap();
        assert_eq!(one.find("a.png", "x"), Some(&finished("a.png", "x", b"a")));
        let all = Ledger::read(&folder).unwrap();
        assert!(all.find("a.png", "x").is_some() && all.find("b.png", "y").is_some());
        assert!(all.find("a.png", "y").is_none(), "made from something else");
        assert!(all.find("c.png", "x").is_none());
        fs::write(folder.join("a.png"), "other").unwrap();
        assert!(all.find("a.png", "x").is_none(), "another file");
    }

    #[test]
    fn a_line_that_was_cut_off_costs_one_picture() {
        let folder = impasto_testing::Folder::new();
        let folder = folder.path();
        let path = folder.join("finished-me.jsonl");
        fs::write(folder.join("a.png"), "a").unwrap();
        let line = serde_json::to_string(&finished("a.png", "x", b"a")).unwrap();
        for end in 0..line.len() {
            fs::write(&path, &line[..end]).unwrap();
            let mut ledger = Ledger::open(folder, "me").unwrap();
            assert!(ledger.find("a.png", "x").is_none(), "{end}");
            ledger.add(finished("a.png", "x", b"a")).unwrap();
            let again = Ledger::read(folder).unwrap();
            assert!(again.find("a.png", "x").is_some(), "{end}");
        }
    }

    #[test]
    fn what_is_painted_anew_takes_the_place_of_what_was() {
        let folder = impasto_testing::Folder::new();
        let folder = folder.path();
        let mut ledger = Ledger::open(folder, "me").unwrap();
        for bytes in ["first", "second"] {
            fs::write(folder.join("a.png"), bytes).unwrap();
            ledger
                .add(finished("a.png", bytes, bytes.as_bytes()))
                .unwrap();
        }
        let again = Ledger::read(folder).unwrap();
        assert!(again.find("a.png", "second").is_some());
        assert!(again.find("a.png", "first").is_none());
    }
}
