//! A network that was learned from keyframes, as a file.

use super::network::{Numbers, graph};
use super::{Guide, KeyframeLesson};
use crate::nets::NetError;
use crate::recipe::Problem;
use crate::{Error, Result};
use impasto_compute::graph::GraphSpec;
use impasto_weights::{Checkpoint, Precision, WeightTensor, write_safetensors};
use std::path::Path;
use std::sync::Arc;

/// What a file of such a network says that it is.
const FORMAT: &str = "impasto keyframes";

/// A network that was learned from keyframes.
#[derive(Clone, Debug)]
pub struct KeyframeNetwork {
    /// How it was learned.
    pub lesson: KeyframeLesson,
    /// Steps that were taken of it.
    pub steps: usize,
    /// What it was learned from, and how, as a SHA-256.
    pub identity: String,
    /// Its numbers, list by list in the order of its graph.
    pub(super) numbers: Vec<Vec<f32>>,
    /// Whose spots it knows, of a film.
    pub(super) guide: Option<Guide>,
}

/// The numbers of a file, one list after the other.
pub(super) struct Known<'a> {
    lists: std::slice::Iter<'a, Vec<f32>>,
    misfit: bool,
}

impl<'a> Known<'a> {
    pub(super) fn of(lists: &'a [Vec<f32>]) -> Self {
        Self {
            lists: lists.iter(),
            misfit: false,
        }
    }

    /// Whether they were those of the graph that was made of them: all, and no others.
    pub(super) fn fit(mut self) -> bool {
        !self.misfit && self.lists.next().is_none()
    }

    fn next(&mut self, count: usize) -> Arc<[f32]> {
        match self.lists.next() {
            Some(list) if list.len() == count => list.as_slice().into(),
            _ => {
                self.misfit = true;
                vec![0.0; count].into()
            }
        }
    }
}

impl Numbers for Known<'_> {
    fn filters(&mut self, count: usize, each: usize, _gain: f64) -> Arc<[f32]> {
        self.next(count * each)
    }

    fn bias(&mut self, count: usize) -> Arc<[f32]> {
        self.next(count)
    }

    fn scale(&mut self, count: usize) -> Arc<[f32]> {
        self.next(count)
    }

    fn ramps(&mut self, count: usize) -> [Arc<[f32]>; 2] {
        [self.next(3 * count), self.next(count)]
    }
}

impl KeyframeNetwork {
    /// The graph.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the numbers are those of another network.
    pub(super) fn graph(&self) -> Result<GraphSpec> {
        let mut known = Known::of(&self.numbers);
        let spec = graph(self.lesson.size, &mut known);
        match known.fit() {
            true => Ok(spec),
            false => Err(unfit("its numbers")),
        }
    }

    /// Whether it was learned with spots that move with a film.
    pub fn guide(&self) -> Option<&Guide> {
        self.guide.as_ref()
    }

    /// The same with the spots of a film, or without any.
    pub fn with_guide(self, guide: Option<Guide>) -> Self {
        Self { guide, ..self }
    }

    /// Writes a safetensors file, complete or not at all. Spots are of one film, and not part of it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut file = Checkpoint::default();
        for (place, values) in self.numbers.iter().enumerate() {
            let tensor = WeightTensor {
                shape: vec![values.len()],
                values: values.clone(),
            };
            file.tensors.insert(format!("numbers.{place:03}"), tensor);
        }
        let lesson = serde_json::to_string(&self.lesson).unwrap_or_default();
        for (key, value) in [
            ("format", FORMAT.to_string()),
            (
                "program",
                concat!("impasto ", env!("CARGO_PKG_VERSION")).to_string(),
            ),
            ("lesson", lesson),
            ("steps", self.steps.to_string()),
            ("identity", self.identity.clone()),
        ] {
            file.metadata.insert(key.into(), value);
        }
        write_safetensors(path, &file, Precision::F32)
            .map_err(NetError::from)
            .map_err(Error::from)
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// If it cannot be read, or is something else.
    pub fn read(path: &Path) -> Result<Self> {
        let file = Checkpoint::open(path).map_err(NetError::from)?;
        if file.metadata.get("format").map(String::as_str) != Some(FORMAT) {
            return Err(unfit("its format"));
        }
        let said = |key: &str| file.metadata.get(key);
        let lesson = said("lesson").and_then(|text| serde_json::from_str(text).ok());
        let steps = said("steps").and_then(|text| text.parse().ok());
        let numbers = file.tensors.into_values().map(|tensor| tensor.values);
        let network = Self {
            lesson: lesson.ok_or_else(|| unfit("its lesson"))?,
            steps: steps.unwrap_or(0),
            identity: said("identity").cloned().unwrap_or_default(),
            numbers: numbers.collect(),
            guide: None,
        };
        network.graph()?;
        Ok(network)
    }
}

fn unfit(what: &str) -> Error {
    let allowed = "must be those of a network that was learned from keyframes here";
    Error::Invalid(vec![Problem::new("network", what, allowed)])
}
