//! The folder of installed weights: one canonical safetensors file per model, which says itself where it comes
//! from, what it expects, under which licence it is, and what it must hash to.
//!
//! The folder is the one that is given, else `IMPASTO_MODELS`, else `impasto/models` in the platform's data folder
//! (`~/.local/share`, `~/Library/Application Support`, `%LOCALAPPDATA%`). Nothing here uses the network.

use crate::hash::Hashes;
use crate::registry::{self, Model, Origin};
use crate::save::{Precision, SHA256, write_safetensors};
use crate::vgg::Place;
use crate::{Limits, Result, WeightsError, WeightsFile};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Keys of an installed file's metadata, beside `architecture` and `preprocessing`.
mod key {
    pub(super) const NAME: &str = "name";
    pub(super) const ORIGIN: &str = "origin";
    pub(super) const ORIGIN_SHA256: &str = "origin_sha256";
    pub(super) const LICENCE: &str = "licence";
    pub(super) const ATTRIBUTION: &str = "attribution";
    pub(super) const VERIFIED: &str = "verified";
}

/// The folder of installed weights.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    folder: PathBuf,
}

/// An installed model, as its file describes itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Its name.
    pub name: String,
    /// Its file.
    pub path: PathBuf,
    /// Bytes on disk.
    pub bytes: u64,
    /// Number of weights and biases.
    pub parameters: u64,
    /// `vgg19`, `vgg16`, or `vgg` for other numbers or widths of layers.
    pub architecture: String,
    /// What it expects of a picture.
    pub preprocessing: String,
    /// How its values are kept: `f32` or `f16`, or what a file has that was put there by hand.
    pub dtype: String,
    /// Its deepest convolution, as `conv5_4`.
    pub last: String,
    /// Where it comes from: an address or a file's name.
    pub origin: Option<String>,
    /// The SHA-256 of the file that it was made of.
    pub origin_sha256: Option<String>,
    /// Under which licence it was published, if it is a known model.
    pub licence: Option<String>,
    /// Whom to name, if it is a known model.
    pub attribution: Option<String>,
    /// By what the origin was checked, if anything is stated in public.
    pub verified: Option<String>,
}

/// An installed model whose file was read to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The model.
    pub installed: Installed,
    /// It carries a hash of its own, and has it still. A file that was put there by hand may carry none.
    pub compared: bool,
}

/// How a file is imported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Import {
    /// The name under which it is installed; `None` takes that of the known model, else the file's.
    pub name: Option<String>,
    /// What it expects of a picture, where the file's names of tensors tell it wrong.
    pub preprocessing: Option<String>,
    /// How its values are kept.
    pub precision: Precision,
    /// The deepest convolution to keep, as (block, place): (5, 1) is conv5_1.
    pub last: Option<Place>,
    /// Whether it may take the place of one that is installed.
    pub replace: bool,
}

/// Where an imported file comes from, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Provenance {
    pub(crate) model: Option<&'static Model>,
    pub(crate) origin: String,
    pub(crate) sha256: Option<String>,
    pub(crate) verified: Option<String>,
}

/// The least and most that a name may have, without what a file system could stumble over.
fn check_name(name: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c);
    let stem = name.split('.').next().unwrap_or_default();
    // Names of devices in Windows, whatever follows a dot.
    let device = ["con", "prn", "aux", "nul"].contains(&stem)
        || (stem.len() == 4 && (stem.starts_with("com") || stem.starts_with("lpt")));
    let starts = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if starts && name.len() <= 64 && name.chars().all(plain) && !device && name != "lite" {
        return Ok(());
    }
    Err(WeightsError::BadName { name: name.into() })
}

impl Store {
    /// The store in a folder, which need not exist yet.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// The store in `folder`, or the usual one.
    ///
    /// # Errors
    /// [`WeightsError::NoFolder`] if none is given and the platform has no data folder.
    pub fn locate(folder: Option<&Path>) -> Result<Self> {
        let usual = || match std::env::var_os("IMPASTO_MODELS") {
            Some(folder) if !folder.is_empty() => Some(PathBuf::from(folder)),
            _ => Some(dirs::data_local_dir()?.join("impasto").join("models")),
        };
        folder
            .map(Path::to_path_buf)
            .or_else(usual)
            .map(Self::at)
            .ok_or(WeightsError::NoFolder)
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the file of a name belongs.
    ///
    /// # Errors
    /// [`WeightsError::BadName`].
    pub fn path(&self, name: &str) -> Result<PathBuf> {
        check_name(name)?;
        Ok(self.folder.join(format!("{name}.safetensors")))
    }

    /// The file of an installed model.
    pub fn find(&self, name: &str) -> Option<PathBuf> {
        self.path(name).ok().filter(|path| path.is_file())
    }

    /// What is installed, by name. Only headers are read.
    ///
    /// # Errors
    /// [`WeightsError::Io`] if the folder cannot be read; a file that cannot be read is an entry with its error.
    pub fn list(&self) -> Result<Vec<(String, Result<Installed>)>> {
        let io = |error| WeightsError::Io {
            path: self.folder.clone(),
            error,
        };
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
            entries => entries.map_err(io)?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let file = entry.map_err(io)?.file_name();
            let name = file
                .to_str()
                .and_then(|name| name.strip_suffix(".safetensors"));
            names.extend(
                name.filter(|name| check_name(name).is_ok())
                    .map(String::from),
            );
        }
        names.sort();
        let described = names.into_iter().map(|name| {
            let installed = self.describe(&name);
            (name, installed)
        });
        Ok(described.collect())
    }

