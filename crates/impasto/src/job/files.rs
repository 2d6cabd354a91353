//! Everything that a job reads and writes, so that nothing that is written takes the place of something that is needed.

use super::{OutputProblem, Problem, Run, Source, check_folder};
use crate::picture::{destination, folder_of};
use impasto_weights::Store;
use std::fmt;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

/// The most bytes that a name has on the usual file systems; on Windows, units of UTF-16.
const LONGEST_NAME: usize = 255;

/// What a file is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A picture.
    Picture,
    /// The recipe of a run.
    Recipe,
    /// The weights of an encoder.
    Weights,
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Input::Picture => "it is one of the pictures to read",
            Input::Recipe => "the recipe is read from it",
            Input::Weights => "the weights are read from it",
        })
    }
}

/// What a job reads and writes. Two names of one file are the same: links, hard links, and on disks that do not tell `A` from
/// `a` those too.
#[derive(Clone, Debug, Default)]
pub struct Files {
    read: Vec<(Identity, Input)>,
    written: Vec<Identity>,
    /// Folders that were looked at: why nothing can be written to one is told once.
    folders: Vec<PathBuf>,
}

/// By what a file is known.
#[derive(Clone, Debug)]
struct Identity {
    /// Number of the disk and of the file on it, where the file exists and the system says.
    number: Option<(u64, u64)>,
    /// Its name behind all links.
    path: PathBuf,
}

impl Identity {
    fn of(path: &Path) -> Self {
        let target = destination(path);
        let folder = fs::canonicalize(folder_of(&target));
        let resolved = match (folder, target.file_name()) {
            (Ok(folder), Some(name)) => folder.join(name),
            _ => target,
        };
        Self {
            number: fs::metadata(path).ok().as_ref().and_then(number),
            path: resolved,
        }
    }

    fn is(&self, other: &Self) -> bool {
        let numbers = self.number.is_some() && self.number == other.number;
        numbers || self.path == other.path
    }

    /// Whether they could become one file, where neither exists yet.
    fn may_be(&self, other: &Self) -> bool {
        let lower = |identity: &Self| identity.path.to_string_lossy().to_lowercase();
        self.is(other) || lower(self) == lower(other)
    }
}

#[cfg(unix)]
fn number(found: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

/// There, names behind all links are compared alone.
#[cfg(not(unix))]
fn number(_: &Metadata) -> Option<(u64, u64)> {
    None
}

impl Files {
    /// Notes a file that is read.
    pub fn read(&mut self, path: &Path, input: Input) {
        self.read.push((Identity::of(path), input));
    }

    /// Notes the files among pictures that are read.
    pub fn read_pictures<'a>(&mut self, sources: impl IntoIterator<Item = &'a Source>) {
        let files = sources.into_iter().filter_map(Source::file);
        files.for_each(|path| self.read(path, Input::Picture));
    }

    /// Notes what a run reads beside contents and styles: start, palette, recipe and weights.
    pub fn read_run(&mut self, run: &Run) {
        self.read_pictures(run.start.iter().chain(&run.palette));
        self.read_pictures(run.regions.sources());
        if let Some(recipe) = &run.recipe_file {
            self.read(recipe, Input::Recipe);
        }
        if let Some(model) = run.model.as_deref().filter(|path| path.is_file()) {
            self.read(model, Input::Weights);
        }
        let store = || Store::locate(run.encoder.models.as_deref()).ok();
        let weights = match run.encoder.name.as_deref() {
            Some(path) if path.is_file() => Some(path.to_path_buf()),
            name => store().and_then(|store| {
                let name = name.map_or(crate::encoder::find::DEFAULT.into(), Path::to_string_lossy);
                store.find(&name)
            }),
        };
        if let Some(weights) = weights {
            self.read(&weights, Input::Weights);
        }
    }

    /// Whether a file is neither read nor written already.
    pub fn is_free(&self, path: &Path) -> bool {
        let identity = Identity::of(path);
        let read = self.read.iter().any(|(other, _)| other.is(&identity));
        let written = self.written.iter().any(|other| other.may_be(&identity));
        !read && !written
    }

    /// Notes a file that is written, and why it cannot or must not be.
    pub fn write(&mut self, path: &Path, problems: &mut Vec<Problem>) {
        let before = problems.len();
        self.claim(path, problems);
        let special = fs::metadata(path).is_ok_and(|found| !found.is_file());
        let target = destination(path);
        let folder = folder_of(&target);
        if problems.len() == before && !special && !self.folders.iter().any(|other| other == folder)
        {
            self.folders.push(folder.into());
            check_folder(folder, problems);
        }
    }

    /// The same of a file in a folder that may not be there yet, which the caller looks at.
    pub fn claim(&mut self, path: &Path, problems: &mut Vec<Problem>) {
        let identity = Identity::of(path);
        let read = self.read.iter().find(|(other, _)| other.is(&identity));
        let written = self.written.iter().any(|other| other.may_be(&identity));
        let own = || path.to_path_buf();
        let problem = if path.is_dir() {
            Some(OutputProblem::IsFolder(own()))
        } else if let Some(&(_, input)) = read {
            Some(OutputProblem::IsInput { path: own(), input })
        } else if written {
            Some(OutputProblem::IsOutput(own()))
        } else {
            name_problem(path).map(|error| OutputProblem::Name { path: own(), error })
        };
        problems.extend(problem.map(Problem::Output));
        self.written.push(identity);
    }
}

