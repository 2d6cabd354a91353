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
use super::format::Format;
use super::memory::Buffer;
use super::patches::{self, Source};
use super::results::{self, Target};
use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes, with_simd};
use super::tile::Tile;
use crate::{Result, Size};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::Range;

/// Filters of one point, in floats, from which on threads share a run.
const SHARE_FILTERS: usize = 120_000;
/// Size of `V` and `M` of a run that one task keeps to itself.
const RUN_BYTES: usize = 768 << 10;
/// Tiles of such a run, at least and at most.
const RUN_TILES: (usize, usize) = (14, 512);
/// Tiles of a run that threads share.
const SHARED_RUN: usize = 128;

/// The pixels of the result.
#[derive(Clone, Debug)]
pub(super) struct Extent {
    pub(super) h: usize,
    pub(super) w: usize,
    /// Pixels of border included in `h` and `w` on each side: result (0, 0) belongs to input (−border, −border).
    pub(super) border: usize,
    /// The rows that are computed. They start and end where every tile starts, or at the end of the map.
    pub(super) rows: Range<usize>,
}

impl Extent {
    /// All of a map.
    pub(super) fn whole(size: Size) -> Self {
        let Size {
            width: w,
            height: h,
        } = size;
        Self {
            h,
            w,
            border: 0,
            rows: 0..h,
        }
    }
}

/// Some tiles of a map, by their number in reading order.
pub(super) struct Grid<'a, const M: usize> {
    pub(super) extent: &'a Extent,
    pub(super) tiles: Range<usize>,
}

impl<const M: usize> Grid<'_, M> {
    /// Row and column of the first result of each tile.
    #[inline(always)]
    pub(super) fn tops(&self) -> impl Iterator<Item = (usize, usize)> {
        let across = self.extent.w.div_ceil(M);
        let (mut down, mut right) = (self.tiles.start / across, self.tiles.start % across);
        self.tiles.clone().map(move |_| {
            let corner = (down * M, right * M);
            right += 1;
            if right == across {
                (down, right) = (down + 1, 0);
            }
            corner
        })
    }

    /// The input pixel under the first result of each tile.
    #[inline(always)]
    pub(super) fn corners(&self) -> impl Iterator<Item = (isize, isize)> {
        let border = self.extent.border as isize;
        self.tops()
            .map(move |(top, left)| (top as isize - border, left as isize - border))
    }
}

/// One convolution.
pub(super) struct Convolution<'a, F: Format> {
    pub(super) context: &'a Context,
    pub(super) filters: &'a Filters<F>,
    pub(super) source: Source<'a>,
    pub(super) target: Target<'a>,
    pub(super) extent: Extent,
}

impl<F: Format> Convolution<'_, F> {
    /// Runs it with some size of tile, which must be the one of the filters.
    pub(super) fn run<const M: usize, const A: usize, W: Tile<M, A>>(&self) -> Result<()> {
        Run::<M, A, W, F> {
            job: self,
            tile: PhantomData,
        }
        .all()
    }
}

/// One convolution with one size of tile.
struct Run<'a, const M: usize, const A: usize, W: Tile<M, A>, F: Format> {
    job: &'a Convolution<'a, F>,
    tile: PhantomData<W>,
}

