//! Gradients that losses hand back, checked and sorted by the stage whose map they are about: the same on every device.

use crate::plan::Stage;
use crate::request::{Asked, missing};
use crate::{Cotangent, Moments, NetSpec, Result, Tap, Tensor};

/// What the losses say about the map behind one stage.
pub(crate) struct LayerCotangents<M> {
    /// Gradient towards its moments, those of heads included.
    pub(crate) moments: Option<Moments>,
    /// Gradients towards its features.
    pub(crate) features: Vec<M>,
    /// The same of heads, by the index of the head.
    pub(crate) heads: Vec<(usize, M)>,
}

impl<M> Default for LayerCotangents<M> {
    fn default() -> Self {
        Self {
            moments: None,
            features: Vec::new(),
            heads: Vec::new(),
        }
    }
}

/// What was seen of a tap.
pub(crate) struct Expected {
    /// The stage behind which it sits.
    pub(crate) stage: usize,
    /// Whether a gradient towards features, and one towards moments, may come.
    pub(crate) features: bool,
    pub(crate) moments: bool,
}

/// A tape, as far as gradients are sorted for it.
pub(crate) trait Receiver {
    /// A map in the layout of the device.
    type Map;

    /// What was seen of a tap, if anything was.
    fn expected(&self, tap: Tap) -> Option<Expected>;

    /// The map of a tensor that is used up.
    fn take(&self, features: Tensor) -> Result<Self::Map>;

    /// Checks that a tensor belongs to the device.
    fn own(&self, tensor: &Tensor) -> Result<()>;

    /// `sum += x`.
    fn add(&self, x: &Tensor, sum: &mut Tensor) -> Result<()>;

    /// A tensor of zeros.
    fn zeros(&self, shape: &[usize]) -> Result<Tensor>;

    /// Adds the gradient towards the moments of a head to that towards those of its trunk.
    fn through_head(&self, head: usize, towards: &Moments, trunk: &mut Moments) -> Result<()>;
}

/// Sorts gradients by stage, and checks them.
///
/// # Errors
/// As [`Tape::backward`](crate::Tape::backward).
pub(crate) fn sorted<R: Receiver>(
    tape: &R,
    spec: &NetSpec,
    stages: &[Stage],
    cotangents: Vec<Cotangent>,
) -> Result<Vec<LayerCotangents<R::Map>>> {
    let mut all: Vec<LayerCotangents<R::Map>> =
        stages.iter().map(|_| LayerCotangents::default()).collect();
    for cotangent in cotangents {
        let tap = cotangent.tap;
        let expected = tape.expected(tap);
        let expected = expected.ok_or_else(|| missing(tap, "features and moments"))?;
        let (said, stage) = (&mut all[expected.stage], &stages[expected.stage]);
        let asked = Asked {
            features: expected.features,
            moments: expected.moments,
            shape: [
                stage.channels_at(spec, tap),
                stage.size.height,
                stage.size.width,
            ],
        };
        asked.check(&cotangent)?;
        if let Some(features) = cotangent.features {
            let map = tape.take(features)?;
            match tap {
                Tap::Layer(_) => said.features.push(map),
                Tap::Head(head) => said.heads.push((head, map)),
            }
        }
        let Some(towards) = cotangent.moments else {
            continue;
        };
        tape.own(&towards.mean)?;
        tape.own(&towards.second)?;
        match (tap, &mut said.moments) {
            (Tap::Layer(_), Some(total)) => {
                tape.add(&towards.mean, &mut total.mean)?;
                tape.add(&towards.second, &mut total.second)?;
            }
            (Tap::Layer(_), none) => *none = Some(towards),
            (Tap::Head(head), total) => {
                let total = match total {
                    Some(total) => total,
                    none => none.insert(Moments {
                        mean: tape.zeros(&[stage.channels])?,
                        second: tape.zeros(&[stage.channels; 2])?,
                    }),
                };
                tape.through_head(head, &towards, total)?;
            }
        }
    }
    Ok(all)
}
