//! What is summed: moments of channels, and rows of matrices.

use super::super::context::Context;
use super::super::kernel::{Kernel, Launch, Param, reads, writes};
use super::super::memory::Array;
use super::activation::Behind;
use crate::Result;
use crate::graph::Variance;

const FILE: &str = concat!(
    include_str!("activation.wgsl"),
    include_str!("reductions.wgsl")
);
const CHUNK_MOMENTS: Kernel = Kernel {
    name: "chunk_moments",
    // Nothing is done behind it.
    file: include_str!("reductions.wgsl"),
    operands: &[reads("x"), writes("moments")],
};
const CHANNEL_MOMENTS: Kernel = Kernel {
    name: "channel_moments",
    file: FILE,
    operands: &[
        reads("moments"),
        reads("scale"),
        reads("shift"),
        writes("out"),
    ],
};
const LINEAR: Kernel = Kernel {
    name: "graph_linear",
    file: FILE,
    operands: &[reads("weight"), reads("bias"), reads("x"), writes("out")],
};
/// Places of a chunk.
const CHUNK: usize = 4096;

/// Channels, and places of each.
pub(super) type Extent = (usize, usize);

/// Mean and squares around it of every chunk of a map.
pub(super) fn moments(context: &Context, (channels, places): Extent, x: &Array) -> Result<Array> {
    let chunks = places.div_ceil(CHUNK);
    let groups = channels * chunks;
    let moments = context.pool.take(2 * groups)?;
    context.run(&Launch {
        kernel: &CHUNK_MOMENTS,
        constants: &[],
        more: None,
        operands: &[Some(x), Some(&moments)],
        params: &[groups, chunks, places].map(Param::U),
        groups,
        batches: 1,
    })?;
    Ok(moments)
}

/// What is made of a map's moments.
#[derive(Clone, Copy, Debug)]
pub(super) enum Want<'a> {
    Mean,
    Deviation,
    /// Mean, factor and shift of a norm, next to each other for each channel; with scale and shift behind it, if there are.
    Norm(Option<[&'a Array; 2]>),
}

/// A statistic of each channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Statistic<'a> {
    pub(super) want: Want<'a>,
    pub(super) variance: Variance,
    pub(super) epsilon: f32,
}

impl Statistic<'_> {
    /// Takes it from the moments of a map's chunks.
    pub(super) fn run(
        &self,
        context: &Context,
        behind: Behind,
        (channels, places): Extent,
        moments: &Array,
    ) -> Result<Array> {
        let (want, width, affine) = match self.want {
            Want::Mean => (0, 1, None),
            Want::Deviation => (1, 1, None),
            Want::Norm(affine) => (2, 3, affine),
        };
        let divisor = match self.variance {
            Variance::Biased => places,
            Variance::Unbiased => (places - 1).max(1),
        };
        let out = context.pool.take(width * channels)?;
        let mut params = [channels, places.div_ceil(CHUNK), places]
            .map(Param::U)
            .to_vec();
        params.extend([divisor as f32, self.epsilon].map(Param::F));
        params.extend(behind.params());
        context.run(&Launch {
            kernel: &CHANNEL_MOMENTS,
            constants: &[("WANT", want), ("AFFINE", u32::from(affine.is_some()))],
            more: None,
            operands: &[
                Some(moments),
                affine.map(|[scale, _]| scale),
                affine.map(|[_, shift]| shift),
                Some(&out),
            ],
            params: &params,
            groups: channels,
            batches: 1,
        })?;
        Ok(out)
    }
}

/// `W·x + b`, of rows and columns.
pub(super) fn linear(
    context: &Context,
    behind: Behind,
    (rows, columns): (usize, usize),
    [weight, bias]: [&Array; 2],
    x: &Array,
) -> Result<Array> {
    let out = context.pool.take(rows)?;
    let mut params = [rows, columns].map(Param::U).to_vec();
    params.extend(behind.params());
    context.run(&Launch {
        kernel: &LINEAR,
        constants: &[],
        more: None,
        operands: &[Some(weight), Some(bias), Some(x), Some(&out)],
        params: &params,
        groups: rows,
        batches: 1,
    })?;
    Ok(out)
}
