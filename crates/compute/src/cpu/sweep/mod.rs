//! Passes through a network: its stages, run over a picture row by row.
//!
//! Every stage makes some rows at a time, of the rows of the stage before that are there, and asks that one for as
//! many as it lacks. What nobody will read again makes room for what comes, so where rows are few, a few of a map
//! exist at any time, whatever the height of the picture (layers fused in the manner of Alwani et al., "Fused-layer CNN
//! accelerators", MICRO 2016). No value is computed twice, and each by the same operations however many rows there are
//! at a time: the results are the same to the last bit.
//!
//! The way back ([`backward`](mod@backward)) goes over the rows once more, from the top as well. Of the way there, it needs the bits
//! of every stage, and the maps of those whose moments or features a loss looks at. Either is *kept* as a whole, or
//! made again from the nearest map before it that was kept.
//!
//! What differs between passes is the [`Route`]. Over a picture or a tile that fits into memory, stages make *all* rows
//! at a time, and nothing is made again; only the first two usually make a few, because the first makes the largest map
//! of the network from the smallest input ([`opens`]). Over a larger picture all make a few
//! ([`Network::forward_strips`](crate::Network::forward_strips)); [`plan`] says what is kept.

mod answers;
pub(super) mod backward;
mod look;
pub(super) mod plan;
mod recompute;
mod room;
mod rows;
mod stage_rows;
mod towards;

use super::first::{self, FirstTarget, Prepared};
use super::laps::Laps;
use super::memory::Buffer;
use super::network::CpuNetwork;
use super::results::Bits;
use super::shared::Shared;
use super::simd::{LANES, Lanes};
use super::strip::Strip;
use crate::plan::{Behind, Operation, Plan, Stage};
use crate::{Layer, NetSpec, Padding, Result, Size, Window};
use look::View;
pub(super) use look::{Features, StageViews};
pub(super) use room::Room;
use rows::Rows;
use stage_rows::StageRows;
use std::ops::Range;

/// Size of the rows that a stage makes at a time, about: a part of the last-level cache.
pub(super) const STEP_BYTES: usize = 4 << 20;
/// Rows at a time are a multiple of the height of every tile, and no more than this.
const ROW_STEP: usize = 4;
const MOST_ROWS: usize = 64;
/// Rows that the stage behind and the alignment of tiles ask for on top.
const OVERLAP: usize = 8;

/// Whether the first two stages of a plan run row by row over pictures of any size.
pub(super) fn opens(spec: &NetSpec, plan: &Plan) -> bool {
    let [first, second, ..] = &plan.stages[..] else {
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
    let shows = first.wanted.iter().any(|wanted| wanted.features);
    first.of_image && first.operation == relu && zeros && !shows
}

/// What is kept of a stage on the way there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keeps {
    pub(super) map: bool,
    pub(super) bits: bool,
    /// Whether its rows are made once more on the way back.
    pub(super) again: bool,
    /// Whether its map and the gradient towards it are each there as a whole, and so are those of all stages behind it.
    /// Such a gradient is made at once, where possible in the memory of what it is made from.
    pub(super) whole: bool,
}

/// How a sweep goes over a picture.
#[derive(Debug)]
pub(super) struct Route {
    /// Of each stage.
    pub(super) keeps: Vec<Keeps>,
    /// Rows at a time of each stage, counted in what it reads.
    pub(super) steps: Vec<usize>,
    /// Pixels by which filters are kept.
    pub(super) pixels: usize,
}

/// What the first stage reads.
#[derive(Debug)]
pub(super) enum SweepInput<'a> {
    /// An image, whose rows are prepared when they are read.
    Image(&'a [f32]),
    /// A copy, prepared as a whole.
    Prepared(Prepared),
    /// Features, in blocks: the map of the stage that reads them.
    Features(Buffer),
    /// Nothing any more: all has been read.
    Read,
}

