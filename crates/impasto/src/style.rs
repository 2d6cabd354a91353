//! A painting, and how much it counts.

use crate::picture::Picture;

/// A painting and how much it counts among the paintings of a job.
#[derive(Clone, Debug)]
pub struct Style {
    /// What messages and reports call it.
    pub name: String,
    /// The painting.
    pub picture: Picture,
    /// Its weight, greater than 0; weights count relative to each other.
    pub weight: f32,
}

impl Style {
    /// A painting with a weight.
    pub fn new(name: impl Into<String>, picture: Picture, weight: f32) -> Self {
        Self {
            name: name.into(),
            picture,
            weight,
        }
    }
}
