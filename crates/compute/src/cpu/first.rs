//! The first convolution, from an image of three channels, and its gradient.
//!
//! Three channels do not fill a block of sixteen, so this layer is computed directly: 27 products per output
//! channel, the image row-major with one pixel of border around it, the filters in vectors of output channels.
//! Backward, the vectors run along the channels that are summed over, and each image value is one horizontal sum.

use super::Context;
use super::memory::Buffer;
use super::results::Bits;
use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes, with_simd};
use super::strip::Strip;
use super::winograd::put_bits;
use crate::{Conv3x3, InputNorm, Padding, Result, Size};
use fearless_simd::prelude::*;
use rayon::prelude::*;
use std::ops::Range;

/// Channels of an image.
const COLOURS: usize = 3;
/// Products per output channel.
const TAPS: usize = 9 * COLOURS;

/// The filters of the first layer, laid out for both directions.
#[derive(Debug)]
pub(super) struct FirstFilters {
    /// `[out/16][colour, ky, kx][16]`.
    forward: Vec<Lanes>,
    /// `[ky, kx][out/16][colour][16]`.
    backward: Vec<Lanes>,
    blocks: usize,
}

impl FirstFilters {
    pub(super) fn new(conv: &Conv3x3) -> Self {
        let blocks = conv.out_channels.div_ceil(LANES);
        let mut forward = vec![[0.0; LANES]; blocks * TAPS];
        let mut backward = vec![[0.0; LANES]; blocks * TAPS];
        for out in 0..conv.out_channels {
            let (block, lane) = (out / LANES, out % LANES);
            for colour in 0..COLOURS {
                for tap in 0..9 {
                    let weight = conv.weight[(out * COLOURS + colour) * 9 + tap];
                    forward[block * TAPS + colour * 9 + tap][lane] = weight;
                    backward[(tap * blocks + block) * COLOURS + colour][lane] = weight;
                }
            }
        }
        Self {
            forward,
            backward,
            blocks,
        }
    }
}

/// An image `[3, h, w]` prepared and continued by one pixel, `[3, h+2, w+2]`, or some rows of that.
#[derive(Debug)]
pub(super) struct Prepared {
    values: Buffer,
    /// Counted from the border.
    first: usize,
    rows: usize,
}

/// Prepares what some rows of the convolution read of an image.
pub(super) fn prepare(
    context: &Context,
    image: &[f32],
    norm: &InputNorm,
    padding: Padding,
    Size {
        width: w,
        height: h,
    }: Size,
    read_by: Range<usize>,
) -> Result<Prepared> {
    let (first, count) = (read_by.start, read_by.len() + 2);
    let mut values: Buffer = context.pool.take(COLOURS * count * (w + 2))?;
    let rows = values.par_chunks_exact_mut(w + 2).enumerate();
    rows.for_each(|(index, row)| {
        let (colour, y) = (index / count, first + index % count);
        let Some(y) = padding.source(y as isize - 1, h) else {
            row.fill(0.0);
            return;
        };
        let from = &image[(colour * h + y) * w..][..w];
        let (mean, scale) = (norm.mean[colour], norm.scale[colour]);
        for (to, from) in row[1..=w].iter_mut().zip(from) {
            *to = (from - mean) * scale;
        }
        for (place, x) in [(0, -1), (w + 1, w as isize)] {
            row[place] = padding.source(x, w).map_or(0.0, |x| row[x + 1]);
        }
    });
    Ok(Prepared {
        values,
        first,
        rows: count,
    })
}

/// What is computed, and what becomes of it.
pub(super) struct FirstTarget<'a> {
    pub(super) rows: Range<usize>,
    /// `[blocks][strip rows][w]`.
    pub(super) out: &'a mut [Lanes],
    pub(super) strip: Strip,
    /// Whether a ReLU follows.
    pub(super) relu: bool,
    /// Where it is positive.
    pub(super) bits: Option<Bits<'a>>,
}

/// One forward pass.
struct Forward<'a> {
    filters: &'a FirstFilters,
    bias: &'a [Lanes],
    image: &'a Prepared,
    out: Shared<'a, Lanes>,
    strip: Strip,
    relu: bool,
    bits: Option<Bits<'a>>,
}

