//! Moments of a map and their gradient.
//!
//! With `F` `[c, n]` the features as a matrix: `μ = F·1/n`, `S = F·Fᵀ/n`; and backwards
//! `dF = ((dS + dSᵀ)·F + dμ·1ᵀ)/n`, which overwrites `F` in place, block of pixels by block of pixels.
//!
//! Pixels are cut into pieces, which are dealt to a fixed number of groups, each summed by one task: products in f32
//! while they stay in registers (a piece of a few hundred pixels), then in f64. The groups are added in order, so the
//! result depends neither on the number of threads nor on how many rows there are at a time. Only blocks on and above
//! the diagonal are computed.

use super::array::{get, put};
use super::kernel::Rows;
use super::memory::Buffer;
use super::mixing::Matrix;
use super::simd::{Isa, LANES, Lanes, with_simd};
use super::{Context, Precision};
use crate::{Moments, Result, Size};
use fearless_simd::prelude::*;
use rayon::prelude::*;

/// Size of the features that are multiplied before sums move to f64: a part of the second-level cache.
const CHUNK_BYTES: usize = 384 << 10;
/// Pixels of a piece at least, if there are as many, and groups at most.
const PIECE_PIXELS: usize = 256;
const GROUPS: usize = 32;
/// Sums of all groups together, in numbers.
const GROUP_SUMS: usize = 8 * 512 * 512;
/// Lines of a band are a multiple of the height of every tile, and no more than this.
const BAND: (usize, usize) = (4, 64);

/// Some pixels of every block of channels of a map: lines of equal length at equal distances.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    /// Pixels from one block of channels to the next.
    pub(super) stride: usize,
    pub(super) start: usize,
    /// Pixels from one line to the next.
    pub(super) pitch: usize,
    pub(super) count: usize,
    pub(super) width: usize,
}

/// Sums over the pixels seen so far.
///
/// Lines come in bands, bands are cut into pieces, and pieces are dealt to groups in turn. All this depends on the size
/// of the map alone: however its lines arrive, the sums are the same to the last bit.
pub(super) struct Accumulator {
    channels: usize,
    /// Lines of a band.
    band: usize,
    /// Pieces of a band.
    pieces: usize,
    groups: usize,
    width: usize,
    height: usize,
    /// Lines seen so far.
    lines: usize,
    /// Per group, the second moment `[c, c]` on and above the block diagonal, then the mean `[c]`; `c` in blocks.
    partial: Buffer<f64>,
}

impl Accumulator {
    /// No pixels yet of `height` lines of `width`, which lie behind each other without a gap or do not.
    pub(super) fn new(
        context: &Context,
        channels: usize,
        Size { width, height }: Size,
        gapless: bool,
    ) -> Result<Self> {
        let padded = channels.next_multiple_of(LANES);
        let size = padded * (padded + 1);
        let band = match gapless {
            true => {
                let lines = PIECE_PIXELS.div_ceil(width.max(1)).next_power_of_two();
                lines.clamp(BAND.0, BAND.1)
            }
            false => 1,
        };
        let chunk = (CHUNK_BYTES / (padded * size_of::<f32>())).max(PIECE_PIXELS);
        let pieces = (band * width).div_ceil(chunk).max(1);
        let groups = height.div_ceil(band) * pieces;
        let groups = groups.clamp(1, GROUPS.min((GROUP_SUMS / size).max(1)));
        let partial = context.pool.take(groups * size)?;
        Ok(Self {
            channels,
            band,
            pieces,
            groups,
            width,
            height,
            lines: 0,
            partial,
        })
    }

    /// Lines seen so far.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    /// How many of the first `made` lines can be added: whole bands, or all there are.
    pub(super) fn ready(&self, made: usize) -> usize {
        match made >= self.height {
            true => self.height,
            false => made / self.band * self.band,
        }
    }

    /// Adds lines of a map behind those seen: as many as are [ready](Accumulator::ready).
    pub(super) fn add(&mut self, context: &Context, map: &[Lanes], lines: Lines) {
        let blocks = self.channels.div_ceil(LANES);
        let padded = blocks * LANES;
        let (band, pieces, count) = (self.band, self.pieces, self.groups);
        let first = self.lines / band * pieces;
        let last = first + lines.count.div_ceil(band) * pieces;
        let groups = self.partial.par_chunks_exact_mut(padded * (padded + 1));
        groups.enumerate().for_each(|(group, sums)| {
            // The first of its pieces that is not seen yet.
            let start = first + (group + count - first % count) % count;
            for index in (start..last).step_by(count) {
                // The first piece of a group sets its sums, the others add to them.
                let fresh = index < count;
                let (down, piece) = ((index - first) / pieces * band, index % pieces);
                let length = band.min(lines.count - down) * lines.width;
                let share = |piece: usize| length * piece / pieces;
                let begin = lines.start + down * lines.pitch + share(piece);
                let pixels = share(piece + 1) - share(piece);
                if pixels == 0 {
                    if fresh {
                        sums.fill(0.0);
                    }
                    continue;
                }
                let rows = Rows {
                    data: &map[begin..],
                    stride: lines.stride,
                    count: pixels,
                };
                with_simd!(context.token, simd => add_chunk(simd, rows, blocks, fresh, sums));
            }
        });
        self.lines += lines.count;
    }

