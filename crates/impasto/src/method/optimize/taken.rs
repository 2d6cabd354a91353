//! A step that was taken, until its losses and its gradient are judged to be numbers.

use crate::Result;
use crate::loss::{LossValue, Objective};
use crate::optim::Parameters;
use crate::report::StepReport;
use impasto_compute::Scalar;
use std::sync::Arc;

/// What a step left, perhaps not yet on the host.
pub(in crate::method) struct Taken {
    /// The step, from 1.
    pub(in crate::method) step: usize,
    /// By term of the objective.
    pub(in crate::method) values: Vec<LossValue>,
    /// L1 norms of the gradient, by parameter.
    pub(in crate::method) norms: Vec<Scalar>,
    /// The parameters before the step, where values and gradient were taken.
    pub(in crate::method) before: Option<Arc<Parameters>>,
    /// Seconds of work up to it.
    pub(in crate::method) seconds: f64,
}

impl Taken {
    /// Whether asking for the values waits for nothing.
    pub(in crate::method) fn has_arrived(&self) -> bool {
        let values = self.values.iter().flat_map(LossValue::scalars);
        let mut all = values.chain(&self.norms);
        all.all(|scalar| matches!(scalar, Scalar::Ready(_)))
    }

    /// What the report says of it; `None` if something is not a number.
    pub(in crate::method) fn report(
        &self,
        scale: usize,
        objective: &Objective,
    ) -> Result<Option<StepReport>> {
        let terms = self.values.iter().map(|value| Ok(value.value()?));
        let terms = terms.collect::<Result<Vec<f64>>>()?;
        let total = objective.total(&self.values)?;
        let mut sound = total.is_finite();
        for norm in &self.norms {
            sound &= norm.value()?.is_finite();
        }
        Ok(sound.then_some(StepReport {
            scale,
            step: self.step,
            total,
            terms,
            seconds: self.seconds,
        }))
    }
}
