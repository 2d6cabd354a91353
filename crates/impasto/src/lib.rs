//! The `impasto` library.
