//! Moments under weights, and functions of moments: covariance and standard deviation, with their gradients.
//!
//! Differences of moments are taken in f64: a second moment and the square of a mean are often equal to several
//! digits, and f32 has few to spare.

use super::CpuDevice;
use super::array::{self, get, put, same};
use super::chunks::{CHUNK, each, sum};
use super::moments::{Accumulator, Lines};
use super::simd::{LANES, Lanes, with_simd};
use crate::device::weighted;
use crate::{Moments, Result, Size, Statistics, Tensor};

/// Mean, second raw moment and channels.
fn parts<'a>(what: &'static str, moments: &'a Moments) -> Result<(&'a [f32], &'a [f32], usize)> {
    let c = moments.channels(what)?;
    Ok((get(what, &moments.mean)?, get(what, &moments.second)?, c))
}

/// Some rows of a matrix that is written: the index of the first, and their values.
type Rows<'a> = (usize, &'a mut [f32]);

/// Cuts a matrix of `c` columns into pieces of whole rows.
fn in_rows(matrix: &mut [f32], c: usize) -> Vec<Rows<'_>> {
    let rows = (CHUNK / c.max(1)).max(1);
    let pieces = matrix.chunks_mut((rows * c).max(1)).enumerate();
    pieces.map(|(i, piece)| (i * rows, piece)).collect()
}

impl Statistics for CpuDevice {
    fn weighted_moments(&self, features: &Tensor, weights: &Tensor) -> Result<Moments> {
        let (context, what) = (&self.context, "weighted_moments");
        let [c, height, width] = weighted(what, features, weights)?;
        let pixels = height * width;
        let weights = get(what, weights)?;
        let mut x = array::blocked(context, what, features)?;
        if c * pixels == 0 {
            return Ok(Moments {
                mean: array::zeros(context, &[c])?,
                second: array::zeros(context, &[c, c])?,
            });
        }
        // The second moment under weights is that of √(n·w_p)·F_p. Of the mean that is not true: it is taken on the way.
        let roots: Vec<f32> = weights
            .iter()
            .map(|&weight| (pixels as f32 * weight).sqrt())
            .collect();
        let mut mean = context.pool.take(c)?;
        let blocks = x.lanes_mut().chunks_exact_mut(pixels);
        let blocks = blocks.zip(mean.chunks_mut(LANES)).collect();
        each(
            context,
            blocks,
            |(block, mean): (&mut [Lanes], &mut [f32])| {
                let mut sums = [0.0; LANES];
                for (pixel, (&weight, &root)) in block.iter_mut().zip(weights.iter().zip(&roots)) {
                    for (value, sum) in pixel.iter_mut().zip(&mut sums) {
                        *sum += f64::from(weight) * f64::from(*value);
                        *value *= root;
                    }
                }
                let sums = mean.iter_mut().zip(sums);
                sums.for_each(|(mean, sum)| *mean = sum as f32);
            },
        );
        let mut total = Accumulator::new(context, c, Size { width, height }, true)?;
        let lines = Lines {
            stride: pixels,
            start: 0,
            pitch: width,
            count: height,
            width,
        };
        let Moments { second, .. } = context.threads.install(|| {
            total.add(context, x.lanes(), lines);
            total.finish(context)
        })?;
        Ok(Moments {
            mean: put(mean, &[c]),
            second,
        })
    }

    fn covariance(&self, moments: &Moments, ridge: f32) -> Result<Tensor> {
        let context = &self.context;
        let (mean, second, c) = parts("covariance", moments)?;
        let mut sigma = context.pool.take(c * c)?;
        each(
            context,
            in_rows(&mut sigma, c),
            |(first, rows): Rows<'_>| {
                with_simd!(context.token, simd => {
                    for (i, row) in rows.chunks_exact_mut(c).enumerate() {
                        let i = first + i;
                        let own = f64::from(mean[i]);
                        for ((out, s), m) in row.iter_mut().zip(&second[i * c..][..c]).zip(mean) {
                            *out = (f64::from(*s) - own * f64::from(*m)) as f32;
                        }
                        row[i] = (f64::from(second[i * c + i]) - own * own + f64::from(ridge)) as f32;
                    }
                });
            },
        );
        Ok(put(sigma, &[c, c]))
    }

    fn covariance_backward(&self, moments: &Moments, gradient: &Tensor, k: f32) -> Result<Moments> {
        let context = &self.context;
        let what = "covariance_backward";
        let (mean, _, c) = parts(what, moments)?;
        same(what, &moments.second, gradient)?;
        let gradient = get(what, gradient)?;
        let mut second = context.pool.take(c * c)?;
        let mut first = context.pool.take(c)?;
        let pieces = in_rows(&mut second, c);
        let height = (CHUNK / c.max(1)).max(1);
        let pieces = pieces.into_iter().zip(first.chunks_mut(height)).collect();
        each(
            context,
            pieces,
            |((start, rows), means): (Rows<'_>, &mut [f32])| {
                with_simd!(context.token, simd => {
                    for ((i, row), out) in rows.chunks_exact_mut(c).enumerate().zip(means) {
                        let slope = &gradient[(start + i) * c..][..c];
                        for (out, d) in row.iter_mut().zip(slope) {
                            *out = k * d;
                        }
                        let along = sum(slope, mean, |d, m| d * m);
                        *out = (-2.0 * f64::from(k) * along) as f32;
                    }
                });
            },
        );
        Ok(Moments {
            mean: put(first, &[c]),
            second: put(second, &[c, c]),
        })
    }

    fn standard_deviation(&self, moments: &Moments, epsilon: f32) -> Result<Tensor> {
        let context = &self.context;
        let (mean, second, c) = parts("standard_deviation", moments)?;
        let mut deviation = context.pool.take(c)?;
        let variances = second.iter().step_by(c + 1);
        for ((out, s), m) in deviation.iter_mut().zip(variances).zip(mean) {
            let variance = f64::from(*s) - f64::from(*m) * f64::from(*m) + f64::from(epsilon);
            *out = variance.max(0.0).sqrt() as f32;
        }
        Ok(put(deviation, &[c]))
    }

    fn standard_deviation_backward(
        &self,
        moments: &Moments,
        deviation: &Tensor,
        gradient: &Tensor,
    ) -> Result<Moments> {
        let context = &self.context;
        let what = "standard_deviation_backward";
        let (mean, _, c) = parts(what, moments)?;
        same(what, &moments.mean, deviation)?;
        same(what, deviation, gradient)?;
        let (deviation, gradient) = (get(what, deviation)?, get(what, gradient)?);
        let mut first = context.pool.zeros(c)?;
        let mut second = context.pool.zeros(c * c)?;
        for i in 0..c {
            if deviation[i] > 0.0 {
                first[i] = -gradient[i] * mean[i] / deviation[i];
                second[i * c + i] = gradient[i] / (2.0 * deviation[i]);
            }
        }
        Ok(Moments {
            mean: put(first, &[c]),
            second: put(second, &[c, c]),
        })
    }
}
