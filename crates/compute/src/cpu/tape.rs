//! A forward pass that can be walked back, to the gradient of the image.
//!
//! From the deepest stage to the first: the gradient towards a node is the sum of what the losses say about it and of
//! what the stage behind it hands back. The gradient of moments overwrites the activation it needs, and the
//! convolution behind adds to it and applies the ReLU mask as it writes, so no further map is needed.

use super::array::{self, get, get_mut, put, take};
use super::convolve::{Gradient, Return};
use super::first::Bordered;
use super::memory::Buffer;
use super::mixing::{Matrix, Operand, Pixels};
use super::moments;
use super::network::CpuNetwork;
use super::node::{Map, Node};
use super::pointwise::{self, PoolMemory};
use super::results::Mask;
use super::simd::{LANES, Lanes};
use super::strip::Strip;
use super::sweep::Sweep;
use super::sweep::backward::Known;
use super::views::{Features, Seen};
use super::winograd::Extent;
use super::{first, fold, heads, window};
use crate::cotangents::{self, Receiver, Sight, sorted};
use crate::plan::{Behind, Kept, Operation, Plan};
use crate::request::missing;
use crate::{
    Answer, Cotangent, Input, Moments, Padding, PoolKind, Result, Size, Tap, Tape, Tensor, Window,
};
use std::time::Instant;

/// What the losses say about the map behind one stage.
pub(super) type Said = cotangents::Said<Buffer>;

/// One forward pass.
#[derive(Debug)]
pub(super) struct CpuTape<'a> {
    pub(super) network: &'a CpuNetwork,
    /// Of the image.
    pub(super) size: Size,
    /// Where moments are taken, of a tile.
    pub(super) window: Option<Window>,
    pub(super) plan: Plan,
    /// What each stage of the plan has made.
    pub(super) nodes: Vec<Node>,
    pub(super) seen: Vec<Seen>,
    /// Whether all stages run strip by strip.
    pub(super) strips: bool,
    /// The first stages, if they run row by row.
    pub(super) sweep: Option<Sweep<'a>>,
}

