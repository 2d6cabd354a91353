//! Which layer stands in for one that an encoder lacks.
//!
//! The layers of VGG-19 are numbered from the image to the last pool; the distance of two is the difference of their
//! numbers. Layers that the encoder lacks are matched with ones that it has and that are not asked for themselves:
//! as many as there are, in the same order, no two with the same one, at the least sum of distances. A convolution
//! before its ReLU is stood in for by another such, a ReLU by a ReLU, a pool by a pool; heads stand in for anything.
//!
//! Where weights are calibrated, several may share one: the nearest of their block, or the deepest before it.

use super::{Encoder, LayerName};
use std::fmt;

/// What there is for a layer that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// Nothing is needed, or the name is no layer of VGG-19.
    None,
    /// This layer.
    Layer(LayerName),
    /// Every layer that could stand in does so for another one.
    NoneLeft,
}

/// A layer that was asked for and what is looked at instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Substitution {
    /// `content` or `style`.
    pub term: &'static str,
    /// What was asked for.
    pub wanted: LayerName,
    /// What stands in; nothing if it is left out.
    pub found: Option<LayerName>,
}

impl fmt::Display for Substitution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            Some(found) => write!(f, "{found} for {}", self.wanted),
            None => write!(f, "nothing for {}", self.wanted),
        }
    }
}

/// Convolutions in each block of VGG-19.
const BLOCKS: [u8; 5] = [2, 2, 4, 4, 4];

/// The layers of VGG-19, by torchvision's numbers.
fn vgg19() -> Vec<LayerName> {
    let mut layers = Vec::new();
    for (block, convs) in (1..).zip(BLOCKS) {
        for index in 1..=convs {
            layers.push(LayerName::Conv { block, index });
            layers.push(LayerName::Relu { block, index });
        }
        layers.push(LayerName::Pool { block });
    }
    layers
}

impl LayerName {
    /// Its place among the layers of VGG-19, counted from the image.
    pub(crate) fn depth(self) -> Option<usize> {
        let layers = vgg19();
        match self {
            LayerName::Number(number) => Some(usize::from(number)).filter(|&n| n < layers.len()),
            name => layers.iter().position(|&layer| layer == name),
        }
    }

    /// The pools between the image and it, itself included.
    pub(crate) fn pools(self) -> u8 {
        match self {
            LayerName::Conv { block, .. } | LayerName::Relu { block, .. } => {
                block.saturating_sub(1)
            }
            LayerName::Pool { block } => block,
            LayerName::Number(_) => {
                let named = self.depth().and_then(|depth| vgg19().get(depth).copied());
                named.map_or(0, LayerName::pools)
            }
        }
    }
}

impl Encoder {
    /// What stands in for a layer where several may share one: the nearest layer after as many pools, or the deepest of
    /// those after less. Nothing if it is there itself, or no layer of VGG-19.
    pub(crate) fn nearest(&self, wanted: LayerName) -> StandIn {
        let (true, Some(depth)) = (self.tap(wanted).is_err(), wanted.depth()) else {
            return StandIn::None;
        };
        let layers = vgg19();
        let heads = !self.heads.is_empty();
        let kind = std::mem::discriminant(&layers[depth]);
        let fits = |layer: LayerName| {
            (heads || std::mem::discriminant(&layer) == kind)
                && self.tap(layer).is_ok()
                && layer.pools() <= wanted.pools()
        };
        let found = layers
            .iter()
            .copied()
            .enumerate()
            .filter(|&(_, layer)| fits(layer));
        let nearest = found.min_by_key(|&(number, layer)| {
            (wanted.pools() - layer.pools(), number.abs_diff(depth))
        });
        nearest.map_or(StandIn::NoneLeft, |(_, layer)| StandIn::Layer(layer))
    }

    /// What stands in for each of some layers, in their order.
    pub fn stand_ins(&self, wanted: &[LayerName]) -> Vec<StandIn> {
        let layers = vgg19();
        let mut missing: Vec<(usize, usize)> = wanted
            .iter()
            .enumerate()
            .filter(|(_, name)| self.tap(**name).is_err())
            .filter_map(|(place, name)| Some((name.depth()?, place)))
            .collect();
        missing.sort_unstable();
        let taken: Vec<_> = wanted
            .iter()
            .filter_map(|name| self.tap(*name).ok())
            .collect();
        let free: Vec<usize> = (0..layers.len())
            .filter(|&n| self.tap(layers[n]).is_ok_and(|tap| !taken.contains(&tap)))
            .collect();
        let heads = !self.heads.is_empty();
        let fits = |a: usize, b: usize| {
            heads || std::mem::discriminant(&layers[a]) == std::mem::discriminant(&layers[b])
        };
        let mut stand_ins = vec![StandIn::None; wanted.len()];
        for (&(_, place), found) in missing.iter().zip(matching(&missing, &free, fits)) {
            stand_ins[place] = match found {
                Some(number) => StandIn::Layer(layers[number]),
                None => StandIn::NoneLeft,
            };
        }
        stand_ins
    }
}

