//! Elementwise operations and sums over tensors, each in one pass over memory, which is what they wait for.
//!
//! The loops are plain Rust that the compiler turns into vectors of the level ([`with_simd!`]); sums are kept in
//! f64, over lanes and chunks whose order depends on the length only. Blocked tensors are flat slices like all
//! others: the lanes that fill up a block are zero in every operand and add nothing. The operations that could make
//! them something else, Adam and clamping, clear them.

use super::CpuDevice;
use super::array::{self, Layout, get, get_mut, put, same};
use super::chunks::{CHUNK, each, sum};
use super::simd::{LANES, with_simd};
use crate::device::greatest;
use crate::{AdamBuffers, AdamStep, Result, Scalar, Tensor, VectorOps};

impl VectorOps for CpuDevice {
    fn copy(&self, x: &Tensor) -> Result<Tensor> {
        let context = &self.context;
        let values = get("copy", x)?;
        let mut buffer = context.pool.take(values.len())?;
        let pieces = buffer.chunks_mut(CHUNK).zip(values.chunks(CHUNK)).collect();
        each(context, pieces, |(out, x): (&mut [f32], &[f32])| {
            out.copy_from_slice(x);
        });
        Ok(put(buffer, x.shape()))
    }

    fn zeros(&self, shape: &[usize]) -> Result<Tensor> {
        array::zeros(&self.context, shape)
    }

    fn axpby(&self, a: f32, x: &Tensor, b: f32, y: &mut Tensor) -> Result<()> {
        let context = &self.context;
        same("axpby", x, y)?;
        let (x, y) = (get("axpby", x)?, get_mut("axpby", y)?);
        let pieces = y.chunks_mut(CHUNK).zip(x.chunks(CHUNK)).collect();
        each(context, pieces, |(y, x): (&mut [f32], &[f32])| {
            with_simd!(context.token, simd => {
                for (y, x) in y.iter_mut().zip(x) {
                    *y = a * x + b * *y;
                }
            });
        });
        Ok(())
    }

    fn dot(&self, x: &Tensor, y: &Tensor) -> Result<Scalar> {
        let context = &self.context;
        same("dot", x, y)?;
        let (x, y) = (get("dot", x)?, get("dot", y)?);
        let pieces = x.chunks(CHUNK).zip(y.chunks(CHUNK)).collect();
        let sums = each(
            context,
            pieces,
            |(x, y): (&[f32], &[f32])| with_simd!(context.token, simd => sum(x, y, |x, y| x * y)),
        );
        Ok(Scalar::Ready(sums.iter().sum()))
    }

    fn sum_abs(&self, x: &Tensor) -> Result<Scalar> {
        let context = &self.context;
        let pieces = get("sum_abs", x)?.chunks(CHUNK).collect();
        let sums = each(
            context,
            pieces,
            |x: &[f32]| with_simd!(context.token, simd => sum(x, x, |x, _| x.abs())),
        );
        Ok(Scalar::Ready(sums.iter().sum()))
    }

    fn max_abs(&self, x: &Tensor) -> Result<Scalar> {
        let context = &self.context;
        let pieces = get("max_abs", x)?.chunks(CHUNK).collect();
        let maxima = each(context, pieces, |x: &[f32]| {
            // As integers, magnitudes are in the same order, and what is not a number is greater than all that are.
            with_simd!(context.token, simd => {
                let bits = x.iter().map(|x| x.to_bits() & 0x7fff_ffff);
                f32::from_bits(bits.fold(0, u32::max))
            })
        });
        let maxima = maxima.into_iter().map(f64::from);
        Ok(Scalar::Ready(greatest(maxima)))
    }

    fn clamp(&self, x: &mut Tensor, low: f32, high: f32) -> Result<()> {
        let context = &self.context;
        let layout = Layout::of(x.shape());
        let values = get_mut("clamp", x)?;
        let pieces = values.chunks_mut(CHUNK).collect();
        each(context, pieces, |x: &mut [f32]| {
            with_simd!(context.token, simd => {
                for x in x.iter_mut() {
                    *x = x.max(low).min(high);
                }
            });
        });
        clear_padding(layout, values);
        Ok(())
    }

