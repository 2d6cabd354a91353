//! Products of some vectors with many, by the matrix kernel, some rows with some panels at a time: what is done with them is done
//! while they lie in the cache.

use super::Context;
use super::chunks::each;
use super::kernel::{Panels, Rows, product};
use super::shared::Shared;
use super::simd::{LANES, Lanes, with_simd};
use crate::Nearest;
use crate::device::Running;

/// Rows of a product that are computed at a time, a multiple of the kernel's height.
pub(super) const ROWS: usize = 56;
/// Panels of 16 candidates that are computed at a time.
pub(super) const PANELS: usize = 8;

/// Rows `[m, c]` as the columns of a product, `[m/16][c, to a multiple of 16][16]`, filled up with zeros.
pub(super) fn panels(context: &Context, rows: &[f32], c: usize) -> Vec<Lanes> {
    let depth = c.next_multiple_of(LANES);
    let count = (rows.len() / c).div_ceil(LANES);
    let mut packed = vec![[0.0; LANES]; count * depth];
    let shared = Shared::new(&mut packed);
    let pieces = (0..count).zip(rows.chunks(LANES * c)).collect();
    each(context, pieces, |(panel, rows): (usize, &[f32])| {
        // SAFETY: a panel belongs to one task.
        let out = unsafe { shared.part(panel * depth, depth) };
        for (lane, row) in rows.chunks_exact(c).enumerate() {
            out.iter_mut()
                .zip(row)
                .for_each(|(out, &value)| out[lane] = value);
        }
    });
    packed
}

/// Some rows, packed, and their products with some columns.
pub(super) struct Products {
    rows: Vec<Lanes>,
    count: usize,
    pub(super) depth: usize,
    out: Vec<Lanes>,
}

impl Products {
    pub(super) fn new(rows: &[f32], c: usize) -> Self {
        let (count, depth) = (rows.len() / c, c.next_multiple_of(LANES));
        let mut packed = vec![[0.0; LANES]; count * depth / LANES];
        for (row, values) in rows.chunks_exact(c).enumerate() {
            for (block, values) in values.chunks(LANES).enumerate() {
                packed[block * count + row][..values.len()].copy_from_slice(values);
            }
        }
        Self {
            rows: packed,
            count,
            depth,
            out: vec![[0.0; LANES]; count * PANELS],
        }
    }

    /// Computes the products with some packed columns.
    pub(super) fn with(&mut self, context: &Context, columns: &[Lanes]) {
        let rows = Rows {
            data: &self.rows,
            stride: self.count,
            count: self.count,
        };
        let (columns, out, stride) = (
            Panels::dense(columns, self.depth),
            &mut self.out,
            self.count,
        );
        with_simd!(context.token, simd => product(simd, rows, columns, out, stride));
    }

    pub(super) fn at(&self, panel: usize, row: usize) -> &Lanes {
        &self.out[panel * self.count + row]
    }

    /// Gives the products of a row to what is greatest of the columns from `start` on.
    #[inline(always)]
    pub(super) fn give(&self, row: usize, index: usize, start: usize, to: &mut Nearest) {
        let (indices, products) = (&mut to.indices[start..], &mut to.products[start..]);
        let slots = indices.chunks_mut(LANES).zip(products.chunks_mut(LANES));
        for (panel, (indices, products)) in slots.enumerate().take(PANELS) {
            let here = products.iter_mut().zip(indices).zip(self.at(panel, row));
            for ((greatest, slot), &product) in here {
                let is_greater = product > *greatest;
                *greatest = if is_greater { product } else { *greatest };
                *slot = if is_greater { index as u32 } else { *slot };
            }
        }
    }

    /// Takes the products of a row in, of candidates from `start` on, of which there are `m`.
    #[inline(always)]
    pub(super) fn take_in(&self, row: usize, start: usize, m: usize, mut running: Running<'_>) {
        for panel in 0..PANELS {
            let first = start + panel * LANES;
            if first >= m {
                break;
            }
            let products = self.at(panel, row);
            let mut least = running.least();
            // Once some are known, few are greater.
            if !products
                .iter()
                .fold(false, |any, product| any | (*product > least))
            {
                continue;
            }
            for (index, &product) in (first..m).zip(products) {
                if product > least {
                    running.insert(index as u32, product);
                    least = running.least();
                }
            }
        }
    }
}
