//! The first two convolutions, strip by strip.
//!
//! The first convolution makes the largest map of the network from the smallest input: 64 channels at full size, 1 GB
//! for an image of 2048² pixels, from 27 products per value. So it is never kept. Forward, a strip of rows is made,
//! its moments are summed, and the second convolution reads it while it is still in the cache. Backward, the strip is
//! made once more if its moments have a gradient, becomes the gradient in place, and is summed up to the image.
//!
//! This needs a first convolution with a ReLU of which nobody wants the features, and a second convolution behind it
//! that continues the map with zeros ([`applies`]); otherwise the stages run one by one like all others.

use super::first::{self, FirstTarget};
use super::memory::Buffer;
use super::mixing::{Operand, Pixels};
use super::moments::{self, Accumulator, Lines};
use super::network::{CpuNetwork, Map, Node};
use super::patches::Source;
use super::plan::{Behind, Operation, Stage};
use super::pointwise;
use super::simd::{LANES, Lanes};
use super::strip::Strip;
use super::tape::CpuTape;
use super::window::clear_around;
use super::winograd::Extent;
use crate::{Layer, Moments, NetSpec, Padding, Result, TapRequest, Window};
use std::ops::Range;

/// Size of a strip, about: a part of the last-level cache.
pub(super) const STRIP_BYTES: usize = 8 << 20;
/// Rows of a strip are a multiple of the height of every tile, and no more than this.
const ROW_STEP: usize = 4;
const MOST_ROWS: usize = 64;

/// Whether the first two stages of a plan run strip by strip, given what is asked of the first.
pub(super) fn applies(spec: &NetSpec, plan: &[Stage], asked: &[TapRequest]) -> bool {
    let [first, second, ..] = plan else {
        return false;
    };
    let relu = Operation::Conv {
        layer: 0,
        behind: Behind::Relu,
    };
    let zeros = match second.operation {
        Operation::Conv { layer, .. } => {
            matches!(&spec.layers[layer], Layer::Conv(conv) if conv.padding == Padding::Zero)
        }
        Operation::Read | Operation::Relu | Operation::Pool(_) => false,
    };
    first.operation == relu && zeros && asked.iter().all(|request| !request.features)
}

/// The rows of each strip.
fn strips(h: usize, w: usize, blocks: usize) -> impl Iterator<Item = Range<usize>> {
    let row = blocks * w * size_of::<Lanes>();
    let rows = (STRIP_BYTES / row / ROW_STEP * ROW_STEP).clamp(ROW_STEP, MOST_ROWS);
    (0..h)
        .step_by(rows)
        .map(move |start| start..h.min(start + rows))
}

/// The nodes of both stages, the moments of a window of the first if they are wanted, and the prepared image, from
/// which [`backward`] makes the strips again; `pixels` are those by which filters are kept.
pub(super) fn forward(
    network: &CpuNetwork,
    image: &[f32],
    tape: &CpuTape<'_>,
    wants_moments: Option<&Window>,
    pixels: usize,
) -> Result<([Node; 2], Option<Moments>, Buffer)> {
    let context = &network.context;
    let ((h, w), plan) = (tape.size, &tape.plan);
    let convolution = network.convolution(0)?;
    let padding = convolution.spec.padding;
    let image = first::prepare(context, image, network.norm()?, padding, (h, w))?;
    let channels = convolution.spec.out_channels;
    let blocks = channels.div_ceil(LANES);
    let mut bits = context.pool.take(blocks * h * w)?;
    let mut second = network.room(&plan[1], channels, (h, w))?;
    // A strip, and one row on either side for the second convolution to read.
    let longest = strips(h, w, blocks).next().map_or(0, |rows| rows.len());
    let mut map: Buffer = context
        .pool
        .take(blocks * (longest + 2).min(h) * w * LANES)?;
    let mut moments = match wants_moments {
        Some(window) => Some((window, Accumulator::new(context, channels, longest * w)?)),
        None => None,
    };
    for rows in strips(h, w, blocks) {
        let with_neighbours = rows.start.saturating_sub(1)..h.min(rows.end + 1);
        let strip = Strip {
            h,
            w,
            first: with_neighbours.start,
            rows: with_neighbours.len(),
        };
        let map = &mut map.lanes_mut()[..blocks * strip.pixels()];
        let target = FirstTarget {
            rows: with_neighbours,
            out: map,
            strip,
            relu: true,
            bits: Some(&mut bits),
        };
        first::forward(context, network.first()?, &convolution.bias, &image, target);
        if let Some((window, moments)) = &mut moments {
            let seen = window.shared(&Window {
                top: rows.start,
                height: rows.len(),
                ..Window::whole(h, w)
            });
            if seen.pixels() > 0 {
                let start = strip.place(seen.top, seen.left);
                let size = (seen.height, seen.width);
                moments.add(context, map, Lines::of(strip.pixels(), start, w, size));
            }
        }
        let source = Source::Map {
            data: map,
            strip,
            padding: Padding::Zero,
        };
        let extent = Extent {
            rows,
            ..Extent::whole(h, w)
        };
        network.convolve_into(&plan[1], source, &mut second, extent, pixels)?;
    }
    let first = Node {
        channels,
        h,
        w,
        map: Map::Dropped,
        bits: Some(bits),
    };
    let moments = match moments {
        Some((_, moments)) => Some(moments.finish(context)?),
        None => None,
    };
    Ok(([first, second], moments, image))
}

