//! A network prepared on the processor, and its forward pass.
//!
//! The layers up to the deepest tap are grouped into stages ([`plan`](super::plan)); each stage makes one map. A map
//! is dropped as soon as the next stage has read it, unless its moments or features were asked for (their gradient
//! needs it) or an L2 pool reads it. Of everything else one bit per element is kept.

use super::array::{Layout, from_plain, get, put};
use super::filters::{Direction, Filters};
use super::first::{self, FirstFilters, FirstTarget};
use super::memory::Buffer;
use super::mixing::{Matrix, Operand};
use super::moments::{self, Sums};
use super::plan::{Behind, Operation, Stage, stages};
use super::simd::{LANES, Lanes};
use super::tape::CpuTape;
use super::tile::{F2, F4};
use super::winograd::{Extent, Source, Target, convolve};
use super::{Context, FilterCache, Precision, heads, pointwise};
use crate::{
    ComputeError, Conv3x3, Head, Layer, Moments, NetSpec, Network, Padding, PoolKind, Result, Tap,
    TapRequest, Tape, Tensor,
};
use std::sync::{Arc, Mutex, PoisonError};

/// Pixels of an image from which on [`FilterCache::Auto`] keeps no transformed filters.
const CACHE_PIXELS: usize = 900 * 900;

/// A network on the cpu device.
#[derive(Debug)]
pub(super) struct CpuNetwork {
    pub(super) context: Arc<Context>,
    pub(super) spec: NetSpec,
    convolutions: Vec<Option<Convolution>>,
}

/// One convolution, prepared.
#[derive(Debug)]
struct Convolution {
    bias: Vec<Lanes>,
    /// The filters of the first layer.
    first: Option<FirstFilters>,
    /// Transformed filters by direction, made when first needed.
    transformed: Mutex<[Option<Arc<Filters>>; 2]>,
}

/// The map a stage has made.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) channels: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    pub(super) map: Map,
    /// Signs or places of maxima, for the backward pass of the stage.
    pub(super) bits: Option<Buffer<u16>>,
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
}

/// What was asked of one tap.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) tap: Tap,
    /// Index of the stage behind which it sits.
    pub(super) node: usize,
    pub(super) features: Features,
    pub(super) moments: Option<Moments>,
}

/// Where the features of a tap are.
#[derive(Debug)]
pub(super) enum Features {
    /// Not asked for.
    Unasked,
    /// They are the map of the node.
    OfNode,
    /// They are a tensor of their own.
    Own(Tensor),
}

impl CpuNetwork {
    pub(super) fn new(context: Arc<Context>, spec: NetSpec) -> Result<Self> {
        spec.validate()?;
        let convolutions = spec
            .layers
            .iter()
            .enumerate()
            .map(|(index, layer)| match layer {
                Layer::Conv(conv) => Some(Convolution::new(conv, index == 0)),
                Layer::Relu | Layer::Pool(_) => None,
            });
        Ok(Self {
            convolutions: convolutions.collect(),
            context,
            spec,
        })
    }

    /// A convolution and its prepared form.
    fn convolution(&self, layer: usize) -> Result<(&Conv3x3, &Convolution)> {
        match (&self.spec.layers[layer], &self.convolutions[layer]) {
            (Layer::Conv(conv), Some(prepared)) => Ok((conv, prepared)),
            _ => Err(ComputeError::BadNetwork {
                layer,
                problem: "it is not a convolution".into(),
            }),
        }
    }

    /// The padding of a convolution.
    pub(super) fn padding(&self, layer: usize) -> Result<Padding> {
        Ok(self.convolution(layer)?.0.padding)
    }

    /// The filters of the first layer.
    pub(super) fn first(&self) -> Result<&FirstFilters> {
        let first = self.convolution(0)?.1.first.as_ref();
        first.ok_or_else(|| ComputeError::BadNetwork {
            layer: 0,
            problem: "it is not prepared as the first layer".into(),
        })
    }

