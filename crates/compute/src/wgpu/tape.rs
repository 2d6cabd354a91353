//! A forward pass that can be walked back, to the gradient of the image.
//!
//! From the deepest stage to the first: the gradient towards a node is the sum of what the losses say about it and of
//! what the stage behind it hands back. The convolution behind adds to it and applies the ReLU mask as it writes.

use super::array::{foreign, get, get_mut, put};
use super::context::Context;
use super::convolution::{Backward, Source};
use super::memory::Array;
use super::moments::{self, From};
use super::network::{GpuNetwork, Node, Shape};
use super::pointwise::{self, PoolMemory};
use super::vector;
use crate::cotangents::{self, Expected, Receiver, sorted};
use crate::plan::{Behind, Kept, Operation, Plan};
use crate::request::missing;
use crate::{Answer, Cotangent, Moments, Padding, PoolKind, Result, Tap, Tape, Tensor, Window};

/// One forward pass.
#[derive(Debug)]
pub(super) struct GpuTape<'a> {
    pub(super) network: &'a GpuNetwork,
    /// What the network read.
    pub(super) input: Shape,
    /// Where moments are taken, in places of the image.
    pub(super) window: Window,
    pub(super) plan: Plan,
    /// What each stage of the plan has made.
    pub(super) nodes: Vec<Node>,
    pub(super) seen: Vec<Seen>,
}

/// What was asked of one tap.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) tap: Tap,
    pub(super) node: usize,
    /// Whether its features were asked for; those of a layer are the map of its node.
    pub(super) asked: bool,
    /// Whether a gradient towards moments may come that were not computed.
    pub(super) replay: bool,
    /// Whether nobody wants to see its features any more.
    pub(super) released: bool,
    /// Those of a head.
    pub(super) features: Option<Tensor>,
    pub(super) moments: Option<Moments>,
}

/// What the losses say about the map behind one stage.
type LayerCotangents = cotangents::LayerCotangents<Array>;

impl GpuTape<'_> {
    fn context(&self) -> &Context {
        &self.network.context
    }

    /// The window in the map of a node.
    pub(super) fn window_at(&self, node: usize) -> Window {
        self.plan.stages[node].window(&self.window)
    }

    fn find(&self, tap: Tap, view: &str) -> Result<&Seen> {
        self.seen
            .iter()
            .find(|seen| seen.tap == tap)
            .ok_or_else(|| missing(tap, view))
    }

    /// The sum of what the losses say about a node and of `sum`, if there is anything.
    fn collect(
        &mut self,
        node: usize,
        said: LayerCotangents,
        mut sum: Option<Array>,
    ) -> Result<Option<Array>> {
        let context = &self.network.context;
        let window = self.window_at(node);
        let node = &mut self.nodes[node];
        for features in said.features {
            match &mut sum {
                None => sum = Some(features),
                Some(sum) => vector::add(context, 1.0, &features, 1.0, sum)?,
            }
        }
        for (head, gradient) in said.heads {
            let mixing = self.network.heads[head].gradient(node.size);
            match &sum {
                Some(sum) => mixing.run(context, From::Onto(&gradient), sum)?,
                None => {
                    let out = context.pool.take(node.size.len())?;
                    mixing.run(context, From::Map(&gradient), &out)?;
                    sum = Some(out);
                }
            }
        }
        match (said.moments, node.map.take()) {
            (Some(towards), Some(map)) => {
                let map = take(context, map)?;
                moments::backward(context, node.size, &window, map, &towards, sum).map(Some)
            }
            (_, map) => {
                node.map = map;
                Ok(sum)
            }
        }
    }

    /// The gradient towards node `index`, from that towards the node behind it.
    fn step(
        &mut self,
        index: usize,
        behind: Option<Array>,
        said: LayerCotangents,
    ) -> Result<Option<Array>> {
        let Some(gradient) = behind else {
            let sum = self.collect(index, said, None)?;
            return self.masked(index, sum);
        };
        match self.plan.stages[index + 1].operation {
            // Nothing is laid out on its own here.
            Operation::Read => Ok(None),
            Operation::Conv { layer, .. } => {
                let sum = self.collect(index, said, None)?;
                self.through_convolution(index, layer, &gradient, sum)
                    .map(Some)
            }
            Operation::Relu => {
                let behind = &self.nodes[index + 1];
                if let Some(bits) = &behind.bits {
                    pointwise::mask(self.context(), behind.size, &gradient, bits)?;
                }
                let sum = self.collect(index, said, Some(gradient))?;
                self.masked(index, sum)
            }
            Operation::Pool(pool) => {
                let context = self.context();
                let (node, pooled) = (&self.nodes[index], &self.nodes[index + 1]);
                let out = context.pool.take(node.size.len())?;
                let memory = PoolMemory {
                    bits: pooled.bits.as_ref(),
                    map: match pool.kind {
                        PoolKind::L2 => Some(node.array(context)?),
                        PoolKind::Max | PoolKind::Average => None,
                    },
                };
                pointwise::unpool(context, &pool, node.size, &gradient, memory, &out)?;
                let sum = self.collect(index, said, Some(out))?;
                self.masked(index, sum)
            }
        }
    }

    /// Applies the ReLU mask of the stage that made a node.
    fn masked(&self, index: usize, sum: Option<Array>) -> Result<Option<Array>> {
        if let (Some(sum), Some(bits)) = (&sum, self.mask(index)) {
            pointwise::mask(self.context(), self.nodes[index].size, sum, bits)?;
        }
        Ok(sum)
    }

    /// The ReLU mask of a node whose stage is a convolution with a ReLU.
    fn mask(&self, index: usize) -> Option<&Array> {
        match self.plan.stages[index].operation {
            Operation::Conv {
                behind: Behind::Relu,
                ..
            } => self.nodes[index].bits.as_ref(),
            _ => None,
        }
    }

    /// Backwards through the convolution behind a node, on top of `sum`.
    fn through_convolution(
        &self,
        index: usize,
        layer: usize,
        gradient: &Array,
        sum: Option<Array>,
    ) -> Result<Array> {
        let size = self.nodes[index].size;
        let add = sum.is_some();
        let out = match sum {
            Some(sum) => sum,
            None => self.context().pool.take(size.len())?,
        };
        self.convolve_back(
            layer,
            self.source(index + 1, gradient),
            size,
            &out,
            add,
            self.mask(index),
        )?;
        Ok(out)
    }

    /// What the convolution that made a node reads of the gradient towards it.
    fn source<'b>(&'b self, index: usize, gradient: &'b Array) -> Source<'b> {
        match (self.plan.stages[index].operation, &self.nodes[index].bits) {
            (
                Operation::Conv {
                    behind: Behind::ReluPool { pool, factor },
                    ..
                },
                Some(bits),
            ) => Source::Spread(gradient, bits, pool.share() * factor),
            _ => Source::Map(gradient),
        }
    }

    /// Backwards through the convolution of a layer, to a map of some size.
    fn convolve_back(
        &self,
        layer: usize,
        source: Source<'_>,
        size: Shape,
        out: &Array,
        add: bool,
        mask: Option<&Array>,
    ) -> Result<()> {
        let context = self.context();
        let convolution = self.network.convolution(layer)?;
        let (padding, pixels) = (convolution.padding, (size.h, size.w));
        if padding == Padding::Zero {
            let target = Backward {
                out,
                add,
                mask,
                border: 0,
            };
            return convolution.backward(context, pixels, source, target);
        }
        let bordered = context
            .pool
            .take(size.channels * (size.h + 2) * (size.w + 2))?;
        let target = Backward {
            out: &bordered,
            add: false,
            mask: None,
            border: 1,
        };
        convolution.backward(context, pixels, source, target)?;
        pointwise::fold(context, padding, size, &bordered, out, add, mask)
    }

    fn run(mut self, cotangents: Vec<Cotangent>) -> Result<Tensor> {
        let mut gradient: Option<Array> = None;
        let said = sorted(&self, &self.network.spec, &self.plan.stages, cotangents)?;
        for (index, said) in said.into_iter().enumerate().rev() {
            gradient = self.step(index, gradient, said)?;
            // What lies behind is not needed any more.
            if let Some(behind) = self.nodes.get_mut(index + 1) {
                behind.bits = None;
                behind.map = None;
            }
        }
        let image = self.input;
        let out = self.context().pool.take(image.len())?;
        match gradient {
            Some(gradient) => {
                let source = self.source(0, &gradient);
                self.convolve_back(0, source, image, &out, false, None)?;
            }
            None => self.context().clear(&out),
        }
        self.context().flush()?;
        Ok(put(out, &image.shape()))
    }
}

