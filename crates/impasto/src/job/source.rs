//! Pictures by name: a file, or a built-in picture such as `@swirls`.

use super::output::short;
use crate::picture::{Format, Limits, PictureError, SaveOptions};
use crate::{Picture, Result, examples};
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How the names of pictures end, for those in a folder: what is read, and what is not and is to be told of.
const EXTENSIONS: [&str; 20] = [
    "jpg", "jpeg", "jpe", "jfif", "png", "webp", "tif", "tiff", "bmp", "gif", "pbm", "pgm", "ppm",
    "pnm", "pam", "qoi", "heic", "heif", "avif", "jxl",
];

/// A style whose weight is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the weight of style {style} is {weight}: must be a number greater than 0")]
pub struct BadWeight {
    /// The style.
    pub style: String,
    /// Its weight.
    pub weight: String,
}

/// Where a picture comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// A picture that is part of the program, without its `@`.
    BuiltIn(String),
    /// Bytes that the caller has read, such as those of the standard input.
    Bytes {
        /// What the picture is called, without folder and extension.
        name: String,
        /// The bytes of a file.
        bytes: Arc<[u8]>,
    },
    /// A picture that the caller has, of no file.
    Picture {
        /// What it is called, without folder and extension.
        name: String,
        /// The picture.
        picture: Arc<Picture>,
    },
}

impl Source {
    /// Reads a name. What begins with `@` is built in; a file of such a name is reached as `./@name`.
    pub fn new(name: &OsStr) -> Self {
        match name.to_str().and_then(|text| text.strip_prefix('@')) {
            Some(built_in) => Source::BuiltIn(built_in.into()),
            None => Source::File(name.into()),
        }
    }

    /// Reads `IMAGE[:WEIGHT]`.
    ///
    /// A file of exactly this name comes first, so a name may hold colons; what follows the last colon is a weight
    /// if it is a number, or if what is before it is a picture. So `C:\a.jpg` is a file.
    ///
    /// # Errors
    /// [`BadWeight`] for a weight that is no number greater than 0.
    pub fn weighted(text: &OsStr) -> std::result::Result<(Self, f32), BadWeight> {
        let whole = || Ok((Self::new(text), 1.0));
        let Some((image, weight)) = text.to_str().and_then(|text| text.rsplit_once(':')) else {
            return whole();
        };
        if Path::new(text).exists() {
            return whole();
        }
        let source = Self::new(image.as_ref());
        match weight.parse::<f32>() {
            Ok(weight) if weight.is_finite() && weight > 0.0 => Ok((source, weight)),
            Err(_) if !source.is_there() => whole(),
            _ => Err(BadWeight {
                style: image.into(),
                weight: weight.into(),
            }),
        }
    }

    fn is_there(&self) -> bool {
        match self {
            Source::File(path) => path.is_file(),
            Source::BuiltIn(_) | Source::Bytes { .. } | Source::Picture { .. } => true,
        }
    }

    /// The pictures of a folder, in the order of their names, if the source is one; else the source. What is hidden or has not
    /// the name of a picture is left out, and so are folders within.
    ///
    /// # Errors
    /// [`PictureError::Read`], [`PictureError::NoPictures`].
    pub fn pictures(self) -> Result<Vec<Self>> {
        let Source::File(folder) = &self else {
            return Ok(vec![self]);
        };
        if !folder.is_dir() {
            return Ok(vec![self]);
        }
        let failed = |source| PictureError::Read {
            path: folder.clone(),
            source,
        };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let extension = path.extension().unwrap_or_default().to_string_lossy();
            let hidden = path.file_name().unwrap_or_default();
            let hidden = hidden.as_encoded_bytes().starts_with(b".");
            let known = EXTENSIONS.contains(&extension.to_lowercase().as_str());
            if known && !hidden && !path.is_dir() {
                paths.push(path);
            }
        }
        paths.sort();
        match paths.is_empty() {
            true => Err(PictureError::NoPictures {
                path: folder.clone(),
            }
            .into()),
            false => Ok(paths.into_iter().map(Source::File).collect()),
        }
    }

    /// Decodes the picture.
    ///
    /// # Errors
    /// Those of [`examples::open`].
    pub fn open(&self) -> Result<Picture> {
        match self {
            Source::File(path) => Ok(Picture::open(path)?),
            Source::BuiltIn(_) => examples::open(self.name()),
            Source::Bytes { name, bytes } => Ok(Picture::decode(bytes, name, &Limits::default())?),
            Source::Picture { picture, .. } => Ok(picture.as_ref().clone()),
        }
    }

    /// The bytes of its file; of a picture of no file, those of a PNG.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        Ok(match self {
            Source::File(path) => {
                let read = std::fs::read(path).map_err(|source| PictureError::Read {
                    path: path.clone(),
                    source,
                });
                Cow::Owned(read?)
            }
            Source::BuiltIn(name) => {
                Cow::Borrowed(examples::find(name).map_or(&[][..], |e| e.bytes))
            }
            Source::Bytes { bytes, .. } => Cow::Borrowed(&bytes[..]),
            Source::Picture { picture, .. } => {
                Cow::Owned(picture.encode(Format::Png, &SaveOptions::default())?)
            }
        })
    }

    /// The SHA-256 of its bytes, in hexadecimal; of a picture of no file, that of its size and values.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn digest(&self) -> Result<String> {
        let Source::Picture { picture, .. } = self else {
            return Ok(sha256(&self.bytes()?));
        };
        let sides = [picture.width(), picture.height()].map(|side| (side as u64).to_le_bytes());
        let values = picture
            .rgb()
            .iter()
            .chain(picture.alpha().into_iter().flatten());
        let values = values.flat_map(|value| value.to_le_bytes());
        let all: Vec<u8> = sides.into_iter().flatten().chain(values).collect();
        Ok(sha256(&all))
    }

    /// Its name without folder and extension.
    pub fn stem(&self) -> String {
        match self {
            Source::File(path) => {
                let stem = path.file_stem().unwrap_or(path.as_os_str());
                stem.to_string_lossy().into_owned()
            }
            Source::BuiltIn(name) | Source::Bytes { name, .. } | Source::Picture { name, .. } => {
                name.clone()
            }
        }
    }

    /// As much of [`Source::stem`] as goes into the name of a result.
    pub fn short_stem(&self) -> String {
        short(&self.stem())
    }

    /// Its name without folder.
    pub fn name(&self) -> String {
        match self {
            Source::File(path) => {
                let name = path.file_name().unwrap_or(path.as_os_str());
                name.to_string_lossy().into_owned()
            }
            Source::BuiltIn(name) => format!("@{name}"),
            Source::Bytes { name, .. } | Source::Picture { name, .. } => name.clone(),
        }
    }

    /// Its name as it was given.
    pub fn full_name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::BuiltIn(_) | Source::Bytes { .. } | Source::Picture { .. } => self.name(),
        }
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Source::File(path) => Some(path),
            Source::BuiltIn(_) | Source::Bytes { .. } | Source::Picture { .. } => None,
        }
    }
}

