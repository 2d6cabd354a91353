//! A run as a checkpoint holds it, and back.

use super::parameterization::Parameterization;
use super::run::{Evaluator, Run};
use super::state::{Best, SHORTER, State, longest};
use crate::Result;
use crate::checkpoint::{Header, Past, Place, Saved};
use crate::observer::Scale;
use crate::optim::{Optimizer, Parameters, Parts, Unfit};
use crate::recipe::Optimize;
use crate::report::Cause;
use impasto_compute::{Device, Tensor};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Names in a checkpoint; those of the optimiser follow the last one.
const PARAMETERS: &str = "parameters";
const GOOD: &str = "good";
const BEST: &str = "best";
const BEST_LOSS: &str = "best.loss";
const BEST_STEP: &str = "best.step";
const LEAST: &str = "least";
const LEAST_LOSS: &str = "least.loss";
const LEAST_STEP: &str = "least.step";
const FIRST: &str = "first";
const UNIT: &str = "unit";
const LIMITED: &str = "limited";
const OPTIMIZER: &str = "optimizer.";
const MEMORY: &str = "memory.";

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
        for (kept, [name, loss, step]) in [
            (&self.best, [BEST, BEST_LOSS, BEST_STEP]),
            (&self.least, [LEAST, LEAST_LOSS, LEAST_STEP]),
        ] {
            if let Some(kept) = kept {
                all.put_parameters(name, &kept.parameters);
                all.put(loss, kept.loss);
                all.put(step, kept.step as f64);
            }
        }
        for (name, number) in [(FIRST, self.first), (UNIT, self.unit.map(f64::from))] {
            if let Some(number) = number {
                all.put(name, number);
            }
        }
        all.put(LIMITED, f64::from(u8::from(self.is_limited)));
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
        let mut memories = BTreeMap::new();
        for (place, (name, shape)) in saved.header.tensors.clone().into_iter().enumerate() {
            if let Some(term) = name.strip_prefix(MEMORY) {
                memories.insert(term.to_string(), saved.values(place)?);
                continue;
            }
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
            let (good, best, least) = (optional(GOOD)?, optional(BEST)?, optional(LEAST)?);
            let kept = |parameters: Option<Parameters>, loss: &str, step: &str| {
                let kept = |parameters| -> Result<Best, Unfit> {
                    Ok(Best {
                        loss: own.number(loss)?,
                        step: own.count(step)?,
                        parameters: Arc::new(parameters),
                    })
                };
                parameters.map(kept).transpose()
            };
            let best = kept(best, BEST_LOSS, BEST_STEP)?;
            let least = kept(least, LEAST_LOSS, LEAST_STEP)?;
            let number = |name: &str| match own.numbers.contains_key(name) {
                true => own.number(name).map(Some),
                false => Ok(None),
            };
            let (first, unit) = (number(FIRST)?, number(UNIT)?.map(|unit| unit as f32));
            let is_limited = own.count::<u8>(LIMITED)? == 1;
            Ok(Self {
                index,
                scale,
                step,
                parameters: own.take_parameters(PARAMETERS, &shapes)?,
                parameterization,
                good: good.map(Arc::new),
                optimizer: Optimizer::restore(&settings, &shapes, range, of_optimizer)?
                    .limited(longest(&settings, is_limited)),
                settings,
                is_limited,
                unit,
                first,
                least,
                best,
                memories,
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
    pub(in crate::method) fn resume(
        &mut self,
        device: &dyn Device,
        settings: &Optimize,
        parameterization: &dyn Fn(Scale) -> Arc<dyn Parameterization>,
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
        if past
            .setbacks
            .iter()
            .any(|setback| setback.cause == Cause::NotANumber)
        {
            settings.optimizer = settings.optimizer.shortened(SHORTER);
        }
        let state = State::restore(device, settings, parameterization(scale), scale, &mut saved)?;
        self.before = (past.seconds, past.scale_seconds);
        self.report.scales = past.scales;
        self.report.steps = past.steps;
        self.report.setbacks = past.setbacks;
        self.report.concerns = past.concerns;
        Ok(state)
    }

    /// Saves a checkpoint.
    pub(in crate::method) fn save(
        &mut self,
        evaluator: &Evaluator<'_>,
        state: &State,
        scale_seconds: f64,
    ) -> Result<()> {
        let device = evaluator.device;
        let seconds = self.seconds();
        let Some(keeper) = &mut self.keeper else {
            return Ok(());
        };
        let Parts { numbers, tensors } = state.parts();
        let tensors: Vec<_> = tensors.into_iter().collect();
        let memories = evaluator.objective.memories();
        let shape = |(name, tensor): &(String, &Tensor)| (name.clone(), tensor.shape().to_vec());
        let length =
            |(name, values): &(String, Vec<f32>)| (format!("{MEMORY}{name}"), vec![values.len()]);
        let shapes = tensors.iter().map(shape).chain(memories.iter().map(length));
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
                concerns: self.report.concerns.clone(),
                seconds,
                scale_seconds,
            },
            cuts: self.cuts.clone(),
            numbers: numbers
                .into_iter()
                .map(|(name, number)| (name, number.to_bits()))
                .collect(),
            tensors: shapes.collect(),
        };
        let mut values = |index: usize| match tensors.get(index) {
            Some((_, tensor)) => Ok(device.download(tensor)?),
            None => Ok(memories[index - tensors.len()].1.clone()),
        };
        let notices = keeper.save(&header, &mut values)?;
        self.notify_of_checkpoints(&notices);
        Ok(())
    }
}
