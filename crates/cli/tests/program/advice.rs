//! The libraries know no command line: what can be done they say as data, and the program puts it into words.

use std::fs;
use std::path::{Path, PathBuf};

/// The sources of a crate, without its tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") && name != "tests.rs" {
            found.push(path);
        }
    }
}

/// Whether a line of code holds an option of a command line, or a command, in a text.
fn speaks_of_options(line: &str) -> bool {
    let code = line.trim_start();
    if code.starts_with("//") {
        return false;
    }
    let option = code.match_indices("--").any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + 2..]);
        let quoted = before.ends_with(['"', ' ', '`', '(']);
        quoted && after.starts_with(|c: char| c.is_ascii_lowercase())
    });
    option || code.contains("`impasto ")
}

#[test]
fn no_message_of_a_library_names_an_option() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut found = Vec::new();
    for library in ["compute", "impasto", "weights"] {
        sources(&crates.join(library).join("src"), &mut found);
    }
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let place = format!("{}:{}", path.display(), number + 1);
            assert!(!speaks_of_options(line), "{place}: {line}");
        }
    }
}

#[test]
fn options_are_told_from_other_text() {
    assert!(speaks_of_options(r#"    "use --size 3""#));
    assert!(speaks_of_options("  run `impasto models pull {name}`"));
    assert!(!speaks_of_options("    /// as --size says"));
}
