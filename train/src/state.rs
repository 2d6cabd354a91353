//! What a training that was cut off goes on from: one file, written to a temporary name and renamed.
//!
//! It holds weights, the optimiser's memory, the teacher's projections, the step, and the hash of everything that the
//! training was made from: it goes on from its own checkpoint alone. Pictures of earlier runs lie beside it, one file for each time
//! they were made.

use crate::student::Shape;
use crate::teacher::Target;
use crate::weights::Weights;
use anyhow::{Context, Result, bail};
use impasto::learn::Descent;
use impasto_weights::{Checkpoint, Precision, WeightTensor, write_safetensors};
use std::path::Path;

/// A training at a step.
#[derive(Debug)]
pub struct State {
    /// The weights and their optimiser; their step is the training's.
    pub weights: Weights,
    /// The teacher's projections.
    pub targets: Vec<Target>,
    /// Losses of each head, summed over the steps since they were last reported, and those steps.
    pub losses: (Vec<f64>, usize),
    /// Seconds that the training has taken.
    pub seconds: f64,
}

impl State {
    /// Writes the state of the training `identity`.
    pub fn write(&self, path: &Path, identity: &str) -> Result<()> {
        let mut file = Checkpoint::default();
        self.weights.write(&mut file)?;
        for target in &self.targets {
            let tensor = WeightTensor {
                shape: vec![target.components, target.channels],
                values: target.projection.clone(),
            };
            let name = format!("projection.{}", target.layer);
            file.tensors.insert(name, tensor);
        }
        let numbers = self
            .targets
            .iter()
            .map(|target| (target.kept, target.scale));
        let numbers: Vec<_> = numbers.collect();
        for (key, value) in [
            ("training", serde_json::to_string(identity)?),
            ("losses", serde_json::to_string(&self.losses)?),
            ("seconds", serde_json::to_string(&self.seconds)?),
            ("targets", serde_json::to_string(&numbers)?),
        ] {
            file.metadata.insert(key.into(), value);
        }
        Ok(write_safetensors(path, &file, Precision::F32)?)
    }

    /// Reads the state of the training `identity`.
    pub fn read(path: &Path, identity: &str, shape: &Shape, descent: Descent) -> Result<Self> {
        let mut file = Checkpoint::open(path).with_context(|| {
            format!(
                "there is nothing to go on from in {}: begin without --resume",
                path.display()
            )
        })?;
        if get::<String>(&file, "training")? != identity {
            bail!(
                "{} is of another training: configuration, pictures, teacher and start must be the same; \
                 begin without --resume in another folder",
                path.display()
            );
        }
        let weights = Weights::read(&file, shape.parameters(), descent)?;
        let numbers: Vec<(f64, f64)> = get(&file, "targets")?;
        let mut targets = Vec::new();
        for (&(layer, components), (kept, scale)) in shape.heads.iter().zip(numbers) {
            let name = format!("projection.{layer}");
            let Some(tensor) = file.tensors.remove(&name) else {
                bail!("{} lacks {name}", path.display());
            };
            targets.push(Target {
                layer,
                channels: tensor.values.len() / components,
                components,
                projection: tensor.values,
                kept,
                scale,
            });
        }
        Ok(Self {
            weights,
            targets,
            losses: get(&file, "losses")?,
            seconds: get(&file, "seconds")?,
        })
    }
}

fn get<T: serde::de::DeserializeOwned>(file: &Checkpoint, key: &str) -> Result<T> {
    let text = file.metadata.get(key).map_or("null", String::as_str);
    serde_json::from_str(text).with_context(|| format!("the checkpoint does not say its {key}"))
}
