//! `--shard I/N`: one of several processes that share a folder of results, on one machine or many.
//!
//! What a shard paints follows from the names on the command line alone, and so do the names of its files; what of that is
//! finished, all shards tell each other through a [`Ledger`] in the folder.

use crate::problems::Problems;
use impasto::Report;
use impasto::job::{Finished, Ledger, Source, joined, sha256};
use impasto::picture::write_whole;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The most shards.
const MOST: usize = 1_000_000;

/// One of several shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 0.
    index: usize,
    /// Of how many.
    count: usize,
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let parts =
            parts.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
        match parts {
            Some((index, count)) if (1..=count).contains(&index) && count <= MOST => Ok(Self {
                index: index - 1,
                count,
            }),
            _ => Err("must be I/N, such as 1/8 for the first of eight".into()),
        }
    }
}

impl Shard {
    /// Whether it paints what is at a place.
    pub fn takes(self, place: usize) -> bool {
        place % self.count == self.index
    }

    /// Opens its ledger.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn ledger(self, folder: &Path) -> std::io::Result<Ledger> {
        Ledger::open(folder, &format!("{}-of-{}", self.index + 1, self.count))
    }
}

/// Makes a folder of results, or notes that one is something else: in one that is, files are replaced.
pub fn check_folder(folder: &Path, problems: &mut Problems) {
    // Why it cannot be made is found out where files are checked.
    let _ = std::fs::create_dir_all(folder);
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let is_empty = entries.all(|entry| is_passing(&entry.path()));
    if !is_empty && !Ledger::is_in(folder) {
        problems.file(format!(
            "{} has other files in it: a shard needs a folder of its own kind; choose a new or an empty one with --out-dir",
            folder.display()
        ));
    }
}

/// Whether a file is one of those that the program has in folders for a moment: others may be at work there.
pub fn is_passing(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.as_encoded_bytes().starts_with(b".impasto-")
}

/// The files of contents in a folder, `CONTENT-STYLE.png`, with a number behind contents of one name.
pub fn named(contents: Vec<Source>, styles: &[Source], folder: &Path) -> Vec<(Source, PathBuf)> {
    let styles = joined(styles);
    let mut seen: HashMap<String, usize> = HashMap::new();
    let name = |content: Source| {
        let stem = format!("{}-{styles}", content.short_stem());
        // Some disks do not tell `A` from `a`.
        let count = seen.entry(stem.to_lowercase()).or_default();
        *count += 1;
        let name = match *count {
            1 => format!("{stem}.png"),
            // Two signs, which no number of another name can be.
            number => format!("{stem}--{number}.png"),
        };
        (content, folder.join(name))
    };
    contents.into_iter().map(name).collect()
}

/// The name of a file as ledgers have it.
pub fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Notes a result and writes its file.
///
/// # Errors
/// If either cannot be written.
pub fn keep(
    ledger: &mut Ledger,
    path: &Path,
    made_from: &str,
    bytes: &[u8],
    report: &Report,
) -> std::io::Result<()> {
    ledger.add(Finished {
        file: file_name(path),
        made_from: made_from.into(),
        sha256: sha256(bytes),
        steps: report.steps.len(),
        seconds: report.seconds,
    })?;
    write_whole(path, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_is_of_one_shard() {
        let shards: Vec<Shard> = (1..=3).map(|i| format!("{i}/3").parse().unwrap()).collect();
        for place in 0..10 {
            let takers = shards.iter().filter(|shard| shard.takes(place));
            assert_eq!(takers.count(), 1, "{place}");
        }
        for wrong in [
            "",
            "1",
            "0/3",
            "4/3",
            "1/0",
            "a/b",
            "1/2/3",
            "-1/2",
            "1/1000001",
        ] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn names_follow_from_the_call_alone() {
        let source = |name: &str| Source::File(name.into());
        let contents = ["a/x.jpg", "b/X.png", "c/y.jpg", "d/x.tif"].map(source);
        let named = named(
            contents.into(),
            &[source("s.jpg"), source("t.jpg")],
            Path::new("out"),
        );
        let names: Vec<_> = named.iter().map(|(_, path)| file_name(path)).collect();
        assert_eq!(
            names,
            ["x-s+t.png", "X-s+t--2.png", "y-s+t.png", "x-s+t--3.png"]
        );
    }
}
