//! Functions of moments, through the reference device.

use super::Context;
use super::array::{from_plain, to_plain};
use crate::reference::ReferenceDevice;
use crate::{Device, Moments, Result, Scalar, Tensor};

fn down(tensor: &Tensor) -> Result<Tensor> {
    ReferenceDevice::new().upload(&to_plain("matrix", tensor)?, tensor.shape())
}

fn up(context: &Context, tensor: &Tensor) -> Result<Tensor> {
    let values = ReferenceDevice::new().download(tensor)?;
    from_plain(context, &values, tensor.shape())
}

fn down_both(moments: &Moments) -> Result<Moments> {
    Ok(Moments {
        mean: down(&moments.mean)?,
        second: down(&moments.second)?,
    })
}

fn up_both(context: &Context, moments: &Moments) -> Result<Moments> {
    Ok(Moments {
        mean: up(context, &moments.mean)?,
        second: up(context, &moments.second)?,
    })
}

pub(super) fn covariance(context: &Context, moments: &Moments, ridge: f32) -> Result<Tensor> {
    let covariance = ReferenceDevice::new().covariance(&down_both(moments)?, ridge)?;
    up(context, &covariance)
}

pub(super) fn trace(_: &Context, matrix: &Tensor) -> Result<Scalar> {
    ReferenceDevice::new().trace(&down(matrix)?)
}

pub(super) fn covariance_backward(
    context: &Context,
    moments: &Moments,
    gradient: &Tensor,
    k: f32,
) -> Result<Moments> {
    let moments =
        ReferenceDevice::new().covariance_backward(&down_both(moments)?, &down(gradient)?, k)?;
    up_both(context, &moments)
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

pub(super) fn standard_deviation(
    context: &Context,
    moments: &Moments,
    epsilon: f32,
) -> Result<Tensor> {
    let deviation = ReferenceDevice::new().standard_deviation(&down_both(moments)?, epsilon)?;
    up(context, &deviation)
}

pub(super) fn standard_deviation_backward(
    context: &Context,
    moments: &Moments,
    deviation: &Tensor,
    gradient: &Tensor,
) -> Result<Moments> {
    let moments = ReferenceDevice::new().standard_deviation_backward(
        &down_both(moments)?,
        &down(deviation)?,
        &down(gradient)?,
    )?;
    up_both(context, &moments)
}