impl<const M: usize, const A: usize, W: Tile<M, A>, F: Format> Run<'_, M, A, W, F> {
    const POINTS: usize = A * A;

    fn all(&self) -> Result<()> {
        let Convolution {
            context,
            filters,
            extent,
            ..
        } = self.job;
        let across = extent.w.div_ceil(M);
        let first = extent.rows.start / M * across;
        let tiles = extent.rows.len().div_ceil(M) * across;
        let (blocks_in, blocks_out) = (filters.blocks_in, filters.blocks_out);
        let part = |run: usize, runs: usize| Grid {
            extent,
            tiles: first + tiles * run / runs..first + tiles * (run + 1) / runs,
        };
        if blocks_in * blocks_out * LANES * LANES < SHARE_FILTERS {
            let per_tile = Self::POINTS * (blocks_in + blocks_out) * size_of::<Lanes>();
            let most = (RUN_BYTES / per_tile).clamp(RUN_TILES.0, RUN_TILES.1);
            let threads = context.threads.current_num_threads();
            // A multiple of the number of threads, so that none waits for the last run.
            let runs = (tiles.div_ceil(most)).next_multiple_of(threads).min(tiles);
            (0..runs)
                .into_par_iter()
                .with_max_len(1)
                .try_for_each(|run| {
                    let grid = part(run, runs);
                    let mut scratch = self.scratch(most)?;
                    let (v, m) = scratch.shared(self.job, Self::POINTS, grid.tiles.len());
                    self.load(&grid, 0..blocks_in, &v);
                    for point in 0..Self::POINTS {
                        self.multiply(point, grid.tiles.len(), &v, &m);
                    }
                    self.store(&grid, 0..blocks_out, &m);
                    Ok(())
                })
        } else {
            let runs = tiles.div_ceil(SHARED_RUN);
            let mut scratch = self.scratch(SHARED_RUN.min(tiles))?;
            for run in 0..runs {
                let grid = part(run, runs);
                let (v, m) = scratch.shared(self.job, Self::POINTS, grid.tiles.len());
                (0..blocks_in)
                    .into_par_iter()
                    .with_max_len(2)
                    .for_each(|block| {
                        self.load(&grid, block..block + 1, &v);
                    });
                (0..Self::POINTS)
                    .into_par_iter()
                    .with_max_len(1)
                    .for_each(|point| {
                        self.multiply(point, grid.tiles.len(), &v, &m);
                    });
                (0..blocks_out)
                    .into_par_iter()
                    .with_max_len(2)
                    .for_each(|block| {
                        self.store(&grid, block..block + 1, &m);
                    });
            }
            Ok(())
        }
    }

    /// Room for runs of up to some tiles.
    fn scratch(&self, tiles: usize) -> Result<Scratch<F>> {
        let Convolution {
            context, filters, ..
        } = self.job;
        Ok(Scratch {
            v: context
                .pool
                .take(Self::POINTS * filters.blocks_in * tiles * F::WORDS)?,
            m: context
                .pool
                .take(Self::POINTS * filters.blocks_out * tiles * LANES)?,
        })
    }

    /// Stage 1 for some blocks of input channels.
    fn load(&self, grid: &Grid<M>, blocks: Range<usize>, v: &Shared<'_, F::Word>) {
        let (job, all) = (self.job, self.job.filters.blocks_in);
        for block in blocks {
            with_simd!(job.context.token, simd => {
                patches::load::<_, M, A, W, F>(simd, &job.source, grid, (block, all), v);
            });
        }
    }

    /// Stage 2 for one point.
    fn multiply(&self, point: usize, tiles: usize, v: &Shared<'_, F::Word>, m: &Shared<'_, Lanes>) {
        let Convolution {
            context, filters, ..
        } = self.job;
        let (read, write) = (
            filters.blocks_in * tiles * F::WORDS,
            filters.blocks_out * tiles,
        );
        // SAFETY: `V` is complete, and each point of it and of `M` belongs to one task in this stage.
        let (v, out) = unsafe { (v.part(point * read, read), m.part(point * write, write)) };
        F::multiply(
            context.token,
            v,
            filters.point(point),
            filters.blocks_in,
            tiles,
            out,
        );
    }

    /// Stage 3 for some blocks of output channels.
    fn store(&self, grid: &Grid<M>, blocks: Range<usize>, m: &Shared<'_, Lanes>) {
        let (job, all) = (self.job, self.job.filters.blocks_out);
        for block in blocks {
            with_simd!(job.context.token, simd => {
                results::store::<_, M, A, W>(simd, &job.target, grid, (block, all), m);
            });
        }
    }
}

/// `V` and `M` of a run.
struct Scratch<F: Format> {
    v: Buffer<F::Word>,
    m: Buffer,
}

impl<F: Format> Scratch<F> {
    /// As much of both as some tiles need.
    fn shared(
        &mut self,
        job: &Convolution<'_, F>,
        points: usize,
        tiles: usize,
    ) -> (Shared<'_, F::Word>, Shared<'_, Lanes>) {
        let v = &mut self.v[..points * job.filters.blocks_in * tiles * F::WORDS];
        let m = &mut self.m.lanes_mut()[..points * job.filters.blocks_out * tiles];
        (Shared::new(v), Shared::new(m))
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
