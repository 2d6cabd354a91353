//! Adam for numbers of networks: a schedule, clipped gradients, decay of weights, and the average over steps.
//!
//! ```text
//! g ← g · min(1, clip/‖g‖)        lr = (last + ½(first − last)(1 + cos(π·step/steps))) · min(1, (step+1)/warm-up)
//! x ← (1 − lr·decay)·x − lr · m̂/(√v̂ + ε)
//! ```
//!
//! Loshchilov and Hutter 2017 (arXiv 1711.05101, algorithm 2; the cosine without restarts: arXiv 1608.03983, equation 5). What
//! steps a [`Lesson`]'s numbers steps those of any other network as well: a [`Descent`] says how.

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
    /// Steps in which they rise to their size; none if it is 0.
    pub warm_up: usize,
}

impl Schedule {
    /// The size of a step, from 0.
    pub fn at(&self, step: usize) -> f32 {
        let way = step as f32 / self.steps.max(1) as f32;
        let cosine = (std::f32::consts::PI * way.min(1.0)).cos();
        let size = self.last + 0.5 * (self.first - self.last) * (1.0 + cosine);
        size * ((step + 1) as f32 / self.warm_up.max(1) as f32).min(1.0)
    }
}

/// How numbers of a network are stepped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Descent {
    /// Sizes of steps.
    pub schedule: Schedule,
    /// Decay of the running mean of squared gradients, 0..1.
    pub beta2: f32,
    /// Decay of the average over steps that is the result, 0..1; 0 takes the last step.
    pub averaging: f32,
    /// Share of every number that a step of size 1 takes away.
    pub decay: f32,
    /// The norm that gradients are shortened to where they are longer.
    pub clip: f32,
}

impl From<&Lesson> for Descent {
    fn from(lesson: &Lesson) -> Self {
        Self {
            schedule: Schedule {
                first: lesson.learning_rate,
                last: lesson.last_rate,
                steps: lesson.steps,
                warm_up: 0,
            },
            beta2: 0.999,
            averaging: lesson.averaging,
            decay: lesson.decay,
            clip: lesson.clip,
        }
    }
}

/// The state of an optimiser of lists of numbers.
#[derive(Debug)]
pub struct AdamW {
    adam: Adam,
    descent: Descent,
}

fn settings(descent: &Descent) -> AdamSettings {
    AdamSettings {
        learning_rate: descent.schedule.first,
        beta1: 0.9,
        beta2: descent.beta2,
        epsilon: 1e-8,
        epsilon_to: EpsilonTo::Corrected,
        bias_correction: true,
        averaging: descent.averaging,
    }
}

impl AdamW {
    /// A fresh state for numbers of some shapes.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn new(device: &dyn Device, descent: Descent, shapes: &[Vec<usize>]) -> Result<Self> {
        let adam = Adam::new(device, settings(&descent), shapes)?;
        Ok(Self { adam, descent })
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
        descent: Descent,
        shapes: &[Vec<usize>],
        parts: Parts<Tensor>,
    ) -> std::result::Result<Self, Unfit> {
        let adam = Adam::restore(settings(&descent), shapes, parts)?;
        Ok(Self { adam, descent })
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
        let Descent {
            schedule,
            decay,
            clip,
            ..
        } = self.descent;
        if norm > f64::from(clip) {
            gradients.axpby(device, 0.0, numbers, (f64::from(clip) / norm) as f32)?;
        }
        let rate = schedule.at(step);
        if decay > 0.0 {
            numbers.axpby(device, 0.0, &gradients, 1.0 - rate * decay)?;
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
            warm_up: 0,
        };
        let sizes =
            |schedule: Schedule| (0..=5).map(|step| schedule.at(step)).collect::<Vec<f32>>();
        let expected = [1.0, 0.868_198, 0.55, 0.231_802, 0.1, 0.1];
        let tolerance = Tolerance::absolute(1e-5);
        assert_close("sizes", &sizes(schedule), &expected, tolerance);
        let warm_up = 2;
        let warmed = sizes(Schedule {
            warm_up,
            ..schedule
        });
        let expected = [0.5, 0.868_198, 0.55, 0.231_802, 0.1, 0.1];
        assert_close("warmed sizes", &warmed, &expected, tolerance);
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
        let mut optimizer = AdamW::new(&device, Descent::from(&lesson), &numbers.shapes()).unwrap();
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
