//! How large the activations of known networks are, layer by layer.
//!
//! A recipe's weights are numbers beside losses of one network's size. From the sizes of two networks follows what a weight
//! made for one of them is on the other.
//!
//! ```text
//! content    variance of all entries of F, on photos
//! gram       mean square of the entries of F·Fᵀ/n, on paintings
//! variance   tr Σ/c, on paintings
//! ```
//!
//! Geometric means over 4 photos and 6 paintings at 256 px, with zeros beyond the border. Those of the original network
//! down to conv3_4 and of the embedded one are measured; deeper ones (marked) are derived from means of activations that
//! publications tell. torchvision's weights see pictures 57.4 = 255 · .225 times as small, and so are their activations.

use super::{EncoderOptions, LayerName, Preprocessing};
use impasto_compute::PoolKind;

/// Networks whose activations are known, and networks like them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activations {
    /// VGG-19 as its authors published it, for pictures in 0..255.
    Oxford,
    /// VGG-19 trained anew, for pictures of unit variance.
    Torchvision,
    /// VGG-19 rescaled so that every filter's mean activation is 1.
    Unit,
    /// The embedded encoder, which imitates the original network.
    Lite,
    /// The embedded encoder, rescaled so.
    LiteUnit,
}

impl Activations {
    /// What features are multiplied by to be about as large as torchvision's.
    pub(crate) fn to_torchvision(self) -> f64 {
        match self {
            Activations::Oxford | Activations::Lite => 1.0 / TORCHVISION,
            Activations::Torchvision | Activations::Unit | Activations::LiteUnit => 1.0,
        }
    }
}

/// How large the activations at a layer are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct ActivationSize {
    layer: &'static str,
    /// Channels.
    pub(crate) channels: f64,
    /// Variance of all entries.
    pub(crate) content: f64,
    /// Mean square of the entries of `F·Fᵀ/n`.
    pub(crate) gram: f64,
    /// `tr Σ/c`.
    pub(crate) variance: f64,
}

const fn row(
    layer: &'static str,
    channels: u32,
    content: f64,
    gram: f64,
    variance: f64,
) -> ActivationSize {
    ActivationSize {
        layer,
        channels: channels as f64,
        content,
        gram,
        variance,
    }
}

/// What torchvision's activations are divided by beside the original ones.
const TORCHVISION: f64 = 255.0 * 0.225;

/// The original network.
#[rustfmt::skip]
const OXFORD_MAX: &[ActivationSize] = &[
    row("conv1_1", 64, 3.242e3, 4.235e6, 3.014e3),
    row("relu1_1", 64, 1.314e3, 1.065e6, 1.101e3),
    row("conv1_2", 64, 3.283e4, 4.999e8, 2.679e4),
    row("relu1_2", 64, 2.413e4, 5.178e8, 1.609e4),
    row("conv2_1", 128, 6.875e4, 1.611e9, 8.906e4),
    row("relu2_1", 128, 1.989e4, 6.831e8, 3.034e4),
    row("conv2_2", 128, 1.254e5, 3.647e9, 2.198e5),
    row("relu2_2", 128, 4.012e4, 8.183e8, 6.694e4),
    row("conv3_1", 256, 1.462e5, 7.624e9, 2.127e5),
    row("relu3_1", 256, 4.350e4, 1.205e9, 6.397e4),
    row("conv3_2", 256, 1.278e5, 3.610e9, 1.602e5),
    row("relu3_2", 256, 4.876e4, 2.543e9, 6.562e4),
    row("conv3_3", 256, 1.747e5, 3.700e10, 2.103e5),
    row("relu3_3", 256, 1.193e5, 4.588e10, 1.462e5),
    row("conv3_4", 256, 7.091e5, 2.666e11, 8.461e5),
    row("relu3_4", 256, 4.371e5, 3.670e11, 5.218e5),
    row("conv4_1", 512, 6.984e5, 4.703e11, 1.018e6), // derived
    row("relu4_1", 512, 3.492e5, 1.568e11, 5.090e5), // derived
    row("conv4_2", 512, 3.321e5, 4.155e10, 4.841e5), // derived
    row("relu4_2", 512, 1.661e5, 1.385e10, 2.421e5), // derived
    row("conv5_1", 512, 1.401e4, 3.648e7, 2.042e4), // derived
    row("relu5_1", 512, 7.003e3, 1.216e7, 1.021e4), // derived
    row("relu5_2", 512, 2.394e3, 5.871e5, 3.489e3), // derived
];

