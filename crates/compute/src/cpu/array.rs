//! How the cpu device lays out tensors.
//!
//! Features are *blocked*: `[⌈c/16⌉, h, w, 16]`, so that one vector holds 16 channels of one pixel and no kernel
//! needs a shuffle; the lanes beyond `c` are always zero, which elementwise operations preserve by themselves.
//! Images and everything else are plain row-major. The layout is a function of the shape alone ([`Layout::of`]),
//! so tensors of the same shape always fit each other, wherever they came from.

use super::Context;
use super::chunks::{CHUNK, each};
use super::memory::Buffer;
use super::simd::LANES;
pub(super) use crate::device::same;
use crate::{ComputeError, Result, Storage, Tensor};
use std::any::Any;

/// Channels up to which a rank-3 tensor is an image (grey, colour, with alpha) and stays row-major.
const IMAGE_CHANNELS: usize = 4;

/// Where an element lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Row-major.
    Plain {
        /// Elements.
        len: usize,
    },
    /// `[⌈c/16⌉, pixels, 16]`.
    Blocked {
        /// Channels; those that fill up the last block are zero.
        channels: usize,
        /// `h·w`.
        pixels: usize,
    },
}

impl Layout {
    /// The layout of a shape.
    pub(super) fn of(shape: &[usize]) -> Self {
        match *shape {
            [channels, h, w] if channels > IMAGE_CHANNELS => Layout::Blocked {
                channels,
                pixels: h * w,
            },
            _ => Layout::Plain {
                len: shape.iter().product(),
            },
        }
    }

    /// Floats in memory, padding included.
    pub(super) fn len(self) -> usize {
        match self {
            Layout::Plain { len } => len,
            Layout::Blocked { channels, pixels } => channels.next_multiple_of(LANES) * pixels,
        }
    }

    /// From row-major to this layout.
    pub(super) fn pack(self, plain: &[f32], packed: &mut [f32]) {
        match self {
            Layout::Plain { .. } => packed.copy_from_slice(plain),
            Layout::Blocked { pixels: 0, .. } => {}
            Layout::Blocked { channels, pixels } => {
                for (block, out) in packed.chunks_exact_mut(pixels * LANES).enumerate() {
                    for (pixel, out) in out.chunks_exact_mut(LANES).enumerate() {
                        for (lane, out) in out.iter_mut().enumerate() {
                            let channel = block * LANES + lane;
                            *out = if channel < channels {
                                plain[channel * pixels + pixel]
                            } else {
                                0.0
                            };
                        }
                    }
                }
            }
        }
    }

    /// From this layout to row-major.
    pub(super) fn unpack(self, packed: &[f32], plain: &mut [f32]) {
        match self {
            Layout::Plain { .. } => plain.copy_from_slice(packed),
            Layout::Blocked { pixels: 0, .. } => {}
            Layout::Blocked { pixels, .. } => {
                for (channel, out) in plain.chunks_exact_mut(pixels).enumerate() {
                    let block = &packed[channel / LANES * pixels * LANES..][..pixels * LANES];
                    for (out, pixel) in out.iter_mut().zip(block.chunks_exact(LANES)) {
                        *out = pixel[channel % LANES];
                    }
                }
            }
        }
    }
}

/// The storage of a tensor of the cpu device.
#[derive(Debug)]
pub(super) struct Array(pub(super) Buffer);

