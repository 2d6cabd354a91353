//! A learned network as a file: tensors under the names of Magenta's image stylization, which everything that reads such
//! networks can read, and what it was made of.

use super::{Lesson, StyleLearner};
use crate::nets::{NetError, TransformerSpec};
use crate::picture::{Filter, Format, Picture, SaveOptions, fit_long_side};
use crate::report::base64;
use crate::{Error, Result};
use impasto_weights::{Checkpoint, Precision, write_safetensors};
use std::path::Path;

/// Long side of the thumbnail of the painting.
const THUMBNAIL: usize = 96;

/// A network that was learned, and what a file says of it.
#[derive(Clone, Debug)]
pub struct LearnedStyle {
    /// The network.
    pub network: TransformerSpec,
    /// What the painting is called.
    pub style: String,
    /// The painting, small.
    pub thumbnail: Picture,
    /// How it was learned.
    pub lesson: Lesson,
    /// Steps that were taken of it.
    pub steps: usize,
    /// Under which licence it is given away; empty if that is not said.
    pub licence: String,
}

/// Whether a network is of the kind that is learned and written here.
pub(super) fn is_learnable(network: &TransformerSpec) -> bool {
    let one = network.only(0);
    one.is_ok_and(|network| network.tensors().is_some())
}

impl StyleLearner {
    /// What was learned so far.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn learned(&mut self, licence: &str) -> Result<LearnedStyle> {
        let network = self.network()?;
        let style = self.style();
        let painting = style.picture.visible();
        let side = THUMBNAIL.min(painting.width().max(painting.height()));
        let (width, height) = fit_long_side(painting.width(), painting.height(), side);
        Ok(LearnedStyle {
            network,
            style: style.name.clone(),
            thumbnail: painting.resized(width, height, Filter::Bicubic),
            lesson: self.lesson().clone(),
            steps: self.steps_taken(),
            licence: licence.into(),
        })
    }
}

impl LearnedStyle {
    /// Writes a safetensors file, complete or not at all.
    ///
    /// # Errors
    /// [`Error::Net`] if it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let tensors = self.network.tensors().unwrap_or_default();
        let mut checkpoint = Checkpoint {
            tensors,
            ..Checkpoint::default()
        };
        let thumbnail = self
            .thumbnail
            .encode(Format::Png, &SaveOptions::default())?;
        let thumbnail = format!("data:image/png;base64,{}", base64(&thumbnail));
        let lesson = serde_json::to_string(&self.lesson).unwrap_or_default();
        for (key, value) in [
            ("format", "impasto style".to_string()),
            (
                "program",
                concat!("impasto ", env!("CARGO_PKG_VERSION")).to_string(),
            ),
            ("network", self.network.outline()),
            ("style", self.style.clone()),
            ("thumbnail", thumbnail),
            ("lesson", lesson),
            ("steps", self.steps.to_string()),
            ("licence", self.licence.clone()),
        ] {
            checkpoint.metadata.insert(key.into(), value);
        }
        write_safetensors(path, &checkpoint, Precision::F32)
            .map_err(NetError::from)
            .map_err(Error::from)
    }
}
