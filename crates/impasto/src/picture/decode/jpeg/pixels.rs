//! From quantised coefficients to samples: what the fast decoder does not do, in plain loops.

use rayon::prelude::*;

use super::stream::{Component, Jpeg};
use super::{Colours, from_ycck};
use crate::picture::decode::Samples;

/// Interleaved samples, of 16 bits where the file has more than 8.
pub(super) fn render(jpeg: &Jpeg, colours: Colours) -> Samples {
    let top = f32::from((1u16 << jpeg.process.precision) - 1);
    let cosines = cosines();
    let planes: Vec<Vec<u16>> = jpeg
        .components
        .iter()
        .map(|component| plane(component, top, &cosines))
        .collect();
    let (width, channels) = (jpeg.width, planes.len());
    let mut values = vec![0u16; width * jpeg.height * channels];
    values
        .par_chunks_exact_mut(width * channels)
        .enumerate()
        .for_each_init(
            || vec![0.0f32; width],
            |line, (y, row)| {
                for (c, (component, plane)) in jpeg.components.iter().zip(&planes).enumerate() {
                    enlarged_row(jpeg, component, plane, y, line);
                    for (pixel, value) in row.chunks_exact_mut(channels).zip(line.iter()) {
                        pixel[c] = value.round() as u16;
                    }
                }
                to_colours(row, colours, top);
            },
        );
    if jpeg.process.precision == 8 {
        return Samples::Eight(values.into_iter().map(|value| value as u8).collect());
    }
    let full = |value: &mut u16| *value = (f32::from(*value) * (65535.0 / top)).round() as u16;
    values.par_iter_mut().for_each(full);
    Samples::Sixteen(values)
}

/// `cosines[x][u] = C(u)/2 · cos((2x + 1)uπ/16)` (ITU-T T.81, A.3.3).
fn cosines() -> [[f32; 8]; 8] {
    std::array::from_fn(|x| {
        std::array::from_fn(|u| {
            let scale = if u == 0 { 0.5f64.sqrt() } else { 1.0 };
            let angle = (2 * x + 1) as f64 * u as f64 * std::f64::consts::PI / 16.0;
            (0.5 * scale * angle.cos()) as f32
        })
    })
}

/// The samples of one component, `[8 · blocks down, 8 · blocks across]`.
fn plane(component: &Component, top: f32, cosines: &[[f32; 8]; 8]) -> Vec<u16> {
    let across = component.blocks.0;
    let steps = component.quantisation.unwrap_or([1; 64]);
    let centre = (top + 1.0) / 2.0;
    let mut plane = vec![0u16; component.coefficients.len()];
    plane
        .par_chunks_exact_mut(64 * across)
        .zip(component.coefficients.par_chunks_exact(64 * across))
        .for_each(|(rows, blocks)| {
            for (column, block) in blocks.chunks_exact(64).enumerate() {
                // First along the columns of the block, then along its rows.
                let mut half = [[0.0f32; 8]; 8];
                for (i, (&value, &step)) in block.iter().zip(&steps).enumerate() {
                    if value != 0 {
                        let value = f32::from(value) * f32::from(step);
                        for (y, half) in half.iter_mut().enumerate() {
                            half[i % 8] += value * cosines[y][i / 8];
                        }
                    }
                }
                for (y, half) in half.iter().enumerate() {
                    for (x, cosines) in cosines.iter().enumerate() {
                        let sum: f32 = half.iter().zip(cosines).map(|(a, b)| a * b).sum();
                        rows[8 * (y * across + column) + x] =
                            (sum + centre).round().clamp(0.0, top) as u16;
                    }
                }
            }
        });
    plane
}

/// Row `y` of the picture from a component that may be smaller, interpolated linearly between the
/// centres of its samples.
fn enlarged_row(jpeg: &Jpeg, component: &Component, plane: &[u16], y: usize, out: &mut [f32]) {
    let (across, down) = jpeg.largest();
    let (h, v) = component.sampling;
    let (width, height) = component.size;
    let stride = 8 * component.blocks.0;
    let (top, bottom, below) = neighbours(y, v, down, height);
    let (top, bottom) = (&plane[top * stride..], &plane[bottom * stride..]);
    let mixed = |x: usize| {
        let (above, under) = (f32::from(top[x]), f32::from(bottom[x]));
        above + (under - above) * below
    };
    for (x, out) in out.iter_mut().enumerate() {
        let (left, right, after) = neighbours(x, h, across, width);
        let left = mixed(left);
        *out = if after == 0.0 {
            left
        } else {
            left + (mixed(right) - left) * after
        };
    }
}

/// The two samples of `length` around position `at` when there are `factor` for every `largest`
/// of the picture, and the share of the second.
fn neighbours(at: usize, factor: usize, largest: usize, length: usize) -> (usize, usize, f32) {
    if factor == largest {
        return (at, at, 0.0);
    }
    let place = (at as f32 + 0.5) * factor as f32 / largest as f32 - 0.5;
    let place = place.clamp(0.0, (length - 1) as f32);
    let first = place as usize;
    (first, (first + 1).min(length - 1), place - first as f32)
}

/// A row of stored samples to grey, red, green and blue, or inks, in place.
fn to_colours(row: &mut [u16], colours: Colours, top: f32) {
    let limited = |value: f32| value.round().clamp(0.0, top) as u16;
    match colours {
        Colours::Grey | Colours::Rgb => {}
        Colours::YCbCr => {
            for pixel in row.as_chunks_mut::<3>().0 {
                // ITU-T T.871, clause 7.
                let [y, cb, cr] = pixel.map(f32::from);
                let centre = (top + 1.0) / 2.0;
                let (cb, cr) = (cb - centre, cr - centre);
                *pixel = [
                    limited(y + 1.402 * cr),
                    limited(y - 0.344_136 * cb - 0.714_136 * cr),
                    limited(y + 1.772 * cb),
                ];
            }
        }
        Colours::Cmyk => row.iter_mut().for_each(|ink| *ink = top as u16 - *ink),
        Colours::Ycck => {
            for pixel in row.as_chunks_mut::<4>().0 {
                *pixel = from_ycck(pixel.map(f32::from), top).map(limited);
            }
        }
    }
}
