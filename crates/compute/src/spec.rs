//! Networks as data: what a device is given to prepare.
//!
//! A network is a sequence of 3×3 convolutions, ReLUs and 2×2 pools, as the VGG family has them (Simonyan and
//! Zisserman, arXiv 1409.1556), plus *heads*: linear 1×1 side branches that nothing else reads. Other kinds of
//! layer become further variants of [`Layer`]; strides, dilation and groups are refused by having no place here.

use crate::{ComputeError, Result, Tap};
use std::sync::Arc;

/// How a convolution continues the picture beyond its border.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Padding {
    /// With zeros.
    #[default]
    Zero,
    /// With the nearest pixel.
    Replicate,
    /// Mirrored at the border pixel, which is not repeated; with the nearest pixel where there is only one.
    Reflect,
}

impl Padding {
    /// The index inside `0..n` that position `i` in `-1..=n` reads, or `None` for a zero.
    pub fn source(self, i: isize, n: usize) -> Option<usize> {
        if (0..n as isize).contains(&i) {
            return Some(i as usize);
        }
        match self {
            Padding::Zero => None,
            Padding::Replicate => Some(if i < 0 { 0 } else { n - 1 }),
            Padding::Reflect if n == 1 => Some(0),
            Padding::Reflect => Some(if i < 0 { 1 } else { n - 2 }),
        }
    }
}

/// A 3×3 convolution with stride 1, one pixel of padding, and a bias.
#[derive(Clone, Debug)]
pub struct Conv3x3 {
    /// Channels in.
    pub in_channels: usize,
    /// Channels out.
    pub out_channels: usize,
    /// What lies beyond the border.
    pub padding: Padding,
    /// Filters `[out, in, 3, 3]`, cross-correlation as every framework means it.
    pub weight: Arc<[f32]>,
    /// Bias `[out]`.
    pub bias: Arc<[f32]>,
}

impl Conv3x3 {
    /// A convolution from its filters `[out, in, 3, 3]` and bias `[out]`.
    ///
    /// # Errors
    /// [`ComputeError::Shape`] if the lengths do not fit the channels.
    pub fn new(
        in_channels: usize,
        out_channels: usize,
        padding: Padding,
        weight: impl Into<Arc<[f32]>>,
        bias: impl Into<Arc<[f32]>>,
    ) -> Result<Self> {
        let (weight, bias) = (weight.into(), bias.into());
        expect_len(
            "filters of a convolution",
            weight.len(),
            &[out_channels, in_channels, 3, 3],
        )?;
        expect_len("bias of a convolution", bias.len(), &[out_channels])?;
        Ok(Self {
            in_channels,
            out_channels,
            padding,
            weight,
            bias,
        })
    }
}

/// What a 2×2 pool with stride 2 makes of four values. An odd last row or column is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PoolKind {
    /// The greatest; among equals the first in reading order gets the gradient.
    #[default]
    Max,
    /// Their mean.
    Average,
    /// The square root of the sum of their squares.
    L2,
}

/// A 2×2 pool with stride 2, its result multiplied by `factor`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pool {
    /// What it computes.
    pub kind: PoolKind,
    /// The factor on the result: lets average and L2 pooling keep the mean activation of max pooling.
    pub factor: f32,
}

/// One layer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Layer {
    /// A 3×3 convolution.
    Conv(Conv3x3),
    /// `max(x, 0)`.
    Relu,
    /// A 2×2 pool.
    Pool(Pool),
}

/// A linear 1×1 side branch: `weight · features + bias` of the layer `after`.
#[derive(Clone, Debug)]
pub struct Head {
    /// Index of the layer whose result it reads.
    pub after: usize,
    /// Channels out.
    pub out_channels: usize,
    /// Matrix `[out, in]`.
    pub weight: Arc<[f32]>,
    /// Bias `[out]`.
    pub bias: Arc<[f32]>,
}

/// What happens to an image in 0..1 before the first layer: `(x − mean) · scale`, channel by channel.
/// Padding is applied after it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InputNorm {
    /// Subtracted.
    pub mean: [f32; 3],
    /// Multiplied.
    pub scale: [f32; 3],
}

/// A network as data.
#[derive(Clone, Debug)]
pub struct NetSpec {
    /// The preparation of the image.
    pub input: InputNorm,
    /// The sequence; the first layer is a convolution with three channels in.
    pub layers: Vec<Layer>,
    /// Side branches, each behind one of the layers.
    pub heads: Vec<Head>,
}

