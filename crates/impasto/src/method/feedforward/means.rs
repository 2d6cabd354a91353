//! What painters work with: a device, and as much memory as there is.

use crate::Result;
use crate::method::{Setup, surroundings};
use crate::picture::Picture;
use impasto_compute::graph::{Graph, Shape};
use impasto_compute::{Device, Network, Size, Strips, StripsPlan, TapRequest};

/// Rows of strips that are tried, those that cost least overhead first.
const ROWS: [usize; 3] = [256, 64, 16];

/// What painters work with. Passes that do not fit run in strips, with the same result to the last bit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Means<'a> {
    /// Where they work.
    pub(crate) device: &'a dyn Device,
    /// Bytes that passes may take at a time; `None` for as many as they like.
    pub(crate) bytes: Option<usize>,
    /// Strips of about so many rows, whatever the memory.
    pub(crate) rows: Option<usize>,
}

/// How passes are run, and what they take.
#[derive(Clone, Debug, Default)]
pub(crate) struct Need {
    /// Most at a time.
    pub(crate) bytes: usize,
    /// The strips; `None` for as a whole.
    pub(super) strips: Option<Strips>,
    /// Work, in terms of that on a whole.
    pub(super) work: f64,
}

impl Need {
    /// The same while so many bytes more are held.
    pub(super) fn beside(self, held: usize) -> Self {
        Self {
            bytes: self.bytes + held,
            ..self
        }
    }

    /// Of two passes after one another.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            strips: self.strips.or(other.strips),
            work: self.work.max(other.work),
        }
    }
}

impl<'a> Means<'a> {
    /// The device of a job on a content, and what passes have within a limit.
    pub(crate) fn within(setup: &'a Setup, content: &Picture, limit: Option<u64>) -> Self {
        let around = surroundings::bytes(setup, content);
        let left = |limit: u64| {
            usize::try_from(limit)
                .unwrap_or(usize::MAX)
                .saturating_sub(around)
        };
        Self {
            device: setup.device.as_ref(),
            bytes: limit.map(left),
            rows: setup.limits.tile,
        }
    }

    /// A device without limits.
    pub(crate) fn of(device: &'a dyn Device) -> Self {
        Self {
            device,
            bytes: None,
            rows: None,
        }
    }

    /// The same while so many bytes are held.
    pub(super) fn beside(self, held: usize) -> Self {
        Self {
            bytes: self.bytes.map(|bytes| bytes.saturating_sub(held)),
            ..self
        }
    }

    /// How a graph runs on inputs of some shapes.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(super) fn graph(&self, graph: &dyn Graph, inputs: &[Shape]) -> Result<Need> {
        let whole = graph.memory(inputs, None)?;
        self.choose(whole, |rows| Ok(graph.strips(inputs, Some(rows))?))
    }

    /// How an encoder looks at an image.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(super) fn encoder(
        &self,
        encoder: &dyn Network,
        size: Size,
        taps: &[TapRequest],
    ) -> Result<Need> {
        let whole = encoder.memory(size, taps)?.forward;
        self.choose(whole, |rows| {
            if !encoder.has_strips(taps) {
                return Ok(vec![]);
            }
            let mut plans = encoder.strips(size, Some(rows), taps)?;
            // There is no way back, for which maps would be kept or made again.
            plans.sort_by_key(|plan| plan.memory.forward);
            plans.truncate(1);
            plans.iter_mut().for_each(|plan| plan.work = 1.0);
            Ok(plans)
        })
    }

    /// As a whole if that fits; else in the strips that fit and take least work, or, if none fit, least memory.
    fn choose(
        &self,
        whole: usize,
        plans: impl Fn(usize) -> Result<Vec<StripsPlan>>,
    ) -> Result<Need> {
        let fits = |bytes: usize| self.bytes.is_none_or(|limit| bytes <= limit);
        let as_whole = Need {
            bytes: whole,
            strips: None,
            work: 1.0,
        };
        if self.rows.is_none() && fits(whole) {
            return Ok(as_whole);
        }
        let rows = self.rows.as_ref().map_or(&ROWS[..], std::slice::from_ref);
        let mut ways = Vec::new();
        for &rows in rows {
            ways.extend(plans(rows)?);
        }
        let that_fit = ways.iter().filter(|plan| fits(plan.memory.forward));
        let least_work = that_fit.min_by(|a, b| a.work.total_cmp(&b.work));
        let least_memory = ways.iter().min_by_key(|plan| plan.memory.forward);
        Ok(match least_work.or(least_memory) {
            Some(plan) => Need {
                bytes: plan.memory.forward,
                strips: Some(plan.strips.clone()),
                work: plan.work,
            },
            None => as_whole,
        })
    }
}