impl CpuTape<'_> {
    fn find(&self, tap: Tap, view: &str) -> Result<&Seen> {
        self.seen
            .iter()
            .find(|seen| seen.tap == tap)
            .ok_or_else(|| missing(tap, view))
    }

    /// The window in the map of a node.
    pub(super) fn window_at(&self, node: usize) -> Window {
        let window = self.window.unwrap_or(Window::whole(self.size));
        self.plan.stages[node].window(&window)
    }

    /// The sum of what the losses say about a node and of `sum`, if there is anything.
    fn collect(
        &mut self,
        node: usize,
        said: Said,
        mut sum: Option<Buffer>,
    ) -> Result<Option<Buffer>> {
        let context = &self.network.context;
        let window = self.window_at(node);
        let node = &mut self.nodes[node];
        for features in said.features {
            match &mut sum {
                None => sum = Some(features),
                Some(sum) => pointwise::add(context, features.lanes(), sum.lanes_mut()),
            }
        }
        for (head, gradient) in said.heads {
            let head = &self.network.spec.heads[head];
            let matrix = Matrix::back_through_head(head, node.channels);
            let x = gradient.lanes();
            match &mut sum {
                Some(sum) => {
                    let out = sum.lanes_mut();
                    matrix.apply(
                        context,
                        Pixels::all(node.pixels()),
                        Operand::Onto { x, out },
                    )?;
                }
                None => {
                    let mut out = context.pool.take(node.len() * LANES)?;
                    let operand = Operand::Into {
                        x,
                        out: out.lanes_mut(),
                    };
                    matrix.apply(context, Pixels::all(node.pixels()), operand)?;
                    sum = Some(out);
                }
            }
        }
        if let Some(towards) = said.moments {
            let mut map = match std::mem::replace(&mut node.map, Map::Dropped) {
                Map::Kept(buffer) => buffer,
                Map::Shown(tensor) => take("backward", tensor)?,
                // Moments were asked for, so the forward pass has kept the map.
                Map::Dropped => return Ok(sum),
            };
            let add = sum.as_ref().map(|sum| sum.lanes());
            if window == Window::whole(node.size) {
                moments::backward(context, map.lanes_mut(), &towards, node.pixels(), add)?;
            } else {
                let map = map.lanes_mut();
                window::moments_backward(context, map, &towards, node.size, &window, add)?;
            }
            sum = Some(map);
        }
        Ok(sum)
    }

    /// The gradient towards node `index`, from that towards the node behind it.
    fn step(&mut self, index: usize, behind: Option<Buffer>, said: Said) -> Result<Option<Buffer>> {
        let Some(gradient) = behind else {
            let sum = self.collect(index, said, None)?;
            return Ok(self.masked(index, sum));
        };
        let operation = self.plan.stages[index + 1].operation;
        let context = &self.network.context;
        match operation {
            // It is the first stage, so none lies before it.
            Operation::Read => Ok(None),
            Operation::Conv { layer, .. } => {
                let sum = self.collect(index, said, None)?;
                self.through_convolution(index, layer, gradient.lanes(), sum)
                    .map(Some)
            }
            Operation::Relu => {
                let mut gradient = gradient;
                let relu = &self.nodes[index + 1];
                if let Some(mask) = relu.mask() {
                    let map = (gradient.lanes_mut(), Strip::whole(relu.size));
                    pointwise::mask(context, map, mask, 0..relu.size.height);
                }
                let sum = self.collect(index, said, Some(gradient))?;
                Ok(self.masked(index, sum))
            }
            Operation::Pool(pool) => {
                let (node, pooled) = (&self.nodes[index], &self.nodes[index + 1]);
                let mut out = context.pool.take(node.len() * LANES)?;
                let whole = |node: &Node| Strip::whole(node.size);
                let memory = match (pool.kind, pooled.mask()) {
                    (PoolKind::Max, Some(mask)) => PoolMemory::Max(mask),
                    (PoolKind::L2, _) => PoolMemory::L2(node.lanes()?, whole(node)),
                    (PoolKind::Average, _) | (PoolKind::Max, None) => PoolMemory::Average,
                };
                pointwise::unpool(
                    context,
                    pool.factor,
                    memory,
                    (gradient.lanes(), whole(pooled)),
                    (out.lanes_mut(), whole(node)),
                    0..node.size.height,
                );
                let sum = self.collect(index, said, Some(out))?;
                Ok(self.masked(index, sum))
            }
        }
    }

    /// Applies the ReLU mask of the stage that made a node.
    fn masked(&self, index: usize, mut sum: Option<Buffer>) -> Option<Buffer> {
        if let (Some(sum), Some(mask)) = (&mut sum, self.mask(index)) {
            let node = &self.nodes[index];
            let map = (sum.lanes_mut(), Strip::whole(node.size));
            pointwise::mask(&self.network.context, map, mask, 0..node.size.height);
        }
        sum
    }

    /// The ReLU mask of a node whose stage is a convolution with a ReLU.
    fn mask(&self, index: usize) -> Option<Mask<'_>> {
        match self.plan.stages[index].operation {
            Operation::Conv {
                behind: Behind::Relu,
                ..
            } => self.nodes[index].mask(),
            _ => None,
        }
    }

    /// Backwards through the convolution behind a node, on top of `sum`.
    fn through_convolution(
        &self,
        index: usize,
        layer: usize,
        gradient: &[Lanes],
        sum: Option<Buffer>,
    ) -> Result<Buffer> {
        let context = &self.network.context;
        let node = &self.nodes[index];
        let accumulate = sum.is_some();
        let mut out = match sum {
            Some(sum) => sum,
            None => context.pool.take(node.len() * LANES)?,
        };
        let padding = self.network.convolution(layer)?.spec.padding;
        let next = &self.nodes[index + 1];
        let back = Return {
            operation: self.plan.stages[index + 1].operation,
            gradient: Gradient {
                map: gradient,
                strip: Strip::whole(next.size),
                bits: next.mask(),
            },
            mask: self.mask(index),
            accumulate: accumulate && padding == Padding::Zero,
            pixels: match self.window {
                Some(_) => usize::MAX,
                None => self.size.pixels(),
            },
        };
        if padding == Padding::Zero {
            let extent = Extent::whole(node.size);
            let to = (out.lanes_mut(), Strip::whole(node.size));
            self.network.convolve_back(back, to, extent)?;
        } else {
            let around = node.size.bordered();
            let blocks = node.channels.div_ceil(LANES);
            let mut bordered = context.pool.take(blocks * around.pixels() * LANES)?;
            let extent = Extent {
                border: 1,
                ..Extent::whole(around)
            };
            let to = (bordered.lanes_mut(), Strip::whole(around));
            self.network.convolve_back(back, to, extent)?;
            let mask = self.mask(index).map(|mask| mask.words);
            let bordered = bordered.lanes();
            fold::fold(
                context,
                padding,
                bordered,
                node.size,
                out.lanes_mut(),
                accumulate,
                mask,
            );
        }
        Ok(out)
    }

    fn run(mut self, cotangents: Vec<Cotangent>, answer: &mut Answer<'_>) -> Result<Tensor> {
        let network = self.network;
        let mut times = Laps {
            network,
            clock: Instant::now(),
        };
        let mut gradient: Option<Buffer> = None;
        let mut said = sorted(&self, &network.spec, &self.plan.stages, cotangents)?;
        let sweep = self.sweep.take();
        // Behind the last stage of a sweep, if others follow, the gradient is there as a whole.
        let swept = sweep.as_ref().map_or(0, |sweep| match sweep.len() {
            all if all == self.nodes.len() => all,
            some => some - 1,
        });
        let behind = said.split_off(swept);
        for (index, said) in behind.into_iter().enumerate().rev() {
            let index = swept + index;
            gradient = self.step(index, gradient, said)?;
            times.record(index + 1);
            // What lies behind is not needed any more.
            self.nodes[index].map = Map::Dropped;
            if let Some(behind) = self.nodes.get_mut(index + 1) {
                behind.bits = None;
            }
        }
        match (sweep, network.spec.input) {
            (Some(mut sweep), _) => {
                if swept < sweep.len() {
                    sweep.give_last(self.nodes[swept].bits.take());
                    said.push(Said::default());
                }
                self.through_sweep(sweep, gradient, said, answer, &mut times)
            }
            (None, Input::Features(channels)) => {
                let shape = [channels, self.size.height, self.size.width];
                match gradient {
                    Some(gradient) => array::put_blocked(&network.context, gradient, shape),
                    None => array::zeros(&network.context, &shape),
                }
            }
            (None, Input::Image(_)) => self.through_image(gradient, &mut times),
        }
    }

    /// The gradient of the image through the stages that run row by row.
    fn through_sweep(
        &self,
        mut sweep: Sweep<'_>,
        behind: Option<Buffer>,
        said: Vec<Said>,
        answer: &mut Answer<'_>,
        times: &mut Laps<'_>,
    ) -> Result<Tensor> {
        let windows = (0..sweep.len()).map(|node| self.window_at(node));
        let shown = |node: usize| {
            let wanted = self.plan.stages[node].wanted.iter();
            let wanted = wanted.filter(|wanted| wanted.in_parts);
            let mut taps: Vec<Tap> = wanted.map(|wanted| wanted.tap).collect();
            // In the order in which gradients of a whole are added: layers before heads.
            taps.sort();
            taps
        };
        let known = Known {
            behind,
            said: said.into_iter().zip(windows).collect(),
            parts: (0..sweep.len()).map(shown).collect(),
            answer,
        };
        let towards = sweep.backward(known)?;
        if self.strips {
            self.network.forget_filters();
        }
        times.record(sweep.len() - 1);
        Ok(put(towards, &[3, self.size.height, self.size.width]))
    }

    /// The gradient of the image from that towards the map of its convolution.
    fn through_image(&self, gradient: Option<Buffer>, times: &mut Laps<'_>) -> Result<Tensor> {
        let (network, size) = (self.network, self.size);
        let context = &network.context;
        let place = Strip::whole(size.bordered());
        let bordered = match gradient {
            Some(gradient) => {
                let mut bordered = context.pool.take(3 * place.pixels())?;
                let (strip, rows) = (Strip::whole(size), 0..place.h);
                let to = (&mut bordered[..], place);
                first::backward(context, network.first()?, gradient.lanes(), strip, rows, to);
                times.record(0);
                bordered
            }
            None => context.pool.zeros(3 * place.pixels())?,
        };
        let top: Vec<f32> = bordered
            .chunks_exact(place.pixels())
            .flat_map(|plane| &plane[..place.w])
            .copied()
            .collect();
        let bordered = Bordered {
            values: &bordered,
            strip: place,
            top: &top,
        };
        let mut out = context.pool.take(3 * size.pixels())?;
        let padding = network.convolution(0)?.spec.padding;
        let rows = 0..size.height;
        first::unprepare(&bordered, network.norm()?, padding, size, rows, &mut out);
        Ok(put(out, &[3, size.height, size.width]))
    }
}

