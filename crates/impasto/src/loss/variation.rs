//! Total variation: neighbouring pixels stay alike, which keeps noise out.
//!
//! The forms are those of [`TotalVariation`]: L1, L2 (Mahendran and Vedaldi 2015) and the nine-point stencil of
//! crowsonkb/style-transfer-pytorch. They have no target and are not normalised by one; pixels in 0..1 have a scale
//! of their own.

use super::{Gradient, Loss, LossValue, Scaling, Seen, View};
use impasto_compute::{Device, Result, TotalVariation};

/// Total variation of the image.
#[derive(Clone, Copy, Debug)]
pub struct VariationLoss {
    /// Which differences, and how.
    pub kind: TotalVariation,
    /// Mean or sum, and whether its gradient is normalised.
    pub scaling: Scaling,
}

impl Loss for VariationLoss {
    fn view(&self) -> View {
        View::Image
    }

    fn evaluate(
        &self,
        device: &dyn Device,
        seen: Seen<'_>,
        weight: f32,
    ) -> Result<(LossValue, Gradient)> {
        let image = seen.tensor()?;
        let slope = (self.scaling.factor * f64::from(weight)) as f32;
        let (sum, gradient) =
            device.total_variation(image, self.kind, self.scaling.reduction, slope)?;
        let value = LossValue {
            parts: vec![(self.scaling.factor, sum)],
            ..LossValue::default()
        };
        self.scaling
            .finish(device, value, Gradient::Tensor(gradient), weight)
    }
}
