//! A network prepared on the processor, and its forward pass.
//!
//! The layers up to the deepest tap are grouped into stages ([`plan`](super::plan)); each stage makes one map. A map
//! is dropped as soon as the next stage has read it, unless its moments or features were asked for (their gradient
//! needs it) or an L2 pool reads it. Of everything else one bit per element is kept. The first two stages usually run
//! row by row, so that the largest map never exists ([`sweep`](super::sweep)).

use super::array::{self, get};
use super::convolution::Convolution;
use super::filters::Direction;
use super::first::{self, FirstFilters, FirstTarget};
use super::memory::Buffer;
use super::patches::Source;
use super::plan::{Behind, Operation, Stage, stages};
use super::results::{Bits, FusedPool, Mask, Target};
use super::shared::Shared;
use super::simd::{LANES, Lanes};
use super::strip::Strip;
use super::sweep::{self, Ground, Sweep};
use super::tape::CpuTape;
use super::winograd::Extent;
use super::{Context, pointwise};
use crate::request::{Wanted, merged, merged_whole};
use crate::{
    ComputeError, Input, InputNorm, Layer, Memory, NetSpec, Network, Padding, PoolKind, Result,
    StageTime, Strips, StripsPlan, Tap, TapRequest, Tape, Tensor, Window,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A network on the cpu device.
#[derive(Debug)]
pub(super) struct CpuNetwork {
    pub(super) context: Arc<Context>,
    pub(super) spec: NetSpec,
    /// By layer.
    convolutions: Vec<Option<Convolution>>,
    /// The first of them, if it reads an image.
    first: Option<FirstFilters>,
    times: Mutex<Vec<StageTime>>,
}

/// What a stage has made.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) channels: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) map: Map,
    /// Signs or places of maxima, for the backward pass of the stage.
    pub(super) bits: Option<Buffer<u16>>,
}

/// Where a stage writes: map and bits, and which of their rows are there.
pub(super) struct Room<'a> {
    pub(super) map: &'a mut [Lanes],
    pub(super) strip: Strip,
    pub(super) bits: &'a mut [u16],
    pub(super) bits_strip: Strip,
}

/// Who holds a map.
#[derive(Debug)]
pub(super) enum Map {
    /// Nobody any more.
    Dropped,
    /// The tape.
    Kept(Buffer),
    /// A tensor that the tape hands out.
    Shown(Tensor),
}

impl Node {
    pub(super) fn pixels(&self) -> usize {
        self.h * self.w
    }

    /// Pixels of all blocks of channels.
    pub(super) fn len(&self) -> usize {
        self.channels.div_ceil(LANES) * self.pixels()
    }

    /// The map; empty if it has been dropped.
    pub(super) fn lanes(&self) -> Result<&[Lanes]> {
        match &self.map {
            Map::Dropped => Ok(&[]),
            Map::Kept(buffer) => Ok(buffer.lanes()),
            Map::Shown(tensor) => Ok(get("a map", tensor)?.as_chunks().0),
        }
    }

    /// Map and bits, to be written; empty where there are none.
    fn room(&mut self) -> Room<'_> {
        let strip = Strip::whole(self.h, self.w);
        Room {
            map: match &mut self.map {
                Map::Kept(buffer) => buffer.lanes_mut(),
                Map::Dropped | Map::Shown(_) => &mut [],
            },
            strip,
            bits: self.bits.as_deref_mut().unwrap_or_default(),
            bits_strip: strip,
        }
    }

    /// The bits, to be read.
    pub(super) fn mask(&self) -> Option<Mask<'_>> {
        self.bits.as_deref().map(|words| Mask {
            words,
            strip: Strip::whole(self.h, self.w),
        })
    }
}

impl CpuNetwork {
    pub(super) fn new(context: Arc<Context>, spec: NetSpec) -> Result<Self> {
        spec.validate()?;
        let convolutions: Vec<Option<Convolution>> = spec
            .layers
            .iter()
            .map(|layer| match layer {
                Layer::Conv(conv) => Some(Convolution::new(conv)),
                Layer::Relu | Layer::Pool(_) => None,
            })
            .collect();
        let first = match (&spec.input, convolutions.first()) {
            (Input::Image(_), Some(Some(first))) => Some(FirstFilters::new(&first.spec)),
            _ => None,
        };
        Ok(Self {
            first,
            convolutions,
            context,
            spec,
            times: Mutex::default(),
        })
    }

