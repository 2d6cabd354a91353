//! The kinds of layers, and what each is to whoever plans, counts, hashes or cuts a network: its numbers, its work and
//! its geometry.

use crate::{ComputeError, Result};
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
    /// The index inside `0..n` that position `i` reads, however far beyond the border it is, or `None` for a zero. What is
    /// mirrored is mirrored again at the other border, with a period of `2(n − 1)`.
    #[inline]
    pub fn source(self, i: isize, n: usize) -> Option<usize> {
        let last = n as isize - 1;
        if (0..=last).contains(&i) {
            return Some(i as usize);
        }
        match self {
            Padding::Zero => None,
            _ if n == 0 => None,
            Padding::Replicate => Some(i.clamp(0, last) as usize),
            Padding::Reflect if n == 1 => Some(0),
            Padding::Reflect => {
                let folded = i.rem_euclid(2 * last);
                Some(folded.min(2 * last - folded) as usize)
            }
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
        let conv = Self {
            in_channels,
            out_channels,
            padding,
            weight: weight.into(),
            bias: bias.into(),
        };
        conv.check()?;
        Ok(conv)
    }

    /// Checks the lengths of filters and bias.
    fn check(&self) -> Result<()> {
        let shape = [self.out_channels, self.in_channels, 3, 3];
        expect_len("filters of a convolution", self.weight.len(), &shape)?;
        expect_len("bias of a convolution", self.bias.len(), &shape[..1])
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
///
/// Whoever matches it names every kind, here and in other crates: a new one is to be thought of everywhere.
#[derive(Clone, Debug)]
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

/// How the places of what a layer makes lie over those of what it reads: each looks at a square of `kernel` places,
/// which lies around `stride`×`stride` of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Geometry {
    /// Places that are looked at, each way.
    pub kernel: usize,
    /// Places read from one place made to the next, each way.
    pub stride: usize,
}

impl Geometry {
    /// How far a place looks beyond the places of its own, on each side.
    pub fn reach(&self) -> usize {
        self.kernel.saturating_sub(self.stride).div_ceil(2)
    }
}

/// Numbers that a layer or a head was made from.
#[derive(Clone, Debug, PartialEq)]
pub struct Param<'a> {
    /// What they are: `weight` or `bias`.
    pub name: &'static str,
    /// Their shape; they are row-major.
    pub shape: Vec<usize>,
    /// The numbers.
    pub values: &'a [f32],
}

impl Layer {
    /// What it is called.
    pub fn kind(&self) -> &'static str {
        match self {
            Layer::Conv(_) => "conv",
            Layer::Relu => "relu",
            Layer::Pool(_) => "pool",
        }
    }

    /// The numbers that it was made from.
    pub fn params(&self) -> Vec<Param<'_>> {
        match self {
            Layer::Conv(conv) => {
                let (out, input) = (conv.out_channels, conv.in_channels);
                weight_and_bias(vec![out, input, 3, 3], &conv.weight, &conv.bias)
            }
            Layer::Relu | Layer::Pool(_) => vec![],
        }
    }

    /// Products with weights at each place of what it makes.
    pub fn products(&self) -> usize {
        match self {
            Layer::Conv(conv) => 9 * conv.in_channels * conv.out_channels,
            Layer::Relu | Layer::Pool(_) => 0,
        }
    }

    /// How what it makes lies over what it reads.
    pub fn geometry(&self) -> Geometry {
        let (kernel, stride) = match self {
            Layer::Conv(_) => (3, 1),
            Layer::Relu => (1, 1),
            Layer::Pool(_) => (2, 2),
        };
        Geometry { kernel, stride }
    }

    /// The channels that it makes of some.
    pub fn channels(&self, before: usize) -> usize {
        match self {
            Layer::Conv(conv) => conv.out_channels,
            Layer::Relu | Layer::Pool(_) => before,
        }
    }

    /// Whether a network can begin with it. Devices prepare what is read, and lay it out, for a convolution.
    pub fn begins(&self) -> bool {
        match self {
            Layer::Conv(_) => true,
            Layer::Relu | Layer::Pool(_) => false,
        }
    }

    /// Checks its numbers, and that it reads so many channels: the index is its own, for errors.
    pub(crate) fn validate(&self, index: usize, channels: usize) -> Result<()> {
        let bad = |problem: String| {
            Err(ComputeError::BadNetwork {
                layer: index,
                problem,
            })
        };
        match self {
            Layer::Conv(conv) => {
                if conv.in_channels != channels {
                    let reads = conv.in_channels;
                    return bad(format!(
                        "the convolution reads {reads} channels, but {channels} arrive"
                    ));
                }
                if conv.out_channels == 0 {
                    return bad("the convolution has no output channels".into());
                }
                conv.check()
            }
            Layer::Relu => Ok(()),
            Layer::Pool(pool) if pool.factor.is_finite() && pool.factor > 0.0 => Ok(()),
            Layer::Pool(pool) => bad(format!("the pooling factor is {}", pool.factor)),
        }
    }
}

impl Head {
    /// The numbers that it was made from.
    pub fn params(&self) -> Vec<Param<'_>> {
        let inputs = self.weight.len() / self.out_channels.max(1);
        weight_and_bias(vec![self.out_channels, inputs], &self.weight, &self.bias)
    }

    /// Checks its numbers behind a layer of some channels.
    pub(crate) fn validate(&self, channels: usize) -> Result<()> {
        let shape = [self.out_channels, channels];
        expect_len("matrix of a head", self.weight.len(), &shape)?;
        expect_len("bias of a head", self.bias.len(), &shape[..1])
    }
}

fn weight_and_bias<'a>(shape: Vec<usize>, weight: &'a [f32], bias: &'a [f32]) -> Vec<Param<'a>> {
    let bias = Param {
        name: "bias",
        shape: shape[..1].to_vec(),
        values: bias,
    };
    let weight = Param {
        name: "weight",
        shape,
        values: weight,
    };
    vec![weight, bias]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn borders_continue_at_any_distance() {
        let read = |padding: Padding, n: usize| -> Vec<Option<usize>> {
            (-7..n as isize + 7).map(|i| padding.source(i, n)).collect()
        };
        let some = |places: &[usize]| -> Vec<Option<usize>> {
            places.iter().map(|&place| Some(place)).collect()
        };
        let mirrored = [1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1, 2, 1, 0, 1];
        assert_eq!(read(Padding::Reflect, 3), some(&mirrored));
        assert_eq!(read(Padding::Reflect, 1), some(&[0; 15]));
        let repeated = [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];
        assert_eq!(read(Padding::Replicate, 2), some(&repeated));
        let zeros = read(Padding::Zero, 2);
        assert_eq!(zeros.iter().flatten().count(), 2);
        for padding in [Padding::Zero, Padding::Replicate, Padding::Reflect] {
            assert_eq!(padding.source(0, 0), None, "there is nothing to read");
        }
    }
}
