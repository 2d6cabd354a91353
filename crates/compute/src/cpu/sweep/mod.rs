//! Stages of a network that run over a picture row by row.
//!
//! Every stage makes a few rows at a time, of the rows of the stage before that are there, and asks that one for as
//! many as it lacks. What nobody will read again makes room for what comes, so of most maps a few rows exist at any
//! time, whatever the height of the picture (layers fused in the manner of Alwani et al., "Fused-layer CNN
//! accelerators", MICRO 2016). No value is computed twice, and each by the same operations as in a map that is there
//! as a whole: the results are the same to the last bit.
//!
//! The way back ([`backward`](mod@backward)) goes over the rows once more, from the top as well. Of the way there, it needs the bits
//! of every stage, and the maps of those whose moments or features a loss looks at. Either is *kept* as a whole, or
//! made again from the nearest map before it that was kept.
//!
//! Two kinds of passes use this. Over a picture that fits into memory, the first two stages run so, because the first
//! makes the largest map of the network from the smallest input ([`opens`]). Over a larger one, all do
//! ([`Network::forward_strips`](crate::Network::forward_strips)); [`plan`] says what is kept.

pub(super) mod backward;
pub(super) mod plan;
mod rows;

use super::array::put_blocked;
use super::first::{self, FirstTarget, Prepared};
use super::memory::Buffer;
use super::mixing::{Matrix, Operand, Pixels};
use super::moments::{Accumulator, Lines};
use super::network::{CpuNetwork, Map, Node, Room};
use super::patches::Source;
use super::plan::{Behind, Operation, Stage};
use super::pointwise;
use super::results::{Bits, Mask};
use super::shared::Shared;
use super::simd::{LANES, Lanes};
use super::strip::Strip;
use super::winograd::Extent;
use crate::request::Wanted;
use crate::{Layer, Moments, NetSpec, Padding, PoolKind, Result, Tap, Tensor, Window};
use rows::Rows;
use std::ops::Range;

/// Size of the rows that a stage makes at a time, about: a part of the last-level cache.
pub(super) const STEP_BYTES: usize = 4 << 20;
/// Rows at a time are a multiple of the height of every tile, and no more than this.
const ROW_STEP: usize = 4;
const MOST_ROWS: usize = 64;
/// Rows that the stage behind and the alignment of tiles ask for on top.
const OVERLAP: usize = 8;

/// Whether the first two stages of a plan run row by row over pictures of any size, given what is asked of the first.
pub(super) fn opens(spec: &NetSpec, plan: &[Stage], asked: &[Wanted]) -> bool {
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

/// What is kept of a stage on the way there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keeps {
    pub(super) map: bool,
    pub(super) bits: bool,
    /// Whether its rows are made once more on the way back.
    pub(super) again: bool,
}

/// How a sweep goes over a picture.
#[derive(Debug)]
pub(super) struct Route {
    /// Of each stage.
    pub(super) keeps: Vec<Keeps>,
    /// Rows of the image at a time; `None` for as many as caches hold.
    pub(super) rows: Option<usize>,
    /// Pixels by which filters are kept.
    pub(super) pixels: usize,
}

/// One stage: what it has made, some rows of which are in memory.
#[derive(Debug)]
struct Rung {
    stage: Stage,
    channels: usize,
    /// Height and width of what it reads, and of what it makes.
    before: (usize, usize),
    size: (usize, usize),
    pools: bool,
    /// Words of bits per pixel of a block.
    per_pixel: usize,
    keeps: Keeps,
    /// Rows at a time, of what it reads.
    step: usize,
    /// Rows of its map that are needed at a time, about.
    room: usize,
    /// Rows that are done, of what it reads.
    computed: usize,
    /// Whether it makes rows on this way.
    runs: bool,
    map: Option<Rows<f32>>,
    bits: Option<Rows<u16>>,
    /// The first rows that somebody other than the next stage will read.
    map_needed: usize,
    bits_needed: usize,
}

