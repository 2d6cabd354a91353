//! A forward pass that can be walked back, to the gradient of the image.
//!
//! From the deepest stage to the first: the gradient towards a node is the sum of what the losses say about it and of
//! what the stage behind it hands back. The gradient of moments overwrites the activation it needs, and the
//! convolution behind adds to it and applies the ReLU mask as it writes, so no further map is needed.

use super::array::{self, get, get_mut, put, take};
use super::first::Bordered;
use super::memory::Buffer;
use super::mixing::{Matrix, Operand, Pixels};
use super::moments;
use super::network::{CpuNetwork, Gradient, Map, Node, Return};
use super::plan::{Behind, NO_LAYER, Operation, Stage};
use super::pointwise::{self, PoolMemory};
use super::results::Mask;
use super::simd::{LANES, Lanes};
use super::strip::Strip;
use super::sweep::Sweep;
use super::sweep::backward::Known;
use super::views::{Features, Seen};
use super::winograd::Extent;
use super::{first, fold, heads, window};
use crate::request::{Asked, missing};
use crate::{
    Answer, Cotangent, Input, Moments, Padding, PoolKind, Result, Tap, Tape, Tensor, Window,
};
use std::time::Instant;

/// One forward pass.
#[derive(Debug)]
pub(super) struct CpuTape<'a> {
    pub(super) network: &'a CpuNetwork,
    /// Height and width of the image.
    pub(super) size: (usize, usize),
    /// Where moments are taken, of a tile.
    pub(super) window: Option<Window>,
    pub(super) plan: Vec<Stage>,
    /// What each stage of the plan has made.
    pub(super) nodes: Vec<Node>,
    pub(super) seen: Vec<Seen>,
    /// Whether all stages run strip by strip.
    pub(super) strips: bool,
    /// The first stages, if they run row by row.
    pub(super) sweep: Option<Sweep<'a>>,
}

/// What the losses say about one node.
#[derive(Default)]
pub(super) struct Said {
    pub(super) moments: Option<Moments>,
    /// Gradients towards the features, in blocks.
    pub(super) features: Vec<Buffer>,
    /// The same of heads, by the index of the head.
    pub(super) heads: Vec<(usize, Buffer)>,
}

