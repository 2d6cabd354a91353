//! Gradients of workers against finite differences.

use super::config::{Decoders, Weights};
use super::decoders;
use super::worker::{Item, Shares, Worker};
use crate::random::{Purpose, Random};
use crate::weights::Parameter;
use impasto::picture::{Filter, resize_planes};
use impasto_weights::Precision;

const WEIGHTS: Weights = Weights {
    style: 1.0,
    content: 0.3,
    variation: 0.2,
    beyond: 2.0,
    pixels: 3.0,
    features: 0.5,
};

fn parameters() -> Vec<Parameter> {
    let decoders = Decoders {
        widths: [vec![6, 6, 6, 6, 6, 6, 3], vec![6, 6, 6, 3], vec![6, 3]],
        start: None,
    };
    let mut parameters = decoders::start(&decoders, 7).unwrap();
    // What they make lies within 0..1, away from the corners of clamps.
    for last in 1..parameters.len() {
        if parameters[last].shape == [3] {
            let weight = &mut parameters[last - 1].values;
            weight.iter_mut().for_each(|v| *v *= 0.05);
            parameters[last].values.fill(0.5);
        }
    }
    parameters
}

fn worker(parameters: &[Parameter]) -> Worker {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("decoders.safetensors");
    decoders::write(&file, parameters, Precision::F32).unwrap();
    Worker::new(&decoders::read(&file).unwrap()).unwrap()
}

fn crop(stream: u64) -> Vec<f32> {
    let mut random = Random::of(3, Purpose::Step, [stream, 0]);
    let knots: Vec<f32> = (0..3 * 8 * 8).map(|_| random.uniform()).collect();
    resize_planes(&knots, 3, (8, 8), (24, 24), Filter::Bilinear)
}

/// The derivative in one direction for all numbers of those parameters that count, by gradient and by differences.
fn derivatives(
    item: &Item,
    counts: impl Fn(&str) -> bool,
    (weights, step): (&Weights, f32),
) -> [f64; 2] {
    let parameters = parameters();
    let mut worker = worker(&parameters);
    let shares = Shares {
        painted: 1.0,
        reproduced: 0.5,
    };
    let mut random = Random::of(5, Purpose::Weights, [0, 0]);
    let directions: Vec<Vec<f32>> = parameters
        .iter()
        .map(|it| {
            let scale = if counts(&it.name) { 0.1 } else { 0.0 };
            it.values.iter().map(|_| scale * random.normal()).collect()
        })
        .collect();
    let mut at = |distance: f32| {
        let moved = parameters.iter().zip(&directions);
        let moved = moved.map(|(it, direction)| {
            let pairs = it.values.iter().zip(direction);
            pairs.map(|(v, d)| v + distance * d).collect()
        });
        worker.set(&moved.collect::<Vec<Vec<f32>>>()).unwrap();
        worker.slope(&[(item, shares)], weights).unwrap()
    };
    let (_, gradients) = at(0.0);
    let pairs = gradients.iter().flatten().zip(directions.iter().flatten());
    let said = pairs.map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
    let measured = (at(step).0.total - at(-step).0.total) / f64::from(2.0 * step);
    [said, measured]
}

#[test]
fn gradients_of_what_is_reproduced_are_those_of_differences() {
    let item = Item {
        content: crop(1),
        style: None,
        same: false,
        reproduced: true,
    };
    for block in 1..=3 {
        let name = format!("decoder{block}.");
        let [said, measured] = derivatives(&item, |it| it.starts_with(&name), (&WEIGHTS, 1e-4));
        let tolerance = 0.04 * measured.abs().max(0.1);
        assert!(
            (said - measured).abs() < tolerance,
            "{name} {said} {measured}"
        );
    }
}

/// Of a decoder behind which there are only transports of strength 0: others count as constants, and depend on it. So far
/// away, the style's loss is too rough for differences in single precision.
#[test]
fn gradients_of_what_is_painted_are_those_of_differences() {
    let rough = (WEIGHTS, 1e-4);
    let smooth = Weights {
        style: 0.0,
        content: 1.0,
        ..WEIGHTS
    };
    let smooth = (smooth, 3e-5);
    for (block, strength, same, (weights, step)) in [
        (1, 0.8, false, rough),
        (1, 0.8, true, rough),
        (2, 0.0, false, smooth),
        (3, 0.0, false, smooth),
    ] {
        let content = crop(1);
        let style = if same { content.clone() } else { crop(2) };
        let item = Item {
            content,
            style: Some((style, strength)),
            same,
            reproduced: false,
        };
        let name = format!("decoder{block}.");
        let [said, measured] = derivatives(&item, |it| it.starts_with(&name), (&weights, step));
        let tolerance = 0.04 * measured.abs() + 0.004;
        assert!(
            (said - measured).abs() < tolerance,
            "{name} {said} {measured}"
        );
    }
}
