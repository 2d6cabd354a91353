//! Maps in another size, bilinearly, and the adjoint of that.

use super::CpuDevice;
use super::array::{Layout, get, get_mut, zeros};
use super::chunks::each;
use super::simd::{LANES, with_simd};
use crate::device::{Sample, resizable, samples};
use crate::{Align, Result, Tensor};

/// How a line is made of another one: of each place, its two neighbours there, and of what each counts.
type Line = Vec<(usize, usize, f32)>;

fn line(samples: Vec<Sample>) -> Line {
    let share = |it: Sample| (it.first, it.second, it.share as f32);
    samples.into_iter().map(share).collect()
}

/// Floats of a pixel, and planes of such pixels, of a map.
fn planes(shape: [usize; 3]) -> (usize, usize) {
    match Layout::of(&shape) {
        Layout::Plain { .. } => (1, shape[0]),
        Layout::Blocked { channels, .. } => (LANES, channels.div_ceil(LANES)),
    }
}

pub(super) fn resized(
    device: &CpuDevice,
    x: &Tensor,
    [height, width]: [usize; 2],
    align: Align,
) -> Result<Tensor> {
    let (context, what) = (&device.context, "resized");
    let [c, h, w] = resizable(what, x, [height, width])?;
    let mut out = zeros(context, &[c, height, width])?;
    let (lanes, _) = planes([c, h, w]);
    let (rows, columns) = (
        line(samples(h, height, align)),
        line(samples(w, width, align)),
    );
    let (from, to) = (get(what, x)?, get_mut(what, &mut out)?);
    let pieces = to.chunks_mut((width * lanes).max(1)).enumerate().collect();
    each(context, pieces, |(index, out): (usize, &mut [f32])| {
        let (plane, (first, second, share)) = (index / height, rows[index % height]);
        let row = |y: usize| &from[(plane * h + y) * w * lanes..][..w * lanes];
        let mut between = vec![0.0; w * lanes];
        with_simd!(context.token, simd => {
            for (value, (a, b)) in between.iter_mut().zip(row(first).iter().zip(row(second))) {
                *value = (1.0 - share) * a + share * b;
            }
            for (out, &(first, second, share)) in out.chunks_exact_mut(lanes).zip(&columns) {
                let (a, b) = (&between[first * lanes..][..lanes], &between[second * lanes..][..lanes]);
                for (out, (a, b)) in out.iter_mut().zip(a.iter().zip(b)) {
                    *out = (1.0 - share) * a + share * b;
                }
            }
        });
    });
    Ok(out)
}

pub(super) fn adjoint(
    device: &CpuDevice,
    y: &Tensor,
    [height, width]: [usize; 2],
    align: Align,
) -> Result<Tensor> {
    let (context, what) = (&device.context, "resized_adjoint");
    let [c, h, w] = resizable(what, y, [height, width])?;
    let mut out = zeros(context, &[c, height, width])?;
    let (lanes, _) = planes([c, h, w]);
    let columns = line(samples(width, w, align));
    // Of each row of the result, the rows that it was read for, in their order.
    let mut readers: Vec<Vec<(usize, f32)>> = vec![vec![]; height];
    for (place, (first, second, share)) in line(samples(height, h, align)).into_iter().enumerate() {
        readers[first].push((place, 1.0 - share));
        readers[second].push((place, share));
    }
    let (from, to) = (get(what, y)?, get_mut(what, &mut out)?);
    let pieces = to.chunks_mut((width * lanes).max(1)).enumerate().collect();
    each(context, pieces, |(index, out): (usize, &mut [f32])| {
        let plane = index / height;
        let mut sum = vec![0.0; w * lanes];
        with_simd!(context.token, simd => {
            for &(place, share) in &readers[index % height] {
                let row = &from[(plane * h + place) * w * lanes..][..w * lanes];
                sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += share * value);
            }
            for (value, &(first, second, share)) in sum.chunks_exact(lanes).zip(&columns) {
                for (lane, value) in value.iter().enumerate() {
                    out[first * lanes + lane] += (1.0 - share) * value;
                    out[second * lanes + lane] += share * value;
                }
            }
        });
    });
    Ok(out)
}
