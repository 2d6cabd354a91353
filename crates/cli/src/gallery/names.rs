//! The names of a gallery's files, which tell its pictures apart, and the folder that they go to.

use super::{GRID, PAGE, manifest};
use crate::problems::Problems;
use impasto::job::{Files, Source};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// The names of all files, row by row. Names must tell the pictures apart, on disks that do not tell `A` from `a` too.
pub(super) fn cell_names(
    contents: &[Source],
    styles: &[Source],
    problems: &mut Problems,
) -> Vec<String> {
    let before = problems.lines().len();
    check_names("content", contents, problems);
    check_names("style", styles, problems);
    let alike = problems.lines().len() > before;
    let mut names = Vec::new();
    let mut seen: HashMap<String, (&Source, &Source)> = HashMap::new();
    for content in contents {
        for style in styles {
            let (first, second) = (content.short_stem(), style.short_stem());
            let name = format!("{first}-{second}.png");
            let other = seen.insert(name.to_lowercase(), (content, style));
            if let (Some((one, another)), false) = (other, alike) {
                problems.usage(format!(
                    "{} in the style of {} and {} in the style of {} would both be {name}: rename one of them",
                    one.name(),
                    another.name(),
                    content.name(),
                    style.name()
                ));
            }
            names.push(name);
        }
    }
    names
}

/// The names of a shard's files, row by row, of the contents at these places. Names must tell the pictures of all shards apart.
pub(super) fn names_of_shard(
    contents: &[Source],
    places: &[usize],
    styles: &[Source],
    problems: &mut Problems,
) -> Vec<String> {
    let all = cell_names(contents, styles, problems);
    let row = |place: &usize| all.chunks(styles.len().max(1)).nth(*place);
    let own = places.iter().filter_map(row);
    own.flatten().cloned().collect()
}

fn check_names(part: &str, sources: &[Source], problems: &mut Problems) {
    let mut seen: HashMap<String, &Source> = HashMap::new();
    for source in sources {
        let stem = source.short_stem();
        match seen.insert(stem.to_lowercase(), source) {
            Some(other) if other == source => {
                problems.usage(format!("{} is given twice as a {part}", source.full_name()));
            }
            Some(other) => problems.usage(format!(
                "two {part}s are called {stem}, {} and {}: rename one of them",
                other.full_name(),
                source.full_name()
            )),
            None => {}
        }
    }
}

/// Notes why nothing can be written to the folder of a gallery, or not to these files in it.
pub(super) fn check_folder(
    folder: &Path,
    cells: &[PathBuf],
    mut files: Files,
    problems: &mut Problems,
) {
    if folder.exists() && !folder.is_dir() {
        problems.file(format!(
            "cannot make the folder {}: there is a file of that name",
            folder.display()
        ));
        return;
    }
    let existing = match folder.exists() {
        true => folder,
        false => folder.parent().unwrap_or(Path::new("")),
    };
    problems.gather(|found| impasto::job::check_folder(existing, found));
    let others = [GRID, PAGE, manifest::NAME].map(|name| folder.join(name));
    // Cells of one name are told of already, by the pictures that they are of.
    let mut seen = HashSet::new();
    for path in cells.iter().chain(&others) {
        if seen.insert(path.to_string_lossy().to_lowercase()) {
            problems.gather(|found| files.claim(path, found));
        }
    }
}
