//! Reads the weights of networks from files that nobody vouches for.
//!
//! ```text
//! bytes ── format recognised by content ──▶ Checkpoint { name → shape, f32 values; metadata }
//! ```
//!
//! Weights come from strangers, so a file is data and nothing else: every size it declares is checked against
//! its own length and against [`Limits`] before anything is allocated, and a tensor with NaN or infinite values
//! is refused by name. Which tensor belongs to which layer is not decided here but by the encoder.
//!
//! Formats: safetensors (f16, bf16, f32, f64, widened or narrowed to f32).

mod checkpoint;
mod error;
mod safetensors;

pub use checkpoint::{Checkpoint, Limits, WeightTensor};
pub use error::{Result, WeightsError};