impl SweepInput<'_> {
    /// A copy of an image `[3, h, w]`.
    pub(super) fn whole(network: &CpuNetwork, image: &[f32], size: Size) -> Result<Self> {
        Ok(Self::Prepared(prepare(
            network,
            image,
            size,
            0..size.height,
        )?))
    }
}

fn prepare(
    network: &CpuNetwork,
    image: &[f32],
    size: Size,
    rows: Range<usize>,
) -> Result<Prepared> {
    let padding = network.convolution(0)?.spec.padding;
    first::prepare(
        &network.context,
        image,
        network.norm()?,
        padding,
        size,
        rows,
    )
}

/// The stages of a pass, and the rows of their maps that are there.
#[derive(Debug)]
pub(super) struct Sweep<'a> {
    network: &'a CpuNetwork,
    source: SweepInput<'a>,
    size: Size,
    stages: Vec<StageRows>,
    pixels: usize,
    laps: Laps<'a>,
}

impl<'a> Sweep<'a> {
    /// No rows yet of the stages of a plan.
    pub(super) fn new(
        network: &'a CpuNetwork,
        mut source: SweepInput<'a>,
        plan: &Plan,
        route: &Route,
    ) -> Self {
        let stages = plan.stages.iter().zip(route.keeps.iter().zip(&route.steps));
        let mut stages: Vec<StageRows> = stages
            .map(|(stage, (keeps, step))| StageRows {
                stage: stage.clone(),
                keeps: *keeps,
                step: *step,
                room: 0,
                computed: 0,
                runs: true,
                map: None,
                bits: None,
                map_needed: usize::MAX,
                bits_needed: usize::MAX,
            })
            .collect();
        for index in 0..stages.len() {
            let held = &stages[index];
            let read = stages.get(index + 1).map_or(0, |next| next.step);
            stages[index].room = read.max(held.stage.made(held.step)) + OVERLAP;
        }
        if let (SweepInput::Features(map), Some(first)) = (&mut source, stages.first_mut()) {
            let shape = (first.blocks(), LANES);
            first.map = Some(Rows::whole(map.take(), shape, plan.size));
            first.computed = first.rows();
            source = SweepInput::Read;
        }
        Self {
            network,
            source,
            size: plan.size,
            stages,
            pixels: route.pixels,
            laps: Laps::new(network, &plan.stages),
        }
    }

    /// Goes over the picture; `window` says where the moments of each stage are taken.
    /// Afterwards only what is kept is left. The filters of `pixels` beyond the limit are forgotten by the caller.
    pub(super) fn forward(&mut self, window: impl Fn(usize) -> Window) -> Result<Vec<StageViews>> {
        let network = self.network;
        let stages = self.stages.iter_mut().enumerate();
        let mut views: Vec<View> = stages
            .map(|(index, held)| View::new(held, window(index)))
            .collect();
        if let Some(last) = self.stages.len().checked_sub(1) {
            self.advance(last, self.stages[last].rows(), &mut views)?;
            // Rows that no stage behind has asked for.
            for index in (0..last).rev() {
                self.advance(index, self.stages[index].rows(), &mut views)?;
            }
            if !self.stages[last].keeps.whole {
                self.laps.forward(last);
            }
        }
        for held in &mut self.stages {
            held.runs = held.keeps.again;
            if !held.keeps.map {
                (held.map, held.computed) = (None, 0);
            }
            if !held.keeps.bits {
                held.bits = None;
            }
        }
        let views = views.into_iter().zip(&mut self.stages);
        views
            .map(|(view, held)| view.finish(network, held))
            .collect()
    }

    /// Takes the map of a stage back that was shown as features.
    pub(super) fn give_back(&mut self, index: usize, map: Buffer) {
        if let Some(held) = self.stages.get_mut(index) {
            let shape = (held.blocks(), LANES);
            held.map = Some(Rows::whole(map, shape, held.stage.size));
        }
    }

