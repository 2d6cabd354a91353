//! MP4 and MOV (ISO/IEC 14496-12, QuickTime): tables of samples, whole and in fragments.
//!
//! Read and written by our own code: sound has to be copied with the description of its codec as it stands, which readers of
//! other crates do not hand out, and a table that lies about its length must not be believed.

mod fragments;
mod movie;
mod sound;
pub mod write;

pub use movie::{Edit, Movie, Sample, Track, boxes, child, contents, top_boxes};
pub use sound::{Sound, SoundTrack, read_sample};