/// Convolves some rows of a prepared image.
pub(super) fn forward(
    context: &Context,
    filters: &FirstFilters,
    bias: &[Lanes],
    image: &Prepared,
    target: FirstTarget<'_>,
) {
    let pass = Forward {
        filters,
        bias,
        image,
        out: Shared::new(target.out),
        strip: target.strip,
        relu: target.relu,
        bits: target.bits,
    };
    target.rows.into_par_iter().for_each(|y| {
        with_simd!(context.token, simd => pass.row(simd, y));
    });
}

impl Forward<'_> {
    #[inline(always)]
    fn row<S: Isa>(&self, simd: S, y: usize) {
        let at_once = S::COLUMNS * S::f32s::LEN / LANES;
        let mut block = 0;
        while block < self.filters.blocks {
            let take = at_once.min(self.filters.blocks - block);
            match (S::ROWS, S::COLUMNS) {
                // Fewer rows than the matrix kernel: the values of three columns share registers.
                (14, 2) if take == at_once => self.segments::<S, 8, 2>(simd, block, y),
                (14, 2) => self.segments::<S, 8, 1>(simd, block, y),
                (6, 2) => self.segments::<S, 6, 2>(simd, block, y),
                (6, 4) => self.segments::<S, 6, 4>(simd, block, y),
                _ => self.segments::<S, 2, 4>(simd, block, y),
            }
            block += take;
        }
    }

    /// `R` pixels at a time; the last ones overlap those before.
    #[inline(always)]
    fn segments<S: Isa, const R: usize, const C: usize>(&self, simd: S, block: usize, y: usize) {
        let w = self.strip.w;
        if w < R {
            (0..w).for_each(|x| self.segment::<S, 1, C>(simd, block, y, x));
        } else {
            for x in (0..w).step_by(R) {
                self.segment::<S, R, C>(simd, block, y, x.min(w - R));
            }
        }
    }

    #[inline(always)]
    fn segment<S: Isa, const R: usize, const C: usize>(
        &self,
        simd: S,
        block: usize,
        y: usize,
        x: usize,
    ) {
        simd.vectorize(
            #[inline(always)]
            || {
                let (image, w) = (self.image, self.strip.w);
                let len = S::f32s::LEN;
                let panel = |c: usize| block + c * len / LANES;
                let lanes = |c: usize| c * len % LANES..c * len % LANES + len;
                let mut sums = [[S::f32s::splat(simd, 0.0); C]; R];
                for c in 0..C {
                    let bias = S::f32s::from_slice(simd, &self.bias[panel(c)][lanes(c)]);
                    for r in 0..R {
                        sums[r][c] = bias;
                    }
                }
                for line in 0..9 {
                    let row = line / 3 * image.rows + y - image.first + line % 3;
                    let row = &image.values[row * (w + 2) + x..][..R + 2];
                    for kx in 0..3 {
                        let mut columns = [S::f32s::splat(simd, 0.0); C];
                        for c in 0..C {
                            let filter = &self.filters.forward[panel(c) * TAPS + line * 3 + kx];
                            columns[c] = S::f32s::from_slice(simd, &filter[lanes(c)]);
                        }
                        for r in 0..R {
                            let value = S::f32s::splat(simd, row[r + kx]);
                            for c in 0..C {
                                sums[r][c] = value.mul_add(columns[c], sums[r][c]);
                            }
                        }
                    }
                }
                for c in 0..C {
                    let start = panel(c) * self.strip.pixels() + self.strip.place(y, x);
                    // SAFETY: a row belongs to one task.
                    let out = unsafe { self.out.part(start, R) };
                    for r in 0..R {
                        sums[r][c].store_slice(&mut out[r][lanes(c)]);
                    }
                }
            },
        );
        if self.relu {
            let panels = (C * S::f32s::LEN / LANES).max(1);
            (block..block + panels).for_each(|block| self.rectify(simd, block, y, x, R));
        }
    }

    /// Applies the ReLU to `count` pixels that have just been written. (In the loop above, it would keep the compiler
    /// from keeping the sums in registers.)
    #[inline(always)]
    fn rectify<S: Isa>(&self, simd: S, block: usize, y: usize, x: usize, count: usize) {
        let zero = S::f32s::splat(simd, 0.0);
        let start = block * self.strip.pixels() + self.strip.place(y, x);
        // SAFETY: a row belongs to one task.
        let out = unsafe { self.out.part(start, count) };
        let mut bits = self.bits.as_ref().map(|bits| {
            let place = block * bits.strip.pixels() + bits.strip.place(y, x);
            // SAFETY: as above.
            unsafe { bits.words.part(place, count) }
        });
        for (r, pixel) in out.iter_mut().enumerate() {
            for lane in (0..LANES).step_by(S::f32s::LEN) {
                let part = &mut pixel[lane..lane + S::f32s::LEN];
                let value = S::f32s::from_slice(simd, part);
                value.max(zero).store_slice(part);
                if let Some(bits) = &mut bits {
                    put_bits(&mut bits[r], lane, value.simd_gt(zero).to_bitmask());
                }
            }
        }
    }
}