    /// What an installed file says of itself. Only its header is read.
    ///
    /// # Errors
    /// [`WeightsError::NotInstalled`], and all errors of reading.
    pub fn describe(&self, name: &str) -> Result<Installed> {
        let path = self.installed_path(name)?;
        let file = WeightsFile::open(&path, &Limits::default())?;
        let vgg = file.find_vgg()?;
        let metadata = vgg.describe(file.metadata().clone());
        let text = |key: &str| metadata.get(key).cloned();
        let counts = file
            .tensors()
            .map(|tensor| tensor.shape.iter().product::<usize>() as u64);
        let parameters = counts.sum();
        let first = vgg.sources().next();
        let dtype = file.tensors().find(|tensor| Some(tensor.name) == first);
        Ok(Installed {
            name: name.into(),
            bytes: length(&path)?,
            parameters,
            architecture: text("architecture").unwrap_or_default(),
            preprocessing: text("preprocessing").unwrap_or_default(),
            dtype: dtype.map(|tensor| tensor.dtype.into()).unwrap_or_default(),
            last: vgg.last(),
            origin: text(key::ORIGIN),
            origin_sha256: text(key::ORIGIN_SHA256),
            licence: text(key::LICENCE),
            attribution: text(key::ATTRIBUTION),
            verified: text(key::VERIFIED),
            path,
        })
    }

    fn installed_path(&self, name: &str) -> Result<PathBuf> {
        let path = self.path(name)?;
        if path.is_file() {
            return Ok(path);
        }
        Err(WeightsError::NotInstalled {
            name: name.into(),
            expected: path,
        })
    }

    /// Reads an installed file whole and compares it with the hash that it carries.
    ///
    /// # Errors
    /// [`WeightsError::Changed`], [`WeightsError::NotInstalled`], and all errors of reading.
    pub fn verify(&self, name: &str) -> Result<Verified> {
        let installed = self.describe(name)?;
        let path = &installed.path;
        let weights = WeightsFile::open(path, &Limits::default())?;
        weights.read_vgg()?;
        let io = |error| WeightsError::Io {
            path: path.clone(),
            error,
        };
        let mut file = File::open(path).map_err(io)?;
        let mut length = [0; 8];
        file.read_exact(&mut length).map_err(io)?;
        let header = u64::from_le_bytes(length);
        io::copy(&mut (&mut file).take(header), &mut io::sink()).map_err(io)?;
        let found = Hashes::of(file).map_err(io)?.sha256;
        match weights.metadata().get(SHA256) {
            Some(stated) if *stated != found => Err(WeightsError::Changed {
                path: path.clone(),
                expected: stated.clone(),
                found,
            }),
            stated => Ok(Verified {
                installed,
                compared: stated.is_some(),
            }),
        }
    }

    /// Removes an installed model, and what is left of an unfinished download of it.
    ///
    /// # Errors
    /// [`WeightsError::NotInstalled`], [`WeightsError::Write`].
    pub fn remove(&self, name: &str) -> Result<()> {
        let mut removed = false;
        let installed = self.path(name)?;
        for path in [installed, self.part(name), self.journal(name)] {
            match fs::remove_file(&path) {
                Ok(()) => removed = true,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(WeightsError::Write { path, error }),
            }
        }
        match removed {
            true => Ok(()),
            false => self.installed_path(name).map(drop),
        }
    }

    /// Bytes of an unfinished download of a model.
    pub fn unfinished(&self, name: &str) -> Option<u64> {
        check_name(name).ok()?;
        let bytes = length(&self.part(name)).ok()?;
        (bytes > 0).then_some(bytes)
    }

    /// Where an unfinished download lies.
    pub(crate) fn part(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.part"))
    }

    /// What is known of an unfinished download.
    pub(crate) fn journal(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.part.json"))
    }

    /// Installs a file of any known format. A file that a publisher's hash or name identifies gets the name,
    /// preprocessing and licence of that model; those that are given go before. [`Installed::verified`] says whether
    /// it was the hash.
    ///
    /// # Errors
    /// [`WeightsError::Exists`], [`WeightsError::BadName`], [`WeightsError::OtherNetwork`], and all errors of reading
    /// and writing.
    pub fn import(&self, file: &Path, import: &Import) -> Result<Installed> {
        self.import_known(file, import, None)
    }

