//! Adam for numbers of networks: a schedule, clipped gradients, decay of weights, and the average over steps.
//!
//! ```text
//! g ← g · min(1, clip/‖g‖)        lr = last + ½(first − last)(1 + cos(π·step/steps))
//! x ← (1 − lr·decay)·x − lr · m̂/(√v̂ + ε)
//! ```
//!
//! Loshchilov and Hutter 2017 (arXiv 1711.05101, algorithm 2; the cosine without restarts: arXiv 1608.03983, equation 5).

use super::Lesson;
use crate::optim::{Adam, Parameters, Parts, Unfit};
use crate::recipe::{AdamSettings, EpsilonTo};
use impasto_compute::{Device, Result, Tensor};

/// Sizes of steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The first.
    pub first: f32,
    /// The last.
    pub last: f32,
    /// Steps in all.
    pub steps: usize,
}

impl Schedule {
    /// The size of a step, from 0.
    pub fn at(&self, step: usize) -> f32 {
        let way = step as f32 / self.steps.max(1) as f32;
        let cosine = (std::f32::consts::PI * way.min(1.0)).cos();
        self.last + 0.5 * (self.first - self.last) * (1.0 + cosine)
    }
}

/// The state of an optimiser of lists of numbers.
#[derive(Debug)]
pub struct AdamW {
    adam: Adam,
    schedule: Schedule,
    clip: f64,
    decay: f32,
}

fn settings(lesson: &Lesson) -> AdamSettings {
    AdamSettings {
        learning_rate: lesson.learning_rate,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        epsilon_to: EpsilonTo::Corrected,
        averaging: lesson.averaging,
    }
}

impl AdamW {
    /// A fresh state for numbers of some shapes.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, lesson: &Lesson, shapes: &[Vec<usize>]) -> Result<Self> {
        Ok(Self::with(
            Adam::new(device, settings(lesson), shapes)?,
            lesson,
        ))
    }

    fn with(adam: Adam, lesson: &Lesson) -> Self {
        Self {
            adam,
            schedule: Schedule {
                first: lesson.learning_rate,
                last: lesson.last_rate,
                steps: lesson.steps,
            },
            clip: f64::from(lesson.clip),
            decay: lesson.decay,
        }
    }

    /// The state as plain data.
    pub fn parts(&self) -> Parts<&Tensor> {
        self.adam.parts()
    }

    /// The state that [`AdamW::parts`] gave.
    ///
    /// # Errors
    /// [`Unfit`].
    pub fn restore(
        lesson: &Lesson,
        shapes: &[Vec<usize>],
        parts: Parts<Tensor>,
    ) -> std::result::Result<Self, Unfit> {
        let adam = Adam::restore(settings(lesson), shapes, parts)?;
        Ok(Self::with(adam, lesson))
    }

    /// Takes a step, from 0, along gradients.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn step(
        &mut self,
        device: &dyn Device,
        step: usize,
        numbers: &mut Parameters,
        mut gradients: Parameters,
    ) -> Result<()> {
        let norm = gradients.dot(device, &gradients)?.sqrt();
        if norm > self.clip {
            gradients.axpby(device, 0.0, numbers, (self.clip / norm) as f32)?;
        }
        let rate = self.schedule.at(step);
        if self.decay > 0.0 {
            numbers.axpby(device, 0.0, &gradients, 1.0 - rate * self.decay)?;
        }
        self.adam.set_learning_rate(rate);
        self.adam.step(device, numbers, &gradients, None)
    }

    /// The average over steps.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn average(&self, device: &dyn Device, numbers: &Parameters) -> Result<Vec<Vec<f32>>> {
        self.adam.average(device, numbers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::learn::Course;
    use impasto_compute::prelude::*;
    use impasto_compute::reference::ReferenceDevice;
    use impasto_testing::{Tolerance, assert_close};

    #[test]
    fn steps_become_smaller_on_a_cosine() {
        let schedule = Schedule {
            first: 1.0,
            last: 0.1,
            steps: 4,
        };
        let sizes: Vec<f32> = (0..=5).map(|step| schedule.at(step)).collect();
        let expected = [1.0, 0.868_198, 0.55, 0.231_802, 0.1, 0.1];
        assert_close("sizes", &sizes, &expected, Tolerance::absolute(1e-5));
    }

    /// Two steps against the formula, worked out in double precision; the first gradient is too long.
    #[test]
    fn steps_are_those_of_the_paper() {
        let device = ReferenceDevice::new();
        let lesson = Lesson {
            steps: 2,
            learning_rate: 0.1,
            last_rate: 0.1,
            clip: 5.0,
            decay: 0.5,
            averaging: 0.5,
            ..Course::Quick.lesson(false)
        };
        let upload = |values: [f32; 2]| {
            let lists = values.map(|value| device.upload(&[value], &[1]).unwrap());
            Parameters::new(lists.into())
        };
        let mut numbers = upload([1.0, -2.0]);
        let mut optimizer = AdamW::new(&device, &lesson, &numbers.shapes()).unwrap();
        let (mut x, mut m, mut v) = ([1.0f64, -2.0], [0.0f64; 2], [0.0f64; 2]);
        let mut average = [0.0f64; 2];
        for (step, gradient) in [[30.0f32, -40.0], [0.5, 0.25]].into_iter().enumerate() {
            let gradients = upload(gradient);
            optimizer
                .step(&device, step, &mut numbers, gradients)
                .unwrap();
            let scale = if step == 0 { 0.1 } else { 1.0 };
            let power = step as i32 + 1;
            for i in 0..2 {
                let g = f64::from(gradient[i]) * scale;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let (first, second) = (
                    m[i] / (1.0 - 0.9f64.powi(power)),
                    v[i] / (1.0 - 0.999f64.powi(power)),
                );
                x[i] = (1.0 - 0.1 * 0.5) * x[i] - 0.1 * first / (second.sqrt() + 1e-8);
                average[i] = 0.5 * average[i] + 0.5 * x[i];
            }
        }
        let got: Vec<f32> = numbers.download(&device).unwrap().concat();
        assert_close(
            "numbers",
            &got,
            &x.map(|x| x as f32),
            Tolerance::relative(1e-5),
        );
        let got = optimizer.average(&device, &numbers).unwrap().concat();
        let expected = average.map(|a| (a / 0.75) as f32);
        assert_close("average", &got, &expected, Tolerance::relative(1e-5));
    }
}
