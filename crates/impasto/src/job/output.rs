//! Where results go: names, formats and folders, checked before work starts.

use super::files::{Files, Input};
use super::{Problem, Source};
use crate::picture::{Format, PictureError, SaveOptions};
use crate::{Picture, recipe::Recipe};
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The most bytes that one picture gives to the name of a result, so that a name of content, styles and recipe has room in
/// the 255 bytes of a file name.
const STEM: usize = 80;

/// Where the results of a job go.
#[derive(Clone, Debug, PartialEq)]
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
    /// To a file for each content, named by the caller in the order of contents, which is replaced if it exists.
    Each(Vec<(Source, PathBuf)>),
    /// To the caller, who writes the picture wherever it wants.
    Caller,
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
    /// The format of its name cannot hold the result of a content.
    Size {
        /// The content.
        content: String,
        /// Why not.
        error: PictureError,
    },
    /// It is a folder.
    IsFolder(PathBuf),
    /// It is read.
    IsInput {
        /// The file.
        path: PathBuf,
        /// What for.
        input: Input,
    },
    /// Another result goes there.
    IsOutput(PathBuf),
    /// No file can have this name.
    Name {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
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
            OutputProblem::Size { content, error } => write!(f, "{content}: {error}"),
            OutputProblem::IsFolder(path) => write!(
                f,
                "cannot write {}: it is a folder; add a file name",
                path.display()
            ),
            OutputProblem::IsInput { path, input } => write!(
                f,
                "cannot write {}: {input}; choose another name",
                path.display()
            ),
            OutputProblem::IsOutput(path) => write!(
                f,
                "cannot write {}: another result goes there; choose another name",
                path.display()
            ),
            OutputProblem::Name { path, error } => {
                write!(
                    f,
                    "cannot write {}: {error}; choose a shorter name",
                    path.display()
                )
            }
            OutputProblem::Folder { folder, error } => {
                let hint = match error.kind() {
                    io::ErrorKind::NotFound if !folder.exists() => "create the folder first",
                    io::ErrorKind::NotADirectory => "a part of the path is a file",
                    io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                        "free some space or choose another disk"
                    }
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
    /// Notes what cannot be of results for so many contents.
    pub(super) fn check(&self, contents: usize, problems: &mut Vec<Problem>) {
        if contents > 1 && matches!(self, Outputs::File(_) | Outputs::Caller) {
            let problem = OutputProblem::OneForMany { contents };
            problems.push(Problem::Output(problem));
        }
        if let Outputs::File(output) = self
            && let Err(error) = Format::from_path(output)
        {
            problems.push(Problem::Output(OutputProblem::Format(error)));
        }
    }

    /// Notes if the format of the result cannot hold that of a content.
    pub(super) fn check_size(
        &self,
        content: &Source,
        (width, height): (usize, usize),
        problems: &mut Vec<Problem>,
    ) {
        let Outputs::File(output) = self else {
            return;
        };
        let Ok(format) = Format::from_path(output) else {
            return;
        };
        if let Err(error) = format.check_size(width, height) {
            let content = content.name();
            problems.push(Problem::Output(OutputProblem::Size { content, error }));
        }
    }

    /// The files to write, one for each content; `before` says which one a content had in the run that goes on. What is wrong
    /// with them is noted.
    pub(super) fn files(
        &self,
        contents: &[Source],
        styles: &[Source],
        before: impl Fn(usize) -> Option<PathBuf>,
        files: &mut Files,
        problems: &mut Vec<Problem>,
    ) -> Vec<Option<PathBuf>> {
        let (folder, overwrite) = match self {
            Outputs::Caller => return vec![None; contents.len()],
            Outputs::File(output) => {
                files.write(output, problems);
                return vec![Some(output.clone()); contents.len()];
            }
            Outputs::Each(named) => {
                let mut named = named.iter();
                // Contents that cannot be read are left out, and the others follow as they were named.
                let mut named = |content: &Source| named.find(|(other, _)| other == content);
                let found = contents
                    .iter()
                    .map(|content| Some(named(content)?.1.clone()));
                let found: Vec<_> = found.collect();
                let outputs = found.iter().flatten();
                outputs.for_each(|output| files.write(output, problems));
                return found;
            }
            Outputs::Folder { folder, overwrite } => (folder, *overwrite),
        };
        let styles = joined(styles);
        let mut outputs: Vec<Option<PathBuf>> = (0..contents.len()).map(before).collect();
        for output in outputs.iter().flatten() {
            files.write(output, problems);
        }
        for (content, output) in contents.iter().zip(&mut outputs) {
            if output.is_some() {
                continue;
            }
            let stem = format!("{}-{styles}", content.short_stem());
            let path = free_name(folder, &stem, "png", |path| {
                (overwrite || !is_there(path)) && files.is_free(path)
            });
            files.write(&path, problems);
            *output = Some(path);
        }
        outputs
    }
}

/// The first of `STEM.END`, `STEM-2.END` … in a folder that will do.
pub(super) fn free_name(
    folder: &Path,
    stem: &str,
    end: &str,
    will_do: impl Fn(&Path) -> bool,
) -> PathBuf {
    let mut path = folder.join(format!("{stem}.{end}"));
    for number in 2.. {
        if will_do(&path) {
            break;
        }
        path = folder.join(format!("{stem}-{number}.{end}"));
    }
    path
}

/// Whether there is anything of this name, be it a link to nowhere.
fn is_there(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok()
}

/// Width and height of the result of a content.
pub(super) fn result_size(recipe: &Recipe, content: &Picture) -> (usize, usize) {
    let settings = recipe.optimize();
    let last = settings.and_then(|settings| settings.schedule.scales.last().copied());
    let long_side = last.unwrap_or_else(|| recipe.size.long_side(content));
    crate::picture::fit_long_side(content.width(), content.height(), long_side)
}

/// What several styles are called in the name of a result.
pub fn joined(styles: &[Source]) -> String {
    let styles: Vec<String> = styles.iter().map(Source::short_stem).collect();
    short(&styles.join("+"))
}

/// Notes why the page about a run of so many contents cannot be written.
pub(super) fn check_page(
    path: &Path,
    contents: usize,
    files: &mut Files,
    problems: &mut Vec<Problem>,
) {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    if !matches!(extension.as_deref(), Some("html" | "htm")) {
        problems.push(Problem::Output(OutputProblem::NotHtml(path.into())));
    }
    if contents > 1 {
        problems.push(Problem::Output(OutputProblem::PageOfMany { contents }));
    }
    files.write(path, problems);
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

/// As much of a name as goes into the name of a result.
pub fn short(stem: &str) -> String {
    stem[..stem.floor_char_boundary(STEM)].into()
}

/// Where a result is in the end.
#[derive(Debug)]
pub enum Saved {
    /// Where it was to go.
    AsAsked,
    /// In another file, because it could not be written there.
    Elsewhere {
        /// The file.
        path: PathBuf,
        /// Why.
        error: PictureError,
    },
}

/// Writes a result. Where that cannot be, it is written under another name beside it, in a folder of the caller's, or in the
/// system's folder of temporary files, as PNG, so that no work is lost.
///
/// # Errors
/// Why it could not be written where it was to go, if it could be written nowhere.
pub fn save_result(
    picture: &Picture,
    path: &Path,
    options: &SaveOptions,
    spare: Option<&Path>,
) -> Result<Saved, PictureError> {
    let Err(error) = picture.save(path, options) else {
        return Ok(Saved::AsAsked);
    };
    match save_elsewhere(picture, path, options, spare) {
        Some(path) => Ok(Saved::Elsewhere { path, error }),
        None => Err(error),
    }
}

/// Writes a picture that cannot be where it was to go; the file, if there is one.
pub fn save_elsewhere(
    picture: &Picture,
    path: &Path,
    options: &SaveOptions,
    spare: Option<&Path>,
) -> Option<PathBuf> {
    let bytes = picture.encode(Format::Png, options).ok()?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let beside = path.parent().map(Path::to_path_buf);
    let spare = spare.map(|folder| folder.join("results"));
    let folders = beside.into_iter().chain(spare);
    for folder in folders.chain([std::env::temp_dir()]) {
        // A folder that cannot be made cannot be written to either.
        let _ = fs::create_dir_all(&folder);
        let other = free_name(&folder, &short(&stem), "png", |other| {
            other != path && !is_there(other)
        });
        if crate::picture::write_whole(&other, &bytes).is_ok() {
            return Some(other);
        }
    }
    None
}