    /// Like [`Store::import`], of a file that is said to be a known model.
    pub(crate) fn import_known(
        &self,
        file: &Path,
        import: &Import,
        model: Option<&'static Model>,
    ) -> Result<Installed> {
        let io = |error| WeightsError::Io {
            path: file.into(),
            error,
        };
        if let Some(name) = &import.name {
            self.check_free(name, import)?;
        }
        let hashes = Hashes::of(File::open(file).map_err(io)?).map_err(io)?;
        let weights = WeightsFile::open(file, &Limits::default())?;
        let vgg = weights.find_vgg()?;
        let mut provenance = identify(file, hashes);
        // A name alone does not make it that model.
        let fits = |model: &&Model| vgg.is(model.architecture);
        provenance.model = model.or(provenance.model.filter(fits));
        let name = match (&import.name, provenance.model) {
            (Some(name), _) => name.clone(),
            (None, Some(model)) => model.name.into(),
            (None, None) => name_of(file)?,
        };
        self.install(&weights, &name, import, provenance)
    }

    pub(crate) fn check_free(&self, name: &str, import: &Import) -> Result<()> {
        let path = self.path(name)?;
        match path.exists() && !import.replace {
            true => Err(WeightsError::Exists {
                path,
                name: name.into(),
            }),
            false => Ok(()),
        }
    }

    /// Writes the VGG of an open file as the model `name`.
    pub(crate) fn install(
        &self,
        file: &WeightsFile<'_>,
        name: &str,
        import: &Import,
        provenance: Provenance,
    ) -> Result<Installed> {
        self.check_free(name, import)?;
        let mut vgg = file.find_vgg()?;
        if let Some(last) = import.last {
            vgg.stop_after(last)
                .map_err(|problem| WeightsError::NotVgg {
                    file: file.name().into(),
                    problem,
                })?;
        }
        let model = provenance.model;
        // Whoever asks for a model by its name must get that network.
        for model in model.into_iter().chain(registry::model(name)) {
            if !vgg.is(model.architecture) {
                return Err(WeightsError::OtherNetwork {
                    file: file.name().into(),
                    found: vgg.title(),
                    name: model.name.into(),
                    expected: model.architecture.into(),
                });
            }
        }
        let mut checkpoint = file.take_vgg(&vgg)?;
        let metadata = &mut checkpoint.metadata;
        metadata.remove(SHA256);
        let stated = [
            (key::NAME, Some(name.to_string())),
            (key::ORIGIN, Some(provenance.origin)),
            (key::ORIGIN_SHA256, provenance.sha256),
            (key::VERIFIED, provenance.verified),
            (key::LICENCE, model.map(|model| model.licence.into())),
            (
                key::ATTRIBUTION,
                model.map(|model| model.attribution.into()),
            ),
            ("architecture", model.map(|model| model.architecture.into())),
            (
                "preprocessing",
                import
                    .preprocessing
                    .clone()
                    .or_else(|| model.map(|model| model.preprocessing.into())),
            ),
        ];
        for (key, value) in stated {
            if let Some(value) = value {
                metadata.insert(key.into(), value);
            }
        }
        let path = self.path(name)?;
        self.create_folder()?;
        write_safetensors(&path, &checkpoint, import.precision)?;
        self.describe(name)
    }

    pub(crate) fn create_folder(&self) -> Result<()> {
        fs::create_dir_all(&self.folder).map_err(|error| WeightsError::Write {
            path: self.folder.clone(),
            error,
        })
    }
}

fn length(path: &Path) -> Result<u64> {
    let metadata = fs::metadata(path).map_err(|error| WeightsError::Io {
        path: path.into(),
        error,
    })?;
    Ok(metadata.len())
}

/// A model's name from a file's.
fn name_of(file: &Path) -> Result<String> {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let name: String = stem
        .to_ascii_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect();
    check_name(&name).map(|()| name)
}

/// Which known file this is: by its hash, else by its name.
fn identify(file: &Path, hashes: Hashes) -> Provenance {
    let all = || {
        let models = registry::models().iter();
        models.flat_map(|model| model.origins.iter().map(move |origin| (model, origin)))
    };
    let by_hash = |(_, origin): &(&Model, &Origin)| {
        origin
            .checksum
            .is_some_and(|checksum| checksum.fits(&hashes))
    };
    let file_name = file.file_name().unwrap_or_default();
    // One name says too little.
    let by_name = |(_, origin): &(&Model, &Origin)| {
        file_name == origin.file_name() && file_name != "model.safetensors"
    };
    let hashed = all().find(by_hash);
    let found = hashed.or_else(|| all().find(by_name));
    Provenance {
        model: found.map(|(model, _)| model),
        origin: file_name.to_string_lossy().into_owned(),
        verified: hashed
            .and_then(|(_, origin)| origin.checksum)
            .map(|checksum| checksum.to_string()),
        sha256: Some(hashes.sha256),
    }
}
