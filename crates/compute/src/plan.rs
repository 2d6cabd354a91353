//! The plan of a pass: which layers run as one operation, what each reads and makes, and what is kept of it.
//!
//! A ReLU behind a convolution is fused into it, and so is a max or average pool behind that ReLU, unless a tap looks
//! at what lies between. Each *stage* ends in one map that exists in memory; a tap always sits at the end of one.
//!
//! Whoever runs a pass, goes over it row by row, or tells its memory and work beforehand reads this plan; none walks
//! through the layers on its own.

use crate::request::Wanted;
use crate::{Input, Layer, NetSpec, Pool, PoolKind, Result, Size, Tap, TapRequest, Want, Window};

/// Products that take as long as reading or writing a channel.
const TRAFFIC: f64 = 256.0;
/// Products of a 3×3 convolution by minimal filtering, per product of the direct one: 36 instead of 144.
const MINIMAL: f64 = 0.25;

/// What a stage does to the map before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Operation {
    /// Takes the features that the network reads.
    Read,
    /// A convolution, with what is fused behind it.
    Conv {
        /// Index of the convolution.
        layer: usize,
        /// What follows.
        behind: Behind,
    },
    /// A ReLU of its own.
    Relu,
    /// A pool of its own.
    Pool(Pool),
}

/// What is fused behind a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Behind {
    Nothing,
    Relu,
    /// A ReLU and a pool.
    ReluPool {
        /// Which.
        pool: FusedPool,
        /// Its factor.
        factor: f32,
    },
}

/// Pools whose gradient needs no more than bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FusedPool {
    /// The greatest of four.
    Max,
    /// Their mean.
    Average,
}

impl FusedPool {
    fn of(kind: PoolKind) -> Option<Self> {
        match kind {
            PoolKind::Max => Some(FusedPool::Max),
            PoolKind::Average => Some(FusedPool::Average),
            // Its gradient needs the values themselves.
            PoolKind::L2 => None,
        }
    }

    /// What a place gets of the gradient, if it gets any.
    pub(crate) fn share(self) -> f32 {
        match self {
            FusedPool::Max => 1.0,
            FusedPool::Average => 0.25,
        }
    }
}

/// What is noted of each element that a stage makes, in bits, for its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Noted {
    Nothing,
    /// Whether it is positive.
    Signs,
    /// Which of the four places of a pool the gradient goes to.
    Places,
}

impl Noted {
    /// Bits per element.
    pub(crate) fn bits(self) -> usize {
        match self {
            Noted::Nothing => 0,
            Noted::Signs => 1,
            Noted::Places => 4,
        }
    }
}

impl Operation {
    /// What is noted for the way back.
    pub(crate) fn noted(&self) -> Noted {
        match self {
            Operation::Read => Noted::Nothing,
            Operation::Relu => Noted::Signs,
            Operation::Pool(pool) => match pool.kind {
                PoolKind::Max => Noted::Places,
                PoolKind::Average | PoolKind::L2 => Noted::Nothing,
            },
            Operation::Conv { behind, .. } => match behind {
                Behind::Nothing => Noted::Nothing,
                Behind::Relu => Noted::Signs,
                Behind::ReluPool { .. } => Noted::Places,
            },
        }
    }

    /// Whether it is a pool whose gradient needs what was pooled.
    pub(crate) fn needs_map(&self) -> bool {
        matches!(self, Operation::Pool(pool) if pool.kind == PoolKind::L2)
    }
}

/// How long the map behind a stage is there in a pass over a whole picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Until the next stage has read it.
    UntilRead,
    /// Until features are released: somebody looks at them.
    UntilReleased,
    /// Until the gradient has passed: it needs the values.
    Lasting,
}

/// One operation over a whole map.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stage {
    pub(crate) operation: Operation,
    /// The last layer it includes; none if it reads features.
    pub(crate) last: Option<usize>,
    /// Whether it reads the image.
    pub(crate) of_image: bool,
    /// Channels and size of what it reads.
    pub(crate) inputs: usize,
    pub(crate) before: Size,
    /// Channels and size of what it makes.
    pub(crate) channels: usize,
    pub(crate) size: Size,
    /// Pixels of the image from one place that it makes to the next.
    pub(crate) stride: usize,
    /// What is wanted behind it.
    pub(crate) wanted: Vec<Wanted>,
    pub(crate) kept: Kept,
}

/// Products, or what takes as long, at each place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Work {
    /// Of convolutions and what belongs to them, one way.
    pub convolutions: f64,
    /// Of moments, one way.
    pub moments: f64,
}

impl Stage {
    /// Whether it pools.
    pub(crate) fn pools(&self) -> bool {
        match self.operation {
            Operation::Pool(_) => true,
            Operation::Conv { behind, .. } => matches!(behind, Behind::ReluPool { .. }),
            Operation::Read | Operation::Relu => false,
        }
    }