impl Rung {
    fn blocks(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// Rows that are made when `computed` of those it reads are done.
    fn made(&self, computed: usize) -> usize {
        match self.pools {
            true => computed / 2,
            false => computed,
        }
    }

    /// The map and its strip; empty if it is not there.
    fn map(&self) -> (&[Lanes], Strip) {
        match &self.map {
            Some(rows) => (rows.buffer.lanes(), rows.strip),
            None => (&[], Strip::whole(0, self.size.1)),
        }
    }

    fn mask(&self) -> Option<Mask<'_>> {
        self.bits.as_ref().map(|rows| Mask {
            words: &rows.buffer,
            strip: rows.strip,
        })
    }

    /// Makes room for rows up to `made`, where the next stage reads from row `read` on.
    fn make_room(&mut self, network: &CpuNetwork, made: usize, read: usize) -> Result<()> {
        let context = &network.context;
        let whole = |kept: bool| if kept { self.size.0 } else { self.room };
        let (map_room, bits_room) = (whole(self.keeps.map), whole(self.keeps.bits));
        let (blocks, size) = (self.blocks(), self.size);
        let map = match &mut self.map {
            Some(map) => map,
            none => none.insert(Rows::new(context, (blocks, LANES), size, map_room)?),
        };
        map.slide(context, read.min(self.map_needed), made)?;
        if self.per_pixel > 0 {
            let bits = match &mut self.bits {
                Some(bits) => bits,
                none => none.insert(Rows::new(
                    context,
                    (blocks, self.per_pixel),
                    size,
                    bits_room,
                )?),
            };
            bits.slide(context, self.bits_needed, made)?;
        }
        Ok(())
    }
}

/// What the requests behind a stage have seen so far.
struct View {
    requests: Vec<Wanted>,
    /// Where moments are taken, and their sums.
    moments: Option<(Window, Accumulator)>,
    /// Features as a whole, in blocks, by request.
    features: Vec<Option<Buffer>>,
}

/// What the requests behind a stage see.
pub(super) struct Shown {
    pub(super) moments: Option<Moments>,
    /// By request.
    pub(super) features: Vec<Option<Tensor>>,
}

/// What the first stage reads.
#[derive(Debug)]
pub(super) enum Ground<'a> {
    /// An image, whose rows are prepared when they are read.
    Image(&'a [f32]),
    /// A copy, prepared as a whole.
    Prepared(Prepared),
}

impl Ground<'_> {
    /// A copy of an image `[3, h, w]`.
    pub(super) fn whole(network: &CpuNetwork, image: &[f32], size: (usize, usize)) -> Result<Self> {
        Ok(Self::Prepared(prepare(network, image, size, 0..size.0)?))
    }
}

fn prepare(
    network: &CpuNetwork,
    image: &[f32],
    size: (usize, usize),
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

/// Some stages, from that which reads the image on.
#[derive(Debug)]
pub(super) struct Sweep<'a> {
    network: &'a CpuNetwork,
    ground: Ground<'a>,
    size: (usize, usize),
    rungs: Vec<Rung>,
    pixels: usize,
}

impl<'a> Sweep<'a> {
    /// No rows yet of the first stages of a plan, over an image of `size`.
    pub(super) fn new(
        network: &'a CpuNetwork,
        ground: Ground<'a>,
        size: (usize, usize),
        plan: &[Stage],
        route: &Route,
    ) -> Result<Self> {
        let mut rungs: Vec<Rung> = Vec::with_capacity(route.keeps.len());
        for (stage, keeps) in plan.iter().zip(&route.keeps) {
            let (channels, before) = match rungs.last() {
                Some(rung) => (rung.channels, rung.size),
                None => (network.spec.input.channels(), size),
            };
            let (channels, per_pixel, pools) = network.makes(stage, channels)?;
            let stride = size.0 / before.0.max(1);
            rungs.push(Rung {
                stage: *stage,
                channels,
                before,
                size: match pools {
                    true => (before.0 / 2, before.1 / 2),
                    false => before,
                },
                pools,
                per_pixel,
                keeps: *keeps,
                step: step(
                    channels,
                    before.1,
                    route.rows.map(|rows| rows / stride.max(1)),
                ),
                room: 0,
                computed: 0,
                runs: true,
                map: None,
                bits: None,
                map_needed: usize::MAX,
                bits_needed: usize::MAX,
            });
        }
        for index in 0..rungs.len() {
            let rung = &rungs[index];
            let read = rungs.get(index + 1).map_or(0, |next| next.step);
            rungs[index].room = read.max(rung.made(rung.step)) + OVERLAP;
        }
        Ok(Self {
            network,
            ground,
            size,
            rungs,
            pixels: route.pixels,
        })
    }