/// Times of the way back.
struct Laps<'a> {
    network: &'a CpuNetwork,
    clock: Instant,
}

impl Laps<'_> {
    /// Notes the time of a stage.
    fn record(&mut self, stage: usize) {
        if let Some(time) = self.network.recorded().get_mut(stage) {
            time.backward = self.clock.elapsed().as_secs_f64();
        }
        self.clock = Instant::now();
    }
}

impl Receiver for CpuTape<'_> {
    type Map = Buffer;

    fn sight(&self, tap: Tap) -> Option<Sight> {
        let seen = self.seen.iter().find(|seen| seen.tap == tap)?;
        Some(Sight {
            stage: seen.node,
            features: !matches!(seen.features, Features::Unasked),
            moments: seen.moments.is_some() || seen.replay,
        })
    }

    fn take(&self, features: Tensor) -> Result<Buffer> {
        array::into_blocked(&self.network.context, "backward", features)
    }

    fn own(&self, tensor: &Tensor) -> Result<()> {
        get("backward", tensor).map(|_| ())
    }

    fn add(&self, x: &Tensor, sum: &mut Tensor) -> Result<()> {
        let (x, sum) = (get("backward", x)?, get_mut("backward", sum)?);
        sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
        Ok(())
    }

    fn zeros(&self, shape: &[usize]) -> Result<Tensor> {
        let zeros = self.network.context.pool.zeros(shape.iter().product())?;
        Ok(put(zeros, shape))
    }

    fn through_head(&self, head: usize, towards: &Moments, trunk: &mut Moments) -> Result<()> {
        let network = self.network;
        heads::backward(&network.context, &network.spec.heads[head], towards, trunk)
    }
}

