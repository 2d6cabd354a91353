//! What an encoder expects of the image, and what a recipe may change about it.

use impasto_compute::{InputNorm, Padding, Pool, PoolKind};
use serde::{Deserialize, Serialize};

/// What an encoder expects of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preprocessing {
    /// RGB in 0..1 minus (.485, .456, .406), over (.229, .224, .225): torchvision's weights.
    Torch,
    /// BGR in 0..255 minus (103.939, 116.779, 123.68): the original Oxford weights, Caffe and Keras.
    Caffe,
    /// RGB in 0..1 minus .45, over .225: the embedded encoder.
    Plain,
}

impl Preprocessing {
    /// Mean and scale of `(x − mean)·scale` for red, green, blue in 0..1, and whether the first convolution's
    /// input channels are stored as blue, green, red.
    pub(super) fn constants(self) -> (InputNorm, bool) {
        let (mean, scale, bgr) = match self {
            Preprocessing::Torch => (
                [0.485, 0.456, 0.406],
                [1.0 / 0.229, 1.0 / 0.224, 1.0 / 0.225],
                false,
            ),
            Preprocessing::Caffe => (
                [123.68 / 255.0, 116.779 / 255.0, 103.939 / 255.0],
                [255.0; 3],
                true,
            ),
            Preprocessing::Plain => ([0.45; 3], [1.0 / 0.225; 3], false),
        };
        (InputNorm { mean, scale }, bgr)
    }

    /// The names by which they are chosen, and what they say to people.
    pub const ALL: [(&'static str, Preprocessing); 3] = [
        ("torch", Preprocessing::Torch),
        ("caffe", Preprocessing::Caffe),
        ("plain", Preprocessing::Plain),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find(|(_, other)| *other == self)
            .map_or("", |(name, _)| name)
    }
}

/// What a recipe may change about an encoder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EncoderOptions {
    /// How each pool makes one value of four.
    pub pooling: PoolKind,
    /// Leaves average and L2 pooling as they are. Otherwise their results are multiplied by 2 and .78, which keeps
    /// the mean activation of max pooling (crowsonkb/style-transfer-pytorch).
    pub plain_pooling: bool,
    /// Rescales the weights so that every filter's mean activation over the pictures of the run is 1, which changes no
    /// picture of what a layer sees but its scale (Gatys et al. 2016, section 2, over the pictures of ImageNet).
    pub unit_activations: bool,
    /// What the first convolution sees beyond the border. The others see zeros, as they were trained to.
    pub padding: Padding,
}

impl EncoderOptions {
    pub(super) fn pool(&self) -> Pool {
        let factor = match self.pooling {
            _ if self.plain_pooling => 1.0,
            PoolKind::Max => 1.0,
            PoolKind::Average => 2.0,
            PoolKind::L2 => 0.78,
        };
        Pool {
            kind: self.pooling,
            factor,
        }
    }
}
