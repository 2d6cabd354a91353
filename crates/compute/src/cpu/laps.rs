//! Times of the stages of a pass.

use super::network::CpuNetwork;
use crate::StageTime;
use crate::plan::Stage;
use std::time::Instant;

/// A clock that notes what each stage takes, where [`Network::times`](crate::Network::times) looks.
#[derive(Debug)]
pub(super) struct Laps<'a> {
    network: &'a CpuNetwork,
    clock: Instant,
}

impl<'a> Laps<'a> {
    /// Starts with no times of some stages yet.
    pub(super) fn new(network: &'a CpuNetwork, stages: &[Stage]) -> Self {
        let none = |stage: &Stage| StageTime {
            last_layer: stage.last.unwrap_or(0),
            ..StageTime::default()
        };
        *network.recorded() = stages.iter().map(none).collect();
        Self {
            network,
            clock: Instant::now(),
        }
    }

    /// What passed since the last lap does not count.
    pub(super) fn restart(&mut self) {
        self.clock = Instant::now();
    }

    /// Notes the time of a stage on the way there.
    pub(super) fn forward(&mut self, stage: usize) {
        self.lap(stage, |time| &mut time.forward);
    }

    /// Notes the time of a stage on the way back.
    pub(super) fn backward(&mut self, stage: usize) {
        self.lap(stage, |time| &mut time.backward);
    }

    fn lap(&mut self, stage: usize, way: impl FnOnce(&mut StageTime) -> &mut f64) {
        if let Some(time) = self.network.recorded().get_mut(stage) {
            *way(time) = self.clock.elapsed().as_secs_f64();
        }
        self.restart();
    }
}
