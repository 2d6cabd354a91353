//! Numbers of networks while they are learned: what they are called, what they are, and the optimiser that steps them.

use anyhow::{Context, Result, bail};
use impasto::compute::{Device, Tensor};
use impasto::learn::{AdamW, Descent};
use impasto::optim::{Parameters, Parts};
use impasto_weights::{Checkpoint, WeightTensor};

/// A tensor of weights.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// The name in files: `conv2_1.weight`, `head.relu2_1.bias`.
    pub name: String,
    /// Its shape: `[out, in, 3, 3]`, `[out, in]` or `[out]`.
    pub shape: Vec<usize>,
    /// Its values.
    pub values: Vec<f32>,
}

/// What stands before names of the optimiser's tensors and numbers in checkpoints.
const OPTIMIZER: &str = "optimizer.";
/// What stands before names of weights there.
const WEIGHTS: &str = "weights.";

/// Numbers that are learned.
#[derive(Debug)]
pub struct Weights {
    device: Box<dyn Device>,
    names: Vec<(String, Vec<usize>)>,
    numbers: Parameters,
    optimizer: AdamW,
    step: usize,
}

impl Weights {
    /// Numbers that no step has changed yet.
    pub fn new(parameters: &[Parameter], descent: Descent) -> Result<Self> {
        let device = crate::teacher::device(Some(1))?;
        let tensors = parameters.iter();
        let tensors = tensors.map(|it| Ok(device.upload(&it.values, &[it.values.len()])?));
        let numbers = Parameters::new(tensors.collect::<Result<_>>()?);
        let names = parameters.iter();
        Ok(Self {
            names: names
                .map(|it| (it.name.clone(), it.shape.clone()))
                .collect(),
            optimizer: AdamW::new(device.as_ref(), descent, &numbers.shapes())?,
            device,
            numbers,
            step: 0,
        })
    }

    /// Steps that were taken.
    pub fn steps(&self) -> usize {
        self.step
    }

    /// Takes a step along gradients, in the order of the parameters.
    pub fn step(&mut self, gradients: &[Vec<f32>]) -> Result<()> {
        let device = self.device.as_ref();
        let tensors = gradients.iter();
        let tensors = tensors.map(|gradient| Ok(device.upload(gradient, &[gradient.len()])?));
        let gradients = Parameters::new(tensors.collect::<Result<_>>()?);
        let optimizer = &mut self.optimizer;
        optimizer.step(device, self.step, &mut self.numbers, gradients)?;
        self.step += 1;
        Ok(())
    }

    /// The numbers as they are.
    pub fn values(&self) -> Result<Vec<Vec<f32>>> {
        Ok(self.numbers.download(self.device.as_ref())?)
    }

    /// The average over steps, which is the result.
    pub fn average(&self) -> Result<Vec<Parameter>> {
        let device = self.device.as_ref();
        let values = self.optimizer.average(device, &self.numbers)?;
        let named = self.names.iter().zip(values);
        let parameter = |((name, shape), values): (&(String, Vec<usize>), Vec<f32>)| Parameter {
            name: name.clone(),
            shape: shape.clone(),
            values,
        };
        Ok(named.map(parameter).collect())
    }

    /// Writes everything into a checkpoint, from which [`Weights::read`] goes on.
    pub fn write(&self, file: &mut Checkpoint) -> Result<()> {
        let values = self.values()?;
        for ((name, shape), values) in self.names.iter().zip(values) {
            let shape = shape.clone();
            let tensor = WeightTensor { shape, values };
            file.tensors.insert(format!("{WEIGHTS}{name}"), tensor);
        }
        let parts = self.optimizer.parts();
        for (name, tensor) in &parts.tensors {
            let tensor = WeightTensor {
                shape: tensor.shape().to_vec(),
                values: self.device.download(tensor)?,
            };
            file.tensors.insert(format!("{OPTIMIZER}{name}"), tensor);
        }
        let mut say = |key: String, value: String| file.metadata.insert(key, value);
        for (name, number) in &parts.numbers {
            say(format!("{OPTIMIZER}{name}"), number.to_string());
        }
        say("step".into(), self.step.to_string());
        Ok(())
    }

    /// Reads numbers of these names and shapes, and their optimiser, from a checkpoint.
    pub fn read(
        file: &Checkpoint,
        names: Vec<(String, Vec<usize>)>,
        descent: Descent,
    ) -> Result<Self> {
        let device = crate::teacher::device(Some(1))?;
        let mut numbers: Vec<Tensor> = Vec::with_capacity(names.len());
        for (name, shape) in &names {
            match file.tensors.get(&format!("{WEIGHTS}{name}")) {
                Some(saved) if saved.shape == *shape => {
                    numbers.push(device.upload(&saved.values, &[saved.values.len()])?);
                }
                _ => bail!("the checkpoint lacks {name} of shape {shape:?}"),
            }
        }
        let numbers = Parameters::new(numbers);
        let mut parts = Parts::default();
        for (name, tensor) in &file.tensors {
            if let Some(name) = name.strip_prefix(OPTIMIZER) {
                parts.put_tensor(name, device.upload(&tensor.values, &tensor.shape)?);
            }
        }
        for (name, value) in &file.metadata {
            if let (Some(name), Ok(value)) = (name.strip_prefix(OPTIMIZER), value.parse()) {
                parts.put(name, value);
            }
        }
        let step = file.metadata.get("step").and_then(|step| step.parse().ok());
        Ok(Self {
            optimizer: AdamW::restore(descent, &numbers.shapes(), parts)?,
            step: step.context("the checkpoint does not say its step")?,
            device,
            names,
            numbers,
        })
    }
}
