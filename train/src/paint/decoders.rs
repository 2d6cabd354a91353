//! The decoders as numbers, files and graphs.
//!
//! Their graphs are those that impasto reads from a file of weights: what is trained is what paints.

use super::config::Decoders;
use crate::random::{Purpose, Random};
use crate::weights::Parameter;
use anyhow::{Context, Result, bail};
use impasto::LayerName;
use impasto::nets::{Cascade, Model};
use impasto_weights::{Checkpoint, Precision, WeightTensor, write_safetensors};
use std::path::Path;

/// The layers whose features are decoded, deepest first, and their channels.
const LEVELS: [(usize, usize); 3] = [(3, 128), (2, 64), (1, 32)];

/// Names and shapes of all parameters, decoder by decoder, in the order of their convolutions.
pub fn names(decoders: &Decoders) -> Vec<(String, Vec<usize>)> {
    let mut names = Vec::new();
    for ((block, channels), widths) in LEVELS.into_iter().zip(&decoders.widths) {
        let mut inputs = channels;
        for (index, &width) in widths.iter().enumerate() {
            let name = format!("decoder{block}.conv{index}");
            names.push((format!("{name}.weight"), vec![width, inputs, 3, 3]));
            names.push((format!("{name}.bias"), vec![width]));
            inputs = width;
        }
    }
    names
}

/// The parameters to start from: those of a file, or random ones by He's rule for ReLUs (arXiv 1502.01852).
pub fn start(decoders: &Decoders, seed: u64) -> Result<Vec<Parameter>> {
    let file = match &decoders.start {
        Some(path) => Some(Checkpoint::open(path).context("decoders.start cannot be read")?),
        None => None,
    };
    let parameters = names(decoders).into_iter().enumerate();
    let parameters = parameters.map(|(index, (name, shape))| {
        let values = match &file {
            None => random(seed, index, &shape),
            Some(file) => match file.tensors.get(&name) {
                Some(tensor) if tensor.shape == shape => tensor.values.clone(),
                Some(tensor) => bail!(
                    "{name} of the weights to start from has the shape {:?}, and the configuration says {shape:?}",
                    tensor.shape
                ),
                None => bail!("the weights to start from have no {name}"),
            },
        };
        Ok(Parameter {
            name,
            shape,
            values,
        })
    });
    parameters.collect()
}

fn random(seed: u64, index: usize, shape: &[usize]) -> Vec<f32> {
    let mut random = Random::of(seed, Purpose::Weights, [index as u64, 1]);
    let inputs: usize = shape[1..].iter().product();
    let deviation = match shape.len() {
        1 => 0.0,
        _ => (2.0 / inputs as f32).sqrt(),
    };
    (0..shape.iter().product())
        .map(|_| deviation * random.normal())
        .collect()
}

/// Writes parameters as a file that impasto paints with.
pub fn write(path: &Path, parameters: &[Parameter], precision: Precision) -> Result<()> {
    let tensors = parameters.iter().map(|parameter| {
        let tensor = WeightTensor {
            shape: parameter.shape.clone(),
            values: parameter.values.clone(),
        };
        (parameter.name.clone(), tensor)
    });
    let metadata = [
        ("licence", "MIT OR Apache-2.0"),
        ("origin", "trained by the impasto project"),
        ("network", "decoders of lite"),
        ("enlargement", "bilinear"),
    ];
    let file = Checkpoint {
        tensors: tensors.collect(),
        metadata: metadata
            .map(|(key, value)| (key.into(), value.into()))
            .into(),
    };
    Ok(write_safetensors(path, &file, precision)?)
}

/// Reads a file as the cascade that impasto paints with.
pub fn read(path: &Path) -> Result<Cascade> {
    match Model::open(path)? {
        Model::Paint(cascade) => {
            let layers = cascade.levels.iter().map(|level| level.layer);
            let blocks = layers.map(|layer| match layer {
                LayerName::Relu { block, .. } => usize::from(block),
                _ => 0,
            });
            match blocks.eq(LEVELS.iter().map(|&(block, _)| block)) {
                true => Ok(cascade),
                false => bail!("{} has other levels than are trained", path.display()),
            }
        }
        _ => bail!("{} does not hold decoders of lite", path.display()),
    }
}