    /// Goes over the picture; `asked` are the requests behind each stage, and `window` says where its moments are taken.
    /// Afterwards only what is kept is left. The filters of `pixels` beyond the limit are forgotten by the caller.
    pub(super) fn forward(
        &mut self,
        asked: &[Vec<Wanted>],
        window: impl Fn(usize) -> Window,
    ) -> Result<Vec<Shown>> {
        let network = self.network;
        let mut views = Vec::with_capacity(self.rungs.len());
        for (index, (rung, requests)) in self.rungs.iter_mut().zip(asked).enumerate() {
            views.push(View::new(network, rung, requests, window(index))?);
        }
        if let Some(last) = self.rungs.len().checked_sub(1) {
            self.advance(last, self.rungs[last].size.0, &mut views)?;
            // Rows that no stage behind has asked for.
            for index in (0..last).rev() {
                self.advance(index, self.rungs[index].size.0, &mut views)?;
            }
        }
        for rung in &mut self.rungs {
            rung.runs = rung.keeps.again;
            if !rung.keeps.map {
                (rung.map, rung.computed) = (None, 0);
            }
            if !rung.keeps.bits {
                rung.bits = None;
            }
        }
        let views = views.into_iter().zip(&self.rungs);
        views
            .map(|(view, rung)| view.finish(network, rung))
            .collect()
    }

    /// What a stage makes, without map and bits.
    pub(super) fn node(&self, index: usize) -> Node {
        let rung = &self.rungs[index];
        Node {
            channels: rung.channels,
            h: rung.size.0,
            w: rung.size.1,
            map: Map::Dropped,
            bits: None,
        }
    }

    /// The map and the bits of the last stage, as a whole: nothing behind it is a part of the sweep.
    pub(super) fn take_last(&mut self) -> (Option<Buffer>, Option<Buffer<u16>>) {
        match self.rungs.last_mut() {
            Some(last) => (
                last.map.take().map(|rows| rows.buffer),
                last.bits.take().map(|rows| rows.buffer),
            ),
            None => (None, None),
        }
    }

    /// Gives the bits of the last stage back.
    pub(super) fn give_last(&mut self, bits: Option<Buffer<u16>>) {
        if let (Some(last), Some(bits)) = (self.rungs.last_mut(), bits) {
            let shape = (last.blocks(), last.per_pixel);
            last.bits = Some(Rows::whole(bits, shape, last.size));
        }
    }

    /// How many stages there are.
    pub(super) fn len(&self) -> usize {
        self.rungs.len()
    }

    /// Makes rows of a stage until there are so many of its map.
    fn advance(&mut self, index: usize, rows: usize, views: &mut [View]) -> Result<()> {
        loop {
            let rung = &self.rungs[index];
            let h = rung.before.0;
            let wanted = match rung.pools {
                _ if rows >= rung.size.0 => h,
                true => 2 * rows,
                false => rows,
            };
            if rung.computed >= wanted {
                return Ok(());
            }
            let end = wanted.min(rung.computed + rung.step);
            self.compute(index, end.next_multiple_of(ROW_STEP).min(h), views)?;
        }
    }

    /// The first row of its map that the next stage will read.
    fn read_from(&self, index: usize) -> usize {
        match self.rungs.get(index + 1) {
            Some(next) if next.runs => match next.stage.operation {
                Operation::Conv { .. } => next.computed.saturating_sub(1),
                _ => next.computed,
            },
            _ => usize::MAX,
        }
    }

