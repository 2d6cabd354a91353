//! Where encoders come from: the program itself, a store of models, a file of weights.

use super::{Encoder, EncoderError, Preprocessing};
use impasto_weights::{Checkpoint, Limits, Store, WeightsError, WeightsFile};
use std::path::Path;

/// The encoder that is part of the program.
const LITE: &[u8] = include_bytes!("../../models/lite.safetensors");

/// The encoder that is used unless another is named, once its weights are installed.
pub(crate) const DEFAULT: &str = "vgg19";

impl Encoder {
    /// The compact encoder that is part of the program: a small network that predicts VGG-19's features.
    ///
    /// # Errors
    /// None that a released program can meet; the type is shared with [`Encoder::open`].
    pub fn lite() -> Result<Self, EncoderError> {
        let checkpoint = Checkpoint::read(LITE, "the embedded encoder", &Limits::default())?;
        Self::from_checkpoint("lite", checkpoint, None)
    }

    /// The encoder of a name or file: `lite`, an installed one such as `vgg19`, or the path of a file of weights.
    /// `None` is the default: `vgg19` if its weights are installed, else `lite`. Installed ones are looked for in
    /// the usual folder of models.
    ///
    /// # Errors
    /// [`EncoderError`].
    pub fn find(name: Option<&str>) -> Result<Self, EncoderError> {
        Self::find_in(name, Store::locate(None).ok().as_ref())
    }

    /// Like [`Encoder::find`], with the models of a store.
    ///
    /// # Errors
    /// [`EncoderError`].
    pub fn find_in(name: Option<&str>, store: Option<&Store>) -> Result<Self, EncoderError> {
        let installed = |name: &str| store.and_then(|store| store.find(name));
        match name {
            None => match installed(DEFAULT) {
                Some(path) => Self::open_as(DEFAULT, &path, None),
                None => Self::lite(),
            },
            Some("lite") => Self::lite(),
            Some(name) if Path::new(name).is_file() => Self::open(Path::new(name), None),
            Some(name) => match installed(name) {
                Some(path) => Self::open_as(name, &path, None),
                None => Err(Self::not_found(name, store)),
            },
        }
    }

    /// Why there is no encoder of a name.
    fn not_found(name: &str, store: Option<&Store>) -> EncoderError {
        if impasto_weights::model(name).is_some() {
            return match store.map(|store| store.describe(name)) {
                Some(Err(error)) => error.into(),
                _ => WeightsError::NoFolder.into(),
            };
        }
        let mut known = vec!["lite".to_string()];
        known.extend(
            impasto_weights::models()
                .iter()
                .map(|model| model.name.into()),
        );
        let installed = store
            .and_then(|store| store.list().ok())
            .unwrap_or_default();
        for (name, _) in installed {
            if !known.contains(&name) {
                known.push(name);
            }
        }
        EncoderError::Unknown {
            name: name.into(),
            known: known.join(", "),
        }
    }

    /// Reads an encoder from a file of weights. The preprocessing is told from the file's metadata or the names of
    /// its tensors, unless it is given.
    ///
    /// # Errors
    /// [`EncoderError::Weights`], [`EncoderError::NotAnEncoder`].
    pub fn open(path: &Path, preprocessing: Option<Preprocessing>) -> Result<Self, EncoderError> {
        Self::open_as(&path.display().to_string(), path, preprocessing)
    }

    fn open_as(
        name: &str,
        path: &Path,
        preprocessing: Option<Preprocessing>,
    ) -> Result<Self, EncoderError> {
        let file = WeightsFile::open(path, &Limits::default())?;
        if let Some(doubt) = file.doubt() {
            log::warn!("{}: {doubt}", path.display());
        }
        Self::from_checkpoint(name, file.read_vgg()?, preprocessing)
    }
}
