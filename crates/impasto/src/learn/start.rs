//! What a lesson starts from.

use super::{Course, fresh};
use crate::nets::{Model, NetError, TransformerSpec};
use impasto_weights::{Limits, WeightsFile};

/// A network of 8, 16 and 32 channels that has learned `@oils` (docs/learning.md says how), in 16 bits.
const EMBEDDED: &[u8] = include_bytes!("start.safetensors");

/// The network that a course starts from: the one that is part of the program, or, for the tiny course, one that knows
/// nothing yet.
///
/// # Errors
/// None that a released program can meet; the type is shared with [`Model::open`].
pub fn start(course: Course, seed: u64) -> Result<TransformerSpec, NetError> {
    if let Course::Tiny = course {
        return Ok(fresh(course.channels(), seed));
    }
    let file = WeightsFile::from_bytes(EMBEDDED, "the embedded start", &Limits::default())?;
    match Model::read("the embedded start", &[file])? {
        Model::Transformer(network) => network.only(0),
        // The file is part of the program.
        _ => Ok(fresh(course.channels(), seed)),
    }
}
