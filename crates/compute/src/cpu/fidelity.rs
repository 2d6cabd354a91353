//! Cholesky factors and fidelity, through the reference device.

use super::Context;
use super::array::{from_plain, to_plain};
use crate::reference::ReferenceDevice;
use crate::{Device, Result, Scalar, Tensor};

fn down(tensor: &Tensor) -> Result<Tensor> {
    ReferenceDevice::new().upload(&to_plain("fidelity", tensor)?, tensor.shape())
}

fn up(context: &Context, tensor: &Tensor) -> Result<Tensor> {
    let values = ReferenceDevice::new().download(tensor)?;
    from_plain(context, &values, tensor.shape())
}

pub(super) fn cholesky(context: &Context, covariance: &Tensor) -> Result<Tensor> {
    up(
        context,
        &ReferenceDevice::new().cholesky(&down(covariance)?)?,
    )
}

pub(super) fn fidelity(
    context: &Context,
    covariance: &Tensor,
    target_factor: &Tensor,
) -> Result<(Scalar, Tensor)> {
    let reference = ReferenceDevice::new();
    let (value, gradient) = reference.fidelity(&down(covariance)?, &down(target_factor)?)?;
    Ok((value, up(context, &gradient)?))
}
