//! What the pictures of a gallery are made from, as fingerprints: what is the same is not painted again.

use impasto::Recipe;
use impasto::job::{Source, sha256};
use serde_json::json;

/// What all pictures of a gallery are made from.
pub(super) struct MadeFrom {
    pub(super) recipe: Recipe,
    /// What its networks are.
    pub(super) networks: String,
    pub(super) start: Option<Source>,
}

impl MadeFrom {
    /// The fingerprint of each picture, row by row.
    pub(super) fn fingerprints(
        &self,
        contents: &[Source],
        styles: &[Source],
    ) -> anyhow::Result<Vec<String>> {
        let digests = |sources: &[Source]| {
            let digests = sources.iter().map(Source::digest);
            digests.collect::<Result<Vec<_>, _>>()
        };
        let (contents, styles) = (digests(contents)?, digests(styles)?);
        let start = self.start.as_ref().map(Source::digest).transpose()?;
        let mut fingerprints = Vec::with_capacity(contents.len() * styles.len());
        for content in &contents {
            for style in &styles {
                let made_from = json!({
                    "version": env!("CARGO_PKG_VERSION"),
                    "recipe": self.recipe,
                    "encoder": self.networks,
                    "content": content,
                    "style": style,
                    "start": start,
                });
                fingerprints.push(sha256(made_from.to_string().as_bytes()));
            }
        }
        Ok(fingerprints)
    }
}
