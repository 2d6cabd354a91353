//! The operations of graphs: what each computes, what it reads, and what it makes of it.

use super::shape::{Kind, Shape};
use crate::{Padding, Size};
use std::sync::Arc;

/// One operation. What it reads is said in brackets, in the order of a [`Node`](super::Node)'s inputs.
///
/// Whoever matches it names every kind: a new one is to be thought of everywhere.
#[derive(Clone, Debug)]
pub enum Op {
    /// `[map]` A convolution.
    Convolution(Convolution),
    /// `[map]` The transpose of a convolution.
    TransposedConvolution(TransposedConvolution),
    /// `[map]` Twice as high and wide.
    Upsample(Upsampling),
    /// `[map]` Greatest or mean values of neighbourhoods.
    Pool(Pooling),
    /// `[map]` So many more places on each side, continued beyond the border.
    Pad {
        /// Places on each side.
        amount: usize,
        /// With what.
        padding: Padding,
    },
    /// `[map]` So many places less on each side.
    Crop {
        /// Places on each side.
        amount: usize,
    },
    /// `[map]`, or `[map, scale, shift]` with [`Affine::Given`]: `(x − μ) / √(σ² + ε) · scale + shift`, channel by channel
    /// (Ulyanov, Vedaldi and Lempitsky 2016, arXiv 1607.08022).
    InstanceNorm(InstanceNorm),
    /// `[map]` The mean of each channel, a vector.
    ChannelMean,
    /// `[map]` The standard deviation `√(σ² + ε)` of each channel, a vector.
    ChannelDeviation {
        /// Added to the variance.
        epsilon: f32,
        /// Which variance.
        variance: Variance,
    },
    /// `[vector]` `W·x + b`.
    Linear(Linear),
    /// `[map]` or `[vector]` `x · scale + shift`, channel by channel, by fixed numbers.
    Scale(Scaling),
    /// `[map or vector]` A function of each number by itself.
    Activation(Activation),
    /// `[a, b]` The sum of two values of the same shape, or of a map and a vector, one number for each channel.
    Add,
    /// `[a, b]` The product of two values of the same shape, or of a map and a vector, one number for each channel.
    Multiply,
    /// `[a, b, t]` `a + t·(b − a)`, with a vector `t` of a single number.
    Mix,
    /// `[map, map, …]` The channels of all, one after the other.
    Concat,
}

/// A convolution: a cross-correlation, as every framework means it.
#[derive(Clone, Debug)]
pub struct Convolution {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Groups of channels that do not see each other: `inputs` for a depthwise convolution, 1 for an ordinary one.
    pub groups: usize,
    /// Height and width of the filters, odd.
    pub kernel: [usize; 2],
    /// Places read from one place made to the next, each way.
    pub stride: usize,
    /// What lies beyond the border, and how much of it is read.
    pub border: Border,
    /// Filters `[out, in/groups, kernel[0], kernel[1]]`.
    pub weight: Arc<[f32]>,
    /// Bias `[out]`.
    pub bias: Arc<[f32]>,
}

/// The transpose of a convolution (of its linear part): every number that is read is spread over a square of
/// places, `y[s·i + t − before] += w[t] · x[i]`. What it makes is `stride` times as high and wide.
#[derive(Clone, Debug)]
pub struct TransposedConvolution {
    /// Channels in.
    pub inputs: usize,
    /// Channels out.
    pub outputs: usize,
    /// Side of the filters.
    pub kernel: usize,
    /// Places made from one place read to the next, each way.
    pub stride: usize,
    /// Places that are cut off at the top and on the left; at the bottom and on the right, as many as there are too many.
    pub before: usize,
    /// Filters `[in, out, k, k]`.
    pub weight: Arc<[f32]>,
    /// Bias `[out]`.
    pub bias: Arc<[f32]>,
}

/// How much of what lies beyond the border is read by filters of a side `k`, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Border {
    /// None: what is made is smaller, `⌊(n − k)/s⌋ + 1`.
    Valid,
    /// `⌊k/2⌋` places on each side: the filter of the first place made lies around the first place read. What is made has
    /// `⌈n/s⌉` places.
    Centred(Padding),
    /// As many places as the filters of `⌈n/s⌉` places need, half of them before, rounded down: TensorFlow's `SAME`.
    Same(Padding),
}

