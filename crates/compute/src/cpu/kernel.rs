//! The matrix product that everything heavy is made of: `O = V·U` over blocks of 16 channels.
//!
//! ```text
//! V [k/16][rows][16]    tiles or pixels, a blocked map          v
//! U [n/16][k][16]       filters, in panels of 16 columns        u
//! O [n/16][rows][16]    a blocked map again
//! ```
//!
//! One call of the micro-kernel holds [`Isa::ROWS`]×[`Isa::COLUMNS`] vectors of `O` in registers and runs along `k`:
//! one load per column and one broadcast per row feed `ROWS·COLUMNS` multiply-adds, and nothing is stored until the
//! end. Every element of `O` is one chain of multiply-adds in the order of `k`, however the rows are grouped, so
//! results do not depend on how the work is split.

use super::simd::{Isa, LANES, Lanes};
use fearless_simd::prelude::*;

/// Rows of a blocked matrix: `[blocks][stride][16]`, of which the rows from the start of the slice are meant.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a [Lanes],
    /// Distance between two blocks of channels.
    pub(super) stride: usize,
    /// How many rows.
    pub(super) count: usize,
}

/// Columns of a matrix: `[panels][stride][16]`, of which the rows from the start of the slice are meant.
#[derive(Clone, Copy)]
pub(super) struct Panels<'a> {
    pub(super) data: &'a [Lanes],
    /// Distance between two panels.
    pub(super) stride: usize,
    /// How many panels.
    pub(super) count: usize,
    /// How many rows: a multiple of 16.
    pub(super) depth: usize,
}

impl<'a> Panels<'a> {
    /// Panels of `depth` rows, one after the other.
    pub(super) fn dense(data: &'a [Lanes], depth: usize) -> Self {
        Self {
            data,
            stride: depth,
            count: data.len() / depth,
            depth,
        }
    }

    /// The rows of one panel.
    #[inline(always)]
    fn panel(&self, index: usize) -> &'a [Lanes] {
        &self.data[index * self.stride..][..self.depth]
    }
}

/// `out = v·u` for the columns of all panels in `u`; `out` is `[panels][out_stride][16]`.
#[inline(always)]
pub(super) fn product<S: Isa>(
    simd: S,
    v: Rows<'_>,
    u: Panels<'_>,
    out: &mut [Lanes],
    out_stride: usize,
) {
    let at_once = S::COLUMNS * S::f32s::LEN / LANES;
    let panels = u.count;
    let mut panel = 0;
    while panel < panels {
        let take = at_once.min(panels - panel);
        let u = Panels {
            data: &u.data[panel * u.stride..],
            count: take,
            ..u
        };
        let out = &mut out[panel * out_stride..];
        // Groups of rows as equal as possible: 15 rows are 8 + 7, not 14 + 1.
        let groups = v.count.div_ceil(S::ROWS);
        let mut row = 0;
        for group in 0..groups {
            let rows = (v.count - row).div_ceil(groups - group);
            let v = Rows {
                data: &v.data[row..],
                stride: v.stride,
                count: rows,
            };
            let out = &mut out[row..];
            if at_once == 1 || take == at_once {
                any_rows::<S, false>(simd, v, u, out, out_stride);
            } else {
                any_rows::<S, true>(simd, v, u, out, out_stride);
            }
            row += rows;
        }
        panel += take;
    }
}

/// Calls the micro-kernel for `v.count` rows; `SINGLE` for one panel where the full width is two.
#[inline(always)]
fn any_rows<S: Isa, const SINGLE: bool>(
    simd: S,
    v: Rows<'_>,
    u: Panels<'_>,
    out: &mut [Lanes],
    out_stride: usize,
) {
    macro_rules! choose {
        ($($rows:literal)*) => {
            match v.count {
                $($rows if $rows <= S::ROWS => match (S::COLUMNS, SINGLE) {
                    (2, false) => micro::<S, $rows, 2>(simd, v, u, out, out_stride),
                    (2, true) => micro::<S, $rows, 1>(simd, v, u, out, out_stride),
                    _ => micro::<S, $rows, 4>(simd, v, u, out, out_stride),
                },)*
                _ => {}
            }
        };
    }
    choose!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
}

