//! Reads moving pictures frame by frame, and writes them.
//!
//! ```text
//! file, folder, pipe ──▶ Source ──▶ Frame { number, time, picture } ──▶ … ──▶ Sink ──▶ file, folder, pipe
//!                           └──────────────── Sound (packets as they are) ─────────▶┘
//! ```
//!
//! | what | read | written |
//! |---|---|---|
//! | MP4, MOV, M4V with progressive 8-bit 4:2:0 H.264 | `source::h264` | `sink::mp4` |
//! | animated GIF | `source::gif` | `sink::gif` |
//! | APNG | `source::apng` | `sink::apng` |
//! | animated WebP | `source::webp` | |
//! | Y4M, also through a pipe | `source::y4m` | `sink::y4m` |
//! | folders and patterns of pictures | `source::pictures` | `sink::pictures` |
//! | everything else, if there is an `ffmpeg` on the path | `source::ffmpeg` | `sink::ffmpeg` |
//!
//! A [`Source`] gives every frame upright with its own time, whatever the rate does, and holds no more frames than its
//! codec needs. A [`Sink`] writes to a file with `.part` at its end, which is renamed when it is whole; what was cut off
//! goes on from there, and the result has the same bytes as if nothing had happened.
//!
//! The readers of containers are our own: a file is data that nobody vouches for, every size it says is compared with what
//! there is before anything is allocated, and sound is copied packet by packet without being understood. Codecs are other
//! crates'. Where one of them panics, that is an [`Error`].
//!
//! H.264 is behind the feature `h264`, which is on. The code is free; in some countries the use of H.264 needs a licence of
//! patents, which neither this crate nor those it is made of can give.

#![forbid(unsafe_code)]
// What describes streams of H.264 serves that alone.
#![cfg_attr(not(feature = "h264"), allow(dead_code))]

mod bytes;
mod color;
mod error;
mod ffmpeg;
mod frame;
mod guard;
mod info;
mod mp4;
mod sink;
mod source;
mod time;

pub use error::{Advice, Error, Result};
pub use frame::{Channels, Frame, Picture, Samples};
pub use info::{Info, Rotation};
pub use mp4::Sound;
pub use sink::{Sink, WriteOptions};
pub use source::{Backend, Decode, ReadOptions, Source, Waits};
pub use time::{Time, TimeBase};
