//! The first convolution, from an image of three channels, and its gradient.
//!
//! Three channels do not fill a block of sixteen, so this layer is computed directly: 27 products per output
//! channel, the image row-major with one pixel of border around it, the filters in vectors of output channels.
//! Backward, the vectors run along the channels that are summed over, and each image value is one horizontal sum.

use super::Context;
use super::shared::Shared;
use super::simd::{Isa, LANES, Lanes, with_simd};
use super::winograd::put_bits;
use crate::{Conv3x3, InputNorm, Padding};
use fearless_simd::prelude::*;
use rayon::prelude::*;

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
    padding: Padding,
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
            padding: conv.padding,
            blocks,
        }
    }
}

/// The image `[3, h, w]` prepared and continued by one pixel: `[3, h+2, w+2]`.
pub(super) fn prepare(
    image: &[f32],
    norm: &InputNorm,
    padding: Padding,
    h: usize,
    w: usize,
    out: &mut [f32],
) {
    for (index, row) in out.chunks_exact_mut(w + 2).enumerate() {
        let (colour, y) = (index / (h + 2), index % (h + 2));
        let Some(y) = padding.source(y as isize - 1, h) else {
            row.fill(0.0);
            continue;
        };
        let from = &image[(colour * h + y) * w..][..w];
        let (mean, scale) = (norm.mean[colour], norm.scale[colour]);
        for (x, out) in row.iter_mut().enumerate() {
            *out = match padding.source(x as isize - 1, w) {
                Some(x) => (from[x] - mean) * scale,
                None => 0.0,
            };
        }
    }
}

/// What becomes of the result.
pub(super) struct FirstTarget<'a> {
    /// `[blocks][h][w]`.
    pub(super) out: &'a mut [Lanes],
    /// With a ReLU: where it is positive.
    pub(super) bits: Option<&'a mut [u16]>,
}

/// One forward pass.
struct Forward<'a> {
    filters: &'a FirstFilters,
    bias: &'a [Lanes],
    image: &'a [f32],
    h: usize,
    w: usize,
    out: Shared<'a, Lanes>,
    bits: Option<Shared<'a, u16>>,
}

/// Convolves a prepared image of `h×w` pixels.
pub(super) fn forward(
    context: &Context,
    filters: &FirstFilters,
    bias: &[Lanes],
    image: &[f32],
    (h, w): (usize, usize),
    target: FirstTarget<'_>,
) {
    let pass = Forward {
        filters,
        bias,
        image,
        h,
        w,
        out: Shared::new(target.out),
        bits: target.bits.map(Shared::new),
    };
    (0..h).into_par_iter().for_each(|y| {
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
                (14, 2) if take == at_once => self.segments::<S, 14, 2>(simd, block, y),
                (14, 2) => self.segments::<S, 14, 1>(simd, block, y),
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
        if self.w < R {
            (0..self.w).for_each(|x| self.segment::<S, 1, C>(simd, block, y, x));
        } else {
            for x in (0..self.w).step_by(R) {
                self.segment::<S, R, C>(simd, block, y, x.min(self.w - R));
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
                    let row = line / 3 * (self.h + 2) + y + line % 3;
                    let row = &self.image[row * (self.w + 2) + x..][..R + 2];
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
                let zero = S::f32s::splat(simd, 0.0);
                for c in 0..C {
                    let start = (panel(c) * self.h + y) * self.w + x;
                    // SAFETY: a row belongs to one task.
                    let out = unsafe { self.out.part(start, R) };
                    match &self.bits {
                        None => {
                            for r in 0..R {
                                sums[r][c].store_slice(&mut out[r][lanes(c)]);
                            }
                        }
                        Some(bits) => {
                            // SAFETY: as above.
                            let bits = unsafe { bits.part(start, R) };
                            for r in 0..R {
                                sums[r][c].max(zero).store_slice(&mut out[r][lanes(c)]);
                                let positive = sums[r][c].simd_gt(zero).to_bitmask();
                                put_bits(&mut bits[r], lanes(c).start, positive);
                            }
                        }
                    }
                }
            },
        );
    }
}

/// The gradient towards the image `[3, h, w]`, from that towards the result; `bordered` has room for `[3, h+2, w+2]`.
pub(super) fn backward(
    context: &Context,
    filters: &FirstFilters,
    gradient: &[Lanes],
    (h, w): (usize, usize),
    norm: &InputNorm,
    bordered: &mut [f32],
    out: &mut [f32],
) {
    let (ph, pw) = (h + 2, w + 2);
    let shared = Shared::new(bordered);
    (0..ph).into_par_iter().for_each(|row| {
        let mut rows: [&mut [f32]; COLOURS] = std::array::from_fn(|colour| {
            // SAFETY: a row of each colour belongs to one task.
            unsafe { shared.part((colour * ph + row) * pw, pw) }
        });
        let pass = Backward {
            filters,
            gradient,
            h,
            w,
            y: row as isize - 1,
        };
        with_simd!(context.token, simd => pass.row(simd, &mut rows));
    });
    let padding = filters.padding;
    out.par_chunks_exact_mut(w)
        .enumerate()
        .for_each(|(index, line)| {
            let (colour, y) = (index / h, index % h);
            for (x, out) in line.iter_mut().enumerate() {
                let mut sum = 0.0;
                for row in readers(padding, y, h) {
                    for column in readers(padding, x, w) {
                        sum += bordered[(colour * ph + row) * pw + column];
                    }
                }
                *out = sum * norm.scale[colour];
            }
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
    h: usize,
    w: usize,
    y: isize,
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
        let (first, last) = (2, self.w.max(2));
        let mut place = 0;
        while place < self.w + 2 {
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
                    let y = self.y + 1 - ky as isize;
                    if !(0..self.h as isize).contains(&y) {
                        continue;
                    }
                    for block in 0..blocks {
                        let line =
                            &self.gradient[(block * self.h + y as usize) * self.w..][..self.w];
                        for kx in 0..3 {
                            // Bordered place `p` is pixel `p − 1`; its gradient comes from result `p − kx`.
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
                for colour in 0..COLOURS {
                    for r in 0..R {
                        rows[colour][place + r] = sums[r][colour].reduce_sum();
                    }
                }
            },
        );
    }
}
