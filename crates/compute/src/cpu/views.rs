//! What taps see: the features and moments of stages, and those of heads.

use super::heads;
use super::network::CpuNetwork;
use super::sweep::{Features, StageViews};
use crate::plan::Plan;
use crate::{Moments, Result, Tap};

/// What was asked of one tap.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) tap: Tap,
    /// Index of the stage behind which it sits.
    pub(super) stage: usize,
    pub(super) features: Features,
    pub(super) moments: Option<Moments>,
    /// Whether a gradient towards moments may come that were not computed.
    pub(super) replay: bool,
}

impl CpuNetwork {
    /// What each tap sees, from what is shown behind each stage.
    pub(super) fn seen(&self, plan: &Plan, shown: Vec<StageViews>) -> Result<Vec<Seen>> {
        let mut all = Vec::new();
        for (index, (stage, shown)) in plan.stages.iter().zip(shown).enumerate() {
            let mut trunk = shown.moments;
            let first = all.len();
            for (request, features) in stage.wanted.iter().zip(shown.features) {
                let moments = match (&trunk, request.tap) {
                    (Some(trunk), Tap::Head(head)) if request.moments => {
                        let head = &self.spec.heads[head];
                        Some(heads::forward(&self.context, head, trunk)?)
                    }
                    _ => None,
                };
                all.push(Seen {
                    tap: request.tap,
                    stage: index,
                    features,
                    moments,
                    replay: request.replay,
                });
            }
            // The trunk's own moments go to its own tap, when the heads have read them.
            for (seen, request) in all[first..].iter_mut().zip(&stage.wanted) {
                if request.moments && matches!(request.tap, Tap::Layer(_)) {
                    seen.moments = trunk.take();
                }
            }
        }
        Ok(all)
    }
}