/// The original network with plain average pools.
#[rustfmt::skip]
const OXFORD_AVERAGE: &[ActivationSize] = &[
    row("conv1_1", 64, 3.242e3, 4.235e6, 3.014e3),
    row("relu1_1", 64, 1.314e3, 1.065e6, 1.101e3),
    row("conv1_2", 64, 3.283e4, 4.999e8, 2.679e4),
    row("relu1_2", 64, 2.413e4, 5.178e8, 1.609e4),
    row("conv2_1", 128, 4.541e4, 6.161e8, 5.123e4),
    row("relu2_1", 128, 1.269e4, 2.257e8, 1.789e4),
    row("conv2_2", 128, 8.555e4, 1.585e9, 1.403e5),
    row("relu2_2", 128, 2.868e4, 3.642e8, 4.421e4),
    row("conv3_1", 256, 4.120e4, 3.484e8, 5.306e4),
    row("relu3_1", 256, 1.304e4, 1.020e8, 1.719e4),
    row("conv3_2", 256, 4.009e4, 2.715e8, 4.335e4),
    row("relu3_2", 256, 1.472e4, 1.617e8, 1.681e4),
    row("conv3_3", 256, 5.420e4, 2.351e9, 5.554e4),
    row("relu3_3", 256, 3.640e4, 2.949e9, 3.773e4),
    row("conv3_4", 256, 2.390e5, 2.020e10, 2.285e5),
    row("relu3_4", 256, 1.361e5, 2.724e10, 1.349e5),
    row("conv4_1", 512, 1.182e5, 8.239e9, 1.348e5), // derived
    row("relu4_1", 512, 5.911e4, 2.746e9, 6.738e4), // derived
    row("conv4_2", 512, 5.622e4, 7.279e8, 6.409e4), // derived
    row("relu4_2", 512, 2.811e4, 2.426e8, 3.204e4), // derived
    row("conv5_1", 512, 1.127e3, 1.402e5, 1.265e3), // derived
    row("relu5_1", 512, 5.636e2, 4.672e4, 6.327e2), // derived
    row("relu5_2", 512, 1.926e2, 2.255e3, 2.163e2), // derived
];

/// VGG-19 of unit activations, with plain average pools. The deep ones are estimates.
#[rustfmt::skip]
const UNIT: &[ActivationSize] = &[
    row("relu1_1", 64, 1.936e0, 4.525e0, 3.055e0),
    row("relu2_1", 128, 2.139e0, 2.890e0, 3.217e0),
    row("relu3_1", 256, 3.247e0, 2.021e0, 3.508e0),
    row("relu4_1", 512, 2.000e0, 3.000e0, 2.000e0),
    row("relu4_2", 512, 1.500e0, 3.000e0, 1.500e0),
    row("relu5_1", 512, 2.500e0, 3.500e0, 2.500e0),
];

/// The embedded encoder.
#[rustfmt::skip]
const LITE_MAX: &[ActivationSize] = &[
    row("relu1_1", 32, 3.249e3, 4.255e6, 2.179e3),
    row("relu2_1", 64, 5.600e4, 2.689e9, 5.509e4),
    row("relu3_1", 96, 1.254e5, 8.346e9, 1.398e5),
    row("relu3_3", 128, 3.923e5, 1.845e11, 2.594e5),
];

/// The embedded encoder with plain average pools.
#[rustfmt::skip]
const LITE_AVERAGE: &[ActivationSize] = &[
    row("relu1_1", 32, 3.249e3, 4.255e6, 2.179e3),
    row("relu2_1", 64, 3.614e4, 8.445e8, 3.276e4),
    row("relu3_1", 96, 4.416e4, 8.546e8, 4.295e4),
    row("relu3_3", 128, 1.433e5, 1.740e10, 7.804e4),
];