impl Tape for CpuTape<'_> {
    fn features(&self, tap: Tap) -> Result<&Tensor> {
        let seen = self.find(tap, "features")?;
        match (&seen.features, &self.nodes[seen.node].map) {
            (Features::Own(tensor), _) | (Features::OfNode, Map::Shown(tensor)) => Ok(tensor),
            _ => Err(missing(tap, "features")),
        }
    }

    fn moments(&self, tap: Tap) -> Result<&Moments> {
        let seen = self.find(tap, "moments")?;
        seen.moments.as_ref().ok_or_else(|| missing(tap, "moments"))
    }

    fn release(&mut self) {
        for (node, stage) in self.nodes.iter_mut().zip(&self.plan.stages) {
            if matches!(node.map, Map::Shown(_)) && stage.kept != Kept::Lasting {
                node.map = Map::Dropped;
            }
        }
        for seen in &mut self.seen {
            if !matches!(seen.features, Features::Unasked) {
                seen.features = Features::Released;
            }
        }
    }

    fn backward_in_parts(
        self: Box<Self>,
        cotangents: Vec<Cotangent>,
        answer: &mut Answer<'_>,
    ) -> Result<Tensor> {
        let context = std::sync::Arc::clone(&self.network.context);
        context.threads.install(|| self.run(cotangents, answer))
    }
}
