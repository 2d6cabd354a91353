//! What is kept of the statistics of a shot's first frame: later frames are painted by these, so that the same thing is painted
//! the same way whatever moves beside it.

use super::transform::Gaussian;
use crate::Result;
use impasto_compute::Device;
use impasto_compute::graph::{Graph, GraphSpec, Steadiness};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Which statistics of a cascade: of the scale of so many pixels, at the level of a number.
pub(super) type Place = (usize, usize);

/// What a painter keeps while it paints the frames of a shot; nothing unless it was told to.
#[derive(Debug, Default)]
pub(super) struct Steady(Mutex<Option<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    gaussians: BTreeMap<Place, Gaussian>,
    graph: Option<Box<dyn Graph>>,
}

impl Steady {
    fn kept(&self) -> MutexGuard<'_, Option<Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets what was kept; the next picture is the first of a shot, or of none.
    pub(super) fn begin(&self, keeps: bool) {
        *self.kept() = keeps.then(Kept::default);
    }

    /// The statistics that were kept, or these, which are kept then.
    ///
    /// # Errors
    /// What taking them comes to.
    pub(super) fn gaussian(
        &self,
        place: Place,
        taken: impl FnOnce() -> Result<Gaussian>,
    ) -> Result<Gaussian> {
        let mut kept = self.kept();
        let Some(kept) = kept.as_mut() else {
            return taken();
        };
        if let Some(gaussian) = kept.gaussians.get(&place) {
            return Ok(gaussian.clone());
        }
        let gaussian = taken()?;
        kept.gaussians.insert(place, gaussian.clone());
        Ok(gaussian)
    }

    /// Runs a graph, or what it becomes with the statistics that were kept, or are kept now.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub(super) fn run<T>(
        &self,
        device: &dyn Device,
        graph: &dyn Graph,
        observe: impl FnOnce(&dyn Graph) -> Result<Vec<impasto_compute::Tensor>>,
        run: impl FnOnce(&dyn Graph) -> Result<T>,
    ) -> Result<T> {
        let mut kept = self.kept();
        let Some(kept) = kept.as_mut().filter(|_| graph.spec().follows_statistics()) else {
            return run(graph);
        };
        let steady = match kept.graph.take() {
            Some(steady) => steady,
            None => device.graph(&steadied(device, graph.spec(), observe)?)?,
        };
        run(kept.graph.insert(steady).as_ref())
    }
}

/// The graph with the statistics of a run.
fn steadied(
    device: &dyn Device,
    spec: &GraphSpec,
    observe: impl FnOnce(&dyn Graph) -> Result<Vec<impasto_compute::Tensor>>,
) -> Result<GraphSpec> {
    let observed = device.graph(&spec.observed())?;
    let outputs = observe(observed.as_ref())?;
    let kept = Steadiness::of(device, &outputs, spec.outputs.len())?;
    Ok(spec.steadied(&kept)?)
}
