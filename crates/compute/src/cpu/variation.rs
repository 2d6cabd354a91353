//! Total variation and its gradient, through the reference device.

use super::Context;
use super::array::{from_plain, to_plain};
use crate::reference::ReferenceDevice;
use crate::{Device, Reduction, Result, Scalar, Tensor, TotalVariation};

pub(super) fn total_variation(
    context: &Context,
    image: &Tensor,
    kind: TotalVariation,
    reduction: Reduction,
    k: f32,
) -> Result<(Scalar, Tensor)> {
    let reference = ReferenceDevice::new();
    let copy = reference.upload(&to_plain("total_variation", image)?, image.shape())?;
    let (value, gradient) = reference.total_variation(&copy, kind, reduction, k)?;
    let gradient = from_plain(context, &reference.download(&gradient)?, image.shape())?;
    Ok((value, gradient))
}
