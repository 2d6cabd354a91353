//! What a checkpoint's canonical names mean: `conv4_2.weight`, `head.relu3_1.bias`.
//!
//! The names that other programs give to the same layers are a table of `impasto-weights`, which turns them into
//! these before an encoder sees them.

use super::LayerName;
use impasto_weights::{Checkpoint, WeightTensor};

/// Which of a layer's two tensors.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Weight,
    Bias,
}

impl Part {
    fn of(self, layer: &str) -> String {
        match self {
            Part::Weight => format!("{layer}.weight"),
            Part::Bias => format!("{layer}.bias"),
        }
    }
}

/// Takes a layer's tensor out of the checkpoint.
pub(super) fn take(
    checkpoint: &mut Checkpoint,
    layer: &str,
    part: Part,
) -> Result<(Vec<usize>, Vec<f32>), String> {
    let name = part.of(layer);
    match checkpoint.tensors.remove(&name) {
        Some(WeightTensor { shape, values }) => Ok((shape, values)),
        None => Err(format!("the tensor {name} is missing")),
    }
}

/// The layers that have weights and whose names start with `prefix`, in order, each with its tensors' name before
/// `.weight` and `.bias`.
pub(super) fn layers(checkpoint: &Checkpoint, prefix: &str) -> Vec<(LayerName, String)> {
    let mut layers: Vec<_> = checkpoint
        .tensors
        .keys()
        .filter_map(|name| {
            let tensors = name.strip_suffix(".weight")?;
            let layer = tensors.strip_prefix(prefix)?.parse().ok()?;
            Some((layer, tensors.to_string()))
        })
        .collect();
    layers.sort_unstable();
    layers
}
