//! Triangular factors of covariances.
//!
//! **Factor.** Cholesky with diagonal pivoting (Higham, *Accuracy and Stability of Numerical Algorithms*, §10.3), which
//! is what makes singular covariances harmless: fewer pixels than channels, dead channels, eigenvalues that the
//! rounding of f32 has pushed below zero. The next channel is always the one of which most is left, compared with its
//! floor; once nothing is above its floor, all that is left is rounding, and the remaining channels are
//! independent with the variance of their floor. The floor of a channel is [`FLOOR`] of its variance, or
//! [`LEAST`] of the greatest variance of all; no other entry is touched, so a covariance whose channels are
//! told apart by more than that has its exact factor.
//!
//! Up to [`CANDIDATES`] channels are taken at a time: their rows are brought up to date by one product with the
//! factor so far, which is where the time goes, and eliminated among each other.

use super::Context;
use super::invert::invert;
use super::kernel::{Panels, Rows, product};
use super::memory::Buffer;
use super::simd::{LANES, Lanes, with_simd};
use super::square::{Square, in_panels};
use crate::Result;

/// What of a channel's variance is taken for rounding.
const FLOOR: f32 = 1e-5;
/// What of the greatest variance is taken for rounding.
const LEAST: f32 = 1e-7;
/// Channels that are eliminated at a time; a multiple of 16.
const CANDIDATES: usize = 32;
/// Candidates are chosen anew when another channel has this many times more left than the best of them.
const BETTER: f32 = 4.0;

/// `F·Fᵀ = Σ` where row `order[k]` of `F` is row `k` of a lower triangular matrix.
#[derive(Debug)]
pub(super) struct Factor {
    /// The triangular matrix.
    pub(super) lower: Square,
    /// Channels in the order in which they were taken.
    pub(super) order: Vec<usize>,
}

/// A covariance `[c, c]`, row-major, each entry to be multiplied by `scale`.
#[derive(Clone, Copy)]
pub(super) struct Covariance<'a> {
    values: &'a [f32],
    c: usize,
    scale: f32,
}

impl<'a> Covariance<'a> {
    pub(super) fn new(values: &'a [f32], c: usize) -> Self {
        Self {
            values,
            c,
            scale: 1.0,
        }
    }

    pub(super) fn scaled(self, scale: f32) -> Self {
        Self { scale, ..self }
    }

    /// Channels.
    pub(super) fn side(&self) -> usize {
        self.c
    }

    fn at(&self, i: usize, j: usize) -> f32 {
        self.values[i * self.c + j] * self.scale
    }

    /// The greatest variance; not a number if one of them is none.
    pub(super) fn greatest(&self) -> f32 {
        let variances = (0..self.c).map(|i| self.at(i, i));
        variances.fold(0.0, |max, v| if v > max || v.is_nan() { v } else { max })
    }
}

impl Factor {
    /// The factor of a covariance.
    pub(super) fn of(context: &Context, covariance: Covariance<'_>) -> Result<Self> {
        let mut elimination = Elimination::new(context, covariance)?;
        while elimination.order.len() < covariance.c {
            let candidates = elimination.candidates();
            if candidates.is_empty() {
                break;
            }
            elimination.update(&candidates);
            elimination.eliminate(&candidates);
        }
        elimination.finish()
    }

    /// The factor from its values, row-major and to be multiplied by `scale`; `None` if they are none.
    pub(super) fn read(
        context: &Context,
        values: &[f32],
        c: usize,
        scale: f32,
    ) -> Result<Option<Self>> {
        let mut order = vec![usize::MAX; c];
        for (channel, row) in values.chunks_exact(c).enumerate() {
            match row.iter().rposition(|&v| v != 0.0) {
                Some(k) if order[k] == usize::MAX && row[k] > 0.0 => order[k] = channel,
                _ => return Ok(None),
            }
        }
        let mut lower = Square::take(context, c)?;
        lower.fill_rows(|k, panel| {
            let mut lanes = [0.0; LANES];
            if let Some(&channel) = order.get(k) {
                let row = &values[channel * c..][..c][panel * LANES..];
                lanes
                    .iter_mut()
                    .zip(row)
                    .for_each(|(lane, v)| *lane = v * scale);
            }
            lanes
        });
        Ok(Some(Self { lower, order }))
    }