impl Storage for Array {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// A tensor from a buffer in the layout of its shape.
pub(super) fn put(buffer: Buffer, shape: &[usize]) -> Tensor {
    debug_assert_eq!(buffer.len(), Layout::of(shape).len());
    Tensor::from_storage(shape, Box::new(Array(buffer)))
}

fn foreign(what: &'static str) -> ComputeError {
    ComputeError::ForeignTensor {
        what,
        device: "cpu".into(),
    }
}

/// A tensor's floats, in the layout of its shape.
pub(super) fn get<'a>(what: &'static str, tensor: &'a Tensor) -> Result<&'a [f32]> {
    tensor
        .storage::<Array>()
        .map(|array| &*array.0)
        .ok_or_else(|| foreign(what))
}

/// A tensor's floats, mutable. Padding lanes must stay zero.
pub(super) fn get_mut<'a>(what: &'static str, tensor: &'a mut Tensor) -> Result<&'a mut [f32]> {
    tensor
        .storage_mut::<Array>()
        .map(|array| &mut *array.0)
        .ok_or_else(|| foreign(what))
}

/// The buffer of a tensor that is not needed any more.
pub(super) fn take(what: &'static str, mut tensor: Tensor) -> Result<Buffer> {
    tensor
        .storage_mut::<Array>()
        .map(|array| array.0.take())
        .ok_or_else(|| foreign(what))
}

/// Features `[c, h, w]` in blocks, whatever their channels: a copy.
pub(super) fn blocked(context: &Context, what: &'static str, tensor: &Tensor) -> Result<Buffer> {
    let values = get(what, tensor)?;
    let &[channels, h, w] = tensor.shape() else {
        return Err(ComputeError::Shape {
            what: "features",
            expected: vec![0, 0, 0],
            got: tensor.shape().to_vec(),
        });
    };
    let pixels = h * w;
    let layout = Layout::Blocked { channels, pixels };
    let mut buffer = context.pool.take(layout.len())?;
    match Layout::of(tensor.shape()) {
        Layout::Plain { .. } => layout.pack(values, &mut buffer),
        Layout::Blocked { .. } => buffer.copy_from_slice(values),
    }
    Ok(buffer)
}

/// The same of features that are not needed any more: their own buffer, if it is in blocks.
pub(super) fn into_blocked(
    context: &Context,
    what: &'static str,
    tensor: Tensor,
) -> Result<Buffer> {
    match Layout::of(tensor.shape()) {
        Layout::Plain { .. } => blocked(context, what, &tensor),
        Layout::Blocked { .. } => take(what, tensor),
    }
}

/// A tensor `[c, h, w]` from a buffer in blocks.
pub(super) fn put_blocked(context: &Context, buffer: Buffer, shape: [usize; 3]) -> Result<Tensor> {
    let [channels, h, w] = shape;
    if let Layout::Blocked { .. } = Layout::of(&shape) {
        return Ok(put(buffer, &shape));
    }
    let mut plain = context.pool.take(channels * h * w)?;
    let pixels = h * w;
    Layout::Blocked { channels, pixels }.unpack(&buffer, &mut plain);
    Ok(put(plain, &shape))
}

/// A tensor from row-major values.
pub(super) fn from_plain(context: &Context, values: &[f32], shape: &[usize]) -> Result<Tensor> {
    if values.len() != shape.iter().product::<usize>() {
        return Err(ComputeError::Shape {
            what: "a tensor's values",
            expected: shape.to_vec(),
            got: vec![values.len()],
        });
    }
    let layout = Layout::of(shape);
    let mut buffer = context.pool.take(layout.len())?;
    layout.pack(values, &mut buffer);
    Ok(put(buffer, shape))
}

/// A tensor of zeros.
pub(super) fn zeros(context: &Context, shape: &[usize]) -> Result<Tensor> {
    let mut buffer = context.pool.take(Layout::of(shape).len())?;
    let pieces = buffer.chunks_mut(CHUNK).collect();
    each(context, pieces, |piece: &mut [f32]| piece.fill(0.0));
    Ok(put(buffer, shape))
}

/// A tensor's values, row-major.
pub(super) fn to_plain(what: &'static str, tensor: &Tensor) -> Result<Vec<f32>> {
    let packed = get(what, tensor)?;
    let mut values = vec![0.0; tensor.len()];
    Layout::of(tensor.shape()).unpack(packed, &mut values);
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Hardware;
    use crate::cpu::{CpuDevice, CpuSettings};

    #[test]
    fn every_shape_comes_back_as_it_went_in() -> Result<()> {
        let device = CpuDevice::new(CpuSettings::default())?;
        for shape in [
            &[][..],
            &[7],
            &[3, 5],
            &[3, 2, 5],
            &[5, 1, 1],
            &[16, 3, 2],
            &[17, 2, 3],
            &[40, 7, 1],
            &[20, 0, 3],
        ] {
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|i| i as f32 + 1.0)
                .collect();
            let tensor = device.upload(&values, shape)?;
            assert_eq!(device.download(&tensor)?, values, "{shape:?}");
            let packed = get("test", &tensor)?;
            let sum: f32 = packed.iter().sum();
            assert_eq!(
                sum,
                values.iter().sum::<f32>(),
                "padding of {shape:?} is not zero"
            );
        }
        assert!(device.upload(&[1.0; 5], &[2, 3]).is_err());
        Ok(())
    }
}
