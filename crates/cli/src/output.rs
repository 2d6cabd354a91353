//! Where results go: names, formats and folders, checked before work starts.

use crate::args::Stylize;
use crate::problems::Problems;
use crate::source::Source;
use impasto::picture::Format;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The most characters that one picture gives to the name of the result.
const STEM: usize = 80;

/// The files to write, one for each content.
///
/// With `-o` that is the file named, which is replaced if it exists. Otherwise it is `CONTENT-STYLE.png` (styles
/// joined by `+`), always PNG because that keeps everything; a number is added rather than replacing a file, unless
/// `--overwrite` is given. An input is never replaced.
pub fn plan(
    args: &Stylize,
    contents: &[Source],
    styles: &[Source],
    inputs: &[PathBuf],
    problems: &mut Problems,
) -> Vec<PathBuf> {
    if args.output.is_some() && args.out_dir.is_some() {
        problems.usage("-o and --out-dir are both given: choose one");
    }
    if let Some(output) = &args.output {
        if contents.len() > 1 {
            problems.usage(format!(
                "-o names one file, but there are {} contents: use --out-dir",
                contents.len()
            ));
        }
        if let Err(error) = Format::from_path(output) {
            problems.usage(error);
        }
        check_file(output, inputs, problems);
        return contents.iter().map(|_| output.clone()).collect();
    }
    let folder = args.out_dir.clone().unwrap_or_default();
    check_folder(&folder, problems);
    let styles: Vec<String> = styles.iter().map(|style| short(&style.stem())).collect();
    let styles = short(&styles.join("+"));
    let mut taken: Vec<PathBuf> = Vec::new();
    for content in contents {
        let stem = format!("{}-{styles}", short(&content.stem()));
        let mut path = folder.join(format!("{stem}.png"));
        for number in 2.. {
            let free = args.overwrite || !path.exists();
            if free && !taken.contains(&path) && !is_input(&path, inputs) {
                break;
            }
            path = folder.join(format!("{stem}-{number}.png"));
        }
        taken.push(path);
    }
    taken
}

/// Notes why the page about a run that gives these pictures cannot be written.
pub fn check_report(path: &Path, outputs: &[PathBuf], inputs: &[PathBuf], problems: &mut Problems) {
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    if !matches!(extension.as_deref(), Some("html" | "htm")) {
        problems.usage(format!("--report is {}: must end in .html", path.display()));
    }
    if outputs.len() > 1 {
        problems.usage(format!(
            "--report is about one content, but there are {}: stylize them one by one",
            outputs.len()
        ));
    }
    check_file(path, inputs, problems);
}

/// Notes why a file cannot be written: its folder, or that it is a folder or an input itself.
pub fn check_file(path: &Path, inputs: &[PathBuf], problems: &mut Problems) {
    if path.is_dir() {
        problems.file(format!(
            "cannot write {}: it is a folder; add a file name",
            path.display()
        ));
    } else if is_input(path, inputs) {
        problems.usage(format!(
            "cannot write {}: it is one of the pictures to read; choose another name",
            path.display()
        ));
    } else {
        check_folder(path.parent().unwrap_or(Path::new("")), problems);
    }
}

/// Notes why nothing can be written to a folder. The empty path is the current folder.
pub fn check_folder(folder: &Path, problems: &mut Problems) {
    let folder = if folder == Path::new("") {
        Path::new(".")
    } else {
        folder
    };
    let trial = folder.join(format!(".impasto-{}.trial", std::process::id()));
    let tried = OpenOptions::new().write(true).create_new(true).open(&trial);
    let Err(error) = tried.and_then(|_| fs::remove_file(&trial)) else {
        return;
    };
    let hint = match error.kind() {
        io::ErrorKind::NotFound if !folder.exists() => "create the folder first",
        io::ErrorKind::NotADirectory => "a part of the path is a file",
        _ => "choose a folder that you may write to",
    };
    problems.file(format!(
        "cannot write to the folder {}: {error}; {hint}",
        folder.display()
    ));
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