    /// Writes `F·scale`, row-major.
    pub(super) fn write(&self, values: &mut [f32], scale: f32) {
        let c = self.order.len();
        for (k, &channel) in self.order.iter().enumerate() {
            for (j, value) in values[channel * c..][..c].iter_mut().enumerate() {
                *value = self.lower.at(k, j) * scale;
            }
        }
    }

    /// For each channel, when it was taken.
    pub(super) fn places(&self) -> Vec<usize> {
        let mut places = vec![0; self.order.len()];
        for (k, &channel) in self.order.iter().enumerate() {
            places[channel] = k;
        }
        places
    }

    /// The inverse of the triangular matrix.
    pub(super) fn inverse(&self, context: &Context) -> Result<Square> {
        let side = self.lower.side();
        let mut inverse = Square::take(context, side)?;
        inverse.lanes_mut().fill([0.0; LANES]);
        let mut scratch: Buffer = context.pool.take(side * side / 2)?;
        invert(
            context,
            &self.lower,
            inverse.lanes_mut(),
            0..side / LANES,
            scratch.as_chunks_mut().0,
        );
        Ok(inverse)
    }
}

/// A factor in the making.
struct Elimination<'a> {
    context: &'a Context,
    covariance: Covariance<'a>,
    /// `Fᵀ`: a row for each channel that was taken, in that order; columns are channels.
    transposed: Square,
    order: Vec<usize>,
    /// 1 for channels that are still to be taken, 0 for others and those that fill the matrix up.
    open: Vec<Lanes>,
    /// What is left of each variance.
    rest: Vec<Lanes>,
    floor: Vec<f32>,
    /// Rows of the candidates in the factor so far, `[k/16][candidate][16]`.
    left: Buffer,
    /// What is left of the candidates' rows of the covariance, `[channel/16][candidate][16]`.
    rows: Buffer,
}

impl<'a> Elimination<'a> {
    fn new(context: &'a Context, covariance: Covariance<'a>) -> Result<Self> {
        let c = covariance.c;
        let mut transposed = Square::take(context, c)?;
        transposed.lanes_mut().fill([0.0; LANES]);
        let side = transposed.side();
        let least = covariance.greatest() * LEAST;
        let mut open = vec![[0.0; LANES]; side / LANES];
        let mut rest = open.clone();
        for i in 0..c {
            open[i / LANES][i % LANES] = 1.0;
            rest[i / LANES][i % LANES] = covariance.at(i, i);
        }
        Ok(Self {
            context,
            covariance,
            transposed,
            order: Vec::with_capacity(c),
            open,
            rest,
            floor: (0..c)
                .map(|i| (covariance.at(i, i) * FLOOR).max(least))
                .collect(),
            left: context.pool.take(CANDIDATES * side)?,
            rows: context.pool.take(CANDIDATES * side)?,
        })
    }

    /// How far the rest of a channel is above its floor; 0 for one that was taken.
    fn above_floor(&self, channel: usize) -> f32 {
        let (block, lane) = (channel / LANES, channel % LANES);
        self.open[block][lane] * self.rest[block][lane] / self.floor[channel]
    }

    /// The channels of which most is left, best first.
    fn candidates(&self) -> Vec<usize> {
        let mut candidates: Vec<(f32, usize)> = (0..self.covariance.c)
            .map(|channel| (self.above_floor(channel), channel))
            .filter(|&(above, _)| above > 1.0)
            .collect();
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        candidates.truncate(CANDIDATES);
        candidates.into_iter().map(|(_, channel)| channel).collect()
    }

