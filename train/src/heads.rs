//! Heads by least squares: the linear map from the student's features to the targets that misses least, given its
//! convolutions as they are.
//!
//! With `f` the features of the head's layer and a 1 below them, `W = E[t·fᵀ]·E[f·fᵀ]⁻¹`.

use crate::eigen;
use crate::student::{self, Shape};
use crate::teacher::{self, Teacher};
use crate::weights::Parameter;
use anyhow::{Result, bail};
use impasto::compute::{Tap, TapRequest};

/// Finds all heads on crops `[3, side, side]`.
pub fn fit(
    shape: &Shape,
    parameters: &mut [Parameter],
    teacher: &Teacher,
    crops: &[Vec<f32>],
    side: usize,
) -> Result<()> {
    let device = teacher::device(None)?;
    let network = device.network(&student::encoder(parameters)?.spec(&teacher::options()))?;
    let spec = network.spec();
    let places: Vec<_> = spec
        .heads
        .iter()
        .map(|head| head.after)
        .map(Tap::Layer)
        .collect();
    let requests: Vec<_> = places.iter().copied().map(TapRequest::features).collect();
    let mut sums: Vec<Sums> = Vec::new();
    for head in &spec.heads {
        sums.push(Sums::new(
            head.weight.len() / head.out_channels,
            head.out_channels,
        ));
    }
    for crop in crops {
        let targets = teacher.look(crop, (side, side))?;
        let tape = network.forward(&device.upload(crop, &[3, side, side])?, &requests)?;
        for ((&place, sums), target) in places.iter().zip(&mut sums).zip(&targets) {
            sums.add(&device.download(tape.features(place)?)?, target);
        }
    }
    for (&(layer, _), sums) in shape.heads.iter().zip(&sums) {
        let n = sums.channels + 1;
        let map = eigen::solve(&sums.features, &sums.targets, n, 1e-7);
        for (part, columns) in [("weight", 0..n - 1), ("bias", n - 1..n)] {
            let name = format!("head.{layer}.{part}");
            let Some(parameter) = parameters.iter_mut().find(|p| p.name == name) else {
                bail!("the student has no {name}");
            };
            let rows = map.chunks_exact(n).flat_map(|row| &row[columns.clone()]);
            parameter.values = rows.map(|&v| v as f32).collect();
        }
    }
    Ok(())
}

/// Sums over places.
struct Sums {
    channels: usize,
    /// `Σ f·fᵀ`, `[channels + 1, channels + 1]`.
    features: Vec<f64>,
    /// `Σ t·fᵀ`, `[components, channels + 1]`.
    targets: Vec<f64>,
}

impl Sums {
    fn new(channels: usize, components: usize) -> Self {
        Self {
            channels,
            features: vec![0.0; (channels + 1) * (channels + 1)],
            targets: vec![0.0; components * (channels + 1)],
        }
    }

    fn add(&mut self, features: &[f32], targets: &[f32]) {
        let places = features.len() / self.channels;
        let ones = vec![1.0; places];
        let row = |channel: usize| match channel < self.channels {
            true => &features[channel * places..(channel + 1) * places],
            false => &ones[..],
        };
        let n = self.channels + 1;
        for i in 0..n {
            for j in 0..=i {
                let product = dot(row(i), row(j));
                self.features[i * n + j] += product;
                if i != j {
                    self.features[j * n + i] += product;
                }
            }
        }
        for (component, target) in targets.chunks_exact(places).enumerate() {
            for i in 0..n {
                self.targets[component * n + i] += dot(target, row(i));
            }
        }
    }
}

/// Products of a few hundred places are summed in f32, eight at a time, these sums in f64.
fn dot(x: &[f32], y: &[f32]) -> f64 {
    let blocks = x.chunks(256).zip(y.chunks(256));
    blocks
        .map(|(x, y)| {
            let mut sums = [0.0f32; 8];
            for (x, y) in x.chunks(8).zip(y.chunks(8)) {
                for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
                    *sum += x * y;
                }
            }
            sums.iter().map(|&sum| f64::from(sum)).sum::<f64>()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, Random};
    use crate::testing;
    use crate::validation::explained;

    #[test]
    fn a_student_with_the_teachers_convolutions_explains_all_but_rounding() {
        let taps = testing::taps(&[("relu1_1", 4), ("relu2_1", 5)]);
        let encoder = testing::teacher(3);
        let crops: Vec<Vec<f32>> = (0..8)
            .map(|index| {
                let mut random = Random::of(1, Purpose::Components, [index, 0]);
                (0..3 * 16 * 16).map(|_| random.uniform()).collect()
            })
            .collect();
        let targets = teacher::find_targets(&encoder, &taps, &crops, 16).unwrap();
        let teacher = Teacher::new(&encoder, targets, teacher::device(Some(1)).unwrap()).unwrap();
        let shape = Shape {
            blocks: vec![vec![6, 8], vec![10]],
            heads: taps.iter().map(|tap| (tap.layer, tap.components)).collect(),
        };
        let mut parameters = shape.random(1);
        let before = student::encoder(&parameters).unwrap();
        assert!(explained(&before, &teacher, &crops, 16).unwrap()[1] < 0.9);
        shape
            .start_from(&mut parameters, &testing::weights(3))
            .unwrap();
        fit(&shape, &mut parameters, &teacher, &crops, 16).unwrap();
        let after = student::encoder(&parameters).unwrap();
        for r2 in explained(&after, &teacher, &crops, 16).unwrap() {
            assert!(r2 > 0.9999, "{r2}");
        }
    }
}
