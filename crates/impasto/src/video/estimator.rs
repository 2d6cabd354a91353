//! Who says how things move: dense inverse search, and RAFT beside it if somebody has it.

use super::raft::{Features, Raft};
use crate::Result;
use crate::nets::RaftSpec;
use impasto_compute::Device;
use impasto_flow::{Flow, Frame, Guess, Pyramid, Settings};
use std::path::Path;
use std::sync::Arc;

/// Estimates flow by [`impasto_flow`]; with a learned estimator its flow is a candidate for that, as it is better where motion is
/// large, and worse where it is small.
#[derive(Clone, Debug, Default)]
pub struct Estimator {
    settings: Settings,
    learned: Option<Arc<Raft>>,
}

/// A frame as an estimator sees it.
#[derive(Clone, Debug)]
pub struct Seen {
    pyramid: Pyramid,
    learned: Option<Features>,
}

impl Estimator {
    /// With RAFT-small from a file, on a device.
    ///
    /// # Errors
    /// If the file cannot be read or is another network.
    pub fn learned(path: &Path, device: Arc<dyn Device>) -> Result<Self> {
        let raft = Raft::new(&RaftSpec::open(path)?, device, Raft::UPDATES)?;
        Ok(Self {
            learned: Some(Arc::new(raft)),
            ..Self::default()
        })
    }

    /// Looks at a frame.
    ///
    /// # Errors
    /// If the device of the learned estimator cannot.
    pub fn look(&self, frame: &Frame) -> Result<Seen> {
        let learned = self.learned.as_ref().map(|raft| raft.look(frame));
        Ok(Seen {
            pyramid: Pyramid::new(frame),
            learned: learned.transpose()?,
        })
    }

    /// The flows from `a` to `b` and from `b` to `a`. `before` are those of the pair before, in these directions.
    ///
    /// # Errors
    /// If they differ in size, or the device cannot.
    pub fn both(&self, a: &Seen, b: &Seen, before: Option<&[Flow; 2]>) -> Result<[Flow; 2]> {
        let learned = |from: &Seen, to: &Seen| match (&self.learned, &from.learned, &to.learned) {
            (Some(raft), Some(from), Some(to)) => raft.flow(from, to).map(Some),
            _ => Ok(None),
        };
        let learned = [learned(a, b)?, learned(b, a)?];
        let guess = |way: usize| Guess {
            before: before.map(|before| &before[way]),
            other: learned[way].as_ref(),
        };
        let guesses = [guess(0), guess(1)];
        let flows = impasto_flow::both_between(&a.pyramid, &b.pyramid, &self.settings, guesses)?;
        Ok(flows)
    }
}