/// Some rows of the gradient towards the image and its border, `[3, h+2, w+2]`, of which some are in memory, from that
/// towards the result, of which the rows beside them must be in the strip.
pub(super) fn backward(
    context: &Context,
    filters: &FirstFilters,
    gradient: &[Lanes],
    strip: Strip,
    rows: Range<usize>,
    (bordered, place): (&mut [f32], Strip),
) {
    let pw = place.w;
    let shared = Shared::new(bordered);
    rows.into_par_iter().for_each(|row| {
        let mut lines: [&mut [f32]; COLOURS] = std::array::from_fn(|colour| {
            // SAFETY: a row of each colour belongs to one task.
            unsafe { shared.part(colour * place.pixels() + place.place(row, 0), pw) }
        });
        let pass = Backward {
            filters,
            gradient,
            strip,
            row,
        };
        with_simd!(context.token, simd => pass.row(simd, &mut lines));
    });
}

/// The gradient towards an image and its border, some rows of which are in memory, and the first.
pub(super) struct Bordered<'a> {
    pub(super) values: &'a [f32],
    pub(super) strip: Strip,
    /// The row above the image, `[3, w+2]`.
    pub(super) top: &'a [f32],
}

impl Bordered<'_> {
    fn row(&self, colour: usize, row: usize) -> &[f32] {
        let pw = self.strip.w;
        match row {
            0 => &self.top[colour * pw..][..pw],
            row => &self.values[colour * self.strip.pixels() + self.strip.place(row, 0)..][..pw],
        }
    }
}

/// How many of the first rows of an image of height `h` are complete when `rows` of its gradient with the border are.
pub(super) fn complete(padding: Padding, rows: usize, h: usize) -> usize {
    match rows {
        all if all >= h + 2 => h,
        // Those that the row below the image is folded into wait for it.
        some => some
            .saturating_sub(1)
            .min(padding.source(h as isize, h).unwrap_or(h)),
    }
}

/// Some rows of the gradient towards the image as it came, `[3, h, w]`, from that towards the prepared one.
pub(super) fn unprepare(
    bordered: &Bordered<'_>,
    norm: &InputNorm,
    padding: Padding,
    Size {
        width: w,
        height: h,
    }: Size,
    rows: Range<usize>,
    out: &mut [f32],
) {
    let (shared, first, count) = (Shared::new(out), rows.start, rows.len());
    (0..COLOURS * count).into_par_iter().for_each(|index| {
        let (colour, y) = (index / count, first + index % count);
        // SAFETY: a row of each colour belongs to one task.
        let line = unsafe { shared.part((colour * h + y) * w, w) };
        line.fill(0.0);
        for row in readers(padding, y, h) {
            let row = bordered.row(colour, row);
            line.iter_mut()
                .zip(&row[1..])
                .for_each(|(sum, value)| *sum += value);
            for (place, x) in [(0, -1), (w + 1, w as isize)] {
                if let Some(x) = padding.source(x, w) {
                    line[x] += row[place];
                }
            }
        }
        line.iter_mut()
            .for_each(|value| *value *= norm.scale[colour]);
    });
}

