//! What neural neighbours have settings for.

use crate::encoder::WeightedLayer;

/// Neural neighbour style transfer (Kolkin et al. 2022, arXiv 2203.13215): every place of the picture takes after the place
/// of the styles whose features are most like its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Nnst {
    /// The layers that hypercolumns are made of, each with its share; none means those of the encoder, up to relu4_3.
    pub layers: Vec<WeightedLayer>,
    /// Steps at each size.
    pub steps: usize,
    /// Steps of the pass after these, layer by layer; 0 leaves it out.
    pub splitting: usize,
    /// Steps of the last pass, towards the styles' moments and the photo's features as the optimisation does it; 0 leaves it out.
    pub finish: usize,
    /// Size of a step, of levels of a pyramid of a picture in 0..1.
    pub learning_rate: f32,
    /// How much of the photo is in what is matched with the styles: 1 is the photo alone, 0 what was painted so far.
    pub alpha: f32,
    /// Whether styles are seen in all four directions.
    pub turns: bool,
    /// Steps after which the pass layer by layer seeks neighbours anew.
    pub refresh: usize,
    /// Places of the styles that are matched with, at most.
    pub samples: usize,
    /// Whether colours are those of the photo, moved to the styles' mean and covariance, under the lightness of what was painted.
    pub recolor: bool,
    /// Whether everything is done as published: all places are sought with all features, at each step of the last pass, from
    /// means of parts of the picture.
    pub faithful: bool,
}

impl Default for Nnst {
    fn default() -> Self {
        Self {
            layers: vec![],
            steps: 80,
            splitting: 0,
            finish: 80,
            learning_rate: 2e-3,
            alpha: 0.75,
            turns: true,
            refresh: 5,
            samples: 1 << 16,
            recolor: false,
            faithful: false,
        }
    }
}
