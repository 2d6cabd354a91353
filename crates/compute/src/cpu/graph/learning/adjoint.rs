//! Gradients towards what convolutions read: convolutions by the transposed filters, turned by half a circle.
//!
//! Of `y[i] = Σ_t w[t] · x[s·i + t − b]` the gradient towards `x`, continued beyond its border by `b`, is
//!
//! ```text
//! g[s·q + a] = Σ_d w[a + s·d] · dL/dy[q − d]        for every phase a of the stride
//! ```
//!
//! which is a convolution of `dL/dy` whose filters differ by phase. What lies beyond the border is then folded back to the
//! places that it was read from. Where F(4×4, 3×3) pays, the places inside are made where they belong, and those beyond the
//! border by themselves: each edge of the frame is a convolution of the edge of `dL/dy` by three numbers.

use super::super::convolution::{DIRECTLY, WASTE, pays};
use super::super::direct::{self, Tiling};
use super::super::filters::Filters;
use super::super::pointwise;
use super::super::view::Source;
use super::super::winograd;
use super::places::{Folding, whole};
use crate::cpu::Context;
use crate::cpu::memory::Buffer;
use crate::graph::{Border, Convolution, TransposedConvolution};
use crate::{Padding, Result, Size};

/// The transposed filters of a convolution.
#[derive(Debug)]
pub(super) struct Adjoint {
    /// By their definition.
    filters: Filters,
    border: Border,
    kernel: [usize; 2],
    stride: usize,
    fast: Option<Fast>,
}

/// What F(4×4, 3×3) needs.
#[derive(Debug)]
struct Fast {
    inside: winograd::Filters,
    /// Of what is continued beyond its border by its own numbers: for the rows above and below, and the columns beside.
    frame: Option<[Filters; 4]>,
}

impl Adjoint {
    /// Of a convolution; `winograd` if it may be computed so.
    pub(super) fn new(op: &Convolution, winograd: bool) -> Self {
        let small = op.kernel == [3, 3] && op.stride == 1 && op.groups == 1;
        let fast = winograd && small && pays(op.outputs, op.inputs, DIRECTLY);
        let framed = op.border.padding() != Padding::Zero;
        Self {
            filters: Filters::adjoint(op),
            border: op.border,
            kernel: op.kernel,
            stride: op.stride,
            fast: fast.then(|| Fast {
                inside: winograd::Filters::adjoint(op),
                frame: framed.then(|| {
                    // Rows are as wide as the map with what lies beside it, columns as high as the map.
                    [
                        Filters::edge(op, 2, |x| x),
                        Filters::edge(op, 2, |x| 6 + x),
                        Filters::edge(op, 1, |y| 3 * y),
                        Filters::edge(op, 1, |y| 3 * y + 2),
                    ]
                }),
            }),
        }
    }

    /// The gradient towards a map of some size, from that towards what was made of it.
    pub(super) fn run(&self, context: &Context, g: &Source<'_>, size: Size) -> Result<Buffer> {
        let lanes = context.token.lanes();
        match &self.fast {
            Some(fast) if winograd::waste(size, lanes) <= WASTE => {
                let inputs = self.filters.outputs;
                let mut buffer = context.pool.take(inputs * size.pixels())?;
                winograd::run(context, &fast.inside, g, &whole(&mut buffer, size))?;
                if let Some(frame) = &fast.frame {
                    self.fold_frame(context, g, (frame, size), &mut buffer)?;
                }
                Ok(buffer)
            }
            _ => self.directly(context, g, size),
        }
    }

    /// Over which places phases lie, and the size of the map with what was read beyond its border.
    fn padded(&self, g: Size) -> (Size, Size) {
        let [h, w] = self.filters.span;
        let places = Size {
            width: g.width + w - 1,
            height: g.height + h - 1,
        };
        let padded = Size {
            width: places.width * self.stride,
            height: places.height * self.stride,
        };
        (places, padded)
    }

    /// Floats that a run takes beside its result.
    pub(super) fn room(&self, context: &Context, g: Size, size: Size) -> usize {
        let threads = context.threads.current_num_threads();
        let (places, padded) = self.padded(g);
        let lanes = context.token.lanes();
        let channels = self.filters.inputs + self.filters.outputs;
        match &self.fast {
            Some(fast) if winograd::waste(size, lanes) <= WASTE => {
                let edge = channels * (padded.width + padded.height);
                let lines = fast.frame.iter().flatten().map(|filters| {
                    let long = padded.width.max(padded.height);
                    let tiling = Tiling::new(filters, line(long));
                    tiling.floats(filters)
                });
                let each = winograd::room(&fast.inside, lanes).max(lines.max().unwrap_or(0));
                edge + threads * each
            }
            _ => {
                let each = match self.is_alone() {
                    true => {
                        let tiling = pointwise::Tiling::new(&self.filters, padded.pixels());
                        tiling.room(&self.filters).iter().sum()
                    }
                    false => Tiling::new(&self.filters, places).floats(&self.filters),
                };
                self.filters.outputs * padded.pixels() + threads * each
            }
        }
    }