    /// The times of the last pass; whoever panicked while holding them left them whole.
    pub(super) fn recorded(&self) -> MutexGuard<'_, Vec<StageTime>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The filters of the convolution that reads the image.
    pub(super) fn first(&self) -> Result<&FirstFilters> {
        self.first.as_ref().ok_or_else(|| not_a_convolution(0))
    }

    /// The preparation of the image.
    pub(super) fn norm(&self) -> Result<&InputNorm> {
        match &self.spec.input {
            Input::Image(norm) => Ok(norm),
            Input::Features(_) => Err(not_a_convolution(0)),
        }
    }

    /// Drops transformed filters.
    pub(super) fn forget_filters(&self) {
        self.convolutions
            .iter()
            .flatten()
            .for_each(Convolution::forget);
    }

    /// The convolution of a layer.
    pub(super) fn convolution(&self, layer: usize) -> Result<&Convolution> {
        let convolution = self.convolutions.get(layer).and_then(Option::as_ref);
        convolution.ok_or_else(|| not_a_convolution(layer))
    }

    /// The forward pass, on the device's threads.
    fn start<'a>(&'a self, job: Job<'a, '_>, taps: &[TapRequest]) -> Result<Box<dyn Tape + 'a>> {
        let tape = self.context.threads.install(|| self.run(job, taps))?;
        Ok(Box::new(tape))
    }

    fn run<'a>(&'a self, job: Job<'a, '_>, taps: &[TapRequest]) -> Result<CpuTape<'a>> {
        let Job {
            input,
            size,
            window,
            strips,
        } = job;
        let (h, w) = size;
        self.context.pool.next_pass();
        let requests = match strips {
            Some(_) => merged(taps),
            None => merged_whole(taps)?,
        };
        let mut ends = Vec::with_capacity(requests.len());
        for request in &requests {
            self.spec.shape_at(request.tap, h, w)?;
            ends.push(self.spec.layer_of(request.tap)?);
        }
        let deepest = ends.iter().copied().max().unwrap_or(0);
        let plan = stages(&self.spec, deepest, &ends);
        let asked = |stage: &Stage| -> Vec<Wanted> {
            let here = requests
                .iter()
                .zip(&ends)
                .filter(|(_, end)| **end == stage.last);
            here.map(|(request, _)| *request).collect()
        };
        let mut tape = CpuTape {
            network: self,
            size,
            window,
            nodes: Vec::with_capacity(plan.len()),
            seen: Vec::with_capacity(requests.len()),
            sweep: None,
            strips: strips.is_some(),
            plan,
        };
        // Filters are not kept for tiles: there are many of them, and memory is what they save.
        let pixels = match window {
            Some(_) => usize::MAX,
            None => h * w,
        };
        let route = |plan: &[Stage], wanted: &[Wanted]| match strips {
            Some(strips) => {
                let views: Vec<_> = plan.iter().map(&asked).collect();
                Some(sweep::plan::through(plan, &views, strips))
            }
            None => sweep::plan::opening(&self.spec, plan, wanted, pixels),
        };
        let mut times = Vec::with_capacity(tape.plan.len());
        let mut clock = Instant::now();
        let wanted = asked(&tape.plan[0]);
        match input {
            Pass::Features(map) => tape.nodes.push(Node {
                channels: self.spec.input.channels(),
                h,
                w,
                map: Map::Kept(map),
                bits: None,
            }),
            Pass::Image(_) | Pass::Lasting(_) if let Some(route) = route(&tape.plan, &wanted) => {
                let ground = match input {
                    Pass::Lasting(image) => Ground::Image(image),
                    Pass::Image(image) => Ground::whole(self, image, size)?,
                    Pass::Features(_) => return Err(not_a_convolution(0)),
                };
                let mut sweep = Sweep::new(self, ground, size, &tape.plan, &route)?;
                let stages = sweep.len();
                let views: Vec<_> = tape.plan[..stages].iter().map(&asked).collect();
                let shown = sweep.forward(&views, |node| tape.window_at(node))?;
                let last = stages == tape.plan.len();
                for (index, (shown, requests)) in shown.into_iter().zip(&views).enumerate() {
                    let mut node = sweep.node(index);
                    let ends = index + 1 == stages && !last;
                    if ends {
                        let (map, bits) = sweep.take_last();
                        node.map = map.map_or(Map::Dropped, Map::Kept);
                        node.bits = bits;
                    }
                    tape.nodes.push(node);
                    self.look(&mut tape, requests, (!ends).then_some(shown))?;
                }
                tape.sweep = Some(sweep);
                // Its stages are one, whose time goes by the name of the last.
                times.resize(stages - 1, StageTime::default());
            }
            Pass::Image(image) | Pass::Lasting(image) => {
                let node = self.first_stage(&tape.plan[0], image, size)?;
                tape.nodes.push(node);
                self.look(&mut tape, &wanted, None)?;
            }
        }
        let mut lap = |last_layer| {
            let forward = clock.elapsed().as_secs_f64();
            clock = Instant::now();
            StageTime {
                last_layer,
                forward,
                backward: 0.0,
            }
        };
        times.push(lap(tape.plan[times.len()].last));
        for index in tape.nodes.len()..tape.plan.len() {
            let stage = tape.plan[index];
            let node = self.stage(&stage, &tape.nodes[index - 1], pixels)?;
            tape.nodes.push(node);
            self.look(&mut tape, &asked(&stage), None)?;
            if !keeps(&tape.plan, index - 1, &asked(&tape.plan[index - 1])) {
                tape.nodes[index - 1].map = Map::Dropped;
            }
            times.push(lap(stage.last));
        }
        *self.recorded() = times;
        Ok(tape)
    }

    /// The first convolution.
    fn first_stage(&self, stage: &Stage, image: &[f32], size: (usize, usize)) -> Result<Node> {
        let convolution = self.convolution(0)?;
        let padding = convolution.spec.padding;
        let prepared =
            first::prepare(&self.context, image, self.norm()?, padding, size, 0..size.0)?;
        let mut node = self.room(stage, 3, size)?;
        let room = node.room();
        let relu = !room.bits.is_empty();
        let target = FirstTarget {
            rows: 0..size.0,
            out: room.map,
            strip: room.strip,
            relu,
            bits: relu.then(|| Bits {
                words: Shared::new(room.bits),
                strip: room.bits_strip,
            }),
        };
        first::forward(
            &self.context,
            self.first()?,
            &convolution.bias,
            &prepared,
            target,
        );
        Ok(node)
    }

    /// Any later stage; `pixels` are those of the image.
    fn stage(&self, stage: &Stage, before: &Node, pixels: usize) -> Result<Node> {
        let size = (before.h, before.w);
        let mut node = self.room(stage, before.channels, size)?;
        let x = before.lanes()?;
        match stage.operation {
            // Nothing lies before it.
            Operation::Read => {}
            Operation::Relu | Operation::Pool(_) => {
                let rows = 0..node.h;
                let room = node.room();
                let from = (x, Strip::whole(size.0, size.1));
                let noted = !room.bits.is_empty();
                let bits = Bits {
                    words: Shared::new(room.bits),
                    strip: room.bits_strip,
                };
                let out = (room.map, room.strip);
                match stage.operation {
                    Operation::Pool(pool) => {
                        let bits = noted.then_some(&bits);
                        pointwise::pool(&self.context, &pool, from, out, bits, rows);
                    }
                    _ => pointwise::relu(&self.context, from, out, &bits, rows),
                }
            }
            Operation::Conv { layer, .. } => {
                let source = Source::Map {
                    data: x,
                    strip: Strip::whole(before.h, before.w),
                    padding: self.convolution(layer)?.spec.padding,
                };
                let extent = Extent::whole(before.h, before.w);
                self.convolve_into(stage, source, node.room(), extent, pixels)?;
            }
        }
        Ok(node)
    }

    /// What a stage makes of a map of some channels: channels, 16-bit words of bits per pixel of a block, and whether
    /// it pools.
    pub(super) fn makes(&self, stage: &Stage, channels: usize) -> Result<(usize, usize, bool)> {
        Ok(match stage.operation {
            Operation::Read => (channels, 0, false),
            Operation::Relu => (channels, 1, false),
            Operation::Pool(pool) if pool.kind == PoolKind::Max => (channels, 4, true),
            Operation::Pool(_) => (channels, 0, true),
            Operation::Conv { layer, behind } => {
                let channels = self.convolution(layer)?.spec.out_channels;
                match behind {
                    Behind::Nothing => (channels, 0, false),
                    Behind::Relu => (channels, 1, false),
                    Behind::ReluPool { .. } => (channels, 4, true),
                }
            }
        })
    }

    /// A node with room for what a stage makes of a map of some channels and size.
    pub(super) fn room(
        &self,
        stage: &Stage,
        channels: usize,
        (h, w): (usize, usize),
    ) -> Result<Node> {
        let (channels, bits, pools) = self.makes(stage, channels)?;
        let (h, w) = if pools { (h / 2, w / 2) } else { (h, w) };
        let len = channels.div_ceil(LANES) * h * w;
        Ok(Node {
            channels,
            h,
            w,
            map: Map::Kept(self.context.pool.take(len * LANES)?),
            bits: match bits {
                0 => None,
                per_pixel => Some(self.context.pool.take(len * per_pixel)?),
            },
        })
    }

    /// Runs a convolution and what is fused behind it, into where there is room for it.
    pub(super) fn convolve_into(
        &self,
        stage: &Stage,
        source: Source<'_>,
        room: Room<'_>,
        extent: Extent,
        pixels: usize,
    ) -> Result<()> {
        let Operation::Conv { layer, behind } = stage.operation else {
            return Err(not_a_convolution(stage.last));
        };
        let convolution = self.convolution(layer)?;
        let bias = convolution.bias.as_slice();
        let (out, strip) = (Shared::new(room.map), room.strip);
        let bits = Bits {
            words: Shared::new(room.bits),
            strip: room.bits_strip,
        };
        let target = match behind {
            Behind::Nothing => Target::Linear {
                out,
                strip,
                bias: Some(bias),
                accumulate: false,
                mask: None,
            },
            Behind::Relu => Target::Relu {
                out,
                strip,
                bias,
                bits,
            },
            Behind::ReluPool { pool, factor } => Target::ReluPool {
                out,
                strip,
                bias,
                bits,
                pool,
                factor,
            },
        };
        let direction = Direction::Forward;
        convolution.run(&self.context, direction, pixels, source, target, extent)
    }

    /// Convolves a gradient back into some rows of that towards a map of `h×w` pixels; or, with a border, into those of
    /// the bordered map.
    pub(super) fn convolve_back(
        &self,
        back: Return<'_>,
        (out, strip): (&mut [Lanes], Strip),
        extent: Extent,
    ) -> Result<()> {
        let Return {
            stage,
            gradient,
            mask,
            accumulate,
            pixels,
        } = back;
        let Operation::Conv { layer, behind } = stage.operation else {
            return Err(not_a_convolution(stage.last));
        };
        let source = match (behind, gradient.bits) {
            (Behind::ReluPool { pool, factor }, Some(bits)) => Source::Unpooled {
                gradient: gradient.map,
                strip: gradient.strip,
                bits,
                scale: match pool {
                    FusedPool::Max => factor,
                    FusedPool::Average => factor / 4.0,
                },
            },
            _ => Source::Map {
                data: gradient.map,
                strip: gradient.strip,
                padding: Padding::Zero,
            },
        };
        let target = Target::Linear {
            out: Shared::new(out),
            strip,
            bias: None,
            accumulate,
            mask: mask.filter(|_| extent.border == 0),
        };
        let convolution = self.convolution(layer)?;
        let direction = Direction::Backward;
        convolution.run(&self.context, direction, pixels, source, target, extent)
    }
}