    /// Makes the rows of a stage up to `end`, counted in what it reads.
    fn compute(&mut self, index: usize, end: usize, views: &mut [View]) -> Result<()> {
        let Self { network, .. } = *self;
        let stage = self.rungs[index].stage;
        if let Some(before) = index.checked_sub(1) {
            let reach = match stage.operation {
                Operation::Conv { .. } => 1,
                _ => 0,
            };
            let there = self.rungs[before].size.0;
            self.advance(before, there.min(end + reach), views)?;
        }
        let read = self.read_from(index);
        let (below, here) = self.rungs.split_at_mut(index);
        let rung = &mut here[0];
        let (start, made) = (rung.computed, rung.made(end));
        let first = rung.made(start);
        rung.make_room(network, made, read)?;
        let size = rung.before;
        let room = rung.room();
        match (stage.operation, below.last()) {
            (Operation::Conv { .. }, None) => {
                let noted = !room.bits.is_empty();
                let bits = noted.then(|| Bits {
                    words: Shared::new(room.bits),
                    strip: room.bits_strip,
                });
                let out = (room.map, room.strip);
                first_rows(
                    network,
                    &self.ground,
                    self.size,
                    out,
                    noted,
                    bits,
                    start..end,
                )?;
            }
            (Operation::Conv { layer, .. }, Some(before)) => {
                let (data, strip) = before.map();
                let source = Source::Map {
                    data,
                    strip,
                    padding: network.convolution(layer)?.spec.padding,
                };
                let extent = Extent {
                    rows: start..end,
                    ..Extent::whole(size.0, size.1)
                };
                network.convolve_into(&stage, source, room, extent, self.pixels)?;
            }
            (Operation::Relu, Some(before)) => {
                let bits = Bits {
                    words: Shared::new(room.bits),
                    strip: room.bits_strip,
                };
                let out = (room.map, room.strip);
                pointwise::relu(&network.context, before.map(), out, &bits, start..end);
            }
            (Operation::Pool(pool), Some(before)) => {
                let bits = Bits {
                    words: Shared::new(room.bits),
                    strip: room.bits_strip,
                };
                let out = (room.map, room.strip);
                let noted = (pool.kind == PoolKind::Max).then_some(&bits);
                pointwise::pool(
                    &network.context,
                    &pool,
                    before.map(),
                    out,
                    noted,
                    first..made,
                );
            }
            // Nothing that reads an image begins so.
            (Operation::Read | Operation::Relu | Operation::Pool(_), _) => {}
        }
        rung.computed = end;
        rung.extend(made);
        if let Some(view) = views.get_mut(index) {
            view.look(network, rung, first..made)?;
        }
        Ok(())
    }
}

