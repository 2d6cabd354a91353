//! The page: its files, as they are in the program.

use impasto::job::sha256;
use std::sync::OnceLock;

/// A file of the page.
pub struct Asset {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    tag: OnceLock<String>,
}

macro_rules! asset {
    ($name:literal, $kind:literal) => {
        Asset {
            name: $name,
            kind: $kind,
            bytes: include_bytes!(concat!("../page/", $name)),
            tag: OnceLock::new(),
        }
    };
}

static ASSETS: [Asset; 18] = [
    asset!("index.html", "text/html; charset=utf-8"),
    asset!("studio.css", "text/css; charset=utf-8"),
    asset!("icon.svg", "image/svg+xml"),
    asset!("main.js", "text/javascript; charset=utf-8"),
    asset!("server.js", "text/javascript; charset=utf-8"),
    asset!("dom.js", "text/javascript; charset=utf-8"),
    asset!("pictures.js", "text/javascript; charset=utf-8"),
    asset!("order.js", "text/javascript; charset=utf-8"),
    asset!("paint.js", "text/javascript; charset=utf-8"),
    asset!("settings.js", "text/javascript; charset=utf-8"),
    asset!("mask.js", "text/javascript; charset=utf-8"),
    asset!("view.js", "text/javascript; charset=utf-8"),
    asset!("compare.js", "text/javascript; charset=utf-8"),
    asset!("queue.js", "text/javascript; charset=utf-8"),
    asset!("film.js", "text/javascript; charset=utf-8"),
    asset!("many.js", "text/javascript; charset=utf-8"),
    asset!("invite.js", "text/javascript; charset=utf-8"),
    asset!("history.js", "text/javascript; charset=utf-8"),
];

/// The file of a name.
pub fn find(name: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.name == name)
}

impl Asset {
    /// By what browsers know that theirs is the same.
    pub fn tag(&self) -> String {
        let tag = self
            .tag
            .get_or_init(|| sha256(self.bytes)[..16].to_string());
        format!("\"{tag}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_small_and_whole() {
        let bytes: usize = ASSETS.iter().map(|asset| asset.bytes.len()).sum();
        assert!(bytes <= 200_000, "{bytes}");
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("page");
        let files = std::fs::read_dir(folder).unwrap().count();
        assert_eq!(files, ASSETS.len());
        // Nothing is loaded from elsewhere, and nothing runs that is not a file of ours.
        for asset in &ASSETS {
            let text = String::from_utf8_lossy(asset.bytes);
            for wrong in ["https://", "onclick=", "style=\"", "<script>", "eval("] {
                assert!(!text.contains(wrong), "{}: {wrong}", asset.name);
            }
            assert!(
                !asset.name.ends_with(".js") || text.starts_with("// @ts-check"),
                "{}",
                asset.name
            );
        }
    }
}
