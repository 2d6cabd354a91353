//! Small things that several tests use.

use crate::config::TapConfig;
use crate::random::{Purpose, Random};
use impasto::Encoder;
use impasto_weights::{Checkpoint, WeightTensor};

/// Layers and components.
pub fn taps(taps: &[(&str, usize)]) -> Vec<TapConfig> {
    let taps = taps.iter().map(|&(layer, components)| TapConfig {
        layer: layer.parse().expect("a layer's name"),
        components,
    });
    taps.collect()
}

/// The weights of a tiny VGG-shaped network.
pub fn weights(seed: u64) -> Checkpoint {
    let mut checkpoint = Checkpoint::default();
    for (index, (name, out, from)) in [("conv1_1", 6, 3), ("conv1_2", 8, 6), ("conv2_1", 10, 8)]
        .into_iter()
        .enumerate()
    {
        let mut random = Random::of(seed, Purpose::Weights, [index as u64, 7]);
        let deviation = (2.0 / (9 * from) as f32).sqrt();
        let mut tensor = |part: &str, shape: &[usize], deviation: f32| {
            let values = (0..shape.iter().product()).map(|_| deviation * random.normal());
            let tensor = WeightTensor {
                shape: shape.to_vec(),
                values: values.collect(),
            };
            checkpoint.tensors.insert(format!("{name}.{part}"), tensor);
        };
        tensor("weight", &[out, from, 3, 3], deviation);
        tensor("bias", &[out], 0.1);
    }
    checkpoint
        .metadata
        .insert("preprocessing".into(), "plain".into());
    checkpoint
}

/// A tiny teacher.
pub fn teacher(seed: u64) -> Encoder {
    Encoder::from_checkpoint("tiny", weights(seed), None).expect("an encoder")
}
