//! Networks that know nothing yet.

use crate::nets::{Colours, End, Filters, Layer, Norm, Stage, TransformerSpec};
use crate::random::Random;
use impasto_compute::Padding;
use impasto_compute::graph::{Activation, Border, Convolution, Scaling, Upsampling};

/// Residual blocks in the middle.
const BLOCKS: usize = 5;
/// Added to variances.
const EPSILON: f32 = 1e-5;

/// A network that knows nothing yet, its layers of so many channels: filters of 9×9, two of 3×3 that halve the picture, five
/// residual blocks, two that double it, 9×9 and a sigmoid (Johnson et al. 2016, narrower; borders reflected, nearest
/// neighbours before the convolutions that double). Filters are random, of variance `2/inputs` (He et al. 2015).
pub fn fresh([small, middle, large]: [usize; 3], seed: u64) -> TransformerSpec {
    let mut random = Random::new(seed);
    let mut layer = |inputs: usize, outputs: usize, kernel: usize, how: How| {
        let fan = inputs * kernel * kernel;
        let deviation = (2.0 / fan as f64).sqrt();
        let weight = (0..outputs * fan).map(|_| (deviation * random.normal()) as f32);
        let convolution = Convolution {
            inputs,
            outputs,
            groups: 1,
            kernel: [kernel, kernel],
            stride: if how == How::Halved { 2 } else { 1 },
            border: Border::Centred(Padding::Reflect),
            weight: weight.collect(),
            bias: vec![0.0; outputs].into(),
        };
        Layer {
            filters: Filters::Convolution {
                enlarge: (how == How::Doubled).then_some(Upsampling::Nearest),
                convolution,
            },
            norm: Norm::Instance {
                epsilon: EPSILON,
                scaling: Scaling {
                    scale: vec![1.0; outputs].into(),
                    shift: vec![0.0; outputs].into(),
                },
            },
            activation: (how != How::Plain).then_some(Activation::Relu),
        }
    };
    let mut stages = vec![
        Stage::Layer(layer(3, small, 9, How::Same)),
        Stage::Layer(layer(small, middle, 3, How::Halved)),
        Stage::Layer(layer(middle, large, 3, How::Halved)),
    ];
    for _ in 0..BLOCKS {
        let block = [
            layer(large, large, 3, How::Same),
            layer(large, large, 3, How::Plain),
        ];
        stages.push(Stage::Residual(Box::new(block)));
    }
    stages.push(Stage::Layer(layer(large, middle, 3, How::Doubled)));
    stages.push(Stage::Layer(layer(middle, small, 3, How::Doubled)));
    stages.push(Stage::Layer(layer(small, 3, 9, How::Plain)));
    TransformerSpec {
        name: "a network that was learned here",
        input: Colours::PLAIN,
        stages,
        end: End::Sigmoid,
        output: Colours::PLAIN,
    }
}

/// What a layer does to the size, and whether a ReLU follows.
#[derive(Clone, Copy, PartialEq)]
enum How {
    Same,
    Halved,
    Doubled,
    /// The size stays, without a ReLU.
    Plain,
}
