//! Sums over whole arrays, fetched when somebody asks.
//!
//! A sum is made in two steps, groups of an array first. It stays in a ring on the device; with every submission the new ones
//! set out to the host on their own, so that whoever asks late does not wait.

use super::context::{Context, wait_for};
use super::kernel::{Kernel, Launch, Param, reads, writes};
use super::memory::Array;
use crate::{ComputeError, PendingScalar, Result, Scalar};
use std::any::Any;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const FILE: &str = include_str!("scalar.wgsl");
pub(super) const TOTAL: Kernel = Kernel {
    name: "total",
    file: FILE,
    operands: &[reads("partials"), writes("sums")],
};
pub(super) const GREATEST: Kernel = Kernel {
    name: "greatest",
    file: FILE,
    operands: &[reads("partials"), writes("sums")],
};
const DIVISOR: Kernel = Kernel {
    name: "divisor",
    file: FILE,
    operands: &[reads("sums"), writes("divisor")],
};

/// Elements of which a workgroup makes one partial sum.
pub(super) const CHUNK: usize = 4096;

/// Sums whose values come together.
#[derive(Debug)]
pub(super) struct Batch {
    first: u64,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Recorded,
    Submitted(wgpu::SubmissionIndex),
    Arrived(Vec<f32>),
    Lost,
}

impl Batch {
    /// A batch whose first sum has this place.
    pub(super) fn new(first: u64) -> Self {
        Self {
            first,
            state: Mutex::new(State::Recorded),
        }
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn submitted(&self, index: wgpu::SubmissionIndex) {
        *self.state() = State::Submitted(index);
    }

    pub(super) fn arrived(&self, values: Option<Vec<f32>>) {
        *self.state() = values.map_or(State::Lost, State::Arrived);
    }
}

/// One of them.
#[derive(Debug)]
struct Sum {
    context: Arc<Context>,
    batch: Arc<Batch>,
    place: u64,
}

impl PendingScalar for Sum {
    fn wait(&self) -> Result<f64> {
        let context = &self.context;
        loop {
            let index = match &*self.batch.state() {
                State::Recorded => None,
                State::Submitted(index) => Some(index.clone()),
                State::Arrived(values) => {
                    let value = values.get((self.place - self.batch.first) as usize);
                    return value.map(|&v| f64::from(v)).ok_or_else(|| self.lost());
                }
                State::Lost => return Err(self.lost()),
            };
            match (index, &context.gpu) {
                (Some(index), Some(gpu)) => context.wait(gpu, wait_for(index))?,
                (None, Some(_)) => context.flush()?,
                (_, None) => return Err(self.lost()),
            }
        }
    }
}

impl Sum {
    fn lost(&self) -> ComputeError {
        let told = self.context.check();
        told.err()
            .unwrap_or_else(|| self.context.failed("a sum did not arrive".into()))
    }
}

/// What [`TOTAL`] or [`GREATEST`] makes of the numbers of all groups.
pub(super) fn total(
    context: &Arc<Context>,
    kernel: &'static Kernel,
    partials: &Array,
) -> Result<Scalar> {
    let launch = |record: &mut dyn FnMut(&Launch<'_>) -> Result<()>, place: usize| {
        record(&Launch {
            kernel,
            constants: &[],
            more: None,
            operands: &[Some(partials), Some(&context.sums)],
            params: &[partials.len(), place].map(Param::U),
            groups: 1,
            batches: 1,
        })
    };
    let Some(gpu) = &context.gpu else {
        launch(&mut |kernel| context.run(kernel), 0)?;
        return Ok(Scalar::Ready(1.0));
    };
    let (batch, place) = context.run_sum(gpu, |place, record| launch(record, place))?;
    Ok(Scalar::Pending(Arc::new(Sum {
        context: Arc::clone(context),
        batch,
        place,
    })))
}

/// The sum of some scalars, in an array of one element; scalars of this device are not waited for.
pub(super) fn divisor(context: &Arc<Context>, scalars: &[Scalar]) -> Result<Array> {
    let divisor = context.pool.take(1)?;
    context.clear(&divisor);
    let mut constant = 0.0;
    let add = |place: usize, constant: f64| {
        context.run(&Launch {
            kernel: &DIVISOR,
            constants: &[],
            more: None,
            operands: &[Some(&context.sums), Some(&divisor)],
            params: &[Param::U(place), Param::F(constant as f32)],
            groups: 1,
            batches: 1,
        })
    };
    for scalar in scalars {
        match here(context, scalar) {
            Some(place) => add(place, 0.0)?,
            None => constant += scalar.value()?,
        }
    }
    if constant != 0.0 {
        add(usize::MAX, constant)?;
    }
    Ok(divisor)
}

/// The place of a scalar in this device's ring, if it is still there.
fn here(context: &Arc<Context>, scalar: &Scalar) -> Option<usize> {
    let Scalar::Pending(pending) = scalar else {
        return None;
    };
    let pending: &dyn Any = pending.as_ref();
    let sum = pending.downcast_ref::<Sum>()?;
    let ring = context.sums.len() as u64;
    let kept = Arc::ptr_eq(&sum.context, context) && context.counted() - sum.place < ring;
    kept.then_some((sum.place % ring) as usize)
}
