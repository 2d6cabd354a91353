//! Stages: what a [plan](super::plan) is made of, and what each reads and makes.

use super::convolution::inside;
use crate::Padding;
use crate::graph::{Activation, InstanceNorm, Op, Pooling, Scaling, Upsampling, Variance};
use std::ops::Range;

/// A value: the inputs first, then what nodes make.
pub(super) type Id = usize;

/// A map as a stage reads it.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// In memory.
    pub(super) base: Id,
    pub(super) scales: Scales,
    pub(super) activation: Option<Activation>,
    /// Twice as high and wide.
    pub(super) doubled: bool,
}

/// Scale and shift of a view.
#[derive(Clone, Debug)]
pub(super) enum Scales {
    None,
    Fixed(Scaling),
    /// Those that the norm of this value has made.
    Made(Id),
}

impl View {
    /// A map as it is.
    pub(super) fn plain(base: Id) -> Self {
        Self {
            base,
            scales: Scales::None,
            activation: None,
            doubled: false,
        }
    }

    pub(super) fn is_plain(&self) -> bool {
        matches!(self.scales, Scales::None) && self.activation.is_none() && !self.doubled
    }

    /// What has to be there.
    pub(super) fn reads(&self) -> impl Iterator<Item = Slot> {
        let made = match self.scales {
            Scales::Made(id) => Some(Slot::numbers(id)),
            Scales::None | Scales::Fixed(_) => None,
        };
        [Some(Slot::map(self.base)), made].into_iter().flatten()
    }
}

/// What there may be of a value, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Map,
    /// Vectors, and scale and shift of norms.
    Numbers,
    /// Sums for moments.
    Sums,
}

/// A part of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) id: Id,
    pub(super) part: Part,
}

impl Slot {
    pub(super) fn map(id: Id) -> Self {
        let part = Part::Map;
        Self { id, part }
    }

    pub(super) fn numbers(id: Id) -> Self {
        let part = Part::Numbers;
        Self { id, part }
    }

    pub(super) fn sums(id: Id) -> Self {
        let part = Part::Sums;
        Self { id, part }
    }

    /// Its place among those of all values.
    pub(super) fn index(self) -> usize {
        3 * self.id + self.part as usize
    }
}

/// One pass over maps, or over vectors.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) work: Work,
    /// The value that it is about.
    pub(super) to: Id,
}

/// What a stage does.
#[derive(Debug)]
pub(super) enum Work {
    /// Lays out an input row by row that lies in blocks of channels.
    Unpack,
    /// A convolution, by its index, and what is fused behind it.
    Convolve {
        view: View,
        convolution: usize,
        add: Option<View>,
        activation: Option<Activation>,
        /// Whether the sums for moments are taken.
        moments: bool,
    },
    /// Takes the sums for the moments of a map.
    Sum(View),
    /// Makes scale and shift of a norm, from the moments of a value, and those that are given.
    Norm {
        of: Id,
        op: InstanceNorm,
        given: Option<[Id; 2]>,
    },
    /// Makes the mean of each channel of a value, or `√(σ² + ε)`.
    Moment {
        of: Id,
        deviation: Option<(f32, Variance)>,
    },
    /// Makes a map of others.
    Map {
        making: Making,
        views: Vec<View>,
        vector: Option<Id>,
        activation: Option<Activation>,
    },
    /// Makes a vector of others.
    Vector { op: Op, reads: Vec<Id> },
}

/// How a map is made of others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Making {
    /// It is the only one.
    Copy,
    Add,
    Multiply,
    Mix,
    Concat,
    Upsample(Upsampling),
    Pool(Pooling),
    Pad(usize, Padding),
    Crop(usize),
}

impl Making {
    /// Whether every number is made of those at its place alone.
    pub(super) fn is_alone(self) -> bool {
        match self {
            Making::Copy | Making::Add | Making::Multiply | Making::Mix | Making::Concat => true,
            Making::Upsample(_) | Making::Pool(_) | Making::Pad(..) | Making::Crop(_) => false,
        }
    }

    /// The rows that are read of a map of some height for some rows.
    pub(super) fn reads(self, rows: &Range<usize>, height: usize) -> Range<usize> {
        let (start, end) = (rows.start as isize, rows.end as isize);
        let (padding, rows) = match self {
            Making::Copy | Making::Add | Making::Multiply | Making::Mix | Making::Concat => {
                return rows.clone();
            }
            Making::Upsample(Upsampling::Nearest) => (Padding::Zero, start / 2..(end + 1) / 2),
            // The other row of the first place may lie before it, that of the last one behind it.
            Making::Upsample(Upsampling::Bilinear) => {
                (Padding::Replicate, start / 2 - 1..(end + 1) / 2 + 1)
            }
            Making::Pool(op) => {
                let before = op.border.before(height, op.kernel, op.stride) as isize;
                let stride = op.stride as isize;
                let behind = (end - 1) * stride + op.kernel as isize;
                (Padding::Zero, start * stride - before..behind - before)
            }
            Making::Pad(amount, padding) => {
                let amount = amount as isize;
                (padding, start - amount..end - amount)
            }
            Making::Crop(amount) => {
                let amount = amount as isize;
                (Padding::Zero, start + amount..end + amount)
            }
        };
        inside(padding, rows, height)
    }
}

impl Stage {
    /// What has to be there.
    pub(super) fn reads(&self) -> Vec<Slot> {
        match &self.work {
            Work::Unpack => Vec::new(),
            Work::Convolve { view, add, .. } => view
                .reads()
                .chain(add.iter().flat_map(View::reads))
                .collect(),
            Work::Sum(view) => view.reads().collect(),
            Work::Norm { of, given, .. } => {
                let given = given.iter().flatten().map(|&id| Slot::numbers(id));
                given.chain([Slot::sums(*of)]).collect()
            }
            Work::Moment { of, .. } => vec![Slot::sums(*of)],
            Work::Map { views, vector, .. } => {
                let views = views.iter().flat_map(View::reads);
                views.chain(vector.map(Slot::numbers)).collect()
            }
            Work::Vector { reads, .. } => reads.iter().map(|&id| Slot::numbers(id)).collect(),
        }
    }

    /// Whether it takes sums for moments.
    pub(super) fn takes_sums(&self) -> bool {
        self.makes().any(|slot| slot.part == Part::Sums)
    }

    /// What is there then.
    pub(super) fn makes(&self) -> impl Iterator<Item = Slot> {
        let (first, sums) = match &self.work {
            Work::Convolve { moments, .. } => (Slot::map(self.to), *moments),
            Work::Unpack | Work::Map { .. } => (Slot::map(self.to), false),
            Work::Sum(_) => (Slot::sums(self.to), false),
            Work::Norm { .. } | Work::Moment { .. } | Work::Vector { .. } => {
                (Slot::numbers(self.to), false)
            }
        };
        [first].into_iter().chain(sums.then(|| Slot::sums(self.to)))
    }
}
