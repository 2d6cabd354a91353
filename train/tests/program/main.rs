//! `impasto-train` from outside, on generated pictures and random networks of a few channels.

mod encoder;
mod judge;
mod paint;
mod workshop;
