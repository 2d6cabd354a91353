//! What a pass through a network needs of memory, told beforehand.
//!
//! The passes are walked through stage by stage as [`sweep`](super::sweep) runs them, with sizes for buffers. What threads need while they work, and blocks of memory that are a little larger than
//! what they hold, come on top.

use super::convolution::Convolution;
use super::network::CpuNetwork;
use super::simd::{LANES, Lanes};
use super::sweep;
use crate::plan::{Abilities, Kept, Operation, Plan, Stage};
use crate::request::Wanted;
use crate::{Input, Memory, Result, Size, Tap};

/// What runs as one operation here: features are laid out in blocks, and the convolution of an image has a kernel of its
/// own that does not pool.
pub(super) const ABILITIES: Abilities = Abilities {
    lays_out: true,
    pools_images: false,
};

/// Products of a tile and transformed filters, per pair of channels: 36 floats for every 9.
const FILTER_BYTES: usize = 36 * size_of::<f32>();
/// What the threads of a convolution keep beside filters.
pub(super) const SCRATCH: usize = 24 << 20;

/// Bytes of a row of a map of some channels.
pub(super) fn row(channels: usize, width: usize) -> usize {
    channels.div_ceil(LANES) * width * size_of::<Lanes>()
}

/// Bytes of the bits of a row that a stage makes.
pub(super) fn bits_row(stage: &Stage) -> usize {
    let words = stage.operation.noted().bits() * size_of::<u16>();
    stage.channels.div_ceil(LANES) * stage.size.width * words
}

/// Bytes of the transformed filters of a stage, one way; an image is convolved without.
pub(super) fn filters(stage: &Stage) -> usize {
    match stage.operation {
        Operation::Conv { .. } if !stage.of_image => stage.inputs * stage.channels * FILTER_BYTES,
        _ => 0,
    }
}

/// What a stage makes.
struct Made {
    /// Bytes of its map.
    map: usize,
    /// Bytes of its bits.
    bits: usize,
    kept: Kept,
}

impl CpuNetwork {
    /// The memory of a pass, requests merged by tap.
    pub(super) fn estimate(&self, size: Size, wanted: &[Wanted]) -> Result<Memory> {
        if wanted.is_empty() {
            return Ok(Memory::default());
        }
        let plan = Plan::new(&self.spec, size, wanted, ABILITIES)?;
        let opens = sweep::opens(&self.spec, &plan);
        let mut made: Vec<Made> = Vec::with_capacity(plan.stages.len());
        let mut features = 0;
        for (index, stage) in plan.stages.iter().enumerate() {
            let strip = opens && index == 0;
            for wanted in &stage.wanted {
                if let (Tap::Head(head), true) = (wanted.tap, wanted.features) {
                    let channels = self.spec.heads[head].out_channels;
                    features += row(channels, stage.size.width) * stage.size.height;
                }
            }
            made.push(Made {
                map: match strip {
                    true => 2 * sweep::STEP_BYTES,
                    false => row(stage.channels, stage.size.width) * stage.size.height,
                },
                bits: bits_row(stage) * stage.size.height,
                kept: if strip { Kept::UntilRead } else { stage.kept },
            });
        }
        let all_filters: usize = plan.stages.iter().map(filters).sum();
        let most_filters = plan.stages.iter().map(filters).max().unwrap_or(0);
        let image = match self.spec.input {
            Input::Image(_) => 3 * (size.height + 2) * (size.width + 2) * size_of::<f32>(),
            Input::Features(_) => 0,
        };
        let scratch = SCRATCH + most_filters;
        let (forward, kept) = forwards(&made, image, scratch);
        Ok(Memory {
            forward: forward + features,
            kept,
            backward: backwards(&made, image, kept, scratch),
            // Of both directions.
            prepared: match Convolution::keeps_filters(&self.context, size.pixels()) {
                true => 2 * all_filters,
                false => 0,
            },
        })
    }
}

/// Most at a time on the way there, and what is kept from then on.
fn forwards(made: &[Made], image: usize, scratch: usize) -> (usize, usize) {
    let (mut live, mut most) = (image, 0);
    for (index, here) in made.iter().enumerate() {
        live += here.map + here.bits;
        most = most.max(live + scratch);
        if let Some(before) = index.checked_sub(1).map(|before| &made[before])
            && before.kept == Kept::UntilRead
        {
            live -= before.map;
        }
    }
    let lasting = made.iter().filter(|here| here.kept == Kept::Lasting);
    let maps: usize = lasting.map(|here| here.map).sum();
    let bits: usize = made.iter().map(|here| here.bits).sum();
    (most, image + bits + maps)
}

/// Most at a time on the way back: the map of a gradient takes the place of a kept one.
fn backwards(made: &[Made], image: usize, kept: usize, scratch: usize) -> usize {
    let (mut live, mut most, mut behind) = (kept, kept, 0);
    for (index, here) in made.iter().enumerate().rev() {
        live += match here.kept {
            Kept::Lasting => 0,
            Kept::UntilRead | Kept::UntilReleased => here.map,
        };
        most = most.max(live + scratch);
        live -= behind + made.get(index + 1).map_or(0, |behind| behind.bits);
        behind = here.map;
    }
    // The image's gradient and its bordered form.
    most.max(live + 2 * image)
}