impl Border {
    /// Places made of `n`, by filters of a side `k` at a stride; 0 if there is not enough.
    pub fn places(self, n: usize, k: usize, stride: usize) -> usize {
        match self {
            Border::Valid => (n + 1).saturating_sub(k).div_ceil(stride),
            Border::Centred(_) | Border::Same(_) => n.div_ceil(stride),
        }
    }

    /// Places before the first one that the first filter reads.
    pub fn before(self, n: usize, k: usize, stride: usize) -> usize {
        match self {
            Border::Valid => 0,
            Border::Centred(_) => k / 2,
            Border::Same(_) => {
                let read = (n.div_ceil(stride).saturating_sub(1)) * stride + k;
                read.saturating_sub(n) / 2
            }
        }
    }

    /// What lies beyond the border.
    pub fn padding(self) -> Padding {
        match self {
            Border::Valid => Padding::Zero,
            Border::Centred(padding) | Border::Same(padding) => padding,
        }
    }
}

/// How a map becomes twice as high and wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Upsampling {
    /// Every place four times.
    Nearest,
    /// Between places, corners not aligned: place `i` lies at `(i + ½)/2 − ½` of what is read; the border is replicated.
    Bilinear,
}

/// Greatest or mean values of neighbourhoods. Places beyond the border are left out of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pooling {
    /// What it computes.
    pub kind: PoolingKind,
    /// Side of a neighbourhood.
    pub kernel: usize,
    /// Places read from one place made to the next, each way.
    pub stride: usize,
    /// Which neighbourhoods there are; what lies beyond the border is left out, whatever its padding.
    pub border: Border,
}

/// What a pool computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PoolingKind {
    /// The greatest.
    Max,
    /// The mean.
    Average,
}

/// Every channel brought to mean 0 and variance 1, then scaled and shifted.
#[derive(Clone, Debug)]
pub struct InstanceNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// Which variance.
    pub variance: Variance,
    /// What happens to it then.
    pub affine: Affine,
}

/// Which variance of `n` places.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variance {
    /// Squares summed, over `n`.
    Biased,
    /// Over `n − 1`; of a single place 0.
    Unbiased,
}

/// Scale and shift behind a norm.
#[derive(Clone, Debug)]
pub enum Affine {
    /// None.
    Plain,
    /// Fixed, `[c]` each.
    Fixed(Scaling),
    /// Read: two more inputs, vectors `[c]`.
    Given,
}

/// `x · scale + shift`, channel by channel.
#[derive(Clone, Debug)]
pub struct Scaling {
    /// Multiplied, `[c]`.
    pub scale: Arc<[f32]>,
    /// Added then, `[c]`.
    pub shift: Arc<[f32]>,
}

/// `W·x + b`.
#[derive(Clone, Debug)]
pub struct Linear {
    /// `W`, `[out, in]`.
    pub weight: Arc<[f32]>,
    /// `b`, `[out]`.
    pub bias: Arc<[f32]>,
}

/// A function of one number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `1 / (1 + e^−x)`.
    Sigmoid,
    /// `scale · tanh x + shift`.
    Tanh {
        /// Multiplied.
        scale: f32,
        /// Added then.
        shift: f32,
    },
    /// `min(max(x, low), high)`.
    Clamp {
        /// The least.
        low: f32,
        /// The greatest.
        high: f32,
    },
}

