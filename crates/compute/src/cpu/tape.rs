//! A forward pass that can be walked back, to the gradient of the image.

use super::array::{self, get, get_mut, put, take};
use super::heads;
use super::memory::Buffer;
use super::network::CpuNetwork;
use super::sweep::backward::BackwardInput;
use super::sweep::{Features, Sweep};
use super::views::Seen;
use crate::cotangents::{self, Expected, Receiver, sorted};
use crate::plan::Plan;
use crate::request::missing;
use crate::{Answer, Cotangent, Moments, Result, Size, Tap, Tape, Tensor, Window};

/// What the losses say about the map behind one stage.
pub(super) type LayerCotangents = cotangents::LayerCotangents<Buffer>;

/// One forward pass.
#[derive(Debug)]
pub(super) struct CpuTape<'a> {
    pub(super) network: &'a CpuNetwork,
    /// Of the image.
    pub(super) size: Size,
    /// Where moments are taken, of a tile.
    pub(super) window: Option<Window>,
    pub(super) plan: Plan,
    /// What the stages of the plan have made.
    pub(super) sweep: Sweep<'a>,
    pub(super) seen: Vec<Seen>,
    /// Whether it went strip by strip.
    pub(super) strips: bool,
}

impl CpuTape<'_> {
    fn find(&self, tap: Tap, view: &str) -> Result<&Seen> {
        self.seen
            .iter()
            .find(|seen| seen.tap == tap)
            .ok_or_else(|| missing(tap, view))
    }

    fn run(mut self, cotangents: Vec<Cotangent>, answer: &mut Answer<'_>) -> Result<Tensor> {
        let said = sorted(&self, &self.network.spec, &self.plan.stages, cotangents)?;
        for seen in self.seen {
            // Nobody looks at features any more.
            if let Features::OfMap(map) | Features::Released(Some(map)) = seen.features {
                self.sweep.give_back(seen.stage, take("backward", map)?);
            }
        }
        let window = self.window.unwrap_or(Window::whole(self.size));
        let (mut all, mut parts) = (Vec::new(), Vec::new());
        for (stage, said) in self.plan.stages.iter().zip(said) {
            all.push((said, stage.window(&window)));
            let wanted = stage.wanted.iter().filter(|wanted| wanted.in_parts);
            let mut taps: Vec<Tap> = wanted.map(|wanted| wanted.tap).collect();
            // In the order in which gradients of a whole are added: layers before heads.
            taps.sort();
            parts.push(taps);
        }
        let known = BackwardInput {
            said: all,
            parts,
            answer,
        };
        let towards = self.sweep.backward(known)?;
        if self.strips {
            self.network.forget_filters();
        }
        Ok(towards)
    }
}

impl Receiver for CpuTape<'_> {
    type Map = Buffer;

    fn expected(&self, tap: Tap) -> Option<Expected> {
        let seen = self.seen.iter().find(|seen| seen.tap == tap)?;
        Some(Expected {
            stage: seen.stage,
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
        match &self.find(tap, "features")?.features {
            Features::Own(tensor) | Features::OfMap(tensor) => Ok(tensor),
            Features::Unasked | Features::Released(_) => Err(missing(tap, "features")),
        }
    }

    fn moments(&self, tap: Tap) -> Result<&Moments> {
        let seen = self.find(tap, "moments")?;
        seen.moments.as_ref().ok_or_else(|| missing(tap, "moments"))
    }

    fn release(&mut self) {
        for seen in &mut self.seen {
            seen.features = match std::mem::replace(&mut seen.features, Features::Unasked) {
                Features::Unasked => Features::Unasked,
                Features::Own(_) => Features::Released(None),
                Features::OfMap(map) => Features::Released(Some(map)),
                Features::Released(map) => Features::Released(map),
            };
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