impl NetSpec {
    /// Checks that channels and lengths fit from the image to the last layer and head.
    ///
    /// # Errors
    /// [`ComputeError::BadNetwork`] names the first layer that does not fit.
    pub fn validate(&self) -> Result<()> {
        let mut channels = 3;
        let mut after = Vec::with_capacity(self.layers.len());
        for (index, layer) in self.layers.iter().enumerate() {
            let bad = |problem: String| ComputeError::BadNetwork {
                layer: index,
                problem,
            };
            match layer {
                Layer::Conv(conv) => {
                    if conv.in_channels != channels {
                        return Err(bad(format!(
                            "the convolution reads {} channels, but {channels} arrive",
                            conv.in_channels
                        )));
                    }
                    if conv.out_channels == 0 {
                        return Err(bad("the convolution has no output channels".into()));
                    }
                    expect_len(
                        "filters of a convolution",
                        conv.weight.len(),
                        &[conv.out_channels, conv.in_channels, 3, 3],
                    )?;
                    expect_len(
                        "bias of a convolution",
                        conv.bias.len(),
                        &[conv.out_channels],
                    )?;
                    channels = conv.out_channels;
                }
                Layer::Relu | Layer::Pool(_) if index == 0 => {
                    return Err(bad("a network starts with a convolution".into()));
                }
                Layer::Relu => {}
                Layer::Pool(pool) => {
                    if !(pool.factor.is_finite() && pool.factor > 0.0) {
                        return Err(bad(format!("the pooling factor is {}", pool.factor)));
                    }
                }
            }
            after.push(channels);
        }
        if self.layers.is_empty() {
            return Err(ComputeError::BadNetwork {
                layer: 0,
                problem: "there are no layers".into(),
            });
        }
        for (index, head) in self.heads.iter().enumerate() {
            let Some(&channels) = after.get(head.after) else {
                return Err(ComputeError::BadNetwork {
                    layer: index,
                    problem: format!("the head reads layer {}, which does not exist", head.after),
                });
            };
            expect_len(
                "matrix of a head",
                head.weight.len(),
                &[head.out_channels, channels],
            )?;
            expect_len("bias of a head", head.bias.len(), &[head.out_channels])?;
        }
        Ok(())
    }

    /// The layer behind which a tap sits.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`].
    pub fn layer_of(&self, tap: Tap) -> Result<usize> {
        let layer = match tap {
            Tap::Layer(layer) => layer,
            Tap::Head(head) => match self.heads.get(head) {
                Some(head) => head.after,
                None => {
                    return Err(ComputeError::NoSuchTap {
                        tap: tap.to_string(),
                        problem: format!("the network has {} heads", self.heads.len()),
                    });
                }
            },
        };
        if layer >= self.layers.len() {
            return Err(ComputeError::NoSuchTap {
                tap: tap.to_string(),
                problem: format!("the network has {} layers", self.layers.len()),
            });
        }
        Ok(layer)
    }

    /// The shape `[c, h, w]` of what a tap sees of an image of `height`×`width`.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`], and [`ComputeError::TooSmall`] where nothing would be left.
    pub fn shape_at(&self, tap: Tap, height: usize, width: usize) -> Result<[usize; 3]> {
        let last = self.layer_of(tap)?;
        let (mut c, mut h, mut w) = (3, height, width);
        for (index, layer) in self.layers[..=last].iter().enumerate() {
            match layer {
                Layer::Conv(conv) => c = conv.out_channels,
                Layer::Relu => {}
                Layer::Pool(_) => (h, w) = (h / 2, w / 2),
            }
            if h == 0 || w == 0 {
                return Err(ComputeError::TooSmall {
                    layer: index,
                    width,
                    height,
                    minimum: self.minimum_side(tap)?,
                });
            }
        }
        if let Tap::Head(head) = tap {
            c = self.heads[head].out_channels;
        }
        Ok([c, h, w])
    }

    /// The least width and height of an image for which a tap still sees something.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`].
    pub fn minimum_side(&self, tap: Tap) -> Result<usize> {
        let last = self.layer_of(tap)?;
        Ok(1 << self.layers[..=last]
            .iter()
            .filter(|layer| matches!(layer, Layer::Pool(_)))
            .count())
    }
}

fn expect_len(what: &'static str, got: usize, shape: &[usize]) -> Result<()> {
    if got == shape.iter().product::<usize>() {
        Ok(())
    } else {
        Err(ComputeError::Shape {
            what,
            expected: shape.to_vec(),
            got: vec![got],
        })
    }
}