    /// Whether transformed filters are kept for an image of this size.
    fn caches(&self, pixels: usize) -> bool {
        match self.context.filters {
            FilterCache::Always => true,
            FilterCache::Never => false,
            FilterCache::Auto => pixels <= CACHE_PIXELS,
        }
    }

    /// The transformed filters of a convolution for an image of some size.
    pub(super) fn filters(
        &self,
        layer: usize,
        direction: Direction,
        pixels: usize,
    ) -> Result<Arc<Filters>> {
        let (conv, prepared) = self.convolution(layer)?;
        let mut slots = prepared
            .transformed
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let slot = &mut slots[direction as usize];
        if let Some(filters) = slot {
            return Ok(Arc::clone(filters));
        }
        let filters = Arc::new(match self.context.precision {
            Precision::Strict => Filters::new::<2, 4, F2>(&self.context, conv, direction)?,
            Precision::Standard | Precision::Bf16 => {
                Filters::new::<4, 6, F4>(&self.context, conv, direction)?
            }
        });
        if self.caches(pixels) {
            *slot = Some(Arc::clone(&filters));
        }
        Ok(filters)
    }

    /// Forgets transformed filters.
    fn forget_filters(&self) {
        for convolution in self.convolutions.iter().flatten() {
            let mut slots = convolution
                .transformed
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *slots = [None, None];
        }
    }

