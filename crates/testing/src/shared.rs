use crate::skip;
use std::path::PathBuf;

/// A file or folder of the material that lies in `shared` beside the checkout. It is no part of the repository: where it is
/// not there, the reason is [said](skip) and the test does without.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared"));
    let found = root.join(path);
    if !found.exists() {
        skip(format_args!("there is no {}", found.display()));
        return None;
    }
    Some(found)
}
