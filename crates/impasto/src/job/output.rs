//! Where results go: names, formats and folders, checked before work starts.

use super::{Problem, Source};
use crate::picture::{Format, PictureError};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The most characters that one picture gives to the name of the result.
const STEM: usize = 80;

/// Where the results of a job go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outputs {
    /// To this file, which is replaced if it exists.
    File(PathBuf),
    /// To `CONTENT-STYLE.png` in a folder (styles joined by `+`), always PNG because that keeps everything.
    Folder {
        /// The folder; empty for the current one.
        folder: PathBuf,
        /// Whether a file of that name is replaced; otherwise a number is added.
        overwrite: bool,
    },
}

/// Why something cannot be written, or must not be.
#[derive(Debug)]
#[non_exhaustive]
pub enum OutputProblem {
    /// One file was named for several contents.
    OneForMany {
        /// The contents.
        contents: usize,
    },
    /// The name says no format that is written.
    Format(PictureError),
    /// It is a folder.
    IsFolder(PathBuf),
    /// It is one of the pictures to read.
    IsInput(PathBuf),
    /// A folder that cannot be written to.
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The page about a run does not end in `.html`.
    NotHtml(PathBuf),
    /// A page is about one content, and there are more.
    PageOfMany {
        /// The contents.
        contents: usize,
    },
}

impl OutputProblem {
    /// Whether something else was meant; otherwise the folders are not as they were taken to be.
    pub fn is_mistake(&self) -> bool {
        !matches!(
            self,
            OutputProblem::IsFolder(_) | OutputProblem::Folder { .. }
        )
    }
}

impl fmt::Display for OutputProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OutputProblem::OneForMany { contents } => write!(
                f,
                "one file is named for the result, but there are {contents} contents"
            ),
            OutputProblem::Format(error) => write!(f, "{error}"),
            OutputProblem::IsFolder(path) => write!(
                f,
                "cannot write {}: it is a folder; add a file name",
                path.display()
            ),
            OutputProblem::IsInput(path) => write!(
                f,
                "cannot write {}: it is one of the pictures to read; choose another name",
                path.display()
            ),
            OutputProblem::Folder { folder, error } => {
                let hint = match error.kind() {
                    io::ErrorKind::NotFound if !folder.exists() => "create the folder first",
                    io::ErrorKind::NotADirectory => "a part of the path is a file",
                    _ => "choose a folder that you may write to",
                };
                let folder = folder.display();
                write!(f, "cannot write to the folder {folder}: {error}; {hint}")
            }
            OutputProblem::NotHtml(path) => {
                write!(f, "the page is {}: must end in .html", path.display())
            }
            OutputProblem::PageOfMany { contents } => write!(
                f,
                "a page is about one content, but there are {contents}: stylize them one by one"
            ),
        }
    }
}

impl Outputs {
    /// The files to write, one for each content. What is wrong with them is noted. An input is never replaced.
    pub fn files(
        &self,
        contents: &[Source],
        styles: &[Source],
        inputs: &[PathBuf],
        problems: &mut Vec<Problem>,
    ) -> Vec<PathBuf> {
        let (folder, overwrite) = match self {
            Outputs::Folder { folder, overwrite } => (folder, *overwrite),
            Outputs::File(output) => {
                if contents.len() > 1 {
                    let contents = contents.len();
                    let problem = OutputProblem::OneForMany { contents };
                    problems.push(Problem::Output(problem));
                }
                if let Err(error) = Format::from_path(output) {
                    problems.push(Problem::Output(OutputProblem::Format(error)));
                }
                check_file(output, inputs, problems);
                return contents.iter().map(|_| output.clone()).collect();
            }
        };
        check_folder(folder, problems);
        let styles = joined(styles);
        let mut taken: Vec<PathBuf> = Vec::new();
        for content in contents {
            let stem = format!("{}-{styles}", content.short_stem());
            let mut path = folder.join(format!("{stem}.png"));
            for number in 2.. {
                let free = overwrite || !path.exists();
                if free && !taken.contains(&path) && !is_input(&path, inputs) {
                    break;
                }
                path = folder.join(format!("{stem}-{number}.png"));
            }
            taken.push(path);
        }
        taken
    }
}

/// What several styles are called in the name of a result.
pub fn joined(styles: &[Source]) -> String {
    let styles: Vec<String> = styles.iter().map(Source::short_stem).collect();
    short(&styles.join("+"))
}

/// Notes why the page about a run of so many contents cannot be written.
pub fn check_page(path: &Path, contents: usize, inputs: &[PathBuf], problems: &mut Vec<Problem>) {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    if !matches!(extension.as_deref(), Some("html" | "htm")) {
        problems.push(Problem::Output(OutputProblem::NotHtml(path.into())));
    }
    if contents > 1 {
        problems.push(Problem::Output(OutputProblem::PageOfMany { contents }));
    }
    check_file(path, inputs, problems);
}

/// Notes why a file cannot be written: its folder, or that it is a folder or an input itself.
pub fn check_file(path: &Path, inputs: &[PathBuf], problems: &mut Vec<Problem>) {
    if path.is_dir() {
        problems.push(Problem::Output(OutputProblem::IsFolder(path.into())));
    } else if is_input(path, inputs) {
        problems.push(Problem::Output(OutputProblem::IsInput(path.into())));
    } else {
        check_folder(path.parent().unwrap_or(Path::new("")), problems);
    }
}

/// Notes why nothing can be written to a folder. The empty path is the current folder.
pub fn check_folder(folder: &Path, problems: &mut Vec<Problem>) {
    let folder = if folder == Path::new("") {
        Path::new(".")
    } else {
        folder
    };
    let trial = folder.join(format!(".impasto-{}.trial", std::process::id()));
    let tried = OpenOptions::new().write(true).create_new(true).open(&trial);
    if let Err(error) = tried.and_then(|_| fs::remove_file(&trial)) {
        let folder = folder.into();
        problems.push(Problem::Output(OutputProblem::Folder { folder, error }));
    }
}

/// Whether a path leads to one of the pictures to read.
pub fn is_input(path: &Path, inputs: &[PathBuf]) -> bool {
    let same = |other: &PathBuf| match (fs::canonicalize(path), fs::canonicalize(other)) {
        (Ok(path), Ok(other)) => path == other,
        _ => false,
    };
    inputs.iter().any(same)
}

/// As much of a name as goes into the name of a result.
pub fn short(stem: &str) -> String {
    stem.chars().take(STEM).collect()
}
