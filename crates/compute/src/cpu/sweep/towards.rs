//! The gradient towards the map of a stage, as far as its rows are in memory.

use crate::cpu::memory::Buffer;
use crate::cpu::mixing::Matrix;
use crate::cpu::simd::Lanes;
use crate::cpu::strip::Strip;
use crate::cpu::sweep::rows::Rows;
use crate::cpu::tape::LayerCotangents;
use crate::{Moments, Tap, Window};

/// The rows of no map.
pub(super) const NOTHING: Strip = Strip {
    h: 0,
    w: 0,
    first: 0,
    rows: 0,
    room: 0,
};

/// The gradient towards one map, some rows of which are in memory.
pub(super) struct Towards {
    /// None before the first are made, and after the last have been read.
    pub(super) rows: Option<Rows<f32>>,
    pub(super) computed: usize,
    /// What is said about moments, until the matrix is made.
    pub(super) moments: Option<Moments>,
    /// From the map to the gradient of its moments, if they have one, from the first rows to the last.
    pub(super) matrix: Option<Matrix>,
    pub(super) window: Window,
    pub(super) parts: Vec<Tap>,
    /// Gradients towards the features as a whole.
    pub(super) features: Vec<Buffer>,
    /// The same of heads, by the index of the head.
    pub(super) heads: Vec<(usize, Buffer)>,
}

impl Towards {
    /// No rows yet of the gradient towards the map of a stage.
    pub(super) fn new(said: LayerCotangents, window: Window, parts: Vec<Tap>) -> Self {
        Self {
            rows: None,
            computed: 0,
            moments: said.moments,
            matrix: None,
            window,
            parts,
            features: said.features,
            heads: said.heads,
        }
    }

    /// Whether anything is said about moments.
    pub(super) fn of_moments(&self) -> bool {
        self.moments.is_some() || self.matrix.is_some()
    }

    /// The rows that are there, and which they are; empty if none are.
    pub(super) fn map(&self) -> (&[Lanes], Strip) {
        match &self.rows {
            Some(rows) => (rows.buffer.lanes(), rows.strip),
            None => (&[], NOTHING),
        }
    }

    /// The same, to be written.
    pub(super) fn map_mut(&mut self) -> (&mut [Lanes], Strip) {
        match &mut self.rows {
            Some(rows) => (rows.buffer.lanes_mut(), rows.strip),
            None => (&mut [], NOTHING),
        }
    }

    /// Whether losses say anything, or may when they are asked.
    pub(super) fn is_said(&self) -> bool {
        self.of_moments()
            || !(self.parts.is_empty() && self.features.is_empty() && self.heads.is_empty())
    }
}