/// The way back through a convolution.
pub(super) struct Return<'a> {
    /// The stage that convolves.
    pub(super) stage: Stage,
    /// The gradient towards its map.
    pub(super) gradient: Gradient<'a>,
    /// The ReLU mask of the map that it reads.
    pub(super) mask: Option<Mask<'a>>,
    /// Whether the result is added to what is there.
    pub(super) accumulate: bool,
    /// Pixels by which filters are kept.
    pub(super) pixels: usize,
}

/// A gradient, and the bits of the map towards which it is.
pub(super) struct Gradient<'a> {
    pub(super) map: &'a [Lanes],
    pub(super) strip: Strip,
    pub(super) bits: Option<Mask<'a>>,
}

/// What a forward pass goes over.
struct Job<'a, 'i> {
    input: Pass<'a, 'i>,
    /// Height and width.
    size: (usize, usize),
    /// Where moments are taken, of a tile.
    window: Option<Window>,
    /// How it goes strip by strip.
    strips: Option<&'i Strips>,
}

/// What passes through the network.
enum Pass<'a, 'i> {
    /// An image, row-major.
    Image(&'i [f32]),
    /// An image that outlives the tape.
    Lasting(&'a [f32]),
    /// Features, in blocks.
    Features(Buffer),
}

/// Whether the backward pass, or whoever holds the tape, needs what a stage has made, given what is asked of it.
pub(super) fn keeps(plan: &[Stage], index: usize, asked: &[Wanted]) -> bool {
    let l2 = plan.get(index + 1).is_some_and(
        |stage| matches!(stage.operation, Operation::Pool(pool) if pool.kind == PoolKind::L2),
    );
    let own = |request: &Wanted| request.features && matches!(request.tap, Tap::Layer(_));
    l2 || asked
        .iter()
        .any(|request| request.towards_moments() || own(request))
}

fn not_a_convolution(layer: usize) -> ComputeError {
    ComputeError::BadNetwork {
        layer,
        problem: "it is not a convolution".into(),
    }
}

impl Network for CpuNetwork {
    fn spec(&self) -> &NetSpec {
        &self.spec
    }

    fn times(&self) -> Vec<StageTime> {
        let used = |time: &&StageTime| time.forward + time.backward > 0.0;
        self.recorded().iter().filter(used).copied().collect()
    }

    fn forward<'a>(&'a self, image: &Tensor, taps: &[TapRequest]) -> Result<Box<dyn Tape + 'a>> {
        let size = self.spec.size_of(image.shape())?;
        let input = match self.spec.input {
            Input::Image(_) => Pass::Image(get("forward", image)?),
            Input::Features(_) => Pass::Features(array::blocked(&self.context, "forward", image)?),
        };
        let job = Job {
            input,
            size,
            window: None,
            strips: None,
        };
        self.start(job, taps)
    }