/// The places of a map with a border that read pixel `i` of `n`, counted from the border's start.
pub(super) fn readers(padding: Padding, i: usize, n: usize) -> impl Iterator<Item = usize> {
    let before = (padding.source(-1, n) == Some(i)).then_some(0);
    let after = (padding.source(n as isize, n) == Some(i)).then_some(n + 1);
    std::iter::once(i + 1).chain(before).chain(after)
}

/// The gradient of one row of the image and its border.
struct Backward<'a> {
    filters: &'a FirstFilters,
    gradient: &'a [Lanes],
    strip: Strip,
    /// Counted from the border.
    row: usize,
}

impl Backward<'_> {
    #[inline(always)]
    fn row<S: Isa>(&self, simd: S, rows: &mut [&mut [f32]; COLOURS]) {
        match S::ROWS * S::COLUMNS {
            24.. => self.segments::<S, 8>(simd, rows),
            _ => self.segments::<S, 4>(simd, rows),
        }
    }

    /// `R` pixels at a time where all their neighbours exist, one at a time elsewhere.
    #[inline(always)]
    fn segments<S: Isa, const R: usize>(&self, simd: S, rows: &mut [&mut [f32]; COLOURS]) {
        // Places of the bordered row whose three neighbours all lie in the map.
        let (first, last) = (2, self.strip.w.max(2));
        let mut place = 0;
        while place < self.strip.w + 2 {
            if place >= first && place + R <= last {
                self.segment::<S, R>(simd, rows, place);
                place += R;
            } else {
                self.segment::<S, 1>(simd, rows, place);
                place += 1;
            }
        }
    }

    #[inline(always)]
    fn segment<S: Isa, const R: usize>(
        &self,
        simd: S,
        rows: &mut [&mut [f32]; COLOURS],
        place: usize,
    ) {
        simd.vectorize(
            #[inline(always)]
            || {
                let blocks = self.filters.blocks;
                let len = S::f32s::LEN;
                let mut sums = [[S::f32s::splat(simd, 0.0); COLOURS]; R];
                for ky in 0..3 {
                    // Bordered row `p` is row `p − 1` of the image; its gradient comes from row `p − ky`.
                    let Some(y) = self.row.checked_sub(ky).filter(|y| *y < self.strip.h) else {
                        continue;
                    };
                    for block in 0..blocks {
                        let line =
                            &self.strip.plane(self.gradient, block)[self.strip.place(y, 0)..];
                        let line = &line[..self.strip.w];
                        for kx in 0..3 {
                            // Places are counted in the same way.
                            let Some(start) = place.checked_sub(kx) else {
                                continue;
                            };
                            let Some(pixels) = line.get(start..start + R) else {
                                continue;
                            };
                            let filter = &self.filters.backward
                                [((ky * 3 + kx) * blocks + block) * COLOURS..][..COLOURS];
                            for lane in (0..LANES).step_by(len) {
                                let mut columns = [S::f32s::splat(simd, 0.0); COLOURS];
                                for colour in 0..COLOURS {
                                    columns[colour] = S::f32s::from_slice(
                                        simd,
                                        &filter[colour][lane..lane + len],
                                    );
                                }
                                for r in 0..R {
                                    let value =
                                        S::f32s::from_slice(simd, &pixels[r][lane..lane + len]);
                                    for colour in 0..COLOURS {
                                        sums[r][colour] =
                                            value.mul_add(columns[colour], sums[r][colour]);
                                    }
                                }
                            }
                        }
                    }
                }
                // Stored first: horizontal sums of an indexed array would keep the compiler from keeping it in registers.
                let mut vectors = [[[0.0; LANES]; COLOURS]; R];
                for r in 0..R {
                    for colour in 0..COLOURS {
                        sums[r][colour].store_slice(&mut vectors[r][colour][..len]);
                    }
                }
                for (r, vectors) in vectors.iter().enumerate() {
                    for (row, vector) in rows.iter_mut().zip(vectors) {
                        row[place + r] = S::f32s::from_slice(simd, &vector[..len]).reduce_sum();
                    }
                }
            },
        );
    }
}