/// Makes some rows of the map of the first stage.
fn first_rows(
    network: &CpuNetwork,
    ground: &Ground<'_>,
    size: (usize, usize),
    (out, strip): (&mut [Lanes], Strip),
    relu: bool,
    bits: Option<Bits<'_>>,
    rows: Range<usize>,
) -> Result<()> {
    let fresh;
    let image = match ground {
        Ground::Prepared(image) => image,
        Ground::Image(image) => {
            fresh = prepare(network, image, size, rows.clone())?;
            &fresh
        }
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

/// Rows at a time of a map of some channels and width.
fn step(channels: usize, w: usize, rows: Option<usize>) -> usize {
    let row = channels.div_ceil(LANES) * w * size_of::<Lanes>();
    let rows = rows.unwrap_or(STEP_BYTES / row.max(1));
    (rows / ROW_STEP * ROW_STEP).clamp(ROW_STEP, MOST_ROWS)
}

impl Rung {
    /// Map and bits, to be written.
    fn room(&mut self) -> Room<'_> {
        let none = Strip::whole(0, self.size.1);
        let (map, strip) = match &mut self.map {
            Some(rows) => (rows.buffer.lanes_mut(), rows.strip),
            None => (&mut [][..], none),
        };
        let (bits, bits_strip) = match &mut self.bits {
            Some(rows) => (&mut rows.buffer[..], rows.strip),
            None => (&mut [][..], none),
        };
        Room {
            map,
            strip,
            bits,
            bits_strip,
        }
    }

    /// Notes that rows up to `made` are there.
    fn extend(&mut self, made: usize) {
        if let Some(map) = &mut self.map {
            map.extend(made);
        }
        if let Some(bits) = &mut self.bits {
            bits.extend(made);
        }
    }
}

impl View {
    fn new(
        network: &CpuNetwork,
        rung: &mut Rung,
        requests: &[Wanted],
        window: Window,
    ) -> Result<Self> {
        let context = &network.context;
        let (h, w) = rung.size;
        let moments = match requests.iter().any(|request| request.moments) {
            true => {
                rung.map_needed = window.top;
                let size = (window.height, window.width);
                let sums = Accumulator::new(context, rung.channels, size, window.width == w)?;
                Some((window, sums))
            }
            false => None,
        };
        let mut features = Vec::with_capacity(requests.len());
        for request in requests {
            features.push(match request.features {
                true => {
                    let blocks = channels_of(network, rung.channels, request.tap).div_ceil(LANES);
                    Some(context.pool.take(blocks * h * w * LANES)?)
                }
                false => None,
            });
        }
        Ok(Self {
            requests: requests.to_vec(),
            moments,
            features,
        })
    }

    /// Looks at the rows that have just been made.
    fn look(&mut self, network: &CpuNetwork, rung: &mut Rung, made: Range<usize>) -> Result<()> {
        let (h, w) = rung.size;
        if let Some((window, sums)) = &mut self.moments {
            let there = made.end.clamp(window.top, window.bottom()) - window.top;
            let (seen, ready) = (sums.lines(), sums.ready(there));
            if ready > seen {
                let (map, strip) = rung.map();
                let lines = Lines {
                    stride: strip.pixels(),
                    start: strip.place(window.top + seen, window.left),
                    pitch: w,
                    count: ready - seen,
                    width: window.width,
                };
                sums.add(&network.context, map, lines);
                rung.map_needed = match window.top + ready {
                    bottom if bottom == window.bottom() => usize::MAX,
                    next => next,
                };
            }
        }
        for (request, whole) in self.requests.iter().zip(&mut self.features) {
            let Some(whole) = whole else {
                continue;
            };
            let part = features_of(network, rung, request.tap, made.clone())?;
            let planes = whole.lanes_mut().chunks_exact_mut((h * w).max(1));
            for (to, from) in planes.zip(part.lanes().chunks_exact((made.len() * w).max(1))) {
                to[made.start * w..made.end * w].copy_from_slice(from);
            }
        }
        Ok(())
    }

    fn finish(self, network: &CpuNetwork, rung: &Rung) -> Result<Shown> {
        let context = &network.context;
        let moments = match self.moments {
            Some((_, sums)) => Some(sums.finish(context)?),
            None => None,
        };
        let (h, w) = rung.size;
        let show = |(request, buffer): (&Wanted, Option<Buffer>)| {
            let shape = [channels_of(network, rung.channels, request.tap), h, w];
            let shown = buffer.map(|buffer| put_blocked(context, buffer, shape));
            shown.transpose()
        };
        let features = self.requests.iter().zip(self.features).map(show);
        Ok(Shown {
            moments,
            features: features.collect::<Result<_>>()?,
        })
    }
}

/// The channels of a tap behind a stage of some channels.
fn channels_of(network: &CpuNetwork, channels: usize, tap: Tap) -> usize {
    match tap {
        Tap::Layer(_) => channels,
        Tap::Head(head) => network.spec.heads[head].out_channels,
    }
}

/// Some rows of the features of a tap, in blocks without gaps.
fn features_of(network: &CpuNetwork, rung: &Rung, tap: Tap, rows: Range<usize>) -> Result<Buffer> {
    let context = &network.context;
    let ((map, strip), w) = (rung.map(), rung.size.1);
    let count = rows.len() * w;
    let mut own = context.pool.take(rung.blocks() * count * LANES)?;
    let planes = own.lanes_mut().chunks_exact_mut(count.max(1));
    for (block, to) in planes.enumerate() {
        let start = strip.place(rows.start, 0);
        to.copy_from_slice(&strip.plane(map, block)[start..start + count]);
    }
    let Tap::Head(head) = tap else {
        return Ok(own);
    };
    let head = &network.spec.heads[head];
    let mut out = context
        .pool
        .take(head.out_channels.div_ceil(LANES) * count * LANES)?;
    let matrix = Matrix::of_head(head, rung.channels);
    let operand = Operand::Into {
        x: own.lanes(),
        out: out.lanes_mut(),
    };
    matrix.apply(context, Pixels::all(count), operand)?;
    Ok(out)
}
