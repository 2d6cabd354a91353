//! The forward pass.
//!
//! Each stage of the [plan](crate::plan) makes one map. A map is dropped as soon as the next stage has read it, unless
//! its moments or features were asked for (their gradient needs it) or an L2 pool reads it. Of everything else one bit
//! per element is kept. The first two stages usually run row by row, so that the largest map never exists, and all do
//! in strips ([`sweep`](super::sweep)).

use super::estimate::ABILITIES;
use super::first::{self, FirstTarget};
use super::network::{CpuNetwork, Job, Pass};
use super::node::{Map, Node};
use super::patches::Source;
use super::pointwise;
use super::results::Bits;
use super::shared::Shared;
use super::strip::Strip;
use super::sweep::{self, Ground, Sweep};
use super::tape::CpuTape;
use super::winograd::Extent;
use crate::plan::{Kept, Operation, Plan, Stage};
use crate::request::{merged, merged_whole};
use crate::{Result, Size, StageTime, TapRequest};
use std::time::Instant;

/// A forward pass in progress.
struct Forward<'a> {
    network: &'a CpuNetwork,
    tape: CpuTape<'a>,
    /// Pixels by which filters are kept.
    pixels: usize,
    times: Vec<StageTime>,
    clock: Instant,
}

impl CpuNetwork {
    /// The forward pass, on the device's threads.
    pub(super) fn run<'a>(&'a self, job: Job<'a, '_>, taps: &[TapRequest]) -> Result<CpuTape<'a>> {
        let Job {
            input,
            size,
            window,
        } = job;
        let strips = matches!(input, Pass::Strips(..));
        self.context.pool.next_pass();
        let wanted = match strips {
            true => merged(taps),
            false => merged_whole(taps)?,
        };
        let plan = Plan::new(&self.spec, size, &wanted, ABILITIES)?;
        let mut forward = Forward {
            network: self,
            // Filters are not kept for tiles: there are many of them, and memory is what they save.
            pixels: match window {
                Some(_) => usize::MAX,
                None => size.pixels(),
            },
            times: Vec::with_capacity(plan.stages.len()),
            clock: Instant::now(),
            tape: CpuTape {
                network: self,
                size,
                window,
                nodes: Vec::with_capacity(plan.stages.len()),
                seen: Vec::with_capacity(wanted.len()),
                sweep: None,
                strips,
                plan,
            },
        };
        forward.begin(input)?;
        forward.rest()?;
        *self.recorded() = forward.times;
        Ok(forward.tape)
    }
}

impl<'a> Forward<'a> {
    /// The first stages: those that run row by row, or the one that reads.
    fn begin(&mut self, input: Pass<'a, '_>) -> Result<()> {
        let plan = &self.tape.plan;
        let node = match input {
            Pass::Features(map) => Node {
                map: Map::Kept(map),
                ..Node::empty(&plan.stages[0])
            },
            Pass::Image(image) => match sweep::plan::opening(&self.network.spec, plan, self.pixels)
            {
                Some(route) => {
                    let ground = Ground::whole(self.network, image, plan.size)?;
                    return self.sweep(ground, &route);
                }
                None => self.network.first_stage(&plan.stages[0], image)?,
            },
            Pass::Strips(image, strips) => {
                let route = sweep::plan::through(plan, strips);
                return self.sweep(Ground::Image(image), &route);
            }
        };
        self.tape.nodes.push(node);
        self.network.look(&mut self.tape, None)?;
        self.lap();
        Ok(())
    }

