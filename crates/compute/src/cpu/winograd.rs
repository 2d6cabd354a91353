//! 3×3 convolution of blocked maps by minimal filtering, with what surrounds it fused in.
//!
//! A map is `[⌈c/16⌉][h][w][16]`. The output is cut into tiles of `M×M` pixels (see [`tile`](super::tile)); the
//! tiles, counted in reading order, into runs of `t` tiles. A run passes through three stages:
//!
//! ```text
//! input map  ──1──▶  V [A²][in/16][t][16]   patches of A×A pixels, Bᵀ d B; borders by padding, un-pooling on the way
//!            ──2──▶  M [A²][out/16][t][16]  one matrix product per point: V[point]·U[point]
//!            ──3──▶  output map             Aᵀ m A, then bias, ReLU and pooling, or accumulation and ReLU mask
//! ```
//!
//! There are two ways to share this between threads, and the number of filters decides:
//!
//! * **Few channels** (filters of one point below [`SHARE_FILTERS`]): every run is one task for all three stages, and
//!   so short that `V` and `M` stay in the second-level cache of its core ([`RUN_BYTES`]). No barriers.
//! * **Many channels**: streaming the filters through the cache for every short run would cost more than the
//!   products. All threads work on one run of [`SHARED_RUN`] tiles, by blocks of input channels in stage 1, by points
//!   in stage 2 and by blocks of output channels in stage 3, so the filters are read once per run. Three barriers.
//!
//! Either way each result is computed by the same chain of operations, so the split never changes it.
//!
//! Where a ReLU follows, the output stage writes one bit per element (16 per pixel of a block) that says whether it
//! was positive; where a pool follows as well, the full-size map is never written, only the pooled map and four bits
//! per pooled element. The backward pass needs nothing else. Gradients of pools are spread by the input stage.

use super::Context;
use super::filters::Filters;
use super::kernel::{Panels, Rows, product};
use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes, with_simd};
use super::tile::{F2, F4, Tile};
use crate::cpu::Precision;
use crate::{Padding, Result};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// Filters of one point, in floats, from which on threads share a run.
const SHARE_FILTERS: usize = 120_000;
/// Size of `V` and `M` of a run that one task keeps to itself.
const RUN_BYTES: usize = 768 << 10;
/// Tiles of such a run, at least and at most.
const RUN_TILES: (usize, usize) = (14, 512);
/// Tiles of a run that threads share.
const SHARED_RUN: usize = 128;

/// What a convolution reads.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// A blocked map of `h×w` pixels, continued beyond its border.
    Map {
        data: &'a [Lanes],
        h: usize,
        w: usize,
        padding: Padding,
    },
    /// The gradient towards a pooled map of `h×w` pixels, spread over twice its size: `scale` times the value where
    /// the bit of the place is set, zero elsewhere.
    Unpooled {
        gradient: &'a [Lanes],
        /// `[⌈c/16⌉][h][w][4]`.
        bits: &'a [u16],
        h: usize,
        w: usize,
        scale: f32,
    },
}

/// Pools whose gradient needs no more than bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FusedPool {
    /// The greatest of four.
    Max,
    /// Their mean.
    Average,
}

/// What becomes of the result.
pub(super) enum Target<'a> {
    /// `out = mask ⊙ (result + bias + [out])`.
    Linear {
        out: &'a mut [Lanes],
        /// Bias of each block, if any.
        bias: Option<&'a [Lanes]>,
        /// Whether what `out` holds is added.
        accumulate: bool,
        /// One bit per element; where it is not set, the result is zero.
        mask: Option<&'a [u16]>,
    },
    /// `out = max(result + bias, 0)`, and where it is positive.
    Relu {
        out: &'a mut [Lanes],
        bias: &'a [Lanes],
        bits: &'a mut [u16],
    },
    /// The same, pooled: `[⌈c/16⌉][h/2][w/2]`, and which of each four the gradient goes to.
    ReluPool {
        out: &'a mut [Lanes],
        bias: &'a [Lanes],
        bits: &'a mut [u16],
        pool: FusedPool,
        factor: f32,
    },
}

/// The same, shared between threads.
enum Sink<'a> {
    Linear {
        out: Shared<'a, Lanes>,
        bias: Option<&'a [Lanes]>,
        accumulate: bool,
        mask: Option<&'a [u16]>,
    },
    Relu {
        out: Shared<'a, Lanes>,
        bias: &'a [Lanes],
        bits: Shared<'a, u16>,
    },
    ReluPool {
        out: Shared<'a, Lanes>,
        bias: &'a [Lanes],
        bits: Shared<'a, u16>,
        pool: FusedPool,
        factor: f32,
    },
}

