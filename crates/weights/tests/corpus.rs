//! Replays what the fuzzers kept (`fuzz/corpus`), through the same function.

#[path = "../../../fuzz/weights.rs"]
mod weights;

use std::path::Path;

#[test]
fn the_kept_corpus_is_read_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut count = 0;
    for target in std::fs::read_dir(&corpus).unwrap() {
        for file in std::fs::read_dir(target.unwrap().path()).unwrap() {
            weights::read(&std::fs::read(file.unwrap().path()).unwrap());
            count += 1;
        }
    }
    assert!(count >= 140, "only {count} files in {}", corpus.display());
}
