//! Networks as data: what a device is given to prepare.
//!
//! A network is a sequence of 3×3 convolutions, ReLUs and 2×2 pools, as the VGG family has them (Simonyan and
//! Zisserman, arXiv 1409.1556), plus *heads*: linear 1×1 side branches that nothing else reads. Other kinds of
//! layer become further variants of [`Layer`]; strides, dilation and groups are refused by having no place here.

use crate::{ComputeError, Result, Tap, TapRequest, Window};
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

/// What a network reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Input {
    /// An image `[3, h, w]` in 0..1, prepared like this.
    Image(InputNorm),
    /// Features `[c, h, w]` of this many channels, as they are: the rest of a network behind one of its layers.
    Features(usize),
}

impl Input {
    /// Channels that are read.
    pub fn channels(&self) -> usize {
        match self {
            Input::Image(_) => 3,
            Input::Features(channels) => *channels,
        }
    }
}

impl From<InputNorm> for Input {
    fn from(norm: InputNorm) -> Self {
        Input::Image(norm)
    }
}

/// A network as data.
#[derive(Clone, Debug)]
pub struct NetSpec {
    /// What it reads. Below, "image" stands for either.
    pub input: Input,
    /// The sequence; the first layer is a convolution of as many channels as are read.
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
        let mut channels = self.input.channels();
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
        let (mut c, mut h, mut w) = (self.input.channels(), height, width);
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
        Ok(self.stride(self.layer_of(tap)?))
    }

    /// Height and width of an image `[c, h, w]`.
    pub(crate) fn size_of(&self, shape: &[usize]) -> Result<(usize, usize)> {
        match *shape {
            [c, h, w] if c == self.input.channels() => Ok((h, w)),
            _ => Err(ComputeError::Shape {
                what: "what a network reads",
                expected: vec![self.input.channels(), 0, 0],
                got: shape.to_vec(),
            }),
        }
    }

    /// Checks that a window lies in an image, and that every tap whose moments are asked sees something of it.
    pub(crate) fn check_window(
        &self,
        window: &Window,
        (h, w): (usize, usize),
        taps: &[TapRequest],
    ) -> Result<()> {
        let mut good = window.bottom() <= h && window.right() <= w;
        for request in taps.iter().filter(|tap| tap.moments || tap.replay) {
            let stride = self.stride(self.layer_of(request.tap)?);
            good &= window.at_stride(stride).pixels() > 0;
        }
        if good {
            return Ok(());
        }
        Err(ComputeError::Shape {
            what: "the window of a tile",
            expected: vec![h, w],
            got: vec![window.top, window.left, window.bottom(), window.right()],
        })
    }

    /// Pixels of the image from one place of a layer's result to the next.
    pub fn stride(&self, layer: usize) -> usize {
        let pools = self.layers.iter().take(layer + 1);
        1 << pools
            .filter(|layer| matches!(layer, Layer::Pool(_)))
            .count()
    }

    /// How far beyond a rectangle of the image, whose corners are multiples of the layer's stride, the image is looked
    /// at for a layer's result inside it: each convolution looks one place further.
    pub fn reach(&self, layer: usize) -> usize {
        let (mut stride, mut reach) = (1, 0);
        for layer in self.layers.iter().take(layer + 1) {
            match layer {
                Layer::Conv(_) => reach += stride,
                Layer::Relu => {}
                Layer::Pool(_) => stride *= 2,
            }
        }
        reach
    }

    /// Cuts a network in two behind a layer: the back reads what that layer makes.
    ///
    /// # Errors
    /// [`ComputeError::BadNetwork`] if nothing would be left behind the layer, or not a convolution first.
    pub fn split(&self, last: usize) -> Result<Halves> {
        if !matches!(self.layers.get(last + 1), Some(Layer::Conv(_))) {
            return Err(ComputeError::BadNetwork {
                layer: last,
                problem: "a network is cut in front of a convolution only".into(),
            });
        }
        let [channels, ..] = self.shape_at(Tap::Layer(last), usize::MAX, usize::MAX)?;
        let (front, back): (Vec<_>, Vec<_>) =
            (0..self.heads.len()).partition(|&head| self.heads[head].after <= last);
        let heads = |indices: &[usize], skipped: usize| {
            let heads = indices.iter().map(|&head| Head {
                after: self.heads[head].after - skipped,
                ..self.heads[head].clone()
            });
            heads.collect()
        };
        Ok(Halves {
            last,
            front: NetSpec {
                input: self.input,
                layers: self.layers[..=last].to_vec(),
                heads: heads(&front, 0),
            },
            back: NetSpec {
                input: Input::Features(channels),
                layers: self.layers[last + 1..].to_vec(),
                heads: heads(&back, last + 1),
            },
            heads: [front, back],
        })
    }
}

/// A network cut in two.
#[derive(Clone, Debug)]
pub struct Halves {
    /// The layer behind which it is cut.
    pub last: usize,
    /// Up to that layer.
    pub front: NetSpec,
    /// The rest.
    pub back: NetSpec,
    /// Which heads each half has, by their index in the whole.
    heads: [Vec<usize>; 2],
}

impl Halves {
    /// The tap of a half that is a tap of the whole network, and whether that half is the back.
    pub fn tap(&self, tap: Tap) -> Option<(bool, Tap)> {
        match tap {
            Tap::Layer(layer) if layer <= self.last => Some((false, tap)),
            Tap::Layer(layer) => Some((true, Tap::Layer(layer - self.last - 1))),
            Tap::Head(head) => [false, true].into_iter().find_map(|back| {
                let heads = &self.heads[usize::from(back)];
                let place = heads.iter().position(|&other| other == head)?;
                Some((back, Tap::Head(place)))
            }),
        }
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