/// Some rows of a strip as pixels.
fn pixels(strip: &Strip, rows: &Range<usize>) -> Pixels {
    Pixels {
        stride: strip.pixels(),
        start: strip.place(rows.start, 0),
        count: rows.len() * strip.w,
    }
}

/// The gradient towards the prepared image and its border `[3, h+2, w+2]`, from that towards the node of the second
/// stage and from what is said about the moments of the first; one of the two must be there.
pub(super) fn backward(
    tape: &CpuTape<'_>,
    image: &[f32],
    gradient: Option<&[f32]>,
    towards: Option<&Moments>,
) -> Result<Buffer> {
    let network = tape.network;
    let context = &network.context;
    let convolution = network.convolution(0)?;
    let (h, w) = tape.size;
    let blocks = convolution.bias.len();
    let window = tape.window_at(0);
    let matrix = match towards {
        Some(towards) => Some(moments::gradient_matrix(context, towards, window.pixels())?),
        None => None,
    };
    let longest = strips(h, w, blocks).next().map_or(0, |rows| rows.len());
    let mut map: Buffer = context
        .pool
        .take(blocks * (longest + 2).min(h) * w * LANES)?;
    // The last two rows of the strip before, whose sum over the image is not complete.
    let mut carried: Buffer = context.pool.take(blocks * 2 * w * LANES)?;
    let mut bordered = context.pool.take(3 * (h + 2) * (w + 2))?;
    for rows in strips(h, w, blocks) {
        let first = rows.start.saturating_sub(2);
        let strip = Strip {
            h,
            w,
            first,
            rows: rows.end - first,
        };
        let map = &mut map.lanes_mut()[..blocks * strip.pixels()];
        if rows.start > 0 {
            copy_rows(
                (carried.lanes(), Pixels::all(2 * w)),
                (map, pixels(&strip, &(first..rows.start))),
            );
        }
        if let Some(matrix) = &matrix {
            let target = FirstTarget {
                rows: rows.clone(),
                out: map,
                strip,
                relu: true,
                bits: None,
            };
            first::forward(context, network.first()?, &convolution.bias, image, target);
            let operand = Operand::InPlace { map, add: None };
            matrix.apply(context, pixels(&strip, &rows), operand)?;
            if window != Window::whole(h, w) {
                let fresh = (rows.start, rows.len());
                let skipped = strip.place(rows.start, 0);
                clear_around(map, None, (strip.pixels(), skipped), fresh, w, &window);
            }
        }
        if let Some(gradient) = gradient {
            let extent = Extent {
                rows: rows.clone(),
                ..Extent::whole(h, w)
            };
            let gradient = gradient.as_chunks().0;
            tape.convolve_back(0, gradient, map, strip, matrix.is_some(), extent)?;
        } else if let Some(bits) = tape.mask(0) {
            let Pixels {
                stride,
                start,
                count,
            } = pixels(&strip, &rows);
            for (map, bits) in map.chunks_exact_mut(stride).zip(bits.chunks_exact(h * w)) {
                pointwise::mask(
                    context,
                    &mut map[start..start + count],
                    &bits[rows.start * w..][..count],
                );
            }
        }
        if rows.end < h {
            let last = pixels(&strip, &(rows.end - 2..rows.end));
            copy_rows((map, last), (carried.lanes_mut(), Pixels::all(2 * w)));
        }
        // Rows counted from the border: row `p` needs rows `p − 2` to `p` of the map.
        let last = if rows.end < h { rows.end } else { h + 2 };
        first::backward(
            context,
            network.first()?,
            map,
            strip,
            rows.start..last,
            &mut bordered,
        );
    }
    Ok(bordered)
}

/// Copies some pixels of every block of channels.
fn copy_rows((from, there): (&[Lanes], Pixels), (to, here): (&mut [Lanes], Pixels)) {
    let blocks = from
        .chunks_exact(there.stride)
        .zip(to.chunks_exact_mut(here.stride));
    for (from, to) in blocks {
        let from = &from[there.start..there.start + there.count];
        to[here.start..here.start + here.count].copy_from_slice(from);
    }
}