    /// Brings the candidates' rows up to date: what the factor so far explains is subtracted.
    fn update(&mut self, candidates: &[usize]) {
        let side = self.transposed.side();
        let depth = self.order.len().next_multiple_of(LANES);
        let left = &mut self.left.as_chunks_mut::<LANES>().0[..depth / LANES * CANDIDATES];
        for (block, rows) in left.chunks_exact_mut(CANDIDATES).enumerate() {
            for (row, &channel) in rows.iter_mut().zip(candidates) {
                *row = std::array::from_fn(|k| self.transposed.at(block * LANES + k, channel));
            }
        }
        let v = Rows {
            data: left,
            stride: CANDIDATES,
            count: candidates.len(),
        };
        let (context, covariance) = (self.context, self.covariance);
        let factor = self.transposed.lanes();
        let rows = self.rows.as_chunks_mut().0;
        in_panels(side, rows, CANDIDATES, |panels, out| {
            let u = Panels {
                data: &factor[panels.start * side..],
                stride: side,
                count: panels.len(),
                depth,
            };
            if depth == 0 {
                out.fill([0.0; LANES]);
            } else {
                with_simd!(context.token, simd => product(simd, v, u, out, CANDIDATES));
            }
            for (panel, out) in panels.zip(out.chunks_exact_mut(CANDIDATES)) {
                let columns = panel * LANES..covariance.c.min((panel + 1) * LANES);
                for (out, &channel) in out.iter_mut().zip(candidates) {
                    for (out, j) in out.iter_mut().zip(columns.clone()) {
                        *out = covariance.at(channel, j) - *out;
                    }
                }
            }
        });
    }

    /// Takes candidates, the best first, while no other channel is much better.
    fn eliminate(&mut self, candidates: &[usize]) {
        let mut waiting: Vec<(usize, usize)> = candidates.iter().copied().enumerate().collect();
        let others: Vec<usize> = (0..self.covariance.c)
            .filter(|channel| !candidates.contains(channel))
            .collect();
        let best = |this: &Self, channels: &mut dyn Iterator<Item = usize>| {
            channels.fold((0, 0.0), |best, channel| {
                let above = this.above_floor(channel);
                if above > best.1 {
                    (channel, above)
                } else {
                    best
                }
            })
        };
        while !waiting.is_empty() {
            let (channel, above) = best(self, &mut waiting.iter().map(|&(_, channel)| channel));
            let (_, other) = best(self, &mut others.iter().copied());
            if above <= 1.0 || other > above * BETTER {
                break;
            }
            let Some(index) = waiting.iter().position(|&(_, waits)| waits == channel) else {
                break;
            };
            let (row, channel) = waiting.swap_remove(index);
            self.take(row, channel, &waiting);
        }
    }

    /// Takes one candidate, given by its row and channel.
    fn take(&mut self, row: usize, channel: usize, waiting: &[(usize, usize)]) {
        let side = self.transposed.side();
        let (block, lane) = (channel / LANES, channel % LANES);
        let rows = self.rows.as_chunks_mut::<LANES>().0;
        let pivot = rows[block * CANDIDATES + row][lane].max(self.floor[channel]);
        let root = pivot.sqrt();
        self.open[block][lane] = 0.0;
        let step = self.order.len();
        let factor = self.transposed.lanes_mut();
        let (open, rest) = (&self.open, &mut self.rest);
        with_simd!(self.context.token, simd => {
            for (panel, rows) in rows.chunks_exact(CANDIDATES).enumerate() {
                let out = &mut factor[panel * side + step];
                for lane in 0..LANES {
                    out[lane] = rows[row][lane] / root * open[panel][lane];
                    rest[panel][lane] -= out[lane] * out[lane];
                }
            }
        });
        factor[block * side + step][lane] = root;
        with_simd!(self.context.token, simd => {
            for (panel, rows) in rows.chunks_exact_mut(CANDIDATES).enumerate() {
                let explained = factor[panel * side + step];
                for &(other, channel) in waiting {
                    let share = factor[channel / LANES * side + step][channel % LANES];
                    for lane in 0..LANES {
                        rows[other][lane] -= share * explained[lane];
                    }
                }
            }
        });
        self.order.push(channel);
    }

