//! Total variation and its gradient, see [`TotalVariation`].

use super::array::{get, put};
use super::context::Context;
use super::kernel::{Kernel, Launch, Param, reads, writes};
use super::scalar::{self, CHUNK};
use crate::{ComputeError, Reduction, Result, Scalar, Tensor, TotalVariation};
use std::sync::Arc;

const VARIATION: Kernel = Kernel {
    name: "variation",
    file: include_str!("variation.wgsl"),
    operands: &[reads("x"), writes("gradient"), writes("partials")],
};

/// Value, and `k` times the gradient.
pub(super) fn total_variation(
    context: &Arc<Context>,
    image: &Tensor,
    kind: TotalVariation,
    reduction: Reduction,
    k: f32,
) -> Result<(Scalar, Tensor)> {
    let x = get(context, "total_variation", image)?;
    let &[c, h, w] = image.shape() else {
        return Err(ComputeError::Shape {
            what: "total_variation",
            expected: vec![3, 0, 0],
            got: image.shape().to_vec(),
        });
    };
    let gradient = context.pool.take(x.len())?;
    if image.is_empty() {
        return Ok((Scalar::Ready(0.0), put(gradient, image.shape())));
    }
    let nine = kind == TotalVariation::NinePoint;
    // The nine-point form counts the differences across the far border too, which are zero.
    let share = |weight: f64, pairs: usize| match reduction {
        Reduction::Sum => weight as f32,
        Reduction::Mean => (weight / (c * pairs).max(1) as f64) as f32,
    };
    let straight = if nine { 2.0 / 3.0 } else { 1.0 };
    let right = share(straight, if nine { h * w } else { h * (w - 1) });
    let down = share(straight, if nine { h * w } else { (h - 1) * w });
    let diagonal = share(1.0 / 6.0, (h + 1) * (w + 1));
    let code = match kind {
        TotalVariation::L1 => 0,
        TotalVariation::L2 => 1,
        TotalVariation::NinePoint => 2,
    };
    let groups = x.len().div_ceil(CHUNK);
    let partials = context.pool.take(groups)?;
    context.run(&Launch {
        kernel: &VARIATION,
        constants: &[("KIND", code)],
        more: None,
        operands: &[Some(x), Some(&gradient), Some(&partials)],
        params: &[
            Param::U(x.len()),
            Param::U(groups),
            Param::U(h),
            Param::U(w),
            Param::F(right),
            Param::F(down),
            Param::F(diagonal),
            Param::F(k),
        ],
        groups,
        batches: 1,
    })?;
    let value = scalar::total(context, &scalar::TOTAL, &partials)?;
    Ok((value, put(gradient, image.shape())))
}
