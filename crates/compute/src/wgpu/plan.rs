//! Which layers run as one kernel.
//!
//! A ReLU behind a convolution is fused into it, and so is a max or average pool behind that ReLU, unless a tap looks
//! at what lies between. Each stage ends in one map that exists in memory; a tap always sits at the end of one.

use crate::{Layer, NetSpec, Pool, PoolKind};

/// What a stage does to the map before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Operation {
    /// A convolution, with what is fused behind it.
    Conv { layer: usize, behind: Behind },
    /// A ReLU of its own.
    Relu,
    /// A pool of its own.
    Pool(Pool),
}

/// What is fused behind a convolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Behind {
    Nothing,
    Relu,
    /// A ReLU and a max or average pool.
    ReluPool(Pool),
}

/// One kernel over a whole map.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stage {
    pub(super) operation: Operation,
    /// The last layer it includes.
    pub(super) last: usize,
}

/// The stages up to layer `deepest`, with a map at every layer in `tapped`.
pub(super) fn stages(spec: &NetSpec, deepest: usize, tapped: &[usize]) -> Vec<Stage> {
    let layers = &spec.layers[..=deepest];
    let behind = |index: usize| layers.get(index).filter(|_| !tapped.contains(&(index - 1)));
    let mut stages = Vec::new();
    let mut index = 0;
    while let Some(layer) = layers.get(index) {
        let operation = match layer {
            Layer::Relu => Operation::Relu,
            Layer::Pool(pool) => Operation::Pool(*pool),
            Layer::Conv(_) => Operation::Conv {
                layer: index,
                behind: match (behind(index + 1), behind(index + 2)) {
                    // The gradient of an L2 pool needs the values themselves.
                    (Some(Layer::Relu), Some(Layer::Pool(pool))) if pool.kind != PoolKind::L2 => {
                        Behind::ReluPool(*pool)
                    }
                    (Some(Layer::Relu), _) => Behind::Relu,
                    _ => Behind::Nothing,
                },
            },
        };
        index += match operation {
            Operation::Conv {
                behind: Behind::ReluPool(_),
                ..
            } => 3,
            Operation::Conv {
                behind: Behind::Relu,
                ..
            } => 2,
            _ => 1,
        };
        stages.push(Stage {
            operation,
            last: index - 1,
        });
    }
    stages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Conv3x3, Input, Padding, Result};

    #[test]
    fn taps_keep_layers_apart() -> Result<()> {
        let conv = |from| {
            let weight = vec![0.0; 5 * from * 9];
            Conv3x3::new(from, 5, Padding::Zero, weight, vec![0.0; 5])
        };
        let pool = |kind| Layer::Pool(Pool { kind, factor: 1.0 });
        let spec = NetSpec {
            input: Input::Features(3),
            layers: vec![
                Layer::Conv(conv(3)?),
                Layer::Relu,
                Layer::Conv(conv(5)?),
                Layer::Relu,
                pool(PoolKind::Max),
                Layer::Conv(conv(5)?),
                Layer::Relu,
                pool(PoolKind::L2),
            ],
            heads: vec![],
        };
        let ends = |deepest, tapped: &[usize]| -> Vec<usize> {
            let stages = stages(&spec, deepest, tapped);
            stages.iter().map(|stage| stage.last).collect()
        };
        assert_eq!(ends(4, &[4]), [1, 4]);
        assert_eq!(ends(4, &[3, 4]), [1, 3, 4]);
        assert_eq!(ends(4, &[2, 4]), [1, 2, 3, 4]);
        assert_eq!(ends(4, &[0, 4]), [0, 1, 4]);
        assert_eq!(ends(3, &[3]), [1, 3]);
        assert_eq!(ends(2, &[2]), [1, 2]);
        assert_eq!(ends(7, &[7]), [1, 4, 6, 7]);
        Ok(())
    }
}
