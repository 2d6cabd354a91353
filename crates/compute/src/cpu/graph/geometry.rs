//! Which rows of maps each stage reads for rows that it makes, and what that takes.

use super::convolution::Way;
use super::maps;
use super::plan::Plan;
use super::stage::{Id, Slot, Stage, View, Work};
use super::target::Sums;
use crate::Size;
use crate::cpu::Context;
use crate::cpu::array::Layout;
use crate::cpu::memory::Pool;
use crate::graph::Shape;
use std::ops::Range;

/// Channels and size of a value; a vector is a map of single places.
pub(super) fn dims(shape: Shape) -> (usize, Size) {
    match shape {
        Shape::Map { channels, size } => (channels, size),
        Shape::Vector(n) => (n, Size::square(1)),
    }
}

/// Bytes that so many floats take at most: blocks of memory may be larger than what they are taken for.
pub(super) fn bytes(floats: usize) -> usize {
    Pool::most(floats * size_of::<f32>())
}

/// A plan for maps of some sizes.
#[derive(Clone, Copy)]
pub(super) struct Geometry<'a> {
    pub(super) context: &'a Context,
    pub(super) plan: &'a Plan,
    /// By value.
    pub(super) shapes: &'a [Shape],
}

impl<'a> Geometry<'a> {
    /// Channels and size of a value.
    pub(super) fn dims(&self, id: Id) -> (usize, Size) {
        dims(self.shapes[id])
    }

    pub(super) fn stage(&self, index: usize) -> &'a Stage {
        &self.plan.stages[index]
    }

    /// How a convolution is computed that reads a view; with `sums` if they are taken.
    pub(super) fn way(
        &self,
        stage: &Stage,
        convolution: usize,
        view: &View,
        sums: bool,
    ) -> Way<'a> {
        let (_, size) = self.dims(stage.to);
        self.plan.convolutions[convolution].way(self.context, size, view.doubled, sums)
    }

    /// The rows that a stage makes in all; a single one of what is no map.
    pub(super) fn height(&self, stage: &Stage) -> usize {
        match stage.work {
            Work::Norm { .. } | Work::Moment { .. } | Work::Vector { .. } => 1,
            Work::Unpack | Work::Convolve { .. } | Work::Sum(_) | Work::Map { .. } => {
                self.dims(stage.to).1.height
            }
        }
    }

    /// Strips of a stage begin and end at multiples of so many rows; with `sums` if a convolution takes them.
    pub(super) fn multiple(&self, stage: &Stage, sums: bool) -> usize {
        match &stage.work {
            Work::Convolve {
                view, convolution, ..
            } => self.way(stage, *convolution, view, sums).rows(sums),
            Work::Sum(_) => maps::summed(self.dims(stage.to).1),
            _ => 1,
        }
    }

    /// The maps that a stage reads, and which of their rows for some that it makes.
    pub(super) fn reads(&self, stage: &Stage, rows: &Range<usize>) -> Vec<(Id, Range<usize>)> {
        match &stage.work {
            Work::Convolve {
                view,
                convolution,
                add,
                ..
            } => {
                // Sums do not change what is read.
                let way = self.way(stage, *convolution, view, true);
                let (_, size) = self.dims(view.base);
                let read = way.reads(rows, size, view.doubled);
                let added = add.iter().map(|add| (add.base, rows.clone()));
                [(view.base, read)].into_iter().chain(added).collect()
            }
            Work::Sum(view) => vec![(view.base, rows.clone())],
            Work::Map { making, views, .. } => {
                let of = |view: &View| {
                    let (_, size) = self.dims(view.base);
                    (view.base, making.reads(rows, size.height))
                };
                views.iter().map(of).collect()
            }
            Work::Unpack | Work::Norm { .. } | Work::Moment { .. } | Work::Vector { .. } => vec![],
        }
    }

    /// Pieces of work of a stage that takes sums, each with its own.
    pub(super) fn pieces(&self, stage: &Stage) -> usize {
        let height = self.height(stage);
        match &stage.work {
            Work::Convolve {
                view, convolution, ..
            } => self.way(stage, *convolution, view, true).pieces(height),
            Work::Sum(_) => height.div_ceil(self.multiple(stage, true)),
            _ => 0,
        }
    }

    /// Bytes of all sums of a stage.
    pub(super) fn sums(&self, stage: &Stage) -> usize {
        self.pieces(stage) * self.dims(stage.to).0 * size_of::<Sums>()
    }

    /// Bytes that so many rows of a map take.
    pub(super) fn lines(&self, id: Id, rows: usize) -> usize {
        let (channels, size) = self.dims(id);
        bytes(channels * rows * size.width)
    }

    /// Bytes that threads take at most while a stage makes some rows.
    pub(super) fn room(&self, stage: &Stage, rows: usize, sums: bool) -> usize {
        let (_, size) = self.dims(stage.to);
        let each = match &stage.work {
            Work::Convolve {
                view, convolution, ..
            } => {
                let way = self.way(stage, *convolution, view, sums);
                way.room(self.context, rows, size)
            }
            Work::Map { views, .. } => {
                let widths = views.iter().map(|view| self.dims(view.base).1.width);
                maps::PIECE.max(2 * widths.max().unwrap_or(0) + size.width)
            }
            Work::Sum(_) => maps::summed(size) * size.width,
            Work::Unpack | Work::Norm { .. } | Work::Moment { .. } | Work::Vector { .. } => {
                return 0;
            }
        };
        self.context.threads.current_num_threads() * bytes(each)
    }

    /// Bytes at most at a time while outputs are handed out, of those that are held by slot, `now` in all: what is handed
    /// out in blocks is there twice while it is brought into them.
    pub(super) fn handing_out(&self, held: &[usize], mut now: usize) -> usize {
        let outputs = &self.plan.outputs;
        let mut most = now;
        for (index, &id) in outputs.iter().enumerate() {
            let again = outputs[index + 1..].contains(&id);
            let layout = Layout::of(&self.shapes[id].dims());
            let there = held[Slot::map(id).index()];
            if again || there == 0 || !matches!(layout, Layout::Plain { .. }) {
                now += bytes(layout.len());
                most = most.max(now);
                now -= if again { 0 } else { there };
            }
        }
        most
    }
}
