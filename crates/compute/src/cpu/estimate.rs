//! What a pass through a network needs of memory, told beforehand.
//!
//! The passes are walked through stage by stage as [`network`](super::network) and [`tape`](super::tape) run them,
//! with sizes for buffers. What threads need while they work, and blocks of memory that are a little larger than
//! what they hold, come on top.

use super::convolution::Convolution;
use super::network::{CpuNetwork, keeps};
use super::plan::{Operation, Stage, stages};
use super::simd::{LANES, Lanes};
use super::sweep;
use crate::request::Wanted;
use crate::{Input, Memory, Result, Tap};

/// Products of a tile and transformed filters, per pair of channels: 36 floats for every 9.
const FILTER_BYTES: usize = 36 * size_of::<f32>();
/// What the threads of a convolution keep beside filters.
const SCRATCH: usize = 24 << 20;

/// What a stage makes.
struct Made {
    /// Bytes of its map.
    map: usize,
    /// Bytes of its bits.
    bits: usize,
    /// Whether its map outlives the next stage, and the release of features.
    kept: bool,
    lasting: bool,
}

impl CpuNetwork {
    /// The memory of a pass, requests merged by tap.
    pub(super) fn estimate(&self, (h, w): (usize, usize), requests: &[Wanted]) -> Result<Memory> {
        let mut ends = Vec::with_capacity(requests.len());
        for request in requests {
            self.spec.shape_at(request.tap, h, w)?;
            ends.push(self.spec.layer_of(request.tap)?);
        }
        let Some(deepest) = ends.iter().copied().max() else {
            return Ok(Memory::default());
        };
        let plan = stages(&self.spec, deepest, &ends);
        let asked = |stage: &Stage| -> Vec<Wanted> {
            let here = requests.iter().zip(&ends);
            let here = here.filter(|(_, end)| **end == stage.last);
            here.map(|(request, _)| *request).collect()
        };
        let opens = match self.spec.input {
            Input::Image(_) => sweep::opens(&self.spec, &plan, &asked(&plan[0])),
            Input::Features(_) => false,
        };
        let mut made: Vec<Made> = Vec::with_capacity(plan.len());
        let (mut size, mut channels, mut features) = ((h, w), self.spec.input.channels(), 0);
        let (mut filters, mut all_filters) = (0, 0);
        for (index, stage) in plan.iter().enumerate() {
            let wanted = asked(stage);
            let before = channels;
            let (bits, pools);
            (channels, bits, pools) = self.makes(stage, channels)?;
            if pools {
                size = (size.0 / 2, size.1 / 2);
            }
            let pixels = channels.div_ceil(LANES) * size.0 * size.1;
            if index > 0 && matches!(stage.operation, Operation::Conv { .. }) {
                let bytes = before * channels * FILTER_BYTES;
                (filters, all_filters) = (filters.max(bytes), all_filters + bytes);
            }
            let strip = opens && index == 0;
            for request in &wanted {
                if let (Tap::Head(head), true) = (request.tap, request.features) {
                    let blocks = self.spec.heads[head].out_channels.div_ceil(LANES);
                    features += blocks * size.0 * size.1 * size_of::<Lanes>();
                }
            }
            let moments = |request: &Wanted| Wanted {
                features: false,
                ..*request
            };
            let lasting: Vec<_> = wanted.iter().map(moments).collect();
            made.push(Made {
                map: if strip {
                    2 * sweep::STEP_BYTES
                } else {
                    pixels * size_of::<Lanes>()
                },
                bits: pixels * bits * size_of::<u16>(),
                kept: !strip && keeps(&plan, index, &wanted),
                lasting: !strip && keeps(&plan, index, &lasting),
            });
        }
        let image = match self.spec.input {
            Input::Image(_) => 3 * (h + 2) * (w + 2) * size_of::<f32>(),
            Input::Features(_) => 0,
        };
        let scratch = SCRATCH + filters;
        let mut live = image;
        let mut forward = 0;
        for (index, node) in made.iter().enumerate() {
            live += node.map + node.bits;
            forward = forward.max(live + scratch);
            if let Some(before) = index.checked_sub(1).map(|before| &made[before])
                && !before.kept
            {
                live -= before.map;
            }
        }
        let all = |part: fn(&Made) -> usize| made.iter().map(part).sum::<usize>();
        let kept_maps = all(|node| if node.lasting { node.map } else { 0 });
        let kept = image + all(|node| node.bits) + kept_maps;
        // Backwards: the map of a gradient takes the place of a kept one.
        let (mut live, mut backward, mut behind) = (kept, kept, 0);
        for (index, node) in made.iter().enumerate().rev() {
            let fresh = if node.lasting { 0 } else { node.map };
            live += fresh;
            backward = backward.max(live + scratch);
            live -= behind + made.get(index + 1).map_or(0, |node| node.bits);
            behind = node.map;
        }
        // The image's gradient and its bordered form.
        backward = backward.max(live + 2 * image);
        Ok(Memory {
            forward: forward + features,
            kept,
            backward,
            // Of both directions.
            prepared: match Convolution::keeps_filters(&self.context, h * w) {
                true => 2 * all_filters,
                false => 0,
            },
        })
    }
}
