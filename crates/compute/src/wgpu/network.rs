//! A network prepared on the device, and its forward pass.
//!
//! Each stage of the [plan](crate::plan) makes one map. A map
//! is dropped as soon as the next stage has read it, unless its moments or features were asked for (their gradient
//! needs it) or an L2 pool reads it. Of everything else one bit per element is kept.

use super::array::{get, put};
use super::context::Context;
use super::convolution::Convolution;
use super::heads::HeadMatrices;
use super::memory::Array;
use super::tape::{GpuTape, Seen};
use super::{moments, pointwise};
use crate::plan::{Abilities, Kept, Noted, Operation, Plan, Stage};
use crate::request::{Wanted, merged, merged_whole};
use crate::{
    ComputeError, Cotangent, Input, Layer, Memory, Moments, NetSpec, Network, Result, Size, Tap,
    TapRequest, Tape, Tensor, Window,
};
use std::sync::Arc;

/// What runs as one kernel here.
const ABILITIES: Abilities = Abilities {
    lays_out: false,
    pools_images: true,
};

/// Channels and size of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) channels: usize,
    pub(super) h: usize,
    pub(super) w: usize,
}

impl Shape {
    pub(super) fn area(self) -> usize {
        self.h * self.w
    }

    pub(super) fn len(self) -> usize {
        self.channels * self.area()
    }

    /// Words of bits, one per element.
    pub(super) fn words(self) -> usize {
        self.channels.div_ceil(8) * self.area().div_ceil(4)
    }

    /// Words of bits, one per element of those that a pool reads of this map.
    pub(super) fn pooled_words(self) -> usize {
        self.channels.div_ceil(8) * (self.h / 2) * (self.w / 2)
    }

    /// All of it.
    pub(super) fn window(self) -> Window {
        Window::whole(Size {
            width: self.w,
            height: self.h,
        })
    }

    /// What a stage makes.
    fn of(stage: &Stage) -> Self {
        Self {
            channels: stage.channels,
            h: stage.size.height,
            w: stage.size.width,
        }
    }

    /// What it reads.
    fn before(stage: &Stage) -> Self {
        Self {
            channels: stage.inputs,
            h: stage.before.height,
            w: stage.before.width,
        }
    }

    pub(super) fn shape(self) -> [usize; 3] {
        [self.channels, self.h, self.w]
    }
}

/// A network on the gpu device.
#[derive(Debug)]
pub(super) struct GpuNetwork {
    pub(super) context: Arc<Context>,
    pub(super) spec: NetSpec,
    /// By layer.
    convolutions: Vec<Option<Convolution>>,
    pub(super) heads: Vec<HeadMatrices>,
}

/// What a stage has made.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) size: Shape,
    /// Gone when nobody needs it any more.
    pub(super) map: Option<Tensor>,
    /// Signs or places of maxima, for the backward pass of the stage.
    pub(super) bits: Option<Array>,
}

impl Node {
    /// The map.
    pub(super) fn array(&self, context: &Context) -> Result<&Array> {
        match &self.map {
            Some(map) => get(context, "a map", map),
            None => Err(context.failed("a map was dropped too early".into())),
        }
    }
}

impl GpuNetwork {
    pub(super) fn new(context: Arc<Context>, spec: NetSpec) -> Result<Self> {
        spec.validate()?;
        let scale = |layer: usize| match &spec.input {
            Input::Image(norm) if layer == 0 => Some(norm.scale),
            Input::Image(_) | Input::Features(_) => None,
        };
        let mut convolutions = Vec::with_capacity(spec.layers.len());
        for (index, layer) in spec.layers.iter().enumerate() {
            convolutions.push(match layer {
                Layer::Conv(conv) => Some(Convolution::new(&context, conv, scale(index))?),
                Layer::Relu | Layer::Pool(_) => None,
            });
        }
        let heads = spec
            .heads
            .iter()
            .map(|head| HeadMatrices::new(&context, head))
            .collect::<Result<_>>()?;
        Ok(Self {
            context,
            convolutions,
            heads,
            spec,
        })
    }

    /// The convolution of a layer.
    pub(super) fn convolution(&self, layer: usize) -> Result<&Convolution> {
        let convolution = self.convolutions.get(layer).and_then(Option::as_ref);
        convolution.ok_or_else(|| ComputeError::BadNetwork {
            layer,
            problem: "it is not a convolution".into(),
        })
    }