/// The embedded encoder of unit activations, with plain average pools.
#[rustfmt::skip]
const LITE_UNIT: &[ActivationSize] = &[
    row("relu1_1", 32, 9.864e-1, 2.819e-1, 5.608e-1),
    row("relu2_1", 64, 9.941e-1, 2.460e-1, 5.592e-1),
    row("relu3_1", 96, 9.958e-1, 1.822e-1, 6.271e-1),
    row("relu3_3", 128, 9.956e-1, 4.192e-1, 3.830e-1),
];

impl Activations {
    /// Of an encoder that expects pictures as `preprocessing` says and has heads or not, under a recipe's options. `None`
    /// for networks of which nothing is known.
    pub(super) fn of(
        preprocessing: Preprocessing,
        has_heads: bool,
        options: &EncoderOptions,
    ) -> Option<Self> {
        Some(match (preprocessing, options.unit_activations) {
            (Preprocessing::Plain, _) if !has_heads => return None,
            (Preprocessing::Plain, false) => Activations::Lite,
            (Preprocessing::Plain, true) => Activations::LiteUnit,
            (Preprocessing::Caffe, false) => Activations::Oxford,
            (Preprocessing::Torch, false) => Activations::Torchvision,
            (Preprocessing::Caffe | Preprocessing::Torch, true) => Activations::Unit,
        })
    }

    /// How large they are at a layer, or at the nearest one that is known.
    pub(crate) fn at(self, layer: LayerName, options: &EncoderOptions) -> Option<ActivationSize> {
        let is_average = options.pooling == PoolKind::Average && options.plain_pooling;
        let table = match (self, is_average) {
            (Activations::Oxford | Activations::Torchvision, false) => OXFORD_MAX,
            (Activations::Oxford | Activations::Torchvision, true) => OXFORD_AVERAGE,
            (Activations::Unit, _) => UNIT,
            (Activations::Lite, false) => LITE_MAX,
            (Activations::Lite, true) => LITE_AVERAGE,
            (Activations::LiteUnit, _) => LITE_UNIT,
        };
        let wanted = layer.depth()?;
        let distance = |row: &&ActivationSize| {
            let name: Option<LayerName> = row.layer.parse().ok();
            let depth = name.and_then(LayerName::depth);
            depth.map_or(usize::MAX, |depth| depth.abs_diff(wanted))
        };
        let found = table.iter().min_by_key(distance)?;
        let unit = match self {
            Activations::Torchvision => TORCHVISION.powi(2),
            _ => 1.0,
        };
        Some(ActivationSize {
            content: found.content / unit,
            gram: found.gram / unit.powi(2),
            variance: found.variance / unit,
            ..*found
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_of_layers_in_their_order_and_the_nearest_stands_for_others() {
        for table in [
            OXFORD_MAX,
            OXFORD_AVERAGE,
            UNIT,
            LITE_MAX,
            LITE_AVERAGE,
            LITE_UNIT,
        ] {
            let depths = table
                .iter()
                .map(|row| row.layer.parse::<LayerName>().unwrap().depth());
            let depths: Vec<_> = depths.map(Option::unwrap).collect();
            assert!(depths.is_sorted(), "{depths:?}");
            let sizes = table
                .iter()
                .flat_map(|row| [row.content, row.gram, row.variance]);
            assert!(sizes.into_iter().all(|size| size > 0.0));
        }
        let options = EncoderOptions::default();
        let at = |of: Activations, layer: &str| of.at(layer.parse().unwrap(), &options).unwrap();
        assert_eq!(
            at(Activations::Oxford, "22"),
            at(Activations::Oxford, "relu4_2")
        );
        assert_eq!(
            at(Activations::Lite, "relu5_1"),
            at(Activations::Lite, "relu3_3")
        );
        let (oxford, torch) = (Activations::Oxford, Activations::Torchvision);
        let ratio = at(oxford, "relu2_1").gram / at(torch, "relu2_1").gram;
        assert!((ratio.powf(0.25) - 57.375).abs() < 1e-9, "{ratio}");
    }
}