    /// The moments.
    pub(super) fn finish(self, context: &Context) -> Result<Moments> {
        let channels = self.channels;
        let padded = channels.next_multiple_of(LANES);
        let n = (self.lines * self.width) as f64;
        // Sums of all groups, in their order, from `start` on.
        let total = |start: usize, out: &mut [f32]| {
            for (chunk, out) in out.chunks_mut(LANES).enumerate() {
                let mut sums = [0.0; LANES];
                for group in self.partial.chunks_exact(padded * (padded + 1)) {
                    let group = &group[start + chunk * LANES..][..LANES];
                    sums.iter_mut()
                        .zip(group)
                        .for_each(|(sum, value)| *sum += value);
                }
                out.iter_mut()
                    .zip(sums)
                    .for_each(|(out, sum)| *out = (sum / n) as f32);
            }
        };
        let mut mean = context.pool.take(channels)?;
        total(padded * padded, &mut mean);
        let mut second = context.pool.take(channels * channels)?;
        let rows = second.par_chunks_exact_mut(channels).enumerate();
        rows.for_each(|(i, row)| {
            let diagonal = i / LANES * LANES;
            total(i * padded + diagonal, &mut row[diagonal..]);
        });
        // What lies below the block diagonal mirrors what lies above, square by square for the sake of the cache.
        for rows in (0..channels).step_by(LANES) {
            for columns in (0..rows).step_by(LANES) {
                for i in rows..channels.min(rows + LANES) {
                    for j in columns..columns + LANES {
                        second[i * channels + j] = second[j * channels + i];
                    }
                }
            }
        }
        Ok(Moments {
            mean: put(mean, &[channels]),
            second: put(second, &[channels, channels]),
        })
    }
}

/// Adds the products of one chunk of pixels; a fresh sum starts with them.
#[inline(always)]
fn add_chunk<S: Isa>(simd: S, rows: Rows<'_>, blocks: usize, fresh: bool, sums: &mut [f64]) {
    let padded = blocks * LANES;
    let (second, mean) = sums.split_at_mut(padded * padded);
    for (block, mean) in mean.chunks_exact_mut(LANES).enumerate() {
        let pixels = &rows.data[block * rows.stride..][..rows.count];
        for lane in (0..LANES).step_by(S::f32s::LEN) {
            let load = |pixel: &Lanes| S::f32s::from_slice(simd, &pixel[lane..lane + S::f32s::LEN]);
            // Several chains of additions, which would otherwise wait for each other.
            let mut sums = [S::f32s::splat(simd, 0.0); 4];
            let (fours, rest) = pixels.as_chunks::<4>();
            for four in fours {
                for (sum, pixel) in sums.iter_mut().zip(four) {
                    *sum += load(pixel);
                }
            }
            for (sum, pixel) in sums.iter_mut().zip(rest) {
                *sum += load(pixel);
            }
            let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
            flush::<S>(sum, fresh, &mut mean[lane..lane + S::f32s::LEN]);
        }
    }
    match S::ROWS * S::COLUMNS {
        24.. => strips::<S, 8>(simd, rows, blocks, fresh, second),
        _ => strips::<S, 4>(simd, rows, blocks, fresh, second),
    }
}

/// Moves the sums of a vector to f64.
#[inline(always)]
fn flush<S: Isa>(sum: S::f32s, fresh: bool, out: &mut [f64]) {
    for (out, sum) in out.iter_mut().zip(sum.as_slice()) {
        *out = if fresh { 0.0 } else { *out } + f64::from(*sum);
    }
}

