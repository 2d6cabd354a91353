//! Pictures that are sent: decoded under limits, written again as PNG, and kept under the hash of what was sent.

use crate::database::PictureRow;
use crate::folder::Folder;
use crate::told::Refused;
use impasto::Picture;
use impasto::job::{Source, sha256};
use impasto::picture::{Filter, Format, Limits, SaveOptions, fit_long_side, write_whole};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The most bytes of a file that is sent.
pub const MOST_BYTES: usize = 64 << 20;
/// The most pixels and the longest side of one.
const LIMITS: Limits = Limits {
    max_pixels: 50_000_000,
    max_side: 30_000,
    max_bytes: MOST_BYTES as u64,
};
/// The long side of what is shown small, and painted at once.
pub const SMALL: usize = 512;
/// Small pictures that are kept in memory, 3 MB each at most.
const KEPT: usize = 24;
/// Digits of an id.
const ID: usize = 32;
/// The most characters of a name.
const NAME: usize = 120;

/// Which picture is meant: `@lake`, or the id of one that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// A picture that is part of the program.
    BuiltIn(&'static str),
    /// One that was sent.
    Sent(String),
}

impl Reference {
    /// Reads one; nothing else is a picture: neither a path nor an address.
    pub fn read(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix('@') {
            return impasto::examples::find(name).map(|found| Reference::BuiltIn(found.name));
        }
        let digits =
            text.len() == ID && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        digits.then(|| Reference::Sent(text.into()))
    }
}

/// The pictures of a folder.
pub struct Pictures {
    folder: Arc<Folder>,
    small: Mutex<VecDeque<(String, Arc<Picture>)>>,
}

impl Pictures {
    /// Those of a folder.
    pub fn new(folder: Arc<Folder>) -> Self {
        let small = Mutex::default();
        Self { folder, small }
    }

    /// Takes a file in.
    ///
    /// # Errors
    /// Why it is no picture that is taken, in a sentence.
    pub fn keep(&self, name: &str, bytes: &[u8]) -> Result<PictureRow, Refused> {
        let name = clean(name);
        let picture = Picture::decode(bytes, &name, &LIMITS);
        let picture = picture.map_err(|error| Refused::new(422, error))?;
        let id = sha256(bytes)[..ID].to_string();
        let row = PictureRow {
            id: id.clone(),
            name,
            width: picture.width() as i64,
            height: picture.height() as i64,
        };
        let png = picture.encode(Format::Png, &SaveOptions::default());
        let png = png.map_err(|error| Refused::new(422, error))?;
        self.write(&self.file(&id, "original"), bytes)?;
        self.write(&self.file(&id, "png"), &png)?;
        let small = self.remember(&id, &picture);
        self.write(&self.thumb(&id), &jpeg(&small)?)?;
        Ok(row)
    }

