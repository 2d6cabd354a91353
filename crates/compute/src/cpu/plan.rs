//! Which layers run as one operation.
//!
//! A ReLU behind a convolution is fused into it, and so is a max or average pool behind that ReLU, unless a tap
//! looks at what lies between. Each stage ends in one map that exists in memory; a tap always sits at the end of one.

use super::results::FusedPool;
use crate::{Input, Layer, NetSpec, Pool, PoolKind};

/// What a stage does to the map before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operation {
    /// Takes the features that the network reads.
    Read,
    /// Convolution of layer `layer`, with what is fused behind it.
    Conv {
        /// Index of the convolution.
        layer: usize,
        /// What follows.
        behind: Behind,
    },
    /// A ReLU of its own.
    Relu,
    /// A pool of its own.
    Pool(Pool),
}

/// What is fused behind a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Behind {
    /// Nothing.
    Nothing,
    /// A ReLU.
    Relu,
    /// A ReLU and a pool.
    ReluPool {
        /// Which.
        pool: FusedPool,
        /// Its factor.
        factor: f32,
    },
}

/// One operation over a whole map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stage {
    pub(super) operation: Operation,
    /// The last layer it includes.
    pub(super) last: usize,
}

/// What a stage without a layer has for its last one.
pub(super) const NO_LAYER: usize = usize::MAX;

/// The stages up to layer `deepest`, with a map at every layer in `tapped`.
pub(super) fn stages(spec: &NetSpec, deepest: usize, tapped: &[usize]) -> Vec<Stage> {
    let layers = &spec.layers[..=deepest];
    let fusible = |layer: usize| layer < deepest && !tapped.contains(&layer);
    let mut stages = Vec::new();
    let reads_features = matches!(spec.input, Input::Features(_));
    if reads_features {
        stages.push(Stage {
            operation: Operation::Read,
            last: NO_LAYER,
        });
    }
    let mut index = 0;
    while let Some(layer) = layers.get(index) {
        let mut last = index;
        let operation = match layer {
            Layer::Relu => Operation::Relu,
            Layer::Pool(pool) => Operation::Pool(*pool),
            Layer::Conv(_) => {
                let mut behind = Behind::Nothing;
                if fusible(last) && matches!(layers[last + 1], Layer::Relu) {
                    last += 1;
                    behind = Behind::Relu;
                    // The convolution of an image has a kernel of its own that does not pool.
                    if let Some(Layer::Pool(pool)) = layers.get(last + 1)
                        && fusible(last)
                        && (index > 0 || reads_features)
                        && let Some(fused) = fused(pool.kind)
                    {
                        last += 1;
                        behind = Behind::ReluPool {
                            pool: fused,
                            factor: pool.factor,
                        };
                    }
                }
                Operation::Conv {
                    layer: index,
                    behind,
                }
            }
        };
        stages.push(Stage { operation, last });
        index = last + 1;
    }
    stages
}

fn fused(kind: PoolKind) -> Option<FusedPool> {
    match kind {
        PoolKind::Max => Some(FusedPool::Max),
        PoolKind::Average => Some(FusedPool::Average),
        // Its gradient needs the values themselves.
        PoolKind::L2 => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv3x3, InputNorm, Padding, Result};

    #[test]
    fn taps_keep_layers_apart() -> Result<()> {
        let conv = |from| {
            Conv3x3::new(
                from,
                5,
                Padding::Zero,
                vec![0.0; 5 * from * 9],
                vec![0.0; 5],
            )
        };
        let pool = Layer::Pool(Pool {
            kind: PoolKind::Max,
            factor: 1.0,
        });
        let spec = NetSpec {
            input: Input::Image(InputNorm {
                mean: [0.0; 3],
                scale: [1.0; 3],
            }),
            layers: vec![
                Layer::Conv(conv(3)?),
                Layer::Relu,
                Layer::Conv(conv(5)?),
                Layer::Relu,
                pool,
            ],
            heads: vec![],
        };
        let ends = |deepest, tapped: &[usize]| -> Vec<usize> {
            stages(&spec, deepest, tapped)
                .iter()
                .map(|stage| stage.last)
                .collect()
        };
        assert_eq!(ends(4, &[4]), [1, 4]);
        assert_eq!(ends(4, &[3, 4]), [1, 3, 4]);
        assert_eq!(ends(4, &[2, 4]), [1, 2, 3, 4]);
        assert_eq!(ends(4, &[0, 4]), [0, 1, 4]);
        assert_eq!(ends(3, &[3]), [1, 3]);
        assert_eq!(ends(2, &[2]), [1, 2]);
        Ok(())
    }
}