impl CpuTape<'_> {
    fn find(&self, tap: Tap, view: &str) -> Result<&Seen> {
        self.seen
            .iter()
            .find(|seen| seen.tap == tap)
            .ok_or_else(|| missing(tap, view))
    }

    /// Sorts the cotangents by node, and checks them.
    fn sort(&self, cotangents: Vec<Cotangent>) -> Result<Vec<Said>> {
        let mut said: Vec<Said> = self.nodes.iter().map(|_| Said::default()).collect();
        for cotangent in cotangents {
            let tap = cotangent.tap;
            let seen = self.find(tap, "features and moments")?;
            let (said, node) = (&mut said[seen.node], &self.nodes[seen.node]);
            let channels = match tap {
                Tap::Layer(_) => node.channels,
                Tap::Head(head) => self.network.spec.heads[head].out_channels,
            };
            let asked = Asked {
                features: !matches!(seen.features, Features::Unasked),
                moments: seen.moments.is_some() || seen.replay,
                shape: [channels, node.h, node.w],
            };
            asked.check(&cotangent)?;
            if let Some(features) = cotangent.features {
                let context = &self.network.context;
                let buffer = array::into_blocked(context, "backward", features)?;
                match tap {
                    Tap::Layer(_) => said.features.push(buffer),
                    Tap::Head(head) => said.heads.push((head, buffer)),
                }
            }
            if let Some(towards) = cotangent.moments {
                get("backward", &towards.mean)?;
                get("backward", &towards.second)?;
                match (tap, &mut said.moments) {
                    (Tap::Layer(_), Some(total)) => {
                        add(&towards.mean, &mut total.mean)?;
                        add(&towards.second, &mut total.second)?;
                    }
                    (Tap::Layer(_), none) => *none = Some(towards),
                    (Tap::Head(head), total) => {
                        let total = match total {
                            Some(total) => total,
                            none => none.insert(self.silence(node.channels)?),
                        };
                        let context = &self.network.context;
                        heads::backward(context, &self.network.spec.heads[head], &towards, total)?;
                    }
                }
            }
        }
        Ok(said)
    }

    /// Zero gradient towards moments.
    fn silence(&self, channels: usize) -> Result<Moments> {
        let pool = &self.network.context.pool;
        Ok(Moments {
            mean: put(pool.zeros(channels)?, &[channels]),
            second: put(pool.zeros(channels * channels)?, &[channels, channels]),
        })
    }

    /// The window in the map of a node.
    pub(super) fn window_at(&self, node: usize) -> Window {
        let stride = match self.plan[node].last {
            NO_LAYER => 1,
            last => self.network.spec.stride(last),
        };
        let (h, w) = self.size;
        self.window.unwrap_or(Window::whole(h, w)).at_stride(stride)
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
            let size = (node.h, node.w);
            if window == Window::whole(node.h, node.w) {
                moments::backward(context, map.lanes_mut(), &towards, node.pixels(), add)?;
            } else {
                let map = map.lanes_mut();
                window::moments_backward(context, map, &towards, size, &window, add)?;
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
        let stage = self.plan[index + 1];
        let context = &self.network.context;
        match stage.operation {
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
                    let map = (gradient.lanes_mut(), Strip::whole(relu.h, relu.w));
                    pointwise::mask(context, map, mask, 0..relu.h);
                }
                let sum = self.collect(index, said, Some(gradient))?;
                Ok(self.masked(index, sum))
            }
            Operation::Pool(pool) => {
                let (node, pooled) = (&self.nodes[index], &self.nodes[index + 1]);
                let mut out = context.pool.take(node.len() * LANES)?;
                let whole = |node: &Node| Strip::whole(node.h, node.w);
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
                    0..node.h,
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
            let map = (sum.lanes_mut(), Strip::whole(node.h, node.w));
            pointwise::mask(&self.network.context, map, mask, 0..node.h);
        }
        sum
    }

    /// The ReLU mask of a node whose stage is a convolution with a ReLU.
    fn mask(&self, index: usize) -> Option<Mask<'_>> {
        match self.plan[index].operation {
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
        let (h, w) = (node.h, node.w);
        let accumulate = sum.is_some();
        let mut out = match sum {
            Some(sum) => sum,
            None => context.pool.take(node.len() * LANES)?,
        };
        let padding = self.network.convolution(layer)?.spec.padding;
        let next = &self.nodes[index + 1];
        let back = Return {
            stage: self.plan[index + 1],
            gradient: Gradient {
                map: gradient,
                strip: Strip::whole(next.h, next.w),
                bits: next.mask(),
            },
            mask: self.mask(index),
            accumulate: accumulate && padding == Padding::Zero,
            pixels: match self.window {
                Some(_) => usize::MAX,
                None => self.size.0 * self.size.1,
            },
        };
        if padding == Padding::Zero {
            let extent = Extent::whole(h, w);
            let to = (out.lanes_mut(), Strip::whole(h, w));
            self.network.convolve_back(back, to, extent)?;
        } else {
            let (ph, pw) = (h + 2, w + 2);
            let mut bordered = context.pool.take(node.len() / (h * w) * ph * pw * LANES)?;
            let extent = Extent {
                border: 1,
                ..Extent::whole(ph, pw)
            };
            let to = (bordered.lanes_mut(), Strip::whole(ph, pw));
            self.network.convolve_back(back, to, extent)?;
            let mask = self.mask(index).map(|mask| mask.words);
            let bordered = bordered.lanes();
            fold::fold(
                context,
                padding,
                bordered,
                (h, w),
                out.lanes_mut(),
                accumulate,
                mask,
            );
        }
        Ok(out)
    }

    fn run(mut self, cotangents: Vec<Cotangent>, answer: &mut Answer<'_>) -> Result<Tensor> {
        let (h, w) = self.size;
        let network = self.network;
        let context = &network.context;
        let mut gradient: Option<Buffer> = None;
        let mut clock = Instant::now();
        let mut record = |stage: usize| {
            if let Some(time) = network.recorded().get_mut(stage) {
                time.backward = clock.elapsed().as_secs_f64();
            }
            clock = Instant::now();
        };
        let mut said = self.sort(cotangents)?;
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
            record(index + 1);
            // What lies behind is not needed any more.
            self.nodes[index].map = Map::Dropped;
            if let Some(behind) = self.nodes.get_mut(index + 1) {
                behind.bits = None;
            }
        }
        if let Some(mut sweep) = sweep {
            let behind = gradient.take();
            if swept < sweep.len() {
                sweep.give_last(self.nodes[swept].bits.take());
                said.push(Said::default());
            }
            let windows = (0..sweep.len()).map(|node| self.window_at(node));
            let shown = |node: usize| {
                let here = self.seen.iter();
                let here = here.filter(|seen| seen.parts && seen.node == node);
                let mut taps: Vec<Tap> = here.map(|seen| seen.tap).collect();
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
                network.forget_filters();
            }
            record(sweep.len() - 1);
            return Ok(put(towards, &[3, h, w]));
        }
        if let Input::Features(channels) = network.spec.input {
            let shape = [channels, h, w];
            return match gradient {
                Some(gradient) => array::put_blocked(context, gradient, shape),
                None => array::zeros(context, &shape),
            };
        }
        let place = Strip::whole(h + 2, w + 2);
        let bordered = match gradient {
            Some(gradient) => {
                let mut bordered = context.pool.take(3 * place.pixels())?;
                let (strip, rows) = (Strip::whole(h, w), 0..h + 2);
                let to = (&mut bordered[..], place);
                first::backward(context, network.first()?, gradient.lanes(), strip, rows, to);
                record(0);
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
        let mut out = context.pool.take(3 * h * w)?;
        let padding = network.convolution(0)?.spec.padding;
        first::unprepare(&bordered, network.norm()?, padding, (h, w), 0..h, &mut out);
        Ok(put(out, &[3, h, w]))
    }
}

fn add(x: &Tensor, sum: &mut Tensor) -> Result<()> {
    let (x, sum) = (get("backward", x)?, get_mut("backward", sum)?);
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += x);
    Ok(())
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
        let seen = &mut self.seen;
        for (index, node) in self.nodes.iter_mut().enumerate() {
            let asked = seen.iter().filter(|seen| seen.node == index);
            let moments = |seen: &Seen| seen.moments.is_some() || seen.replay;
            let shown = matches!(node.map, Map::Shown(_));
            let read = self.plan.get(index + 1).map(|stage| stage.operation);
            let l2 = matches!(read, Some(Operation::Pool(pool)) if pool.kind == PoolKind::L2);
            // Moments of heads are gradients of the node's, too.
            if shown && !l2 && !asked.clone().any(moments) {
                node.map = Map::Dropped;
            }
        }
        for seen in seen {
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