impl Op {
    /// What it is called.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Convolution(_) => "convolution",
            Op::TransposedConvolution(_) => "transposed convolution",
            Op::Upsample(_) => "upsample",
            Op::Pool(_) => "pool",
            Op::Pad { .. } => "pad",
            Op::Crop { .. } => "crop",
            Op::InstanceNorm(_) => "instance norm",
            Op::ChannelMean => "channel mean",
            Op::ChannelDeviation { .. } => "channel deviation",
            Op::Linear(_) => "linear",
            Op::Scale(_) => "scale",
            Op::Activation(_) => "activation",
            Op::Add => "add",
            Op::Multiply => "multiply",
            Op::Mix => "mix",
            Op::Concat => "concat",
        }
    }

    /// What it makes of kinds of values.
    ///
    /// # Errors
    /// A sentence for [`ComputeError::BadNetwork`](crate::ComputeError::BadNetwork), if they are not what it reads.
    pub(crate) fn kind(&self, reads: &[Kind]) -> Result<Kind, String> {
        let misfit = || {
            let reads: Vec<_> = reads.iter().map(Kind::to_string).collect();
            format!("it cannot read {}", reads.join(" and "))
        };
        let lengths = |what: &str, got: usize, expected: usize| match got == expected {
            true => Ok(()),
            false => Err(format!(
                "its {what} has {got} numbers instead of {expected}"
            )),
        };
        match (self, reads) {
            (Op::Convolution(op), &[Kind::Map(c)]) => {
                op.check()?;
                channels(op.inputs, c)?;
                Ok(Kind::Map(op.outputs))
            }
            (Op::TransposedConvolution(op), &[Kind::Map(c)]) => {
                op.check()?;
                channels(op.inputs, c)?;
                Ok(Kind::Map(op.outputs))
            }
            (Op::Pool(op), &[Kind::Map(c)]) if op.kernel > 0 && op.stride > 0 => Ok(Kind::Map(c)),
            (Op::Pool(_), &[Kind::Map(_)]) => Err("its kernel and stride must not be 0".into()),
            (Op::Upsample(_) | Op::Pad { .. } | Op::Crop { .. }, &[Kind::Map(c)]) => {
                Ok(Kind::Map(c))
            }
            (Op::InstanceNorm(op), _) => match (&op.affine, reads) {
                (Affine::Plain, &[Kind::Map(c)]) => Ok(Kind::Map(c)),
                (Affine::Fixed(fixed), &[Kind::Map(c)]) => {
                    fixed.check(c)?;
                    Ok(Kind::Map(c))
                }
                (Affine::Given, &[Kind::Map(c), Kind::Vector(a), Kind::Vector(b)])
                    if a == c && b == c =>
                {
                    Ok(Kind::Map(c))
                }
                _ => Err(misfit()),
            },
            (Op::ChannelMean | Op::ChannelDeviation { .. }, &[Kind::Map(c)]) => Ok(Kind::Vector(c)),
            (Op::Linear(op), &[Kind::Vector(n)]) => {
                lengths("matrix", op.weight.len(), n * op.bias.len())?;
                Ok(Kind::Vector(op.bias.len()))
            }
            (Op::Scale(op), &[kind]) => {
                op.check(kind.width())?;
                Ok(kind)
            }
            (Op::Activation(_), &[kind]) => Ok(kind),
            (Op::Add | Op::Multiply, &[a, b])
                if a == b || matches!((a, b), (Kind::Map(c), Kind::Vector(n)) if c == n) =>
            {
                Ok(a)
            }
            (Op::Mix, &[a, b, Kind::Vector(1)]) if a == b => Ok(a),
            (Op::Concat, [_, ..]) => {
                reads
                    .iter()
                    .try_fold(Kind::Map(0), |sum, kind| match (sum, kind) {
                        (Kind::Map(sum), Kind::Map(c)) => Ok(Kind::Map(sum + c)),
                        _ => Err(misfit()),
                    })
            }
            _ => Err(misfit()),
        }
    }

    /// The shape of what it makes of values of these shapes, whose kinds fit.
    ///
    /// # Errors
    /// A sentence, if sizes do not fit each other or nothing would be left.
    pub(crate) fn shape(&self, reads: &[Shape]) -> Result<Shape, String> {
        let kinds: Vec<_> = reads.iter().map(|shape| shape.kind()).collect();
        let channels = match self.kind(&kinds)? {
            Kind::Vector(n) => return Ok(Shape::Vector(n)),
            Kind::Map(channels) => channels,
        };
        let sizes: Vec<Size> = reads
            .iter()
            .filter_map(|shape| match shape {
                Shape::Map { size, .. } => Some(*size),
                Shape::Vector(_) => None,
            })
            .collect();
        let Some((&first, others)) = sizes.split_first() else {
            return Err("it reads no map".into());
        };
        if let Some(other) = others.iter().find(|&&other| other != first) {
            return Err(format!(
                "it reads maps of {}×{} and of {}×{} places",
                first.width, first.height, other.width, other.height
            ));
        }
        let Size { width, height } = first;
        let size = match self {
            Op::Convolution(op) => Size {
                width: op.border.places(width, op.kernel[1], op.stride),
                height: op.border.places(height, op.kernel[0], op.stride),
            },
            Op::Pool(op) => Size {
                width: op.border.places(width, op.kernel, op.stride),
                height: op.border.places(height, op.kernel, op.stride),
            },
            Op::TransposedConvolution(op) => Size {
                width: width * op.stride,
                height: height * op.stride,
            },
            Op::Upsample(_) => Size {
                width: 2 * width,
                height: 2 * height,
            },
            Op::Pad { amount, .. } => Size {
                width: width + 2 * amount,
                height: height + 2 * amount,
            },
            Op::Crop { amount } => Size {
                width: width.saturating_sub(2 * amount),
                height: height.saturating_sub(2 * amount),
            },
            Op::InstanceNorm(_)
            | Op::ChannelMean
            | Op::ChannelDeviation { .. }
            | Op::Linear(_)
            | Op::Scale(_)
            | Op::Activation(_)
            | Op::Add
            | Op::Multiply
            | Op::Mix
            | Op::Concat => first,
        };
        if size.width == 0 || size.height == 0 {
            return Err(format!("nothing is left of {width}×{height} places"));
        }
        Ok(Shape::Map { channels, size })
    }

    /// Products with weights at each place of what it makes; 0 for what has none.
    pub fn products(&self) -> usize {
        match self {
            Op::Convolution(op) => op.weight.len(),
            Op::TransposedConvolution(op) => op.weight.len() / (op.stride * op.stride).max(1),
            _ => 0,
        }
    }
}