    fn has_tiles(&self) -> bool {
        true
    }

    fn forward_tile<'a>(
        &'a self,
        image: Tensor,
        window: &Window,
        taps: &[TapRequest],
    ) -> Result<Box<dyn Tape + 'a>> {
        let size = self.spec.size_of(image.shape())?;
        self.spec.check_window(window, size, taps)?;
        let read;
        let input = match self.spec.input {
            Input::Image(_) => {
                read = image;
                Pass::Image(get("forward", &read)?)
            }
            Input::Features(_) => {
                Pass::Features(array::into_blocked(&self.context, "forward", image)?)
            }
        };
        let job = Job {
            input,
            size,
            window: Some(*window),
            strips: None,
        };
        self.start(job, taps)
    }

    fn has_strips(&self, taps: &[TapRequest]) -> bool {
        sweep::plan::applies(&self.spec, &merged(taps))
    }

    fn forward_strips<'a>(
        &'a self,
        image: &'a Tensor,
        strips: &Strips,
        taps: &[TapRequest],
    ) -> Result<Box<dyn Tape + 'a>> {
        if !self.has_strips(taps) {
            return Err(ComputeError::BadSetting(
                "this network does not run strip by strip: it has paddings or pools that do not"
                    .into(),
            ));
        }
        let job = Job {
            input: Pass::Lasting(get("forward", image)?),
            size: self.spec.size_of(image.shape())?,
            window: None,
            strips: Some(strips),
        };
        let tape = self.start(job, taps)?;
        self.forget_filters();
        Ok(tape)
    }

    fn strips(
        &self,
        height: usize,
        width: usize,
        rows: Option<usize>,
        taps: &[TapRequest],
    ) -> Result<Vec<StripsPlan>> {
        self.estimate_strips((height, width), rows, &merged(taps))
    }

    fn forget(&self) {
        self.forget_filters();
        self.context.pool.forget();
    }

    fn memory(&self, height: usize, width: usize, taps: &[TapRequest]) -> Result<Memory> {
        self.estimate((height, width), &merged(taps))
    }
}