    /// Makes rows of a stage until there are so many of its map.
    fn advance(&mut self, index: usize, rows: usize, views: &mut [View]) -> Result<()> {
        loop {
            let held = &self.stages[index];
            let h = held.stage.before.height;
            let wanted = match held.stage.pools() {
                _ if rows >= held.rows() => h,
                true => 2 * rows,
                false => rows,
            };
            if held.computed >= wanted {
                return Ok(());
            }
            let end = wanted.min(held.computed + held.step);
            self.compute(index, end.next_multiple_of(ROW_STEP).min(h), views)?;
        }
    }

    /// The first row of its map that the next stage will read.
    fn read_from(&self, index: usize) -> usize {
        match self.stages.get(index + 1) {
            Some(next) if next.runs => match next.stage.operation {
                Operation::Conv { .. } => next.computed.saturating_sub(1),
                _ => next.computed,
            },
            _ => usize::MAX,
        }
    }

    /// Makes the rows of a stage up to `end`, counted in what it reads.
    fn compute(&mut self, index: usize, end: usize, views: &mut [View]) -> Result<()> {
        let network = self.network;
        let operation = self.stages[index].stage.operation;
        if let Some(before) = index.checked_sub(1) {
            let reach = match operation {
                Operation::Conv { .. } => 1,
                _ => 0,
            };
            let there = self.stages[before].rows();
            self.advance(before, there.min(end + reach), views)?;
        }
        let read = self.read_from(index);
        let (below, here) = self.stages.split_at_mut(index);
        let (held, below) = (&mut here[0], below.last_mut());
        let start = held.computed;
        let made = held.stage.made(start)..held.stage.made(end);
        held.make_room(network, made.end, read)?;
        match &below {
            Some(before) => held.make(network, before, start..end, self.pixels)?,
            None => {
                let room = held.room();
                let noted = !room.bits.is_empty();
                let bits = noted.then(|| Bits {
                    words: Shared::new(room.bits),
                    strip: room.bits_strip,
                });
                let out = (room.map, room.strip);
                let (source, size) = (&self.source, self.size);
                first_rows(network, source, size, out, noted, bits, start..end)?;
            }
        }
        held.computed = end;
        held.extend(made.end);
        if let Some(view) = views.get_mut(index) {
            view.look(network, held, made)?;
        }
        if end == held.stage.before.height {
            match below {
                Some(before) if !before.keeps.map && before.map_needed == usize::MAX => {
                    before.map = None;
                }
                None if !held.keeps.again => self.source = SweepInput::Read,
                Some(_) | None => {}
            }
            // Time of stages that make few rows at a time goes by the name of the one that they run together with.
            if held.keeps.whole {
                self.laps.forward(index);
            }
        }
        Ok(())
    }
}

/// Makes some rows of the map of the first stage.
fn first_rows(
    network: &CpuNetwork,
    source: &SweepInput<'_>,
    size: Size,
    (out, strip): (&mut [Lanes], Strip),
    relu: bool,
    bits: Option<Bits<'_>>,
    rows: Range<usize>,
) -> Result<()> {
    let fresh;
    let image = match source {
        SweepInput::Prepared(image) => image,
        SweepInput::Image(image) => {
            fresh = prepare(network, image, size, rows.clone())?;
            &fresh
        }
        // All rows are there then.
        SweepInput::Features(_) | SweepInput::Read => return Ok(()),
    };
    let target = FirstTarget {
        rows,
        out,
        strip,
        relu,
        bits,
    };
    let bias = &network.convolution(0)?.bias;
    first::forward(&network.context, network.first()?, bias, image, target);
    Ok(())
}

/// Rows at a time of a stage, counted in what it reads, where so many of the image are wanted.
fn step(stage: &Stage, image: Size, rows: Option<usize>) -> usize {
    let row = stage.channels.div_ceil(LANES) * stage.before.width * size_of::<Lanes>();
    let stride = (image.height / stage.before.height.max(1)).max(1);
    let rows = rows.map_or(STEP_BYTES / row.max(1), |rows| rows / stride);
    (rows / ROW_STEP * ROW_STEP).clamp(ROW_STEP, MOST_ROWS)
}
