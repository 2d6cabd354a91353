//! Inverses of triangular matrices.
//!
//! By halves: the inverse of `[A 0; B C]` is `[A⁻¹ 0; −C⁻¹·B·A⁻¹ C⁻¹]`, products of matrices.

use super::Context;
use super::kernel::{Panels, Rows, product};
use super::simd::{LANES, Lanes, with_simd};
use super::square::{Square, in_panels};
use std::ops::Range;

/// Blocks up to which halves are inverted one after the other.
const PARALLEL_BLOCKS: usize = 4;

/// Inverts the diagonal blocks of a lower triangular matrix; `inverse` are their panels, zero above the diagonal.
pub(super) fn invert(
    context: &Context,
    lower: &Square,
    inverse: &mut [Lanes],
    blocks: Range<usize>,
    scratch: &mut [Lanes],
) {
    if blocks.is_empty() {
        return;
    }
    if blocks.len() == 1 {
        let block = invert_block(lower, blocks.start);
        inverse[blocks.start * LANES..][..LANES].copy_from_slice(&block);
        return;
    }
    let side = lower.side();
    let mid = blocks.start.midpoint(blocks.end);
    let (left, right) = inverse.split_at_mut((mid - blocks.start) * side);
    let half = scratch.len() / 2;
    let (scratch_left, scratch_right) = scratch.split_at_mut(half);
    let mut first = || invert(context, lower, left, blocks.start..mid, scratch_left);
    let mut second = || invert(context, lower, right, mid..blocks.end, scratch_right);
    if blocks.len() <= PARALLEL_BLOCKS {
        first();
        second();
    } else {
        rayon::join(first, second);
    }
    let rows = (blocks.end - mid) * LANES;
    let size = blocks.len() * LANES;
    let between = &mut scratch[..(mid - blocks.start) * rows];
    // B·A⁻¹, with its sign changed.
    in_panels(size, between, rows, |panels, out| {
        let v = Rows {
            data: &lower.lanes()[blocks.start * side + mid * LANES..],
            stride: side,
            count: rows,
        };
        let u = Panels {
            data: &left[panels.start * side + blocks.start * LANES..],
            stride: side,
            count: panels.len(),
            depth: (mid - blocks.start) * LANES,
        };
        with_simd!(context.token, simd => product(simd, v, u, out, rows));
        out.as_flattened_mut().iter_mut().for_each(|v| *v = -*v);
    });
    // C⁻¹ times that.
    in_panels(size, left, side, |panels, out| {
        let v = Rows {
            data: &right[mid * LANES..],
            stride: side,
            count: rows,
        };
        let u = Panels {
            data: &between[panels.start * rows..],
            stride: rows,
            count: panels.len(),
            depth: rows,
        };
        with_simd!(context.token, simd => product(simd, v, u, &mut out[mid * LANES..], side));
    });
}

/// The inverse of one block on the diagonal, by columns; where the diagonal is zero, which is where the matrix is
/// filled up, so is the inverse.
fn invert_block(lower: &Square, index: usize) -> [Lanes; LANES] {
    let block = lower.block(index, index);
    let mut inverse = [[0.0; LANES]; LANES];
    for i in 0..LANES {
        if block[i][i] == 0.0 {
            continue;
        }
        let mut row = [0.0; LANES];
        row[i] = 1.0;
        for k in 0..i {
            for j in 0..=k {
                row[j] -= block[i][k] * inverse[k][j];
            }
        }
        inverse[i] = row.map(|v| v / block[i][i]);
    }
    inverse
}