    /// The forward pass, on the device's threads.
    fn run(
        &self,
        image: &[f32],
        (h, w): (usize, usize),
        taps: &[TapRequest],
    ) -> Result<CpuTape<'_>> {
        self.context.pool.next_pass();
        if !self.caches(h * w) {
            self.forget_filters();
        }
        let requests = merged(taps);
        let mut ends = Vec::with_capacity(requests.len());
        for request in &requests {
            self.spec.shape_at(request.tap, h, w)?;
            ends.push(self.spec.layer_of(request.tap)?);
        }
        let deepest = ends.iter().copied().max().unwrap_or(0);
        let plan = stages(&self.spec, deepest, &ends);
        let mut nodes: Vec<Node> = Vec::with_capacity(plan.len());
        let mut seen = Vec::with_capacity(requests.len());
        for (index, stage) in plan.iter().enumerate() {
            let node = match nodes.last() {
                None => self.first_stage(stage, image, (h, w))?,
                Some(before) => self.stage(stage, before, h * w)?,
            };
            nodes.push(node);
            let here = requests
                .iter()
                .zip(&ends)
                .filter(|(_, end)| **end == stage.last);
            let here: Vec<TapRequest> = here.map(|(request, _)| *request).collect();
            let last = nodes.len() - 1;
            self.look(&mut nodes[last], index, &here, &mut seen)?;
            if index > 0 && !self.keeps(&plan, index - 1, &seen) {
                nodes[index - 1].map = Map::Dropped;
            }
        }
        Ok(CpuTape {
            network: self,
            size: (h, w),
            plan,
            nodes,
            seen,
        })
    }

    /// Whether the backward pass, or whoever holds the tape, needs the map of a node.
    fn keeps(&self, plan: &[Stage], node: usize, seen: &[Seen]) -> bool {
        let l2 = plan.get(node + 1).is_some_and(
            |stage| matches!(stage.operation, Operation::Pool(pool) if pool.kind == PoolKind::L2),
        );
        let looked_at = |seen: &Seen| {
            seen.node == node
                && (seen.moments.is_some() || matches!(seen.features, Features::OfNode))
        };
        l2 || seen.iter().any(looked_at)
    }

    /// The first convolution.
    fn first_stage(&self, stage: &Stage, image: &[f32], (h, w): (usize, usize)) -> Result<Node> {
        let (conv, prepared) = self.convolution(0)?;
        let context = &self.context;
        let mut padded = context.pool.take(3 * (h + 2) * (w + 2))?;
        first::prepare(image, &self.spec.input, conv.padding, h, w, &mut padded);
        let blocks = conv.out_channels.div_ceil(LANES);
        let mut map = context.pool.take(blocks * h * w * LANES)?;
        let relu = !matches!(
            stage.operation,
            Operation::Conv {
                behind: Behind::Nothing,
                ..
            }
        );
        let mut bits = match relu {
            true => Some(context.pool.take(blocks * h * w)?),
            false => None,
        };
        let target = FirstTarget {
            out: map.lanes_mut(),
            bits: bits.as_deref_mut(),
        };
        first::forward(
            context,
            self.first()?,
            &prepared.bias,
            &padded,
            (h, w),
            target,
        );
        Ok(Node {
            channels: conv.out_channels,
            h,
            w,
            map: Map::Kept(map),
            bits,
        })
    }

    /// Any later stage; `pixels` are those of the image.
    fn stage(&self, stage: &Stage, before: &Node, pixels: usize) -> Result<Node> {
        let context = &self.context;
        let x = before.lanes()?;
        let (mut h, mut w) = (before.h, before.w);
        let pools = match stage.operation {
            Operation::Pool(_) => true,
            Operation::Relu => false,
            Operation::Conv { behind, .. } => matches!(behind, Behind::ReluPool { .. }),
        };
        if pools {
            (h, w) = (h / 2, w / 2);
        }
        let channels = match stage.operation {
            Operation::Conv { layer, .. } => self.convolution(layer)?.0.out_channels,
            Operation::Relu | Operation::Pool(_) => before.channels,
        };
        let len = channels.div_ceil(LANES) * h * w;
        let mut map = context.pool.take(len * LANES)?;
        let mut bits = None;
        match stage.operation {
            Operation::Relu => {
                let mut signs = context.pool.take(len)?;
                pointwise::relu(context, x, map.lanes_mut(), &mut signs);
                bits = Some(signs);
            }
            Operation::Pool(pool) => {
                if pool.kind == PoolKind::Max {
                    bits = Some(context.pool.take(len * 4)?);
                }
                pointwise::pool(
                    context,
                    &pool,
                    x,
                    (before.h, before.w),
                    map.lanes_mut(),
                    bits.as_deref_mut(),
                );
            }
            Operation::Conv { layer, behind } => {
                let (conv, prepared) = self.convolution(layer)?;
                let filters = self.filters(layer, Direction::Forward, pixels)?;
                let out = map.lanes_mut();
                let bias = prepared.bias.as_slice();
                let target = match behind {
                    Behind::Nothing => Target::Linear {
                        out,
                        bias: Some(bias),
                        accumulate: false,
                        mask: None,
                    },
                    Behind::Relu => Target::Relu {
                        out,
                        bias,
                        bits: bits.insert(context.pool.take(len)?),
                    },
                    Behind::ReluPool { pool, factor } => Target::ReluPool {
                        out,
                        bias,
                        bits: bits.insert(context.pool.take(len * 4)?),
                        pool,
                        factor,
                    },
                };
                let source = Source::Map {
                    data: x,
                    h: before.h,
                    w: before.w,
                    padding: conv.padding,
                };
                let extent = Extent {
                    h: before.h,
                    w: before.w,
                    border: 0,
                };
                convolve(context, &filters, source, target, extent)?;
            }
        }
        Ok(Node {
            channels,
            h,
            w,
            map: Map::Kept(map),
            bits,
        })
    }

    /// Computes what the taps behind a node asked for.
    fn look(
        &self,
        node: &mut Node,
        index: usize,
        requests: &[TapRequest],
        seen: &mut Vec<Seen>,
    ) -> Result<()> {
        let trunk = match requests.iter().any(|request| request.moments) {
            true => Some(moments::forward(
                &self.context,
                node.lanes()?,
                node.channels,
                node.pixels(),
            )?),
            false => None,
        };
        for request in requests {
            let head = match request.tap {
                Tap::Layer(_) => None,
                Tap::Head(head) => Some(&self.spec.heads[head]),
            };
            let moments = match (&trunk, head) {
                _ if !request.moments => None,
                (Some(trunk), None) => Some(self.moments(trunk)?),
                (Some(trunk), Some(head)) => Some(self.moments(&heads::forward(head, trunk))?),
                (None, _) => None,
            };
            let features = match head {
                _ if !request.features => Features::Unasked,
                None => self.show(node)?,
                Some(head) => Features::Own(self.head_features(node, head)?),
            };
            seen.push(Seen {
                tap: request.tap,
                node: index,
                features,
                moments,
            });
        }
        Ok(())
    }

    fn moments(&self, sums: &Sums) -> Result<Moments> {
        let narrow =
            |values: &[f64]| -> Vec<f32> { values.iter().map(|&value| value as f32).collect() };
        let c = sums.channels;
        Ok(Moments {
            mean: from_plain(&self.context, &narrow(&sums.mean), &[c])?,
            second: from_plain(&self.context, &narrow(&sums.second), &[c, c])?,
        })
    }

    /// Makes a tensor of a node's map.
    fn show(&self, node: &mut Node) -> Result<Features> {
        let shape = [node.channels, node.h, node.w];
        match Layout::of(&shape) {
            Layout::Blocked { .. } => {
                if let Map::Kept(buffer) = &mut node.map {
                    node.map = Map::Shown(put(buffer.take(), &shape));
                }
                Ok(Features::OfNode)
            }
            Layout::Plain { .. } => Ok(Features::Own(self.plain(node.lanes()?, &shape)?)),
        }
    }

    /// A row-major tensor from a map of few channels.
    fn plain(&self, map: &[Lanes], shape: &[usize; 3]) -> Result<Tensor> {
        let [channels, h, w] = *shape;
        let mut buffer = self.context.pool.take(channels * h * w)?;
        let blocked = Layout::Blocked {
            channels,
            pixels: h * w,
        };
        blocked.unpack(map.as_flattened(), &mut buffer);
        Ok(put(buffer, shape))
    }

    fn head_features(&self, node: &Node, head: &Head) -> Result<Tensor> {
        let shape = [head.out_channels, node.h, node.w];
        let mut out = self
            .context
            .pool
            .take(head.out_channels.div_ceil(LANES) * node.pixels() * LANES)?;
        let matrix = Matrix::new(
            (head.out_channels, node.channels),
            |out, k| head.weight[out * node.channels + k],
            |out| head.bias[out],
        );
        let operand = Operand::Into {
            x: node.lanes()?,
            out: out.lanes_mut(),
        };
        matrix.apply(&self.context, node.pixels(), operand)?;
        match Layout::of(&shape) {
            Layout::Blocked { .. } => Ok(put(out, &shape)),
            Layout::Plain { .. } => self.plain(out.lanes(), &shape),
        }
    }
}

