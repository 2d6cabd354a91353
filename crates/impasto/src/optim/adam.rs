//! Adam, with clipping and an averaged iterate.
//!
//! ```text
//! m ← β₁m + (1−β₁)g        v ← β₂v + (1−β₂)g²
//! x ← clamp( x − lr · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) )
//! a ← d·a + (1−d)·x        result: a/(1−dⁿ)
//! ```
//!
//! Without the corrections and with β₁ = 0 it is RMSprop (Hinton, Srivastava and Swersky 2012).
//!
//! Where ε belongs to the uncorrected root, as Keras has it, the step above is taken with `ε/√(1−β₂ᵗ)`.
//!
//! Source: Kingma and Ba, arXiv 1412.6980, algorithm 1 and section 7.2 (the bias-corrected average). Between scales
//! `m` and `v` are resampled like the picture and `t` goes on, so that a finer scale starts without a new burst;
//! the average starts anew there (crowsonkb/style-transfer-pytorch).

use super::{Parameters, Parts, Unfit};
use crate::picture::{Filter, resize_planes};
use crate::recipe::{AdamSettings, EpsilonTo};
use impasto_compute::{AdamBuffers, AdamStep, Device, Result, Tensor};

/// The state of Adam.
#[derive(Debug)]
pub struct Adam {
    settings: AdamSettings,
    first: Parameters,
    second: Parameters,
    average: Parameters,
    /// Steps since the start of the run: for the corrections of `m` and `v`.
    steps: i32,
    /// Steps since the start of the scale: for the correction of the average.
    averaged: i32,
}

impl Adam {
    /// A fresh state for parameters of some shapes.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, settings: AdamSettings, shapes: &[Vec<usize>]) -> Result<Self> {
        Ok(Self {
            settings,
            first: Parameters::zeros(device, shapes)?,
            second: Parameters::zeros(device, shapes)?,
            average: Parameters::zeros(device, shapes)?,
            steps: 0,
            averaged: 0,
        })
    }

    /// Changes the size of the steps to come.
    pub fn set_learning_rate(&mut self, rate: f32) {
        self.settings.learning_rate = rate;
    }

    /// The state as plain data.
    pub fn parts(&self) -> Parts<&Tensor> {
        let mut parts = Parts::default();
        parts.put("steps", f64::from(self.steps));
        parts.put("averaged", f64::from(self.averaged));
        parts.put_parameters("first", &self.first);
        parts.put_parameters("second", &self.second);
        parts.put_parameters("average", &self.average);
        parts
    }

    /// The state for parameters of some shapes that [`Adam::parts`] gave.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn restore(
        settings: AdamSettings,
        shapes: &[Vec<usize>],
        mut parts: Parts<Tensor>,
    ) -> std::result::Result<Self, Unfit> {
        Ok(Self {
            settings,
            first: parts.take_parameters("first", shapes)?,
            second: parts.take_parameters("second", shapes)?,
            average: parts.take_parameters("average", shapes)?,
            steps: parts.count("steps")?,
            averaged: parts.count("averaged")?,
        })
    }

    /// One step along a gradient, after which parameters are clipped to a range, if one is given.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn step(
        &mut self,
        device: &dyn Device,
        parameters: &mut Parameters,
        gradient: &Parameters,
        clip: Option<(f32, f32)>,
    ) -> Result<()> {
        self.steps += 1;
        self.averaged += 1;
        let AdamSettings {
            learning_rate,
            beta1,
            beta2,
            epsilon,
            epsilon_to,
            bias_correction,
            averaging,
        } = self.settings;
        let correction = |beta: f32| match bias_correction {
            true => (1.0 - f64::from(beta).powi(self.steps)) as f32,
            false => 1.0,
        };
        let epsilon = match epsilon_to {
            EpsilonTo::Corrected => epsilon,
            EpsilonTo::Uncorrected => epsilon / correction(beta2).sqrt(),
        };
        let step = AdamStep {
            learning_rate,
            beta1,
            beta2,
            epsilon,
            correction1: correction(beta1),
            correction2: correction(beta2),
            clamp: clip,
            average_decay: averaging,
        };
        let state = self.first.tensors_mut().iter_mut();
        let state = state.zip(self.second.tensors_mut());
        let state = state.zip(self.average.tensors_mut());
        let stepped = parameters.tensors_mut().iter_mut().zip(gradient.tensors());
        for ((image, gradient), ((first, second), average)) in stepped.zip(state) {
            let buffers = AdamBuffers {
                image,
                gradient,
                first,
                second,
                average,
            };
            device.adam(buffers, &step)?;
        }
        Ok(())
    }

    /// The averaged parameters, row-major; before the first step at a scale, the parameters.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn average(&self, device: &dyn Device, parameters: &Parameters) -> Result<Vec<Vec<f32>>> {
        if self.averaged == 0 {
            return parameters.download(device);
        }
        let correction = 1.0 - f64::from(self.settings.averaging).powi(self.averaged);
        let mut values = self.average.download(device)?;
        values
            .iter_mut()
            .flatten()
            .for_each(|v| *v = (f64::from(*v) / correction) as f32);
        Ok(values)
    }

    /// The state for the next scale, whose parameters are of some shapes: maps `[c, h, w]` are resampled.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn rescale(self, device: &dyn Device, shapes: &[Vec<usize>]) -> Result<Self> {
        let resample = |state: &Tensor, shape: &[usize], filter| -> Result<Vec<f32>> {
            let (&[c, h, w], &[_, new_h, new_w]) = (state.shape(), shape) else {
                return Ok(vec![0.0; shape.iter().product()]);
            };
            Ok(resize_planes(
                &device.download(state)?,
                c,
                (h, w),
                (new_h, new_w),
                filter,
            ))
        };
        let mut fresh = Self::new(device, self.settings, shapes)?;
        for (index, shape) in shapes.iter().enumerate() {
            let old = (self.first.tensors().get(index)).zip(self.second.tensors().get(index));
            let Some((first, second)) = old else {
                continue;
            };
            let first = resample(first, shape, Filter::BicubicPlain)?;
            let mut second = resample(second, shape, Filter::BilinearPlain)?;
            second.iter_mut().for_each(|v| *v = v.max(0.0));
            fresh.first.tensors_mut()[index] = device.upload(&first, shape)?;
            fresh.second.tensors_mut()[index] = device.upload(&second, shape)?;
        }
        fresh.steps = self.steps;
        Ok(fresh)
    }
}
