//! The names of layers, parsed once and printed the same.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A layer of a VGG-shaped network, as people write it.
///
/// | written | means |
/// |---|---|
/// | `conv4_2` | the convolution, before its ReLU |
/// | `relu4_2` | after its ReLU |
/// | `pool4` | the pool that ends block 4 |
/// | `block4_conv2`, `block4_pool` | Keras: its convolution layers contain the ReLU, so this is `relu4_2`, `pool4` |
/// | `22` | torchvision: the index in `vgg19.features` (or `vgg16.features`); which layer it is, the encoder knows |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum LayerName {
    /// Convolution `index` of `block`, before its ReLU; both count from 1.
    Conv {
        /// The block.
        block: u8,
        /// The convolution in the block.
        index: u8,
    },
    /// The ReLU behind convolution `index` of `block`.
    Relu {
        /// The block.
        block: u8,
        /// The convolution in the block.
        index: u8,
    },
    /// The pool that ends `block`.
    Pool {
        /// The block.
        block: u8,
    },
    /// The layer of this number, counted from 0 as torchvision does.
    Number(u16),
}

/// A text that names no layer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} names no layer; write relu4_2, conv4_2, pool4, block4_conv2 or torchvision's number such as 22"
)]
pub struct BadLayerName(pub String);

impl FromStr for LayerName {
    type Err = BadLayerName;

    fn from_str(text: &str) -> Result<Self, BadLayerName> {
        parse(text).ok_or_else(|| BadLayerName(text.into()))
    }
}

fn parse(text: &str) -> Option<LayerName> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return number(text).map(LayerName::Number);
    }
    if let Some(rest) = text.strip_prefix("block") {
        let (block, layer) = rest.split_once('_')?;
        let block = number(block)?;
        return match layer.strip_prefix("conv") {
            Some(index) => Some(LayerName::Relu {
                block,
                index: number(index)?,
            }),
            None => (layer == "pool").then_some(LayerName::Pool { block }),
        };
    }
    if let Some(block) = text.strip_prefix("pool") {
        return Some(LayerName::Pool {
            block: number(block)?,
        });
    }
    let (kind, place) = text.split_at_checked(4)?;
    let (block, index) = place.split_once('_')?;
    let (block, index) = (number(block)?, number(index)?);
    match kind {
        "conv" => Some(LayerName::Conv { block, index }),
        "relu" => Some(LayerName::Relu { block, index }),
        _ => None,
    }
}

/// Plain digits without sign, spaces or leading zeros; a block or index of 0 is no layer, number 0 is.
fn number<T: TryFrom<u16> + 'static>(digits: &str) -> Option<T> {
    let canonical =
        digits.bytes().all(|b| b.is_ascii_digit()) && (digits == "0" || !digits.starts_with('0'));
    let value = canonical.then(|| digits.parse::<u16>().ok())??;
    T::try_from(value).ok()
}

impl fmt::Display for LayerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LayerName::Conv { block, index } => write!(f, "conv{block}_{index}"),
            LayerName::Relu { block, index } => write!(f, "relu{block}_{index}"),
            LayerName::Pool { block } => write!(f, "pool{block}"),
            LayerName::Number(number) => write!(f, "{number}"),
        }
    }
}

impl TryFrom<String> for LayerName {
    type Error = BadLayerName;
    fn try_from(text: String) -> Result<Self, BadLayerName> {
        text.parse()
    }
}

impl From<LayerName> for String {
    fn from(name: LayerName) -> String {
        name.to_string()
    }
}

/// A layer and how much it counts among the layers of its term: `relu4_2` or `relu4_2:0.5`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WeightedLayer {
    /// The layer.
    pub layer: LayerName,
    /// Its share, relative to the other layers of the term; greater than 0.
    pub weight: f32,
}

impl WeightedLayer {
    /// A layer of weight 1.
    pub fn one(layer: LayerName) -> Self {
        Self { layer, weight: 1.0 }
    }
}

impl FromStr for WeightedLayer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, weight) = match text.rsplit_once(':') {
            Some((name, weight)) => {
                let weight = weight
                    .parse()
                    .map_err(|_| format!("the weight {weight:?} of layer {name} is no number"))?;
                (name, weight)
            }
            None => (text, 1.0),
        };
        let layer = name
            .parse()
            .map_err(|error: BadLayerName| error.to_string())?;
        Ok(Self { layer, weight })
    }
}

impl fmt::Display for WeightedLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.layer)?;
        if self.weight == 1.0 {
            Ok(())
        } else {
            write!(f, ":{}", self.weight)
        }
    }
}

impl TryFrom<String> for WeightedLayer {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<WeightedLayer> for String {
    fn from(layer: WeightedLayer) -> String {
        layer.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_tradition_are_read_and_printed_one_way() {
        for (text, printed) in [
            ("relu4_2", "relu4_2"),
            ("conv1_1", "conv1_1"),
            ("pool3", "pool3"),
            ("block4_conv2", "relu4_2"),
            ("block5_pool", "pool5"),
            ("22", "22"),
            ("0", "0"),
        ] {
            let name: LayerName = text.parse().unwrap();
            assert_eq!(name.to_string(), printed);
            assert_eq!(printed.parse(), Ok(name));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in [
            "",
            "relu",
            "relu4",
            "relu4_",
            "relu4_2x",
            "Relu4_2",
            "relu04_2",
            "-1",
            "+1",
            "conv4-2",
            "block_conv1",
            "relu999_1",
            "99999",
            "block4_relu2",
            "pool",
            "cönv",
            "relu 4_2",
        ] {
            assert_eq!(text.parse::<LayerName>(), Err(BadLayerName(text.into())));
        }
    }

    #[test]
    fn weights_follow_a_colon() {
        let layer: WeightedLayer = "relu4_2:0.5".parse().unwrap();
        assert_eq!(
            (layer.layer, layer.weight),
            (LayerName::Relu { block: 4, index: 2 }, 0.5)
        );
        assert_eq!(layer.to_string(), "relu4_2:0.5");
        assert_eq!(
            "pool3".parse::<WeightedLayer>().unwrap().to_string(),
            "pool3"
        );
        assert!(
            "relu4_2:much"
                .parse::<WeightedLayer>()
                .unwrap_err()
                .contains("much")
        );
    }
}