    /// Rows that are made when so many of those it reads are there.
    pub(crate) fn made(&self, read: usize) -> usize {
        if self.pools() { read / 2 } else { read }
    }

    /// Channels of what a tap behind it sees.
    pub(crate) fn channels_at(&self, spec: &NetSpec, tap: Tap) -> usize {
        match tap {
            Tap::Layer(_) => self.channels,
            Tap::Head(head) => spec.heads[head].out_channels,
        }
    }

    /// The part of its map that belongs to a window of the image.
    pub(crate) fn window(&self, window: &Window) -> Window {
        window.at_stride(self.stride)
    }

    /// Work per place of its map, a pool that is fused into it included: that runs in the map before.
    pub(crate) fn work(&self) -> Work {
        let (i, o) = (self.inputs as f64, self.channels as f64);
        let convolutions = match self.operation {
            Operation::Conv { behind, .. } => {
                let share = if self.of_image { 1.0 } else { MINIMAL };
                let places = match behind {
                    Behind::ReluPool { .. } => 4.0,
                    Behind::Nothing | Behind::Relu => 1.0,
                };
                places * (9.0 * share * i * o + TRAFFIC * (i + o))
            }
            Operation::Read | Operation::Relu | Operation::Pool(_) => TRAFFIC * o,
        };
        let moments = self.wanted.iter().any(|wanted| wanted.moments);
        Work {
            convolutions,
            moments: if moments { o * o } else { 0.0 },
        }
    }
}

/// What a device runs in its own way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Abilities {
    /// Whether features that a network reads become a map of its own layout, as a stage of their own.
    pub(crate) lays_out: bool,
    /// Whether the convolution that reads an image can pool at once.
    pub(crate) pools_images: bool,
}

/// The stages of a pass, from what is read to the deepest tap.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// Of what is read.
    pub(crate) size: Size,
    pub(crate) stages: Vec<Stage>,
}

impl Plan {
    /// The plan of a pass over what is of some size, with a map at every tap.
    pub(crate) fn new(
        spec: &NetSpec,
        size: Size,
        wanted: &[Wanted],
        able: Abilities,
    ) -> Result<Self> {
        let mut ends = Vec::with_capacity(wanted.len());
        for wanted in wanted {
            spec.shape_at(wanted.tap, size)?;
            ends.push(spec.layer_of(wanted.tap)?);
        }
        let mut plan = Self {
            size,
            stages: Vec::new(),
        };
        let image = matches!(spec.input, Input::Image(_));
        if able.lays_out && !image {
            plan.push(spec, Operation::Read, None, vec![]);
        }
        let deepest = ends.iter().copied().max().unwrap_or(0);
        let mut next = 0;
        while let Some(layer) = spec.layers[..=deepest].get(next) {
            // What a stage may take in: layers between which and their next none looks.
            let free = ends.iter().filter(|end| **end >= next).min();
            let free = &spec.layers[next + 1..=free.copied().unwrap_or(next)];
            let behind = match free {
                [Layer::Relu, Layer::Pool(pool), ..] => match FusedPool::of(pool.kind) {
                    Some(fused) if next > 0 || !image || able.pools_images => Behind::ReluPool {
                        pool: fused,
                        factor: pool.factor,
                    },
                    _ => Behind::Relu,
                },
                [Layer::Relu, ..] => Behind::Relu,
                _ => Behind::Nothing,
            };
            let (operation, length) = match layer {
                Layer::Relu => (Operation::Relu, 1),
                Layer::Pool(pool) => (Operation::Pool(*pool), 1),
                Layer::Conv(_) => {
                    let length = match behind {
                        Behind::Nothing => 1,
                        Behind::Relu => 2,
                        Behind::ReluPool { .. } => 3,
                    };
                    let layer = next;
                    (Operation::Conv { layer, behind }, length)
                }
            };
            next += length;
            let here = wanted.iter().zip(&ends);
            let here = here.filter(|(_, end)| **end == next - 1);
            let here = here.map(|(wanted, _)| *wanted).collect();
            plan.push(spec, operation, Some(next - 1), here);
        }
        Ok(plan)
    }

    /// Adds a stage that reads what the last one makes.
    fn push(
        &mut self,
        spec: &NetSpec,
        operation: Operation,
        last: Option<usize>,
        wanted: Vec<Wanted>,
    ) {
        let (inputs, before) = match self.stages.last_mut() {
            Some(before) => {
                if operation.needs_map() {
                    before.kept = Kept::Lasting;
                }
                (before.channels, before.size)
            }
            None => (spec.input.channels(), self.size),
        };
        let channels = match operation {
            Operation::Conv { layer, .. } => spec.layers[layer].channels(inputs),
            Operation::Read | Operation::Relu | Operation::Pool(_) => inputs,
        };
        let shown = |wanted: &Wanted| wanted.features && matches!(wanted.tap, Tap::Layer(_));
        let kept = if wanted.iter().any(Wanted::towards_moments) {
            Kept::Lasting
        } else if wanted.iter().any(shown) {
            Kept::UntilReleased
        } else {
            Kept::UntilRead
        };
        let mut stage = Stage {
            of_image: self.stages.is_empty() && matches!(spec.input, Input::Image(_)),
            operation,
            last,
            inputs,
            before,
            channels,
            size: before,
            stride: last.map_or(1, |last| spec.stride(last)),
            wanted,
            kept,
        };
        if stage.pools() {
            stage.size = before.at_stride(2);
        }
        self.stages.push(stage);
    }
}