/// The pixels of the result.
#[derive(Clone, Copy)]
pub(super) struct Extent {
    pub(super) h: usize,
    pub(super) w: usize,
    /// Pixels of border included in `h` and `w` on each side: result (0, 0) belongs to input (−border, −border).
    pub(super) border: usize,
}

/// Convolves with tiles of the size that the precision asks for.
pub(super) fn convolve(
    context: &Context,
    filters: &Filters,
    source: Source<'_>,
    target: Target<'_>,
    extent: Extent,
) -> Result<()> {
    match context.precision {
        Precision::Strict => Run::<2, 4, F2>::new(context, filters, source, target, extent).all(),
        Precision::Standard | Precision::Bf16 => {
            Run::<4, 6, F4>::new(context, filters, source, target, extent).all()
        }
    }
}

/// One convolution.
struct Run<'a, const M: usize, const A: usize, W: Tile<M, A>> {
    context: &'a Context,
    filters: &'a Filters,
    source: Source<'a>,
    sink: Sink<'a>,
    extent: Extent,
    /// Tiles in a row of tiles.
    across: usize,
    tile: std::marker::PhantomData<W>,
}

impl<'a, const M: usize, const A: usize, W: Tile<M, A>> Run<'a, M, A, W> {
    const POINTS: usize = A * A;

    fn new(
        context: &'a Context,
        filters: &'a Filters,
        source: Source<'a>,
        target: Target<'a>,
        extent: Extent,
    ) -> Self {
        let sink = match target {
            Target::Linear {
                out,
                bias,
                accumulate,
                mask,
            } => Sink::Linear {
                out: Shared::new(out),
                bias,
                accumulate,
                mask,
            },
            Target::Relu { out, bias, bits } => Sink::Relu {
                out: Shared::new(out),
                bias,
                bits: Shared::new(bits),
            },
            Target::ReluPool {
                out,
                bias,
                bits,
                pool,
                factor,
            } => Sink::ReluPool {
                out: Shared::new(out),
                bias,
                bits: Shared::new(bits),
                pool,
                factor,
            },
        };
        Self {
            context,
            filters,
            source,
            sink,
            extent,
            across: extent.w.div_ceil(M),
            tile: std::marker::PhantomData,
        }
    }

    fn all(&self) -> Result<()> {
        let tiles = self.extent.h.div_ceil(M) * self.across;
        let (blocks_in, blocks_out) = (self.filters.blocks_in, self.filters.blocks_out);
        let per_tile = Self::POINTS * (blocks_in + blocks_out) * LANES;
        if blocks_in * blocks_out * LANES * LANES < SHARE_FILTERS {
            let most = (RUN_BYTES / (per_tile * size_of::<f32>())).clamp(RUN_TILES.0, RUN_TILES.1);
            let threads = self.context.threads.current_num_threads();
            // A multiple of the number of threads, so that none waits for the last run.
            let runs = (tiles.div_ceil(most)).next_multiple_of(threads).min(tiles);
            (0..runs)
                .into_par_iter()
                .with_max_len(1)
                .try_for_each(|run| {
                    let tiles = tiles * run / runs..tiles * (run + 1) / runs;
                    let mut scratch = self.context.pool.take(most * per_tile)?;
                    let (v, m) = self.split(&mut scratch, tiles.len());
                    let (v_shared, m_shared) = (Shared::new(v), Shared::new(m));
                    self.load(tiles.clone(), 0..blocks_in, &v_shared);
                    for point in 0..Self::POINTS {
                        self.multiply(point, tiles.len(), &v_shared, &m_shared);
                    }
                    self.store(tiles, 0..blocks_out, &m_shared);
                    Ok(())
                })
        } else {
            let runs = tiles.div_ceil(SHARED_RUN);
            let mut scratch = self.context.pool.take(SHARED_RUN.min(tiles) * per_tile)?;
            for run in 0..runs {
                let tiles = tiles * run / runs..tiles * (run + 1) / runs;
                let (v, m) = self.split(&mut scratch, tiles.len());
                let (v, m) = (Shared::new(v), Shared::new(m));
                (0..blocks_in)
                    .into_par_iter()
                    .with_max_len(2)
                    .for_each(|block| {
                        self.load(tiles.clone(), block..block + 1, &v);
                    });
                (0..Self::POINTS)
                    .into_par_iter()
                    .with_max_len(1)
                    .for_each(|point| {
                        self.multiply(point, tiles.len(), &v, &m);
                    });
                (0..blocks_out)
                    .into_par_iter()
                    .with_max_len(2)
                    .for_each(|block| {
                        self.store(tiles.clone(), block..block + 1, &m);
                    });
            }
            Ok(())
        }
    }

