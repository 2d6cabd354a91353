//! What the pictures of a gallery are made from, as fingerprints: what is the same is not painted again.

use impasto::job::{Source, sha256};
use serde_json::json;

/// The fingerprint of each picture, row by row; `run` is that of everything but contents and styles.
pub(super) fn fingerprints(
    run: &str,
    contents: &[Source],
    styles: &[Source],
) -> anyhow::Result<Vec<String>> {
    let digests = |sources: &[Source]| {
        let digests = sources.iter().map(Source::digest);
        digests.collect::<Result<Vec<_>, _>>()
    };
    let (contents, styles) = (digests(contents)?, digests(styles)?);
    let mut fingerprints = Vec::with_capacity(contents.len() * styles.len());
    for content in &contents {
        for style in &styles {
            let made_from = json!({"run": run, "content": content, "style": style});
            fingerprints.push(sha256(made_from.to_string().as_bytes()));
        }
    }
    Ok(fingerprints)
}
