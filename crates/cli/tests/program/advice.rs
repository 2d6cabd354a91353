//! The libraries know no command line: what can be done they say as data, and the program puts it into words.

use crate::workshop::Workshop;
use std::collections::BTreeSet;
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

/// The options that a text names.
fn options(text: &str) -> Vec<String> {
    let places = text.match_indices("--").filter(|(at, _)| {
        let before = &text[..*at];
        before.is_empty() || before.ends_with(['"', ' ', '`', '(', '\n', '['])
    });
    let named = places.map(|(at, _)| {
        let name = text[at + 2..].chars();
        name.take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-')
            .collect::<String>()
    });
    named.filter(|name| !name.is_empty()).collect()
}

/// Whether a line of code holds one of our options, or a command of ours, in a text. Other programs' may be named.
fn speaks_of_options(line: &str, ours: &BTreeSet<String>) -> bool {
    let code = line.trim_start();
    if code.starts_with("//") {
        return false;
    }
    options(code).iter().any(|name| ours.contains(name)) || code.contains("`impasto ")
}

/// Every option of every command.
fn ours() -> BTreeSet<String> {
    let shop = Workshop::new();
    shop.run("man pages").done();
    let mut ours = BTreeSet::new();
    for page in fs::read_dir(shop.path("pages")).unwrap() {
        let page = fs::read_to_string(page.unwrap().path()).unwrap();
        // Pages set options in bold, with their hyphens escaped.
        let plain = page.replace("\\-", "-").replace("\\fB", " ");
        ours.extend(options(&plain.replace("\\fR", " ")));
    }
    ours
}

#[test]
fn no_message_of_a_library_names_an_option() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let ours = ours();
    for known in ["size", "memory", "content-weight", "models-dir"] {
        assert!(ours.contains(known), "{known}: {ours:?}");
    }
    let mut found = Vec::new();
    for library in ["compute", "impasto", "weights"] {
        sources(&crates.join(library).join("src"), &mut found);
    }
    assert!(found.len() > 100, "{}", found.len());
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for (number, line) in code.lines().enumerate() {
            let place = format!("{}:{}", path.display(), number + 1);
            assert!(!speaks_of_options(line, &ours), "{place}: {line}");
        }
    }
}

#[test]
fn options_are_told_from_other_text() {
    let ours = ["size".to_string()].into();
    assert!(speaks_of_options(r#"    "use --size 3""#, &ours));
    assert!(speaks_of_options(
        "  run `impasto models pull {name}`",
        &ours
    ));
    assert!(!speaks_of_options("    /// as --size says", &ours));
    assert!(!speaks_of_options("  with `sips --out FILE`", &ours));
}
