//! Convolutions of stages, forwards and backwards, over whole maps or some rows of them.

use super::convolution::not_a_convolution;
use super::filters::Direction;
use super::fold;
use super::network::CpuNetwork;
use super::patches::Source;
use super::results::{Bits, Linear, Mask, Pooled, Rectified, Target};
use super::shared::Shared;
use super::simd::{LANES, Lanes};
use super::strip::Strip;
use super::sweep::Room;
use super::winograd::Extent;
use crate::plan::{Behind, Operation};
use crate::{Padding, Result};
use std::ops::Range;

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
            Behind::Nothing => Target::Linear(Linear {
                out,
                strip,
                bias: Some(bias),
                accumulate: false,
                mask: None,
            }),
            Behind::Relu => Target::Relu(Rectified {
                out,
                strip,
                bias,
                bits,
            }),
            Behind::ReluPool { pool, factor } => Target::ReluPool(Pooled {
                out,
                strip,
                bias,
                bits,
                pool,
                factor,
            }),
        };
        let direction = Direction::Forward;
        convolution.run(&self.context, direction, pixels, source, target, extent)
    }

    /// Convolves a gradient back into some rows of that towards a map. Where the border of the map is not zero, all rows
    /// are made at once.
    pub(super) fn convolve_back(
        &self,
        back: Return<'_>,
        (out, strip): (&mut [Lanes], Strip),
        rows: Range<usize>,
    ) -> Result<()> {
        let Operation::Conv { layer, .. } = back.operation else {
            return Err(not_a_convolution(0));
        };
        let size = strip.size();
        let padding = self.convolution(layer)?.spec.padding;
        if padding == Padding::Zero {
            let extent = Extent {
                rows,
                ..Extent::whole(size)
            };
            return self.convolve_gradient(&back, (out, strip), extent);
        }
        let around = size.bordered();
        let blocks = out.len() / size.pixels();
        let mut bordered = self.context.pool.take(blocks * around.pixels() * LANES)?;
        let extent = Extent {
            border: 1,
            ..Extent::whole(around)
        };
        let alone = Return {
            mask: None,
            accumulate: false,
            ..back
        };
        let to = (bordered.lanes_mut(), Strip::whole(around));
        self.convolve_gradient(&alone, to, extent)?;
        fold::fold(
            &self.context,
            padding,
            bordered.lanes(),
            size,
            out,
            back.accumulate,
            back.mask.map(|mask| mask.words),
        );
        Ok(())
    }

    /// Convolves a gradient back into some rows of that towards a map; or, with a border, into that towards the bordered
    /// map.
    fn convolve_gradient(
        &self,
        back: &Return<'_>,
        (out, strip): (&mut [Lanes], Strip),
        extent: Extent,
    ) -> Result<()> {
        let Return {
            operation,
            gradient,
            mask,
            accumulate,
            pixels,
        } = *back;
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
        let target = Target::Linear(Linear {
            out: Shared::new(out),
            strip,
            bias: None,
            accumulate,
            mask,
        });
        let convolution = self.convolution(layer)?;
        let direction = Direction::Backward;
        convolution.run(&self.context, direction, pixels, source, target, extent)
    }
}

/// The way back through a convolution.
#[derive(Clone, Copy)]
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
#[derive(Clone, Copy)]
pub(super) struct Gradient<'a> {
    pub(super) map: &'a [Lanes],
    pub(super) strip: Strip,
    pub(super) bits: Option<Mask<'a>>,
}
