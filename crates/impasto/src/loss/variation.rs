//! Total variation: neighbouring pixels stay alike, which keeps noise out.
//!
//! The forms are those of [`TotalVariation`]: L1, L2 (Mahendran and Vedaldi 2015) and the nine-point stencil of
//! crowsonkb/style-transfer-pytorch. They have no target and are not normalised by one; pixels in 0..1 have a scale
//! of their own.

use super::{Extent, Gradient, GradientScale, Loss, LossValue, Seen, View};
use impasto_compute::{Device, Reduction, Result, TotalVariation};

/// Total variation of the image.
#[derive(Clone, Copy, Debug)]
pub struct VariationLoss {
    /// Which differences, and how.
    pub kind: TotalVariation,
    /// Mean or sum: means of different numbers of differences are added, so it is no matter of scaling.
    pub reduction: Reduction,
}

impl Loss for VariationLoss {
    fn views(&self) -> &[View] {
        &[View::Image]
    }

    fn extent(&self) -> Extent {
        Extent::ONE
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: &[Seen<'_>],
        scale: GradientScale,
    ) -> Result<(LossValue, Vec<Gradient>)> {
        let image = Seen::only(seen)?.tensor()?;
        let (sum, gradient) =
            device.total_variation(image, self.kind, self.reduction, scale.times(1.0))?;
        Ok((LossValue::of(1.0, sum), vec![Gradient::Tensor(gradient)]))
    }
}
