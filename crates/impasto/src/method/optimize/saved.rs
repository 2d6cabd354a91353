//! A run as a checkpoint holds it, and back.

use super::parameterization::Parameterization;
use super::run::Run;
use super::state::{Best, SHORTER, State};
use crate::Result;
use crate::checkpoint::{Header, Past, Place, Saved};
use crate::observer::Scale;
use crate::optim::{Optimizer, Parts, Unfit};
use crate::recipe::Optimize;
use impasto_compute::{Device, Tensor};
use std::sync::Arc;

/// Names in a checkpoint; those of the optimiser follow the last one.
const PARAMETERS: &str = "parameters";
const GOOD: &str = "good";
const BEST: &str = "best";
const BEST_LOSS: &str = "best.loss";
const BEST_STEP: &str = "best.step";
const OPTIMIZER: &str = "optimizer.";

impl State {
    /// All tensors and numbers with the names that they have in a checkpoint.
    fn parts(&self) -> Parts<&Tensor> {
        let Parts { numbers, tensors } = self.optimizer.parts();
        let mut all = Parts {
            numbers: numbers.into_iter().map(prefixed).collect(),
            tensors: tensors.into_iter().map(prefixed).collect(),
        };
        all.put_parameters(PARAMETERS, &self.parameters);
        if let Some(good) = &self.good {
            all.put_parameters(GOOD, good);
        }
        if let Some(best) = &self.best {
            all.put_parameters(BEST, &best.parameters);
            all.put(BEST_LOSS, best.loss);
            all.put(BEST_STEP, best.step as f64);
        }
        all
    }

    /// The state that a checkpoint holds.
    fn restore(
        device: &dyn Device,
        settings: Optimize,
        parameterization: Arc<dyn Parameterization>,
        scale: Scale,
        saved: &mut Saved,
    ) -> Result<Self> {
        let Place { scale: index, step } = saved.header.place;
        let (mut of_optimizer, mut own) = (Parts::default(), Parts::default());
        for (name, bits) in &saved.header.numbers {
            match name.strip_prefix(OPTIMIZER) {
                Some(name) => of_optimizer.put(name, f64::from_bits(*bits)),
                None => own.put(name, f64::from_bits(*bits)),
            }
        }
        for (place, (name, shape)) in saved.header.tensors.clone().into_iter().enumerate() {
            let tensor = device.upload(&saved.values(place)?, &shape)?;
            match name.strip_prefix(OPTIMIZER) {
                Some(name) => of_optimizer.put_tensor(name, tensor),
                None => own.put_tensor(name, tensor),
            }
        }
        let shapes = parameterization.shapes((scale.height, scale.width));
        let range = parameterization.range();
        let state = || -> Result<Self, Unfit> {
            let mut optional = |name: &str| match own.has_parameters(name) {
                true => own.take_parameters(name, &shapes).map(Some),
                false => Ok(None),
            };
            let (good, best) = (optional(GOOD)?, optional(BEST)?);
            let best = match best {
                None => None,
                Some(parameters) => Some(Best {
                    loss: own.number(BEST_LOSS)?,
                    step: own.count(BEST_STEP)?,
                    parameters,
                }),
            };
            Ok(Self {
                index,
                scale,
                step,
                parameters: own.take_parameters(PARAMETERS, &shapes)?,
                parameterization,
                good,
                optimizer: Optimizer::restore(&settings, &shapes, range, of_optimizer)?,
                settings,
                best,
            })
        };
        Ok(state().map_err(|error| saved.damaged(error.to_string()))?)
    }
}

fn prefixed<T>((name, value): (String, T)) -> (String, T) {
    (format!("{OPTIMIZER}{name}"), value)
}

impl Run<'_> {
    /// Goes on from a checkpoint: the state there.
    ///
    /// # Errors
    /// [`crate::Error::Checkpoint`] if it contradicts the schedule or itself; whatever the device reports.
    pub(super) fn resume(
        &mut self,
        device: &dyn Device,
        settings: &Optimize,
        parameterization: Arc<dyn Parameterization>,
        mut saved: Saved,
    ) -> Result<State> {
        let Header { place, past, .. } = &saved.header;
        let scale = self.scales.get(place.scale).copied();
        let scale = scale.filter(|scale| place.step <= scale.steps);
        let (Some(scale), true) = (scale, past.scales.len() == place.scale) else {
            return Err(saved.damaged("its place is not in the schedule").into());
        };
        let past = std::mem::take(&mut saved.header.past);
        let mut settings = settings.clone();
        if !past.setbacks.is_empty() {
            settings.optimizer = settings.optimizer.shortened(SHORTER);
        }
        let state = State::restore(device, settings, parameterization, scale, &mut saved)?;
        self.before = (past.seconds, past.scale_seconds);
        self.report.scales = past.scales;
        self.report.steps = past.steps;
        self.report.setbacks = past.setbacks;
        Ok(state)
    }

    /// Saves a checkpoint.
    pub(super) fn save(
        &mut self,
        device: &dyn Device,
        state: &State,
        scale_seconds: f64,
    ) -> Result<()> {
        let seconds = self.seconds();
        let Some(keeper) = &mut self.keeper else {
            return Ok(());
        };
        let Parts { numbers, tensors } = state.parts();
        let tensors: Vec<_> = tensors.into_iter().collect();
        let shape = |(name, tensor): &(String, &Tensor)| (name.clone(), tensor.shape().to_vec());
        let header = Header {
            job: keeper.identity().clone(),
            place: Place {
                scale: state.index,
                step: state.step,
            },
            past: Past {
                scales: self.report.scales.clone(),
                steps: self.report.steps.clone(),
                setbacks: self.report.setbacks.clone(),
                seconds,
                scale_seconds,
            },
            cuts: self.cuts.clone(),
            numbers: numbers
                .into_iter()
                .map(|(name, number)| (name, number.to_bits()))
                .collect(),
            tensors: tensors.iter().map(shape).collect(),
        };
        let notices = keeper.save(&header, &mut |index| Ok(device.download(tensors[index].1)?))?;
        self.notify_of_checkpoints(&notices);
        Ok(())
    }
}