/// Why a file cannot have this name.
fn name_problem(path: &Path) -> Option<io::Error> {
    let name = path.file_name().unwrap_or_default();
    let length = match cfg!(windows) {
        true => name.to_string_lossy().encode_utf16().count(),
        false => name.len(),
    };
    if length > LONGEST_NAME {
        return Some(io::ErrorKind::InvalidFilename.into());
    }
    // Some disks allow less.
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::InvalidFilename => Some(error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(files: &mut Files, path: &Path) -> Vec<String> {
        let mut problems = Vec::new();
        files.write(path, &mut problems);
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn what_is_read_is_not_written_and_nothing_is_written_twice() {
        let folder = impasto_testing::Folder::new();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("photo.jpg"), "").unwrap();
        fs::write(path("mine.toml"), "").unwrap();
        let mut files = Files::default();
        files.read(&path("photo.jpg"), Input::Picture);
        files.read(&path("mine.toml"), Input::Recipe);
        for (name, words) in [
            ("photo.jpg", "one of the pictures to read"),
            ("./photo.jpg", "one of the pictures to read"),
            ("mine.toml", "the recipe is read from it"),
        ] {
            let lines = lines(&mut files, &path(name));
            assert!(lines.len() == 1 && lines[0].contains(words), "{lines:?}");
        }
        assert!(lines(&mut files, &path("out.png")).is_empty());
        assert!(!files.is_free(&path("out.png")) && files.is_free(&path("other.png")));
        for name in ["out.png", "./out.png", "OUT.png"] {
            let lines = lines(&mut files, &path(name));
            assert!(lines[0].contains("another result goes there"), "{lines:?}");
        }
        let long = format!("{}.png", "ü".repeat(126));
        let lines = lines(&mut files, &path(&long));
        assert!(
            lines.len() == 1 && lines[0].contains("shorter name"),
            "{lines:?}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_of_every_kind_lead_to_the_same_file() {
        use std::os::unix::fs::symlink;
        let folder = impasto_testing::Folder::new();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("photo.png"), "").unwrap();
        fs::hard_link(path("photo.png"), path("hard.png")).unwrap();
        symlink("photo.png", path("soft.png")).unwrap();
        symlink("new.png", path("dangling.png")).unwrap();
        symlink(".", path("here")).unwrap();
        let mut files = Files::default();
        files.read(&path("photo.png"), Input::Picture);
        for name in ["hard.png", "soft.png", "here/photo.png"] {
            let lines = lines(&mut files, &path(name));
            assert!(
                lines[0].contains("one of the pictures"),
                "{name}: {lines:?}"
            );
        }
        assert!(lines(&mut files, &path("new.png")).is_empty());
        let lines = lines(&mut files, &path("dangling.png"));
        assert!(lines[0].contains("another result goes there"), "{lines:?}");
    }
}