    /// Makes what is left independent, and puts rows in the order in which channels were taken.
    fn finish(mut self) -> Result<Factor> {
        let side = self.transposed.side();
        let c = self.covariance.c;
        for channel in 0..c {
            if self.open[channel / LANES][channel % LANES] != 0.0 {
                let step = self.order.len();
                let place = channel / LANES * side + step;
                self.transposed.lanes_mut()[place][channel % LANES] = self.floor[channel].sqrt();
                self.order.push(channel);
            }
        }
        let mut lower = Square::take(self.context, c)?;
        let (order, transposed) = (&self.order, &self.transposed);
        lower.fill_rows(|row, panel| match order.get(row) {
            // Beyond the row's own step the channel was closed, and its entries are zero.
            Some(&channel) => std::array::from_fn(|k| transposed.at(panel * LANES + k, channel)),
            None => [0.0; LANES],
        });
        Ok(Factor {
            lower,
            order: self.order,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::{CpuDevice, CpuSettings};
    use impasto_testing::{Tolerance, assert_near};

    /// `Σ` of `rank` pictures of `c` pixels each, some numbers of either sign.
    fn covariance(c: usize, rank: usize) -> Vec<f32> {
        let value = |i: usize, k: usize| ((i * i * 31 + k * 17 + i * k * 7) % 23) as f32 - 11.0;
        let dot = |i: usize, j: usize| (0..rank).map(|k| value(i, k) * value(j, k)).sum();
        (0..c * c).map(|k| dot(k / c, k % c)).collect()
    }

    #[test]
    fn the_inverse_is_one() -> Result<()> {
        let device = CpuDevice::new(CpuSettings::default())?;
        for c in [1, 2, 3, 16, 17, 40, 97, 130] {
            let mut values = covariance(c, 2 * c);
            values.iter_mut().step_by(c + 1).for_each(|v| *v += 300.0);
            let factor = Factor::of(&device.context, Covariance::new(&values, c))?;
            let inverse = factor.inverse(&device.context)?;
            for i in 0..c {
                for j in 0..c {
                    let sum: f32 = (0..c)
                        .map(|k| factor.lower.at(i, k) * inverse.at(k, j))
                        .sum();
                    let expected = if i == j { 1.0 } else { 0.0 };
                    let case = format!("{c} at {i}, {j}");
                    assert_near(&case, sum, expected, Tolerance::absolute(1e-4));
                }
            }
            let filled = (0..inverse.side()).flat_map(|k| [inverse.at(k, c), inverse.at(c, k)]);
            if c < inverse.side() {
                assert!(filled.into_iter().all(|v| v == 0.0));
            }
        }
        Ok(())
    }

    /// A covariance of rank 20 takes 20 channels; the others keep their floor, and stay apart.
    #[test]
    fn a_singular_covariance_shows_its_rank() -> Result<()> {
        let device = CpuDevice::new(CpuSettings::default())?;
        let (c, rank) = (90, 20);
        let values = covariance(c, rank);
        let factor = Factor::of(&device.context, Covariance::new(&values, c))?;
        let mut channels = factor.order.clone();
        channels.sort_unstable();
        assert!(channels.into_iter().eq(0..c));
        for (k, &channel) in factor.order.iter().enumerate() {
            let variance = values[channel * c + channel];
            let pivot = factor.lower.at(k, k).powi(2);
            let is_floor = pivot <= variance * FLOOR * 1.01;
            assert_eq!(is_floor, k >= rank, "pivot {k}: {pivot} of {variance}");
            if k >= rank {
                assert!((rank..k).all(|j| factor.lower.at(k, j) == 0.0));
            }
        }
        Ok(())
    }

    #[test]
    fn factors_come_back_as_they_were_written() -> Result<()> {
        let device = CpuDevice::new(CpuSettings::default())?;
        for c in [1, 5, 16, 33] {
            let factor = Factor::of(&device.context, Covariance::new(&covariance(c, 9), c))?;
            let mut values = vec![f32::NAN; c * c];
            factor.write(&mut values, 4.0);
            let Some(again) = Factor::read(&device.context, &values, c, 0.25)? else {
                panic!("{c}: not recognised");
            };
            assert_eq!(again.order, factor.order);
            assert_eq!(again.lower.lanes(), factor.lower.lanes());
            values.fill(1.0);
            assert!(c == 1 || Factor::read(&device.context, &values, c, 1.0)?.is_none());
        }
        Ok(())
    }
}