/// The SHA-256 of bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weighted(text: &str) -> std::result::Result<(Source, f32), String> {
        Source::weighted(text.as_ref()).map_err(|problem| problem.to_string())
    }

    fn file(path: impl Into<PathBuf>) -> Source {
        Source::File(path.into())
    }

    #[test]
    fn a_weight_follows_the_last_colon() {
        assert_eq!(weighted("a.jpg"), Ok((file("a.jpg"), 1.0)));
        assert_eq!(weighted("a.jpg:0.5"), Ok((file("a.jpg"), 0.5)));
        assert_eq!(weighted("a:b.jpg:2"), Ok((file("a:b.jpg"), 2.0)));
        assert_eq!(
            weighted("@waves:3"),
            Ok((Source::BuiltIn("waves".into()), 3.0))
        );
    }

    #[test]
    fn colons_that_no_weight_follows_belong_to_the_name() {
        for text in [r"C:\pictures\a.jpg", "C:/a.jpg", "12:30 noon.png"] {
            assert_eq!(weighted(text), Ok((file(text), 1.0)), "{text}");
        }
        assert_eq!(
            weighted(r"C:\a.jpg:0.25"),
            Ok((file(r"C:\a.jpg"), 0.25)),
            "a drive and a weight"
        );
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_the_whole_name_comes_first() {
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join("noon:12");
        std::fs::write(&path, "").unwrap();
        assert_eq!(weighted(path.to_str().unwrap()), Ok((file(path), 1.0)));
    }

    #[test]
    fn a_folder_is_its_pictures_in_the_order_of_their_names() {
        let folder = impasto_testing::Folder::new();
        let path = |name: &str| folder.path().join(name);
        for name in ["b.JPG", "a.png", ".hidden.png", "notes.txt", "c.heic"] {
            std::fs::write(path(name), "").unwrap();
        }
        std::fs::create_dir(path("d.png")).unwrap();
        let found = file(folder.path()).pictures().unwrap();
        let names: Vec<_> = found.iter().map(Source::name).collect();
        assert_eq!(names, ["a.png", "b.JPG", "c.heic"]);
        let none = file(path("d.png")).pictures().unwrap_err().to_string();
        assert!(none.contains("folder without a picture"), "{none}");
        assert_eq!(
            file(path("b.JPG")).pictures().unwrap(),
            [file(path("b.JPG"))]
        );
    }

    #[test]
    fn weights_that_cannot_be_are_refused() {
        for weight in ["0", "-1", "nan", "inf"] {
            let problem = weighted(&format!("@lake:{weight}")).unwrap_err();
            assert!(
                problem.contains("@lake") && problem.contains(weight),
                "{problem}"
            );
        }
        let folder = impasto_testing::Folder::new();
        let path = folder.path().join("a.jpg");
        std::fs::write(&path, "").unwrap();
        let problem = weighted(&format!("{}:much", path.display())).unwrap_err();
        assert!(problem.contains("much"), "{problem}");
    }
}
