//! Adam on the pixels, with clipping and an averaged iterate.
//!
//! ```text
//! m ← β₁m + (1−β₁)g        v ← β₂v + (1−β₂)g²
//! x ← clamp( x − lr · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε) )
//! a ← d·a + (1−d)·x        result: a/(1−dⁿ)
//! ```
//!
//! Where ε belongs to the uncorrected root, as Keras has it, the step above is taken with `ε/√(1−β₂ᵗ)`.
//!
//! Source: Kingma and Ba, arXiv 1412.6980, algorithm 1 and section 7.2 (the bias-corrected average). Between scales
//! `m` and `v` are resampled like the picture and `t` goes on, so that a finer scale starts without a new burst;
//! the average starts anew there (crowsonkb/style-transfer-pytorch).

use super::{Parts, Unfit};
use crate::picture::{Filter, resize_planes};
use crate::recipe::{AdamSettings, EpsilonTo};
use impasto_compute::{AdamBuffers, AdamStep, Device, Result, Tensor};

/// The state of Adam on one image.
#[derive(Debug)]
pub struct Adam {
    settings: AdamSettings,
    first: Tensor,
    second: Tensor,
    average: Tensor,
    /// Steps since the start of the run: for the corrections of `m` and `v`.
    steps: i32,
    /// Steps since the start of the scale: for the correction of the average.
    averaged: i32,
}

impl Adam {
    /// A fresh state for images `[3, h, w]`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, settings: AdamSettings, shape: &[usize]) -> Result<Self> {
        let zeros = vec![0.0; shape.iter().product()];
        Ok(Self {
            settings,
            first: device.upload(&zeros, shape)?,
            second: device.upload(&zeros, shape)?,
            average: device.upload(&zeros, shape)?,
            steps: 0,
            averaged: 0,
        })
    }

    /// The state as plain data.
    pub fn parts(&self) -> Parts<&Tensor> {
        let numbers = [("steps", self.steps), ("averaged", self.averaged)];
        let tensors = [
            ("first", &self.first),
            ("second", &self.second),
            ("average", &self.average),
        ];
        Parts {
            numbers: numbers.map(|(n, v)| (n.into(), f64::from(v))).into(),
            tensors: tensors.map(|(n, t)| (n.into(), t)).into(),
        }
    }

    /// The state of images `[3, h, w]` that [`Adam::parts`] gave.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn restore(
        settings: AdamSettings,
        shape: &[usize],
        mut parts: Parts<Tensor>,
    ) -> std::result::Result<Self, Unfit> {
        Ok(Self {
            settings,
            first: parts.take("first", shape)?,
            second: parts.take("second", shape)?,
            average: parts.take("average", shape)?,
            steps: parts.count("steps")?,
            averaged: parts.count("averaged")?,
        })
    }

    /// One step along a gradient of the image's shape, after which pixels are clipped to a range, if one is given.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn step(
        &mut self,
        device: &dyn Device,
        image: &mut Tensor,
        gradient: &Tensor,
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
            averaging,
        } = self.settings;
        let correction = |beta: f32| (1.0 - f64::from(beta).powi(self.steps)) as f32;
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
        let buffers = AdamBuffers {
            image,
            gradient,
            first: &mut self.first,
            second: &mut self.second,
            average: &mut self.average,
        };
        device.adam(buffers, &step)
    }

    /// The averaged image `[3, h, w]`, row-major; before the first step at a scale, the image.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn average(&self, device: &dyn Device, image: &Tensor) -> Result<Vec<f32>> {
        if self.averaged == 0 {
            return device.download(image);
        }
        let correction = 1.0 - f64::from(self.settings.averaging).powi(self.averaged);
        let mut values = device.download(&self.average)?;
        values
            .iter_mut()
            .for_each(|v| *v = (f64::from(*v) / correction) as f32);
        Ok(values)
    }

    /// The state for the next scale, whose images are of shape `[3, h, w]`.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn rescale(self, device: &dyn Device, shape: &[usize]) -> Result<Self> {
        let resample = |state: &Tensor, filter| -> Result<Vec<f32>> {
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
        let first = resample(&self.first, Filter::BicubicPlain)?;
        let mut second = resample(&self.second, Filter::BilinearPlain)?;
        second.iter_mut().for_each(|v| *v = v.max(0.0));
        let fresh = Self::new(device, self.settings, shape)?;
        Ok(Self {
            first: device.upload(&first, shape)?,
            second: device.upload(&second, shape)?,
            steps: self.steps,
            ..fresh
        })
    }
}