    /// Whether places do not see each other.
    fn is_alone(&self) -> bool {
        let Filters { span, groups, .. } = self.filters;
        span == [1, 1] && groups == 1 && self.stride == 1
    }

    fn directly(&self, context: &Context, g: &Source<'_>, size: Size) -> Result<Buffer> {
        let (places, padded) = self.padded(g.size);
        let channels = self.filters.outputs;
        let mut buffer = context.pool.take(channels * padded.pixels())?;
        let mut target = whole(&mut buffer, padded);
        if self.is_alone() {
            let source = g.flat(&(0..g.size.height));
            pointwise::run(context, &self.filters, &source, &mut target.flat())?;
        } else {
            let tiling = Tiling::new(&self.filters, places);
            direct::run(context, &self.filters, g, tiling, places, &mut target)?;
        }
        let before = [
            self.border.before(size.height, self.kernel[0], self.stride),
            self.border.before(size.width, self.kernel[1], self.stride),
        ];
        if before == [0, 0] && padded == size {
            return Ok(buffer);
        }
        let folding = Folding {
            channels,
            padded,
            before,
            padding: self.border.padding(),
            size,
        };
        folding.run(context, &buffer)
    }

    /// Makes what lies beyond the border by one place on each side, and folds it back.
    fn fold_frame(
        &self,
        context: &Context,
        g: &Source<'_>,
        (frame, size): (&[Filters; 4], Size),
        to: &mut [f32],
    ) -> Result<()> {
        let Size { width, height } = size;
        let padding = self.border.padding();
        let inside = |i: isize, n: usize| padding.source(i, n).unwrap_or(0);
        let [above, below, left, right] = frame;
        for (filters, row, place) in [(above, 0, -1), (below, height - 1, height as isize)] {
            let edge = |channel: usize| g.row(channel, row).iter().copied();
            let made = along(context, filters, edge, (width, width + 2))?;
            let y = inside(place, height);
            for (channel, line) in made.chunks_exact(width + 2).enumerate() {
                let to = &mut to[channel * size.pixels() + y * width..][..width];
                for (index, value) in line.iter().enumerate() {
                    to[inside(index as isize - 1, width)] += value;
                }
            }
        }
        for (filters, column, place) in [(left, 0, -1), (right, width - 1, width as isize)] {
            let edge = |channel: usize| (0..height).map(move |y| g.row(channel, y)[column]);
            let made = along(context, filters, edge, (height, height))?;
            let x = inside(place, width);
            for (channel, line) in made.chunks_exact(height).enumerate() {
                let to = to[channel * size.pixels()..].chunks_exact_mut(width);
                for (row, value) in to.zip(line) {
                    row[x] += value;
                }
            }
        }
        Ok(())
    }
}

/// A single row.
fn line(width: usize) -> Size {
    Size { width, height: 1 }
}

/// Convolves an edge of a map, of so many places, to so many.
fn along<I: Iterator<Item = f32>>(
    context: &Context,
    filters: &Filters,
    edge: impl Fn(usize) -> I,
    (from, to): (usize, usize),
) -> Result<Buffer> {
    let mut read = context.pool.take(filters.inputs * from)?;
    for (channel, line) in read.chunks_exact_mut(from).enumerate() {
        for (to, value) in line.iter_mut().zip(edge(channel)) {
            *to = value;
        }
    }
    let mut made = context.pool.take(filters.outputs * to)?;
    let source = Source::plain(&read, filters.inputs, line(from));
    let tiling = Tiling::new(filters, line(to));
    let target = &mut whole(&mut made, line(to));
    direct::run(context, filters, &source, tiling, line(to), target)?;
    Ok(made)
}

/// The gradient towards what a transposed convolution reads: the convolution.
#[derive(Debug)]
pub(super) struct Straight(Filters);

impl Straight {
    pub(super) fn new(op: &TransposedConvolution) -> Self {
        Self(Filters::straight(op))
    }

    /// The gradient towards a map of some size.
    pub(super) fn run(&self, context: &Context, g: &Source<'_>, size: Size) -> Result<Buffer> {
        let mut buffer = context.pool.take(self.0.outputs * size.pixels())?;
        let tiling = Tiling::new(&self.0, size);
        let target = &mut whole(&mut buffer, size);
        direct::run(context, &self.0, g, tiling, size, target)?;
        Ok(buffer)
    }

    /// Floats that a run takes beside its result.
    pub(super) fn room(&self, context: &Context, size: Size) -> usize {
        let each = Tiling::new(&self.0, size).floats(&self.0);
        context.threads.current_num_threads() * each
    }
}
