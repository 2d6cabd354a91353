//! A run of learning as a file, from which it goes on to the same end.

use super::{AdamW, Descent, StyleLearner};
use crate::nets::NetError;
use crate::optim::{Parameters, Parts};
use crate::recipe::Problem;
use crate::{Error, Result};
use impasto_compute::Device;
use impasto_weights::{Checkpoint, Precision, WeightTensor, write_safetensors};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::Path;

/// What stands before the names of the optimiser's tensors.
const OPTIMIZER: &str = "optimizer.";
/// What stands before the names of the network's lists of numbers.
const NUMBERS: &str = "numbers.";

/// The state of a run of learning.
#[derive(Clone, Debug)]
pub struct LearnerState(Checkpoint);

impl LearnerState {
    /// Writes it, complete or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        write_safetensors(path, &self.0, Precision::F32)
            .map_err(NetError::from)
            .map_err(Error::from)
    }

    /// Reads it.
    ///
    /// # Errors
    /// If there is no such file, or if it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        Ok(Self(Checkpoint::open(path).map_err(NetError::from)?))
    }
}

impl StyleLearner {
    /// What this run depends on, as a SHA-256.
    fn identity(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(env!("CARGO_PKG_VERSION"));
        hash.update(serde_json::to_string(self.lesson()).unwrap_or_default());
        hash.update(&self.setup.encoder);
        for picture in [&self.style().picture].into_iter().chain(self.contents()) {
            for n in [picture.width(), picture.height()] {
                hash.update((n as u64).to_le_bytes());
            }
            for value in picture.rgb() {
                hash.update(value.to_le_bytes());
            }
        }
        for numbers in self.network.numbers() {
            numbers
                .iter()
                .for_each(|value| hash.update(value.to_le_bytes()));
        }
        let mut text = String::new();
        for byte in hash.finalize() {
            // Writing to a string does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// The state of the run.
    ///
    /// # Errors
    /// Whatever the device reports.
    pub fn state(&self) -> Result<LearnerState> {
        let device = self.device.as_ref();
        let learned = (&self.numbers, &self.optimizer);
        save(device, learned, self.step, &self.identity())
    }

    /// Goes on from a state of a run of the same pictures, start and lesson.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is of another run, or is not complete.
    pub fn resume(&mut self, state: LearnerState) -> Result<()> {
        let (device, shapes) = (self.device.as_ref(), self.numbers.shapes());
        let descent = Descent::from(&self.lesson);
        let found = restore(state, device, &shapes, descent, &self.identity())?;
        (self.numbers, self.optimizer, self.step) = found;
        self.learner.set(self.numbers.tensors())?;
        Ok(())
    }
}

/// Numbers and their optimiser after so many steps of a run of an identity.
///
/// # Errors
/// Whatever the device reports.
pub(crate) fn save(
    device: &dyn Device,
    (numbers, optimizer): (&Parameters, &AdamW),
    step: usize,
    identity: &str,
) -> Result<LearnerState> {
    let mut checkpoint = Checkpoint::default();
    let parts = optimizer.parts();
    let lists = numbers.tensors().iter().enumerate();
    let lists = lists.map(|(index, tensor)| (format!("{NUMBERS}{index}"), tensor));
    let states = parts.tensors.iter();
    let states = states.map(|(name, tensor)| (format!("{OPTIMIZER}{name}"), *tensor));
    for (name, tensor) in lists.chain(states) {
        let shape = tensor.shape().to_vec();
        let values = device.download(tensor)?;
        checkpoint
            .tensors
            .insert(name, WeightTensor { shape, values });
    }
    let mut say = |key: String, value: String| {
        checkpoint.metadata.insert(key, value);
    };
    for (name, number) in &parts.numbers {
        say(format!("{OPTIMIZER}{name}"), number.to_string());
    }
    say("identity".into(), identity.into());
    say("step".into(), step.to_string());
    Ok(LearnerState(checkpoint))
}

/// What [`save`] has saved, of lists of some shapes.
///
/// # Errors
/// [`Error::Invalid`] if it is of another run, or is not complete.
pub(crate) fn restore(
    LearnerState(state): LearnerState,
    device: &dyn Device,
    shapes: &[Vec<usize>],
    descent: Descent,
    identity: &str,
) -> Result<(Parameters, AdamW, usize)> {
    let unfit = |allowed: &str| {
        let problem = Problem::new("state", "of another run", allowed);
        Error::Invalid(vec![problem])
    };
    let said = |key: &str| state.metadata.get(key).map(String::as_str);
    if said("identity") != Some(identity) {
        return Err(unfit(
            "must be of the same pictures, start and settings: remove it to begin anew",
        ));
    }
    let mut numbers = Vec::with_capacity(shapes.len());
    for (index, shape) in shapes.iter().enumerate() {
        let saved = state.tensors.get(&format!("{NUMBERS}{index}"));
        let saved = saved.filter(|saved| saved.shape == *shape);
        let saved = saved.ok_or_else(|| unfit("is not complete: remove it to begin anew"))?;
        numbers.push(device.upload(&saved.values, shape)?);
    }
    let mut parts = Parts::default();
    for (name, tensor) in &state.tensors {
        if let Some(name) = name.strip_prefix(OPTIMIZER) {
            parts.put_tensor(name, device.upload(&tensor.values, &tensor.shape)?);
        }
    }
    for (name, value) in &state.metadata {
        if let (Some(name), Ok(value)) = (name.strip_prefix(OPTIMIZER), value.parse()) {
            parts.put(name, value);
        }
    }
    let optimizer = AdamW::restore(descent, shapes, parts)
        .map_err(|_| unfit("is not complete: remove it to begin anew"))?;
    let step = said("step").and_then(|text| text.parse().ok());
    let step = step.ok_or_else(|| unfit("says no step: remove it to begin anew"))?;
    Ok((Parameters::new(numbers), optimizer, step))
}
