//! Which tensor is which layer: the names of each tradition, as tables.
//!
//! | tradition | convolution 2 of block 4 | preprocessing |
//! |---|---|---|
//! | canonical, Caffe | `conv4_2.weight` | [`Preprocessing::Caffe`] |
//! | torchvision | `features.21.weight` (VGG-19), `features.19.weight` (VGG-16) | [`Preprocessing::Torch`] |
//!
//! Heads are canonical only: `head.relu3_1.weight` `[out, in]` and `head.relu3_1.bias`.

use super::{LayerName, Preprocessing};
use impasto_weights::{Checkpoint, WeightTensor};

/// Convolutions in each block.
const VGG19: [u8; 5] = [2, 2, 4, 4, 4];
const VGG16: [u8; 5] = [2, 2, 3, 3, 3];

/// The layers found in a checkpoint, each with the name that its tensors share before `.weight` and `.bias`.
pub(super) struct Found {
    pub(super) convs: Vec<((u8, u8), String)>,
    pub(super) heads: Vec<(LayerName, String)>,
}

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

/// The convolutions of a checkpoint in order, and the preprocessing that goes with their names.
pub(super) fn recognise(checkpoint: &Checkpoint) -> Result<(Preprocessing, Found), String> {
    let has = |layer: &str| checkpoint.tensors.contains_key(&Part::Weight.of(layer));
    // A name that only one of the two networks has tells which it is.
    let torchvision = if has("features.17") && !has("features.16") {
        VGG16
    } else {
        VGG19
    };
    let canonical = places(VGG19).map(|(place, _)| (place, format!("conv{}_{}", place.0, place.1)));
    let numbered = places(torchvision).map(|(place, number)| (place, format!("features.{number}")));
    let mut traditions = [
        (Preprocessing::Caffe, canonical.collect::<Vec<_>>()),
        (Preprocessing::Torch, numbered.collect::<Vec<_>>()),
    ]
    .into_iter();
    let Some((preprocessing, table)) = traditions.find(|(_, table)| has(&table[0].1)) else {
        let some: Vec<_> = checkpoint
            .tensors
            .keys()
            .take(3)
            .map(String::as_str)
            .collect();
        return Err(format!(
            "its tensors are called {} …; expected conv1_1.weight … or features.0.weight …",
            some.join(", ")
        ));
    };
    let mut convs: Vec<((u8, u8), String)> = Vec::new();
    let mut missing: Option<String> = None;
    for (place, name) in table {
        if !has(&name) {
            // A block may have fewer convolutions than VGG-19's, as VGG-16's do; it must not have a gap.
            missing = Some(name);
            continue;
        }
        let previous = convs.last().map_or((1, 0), |(place, _)| *place);
        let follows = place == (previous.0, previous.1 + 1) || place == (previous.0 + 1, 1);
        if !follows {
            return Err(format!(
                "it has {name} but not {}",
                missing.unwrap_or_default()
            ));
        }
        convs.push((place, name));
    }
    let heads = checkpoint.tensors.keys().filter_map(|name| {
        let layer = name.strip_suffix(".weight")?;
        Some((
            layer.strip_prefix("head.")?.parse().ok()?,
            layer.to_string(),
        ))
    });
    let mut heads: Vec<_> = heads.collect();
    heads.sort_unstable();
    Ok((preprocessing, Found { convs, heads }))
}

/// Every convolution of a network: (block, index), and its number in torchvision's sequence.
fn places(blocks: [u8; 5]) -> impl Iterator<Item = ((u8, u8), usize)> {
    let mut number = 0;
    (1u8..).zip(blocks).flat_map(move |(block, convolutions)| {
        let first = number;
        number += 2 * usize::from(convolutions) + 1;
        (1..=convolutions).map(move |index| ((block, index), first + 2 * usize::from(index - 1)))
    })
}