impl NetSpec {
    /// The work of each way of a pass, per pixel of what is read, down to the deepest of some requests: layer by layer,
    /// as if whatever is fused took no time.
    ///
    /// # Errors
    /// [`ComputeError::NoSuchTap`](crate::ComputeError::NoSuchTap).
    pub fn work(&self, requests: &[TapRequest]) -> Result<Work> {
        let (mut work, mut deepest) = (Work::default(), 0);
        let mut channels = vec![self.input.channels()];
        for layer in &self.layers {
            channels.push(layer.channels(channels[channels.len() - 1]));
        }
        for request in requests {
            let layer = self.layer_of(request.tap)?;
            deepest = deepest.max(layer);
            if request.want == Want::Moments {
                // Those of heads are computed from those of the layer before them.
                let c = channels[layer + 1];
                work.moments += (c * c) as f64 / self.stride(layer).pow(2) as f64;
            }
        }
        for (index, layer) in self.layers.iter().enumerate().take(deepest + 1) {
            let products = layer.products() as f64;
            if products > 0.0 {
                let traffic = TRAFFIC * (channels[index] + channels[index + 1]) as f64;
                let area = self.stride(index).pow(2) as f64;
                work.convolutions += (MINIMAL * products + traffic) / area;
            }
        }
        Ok(work)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::merged;
    use crate::{Conv3x3, InputNorm, Padding};

    fn spec(input: Input) -> Result<NetSpec> {
        let conv = |from| {
            let weight = vec![0.0; 5 * from * 9];
            Conv3x3::new(from, 5, Padding::Zero, weight, vec![0.0; 5])
        };
        let pool = |kind| Layer::Pool(Pool { kind, factor: 1.0 });
        Ok(NetSpec {
            input,
            layers: vec![
                Layer::Conv(conv(3)?),
                Layer::Relu,
                Layer::Conv(conv(5)?),
                Layer::Relu,
                pool(PoolKind::Max),
                Layer::Conv(conv(5)?),
                Layer::Relu,
                pool(PoolKind::L2),
            ],
            heads: vec![],
        })
    }

    fn plan(spec: &NetSpec, layers: &[usize], able: Abilities) -> Result<Plan> {
        let taps = layers.iter().copied().map(Tap::Layer);
        let taps: Vec<_> = taps.map(TapRequest::features).collect();
        Plan::new(
            spec,
            Size {
                width: 9,
                height: 21,
            },
            &merged(&taps),
            able,
        )
    }

    const ABLE: Abilities = Abilities {
        lays_out: true,
        pools_images: false,
    };

    #[test]
    fn taps_keep_layers_apart() -> Result<()> {
        let image = InputNorm {
            mean: [0.0; 3],
            scale: [1.0; 3],
        };
        let spec = spec(image.into())?;
        let ends = |tapped: &[usize]| -> Result<Vec<usize>> {
            let plan = plan(&spec, tapped, ABLE)?;
            Ok(plan.stages.iter().filter_map(|stage| stage.last).collect())
        };
        assert_eq!(ends(&[4])?, [1, 4]);
        assert_eq!(ends(&[3, 4])?, [1, 3, 4]);
        assert_eq!(ends(&[2, 4])?, [1, 2, 3, 4]);
        assert_eq!(ends(&[0, 4])?, [0, 1, 4]);
        assert_eq!(ends(&[3])?, [1, 3]);
        assert_eq!(ends(&[2])?, [1, 2]);
        assert_eq!(ends(&[7])?, [1, 4, 6, 7]);
        Ok(())
    }

    #[test]
    fn stages_say_what_they_read_and_make() -> Result<()> {
        let plan = plan(&spec(Input::Features(3))?, &[7], ABLE)?;
        let sizes = plan
            .stages
            .iter()
            .map(|stage| (stage.size.height, stage.stride));
        assert_eq!(
            sizes.collect::<Vec<_>>(),
            [(21, 1), (21, 1), (10, 2), (10, 2), (5, 4)]
        );
        let kept: Vec<_> = plan.stages.iter().map(|stage| stage.kept).collect();
        // The last but one is read by a pool whose gradient needs it.
        assert_eq!(
            kept[2..],
            [Kept::UntilRead, Kept::Lasting, Kept::UntilReleased]
        );
        assert_eq!(plan.stages[0].last, None);
        Ok(())
    }
}
