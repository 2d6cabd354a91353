//! What style transfer by relaxed optimal transport and self-similarity has settings for.

use crate::encoder::WeightedLayer;

/// Style transfer by relaxed optimal transport and self-similarity (Kolkin, Salavon and Shakhnarovich 2019, arXiv 1904.12785).
#[derive(Clone, Debug, PartialEq)]
pub struct Strotss {
    /// The layers that hypercolumns are made of, beside colours, each with its share; none means those of the encoder, up to
    /// relu4_3.
    pub layers: Vec<WeightedLayer>,
    /// Steps at each size.
    pub steps: usize,
    /// Size of a step, of levels of a pyramid of a picture in 0..1; half of it at the last size.
    pub learning_rate: f32,
    /// Weight of the photo: 16 times as much at the first size, half as much at each further one.
    pub content: f32,
    /// Places of the picture that are compared at each step.
    pub places: usize,
    /// Places of the styles that they are compared with.
    pub samples: usize,
    /// Whether places are drawn as published: rows and columns shuffled apart, so that those of a region are not in it, and
    /// those of the styles in five draws.
    pub faithful: bool,
}

impl Default for Strotss {
    fn default() -> Self {
        Self {
            layers: vec![],
            steps: 90,
            learning_rate: 2e-3,
            content: 1.0,
            places: 1024,
            samples: 1500,
            faithful: false,
        }
    }
}
