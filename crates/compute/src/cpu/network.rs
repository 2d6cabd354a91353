//! A network prepared on the processor.

use super::Context;
use super::array::{self, get};
use super::convolution::{Convolution, not_a_convolution};
use super::estimate::ABILITIES;
use super::first::FirstFilters;
use super::memory::Buffer;
use super::sweep::{self, Sweep, SweepInput};
use super::tape::CpuTape;
use crate::plan::Plan;
use crate::request::{merged, merged_whole};
use crate::{
    ComputeError, Input, InputNorm, Layer, Memory, NetSpec, Network, Result, Size, StageTime,
    Strips, StripsPlan, TapRequest, Tape, Tensor, Window,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
        } = job;
        self.context.pool.next_pass();
        let strips = matches!(input, Pass::Strips(..));
        let wanted = match strips {
            true => merged(taps),
            false => merged_whole(taps)?,
        };
        let plan = Plan::new(&self.spec, size, &wanted, ABILITIES)?;
        // Filters are not kept for tiles: there are many of them, and memory is what they save.
        let pixels = window.map_or(size.pixels(), |_| usize::MAX);
        let at_once = || sweep::plan::at_once(&self.spec, &plan, pixels);
        let (source, route) = match input {
            Pass::Image(image) => (SweepInput::whole(self, image, size)?, at_once()),
            Pass::Features(map) => (SweepInput::Features(map), at_once()),
            Pass::Strips(image, strips) => (
                SweepInput::Image(image),
                sweep::plan::through(&plan, strips),
            ),
        };
        let mut sweep = Sweep::new(self, source, &plan, &route);
        let whole = window.unwrap_or(Window::whole(size));
        let shown = sweep.forward(|stage| plan.stages[stage].window(&whole))?;
        Ok(CpuTape {
            network: self,
            size,
            window,
            seen: self.seen(&plan, shown)?,
            sweep,
            strips,
            plan,
        })
    }
}

/// What a forward pass goes over.
pub(super) struct Job<'a, 'i> {
    pub(super) input: Pass<'a, 'i>,
    pub(super) size: Size,
    /// Where moments are taken, of a tile.
    pub(super) window: Option<Window>,
}

/// What passes through the network.
pub(super) enum Pass<'a, 'i> {
    /// An image, row-major.
    Image(&'i [f32]),
    /// An image that outlives the tape, strip by strip.
    Strips(&'a [f32], &'i Strips),
    /// Features, in blocks.
    Features(Buffer),
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
        };
        self.start(job, taps)
    }

    fn has_strips(&self, taps: &[TapRequest]) -> bool {
        sweep::plan::applies(&self.spec, taps)
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
            input: Pass::Strips(get("forward", image)?, strips),
            size: self.spec.size_of(image.shape())?,
            window: None,
        };
        let tape = self.start(job, taps)?;
        self.forget_filters();
        Ok(tape)
    }

    fn strips(
        &self,
        size: Size,
        rows: Option<usize>,
        taps: &[TapRequest],
    ) -> Result<Vec<StripsPlan>> {
        self.estimate_strips(size, rows, taps)
    }

    fn forget(&self) {
        self.forget_filters();
        self.context.pool.forget();
    }

    fn memory(&self, size: Size, taps: &[TapRequest]) -> Result<Memory> {
        self.estimate(size, &merged(taps))
    }
}
