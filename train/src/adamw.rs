//! AdamW: Adam with weight decay beside the gradient (Loshchilov and Hutter, arXiv 1711.05101), clipped gradients, linear
//! warm-up and a cosine down to 0 (arXiv 1608.03983), and a running average of the weights (Polyak), which is the result.

use crate::config::Training;
use crate::student::Parameter;

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.99;
const EPSILON: f32 = 1e-8;

/// What the optimiser remembers.
#[derive(Clone, Debug, PartialEq)]
pub struct AdamW {
    /// Steps taken.
    pub step: usize,
    /// Running means of gradients, in the parameters' order.
    pub first: Vec<Vec<f32>>,
    /// Running means of squared gradients.
    pub second: Vec<Vec<f32>>,
    /// Running mean of the parameters.
    pub average: Vec<Vec<f32>>,
}

/// Step size of a step, counted from 0.
pub fn learning_rate(step: usize, training: &Training) -> f32 {
    let Training {
        steps,
        warm_up,
        learning_rate,
        ..
    } = *training;
    if step < warm_up {
        return learning_rate * (step + 1) as f32 / warm_up as f32;
    }
    let done = (step - warm_up) as f32 / (steps - warm_up.min(steps)).max(1) as f32;
    learning_rate * 0.5 * (1.0 + (std::f32::consts::PI * done.min(1.0)).cos())
}

impl AdamW {
    /// An optimiser that has seen nothing yet.
    pub fn new(parameters: &[Parameter]) -> Self {
        let zeros = || {
            parameters
                .iter()
                .map(|p| vec![0.0; p.values.len()])
                .collect()
        };
        Self {
            step: 0,
            first: zeros(),
            second: zeros(),
            average: parameters.iter().map(|p| p.values.clone()).collect(),
        }
    }

    /// Takes a step.
    pub fn step(&mut self, parameters: &mut [Parameter], gradients: &[Vec<f32>], t: &Training) {
        let square: f64 = gradients
            .iter()
            .flatten()
            .map(|&g| f64::from(g).powi(2))
            .sum();
        let shrink = (f64::from(t.clip) / square.sqrt().max(f64::MIN_POSITIVE)).min(1.0) as f32;
        let rate = learning_rate(self.step, t);
        self.step += 1;
        let n = self.step as i32;
        let (correction1, correction2) = (1.0 - BETA1.powi(n), 1.0 - BETA2.powi(n));
        // Early averages look back no further than there was.
        let decay = t.averaging.min((n + 1) as f32 / (n + 10) as f32);
        for (index, parameter) in parameters.iter_mut().enumerate() {
            let weight_decay = if parameter.is_bias() {
                0.0
            } else {
                rate * t.weight_decay
            };
            let (first, second) = (&mut self.first[index], &mut self.second[index]);
            let (average, gradient) = (&mut self.average[index], &gradients[index]);
            for (i, value) in parameter.values.iter_mut().enumerate() {
                let g = gradient[i] * shrink;
                first[i] = BETA1 * first[i] + (1.0 - BETA1) * g;
                second[i] = BETA2 * second[i] + (1.0 - BETA2) * g * g;
                let slope = first[i] / correction1 / ((second[i] / correction2).sqrt() + EPSILON);
                *value -= rate * slope + weight_decay * *value;
                average[i] = decay * average[i] + (1.0 - decay) * *value;
            }
        }
    }

    /// The averaged parameters.
    pub fn averaged(&self, parameters: &[Parameter]) -> Vec<Parameter> {
        let pairs = parameters.iter().zip(&self.average);
        pairs
            .map(|(parameter, average)| Parameter {
                values: average.clone(),
                ..parameter.clone()
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training() -> Training {
        Training {
            steps: 400,
            batch: 1,
            learning_rate: 0.05,
            warm_up: 10,
            weight_decay: 0.0,
            clip: 1.0,
            averaging: 0.9,
            checkpoint: 1,
        }
    }

    #[test]
    fn the_step_size_rises_and_falls_to_nothing() {
        let training = training();
        assert!((learning_rate(0, &training) - 0.005).abs() < 1e-6);
        assert!((learning_rate(9, &training) - 0.05).abs() < 1e-6);
        assert!((learning_rate(205, &training) - 0.025).abs() < 1e-4);
        assert!(learning_rate(399, &training) < 1e-5);
    }

    #[test]
    fn a_parabola_is_descended_and_the_average_follows() {
        let mut parameters = [Parameter {
            name: "x".into(),
            shape: vec![2, 1],
            values: vec![3.0, -2.0],
        }];
        let mut optimizer = AdamW::new(&parameters);
        for _ in 0..400 {
            let gradient = parameters[0]
                .values
                .iter()
                .map(|v| 2.0 * (v - 1.0))
                .collect();
            optimizer.step(&mut parameters, &[gradient], &training());
        }
        for values in [&parameters[0].values, &optimizer.average[0]] {
            assert!(values.iter().all(|v| (v - 1.0).abs() < 0.02), "{values:?}");
        }
    }
}