impl Convolution {
    fn new(conv: &Conv3x3, first: bool) -> Self {
        let mut bias = vec![[0.0; LANES]; conv.out_channels.div_ceil(LANES)];
        for (channel, &value) in conv.bias.iter().enumerate() {
            bias[channel / LANES][channel % LANES] = value;
        }
        Self {
            bias,
            first: first.then(|| FirstFilters::new(conv)),
            transformed: Mutex::default(),
        }
    }
}

/// One request per tap.
fn merged(taps: &[TapRequest]) -> Vec<TapRequest> {
    let mut merged: Vec<TapRequest> = Vec::with_capacity(taps.len());
    for request in taps {
        match merged.iter_mut().find(|known| known.tap == request.tap) {
            Some(known) => {
                known.features |= request.features;
                known.moments |= request.moments;
            }
            None => merged.push(*request),
        }
    }
    merged
}

impl Network for CpuNetwork {
    fn spec(&self) -> &NetSpec {
        &self.spec
    }

    fn forward<'a>(&'a self, image: &Tensor, taps: &[TapRequest]) -> Result<Box<dyn Tape + 'a>> {
        let &[3, h, w] = image.shape() else {
            return Err(ComputeError::Shape {
                what: "an image",
                expected: vec![3, 0, 0],
                got: image.shape().to_vec(),
            });
        };
        let values = get("forward", image)?;
        let tape = self
            .context
            .threads
            .install(|| self.run(values, (h, w), taps))?;
        Ok(Box::new(tape))
    }
}
