//! The example pictures that come with the library: paintings to borrow a style from and scenes to try it on.
//!
//! All of them were painted by the project's own code, so they are free of anybody else's rights. Where a picture
//! is asked for, `@swirls` names one of them; a file whose name begins with `@` is reached as `./@name`.

use crate::picture::{Limits, Picture};
use crate::text::letters_to_change;
use crate::{Error, Result};
use std::path::Path;

/// What a picture is meant for. Nothing keeps anybody from using it for the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A painting whose manner is to be borrowed.
    Style,
    /// A scene to be painted.
    Content,
}

/// A picture that is part of the library.
#[derive(Clone, Copy)]
pub struct Example {
    /// Its name, without the `@`.
    pub name: &'static str,
    /// What it is meant for.
    pub kind: Kind,
    /// What it shows, in a few words.
    pub about: &'static str,
    /// The JPEG file.
    pub bytes: &'static [u8],
}

/// A row of the table; the file lies where kind and name say.
macro_rules! example {
    ($kind:ident, $folder:literal, $name:literal, $about:literal) => {
        Example {
            name: $name,
            kind: Kind::$kind,
            about: $about,
            bytes: include_bytes!(concat!("../pictures/", $folder, "/", $name, ".jpg")),
        }
    };
}

#[rustfmt::skip]
const EXAMPLES: &[Example] = &[
    example!(Style, "styles", "swirls", "a night sky in thick, curling strokes of oil"),
    example!(Style, "styles", "waves", "a great wave, printed from wood blocks"),
    example!(Style, "styles", "glass", "a sun over tulips in stained glass"),
    example!(Style, "styles", "geometry", "an abstract of rings, bars and checks"),
    example!(Style, "styles", "dots", "a sunlit river bank in pure dots of colour"),
    example!(Style, "styles", "ink", "mountains and bamboo in ink wash on old paper"),
    example!(Style, "styles", "oils", "autumn birches laid on with a palette knife"),
    example!(Content, "contents", "lake", "a landing stage on a mountain lake"),
    example!(Content, "contents", "city", "towers and lights by a river at dusk"),
    example!(Content, "contents", "still-life", "a jug and a bowl of fruit in window light"),
];

/// Every example picture: the styles, then the contents.
pub fn all() -> &'static [Example] {
    EXAMPLES
}

/// The example picture of a name, with or without the `@`.
pub fn find(name: &str) -> Option<&'static Example> {
    let name = name.strip_prefix('@').unwrap_or(name);
    EXAMPLES.iter().find(|example| example.name == name)
}

/// Reads a picture: an example if the name begins with `@`, else a file.
///
/// # Errors
/// [`Error::NoSuchExample`], which lists those that there are, the likeliest first; the errors of
/// [`Picture::open`].
pub fn open(path: impl AsRef<Path>) -> Result<Picture> {
    let path = path.as_ref();
    let Some(name) = path.to_str().and_then(|name| name.strip_prefix('@')) else {
        return Ok(Picture::open(path)?);
    };
    match find(name) {
        Some(example) => example.picture(),
        None => Err(Error::NoSuchExample {
            name: name.into(),
            known: nearest_first(name),
        }),
    }
}

impl Example {
    /// Decodes the picture.
    ///
    /// # Errors
    /// None of a library as it was built; those of [`Picture::decode`] for bytes that were changed.
    pub fn picture(&self) -> Result<Picture> {
        Ok(Picture::decode(self.bytes, self.name, &Limits::default())?)
    }
}

impl std::fmt::Debug for Example {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "@{} ({})", self.name, self.about)
    }
}

/// `@waves, @glass, …`, those first that need the fewest letters changed to be `name`.
fn nearest_first(name: &str) -> String {
    let mut known: Vec<_> = EXAMPLES.iter().map(|example| example.name).collect();
    known.sort_by_key(|known| letters_to_change(known, name));
    format!("@{}", known.join(", @"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::PictureError;
    use std::collections::BTreeSet;

    #[test]
    fn the_table_holds_every_file_of_the_two_folders_and_nothing_else() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("pictures");
        let mut files = BTreeSet::new();
        for (kind, folder) in [("Style", "styles"), ("Content", "contents")] {
            for entry in root.join(folder).read_dir().into_iter().flatten().flatten() {
                let bytes = std::fs::read(entry.path()).unwrap();
                let name = entry.file_name().into_string().unwrap();
                if name.ends_with(".md") {
                    continue;
                }
                files.insert((kind.to_string(), name, bytes));
            }
        }
        let table = all().iter().map(|example| {
            let file = format!("{}.jpg", example.name);
            (format!("{:?}", example.kind), file, example.bytes.to_vec())
        });
        let table: BTreeSet<_> = table.collect();
        let names = |set: &BTreeSet<(String, String, Vec<u8>)>| -> Vec<String> {
            let names = set.iter().map(|(kind, name, _)| format!("{kind} {name}"));
            names.collect()
        };
        assert_eq!(names(&table), names(&files));
        assert_eq!(table.len(), all().len(), "a name twice");
        assert!(table == files, "a file was changed since the build");
    }

    #[test]
    fn every_example_can_be_opened_by_its_name() {
        for example in all() {
            let picture = open(format!("@{}", example.name)).unwrap();
            assert!(
                picture.width().min(picture.height()) >= 300,
                "{example:?} is too small to show a style"
            );
            assert!(!example.about.is_empty());
            assert_eq!(
                find(example.name).map(|found| found.name),
                Some(example.name)
            );
        }
    }

    #[test]
    fn a_misspelt_name_is_answered_with_the_likeliest_first() {
        let error = open("@swirl").unwrap_err().to_string();
        assert!(error.contains("no example picture @swirl;"), "{error}");
        assert!(error.contains("there are @swirls, "), "{error}");
        let error = open("@wave").unwrap_err().to_string();
        assert!(error.contains("there are @waves, "), "{error}");
        for example in all() {
            assert!(error.contains(example.name), "{error}");
        }
    }

    #[test]
    fn a_name_without_the_sign_is_a_file() {
        let error = open("swirls").unwrap_err();
        assert!(matches!(
            error,
            Error::Picture(PictureError::Missing { .. })
        ));
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join("@swirls");
        std::fs::write(&path, all()[0].bytes).unwrap();
        assert_eq!(open(path).unwrap(), all()[0].picture().unwrap());
    }
}