    /// `V` and `M` of a run.
    fn split<'s>(
        &self,
        scratch: &'s mut [f32],
        tiles: usize,
    ) -> (&'s mut [Lanes], &'s mut [Lanes]) {
        let (v, m) = scratch
            .as_chunks_mut::<LANES>()
            .0
            .split_at_mut(Self::POINTS * self.filters.blocks_in * tiles);
        (v, &mut m[..Self::POINTS * self.filters.blocks_out * tiles])
    }

    /// Stage 1 for some blocks of input channels.
    fn load(&self, tiles: Range<usize>, blocks: Range<usize>, v: &Shared<'_, Lanes>) {
        with_simd!(self.context.token, simd => self.load_with(simd, tiles, blocks, v));
    }

    #[inline(always)]
    fn load_with<S: Isa>(
        &self,
        simd: S,
        tiles: Range<usize>,
        blocks: Range<usize>,
        v: &Shared<'_, Lanes>,
    ) {
        let count = tiles.len();
        let step = self.filters.blocks_in * count;
        let len = S::f32s::LEN;
        let shift = 1 + self.extent.border as isize;
        for block in blocks {
            for (index, tile) in tiles.clone().enumerate() {
                let top = (tile / self.across * M) as isize - shift;
                let left = (tile % self.across * M) as isize - shift;
                for part in 0..LANES / len {
                    let lane = part * len;
                    let write = |point: usize, value: S::f32s| {
                        // SAFETY: a task writes only its tiles' and its blocks' places.
                        let place = unsafe { v.part(point * step + block * count + index, 1) };
                        value.store_slice(&mut place[0][lane..lane + len]);
                    };
                    match self.source {
                        Source::Map {
                            data,
                            h,
                            w,
                            padding,
                        } => {
                            let plane = &data[block * h * w..][..h * w];
                            let inside = top >= 0
                                && left >= 0
                                && top as usize + A <= h
                                && left as usize + A <= w;
                            if inside {
                                let start = top as usize * w + left as usize;
                                let get = |i: usize, j: usize| {
                                    S::f32s::from_slice(
                                        simd,
                                        &plane[start + i * w + j][lane..lane + len],
                                    )
                                };
                                transform_input::<S, M, A, W>(simd, get, write);
                            } else {
                                let rows: [Option<usize>; A] =
                                    std::array::from_fn(|i| source(padding, top + i as isize, h));
                                let columns: [Option<usize>; A] =
                                    std::array::from_fn(|j| source(padding, left + j as isize, w));
                                let get = |i: usize, j: usize| match (rows[i], columns[j]) {
                                    (Some(y), Some(x)) => S::f32s::from_slice(
                                        simd,
                                        &plane[y * w + x][lane..lane + len],
                                    ),
                                    _ => S::f32s::splat(simd, 0.0),
                                };
                                transform_input::<S, M, A, W>(simd, get, write);
                            }
                        }
                        Source::Unpooled {
                            gradient,
                            bits,
                            h,
                            w,
                            scale,
                        } => {
                            let plane = &gradient[block * h * w..][..h * w];
                            let bits = &bits.as_chunks::<4>().0[block * h * w..][..h * w];
                            let get = |i: usize, j: usize| {
                                let (y, x) = (top + i as isize, left + j as isize);
                                let (row, column) = ((y >> 1) as usize, (x >> 1) as usize);
                                if row < h && column < w {
                                    let place = row * w + column;
                                    let corner = ((y & 1) * 2 + (x & 1)) as usize;
                                    let value =
                                        S::f32s::from_slice(simd, &plane[place][lane..lane + len]);
                                    masked(simd, bits[place][corner], lane, value * scale)
                                } else {
                                    S::f32s::splat(simd, 0.0)
                                }
                            };
                            transform_input::<S, M, A, W>(simd, get, write);
                        }
                    }
                }
            }
        }
    }

    /// Stage 2 for one point.
    fn multiply(&self, point: usize, tiles: usize, v: &Shared<'_, Lanes>, m: &Shared<'_, Lanes>) {
        let (read, write) = (
            self.filters.blocks_in * tiles,
            self.filters.blocks_out * tiles,
        );
        // SAFETY: `V` is complete, and nobody writes it in this stage.
        let data: &[Lanes] = unsafe { v.part(point * read, read) };
        // SAFETY: each point of `M` is written by one task.
        let out = unsafe { m.part(point * write, write) };
        let rows = Rows {
            data,
            stride: tiles,
            count: tiles,
        };
        let depth = self.filters.blocks_in * LANES;
        let u = self.filters.point(point);
        with_simd!(self.context.token, simd => product(simd, rows, Panels::dense(u, depth), out, tiles));
    }

    /// Stage 3 for some blocks of output channels.
    fn store(&self, tiles: Range<usize>, blocks: Range<usize>, m: &Shared<'_, Lanes>) {
        with_simd!(self.context.token, simd => self.store_with(simd, tiles, blocks, m));
    }

    #[inline(always)]
    fn store_with<S: Isa>(
        &self,
        simd: S,
        tiles: Range<usize>,
        blocks: Range<usize>,
        m: &Shared<'_, Lanes>,
    ) {
        let count = tiles.len();
        let step = self.filters.blocks_out * count;
        let len = S::f32s::LEN;
        let Extent { h, w, .. } = self.extent;
        for block in blocks {
            for (index, tile) in tiles.clone().enumerate() {
                let (top, left) = (tile / self.across * M, tile % self.across * M);
                for part in 0..LANES / len {
                    let lane = part * len;
                    let lanes = lane..lane + len;
                    let get = |i: usize, j: usize| {
                        // SAFETY: `M` is complete, and nobody writes it in this stage.
                        let place =
                            unsafe { m.part((i * A + j) * step + block * count + index, 1) };
                        S::f32s::from_slice(simd, &place[0][lanes.clone()])
                    };
                    let result = transform_output::<S, M, A, W>(simd, get);
                    let (rows, columns) = (M.min(h - top), M.min(w - left));
                    match &self.sink {
                        Sink::Linear {
                            out,
                            bias,
                            accumulate,
                            mask,
                        } => {
                            let bias = match bias {
                                Some(bias) => {
                                    S::f32s::from_slice(simd, &bias[block][lanes.clone()])
                                }
                                None => S::f32s::splat(simd, 0.0),
                            };
                            for i in 0..rows {
                                let start = (block * h + top + i) * w + left;
                                // SAFETY: a task writes only the pixels of its tiles.
                                let row = unsafe { out.part(start, columns) };
                                for j in 0..M {
                                    if j < columns {
                                        let place = &mut row[j][lanes.clone()];
                                        let mut value = result[i][j] + bias;
                                        if *accumulate {
                                            value += S::f32s::from_slice(simd, place);
                                        }
                                        if let Some(mask) = mask {
                                            value = masked(simd, mask[start + j], lane, value);
                                        }
                                        value.store_slice(place);
                                    }
                                }
                            }
                        }
                        Sink::Relu { out, bias, bits } => {
                            let bias = S::f32s::from_slice(simd, &bias[block][lanes.clone()]);
                            let zero = S::f32s::splat(simd, 0.0);
                            for i in 0..rows {
                                let start = (block * h + top + i) * w + left;
                                // SAFETY: a task writes only the pixels of its tiles.
                                let (row, bits) = unsafe {
                                    (out.part(start, columns), bits.part(start, columns))
                                };
                                for j in 0..M {
                                    if j < columns {
                                        let value = (result[i][j] + bias).max(zero);
                                        value.store_slice(&mut row[j][lanes.clone()]);
                                        put_bits(
                                            &mut bits[j],
                                            lane,
                                            value.simd_gt(zero).to_bitmask(),
                                        );
                                    }
                                }
                            }
                        }
                        Sink::ReluPool {
                            out,
                            bias,
                            bits,
                            pool,
                            factor,
                        } => {
                            let bias = S::f32s::from_slice(simd, &bias[block][lanes.clone()]);
                            for i in 0..rows / 2 {
                                let start = (block * (h / 2) + top / 2 + i) * (w / 2) + left / 2;
                                // SAFETY: a task writes only the pixels of its tiles, which are of even size.
                                let (row, bits) = unsafe {
                                    (
                                        out.part(start, columns / 2),
                                        bits.part(start * 4, columns / 2 * 4),
                                    )
                                };
                                for j in 0..M / 2 {
                                    if j < columns / 2 {
                                        let four = [
                                            result[2 * i][2 * j],
                                            result[2 * i][2 * j + 1],
                                            result[2 * i + 1][2 * j],
                                            result[2 * i + 1][2 * j + 1],
                                        ]
                                        .map(|value| value + bias);
                                        let (value, chosen) = relu_pool(simd, four, *pool);
                                        (value * *factor).store_slice(&mut row[j][lanes.clone()]);
                                        for (corner, chosen) in chosen.into_iter().enumerate() {
                                            put_bits(&mut bits[j * 4 + corner], lane, chosen);
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The pixel that position `i` reads, or `None` for a zero. Further out than the padding reaches, results are
/// discarded and anything finite will do.
fn source(padding: Padding, i: isize, n: usize) -> Option<usize> {
    if (-1..=n as isize).contains(&i) {
        padding.source(i, n)
    } else {
        None
    }
}

/// Sets the bits from `lane` on; the part at lane 0 comes first and clears the rest.
#[inline(always)]
pub(super) fn put_bits(word: &mut u16, lane: usize, bits: u64) {
    let bits = (bits << lane) as u16;
    *word = if lane == 0 { bits } else { *word | bits };
}

/// The value where the bits from `lane` on are set, zero elsewhere.
#[inline(always)]
pub(super) fn masked<S: Isa>(simd: S, word: u16, lane: usize, value: S::f32s) -> S::f32s {
    let bits = u64::from(word >> lane);
    S::mask32s::from_bitmask(simd, bits).select(value, S::f32s::splat(simd, 0.0))
}

/// `Bᵀ d B` of one patch.
#[inline(always)]
fn transform_input<S: Isa, const M: usize, const A: usize, W: Tile<M, A>>(
    simd: S,
    get: impl Fn(usize, usize) -> S::f32s,
    write: impl Fn(usize, S::f32s),
) {
    let zero = S::f32s::splat(simd, 0.0);
    let mut half = [[zero; A]; A];
    for j in 0..A {
        let mut column = [zero; A];
        for i in 0..A {
            column[i] = get(i, j);
        }
        let column = W::input::<S>(column);
        for i in 0..A {
            half[i][j] = column[i];
        }
    }
    for i in 0..A {
        let row = W::input::<S>(half[i]);
        for j in 0..A {
            write(i * A + j, row[j]);
        }
    }
}

/// `Aᵀ m A` of one tile.
#[inline(always)]
fn transform_output<S: Isa, const M: usize, const A: usize, W: Tile<M, A>>(
    simd: S,
    get: impl Fn(usize, usize) -> S::f32s,
) -> [[S::f32s; M]; M] {
    let zero = S::f32s::splat(simd, 0.0);
    let mut half = [[zero; A]; M];
    for j in 0..A {
        let mut column = [zero; A];
        for i in 0..A {
            column[i] = get(i, j);
        }
        let column = W::output::<S>(column);
        for i in 0..M {
            half[i][j] = column[i];
        }
    }
    let mut result = [[zero; M]; M];
    for i in 0..M {
        result[i] = W::output::<S>(half[i]);
    }
    result
}

/// ReLU and pooling of four values, and the bits of those that the gradient goes to.
#[inline(always)]
fn relu_pool<S: Isa>(simd: S, four: [S::f32s; 4], pool: FusedPool) -> (S::f32s, [u64; 4]) {
    let zero = S::f32s::splat(simd, 0.0);
    match pool {
        FusedPool::Max => {
            let most = four[0].max(four[1]).max(four[2].max(four[3]));
            let positive = most.simd_gt(zero).to_bitmask();
            let first = four[0].simd_eq(most).to_bitmask() & positive;
            let second = four[1].simd_eq(most).to_bitmask() & positive & !first;
            let third = four[2].simd_eq(most).to_bitmask() & positive & !first & !second;
            let rest = positive & !first & !second & !third;
            (most.max(zero), [first, second, third, rest])
        }
        FusedPool::Average => {
            let four = four.map(|value| value.max(zero));
            let sum = (four[0] + four[1]) + (four[2] + four[3]);
            (
                sum * 0.25,
                four.map(|value| value.simd_gt(zero).to_bitmask()),
            )
        }
    }
}
