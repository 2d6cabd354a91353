//! Optimisers: how a step is taken.

mod adam;

pub use adam::Adam;