    fn squared_error(&self, x: &Tensor, t: &Tensor, k: f32) -> Result<(Scalar, Tensor)> {
        let context = &self.context;
        same("squared_error", x, t)?;
        let (values, targets) = (get("squared_error", x)?, get("squared_error", t)?);
        let mut gradient = context.pool.take(values.len())?;
        let inputs = values.chunks(CHUNK).zip(targets.chunks(CHUNK));
        let pieces = gradient.chunks_mut(CHUNK).zip(inputs).collect();
        let sums = each(
            context,
            pieces,
            |(gradient, (x, t)): (&mut [f32], (&[f32], &[f32]))| {
                with_simd!(context.token, simd => {
                    for ((gradient, x), t) in gradient.iter_mut().zip(x).zip(t) {
                        *gradient = k * (x - t);
                    }
                    sum(x, t, |x, t| (x - t) * (x - t))
                })
            },
        );
        Ok((Scalar::Ready(sums.iter().sum()), put(gradient, x.shape())))
    }

    fn scale_over(&self, x: &mut Tensor, k: f32, divisor: &[Scalar]) -> Result<()> {
        let context = &self.context;
        let mut sum = 0.0;
        for part in divisor {
            sum += part.value()?;
        }
        let factor = if sum == 0.0 { 0.0 } else { f64::from(k) / sum };
        let pieces = get_mut("scale_over", x)?.chunks_mut(CHUNK).collect();
        each(context, pieces, |x: &mut [f32]| {
            with_simd!(context.token, simd => {
                for x in x.iter_mut() {
                    *x = (f64::from(*x) * factor) as f32;
                }
            });
        });
        Ok(())
    }

    fn adam(&self, buffers: AdamBuffers<'_>, step: &AdamStep) -> Result<()> {
        let context = &self.context;
        let AdamBuffers {
            image,
            gradient,
            first,
            second,
            average,
        } = buffers;
        for tensor in [gradient, &*first, &*second, &*average] {
            same("adam", image, tensor)?;
        }
        let layout = Layout::of(image.shape());
        let (image, average) = (get_mut("adam", image)?, get_mut("adam", average)?);
        let pieces = image
            .chunks_mut(CHUNK)
            .zip(get("adam", gradient)?.chunks(CHUNK))
            .zip(get_mut("adam", first)?.chunks_mut(CHUNK))
            .zip(get_mut("adam", second)?.chunks_mut(CHUNK))
            .zip(average.chunks_mut(CHUNK))
            .map(|((((image, gradient), first), second), average)| Adam {
                image,
                gradient,
                first,
                second,
                average,
            })
            .collect();
        each(context, pieces, |piece: Adam<'_>| {
            with_simd!(context.token, simd => match step.clamp {
                Some((low, high)) => adam_piece(piece, step, |x| x.max(low).min(high)),
                None => adam_piece(piece, step, |x| x),
            });
        });
        clear_padding(layout, image);
        clear_padding(layout, average);
        Ok(())
    }
}

/// One thread's part of the buffers of a step.
struct Adam<'a> {
    image: &'a mut [f32],
    gradient: &'a [f32],
    first: &'a mut [f32],
    second: &'a mut [f32],
    average: &'a mut [f32],
}

#[inline(always)]
fn adam_piece(piece: Adam<'_>, step: &AdamStep, clamp: impl Fn(f32) -> f32) {
    let [beta1, beta2, decay] = [step.beta1, step.beta2, step.average_decay];
    let rate = step.learning_rate / step.correction1;
    let correction2 = 1.0 / step.correction2;
    let len = piece.image.len();
    let (image, gradient) = (&mut piece.image[..len], &piece.gradient[..len]);
    let (first, second) = (&mut piece.first[..len], &mut piece.second[..len]);
    let average = &mut piece.average[..len];
    for i in 0..len {
        let g = gradient[i];
        first[i] = beta1 * first[i] + (1.0 - beta1) * g;
        second[i] = beta2 * second[i] + (1.0 - beta2) * g * g;
        let root = (second[i] * correction2).sqrt() + step.epsilon;
        image[i] = clamp(image[i] - rate * first[i] / root);
        average[i] = decay * average[i] + (1.0 - decay) * image[i];
    }
}

/// Zeros the lanes that fill up the last block of channels.
fn clear_padding(layout: Layout, values: &mut [f32]) {
    let Layout::Blocked { channels, pixels } = layout else {
        return;
    };
    let used = channels % LANES;
    if used != 0 {
        let last = channels / LANES * pixels * LANES;
        for pixel in values[last..].chunks_exact_mut(LANES) {
            pixel[used..].fill(0.0);
        }
    }
}