    /// Keeps a picture of our own to start from, so that the run can go on from it whatever happens.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_start(&self, picture: &Picture) -> Result<String, Refused> {
        let picture = picture.clone().with_depth(impasto::picture::Depth::Sixteen);
        let png = picture.encode(Format::Png, &SaveOptions::default());
        let png = png.map_err(|error| Refused::new(500, error))?;
        let id = sha256(&png)[..ID].to_string();
        self.write(&self.file(&id, "png"), &png)?;
        Ok(id)
    }

    /// Removes one that was kept to start from; those that were sent have an original, and stay.
    pub fn drop_start(&self, id: &str) {
        if !self.file(id, "original").exists() {
            // One that is gone already is no trouble.
            let _ = std::fs::remove_file(self.file(id, "png"));
        }
    }

    fn write(&self, path: &std::path::Path, bytes: &[u8]) -> Result<(), Refused> {
        write_whole(path, bytes).map_err(|source| {
            let path = path.into();
            crate::Error::File { path, source }.into()
        })
    }

    fn file(&self, id: &str, end: &str) -> PathBuf {
        self.folder.join("pictures").join(format!("{id}.{end}"))
    }

    fn thumb(&self, id: &str) -> PathBuf {
        self.folder.join("thumbs").join(format!("{id}.jpg"))
    }

    /// The bytes of the PNG that was made of a picture, or of a built-in one.
    pub fn bytes(&self, reference: &Reference) -> Option<Vec<u8>> {
        match reference {
            Reference::BuiltIn(name) => Some(impasto::examples::find(name)?.bytes.to_vec()),
            Reference::Sent(id) => std::fs::read(self.file(id, "png")).ok(),
        }
    }

    /// A picture as jobs take it, under its name.
    pub fn source(&self, reference: &Reference, name: &str) -> Option<Source> {
        match reference {
            Reference::BuiltIn(name) => Some(Source::BuiltIn((*name).into())),
            Reference::Sent(_) => Some(Source::Bytes {
                name: name.into(),
                bytes: self.bytes(reference)?.into(),
            }),
        }
    }

    /// The JPEG of a picture that is shown small.
    pub fn thumbnail(&self, reference: &Reference) -> Option<Vec<u8>> {
        match reference {
            Reference::BuiltIn(name) => Some(impasto::examples::find(name)?.bytes.to_vec()),
            Reference::Sent(id) => match std::fs::read(self.thumb(id)) {
                Ok(bytes) => Some(bytes),
                Err(_) => jpeg(&*self.small(reference)?).ok(),
            },
        }
    }

    /// A picture at the size in which it is painted at once.
    pub fn small(&self, reference: &Reference) -> Option<Arc<Picture>> {
        let key = match reference {
            Reference::BuiltIn(name) => format!("@{name}"),
            Reference::Sent(id) => id.clone(),
        };
        if let Some((_, found)) = self.kept().iter().find(|(other, _)| *other == key) {
            return Some(found.clone());
        }
        let picture = Picture::decode(&self.bytes(reference)?, &key, &LIMITS).ok()?;
        Some(self.remember(&key, &picture))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, VecDeque<(String, Arc<Picture>)>> {
        self.small.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, key: &str, picture: &Picture) -> Arc<Picture> {
        let small = Arc::new(reduced(picture, SMALL));
        let mut kept = self.kept();
        kept.push_back((key.into(), small.clone()));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        small
    }
}

/// A picture of at most this long side.
pub fn reduced(picture: &Picture, long_side: usize) -> Picture {
    let (width, height) = (picture.width(), picture.height());
    if width.max(height) <= long_side {
        return picture.clone();
    }
    let (width, height) = fit_long_side(width, height, long_side);
    picture.resized(width, height, Filter::Bicubic)
}

/// A JPEG to look at.
///
/// # Errors
/// If it cannot be encoded.
pub fn jpeg(picture: &Picture) -> Result<Vec<u8>, crate::Error> {
    let options = SaveOptions {
        quality: 88,
        ..SaveOptions::default()
    };
    Ok(picture.encode(Format::Jpeg, &options)?)
}

/// A name as people may read it: without folders, without what cannot be seen or turns lines around, not too long.
pub fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown = |letter: &char| {
        let turns = matches!(*letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        !letter.is_control() && !turns
    };
    let name: String = last.chars().filter(shown).take(NAME).collect();
    match name.trim() {
        "" => "picture".into(),
        name => name.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_an_id_or_a_built_in_name_is_a_picture() {
        assert_eq!(Reference::read("@lake"), Some(Reference::BuiltIn("lake")));
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(Reference::read(id), Some(Reference::Sent(id.into())));
        let long = "a".repeat(10_000);
        for other in [
            "",
            "@",
            "@nothing",
            "@../lake",
            "../../etc/passwd",
            "/etc/passwd",
            "file:///etc/passwd",
            "http://127.0.0.1/",
            "0123456789ABCDEF0123456789ABCDEF",
            "' OR 1=1 --",
            &long,
            "0123",
        ] {
            assert_eq!(Reference::read(other), None, "{other}");
        }
    }

    #[test]
    fn names_are_shown_and_do_nothing() {
        for (given, shown) in [
            ("../../x.png", "x.png"),
            ("C:\\a\\b.png", "b.png"),
            ("/etc/passwd", "passwd"),
            ("a\0b\n.png", "ab.png"),
            ("\u{202e}gnp.exe", "gnp.exe"),
            ("CON.png", "CON.png"),
            ("<img onerror=x>.png", "<img onerror=x>.png"),
            ("", "picture"),
            ("..../", "picture"),
        ] {
            assert_eq!(clean(given), shown);
        }
        assert_eq!(clean(&"ü".repeat(4096)).chars().count(), NAME);
    }
}
