//! Tensors and scalars that live on a device.

use crate::Result;
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// What a device keeps behind a [`Tensor`]; each device has its own type and its own layout.
pub trait Storage: Any + Send + Sync + fmt::Debug {
    /// The storage as [`Any`], for its own device to look inside.
    fn as_any(&self) -> &dyn Any;
    /// The same, mutable.
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

/// An array on a device: a shape and the device's own buffer.
///
/// Shapes are `[3, h, w]` for images, `[c, h, w]` for features, `[c]` and `[c, c]` for moments, all row-major
/// when uploaded and downloaded; between the two the device may lay them out as it likes.
#[derive(Debug)]
pub struct Tensor {
    shape: Vec<usize>,
    storage: Box<dyn Storage>,
}

impl Tensor {
    /// Wraps a device's buffer. For devices; everybody else calls [`Hardware::upload`](crate::Hardware::upload).
    pub fn from_storage(shape: &[usize], storage: Box<dyn Storage>) -> Self {
        Self {
            shape: shape.to_vec(),
            storage,
        }
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True when there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The device's buffer, if it is of type `T`.
    pub fn storage<T: Storage>(&self) -> Option<&T> {
        self.storage.as_any().downcast_ref()
    }

    /// The device's buffer, mutable, if it is of type `T`.
    pub fn storage_mut<T: Storage>(&mut self) -> Option<&mut T> {
        self.storage.as_any_mut().downcast_mut()
    }
}

/// A number that a device has not necessarily computed yet.
pub trait PendingScalar: Any + Send + Sync + fmt::Debug {
    /// Waits for the number.
    fn wait(&self) -> Result<f64>;
}

/// One number from a device. A device that works asynchronously hands out [`Scalar::Pending`], so that asking
/// for a loss value is what waits, not computing it.
#[derive(Clone, Debug)]
pub enum Scalar {
    /// The number is here.
    Ready(f64),
    /// The number is still on its way.
    Pending(Arc<dyn PendingScalar>),
}

impl Scalar {
    /// The number; waits for the device if it must.
    pub fn value(&self) -> Result<f64> {
        match self {
            Scalar::Ready(value) => Ok(*value),
            Scalar::Pending(pending) => pending.wait(),
        }
    }
}