impl Convolution {
    fn check(&self) -> Result<(), String> {
        let [h, w] = self.kernel;
        if h % 2 == 0 || w % 2 == 0 || self.stride == 0 {
            return Err(format!(
                "filters of {h}×{w} at a stride of {} cannot be: sides are odd, strides not 0",
                self.stride
            ));
        }
        let groups = self.groups;
        let divides = |n: usize| groups > 0 && n > 0 && n.is_multiple_of(groups);
        if !divides(self.inputs) || !divides(self.outputs) {
            return Err(format!(
                "{} and {} channels cannot be in {groups} groups",
                self.inputs, self.outputs
            ));
        }
        let filters = self.outputs * (self.inputs / groups) * h * w;
        numbers("filters", &self.weight, filters)?;
        numbers("bias", &self.bias, self.outputs)
    }
}

impl TransposedConvolution {
    fn check(&self) -> Result<(), String> {
        let (k, s) = (self.kernel, self.stride);
        if s == 0 || k < s || self.before > k - s {
            return Err(format!(
                "filters of {k}×{k} at a stride of {s}, {} places cut off, cannot be",
                self.before
            ));
        }
        numbers("filters", &self.weight, self.inputs * self.outputs * k * k)?;
        numbers("bias", &self.bias, self.outputs)
    }
}

impl Scaling {
    fn check(&self, channels: usize) -> Result<(), String> {
        numbers("scale", &self.scale, channels)?;
        numbers("shift", &self.shift, channels)
    }
}

fn channels(reads: usize, arrive: usize) -> Result<(), String> {
    match reads == arrive {
        true => Ok(()),
        false => Err(format!("it reads {reads} channels, but {arrive} arrive")),
    }
}

fn numbers(what: &str, got: &[f32], expected: usize) -> Result<(), String> {
    match got.len() == expected {
        true => Ok(()),
        false => Err(format!(
            "its {what} has {} numbers instead of {expected}",
            got.len()
        )),
    }
}
