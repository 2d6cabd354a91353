//! Tensors of this device: row-major, one [`Array`] each.

use super::context::Context;
use super::memory::Array;
pub(super) use crate::device::same;
use crate::{ComputeError, Result, Tensor};

pub(super) fn foreign(context: &Context, what: &'static str) -> ComputeError {
    ComputeError::ForeignTensor {
        what,
        device: context.name.clone(),
    }
}

/// The array of a tensor of this device.
pub(super) fn get<'a>(
    context: &Context,
    what: &'static str,
    tensor: &'a Tensor,
) -> Result<&'a Array> {
    tensor
        .storage::<Array>()
        .filter(|array| array.is_of(&context.pool))
        .ok_or_else(|| foreign(context, what))
}

/// The array of a tensor of this device that is about to change.
pub(super) fn get_mut<'a>(
    context: &Context,
    what: &'static str,
    tensor: &'a mut Tensor,
) -> Result<&'a mut Array> {
    let array = tensor
        .storage_mut::<Array>()
        .filter(|array| array.is_of(&context.pool))
        .ok_or_else(|| foreign(context, what))?;
    array.factor = None;
    Ok(array)
}

/// A tensor of an array.
pub(super) fn put(array: Array, shape: &[usize]) -> Tensor {
    Tensor::from_storage(shape, Box::new(array))
}

/// Copies values onto the device.
pub(super) fn from_plain(context: &Context, values: &[f32]) -> Result<Array> {
    let array = context.pool.take(values.len())?;
    let mut bytes = Vec::with_capacity(values.len() * 4);
    if context.gpu.is_some() {
        bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }
    context.write(&array, &bytes)?;
    Ok(array)
}

pub(super) fn upload(context: &Context, values: &[f32], shape: &[usize]) -> Result<Tensor> {
    if values.len() != shape.iter().product::<usize>() {
        return Err(ComputeError::Shape {
            what: "a tensor's values",
            expected: shape.to_vec(),
            got: vec![values.len()],
        });
    }
    Ok(put(from_plain(context, values)?, shape))
}