/// `R` rows times `C` vectors of columns, held in registers.
#[inline(always)]
fn micro<S: Isa, const R: usize, const C: usize>(
    simd: S,
    v: Rows<'_>,
    u: Panels<'_>,
    out: &mut [Lanes],
    out_stride: usize,
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let len = S::f32s::LEN;
            // Where there is one panel only, it is the second too, which is never read.
            let pair = [u.panel(0), u.panel(u.count - 1)].map(|panel| panel.as_chunks::<LANES>().0);
            let mut sums = [[S::f32s::splat(simd, 0.0); C]; R];
            for (block, (u0, u1)) in pair[0].iter().zip(pair[1]).enumerate() {
                let rows: &[Lanes; R] = match v.data[block * v.stride..].first_chunk() {
                    Some(rows) => rows,
                    None => return,
                };
                for k in 0..LANES {
                    let mut columns = [S::f32s::splat(simd, 0.0); C];
                    for c in 0..C {
                        let panel = if c * len < LANES { &u0[k] } else { &u1[k] };
                        columns[c] = S::f32s::from_slice(simd, &panel[c * len % LANES..][..len]);
                    }
                    for r in 0..R {
                        let value = S::f32s::splat(simd, rows[r][k]);
                        for c in 0..C {
                            sums[r][c] = value.mul_add(columns[c], sums[r][c]);
                        }
                    }
                }
            }
            for c in 0..C {
                let (panel, lane) = (c * len / LANES, c * len % LANES);
                let rows = &mut out[panel * out_stride..][..R];
                for r in 0..R {
                    sums[r][c].store_slice(&mut rows[r][lane..][..len]);
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::simd::{Level, Token, with_simd};

    #[test]
    fn products_are_right_for_every_level_and_shape() {
        for token in Level::ALL.into_iter().filter_map(Token::new) {
            for (rows, depth, panels) in [
                (1, 16, 1),
                (2, 32, 2),
                (13, 16, 3),
                (29, 48, 5),
                (14, 16, 2),
            ] {
                let stride = rows + 3;
                let value = |i: usize| ((i * 37 + 11) % 17) as f32 - 8.0;
                let mut v = vec![[0.0; LANES]; depth / LANES * stride];
                let u_stride = depth + panels;
                let mut u = vec![[0.0; LANES]; panels * u_stride];
                v.as_flattened_mut()
                    .iter_mut()
                    .enumerate()
                    .for_each(|(i, v)| *v = value(i));
                u.as_flattened_mut()
                    .iter_mut()
                    .enumerate()
                    .for_each(|(i, u)| *u = value(i + 5));
                let out_stride = rows + 1;
                let mut out = vec![[f32::NAN; LANES]; panels * out_stride];
                let all = Rows {
                    data: &v,
                    stride,
                    count: rows,
                };
                let columns = Panels {
                    data: &u,
                    stride: u_stride,
                    count: panels,
                    depth,
                };
                with_simd!(token, simd => product(simd, all, columns, &mut out, out_stride));
                for row in 0..rows {
                    for n in 0..panels * LANES {
                        // Small integers: every order of summation is exact.
                        let expected: f32 = (0..depth)
                            .map(|k| {
                                v[k / LANES * stride + row][k % LANES]
                                    * u[n / LANES * u_stride + k][n % LANES]
                            })
                            .sum();
                        let got = out[n / LANES * out_stride + row][n % LANES];
                        assert_eq!(
                            got, expected,
                            "{token:?} {rows}×{depth}×{panels} at {row}, {n}"
                        );
                    }
                }
            }
        }
    }
}