/// Matches numbers (with whatever comes with them) with free ones, both ascending: as many as possible, in order, at
/// the least sum of distances.
fn matching(
    missing: &[(usize, usize)],
    free: &[usize],
    fits: impl Fn(usize, usize) -> bool,
) -> Vec<Option<usize>> {
    // best[i][j]: (pairs left out, distance) of the first i missing and the first j free.
    let mut best = vec![vec![(0, 0); free.len() + 1]; missing.len() + 1];
    let pair = |i: usize, j: usize, (out, distance): (usize, usize)| {
        fits(missing[i].0, free[j]).then(|| (out, distance + missing[i].0.abs_diff(free[j])))
    };
    for i in 1..=missing.len() {
        for j in 0..=free.len() {
            let (out, distance) = best[i - 1][j];
            let mut least = (out + 1, distance);
            if j > 0 {
                least = least.min(best[i][j - 1]);
                if let Some(paired) = pair(i - 1, j - 1, best[i - 1][j - 1]) {
                    least = least.min(paired);
                }
            }
            best[i][j] = least;
        }
    }
    let mut found = vec![None; missing.len()];
    let (mut i, mut j) = (missing.len(), free.len());
    while i > 0 && j > 0 {
        if best[i][j] == best[i][j - 1] {
            j -= 1;
        } else if pair(i - 1, j - 1, best[i - 1][j - 1]) == Some(best[i][j]) {
            (i, j) = (i - 1, j - 1);
            found[i] = Some(free[j]);
        } else {
            i -= 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use impasto_weights::{Checkpoint, WeightTensor};

    /// VGG-19 up to conv3_4, with one channel a layer.
    fn short() -> Encoder {
        let mut checkpoint = Checkpoint::default();
        let mut input = 3;
        for name in ["1_1", "1_2", "2_1", "2_2", "3_1", "3_2", "3_3", "3_4"] {
            for (part, shape) in [("weight", vec![1, input, 3, 3]), ("bias", vec![1])] {
                let values = vec![0.0; shape.iter().product()];
                let tensor = WeightTensor { shape, values };
                checkpoint
                    .tensors
                    .insert(format!("conv{name}.{part}"), tensor);
            }
            input = 1;
        }
        Encoder::from_checkpoint(
            "short",
            checkpoint,
            Some(super::super::Preprocessing::Caffe),
        )
        .unwrap()
    }

    fn found(encoder: &Encoder, wanted: &str) -> String {
        let wanted: Vec<LayerName> = wanted
            .split(' ')
            .map(|name| name.parse().unwrap())
            .collect();
        let name = |stand_in| match stand_in {
            StandIn::None => "=".to_string(),
            StandIn::Layer(layer) => layer.to_string(),
            StandIn::NoneLeft => "-".to_string(),
        };
        let names: Vec<_> = encoder.stand_ins(&wanted).into_iter().map(name).collect();
        names.join(" ")
    }

    #[test]
    fn the_nearest_layers_of_a_file_that_stops_early_stand_in() {
        let short = short();
        for (wanted, expected) in [
            ("relu1_1 relu2_1 relu3_1", "= = ="),
            ("relu4_2", "relu3_4"),
            (
                "relu1_1 relu2_1 relu3_1 relu4_1 relu5_1",
                "= = = relu3_3 relu3_4",
            ),
            // Whatever the order in which they are named.
            ("relu5_1 relu4_1 relu3_1", "relu3_4 relu3_3 ="),
            ("conv1_1 conv5_1", "= conv3_4"),
            // One that is asked for itself stands in for nothing else.
            ("relu3_4 relu4_1", "= relu3_3"),
            ("relu3_4 29", "= relu3_3"),
            ("pool5", "pool3"),
            ("relu9_9", "="),
            ("200", "="),
        ] {
            assert_eq!(found(&short, wanted), expected, "{wanted}");
        }
    }

    #[test]
    fn the_nearest_of_a_block_is_shared_where_weights_are_added_up() {
        let (lite, short) = (Encoder::lite().unwrap(), short());
        for (encoder, wanted, expected) in [
            (&lite, "conv1_1", Some("relu1_1")),
            (&lite, "conv1_2", Some("relu1_1")),
            (&lite, "conv2_2", Some("relu2_1")),
            (&lite, "conv3_1", Some("relu3_1")),
            (&lite, "relu3_2", Some("relu3_1")),
            (&lite, "relu5_1", Some("relu3_3")),
            (&lite, "22", Some("relu3_3")),
            (&lite, "relu2_1", None),
            (&short, "conv5_1", Some("conv3_4")),
            (&short, "relu4_2", Some("relu3_4")),
            (&short, "pool4", Some("pool3")),
        ] {
            let expected =
                expected.map_or(StandIn::None, |name| StandIn::Layer(name.parse().unwrap()));
            assert_eq!(
                encoder.nearest(wanted.parse().unwrap()),
                expected,
                "{wanted}"
            );
        }
    }

    #[test]
    fn two_never_become_one() {
        let lite = Encoder::lite().unwrap();
        for (wanted, expected) in [
            ("relu1_1 relu2_1 relu3_1 relu4_1 relu5_1", "= = = relu3_3 -"),
            (
                "conv1_1 conv1_2 conv2_1 conv2_2 conv3_1",
                "- relu1_1 relu2_1 relu3_1 relu3_3",
            ),
            ("relu5_2", "relu3_3"),
        ] {
            assert_eq!(found(&lite, wanted), expected, "{wanted}");
        }
    }
}
