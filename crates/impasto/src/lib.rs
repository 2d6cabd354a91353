//! The `impasto` library.

pub mod picture;