/// Strips of `R` rows of the second moment, from the diagonal block to the right.
#[inline(always)]
fn strips<S: Isa, const R: usize>(
    simd: S,
    rows: Rows<'_>,
    blocks: usize,
    fresh: bool,
    second: &mut [f64],
) {
    let vectors = LANES / S::f32s::LEN;
    for i in (0..blocks * LANES).step_by(R) {
        let mut j = i / LANES * vectors;
        while j < blocks * vectors {
            match blocks * vectors - j {
                1 => strip::<S, R, 1>(simd, rows, blocks, (i, j), fresh, second),
                2 | 4 => strip::<S, R, 2>(simd, rows, blocks, (i, j), fresh, second),
                _ => strip::<S, R, 3>(simd, rows, blocks, (i, j), fresh, second),
            }
            j += match blocks * vectors - j {
                1 => 1,
                2 | 4 => 2,
                _ => 3,
            };
        }
    }
}

/// `R` rows from row `i` on, `C` vectors of columns from vector `j` on.
#[inline(always)]
fn strip<S: Isa, const R: usize, const C: usize>(
    simd: S,
    rows: Rows<'_>,
    blocks: usize,
    (i, j): (usize, usize),
    fresh: bool,
    second: &mut [f64],
) {
    simd.vectorize(
        #[inline(always)]
        || {
            let len = S::f32s::LEN;
            let plane = |block: usize| &rows.data[block * rows.stride..][..rows.count];
            let left = plane(i / LANES);
            let lane = |c: usize| (j + c) * len % LANES;
            let right: [&[Lanes]; C] = std::array::from_fn(|c| plane((j + c) * len / LANES));
            let mut sums = [[S::f32s::splat(simd, 0.0); C]; R];
            for pixel in 0..rows.count {
                let mut columns = [S::f32s::splat(simd, 0.0); C];
                for c in 0..C {
                    columns[c] =
                        S::f32s::from_slice(simd, &right[c][pixel][lane(c)..lane(c) + len]);
                }
                let values: &[f32] = &left[pixel][i % LANES..i % LANES + R];
                for r in 0..R {
                    let value = S::f32s::splat(simd, values[r]);
                    for c in 0..C {
                        sums[r][c] = value.mul_add(columns[c], sums[r][c]);
                    }
                }
            }
            let width = blocks * LANES;
            for r in 0..R {
                for c in 0..C {
                    let out = &mut second[(i + r) * width + (j + c) * len..][..len];
                    flush::<S>(sums[r][c], fresh, out);
                }
            }
        },
    );
}

/// The matrix that turns the features of `pixels` pixels into the gradient of their moments.
pub(super) fn gradient_matrix(
    context: &Context,
    towards: &Moments,
    pixels: usize,
) -> Result<Matrix> {
    let channels = towards.mean.len();
    let scale = 1.0 / pixels as f32;
    let mean = get("backward", &towards.mean)?;
    let second = get("backward", &towards.second)?;
    let second = |i: usize, j: usize| second[i * channels + j];
    let matrix = Matrix::new(
        (channels, channels),
        |out, k| (second(k, out) + second(out, k)) * scale,
        |out| mean[out] * scale,
    );
    Ok(match context.precision {
        Precision::Bf16 => matrix.in_half(),
        Precision::Strict | Precision::Standard => matrix,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{CpuDevice, CpuSettings, Level};

    #[test]
    fn sums_of_small_integers_are_exact() -> Result<()> {
        for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
            let device = CpuDevice::new(CpuSettings {
                level: Some(level),
                ..CpuSettings::default()
            })?;
            for (channels, pixels) in [(1usize, 1), (16, 7), (40, 1300), (64, 900)] {
                let blocks = channels.div_ceil(LANES);
                let mut map = vec![[0.0; LANES]; blocks * pixels];
                let value = |c: usize, p: usize| ((c * 31 + p * 17) % 7) as f32 - 3.0;
                for c in 0..channels {
                    for p in 0..pixels {
                        map[c / LANES * pixels + p][c % LANES] = value(c, p);
                    }
                }
                let line = Size {
                    width: pixels,
                    height: 1,
                };
                let mut total = Accumulator::new(&device.context, channels, line, true)?;
                let lines = Lines {
                    stride: pixels,
                    start: 0,
                    pitch: pixels,
                    count: 1,
                    width: pixels,
                };
                total.add(&device.context, &map, lines);
                let moments = total.finish(&device.context)?;
                let (mean, second) = (get("test", &moments.mean)?, get("test", &moments.second)?);
                let n = pixels as f32;
                for i in 0..channels {
                    let sum: f32 = (0..pixels).map(|p| value(i, p)).sum();
                    assert_eq!(mean[i], sum / n);
                    for j in 0..channels {
                        let sum: f32 = (0..pixels).map(|p| value(i, p) * value(j, p)).sum();
                        let got = second[i * channels + j];
                        assert_eq!(got, sum / n, "{level} {channels}×{pixels}");
                    }
                }
            }
        }
        Ok(())
    }
}
