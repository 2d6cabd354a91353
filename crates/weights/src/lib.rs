//! Reads the weights of networks from files that nobody vouches for.
//!
//! ```text
//! bytes ── format recognised by content ──▶ WeightsFile { name, shape, place } ── read ──▶ Checkpoint { name → f32 values }
//! ```
//!
//! Weights come from strangers, so a file is data and nothing else: every size it declares is checked against
//! its own length and against [`Limits`] before anything is allocated, pickles are read and never executed, and a
//! tensor with NaN or infinite values is refused by name.
//!
//! | format | module |
//! |---|---|
//! | safetensors | `format::safetensors` |
//! | PyTorch `.pth`, zip and legacy stream | `format::pytorch`, `format::pickle`, `format::zip` |
//! | Keras `.h5`, `.weights.h5`, `.keras` | `format::hdf5` |
//! | NumPy `.npz` | `format::npz` |
//! | TensorFlow.js `model.json` with shards | `format::tfjs` |
//! | ONNX, in one file | `format::onnx` |
//! | TensorFlow Lite | `format::tflite` |
//!
//! [`WeightsFile::read_vgg`] finds a VGG in any of them by its tensors' names and gives it canonical ones; the
//! [`Store`] keeps such files by name, the registry ([`models`]) knows where they come from, and `Store::pull`, which
//! is there with the feature `pull`, fetches them from there, and nothing else does.
//!
//! [`StateWriter`] and [`StateFile`] keep the state of a computation in the safetensors format, with a checksum of
//! all of it.
//!
//! f16, bf16, f32 and f64 are widened or narrowed to f32. The readers are our own: those that were looked at take
//! only a path, bring ten to twenty further crates, map files into memory, or have no limit on the whole of what
//! they allocate.

// What reads headers and files with holes in them serves pulling alone.
#![cfg_attr(not(feature = "pull"), allow(dead_code))]

mod advice;
mod checkpoint;
mod encoding;
mod entry;
mod error;
mod format;
mod hash;
mod limits;
mod networks;
mod problem;
#[cfg(feature = "pull")]
mod pull;
mod registry;
mod save;
mod source;
mod state;
mod store;
mod vgg;
mod weights_file;

pub use advice::Advice;
pub use checkpoint::{Checkpoint, WeightTensor};
pub use error::{Result, WeightsError};
pub use format::Format;
pub use hash::Checksum;
pub use limits::Limits;
pub use networks::{KnownNetwork, network, network_in, networks};
#[cfg(feature = "pull")]
pub use pull::{Pull, PullError, PullEvent, PullFrom, PullObserver};
pub use registry::{Model, Origin, model, models};
pub use save::{Precision, write_safetensors};
pub use state::{StateFile, StateWriter};
pub use store::{Import, Installed, Store, Verified};
pub use vgg::Front;
pub use weights_file::{TensorInfo, VggInfo, WeightsFile};
