//! What happens between convolutions where it is not fused into them: ReLU, pools, masks, and padding.

use super::context::Context;
use super::kernel::{Kernel, Launch, Param, reads, reads_bits, writes, writes_bits};
use super::memory::Array;
use super::network::Shape;
use super::vector::GROUP;
use crate::{InputNorm, Padding, Pool, PoolKind, Result};

const FILE: &str = include_str!("pointwise.wgsl");
const PREPARE: Kernel = Kernel {
    name: "prepare",
    file: FILE,
    operands: &[reads("x"), writes("out")],
};
const RELU: Kernel = Kernel {
    name: "relu",
    file: FILE,
    operands: &[reads("x"), writes("out"), writes_bits("bits")],
};
const MASK: Kernel = Kernel {
    name: "mask",
    file: FILE,
    operands: &[writes("out"), reads_bits("mask")],
};
const POOL: Kernel = Kernel {
    name: "pool",
    file: FILE,
    operands: &[reads("x"), writes("out"), writes_bits("bits")],
};
const UNPOOL: Kernel = Kernel {
    name: "unpool",
    file: FILE,
    operands: &[
        reads("gradient"),
        reads_bits("bits"),
        reads("x"),
        writes("out"),
    ],
};
const FOLD: Kernel = Kernel {
    name: "fold",
    file: FILE,
    operands: &[reads("bordered"), writes("out"), reads_bits("mask")],
};

/// What a pool needs to remember.
#[derive(Clone, Copy, Debug)]
pub(super) struct PoolMemory<'a> {
    /// Places of maxima.
    pub(super) bits: Option<&'a Array>,
    /// The map before an L2 pool.
    pub(super) map: Option<&'a Array>,
}

fn kind(kind: PoolKind) -> u32 {
    match kind {
        PoolKind::Max => 0,
        PoolKind::Average => 1,
        PoolKind::L2 => 2,
    }
}

pub(super) fn padding(padding: Padding) -> u32 {
    match padding {
        Padding::Zero => 0,
        Padding::Replicate => 1,
        Padding::Reflect => 2,
    }
}

/// Runs a kernel that takes one item at a time.
fn each(
    context: &Context,
    kernel: &Kernel,
    constants: &[(&'static str, u32)],
    items: usize,
    operands: &[Option<&Array>],
    params: &[Param],
) -> Result<()> {
    context.run(&Launch {
        kernel,
        constants,
        more: None,
        operands,
        params,
        groups: items.div_ceil(GROUP),
        batches: 1,
    })
}

/// `(x − mean)·scale` of an image.
pub(super) fn prepare(
    context: &Context,
    norm: &InputNorm,
    size: Shape,
    x: &Array,
    out: &Array,
) -> Result<()> {
    let mut params = vec![Param::U(3 * size.area()), Param::U(size.area())];
    params.extend(norm.mean.map(Param::F));
    params.extend(norm.scale.map(Param::F));
    let operands = [Some(x), Some(out)];
    each(context, &PREPARE, &[], 3 * size.area(), &operands, &params)
}

pub(super) fn relu(
    context: &Context,
    size: Shape,
    x: &Array,
    out: &Array,
    bits: &Array,
) -> Result<()> {
    let words = size.words();
    let params = [words, size.channels, size.area()].map(Param::U);
    let operands = [Some(x), Some(out), Some(bits)];
    each(context, &RELU, &[], words, &operands, &params)
}

/// Zeroes where the mask has no bit.
pub(super) fn mask(context: &Context, size: Shape, out: &Array, mask: &Array) -> Result<()> {
    let words = size.words();
    let params = [words, size.channels, size.area()].map(Param::U);
    each(
        context,
        &MASK,
        &[],
        words,
        &[Some(out), Some(mask)],
        &params,
    )
}

/// Pools a map of some size.
pub(super) fn pool(
    context: &Context,
    pool: &Pool,
    size: Shape,
    x: &Array,
    out: &Array,
    bits: Option<&Array>,
) -> Result<()> {
    let words = size.pooled_words();
    let params = [
        Param::U(words),
        Param::U(size.channels),
        Param::U(size.h),
        Param::U(size.w),
        Param::F(pool.factor),
    ];
    let constants = [("KIND", kind(pool.kind))];
    let operands = [Some(x), Some(out), bits];
    each(context, &POOL, &constants, words, &operands, &params)
}

/// The gradient towards a map of some size from that behind its pool.
pub(super) fn unpool(
    context: &Context,
    pool: &Pool,
    size: Shape,
    gradient: &Array,
    memory: PoolMemory<'_>,
    out: &Array,
) -> Result<()> {
    let params = [
        Param::U(size.len()),
        Param::U(size.h),
        Param::U(size.w),
        Param::F(pool.factor),
    ];
    let constants = [("KIND", kind(pool.kind))];
    let operands = [Some(gradient), memory.bits, memory.map, Some(out)];
    each(context, &UNPOOL, &constants, size.len(), &operands, &params)
}

/// The gradient towards a map of some size from that towards its padded form.
pub(super) fn fold(
    context: &Context,
    how: Padding,
    size: Shape,
    bordered: &Array,
    out: &Array,
    add: bool,
    mask: Option<&Array>,
) -> Result<()> {
    let constants = [
        ("PADDING", padding(how)),
        ("ADD", u32::from(add)),
        ("MASK", u32::from(mask.is_some())),
    ];
    let params = [size.len(), size.h, size.w].map(Param::U);
    let operands = [Some(bordered), Some(out), mask];
    each(context, &FOLD, &constants, size.len(), &operands, &params)
}
