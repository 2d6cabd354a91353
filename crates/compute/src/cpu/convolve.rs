//! Convolutions of stages, forwards and backwards, over whole maps or some rows of them.

use super::convolution::not_a_convolution;
use super::filters::Direction;
use super::network::CpuNetwork;
use super::node::Room;
use super::patches::Source;
use super::results::{Bits, Mask, Target};
use super::shared::Shared;
use super::simd::Lanes;
use super::strip::Strip;
use super::winograd::Extent;
use crate::plan::{Behind, Operation};
use crate::{Padding, Result};

impl CpuNetwork {
    /// Runs a convolution and what is fused behind it, into where there is room for it.
    pub(super) fn convolve_into(
        &self,
        operation: Operation,
        source: Source<'_>,
        room: Room<'_>,
        extent: Extent,
        pixels: usize,
    ) -> Result<()> {
        let Operation::Conv { layer, behind } = operation else {
            return Err(not_a_convolution(0));
        };
        let convolution = self.convolution(layer)?;
        let bias = convolution.bias.as_slice();
        let (out, strip) = (Shared::new(room.map), room.strip);
        let bits = Bits {
            words: Shared::new(room.bits),
            strip: room.bits_strip,
        };
        let target = match behind {
            Behind::Nothing => Target::Linear {
                out,
                strip,
                bias: Some(bias),
                accumulate: false,
                mask: None,
            },
            Behind::Relu => Target::Relu {
                out,
                strip,
                bias,
                bits,
            },
            Behind::ReluPool { pool, factor } => Target::ReluPool {
                out,
                strip,
                bias,
                bits,
                pool,
                factor,
            },
        };
        let direction = Direction::Forward;
        convolution.run(&self.context, direction, pixels, source, target, extent)
    }

    /// Convolves a gradient back into some rows of that towards a map of `h×w` pixels; or, with a border, into those of
    /// the bordered map.
    pub(super) fn convolve_back(
        &self,
        back: Return<'_>,
        (out, strip): (&mut [Lanes], Strip),
        extent: Extent,
    ) -> Result<()> {
        let Return {
            operation,
            gradient,
            mask,
            accumulate,
            pixels,
        } = back;
        let Operation::Conv { layer, behind } = operation else {
            return Err(not_a_convolution(0));
        };
        let source = match (behind, gradient.bits) {
            (Behind::ReluPool { pool, factor }, Some(bits)) => Source::Unpooled {
                gradient: gradient.map,
                strip: gradient.strip,
                bits,
                scale: pool.share() * factor,
            },
            _ => Source::Map {
                data: gradient.map,
                strip: gradient.strip,
                padding: Padding::Zero,
            },
        };
        let target = Target::Linear {
            out: Shared::new(out),
            strip,
            bias: None,
            accumulate,
            mask: mask.filter(|_| extent.border == 0),
        };
        let convolution = self.convolution(layer)?;
        let direction = Direction::Backward;
        convolution.run(&self.context, direction, pixels, source, target, extent)
    }
}

/// The way back through a convolution.
pub(super) struct Return<'a> {
    /// What the stage that convolves does.
    pub(super) operation: Operation,
    /// The gradient towards its map.
    pub(super) gradient: Gradient<'a>,
    /// The ReLU mask of the map that it reads.
    pub(super) mask: Option<Mask<'a>>,
    /// Whether the result is added to what is there.
    pub(super) accumulate: bool,
    /// Pixels by which filters are kept.
    pub(super) pixels: usize,
}

/// A gradient, and the bits of the map towards which it is.
pub(super) struct Gradient<'a> {
    pub(super) map: &'a [Lanes],
    pub(super) strip: Strip,
    pub(super) bits: Option<Mask<'a>>,
}