    /// The forward pass; moments are those of a window of the image, if there is one.
    fn run(
        &self,
        image: &Tensor,
        window: Option<Window>,
        taps: &[TapRequest],
    ) -> Result<GpuTape<'_>> {
        let size = self.spec.size_of(image.shape())?;
        if let Some(window) = &window {
            self.spec.check_window(window, size, taps)?;
        }
        let image = get(&self.context, "forward", image)?;
        self.context.pool.next_pass();
        let wanted = merged_whole(taps)?;
        let plan = Plan::new(&self.spec, size, &wanted, ABILITIES)?;
        let input = Shape {
            channels: self.spec.input.channels(),
            h: size.height,
            w: size.width,
        };
        let mut tape = GpuTape {
            network: self,
            input,
            window: window.unwrap_or(Window::whole(size)),
            nodes: Vec::with_capacity(plan.stages.len()),
            seen: Vec::with_capacity(wanted.len()),
            plan,
        };
        let prepared = match &self.spec.input {
            Input::Features(_) => None,
            Input::Image(norm) => {
                let prepared = self.context.pool.take(input.len())?;
                pointwise::prepare(&self.context, norm, input, image, &prepared)?;
                Some(prepared)
            }
        };
        for index in 0..tape.plan.stages.len() {
            let stage = &tape.plan.stages[index];
            let node = match tape.nodes.last() {
                None => self.stage(stage, prepared.as_ref().unwrap_or(image))?,
                Some(before) => self.stage(stage, before.array(&self.context)?)?,
            };
            for wanted in &stage.wanted {
                let seen = self.look(&tape, &node, index, wanted)?;
                tape.seen.push(seen);
            }
            tape.nodes.push(node);
            if index > 0 && tape.plan.stages[index - 1].kept == Kept::UntilRead {
                tape.nodes[index - 1].map = None;
            }
        }
        self.context.flush()?;
        Ok(tape)
    }

    /// Runs a stage over the map that it reads.
    fn stage(&self, stage: &Stage, x: &Array) -> Result<Node> {
        let context = &self.context;
        let (before, size) = (Shape::before(stage), Shape::of(stage));
        let read = Shape {
            channels: size.channels,
            ..before
        };
        let words = match stage.operation.noted() {
            Noted::Nothing => None,
            Noted::Signs => Some(size.words()),
            Noted::Places => Some(read.pooled_words()),
        };
        let out = context.pool.take(size.len())?;
        let bits = words.map(|words| context.pool.take(words)).transpose()?;
        match (stage.operation, &bits) {
            (Operation::Relu, Some(bits)) => pointwise::relu(context, size, x, &out, bits)?,
            // Nothing is laid out on its own here, and a ReLU notes signs.
            (Operation::Relu, None) | (Operation::Read, _) => {}
            (Operation::Pool(pool), bits) => {
                pointwise::pool(context, &pool, before, x, &out, bits.as_ref())?;
            }
            (Operation::Conv { layer, behind }, bits) => {
                let convolution = self.convolution(layer)?;
                convolution.forward(context, before, x, behind, &out, bits.as_ref())?;
            }
        }
        Ok(Node {
            size,
            map: Some(put(out, &size.shape())),
            bits,
        })
    }

    /// What was asked of a tap behind a node.
    fn look(
        &self,
        tape: &GpuTape<'_>,
        node: &Node,
        index: usize,
        request: &Wanted,
    ) -> Result<Seen> {
        let context = &self.context;
        let map = node.array(context)?;
        let window = tape.window_at(index);
        let of_trunk = || moments::forward(context, node.size, &window, map, None);
        let (features, moments) = match request.tap {
            Tap::Layer(_) => (None, request.moments.then(of_trunk).transpose()?),
            Tap::Head(head) => {
                let head = &self.heads[head];
                let features = match request.features {
                    true => Some(head.features(context, node.size, map)?),
                    false => None,
                };
                let moments = match request.moments {
                    true => Some(head.moments(context, &of_trunk()?)?),
                    false => None,
                };
                (features, moments)
            }
        };
        Ok(Seen {
            tap: request.tap,
            node: index,
            asked: request.features,
            replay: request.replay,
            released: false,
            features,
            moments,
        })
    }
}

impl Network for GpuNetwork {
    fn spec(&self) -> &NetSpec {
        &self.spec
    }

    fn forward<'a>(&'a self, image: &Tensor, taps: &[TapRequest]) -> Result<Box<dyn Tape + 'a>> {
        Ok(Box::new(self.run(image, None, taps)?))
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
        Ok(Box::new(self.run(&image, Some(*window), taps)?))
    }

    /// Both passes run on a device that only counts.
    fn memory(&self, size: Size, taps: &[TapRequest]) -> Result<Memory> {
        let context = Arc::new(Context::new(
            None,
            &self.context.name,
            self.context.bounds,
            self.context.tuning.counting(),
        )?);
        let network = Self::new(Arc::clone(&context), self.spec.clone())?;
        let pool = &context.pool;
        let filters = pool.used();
        let tensor = |shape: &[usize]| -> Result<Tensor> {
            Ok(put(pool.take(shape.iter().product())?, shape))
        };
        let image = tensor(&[self.spec.input.channels(), size.height, size.width])?;
        let outside = pool.used();
        let mut tape: Box<dyn Tape + '_> = Box::new(network.run(&image, None, taps)?);
        let forward = pool.peak() - outside;
        let mut cotangents = Vec::new();
        for request in merged(taps) {
            let shape = self.spec.shape_at(request.tap, size)?;
            if request.features {
                cotangents.push(Cotangent::features(request.tap, tensor(&shape)?));
            }
            if request.towards_moments() {
                let towards = Moments {
                    mean: tensor(&shape[..1])?,
                    second: tensor(&[shape[0]; 2])?,
                };
                cotangents.push(Cotangent::moments(request.tap, towards));
            }
        }
        tape.release();
        let kept = pool.used() - outside;
        tape.backward(cotangents)?;
        let backward = pool.peak() - filters.min(outside);
        Ok(Memory {
            forward,
            kept,
            backward,
            // Filters are on the device from the start.
            prepared: 0,
        })
    }
}