    /// Some stages row by row.
    fn sweep(&mut self, ground: Ground<'a>, route: &sweep::Route) -> Result<()> {
        let (network, tape) = (self.network, &mut self.tape);
        let mut sweep = Sweep::new(network, ground, &tape.plan, route)?;
        let shown = sweep.forward(|node| tape.window_at(node))?;
        let stages = sweep.len();
        let all = stages == tape.plan.stages.len();
        for (index, shown) in shown.into_iter().enumerate() {
            let mut node = Node::empty(&tape.plan.stages[index]);
            // The last one's map is there as a whole for what follows.
            let ends = index + 1 == stages && !all;
            if ends {
                let (map, bits) = sweep.take_last();
                node.map = map.map_or(Map::Dropped, Map::Kept);
                node.bits = bits;
            }
            tape.nodes.push(node);
            network.look(tape, (!ends).then_some(shown))?;
        }
        tape.sweep = Some(sweep);
        // Its stages are one, whose time goes by the name of the last.
        self.times.resize(stages - 1, StageTime::default());
        self.lap();
        Ok(())
    }

    /// The stages behind, one by one.
    fn rest(&mut self) -> Result<()> {
        for index in self.tape.nodes.len()..self.tape.plan.stages.len() {
            let tape = &mut self.tape;
            let before = &tape.nodes[index - 1];
            let node = self
                .network
                .stage(&tape.plan.stages[index], before, self.pixels)?;
            tape.nodes.push(node);
            self.network.look(tape, None)?;
            if tape.plan.stages[index - 1].kept == Kept::UntilRead {
                tape.nodes[index - 1].map = Map::Dropped;
            }
            self.lap();
        }
        Ok(())
    }

    /// Notes the time of the next stage.
    fn lap(&mut self) {
        let stage = &self.tape.plan.stages[self.times.len()];
        self.times.push(match stage.last {
            Some(last_layer) => StageTime {
                last_layer,
                forward: self.clock.elapsed().as_secs_f64(),
                backward: 0.0,
            },
            // Reading takes no time, so it is never shown.
            None => StageTime::default(),
        });
        self.clock = Instant::now();
    }
}

impl CpuNetwork {
    /// The first convolution.
    fn first_stage(&self, stage: &Stage, image: &[f32]) -> Result<Node> {
        let convolution = self.convolution(0)?;
        let (padding, size) = (convolution.spec.padding, stage.size);
        let (context, norm) = (&self.context, self.norm()?);
        let prepared = first::prepare(context, image, norm, padding, size, 0..size.height)?;
        let mut node = Node::new(context, stage)?;
        let room = node.room();
        let relu = !room.bits.is_empty();
        let target = FirstTarget {
            rows: 0..size.height,
            out: room.map,
            strip: room.strip,
            relu,
            bits: relu.then(|| Bits {
                words: Shared::new(room.bits),
                strip: room.bits_strip,
            }),
        };
        let bias = &convolution.bias;
        first::forward(context, self.first()?, bias, &prepared, target);
        Ok(node)
    }

    /// Any later stage; `pixels` are those of the image.
    fn stage(&self, stage: &Stage, before: &Node, pixels: usize) -> Result<Node> {
        let mut node = Node::new(&self.context, stage)?;
        let x = before.lanes()?;
        let strip = Strip::whole(before.size);
        match stage.operation {
            // Nothing lies before it.
            Operation::Read => {}
            Operation::Relu | Operation::Pool(_) => {
                let Size { height, .. } = stage.size;
                let room = node.room();
                let noted = !room.bits.is_empty();
                let bits = Bits {
                    words: Shared::new(room.bits),
                    strip: room.bits_strip,
                };
                let out = (room.map, room.strip);
                match stage.operation {
                    Operation::Pool(pool) => {
                        let bits = noted.then_some(&bits);
                        pointwise::pool(&self.context, &pool, (x, strip), out, bits, 0..height);
                    }
                    _ => pointwise::relu(&self.context, (x, strip), out, &bits, 0..height),
                }
            }
            Operation::Conv { layer, .. } => {
                let source = Source::Map {
                    data: x,
                    strip,
                    padding: self.convolution(layer)?.spec.padding,
                };
                let extent = Extent::whole(before.size);
                self.convolve_into(stage.operation, source, node.room(), extent, pixels)?;
            }
        }
        Ok(node)
    }
}