impl Receiver for GpuTape<'_> {
    type Map = Array;

    fn expected(&self, tap: Tap) -> Option<Expected> {
        let seen = self.seen.iter().find(|seen| seen.tap == tap)?;
        Some(Expected {
            stage: seen.node,
            features: seen.asked,
            moments: seen.moments.is_some() || seen.replay,
        })
    }

    fn take(&self, features: Tensor) -> Result<Array> {
        take(self.context(), features)
    }

    fn own(&self, tensor: &Tensor) -> Result<()> {
        get(self.context(), "backward", tensor).map(|_| ())
    }

    fn add(&self, x: &Tensor, sum: &mut Tensor) -> Result<()> {
        let context = self.context();
        let x = get(context, "backward", x)?;
        vector::add(context, 1.0, x, 1.0, get_mut(context, "backward", sum)?)
    }

    fn zeros(&self, shape: &[usize]) -> Result<Tensor> {
        let array = self.context().pool.take(shape.iter().product())?;
        self.context().clear(&array);
        Ok(put(array, shape))
    }

    fn through_head(&self, head: usize, towards: &Moments, trunk: &mut Moments) -> Result<()> {
        let head = &self.network.heads[head];
        head.moments_backward(self.context(), towards, trunk)
    }
}

/// The array of a tensor that is used up.
fn take(context: &Context, mut tensor: Tensor) -> Result<Array> {
    let array = tensor
        .storage_mut::<Array>()
        .filter(|array| array.is_of(&context.pool))
        .ok_or_else(|| foreign(context, "backward"))?;
    Ok(array.take())
}

impl Tape for GpuTape<'_> {
    fn features(&self, tap: Tap) -> Result<&Tensor> {
        let seen = self.find(tap, "features")?;
        let features = match (seen.asked && !seen.released, &seen.features) {
            (true, Some(own)) => Some(own),
            (true, None) => self.nodes[seen.node].map.as_ref(),
            (false, _) => None,
        };
        features.ok_or_else(|| missing(tap, "features"))
    }

    fn moments(&self, tap: Tap) -> Result<&Moments> {
        let seen = self.find(tap, "moments")?;
        seen.moments.as_ref().ok_or_else(|| missing(tap, "moments"))
    }

    fn release(&mut self) {
        for seen in &mut self.seen {
            seen.released = true;
            seen.features = None;
        }
        for (node, stage) in self.nodes.iter_mut().zip(&self.plan.stages) {
            if stage.kept != Kept::Lasting {
                node.map = None;
            }
        }
    }

    /// Nothing was asked for in parts: [`merged_whole`](crate::request::merged_whole) refuses that.
    fn backward_in_parts(
        self: Box<Self>,
        cotangents: Vec<Cotangent>,
        _: &mut Answer<'_>,
    ) -> Result<Tensor> {
        self.run(cotangents)
    }
}
