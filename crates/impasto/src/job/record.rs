//! What of a job is finished, and under which names, so that a job that was cut off goes on under the same.
//!
//! ```text
//! FOLDER/impasto-JOB.json      JOB: 16 digits of the SHA-256 of the names of contents and styles and of the folder of results
//! ```
//!
//! The file has an entry for each content: what its result is made from, where it goes, and, once it is finished, the hash of
//! its file. It is replaced, whole, after each content, and removed after the last one. Only jobs whose results get their names
//! from us have one.

use super::{CheckedRun, Source, sha256};
use crate::picture::write_whole;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// SHA-256 of what the result of each content is made from; nothing if a file cannot be read any more.
pub(super) fn made_from(
    checked: &CheckedRun,
    contents: &[Source],
    styles: &[(Source, f32)],
) -> Option<Vec<String>> {
    let made_with = MadeWith::new(checked, styles).ok()?;
    let contents = contents.iter().map(|content| made_with.of(content).ok());
    contents.collect()
}

/// What results are made with, whatever the content.
#[derive(Clone, Debug)]
pub struct MadeWith {
    run: String,
    /// Digest and weight of each style.
    styles: Vec<(String, f32)>,
}

impl MadeWith {
    /// A run with styles.
    ///
    /// # Errors
    /// A picture that cannot be read any more.
    pub fn new(checked: &CheckedRun, styles: &[(Source, f32)]) -> crate::Result<Self> {
        let digest = |(source, weight): &(Source, f32)| Ok((source.digest()?, *weight));
        let styles = styles.iter().map(digest);
        Ok(Self {
            run: checked.fingerprint()?,
            styles: styles.collect::<crate::Result<_>>()?,
        })
    }

    /// SHA-256 of everything that the result of a content depends on.
    ///
    /// # Errors
    /// If the content cannot be read.
    pub fn of(&self, content: &Source) -> crate::Result<String> {
        let content = content.digest()?;
        let made_from = json!({"run": self.run, "content": content, "styles": self.styles});
        Ok(sha256(made_from.to_string().as_bytes()))
    }
}

/// Where records are kept, and whether the job goes on from its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordAt {
    /// The folder; it is made if it does not exist.
    pub folder: PathBuf,
    /// Whether the job goes on.
    pub resume: bool,
}

/// The record of a job.
#[derive(Debug)]
pub struct Record {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// A content.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Entry {
    /// SHA-256 of everything that its result is made from.
    made_from: String,
    output: PathBuf,
    /// SHA-256 of the file, if it is finished.
    sha256: Option<String>,
}

impl Record {
    /// The record of the last run of this job, or an empty one. `names` are those of contents and styles.
    pub(super) fn open(at: &RecordAt, folder: &Path, names: &[String]) -> Self {
        let folder = absolute(folder);
        let key = json!({"folder": folder, "names": names}).to_string();
        let path = at
            .folder
            .join(format!("impasto-{}.json", &sha256(key.as_bytes())[..16]));
        let found = fs::read(&path).ok().filter(|_| at.resume);
        // One that cannot be read is as good as none.
        let entries = found.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Self {
            path,
            entries: entries.unwrap_or_default(),
        }
    }

    fn find(&self, made_from: &str) -> impl Iterator<Item = &Entry> {
        self.entries
            .iter()
            .filter(move |entry| entry.made_from == made_from)
    }

    /// Where the result of a content went, the one of that number among those that are made from the same.
    pub(super) fn output(&self, made_from: &str, number: usize) -> Option<PathBuf> {
        let found = self.find(made_from).nth(number);
        found.map(|entry| entry.output.clone())
    }

    /// Whether the file of a finished result is as it was written.
    pub(super) fn is_finished(&self, output: &Path) -> bool {
        let output = absolute(output);
        let entry = self.entries.iter().find(|entry| entry.output == output);
        let hash = entry.and_then(|entry| entry.sha256.as_deref());
        hash.is_some_and(|hash| fs::read(&output).is_ok_and(|bytes| sha256(&bytes) == hash))
    }

    /// Begins a run: notes where each result will go.
    pub(super) fn begin(&mut self, contents: impl Iterator<Item = (String, PathBuf)>) {
        let entries = contents.map(|(made_from, output)| {
            let output = absolute(&output);
            let mut before = self.entries.iter();
            let before =
                before.find(|entry| entry.output == output && entry.made_from == made_from);
            let sha256 = before.and_then(|entry| entry.sha256.clone());
            Entry {
                made_from,
                output,
                sha256,
            }
        });
        self.entries = entries.collect();
        self.write();
    }

    /// Notes that a result is finished, as its file is now. The record goes when all are.
    pub fn finish(&mut self, output: &Path) {
        let path = absolute(output);
        let hash = fs::read(&path).ok().map(|bytes| sha256(&bytes));
        let entry = self.entries.iter_mut().find(|entry| entry.output == path);
        if let Some(entry) = entry {
            entry.sha256 = hash;
        }
        match self.entries.iter().all(|entry| entry.sha256.is_some()) {
            true => drop(fs::remove_file(&self.path)),
            false => self.write(),
        }
    }

    /// Without the record, a run that is cut off begins anew: no reason not to run.
    fn write(&self) {
        let folder = self.path.parent().map_or(Ok(()), fs::create_dir_all);
        let text = serde_json::to_vec(&self.entries).map_err(Into::into);
        let written = folder
            .and(text)
            .and_then(|text| write_whole(&self.path, &text));
        if let Err(error) = written {
            log::info!("cannot write {}: {error}", self.path.display());
        }
    }
}

fn absolute(path: &Path) -> PathBuf {
    let path = match path == Path::new("") {
        true => Path::new("."),
        false => path,
    };
    std::path::absolute(path).unwrap_or_else(|_| path.into())
}

/// The names of pictures wherever the program is started.
pub(super) fn names<'a>(sources: impl IntoIterator<Item = &'a Source>) -> Vec<String> {
    let name = |source: &Source| match source.file() {
        Some(path) => absolute(path).display().to_string(),
        None => source.full_name(),
    };
    sources.into_iter().map(name).collect()
}
